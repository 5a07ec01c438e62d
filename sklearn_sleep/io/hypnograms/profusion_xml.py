"""Compumedics Profusion annotation XML: one stage an epoch.

The root is ``CMPStudyConfig``; ``SleepStages`` lists the R&K code of every epoch from the
recording's start, each ``EpochLength`` seconds long. NSRR distributes it beside its own XML.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io.hypnograms.stage_annotations import StageAnnotations, parse_stage_at

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element  # the type only; defusedxml parses

__all__ = ["ROOT_TAG", "read_profusion_xml"]

ROOT_TAG: Final = "CMPStudyConfig"


def read_profusion_xml(root: Element, path: Path) -> StageAnnotations:
    """Read the stages of a parsed Profusion annotation file.

    Parameters
    ----------
    root : xml.etree.ElementTree.Element
        The ``CMPStudyConfig`` element.
    path : Path
        The file, for messages.

    Returns
    -------
    StageAnnotations
        One stage for each ``SleepStage`` element.

    Raises
    ------
    HypnogramError
        There are no stages, a code is unknown, or ``EpochLength`` is no positive number.

    Examples
    --------
    >>> from defusedxml.ElementTree import fromstring
    >>> stages = "<SleepStage>0</SleepStage><SleepStage>5</SleepStage>"
    >>> study = f"<EpochLength>30</EpochLength><SleepStages>{stages}</SleepStages>"
    >>> root = fromstring(f"<CMPStudyConfig>{study}</CMPStudyConfig>")
    >>> read_profusion_xml(root, Path("night.xml")).stage
    array([0, 4])
    """
    text = root.findtext("EpochLength", "").strip()
    try:
        epoch_duration = float(text)
    except ValueError:
        raise HypnogramError(
            f"{path}: EpochLength is {text!r}, which is no number of seconds."
        ) from None
    stage = [
        parse_stage_at((element.text or "").strip(), path, f"SleepStage {number}")
        for number, element in enumerate(root.iterfind("SleepStages/SleepStage"), start=1)
    ]
    if not stage:
        raise HypnogramError(
            f"{path}: no SleepStages/SleepStage element in this Profusion file. Was the night "
            "scored?"
        )
    return StageAnnotations.from_epochs(stage, epoch_duration)
