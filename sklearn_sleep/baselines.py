"""Classical pipelines that a network should beat, ready to be fitted."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from sklearn_sleep.features import HRVFeatures, TemporalContext
from sklearn_sleep.preprocessing import EDFReader

__all__ = ["hrv_baseline"]

# Seconds before and after an epoch's beginning: what sleepecg takes, one around the epoch, and
# the epoch itself with a little more.
_WINDOWS = ((240, 60), (120, 150), (15, 45))


def hrv_baseline(
    *, random_state: Any = None, n_jobs: int | None = None, verbose: bool = False
) -> Pipeline:
    """Return a pipeline that stages sleep from heart rate variability by gradient boosting.

    Beats come from the ECG, or from the PPG of nights without one. Their variability in three
    windows around the epoch, the same relative to the night, and that of six neighbouring epochs
    go to a `HistGradientBoostingClassifier`, which takes missing values as they are.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Seed of the gradient boosting.
    n_jobs : int, optional
        Nights whose features are computed at the same time; see joblib.
    verbose : bool, default=False
        Show progress of the features.

    Returns
    -------
    Pipeline
        From an epoch table or paths of EDF files to stages.

    Notes
    -----
    Spectra and time-domain measures of R-R intervals, taken relative to the night, are what
    cardiac sleep staging rests on (Radha et al. 2019, Sci Rep 9:14149).

    Examples
    --------
    >>> pipeline = hrv_baseline(random_state=0)
    >>> [name for name, _ in pipeline.steps]
    ['edfreader', 'hrvfeatures', 'temporalcontext', 'histgradientboostingclassifier']
    """
    return make_pipeline(
        EDFReader(["ECG", "PPG"], verbose=verbose),
        HRVFeatures(_WINDOWS, groups=("time", "frequency"), n_jobs=n_jobs, verbose=verbose),
        TemporalContext(),
        # Many features and few subjects: small trees on some of the features each.
        HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=150,
            max_leaf_nodes=8,
            max_features=0.3,
            l2_regularization=1.0,
            random_state=random_state,
        ),
    )
