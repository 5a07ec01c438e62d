"""Breathing: its rate, depth and regularity in each stage."""

from dataclasses import dataclass

import numpy as np

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.simulation.body.processes import add_gaussian_waves
from sklearn_sleep.simulation.body.timeline import (
    TIMELINE_FREQUENCY,
    Timeline,
    intervals_to_envelope,
)

# By stage, W N1 N2 N3 R. Breathing is most regular in N3 and least in REM and wake; tidal volume
# falls in REM (Douglas 1982, Thorax 37:840-844; Rostig 2005, Sleep 28:411-417).
RATE_EFFECT = (0.04, 0.01, 0.0, 0.0, 0.03)
RATE_IRREGULARITY = (0.13, 0.11, 0.09, 0.07, 0.12)
DEPTH_IRREGULARITY = (0.26, 0.22, 0.17, 0.13, 0.215)
DEPTH = (1.05, 0.98, 1.0, 1.0, 0.92)
SIGHS_PER_HOUR = (15.0, 8.0, 6.0, 2.0, 5.0)
SIGH_DEPTH = 1.6
INSPIRATION_SHARE = 0.4  # inspiration takes 40% of a breath at rest
PAUSE_DEPTH = 0.08  # an apnoea is a drop of at least 90% (AASM manual)
SETTLING_SECONDS = 20.0
DRIFT_SECONDS = 240.0
DRIFT = 0.6
BREATH_SECONDS = 5.0  # over which one breath still resembles the next


@dataclass(frozen=True)
class Breathing:
    """Breathing on the timeline, (n_samples,), and times in s at which inspirations begin.

    ``phase`` counts breaths since the start of the night (inspiration begins at whole numbers),
    ``depth`` is relative to a quiet breath, ``rate`` in breaths per minute.
    """

    phase: FloatArray
    depth: FloatArray
    rate: FloatArray
    onsets: FloatArray

    def volume_at(self, sampling_frequency: float, n_samples: int) -> FloatArray:
        """Return lung volume at a rate in Hz, (n_samples,), fast, as it moves a baseline."""
        timeline = np.arange(len(self.phase))
        volume = self.volume(timeline / TIMELINE_FREQUENCY)
        grid = np.arange(n_samples) * (TIMELINE_FREQUENCY / sampling_frequency)
        return np.interp(grid, timeline, volume)

    def volume(self, times: FloatArray, lag: float = 0.0) -> FloatArray:
        """Return lung volume, -1 to 1 times the depth, at times in s, a part of a breath late."""
        grid = times * TIMELINE_FREQUENCY
        samples = np.arange(len(self.phase))
        within = (np.interp(grid, samples, self.phase) - lag) % 1.0
        half_cycles = np.where(
            within < INSPIRATION_SHARE,
            within / INSPIRATION_SHARE,
            1.0 + (within - INSPIRATION_SHARE) / (1.0 - INSPIRATION_SHARE),
        )
        return -np.cos(np.pi * half_cycles) * np.interp(grid, samples, self.depth)


def simulate_breathing(rng: np.random.Generator, timeline: Timeline) -> Breathing:
    """Draw the breaths."""
    subject, difficulty = timeline.subject, timeline.difficulty
    n_samples = len(timeline.stage_track)
    drift = difficulty * DRIFT * timeline.noise(rng, DRIFT_SECONDS)
    drift += timeline.level(subject.respiratory_irregularity_effect, SETTLING_SECONDS)

    def irregularity(by_stage: tuple[float, ...]) -> FloatArray:
        return np.exp(timeline.level(np.log(by_stage), SETTLING_SECONDS) + drift)

    rate = subject.respiratory_rate * np.exp(
        timeline.level(RATE_EFFECT, SETTLING_SECONDS)
        + difficulty * 0.04 * timeline.noise(rng, 2.0 * DRIFT_SECONDS)
        + irregularity(RATE_IRREGULARITY) * timeline.noise(rng, BREATH_SECONDS)
    )
    rate = np.clip(rate, 6.0, 40.0)
    depth = np.exp(
        timeline.level(np.log(DEPTH), SETTLING_SECONDS)
        + irregularity(DEPTH_IRREGULARITY) * timeline.noise(rng, BREATH_SECONDS)
        + 0.35 * timeline.surge(1.0, 4.0)
    )
    depth += _sighs(rng, timeline)
    pauses = intervals_to_envelope(timeline.pauses, n_samples, TIMELINE_FREQUENCY, 2.0)
    depth = np.minimum(depth, 3.0) * (1.0 - (1.0 - PAUSE_DEPTH) * pauses)
    phase = np.concatenate([[0.0], np.cumsum(rate[:-1] / 60.0 / TIMELINE_FREQUENCY)])
    phase += rng.random()
    whole = np.arange(np.ceil(phase[0]), np.floor(phase[-1]) + 1.0)
    return Breathing(phase, depth, rate, np.interp(whole, phase, timeline.times))


def _sighs(rng: np.random.Generator, timeline: Timeline) -> FloatArray:
    per_sample = np.array(SIGHS_PER_HOUR)[timeline.stage_track] / 3600.0 / TIMELINE_FREQUENCY
    sighs = np.flatnonzero(rng.random(len(per_sample)) < per_sample) / TIMELINE_FREQUENCY
    depth = np.zeros(len(per_sample))
    add_gaussian_waves(depth, TIMELINE_FREQUENCY, sighs, 1.2, SIGH_DEPTH)
    return depth
