"""scikit-learn's metadata routing: groups and weights reach splitters, trainings and scores."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.metrics import accuracy_score, cohen_kappa_score
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    cross_val_predict,
    cross_validate,
)
from telling_nights import as_x, make_arrays

from sklearn_sleep.evaluation.metrics import recording_scorer


@pytest.fixture(scope="module", autouse=True)
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture(scope="module")
def rows():
    """Nights of four people, and a weight of each row."""
    arrays, recording, y = make_arrays((6, 7, 8, 5, 6, 7))
    people = dict(zip(np.unique(recording), ["a", "b", "b", "c", "d", "d"], strict=True))
    groups = np.array([people[name] for name in recording])
    weight = np.random.default_rng(0).uniform(0.1, 3.0, len(y))
    return as_x(arrays, recording), y, groups, weight


@pytest.fixture(scope="module")
def net(make_classifier):
    return make_classifier(classes=[0, 1], max_epochs=1, lr=0.02, train_split=None)


FOLDS = StratifiedGroupKFold(2)


def by_hand(net, rows, scorer=None, weigh_fit=True, weigh_score=True):
    X, y, groups, weight = rows
    scores = []
    for train, test in FOLDS.split(X, y, groups):
        fitted = clone(net).fit(X[train], y[train], weight[train] if weigh_fit else None)
        score = fitted.score if scorer is None else lambda *a, f=fitted, **k: scorer(f, *a, **k)
        weights = {"sample_weight": weight[test]} if weigh_score else {}
        scores.append(score(X[test], y[test], **weights))
    return scores


@pytest.mark.parametrize(("weigh_fit", "weigh_score"), [(True, True), (True, False), (False, True)])
def test_cross_validate(net, rows, weigh_fit, weigh_score):
    X, y, groups, weight = rows
    asking = clone(net).set_fit_request(sample_weight=weigh_fit)
    asking.set_score_request(sample_weight=weigh_score)
    params = {"groups": groups, "sample_weight": weight}
    found = cross_validate(asking, X, y, cv=FOLDS, params=params, error_score="raise")
    expected = by_hand(net, rows, None, weigh_fit, weigh_score)
    np.testing.assert_allclose(found["test_score"], expected, rtol=1e-12)


def test_weights_that_nobody_asked_for_are_refused(net, rows):
    X, y, groups, weight = rows
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="set_fit_request"):
        cross_validate(net, X, y, cv=FOLDS, params={"groups": groups, "sample_weight": weight})


@pytest.mark.parametrize("weigh_score", [True, False])
def test_recording_scorer(net, rows, weigh_score):
    X, y, groups, weight = rows
    scorer = recording_scorer(accuracy_score)
    asking = clone(net).set_fit_request(sample_weight=True)
    scorer.set_score_request(sample_weight=weigh_score)
    found = cross_validate(
        asking,
        X,
        y,
        cv=FOLDS,
        scoring={"recordings": scorer, "again": scorer},
        params={"groups": groups, "sample_weight": weight},
        error_score="raise",
    )
    expected = by_hand(net, rows, recording_scorer(accuracy_score), True, weigh_score)
    np.testing.assert_allclose(found["test_recordings"], expected, rtol=1e-12)
    np.testing.assert_allclose(found["test_again"], expected, rtol=1e-12)


def test_a_recording_scorer_says_what_it_asks_for():
    scorer = recording_scorer(cohen_kappa_score, average="median")
    assert scorer.get_metadata_routing().score.requests == {"sample_weight": None}
    assert scorer.set_score_request(sample_weight="weight") is scorer
    assert scorer.get_metadata_routing().score.requests == {"sample_weight": "weight"}
    assert repr(scorer) == "recording_scorer(cohen_kappa_score, average='median')"


def test_grid_search_over_files(cohort, make_pipeline_of, net):
    rng = np.random.default_rng(1)
    weight = rng.uniform(0.1, 3.0, len(cohort.y))
    pipeline = make_pipeline_of(["ABD", "THX"], max_epochs=1, train_split=None)
    pipeline[-1].set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    search = GridSearchCV(pipeline, {"wav2sleepclassifier__lr": [0.01, 0.02]}, cv=FOLDS)
    search.fit(cohort.X, cohort.y, groups=cohort.groups, sample_weight=weight)
    best = clone(pipeline).set_params(**search.best_params_)
    best.fit(cohort.X, cohort.y, sample_weight=weight)
    expected = best.predict_proba(cohort.X)
    np.testing.assert_array_equal(search.predict_proba(cohort.X), expected)
    np.testing.assert_allclose(
        search.score(cohort.X, cohort.y, sample_weight=weight),
        accuracy_score(cohort.y, expected.argmax(axis=1), sample_weight=weight),
    )


def test_cross_val_predict(net, rows):
    X, y, groups, weight = rows
    asking = clone(net).set_fit_request(sample_weight=True)
    found = cross_val_predict(
        asking,
        X,
        y,
        cv=FOLDS,
        params={"groups": groups, "sample_weight": weight},
        method="predict_proba",
    )
    for train, test in FOLDS.split(X, y, groups):
        fitted = clone(net).fit(X[train], y[train], weight[train])
        np.testing.assert_array_equal(found[test], fitted.predict_proba(X[test]))
