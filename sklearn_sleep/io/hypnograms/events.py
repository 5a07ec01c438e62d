"""Events beside the stages of a night, and texts that are neither."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_sleep.core.messages import list_names
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.stage_vocabulary import names_part_of_sleep
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import HypnogramWarning
from sklearn_sleep.io.hypnograms.stage_annotations import JITTER, StageAnnotations

# What scorers and recorders note besides stages: the event types of NSRR, WSC, Luna, Philips,
# Domino and RemLogic, and the standard texts of EDF+, in the languages of the stages' names.
_EVENTS: Final = re.compile(
    r"apn(?:o?e|é|ö)|hypopn|hipopn|ipopn|desat|satur|arousal|awakening|mikro|rera\b|respir|breath"
    r"|atem|cheyne|snor|schnarch|ronfl|ronqu|limb|\bleg\b|\bplms?\b|\blm\b|bruxism|spindle"
    r"|spindel|k-?complex|slow eye|eye movement|heart|cardia|tachy|brady|asystol|fibrillation"
    r"|position|supine|prone|\bleft\b|\bright\b|upright|cpap|pressure|light|licht|lumi|luz|luci"
    r"|calib|impedan|montage|filter|gain|\bstart|\bstop|\bend\b|record|marker|event|electrode"
    r"|mcap|art[ieé]fa[ckt]|spo2|sao2|hypovent|flow|signal|channel|bathroom|technician",
    re.IGNORECASE,
)


# s; scoring in shorter pages is told by those that are known.
_SHORT_PAGE: Final = 10.0


class Event(NamedTuple):
    """What was scored or noted beside the stages.

    Attributes
    ----------
    onset : float
        Seconds from the start of the recording.
    duration : float
        Seconds, NaN where the file does not tell it.
    event : str
        What it is, as the file writes it.
    channel : str, default=""
        Where it was seen, empty where the file does not tell it.
    """

    onset: float
    duration: float
    event: str
    channel: str = ""


def names_event(text: str) -> bool:
    """Return whether a text is that of an event, which says nothing of the stage."""
    if names_part_of_sleep(text):  # light sleep is none of the lights
        return False
    return text.startswith("<") or _EVENTS.search(text) is not None


def are_events(stages: StageAnnotations, texts: Sequence[str]) -> NDArray[np.bool_]:
    """Return which entries of stages, with these texts, are events, (n_annotations,).

    They are unscored, and name an event, such as an artefact, or a stage goes on below them, as
    below a movement of 4 s. Where nothing is scored, all that last less than an epoch are events.
    """
    scored = stages.stage != Stage.UNSCORED
    end = stages.onset + np.nan_to_num(stages.duration)
    first, last = stages.onset[scored], end[scored]
    found = ~scored & (not scored.any()) & ~(stages.duration >= EPOCH_DURATION - JITTER)
    for index in np.flatnonzero(~scored).tolist():
        # A mark of no duration lies in the stage that it starts in.
        until = max(end[index] - JITTER, stages.onset[index] + JITTER)
        covered = (first < until) & (stages.onset[index] + JITTER < last)
        found[index] |= covered.any() or names_event(texts[index])
    return found


def with_unknown(stages: StageAnnotations, others: Sequence[Event], path: Path) -> StageAnnotations:
    """Return stages and, as unscored, what unknown texts between them cover; these are named.

    A text is unknown if it is no event and no stage covers its onset. What does not last as long as
    a page is a note before the first stage, after the last one, and where a movement is.
    """
    if not stages.onset.size:
        return stages
    scored = stages.stage != Stage.UNSCORED
    is_change = np.isnan(stages.duration)
    end = stages.onset + np.where(is_change, 2 * JITTER, stages.duration)
    page = np.append(stages.duration[scored & ~is_change], _SHORT_PAGE).min() - JITTER

    def is_between(other: Event) -> bool:
        last = stages.onset.argmax()
        return bool(
            stages.onset.min() < other.onset
            and (other.onset < stages.onset[last] or is_change[last])
        )

    def is_unknown(other: Event) -> bool:
        is_page = is_change.any() or other.duration >= page
        rest = end - other.onset  # a page may begin before the one before it ends
        covers = (stages.onset <= other.onset) & (rest > (JITTER if is_page else 0))
        return (
            (is_page or (is_between(other) and not covers.any()))
            and not (covers & scored).any()
            and not names_event(other.event)
        )

    unknown = list(filter(is_unknown, others))
    if not unknown:
        return stages
    names = list_names(list(dict.fromkeys(repr(other.event[:60]) for other in unknown)))
    warnings.warn(
        f"{path}: {len(unknown)} annotation(s) among the stages, the first at "
        f"{unknown[0].onset:g} s, name no known stage or event: {names}. What they cover is "
        f"unscored (-1). Pass stage_names={{{unknown[0].event[:60]!r}: 'N2'}} if one is a stage.",
        HypnogramWarning,
        stacklevel=5,
    )
    unknown = list(filter(is_between, unknown))
    return StageAnnotations(
        np.append(stages.onset, [other.onset for other in unknown]),
        np.append(stages.duration, [other.duration for other in unknown]),
        np.append(stages.stage, [Stage.UNSCORED] * len(unknown)),
    )
