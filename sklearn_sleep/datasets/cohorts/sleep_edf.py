"""Sleep-EDF Expanded: days and nights of two studies."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from sklearn_sleep.datasets.cohort import Cohort

__all__ = ["SLEEP_EDF", "load_sleep_edf"]

SLEEP_EDF = Cohort(
    "sleep_edf",
    recording=r"/(?P<study>SC4|ST7)(?P<subject>\d{2})(?P<visit>\d)[A-Z]\d-PSG\.edf",
    annotations=(r"/(?P<study>SC4|ST7)(?P<subject>\d{2})(?P<visit>\d)[A-Z]{2}-Hypnogram\.edf",),
    subject="{dataset}-{study}{subject}",
    description="""\
Sleep-EDF Database Expanded 1.0.0

197 recordings: 153 of 78 healthy people of 25 to 101 years at home (sleep cassette, SC), two days
and nights of some 20 hours each, and 44 of 22 people with mild difficulty falling asleep in the
hospital (sleep telemetry, ST), with temazepam on one of two nights. EEG and EOG of 100 Hz, no ECG.
Scored by the rules of Rechtschaffen and Kales.

How to get it: `fetch_sleep_edf`, or https://physionet.org/content/sleep-edfx/1.0.0/. Open Data
Commons Attribution License v1.0.

Cite: Kemp et al. 2000, "Analysis of a sleep-dependent neuronal feedback loop: the slow-wave
microcontinuity of the EEG", IEEE Trans Biomed Eng 47:1185-1194.
Goldberger et al. 2000, "PhysioBank, PhysioToolkit, and PhysioNet", Circulation 101:e215-e220.
""",
)


def load_sleep_edf(
    folder: str | os.PathLike[str],
    *,
    visits: Sequence[str] | None = None,
    wake_minutes: float | None = 30.0,
    return_X_y_groups: bool = False,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Any:
    """Load Sleep-EDF Expanded.

    Parameters
    ----------
    folder : path
        The folder with ``sleep-cassette`` and ``sleep-telemetry``, or one of them.
    visits : sequence of str, optional
        Which of a person's nights to load, ``"1"`` and ``"2"``; all of them by default.
    wake_minutes : float or None, default=30.0
        Wake longer before the first and after the last epoch of sleep is left out, as is usual
        with these recordings of 20 hours; ``None`` keeps all of it.
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
    ...     _ = make_cohort(folder, layout="sleep_edf", n_subjects=1, hours=0.5)
    ...     sleep_edf = load_sleep_edf(folder)
    >>> sleep_edf.recordings["subject"].unique().tolist()
    ['sleep_edf-sc400']
    """
    return SLEEP_EDF.load(
        folder,
        visits=visits,
        wake_minutes=wake_minutes,
        return_X_y_groups=return_X_y_groups,
        n_jobs=n_jobs,
        verbose=verbose,
    )
