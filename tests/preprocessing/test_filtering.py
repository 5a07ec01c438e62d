from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pyedflib
import pytest
from scipy.signal import butter, sosfiltfilt

from sklearn_sleep.preprocessing.filter import filter_samples

DATA = Path(__file__).parents[1] / "data"


def sine(frequency, sampling_frequency, seconds=60):
    times = np.arange(int(seconds * sampling_frequency)) / sampling_frequency
    return np.sin(2 * np.pi * frequency * times)


def gain(filtered, frequency, sampling_frequency):
    """Give the amplitude of a sine away from the ends."""
    middle = filtered[filtered.size // 4 : -filtered.size // 4]
    wave = np.exp(-2j * np.pi * frequency * np.arange(middle.size) / sampling_frequency)
    return 2 * abs(np.mean(middle * wave))


@pytest.mark.parametrize(("low", "high"), [(0.3, 35.0), (0.5, None), (None, 30.0)])
def test_equals_mne_on_real_eeg(low, high):
    with pyedflib.EdfReader(str(DATA / "sleep-edf-5min.edf")) as edf:
        sampling_frequency = edf.getSampleFrequency(0)
        samples = edf.readSignal(0)
    expected = mne.filter.filter_data(
        samples,
        sampling_frequency,
        low,
        high,
        method="iir",
        iir_params={"order": 4, "ftype": "butter", "output": "sos"},
        phase="zero",
        verbose="error",
    )
    filtered = filter_samples(samples, sampling_frequency, low, high)
    assert filtered.dtype == np.float32
    middle = slice(3000, -3000)
    np.testing.assert_allclose(
        filtered[middle], expected[middle], rtol=0, atol=1e-3 * np.std(expected)
    )


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("frequency", [2.0, 5.0, 8.0, 12.0])
@pytest.mark.parametrize("kind", ["low", "high"])
def test_gain_is_that_of_butterworth_squared(kind, frequency, order):
    sampling_frequency, cutoff = 64.0, 8.0
    edges = (None, cutoff) if kind == "low" else (cutoff, None)
    filtered = filter_samples(
        sine(frequency, sampling_frequency), sampling_frequency, *edges, order=order
    )
    warped = np.tan(np.pi * frequency / sampling_frequency) / np.tan(
        np.pi * cutoff / sampling_frequency
    )
    expected = 1 / (1 + warped ** (2 * order if kind == "low" else -2 * order))
    assert gain(filtered, frequency, sampling_frequency) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("edges", [(None, None), (0.3, 80.0)])
def test_notch_takes_the_mains_out_alone(edges):
    sampling_frequency = 256.0
    samples = sine(50.0, sampling_frequency) + sine(10.0, sampling_frequency)
    filtered = filter_samples(samples, sampling_frequency, *edges, notch_frequency=50.0)
    assert gain(filtered, 50.0, sampling_frequency) < 1e-3
    assert gain(filtered, 10.0, sampling_frequency) == pytest.approx(1.0, abs=1e-3)


def test_nothing_is_shifted_in_time():
    impulse = np.zeros(4001)
    impulse[2000] = 1.0
    filtered = filter_samples(impulse, 100.0, 0.5, 20.0)
    assert filtered.argmax() == 2000
    np.testing.assert_allclose(filtered, filtered[::-1], rtol=0, atol=1e-5)


def test_gaps_do_not_spread():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=10_000).astype(np.float32)
    gaps = [slice(0, 50), slice(3000, 4000), slice(7000, 7001)]
    for gap in gaps:
        samples[gap] = np.nan
    filtered = filter_samples(samples, 100.0, 0.5, 30.0)
    np.testing.assert_array_equal(np.isnan(filtered), np.isnan(samples))
    sections = butter(4, [0.5, 30.0], "bandpass", fs=100.0, output="sos")
    for run in [slice(50, 3000), slice(4000, 7000), slice(7001, 10_000)]:
        expected = sosfiltfilt(sections, samples[run].astype(np.float64))
        np.testing.assert_allclose(filtered[run], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 5, 27, 28, 100])
def test_short_runs_are_filtered_too(length):
    samples = np.full(length + 2, np.nan)
    samples[1:-1] = 5.0
    low_passed = filter_samples(samples, 100.0, None, 10.0)
    np.testing.assert_allclose(low_passed[1:-1], 5.0, rtol=1e-5)
    high_passed = filter_samples(samples, 100.0, 1.0, None)
    np.testing.assert_allclose(high_passed[1:-1], 0.0, atol=1e-5)
    assert np.isnan(low_passed[[0, -1]]).all()


@pytest.mark.parametrize("samples", [np.empty(0), np.full(100, np.nan)])
def test_a_signal_without_samples_stays_so(samples):
    np.testing.assert_array_equal(filter_samples(samples, 100.0, 0.3, 35.0), samples)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"high_frequency": 35.0}, r"high_frequency is 35.0 Hz.*sampled at 64.0 Hz.*below 32.0 Hz"),
        ({"low_frequency": 32.0}, r"low_frequency is 32.0 Hz.*sampled at 64.0 Hz"),
        ({"notch_frequency": 50.0}, r"notch_frequency is 50.0 Hz.*sampled at 64.0 Hz"),
        ({"low_frequency": 0.0}, "low_frequency must be above 0 Hz, got 0.0; None leaves it out"),
        ({"low_frequency": 25.0}, r"low_frequency \(25.0 Hz\) must be below .* \(20.0 Hz\)"),
        ({"low_frequency": None, "high_frequency": None}, "nothing to filter"),
        ({"order": 0}, "order must be 1 or more, got 0"),
        ({"sampling_frequency": -1.0}, "sampling_frequency must be above 0 Hz, got -1.0"),
        ({"samples": np.ones((2, 500))}, r"shape \(2, 500\)"),
    ],
)
def test_wrong_parameters_are_named(changed, message):
    right = {
        "samples": np.ones(500),
        "sampling_frequency": 64.0,
        "low_frequency": 0.3,
        "high_frequency": 20.0,
    }
    with pytest.raises(ValueError, match=message):
        filter_samples(**(right | changed))
