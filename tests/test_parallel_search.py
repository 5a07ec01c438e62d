"""Searches on several processes and on a dask cluster find what a serial search finds."""

import joblib
import numpy as np
import pytest
from distributed import Client, LocalCluster, get_task_stream
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold

STEP = "wav2sleepclassifier"
CANDIDATES = [
    {f"{STEP}__mask_probability__PPG": [0.0, 0.8]},
    {f"{STEP}__module__feature_dim": [16]},
    {f"{STEP}__lr": [1e-2]},
]


def make_small(make_pipeline_of):
    return make_pipeline_of(["PPG", "THX"], max_epochs=1)


def search(cohort, pipeline, **parameters):
    folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    return GridSearchCV(pipeline, CANDIDATES, cv=folds, scoring="neg_log_loss", **parameters).fit(
        cohort.X, cohort.y, groups=cohort.groups
    )


@pytest.fixture(scope="module")
def serial(cohort, make_pipeline_of):
    found = search(cohort, make_small(make_pipeline_of))
    # The candidates differ, so that equality says something.
    assert len(np.unique(found.cv_results_["mean_test_score"])) == 4
    return found


def assert_same(found, expected, cohort):
    for key, scores in expected.cv_results_.items():
        if key.startswith("split"):
            np.testing.assert_array_equal(found.cv_results_[key], scores)
    np.testing.assert_array_equal(found.predict_proba(cohort.X), expected.predict_proba(cohort.X))


def test_processes(serial, cohort, make_pipeline_of):
    assert_same(search(cohort, make_small(make_pipeline_of), n_jobs=2), serial, cohort)


def test_dask_cluster(serial, cohort, make_pipeline_of):
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        get_task_stream(client) as tasks,
        joblib.parallel_config(backend="dask"),
    ):
        found = search(cohort, make_small(make_pipeline_of))
    assert len({task["worker"] for task in tasks.data}) == 2
    assert_same(found, serial, cohort)
