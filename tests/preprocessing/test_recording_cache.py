"""RecordingCache: each night processed once, whoever asks, and never half of it read."""

import multiprocessing
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from cache_steps import (
    RATES,
    SIGNALS,
    CountReads,
    files_of,
    n_signals,
    read_all,
    read_slowly,
    reads,
    steps,
)
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from torch.utils.data import DataLoader

from sklearn_sleep.features import InstantaneousHeartRate
from sklearn_sleep.preprocessing import (
    EDFReader,
    Epocher,
    Normalizer,
    RecordingCache,
    Resampler,
)
from sklearn_sleep.staging.pretrained import load_pretrained, save_pretrained
from sklearn_sleep.training.night_dataset import NightDataset, collate_nights


def test_samples_are_those_without_a_cache_and_memory_mapped(cohort, cache_folders):
    pipeline = steps(*cache_folders)
    expected = read_all(pipeline[:-1].fit_transform(cohort.X))
    for _ in range(2):
        epochs = clone(pipeline).fit_transform(cohort.X)
        found = read_all(epochs)
        assert found.keys() == expected.keys()
        for key, samples in found.items():
            assert isinstance(samples, np.memmap)
            np.testing.assert_array_equal(samples, expected[key])
    assert reads(cache_folders[1]) == 2 * n_signals(epochs)  # once without, once with the cache
    recording = epochs.recordings[0]
    plain = pipeline[:-1].fit_transform(cohort.X).recordings[0]
    assert (recording.subject, recording.start, recording.n_epochs) == (
        plain.subject,
        plain.start,
        plain.n_epochs,
    )
    assert repr(recording.signals["ECG"]) == repr(plain.signals["ECG"])


def test_only_what_is_asked_for_is_processed(cohort, cache_folders):
    epochs = steps(*cache_folders).fit_transform(cohort.X)
    assert reads(cache_folders[1]) == 0
    epochs.recordings[0].signals["ECG"].data  # noqa: B018
    assert reads(cache_folders[1]) == 1


def test_changed_steps_and_changed_files_are_processed_again(cohort, cache_folders, tmp_path):
    import shutil

    path = tmp_path / "night.edf"
    shutil.copy(cohort.recordings["path"][0], path)
    pipeline = steps(*cache_folders, signals=["ECG"])
    read_all(pipeline.fit_transform(str(path)))
    read_all(pipeline.fit_transform(str(path)))
    assert reads(cache_folders[1]) == 1
    changed = clone(pipeline).set_params(normalizer__method="causal")
    causal = read_all(changed.fit_transform(str(path)))
    assert reads(cache_folders[1]) == 2
    os.utime(path, ns=(0, 0))
    read_all(pipeline.fit_transform(str(path)))
    assert reads(cache_folders[1]) == 3
    np.testing.assert_array_equal(
        read_all(changed[:-1].fit_transform(str(path)))[str(path), "ECG"], causal[str(path), "ECG"]
    )


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_with_n_jobs_nights_are_processed_at_once(cohort, cache_folders, n_jobs):
    epochs = steps(*cache_folders, n_jobs=n_jobs).fit_transform(cohort.X)
    assert reads(cache_folders[1]) == n_signals(epochs)
    read_all(epochs)
    assert reads(cache_folders[1]) == n_signals(epochs)


def test_processes_that_need_the_same_signal_wait_for_one(cohort, cache_folders):
    path = cohort.recordings["path"][0]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        sums = pool.starmap(read_slowly, [(path, str(cache_folders[0]), str(cache_folders[1]))] * 4)
    assert len(set(sums)) == 1
    assert reads(cache_folders[1]) == 1


STEP = "wav2sleepclassifier"
CANDIDATES = [
    {f"{STEP}__mask_probability__PPG": [0.0, 0.8]},
    {f"{STEP}__module__feature_dim": [16]},
    {f"{STEP}__lr": [1e-2]},
]


def search(cohort, make_classifier, cache_folders, **parameters):
    classifier = make_classifier(max_epochs=1, signals=list(SIGNALS))
    pipeline = make_pipeline(*(step for _, step in steps(*cache_folders).steps), classifier)
    folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    return GridSearchCV(pipeline, CANDIDATES, cv=folds, scoring="neg_log_loss", **parameters).fit(
        cohort.X, cohort.y, groups=cohort.groups
    )


@pytest.fixture(scope="module")
def serial(cohort, make_classifier, tmp_path_factory):
    root = tmp_path_factory.mktemp("serial")
    (root / "counts").mkdir()
    found = search(cohort, make_classifier, (root / "cache", root / "counts"))
    # The candidates differ, so that equality says something.
    assert len(np.unique(found.cv_results_["mean_test_score"])) == 4
    return found, reads(root / "counts")


def signals_in(cohort):
    return n_signals(EDFReader(list(SIGNALS)).fit_transform(cohort.X))


def test_grid_search_reads_each_edf_once(serial, cohort):
    _, n_reads = serial
    assert n_reads == signals_in(cohort)


def test_grid_search_on_two_processes_reads_each_edf_once(
    serial, cohort, make_classifier, cache_folders
):
    found = search(cohort, make_classifier, cache_folders, n_jobs=2)
    assert reads(cache_folders[1]) == signals_in(cohort)
    for key, scores in serial[0].cv_results_.items():
        if key.startswith("split"):
            np.testing.assert_array_equal(found.cv_results_[key], scores)
    np.testing.assert_array_equal(found.predict_proba(cohort.X), serial[0].predict_proba(cohort.X))


