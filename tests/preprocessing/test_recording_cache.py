"""RecordingCache: each night processed once, whoever asks, and never half of it read."""

import multiprocessing
import os
import pickle
import signal as signals_of_the_system
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from torch.utils.data import DataLoader

from sklearn_sleep.classifiers.night_dataset import NightDataset, collate_nights
from sklearn_sleep.exceptions import CacheWarning
from sklearn_sleep.features import InstantaneousHeartRate
from sklearn_sleep.preprocessing import (
    EDFReader,
    Epocher,
    Normalizer,
    RecordingCache,
    RecordingTransformer,
    Resampler,
)
from sklearn_sleep.preprocessing._cache_store import CacheStore
from sklearn_sleep.pretrained import load_pretrained, save_pretrained

RATES = {"ECG": 256, "PPG": 256, "ABD": 64, "THX": 64}
SIGNALS = ("ECG", "PPG", "ABD", "THX")


class CountReads(RecordingTransformer):
    """Leave a file for each time that samples are read, whatever process reads them."""

    def __init__(self, folder, seconds=0.0):
        self.folder = folder
        self.seconds = seconds

    def transform_signal(self, signal):
        def count(samples):
            name = f"{signal.name}-{abs(hash(samples.tobytes()))}"
            Path(self.folder, f"{name}-{os.getpid()}-{time.perf_counter_ns()}").touch()
            time.sleep(self.seconds)
            return samples

        return signal.map(count)


def reads(folder):
    return len(list(Path(folder).iterdir()))


def steps(cache, counts, signals=SIGNALS, **parameters):
    return make_pipeline(
        EDFReader(list(signals)),
        CountReads(str(counts)),
        Resampler(RATES),
        Normalizer(),
        Epocher(),
        RecordingCache(str(cache), **parameters),
    )


def n_signals(epochs):
    return sum(len(recording.signals) for recording in epochs.recordings)


def read_all(epochs):
    return {
        (recording.path, name): signal.data
        for recording in epochs.recordings
        for name, signal in recording.signals.items()
    }


@pytest.fixture
def folders(tmp_path):
    counts = tmp_path / "counts"
    counts.mkdir()
    return tmp_path / "cache", counts


def test_samples_are_those_without_a_cache_and_memory_mapped(cohort, folders):
    pipeline = steps(*folders)
    expected = read_all(pipeline[:-1].fit_transform(cohort.X))
    for _ in range(2):
        epochs = clone(pipeline).fit_transform(cohort.X)
        found = read_all(epochs)
        assert found.keys() == expected.keys()
        for key, samples in found.items():
            assert isinstance(samples, np.memmap)
            np.testing.assert_array_equal(samples, expected[key])
    assert reads(folders[1]) == 2 * n_signals(epochs)  # once without, once with the cache
    recording = epochs.recordings[0]
    plain = pipeline[:-1].fit_transform(cohort.X).recordings[0]
    assert (recording.subject, recording.start, recording.n_epochs) == (
        plain.subject,
        plain.start,
        plain.n_epochs,
    )
    assert repr(recording.signals["ECG"]) == repr(plain.signals["ECG"])


def test_only_what_is_asked_for_is_processed(cohort, folders):
    epochs = steps(*folders).fit_transform(cohort.X)
    assert reads(folders[1]) == 0
    epochs.recordings[0].signals["ECG"].data  # noqa: B018
    assert reads(folders[1]) == 1


def test_changed_steps_and_changed_files_are_processed_again(cohort, folders, tmp_path):
    import shutil

    path = tmp_path / "night.edf"
    shutil.copy(cohort.recordings["path"][0], path)
    pipeline = steps(*folders, signals=["ECG"])
    read_all(pipeline.fit_transform(str(path)))
    read_all(pipeline.fit_transform(str(path)))
    assert reads(folders[1]) == 1
    changed = clone(pipeline).set_params(normalizer__method="causal")
    causal = read_all(changed.fit_transform(str(path)))
    assert reads(folders[1]) == 2
    os.utime(path, ns=(0, 0))
    read_all(pipeline.fit_transform(str(path)))
    assert reads(folders[1]) == 3
    np.testing.assert_array_equal(
        read_all(changed[:-1].fit_transform(str(path)))[str(path), "ECG"], causal[str(path), "ECG"]
    )


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_with_n_jobs_nights_are_processed_at_once(cohort, folders, n_jobs):
    epochs = steps(*folders, n_jobs=n_jobs).fit_transform(cohort.X)
    assert reads(folders[1]) == n_signals(epochs)
    read_all(epochs)
    assert reads(folders[1]) == n_signals(epochs)


