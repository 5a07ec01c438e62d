"""What happens in the course of a night: stages in continuous time, arousals, movements, pauses."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal as scipy_signal

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.simulation.body.hypnogram import StageArray
from sklearn_sleep.simulation.body.processes import smooth_noise
from sklearn_sleep.simulation.body.subject import Subject

TIMELINE_FREQUENCY = 8.0
"""Rate in Hz of the slow quantities of the body; breathing and heart rate change far slower."""

# Arousals per hour of W (there: movements), N1, N2, N3, R; some 10 to 20 an hour of sleep in
# healthy adults, least in N3 (Bonnet & Arand 2007, J Clin Sleep Med 3:271-274).
AROUSALS_PER_HOUR = (45.0, 25.0, 14.0, 4.0, 14.0)
AROUSAL_MOVEMENT_PROBABILITY = (0.8, 0.4, 0.25, 0.2, 0.25)
PAUSE_SECONDS = (12.0, 35.0)  # a respiratory event lasts at least 10 s (AASM manual)
PAUSE_FACTOR = (0.0, 1.0, 1.0, 0.15, 1.6)  # by stage: worst in REM, rare in N3
PAUSE_AROUSAL_PROBABILITY = 0.7


@dataclass(frozen=True)
class Timeline:
    """The latent course of a subject's night, from which all signals are made.

    Difficulty is a factor on what has nothing to do with stages. Stages are on the timeline (they
    change within epochs), arousals (in wake: movements) and their relative strengths (n_arousals,),
    movements and pauses (n, 2), start and stop; all times in s.
    """

    subject: Subject
    difficulty: float
    n_epochs: int
    stage_track: StageArray
    arousals: FloatArray
    arousal_strengths: FloatArray
    movements: FloatArray
    pauses: FloatArray

    @property
    def duration(self) -> float:
        """Length in s."""
        return self.n_epochs * EPOCH_DURATION

    @property
    def times(self) -> FloatArray:
        """Time in s of each sample of the timeline."""
        return np.arange(len(self.stage_track)) / TIMELINE_FREQUENCY

    def level(self, by_stage: npt.ArrayLike, time_constant: float) -> FloatArray:
        """Return on the timeline a quantity of W, N1, N2, N3, R that settles in a time in s.

        The change begins as much before a transition as it ends after it, as autonomic changes
        surround those of the EEG.
        """
        steps = np.asarray(by_stage, dtype=np.float64)[self.stage_track]
        memory = np.exp(-1.0 / (TIMELINE_FREQUENCY * time_constant))
        return scipy_signal.filtfilt(
            [1.0 - memory], [1.0, -memory], steps, padlen=min(len(steps) - 1, 3000)
        )

    def noise(self, rng: np.random.Generator, time_constant: float) -> FloatArray:
        """Return an Ornstein-Uhlenbeck process of unit variance on the timeline."""
        return smooth_noise(rng, len(self.stage_track), TIMELINE_FREQUENCY, time_constant)

    def surge(self, rise: float, decay: float, delay: float = 0.0) -> FloatArray:
        """Return the answer to the arousals on the timeline, 1 high for strength 1; times in s."""
        lag = np.arange(0.0, 8.0 * decay, 1.0 / TIMELINE_FREQUENCY)
        answer = np.exp(-lag / decay) - np.exp(-lag / rise)
        impulses = np.zeros(len(self.stage_track))
        index = ((self.arousals + delay) * TIMELINE_FREQUENCY).astype(np.int64)
        inside = index < len(impulses)
        np.add.at(impulses, index[inside], self.arousal_strengths[inside])
        surge = scipy_signal.oaconvolve(impulses, answer / answer.max())
        return surge[: len(impulses)]


def intervals_to_envelope(
    intervals: FloatArray, n_samples: int, sampling_frequency: float, ramp: float
) -> FloatArray:
    """Return 1 within intervals (n, 2) in s, else 0, with ramps in s inside, (n_samples,)."""
    envelope = np.zeros(n_samples)
    for start, stop in intervals:
        first = max(0, int(np.ceil(start * sampling_frequency)))
        last = min(n_samples, int(np.floor(stop * sampling_frequency)) + 1)
        time = np.arange(first, last) / sampling_frequency
        shape = np.minimum(1.0, np.minimum(time - start, stop - time) / ramp)
        envelope[first:last] = np.maximum(envelope[first:last], shape)
    return envelope


def simulate_timeline(
    rng: np.random.Generator, stages: StageArray, subject: Subject, difficulty: float
) -> Timeline:
    """Draw the events of a night; difficulty moves transitions off the boundaries of epochs."""
    track = _continuous_stages(rng, stages, difficulty)
    seconds = len(stages) * EPOCH_DURATION
    pauses = _pauses(rng, stages, subject)
    arousals = [_poisson_times(rng, stages, subject.arousal_gain * np.array(AROUSALS_PER_HOUR))]
    awakenings = np.flatnonzero((stages[1:] == Stage.W) & (stages[:-1] != Stage.W)) + 1
    arousals.append(awakenings * EPOCH_DURATION + rng.uniform(-5.0, 5.0, len(awakenings)))
    roused = rng.random(len(pauses)) < PAUSE_AROUSAL_PROBABILITY
    arousals.append(pauses[roused, 1])
    times = np.sort(np.concatenate(arousals))
    times = times[(times >= 0.0) & (times < seconds)]
    strengths = np.exp(0.4 * rng.standard_normal(len(times)))
    at_stage = track[(times * TIMELINE_FREQUENCY).astype(np.int64)]
    moves = rng.random(len(times)) < np.array(AROUSAL_MOVEMENT_PROBABILITY)[at_stage]
    lengths = np.clip(rng.lognormal(1.4, 0.6, len(times)), 1.5, 20.0)
    movements = np.stack([times, times + lengths], axis=1)[moves]
    return Timeline(subject, difficulty, len(stages), track, times, strengths, movements, pauses)


def _continuous_stages(
    rng: np.random.Generator, stages: StageArray, difficulty: float
) -> StageArray:
    """Move each transition off the epoch grid, by up to 10 s."""
    per_epoch = int(EPOCH_DURATION * TIMELINE_FREQUENCY)
    track = np.repeat(stages, per_epoch)
    reach = int(min(difficulty, 1.0) * 10.0 * TIMELINE_FREQUENCY)
    for boundary in np.flatnonzero(np.diff(stages)) + 1:
        shift = int(rng.integers(-reach, reach + 1))
        at = int(boundary) * per_epoch
        if shift > 0:
            track[at : at + shift] = stages[boundary - 1]
        elif shift < 0:
            track[at + shift : at] = stages[boundary]
    return track


def _poisson_times(
    rng: np.random.Generator, stages: StageArray, per_hour: FloatArray
) -> FloatArray:
    counts = rng.poisson(per_hour[stages] * EPOCH_DURATION / 3600.0)
    starts = np.repeat(np.arange(len(stages)) * EPOCH_DURATION, counts)
    return np.sort(starts + rng.uniform(0.0, EPOCH_DURATION, len(starts)))


def _pauses(rng: np.random.Generator, stages: StageArray, subject: Subject) -> FloatArray:
    starts = _poisson_times(rng, stages, subject.apnoea_index * np.array(PAUSE_FACTOR))
    stops = starts + rng.uniform(*PAUSE_SECONDS, len(starts))
    kept: list[tuple[float, float]] = []
    for start, stop in zip(starts, stops, strict=True):
        recovered = not kept or start > kept[-1][1] + 15.0
        if recovered and stop < len(stages) * EPOCH_DURATION:
            kept.append((float(start), float(stop)))
    return np.array(kept, dtype=np.float64).reshape(-1, 2)
