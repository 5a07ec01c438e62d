"""Comparison: scores of estimators on the same folds, and their paired differences."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from sklearn.utils import check_random_state

from sklearn_sleep.evaluation.displays.comparison import ComparisonDisplay
from sklearn_sleep.evaluation.statistics import corrected_resampled_t_test, mean_difference


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

        The table is indexed by score and estimator.
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
            recordings' differences and its confidence interval (cluster bootstrap), over
            ``n_recordings`` of ``n_subjects``. ``fold_difference``, ``t``, ``degrees_of_freedom``
            and ``p_value``: of folds (corrected resampled t-test).
        """
        reference = self.estimators[0] if reference is None else reference
        if reference not in self.estimators:
            raise ValueError(
                f"reference={reference!r} is none of the estimators {self.estimators}."
            )
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
        """Draw a score of each recording; the first score if none is named."""
        return ComparisonDisplay(self.scores, score=score).plot(title=title)

    def __repr__(self) -> str:
        n_folds = self.folds["fold"].nunique()
        return f"<Comparison of {', '.join(self.estimators)} on {n_folds} folds>"


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