def read_in_process(path, cache, counts):
    pipeline = steps(cache, counts, signals=["ECG"])
    pipeline.set_params(countreads__seconds=0.5)
    return read_all(pipeline.fit_transform(path))[path, "ECG"].sum()


def test_processes_that_need_the_same_signal_wait_for_one(cohort, folders):
    path = cohort.recordings["path"][0]
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        sums = pool.starmap(read_in_process, [(path, str(folders[0]), str(folders[1]))] * 6)
    assert len(set(sums)) == 1
    assert reads(folders[1]) == 1


CANDIDATES = {"wav2sleepclassifier__mask_probability__PPG": [i / 12 for i in range(12)]}


def search(cohort, make_classifier, folders, **parameters):
    classifier = make_classifier(max_epochs=1, signals=list(SIGNALS))
    pipeline = make_pipeline(*(step for _, step in steps(*folders).steps), classifier)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    return GridSearchCV(pipeline, CANDIDATES, cv=folds, scoring="accuracy", **parameters).fit(
        cohort.X, cohort.y, groups=cohort.groups
    )


@pytest.fixture(scope="module")
def serial(cohort, make_classifier, tmp_path_factory, one_thread):
    root = tmp_path_factory.mktemp("serial")
    (root / "counts").mkdir()
    found = search(cohort, make_classifier, (root / "cache", root / "counts"))
    return found, reads(root / "counts")


def signals_in(cohort):
    return n_signals(EDFReader(list(SIGNALS)).fit_transform(cohort.X))


def test_grid_search_of_12_candidates_and_5_folds_reads_each_edf_once(serial, cohort):
    found, n_reads = serial
    assert len(found.cv_results_["params"]) == 12
    assert n_reads == signals_in(cohort)


def test_grid_search_on_two_processes_reads_each_edf_once(serial, cohort, make_classifier, folders):
    found = search(cohort, make_classifier, folders, n_jobs=2)
    assert reads(folders[1]) == signals_in(cohort)
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"], serial[0].cv_results_["mean_test_score"]
    )


def test_grid_search_on_dask_reads_each_edf_once(serial, cohort, make_classifier, folders):
    from distributed import Client, LocalCluster, get_task_stream

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        get_task_stream(client) as tasks,
        joblib.parallel_config(backend="dask"),
    ):
        client.run(sys.path.append, str(Path(__file__).parent))
        found = search(cohort, make_classifier, folders)
    assert len({task["worker"] for task in tasks.data}) == 2
    assert reads(folders[1]) == signals_in(cohort)
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"], serial[0].cv_results_["mean_test_score"]
    )


def files_of(cache):
    return sorted(Path(cache).glob("??/*/*.npy"))


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied", "replaced"])
def test_damaged_file_is_made_again(cohort, folders, damage):
    path = cohort.recordings["path"][0]
    expected = read_all(steps(*folders, signals=["ECG"]).fit_transform(path))[path, "ECG"].copy()
    (file,) = files_of(folders[0])
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    elif damage == "cut":
        del content[-100:]
    elif damage == "emptied":
        content.clear()
    else:
        content[:] = b"\x80\x04N." * 100  # a pickle
    file.unlink()
    file.write_bytes(bytes(content))
    with pytest.warns(CacheWarning, match="is damaged, and the night is processed again"):
        found = read_all(steps(*folders, signals=["ECG"]).fit_transform(path))[path, "ECG"]
    np.testing.assert_array_equal(found, expected)
    assert reads(folders[1]) == 2
    read_all(steps(*folders, signals=["ECG"]).fit_transform(path))
    assert reads(folders[1]) == 2


