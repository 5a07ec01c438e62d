"""The baselines stage nights of subjects whom they have not seen."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score, make_scorer
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_sleep import (
    cardiorespiratory_baseline,
    eeg_baseline,
    hrv_baseline,
    make_cohort,
    merge_stages,
)
from sklearn_sleep.features.baselines import EmptyFeatureFiller

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning"),
]


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Nights of an hour and a half of ten subjects at all sites."""
    X, y, groups = make_cohort(
        tmp_path_factory.mktemp("nights"),
        n_subjects=10,
        hours=1.5,
        second_visit_probability=0.0,
        random_state=0,
        return_X_y_groups=True,
    )
    return X, merge_stages(y, 4), groups


@pytest.mark.parametrize(
    ("baseline", "least"),
    [(hrv_baseline, 0.3), (cardiorespiratory_baseline, 0.3), (eeg_baseline, 0.6)],
)
def test_features_tell_the_stage(nights, baseline, least):
    X, y, groups = nights
    *steps, classifier = (step for _, step in baseline(random_state=0).steps)
    kappa = cross_val_score(
        # A fifth of the trees, which learn faster.
        classifier.set_params(max_iter=30, learning_rate=0.2),
        # These learn nothing: what they make of a night is the same in each fold.
        make_pipeline(*steps).fit_transform(X),
        y,
        groups=groups,
        cv=StratifiedGroupKFold(2, shuffle=True, random_state=0),
        scoring=make_scorer(cohen_kappa_score),
    )
    assert kappa.mean() > least


@pytest.mark.parametrize("baseline", [hrv_baseline, cardiorespiratory_baseline, eeg_baseline])
def test_classifiers_that_take_no_nan_get_none(nights, baseline):
    X, y, groups = nights
    some = groups.isin(groups.unique()[:4]).to_numpy()
    # A logistic regression takes no missing values; a night without any of the signals has no
    # others.
    pipeline = baseline(LogisticRegression(max_iter=50, tol=1e-2)).fit(X[some], y[some])
    signals = dict.fromkeys(["ECG", "PPG", "THX", "ABD", "EEG"], False)
    assert np.isfinite(pipeline.predict_proba(X[some].assign(**signals))).all()
    assert cohen_kappa_score(y[some], pipeline.predict(X[some])) > 0.3
    steps = [name for name, _ in baseline(HistGradientBoostingClassifier()).steps]
    assert "simpleimputer" not in steps


@pytest.mark.parametrize("classifier", [None, LogisticRegression(max_iter=50, tol=1e-2)])
@pytest.mark.parametrize("baseline", [hrv_baseline, cardiorespiratory_baseline, eeg_baseline])
def test_features_may_be_missing_in_all_training_rows(nights, baseline, classifier):
    X, y, groups = nights
    some = groups.isin(groups.unique()[:2]).to_numpy()
    signals = dict.fromkeys(["ECG", "PPG", "THX", "ABD", "EEG"], False)
    X, y = X[some], y[some]
    lacking = X.assign(**signals)
    pipeline = clone(baseline(classifier, random_state=0))
    if classifier is None:
        pipeline.set_params(histgradientboostingclassifier__max_iter=5)
    probability = pipeline.fit(lacking, y).predict_proba(lacking)
    assert np.isfinite(probability).all()
    if baseline is eeg_baseline and classifier is None:
        # What features have that no training row had is as nothing: the time alone tells.
        np.testing.assert_array_equal(pipeline.predict_proba(X), probability)


def test_empty_features_are_filled_as_they_come():
    X = np.array([[1.0, np.nan, np.nan], [np.nan, np.nan, 2.0]])
    filler = EmptyFeatureFiller().fit(X)
    other = np.array([[np.nan, 5.0, np.nan]])
    np.testing.assert_array_equal(filler.transform(X)[:, 1], 0.0)
    np.testing.assert_array_equal(filler.transform(other), [[np.nan, 0.0, np.nan]])
    table = pd.DataFrame(X, columns=list("abc"), index=[4, 2])
    filled = EmptyFeatureFiller().fit_transform(table)
    pd.testing.assert_frame_equal(filled, table.assign(b=0.0))


@pytest.mark.parametrize("baseline", [hrv_baseline, cardiorespiratory_baseline, eeg_baseline])
def test_unscored_epochs_are_no_class(nights, baseline):
    X, y, _ = nights
    y = y.copy()
    y[5:8] = -1
    with pytest.raises(ValueError, match=r"y has 3 unscored epochs.*X\[y >= 0\]"):
        baseline().fit(X, y)


def test_signals_may_be_missing(nights):
    X, y, groups = nights
    some = groups.isin(groups.unique()[:4]).to_numpy()
    baseline = clone(hrv_baseline(random_state=0)).set_params(
        histgradientboostingclassifier__max_iter=5
    )
    baseline.fit(X[some], y[some])
    probability = baseline.predict_proba(X[some].assign(ECG=False))
    assert np.isfinite(probability).all()
    # Nights without PPG know the time alone.
    without = baseline[:-1].transform(X[some].assign(ECG=False, PPG=False))
    assert without.drop(columns="hours").isna().all(axis=None)
