"""One synthetic night: the events behind it, and each channel made from them."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.datasets.recorder import Channel, Site
from sklearn_sleep.simulation.body.brain import BrainActivity, simulate_brain
from sklearn_sleep.simulation.body.cardiac import Heartbeats, electrocardiogram, simulate_heartbeats
from sklearn_sleep.simulation.body.hypnogram import (
    EPOCHS_PER_HOUR,
    StageArray,
    score_stages,
    simulate_stages,
)
from sklearn_sleep.simulation.body.plethysmogram import Pulses, plethysmogram, simulate_pulses
from sklearn_sleep.simulation.body.respiration import (
    Breathing,
    respiratory_effort,
    simulate_breathing,
)
from sklearn_sleep.simulation.body.subject import Subject
from sklearn_sleep.simulation.body.timeline import Timeline, simulate_timeline
from sklearn_sleep.simulation.recorder.artefacts import Artefact, add_artefacts, add_mains_hum
from sklearn_sleep.simulation.recorder.electrodes import (
    common_reference,
    electroencephalogram,
    electromyogram,
    electrooculogram,
)

LENGTH_SPREAD = 0.15  # nights last 85% to 115% of the nominal hours
# The share of the upper half of a channel's physical range that a breath or a pulse takes.
ARBITRARY_SCALE = {"THX": 0.3, "ABD": 0.3, "PPG": 0.4, "OTHER": 1.0}
DIGITAL_MINIMUM, DIGITAL_MAXIMUM = -32768, 32767  # EDF samples are 16-bit (Kemp 1992)


@dataclass(frozen=True)
class Body:
    """All that happens in a night, whatever records it; stages, (n_epochs,), are true or scored."""

    subject: Subject
    stages: StageArray
    scored_stages: StageArray
    timeline: Timeline
    breathing: Breathing
    heartbeats: Heartbeats
    pulses: Pulses
    brain: BrainActivity


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
    breathing = simulate_breathing(breath, timeline, subject, difficulty)
    heartbeats = simulate_heartbeats(heart, timeline, breathing, subject, difficulty)
    return Body(
        subject,
        stages,
        scored,
        timeline,
        breathing,
        heartbeats,
        simulate_pulses(finger, timeline, breathing, heartbeats, subject, difficulty),
        simulate_brain(head, timeline, subject, difficulty),
    )


def record_channel(
    seed: np.random.SeedSequence, body: Body, channel: Channel, site: Site, difficulty: float
) -> tuple[npt.NDArray[np.int16], list[Artefact]]:
    """Return one channel, (n_samples,), as EDF stores it, and its artefacts.

    The seed is the channel's own; a referential electrode takes what it shares with the others from
    the seed's parent.
    """
    rng = np.random.default_rng(seed)
    signal = _sensor(rng, body, channel, difficulty)
    if channel.referential:
        parent = np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key[:-1])
        reference = np.random.default_rng(parent)
        signal += common_reference(reference, body.timeline, channel.sampling_frequency)
    add_mains_hum(rng, signal, channel, site, body.subject)
    if channel.signal == "OTHER":
        return _digitize(signal, channel), []
    artefacts = add_artefacts(rng, signal, channel, body.timeline, body.subject, difficulty)
    return _digitize(signal, channel), artefacts


def _sensor(
    rng: np.random.Generator, body: Body, channel: Channel, difficulty: float
) -> FloatArray:
    """Return what an ideal recorder would show, in uV or arbitrary units."""
    subject, timeline, frequency = body.subject, body.timeline, channel.sampling_frequency
    match channel.signal:
        case "ECG":
            return electrocardiogram(
                rng, timeline, body.breathing, body.heartbeats, subject, frequency
            )
        case "PPG":
            return plethysmogram(rng, timeline, body.breathing, body.pulses, subject, frequency)
        case "THX" | "ABD":
            return respiratory_effort(
                rng, timeline, body.breathing, subject, channel.signal, difficulty, frequency
            )
        case "EOG-L" | "EOG-R":
            return electrooculogram(rng, body.brain, subject, channel.signal, frequency)
        case "EMG":
            return electromyogram(rng, timeline, subject, difficulty, frequency)
        case "REFERENCE":
            return np.zeros(round(timeline.duration * frequency))
        case "OTHER":
            return 0.1 * rng.standard_normal(round(timeline.duration * frequency))
        case "C3":
            derivation = "C3-M2"
        case "C4" | "F4" | "O2":
            derivation = f"{channel.signal}-M1"
        case _:
            derivation = channel.signal
    return electroencephalogram(rng, timeline, body.brain, subject, derivation, frequency)


def _digitize(signal: FloatArray, channel: Channel) -> npt.NDArray[np.int16]:
    minimum, maximum = channel.physical_range
    if channel.signal in ARBITRARY_SCALE:
        half_range = 0.5 * abs(maximum - minimum)
        gain, centre = ARBITRARY_SCALE[channel.signal] * half_range, 0.5 * (minimum + maximum)
    else:
        gain, centre = 1.0 / channel.microvolts_per_unit, 0.0
    levels = (DIGITAL_MAXIMUM - DIGITAL_MINIMUM) / (maximum - minimum)
    digital = (channel.polarity * gain * levels) * signal
    digital += (centre - minimum) * levels + DIGITAL_MINIMUM
    np.rint(digital, out=digital)
    np.clip(digital, DIGITAL_MINIMUM, DIGITAL_MAXIMUM, out=digital)
    return digital.astype(np.int16)


def truth_arrays(
    body: Body, site: Site, artefacts: list[Artefact]
) -> dict[str, npt.NDArray[np.generic]]:
    """Return what is known of a night as `make_cohort` describes it, in arrays without pickle."""
    breathing, timeline = body.breathing, body.timeline
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "stages": body.scored_stages,
        "physiological_stages": body.stages,
        "r_peaks": body.heartbeats.times,
        "ectopic": body.heartbeats.ectopic,
        "breath_onsets": breathing.onsets,
        "respiratory_rate": breathing.rate.reshape(timeline.n_epochs, -1).mean(axis=1),
        "respiratory_pauses": timeline.pauses,
        "arousals": timeline.arousals,
        "artefact_label": np.array([artefact.label for artefact in artefacts], dtype="U16"),
        "artefact_kind": np.array([artefact.kind for artefact in artefacts], dtype="U16"),
        "artefact_start": np.array([artefact.start for artefact in artefacts], dtype=np.float64),
        "artefact_stop": np.array([artefact.stop for artefact in artefacts], dtype=np.float64),
    }
    if any(channel.signal == "PPG" for channel in site.channels):
        arrays["pulse_onsets"] = body.pulses.onsets
    for field in fields(body.subject):
        arrays[f"subject_{field.name}"] = np.asarray(getattr(body.subject, field.name))
    return arrays
