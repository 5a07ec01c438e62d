"""Every option of the published implementation, against logits that it gave.

Each case of ``golden/wav2sleep-options`` is a configuration, perturbed random weights and the
logits of the published code in eval mode. Night 0 has all signals, night 1 + i lacks signal i.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from sklearn_sleep.staging.wav2sleep import Wav2SleepClassifier

FOLDER = Path(__file__).parents[1] / "data" / "golden" / "wav2sleep-options"
CASES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SAMPLES_PER_EPOCH = {"ABD": 256, "THX": 256, "ECG": 1024, "PPG": 1024, "EOG-L": 4096, "EOG-R": 4096}


@pytest.fixture
def published(tmp_path):
    """Make a case a published checkpoint and load it: network, inputs, logits."""

    def load(case):
        text = (FOLDER / f"{case}.yaml").read_text(encoding="utf-8")
        (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
        with np.load(FOLDER / f"{case}.npz") as stored:
            state = {
                key.removeprefix("state/"): torch.from_numpy(stored[key])
                for key in stored
                if key.startswith("state/")
            }
            logits = torch.from_numpy(stored["logits"])
        torch.save(state, tmp_path / "state_dict.pth")
        classifier = Wav2SleepClassifier.from_pretrained(tmp_path)
        signals = list(yaml.safe_load(text)["signal_encoders"]["signal_map"])
        x, present = {}, {}
        with np.load(FOLDER / "inputs.npz") as inputs:
            for position, name in enumerate(signals):
                samples = inputs[name][: len(logits)].astype(np.float32) / 16
                x[name] = torch.from_numpy(samples).view(len(logits), -1, SAMPLES_PER_EPOCH[name])
                present[name] = torch.ones(x[name].shape[:2], dtype=torch.bool)
                if len(signals) > 1:
                    present[name][1 + position] = False
        return classifier.module_.eval(), x, present, logits

    return load


def test_there_are_cases():
    assert len(CASES) >= 20


@pytest.mark.parametrize("case", CASES)
def test_logits_equal_the_published(published, case):
    network, x, present, logits = published(case)
    with torch.no_grad():
        torch.testing.assert_close(network(x, present), logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize("case", ["shared-encoder-embedded", "causal-chunks", "norm-batch"])
def test_one_night_alone_without_the_missing_signal(published, case):
    network, x, present, logits = published(case)
    for night in range(len(logits)):
        there = {name: x[name][night : night + 1] for name in x if present[name][night].any()}
        with torch.no_grad():
            torch.testing.assert_close(network(there), logits[night : night + 1], atol=1e-4, rtol=0)
