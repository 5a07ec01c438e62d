"""Heart rate and its variability in each stage: the times of the beats."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.simulation.body.processes import band_noise
from sklearn_sleep.simulation.body.respiration import Breathing
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


@dataclass(frozen=True)
class Heartbeats:
    """Times of the R peaks in s, and which beats are premature ventricular ones, (n_beats,)."""

    times: FloatArray
    ectopic: npt.NDArray[np.bool_]


def simulate_heartbeats(
    rng: np.random.Generator, timeline: Timeline, breathing: Breathing
) -> Heartbeats:
    """Draw the beats of a night.

    Heart rate is the sum of a level and of respiratory, low-frequency and very-low-frequency
    modulations on a log scale; a beat falls wherever its integral reaches a whole number (integral
    pulse frequency modulation: Mateo & Laguna 2000, IEEE Trans Biomed Eng 47:985-996).
    """
    n_samples = len(timeline.stage_track)
    subject, difficulty = timeline.subject, timeline.difficulty

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
    return _beats(rng, timeline, rate)


def _beats(rng: np.random.Generator, timeline: Timeline, rate: FloatArray) -> Heartbeats:
    counted = np.concatenate([[0.0], np.cumsum(rate[:-1] / 60.0 / TIMELINE_FREQUENCY)])
    counted += rng.random()
    whole = np.arange(np.ceil(counted[0]), np.floor(counted[-1]) + 1.0)
    times = np.interp(whole, counted, timeline.times)
    times += BEAT_JITTER * rng.standard_normal(len(times))
    intervals = np.diff(times, prepend=times[0])
    ectopic = rng.random(len(times)) < timeline.subject.ectopic_index * intervals / 3600.0
    ectopic[1:] &= ~ectopic[:-1]
    # The next sinus beat keeps its place: that is the compensatory pause.
    times[ectopic] -= ECTOPIC_PREMATURITY * intervals[ectopic]
    inside = (times >= 0.0) & (times < timeline.duration)
    return Heartbeats(times[inside], ectopic[inside])
