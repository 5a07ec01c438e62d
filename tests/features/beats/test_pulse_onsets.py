"""Pulse onsets are where the generator puts them."""

import numpy as np
import pytest

from sklearn_sleep.features import detect_pulse_onsets
from sklearn_sleep.preprocessing import EDFReader


@pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning")
@pytest.mark.parametrize("sign", [1, -1])
def test_intervals_of_the_synthetic_cohort(cohort, sign):
    errors = []
    for night in cohort.nights:
        signals = EDFReader(["PPG"]).fit_transform(str(night.recording)).recordings[0].signals
        if "PPG" not in signals:
            continue
        signal = signals["PPG"]
        found = detect_pulse_onsets(sign * np.nan_to_num(signal.data), signal.sampling_frequency)
        truth = night.load_truth()
        onsets = truth["r_peaks"] + truth["subject_pulse_transit_time"]
        onsets = onsets[(onsets > 2) & (onsets < found[-1])]
        match = np.abs(onsets[:, None] - found[None]).argmin(axis=1)
        is_found = np.abs(found[match] - onsets) < 0.15
        assert is_found.mean() > 0.95
        both = is_found[1:] & is_found[:-1] & (np.diff(match) == 1)
        errors.append(np.abs(np.diff(found[match]) - np.diff(onsets))[both])
    assert len(errors) >= 2
    assert np.concatenate(errors).mean() < 0.012


@pytest.mark.parametrize("frequency", [25.0, 64.0, 256.0])
def test_onset_is_where_the_tangent_meets_the_foot(frequency):
    """Of a ramp that is flat before it, that is its beginning."""
    time = np.arange(0, 60, 1 / frequency)
    phase = time % 1.0
    ramp = np.interp(phase, [0, 0.3, 0.45, 0.9, 1.0], [0, 0, 1, 0, 0])
    found = detect_pulse_onsets(ramp, frequency)
    assert len(found) >= 58
    np.testing.assert_allclose(found % 1.0, 0.3, atol=0.025)
    np.testing.assert_allclose(np.diff(found), 1.0, atol=0.003)


def test_dicrotic_waves_are_no_pulses():
    time = np.arange(0, 120, 1 / 100)
    phase = time % 0.9
    wave = np.exp(-0.5 * ((phase - 0.3) / 0.08) ** 2)
    dicrotic = 0.35 * np.exp(-0.5 * ((phase - 0.58) / 0.07) ** 2)
    found = detect_pulse_onsets(wave + dicrotic, 100)
    assert np.diff(found).min() > 0.85
    assert np.diff(found).max() < 0.95


def test_signal_that_stands_still_for_a_while():
    time = np.arange(0, 120, 1 / 64)
    pulse = np.exp(-0.5 * ((time % 0.8 - 0.4) / 0.08) ** 2)
    pulse[64 * 40 : 64 * 60] = pulse[64 * 40]
    found = detect_pulse_onsets(pulse, 64)
    assert np.isfinite(found).all()
    assert ((found < 41) | (found > 59)).all()
    assert len(found) >= 2 * 48


SYMMETRIC = {
    "narrow": lambda phase: np.exp(-0.5 * ((phase - 0.4) / 0.08) ** 2),
    "wide": lambda phase: np.exp(-0.5 * ((phase - 0.4) / 0.15) ** 2),
    "sine": lambda phase: -np.cos(2 * np.pi * phase / 0.8) / 2,
    "triangle": lambda phase: 1 - np.abs(phase - 0.4) / 0.4,
}


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("noise", [0.02, 0.05])
@pytest.mark.parametrize("form", SYMMETRIC)
def test_noise_does_not_decide_which_way_up_symmetric_pulses_are(form, noise, sign):
    time = np.arange(0, 60, 1 / 64)
    pulse = sign * SYMMETRIC[form](time % 0.8)
    beats = []
    for seed in range(8):
        found = detect_pulse_onsets(
            pulse + noise * np.random.default_rng(seed).standard_normal(len(time)), 64
        )
        assert abs(len(found) - 75) <= 2
        np.testing.assert_allclose(np.diff(found), 0.8, atol=0.16)
        beats.append(found[:70])
    # The other way up they would come half a beat, 0.4 s, later or earlier.
    assert np.std([times.mean() % 0.8 for times in beats]) < 0.02


def test_turned_pulses_are_turned_back_where_their_peaks_alone_tell():
    time = np.arange(0, 60, 1 / 64)
    pulse = SYMMETRIC["narrow"](time % 0.8)
    np.testing.assert_allclose(detect_pulse_onsets(-pulse, 64), detect_pulse_onsets(pulse, 64))


@pytest.mark.parametrize("samples", [np.zeros(10_000), np.ones(5), np.empty(0)])
def test_nothing_to_find(samples):
    assert detect_pulse_onsets(samples, 64).shape == (0,)


def test_rate_that_is_too_low():
    with pytest.raises(ValueError, match="8 samples per second"):
        detect_pulse_onsets(np.zeros(1000), 8)
