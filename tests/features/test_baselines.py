"""The baselines stage nights of subjects whom they have not seen."""

import re

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
from sklearn_sleep.exceptions import MissingSignalWarning
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
    reader, masked = baseline(random_state=0)
    *steps, classifier = (step for _, step in masked.estimator.steps)
    kappa = cross_val_score(
        # Half the trees, which learn faster.
        classifier.set_params(max_iter=30, learning_rate=0.2),
        # These learn nothing: what they make of a night is the same in each fold.
        make_pipeline(reader, *steps).fit_transform(X),
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
    steps = baseline(HistGradientBoostingClassifier())[-1].estimator.named_steps
    assert "simpleimputer" not in steps


@pytest.mark.parametrize("classifier", [None, LogisticRegression(max_iter=50, tol=1e-2)])
def test_a_signal_may_be_missing_in_all_training_nights(nights, classifier):
    X, y, groups = nights
    some = groups.isin(groups.unique()[:2]).to_numpy()
    lacking = X[some].assign(ECG=False, PPG=False)
    pipeline = clone(cardiorespiratory_baseline(classifier, random_state=0))
    if classifier is None:
        pipeline[-1].estimator[-1].set_params(max_iter=5)
    probability = pipeline.fit(lacking, y[some]).predict_proba(lacking)
    assert np.isfinite(probability).all()
    if classifier is None:
        # What features have that no training row had is as nothing.
        np.testing.assert_array_equal(pipeline.predict_proba(X[some]), probability)


@pytest.mark.parametrize("baseline", [hrv_baseline, cardiorespiratory_baseline, eeg_baseline])
def test_nights_without_a_usable_signal_get_the_prior(nights, baseline):
    X, y, groups = nights
    some = groups.isin(groups.unique()[:2]).to_numpy()
    X, y = X[some], y[some]
    pipeline = baseline(random_state=0)
    pipeline[-1].set_params(n_copies=0).estimator[-1].set_params(max_iter=2)
    pipeline.fit(X, y)
    prior = np.bincount(y) / len(y)
    np.testing.assert_allclose(pipeline[-1].class_prior_, prior)
    first = (X["recording"] == X["recording"].iloc[0]).to_numpy()
    masks = dict.fromkeys(("ECG", "PPG", "THX", "ABD", "EEG"), ~first)
    night = re.escape(X["recording"].iloc[0])
    with pytest.warns(MissingSignalWarning, match=f"No usable signal in {night}. Their rows get"):
        found = pipeline.predict_proba(X.assign(**masks))
    np.testing.assert_allclose(found[first], np.tile(prior, (first.sum(), 1)))
    np.testing.assert_array_equal(found[~first], pipeline.predict_proba(X)[~first])
    assert (pipeline.predict(X.assign(**masks))[first] == prior.argmax()).all()
    with pytest.raises(ValueError, match=r"No training row has a usable signal.*the nights have"):
        pipeline.fit(X.assign(**dict.fromkeys(masks, False)), y)


def test_breath_alone_tells_the_stage(nights):
    some = nights[2].isin(nights[2].unique()[:6]).to_numpy()
    X, y, groups = (of[some] for of in nights)
    test = groups.isin(groups.unique()[::3]).to_numpy()
    breath = X.assign(ECG=False, PPG=False)
    kappa = {}
    for n_copies in (0, 2):
        pipeline = cardiorespiratory_baseline(random_state=0)
        steps = pipeline[-1].set_params(n_copies=n_copies).estimator
        steps[0].set_params(hrv__windows=[(15, 45)], respiration__windows=[(120, 150)])
        steps[1].set_params(neighbours=[])
        steps[-1].set_params(max_iter=15)
        pipeline.fit(X[~test], y[~test])
        kappa[n_copies] = cohen_kappa_score(y[test], pipeline.predict(breath[test]))
    assert kappa[2] > kappa[0] + 0.1


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
