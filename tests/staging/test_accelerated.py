"""A training that two processes share is that of one process."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from accelerate import Accelerator
from sklearn.base import clone
from skorch.helper import SliceDict
from skorch.hf import AccelerateMixin

from sklearn_sleep import Wav2SleepClassifier
from sklearn_sleep.staging.accelerated import AcceleratedWav2SleepClassifier

SCRIPT = Path(__file__).parent / "scripts" / "share_trainings.py"
PROCESSES = (0, 1)
# Nights are summed in another order.
ROUNDING = 1e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where two processes have left what they trained."""
    folder = tmp_path_factory.mktemp("shared")
    environment = os.environ | {
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
        # Not every machine can resolve its own name.
        "GLOO_SOCKET_IFNAME": "lo" if sys.platform == "linux" else "lo0",
    }
    command = [sys.executable, str(SCRIPT), str(folder), str(len(PROCESSES))]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def outcome(folder, case, way):
    with np.load(folder / f"{case}-{way}.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("case", ["odd number of nights", "accumulated", "stopped early"])
def test_two_processes_train_as_one(folder, case):
    alone = outcome(folder, case, "alone")
    assert np.ptp(alone["train_loss"]) > 100 * ROUNDING
    for process in PROCESSES:
        shared = outcome(folder, case, f"shared-{process}")
        for name in ("train_loss", "valid_loss", "gradient_norm", "probabilities"):
            np.testing.assert_allclose(shared[name], alone[name], ROUNDING, ROUNDING, err_msg=name)


@pytest.mark.parametrize("case", ["odd number of nights", "stopped early", "unseeded"])
def test_processes_hold_the_same_weights(folder, case):
    first, second = (outcome(folder, case, f"shared-{process}") for process in PROCESSES)
    assert np.ptp(first["weights"]) > 0.1
    np.testing.assert_array_equal(first["weights"], second["weights"])


def test_early_stopping_is_agreed_on(folder):
    n_passes = {
        len(outcome(folder, "stopped early", way)["valid_loss"])
        for way in ("alone", *(f"shared-{process}" for process in PROCESSES))
    }
    assert len(n_passes) == 1
    assert n_passes.pop() < 12


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        ("batch norm", "averages follow one night after the other"),
        ("passes", "The processes have [0, 1] passes left to make"),
    ],
)
def test_what_cannot_be_shared_is_refused_by_all(folder, refusal, message):
    for process in PROCESSES:
        assert message in (folder / f"{refusal}-{process}.txt").read_text()


def test_training_of_one_process_is_restored_by_two(folder):
    alone = outcome(folder, "resumed", "alone")
    for process in PROCESSES:
        shared = outcome(folder, "resumed", f"shared-{process}")
        np.testing.assert_array_equal(shared["weights"], alone["weights"])
        np.testing.assert_array_equal(shared["probabilities"], alone["probabilities"])


# -- one process ---------------------------------------------------------------------------------


def make_nights():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, size=40)
    samples = (rng.normal(size=(40, 64)) * (0.3 + y[:, None])).astype(np.float32)
    recording = np.repeat(np.array(["a", "b", "c", "d"], dtype=object), 10)
    return SliceDict(ECG=samples, recording=recording), y


def test_single_process_changes_nothing(make_classifier):
    X, y = make_nights()
    alone = make_classifier(train_split=None).fit(X, y)
    parameters = alone.get_params(deep=False) | {"accelerator": Accelerator(cpu=True)}
    parameters.pop("device")
    parameters.pop("callbacks__print_log__sink", None)
    accelerated = AcceleratedWav2SleepClassifier(**parameters).fit(X, y)
    np.testing.assert_array_equal(accelerated.predict_proba(X), alone.predict_proba(X))


def test_it_is_an_estimator(make_classifier):
    X, y = make_nights()
    classifier = AcceleratedWav2SleepClassifier(
        **make_classifier(max_epochs=1, train_split=None).get_params(deep=False)
        | {"accelerator": Accelerator(cpu=True), "device": None}
    )
    assert isinstance(classifier, AccelerateMixin)
    assert isinstance(classifier, Wav2SleepClassifier)
    twin = clone(classifier).set_params(mask_probability__ECG=0.2)
    assert twin.mask_probability["ECG"] == 0.2
    assert classifier.mask_probability is None
    classifier.fit(X, y)
    loaded = pickle.loads(pickle.dumps(classifier))  # noqa: S301  our own bytes
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
