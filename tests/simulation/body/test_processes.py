"""Random processes and wave trains against their analytic spectra and shapes."""

import numpy as np
import pytest
from scipy import signal as scipy_signal

from sklearn_sleep.simulation.body.hypnogram import score_stages, simulate_stages
from sklearn_sleep.simulation.body.processes import (
    add_gaussian_waves,
    add_waves,
    band_noise,
    pink_noise,
    smooth_noise,
)
from sklearn_sleep.simulation.body.subject import draw_subject
from sklearn_sleep.simulation.body.timeline import intervals_to_envelope


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.mark.parametrize("sampling_frequency", [50.0, 125.0, 256.0])
def test_pink_noise_falls_with_one_over_f(rng, sampling_frequency):
    noise = pink_noise(rng, 400_000, sampling_frequency)
    frequency, power = scipy_signal.welch(noise, sampling_frequency, nperseg=8192)
    band = (frequency > 0.5) & (frequency < 0.2 * sampling_frequency)
    slope = np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.15)


def test_smooth_noise_forgets_exponentially(rng):
    noise = smooth_noise(rng, 500_000, 10.0, 2.0)
    lags = np.array([5, 20, 40])
    correlation = [np.mean(noise[:-lag] * noise[lag:]) for lag in lags]
    assert correlation == pytest.approx(np.exp(-lags / 10.0 / 2.0), abs=0.03)


def test_band_noise_stays_in_its_band(rng):
    noise = band_noise(rng, 200_000, 100.0, (8.0, 12.0))
    frequency, power = scipy_signal.welch(noise, 100.0, nperseg=4096)
    outside = (frequency < 4.0) | (frequency > 24.0)
    assert power[outside].sum() / power.sum() < 0.02


def test_gaussian_waves_lie_between_samples():
    signal = np.zeros(1000)
    centres = np.array([-0.004, 2.003, 9.991])  # the outer ones reach beyond the signal
    add_gaussian_waves(
        signal, 100.0, centres, np.array([0.05, 0.1, 0.05]), np.array([1.0, -2.0, 3.0])
    )
    time = np.arange(1000) / 100.0
    expected = np.exp(-0.5 * ((time + 0.004) / 0.05) ** 2)
    expected += -2.0 * np.exp(-0.5 * ((time - 2.003) / 0.1) ** 2)
    expected += 3.0 * np.exp(-0.5 * ((time - 9.991) / 0.05) ** 2)
    np.testing.assert_allclose(signal, expected, atol=1e-3)


def test_waves_of_many_events_are_summed(rng):
    times = np.sort(rng.uniform(0.0, 1000.0, 5000))  # more than one chunk
    signal = np.zeros(100_000)
    add_waves(signal, 100.0, times, (0.0, 0.5), lambda lag, events: np.full(lag.shape, 1.0))
    samples_per_wave = 50
    lost = np.clip(np.ceil(times * 100) + samples_per_wave - len(signal), 0, None).sum()
    assert signal.sum() == pytest.approx(5000 * samples_per_wave - lost)


def test_stage_shares_are_those_of_adults():
    # Ohayon 2004: N1 5-8%, N2 48-55%, N3 13-20%, REM 19-23% of sleep.
    nights = [simulate_stages(np.random.default_rng(seed), 960, 8.0) for seed in range(40)]
    asleep = np.concatenate(nights)
    asleep = asleep[asleep > 0]
    shares = np.bincount(asleep, minlength=5)[1:] / len(asleep)
    assert shares == pytest.approx([0.08, 0.51, 0.19, 0.22], abs=0.06)


@pytest.mark.parametrize("hours", [0.5, 1.0, 2.0, 3.0, 8.0])
def test_every_stage_occurs_in_every_night(hours):
    for seed in range(100):
        n_epochs = int(hours * 120 * 0.85)
        stages = simulate_stages(np.random.default_rng(seed), n_epochs, hours)
        assert len(stages) == n_epochs
        assert set(stages) == {0, 1, 2, 3, 4}


def test_deep_sleep_is_early_and_rem_late():
    nights = np.stack([simulate_stages(np.random.default_rng(s), 960, 8.0) for s in range(30)])
    first, last = nights[:, :320], nights[:, 640:]
    assert (first == 3).mean() > 2 * (last == 3).mean()
    assert (last == 4).mean() > 1.5 * (first == 4).mean()


def test_a_scorer_agrees_with_most_epochs_and_keeps_every_stage():
    stages = np.repeat(np.arange(5, dtype=np.int8), 20)
    for seed in range(20):
        scored = score_stages(np.random.default_rng(seed), stages, 1.0)
        assert 0.7 < (scored == stages).mean() < 1.0
        assert set(stages) <= set(scored)


def test_envelope_of_intervals_has_ramps_inside():
    envelope = intervals_to_envelope(np.array([[1.0, 5.0]]), 7, 1.0, 2.0)
    np.testing.assert_array_equal(envelope, [0, 0, 0.5, 1, 0.5, 0, 0])


def test_hearts_of_subjects_beat_as_adults_do_at_rest():
    rates = [draw_subject(np.random.default_rng(seed), 1.0).heart_rate for seed in range(100)]
    assert 40 < min(rates) < max(rates) < 90
