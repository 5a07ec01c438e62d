"""NSRR XML (https://sleepdata.org): both schemas read, the current one written.

Files of the current schema mark a stage by the event type ``Stages|Stages``; those of the 2014
translator by a concept such as ``SRO:Stage2Sleep``.
"""

import html
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import compress
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element  # defusedxml parses

import numpy as np
from numpy.typing import ArrayLike

from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io.hypnograms.events import Event, are_events, with_unknown
from sklearn_sleep.io.hypnograms.format import AnnotationFile, HypnogramFormat, ReadOptions
from sklearn_sleep.io.hypnograms.stage_annotations import (
    TIME_TOLERANCE,
    StageAnnotations,
    parse_seconds,
)

_ROOT_TAG: Final = "PSGAnnotation"

_CONCEPT_OF_STAGE: Final = {
    Stage.W: "Wake|0",
    Stage.N1: "Stage 1 sleep|1",
    Stage.N2: "Stage 2 sleep|2",
    Stage.N3: "Stage 3 sleep|3",
    Stage.R: "REM sleep|5",
    Stage.UNSCORED: "Unscored|9",
}


def _read(file: AnnotationFile, options: ReadOptions) -> StageAnnotations:
    """Read stages; what has no type is an event, or else ends the stage before it."""
    path = file.path
    stages, others = _entries(file, options)
    if not stages:
        raise HypnogramError(
            f"{path}: no stages in this NSRR file: no ScoredEvent has the EventType "
            "'Stages|Stages' or an EventConcept such as 'SRO:Stage2Sleep'. Was the night scored?"
        )
    untyped = [_event(*entry, path) for entry in others if not _type(entry[0])]
    return with_unknown(_stages(stages, path, options), untyped, path)


def _events(file: AnnotationFile, options: ReadOptions) -> list[Event]:
    """Read all that is no stage; of what ``|`` separates, the first part is NSRR's own name."""
    stages, others = _entries(file, options)
    events = [_event(*entry, file.path) for entry in stages]
    are = are_events(_stages(stages, file.path, options), [event.event for event in events])
    return [*compress(events, are), *(_event(*entry, file.path) for entry in others)]


def _entries(
    file: AnnotationFile, options: ReadOptions
) -> tuple[list[tuple[Element, str]], list[tuple[Element, str]]]:
    """Return the elements of stages, and of all else but the recording's start, with places."""
    stages, others = [], []
    for number, element in enumerate(file.root.iter("ScoredEvent"), start=1):
        place = f"ScoredEvent {number}"
        concept = _concept(element)
        if concept == "Recording Start Time":
            _check_recording_start(element, file.path, place)
        elif _is_stage(element, concept, options):
            stages.append((element, place))
        elif concept:
            others.append((element, place))
    return stages, others


def _stages(
    entries: Sequence[tuple[Element, str]], path: Path, options: ReadOptions
) -> StageAnnotations:
    return StageAnnotations.from_lists(
        [_seconds(element, "Start", path, place) for element, place in entries],
        [_seconds(element, "Duration", path, place) for element, place in entries],
        [options.stage(_concept(element), path, place) for element, place in entries],
    )


def _event(element: Element, place: str, path: Path) -> Event:
    has_duration = element.findtext("Duration", "").strip()
    return Event(
        _seconds(element, "Start", path, place),
        _seconds(element, "Duration", path, place) if has_duration else np.nan,
        _concept(element).partition("|")[0].strip(),
        element.findtext("SignalLocation", "").strip(),
    )


def _concept(element: Element) -> str:
    return element.findtext("EventConcept", "").strip()


def _type(element: Element) -> str:
    return element.findtext("EventType", "").strip()


def _is_stage(element: Element, concept: str, options: ReadOptions) -> bool:
    if event_type := _type(element):
        return event_type.split("|")[0] == "Stages"
    if not concept.startswith(("SRO:", "SDO:")):
        return options.is_told(concept)
    # A new spelling of a stage must end in an error, not be passed over like an arousal.
    return "Stage" in concept or options.names_stage(concept)


def _check_recording_start(event: Element, path: Path, place: str) -> None:
    start = _seconds(event, "Start", path, place)
    if not abs(start) <= TIME_TOLERANCE:
        raise HypnogramError(
            f"{path}: {place}: the recording starts at {start:g} s, so times do not count from "
            "its start. Subtract it from every Start."
        )


