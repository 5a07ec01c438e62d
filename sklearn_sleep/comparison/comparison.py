"""Compare estimators: the same folds, the same recordings, paired differences."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import cohen_kappa_score, get_scorer, make_scorer
from sklearn.model_selection import StratifiedGroupKFold, check_cv
from sklearn.utils import check_random_state
from tqdm.auto import tqdm

from sklearn_sleep.comparison.folds import FoldResult, fit_and_predict, result_path, take
from sklearn_sleep.comparison.statistics import corrected_resampled_t_test, mean_difference
from sklearn_sleep.metrics import recording_column
from sklearn_sleep.plotting import ComparisonDisplay

__all__ = ["Comparison", "compare"]

Scorer = Callable[[Any, Any, Any], float]
IntArray = npt.NDArray[np.intp]


class _Rows(NamedTuple):
    """What is compared on; each of as many rows."""

    X: Any
    y: npt.NDArray[Any]
    recording: pd.Categorical
    subject: npt.NDArray[Any]

    def take(self, position: IntArray) -> _Rows:
        return _Rows(
            take(self.X, position),
            self.y[position],
            self.recording[position],
            self.subject[position],
        )


@dataclass(frozen=True, repr=False)
class Comparison:
    """Scores of estimators on the same folds.

    Attributes
    ----------
    scores : DataFrame
        A row for each estimator, fold, recording of its test rows, and score, in the columns
        ``estimator``, ``fold``, ``recording``, ``subject``, ``n_epochs``, ``score`` and ``value``.
        A value is NaN where the score is undefined, as kappa is of a recording with one stage.
    folds : DataFrame
        A row for each estimator, fold and score, of all of the fold's test rows together, in the
        columns ``estimator``, ``fold``, ``n_train``, ``n_test``, ``fit_seconds``,
        ``predict_seconds``, ``score`` and ``value``.
    predictions : DataFrame
        A row for each estimator, fold and test row: ``estimator``, ``fold``, ``row`` (its position
        in X), ``recording``, ``y_true``, ``y_pred``.
    """

    scores: pd.DataFrame
    folds: pd.DataFrame
    predictions: pd.DataFrame

    @property
    def estimators(self) -> list[str]:
        """Names of the estimators, in their order."""
        return list(self.folds["estimator"].unique())

    def summary(self) -> pd.DataFrame:
        """Return mean and standard deviation over recordings and folds, and mean seconds.

        Returns
        -------
        DataFrame
            Indexed by score and estimator.
        """
        order = ["score", "estimator"]
        by_recording = self.scores.groupby(order, sort=False)["value"].agg(["mean", "std", "count"])
        by_fold = self.folds.groupby(order, sort=False).agg(
            fold_mean=("value", "mean"),
            fold_std=("value", "std"),
            fit_seconds=("fit_seconds", "mean"),
            predict_seconds=("predict_seconds", "mean"),
        )
        return by_recording.rename(columns={"count": "n_recordings"}).join(by_fold)

    def differences(
        self,
        reference: str | None = None,
        *,
        confidence_level: float = 0.95,
        n_resamples: int = 9999,
        random_state: Any = None,
    ) -> pd.DataFrame:
        """Compare each estimator with one of them, on what both have been scored.

        Parameters
        ----------
        reference : str, optional
            Name of the estimator to compare with; the first if not given.
        confidence_level : float, default=0.95
            Of the interval.
        n_resamples : int, default=9999
            How often subjects are drawn for it.
        random_state : int, RandomState instance or None, default=None
            Seed of the drawing.

        Returns
        -------
        DataFrame
            Indexed by score and estimator. ``difference``, ``lower`` and ``upper``: mean of the
            recordings' differences and its confidence interval (`mean_difference`), over
            ``n_recordings`` of ``n_subjects``. ``fold_difference``, ``t``, ``degrees_of_freedom``
            and ``p_value``: of folds (`corrected_resampled_t_test`).

        Raises
        ------
        ValueError
            If there is no such estimator.
        """
        reference = self.estimators[0] if reference is None else reference
        if reference not in self.estimators:
            msg = f"reference={reference!r} is none of the estimators {self.estimators}."
            raise ValueError(msg)
        seed = check_random_state(random_state).randint(2**31 - 1)
        rows = []
        for score in self.folds["score"].unique():
            values, subjects = _by_recording(self.scores, score)
            folds, sizes = _by_fold(self.folds, score)
            for name in self.estimators:
                if name == reference:
                    continue
                paired = (values[name] - values[reference]).dropna()
                # The same subjects are drawn for each estimator.
                of_recordings = mean_difference(
                    paired,
                    subjects[paired.index],
                    confidence_level=confidence_level,
                    n_resamples=n_resamples,
                    random_state=seed,
                )
                of_folds = (folds[name] - folds[reference]).dropna()
                shared = sizes.loc[of_folds.index]
                test = corrected_resampled_t_test(of_folds, shared["n_train"], shared["n_test"])
                rows.append(
                    {
                        "score": score,
                        "estimator": name,
                        "reference": reference,
                        **of_recordings._asdict(),
                        "n_recordings": len(paired),
                        "n_subjects": subjects[paired.index].nunique(),
                        "fold_difference": test.difference,
                        "t": test.t,
                        "degrees_of_freedom": test.degrees_of_freedom,
                        "p_value": test.p_value,
                    }
                )
        columns = None if rows else ["score", "estimator"]
        return pd.DataFrame(rows, columns=columns).set_index(["score", "estimator"])

    def plot(self, score: str | None = None, *, title: str | None = None) -> ComparisonDisplay:
        """Draw the score of each recording.

        Parameters
        ----------
        score : str, optional
            Which one; the first if not given.
        title : str, optional
            Title of the figure.

        Returns
        -------
        ComparisonDisplay
        """
        return ComparisonDisplay(self.scores, score=score).plot(title=title)

    def __repr__(self) -> str:
        n_folds = self.folds["fold"].nunique()
        return f"<Comparison of {', '.join(self.estimators)} on {n_folds} folds>"


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
    ValueError
        If X does not name its recordings, or every fit failed.

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
    recording = pd.Categorical(recording_column(X))
    subject = np.asarray(recording if groups is None else groups)
    rows = _Rows(X, np.asarray(y), recording, subject)
    scorers = _scorers(scoring)
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
            must_succeed=isinstance(error_score, str),
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
        msg = "Every fit failed. Pass error_score='raise' to see where."
        raise ValueError(msg)
    names = list(estimators)
    tables = [
        _tables(names, name, fold, results[name, fold], *folds[fold], rows, scorers)
        for name in names
        for fold in range(len(folds))
        if (name, fold) in results
    ]
    return Comparison(*(pd.concat(parts, ignore_index=True) for parts in zip(*tables, strict=True)))


def _attempt(
    estimator: Any, *data: Any, must_succeed: bool, **options: Any
) -> FoldResult | Exception:
    try:
        return fit_and_predict(estimator, *data, **options)
    except Exception as error:
        if must_succeed:
            raise
        return error


def _scorers(scoring: Any) -> dict[str, Scorer]:
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


def _folds(cv: Any, rows: _Rows) -> list[tuple[IntArray, IntArray]]:
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


def _tables(
    names: list[str],
    name: str,
    fold: int,
    result: FoldResult,
    train: IntArray,
    test: IntArray,
    rows: _Rows,
    scorers: Mapping[str, Scorer],
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return scores of recordings and of the fold, and predictions."""
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
    result: FoldResult, of_test: _Rows, position: IntArray, scorers: Mapping[str, Scorer]
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
                msg = f"The score {name!r} needs more than stages: pass keep_probabilities=True."
                raise ValueError(msg) from error
    return values


def _by_recording(scores: pd.DataFrame, score: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return a score of each recording, by estimator, and the subject of each."""
    of_score = scores[scores["score"] == score]
    # A recording that several folds test counts once.
    table = of_score.pivot_table("value", "recording", "estimator", aggfunc="mean", dropna=False)
    return table, of_score.groupby("recording")["subject"].first()


def _by_fold(folds: pd.DataFrame, score: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a score of each fold, by estimator, and the rows of each."""
    of_score = folds[folds["score"] == score]
    table = of_score.pivot_table("value", "fold", "estimator", dropna=False)
    return table, of_score.groupby("fold")[["n_train", "n_test"]].first()
