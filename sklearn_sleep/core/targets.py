"""What classifiers accept as y and as weights, and where a pipeline takes weights."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, has_fit_parameter

from sklearn_sleep.core.stage_schemes import check_scored


def check_targets(y: Any, n_rows: int) -> npt.NDArray[Any]:
    """Return y, (n_rows,), or raise if it has missing values or unscored epochs (-1)."""
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
    # An array of objects says nothing of what they are.
    labels = np.asarray(y.tolist()) if y.dtype == object else y
    if labels.dtype.kind == "f" and np.isinf(labels).any():
        raise ValueError("y has infinite values; it must hold the stage of each row.")
    with np.errstate(invalid="ignore"):
        check_classification_targets(labels)
    check_scored(y)
    return y


def check_weights(sample_weight: Any, n_rows: int) -> npt.NDArray[np.float64]:
    """Return the weight of each row, (n_rows,), 1 if not given; ValueError for other numbers."""
    if sample_weight is None:
        return np.ones(n_rows)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_rows,):
        raise ValueError(f"sample_weight must have the shape {(n_rows,)}, but has {weight.shape}.")
    wrong = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if wrong.size:
        raise ValueError(
            f"sample_weight must be numbers from 0 on, but is {weight[wrong[0]]} in row {wrong[0]}"
            f"{f' and wrong in {wrong.size - 1} more' if wrong.size > 1 else ''}."
        )
    if not weight.any():
        raise ValueError("sample_weight is 0 in all rows, so that nothing is to be learned.")
    return weight


def name_of_weight(classifier: Any) -> str:
    """Return under which name a classifier's ``fit`` takes weights; that of a pipeline's last."""
    steps = ""
    while isinstance(classifier, Pipeline):
        last, classifier = classifier.steps[-1]
        steps += f"{last}__"
    if not has_fit_parameter(classifier, "sample_weight"):
        raise ValueError(f"{type(classifier).__name__} takes no sample_weight.")
    return f"{steps}sample_weight"
