from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pyedflib
import pytest
from scipy.signal import firwin, resample_poly

from sklearn_sleep.preprocessing.resampler import resample_linear, resample_polyphase

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "preprocess-shhs-like"
SAMPLES_PER_EPOCH = {"ECG": 1024, "PPG": 1024, "THX": 256, "ABD": 256}
METHODS = [resample_linear, resample_polyphase]


def read_golden(name):
    """Read one signal in the unit of the published pipeline: mV, or [-1, 1] of its range."""
    labels = {"ECG": "EKG", "PPG": "PlethWV", "THX": "THOR RES", "ABD": "ABDO RES"}
    with pyedflib.EdfReader(str(GOLDEN / "night.edf")) as edf:
        channel = edf.getSignalLabels().index(labels[name])
        samples = edf.readSignal(channel)
        low, high = edf.getPhysicalMinimum(channel), edf.getPhysicalMaximum(channel)
        sampling_frequency = edf.getSampleFrequency(channel)
    if name == "ECG":
        return samples / 1000, sampling_frequency
    return (samples - (low + high) / 2) / (abs(high - low) / 2), sampling_frequency


@pytest.mark.parametrize("bridge_gaps", [False, True])
@pytest.mark.parametrize("name", SAMPLES_PER_EPOCH)
def test_linear_reproduces_the_published_pipeline(name, bridge_gaps):
    expected = np.load(GOLDEN / "expected.npz")[f"resampled_{name}"]
    samples, sampling_frequency = read_golden(name)
    resampled = resample_linear(
        samples, sampling_frequency, SAMPLES_PER_EPOCH[name], 12, bridge_gaps=bridge_gaps
    )
    assert resampled.dtype == np.float32
    np.testing.assert_allclose(resampled, expected, rtol=0, atol=1e-4)


def test_linear_bridges_gaps_as_the_published_pipeline():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=3000)
    samples[[0, 1, 2, 5]] = np.nan
    samples[700:1500] = np.nan
    samples[-40:] = np.nan
    seconds = np.arange(3000) / 25.0
    valid = ~np.isnan(samples)
    grid = np.arange(1, 4 * 256 + 1) * 30 / 256
    expected = np.interp(grid, seconds[valid], samples[valid], left=0.0, right=0.0)
    resampled = resample_linear(samples, 25.0, 256, 4, bridge_gaps=True)
    np.testing.assert_allclose(resampled, expected, rtol=0, atol=1e-5)


def test_linear_keeps_gaps_by_default():
    samples = np.arange(90 * 10, dtype=float)
    samples[30 * 10 : 60 * 10] = np.nan
    epochs = resample_linear(samples, 10.0, 256, 3).reshape(3, 256)
    assert np.isnan(epochs).any(axis=1).tolist() == [False, True, False]
    assert np.isnan(epochs[1]).all()
    # The last output of the first epoch lies on the gap's first sample, between 299 and 600.
    np.testing.assert_allclose(epochs[0, :-2], np.arange(1, 255) * 300 / 256, rtol=1e-6)
    np.testing.assert_allclose(epochs[2, :-9], 600 + np.arange(1, 248) * 300 / 256, rtol=1e-6)


@pytest.mark.parametrize(
    ("sampling_frequency", "samples_per_epoch"),
    [
        (125, 1024),
        (10, 256),
        (64, 1024),
        (256, 4096),
        (512, 1024),
        (12.5, 256),
        (1, 256),
        (8, 240),
        (Fraction(19998, 100), 1024),
        (Fraction(256, 30) * 4, 256),
    ],
)
def test_polyphase_equals_scipy_with_phases_of_equal_gain(sampling_frequency, samples_per_epoch):
    rng = np.random.default_rng(1)
    n_epochs = 7
    samples = 3.0 + rng.normal(size=int(n_epochs * 30 * sampling_frequency)).cumsum() / 10
    ratio = Fraction(samples_per_epoch) / (30 * Fraction(sampling_frequency))
    up, down = ratio.numerator, ratio.denominator
    largest = max(up, down, 2)  # of 1 to 1, SciPy uses none
    taps = firwin(20 * largest + 1, 1 / largest, window=("kaiser", 5.0))
    for phase in range(up):
        taps[phase::up] /= taps[phase::up].sum() * up
    expected = resample_poly(samples, up, down, window=taps, padtype="edge")
    resampled = resample_polyphase(samples, float(sampling_frequency), samples_per_epoch, n_epochs)
    assert resampled.dtype == np.float32
    assert resampled.shape == (n_epochs * samples_per_epoch,)
    scale = np.abs(samples).max()
    np.testing.assert_allclose(
        resampled / scale, expected[: resampled.size] / scale, rtol=0, atol=2e-6
    )


