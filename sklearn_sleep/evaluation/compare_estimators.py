"""compare: estimators on the same folds and the same recordings."""

from __future__ import annotations

import math
import os
import re
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import cohen_kappa_score, get_scorer, make_scorer
from sklearn.model_selection import StratifiedGroupKFold, check_cv
from sklearn.utils.metaestimators import available_if

from sklearn_sleep.core.arrays import IntArray
from sklearn_sleep.core.atomic_write import atomic_write, remove_partials
from sklearn_sleep.core.epochs import Epochs
from sklearn_sleep.core.folder_mark import FolderMark
from sklearn_sleep.core.identity import digest
from sklearn_sleep.core.parallel import run_parallel
from sklearn_sleep.core.stage_schemes import check_scored
from sklearn_sleep.core.tables import as_pandas
from sklearn_sleep.evaluation.comparison import Comparison
from sklearn_sleep.evaluation.metrics import recording_column, rows_of_each
from sklearn_sleep.exceptions import CacheWarning

Scorer = Callable[[Any, Any, Any], float]
Fold = tuple[IntArray, IntArray]

_MARK = FolderMark("comparison.json", "comparison", version=2, unmarked="*-fold*-*.npz")


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
    verbose: int | None = None,
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
    verbose : int, optional
        Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
        terminal or in a notebook.

    Returns
    -------
    Comparison

    Warns
    -----
    FitFailedWarning
        If an estimator fails on a fold.
    CacheWarning
        If a result in the folder is damaged, and made again, or cannot be kept there.
    UserWarning
        If a fold tests subjects whom it has trained on.

    Raises
    ------
    TypeError
        If `estimators` is no mapping.
    ValueError
        If X does not name its recordings, `error_score` is another one, every fit failed, or the
        folder is of another version's format.

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
    if folder is not None:
        _MARK.check(folder)
    X = as_pandas(X)
    recording = pd.Categorical(recording_column(X))
    subject = np.asarray(recording if groups is None else groups)
    check_scored(y)
    rows = _Rows(X, np.asarray(y), recording, subject)
    scorers = _make_scorers(scoring)
    folds = _folds(cv, rows)
    tasks = [(name, fold) for fold in range(len(folds)) for name in estimators]
    paths = {}
    if folder is not None:
        _MARK.claim(folder)
        remove_partials(folder)
        paths = _paths(Path(folder), estimators, rows, folds, keep_probabilities)
    results = {}
    for task, path in paths.items():
        if path.exists():
            try:
                results[task] = _FoldResult.load(path, len(folds[task[1]][1]), keep_probabilities)
            except OSError:
                raise
            except Exception as error:  # zip files and arrays end in many errors
                msg = f"{path} is damaged ({error!r}), and the fit is made again."
                warnings.warn(msg, CacheWarning, stacklevel=2)
    missing = [task for task in tasks if task not in results]
    must_succeed = error_score == "raise"
    computed = run_parallel(
        _attempt,
        [
            (estimators[name], rows, folds[fold], keep_probabilities, path, must_succeed)
            for name, fold in missing
            for path in [paths.get((name, fold))]
        ],
        description="Fits",
        n_jobs=n_jobs,
        verbose=verbose,
        unit="fit",
        n_done=len(results),
    )
    errors = []
    for task, (result, unkept) in zip(missing, computed, strict=True):
        if unkept is not None:
            errors.append(unkept)
        if isinstance(result, _FoldResult):
            results[task] = result
            continue
        msg = f"{task[0]} failed on fold {task[1]}, whose scores are missing: {result!r}"
        warnings.warn(msg, FitFailedWarning, stacklevel=2)
    if errors:
        msg = f"{len(errors)} fit(s) are scored, but could not be kept: {errors[0]}"
        warnings.warn(msg, CacheWarning, stacklevel=2)
    if not results:
        raise ValueError("Every fit failed. Pass error_score='raise' to see where.")
    names = list(estimators)
    tables = [
        _score_fold(names, name, fold, results[name, fold], folds[fold], rows, scorers)
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


class _Rows(NamedTuple):
    """What is compared on, each of shape (n_rows,); X is a DataFrame or Epochs."""

    X: Any
    y: npt.NDArray[Any]
    recording: pd.Categorical
    subject: npt.NDArray[Any]

    def take(self, position: IntArray) -> _Rows:
        X = self.X.iloc[position] if hasattr(self.X, "iloc") else self.X[position]
        return _Rows(X, self.y[position], self.recording[position], self.subject[position])


def _make_scorers(scoring: Any) -> dict[str, Scorer]:
    if scoring is None:
        return {"kappa": make_scorer(cohen_kappa_score)}
    if isinstance(scoring, str) or callable(scoring):
        scoring = [scoring]
    if not isinstance(scoring, Mapping):
        scoring = {s if isinstance(s, str) else getattr(s, "__name__", repr(s)): s for s in scoring}
    return {
        name: get_scorer(scorer) if isinstance(scorer, str) else scorer
        for name, scorer in scoring.items()
    }


def _folds(cv: Any, rows: _Rows) -> list[Fold]:
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
    rows: _Rows,
    folds: list[Fold],
    keep_probabilities: bool,
) -> dict[tuple[str, int], Path]:
    """Return where each result is kept; names of files tell what it is computed from."""
    data = digest([_rows_identity(rows.X), rows.y, keep_probabilities])
    paths = {}
    for name, estimator in estimators.items():
        readable = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40]
        for fold, split in enumerate(folds):
            key = digest([estimator, data, split])[:16]
            paths[name, fold] = folder / f"{readable}-fold{fold}-{key}.npz"
    return paths


