"""Childhood Adenotonsillectomy Trial (CHAT): children before and after surgery."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from sklearn_sleep.datasets.cohorts.nsrr import nsrr_cohort
from sklearn_sleep.datasets.demographics import Demographics

__all__ = ["CHAT", "load_chat"]

CHAT = nsrr_cohort(
    "chat",
    r"/chat-(?P<visit>baseline-nonrandomized|baseline|followup|nonrandomized)-(?P<subject>\d{6})",
    about="""\
Childhood Adenotonsillectomy Trial (CHAT)

Children of 5 to 10 years in the laboratory: 464 before (baseline) and most of them seven months
after (followup) randomization to surgery or waiting, and 779 who were not randomized. Some headers
have a physical maximum of 0, so that the channel has no scale and counts as missing, and the
plethysmogram has several spellings (PlethMasimo, PletMasimo, PlethMasino).
""",
    citation="""\
Marcus et al. 2013, "A randomized trial of adenotonsillectomy for childhood sleep apnea", N
Engl J Med 368:2366-2376.
""",
    demographics=(
        *(
            Demographics(
                rf"chat-{visit}-(harmonized-)?dataset-.*\.csv",
                "nsrrid",
                of_visit=visit,
                age=("nsrr_age", "ageyear_at_meas"),
                sex=("nsrr_sex", "male"),
                bmi=("nsrr_bmi", "bmi"),
                sexes={"1": "M", "0": "F"},
            )
            for visit in ("baseline", "followup")
        ),
        Demographics(
            r"chat-nonrandomized-dataset-.*\.csv",
            "nsrrid",
            of_visit="baseline-nonrandomized",
            age=("age_nr",),
            sex=("ref9",),
            sexes={"1": "M", "2": "F"},
        ),
    ),
)


def load_chat(
    folder: str | os.PathLike[str],
    *,
    visits: Sequence[str] | None = None,
    return_X_y_groups: bool = False,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Any:
    """Load the Childhood Adenotonsillectomy Trial (CHAT).

    Parameters
    ----------
    folder : path
        The folder ``chat`` that ``nsrr download chat`` makes, with
        polysomnography/edfs/baseline, followup and nonrandomized.
    visits : sequence of str, optional
        Which of a person's nights to load, ``"baseline"``, ``"followup"`` and
        ``"baseline-nonrandomized"``; all of them by default.
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
    ...     _ = make_cohort(folder, layout="chat", n_subjects=1, hours=0.5)
    ...     chat = load_chat(folder)
    >>> chat.recordings["subject"].unique().tolist()
    ['chat-300001']
    """
    return CHAT.load(
        folder,
        visits=visits,
        return_X_y_groups=return_X_y_groups,
        n_jobs=n_jobs,
        verbose=verbose,
    )
