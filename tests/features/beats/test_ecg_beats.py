"""R peaks are where annotators and the generator put them."""

import edfio
import numpy as np
import pytest

from sklearn_sleep.features import detect_r_peaks
from sklearn_sleep.preprocessing import EDFReader


def nearest(times, others):
    return np.abs(times[:, None] - others[None]).min(axis=1)


@pytest.mark.parametrize("sign", [1, -1])
def test_annotated_beats_of_mitdb(data_folder, sign):
    signal = edfio.read_edf(data_folder / "mitdb-100.edf").signals[0]
    frequency = signal.sampling_frequency
    annotated = np.load(data_folder / "mitdb-100-beats.npy") / frequency
    found = detect_r_peaks(sign * signal.data, frequency)
    assert np.mean(nearest(annotated, found) < 0.05) >= 0.998
    assert np.mean(nearest(found, annotated) >= 0.05) <= 0.002


def test_intervals_of_the_synthetic_cohort(cohort):
    errors = []
    for night in cohort.nights:
        epochs = EDFReader(["ECG"]).fit_transform(str(night.recording))
        signal = epochs.recordings[0].signals["ECG"]
        found = detect_r_peaks(np.nan_to_num(signal.data), signal.sampling_frequency)
        truth = night.load_truth()["r_peaks"]
        truth = truth[(truth > 1) & (truth < found[-1])]
        match = np.abs(truth[:, None] - found[None]).argmin(axis=1)
        is_found = np.abs(found[match] - truth) < 0.1
        assert is_found.mean() > 0.97
        both = is_found[1:] & is_found[:-1] & (np.diff(match) == 1)
        errors.append(np.abs(np.diff(found[match]) - np.diff(truth))[both])
    # Samples are 4 to 8 ms apart.
    assert np.concatenate(errors).mean() < 0.0015


def test_beats_lie_between_samples():
    frequency = 128.0
    time = np.arange(0, 120, 1 / frequency)
    truth = np.arange(1, 119, 0.8137)
    ecg = np.exp(-0.5 * ((time[:, None] - truth[None]) / 0.012) ** 2).sum(axis=1)
    found = detect_r_peaks(ecg, frequency)
    # A parabola through three samples of such a peak is wrong by less than a tenth of a sample.
    np.testing.assert_allclose(found, truth, atol=0.1 / frequency)


@pytest.mark.parametrize("seed", range(4))
def test_beats_after_a_saturation_are_found(seed, cohort):
    night = cohort.nights[0]
    signal = EDFReader(["ECG"]).fit_transform(str(night.recording)).recordings[0].signals["ECG"]
    frequency = signal.sampling_frequency
    samples = np.nan_to_num(signal.data)
    rng = np.random.default_rng(seed)
    truth = night.load_truth()["r_peaks"]
    sound = np.ones(len(truth), dtype=bool)
    for start in rng.uniform(60, 0.9 * len(samples) / frequency, 6):
        stop = start + rng.uniform(0.5, 15)
        height = rng.choice([-1, 1]) * 10 ** rng.uniform(0, 3)
        samples[round(start * frequency) : round(stop * frequency)] = height
        sound &= (truth < start - 1) | (truth > stop + 3)
    found = detect_r_peaks(samples, frequency)
    # Without a second search the worst of these loses nine in ten.
    assert np.mean(nearest(truth[sound], found) < 0.1) > 0.97


@pytest.mark.parametrize(
    "samples", [np.append(np.zeros(10_000), 1.0), np.zeros(10_000), np.ones(5), np.empty(0)]
)
def test_nothing_to_find(samples):
    assert detect_r_peaks(samples, 200).shape == (0,)


def test_rate_that_is_too_low():
    with pytest.raises(ValueError, match=r"34\.1333 samples per second"):
        detect_r_peaks(np.zeros(1000), 34.1333)


@pytest.mark.parametrize("rate", [50, 55.5, 60, 61])
def test_beats_at_the_lowest_rates(rate):
    time = np.arange(0, 60, 1 / rate)
    ecg = np.exp(-0.5 * ((time % 0.8 - 0.4) / 0.02) ** 2)
    peaks = detect_r_peaks(ecg, rate)
    assert len(peaks) >= 73
    np.testing.assert_allclose((peaks - 0.4) / 0.8, np.round((peaks - 0.4) / 0.8), atol=0.01)
