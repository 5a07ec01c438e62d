"""The folder of a RecordingCache: whole files or none, whoever writes and whatever breaks."""

import errno
import json
import os
import shutil
import signal as signals_of_the_system
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cache_steps import files_of, read_all, reads, steps
from sklearn.pipeline import make_pipeline

from sklearn_sleep._version import __version__
from sklearn_sleep.exceptions import CacheWarning
from sklearn_sleep.preprocessing import (
    EDFReader,
    RecordingCache,
    recording_cache,
)
from sklearn_sleep.preprocessing.recording_cache import CacheStore

WRITTEN_BY_0_1_0 = Path(__file__).parents[1] / "data" / "written-by-0.1.0"


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied", "replaced"])
def test_damaged_file_is_made_again(cohort, cache_folders, damage):
    path = cohort.recordings["path"][0]
    expected = read_all(steps(*cache_folders, signals=["ECG"]).fit_transform(path))[
        path, "ECG"
    ].copy()
    (file,) = files_of(cache_folders[0])
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
        found = read_all(steps(*cache_folders, signals=["ECG"]).fit_transform(path))[path, "ECG"]
    np.testing.assert_array_equal(found, expected)
    assert reads(cache_folders[1]) == 2
    read_all(steps(*cache_folders, signals=["ECG"]).fit_transform(path))
    assert reads(cache_folders[1]) == 2


KILLED = """
import sys
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn_sleep.preprocessing import recording_cache, EDFReader, RecordingCache

save = np.save
def save_slowly(file, samples, **parameters):
    save(file, samples[: len(samples) // 2], **parameters)
    file.flush()
    print("half", flush=True)
    sys.stdin.read()
recording_cache.np.save = save_slowly
pipeline = make_pipeline(EDFReader(["ECG"]), RecordingCache(sys.argv[2]))
pipeline.fit_transform(sys.argv[1]).recordings[0].signals["ECG"].data
"""


def test_killed_writer_leaves_nothing_that_is_read(cohort, cache_folders):
    path = cohort.recordings["path"][0]
    arguments = [sys.executable, "-c", KILLED, path, str(cache_folders[0])]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline() == "half\n"
        writer.send_signal(signals_of_the_system.SIGKILL)
    assert files_of(cache_folders[0]) == []
    assert len(list(cache_folders[0].rglob("*.partial"))) == 1
    pipeline = make_pipeline(EDFReader(["ECG"]), RecordingCache(str(cache_folders[0])))
    found = read_all(pipeline.fit_transform(path))[path, "ECG"]
    np.testing.assert_array_equal(found, read_all(pipeline[:-1].fit_transform(path))[path, "ECG"])
    assert len(files_of(cache_folders[0])) == 1
    assert not list(cache_folders[0].rglob("*.partial"))


def size_of(cache):
    return sum(file.stat().st_size for file in files_of(cache))


def test_least_lately_used_files_are_evicted(cohort, cache_folders):
    paths = list(cohort.recordings["path"][:4])
    whole = steps(cache_folders[0], cache_folders[1], signals=["ECG"])
    sizes = []
    for path in paths:
        read_all(whole.fit_transform(path))
        sizes.append(size_of(cache_folders[0]) - sum(sizes))
    limit = sum(sizes) - 1
    # Used last, the first night stays; the second one goes for a fifth.
    read_all(whole.fit_transform(paths[0]))
    limited = steps(cache_folders[0], cache_folders[1], signals=["ECG"], max_bytes=limit)
    read_all(limited.fit_transform(cohort.recordings["path"][4]))
    assert size_of(cache_folders[0]) <= limit
    before = reads(cache_folders[1])
    read_all(limited.fit_transform(paths[0]))
    assert reads(cache_folders[1]) == before
    read_all(limited.fit_transform(paths[1]))
    assert reads(cache_folders[1]) == before + 1


def test_a_night_that_is_read_may_be_evicted(cohort, cache_folders):
    paths = list(cohort.recordings["path"])
    pipeline = steps(*cache_folders, signals=["ECG"], max_bytes=1)
    expected = read_all(pipeline[:-1].fit_transform(paths))
    found = read_all(pipeline.fit_transform(paths))
    assert len(files_of(cache_folders[0])) == 1
    for key, samples in found.items():
        np.testing.assert_array_equal(samples, expected[key])


def test_folder_that_cannot_be_written(cohort, cache_folders, monkeypatch):
    path = cohort.recordings["path"][0]
    pipeline = steps(*cache_folders, signals=["ECG"]).fit(path)

    def fail(*arguments, **parameters):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sklearn_sleep.preprocessing.recording_cache.np.save", fail)
    with pytest.warns(CacheWarning, match="disk is full.*No space left on device.*used without"):
        found = read_all(pipeline.transform(path))[path, "ECG"]
    np.testing.assert_array_equal(found, read_all(pipeline[:-1].transform(path))[path, "ECG"])
    assert not list(cache_folders[0].rglob("*.partial"))


