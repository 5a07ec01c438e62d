"""Sleep stages: their codes, and coarser schemes.

The codes are those of the AASM manual's five stages (Berry et al., *The AASM Manual for the Scoring
of Sleep and Associated Events*, version 2). Stages scored by the older rules of Rechtschaffen and
Kales (1968, "R&K") are mapped to them: S3 and S4 are both N3, movement time is not a stage.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd


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
            "unscored -1). Map names with sklearn_sleep.core.stage_vocabulary.parse_stage and fill "
            "missing values with -1 first."
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
