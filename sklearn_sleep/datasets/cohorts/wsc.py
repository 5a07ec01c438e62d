"""Wisconsin Sleep Cohort (WSC): recordings with their scoring beside them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from sklearn_sleep.datasets.cohort import Cohort
from sklearn_sleep.datasets.cohorts.nsrr import describe_nsrr
from sklearn_sleep.datasets.demographics import Demographics

__all__ = ["WSC", "load_wsc"]

WSC = Cohort(
    "wsc",
    recording=r"/wsc-visit(?P<visit>\d)-(?P<subject>\d{5})-nsrr\.edf",
    annotations=(
        r"/wsc-visit(?P<visit>\d)-(?P<subject>\d{5})-nsrr\.stg\.txt",
        r"/wsc-visit(?P<visit>\d)-(?P<subject>\d{5})-nsrr\.allscore\.txt",
    ),
    demographics=(
        Demographics(
            r"wsc-(harmonized-)?dataset-.*\.csv",
            "wsc_id",
            visit="wsc_vst",
            age=("nsrr_age", "age"),
            sex=("nsrr_sex", "sex"),
            bmi=("nsrr_bmi", "bmi"),
        ),
    ),
    description=describe_nsrr(
        "wsc",
        about="""\
Wisconsin Sleep Cohort (WSC)

2,570 nights of 1,123 employees of the state, up to five visits each. Stages are listed by epoch in
a ``.stg.txt``, or noted by the time of day in the log of the recorder, an ``.allscore.txt``. A log
that tells of a power failure does not tell where its stages belong; such a night is left out.
""",
        citation="""\
Young et al. 2009, "Burden of sleep apnea: rationale, design, and major findings of the
Wisconsin Sleep Cohort study", WMJ 108:246-249.
""",
    ),
)


def load_wsc(
    folder: str | os.PathLike[str],
    *,
    visits: Sequence[str] | None = None,
    return_X_y_groups: bool = False,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Any:
    """Load the Wisconsin Sleep Cohort (WSC).

    Parameters
    ----------
    folder : path
        The folder ``wsc`` that ``nsrr download wsc`` makes: polysomnography.
    visits : sequence of str, optional
        Which of a person's nights to load, ``"1"`` to ``"5"``; all of them by default.
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
    ...     _ = make_cohort(folder, layout="wsc", n_subjects=1, hours=0.5)
    ...     wsc = load_wsc(folder)
    >>> wsc.recordings["subject"].unique().tolist()
    ['wsc-10101']
    """
    return WSC.load(
        folder,
        visits=visits,
        return_X_y_groups=return_X_y_groups,
        n_jobs=n_jobs,
        verbose=verbose,
    )