def test_polyphase_leaves_the_same_rate_untouched():
    samples = np.random.default_rng(2).normal(size=3000).astype(np.float32)
    np.testing.assert_array_equal(resample_polyphase(samples, 50.0, 1500, 2), samples)


@pytest.mark.parametrize("sampling_frequency", [125.0, 199.98, 199.9991371, 22.3607, 68.2667])
def test_polyphase_does_not_drift_over_a_night(sampling_frequency):
    n_epochs = 960
    seconds = np.arange(int(n_epochs * 30 * sampling_frequency)) / sampling_frequency
    frequency = 1.2345
    grid = np.arange(n_epochs * 1024) * 30 / 1024
    resampled = resample_polyphase(
        np.sin(2 * np.pi * frequency * seconds), sampling_frequency, 1024, n_epochs
    )
    last = slice(-3 * 1024, -100)
    expected = np.sin(2 * np.pi * frequency * grid)
    # The filter's own ripple is 1e-3; a drift of one output sample would be 0.2.
    np.testing.assert_allclose(resampled[last], expected[last], rtol=0, atol=3e-3)


@pytest.mark.parametrize("sampling_frequency", [125.0, 124.99871371])
def test_polyphase_keeps_mains_from_folding_back(sampling_frequency):
    n_epochs = 4
    seconds = np.arange(int(n_epochs * 30 * sampling_frequency) + 1) / sampling_frequency
    mains = np.sin(2 * np.pi * 50.0 * seconds)
    filtered = resample_polyphase(mains, sampling_frequency, 1024, n_epochs)
    folded = resample_linear(mains, sampling_frequency, 1024, n_epochs)
    assert np.abs(filtered[100:-100]).max() < 2e-3
    assert np.abs(folded).max() > 0.5


@pytest.mark.parametrize("sampling_frequency", [125.0, 124.99871371])
def test_polyphase_keeps_gaps_where_they_are(sampling_frequency):
    n_epochs = 10
    samples = np.random.default_rng(3).normal(size=int(n_epochs * 30 * sampling_frequency) + 1)
    whole = resample_polyphase(samples, sampling_frequency, 1024, n_epochs)
    gappy = samples.copy()
    gap = slice(round(95.0 * sampling_frequency), round(130.0 * sampling_frequency))
    gappy[gap] = np.nan
    resampled = resample_polyphase(gappy, sampling_frequency, 1024, n_epochs)
    grid = np.arange(resampled.size) * 30 / 1024
    inside = (grid >= gap.start / sampling_frequency) & (grid < gap.stop / sampling_frequency)
    np.testing.assert_array_equal(np.isnan(resampled), inside)
    reach = 11 * 30 / 1024
    far = (grid < 95.0 - reach) | (grid > 130.0 + reach)
    np.testing.assert_allclose(resampled[far], whole[far], rtol=0, atol=1e-5)


def test_polyphase_has_no_step_at_the_ends():
    resampled = resample_polyphase(np.full(125 * 60, 70.0), 125.0, 1024, 2)
    np.testing.assert_array_equal(resampled, 70.0)


RATES = [100.0, 125.0, 256.0, 512.0, 10.0, 199.98, 124.99871371, 22.3607]


