"""Cleveland Family Study (CFS): polysomnography/edfs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from sklearn_sleep.datasets.cohorts.nsrr import nsrr_cohort
from sklearn_sleep.datasets.demographics import Demographics

__all__ = ["CFS", "load_cfs"]

CFS = nsrr_cohort(
    "cfs",
    r"/cfs-visit(?P<visit>\d)-(?P<subject>\d{6})",
    about="""\
Cleveland Family Study (CFS)

730 members of families, of 6 to 88 years, in the laboratory (visit 5): single electrodes, ECG,
respiration and a plethysmogram. Relatives are alike: the subject is the person, and whoever wants
families apart needs the family numbers, which the NSRR gives on request.
""",
    citation="""\
Redline et al. 1995, "The familial aggregation of obstructive sleep apnea", Am J Respir Crit
Care Med 151:682-687.
""",
    demographics=(
        Demographics(
            r"cfs-visit5-(harmonized-)?dataset-.*\.csv",
            "nsrrid",
            of_visit="5",
            age=("nsrr_age", "age"),
            sex=("nsrr_sex", "male"),
            bmi=("nsrr_bmi", "bmi"),
            sexes={"1": "M", "0": "F"},
        ),
    ),
)


def load_cfs(
    folder: str | os.PathLike[str],
    *,
    visits: Sequence[str] | None = None,
    return_X_y_groups: bool = False,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Any:
    """Load the Cleveland Family Study (CFS).

    Parameters
    ----------
    folder : path
        The folder ``cfs`` that ``nsrr download cfs`` makes: polysomnography/edfs.
    visits : sequence of str, optional
        Which of a person's nights to load, only ``"5"`` so far; all of them by default.
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
    ...     _ = make_cohort(folder, layout="cfs", n_subjects=1, hours=0.5)
    ...     cfs = load_cfs(folder)
    >>> cfs.recordings["subject"].unique().tolist()
    ['cfs-800001']
    """
    return CFS.load(
        folder,
        visits=visits,
        return_X_y_groups=return_X_y_groups,
        n_jobs=n_jobs,
        verbose=verbose,
    )
