"""The finger plethysmogram: pulses that follow the heartbeats, smaller when vessels constrict."""

from dataclasses import dataclass

import numpy as np

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.simulation.body.cardiac import Heartbeats
from sklearn_sleep.simulation.body.processes import add_waves, smooth_noise
from sklearn_sleep.simulation.body.respiration import Breathing
from sklearn_sleep.simulation.body.subject import Subject
from sklearn_sleep.simulation.body.timeline import TIMELINE_FREQUENCY, Timeline

# By stage, W N1 N2 N3 R: size of the pulse and how much it wavers. Sympathetic tone narrows the
# vessels of the finger in wake and REM, and N3 is the calmest (Grote 2003, Respir Physiol
# Neurobiol 136:141-152).
PULSE_SIZE = (0.88, 0.97, 1.02, 1.05, 0.92)
VASOMOTION = (0.25, 0.20, 0.16, 0.11, 0.22)
VASOMOTION_SECONDS = 10.0
DRIFT_SECONDS, DRIFT = 300.0, 0.25
SETTLING_SECONDS = 30.0
# An arousal constricts the vessels after some 3 s, for some 15 s (Grote 2003).
CONSTRICTION_DELAY, CONSTRICTION_RISE, CONSTRICTION_DECAY, CONSTRICTION = 3.0, 2.0, 7.0, 0.45
RESPIRATORY_AMPLITUDE, RESPIRATORY_BASELINE = 0.05, 0.12
ECTOPIC_SIZE = 0.4  # a premature beat fills the ventricle less
# The pulse peaks 0.1 to 0.2 s after its foot and shows the dicrotic wave some 0.4 s after it
# (Allen 2007, Physiol Meas 28:R1-R39).
SYSTOLIC_RISE = 0.16
DICROTIC_TIME, DICROTIC_WIDTH, DICROTIC_HEIGHT = 0.42, 0.06, 0.25


@dataclass(frozen=True)
class Pulses:
    """Times in s at which pulses begin to rise, and heights where 1 is typical, (n_pulses,)."""

    onsets: FloatArray
    sizes: FloatArray


def simulate_pulses(
    rng: np.random.Generator,
    timeline: Timeline,
    breathing: Breathing,
    heartbeats: Heartbeats,
    subject: Subject,
    difficulty: float,
) -> Pulses:
    """Let the heartbeats arrive at the finger."""
    beats = heartbeats.times
    constriction = timeline.surge(CONSTRICTION_RISE, CONSTRICTION_DECAY, CONSTRICTION_DELAY)
    wavering = np.exp(
        timeline.level(np.log(VASOMOTION) + subject.vasomotion_effect, SETTLING_SECONDS)
    )
    log_size = (
        timeline.level(np.log(PULSE_SIZE), SETTLING_SECONDS)
        + wavering * timeline.noise(rng, VASOMOTION_SECONDS)
        + difficulty * DRIFT * timeline.noise(rng, DRIFT_SECONDS)
        - CONSTRICTION * np.minimum(constriction, 2.5)
    )
    # Pressure rises with the arousal, and the pulse travels faster.
    delay = 1.0 + 0.04 * timeline.noise(rng, 60.0) - 0.05 * np.minimum(constriction, 2.5)
    grid = beats * TIMELINE_FREQUENCY
    samples = np.arange(len(delay))
    sizes = np.exp(np.interp(grid, samples, log_size))
    sizes *= 1.0 + RESPIRATORY_AMPLITUDE * np.clip(breathing.volume(beats), -2.0, 2.0)
    sizes[heartbeats.ectopic] *= ECTOPIC_SIZE
    return Pulses(beats + subject.pulse_transit_time * np.interp(grid, samples, delay), sizes)


def plethysmogram(
    rng: np.random.Generator,
    timeline: Timeline,
    breathing: Breathing,
    pulses: Pulses,
    subject: Subject,
    sampling_frequency: float,
) -> FloatArray:
    """Return the pulses at a rate in Hz, (n_samples,), without a constant part; one is 1 high."""
    n_samples = round(timeline.duration * sampling_frequency)
    signal = np.zeros(n_samples)
    sizes = pulses.sizes
    stretch = np.sqrt(np.clip(np.diff(pulses.onsets, append=pulses.onsets[-1] + 1.0), 0.5, 1.5))

    def pulse(lag: FloatArray, events: slice) -> FloatArray:
        rise = np.maximum(lag, 0.0) / SYSTOLIC_RISE
        systolic = rise**2 * np.exp(2.0 * (1.0 - rise))
        late = (lag - DICROTIC_TIME * stretch[events, None]) / DICROTIC_WIDTH
        return sizes[events, None] * (systolic + DICROTIC_HEIGHT * np.exp(-0.5 * late**2))

    add_waves(signal, sampling_frequency, pulses.onsets, (0.0, 1.2), pulse)
    times = np.arange(n_samples) / sampling_frequency
    signal -= 0.4 * np.interp(times, pulses.onsets, sizes)
    signal += RESPIRATORY_BASELINE * breathing.volume_at(sampling_frequency, n_samples)
    signal += subject.noise_gain * 0.10 * smooth_noise(rng, n_samples, sampling_frequency, 3.0)
    signal += subject.noise_gain * 0.02 * rng.standard_normal(n_samples)
    return subject.pulse_gain * signal
