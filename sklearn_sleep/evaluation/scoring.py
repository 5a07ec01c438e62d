"""Scores of what estimators have predicted, of each recording and of each fold."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import cohen_kappa_score, get_scorer, make_scorer

from sklearn_sleep.evaluation.folds import FoldResult, take

__all__ = ["Rows", "Scorer", "make_scorers", "score_fold"]

Scorer = Callable[[Any, Any, Any], float]
IntArray = npt.NDArray[np.intp]


class Rows(NamedTuple):
    """What is compared on.

    Attributes
    ----------
    X : DataFrame or Epochs of shape (n_rows,)
        Names epochs.
    y : ndarray of shape (n_rows,)
        Their stages.
    recording : Categorical of shape (n_rows,)
        Their recordings.
    subject : ndarray of shape (n_rows,)
        Whose recordings they are.
    """

    X: Any
    y: npt.NDArray[Any]
    recording: pd.Categorical
    subject: npt.NDArray[Any]

    def take(self, position: IntArray) -> Rows:
        """Return some of the rows."""
        return Rows(
            take(self.X, position),
            self.y[position],
            self.recording[position],
            self.subject[position],
        )


def make_scorers(scoring: Any) -> dict[str, Scorer]:
    """Return scorers by the names under which they are reported.

    Parameters
    ----------
    scoring : str, callable, list, mapping or None
        Names of scikit-learn's scorers, or callables; Cohen's kappa if None.

    Returns
    -------
    dict of str to callable
    """
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


def score_fold(
    names: list[str],
    name: str,
    fold: int,
    result: FoldResult,
    train: IntArray,
    test: IntArray,
    rows: Rows,
    scorers: Mapping[str, Scorer],
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the tables of a `Comparison` for one estimator and fold.

    Parameters
    ----------
    names : list of str
        Of all estimators.
    name : str
        Of this one.
    fold : int
        Its number.
    result : FoldResult
        What the estimator has made of the test rows.
    train, test : ndarray of int
        Positions of rows.
    rows : Rows
        All of them.
    scorers : mapping of str to callable
        By their names.

    Returns
    -------
    tuple of DataFrame
        Scores of recordings, scores of the fold, and predictions.
    """
    of_task = {"estimator": name, "fold": fold}
    of_test = rows.take(test)
    of_recordings = []
    for label, position in _positions(of_test.recording).items():
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


def _positions(labels: pd.Categorical) -> dict[Any, IntArray]:
    """Return the positions of each label, in the order in which they first come."""
    codes, names = pd.factorize(labels)
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
    return {label: order[bounds[i] : bounds[i + 1]] for i, label in enumerate(names)}


def _score(
    result: FoldResult, of_test: Rows, position: IntArray, scorers: Mapping[str, Scorer]
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
