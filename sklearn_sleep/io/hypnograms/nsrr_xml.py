"""NSRR annotation XML: both schemas read, the current one written.

The National Sleep Research Resource (https://sleepdata.org) distributes scored events of all its
cohorts as XML with root ``PSGAnnotation``. Files of the current schema mark a stage by the event
type ``Stages|Stages``; those of the 2014 translator by a concept such as ``SRO:Stage2Sleep``.
"""

from __future__ import annotations

import html
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike

from sklearn_sleep.core.stages import Stage, parse_stage
from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io.hypnograms.stage_annotations import (
    EPOCH_DURATION,
    TIME_TOLERANCE,
    StageAnnotations,
    parse_stage_at,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element  # the type only; defusedxml parses

__all__ = ["ROOT_TAG", "read_nsrr_xml", "write_nsrr_xml"]

ROOT_TAG: Final = "PSGAnnotation"

_CONCEPT_OF_STAGE: Final = {
    Stage.W: "Wake|0",
    Stage.N1: "Stage 1 sleep|1",
    Stage.N2: "Stage 2 sleep|2",
    Stage.N3: "Stage 3 sleep|3",
    Stage.R: "REM sleep|5",
    Stage.UNSCORED: "Unscored|9",
}


def read_nsrr_xml(root: Element, path: Path) -> StageAnnotations:
    """Read the stages of a parsed NSRR annotation file.

    Parameters
    ----------
    root : xml.etree.ElementTree.Element
        The ``PSGAnnotation`` element.
    path : Path
        The file, for messages.

    Returns
    -------
    StageAnnotations
        Onsets and durations in seconds as the file gives them.

    Raises
    ------
    HypnogramError
        There are no stages, a stage or a number cannot be read, or times do not count from the
        recording's start.

    Examples
    --------
    >>> from defusedxml.ElementTree import fromstring
    >>> event = "<EventConcept>SRO:Wake</EventConcept><Start>0</Start><Duration>60</Duration>"
    >>> root = fromstring(f"<PSGAnnotation><ScoredEvent>{event}</ScoredEvent></PSGAnnotation>")
    >>> read_nsrr_xml(root, Path("night.xml"))
    StageAnnotations(onset=array([0.]), duration=array([60.]), stage=array([0]))
    """
    onset, duration, stage = [], [], []
    for number, event in enumerate(root.iter("ScoredEvent"), start=1):
        place = f"ScoredEvent {number}"
        concept = event.findtext("EventConcept", "").strip()
        if concept == "Recording Start Time":
            _check_recording_start(event, path, place)
        elif _is_stage(event, concept):
            stage.append(parse_stage_at(concept, path, place))
            onset.append(_seconds(event, "Start", path, place))
            duration.append(_seconds(event, "Duration", path, place))
    if not stage:
        raise HypnogramError(
            f"{path}: no stages in this NSRR file: no ScoredEvent has the EventType "
            "'Stages|Stages' or an EventConcept such as 'SRO:Stage2Sleep'. Was the night scored?"
        )
    return StageAnnotations.from_lists(onset, duration, stage)


def _is_stage(event: Element, concept: str) -> bool:
    event_type = (event.findtext("EventType") or "").strip()
    if event_type:
        return event_type.split("|")[0] == "Stages"
    if not concept.startswith(("SRO:", "SDO:")):
        return False
    # A new spelling of a stage must end in an error, not be passed over like an arousal.
    return "Stage" in concept or _names_stage(concept)


def _names_stage(concept: str) -> bool:
    try:
        parse_stage(concept)
    except HypnogramError:
        return False
    return True


def _check_recording_start(event: Element, path: Path, place: str) -> None:
    start = _seconds(event, "Start", path, place)
    if abs(start) > TIME_TOLERANCE:
        raise HypnogramError(
            f"{path}: {place}: the recording starts at {start:g} s, so times do not count from "
            "its start. Subtract it from every Start."
        )


def _seconds(event: Element, tag: str, path: Path, place: str) -> float:
    text = event.findtext(tag, "").strip()
    try:
        return float(text)
    except ValueError:
        raise HypnogramError(
            f"{path}: {place}: {tag} is {text!r}, which is no number of seconds."
        ) from None


def write_nsrr_xml(
    path: str | os.PathLike[str],
    stages: ArrayLike,
    *,
    start_time: datetime | None = None,
    software_version: str = "sklearn_sleep",
) -> None:
    """Write a hypnogram in the current NSRR schema.

    There is one element a line, and a run of one stage is one event. N3 is written as
    ``Stage 3 sleep|3`` and R as ``REM sleep|5``, as in NSRR's own files.

    Parameters
    ----------
    path : str or path-like
        The file; one that is there is replaced.
    stages : array-like of int, shape (n_epochs,)
        `Stage` codes of the 30-second epochs from the recording's start.
    start_time : datetime.datetime, default=None
        Clock time at which the recording starts. Without it no clock time is written.
    software_version : str, default="sklearn_sleep"
        What wrote the annotation.

    Raises
    ------
    ValueError
        `stages` is empty, not 1-D, or holds something else than `Stage` codes.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_sleep.io.hypnograms.reading import read_hypnogram
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_nsrr_xml(f"{folder}/night.xml", [0, 0, 2, 4])
    ...     read_hypnogram(f"{folder}/night.xml")
    array([0, 0, 2, 4])
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
        f"<{ROOT_TAG}>",
        f"<SoftwareVersion>{html.escape(software_version)}</SoftwareVersion>",
        f"<EpochLength>{EPOCH_DURATION:g}</EpochLength>",
        "<ScoredEvents>",
        *_recording_start(codes.size * EPOCH_DURATION, start_time),
        *_stage_events(codes),
        "</ScoredEvents>",
        f"</{ROOT_TAG}>",
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