def refuse(number):
    def fail(*arguments, **parameters):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.EROFS, errno.EPERM, errno.ENOSYS])
def test_a_cache_in_which_nothing_can_be_changed_is_read(
    cohort, cache_folders, monkeypatch, number
):
    path, other = cohort.recordings["path"][:2]
    expected = read_all(steps(*cache_folders, signals=["ECG"]).fit_transform(path))[path, "ECG"]
    files = files_of(cache_folders[0])
    recording_cache._verified.clear()  # as in a new process
    monkeypatch.setattr(recording_cache.os, "utime", refuse(number))
    monkeypatch.setattr(recording_cache.FileLock, "acquire", refuse(number))
    pipeline = steps(*cache_folders, signals=["ECG"])
    found = read_all(pipeline.fit_transform(path))[path, "ECG"]
    np.testing.assert_array_equal(found, expected)
    assert reads(cache_folders[1]) == 1
    with pytest.warns(CacheWarning, match="the cache cannot be written.*used without"):
        read_all(pipeline.transform(other))
    monkeypatch.undo()
    assert files_of(cache_folders[0]) == files


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EMFILE])
def test_a_sound_file_that_cannot_be_read_is_not_called_damaged(
    cohort, cache_folders, monkeypatch, number
):
    path = cohort.recordings["path"][0]
    pipeline = steps(*cache_folders, signals=["ECG"])
    expected = read_all(pipeline.fit_transform(path))[path, "ECG"].copy()
    files = files_of(cache_folders[0])
    recording_cache._verified.clear()
    monkeypatch.setattr(recording_cache, "_is_sound", refuse(number))
    with pytest.warns(CacheWarning, match=rf"cannot be read \(\[Errno {number}\]"):
        found = read_all(pipeline.transform(path))[path, "ECG"]
    monkeypatch.undo()
    np.testing.assert_array_equal(found, expected)
    assert files_of(cache_folders[0]) == files


FULL = """
import resource, sys, warnings
from sklearn.pipeline import make_pipeline
from sklearn_sleep.preprocessing import EDFReader, RecordingCache

pipeline = make_pipeline(EDFReader(["ECG"]), RecordingCache(sys.argv[2])).fit(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
warnings.simplefilter("error")
try:
    pipeline.transform(sys.argv[1]).recordings[0].signals["ECG"].data
except Warning as warning:
    print(warning)
"""


def test_a_disk_that_is_full(cohort, cache_folders):
    """numpy would say that so many items were requested and so many written."""
    told = subprocess.run(
        [sys.executable, "-c", FULL, cohort.recordings["path"][0], cache_folders[0]],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "the disk is full ([Errno 27] File too large). ECG is used without it." in told
    assert not [path for path in cache_folders[0].rglob("*ECG*") if path.suffix != ".lock"]


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
    with pytest.raises(ValueError, match="not empty and not a recording cache"):
        steps(tmp_path, tmp_path).fit(cohort.X)
    assert (tmp_path / "thesis.txt").read_text() == "Sleep"
    other = tmp_path / "other"
    other.mkdir()
    for content, message in (
        ("{", r"is not the mark of a recording cache\. Give a new folder"),
        ('{"version": 99}', "is not the mark of a recording cache"),
    ):
        (other / "recording-cache.json").write_text(content)
        with pytest.raises(ValueError, match=message):
            steps(other, tmp_path).fit(cohort.X)


def test_caches_of_other_versions_are_refused_by_name(tmp_path, cohort):
    old = tmp_path / "old"
    shutil.copytree(WRITTEN_BY_0_1_0 / "cache", old)
    before = sorted(old.rglob("*"))
    with pytest.raises(
        ValueError, match=r"that sklearn_sleep 0\.1\.0 wrote.* Give a new folder, or"
    ):
        steps(old, tmp_path).fit(cohort.X)
    assert sorted(old.rglob("*")) == before
    folder = tmp_path / "new"
    steps(folder, tmp_path).fit(cohort.X)
    mark = json.loads((folder / "recording-cache.json").read_text())
    assert (mark["version"], mark["written_by"]) == (2, __version__)
    mark.update(processing=mark["processing"] + 1, written_by="7.0.0")
    (folder / "recording-cache.json").write_text(json.dumps(mark))
    with pytest.raises(ValueError, match=r"sklearn_sleep 7\.0\.0 wrote.*delete this one"):
        steps(folder, tmp_path).fit(cohort.X)


def test_another_version_of_the_same_processing_uses_the_cache(
    tmp_path, cohort, cache_folders, monkeypatch
):
    path = cohort.recordings["path"][0]
    expected = read_all(steps(*cache_folders, signals=["ECG"]).fit_transform(path))
    monkeypatch.setattr("sklearn_sleep.core.folder_mark.__version__", "9.9.9")
    found = read_all(steps(*cache_folders, signals=["ECG"]).fit_transform(path))
    np.testing.assert_array_equal(found[path, "ECG"], expected[path, "ECG"])
    assert reads(cache_folders[1]) == 1
