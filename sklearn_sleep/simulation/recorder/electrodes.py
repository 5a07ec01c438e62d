"""What electrodes on scalp, eyes and chin record of brain, eye and muscle activity."""

import numpy as np

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.simulation.body.brain import BrainActivity
from sklearn_sleep.simulation.body.processes import add_gaussian_waves, band_noise, pink_noise
from sklearn_sleep.simulation.body.subject import Subject
from sklearn_sleep.simulation.body.timeline import TIMELINE_FREQUENCY, Timeline

# Alpha is largest over the occiput, slow waves and K-complexes over the frontal and spindles over
# the central lobe (AASM manual); a bipolar derivation keeps the difference of its ends.
TOPOGRAPHY: dict[str, dict[str, float]] = {
    "C4-M1": {"delta": 1.0, "theta": 1.0, "alpha": 0.75, "spindles": 1.0, "k_complexes": 1.0},
    "C3-M2": {"delta": 1.0, "theta": 1.0, "alpha": 0.75, "spindles": 1.0, "k_complexes": 1.0},
    "F4-M1": {"delta": 1.2, "theta": 1.0, "alpha": 0.45, "spindles": 0.8, "k_complexes": 1.25},
    "O2-M1": {"delta": 0.6, "theta": 0.7, "alpha": 1.6, "spindles": 0.4, "k_complexes": 0.5},
    "Fz-Cz": {"delta": 0.5, "theta": 0.6, "alpha": 0.3, "spindles": 0.5, "k_complexes": 0.6},
    "Cz-Oz": {"delta": 0.7, "theta": 0.7, "alpha": 1.2, "spindles": 0.7, "k_complexes": 0.7},
}
BACKGROUND_AMPLITUDE = 5.0  # uV rms of 1/f background that each channel has for itself
REFERENCE_AMPLITUDE = 10.0
BETA_BAND = (16.0, 30.0)
BETA_AMPLITUDE = (3.0, 2.2, 1.4, 0.9, 2.2)  # uV rms by stage, W N1 N2 N3 R
EYE_LEAK = {"delta": 0.45, "theta": 0.3, "k_complexes": 0.5}
# Chin tone by stage in uV rms: it falls with sleep and is lowest in REM, where twitches interrupt
# the atonia (AASM manual).
CHIN_TONE = (13.0, 6.5, 4.5, 3.8, 1.6)
CHIN_BAND = (10.0, 100.0)
TWITCHES_PER_HOUR = 60.0
TONE_DRIFT_SECONDS, TONE_DRIFT = 240.0, 0.3
SETTLING_SECONDS = 5.0


def electroencephalogram(
    rng: np.random.Generator,
    timeline: Timeline,
    brain: BrainActivity,
    subject: Subject,
    derivation: str,
    sampling_frequency: float,
) -> FloatArray:
    """Return the EEG of a derivation of ``TOPOGRAPHY`` at a rate in Hz, (n_samples,), in uV."""
    signal = brain.mix(sampling_frequency, **TOPOGRAPHY[derivation])
    n_samples = len(signal)
    signal += BACKGROUND_AMPLITUDE * pink_noise(rng, n_samples, sampling_frequency)
    beta = _resample_track(timeline.level(BETA_AMPLITUDE, SETTLING_SECONDS), sampling_frequency)
    signal += beta * band_noise(rng, n_samples, sampling_frequency, BETA_BAND)
    return subject.eeg_gain * signal


def electrooculogram(
    rng: np.random.Generator,
    brain: BrainActivity,
    subject: Subject,
    signal: str,
    sampling_frequency: float,
) -> FloatArray:
    """Return EOG-L or EOG-R against a mastoid at a rate in Hz, (n_samples,), in uV."""
    side = 1.0 if signal == "EOG-L" else -1.0
    recorded = brain.mix(sampling_frequency, eye_movements=side, **EYE_LEAK)
    recorded += BACKGROUND_AMPLITUDE * pink_noise(rng, len(recorded), sampling_frequency)
    return subject.eeg_gain * recorded


def electromyogram(
    rng: np.random.Generator,
    timeline: Timeline,
    subject: Subject,
    difficulty: float,
    sampling_frequency: float,
) -> FloatArray:
    """Return the tone of the chin at a rate in Hz, (n_samples,), in uV."""
    tone = np.exp(
        timeline.level(np.log(CHIN_TONE), SETTLING_SECONDS)
        + difficulty * TONE_DRIFT * timeline.noise(rng, TONE_DRIFT_SECONDS)
        + 0.8 * np.minimum(timeline.surge(0.5, 2.5), 1.5)
    )
    per_sample = TWITCHES_PER_HOUR / 3600.0 / TIMELINE_FREQUENCY
    twitching = (timeline.stage_track == Stage.R) & (rng.random(len(tone)) < per_sample)
    twitches = np.flatnonzero(twitching) / TIMELINE_FREQUENCY
    add_gaussian_waves(tone, TIMELINE_FREQUENCY, twitches, 0.15, 12.0)
    tone = subject.emg_gain * _resample_track(tone, sampling_frequency)
    if sampling_frequency <= 2 * CHIN_BAND[0]:
        # Of a recorder that stores the envelope only, as that of the Sleep-EDF cassettes.
        return tone * np.abs(1 + 0.1 * rng.standard_normal(len(tone)))
    return tone * band_noise(rng, len(tone), sampling_frequency, CHIN_BAND)


def common_reference(
    rng: np.random.Generator, timeline: Timeline, sampling_frequency: float
) -> FloatArray:
    """Return what all electrodes against it share, at a rate in Hz, (n_samples,), in uV."""
    n_samples = round(timeline.duration * sampling_frequency)
    return REFERENCE_AMPLITUDE * pink_noise(rng, n_samples, sampling_frequency)


def _resample_track(track: FloatArray, sampling_frequency: float) -> FloatArray:
    n_samples = round(len(track) / TIMELINE_FREQUENCY * sampling_frequency)
    grid = np.arange(n_samples) * (TIMELINE_FREQUENCY / sampling_frequency)
    return np.interp(grid, np.arange(len(track)), track)