KILLED = """
import sys
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn_sleep.preprocessing import _cache_store, EDFReader, RecordingCache

save = np.save
def save_slowly(file, samples, **parameters):
    save(file, samples[: len(samples) // 2], **parameters)
    file.flush()
    print("half", flush=True)
    sys.stdin.read()
_cache_store.np.save = save_slowly
pipeline = make_pipeline(EDFReader(["ECG"]), RecordingCache(sys.argv[2]))
pipeline.fit_transform(sys.argv[1]).recordings[0].signals["ECG"].data
"""


def test_killed_writer_leaves_nothing_that_is_read(cohort, folders):
    path = cohort.recordings["path"][0]
    arguments = [sys.executable, "-c", KILLED, path, str(folders[0])]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline() == "half\n"
        writer.send_signal(signals_of_the_system.SIGKILL)
    assert files_of(folders[0]) == []
    assert len(list(folders[0].rglob("*.partial"))) == 1
    pipeline = make_pipeline(EDFReader(["ECG"]), RecordingCache(str(folders[0])))
    found = read_all(pipeline.fit_transform(path))[path, "ECG"]
    np.testing.assert_array_equal(found, read_all(pipeline[:-1].fit_transform(path))[path, "ECG"])
    assert len(files_of(folders[0])) == 1
    assert not list(folders[0].rglob("*.partial"))


def size_of(cache):
    return sum(file.stat().st_size for file in files_of(cache))


def test_least_lately_used_files_are_evicted(cohort, folders):
    paths = list(cohort.recordings["path"][:4])
    whole = steps(folders[0], folders[1], signals=["ECG"])
    sizes = []
    for path in paths:
        read_all(whole.fit_transform(path))
        sizes.append(size_of(folders[0]) - sum(sizes))
    limit = sum(sizes) - 1
    # Used last, the first night stays; the second one goes for a fifth.
    read_all(whole.fit_transform(paths[0]))
    limited = steps(folders[0], folders[1], signals=["ECG"], max_bytes=limit)
    read_all(limited.fit_transform(cohort.recordings["path"][4]))
    assert size_of(folders[0]) <= limit
    before = reads(folders[1])
    read_all(limited.fit_transform(paths[0]))
    assert reads(folders[1]) == before
    read_all(limited.fit_transform(paths[1]))
    assert reads(folders[1]) == before + 1


def test_a_night_that_is_read_may_be_evicted(cohort, folders):
    paths = list(cohort.recordings["path"])
    pipeline = steps(*folders, signals=["ECG"], max_bytes=1)
    expected = read_all(pipeline[:-1].fit_transform(paths))
    found = read_all(pipeline.fit_transform(paths))
    assert len(files_of(folders[0])) == 1
    for key, samples in found.items():
        np.testing.assert_array_equal(samples, expected[key])


def test_folder_that_cannot_be_written(cohort, folders, monkeypatch):
    path = cohort.recordings["path"][0]
    pipeline = steps(*folders, signals=["ECG"]).fit(path)

    def fail(*arguments, **parameters):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sklearn_sleep.preprocessing._cache_store.np.save", fail)
    with pytest.warns(CacheWarning, match="No space left on device.*used without"):
        found = read_all(pipeline.transform(path))[path, "ECG"]
    np.testing.assert_array_equal(found, read_all(pipeline[:-1].transform(path))[path, "ECG"])
    assert not list(folders[0].rglob("*.partial"))


def test_folder_that_many_claim_at_once(tmp_path):
    # What another process has begun to write is not something else.
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / ".recording-cache.json.0.partial").write_text("{")
    CacheStore(str(tmp_path / "begun")).claim()

    def claim(folder, barrier):
        barrier.wait()
        CacheStore(str(folder)).claim()

    with ThreadPoolExecutor(8) as pool:
        for number in range(50):
            barrier = threading.Barrier(8)
            claims = [pool.submit(claim, tmp_path / str(number), barrier) for _ in range(8)]
            assert [one.result() for one in claims] == [None] * 8
            assert [path.name for path in (tmp_path / str(number)).iterdir()] == [
                "recording-cache.json"
            ]


