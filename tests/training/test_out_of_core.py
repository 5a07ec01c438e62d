"""Training on more than memory may hold."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from sklearn_sleep.preprocessing import EDFReader, Epocher, Normalizer, RecordingCache, Resampler
from sklearn_sleep.training import night_dataset

SIGNALS = ["ECG", "PPG", "ABD", "THX"]
RATES = {"ECG": 256, "PPG": 256, "ABD": 64, "THX": 64}


@pytest.fixture
def steps(tmp_path):
    return [
        EDFReader(SIGNALS),
        Resampler(RATES),
        Normalizer(),
        Epocher(),
        RecordingCache(tmp_path / "cache"),
    ]


def size_of(cache):
    return sum(path.stat().st_size for path in cache.rglob("*.npy"))


def test_limit_of_a_tenth_gives_the_weights_of_training_in_memory(
    cohort, steps, make_classifier, tmp_path, monkeypatch
):
    datasets = []
    initialize = night_dataset.NightDataset.__post_init__

    def remember(dataset):
        datasets.append(dataset)
        initialize(dataset)

    in_memory = make_pipeline(*steps, make_classifier(max_epochs=2)).fit(cohort.X, cohort.y)
    limit = size_of(tmp_path / "cache") // 10
    monkeypatch.setattr(night_dataset.NightDataset, "__post_init__", remember)
    limited = make_pipeline(*steps, make_classifier(max_epochs=2, kept_bytes=limit))
    limited.fit(cohort.X, cohort.y)
    for name, weights in in_memory[-1].module_.state_dict().items():
        np.testing.assert_array_equal(limited[-1].module_.state_dict()[name], weights)
    np.testing.assert_array_equal(
        limited.predict_proba(cohort.X), in_memory.predict_proba(cohort.X)
    )
    trained_on = [dataset for dataset in datasets if dataset.y is not None]
    assert trained_on
    for dataset in trained_on:
        kept = sum(sample.n_bytes for sample in dataset._kept.values())
        assert kept <= limit
        assert kept < 0.2 * sum(dataset[i].n_bytes for i in range(len(dataset)))


def test_workers_train_the_weights_of_one_process(cohort, steps, make_classifier):
    alone, *helped = (
        make_pipeline(
            *steps, make_classifier(max_epochs=1, kept_bytes=0, iterator_train__num_workers=n)
        ).fit(cohort.X, cohort.y)
        for n in (0, 1, 2)
    )
    for name, weights in alone[-1].module_.state_dict().items():
        for other in helped:
            np.testing.assert_array_equal(other[-1].module_.state_dict()[name], weights)
