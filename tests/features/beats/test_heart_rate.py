"""InstantaneousHeartRate is the generator's heart rate, where rows may use the beats."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import cohen_kappa_score
from sklearn.pipeline import make_pipeline

from sklearn_sleep import (
    Wav2SleepClassifier,
    load_pretrained,
    pretrained_pipeline,
    save_pretrained,
)
from sklearn_sleep.features import InstantaneousHeartRate
from sklearn_sleep.preprocessing import EDFReader, Epocher, Normalizer, Resampler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning")


def read(X, signals=("ECG", "PPG"), **parameters):
    steps = make_pipeline(EDFReader(list(signals)), InstantaneousHeartRate(**parameters))
    return steps.fit_transform(X)


@pytest.fixture(scope="module")
def epochs(cohort):
    return read(cohort.X)


def ecg_of(times, duration, frequency=250.0):
    time = np.arange(0, duration, 1 / frequency)
    nearest = np.abs(time[:, None] - times[None]).min(axis=1)
    return np.exp(-0.5 * (nearest / 0.012) ** 2), frequency


@pytest.fixture
def written_ecg(write_edf):
    def write(times, duration):
        ecg, frequency = ecg_of(times, duration)
        return str(write_edf("night.edf", ("ECG", ecg, frequency, "mV", (-2, 2))))

    return write


def test_rate_of_known_intervals(written_ecg):
    intervals = 0.9 + 0.1 * np.sin(2 * np.pi * np.arange(130) / 20)
    times = np.cumsum(intervals)
    times = times[times < 119]
    signal = read(written_ecg(times, 120)).recordings[0].signals["IHR"]
    assert (signal.unit, signal.n_epochs) == ("1/min", 4)
    samples = signal.data
    assert samples.shape == (4 * 128,)
    assert samples.dtype == np.float32
    expected = np.interp(np.arange(4 * 128) * 30 / 128, times[1:], 60 / np.diff(times))
    # Beats of the first and the last second are within reach of the filter's ends.
    within = slice(10, -10)
    np.testing.assert_allclose(samples[within], expected[within], atol=0.1)


def test_rate_of_the_synthetic_cohort(cohort):
    for night in cohort.nights:
        truth = night.load_truth()["r_peaks"]
        recording = read(str(night.recording)).recordings[0]
        samples = recording.signals["IHR"].data
        time = np.arange(len(samples)) * 30 / 128
        within = (time > truth[1]) & (time < truth[-2])
        expected = np.interp(time, truth[1:], 60 / np.diff(truth))
        error = np.abs(samples - expected)[within]
        if "ECG" not in recording.signals:  # of a PPG
            assert np.nanmedian(error) < 1.0
            continue
        assert np.nanmedian(error) < 0.25
        assert np.nanmean(error < 2) > 0.95  # artefacts hide some beats
        assert np.isnan(samples).mean() < 0.02


def test_where_no_beats_are_for_long_it_is_missing(written_ecg):
    times = np.arange(0.5, 240, 1.0)
    lost = ((times > 60) & (times < 63)) | ((times > 120) & (times < 150))
    samples = read(written_ecg(times[~lost], 240)).recordings[0].signals["IHR"].data
    time = np.arange(len(samples)) * 30 / 128
    assert np.isnan(samples[(time > 121) & (time < 149)]).all()
    # The filter sees the first beats after silence too early.
    known = (time < 118) | (time > 154)
    assert not np.isnan(samples[known]).any()
    np.testing.assert_allclose(np.median(samples[known]), 60, atol=0.2)


def test_no_beats_at_all(written_ecg):
    signal = read(written_ecg(np.array([-9.0]), 60)).recordings[0].signals["IHR"]
    assert np.isnan(signal.data).all()


def test_beats_are_of_the_first_signal_that_rows_may_use(cohort):
    both = next(
        str(night.recording)
        for night in cohort.nights
        if set(read(str(night.recording)).recordings[0].signals) >= {"ECG", "PPG"}
    )
    X = cohort.X[cohort.X["recording"].astype(str) == both]
    of_ecg = read(X, ["ECG"]).recordings[0].signals["IHR"].data
    of_ppg = read(X, ["PPG"]).recordings[0].signals["IHR"].data
    assert np.nanmean(np.abs(of_ecg - of_ppg)) > 0.01

    def found(X, **parameters):
        return read(X, **parameters).recordings[0].signals["IHR"].data

    np.testing.assert_array_equal(found(X), of_ecg)
    np.testing.assert_array_equal(found(X, signals=["PPG", "ECG"]), of_ecg)
    np.testing.assert_array_equal(found(X.assign(ECG=False)), of_ppg)
    np.testing.assert_array_equal(found(X.assign(ECG=X["epoch"] > 5)), of_ecg)


def test_rows_that_may_not_use_the_beats_may_not_use_the_rate(cohort):
    some = (cohort.X["epoch"] % 3 > 0).to_numpy()
    arrays = make_pipeline(
        EDFReader(["ECG"]), InstantaneousHeartRate(), Resampler({"ECG": 128}), Epocher()
    )
    masked = arrays.fit_transform(cohort.X.assign(ECG=some)).to_arrays()
    full = arrays.transform(cohort.X).to_arrays()
    assert np.isnan(masked["IHR"][~some]).all()
    np.testing.assert_array_equal(masked["IHR"][some], full["IHR"][some])
    assert not np.isnan(full["IHR"][~some]).all()
    own = arrays.transform(cohort.X.assign(IHR=some)).to_arrays()
    np.testing.assert_array_equal(own["IHR"], masked["IHR"])
    np.testing.assert_array_equal(own["ECG"], full["ECG"])


def test_a_night_without_heart_has_no_rate(cohort):
    epochs = read(cohort.X, ["THX"])
    assert epochs.signal_names == ("THX",)
    masked = read(cohort.X.assign(ECG=False, PPG=False))
    assert "IHR" not in masked.signal_names


def test_recordings_stay_what_they_were(cohort, epochs):
    recording, before = epochs.recordings[0], EDFReader(["ECG"]).fit_transform(cohort.X)
    before = before.recordings[0]
    for name in ("path", "n_epochs", "subject", "dataset", "start"):
        assert getattr(recording, name) == getattr(before, name)
    np.testing.assert_array_equal(
        recording.signals["ECG"].data, before.signals["ECG"].data, strict=True
    )
    copy = pickle.loads(pickle.dumps(recording))  # noqa: S301  our own bytes
    np.testing.assert_array_equal(copy.signals["IHR"].data, recording.signals["IHR"].data)
    assert copy.fingerprint == recording.fingerprint
    uncorrected = read(cohort.X, correct=False).recordings[0]
    assert len({recording.fingerprint, before.fingerprint, uncorrected.fingerprint}) == 3


def test_wrong_input(cohort, epochs):
    with pytest.raises(TypeError, match="Put EDFReader"):
        InstantaneousHeartRate().fit(cohort.X)
    with pytest.raises(ValueError, match=r"signals=\['THX'\] must be a list of some of ECG, PPG"):
        InstantaneousHeartRate(["THX"]).fit(epochs)
    with pytest.raises(ValueError, match="Put it before Epocher"):
        make_pipeline(EDFReader(["ECG"]), Resampler(), Epocher(), InstantaneousHeartRate()).fit(
            cohort.X
        ).transform(cohort.X)
    with pytest.raises(ValueError, match="'IHR' says in which rows"):
        read(cohort.X.assign(IHR=0.5))
    step = clone(InstantaneousHeartRate(["PPG"], correct=False))
    assert step.get_params() == {"signals": ["PPG"], "correct": False}
    assert list(step.get_feature_names_out(["ECG"])) == ["ECG", "IHR"]


def test_a_network_learns_from_it_alone(cohort, tmp_path):
    pipeline = make_pipeline(
        EDFReader(["ECG"]),
        InstantaneousHeartRate(),
        Resampler(),
        Normalizer(),
        Epocher(),
        Wav2SleepClassifier(
            signals=["IHR"], classes=range(4), size="auto", max_epochs=20, random_state=0
        ),
    ).fit(cohort.X, cohort.y)
    classifier = pipeline[-1]
    assert classifier.recipe_["module__feature_dim"] == 32
    assert classifier.samples_per_epoch_ == {"IHR": 128}
    predicted = pipeline.predict(cohort.X)
    assert cohen_kappa_score(cohort.y, predicted) > 0.5
    save_pretrained(pipeline, tmp_path / "model")
    for loaded in (load_pretrained(tmp_path / "model"), pretrained_pipeline(tmp_path / "model")):
        np.testing.assert_array_equal(loaded.predict(cohort.X), predicted)