def test_folder_of_something_else_is_refused(tmp_path, cohort):
    (tmp_path / "thesis.txt").write_text("Sleep")
    with pytest.raises(ValueError, match="not empty and not a cache"):
        steps(tmp_path, tmp_path).fit(cohort.X)
    assert (tmp_path / "thesis.txt").read_text() == "Sleep"
    other = tmp_path / "other"
    other.mkdir()
    (other / "recording-cache.json").write_text('{"version": 99}')
    with pytest.raises(ValueError, match="not of this version"):
        steps(other, tmp_path).fit(cohort.X)


@pytest.mark.parametrize(
    ("parameters", "name"), [({"max_bytes": 0}, "max_bytes"), ({"folder": 3}, "folder")]
)
def test_impossible_parameters(parameters, name, cohort, tmp_path):
    epochs = EDFReader(["ECG"]).fit_transform(cohort.X)
    with pytest.raises(ValueError, match=f"'{name}' parameter of RecordingCache"):
        RecordingCache(**{"folder": tmp_path, **parameters}).fit(epochs)


def test_recordings_pickle_small(cohort, folders):
    epochs = steps(*folders).fit_transform(cohort.X)
    expected = read_all(epochs)
    content = pickle.dumps(epochs.recordings)
    assert len(content) < 5000 * len(epochs.recordings)
    for recording in pickle.loads(content):  # noqa: S301
        for name, signal in recording.signals.items():
            np.testing.assert_array_equal(signal.data, expected[recording.path, name])


def test_heart_rate_is_cached_between_two_caches(cohort, folders):
    path = cohort.recordings["path"][0]
    cache, counts = folders
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
def test_workers_of_a_data_loader_pass_mapped_nights_on_without_copying(cohort, folders, n_workers):
    epochs = steps(*folders, n_jobs=1).fit_transform(cohort.X)
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
                assert is_mapped(samples, folders[0]) == whole
                n_mapped += whole
    assert n_mapped > len(epochs.recordings)


def test_file_that_was_evicted_on_the_way_is_named(cohort, folders):
    epochs = steps(*folders, signals=["ECG"]).fit_transform(cohort.X)
    content = pickle.dumps(NightDataset(epochs, ["ECG"])[0])
    for path in files_of(folders[0]):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"ECG.*was evicted.*Raise max_bytes"):
        pickle.loads(content)  # noqa: S301


def test_changed_samples_are_passed_on_as_they_are(cohort, folders):
    from dataclasses import replace

    epochs = steps(*folders).fit_transform(cohort.X)
    night = NightDataset(epochs, SIGNALS)[0]
    louder = replace(night, x={name: 2 * samples for name, samples in night.x.items()})
    passed = pickle.loads(pickle.dumps(louder))  # noqa: S301
    for name, samples in louder.x.items():
        assert torch.equal(passed.x[name], samples)


def test_cache_of_a_step_before_the_epocher(cohort, folders):
    path = cohort.recordings["path"][0]
    cache, _ = folders
    pipeline = make_pipeline(
        EDFReader(["ECG"]), Resampler(RATES), RecordingCache(str(cache)), Epocher()
    )
    night = NightDataset(pipeline.fit_transform(path), ["ECG"])[0]
    assert night.x["ECG"].shape[1] == 256
    passed = pickle.loads(pickle.dumps(night))  # noqa: S301
    assert torch.equal(passed.x["ECG"], night.x["ECG"])


def test_saved_pipeline_has_no_cache(cohort, make_classifier, folders, tmp_path):
    pipeline = make_pipeline(
        EDFReader(["ECG"]),
        Resampler(RATES),
        Normalizer(),
        Epocher(),
        RecordingCache(str(folders[0])),
        make_classifier(),
    ).fit(cohort.X, cohort.y)
    save_pretrained(pipeline, tmp_path / "model")
    loaded = load_pretrained(tmp_path / "model")
    assert "recordingcache" not in loaded.named_steps
    np.testing.assert_array_equal(loaded.predict(cohort.X), pipeline.predict(cohort.X))
