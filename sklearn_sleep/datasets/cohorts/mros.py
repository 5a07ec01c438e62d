"""Osteoporotic Fractures in Men Study (MrOS) Sleep: polysomnography/edfs/visit1 and visit2."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from sklearn_sleep.datasets.cohorts.nsrr import nsrr_cohort
from sklearn_sleep.datasets.demographics import Demographics

__all__ = ["MROS", "load_mros"]

MROS = nsrr_cohort(
    "mros",
    r"/mros-visit(?P<visit>[12])-(?P<subject>aa\d{4})",
    about="""\
Osteoporotic Fractures in Men Study (MrOS) Sleep

2,907 men of 65 and more years at home, 1,026 of them again: single electrodes, ECG and respiration.
""",
    citation="""\
Blackwell et al. 2011, "Associations between sleep architecture and sleep-disordered
breathing and cognition in older community-dwelling men: the Osteoporotic Fractures in Men Sleep
Study", J Am Geriatr Soc 59:2217-2225.
""",
    demographics=tuple(
        Demographics(
            rf"mros-visit{visit}-(harmonized|dataset)-.*\.csv",
            "nsrrid",
            of_visit=visit,
            age=("nsrr_age", f"vs{'2' if visit == '2' else ''}age1"),
            sex=("nsrr_sex", "gender"),
            bmi=("nsrr_bmi", "hwbmi"),
            sexes={"1": "F", "2": "M"},
        )
        for visit in ("1", "2")
    ),
)


def load_mros(
    folder: str | os.PathLike[str],
    *,
    visits: Sequence[str] | None = None,
    return_X_y_groups: bool = False,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Any:
    """Load the Osteoporotic Fractures in Men Study (MrOS) Sleep.

    Parameters
    ----------
    folder : path
        The folder ``mros`` that ``nsrr download mros`` makes, with
        polysomnography/edfs/visit1 and visit2.
    visits : sequence of str, optional
        Which of a person's nights to load, ``"1"`` and ``"2"``; all of them by default.
    return_X_y_groups : bool, default=False
        Return ``(X, y, groups)`` instead of a Bunch.
    n_jobs : int, optional
        Nights that are loaded at the same time; see joblib.
    verbose : bool, default=False
        Show progress.

    Returns
    -------
    Bunch or tuple
        As `load_shhs` returns it.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If it holds no night of the cohort that can be read, or a visit is not there.

    Warns
    -----
    CohortWarning, EDFWarning, HypnogramWarning
        Names files of no known name, and nights that are left out since a file of theirs is
        missing or cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_sleep.datasets import make_cohort
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = make_cohort(folder, layout="mros", n_subjects=1, hours=0.5)
    ...     mros = load_mros(folder)
    >>> mros.recordings["subject"].unique().tolist()
    ['mros-aa0001']
    """
    return MROS.load(
        folder,
        visits=visits,
        return_X_y_groups=return_X_y_groups,
        n_jobs=n_jobs,
        verbose=verbose,
    )
