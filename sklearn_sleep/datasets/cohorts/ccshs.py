"""Cleveland Children's Sleep and Health Study (CCSHS): polysomnography/edfs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from sklearn_sleep.datasets.cohorts.nsrr import nsrr_cohort
from sklearn_sleep.datasets.demographics import Demographics

__all__ = ["CCSHS", "load_ccshs"]

CCSHS = nsrr_cohort(
    "ccshs",
    r"/ccshs-trec-(?P<subject>\d{7})",
    about="""\
Cleveland Children's Sleep and Health Study (CCSHS)

515 adolescents of 16 to 19 years in the laboratory (trec): single electrodes, ECG, respiration and
a plethysmogram.
""",
    citation="""\
Rosen et al. 2003, "Prevalence and risk factors for sleep-disordered breathing in 8- to
11-year-old children: association with race and prematurity", J Pediatr 142:383-389.
""",
    demographics=(
        Demographics(
            r"ccshs-trec-(harmonized-)?dataset-.*\.csv",
            "nsrrid",
            age=("nsrr_age", "age"),
            sex=("nsrr_sex", "male"),
            bmi=("nsrr_bmi", "bmi"),
            sexes={"1": "M", "0": "F"},
        ),
    ),
)


def load_ccshs(
    folder: str | os.PathLike[str],
    *,
    visits: Sequence[str] | None = None,
    return_X_y_groups: bool = False,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Any:
    """Load the Cleveland Children's Sleep and Health Study (CCSHS).

    Parameters
    ----------
    folder : path
        The folder ``ccshs`` that ``nsrr download ccshs`` makes: polysomnography/edfs.
    visits : sequence of str, optional
        Which of a person's nights to load, only ``"1"`` here; all of them by default.
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
    ...     _ = make_cohort(folder, layout="ccshs", n_subjects=1, hours=0.5)
    ...     ccshs = load_ccshs(folder)
    >>> ccshs.recordings["subject"].unique().tolist()
    ['ccshs-1800001']
    """
    return CCSHS.load(
        folder,
        visits=visits,
        return_X_y_groups=return_X_y_groups,
        n_jobs=n_jobs,
        verbose=verbose,
    )
