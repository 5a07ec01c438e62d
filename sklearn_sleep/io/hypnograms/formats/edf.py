"""EDF+ and BDF+ annotations, as in Sleep-EDF and MASS.

The EDF+ specification (Kemp & Olivan 2003, "standard texts") writes stages as ``Sleep stage W``,
``1`` to ``4``, ``R``, ``N1`` to ``N3`` or ``?`` and ``Movement time``. In a file that has such
texts only these are stages; in any other, every annotation whose whole text names one, such as
``N2``. What follows ``@@`` is the channel.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import compress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.stage_vocabulary import names_stage, parse_stage
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io.edf.annotations import EDFAnnotations, read_edf_annotations
from sklearn_sleep.io.edf.header import EDFHeader, read_edf_header
from sklearn_sleep.io.hypnograms.events import Event, are_events, with_unknown
from sklearn_sleep.io.hypnograms.format import (
    AnnotationFile,
    HypnogramFormat,
    ReadOptions,
)
from sklearn_sleep.io.hypnograms.stage_annotations import (
    JITTER,
    StageAnnotations,
    clock_shift,
)

_NOT_TOLD: Final = datetime.fromisoformat("1985-01-01")  # by edfio, and in anonymised files


def _read(file: AnnotationFile, options: ReadOptions) -> StageAnnotations:
    """Read stages; one without a duration lasts until the next annotation that is no event."""
    path = file.path
    header = read_edf_header(path)
    annotations = read_edf_annotations(header)
    texts, chosen = _texts(annotations, options)
    if not chosen:
        commonest = ", ".join(repr(text) for text, _ in Counter(annotations.text).most_common(5))
        raise HypnogramError(
            f"{path}: none of the {len(annotations.text)} annotations of this EDF file is a sleep "
            f"stage such as 'Sleep stage 2' (found: {commonest or 'nothing'}). Give the file that "
            "holds the hypnogram, or say what a text means with stage_names={'…': 'W'}."
        )
    stages = _stages(annotations, texts, chosen, options, path)
    duration = _positive_durations(annotations)
    others = [
        Event(annotations.onset[index], duration[index], texts[index])
        for index in sorted(set(range(len(texts))) - set(chosen))
    ]
    stages = with_unknown(stages.chosen(~_lie_in_epochs(stages)), others, path)
    shift = _shift(header, options)
    end = None if options.end is None else options.end - shift
    if end is None and header.channels:
        end = header.duration
    return stages.until_next_entry(end, path).later(shift, path)


def _events(file: AnnotationFile, options: ReadOptions) -> list[Event]:
    """Read every text that is no stage; what follows ``@@`` is the channel."""
    header = read_edf_header(file.path)
    annotations = read_edf_annotations(header)
    texts, chosen = _texts(annotations, options)
    stages = _stages(annotations, texts, chosen, options, file.path)
    among = are_events(stages, [texts[index] for index in chosen]) | _lie_in_epochs(stages)
    onset = annotations.onset + _shift(header, options)
    return [
        Event(
            onset[index],
            annotations.duration[index],
            texts[index],
            annotations.text[index].partition("@@")[2].strip(),
        )
        for index in sorted(set(range(len(texts))) - set(compress(chosen, ~among)))
    ]


def _texts(annotations: EDFAnnotations, options: ReadOptions) -> tuple[list[str], list[int]]:
    """Return the texts without their channels, and the positions of the stages."""
    texts = [text.partition("@@")[0].strip() for text in annotations.text]
    return texts, _stage_positions(texts, options)


def _stages(
    annotations: EDFAnnotations,
    texts: Sequence[str],
    chosen: Sequence[int],
    options: ReadOptions,
    path: Path,
) -> StageAnnotations:
    """Return the stages, and such as movements among them."""
    codes = [options.stage(texts[index], path, f"annotation {index + 1}") for index in chosen]
    duration = _positive_durations(annotations)
    return StageAnnotations.from_lists(annotations.onset[chosen], duration[chosen], codes)


def _positive_durations(annotations: EDFAnnotations) -> NDArray[np.float64]:
    """Return s, NaN for 0, which many write where they know of none."""
    return np.where(annotations.duration > 0, annotations.duration, np.nan)


def _stage_positions(texts: Sequence[str], options: ReadOptions) -> list[int]:
    """Return the positions of the stages: of the standard texts alone, where there are any.

    Such as movements and artefacts are among them.
    """
    standard = [text.casefold().startswith("sleep stage") for text in texts]
    if any(standard):
        return [
            index
            for index, text in enumerate(texts)
            if standard[index] or options.is_told(text) or _names_unscored(text)
        ]
    # A bare number may be a marker of anything.
    return [
        index
        for index, text in enumerate(texts)
        if options.is_told(text) or (any(map(str.isalpha, text)) and _names_stage(text, options))
    ]


def _names_stage(text: str, options: ReadOptions) -> bool:
    return not text.casefold().startswith("lights") and options.names_stage(text)


def _names_unscored(text: str) -> bool:
    letters = any(map(str.isalpha, text)) and not text.casefold().startswith("lights")
    return letters and names_stage(text) and parse_stage(text) == Stage.UNSCORED


def _lie_in_epochs(stages: StageAnnotations) -> NDArray[np.bool_]:
    """Return which are movements and artefacts within an epoch of stages that tell no duration.

    They begin off the edges of the epochs, or last less than one.
    """
    scored = stages.stage != Stage.UNSCORED
    are_points = np.isnan(stages.duration)
    nothing = np.zeros(scored.shape, dtype=np.bool_)
    if not scored.any() or not are_points.any():
        return nothing
    from_grid = np.abs(
        (stages.onset - stages.onset[scored][0] + EPOCH_DURATION / 2) % EPOCH_DURATION
        - EPOCH_DURATION / 2
    )
    if from_grid[scored].max() > JITTER:
        return nothing
    within = from_grid > JITTER
    if not are_points[scored].any():
        return ~scored & are_points & within
    return ~scored & (within | (stages.duration < EPOCH_DURATION - JITTER))


def _shift(header: EDFHeader, options: ReadOptions) -> float:
    """Return how many s after the recording the file starts, if both tell when."""
    if options.recording_start is None or header.start is None:
        return 0.0
    if _NOT_TOLD in (header.start, options.recording_start) and (
        header.start != options.recording_start
    ):
        warnings.warn(
            f"{header.path}: one of the hypnogram and its recording starts on "
            f"{_NOT_TOLD:%Y-%m-%d %H:%M:%S}, which writers put where they know no start, and the "
            "other does not. They are taken to start together.",
            HypnogramWarning,
            stacklevel=2,
        )
        return 0.0
    return clock_shift(header.start, options.recording_start, Path(header.path))


FORMAT = HypnogramFormat(
    "EDF+ annotations",
    recognises=lambda file: file.is_edf,
    read=_read,
    origin="Sleep-EDF, MASS; EDF+ and BDF+ of any recorder",
    entries="a stretch",
    events=_events,
    examples=("onset\tduration\ttext\n0\t30\tSleep stage W\n30\t30\tSleep stage N2\n",),
)
