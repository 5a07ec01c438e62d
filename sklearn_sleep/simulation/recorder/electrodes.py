"""What electrodes record of brain, eyes, chin and heart."""

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.datasets.recorder import Channel
from sklearn_sleep.simulation.body.night import Body
from sklearn_sleep.simulation.body.processes import (
    add_gaussian_waves,
    band_noise,
    pink_noise,
    smooth_noise,
)
from sklearn_sleep.simulation.body.timeline import TIMELINE_FREQUENCY

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
_DERIVATIONS = {"C3": "C3-M2", "C4": "C4-M1", "F4": "F4-M1", "O2": "O2-M1"}  # of electrodes
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
# Gaussian waves of a beat (McSharry 2003, IEEE Trans Biomed Eng 50:289-294): time from the R peak
# in s, standard deviation in s, height in uV. P and T times are those at 60 beats a minute.
P_WAVE = (-0.17, 0.022, 110.0)
Q_WAVE = (-0.028, 0.008, -90.0)
R_WAVE = (0.0, 0.0105, 900.0)
S_WAVE = (0.030, 0.009, -180.0)
T_WAVE = (0.30, 0.045, 220.0)
ECTOPIC_R_WAVE = (0.0, 0.032, 1100.0)
ECTOPIC_T_WAVE = (0.26, 0.06, -300.0)
RESPIRATORY_AMPLITUDE = 0.06  # of the R wave: the heart turns and the chest impedance changes


def electroencephalogram(rng: np.random.Generator, body: Body, channel: Channel) -> FloatArray:
    """Return the EEG of a derivation or an electrode, (n_samples,), in uV."""
    sampling_frequency = channel.sampling_frequency
    derivation = _DERIVATIONS.get(channel.signal, channel.signal)
    signal = body.brain.mix(sampling_frequency, **TOPOGRAPHY[derivation])
    n_samples = len(signal)
    signal += BACKGROUND_AMPLITUDE * pink_noise(rng, n_samples, sampling_frequency)
    level = body.timeline.level(BETA_AMPLITUDE, SETTLING_SECONDS)
    beta = _resample_track(level, sampling_frequency)
    signal += beta * band_noise(rng, n_samples, sampling_frequency, BETA_BAND)
    return body.subject.eeg_gain * signal


def electrooculogram(rng: np.random.Generator, body: Body, channel: Channel) -> FloatArray:
    """Return EOG-L or EOG-R against a mastoid, (n_samples,), in uV."""
    side = 1.0 if channel.signal == "EOG-L" else -1.0
    signal = body.brain.mix(channel.sampling_frequency, eye_movements=side, **EYE_LEAK)
    signal += BACKGROUND_AMPLITUDE * pink_noise(rng, len(signal), channel.sampling_frequency)
    return body.subject.eeg_gain * signal


def electromyogram(rng: np.random.Generator, body: Body, channel: Channel) -> FloatArray:
    """Return the tone of the chin, (n_samples,), in uV."""
    timeline, sampling_frequency = body.timeline, channel.sampling_frequency
    tone = np.exp(
        timeline.level(np.log(CHIN_TONE), SETTLING_SECONDS)
        + timeline.difficulty * TONE_DRIFT * timeline.noise(rng, TONE_DRIFT_SECONDS)
        + 0.8 * np.minimum(timeline.surge(0.5, 2.5), 1.5)
    )
    per_sample = TWITCHES_PER_HOUR / 3600.0 / TIMELINE_FREQUENCY
    twitching = (timeline.stage_track == Stage.R) & (rng.random(len(tone)) < per_sample)
    twitches = np.flatnonzero(twitching) / TIMELINE_FREQUENCY
    add_gaussian_waves(tone, TIMELINE_FREQUENCY, twitches, 0.15, 12.0)
    tone = body.subject.emg_gain * _resample_track(tone, sampling_frequency)
    if sampling_frequency <= 2 * CHIN_BAND[0]:
        # Of a recorder that stores the envelope only, as that of the Sleep-EDF cassettes.
        return tone * np.abs(1 + 0.1 * rng.standard_normal(len(tone)))
    return tone * band_noise(rng, len(tone), sampling_frequency, CHIN_BAND)


def electrocardiogram(rng: np.random.Generator, body: Body, channel: Channel) -> FloatArray:
    """Return a modified lead II, (n_samples,), in uV."""
    subject, breathing = body.subject, body.breathing
    sampling_frequency = channel.sampling_frequency
    n_samples = round(body.timeline.duration * sampling_frequency)
    signal = np.zeros(n_samples)
    beats, ectopic = body.heartbeats.times, body.heartbeats.ectopic
    gain = 1.0 + RESPIRATORY_AMPLITUDE * np.clip(breathing.volume(beats), -2.0, 2.0)
    # P-R and Q-T shorten with the R-R interval, here as its square root (Bazett 1920).
    stretch = np.sqrt(np.clip(np.diff(beats, prepend=beats[0] - 1.0), 0.5, 1.5))

    def add(
        wave: tuple[float, float, float], which: npt.NDArray[np.bool_], stretched: bool
    ) -> None:
        lag, width, height = wave
        factor = stretch[which] if stretched else np.ones(int(which.sum()))
        add_gaussian_waves(
            signal,
            sampling_frequency,
            beats[which] + lag * factor,
            width * factor,
            height * gain[which],
        )

    for wave in (Q_WAVE, R_WAVE, S_WAVE):
        add(wave, ~ectopic, stretched=False)
    add((*P_WAVE[:2], subject.p_wave * P_WAVE[2]), ~ectopic, stretched=True)
    add((*T_WAVE[:2], subject.t_wave * T_WAVE[2]), ~ectopic, stretched=True)
    add(ECTOPIC_R_WAVE, ectopic, stretched=False)
    add(ECTOPIC_T_WAVE, ectopic, stretched=True)
    signal += 30.0 * breathing.volume_at(sampling_frequency, n_samples)
    signal += subject.noise_gain * 40.0 * smooth_noise(rng, n_samples, sampling_frequency, 2.0)
    signal += subject.noise_gain * 8.0 * rng.standard_normal(n_samples)
    return subject.ecg_gain * signal


def common_reference(rng: np.random.Generator, body: Body, channel: Channel) -> FloatArray:
    """Return what all electrodes against it share, (n_samples,), in uV."""
    n_samples = round(body.timeline.duration * channel.sampling_frequency)
    return REFERENCE_AMPLITUDE * pink_noise(rng, n_samples, channel.sampling_frequency)


def _resample_track(track: FloatArray, sampling_frequency: float) -> FloatArray:
    n_samples = round(len(track) / TIMELINE_FREQUENCY * sampling_frequency)
    grid = np.arange(n_samples) * (TIMELINE_FREQUENCY / sampling_frequency)
    return np.interp(grid, np.arange(len(track)), track)
