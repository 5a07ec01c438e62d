"""scikit-learn's ensembles and calibration take the network and the baselines on the same X, y."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from sklearn_sleep import (
    SequenceSmoother,
    cardiorespiratory_baseline,
    eeg_baseline,
    hrv_baseline,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning"),
]


@pytest.fixture(scope="module")
def members(make_pipeline_of):
    """The network and the baselines, of which a few trees suffice here."""
    baselines = {
        "hrv": hrv_baseline(random_state=0),
        "cardiorespiratory": cardiorespiratory_baseline(random_state=0),
        "eeg": eeg_baseline(random_state=0),
    }
    for baseline in baselines.values():
        baseline[-1].set_params(n_copies=1).estimator[-1].set_params(max_iter=5)
    # One window, and no search for spindles and slow waves: each fit computes features anew.
    window = [(15, 45)]
    features = {name: baseline[-1].estimator[0] for name, baseline in baselines.items()}
    features["hrv"].set_params(windows=window)
    features["cardiorespiratory"].set_params(hrv__windows=window, respiration__windows=window)
    features["eeg"].set_params(events=False)
    return {"network": make_pipeline_of(), **baselines}


@pytest.fixture(scope="module")
def fitted(cohort, members):
    """The probabilities of each member alone."""
    return {
        name: member.fit(cohort.X, cohort.y).predict_proba(cohort.X)
        for name, member in members.items()
    }


@pytest.fixture(scope="module")
def folds(cohort):
    """Folds that keep subjects together."""
    return list(GroupKFold(2).split(cohort.X, cohort.y, cohort.groups))


def test_voting_is_the_mean_of_the_members(cohort, members, fitted):
    voting = VotingClassifier(list(members.items()), voting="soft").fit(cohort.X, cohort.y)
    found = voting.predict_proba(cohort.X)
    np.testing.assert_allclose(found, np.mean(list(fitted.values()), axis=0), atol=1e-6)
    np.testing.assert_array_equal(voting.predict(cohort.X), found.argmax(axis=1))


def test_stacking_learns_from_probabilities_of_other_folds(cohort, members, fitted, folds):
    some = ("network", "hrv")
    stack = StackingClassifier(
        [(name, members[name]) for name in some],
        final_estimator=LogisticRegression(max_iter=1000),
        cv=folds,
    ).fit(cohort.X, cohort.y)
    # Members that predict are fitted on all rows.
    np.testing.assert_allclose(
        stack.transform(cohort.X), np.hstack([fitted[name] for name in some]), atol=1e-6
    )
    # What the last step has learned from are predictions for nights that members had not seen.
    network = members["network"]
    of_folds = np.empty((len(cohort.y), 4))
    for train, test in folds:
        network.fit(cohort.X.iloc[train], cohort.y[train])
        of_folds[test] = network.predict_proba(cohort.X.iloc[test])
    alone = LogisticRegression(max_iter=1000).fit(of_folds, cohort.y)
    single = StackingClassifier(
        [("network", network)], final_estimator=LogisticRegression(max_iter=1000), cv=folds
    ).fit(cohort.X, cohort.y)
    np.testing.assert_allclose(single.final_estimator_.coef_, alone.coef_, atol=1e-3)


@pytest.mark.parametrize("name", ["network", "hrv", "cardiorespiratory", "eeg"])
def test_calibration(cohort, members, folds, name):
    calibrated = CalibratedClassifierCV(members[name], cv=folds).fit(cohort.X, cohort.y)
    found = calibrated.predict_proba(cohort.X)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert len(calibrated.calibrated_classifiers_) == 2
    # Held-out probabilities, calibrated, are no worse than the stages' shares.
    share = np.bincount(cohort.y) / len(cohort.y)
    entropy = -(share * np.log(share)).sum()
    assert -np.log(found[np.arange(len(found)), cohort.y]).mean() < entropy + 0.05


def test_smoothers_vote_too(cohort, members):
    smoothed = SequenceSmoother(members["hrv"])
    voting = VotingClassifier([("smoothed", smoothed), ("network", members["network"])])
    assert set(voting.fit(cohort.X, cohort.y).predict(cohort.X)) <= set(range(4))
