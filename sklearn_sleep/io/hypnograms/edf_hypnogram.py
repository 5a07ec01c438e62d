"""Stages among the annotations of an EDF+ or BDF+ file, as in Sleep-EDF and MASS.

The EDF+ specification (Kemp & Olivan 2003, "standard texts") writes stages as ``Sleep stage W``,
``1`` to ``4``, ``R``, ``N1`` to ``N3`` or ``?`` and ``Movement time``.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from sklearn_sleep.core.stages import parse_stage
from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io.edf.annotations import read_edf_annotations
from sklearn_sleep.io.edf.header import read_edf_header
from sklearn_sleep.io.hypnograms.stage_annotations import (
    EPOCH_DURATION,
    StageAnnotations,
    durations_to_next,
    parse_stage_at,
    time_of_day_difference,
)

__all__ = ["read_edf_hypnogram"]


def read_edf_hypnogram(path: Path, *, recording_start: datetime | None = None) -> StageAnnotations:
    """Read the stages of an EDF+ or BDF+ file.

    Annotations that are no stages are passed over. In a file with standard texts only these are
    stages; in any other, every annotation whose whole text names a stage, such as ``N2``.

    Parameters
    ----------
    path : Path
        The file.
    recording_start : datetime, optional
        When the recording starts that the stages belong to. Only the time of day counts.

    Returns
    -------
    StageAnnotations
        Onsets count from the start of this file. A stage without a duration lasts until the next
        one, the last of them 30 s.

    Raises
    ------
    HypnogramError
        There are no stages, or a ``Sleep stage`` of an unknown name.
    EDFError
        The header cannot be read.

    Warns
    -----
    HypnogramWarning
        The file starts at another time of day than the recording.

    Examples
    --------
    >>> import tempfile
    >>> import edfio
    >>> path = Path(tempfile.mkdtemp(), "hypnogram.edf")
    >>> edfio.Edf([], annotations=[edfio.EdfAnnotation(30, 60, "Sleep stage 4")]).write(path)
    >>> read_edf_hypnogram(path)
    StageAnnotations(onset=array([30.]), duration=array([60.]), stage=array([3]))
    """
    header = read_edf_header(path)
    annotations = read_edf_annotations(header)
    if recording_start is not None and header.start is not None:
        _compare_starts(path, header.start, recording_start)
    chosen = _stage_positions(annotations.text)
    if not chosen:
        commonest = ", ".join(repr(text) for text, _ in Counter(annotations.text).most_common(5))
        raise HypnogramError(
            f"{path}: none of the {len(annotations.text)} annotations of this EDF file is a sleep "
            f"stage such as 'Sleep stage 2' (found: {commonest or 'nothing'}). Give the file that "
            "holds the hypnogram."
        )
    stage = [
        parse_stage_at(annotations.text[index], path, f"annotation {index + 1}") for index in chosen
    ]
    onset = annotations.onset[chosen]
    duration = annotations.duration[chosen]
    to_next = durations_to_next(onset, onset[-1] + EPOCH_DURATION)
    return StageAnnotations.from_lists(onset, np.where(duration > 0, duration, to_next), stage)


def _compare_starts(path: Path, start: datetime, recording_start: datetime) -> None:
    # Dates are changed to protect people; a fraction of a second is in one of the files only.
    if abs(time_of_day_difference(start, recording_start)) <= 1.0:
        return
    warnings.warn(
        f"{path} starts at {start:%H:%M:%S} and the recording at {recording_start:%H:%M:%S}. "
        "Stages are taken to count from the start of the recording; check that the two belong "
        "together.",
        HypnogramWarning,
        stacklevel=2,
    )


def _stage_positions(texts: Sequence[str]) -> list[int]:
    standard = [
        index
        for index, text in enumerate(texts)
        if text.strip().casefold().startswith("sleep stage")
        or text.strip().casefold() == "movement time"
    ]
    return standard or [index for index, text in enumerate(texts) if _names_stage(text)]


def _names_stage(text: str) -> bool:
    # A bare number may be a marker of anything.
    if not any(character.isalpha() for character in text):
        return False
    try:
        parse_stage(text)
    except HypnogramError:
        return False
    return True
