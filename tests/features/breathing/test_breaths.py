"""Breaths are where the generator, or a formula, puts them."""

import numpy as np
import pytest

from sklearn_sleep.features import Breaths, detect_breaths
from sklearn_sleep.preprocessing import EDFReader

pytestmark = pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning")

FREQUENCY = 10
TIME = np.arange(0, 600, 1 / FREQUENCY)


def breathe(time, period=4.0, inspiration=0.5):
    """Return lung volume from -1 to 1; inspiration begins at multiples of the period."""
    within = time / period % 1
    half_cycles = np.where(
        within < inspiration,
        within / inspiration,
        1 + (within - inspiration) / (1 - inspiration),
    )
    return -np.cos(np.pi * half_cycles)


@pytest.mark.parametrize("inspiration", [0.3, 0.45])
def test_rises_are_in_the_middle_of_inspirations(inspiration):
    breaths = detect_breaths(breathe(TIME, 4.0, inspiration), FREQUENCY)
    expected = np.arange(150) * 4.0 + 4.0 * inspiration / 2
    nearest = np.abs(breaths.rises[5:-5, None] - expected).argmin(axis=1)
    np.testing.assert_allclose(breaths.rises[5:-5], expected[nearest], atol=0.12)
    assert np.diff(breaths.rises)[5:-5].std() < 0.01


def test_noise_shifts_rises_less_than_onsets():
    rng = np.random.default_rng(0)
    # Expirations that end long before the next breath.
    waves = np.sin(2 * np.pi * TIME / 4)
    flat = np.where(waves > 0, waves, 0.3 * waves) + 0.03 * rng.standard_normal(len(TIME))
    breaths = detect_breaths(flat, FREQUENCY)
    shifts = {name: np.diff(getattr(breaths, name)).std() for name in ("onsets", "rises")}
    assert 3 * shifts["rises"] < shifts["onsets"]


@pytest.mark.parametrize("signal", ["THX", "ABD"])
def test_onsets_are_those_of_the_generator(cohort, signal):
    epochs = EDFReader([signal]).fit_transform(cohort.X)
    n_compared = 0
    for recording, night in zip(epochs.recordings, cohort.nights, strict=True):
        if signal not in recording.signals:
            continue
        truth = night.load_truth()
        belt = recording.signals[signal]
        breaths = detect_breaths(belt.data, belt.sampling_frequency)
        lag = truth["subject_abdomen_lag"] * 4 if signal == "ABD" else 0.0
        expected = truth["breath_onsets"]
        # In a pause, and in what shakes a sensor, no breath can be seen.
        hidden = np.column_stack([truth["artefact_start"], truth["artefact_stop"]])
        hidden = np.vstack([hidden, truth["respiratory_pauses"]])
        seen = np.ones(len(expected), dtype=bool)
        for start, stop in hidden:
            seen &= (expected < start - 5) | (expected > stop + 5)
        distance = np.abs(expected[seen, None] + lag - breaths.onsets)
        assert np.mean(distance.min(axis=1) < 1) > 0.99
        assert np.median(distance.min(axis=1)) < (0.1 if signal == "THX" else 0.3)
        assert len(breaths.onsets) < 1.01 * len(expected)
        n_compared += 1
    assert n_compared > 3


@pytest.mark.parametrize("frequency", [4, 10, 25.6, 32, 200])
def test_a_sine(frequency):
    time = np.arange(0, 300, 1 / frequency)
    breaths = detect_breaths(3 + 2 * breathe(time), frequency)
    inside = slice(3, -3)
    np.testing.assert_allclose((breaths.onsets[inside] + 2) % 4, 2, atol=0.03)
    np.testing.assert_allclose(breaths.durations[inside], 4, atol=0.02)
    np.testing.assert_allclose(breaths.depths[inside], 4, rtol=0.03)
    np.testing.assert_allclose(breaths.similarities[inside], 1, atol=5e-3)
    assert breaths.is_measured.all()


def test_a_signal_upside_down_is_turned():
    up = breathe(TIME, inspiration=0.35)
    right, wrong = detect_breaths(up, FREQUENCY), detect_breaths(-up, FREQUENCY)
    np.testing.assert_allclose(right.onsets, wrong.onsets)
    share = (right.peaks - right.onsets[:-1]) / right.durations
    np.testing.assert_allclose(share[3:-3], 0.35, atol=0.05)


def test_shallow_breaths_count_and_ripples_do_not():
    depth = np.where((TIME > 200) & (TIME < 240), 0.45, 1.0)
    hypopnoea = detect_breaths(depth * breathe(TIME), FREQUENCY)
    assert abs(len(hypopnoea.depths) - 150) <= 2
    ripples = 0.1 * np.sin(2 * np.pi * 0.9 * TIME)
    assert abs(len(detect_breaths(breathe(TIME) + ripples, FREQUENCY).depths) - 150) <= 2
    pause = np.where((TIME > 200) & (TIME < 240), 0.02, 1.0)
    apnoea = detect_breaths(pause * breathe(TIME), FREQUENCY)
    assert 38 < apnoea.durations.max() < 46


def test_breaths_with_missing_samples_are_not_measured():
    samples = breathe(TIME)
    samples[(TIME > 101) & (TIME < 119)] = np.nan
    breaths = detect_breaths(samples, FREQUENCY)
    lost = (breaths.onsets[:-1] < 119) & (breaths.onsets[1:] > 101)
    np.testing.assert_array_equal(np.isnan(breaths.durations), lost)
    assert lost.any()


@pytest.mark.parametrize("samples", [np.zeros(900), np.full(900, np.nan), np.arange(50.0), []])
def test_no_breaths(samples):
    breaths = detect_breaths(samples, FREQUENCY)
    assert isinstance(breaths, Breaths)
    assert len(breaths.onsets) == len(breaths.durations) == 0


def test_too_few_samples_a_second():
    with pytest.raises(ValueError, match="has 2 samples per second; breaths need 4"):
        detect_breaths(np.zeros(900), 2)
