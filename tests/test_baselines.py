"""The baselines stage nights of subjects whom they have not seen."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import cohen_kappa_score, make_scorer
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score

from sklearn_sleep import hrv_baseline, make_cohort, merge_stages


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


def test_heart_rate_tells_the_stage(nights):
    X, y, groups = nights
    kappa = cross_val_score(
        hrv_baseline(random_state=0),
        X,
        y,
        groups=groups,
        cv=StratifiedGroupKFold(3, shuffle=True, random_state=0),
        scoring=make_scorer(cohen_kappa_score),
    )
    assert kappa.mean() > 0.3


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
