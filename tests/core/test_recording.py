"""Recording: an immutable value that reads itself when it is asked to."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyedflib
import pytest

from sklearn_sleep.core.recording import Recording
from sklearn_sleep.core.signals import SIGNALS, SignalDefinition
from sklearn_sleep.core.sources import ArraySource
from sklearn_sleep.preprocessing import (
    EDFReader,
    Epocher,
    Filter,
    Normalizer,
    RecordingTransformer,
    Resampler,
)

NIGHT = Path(__file__).parents[1] / "data/golden/preprocess-shhs-like/night.edf"
CARDIO = ("ECG", "PPG", "THX", "ABD")
STEPS = (Resampler(), Normalizer(), Epocher())


class Convolution(RecordingTransformer):
    """A step of a user, with an array and a function as parameters."""

    def __init__(self, kernel=(1.0,), nonlinearity=np.abs):
        self.kernel = kernel
        self.nonlinearity = nonlinearity

    def transform_signal(self, signal):
        return signal.map(lambda x: self.nonlinearity(np.convolve(x, self.kernel, "same")))


def read(path=NIGHT, signals=CARDIO, steps=(), **parameters):
    recording = EDFReader(list(signals), **parameters).fit_transform(path).recordings[0]
    for step in steps:
        recording = recording.apply(step)
    return recording


@pytest.fixture
def reads(monkeypatch):
    """Labels and sizes of the channels that are read, as they are read."""
    import sklearn_sleep.io.edf.source as module

    seen = []
    read_edf_samples = module.read_edf_samples

    def count(header, channel, **scale):
        samples = read_edf_samples(header, channel, **scale)
        seen.append((channel.label, len(samples)))
        return samples

    monkeypatch.setattr(module, "read_edf_samples", count)
    return seen


def test_what_the_header_says(data_folder):
    recording = read(data_folder / "sleep-edf-5min.edf", ["EEG"])
    with pyedflib.EdfReader(recording.path) as file:
        assert recording.start == file.getStartdatetime()
        assert recording.n_epochs == file.getFileDuration() // 30
    assert recording.path == str(data_folder / "sleep-edf-5min.edf")
    assert (recording.subject, recording.dataset) == ("", "")
    assert repr(recording).endswith("10 epochs, signals=['EEG'])")


def test_nothing_is_read_before_the_samples_are_asked_for(reads):
    recording = read(steps=(Filter(0.1, 4.0), *STEPS))
    signals = recording.signals
    assert list(signals) == list(CARDIO)
    assert len(signals) == 4
    assert "EEG" not in signals
    assert signals["THX"].is_epoched
    assert signals["THX"].sampling_frequency == 256 / 30
    assert "THX" in repr(signals)
    pickle.dumps(recording)
    assert recording.fingerprint
    assert reads == []


def test_each_access_reads_that_signal_once_and_no_other(reads):
    signals = read(steps=STEPS).signals
    thorax = signals["THX"].data
    assert reads == [("THOR RES", 360 * 10)]
    again = signals["THX"].data
    assert reads == [("THOR RES", 360 * 10)] * 2
    np.testing.assert_array_equal(thorax, again)


def test_steps_are_remembered_and_the_recording_is_left_as_it_was(reads):
    first = read()
    second = first.apply(STEPS[0]).apply(STEPS[1])
    assert first.steps == ()
    assert second.steps == STEPS[:2]
    assert second.signals["THX"].sampling_frequency == 256 / 30
    assert first.signals["THX"].sampling_frequency == 10
    with pyedflib.EdfReader(str(NIGHT)) as file:
        np.testing.assert_allclose(first.signals["THX"].data, file.readSignal(3), atol=1e-6)


@pytest.mark.parametrize("name", ["signals", "n_epochs", "path", "steps", "_steps", "anything"])
def test_a_recording_cannot_be_changed(name):
    recording = read()
    with pytest.raises(AttributeError, match="cannot be changed"):
        setattr(recording, name, None)
    with pytest.raises(TypeError):
        recording.signals["ECG"] = None


def test_writing_into_samples_changes_no_later_read():
    recording = read()
    before = recording.signals["ECG"].data.copy()
    recording.signals["ECG"].data[:] = 0
    np.testing.assert_array_equal(recording.signals["ECG"].data, before)


def test_unknown_signal():
    with pytest.raises(KeyError, match="EEG"):
        read().signals["EEG"]


def test_pickle_is_small_and_reads_the_same():
    recording = read(steps=(Filter(0.1, 4.0, order=2), *STEPS))
    pickled = pickle.dumps(recording)
    assert len(pickled) < 5000
    back = pickle.loads(pickled)  # noqa: S301 - made a line above
    assert back.fingerprint == recording.fingerprint
    for name in CARDIO:
        np.testing.assert_array_equal(back.signals[name].data, recording.signals[name].data)


def test_pickle_leaves_out_the_channels_that_are_not_wanted(write_edf):
    channels = [(f"channel {i}", np.zeros(30), 1, "uV", (-1, 1)) for i in range(60)]
    path = write_edf("night.edf", *channels, ("ECG", np.zeros(30), 1, "mV", (-1, 1)))
    assert len(pickle.dumps(read(path, ["ECG"]))) < 2000


def test_fingerprint_stays_for_the_same_samples():
    assert read(steps=STEPS).fingerprint == read(steps=STEPS).fingerprint
    # Said in another way: defaults spelled out, the path relative.
    other = (Resampler(None, method="polyphase"), Normalizer("zscore"), Epocher())
    same = read(os.path.relpath(NIGHT), steps=other, channels={"ECG": "EKG"}, verbose=False)
    assert same.fingerprint == read(steps=STEPS).fingerprint


def test_fingerprint_stays_in_another_process(monkeypatch):
    program = (
        "from test_recording import *; "
        "print(read(steps=(*STEPS, Convolution(long_kernel(3.0)))).fingerprint)"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    monkeypatch.setattr(Convolution, "__module__", "test_recording")
    here = read(steps=(*STEPS, Convolution(long_kernel(3.0)))).fingerprint
    assert len(here) == 64
    assert told.strip() == here


def test_fingerprint_names_our_steps_without_their_files(monkeypatch):
    steps = (Resampler(), Convolution())
    before = [read(steps=[step]).fingerprint for step in steps]
    for step in steps:
        moved = f"{type(step).__module__}.elsewhere"
        monkeypatch.setattr(type(step), "__module__", moved)
    after = [read(steps=[step]).fingerprint for step in steps]
    assert after[0] == before[0]  # ours
    assert after[1] != before[1]  # a user's, who may have another class of that name there
    assert after[0] != read(steps=[Normalizer()]).fingerprint


def long_kernel(middle):
    kernel = np.zeros(5000)
    kernel[2500] = middle
    return kernel


def power(exponent):
    return lambda x: x**exponent


def test_fingerprint_tells_apart_whatever_gives_other_samples(tmp_path):
    copy = tmp_path / "copy.edf"
    shutil.copy(NIGHT, copy)
    breath = ("BREATH", 256, None, ("THOR RES",))
    recordings = {
        "plain": read(),
        "one step": read(steps=STEPS[:1]),
        "all steps": read(steps=STEPS),
        "other order": read(steps=(STEPS[1], STEPS[0], STEPS[2])),
        "parameter": read(steps=(Resampler(method="linear"), *STEPS[1:])),
        "mapping": read(steps=(Resampler({"ECG": 512}), *STEPS[1:])),
        "fewer signals": read(signals=["ECG"]),
        "channel": read(channels={"THX": "ABDO RES"}),
        "unit": read(units={"ECG": "uV"}),
        "file": read(copy),
        "own signal": read(signals=[SignalDefinition(*breath)]),
        "its rate": read(signals=[SignalDefinition(breath[0], 512, *breath[2:])]),
        "long array": read(steps=(Convolution(long_kernel(1.0)),)),
        "its middle": read(steps=(Convolution(long_kernel(2.0)),)),
        "function": read(steps=(Convolution(long_kernel(2.0), np.square),)),
        "lambda": read(steps=(Convolution(nonlinearity=lambda x: x + 1),)),
        "other lambda": read(steps=(Convolution(nonlinearity=lambda x: x + 2),)),
        "called in it": read(steps=(Convolution(nonlinearity=lambda x: np.sqrt(x)),)),  # noqa: PLW0108
        "called in that": read(steps=(Convolution(nonlinearity=lambda x: np.exp(x)),)),  # noqa: PLW0108
        "closure": read(steps=(Convolution(nonlinearity=power(2)),)),
        "its value": read(steps=(Convolution(nonlinearity=power(3)),)),
    }
    fingerprints = {name: recording.fingerprint for name, recording in recordings.items()}
    assert len(set(fingerprints.values())) == len(fingerprints)
    os.utime(copy, ns=(1, 1))
    assert read(copy).fingerprint != fingerprints["file"]


def test_what_needs_whole_nights_says_so():
    epochs = EDFReader(["ECG"]).fit_transform(NIGHT)
    epochs.require_continuous("A step", "Remedy.")
    cut = epochs
    for step in STEPS:
        cut = cut.apply(step)
    with pytest.raises(ValueError, match=r"^A step works on whole nights, .* cut .*\. Remedy\.$"):
        cut.require_continuous("A step", "Remedy.")
    with pytest.raises(ValueError, match=r"Put it before Epocher\(\)"):
        cut.recordings[0].signals["ECG"].require_continuous("A step")


def test_recordings_in_memory():
    arrays = {"ABD": np.arange(512, dtype=np.float32).reshape(2, 256)}
    recording = Recording(ArraySource("night-1", arrays, SIGNALS, n_epochs=2, subject="p1"))
    signal = recording.signals["ABD"]
    assert (recording.path, recording.subject, recording.start) == ("night-1", "p1", None)
    assert signal.is_epoched
    assert signal.sampling_frequency == 256 / 30
    np.testing.assert_array_equal(signal.data, arrays["ABD"])
    negative = signal.map(np.negative, unit="mV")
    np.testing.assert_array_equal(negative.data, -arrays["ABD"])
    assert repr(negative) == "Signal(ABD, 8.53333 Hz, mV)"
    other = {"ABD": arrays["ABD"] + 1}
    assert Recording(ArraySource("night-1", other, SIGNALS, n_epochs=2)).fingerprint not in (
        recording.fingerprint,
        Recording(ArraySource("night-2", other, SIGNALS, n_epochs=2)).fingerprint,
    )
