"""The signal-quality index tells beats from noise."""

import numpy as np
import pytest

from sklearn_sleep.features import signal_quality

FREQUENCY = 100.0
N_EPOCHS = 4


@pytest.fixture
def beats():
    return np.arange(0.3, 30 * N_EPOCHS, 0.75)


@pytest.fixture
def ecg(beats):
    time = np.arange(0, 30 * N_EPOCHS, 1 / FREQUENCY)
    return np.exp(-0.5 * ((time[:, None] - beats[None]) / 0.03) ** 2).sum(axis=1)


def test_equal_beats_have_one(ecg, beats):
    quality = signal_quality(ecg, FREQUENCY, beats, n_epochs=N_EPOCHS)
    np.testing.assert_allclose(quality, 1, atol=0.03)
    scaled = signal_quality(3 - 50 * ecg, FREQUENCY, beats, n_epochs=N_EPOCHS)
    np.testing.assert_allclose(scaled, quality)


def test_correlation_with_the_mean_beat(ecg, beats):
    """With noise, what correlation with a mean of many is: sqrt(signal / (signal + noise))."""
    rng = np.random.default_rng(0)
    for ratio in (4.0, 1.0, 0.25):
        noise = np.sqrt(ecg.var() / ratio) * rng.standard_normal(len(ecg))
        quality = signal_quality(ecg + noise, FREQUENCY, beats, n_epochs=N_EPOCHS)
        expected = np.sqrt(ratio / (ratio + 1))
        # Each beat is a fortieth of its own template.
        np.testing.assert_allclose(quality, expected, atol=0.06)


def test_rhythms_that_are_no_hearts(ecg, beats):
    # The first epoch has a gap, the second every fourth beat only, the third ten times as many.
    first = beats[(beats < 10) | ((beats > 14) & (beats < 30))]
    second = beats[(beats >= 30) & (beats < 60)][::4]
    third = np.arange(60, 90, 0.3)
    disturbed = np.concatenate([first, second, third, beats[beats >= 90]])
    quality = signal_quality(ecg, FREQUENCY, disturbed, n_epochs=N_EPOCHS)
    assert quality[:3].tolist() == [0, 0, 0]
    assert quality[3] > 0.9


def test_uneven_intervals(ecg, beats):
    uneven = np.delete(beats, [10, 11])
    assert signal_quality(ecg, FREQUENCY, uneven, n_epochs=N_EPOCHS)[0] == 0


def test_missing_samples(ecg, beats):
    ecg[: int(30 * FREQUENCY)] = np.nan
    ecg[int(65 * FREQUENCY) : int(66 * FREQUENCY)] = np.nan
    left = beats[beats >= 30]
    quality = signal_quality(ecg, FREQUENCY, left, n_epochs=N_EPOCHS)
    assert np.isnan(quality).tolist() == [True, False, False, False]
    assert (quality[1:] > 0.9).all()


def test_no_beats(ecg):
    assert signal_quality(ecg, FREQUENCY, [], n_epochs=N_EPOCHS).tolist() == [0] * N_EPOCHS
