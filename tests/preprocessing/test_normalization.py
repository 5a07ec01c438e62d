from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from sklearn_sleep.core.signals import SignalDefinition
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.preprocessing.normalizer import Normalizer, causal_normalize, zscore

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "preprocess-shhs-like" / "expected.npz"
SAMPLES_PER_EPOCH = {"ECG": 1024, "PPG": 1024, "THX": 256, "ABD": 256}
EPOCHS_IN_AN_HOUR = 120


def plain_loop(
    samples, sampling_frequency, variance=900.0, baseline=120.0, threshold=4.0, floor=0.1, total=0
):
    """Normalise sample by sample, as the definition reads."""
    signal = samples.astype(np.float64)
    size = max(
        1, min(int(min(variance, baseline) * sampling_frequency), max(total, len(signal)) // 10)
    )
    warm_up = np.concatenate([signal, np.zeros(max(0, total - len(signal)))])[:size]
    baseline_step = 1 / (baseline * sampling_frequency)
    variance_step = 1 / (variance * sampling_frequency)
    level, squared = warm_up.mean(), max(warm_up.var(), floor**2, 1e-6)
    normalised = np.empty(len(signal))
    for index, value in enumerate(signal):
        if index:
            level += baseline_step * (value - level)
            limit = threshold * max(squared**0.5, floor)
            residual = min(max(value - level, -limit), limit)
            squared += variance_step * (residual**2 - squared)
        normalised[index] = (value - level) / max(squared**0.5, floor)
    return normalised


@pytest.mark.parametrize("name", SAMPLES_PER_EPOCH)
def test_zscore_reproduces_the_published_pipeline(name):
    golden = np.load(GOLDEN)
    padded_length = EPOCHS_IN_AN_HOUR * SAMPLES_PER_EPOCH[name]
    normalised = zscore(golden[f"resampled_{name}"], padded_length=padded_length)
    assert normalised.dtype == np.float32
    np.testing.assert_allclose(normalised, golden[f"zscore_{name}"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", SAMPLES_PER_EPOCH)
def test_causal_reproduces_the_published_pipeline(name):
    golden = np.load(GOLDEN)
    samples_per_epoch = SAMPLES_PER_EPOCH[name]
    normalised = causal_normalize(
        golden[f"resampled_{name}"],
        samples_per_epoch / 30,
        padded_length=EPOCHS_IN_AN_HOUR * samples_per_epoch,
    )
    assert normalised.dtype == np.float32
    np.testing.assert_allclose(normalised, golden[f"causal_{name}"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("offset", [0.0, 1000.0, -3e5])
def test_zscore_equals_torch(offset):
    samples = (offset + np.random.default_rng(0).normal(size=100_001)).astype(np.float32)
    exact = torch.from_numpy(samples.astype(np.float64))
    expected = ((exact - exact.mean()) / torch.std(exact)).numpy()
    np.testing.assert_allclose(zscore(samples), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("padded_length", [4000, 5000, 100_000])
def test_zscore_counts_padding_and_leaves_missing_samples_out(padded_length):
    rng = np.random.default_rng(1)
    samples = rng.normal(5.0, 2.0, size=4000).astype(np.float32)
    samples[rng.random(4000) < 0.2] = np.nan
    present = samples[~np.isnan(samples)].astype(np.float64)
    counted = np.concatenate([present, np.zeros(padded_length - 4000)])
    expected = (samples - counted.mean()) / counted.std(ddof=1)
    np.testing.assert_allclose(zscore(samples, padded_length=padded_length), expected, rtol=1e-5)


def test_zscore_does_not_pad_a_longer_signal():
    samples = np.random.default_rng(2).normal(size=1000)
    np.testing.assert_array_equal(zscore(samples, padded_length=600), zscore(samples))


@pytest.mark.parametrize("level", [0.0, 0.1, 70.0, -123456.7])
def test_a_constant_signal_becomes_zero(level):
    zeros = np.zeros(10_007)
    np.testing.assert_array_equal(zscore(np.full(10_007, level)), zeros)
    np.testing.assert_array_equal(zscore([level]), [0.0])
    np.testing.assert_array_equal(causal_normalize(np.full(10_007, level), 10.0), zeros)
    # But for what float32 rounds off.
    rounded = np.full(10_007, level, np.float32)
    rounded[::3] = np.nextafter(np.float32(level), np.float32(np.inf))
    np.testing.assert_array_equal(zscore(rounded), zeros)


def test_zscore_keeps_the_smallest_steps_of_a_recorder():
    # One bit of 16 below a large offset is a signal, 256 times what float32 rounds off.
    samples = np.where(np.arange(1000) % 2, 32_767.0, 32_766.0)
    np.testing.assert_allclose(np.abs(zscore(samples)), 0.9995, rtol=1e-6)


@pytest.mark.parametrize("normalise", [zscore, lambda samples: causal_normalize(samples, 10.0)])
def test_infinite_samples_stay_and_take_no_part(normalise):
    samples = np.random.default_rng(8).normal(size=1009)
    there = np.ones(1009, bool)
    there[[3, 500]] = False
    samples[3], samples[500] = np.inf, -np.inf
    normalised = normalise(samples)
    np.testing.assert_array_equal(normalised[~there], [np.inf, -np.inf])
    np.testing.assert_array_equal(normalised[there], normalise(samples[there]))


@pytest.mark.parametrize("normalise", [zscore, lambda samples: causal_normalize(samples, 10.0)])
@pytest.mark.parametrize("samples", [np.empty(0), np.full(7, np.nan)])
def test_what_is_missing_stays_missing(normalise, samples):
    np.testing.assert_array_equal(normalise(samples), samples.astype(np.float32))


def test_zscore_refuses_several_signals():
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        zscore(np.ones((2, 3)))


def heavy_tails(rng, size):
    return rng.standard_cauchy(size)


def steps(rng, size):
    return rng.normal(size=size) + 50.0 * (np.arange(size) // 4000 % 2)


def tiny(rng, size):
    return 1e-3 * rng.normal(size=size)


def raw_units(rng, size):
    return 4000.0 + 900.0 * rng.standard_t(2, size=size)


def flat_then_loud(rng, size):
    return np.where(np.arange(size) < size // 2, 7.0, 300.0 * rng.normal(size=size))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"variance": 30.0, "baseline": 60.0},
        {"variance": 0.5, "baseline": 0.5, "threshold": 2.0},
        {"variance": 100.0, "threshold": 0.5, "floor": 2.0},
        {"total": 60_000},
    ],
)
@pytest.mark.parametrize("make", [heavy_tails, steps, tiny, raw_units, flat_then_loud])
def test_causal_equals_the_plain_loop(make, parameters):
    samples = make(np.random.default_rng(3), 20_000).astype(np.float32)
    names = {
        "variance": "variance_time_constant",
        "baseline": "baseline_time_constant",
        "threshold": "outlier_threshold",
        "floor": "minimum_standard_deviation",
        "total": "padded_length",
    }
    renamed = {names[name]: value for name, value in parameters.items()}
    expected = plain_loop(samples, 8.0, **parameters)
    np.testing.assert_allclose(
        causal_normalize(samples, 8.0, **renamed), expected, rtol=1e-6, atol=1e-6
    )


def test_causal_warm_up_reaches_into_the_padding():
    samples = np.random.default_rng(4).normal(3.0, 1.0, size=500).astype(np.float32)
    expected = plain_loop(samples, 10.0, total=36_000)
    normalised = causal_normalize(samples, 10.0, padded_length=36_000)
    np.testing.assert_allclose(normalised, expected, rtol=1e-6, atol=1e-6)


def test_causal_passes_missing_samples_over():
    rng = np.random.default_rng(5)
    samples = rng.standard_t(3, size=9000).astype(np.float32)
    samples[:700] = np.nan
    samples[4000:5500] = np.nan
    missing = np.isnan(samples)
    normalised = causal_normalize(samples, 5.0, variance_time_constant=60.0)
    np.testing.assert_array_equal(np.isnan(normalised), missing)
    # The warm-up is a tenth of the whole, or two minutes: 60 s at 5 Hz here.
    expected = plain_loop(samples[~missing], 5.0, variance=60.0)
    np.testing.assert_allclose(normalised[~missing], expected, rtol=1e-6, atol=1e-6)


def test_causal_warm_up_of_a_mostly_missing_signal_holds_no_padding():
    samples = np.full(10_000, np.nan)
    samples[5000:5400] = np.random.default_rng(7).normal(50.0, 3.0, size=400)
    present = samples[5000:5400]
    first = (present[0] - present.mean()) / present.std()
    assert causal_normalize(samples, 5.0)[5000] == pytest.approx(first, rel=1e-5)


def test_causal_does_not_look_ahead():
    rng = np.random.default_rng(6)
    samples = rng.normal(size=30_000)
    changed = samples.copy()
    changed[20_000:] = 100.0 * rng.standard_cauchy(10_000)
    before = slice(0, 20_000)
    np.testing.assert_array_equal(
        causal_normalize(samples, 10.0)[before], causal_normalize(changed, 10.0)[before]
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sampling_frequency": 0.0}, "sampling_frequency must be above 0, got 0.0"),
        ({"variance_time_constant": -1.0}, "variance_time_constant must be above 0, got -1.0"),
        ({"baseline_time_constant": 0.05}, r"baseline_time_constant is 0.05 s.*at least 0.1 s"),
        ({"outlier_threshold": 0.0}, "outlier_threshold must be above 0"),
        ({"minimum_standard_deviation": 0.0}, "minimum_standard_deviation must be above 0"),
        ({"samples": np.ones((3, 100))}, r"shape \(3, 100\)"),
    ],
)
def test_causal_names_wrong_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        causal_normalize(**({"samples": np.ones(100), "sampling_frequency": 10.0} | parameters))


# With sums by BLAS, a sample of each of these depends on the number of threads.
@pytest.mark.parametrize("seed", [160, 270, 397, 444])
def test_number_of_threads_does_not_change_a_bit(seed):
    rng = np.random.default_rng(seed)
    n_samples = int(rng.integers(400_000, 1_000_000))
    samples = (rng.standard_normal(n_samples) * rng.uniform(0.1, 3)).astype(np.float32)
    results = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            results.append(zscore(samples))
    np.testing.assert_array_equal(results[1], results[0])


@pytest.mark.parametrize("method", ["zscore", "causal"])
@pytest.mark.parametrize(("unit", "factor"), [("mV", 1.0), ("uV", 1e3)])
def test_typical_values_are_in_the_unit_of_the_definition(method, unit, factor):
    """Whichever unit the samples are read in, they are held against the same people."""
    definition = SignalDefinition("PRESSURE", 64, "mV", typical=(2.0, 0.5))
    samples = (np.array([1.5, 2.0, 3.0, np.nan]) * factor).astype(np.float32)
    signal = Signal(definition, lambda: samples, 4.0, unit, n_epochs=1)
    found = Normalizer(method).transform_signal(signal)
    np.testing.assert_allclose(found.data, [-1.0, 0.0, 2.0, np.nan], rtol=1e-5, atol=1e-6)
    assert found.unit == ""
