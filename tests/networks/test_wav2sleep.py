"""The network against the logits of the published implementation."""

import numpy as np
import pytest
import torch

from sklearn_sleep.networks import make_wav2sleep

SAMPLES_PER_EPOCH = {"ABD": 256, "THX": 256, "ECG": 1024, "PPG": 1024}


@pytest.fixture(scope="module")
def published(data_folder):
    """The published-format checkpoint: network, inputs, logits."""
    folder = data_folder / "golden" / "wav2sleep-cardio-small"
    network = make_wav2sleep(
        SAMPLES_PER_EPOCH,
        n_classes=4,
        feature_dim=32,
        initial_channels=4,
        max_channels=16,
        mixer_heads=4,
        mixer_feedforward_dim=64,
    )
    network.load_state_dict(torch.load(folder / "state_dict.pth", weights_only=True))
    with np.load(folder / "case.npz") as case:
        x = {name: torch.from_numpy(case[f"x_{name}"]) for name in SAMPLES_PER_EPOCH}
        logits = torch.from_numpy(case["logits"])
    present = {}
    for name, samples in x.items():
        # The published implementation marks a missing signal by a row of -inf.
        there = torch.isfinite(samples[:, 0])
        present[name] = there[:, None].expand(-1, logits.shape[1])
        x[name] = samples.nan_to_num(neginf=0.0).view(len(samples), -1, SAMPLES_PER_EPOCH[name])
    return network.eval(), x, present, logits


def test_logits_equal_the_published(published):
    network, x, present, logits = published
    assert any(not bool(mask.all()) for mask in present.values())
    with torch.no_grad():
        torch.testing.assert_close(network(x, present), logits, atol=1e-4, rtol=0)


def test_night_alone_equals_night_in_batch(published):
    network, x, present, logits = published
    for night in range(len(logits)):
        there = {name: mask[night : night + 1] for name, mask in present.items()}
        alone = {name: samples[night : night + 1] for name, samples in x.items()}
        with torch.no_grad():
            torch.testing.assert_close(
                network(alone, there), logits[night : night + 1], atol=1e-4, rtol=0
            )


def test_missing_signals_are_not_encoded(published):
    network, x, present, _ = published
    seen = []
    hooks = [
        encoder.register_forward_hook(
            lambda _m, args, _out, name=name: seen.append((name, args[0]))
        )
        for name, encoder in network.signal_encoders.encoders.items()
    ]
    with torch.no_grad():
        network(x, {**present, "PPG": torch.zeros_like(present["PPG"])})
    for hook in hooks:
        hook.remove()
    assert "PPG" not in {name for name, _ in seen}
    for name, samples in seen:
        assert len(samples) == int(present[name].any(dim=1).sum())


def test_masked_epochs_do_not_reach_the_result(published):
    network, x, present, _ = published
    part = present["ECG"].clone()
    part[:, 3:5] = False
    changed = {**x, "ECG": x["ECG"].clone()}
    changed["ECG"][:, 3:5] = 1e3
    with torch.no_grad():
        torch.testing.assert_close(
            network(x, {**present, "ECG": part}), network(changed, {**present, "ECG": part})
        )


def test_subsets_of_signals_are_staged_at_once_as_one_by_one(published):
    network, x, present, _ = published
    whole = [
        i for i, there in enumerate(zip(*present.values(), strict=True)) if all(map(any, there))
    ]
    night = {name: samples[whole[:1]] for name, samples in x.items()}
    subsets = [("ABD", "THX", "ECG", "PPG"), ("ECG",), ("THX", "PPG")]
    with torch.no_grad():
        found = network(night, subsets=subsets)
        for logits, subset in zip(found, subsets, strict=True):
            alone = network({name: night[name] for name in subset})
            torch.testing.assert_close(logits, alone[0], atol=1e-5, rtol=1e-5)


def test_a_group_is_encoded_once_and_has_one_source():
    network = make_wav2sleep(
        {"ABD": 16, "THX": 16, "ECG": 16},
        n_classes=2,
        feature_dim=8,
        initial_channels=2,
        max_channels=4,
        mixer_heads=2,
        signal_groups={"belts": ["ABD", "THX"]},
    ).eval()
    x = {name: torch.randn(1, 5, 16) for name in ("ABD", "THX", "ECG")}
    with torch.no_grad():
        found = network(x, subsets=[("ABD", "THX"), ("ECG",)])
        torch.testing.assert_close(found[0], network({n: x[n] for n in ("ABD", "THX")})[0])
        # A night that lacks one of them has the group all the same.
        torch.testing.assert_close(
            network({n: x[n] for n in ("ABD", "ECG")}, subsets=[("ABD",)])[0],
            network({"ABD": x["ABD"]})[0],
        )
    with pytest.raises(ValueError, match="masked one by one"):
        network(x, subsets=[("ABD", "ECG"), ("ABD", "THX")])