def _rows_identity(X: Any) -> Any:
    if isinstance(X, Epochs):
        return [_rows_identity(X.table), X.recordings, X.recording_index]
    if isinstance(X, pd.DataFrame):
        return [list(X.columns), pd.util.hash_pandas_object(X).to_numpy()]
    return X


class _Predicted(ClassifierMixin, BaseEstimator):
    """A classifier that has predicted already, for scorers."""

    def __init__(self, classes: Any, predicted: Any, probability: Any = None) -> None:
        self.classes_ = self.classes = classes
        self.predicted = predicted
        self.probability = probability

    def predict(self, X: Any) -> npt.NDArray[Any]:
        return self.predicted

    # scikit-learn has no types.
    @available_if(lambda self: self.probability is not None)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> npt.NDArray[Any]:
        return self.probability


@dataclass(frozen=True)
class _FoldResult:
    """What an estimator makes of the test rows of a fold, and how long it took."""

    classes: npt.NDArray[Any]
    predicted: npt.NDArray[Any]
    probability: npt.NDArray[np.floating[Any]] | None
    fit_seconds: float
    predict_seconds: float

    def as_classifier(self, rows: IntArray) -> _Predicted:
        """Return a classifier that predicts some of the test rows, for scorers."""
        probability = None if self.probability is None else self.probability[rows]
        return _Predicted(self.classes, self.predicted[rows], probability)

    def save(self, path: Path) -> None:
        """Write the result; a run that is cut off leaves no file that is half written."""
        arrays = {"classes": self.classes, "predicted": self.predicted}
        seconds = np.array([self.fit_seconds, self.predict_seconds])
        if self.probability is not None:
            arrays["probability"] = self.probability
        with atomic_write(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, seconds=seconds, **arrays)

    @classmethod
    def load(cls, path: Path, n_rows: int, has_probability: bool) -> Self:
        """Read what `save` wrote of as many test rows; an error says what is damaged."""
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
        found = cls(
            arrays["classes"],
            arrays["predicted"],
            arrays["probability"] if has_probability else None,
            *arrays["seconds"].tolist(),
        )
        shapes = [found.predicted.shape]
        expected: list[tuple[int, ...]] = [(n_rows,)]
        if found.probability is not None:
            shapes.append(found.probability.shape)
            expected.append((n_rows, len(found.classes)))
        if shapes != expected:
            raise ValueError(f"the shapes are {shapes}, not {expected}")
        return found


def _attempt(
    estimator: Any,
    rows: _Rows,
    split: Fold,
    keep_probabilities: bool,
    path: Path | None,
    must_succeed: bool,
) -> tuple[_FoldResult | Exception, OSError | None]:
    """Return what came of a fit, and why it could not be kept."""
    try:
        train, test = map(rows.take, split)
        result = _fit_and_predict(estimator, train, test, keep_probabilities)
    except Exception as error:
        if must_succeed:
            raise
        return error, None
    try:
        if path is not None:
            result.save(path)
    except OSError as error:
        return result, error
    return result, None


def _fit_and_predict(
    estimator: Any, train: _Rows, test: _Rows, keep_probabilities: bool
) -> _FoldResult:
    started = time.perf_counter()
    fitted = clone(estimator).fit(train.X, train.y)
    trained = time.perf_counter()
    predicted = np.asarray(fitted.predict(test.X))
    predicted_at = time.perf_counter()
    return _FoldResult(
        np.asarray(fitted.classes_),
        predicted,
        np.asarray(fitted.predict_proba(test.X)) if keep_probabilities else None,
        trained - started,
        predicted_at - trained,
    )


def _score_fold(
    names: list[str],
    name: str,
    fold: int,
    result: _FoldResult,
    split: Fold,
    rows: _Rows,
    scorers: Mapping[str, Scorer],
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the tables of a `Comparison` for one estimator and fold."""
    train, test = split
    of_task = {"estimator": name, "fold": fold}
    of_test = rows.take(test)
    of_recordings = []
    numbers, labels = pd.factorize(of_test.recording)
    for label, position in zip(labels, rows_of_each(numbers), strict=True):
        place = {"recording": label, "subject": of_test.subject[position[0]]}
        of_recordings += [
            {**of_task, **place, "n_epochs": len(position), "score": key, "value": value}
            for key, value in _score(result, of_test, position, scorers).items()
        ]
    sizes = {"n_train": len(train), "n_test": len(test)}
    seconds = {"fit_seconds": result.fit_seconds, "predict_seconds": result.predict_seconds}
    of_fold = [
        {**of_task, **sizes, **seconds, "score": key, "value": value}
        for key, value in _score(result, of_test, np.arange(len(test)), scorers).items()
    ]
    # Millions of rows: names as categories.
    codes = np.full(len(test), names.index(name), dtype=np.int16)
    stages = {"y_true": of_test.y, "y_pred": result.predicted}
    predictions = {
        "estimator": pd.Categorical.from_codes(codes, pd.Index(names)),
        "fold": fold,
        "row": test,
        "recording": of_test.recording,
        **stages,
    }
    return pd.DataFrame(of_recordings), pd.DataFrame(of_fold), pd.DataFrame(predictions)


def _score(
    result: _FoldResult, of_test: _Rows, position: IntArray, scorers: Mapping[str, Scorer]
) -> dict[str, float]:
    classifier = result.as_classifier(position)
    X, y, *_ = of_test.take(position)
    values = {}
    for name, scorer in scorers.items():
        with warnings.catch_warnings():
            # Of a recording with a single stage; NaN says the same.
            warnings.simplefilter("ignore")
            try:
                values[name] = float(scorer(classifier, X, y))
            except AttributeError as error:
                if result.probability is not None:
                    raise
                raise ValueError(
                    f"The score {name!r} needs more than stages: pass keep_probabilities=True."
                ) from error
    return values
