"""Paired statistics of two estimators that were scored on the same folds."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn.utils import check_random_state

# Of thousands of subjects, as many take tens of megabytes.
_RESAMPLES_AT_A_TIME = 1000


class MeanDifference(NamedTuple):
    """A mean of paired differences and its confidence interval."""

    difference: float
    lower: float
    upper: float


class TTest(NamedTuple):
    """A two-sided t-test of the mean over folds; t is NaN of a single fold."""

    difference: float
    t: float
    degrees_of_freedom: int
    p_value: float


def mean_difference(
    differences: npt.ArrayLike,
    subjects: npt.ArrayLike,
    *,
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    random_state: Any = None,
) -> MeanDifference:
    """Return the mean of recordings' differences, (n_recordings,), and its bootstrap interval.

    Subjects are drawn with all of their recordings, since a subject's nights are alike; the bounds
    are NaN if there is but one subject.
    """
    # Percentile interval of the cluster bootstrap: Davison & Hinkley 1997, Bootstrap Methods and
    # their Application, section 3.8.
    values = np.asarray(differences, dtype=np.float64)
    _, subject = np.unique(np.asarray(subjects), return_inverse=True)
    count = np.bincount(subject)
    mean = float(values.mean()) if len(values) else np.nan
    if len(count) < 2:
        return MeanDifference(mean, np.nan, np.nan)
    total = np.bincount(subject, values)
    interval = stats.bootstrap(
        (total, count),
        lambda totals, counts, axis: totals.sum(axis=axis) / counts.sum(axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        confidence_level=confidence_level,
        n_resamples=n_resamples,
        batch=_RESAMPLES_AT_A_TIME,
        random_state=check_random_state(random_state),
    ).confidence_interval
    return MeanDifference(mean, float(interval.low), float(interval.high))


def corrected_resampled_t_test(
    differences: npt.ArrayLike, n_train: npt.ArrayLike, n_test: npt.ArrayLike
) -> TTest:
    """Test whether the mean of folds' differences, (n_folds,), is zero, given their rows."""
    # Folds share training rows, so that their scores vary less than those of independent samples
    # would: Nadeau & Bengio 2003 (Machine Learning 52:239-281) add the ratio of test to training
    # rows to the variance of the mean.
    values = np.asarray(differences, dtype=np.float64)
    n_folds = len(values)
    mean = float(values.mean()) if n_folds else np.nan
    if n_folds < 2:
        return TTest(mean, np.nan, max(n_folds - 1, 0), np.nan)
    ratio = float(np.sum(n_test) / np.sum(n_train))
    error = float(np.sqrt((1 / n_folds + ratio) * values.var(ddof=1)))
    if error == 0:
        # Folds that all differ by the same: by nothing, or surely.
        alike = mean == 0
        return TTest(mean, np.nan if alike else np.inf, n_folds - 1, 1.0 if alike else 0.0)
    t = mean / error
    return TTest(mean, t, n_folds - 1, float(2 * stats.t.sf(abs(t), n_folds - 1)))
