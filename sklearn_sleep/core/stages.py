"""Sleep stages: their codes, their names in other people's files, and coarser schemes.

The codes are those of the AASM manual's five stages (Berry et al., *The AASM Manual for the Scoring
of Sleep and Associated Events*, version 2). Stages scored by the older rules of Rechtschaffen and
Kales (1968, "R&K") are mapped to them: S3 and S4 are both N3, movement time is not a stage.
"""

import re
from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd

from sklearn_sleep.core.messages import shorten
from sklearn_sleep.exceptions import HypnogramError


class Stage(IntEnum):
    """AASM sleep stage of one 30-second epoch, as an integer.

    Examples
    --------
    >>> Stage.N3 == 3
    True
    >>> [stage.name for stage in Stage]
    ['W', 'N1', 'N2', 'N3', 'R', 'UNSCORED']
    """

    W = 0
    N1 = 1
    N2 = 2
    N3 = 3
    R = 4
    UNSCORED = -1


RECHTSCHAFFEN_KALES: Final[Mapping[int, Stage]] = MappingProxyType(
    {
        0: Stage.W,
        1: Stage.N1,
        2: Stage.N2,
        3: Stage.N3,
        4: Stage.N3,
        5: Stage.R,
        6: Stage.UNSCORED,  # movement time
        7: Stage.UNSCORED,  # unscored in the Wisconsin Sleep Cohort
        9: Stage.UNSCORED,  # unscored
        10: Stage.UNSCORED,  # artefact
    }
)
"""AASM stage of each integer code of R&K scoring, as Compumedics Profusion and NSRR write them.

Source: the stage table of the NSRR XML translator (0-6, 9, 10) and the Wisconsin Sleep Cohort (7).
"""

# Spelled without case, blanks, hyphens, a leading "(sleep) stage" and a trailing "sleep".
_SPELLINGS: Final[Mapping[Stage, frozenset[str]]] = {
    Stage.W: frozenset({"0", "w", "wake", "awake", "wakefulness", "wakestate"}),
    Stage.N1: frozenset({"1", "n1", "s1", "nrem1", "nonrapideyemovementsleepn1"}),
    Stage.N2: frozenset({"2", "n2", "s2", "nrem2", "nonrapideyemovementsleepn2"}),
    Stage.N3: frozenset(
        {"3", "n3", "s3", "nrem3", "nonrapideyemovementsleepn3", "3/4", "34"}
        | {"4", "n4", "s4", "nrem4", "nonrapideyemovementsleepn4"}
    ),
    Stage.R: frozenset({"5", "r", "rem", "rapideyemovement"}),
    Stage.UNSCORED: frozenset(
        {"?", "u", "uns", "unscored", "unscoredepoch", "unknown", "undefined", "notscored"}
        | {"ns", "nostage", "nan", "none", "l", "lightson", "art", "artifact", "artifactepoch"}
        | {"m", "mt", "mvt", "movement", "movementtime"}
    ),
}
_STAGE_OF_SPELLING: Final = {
    spelling: stage for stage, spellings in _SPELLINGS.items() for spelling in spellings
}
_CODES: Final = {**RECHTSCHAFFEN_KALES, -1: Stage.UNSCORED, -2: Stage.UNSCORED}
_INTEGER: Final = re.compile(r"-?\d{1,2}(\.0*)?")
# A blank between two digits and a minus before one are kept: they change the number.
_SEPARATOR: Final = re.compile(r"(?<!\d)[\s_]|[\s_](?!\d)|-(?!\d)")

_STAGE_NAMES: Final[Mapping[int, tuple[str, ...]]] = {
    5: ("W", "N1", "N2", "N3", "R"),
    4: ("W", "Light", "Deep", "REM"),
    3: ("W", "NREM", "REM"),
    2: ("Wake", "Sleep"),
}
_MERGED: Final[Mapping[int, tuple[int, ...]]] = {
    5: (0, 1, 2, 3, 4),
    4: (0, 1, 1, 2, 3),
    3: (0, 1, 1, 1, 2),
    2: (0, 1, 1, 1, 1),
}


