"""Sleep stages and their codes.

The codes are those of the AASM manual's five stages (Berry et al., *The AASM Manual for the Scoring
of Sleep and Associated Events*, version 2). Stages scored by the older rules of Rechtschaffen and
Kales (1968, "R&K") are mapped to them: S3 and S4 are both N3, movement time is not a stage.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final


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
