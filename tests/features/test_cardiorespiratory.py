"""CardiorespiratoryFeatures is HRVFeatures and RespirationFeatures, from the same beats."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sklearn_sleep.core.epochs import Epochs
from sklearn_sleep.features import (
    CardiorespiratoryFeatures,
    HeartbeatDetector,
    HRVFeatures,
    RespirationFeatures,
    detect_r_peaks,
)
from sklearn_sleep.features.beats import heartbeats
from sklearn_sleep.preprocessing import EDFReader

pytestmark = pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning")


@pytest.fixture(scope="module")
def epochs(cohort):
    return EDFReader(["ECG", "PPG", "THX"]).fit_transform(cohort.X)


def test_features_are_those_of_both_steps(epochs):
    hrv = HRVFeatures([(60, 90)], groups=["time"])
    found = CardiorespiratoryFeatures(hrv, n_jobs=2).fit_transform(epochs)
    both = [step.fit_transform(epochs) for step in (hrv, RespirationFeatures())]
    pd.testing.assert_frame_equal(found, pd.concat(both, axis=1))
    assert list(found) == list(CardiorespiratoryFeatures(hrv).get_feature_names_out())


def test_beats_of_a_night_are_found_once(epochs, monkeypatch):
    searched = []

    def counted(samples, frequency):
        searched.append(len(samples))
        return detect_r_peaks(samples, frequency)

    monkeypatch.setitem(heartbeats._DETECTORS, "ECG", counted)
    few = epochs[np.arange(40)]
    # One epoch less, so that no other test has found these beats.
    few = Epochs(few.table.assign(ECG=np.arange(40) != 7), few.recordings, few.recording_index)
    HeartbeatDetector().fit_transform(few)
    found = CardiorespiratoryFeatures().fit_transform(few)
    assert len(searched) == 1
    assert found["meanHR"].notna().any()


class EverySecond(HeartbeatDetector):
    """Somebody's own detector, with a parameter of its own."""

    def __init__(self, first=0):
        super().__init__(signals=("ECG",))
        self.first = first

    def detect(self, signal, may_use=None):
        times = super().detect(signal, may_use).times[self.first :: 2]
        return heartbeats.Heartbeats(times, np.zeros(len(times), dtype=bool), times)


def test_a_detector_of_ones_own(epochs):
    found = CardiorespiratoryFeatures(detector=EverySecond()).fit_transform(epochs)
    expected = HRVFeatures(detector=EverySecond()).fit_transform(epochs)
    pd.testing.assert_frame_equal(found[expected.columns], expected)
    full = HRVFeatures().fit_transform(epochs)
    np.testing.assert_allclose(expected["meanHR"].median(), full["meanHR"].median() / 2, rtol=0.05)


def test_parameters(epochs):
    step = clone(CardiorespiratoryFeatures(HRVFeatures(), RespirationFeatures()))
    step.set_params(hrv__groups=["time"], respiration__coupling=False)
    assert "HF" not in step.get_feature_names_out()
    assert "HFC" not in step.get_feature_names_out()
    with pytest.raises(ValueError, match="must be a list of pairs"):
        CardiorespiratoryFeatures(HRVFeatures([(1.5, 2)])).fit(epochs)
    uncorrected = CardiorespiratoryFeatures(detector=HeartbeatDetector(correct=False))
    expected = HRVFeatures(detector=HeartbeatDetector(correct=False)).fit_transform(epochs)
    found = uncorrected.fit_transform(epochs)[expected.columns]
    pd.testing.assert_frame_equal(found, expected)
