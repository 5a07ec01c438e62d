"""What a dask cluster computes is what one process computes."""

import sys
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pytest
from cache_steps import SIGNALS, Spread, n_signals, reads, steps
from distributed import Client, LocalCluster, get_task_stream
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier
from stores import snapshot

from sklearn_sleep import EDFReader, ingest, make_cohort


@pytest.fixture(scope="module")
def client():
    """Two processes, which take seconds to start."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.run(sys.path.append, str(Path(__file__).parent / "helpers"))
        yield client


@contextmanager
def both_workers(client):
    with get_task_stream(client) as tasks, joblib.parallel_config(backend="dask"):
        yield
    assert len({task["worker"] for task in tasks.data}) == 2


def test_grid_search_reads_each_edf_once(client, cohort, cache_folders):
    pipeline = make_pipeline(*(step for _, step in steps(*cache_folders).steps), Spread())
    pipeline.steps.append(("tree", DecisionTreeClassifier(random_state=0)))
    search = GridSearchCV(
        pipeline,
        {"tree__max_depth": [1, 2, 4]},
        cv=StratifiedGroupKFold(2, shuffle=True, random_state=0),
        scoring="neg_log_loss",
    )
    data = {"X": cohort.X, "y": cohort.y, "groups": cohort.groups}
    with both_workers(client):
        found = search.fit(**data).cv_results_
    n_signals_in_all = n_signals(EDFReader(list(SIGNALS)).fit_transform(cohort.X))
    assert reads(cache_folders[1]) == n_signals_in_all
    expected = search.fit(**data).cv_results_
    # What they have left in the cache is found here.
    assert reads(cache_folders[1]) == n_signals_in_all
    # The candidates differ, so that equality says something.
    assert len(np.unique(expected["mean_test_score"])) == 3
    for key, scores in expected.items():
        if key.startswith("split"):
            np.testing.assert_array_equal(found[key], scores)


def test_ingestion_gives_the_same_files(client, tmp_path):
    make_cohort(
        tmp_path / "mesa", layout="mesa", n_subjects=3, hours=0.5, second_visit_probability=1.0
    )
    ingest(tmp_path / "mesa", tmp_path / "here", dataset="mesa")
    with both_workers(client):
        ingest(tmp_path / "mesa", tmp_path / "there", dataset="mesa")
    assert snapshot(tmp_path / "there") == snapshot(tmp_path / "here")
