"""All that happens in a synthetic night, whatever records it."""

from dataclasses import dataclass

import numpy as np

from sklearn_sleep.core.stages import Stage
from sklearn_sleep.simulation.body.brain import BrainActivity, simulate_brain
from sklearn_sleep.simulation.body.cardiac import Heartbeats, simulate_heartbeats
from sklearn_sleep.simulation.body.hypnogram import (
    EPOCHS_PER_HOUR,
    StageArray,
    score_stages,
    simulate_stages,
)
from sklearn_sleep.simulation.body.pulses import Pulses, simulate_pulses
from sklearn_sleep.simulation.body.respiration import Breathing, simulate_breathing
from sklearn_sleep.simulation.body.subject import Subject
from sklearn_sleep.simulation.body.timeline import Timeline, simulate_timeline

LENGTH_SPREAD = 0.15  # nights last 85% to 115% of the nominal hours


@dataclass(frozen=True)
class Body:
    """All that happens in a night, whatever records it; stages, (n_epochs,), are true or scored."""

    stages: StageArray
    scored_stages: StageArray
    timeline: Timeline
    breathing: Breathing
    heartbeats: Heartbeats
    pulses: Pulses
    brain: BrainActivity

    @property
    def subject(self) -> Subject:
        """Whose night it is."""
        return self.timeline.subject


def simulate_body(
    seed: np.random.SeedSequence,
    subject: Subject,
    hours: float,
    difficulty: float,
    *,
    wake_around: tuple[float, float] = (0.0, 0.0),
    ends_scored: bool = False,
) -> Body:
    """Draw a night of a subject.

    ``wake_around`` is wake before and after the night, as parts of its length; ``ends_scored``
    makes unscored ends wake.
    """
    streams = [np.random.default_rng(child) for child in seed.spawn(7)]
    course, scorer, events, breath, heart, finger, head = streams
    spread = course.uniform(1.0 - LENGTH_SPREAD, 1.0 + LENGTH_SPREAD)
    stages = simulate_stages(course, round(hours * EPOCHS_PER_HOUR * spread), hours)
    scored = score_stages(scorer, stages, difficulty)
    if ends_scored:
        scored[scored == Stage.UNSCORED] = Stage.W
    day = tuple(round(part * len(stages)) for part in wake_around)
    stages, scored = (np.pad(part, day, constant_values=Stage.W) for part in (stages, scored))
    timeline = simulate_timeline(events, stages, subject, difficulty)
    breathing = simulate_breathing(breath, timeline)
    heartbeats = simulate_heartbeats(heart, timeline, breathing)
    return Body(
        stages,
        scored,
        timeline,
        breathing,
        heartbeats,
        simulate_pulses(finger, timeline, breathing, heartbeats),
        simulate_brain(head, timeline),
    )
