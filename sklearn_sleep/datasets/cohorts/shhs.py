"""Sleep Heart Health Study (SHHS): polysomnography/edfs/shhs1 and shhs2."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from sklearn_sleep.datasets.cohorts.nsrr import nsrr_cohort
from sklearn_sleep.datasets.demographics import Demographics

__all__ = ["SHHS", "load_shhs"]

SHHS = nsrr_cohort(
    "shhs",
    r"/shhs(?P<visit>[12])-(?P<subject>\d{6})",
    about="""\
Sleep Heart Health Study (SHHS)

5,793 adults of 40 and more years at home, 2,651 of them again some five years later: two EEG, EOG,
chin EMG, ECG (125 Hz at the first, 125 to 256 Hz at the second visit) and respiration (10 Hz,
stored upside down). Scored by the rules of Rechtschaffen and Kales.
""",
    citation="""\
Quan et al. 1997, "The Sleep Heart Health Study: design, rationale, and methods", Sleep
20:1077-1085.
""",
    demographics=(
        Demographics(
            r"shhs-harmonized-dataset-.*\.csv",
            "nsrrid",
            visit="visitnumber",
            age=("nsrr_age",),
            sex=("nsrr_sex",),
            bmi=("nsrr_bmi",),
        ),
        Demographics(
            r"shhs1-dataset-.*\.csv",
            "nsrrid",
            of_visit="1",
            age=("age_s1",),
            sex=("gender",),
            bmi=("bmi_s1",),
            sexes={"1": "M", "2": "F"},
        ),
        Demographics(
            r"shhs2-dataset-.*\.csv",
            "nsrrid",
            of_visit="2",
            age=("age_s2",),
            sex=("gender",),
            bmi=("bmi_s2",),
            sexes={"1": "M", "2": "F"},
        ),
    ),
)


def load_shhs(
    folder: str | os.PathLike[str],
    *,
    visits: Sequence[str] | None = None,
    return_X_y_groups: bool = False,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Any:
    """Load the Sleep Heart Health Study (SHHS).

    Parameters
    ----------
    folder : path
        The folder ``shhs`` that ``nsrr download shhs`` makes: polysomnography/edfs/shhs1 and shhs2.
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
        X : DataFrame
            A row per scored epoch: ``recording`` (categorical: the path), ``epoch`` (int32),
            ``subject``, ``dataset`` (categorical) and ``scored_epochs``, the number of rows that
            the recording has.
        y : ndarray of int64, shape (n_rows,)
            AASM stages (W 0, N1 1, N2 2, N3 3, R 4).
        groups : Series (categorical), shape (n_rows,)
            The subject, so that all nights of a person fall in one fold.
        recordings : DataFrame
            A row per night: ``path``, ``annotation``, ``dataset``, ``subject``, ``visit``,
            ``start``, ``duration`` (s), ``signals`` (canonical names of those there),
            ``n_epochs``, ``scored_epochs``, and ``age`` (years), ``sex`` (F or M) and ``bmi``
            (kg/m²) where the cohort's tables or headers tell them.
        problems : DataFrame
            What was warned of: ``path`` and ``problem``.
        DESCR : str
            What the cohort is, how to get it and what to cite.

        A Bunch holds all of them, a tuple the first three.

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
    >>> from sklearn_sleep import make_cohort
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = make_cohort(folder, layout="shhs", n_subjects=1, hours=0.5)
    ...     shhs = load_shhs(folder)
    >>> shhs.recordings["subject"].unique().tolist()
    ['shhs-200001']
    """
    return SHHS.load(
        folder,
        visits=visits,
        return_X_y_groups=return_X_y_groups,
        n_jobs=n_jobs,
        verbose=verbose,
    )
