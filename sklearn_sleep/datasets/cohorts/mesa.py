"""Multi-Ethnic Study of Atherosclerosis (MESA) Sleep: polysomnography/edfs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from sklearn_sleep.datasets.cohorts.nsrr import nsrr_cohort
from sklearn_sleep.datasets.demographics import Demographics

__all__ = ["MESA", "load_mesa"]

MESA = nsrr_cohort(
    "mesa",
    r"/mesa-sleep-(?P<subject>\d{4})",
    about="""\
Multi-Ethnic Study of Atherosclerosis (MESA) Sleep

2,056 adults of 54 to 95 years at home, one night each: three EEG, EOG, chin EMG, ECG, respiration
and a finger plethysmogram of 256 Hz. Scored by the rules of the AASM.
""",
    citation="""\
Chen et al. 2015, "Racial/ethnic differences in sleep disturbances: the Multi-Ethnic Study
of Atherosclerosis (MESA)", Sleep 38:877-888.
""",
    demographics=(
        Demographics(
            r"mesa-sleep-(harmonized-)?dataset-.*\.csv",
            "mesaid",
            age=("nsrr_age", "sleepage5c"),
            sex=("nsrr_sex", "gender1"),
            bmi=("nsrr_bmi", "bmi5c"),
            sexes={"1": "M", "0": "F"},
        ),
    ),
)


def load_mesa(
    folder: str | os.PathLike[str],
    *,
    visits: Sequence[str] | None = None,
    return_X_y_groups: bool = False,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Any:
    """Load the Multi-Ethnic Study of Atherosclerosis (MESA) Sleep.

    Parameters
    ----------
    folder : path
        The folder ``mesa`` that ``nsrr download mesa`` makes: polysomnography/edfs.
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
    ...     _ = make_cohort(folder, layout="mesa", n_subjects=1, hours=0.5)
    ...     mesa = load_mesa(folder)
    >>> mesa.recordings["subject"].unique().tolist()
    ['mesa-0001']
    """
    return MESA.load(
        folder,
        visits=visits,
        return_X_y_groups=return_X_y_groups,
        n_jobs=n_jobs,
        verbose=verbose,
    )
