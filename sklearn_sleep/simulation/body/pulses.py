"""Pulses at the finger: they follow the heartbeats, smaller when vessels constrict."""

from dataclasses import dataclass

import numpy as np

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.simulation.body.cardiac import Heartbeats
from sklearn_sleep.simulation.body.respiration import Breathing
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
RESPIRATORY_AMPLITUDE = 0.05
ECTOPIC_SIZE = 0.4  # a premature beat fills the ventricle less


@dataclass(frozen=True)
class Pulses:
    """Times in s at which pulses begin to rise, and heights where 1 is typical, (n_pulses,)."""

    onsets: FloatArray
    sizes: FloatArray


def simulate_pulses(
    rng: np.random.Generator, timeline: Timeline, breathing: Breathing, heartbeats: Heartbeats
) -> Pulses:
    """Let the heartbeats arrive at the finger."""
    subject, beats = timeline.subject, heartbeats.times
    constriction = timeline.surge(CONSTRICTION_RISE, CONSTRICTION_DECAY, CONSTRICTION_DELAY)
    wavering = np.exp(
        timeline.level(np.log(VASOMOTION) + subject.vasomotion_effect, SETTLING_SECONDS)
    )
    log_size = (
        timeline.level(np.log(PULSE_SIZE), SETTLING_SECONDS)
        + wavering * timeline.noise(rng, VASOMOTION_SECONDS)
        + timeline.difficulty * DRIFT * timeline.noise(rng, DRIFT_SECONDS)
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
