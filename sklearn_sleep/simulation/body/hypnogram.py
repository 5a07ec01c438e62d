"""Synthetic hypnograms: NREM-REM cycles, awakenings, and the scorer's disagreement."""

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.stages import Stage

StageArray = npt.NDArray[np.int8]

EPOCHS_PER_HOUR = 120.0  # 30-second epochs (AASM manual)
FULL_CYCLES_FROM_HOURS = 4.0
"""Nights at least this long have cycles of natural length; shorter ones have theirs compressed in
proportion, so that half an hour still holds about two cycles with all stages."""

# Ultradian cycle of 90 to 110 minutes; slow-wave sleep in the first third of the night, REM in
# the last (Carskadon & Dement, "Normal human sleep: an overview", in Principles and Practice of
# Sleep Medicine). Sleep latency, WASO and stage shares of adults: Ohayon 2004, Sleep 27:1255.
CYCLE_MINUTES, CYCLE_SPREAD = 95.0, 10.0
LATENCY_MINUTES = 15.0
FINAL_WAKE_MINUTES = 8.0
NIGHT_MINUTES = 480.0
N1_SHARE = 0.07
N3_SHARE_AT_START, N3_DECLINE = 0.42, 2.2
REM_SHARE_AT_START, REM_RISE = 0.14, 0.24
AWAKENINGS_PER_EPOCH = 0.02
LONG_AWAKENING_PROBABILITY, LONG_AWAKENING_MINUTES = 0.5, 14.0

# Probability that a scorer calls an epoch a neighbouring stage. Two scorers agree on about 83%
# of epochs, least on N1 (Rosenberg & Van Hout 2013, J Clin Sleep Med 9:81-87); the half of that
# disagreement which is one scorer's.
CONFUSIONS: dict[Stage, tuple[float, tuple[Stage, ...]]] = {
    Stage.W: (0.03, (Stage.N1,)),
    Stage.N1: (0.15, (Stage.W, Stage.N2)),
    Stage.N2: (0.05, (Stage.N1, Stage.N3)),
    Stage.N3: (0.08, (Stage.N2,)),
    Stage.R: (0.03, (Stage.N1, Stage.N2)),
}
BOUNDARY_SHIFT_PROBABILITY = 0.2
UNSCORED_PROBABILITY = 0.3


def simulate_stages(rng: np.random.Generator, n_epochs: int, hours: float) -> StageArray:
    """Draw the course of a night, (n_epochs,); cycles take their length from the nominal hours."""
    compression = min(1.0, hours / FULL_CYCLES_FROM_HOURS)
    per_minute = EPOCHS_PER_HOUR / 60.0 * compression
    latency = np.clip(rng.gamma(4.0, LATENCY_MINUTES / 4.0), 5.0, 35.0)
    final_wake = max(1, round(per_minute * np.clip(rng.exponential(FINAL_WAKE_MINUTES), 1, 15)))
    stages = [Stage.W] * max(2, round(latency * per_minute))
    while len(stages) < n_epochs:
        position = len(stages) / (NIGHT_MINUTES * per_minute)
        minutes = np.clip(rng.normal(CYCLE_MINUTES, CYCLE_SPREAD), 75.0, 115.0)
        stages += _cycle(rng, round(minutes * per_minute), position)
        if rng.random() < LONG_AWAKENING_PROBABILITY:
            stages += [Stage.W] * max(
                1, round(rng.gamma(2.0, LONG_AWAKENING_MINUTES / 2) * per_minute)
            )
    night = np.array(stages[:n_epochs], dtype=np.int8)
    night[n_epochs - final_wake :] = Stage.W
    return night


def _cycle(rng: np.random.Generator, n_epochs: int, position: float) -> list[Stage]:
    n1 = max(2, round(N1_SHARE * n_epochs))
    n3_share = N3_SHARE_AT_START * np.exp(-N3_DECLINE * position)
    n3 = max(2, round(n3_share * n_epochs * rng.uniform(0.8, 1.2)))
    if position > 0.5 and rng.random() < position - 0.4:
        n3 = 0  # the last cycles often have none
    rem_share = REM_SHARE_AT_START + REM_RISE * position
    rem = max(2, round(rem_share * n_epochs * rng.uniform(0.75, 1.25)))
    n2 = max(4, n_epochs - n1 - n3 - rem)
    descent = round(n2 * rng.uniform(0.35, 0.55))
    return [
        *([Stage.N1] * n1),
        *_with_awakenings(rng, Stage.N2, descent),
        *_with_interruptions(rng, n3),
        *_with_awakenings(rng, Stage.N2, n2 - descent),
        *_with_awakenings(rng, Stage.R, rem),
    ]


def _with_interruptions(rng: np.random.Generator, n_epochs: int) -> list[Stage]:
    """N3 in bouts of about ten minutes with a little N2 between them."""
    stages: list[Stage] = []
    while n_epochs:
        bout = min(n_epochs, 4 + int(rng.geometric(1.0 / 16.0)))
        stages += [Stage.N3] * bout
        n_epochs -= bout
        if n_epochs:
            stages += [Stage.N2] * int(rng.integers(1, 4))
    return stages


def _with_awakenings(rng: np.random.Generator, stage: Stage, n_epochs: int) -> list[Stage]:
    """Epochs of a stage with short awakenings, after which sleep returns through N1."""
    stages: list[Stage] = []
    for _ in range(n_epochs):
        stages.append(stage)
        if rng.random() < AWAKENINGS_PER_EPOCH:
            stages += [Stage.W] * int(rng.geometric(0.4))
            stages += [Stage.N1] * int(rng.geometric(0.6))
    return stages


def score_stages(rng: np.random.Generator, stages: StageArray, difficulty: float) -> StageArray:
    """Return stages as a human scores them, (n_epochs,), unscored at the ends of some nights.

    Boundaries shift and neighbours are confused, with a probability that difficulty multiplies;
    every stage is still there.
    """
    scored = stages.copy()
    for boundary in np.flatnonzero(np.diff(stages)) + 1:
        if rng.random() < difficulty * BOUNDARY_SHIFT_PROBABILITY:
            if rng.random() < 0.5:
                scored[boundary] = stages[boundary - 1]
            else:
                scored[boundary - 1] = stages[boundary]
    for stage, (probability, neighbours) in CONFUSIONS.items():
        confused = np.flatnonzero(
            (stages == stage) & (rng.random(len(stages)) < difficulty * probability)
        )
        scored[confused] = rng.choice([int(neighbour) for neighbour in neighbours], len(confused))
    for stage in np.setdiff1d(stages, scored):
        scored[stages == stage] = stage
    _leave_ends_unscored(rng, scored)
    return scored


def _leave_ends_unscored(rng: np.random.Generator, scored: StageArray) -> None:
    """Mark part of the wake before sleep onset and after the last sleep."""
    asleep = np.flatnonzero(scored != Stage.W)
    before, after = int(asleep[0]), len(scored) - 1 - int(asleep[-1])
    if rng.random() < UNSCORED_PROBABILITY and before > 1:
        scored[: rng.integers(1, before)] = Stage.UNSCORED
    if rng.random() < UNSCORED_PROBABILITY and after > 1:
        scored[len(scored) - rng.integers(1, after) :] = Stage.UNSCORED
