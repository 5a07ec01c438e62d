"""``load_`` functions of cohorts that need no parameters of their own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

from sklearn_sleep.datasets.cohort import Cohort

__all__ = ["Loader", "make_loader"]

_DOCUMENTATION = """Load the {title}.

Parameters
----------
folder : path
    {folder}
visits : sequence of str, optional
    Which of a person's nights to load, {visits}; all of them by default.
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
    Names files of no known name, and nights that are left out since a file of theirs is missing or
    cannot be read.

Examples
--------
>>> import tempfile
>>> from sklearn_sleep import make_cohort
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = make_cohort(folder, layout="{name}", n_subjects=1, hours=0.5)
...     cohort = load_{name}(folder)
>>> cohort.recordings["subject"].unique().tolist()
['{subject}']
"""


class Loader(Protocol):
    """The signature of these functions."""

    def __call__(
        self,
        folder: str | os.PathLike[str],
        *,
        visits: Sequence[str] | None = None,
        return_X_y_groups: bool = False,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> Any:
        """Load the cohort."""
        ...


def make_loader(cohort: Cohort, *, folder: str, visits: str, subject: str) -> Loader:
    """Return the ``load_`` function of a cohort, with its documentation.

    Parameters
    ----------
    cohort : Cohort
        What it loads.
    folder : str
        Which folder it takes, in words.
    visits : str
        Which visits there are, in words.
    subject : str
        The first subject of a synthetic cohort of this layout.

    Returns
    -------
    function
        Named ``load_<name>``.
    """

    def load(
        folder: str | os.PathLike[str],
        *,
        visits: Sequence[str] | None = None,
        return_X_y_groups: bool = False,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> Any:
        return cohort.load(
            folder,
            visits=visits,
            return_X_y_groups=return_X_y_groups,
            n_jobs=n_jobs,
            verbose=verbose,
        )

    load.__name__ = load.__qualname__ = f"load_{cohort.name}"
    load.__module__ = f"{__name__.rpartition('.')[0]}.{cohort.name}"
    load.__doc__ = _DOCUMENTATION.format(
        title=cohort.description.partition("\n")[0],
        name=cohort.name,
        folder=folder,
        visits=visits,
        subject=subject,
    )
    return load
