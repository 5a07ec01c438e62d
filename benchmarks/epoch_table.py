"""Time and memory of the epoch table at the size of the largest cohorts.

10,000 nights of 1,000 epochs are ten million rows. Each step below is what a cross-validation does
with them before a single sample is read. Recordings are stand-ins without signals, so that the
figures are those of the rows alone.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from environment import describe_environment, format_table
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from sklearn_sleep.core.epochs import Epochs, make_epoch_table
from sklearn_sleep.core.recording import Recording
from sklearn_sleep.io.edf.source import EmptySource

N_SPLITS = 5
NIGHTS_PER_SUBJECT = 2
STAGE_FREQUENCIES = (0.30, 0.05, 0.42, 0.09, 0.14)
"""Of W, N1, N2, N3 and R among the rows, about those of SHHS; they only set the strata."""

Result = TypeVar("Result")


class StepTable:
    """Times steps and remembers how much memory the process had taken by their end."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, str]] = []

    def measure(self, name: str, step: Callable[[], Result]) -> Result:
        """Run a step once and note its time.

        Parameters
        ----------
        name : str
            What the step does.
        step : callable
            Takes no arguments.

        Returns
        -------
        object
            What the step returns.
        """
        start = time.perf_counter()
        result = step()
        seconds = time.perf_counter() - start
        self._rows.append((name, f"{seconds:.3f}", f"{peak_resident_megabytes():.0f}"))
        return result

    def __str__(self) -> str:
        return format_table(["step", "time (s)", "peak memory so far (MB)"], self._rows)


def peak_resident_megabytes() -> float:
    """Return the largest resident set of this process so far, in MB (10^6 bytes).

    Returns
    -------
    float
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def last_fold(splitter: Any, X: pd.DataFrame, y: npt.ArrayLike, groups: npt.ArrayLike) -> Any:
    """Make every fold, as a cross-validation does, and keep one at a time.

    Parameters
    ----------
    splitter : scikit-learn splitter
        Splits by groups.
    X : DataFrame of shape (n_rows, n_columns)
        Epoch table.
    y : array-like of shape (n_rows,)
        Stages.
    groups : array-like of shape (n_rows,)
        Subjects.

    Returns
    -------
    tuple of ndarray
        Training and test rows of the last fold.
    """
    return deque(splitter.split(X, y, groups), maxlen=1)[0]


def run(n_nights: int, n_epochs: int) -> None:
    """Time every step and print the results.

    Parameters
    ----------
    n_nights : int
        Recordings in the table.
    n_epochs : int
        Rows of each.
    """
    print(describe_environment(("numpy", "pandas", "scikit-learn")))
    print(f"Table: {n_nights} nights of {n_epochs} epochs, {N_SPLITS} folds")
    print(f"Memory of the process after its imports: {peak_resident_megabytes():.0f} MB")
    paths = [f"/data/shhs/polysomnography/edfs/shhs1/shhs1-{n:06d}.edf" for n in range(n_nights)]
    epochs = [np.arange(n_epochs, dtype=np.int32)] * n_nights
    steps = StepTable()

    X = steps.measure("make_epoch_table", lambda: make_epoch_table(paths, epochs))
    codes = np.arange(n_nights) // NIGHTS_PER_SUBJECT
    subjects = np.repeat(codes.astype(np.int32), n_epochs)
    names = pd.Series(
        pd.Categorical.from_codes(
            subjects, categories=pd.Index([f"shhs-{code:06d}" for code in range(codes[-1] + 1)])
        )
    )
    y = np.random.default_rng(0).choice(5, size=len(X), p=STAGE_FREQUENCIES).astype(np.int8)

    train, test = steps.measure(
        "GroupKFold, subjects as codes", lambda: last_fold(GroupKFold(N_SPLITS), X, y, subjects)
    )
    shuffled = np.random.default_rng(1).permutation(train)
    rows = steps.measure("X.iloc[train]", lambda: X.iloc[train])
    assert len(rows) + len(test) == len(X)
    steps.measure("X.iloc[train], shuffled", lambda: X.iloc[shuffled])
    recordings = steps.measure(
        "recordings without signals",
        lambda: [Recording(EmptySource(path, n_epochs)) for path in paths],
    )
    whole = steps.measure(
        "Epochs(X, recordings)", lambda: Epochs(X, recordings, X["recording"].cat.codes)
    )
    part = steps.measure("Epochs[train]", lambda: whole[train])
    steps.measure("Epochs[train], shuffled", lambda: whole[shuffled])
    n_rows = steps.measure(
        "Epochs[train].nights()", lambda: sum(len(night.rows) for night in part.nights())
    )
    assert n_rows == len(train)
    steps.measure(
        "StratifiedGroupKFold, subjects as codes",
        lambda: last_fold(StratifiedGroupKFold(N_SPLITS), X, y, subjects),
    )
    steps.measure(
        "GroupKFold, subjects as names", lambda: last_fold(GroupKFold(N_SPLITS), X, y, names)
    )
    steps.measure(
        "StratifiedGroupKFold, subjects as names",
        lambda: last_fold(StratifiedGroupKFold(N_SPLITS), X, y, names),
    )
    column_bytes = X.memory_usage(deep=False).sum()
    all_bytes = X.memory_usage(deep=True).sum()
    print(
        f"Size of the table: {column_bytes / 1e6:.1f} MB, and "
        f"{(all_bytes - column_bytes) / 1e6:.1f} MB of paths\n"
    )
    print(steps)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nights", type=int, default=10_000, help="recordings in the table")
    parser.add_argument("--epochs", type=int, default=1000, help="epochs of each recording")
    arguments = parser.parse_args()
    if arguments.nights < N_SPLITS * NIGHTS_PER_SUBJECT or arguments.epochs < 1:
        parser.error(
            f"{N_SPLITS} folds need --nights {N_SPLITS * NIGHTS_PER_SUBJECT} and --epochs 1 at "
            f"least, got {arguments.nights} and {arguments.epochs}"
        )
    run(arguments.nights, arguments.epochs)


if __name__ == "__main__":
    main()