@pytest.mark.parametrize("samples_per_epoch", [256, 1024, 4096])
@pytest.mark.parametrize("sampling_frequency", RATES)
def test_polyphase_leaves_an_offset_as_it_is(sampling_frequency, samples_per_epoch):
    n_samples = int(90 * sampling_frequency) + 1
    rng = np.random.default_rng(7)
    resampled = resample_polyphase(
        np.full(n_samples, -317.3), sampling_frequency, samples_per_epoch, 3
    )
    np.testing.assert_array_equal(resampled, np.float32(-317.3))
    # Also where the signal stands still at another level than it began with.
    samples = rng.normal(size=n_samples)
    samples[n_samples // 3 :] = 4000.0
    second_half = resample_polyphase(samples, sampling_frequency, samples_per_epoch, 3)
    second_half = second_half[len(second_half) // 2 :]
    np.testing.assert_allclose(second_half, 4000.0, rtol=2e-6)


@pytest.mark.parametrize("sampling_frequency", RATES)
def test_polyphase_of_a_shifted_signal_is_shifted(sampling_frequency):
    samples = np.random.default_rng(8).normal(size=int(90 * sampling_frequency) + 1)
    plain = resample_polyphase(samples, sampling_frequency, 1024, 3)
    shifted = resample_polyphase(samples + 5000.0, sampling_frequency, 1024, 3)
    # Two roundings to float32 at 5000, each of 2.4e-4 at the most.
    np.testing.assert_allclose(shifted - 5000.0, plain, rtol=0, atol=6e-4)


@pytest.mark.parametrize("method", METHODS)
def test_infinite_samples_stay_where_they_are(method):
    samples = np.random.default_rng(9).normal(size=60 * 125)
    samples[4000], samples[5000:5020] = np.inf, -np.inf
    resampled = method(samples, 125.0, 1024, 2)
    infinite = np.flatnonzero(np.isinf(resampled))
    assert not np.isnan(resampled).any()
    seconds = infinite * 30 / 1024
    assert (resampled[infinite][seconds < 36] == np.inf).all()
    assert (resampled[infinite][seconds > 36] == -np.inf).all()
    distance = np.minimum(np.abs(seconds - 32.0), np.abs(seconds - 40.08))
    assert len(infinite) >= 5
    assert distance.max() < 0.15


@pytest.mark.parametrize("method", METHODS)
def test_what_a_short_signal_lacks_is_missing(method):
    samples = np.random.default_rng(4).normal(size=45 * 125)
    epochs = method(samples, 125.0, 1024, 4).reshape(4, 1024)
    np.testing.assert_array_equal(np.isnan(epochs).sum(axis=1), [0, 512, 1024, 1024])


@pytest.mark.parametrize("method", METHODS)
def test_a_long_signal_is_cut(method):
    samples = np.random.default_rng(5).normal(size=90 * 125)
    cut = method(samples, 125.0, 1024, 2)
    np.testing.assert_allclose(cut, method(samples, 125.0, 1024, 3)[:2048], rtol=0, atol=1e-6)


@pytest.mark.parametrize("samples", [np.empty(0), np.full(500, np.nan)])
@pytest.mark.parametrize("method", METHODS)
def test_a_signal_without_samples_is_missing_throughout(method, samples):
    resampled = method(samples, 10.0, 256, 2)
    assert resampled.shape == (512,)
    assert np.isnan(resampled).all()


def test_linear_bridging_gives_zeros_after_the_end_but_not_for_a_missing_signal():
    ended = resample_linear(np.empty(0), 10.0, 256, 2, bridge_gaps=True)
    np.testing.assert_array_equal(ended, np.zeros(512))
    missing = resample_linear(np.full(500, np.nan), 10.0, 256, 2, bridge_gaps=True)
    assert np.isnan(missing).all()


@pytest.mark.parametrize("method", METHODS)
def test_no_epochs(method):
    assert method(np.ones(500), 10.0, 256, 0).shape == (0,)


@pytest.mark.parametrize("method", METHODS)
def test_input_is_left_alone(method):
    samples = np.random.default_rng(6).normal(size=600).astype(np.float32)
    samples[100:200] = np.nan
    before = samples.copy()
    method(samples, 10.0, 256, 2)
    np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"samples": np.ones((2, 300))}, r"shape \(2, 300\)"),
        ({"sampling_frequency": 0.0}, "sampling_frequency must be above 0 Hz, got 0.0"),
        ({"sampling_frequency": float("nan")}, "sampling_frequency must be above 0 Hz, got nan"),
        ({"samples_per_epoch": 0}, "samples_per_epoch must be 1 or more, got 0"),
        ({"n_epochs": -1}, "n_epochs must be 0 or more, got -1"),
    ],
)
def test_wrong_parameters_are_named(method, changed, message):
    right = {
        "samples": np.ones(300),
        "sampling_frequency": 10.0,
        "samples_per_epoch": 256,
        "n_epochs": 1,
    }
    with pytest.raises(ValueError, match=message):
        method(**(right | changed))
