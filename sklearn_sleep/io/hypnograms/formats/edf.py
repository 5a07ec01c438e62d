"""EDF+ and BDF+ annotations, as in Sleep-EDF and MASS.

The EDF+ specification (Kemp & Olivan 2003, "standard texts") writes stages as ``Sleep stage W``,
``1`` to ``4``, ``R``, ``N1`` to ``N3`` or ``?`` and ``Movement time``. In a file that has such
texts only these are stages; in any other, every annotation whose whole text names one, such as
``N2``. What follows ``@@`` is the channel.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io.edf.annotations import read_edf_annotations
from sklearn_sleep.io.edf.header import EDFHeader, read_edf_header
from sklearn_sleep.io.hypnograms.format import (
    AnnotationFile,
    HypnogramFormat,
    ReadOptions,
)
from sklearn_sleep.io.hypnograms.stage_annotations import (
    TIME_TOLERANCE,
    StageAnnotations,
    clock_shift,
)
from sklearn_sleep.io.hypnograms.unknown_texts import OtherText, with_unknown


def _read(file: AnnotationFile, options: ReadOptions) -> StageAnnotations:
    """Read stages; one without a duration lasts until the next annotation that is no event."""
    path = file.path
    header = read_edf_header(path)
    annotations = read_edf_annotations(header)
    texts = [text.partition("@@")[0].strip() for text in annotations.text]
    chosen = _stage_positions(texts, options)
    if not chosen:
        commonest = ", ".join(repr(text) for text, _ in Counter(annotations.text).most_common(5))
        raise HypnogramError(
            f"{path}: none of the {len(annotations.text)} annotations of this EDF file is a sleep "
            f"stage such as 'Sleep stage 2' (found: {commonest or 'nothing'}). Give the file that "
            "holds the hypnogram, or say what a text means with stage_names={'…': 'W'}."
        )
    codes = [options.stage(texts[index], path, f"annotation {index + 1}") for index in chosen]
    duration = np.where(annotations.duration > 0, annotations.duration, np.nan)
    stages = StageAnnotations.from_lists(annotations.onset[chosen], duration[chosen], codes)
    stages = _without_events(stages)
    others = [
        OtherText(annotations.onset[index], duration[index], texts[index])
        for index in sorted(set(range(len(texts))) - set(chosen))
    ]
    stages = with_unknown(stages, others, path)
    return _placed(stages, header, options, path)


def _stage_positions(texts: Sequence[str], options: ReadOptions) -> list[int]:
    """Return the positions of the stages: of the standard texts alone, where there are any."""
    standard = [text.casefold().startswith("sleep stage") for text in texts]
    if any(standard):
        return [
            index
            for index, text in enumerate(texts)
            if standard[index] or text.casefold() == "movement time" or options.is_told(text)
        ]
    # A bare number may be a marker of anything.
    return [
        index
        for index, text in enumerate(texts)
        if options.is_told(text) or (any(map(str.isalpha, text)) and _names_stage(text, options))
    ]


def _names_stage(text: str, options: ReadOptions) -> bool:
    return not text.casefold().startswith("lights") and options.names_stage(text)


def _without_events(stages: StageAnnotations) -> StageAnnotations:
    """Leave out movements and artefacts without a duration within an epoch of stages."""
    scored = stages.stage != Stage.UNSCORED
    if not scored.any() or not np.isnan(stages.duration).any():
        return stages
    off = _distance_to_grid(stages.onset, stages.onset[scored][0])
    if off[scored].max() > TIME_TOLERANCE:
        return stages
    keep = scored | ~np.isnan(stages.duration) | (off <= TIME_TOLERANCE)
    return StageAnnotations(stages.onset[keep], stages.duration[keep], stages.stage[keep])


def _distance_to_grid(onset: NDArray[np.float64], start: float) -> NDArray[np.float64]:
    """Seconds from each onset to the nearest edge of the epochs that begin at `start`."""
    return np.abs((onset - start + EPOCH_DURATION / 2) % EPOCH_DURATION - EPOCH_DURATION / 2)


def _placed(
    stages: StageAnnotations, header: EDFHeader, options: ReadOptions, path: Path
) -> StageAnnotations:
    """Return the stages from the start of the recording, each with its duration."""
    shift = 0.0
    if options.recording_start is not None and header.start is not None:
        shift = clock_shift(header.start, options.recording_start, path)
    end = None if options.end is None else options.end - shift
    if end is None and header.channels:
        end = header.duration
    return stages.until_next_entry(end, path).later(shift, path)


FORMAT = HypnogramFormat(
    "EDF+ annotations",
    recognises=lambda file: file.is_edf,
    read=_read,
    origin="Sleep-EDF, MASS; EDF+ and BDF+ of any recorder",
    entries="a stretch",
)
