"""ISRUC-Sleep: numbered folders of .rec files and two scorers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from sklearn_sleep.datasets.cohort import Cohort

__all__ = ["ISRUC", "load_isruc"]

_NIGHT = (
    r"(?:subgroup[ _]?(?P<subgroup>III|II|I|[123])/(?:[^/]+/)*?)?"
    r"\b(?P<subject>\d{1,3})/(?:(?P<visit>[12])/)?\d+"
)


def _of_scorer(scorer: int) -> tuple[str, ...]:
    if scorer not in (1, 2):
        raise ValueError(f"scorer={scorer!r} is not there; ISRUC has the scorers 1 and 2.")
    # The text is the quicker one to read and says the same.
    return tuple(rf"{_NIGHT}_{scorer}\.{ending}" for ending in ("txt", "xlsx"))


ISRUC = Cohort(
    "isruc",
    recording=_NIGHT + r"\.(?:rec|edf)",
    annotations=_of_scorer(1),
    subject="{dataset}-{subgroup}-{subject}",
    other=(r"/\d+_[12]\.(?:txt|xlsx)", r"[^/]*\.xlsx"),
    description="""\
ISRUC-Sleep

118 nights at the sleep medicine centre of Coimbra: subgroup I, 100 people with sleep disorders;
subgroup II, 8 people with two nights each; subgroup III, 10 healthy people. Recordings are EDF
files with the ending ``.rec``; two scorers staged each night by the rules of the AASM.

How to get it: free for research at https://sleeptight.isr.uc.pt; unpack each ``.rar`` where it
lies. The subgroup is told by a folder of that name (subgroupI, subgroupII, subgroupIII).

Cite: Khalighi et al. 2016, "ISRUC-Sleep: a comprehensive public dataset for sleep researchers",
Comput Methods Programs Biomed 124:180-192.
""",
)


def load_isruc(
    folder: str | os.PathLike[str],
    *,
    visits: Sequence[str] | None = None,
    scorer: int = 1,
    return_X_y_groups: bool = False,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Any:
    """Load ISRUC-Sleep.

    Parameters
    ----------
    folder : path
        The folder with ``subgroupI``, ``subgroupII`` and ``subgroupIII``, or one of them.
    visits : sequence of str, optional
        Which of a person's nights to load, ``"1"`` and ``"2"`` in subgroup II; all of
        them by default.
    scorer : {1, 2}, default=1
        Whose stages to take.
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
    >>> from sklearn_sleep import make_cohort
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = make_cohort(folder, layout="isruc", n_subjects=1, hours=0.5)
    ...     isruc = load_isruc(folder)
    >>> isruc.recordings["subject"].unique().tolist()
    ['isruc-i-1']
    """
    return ISRUC.with_annotations(*_of_scorer(scorer)).load(
        folder,
        visits=visits,
        return_X_y_groups=return_X_y_groups,
        n_jobs=n_jobs,
        verbose=verbose,
    )
