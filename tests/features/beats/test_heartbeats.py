"""HeartbeatDetector finds the beats of the signals that rows may use."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sklearn_sleep.features import HeartbeatDetector, Heartbeats, correct_beats, detect_r_peaks
from sklearn_sleep.preprocessing import EDFReader, Epocher, Resampler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning")


@pytest.fixture(scope="module")
def epochs(cohort):
    return EDFReader(["ECG", "PPG", "THX"]).fit_transform(cohort.X)


@pytest.fixture(scope="module")
def counts(epochs):
    return HeartbeatDetector().fit_transform(epochs)


def test_beats_of_each_epoch(cohort, epochs, counts):
    assert counts.index.names == ["recording", "epoch"]
    assert list(counts.columns) == ["beats", "corrected_beats", "signal_quality"]
    assert list(HeartbeatDetector().get_feature_names_out()) == list(counts.columns)
    truth = np.concatenate(
        [
            np.bincount((night.load_truth()["r_peaks"] // 30).astype(int), minlength=80)[
                cohort.X["epoch"][cohort.X["recording"] == str(night.recording)]
            ]
            for night in cohort.nights
        ]
    )
    assert len(truth) == len(counts)
    trusted = (counts["signal_quality"] > 0.9).to_numpy()
    assert trusted.mean() > 0.9
    assert np.mean(np.abs(counts["beats"] - truth)[trusted] <= 1) > 0.98


def test_corrected_beats_are_where_ectopic_ones_are(cohort, counts):
    corrected = counts["corrected_beats"].to_numpy()
    ectopic = []
    for night in cohort.nights:
        truth = night.load_truth()
        epoch = (truth["r_peaks"][truth["ectopic"].astype(bool)] // 30).astype(int)
        rows = cohort.X["recording"] == str(night.recording)
        ectopic.append(np.bincount(epoch, minlength=80)[cohort.X["epoch"][rows]])
    ectopic = np.concatenate(ectopic)
    trusted = (counts["signal_quality"] > 0.9).to_numpy()
    assert (ectopic[trusted] > 0).sum() > 5
    assert np.mean(corrected[trusted & (ectopic > 0)] > 0) > 0.9
    assert corrected[trusted & (ectopic == 0)].mean() < 0.3


def test_rows_in_any_order(epochs, counts):
    rows = np.random.default_rng(0).permutation(len(epochs))[:50]
    some = HeartbeatDetector(n_jobs=2).fit_transform(epochs[rows])
    np.testing.assert_array_equal(some.to_numpy(), counts.to_numpy()[rows])
    assert some.index.equals(counts.index[rows])


def test_masked_epochs_take_the_other_signal_or_none(cohort, counts):
    masked = cohort.X["epoch"].to_numpy() % 3 == 0
    X = cohort.X.assign(ECG=~masked)
    alone = HeartbeatDetector().fit_transform(EDFReader(["ECG"]).fit_transform(X))
    assert alone[masked].isna().all(axis=None)
    # Beats of epochs that may be used are those that are found anyway, but for their edges.
    difference = np.abs(alone["beats"] - counts["beats"])[~masked]
    assert np.mean(difference <= 1) > 0.95
    both = HeartbeatDetector().fit_transform(EDFReader(["ECG", "PPG"]).fit_transform(X))
    has_ppg = both[masked]["beats"].notna()
    assert 0.2 < has_ppg.mean() < 0.8
    difference = np.abs(both["beats"] - counts["beats"])[masked][has_ppg]
    assert np.mean(difference <= 2) > 0.9


def test_night_without_either_signal(cohort):
    epochs = EDFReader(["THX"]).fit_transform(cohort.X)
    assert HeartbeatDetector().fit_transform(epochs).isna().all(axis=None)


def test_detect_is_detection_and_correction(epochs):
    signal = epochs.recordings[0].signals["ECG"]
    raw = HeartbeatDetector(correct=False).detect(signal)
    found = detect_r_peaks(np.nan_to_num(signal.data), signal.sampling_frequency)
    np.testing.assert_allclose(raw.times, found, atol=0.05)
    assert not raw.is_corrected.any()
    corrected = HeartbeatDetector().detect(signal)
    np.testing.assert_array_equal(corrected.detected, raw.times)
    times, is_corrected = correct_beats(raw.times)
    np.testing.assert_array_equal(corrected.times, times)
    np.testing.assert_array_equal(corrected.is_corrected, is_corrected)


def test_intervals_that_were_not_measured_are_nan():
    beats = Heartbeats(
        np.array([0.0, 1.0, 2.0, 3.0, 8.0, 9.0]),
        np.array([False, True, False, False, False, False]),
        np.empty(0),
    )
    np.testing.assert_array_equal(beats.intervals, [np.nan, np.nan, 1, np.nan, 1])


def test_wrong_input(epochs, cohort):
    with pytest.raises(TypeError, match="Put EDFReader"):
        HeartbeatDetector().fit(cohort.X)
    cut = Epocher().fit_transform(Resampler().fit_transform(epochs))
    with pytest.raises(ValueError, match="Leave Epocher"):
        HeartbeatDetector().fit(cut)
    with pytest.raises(ValueError, match="no heartbeats to find in THX"):
        HeartbeatDetector().detect(epochs.recordings[0].signals["THX"])
    with pytest.raises(ValueError, match="list of some of ECG, PPG"):
        HeartbeatDetector(signals=["EEG"]).fit(epochs)


def test_a_night_that_cannot_be_computed_is_named(cohort):
    slow = make_pipeline(EDFReader(["ECG"]), Resampler({"ECG": 750}), HeartbeatDetector())
    with pytest.raises(ValueError, match=r"\.edf: The ECG has 25 samples per second"):
        slow.fit_transform(cohort.X)


def test_it_is_a_transformer(epochs, counts):
    detector = clone(HeartbeatDetector(correct=False)).set_params(correct=True)
    detector = pickle.loads(pickle.dumps(detector))  # noqa: S301  our own bytes
    again = detector.set_output(transform="pandas").fit_transform(epochs)
    np.testing.assert_array_equal(again, counts)
    assert again.index.equals(counts.index)
