"""Montreal Archive of Sleep Studies (MASS): PSG and Base files of five subsets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from sklearn_sleep.datasets.cohort import Cohort

__all__ = ["MASS", "load_mass"]

MASS = Cohort(
    "mass",
    recording=r"/(?P<subject>\d{2}-\d{2}-\d{4}) PSG\.edf",
    annotations=(r"/(?P<subject>\d{2}-\d{2}-\d{4}) Base\.edf",),
    other=(r"/\d{2}-\d{2}-\d{4} [^/]*\.edf",),
    resample_epochs="majority",
    description="""\
Montreal Archive of Sleep Studies (MASS)

200 nights in five subsets (SS1 to SS5), 97 men and 103 women of 18 to 76 years, 256 Hz. SS2, SS4
and SS5 are scored in epochs of 20 s, and the first epoch seldom starts with the recording: each
epoch of 30 s from the recording's start has the stage that covers most of it.

How to get it: ask for access at http://ceams-carsm.ca/mass/, with the approval of your ethics
board.

Cite: O'Reilly et al. 2014, "Montreal Archive of Sleep Studies: an open-access resource for
instrument benchmarking and exploratory research", J Sleep Res 23:628-635.
""",
)


def load_mass(
    folder: str | os.PathLike[str],
    *,
    visits: Sequence[str] | None = None,
    return_X_y_groups: bool = False,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Any:
    """Load the Montreal Archive of Sleep Studies (MASS).

    Parameters
    ----------
    folder : path
        The folder with the files ``01-01-0001 PSG.edf`` and ``01-01-0001 Base.edf``, in any
        subfolders.
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
    ...     _ = make_cohort(folder, layout="mass", n_subjects=1, hours=0.5)
    ...     mass = load_mass(folder)
    >>> mass.recordings["subject"].unique().tolist()
    ['mass-01-01-0001']
    """
    return MASS.load(
        folder,
        visits=visits,
        return_X_y_groups=return_X_y_groups,
        n_jobs=n_jobs,
        verbose=verbose,
    )
