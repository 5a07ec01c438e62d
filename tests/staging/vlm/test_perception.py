"""What waveforms measure, against waves that are known."""

import json

import numpy as np
import pytest

from sklearn_sleep.core.signals import SignalDefinition
from sklearn_sleep.imaging import Montage, Trace
from sklearn_sleep.staging.vlm.perception import (
    PERCEIVED_BANDS,
    measure_waveforms,
    perception_texts,
)


@pytest.mark.parametrize(("band", "frequency"), [(0, 2), (1, 6), (2, 10), (3, 20)])
@pytest.mark.parametrize("seconds", [1, 2, 5])
def test_power_and_amplitude_of_sines(band, frequency, seconds):
    time = np.arange(3000) / 100
    values = measure_waveforms([30 * np.sin(2 * np.pi * frequency * time)], seconds)
    assert values.shape == (1, 30 / seconds, 5)
    # A Hann window spreads a sine over three frequencies, all within the band.
    np.testing.assert_allclose(values[0, :, band], 10 * np.log10(30**2 / 2), atol=0.01)
    others = np.delete(values[0, :, :4], band, axis=1)
    assert others.max() < -10
    np.testing.assert_allclose(values[0, :, 4], 30 * 2 / np.pi, rtol=0.05)


def test_power_changes_where_the_wave_does():
    time = np.arange(6000) / 200
    wave = np.where(time < 10, 5.0, 50.0) * np.sin(2 * np.pi * 10 * time)
    alpha = measure_waveforms([wave])[0, :, 2]
    np.testing.assert_allclose(alpha[12:] - alpha[:10].mean(), 20, atol=0.1)


def test_missing_samples():
    epochs = np.ones((2, 300))
    epochs[1, 5] = np.nan
    values = measure_waveforms(epochs, with_bands=False)
    assert values.shape == (2, 30, 1)
    np.testing.assert_array_equal(np.isnan(values[..., 0]).sum(axis=1), [0, 1])


def test_texts_are_the_measures():
    montage = Montage(
        [
            Trace("EEG", "#ffffff", label="Cz"),
            Trace("EMG", "#ffffff"),
            Trace(SignalDefinition("FLOW", 300), "#ffffff", (-1, 1)),
            Trace("EOG", "#ffffff"),
        ]
    )
    rng = np.random.default_rng(0)
    samples = {name: 20 * rng.normal(size=(3, 3000)) for name in ("EEG", "EMG", "FLOW")}
    samples["EMG"][1, 3] = np.nan
    texts = perception_texts(samples, montage, seconds=5)
    found = [json.loads(text) for text in texts]
    assert [list(of_epoch) for of_epoch in found] == [
        ["Cz", "EMG", "FLOW"],
        ["Cz", "FLOW"],
        ["Cz", "EMG", "FLOW"],
    ]
    assert np.shape(found[0]["Cz"]) == (6, len(PERCEIVED_BANDS) + 1)
    assert np.shape(found[0]["EMG"]) == (6, 1)
    np.testing.assert_allclose(
        found[2]["Cz"], measure_waveforms(samples["EEG"][[2]], 5)[0], atol=0.051
    )


def test_wrong_stretches():
    with pytest.raises(ValueError, match="must divide 30 s"):
        measure_waveforms(np.zeros((1, 3000)), 7)
    with pytest.raises(ValueError, match="of which an epoch has 100"):
        measure_waveforms(np.zeros((1, 100)), 1)
