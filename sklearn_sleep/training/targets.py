"""What the classifiers accept as y."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils.validation import column_or_1d

from sklearn_sleep.core.stages import Stage

__all__ = ["check_targets", "encode"]


def check_targets(y: Any, n_rows: int) -> npt.NDArray[Any]:
    """Return y as a 1-D array with a stage for each row.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        Stages, of any type.
    n_rows : int
        Rows in X.

    Returns
    -------
    ndarray of shape (n_rows,)

    Raises
    ------
    ValueError
        If y has another length, missing values, or unscored epochs (-1).
    """
    if y is None:
        raise ValueError("fit needs y, the stage of each row.")
    # Counted first, since NumPy makes the text 'nan' of a NaN among texts.
    n_missing = int(pd.isna(np.asarray(y, dtype=object)).sum())
    y = column_or_1d(y, warn=True)
    if len(y) != n_rows:
        raise ValueError(f"X has {n_rows} rows, but y has {len(y)}.")
    if not n_rows:
        raise ValueError("X has no rows to train on.")
    if n_missing:
        raise ValueError(f"y has {n_missing} missing values. Leave these rows out of X and y.")
    n_unscored = int((y == Stage.UNSCORED).sum())
    if n_unscored:
        raise ValueError(
            f"y has {n_unscored} unscored epochs (-1). Leave them out: X[y >= 0], y[y >= 0]."
        )
    return y


def encode(y: npt.NDArray[Any], classes: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Return the position of each stage among the classes.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Stages.
    classes : ndarray of shape (n_classes,)
        Sorted classes.

    Returns
    -------
    ndarray of int, shape (n_rows,)

    Raises
    ------
    ValueError
        If y has a stage that is not among the classes.
    """
    codes = np.searchsorted(classes, y).clip(max=len(classes) - 1)
    unknown = np.unique(y[classes[codes] != y])
    if len(unknown):
        raise ValueError(
            f"y has the stages {unknown.tolist()}, which are not among {classes.tolist()}."
        )
    return codes
