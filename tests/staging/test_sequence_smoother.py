"""SequenceSmoother is exactly a hidden Markov model over each night."""

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from sklearn_sleep.staging.sequence_smoother import SequenceSmoother, forward_backward, viterbi


def every_path(start, transition, likelihood, steps):
    """Probabilities of all paths, one by one."""
    n, k = likelihood.shape
    powers = [np.linalg.matrix_power(transition, step) for step in steps]
    weights = {}
    for path in itertools.product(range(k), repeat=n):
        weight = start[path[0]] * likelihood[0, path[0]]
        for epoch in range(1, n):
            weight *= (
                powers[epoch - 1][path[epoch - 1], path[epoch]] * likelihood[epoch, path[epoch]]
            )
        weights[path] = weight
    return weights


@pytest.mark.parametrize("seed", range(5))
def test_forward_backward_and_viterbi_are_those_of_all_paths(seed):
    rng = np.random.default_rng(seed)
    start, transition = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3), 3)
    likelihood = rng.random((6, 3)) * 10.0 ** rng.integers(-200, 2, (6, 1))
    steps = rng.integers(1, 4, 5)
    scale = likelihood.max(axis=1, keepdims=True)
    weights = every_path(start, transition, likelihood / scale, steps)
    total = sum(weights.values())
    expected = np.zeros((6, 3))
    for path, weight in weights.items():
        expected[np.arange(6), path] += weight / total
    found = forward_backward(start, transition, likelihood, steps)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    best = max(weights, key=weights.get)
    assert tuple(viterbi(start, transition, likelihood, steps)) == best


def test_a_whole_night_neither_vanishes_nor_overflows():
    rng = np.random.default_rng(0)
    found = forward_backward(
        [0.5, 0.5], [[0.999, 0.001], [0.001, 0.999]], rng.random((5000, 2)), np.ones(4999)
    )
    np.testing.assert_allclose(found.sum(axis=1), 1)


@pytest.fixture(scope="module")
def nights():
    """Stages of twenty nights from a chain, and a noisy feature of each."""
    rng = np.random.default_rng(0)
    transition = np.array([[0.9, 0.08, 0.02], [0.05, 0.9, 0.05], [0.02, 0.08, 0.9]])
    y, rows = [], []
    for night in range(20):
        stage = 0
        for epoch in range(150):
            rows.append((f"night-{night}", epoch))
            y.append(stage)
            stage = rng.choice(3, p=transition[stage])
    index = pd.MultiIndex.from_tuples(rows, names=["recording", "epoch"])
    y = np.array(y)
    X = pd.DataFrame({"x": y + 1.0 * rng.standard_normal(len(y))}, index=index)
    return X, np.array(["W", "NREM", "REM"])[y], transition


@pytest.fixture(scope="module")
def fitted(nights):
    X, y, _ = nights
    return SequenceSmoother(LogisticRegression()).fit(X, y)


def test_transitions_are_those_of_the_labels(nights, fitted):
    _, y, transition = nights
    assert fitted.classes_.tolist() == ["NREM", "REM", "W"]
    np.testing.assert_allclose(fitted.transition_, transition[[1, 2, 0]][:, [1, 2, 0]], atol=0.03)
    assert fitted.start_[2] > 0.8
    np.testing.assert_allclose(fitted.class_prior_[2], np.mean(y == "W"), atol=0.01)


def test_it_is_better_than_what_it_smooths(nights):
    X, y, _ = nights
    groups = X.index.get_level_values("recording")
    kappa = {
        name: cohen_kappa_score(
            y, cross_val_predict(classifier, X, y, groups=groups, cv=GroupKFold(4))
        )
        for name, classifier in (
            ("alone", LogisticRegression()),
            ("smoothed", SequenceSmoother(LogisticRegression())),
        )
    }
    assert kappa["smoothed"] > kappa["alone"] + 0.15


def test_rows_in_any_order_and_twice(nights, fitted):
    X = nights[0]
    expected = fitted.predict_proba(X)
    order = np.random.default_rng(1).permutation(len(X))
    np.testing.assert_allclose(fitted.predict_proba(X.iloc[order]), expected[order])
    assert (fitted.predict(X.iloc[order]) == fitted.predict(X)[order]).all()
    again = np.concatenate([order, order[:20]])
    np.testing.assert_allclose(fitted.predict_proba(X.iloc[again]), expected[again])
    shuffled = clone(fitted).fit(X.iloc[order], nights[1][order])
    np.testing.assert_allclose(shuffled.transition_, fitted.transition_)


def test_missing_epochs_are_not_observed(nights, fitted):
    """As if the classifier knew nothing of them."""
    X = nights[0].iloc[:30]
    kept = np.r_[0:10, 14:30]
    found = fitted.predict_proba(X.iloc[kept])
    likelihood = fitted.classifier_.predict_proba(X) / fitted.class_prior_
    likelihood[10:14] = 1
    expected = forward_backward(fitted.start_, fitted.transition_, likelihood, np.ones(29))
    np.testing.assert_allclose(found, expected[kept], rtol=1e-9)


