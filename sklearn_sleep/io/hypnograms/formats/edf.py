"""EDF+ and BDF+ annotations, as in Sleep-EDF and MASS.

The EDF+ specification (Kemp & Olivan 2003, "standard texts") writes stages as ``Sleep stage W``,
``1`` to ``4``, ``R``, ``N1`` to ``N3`` or ``?`` and ``Movement time``. In a file that has them only
these are stages; in any other, every annotation whose whole text names one, such as ``N2``.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.stages import names_stage
from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io.edf.annotations import read_edf_annotations
from sklearn_sleep.io.edf.header import read_edf_header
from sklearn_sleep.io.hypnograms.format import (
    EDF_MAGIC,
    AnnotationFile,
    HypnogramFormat,
    ReadOptions,
)
from sklearn_sleep.io.hypnograms.stage_annotations import (
    StageAnnotations,
    parse_stage_at,
    time_of_day_difference,
)


def _read(file: AnnotationFile, options: ReadOptions) -> StageAnnotations:
    """Read stages; one without a duration lasts until the next one, the last of them 30 s."""
    path = file.path
    header = read_edf_header(path)
    annotations = read_edf_annotations(header)
    if options.recording_start is not None and header.start is not None:
        _compare_starts(path, header.start, options.recording_start)
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
    to_next = np.diff(onset, append=onset[-1] + EPOCH_DURATION)
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
    # A bare number may be a marker of anything.
    return standard or [
        index
        for index, text in enumerate(texts)
        if any(map(str.isalpha, text)) and names_stage(text)
    ]


FORMAT = HypnogramFormat(
    "EDF+ annotations",
    recognises=lambda file: file.head.startswith(EDF_MAGIC),
    read=_read,
    origin="Sleep-EDF, MASS; EDF+ and BDF+ of any recorder",
)
