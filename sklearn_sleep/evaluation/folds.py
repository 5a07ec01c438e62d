"""One estimator on one fold: fitted, its predictions kept."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import joblib
import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.metaestimators import available_if

from sklearn_sleep.core.atomic_write import atomic_write

__all__ = ["FoldResult", "fit_and_predict", "result_path", "take"]

IntArray = npt.NDArray[np.intp]


class _Predicted(ClassifierMixin, BaseEstimator):
    """A classifier that has predicted already, for scorers."""

    def __init__(self, classes: Any, predicted: Any, probability: Any = None) -> None:
        self.classes = classes
        self.predicted = predicted
        self.probability = probability

    @property
    def classes_(self) -> npt.NDArray[Any]:
        return self.classes

    def predict(self, X: Any) -> npt.NDArray[Any]:
        return self.predicted

    @available_if(lambda self: self.probability is not None)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> npt.NDArray[Any]:
        return self.probability


@dataclass(frozen=True)
class FoldResult:
    """What an estimator makes of the test rows of a fold.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The estimator's.
    predicted : ndarray of shape (n_test,)
        Stages of the test rows.
    probability : ndarray of float, shape (n_test, n_classes), or None
        If it was asked for.
    fit_seconds, predict_seconds : float
        Time that was taken.
    """

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
        if self.probability is not None:
            arrays["probability"] = self.probability
        seconds = [self.fit_seconds, self.predict_seconds]
        with atomic_write(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, seconds=np.array(seconds), **arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as archive:
            probability = archive.get("probability")
            fit_seconds, predict_seconds = archive["seconds"].tolist()
            return cls(
                archive["classes"], archive["predicted"], probability, fit_seconds, predict_seconds
            )


def fit_and_predict(
    estimator: Any,
    X: Any,
    y: Any,
    train: IntArray,
    test: IntArray,
    *,
    keep_probabilities: bool,
    path: Path | None,
) -> FoldResult:
    """Fit a clone of an estimator on some rows and predict others.

    Parameters
    ----------
    estimator : classifier
        Stays as it is.
    X : Epochs, DataFrame or array
        All rows.
    y : array-like of shape (n_rows,)
        Their stages.
    train, test : ndarray of int
        Positions of rows.
    keep_probabilities : bool
        Whether to ask for probabilities too.
    path : Path, optional
        Where to write the result.

    Returns
    -------
    FoldResult
    """
    started = time.perf_counter()
    fitted = clone(estimator).fit(take(X, train), take(y, train))
    trained = time.perf_counter()
    of_test = take(X, test)
    predicted = np.asarray(fitted.predict(of_test))
    predicted_at = time.perf_counter()
    result = FoldResult(
        np.asarray(fitted.classes_),
        predicted,
        np.asarray(fitted.predict_proba(of_test)) if keep_probabilities else None,
        trained - started,
        predicted_at - trained,
    )
    if path is not None:
        result.save(path)
    return result


def result_path(folder: Path, name: str, fold: int, contents: tuple[Any, ...]) -> Path:
    """Return the file for a result, whose name tells what it was computed from.

    Parameters
    ----------
    folder : Path
        Of the comparison.
    name : str
        Of the estimator.
    fold : int
        Its number.
    contents : tuple
        All that the result depends on, the estimator first.

    Returns
    -------
    Path
    """
    estimator, *rest = contents
    digest = joblib.hash((_identity(estimator), *rest))
    readable = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40]
    return folder / f"{readable}-fold{fold}-{digest[:16]}.npz"


def _identity(value: Any) -> Any:
    """Return what an estimator is known by: its parameters, those that have one by fingerprint."""
    if hasattr(value, "fingerprint"):
        return value.fingerprint
    if isinstance(value, list | tuple):
        return [_identity(item) for item in value]
    if isinstance(value, BaseEstimator):
        parameters = value.get_params(deep=False)
        kind = type(value)
        return f"{kind.__module__}.{kind.__qualname__}", {
            name: _identity(parameter) for name, parameter in parameters.items()
        }
    return value


def take(values: Any, rows: IntArray) -> Any:
    """Return some rows of a table, an array or Epochs."""
    return values.iloc[rows] if hasattr(values, "iloc") else values[rows]