def parse_stage(text: str) -> Stage:
    """Return the AASM stage that a text of an annotation file names; HypnogramError if none.

    In any case: ``"Sleep stage 2"`` (EDF+), ``"Stage 2 sleep|2"`` (NSRR), ``"SRO:Stage2Sleep"``
    (NSRR translator of 2014), ``"STAGE - N2"`` (WSC), ``"N2"``, ``"MT"``, ``"?"``, or an R&K code
    of `RECHTSCHAFFEN_KALES`, so that ``"4"`` is S4 and ``"5"`` is REM. ``"-1"`` and YASA's ``"-2"``
    are unscored.
    """
    name = text.partition("|")[0].strip().casefold()
    name = name.removeprefix("sro:").removeprefix("sdo:")
    if _INTEGER.fullmatch(name) and int(float(name)) in _CODES:
        return _CODES[int(float(name))]
    spelling = _SEPARATOR.sub("", name)
    if spelling not in _STAGE_OF_SPELLING:
        spelling = spelling.removeprefix("sleep").removeprefix("stage").removesuffix("sleep")
    if spelling in _STAGE_OF_SPELLING:
        return _STAGE_OF_SPELLING[spelling]
    raise HypnogramError(
        f"{shorten(text)} is no sleep stage. Known are W, N1, N2, N3, R, S1 to S4, REM, movement "
        "time, unscored and their usual spellings, and the R&K codes 0 to 7, 9 and 10."
    )


def names_stage(text: str) -> bool:
    """Return whether a text of an annotation file names a stage, see `parse_stage`."""
    try:
        parse_stage(text)
    except HypnogramError:
        return False
    return True


def stage_names(n_classes: int) -> tuple[str, ...]:
    """Names to display for the classes that `merge_stages` gives.

    Parameters
    ----------
    n_classes : {5, 4, 3, 2}
        How many classes the scheme has.

    Returns
    -------
    tuple of str
        The name of class 0, 1, ….

    Raises
    ------
    ValueError
        There is no scheme of so many classes.

    Examples
    --------
    >>> stage_names(4)
    ('W', 'Light', 'Deep', 'REM')
    """
    _check_n_classes(n_classes)
    return _STAGE_NAMES[n_classes]


def merge_stages(y: Any, n_classes: int) -> Any:
    """Merge the five AASM stages into fewer classes.

    Parameters
    ----------
    y : array-like of int, shape (n_epochs,)
        Stages as in `Stage`: 0 to 4, and -1 for unscored.
    n_classes : {5, 4, 3, 2}
        5 leaves the stages as they are. 4 is W, light sleep (N1 and N2), deep sleep (N3) and REM,
        the scheme of cardio-respiratory staging (Carter & Tarassenko, *wav2sleep*, 2024). 3 is W,
        NREM and REM. 2 is wake and sleep.

    Returns
    -------
    numpy.ndarray or pandas.Series of int, shape (n_epochs,)
        Classes 0 to ``n_classes - 1``; -1 stays -1. A Series comes back as a Series with its index
        and name, anything else as an array. Integer dtypes are kept.

    Raises
    ------
    ValueError
        There is no scheme of so many classes, or a value of `y` is no stage.

    Examples
    --------
    >>> merge_stages([0, 1, 2, 3, 4, -1], 4)
    array([ 0,  1,  1,  2,  3, -1])
    """
    _check_n_classes(n_classes)
    values = y.to_numpy() if isinstance(y, pd.Series) else np.asarray(y)
    if values.dtype.kind not in "iu":
        raise ValueError(
            f"y has dtype {values.dtype}, but stages are integers (W=0, N1=1, N2=2, N3=3, R=4, "
            "unscored -1). Map names with sklearn_sleep.core.stages.parse_stage and fill missing "
            "values with -1 first."
        )
    wrong = np.setdiff1d(values, [int(stage) for stage in Stage])
    if wrong.size:
        raise ValueError(
            f"y has the values {wrong.tolist()}, which are no stages. Stages are W=0, N1=1, N2=2, "
            "N3=3, R=4 and -1 for unscored; REM coded as 5 is R&K: see RECHTSCHAFFEN_KALES."
        )
    # The last entry is what index -1 finds.
    table = np.array([*_MERGED[n_classes], -1])
    merged = table[values].astype(values.dtype)
    if isinstance(y, pd.Series):
        return pd.Series(merged, index=y.index, name=y.name, dtype=y.dtype)
    return merged


def _check_n_classes(n_classes: int) -> None:
    if n_classes not in _STAGE_NAMES:
        raise ValueError(f"n_classes must be 5, 4, 3 or 2, not {n_classes!r}.")
