"""Annotations beside the stages of a night: events, which are passed over, and unknown texts."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from sklearn_sleep.core.messages import list_names
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import HypnogramWarning
from sklearn_sleep.io.hypnograms.stage_annotations import StageAnnotations

# What scorers and recorders note besides stages: the event types of NSRR, WSC, Luna, Philips,
# Domino and RemLogic, and the standard texts of EDF+, in the languages of the stages' names.
_EVENTS: Final = re.compile(
    r"apn(?:o?e|é|ö)|hypopn|hipopn|ipopn|desat|satur|arousal|awakening|mikro|rera\b|respir|breath"
    r"|atem|cheyne|snor|schnarch|ronfl|ronqu|limb|\bleg\b|\bplms?\b|\blm\b|bruxism|spindle"
    r"|spindel|k-?complex|slow eye|eye movement|heart|cardia|tachy|brady|asystol|fibrillation"
    r"|position|supine|prone|\bleft\b|\bright\b|upright|cpap|pressure|light|licht|lumi|luz|luci"
    r"|calib|impedan|montage|filter|gain|\bstart|\bstop|\bend\b|record|marker|event|electrode"
    r"|mcap|artifact|artefact|spo2|sao2|hypovent|flow|signal|channel|bathroom|technician",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class OtherText:
    """An annotation that names no stage: onset and duration in s (NaN where there is none)."""

    onset: float
    duration: float
    text: str


def names_event(text: str) -> bool:
    """Return whether a text is that of an event, which says nothing of the stage."""
    return text.startswith("<") or _EVENTS.search(text) is not None


def with_unknown(
    stages: StageAnnotations, others: Sequence[OtherText], path: Path
) -> StageAnnotations:
    """Return stages and, as unscored, what unknown texts between them cover; these are named.

    A text is unknown if it is no event and no stage that has a duration covers its onset.
    """
    if not stages.onset.size:
        return stages
    first, last = stages.onset.min(), stages.onset.max()
    end = stages.onset + np.nan_to_num(stages.duration)
    open_ended = np.isnan(stages.duration[stages.onset.argmax()])
    unknown = [
        other
        for other in others
        if first < other.onset
        and (other.onset < last or open_ended)
        and not names_event(other.text)
        and not ((stages.onset <= other.onset) & (other.onset < end)).any()
    ]
    if not unknown:
        return stages
    names = list_names(list(dict.fromkeys(repr(other.text[:60]) for other in unknown)))
    warnings.warn(
        f"{path}: {len(unknown)} annotation(s) between the stages, the first at "
        f"{unknown[0].onset:g} s, name no known stage or event: {names}. What they cover is "
        f"unscored (-1). Pass stage_names={{{unknown[0].text[:60]!r}: 'N2'}} if one is a stage.",
        HypnogramWarning,
        stacklevel=5,
    )
    return StageAnnotations(
        np.append(stages.onset, [other.onset for other in unknown]),
        np.append(stages.duration, [other.duration for other in unknown]),
        np.append(stages.stage, [Stage.UNSCORED] * len(unknown)),
    )
