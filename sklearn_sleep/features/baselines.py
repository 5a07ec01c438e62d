"""Classical pipelines that a network should beat, ready to be fitted."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.features.base import FeatureTransformer
from sklearn_sleep.features.beats.hrv import HRVFeatures
from sklearn_sleep.features.brain.eeg import EEGFeatures
from sklearn_sleep.features.breathing.respiration import RespirationFeatures
from sklearn_sleep.features.cardiorespiratory import CardiorespiratoryFeatures
from sklearn_sleep.features.masked_signals import MaskedSignalsClassifier
from sklearn_sleep.features.temporal_context import TemporalContext
from sklearn_sleep.preprocessing import EDFReader

# Seconds before and after an epoch's beginning: what sleepecg takes, one around the epoch, and
# the epoch itself with a little more.
_WINDOWS = ((240, 60), (120, 150), (15, 45))
_BREATH_WINDOWS = ((120, 150), (15, 45))
_HRV_GROUPS = ("time", "frequency")


def hrv_baseline(
    classifier: Any = None,
    *,
    channels: Mapping[str, Any] | None = None,
    units: Mapping[str, str] | None = None,
    on_error: Literal["raise", "warn"] = "raise",
    random_state: Any = None,
    n_jobs: int | None = None,
    verbose: int | None = None,
) -> Pipeline:
    """Return a pipeline that stages sleep from heart rate variability.

    Beats come from the ECG, or from the PPG of rows without one. Their variability in three
    windows around the epoch, the same relative to the night, and that of six neighbouring epochs
    go to the classifier, which has learned from training nights with signals masked at random too
    (`MaskedSignalsClassifier`). Rows without any beats get the training prior.

    Parameters
    ----------
    classifier : classifier, optional
        A `HistGradientBoostingClassifier`, which takes missing values as they are, if not given.
        For one that does not take them, medians are put in their place, and features are scaled.
    channels, units, on_error
        Labels and units of the files, and what to do with one that cannot be read, as in
        `EDFReader`.
    random_state : int, RandomState instance or None, default=None
        Seed of the masks and of the gradient boosting.
    n_jobs : int, optional
        Nights whose features are computed at the same time; see joblib.
    verbose : int, optional
        Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
        terminal or in a notebook.

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
    ['edfreader', 'maskedsignalsclassifier']
    >>> [name for name, _ in pipeline[-1].estimator.steps]
    ['hrvfeatures', 'temporalcontext', 'emptyfeaturefiller', 'histgradientboostingclassifier']
    >>> from sklearn.linear_model import LogisticRegression
    >>> [name for name, _ in hrv_baseline(LogisticRegression())[-1].estimator.steps][2:]
    ['simpleimputer', 'standardscaler', 'logisticregression']
    """
    features = HRVFeatures(_WINDOWS, groups=_HRV_GROUPS)
    reader = EDFReader(
        ["ECG", "PPG"], channels=channels, units=units, on_error=on_error, verbose=verbose
    )
    return _baseline(reader, features, TemporalContext(), classifier, random_state, n_jobs)


def cardiorespiratory_baseline(
    classifier: Any = None,
    *,
    channels: Mapping[str, Any] | None = None,
    units: Mapping[str, str] | None = None,
    on_error: Literal["raise", "warn"] = "raise",
    random_state: Any = None,
    n_jobs: int | None = None,
    verbose: int | None = None,
) -> Pipeline:
    """Return a pipeline that stages sleep from heart rate variability and breathing.

    To the features of `hrv_baseline` it adds those of breathing, from the belt around the thorax,
    or the abdomen, or told by ECG or PPG, and of cardiorespiratory coupling, after Redmond &
    Heneghan 2006 (IEEE Trans Biomed Eng 53:485-496).

    Parameters
    ----------
    classifier, channels, units, on_error, random_state, n_jobs, verbose
        As in `hrv_baseline`.

    Returns
    -------
    Pipeline
        As that of `hrv_baseline`.

    Examples
    --------
    >>> cardiorespiratory_baseline(random_state=0)[0].get_feature_names_out()
    array(['ECG', 'PPG', 'THX', 'ABD'], dtype=object)
    """
    features = CardiorespiratoryFeatures(
        HRVFeatures(_WINDOWS, groups=_HRV_GROUPS),
        RespirationFeatures(_BREATH_WINDOWS),
    )
    reader = EDFReader(
        ["ECG", "PPG", "THX", "ABD"],
        channels=channels,
        units=units,
        on_error=on_error,
        verbose=verbose,
    )
    return _baseline(reader, features, TemporalContext(), classifier, random_state, n_jobs)


def eeg_baseline(
    classifier: Any = None,
    *,
    signals: Sequence[str] = ("EEG",),
    channels: Mapping[str, Any] | None = None,
    units: Mapping[str, str] | None = None,
    on_error: Literal["raise", "warn"] = "raise",
    random_state: Any = None,
    n_jobs: int | None = None,
    verbose: int | None = None,
) -> Pipeline:
    """Return a pipeline that stages sleep from the EEG, as YASA does.

    Features of the epoch, the same relative to the night, those of the neighbouring epochs, which
    stand for YASA's last two minutes, and their mean over 7.5 minutes go to the classifier, after
    Vallat & Walker 2021 (eLife 10:e70092).

    Parameters
    ----------
    signals : sequence of str, default=("EEG",)
        Canonical names of EEG, EOG and EMG to stage from.
    classifier, channels, units, on_error, random_state, n_jobs, verbose
        As in `hrv_baseline`.

    Returns
    -------
    Pipeline
        From an epoch table or paths of EDF files to stages.

    Examples
    --------
    >>> [name for name, _ in eeg_baseline(signals=["EEG", "EMG"])[-1].estimator.steps][:2]
    ['eegfeatures', 'temporalcontext']
    """
    reader = EDFReader(
        list(signals), channels=channels, units=units, on_error=on_error, verbose=verbose
    )
    features = EEGFeatures(list(signals))
    context = TemporalContext([-2, -1, 1, 2], rolling_means=[15])
    return _baseline(reader, features, context, classifier, random_state, n_jobs)


def _baseline(
    reader: EDFReader,
    features: FeatureTransformer,
    context: TemporalContext,
    classifier: Any,
    random_state: Any,
    n_jobs: int | None,
) -> Pipeline:
    steps = [features, context]
    copy_weight = 1.0
    if classifier is None:
        # So that what is said of whole nights is no worse for the copies.
        copy_weight = 0.3
        # Many features and few subjects: small trees on some of the features each, and as few
        # bins as tell as much, since their number is what a fit takes its time for.
        classifier = HistGradientBoostingClassifier(
            learning_rate=0.1,
            max_iter=75,
            max_leaf_nodes=16,
            max_features=0.2,
            l2_regularization=1.0,
            max_bins=32,
            # It would hold out rows whose neighbours and copies are learnt from.
            early_stopping=False,
            random_state=random_state,
        )
    if get_tags(classifier).input_tags.allow_nan:
        steps.append(EmptyFeatureFiller())
    else:
        # A signal that no training night has leaves features that are empty, but expected.
        steps += [SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()]
    masked = MaskedSignalsClassifier(
        make_pipeline(*steps, classifier),
        copy_weight=copy_weight,
        random_state=random_state,
        n_jobs=n_jobs,
        verbose=reader.verbose,
    )
    return make_pipeline(reader, masked)


class EmptyFeatureFiller(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Put 0 for features that no training row has, on which histograms of trees fail."""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find them in X, (n_rows, n_features)."""
        values = self._values(X, reset=True)
        self.is_empty_ = np.isnan(values).all(axis=0)
        return self

    def transform(self, X: Any) -> Any:
        """Return X with 0 in place of whatever they have, (n_rows, n_features)."""
        check_is_fitted(self)
        values = self._values(X, reset=False)
        if isinstance(X, pd.DataFrame):
            return X.assign(**dict.fromkeys(X.columns[self.is_empty_], 0.0))
        return np.where(self.is_empty_, 0.0, values)

    def _values(self, X: Any, *, reset: bool) -> FloatArray:
        values: FloatArray = validate_data(
            self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=reset
        )
        return values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
