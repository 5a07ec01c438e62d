"""Heart rate and its variability in each stage: the times of the beats, and the ECG of each."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.simulation.body.processes import add_gaussian_waves, band_noise, smooth_noise
from sklearn_sleep.simulation.body.respiration import Breathing
from sklearn_sleep.simulation.body.subject import Subject
from sklearn_sleep.simulation.body.timeline import TIMELINE_FREQUENCY, Timeline

# By stage, W N1 N2 N3 R. Heart rate is lowest and vagal (HF, respiratory) modulation largest in
# N3; sympathetic (LF, VLF) modulation falls through NREM and is back near wake in REM (Somers
# 1993, N Engl J Med 328:303-307; Vanoli 1995, Circulation 91:1918-1922; Penzel 2003,
# Neuropsychopharmacology 28:S48-S53).
HEART_RATE_EFFECT = (0.10, 0.02, -0.02, -0.045, 0.04)
RESPIRATORY_SINUS_ARRHYTHMIA = (0.020, 0.026, 0.032, 0.040, 0.021)
LOW_FREQUENCY = (0.026, 0.024, 0.019, 0.010, 0.026)
VERY_LOW_FREQUENCY = (0.030, 0.022, 0.015, 0.008, 0.030)
LOW_FREQUENCY_BAND = (0.06, 0.13)  # within the 0.04-0.15 Hz of Task Force 1996, Circulation 93:1043
VERY_LOW_FREQUENCY_SECONDS = 12.0
# Heart rate rises for some 5 s after an arousal and falls back in 10 to 15 s, by 10 to 20 beats
# in a strong one (Sforza 2000, Clin Neurophysiol 111:1611-1619).
AROUSAL_RISE, AROUSAL_DECAY, AROUSAL_HEIGHT = 2.0, 6.0, 0.12
SETTLING_SECONDS = 30.0
DRIFT_SECONDS = 300.0
HEART_RATE_DRIFT, VARIABILITY_DRIFT = 0.025, 0.3
NIGHT_TREND = -0.05  # over 8 h; heart rate falls towards the morning (Penzel 2003)
BEAT_JITTER = 0.002  # s
ECTOPIC_PREMATURITY = 0.35  # of an R-R interval

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


@dataclass(frozen=True)
class Heartbeats:
    """Times of the R peaks in s, and which beats are premature ventricular ones, (n_beats,)."""

    times: FloatArray
    ectopic: npt.NDArray[np.bool_]


def simulate_heartbeats(
    rng: np.random.Generator,
    timeline: Timeline,
    breathing: Breathing,
    subject: Subject,
    difficulty: float,
) -> Heartbeats:
    """Draw the beats of a night.

    Heart rate is the sum of a level and of respiratory, low-frequency and very-low-frequency
    modulations on a log scale; a beat falls wherever its integral reaches a whole number (integral
    pulse frequency modulation: Mateo & Laguna 2000, IEEE Trans Biomed Eng 47:985-996).
    """
    n_samples = len(timeline.stage_track)

    def modulation(by_stage: tuple[float, ...], effect: FloatArray) -> FloatArray:
        drift = difficulty * VARIABILITY_DRIFT * timeline.noise(rng, DRIFT_SECONDS)
        level = timeline.level(np.log(by_stage) + effect, SETTLING_SECONDS)
        return subject.variability_gain * np.exp(level + drift)

    # Slow breaths leave the vagus more time to act (Hirsch & Bishop 1981, Am J Physiol 241:H620).
    respiratory = np.sqrt(15.0 / breathing.rate) * breathing.volume(timeline.times)
    respiratory *= modulation(
        RESPIRATORY_SINUS_ARRHYTHMIA, subject.respiratory_sinus_arrhythmia_effect
    )
    low = modulation(LOW_FREQUENCY, subject.low_frequency_effect)
    low *= band_noise(rng, n_samples, TIMELINE_FREQUENCY, LOW_FREQUENCY_BAND)
    very_low = modulation(VERY_LOW_FREQUENCY, subject.very_low_frequency_effect)
    very_low *= timeline.noise(rng, VERY_LOW_FREQUENCY_SECONDS)
    level = timeline.level(
        np.array(HEART_RATE_EFFECT) + subject.heart_rate_effect, SETTLING_SECONDS
    )
    level += difficulty * HEART_RATE_DRIFT * timeline.noise(rng, DRIFT_SECONDS)
    level += NIGHT_TREND * timeline.times / (8.0 * 3600.0)
    surge = AROUSAL_HEIGHT * np.minimum(timeline.surge(AROUSAL_RISE, AROUSAL_DECAY), 2.5)
    rate = subject.heart_rate * np.exp(level + respiratory + low + very_low + surge)
    rate = np.clip(rate, 35.0, 150.0)
    return _beats(rng, timeline, rate, subject.ectopic_index)


def _beats(
    rng: np.random.Generator, timeline: Timeline, rate: FloatArray, ectopic_index: float
) -> Heartbeats:
    counted = np.concatenate([[0.0], np.cumsum(rate[:-1] / 60.0 / TIMELINE_FREQUENCY)])
    counted += rng.random()
    whole = np.arange(np.ceil(counted[0]), np.floor(counted[-1]) + 1.0)
    times = np.interp(whole, counted, timeline.times)
    times += BEAT_JITTER * rng.standard_normal(len(times))
    intervals = np.diff(times, prepend=times[0])
    ectopic = rng.random(len(times)) < ectopic_index * intervals / 3600.0
    ectopic[1:] &= ~ectopic[:-1]
    # The next sinus beat keeps its place: that is the compensatory pause.
    times[ectopic] -= ECTOPIC_PREMATURITY * intervals[ectopic]
    inside = (times >= 0.0) & (times < timeline.duration)
    return Heartbeats(times[inside], ectopic[inside])


def electrocardiogram(
    rng: np.random.Generator,
    timeline: Timeline,
    breathing: Breathing,
    heartbeats: Heartbeats,
    subject: Subject,
    sampling_frequency: float,
) -> FloatArray:
    """Return a modified lead II at a rate in Hz, (n_samples,), in uV."""
    n_samples = round(timeline.duration * sampling_frequency)
    signal = np.zeros(n_samples)
    beats, ectopic = heartbeats.times, heartbeats.ectopic
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