@pytest.mark.parametrize(
    ("parameters", "name"), [({"max_bytes": 0}, "max_bytes"), ({"folder": 3}, "folder")]
)
def test_impossible_parameters(parameters, name, cohort, tmp_path):
    epochs = EDFReader(["ECG"]).fit_transform(cohort.X)
    with pytest.raises(ValueError, match=f"'{name}' parameter of RecordingCache"):
        RecordingCache(**{"folder": tmp_path, **parameters}).fit(epochs)


def test_recordings_pickle_small(cohort, cache_folders):
    epochs = steps(*cache_folders).fit_transform(cohort.X)
    expected = read_all(epochs)
    content = pickle.dumps(epochs.recordings)
    assert len(content) < 5000 * len(epochs.recordings)
    for recording in pickle.loads(content):  # noqa: S301
        for name, signal in recording.signals.items():
            np.testing.assert_array_equal(signal.data, expected[recording.path, name])


def test_heart_rate_is_cached_between_two_caches(cohort, cache_folders):
    path = cohort.recordings["path"][0]
    cache, counts = cache_folders
    pipeline = make_pipeline(
        EDFReader(["ECG"]),
        CountReads(str(counts)),
        RecordingCache(str(cache)),
        InstantaneousHeartRate(),
        Resampler(),
        Epocher(),
        RecordingCache(str(cache)),
    )
    for _ in range(2):
        found = read_all(pipeline.fit_transform(path))
        assert reads(counts) == 1
    plain = make_pipeline(EDFReader(["ECG"]), InstantaneousHeartRate(), Resampler(), Epocher())
    for key, samples in read_all(plain.fit_transform(path)).items():
        np.testing.assert_array_equal(found[key], samples)


def is_mapped(tensor, cache):
    """Whether a tensor's address lies in a mapped file of the cache."""
    address = tensor.data_ptr()
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, *_, file = line.split(maxsplit=5)
        start, stop = (int(part, 16) for part in span.split("-"))
        if start <= address < stop:
            return file.startswith(str(cache))
    return False


linux = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux tells mapped files")


@linux
@pytest.mark.parametrize("n_workers", [0, 2])
def test_workers_of_a_data_loader_pass_mapped_nights_on_without_copying(
    cohort, cache_folders, n_workers
):
    epochs = steps(*cache_folders, n_jobs=1).fit_transform(cohort.X)
    dataset = NightDataset(epochs, SIGNALS)
    loader = DataLoader(dataset, batch_size=2, collate_fn=collate_nights, num_workers=n_workers)
    expected = read_all(epochs)
    n_mapped = 0
    for batch in loader:
        for night in batch.nights:
            for name, samples in night.x.items():
                np.testing.assert_array_equal(
                    samples.numpy(), np.nan_to_num(expected[night.path, name])
                )
                whole = not np.isnan(expected[night.path, name]).any()
                assert is_mapped(samples, cache_folders[0]) == whole
                n_mapped += whole
    assert n_mapped > len(epochs.recordings)


def test_file_that_was_evicted_on_the_way_is_named(cohort, cache_folders):
    epochs = steps(*cache_folders, signals=["ECG"]).fit_transform(cohort.X)
    content = pickle.dumps(NightDataset(epochs, ["ECG"])[0])
    for path in files_of(cache_folders[0]):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"ECG.*was evicted.*Raise max_bytes"):
        pickle.loads(content)  # noqa: S301


def test_changed_samples_are_passed_on_as_they_are(cohort, cache_folders):
    from dataclasses import replace

    epochs = steps(*cache_folders).fit_transform(cohort.X)
    night = NightDataset(epochs, SIGNALS)[0]
    louder = replace(night, x={name: 2 * samples for name, samples in night.x.items()})
    passed = pickle.loads(pickle.dumps(louder))  # noqa: S301
    for name, samples in louder.x.items():
        assert torch.equal(passed.x[name], samples)


def test_cache_of_a_step_before_the_epocher(cohort, cache_folders):
    path = cohort.recordings["path"][0]
    cache, _ = cache_folders
    pipeline = make_pipeline(
        EDFReader(["ECG"]), Resampler(RATES), RecordingCache(str(cache)), Epocher()
    )
    night = NightDataset(pipeline.fit_transform(path), ["ECG"])[0]
    assert night.x["ECG"].shape[1] == 256
    passed = pickle.loads(pickle.dumps(night))  # noqa: S301
    assert torch.equal(passed.x["ECG"], night.x["ECG"])


def test_saved_pipeline_has_no_cache(cohort, make_classifier, cache_folders, tmp_path):
    pipeline = make_pipeline(
        EDFReader(["ECG"]),
        Resampler(RATES),
        Normalizer(),
        Epocher(),
        RecordingCache(str(cache_folders[0])),
        make_classifier(),
    ).fit(cohort.X, cohort.y)
    save_pretrained(pipeline, tmp_path / "model")
    loaded = load_pretrained(tmp_path / "model")
    assert "recordingcache" not in loaded.named_steps
    np.testing.assert_array_equal(loaded.predict(cohort.X), pipeline.predict(cohort.X))
