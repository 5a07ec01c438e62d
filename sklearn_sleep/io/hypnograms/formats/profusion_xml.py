"""Compumedics Profusion XML.

``SleepStages`` lists the R&K code of every epoch, ``ScoredEvents`` all else.
"""

import math

from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io.hypnograms.events import Event
from sklearn_sleep.io.hypnograms.format import AnnotationFile, HypnogramFormat, ReadOptions
from sklearn_sleep.io.hypnograms.stage_annotations import (
    StageAnnotations,
    parse_seconds,
)


def _read(file: AnnotationFile, options: ReadOptions) -> StageAnnotations:
    path = file.path
    text = file.root.findtext("EpochLength", "").strip()
    epoch_duration = parse_seconds(text, f"{path}: EpochLength")
    stage = [
        options.stage((element.text or "").strip(), path, f"SleepStage {number}")
        for number, element in enumerate(file.root.iterfind("SleepStages/SleepStage"), start=1)
    ]
    if not stage:
        raise HypnogramError(
            f"{path}: no SleepStages/SleepStage element in this Profusion file. Was the night "
            "scored?"
        )
    return StageAnnotations.from_epochs(stage, epoch_duration)


def _events(file: AnnotationFile, options: ReadOptions) -> list[Event]:
    """Read the scored events; the input is the channel."""
    events = []
    for number, element in enumerate(file.root.iterfind("ScoredEvents/ScoredEvent"), start=1):
        name, start, duration, channel = (
            element.findtext(tag, "").strip() for tag in ("Name", "Start", "Duration", "Input")
        )
        place = f"{file.path}: ScoredEvent {number}"
        onset = parse_seconds(start, f"{place}: Start")
        length = parse_seconds(duration, f"{place}: Duration") if duration else math.nan
        events.append(Event(onset, length, name, channel))
    return events


FORMAT = HypnogramFormat(
    "Compumedics Profusion XML",
    recognises=lambda file: file.root.tag == "CMPStudyConfig",
    read=_read,
    origin="Compumedics; NSRR beside its own XML",
    events=_events,
    examples=(
        (
            "<CMPStudyConfig><EpochLength>30</EpochLength><SleepStages>\n"
            "<SleepStage>0</SleepStage>\n<SleepStage>2</SleepStage>\n"
            "</SleepStages></CMPStudyConfig>\n"
        ),
    ),
)
