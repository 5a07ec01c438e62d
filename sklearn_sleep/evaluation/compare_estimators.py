"""compare: estimators on the same folds and the same recordings."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import StratifiedGroupKFold, check_cv
from tqdm.auto import tqdm

from sklearn_sleep.evaluation.comparison import Comparison
from sklearn_sleep.evaluation.folds import FoldResult, fit_and_predict, result_path
from sklearn_sleep.evaluation.metrics import recording_column
from sklearn_sleep.evaluation.scoring import Rows, make_scorers, score_fold

__all__ = ["compare"]

IntArray = npt.NDArray[np.intp]


def compare(
    estimators: Mapping[str, Any],
    X: Any,
    y: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    *,
    cv: Any = 5,
    scoring: Any = None,
    folder: str | os.PathLike[str] | None = None,
    keep_probabilities: bool = False,
    error_score: Any = np.nan,
    n_jobs: int | None = None,
    verbose: bool = True,
) -> Comparison:
    """Fit and score estimators on the same folds.

    Parameters
    ----------
    estimators : mapping of str to classifier
        By the names under which they are reported. They are cloned.
    X : DataFrame or Epochs
        Rows that name epochs, with a column ``recording``.
    y : array-like of shape (n_rows,)
        Their stages.
    groups : array-like of shape (n_rows,), optional
        Their subjects, who are never in the training and the test rows of the same fold, and
        whose nights belong together in confidence intervals. Recordings if not given.
    cv : int, splitter or iterable of (train, test), default=5
        The folds; a number means `StratifiedGroupKFold`.
    scoring : str, callable, list or mapping, optional
        Names of scikit-learn's scorers, or callables ``scorer(estimator, X, y)``, alone, in a list,
        or by the names under which they are reported. Cohen's kappa if not given.
    folder : path, optional
        Where the predictions for each fold are kept. A comparison that was cut off, or that is
        called again with more estimators or scores, computes only what is not there: of the same
        rows, folds and parameters.
    keep_probabilities : bool, default=False
        Whether to keep ``predict_proba``, which scorers such as ``"roc_auc_ovr"`` take.
    error_score : "raise" or nan, default=nan
        Whether an estimator that fails on a fold ends the comparison; else a warning tells of it,
        and its scores on that fold are missing.
    n_jobs : int, optional
        Fits at the same time; see joblib.
    verbose : bool, default=True
        Show progress.

    Returns
    -------
    Comparison

    Warns
    -----
    FitFailedWarning
        If an estimator fails on a fold.
    UserWarning
        If a fold tests subjects whom it has trained on.

    Raises
    ------
    TypeError
        If `estimators` is no mapping.
    ValueError
        If X does not name its recordings, `error_score` is another one, or every fit failed.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.dummy import DummyClassifier
    >>> recording = np.repeat([f"night {number}" for number in range(10)], 20)
    >>> X = pd.DataFrame({"recording": recording, "epoch": np.tile(np.arange(20), 10)})
    >>> y = X["epoch"] // 7
    >>> guesses = {
    ...     "most frequent": DummyClassifier(),
    ...     "at random": DummyClassifier(strategy="stratified", random_state=0),
    ... }
    >>> comparison = compare(guesses, X, y, scoring="accuracy", verbose=False)
    >>> comparison.summary()["mean"].round(2).tolist()
    [0.35, 0.42]
    >>> comparison.differences(random_state=0)["difference"].round(2).item()
    0.08
    """
    _check_parameters(estimators, error_score)
    recording = pd.Categorical(recording_column(X))
    subject = np.asarray(recording if groups is None else groups)
    rows = Rows(X, np.asarray(y), recording, subject)
    scorers = make_scorers(scoring)
    folds = _folds(cv, rows)
    tasks = [(name, fold) for fold in range(len(folds)) for name in estimators]
    paths = {}
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        paths = _paths(Path(folder), estimators, rows, folds, keep_probabilities)
    results: dict[tuple[str, int], FoldResult] = {
        task: FoldResult.load(path) for task, path in paths.items() if path.exists()
    }
    missing = [task for task in tasks if task not in results]
    computed = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(
        joblib.delayed(_attempt)(
            estimators[name],
            rows.X,
            rows.y,
            *folds[fold],
            keep_probabilities=keep_probabilities,
            path=paths.get((name, fold)),
            must_succeed=error_score == "raise",
        )
        for name, fold in missing
    )
    progress = tqdm(
        computed, total=len(tasks), initial=len(results), desc="Fits", disable=not verbose
    )
    for task, result in zip(missing, progress, strict=True):
        if isinstance(result, FoldResult):
            results[task] = result
            continue
        msg = f"{task[0]} failed on fold {task[1]}, whose scores are missing: {result!r}"
        warnings.warn(msg, FitFailedWarning, stacklevel=2)
    if not results:
        raise ValueError("Every fit failed. Pass error_score='raise' to see where.")
    names = list(estimators)
    tables = [
        score_fold(names, name, fold, results[name, fold], *folds[fold], rows, scorers)
        for name in names
        for fold in range(len(folds))
        if (name, fold) in results
    ]
    return Comparison(*(pd.concat(parts, ignore_index=True) for parts in zip(*tables, strict=True)))


def _check_parameters(estimators: Any, error_score: Any) -> None:
    if not isinstance(estimators, Mapping):
        raise TypeError(
            f"estimators is {type(estimators).__name__}; give a dict of classifiers by the names "
            "under which they are to be reported."
        )
    if error_score != "raise" and not (isinstance(error_score, float) and math.isnan(error_score)):
        raise ValueError(f"error_score={error_score!r} must be 'raise' or nan.")


def _attempt(
    estimator: Any, *data: Any, must_succeed: bool, **options: Any
) -> FoldResult | Exception:
    try:
        return fit_and_predict(estimator, *data, **options)
    except Exception as error:
        if must_succeed:
            raise
        return error


def _folds(cv: Any, rows: Rows) -> list[tuple[IntArray, IntArray]]:
    splitter = StratifiedGroupKFold(cv) if isinstance(cv, int) else check_cv(cv, rows.y)
    with warnings.catch_warnings():
        # Whether subjects are kept together is seen below.
        warnings.filterwarnings("ignore", "The groups parameter is ignored")
        split = list(splitter.split(rows.X, rows.y, rows.subject))
    folds = [(np.asarray(train), np.asarray(test)) for train, test in split]
    for number, (train, test) in enumerate(folds):
        both = np.intersect1d(rows.subject[train], rows.subject[test])
        if len(both):
            msg = (
                f"Fold {number} tests {len(both)} subjects whom it has trained on, such as "
                f"{both[0]!r}; scores will be too good. Take a splitter that keeps groups "
                "together, as cv=5 does."
            )
            warnings.warn(msg, UserWarning, stacklevel=3)
    return folds


def _paths(
    folder: Path,
    estimators: Mapping[str, Any],
    rows: Rows,
    folds: list[tuple[IntArray, IntArray]],
    keep_probabilities: bool,
) -> dict[tuple[str, int], Path]:
    """Return where each result is kept."""
    X = rows.X
    of_rows = pd.util.hash_pandas_object(X).to_numpy() if isinstance(X, pd.DataFrame) else X
    data = joblib.hash((of_rows, rows.y, keep_probabilities))
    return {
        (name, fold): result_path(folder, name, fold, (estimator, data, of_fold))
        for name, estimator in estimators.items()
        for fold, of_fold in enumerate(folds)
    }