def _seconds(event: Element, tag: str, path: Path, place: str) -> float:
    return parse_seconds(event.findtext(tag, "").strip(), f"{path}: {place}: {tag}")


def write_nsrr_xml(
    path: str | os.PathLike[str],
    stages: ArrayLike,
    *,
    start_time: datetime | None = None,
    software_version: str = "sklearn_sleep",
) -> None:
    """Write a hypnogram, (n_epochs,), in NSRR's current schema; N3 is stage 3 there, R is 5.

    There is one element a line, and a run of one stage is one event. Without `start_time`, when
    the recording starts, no clock time is written.
    """
    codes = np.asarray(stages)
    known = [int(stage) for stage in Stage]
    if codes.ndim != 1 or not codes.size or not np.isin(codes, known).all():
        raise ValueError(
            "stages must be a 1-D array of at least one Stage code (W=0, N1=1, N2=2, N3=3, R=4, "
            f"unscored -1), but has shape {codes.shape} and the values "
            f"{np.unique(codes)[:10].tolist()}."
        )
    lines = [
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>',
        f"<{_ROOT_TAG}>",
        f"<SoftwareVersion>{html.escape(software_version)}</SoftwareVersion>",
        f"<EpochLength>{EPOCH_DURATION:g}</EpochLength>",
        "<ScoredEvents>",
        *_recording_start(codes.size * EPOCH_DURATION, start_time),
        *_stage_events(codes),
        "</ScoredEvents>",
        f"</{_ROOT_TAG}>",
    ]
    Path(path).write_text("\n".join([*lines, ""]), encoding="utf-8", newline="\n")


def _recording_start(duration: float, start_time: datetime | None) -> Iterator[str]:
    yield "<ScoredEvent>"
    yield "<EventType/>"
    yield "<EventConcept>Recording Start Time</EventConcept>"
    yield "<Start>0</Start>"
    yield f"<Duration>{duration}</Duration>"
    if start_time is not None:
        yield f"<ClockTime>{start_time:%d.%m.%y %H.%M.%S}</ClockTime>"
    yield "</ScoredEvent>"


def _stage_events(codes: np.ndarray) -> Iterator[str]:
    first = np.flatnonzero(np.diff(codes, prepend=codes[0] - 1))
    for start, end in zip(first, [*first[1:], codes.size], strict=True):
        yield "<ScoredEvent>"
        yield "<EventType>Stages|Stages</EventType>"
        yield f"<EventConcept>{_CONCEPT_OF_STAGE[Stage(codes[start])]}</EventConcept>"
        yield f"<Start>{start * EPOCH_DURATION}</Start>"
        yield f"<Duration>{(end - start) * EPOCH_DURATION}</Duration>"
        yield "</ScoredEvent>"


FORMAT = HypnogramFormat(
    "NSRR XML",
    recognises=lambda file: file.root.tag == _ROOT_TAG,
    read=_read,
    origin="SHHS, MESA, MrOS, CHAT, CFS, CCSHS and others at sleepdata.org; both schemas",
    entries="a stretch",
    events=_events,
    examples=(
        (
            "<PSGAnnotation><EpochLength>30</EpochLength><ScoredEvents>\n"
            "<ScoredEvent><EventType>Stages|Stages</EventType><EventConcept>Wake|0</EventConcept>"
            "<Start>0</Start><Duration>30</Duration></ScoredEvent>\n"
            "<ScoredEvent><EventType>Stages|Stages</EventType><EventConcept>Stage 2 sleep|2"
            "</EventConcept><Start>30</Start><Duration>30</Duration></ScoredEvent>\n"
            "</ScoredEvents></PSGAnnotation>\n"
        ),
        (
            '<PSGAnnotation><EpochLength Units="sec">30</EpochLength><ScoredEvents>\n'
            "<ScoredEvent><EventConcept>SRO:WakeState</EventConcept><Start>0</Start>"
            "<Duration>30</Duration></ScoredEvent>\n"
            "<ScoredEvent><EventConcept>SRO:Stage2Sleep</EventConcept><Start>30</Start>"
            "<Duration>30</Duration></ScoredEvent>\n"
            "</ScoredEvents></PSGAnnotation>\n"
        ),
    ),
)