def test_weights_are_rows_that_come_so_often(nights):
    """In the classifier, in the counts of stages and in those of transitions."""
    X, y, _ = nights
    X, y = X.iloc[:400], y[:400]
    weight = np.random.default_rng(0).integers(0, 4, len(y))
    smoother = SequenceSmoother(DecisionTreeClassifier(max_depth=3, random_state=0))
    found = clone(smoother).fit(X, y, sample_weight=weight)
    expected = clone(smoother).fit(X.iloc[np.repeat(np.arange(400), weight)], np.repeat(y, weight))
    for name in ("transition_", "start_", "class_prior_"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-12)
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), rtol=1e-9)
    without = clone(smoother).fit(X, y)
    assert np.abs(found.transition_ - without.transition_).max() > 0.01
    ones = clone(smoother).fit(X, y, sample_weight=np.ones(400))
    np.testing.assert_array_equal(ones.transition_, without.transition_)


def test_weights_reach_the_end_of_a_pipeline(nights):
    X, y, _ = nights
    weight = np.where(y == "REM", 5.0, 1.0)
    alone = SequenceSmoother(LogisticRegression()).fit(X, y, sample_weight=weight)
    pipeline = make_pipeline("passthrough", make_pipeline("passthrough", LogisticRegression()))
    found = SequenceSmoother(pipeline).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(found.predict_proba(X), alone.predict_proba(X))
    with pytest.raises(ValueError, match="KNeighborsClassifier takes no sample_weight"):
        SequenceSmoother(KNeighborsClassifier()).fit(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match=r"must have the shape \(3000,\)"):
        SequenceSmoother(LogisticRegression()).fit(X, y, sample_weight=[1.0])


def test_features_are_those_of_the_classifier(nights, fitted):
    X = nights[0]
    assert fitted.n_features_in_ == 1
    assert fitted.feature_names_in_.tolist() == ["x"]
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(X.rename(columns={"x": "z"}))


@pytest.mark.parametrize(
    ("y", "message"),
    [(np.nan, "missing"), (np.inf, "infinite"), (0.5, "continuous"), (-1, "unscored")],
)
def test_what_is_no_stage_is_refused(nights, y, message):
    X = nights[0].iloc[:3]
    with pytest.raises(ValueError, match=message):
        SequenceSmoother(DummyClassifier()).fit(X, [0, 1, y])


def test_nights_do_not_touch(nights, fitted):
    X = nights[0]
    first = X.index.get_level_values("recording") == "night-3"
    np.testing.assert_allclose(
        fitted.predict_proba(X[first]), fitted.predict_proba(X)[first], rtol=1e-9
    )


def test_weaker_evidence_changes_stage_less_often(nights):
    X, y, _ = nights
    changes = [
        np.mean(path[1:] != path[:-1])
        for evidence in (0.2, 1.0, 3.0)
        for path in [SequenceSmoother(LogisticRegression(), evidence=evidence).fit(X, y).predict(X)]
    ]
    assert changes[0] < changes[1] < changes[2]


def test_epoch_tables_and_pipelines(cohort, fitted_pipeline):
    smoother = SequenceSmoother(fitted_pipeline).fit(cohort.X, cohort.y)
    probability = smoother.predict_proba(cohort.X)
    assert probability.shape == (len(cohort.X), 4)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    path = str(cohort.nights[0].recording)
    assert len(smoother.predict(path)) == len(smoother.predict_proba([path]))
    assert 0 <= smoother.score(cohort.X, cohort.y) <= 1


class Fixed(ClassifierMixin, BaseEstimator):
    """What a fold without one of the classes gives."""

    def fit(self, X, y):
        self.classes_ = np.arange(4)
        return self

    def predict_proba(self, X):
        return np.tile([0.0, 0.5, 0.5, 0.0], (len(X), 1))


@pytest.mark.parametrize("pseudo_count", [0.0, 1.0])
def test_class_without_rows(pseudo_count):
    X = pd.DataFrame({"recording": ["a"] * 6, "epoch": range(6)})
    smoother = SequenceSmoother(Fixed(), pseudo_count=pseudo_count).fit(X, [1, 1, 2, 2, 2, 1])
    probability = smoother.predict_proba(X)
    assert np.isfinite(probability).all()
    assert set(smoother.predict(X)) <= {1, 2}


def test_it_is_an_estimator(nights, fitted):
    X = nights[0]
    copy = pickle.loads(pickle.dumps(fitted))  # noqa: S301  our own bytes
    np.testing.assert_array_equal(copy.predict(X), fitted.predict(X))
    assert clone(fitted).set_params(classifier__C=2.0).classifier.C == 2.0


def test_wrong_input(nights):
    X, y, _ = nights
    with pytest.raises(TypeError, match="epoch table"):
        SequenceSmoother(LogisticRegression()).fit(X.to_numpy(), y)
    with pytest.raises(ValueError, match="rows, but y"):
        SequenceSmoother(LogisticRegression()).fit(X, y[:-1])
    with pytest.raises(ValueError, match="evidence"):
        SequenceSmoother(LogisticRegression(), evidence=0).fit(X, y)
