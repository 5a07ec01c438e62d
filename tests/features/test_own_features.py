"""Features of one's own, and features that are asked for by name."""

import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_sleep.features import (
    CardiorespiratoryFeatures,
    EEGFeatures,
    HeartbeatDetector,
    HRVFeatures,
    RespirationFeatures,
    detect_breaths,
)
from sklearn_sleep.features.beats.hrv import HRV_FEATURES
from sklearn_sleep.features.brain.eeg import EEG_FEATURES
from sklearn_sleep.features.breathing.respiration import RESPIRATION_FEATURES
from sklearn_sleep.preprocessing import EDFReader

pytestmark = pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning")


@pytest.fixture(scope="module")
def epochs(cohort):
    signals = ["ECG", "THX", "EEG", "EMG"]
    return EDFReader(signals).fit_transform(cohort.X)[np.arange(10, 30)]


def longest_over_shortest(windows):
    return windows["maxNN"] / windows["minNN"]


def total(windows):
    return windows.total(windows.intervals)


def deepest(windows):
    return windows.maximum(windows.depths)


def amplitude(epochs):
    return np.abs(epochs.samples).max(axis=1)


def wrong_shape(windows):
    return np.zeros(3)


@pytest.mark.parametrize(
    ("step", "known", "same"),
    [
        (HRVFeatures(features=["LF", "SDNN"]), HRVFeatures(), ["LF", "SDNN"]),
        (
            RespirationFeatures(features=["coherence", "RSA", "breathing_rate"], coupling=False),
            RespirationFeatures(),
            ["breathing_rate", "RSA", "coherence"],
        ),
        (
            EEGFeatures(["EMG", "EEG"], features=["spindles", "sd", "theta"], events=False),
            EEGFeatures(["EEG", "EMG"]),
            ["EMG_sd", "EEG_spindles", "EEG_sd", "EEG_theta"],
        ),
    ],
)
def test_features_by_name_are_those_among_all(epochs, step, known, same):
    found = step.fit_transform(epochs)
    assert list(found) == same == list(step.get_feature_names_out())
    np.testing.assert_array_equal(found, known.fit_transform(epochs)[same])


def test_own_functions_of_heartbeats(epochs):
    own = [("ratio", longest_over_shortest), "meanNN", ("total", total)]
    step = HRVFeatures([(240, 60), (30, 30)], features=own, n_jobs=2)
    found = pickle.loads(pickle.dumps(clone(step))).fit_transform(epochs)  # noqa: S301
    assert list(found)[3:] == ["ratio_30_30", "meanNN_30_30", "total_30_30"]
    for night in epochs.nights():
        beats = HeartbeatDetector().detect(night.recording.signals["ECG"])
        for row, epoch in zip(night.rows, night.epoch, strict=True):
            ends = beats.times[1:]
            inside = (ends >= 30 * epoch - 30) & (ends < 30 * epoch + 30)
            intervals = beats.intervals[inside & np.isfinite(beats.intervals)]
            expected = [intervals.max() / intervals.min(), intervals.mean(), intervals.sum()]
            np.testing.assert_allclose(found.iloc[row, 3:], expected, rtol=1e-9)


def test_own_functions_of_breaths(epochs):
    step = RespirationFeatures([(60, 90)], features=["HFC", ("deepest", deepest)])
    found = step.fit_transform(epochs)
    assert list(found) == ["deepest", "HFC"]
    for night in epochs.nights():
        signal = night.recording.signals["THX"]
        breaths = detect_breaths(signal.data.astype(float), signal.sampling_frequency)
        ends = breaths.onsets[1:]
        for row, epoch in zip(night.rows, night.epoch, strict=True):
            inside = (ends >= 30 * epoch - 60) & (ends < 30 * epoch + 90)
            expected = breaths.depths[inside & breaths.is_measured].max()
            np.testing.assert_allclose(found["deepest"].iloc[row], expected, rtol=1e-9)


def test_own_functions_of_eeg(epochs):
    own = ["sd", ("amplitude", amplitude)]
    found = EEGFeatures(["EEG", "EMG"], features=own).fit_transform(epochs)
    assert list(found) == ["EEG_sd", "EEG_amplitude", "EMG_sd", "EMG_amplitude"]
    for signal in ("EEG", "EMG"):
        ratio = found[f"{signal}_amplitude"] / found[f"{signal}_sd"]
        assert ratio.dropna().between(1, 15).all()
        assert ratio.notna().any()


def test_own_functions_of_both(epochs):
    step = CardiorespiratoryFeatures(HRVFeatures(), RespirationFeatures(coupling=False))
    step.set_params(hrv__features=[("total", total)])
    assert list(step.fit_transform(epochs))[:2] == ["total", "breathing_rate"]


@pytest.mark.parametrize(
    ("step", "registry"),
    [
        (HRVFeatures, HRV_FEATURES),
        (RespirationFeatures, RESPIRATION_FEATURES),
        (EEGFeatures, EEG_FEATURES),
    ],
)
def test_unknown_features_and_what_is_none(epochs, step, registry):
    known = [name for group in registry.values() for name in group]
    with pytest.raises(ValueError, match=rf"'wavelet' is no feature; .*{known[0]}.*{known[-1]}"):
        step(features=["wavelet"]).fit(epochs)
    with pytest.raises(ValueError, match=r"pairs \(name, function\)"):
        step(features=[total]).fit(epochs)
    with pytest.raises(ValueError, match=r"pairs \(name, function\)"):
        step(features=[("total", "sum")]).fit(epochs)
    with pytest.raises(ValueError, match=f"has '{known[0]}' twice"):
        step(features=[known[0], known[0]]).fit(epochs)
    with pytest.raises(ValueError, match=r"'wrong' has the shape \(3,\), but must have \(20,\)"):
        step(features=[("wrong", wrong_shape)]).fit_transform(epochs)


@pytest.mark.parametrize(
    ("step", "registry"),
    [
        (HRVFeatures, HRV_FEATURES),
        (RespirationFeatures, RESPIRATION_FEATURES),
        (EEGFeatures, EEG_FEATURES),
    ],
)
def test_every_feature_is_explained(step, registry):
    explained = re.findall(r"\w+", step.__doc__)
    assert {name for group in registry.values() for name in group} <= set(explained)
