"""Epoch tables: a row per 30-second epoch, which it names."""

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from sklearn_sleep.core.epochs import epochs_in_memory, make_epoch_table, name_types
from sklearn_sleep.core.parallel import run_parallel
from sklearn_sleep.core.signals import EPOCH_DURATION, count_epochs
from sklearn_sleep.core.tables import as_pandas
from sklearn_sleep.exceptions import EDFError, EDFWarning
from sklearn_sleep.io.edf.header import read_edf_header

PathLike = str | os.PathLike[str]


def epoch_table(
    paths: PathLike | Sequence[PathLike],
    *,
    on_error: Literal["raise", "warn"] = "raise",
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Name every epoch of some EDF or BDF files, from their headers alone.

    Parameters
    ----------
    paths : path or EdfReader of pyedflib, or sequence, array or Series of them
        The files.
    on_error : {"raise", "warn"}, default="raise"
        What to do with a file that cannot be read, and with a single one that is shorter than an
        epoch. ``"warn"`` gives it no rows and says so in an `EDFWarning`.
    n_jobs : int, optional
        Headers that are read at the same time, by threads; see joblib.

    Returns
    -------
    DataFrame
        A row per whole 30-second epoch: ``recording`` (categorical: the path) and ``epoch``
        (int32, 0-based from the recording's start).

    Raises
    ------
    EDFError
        If a file cannot be read, or the only one is shorter than an epoch.
    ValueError
        If a path is given twice.

    Warns
    -----
    EDFWarning
        If one of several files is shorter than an epoch, so that it has no rows.

    Examples
    --------
    >>> X = epoch_table("tests/data/sleep-edf-5min.edf")
    >>> len(X), int(X["epoch"].max())
    (10, 9)
    """
    files: Iterable[Any] = [paths] if _is_file(paths) else paths  # type: ignore[assignment]  # a path
    # As text, which those of an array are not quite.
    names = [str(os.fspath(getattr(file, "file_name", file))) for file in files]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(
            f"Each recording may be given once; given more often: {', '.join(repeated)}."
        )
    counts = run_parallel(
        _count_epochs_of,
        [(name, on_error, len(names) == 1) for name in names],
        description="Reading headers",
        n_jobs=n_jobs,
        verbose=False,
        require="sharedmem",
    )
    return make_epoch_table(names, [np.arange(count, dtype=np.int32) for count in counts])


def _is_file(value: Any) -> bool:
    """Return whether a value is a path, or a reader of pyedflib, which has one."""
    return isinstance(value, str | os.PathLike) or (
        _is_of_module(value, "pyedflib") and hasattr(value, "file_name")
    )


def _is_of_module(value: Any, module: str) -> bool:
    return type(value).__module__.partition(".")[0] == module


def _count_epochs_of(path: str, on_error: Literal["raise", "warn"], is_alone: bool) -> int:
    try:
        duration = read_edf_header(path).duration
    except (EDFError, OSError) as error:
        if on_error == "raise":
            raise
        warnings.warn(
            f"{error} Its epochs cannot be counted, so that X has no rows for {path}.",
            EDFWarning,
            stacklevel=2,
        )
        return 0
    n_epochs = count_epochs(duration)
    if n_epochs == 0:
        why = f"{path}: its {duration:g} s are less than an epoch ({EPOCH_DURATION:g} s)"
        if is_alone and on_error == "raise":
            raise EDFError(f"{why}, so that there is nothing to stage.")
        warnings.warn(f"{why}, so that X has no rows for it.", EDFWarning, stacklevel=2)
    return n_epochs


def as_epoch_table(
    X: Any, *, on_error: Literal["raise", "warn"] = "raise", n_jobs: int | None = None
) -> pd.DataFrame:
    """Return X as a checked epoch table: one, or what stands for every epoch of recordings.

    That is a path or paths, readers of pyedflib, or whatever `epochs_in_memory` takes.
    """
    X = as_pandas(X)
    if not isinstance(X, pd.DataFrame | Mapping):
        # Epochs of mne can be iterated over, with errors of their own.
        is_list = pd.api.types.is_list_like(X, allow_sets=False) and not _is_of_module(X, "mne")
        paths = list(X) if is_list else [X]
        if paths and all(map(_is_file, paths)):
            return epoch_table(paths, on_error=on_error, n_jobs=n_jobs)
        epochs = epochs_in_memory(X)
        if epochs is not None:
            return epochs.table
    if not isinstance(X, pd.DataFrame):
        raise TypeError(
            "X must be an epoch table (a DataFrame of pandas or polars with columns 'recording' "
            "and 'epoch'), a path, a Recording, a Raw of mne or an EdfReader of pyedflib, or a "
            f"list of one of these, but is {name_types(X)}. epoch_table(paths) makes a table; "
            "Recording.from_mne(raw) and Recording.from_arrays({label: samples}, "
            "sampling_frequencies, units) make recordings of what is in memory."
        )
    missing = [name for name in ("recording", "epoch") if name not in X.columns]
    if missing:
        raise ValueError(
            f"The epoch table lacks the column(s) {missing}; it has {list(X.columns)}. "
            "Make one with epoch_table(paths)."
        )
    if not pd.api.types.is_integer_dtype(X["epoch"].dtype):
        raise ValueError(
            f"The column 'epoch' must hold integers (0-based epochs), not {X['epoch'].dtype}."
        )
    if X["recording"].isna().any() or X["epoch"].isna().any():
        raise ValueError("The columns 'recording' and 'epoch' must not have missing values.")
    if len(X) and X["epoch"].min() < 0:
        raise ValueError(
            f"Epochs count from 0, but the column 'epoch' goes down to {X['epoch'].min()}."
        )
    if not isinstance(X["recording"].dtype, pd.CategoricalDtype):
        X = X.assign(recording=X["recording"].map(os.fspath).astype("category"))
    return X
