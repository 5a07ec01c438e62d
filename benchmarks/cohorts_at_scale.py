"""Cohorts larger than memory: ingestion and training, in bytes, seconds and nights.

    python benchmarks/cohorts_at_scale.py --work WORK [--nights 200]

Makes synthetic eight-hour nights at all sites in WORK (what is there is kept), and measures

- ingestion with one and two processes: seconds a night, bytes, and the memory of all processes
  together (proportional set sizes, ten times a second);
- ingestion that is killed again and again: whether its files are those of an uninterrupted one;
- training with all samples in memory, and from a RecordingCache under a limit of memory. On Linux,
  as root, the limit holds for all that the process takes, torch and files in memory included (a
  control group); files that were in memory are forgotten before.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import psutil
from sklearn.pipeline import Pipeline, make_pipeline

SIGNALS = ["ECG", "PPG", "ABD", "THX"]
IN_MEMORY = 600  # nights
_GROUPS = Path("/sys/fs/cgroup/memory")


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--nights", type=int, default=200)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--limit", type=float, default=0.9, help="GB that training may take")
    parser.add_argument("--only", choices=("ingest", "kill", "train"))
    parser.add_argument("--train", choices=("memory", "cache"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.work = options.work.resolve()
    if options.train:
        train(options.work, options.train)
        return
    if options.only != "train":
        make_nights(options.work, options.nights)
    if options.only in (None, "ingest"):
        measure_ingestion(options.work)
    if options.only in (None, "kill"):
        measure_interruptions(options.work, options.kills)
    if options.only in (None, "train"):
        measure_training(options.work, options.limit)


def make_nights(work: Path, n_nights: int) -> None:
    """Make the synthetic cohort."""
    from sklearn_sleep.simulation.make_cohort import make_cohort

    started = time.perf_counter()
    make_cohort(
        work / "cohort",
        n_subjects=n_nights,
        hours=8.0,
        second_visit_probability=0.0,
        n_jobs=-1,
        verbose=True,
    )
    size = sum(path.stat().st_size for path in (work / "cohort").rglob("*.edf"))
    print(
        f"{n_nights} nights of eight hours, {size / 1e9:.1f} GB of EDF, "
        f"made in {time.perf_counter() - started:.0f} s"
    )


def measure_ingestion(work: Path) -> None:
    """Ingest with one and with two processes."""
    print("\n| processes | s | nights/s | peak in both halves, MB | GB written |")
    print("| --- | --- | --- | --- | --- |")
    for n_jobs in (1, 2):
        store = work / f"store-{n_jobs}"
        shutil.rmtree(store, ignore_errors=True)
        started = time.perf_counter()
        process = subprocess.Popen(command(work, store, n_jobs), **quiet())
        first, second = watch_memory(process)
        seconds = time.perf_counter() - started
        n_nights = len(list((store / "nights").iterdir()))
        size = sum(path.stat().st_size for path in (store / "recordings").rglob("*.npy"))
        print(
            f"| {n_jobs} | {seconds:.0f} | {n_nights / seconds:.2f} | "
            f"{first / 1e6:.0f}, {second / 1e6:.0f} | "
            f"{size / 1e9:.2f} |",
            flush=True,
        )


def command(work: Path, store: Path, n_jobs: int) -> list[str]:
    """Return the command that ingests."""
    return [
        *(sys.executable, "-m", "sklearn_sleep", "ingest", str(work / "cohort")),
        *("--out", str(store), "--jobs", str(n_jobs)),
    ]


def quiet() -> dict[str, object]:
    """Return what a process is started with: no output, a group of its own, one thread each."""
    return {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "start_new_session": True,
    }


def watch_memory(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Return the largest memory of a process and its children in both halves of its time."""
    totals = []
    family = psutil.Process(process.pid)
    while process.poll() is None:
        total = 0
        with contextlib.suppress(psutil.Error):
            for member in [family, *family.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    total += member.memory_full_info().pss
        totals.append(total)
        time.sleep(0.1)
    if process.returncode:
        sys.exit(f"The ingestion ended with {process.returncode}.")
    half = len(totals) // 2
    return max(totals[:half]), max(totals[half:])


def measure_interruptions(work: Path, n_kills: int) -> None:
    """Kill an ingestion again and again, let it finish, and compare."""
    store = work / "store-killed"
    shutil.rmtree(store, ignore_errors=True)
    rng = np.random.default_rng(0)
    for _ in range(n_kills):
        process = subprocess.Popen(command(work, store, 2), **quiet())
        time.sleep(rng.uniform(8, 20))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    partials = len(list(store.rglob(".*.partial")))
    subprocess.run(command(work, store, 2), check=True, **quiet())
    same = hashes(store) == hashes(work / "store-2")
    print(f"\n{n_kills} kills, {partials} half-written files left by them; same files: {same}")


def hashes(store: Path) -> dict[str, str]:
    """Return the hash of each file of a store that is not half-written."""
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in store.rglob("*")
        if path.is_file() and path.suffix not in (".lock", ".partial")
    }


def measure_training(work: Path, limit: float) -> None:
    """Train on ten times the limit, from a cache under it and from memory."""
    from sklearn_sleep.simulation.make_cohort import make_cohort

    # Nights of two hours: what one of them takes while it is learnt stays below the limit.
    made = make_cohort(work / "short", n_subjects=64, hours=2.0, n_jobs=-1)
    one_name = cache_of(work, made.X, "measure")
    n_names = int(np.ceil(10 * limit * 1e9 / one_name))
    link_cohort(work / "short", work / "linked", n_names)
    cache_of(work, load(work / "linked")[0], "linked")
    print(
        f"\nTraining on {n_names * one_name / 1e9:.2f} GB of samples, {n_names} names of "
        f"{len(made.nights)} nights of two hours; the limit is {limit:g} GB",
        flush=True,
    )
    me = [sys.executable, __file__, "--work", str(work), "--train"]
    # oneDNN keeps what it prepares for each length of night, up to a gigabyte of it.
    environment = {**os.environ, "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}
    for kind in ("cache", "memory"):
        drop_caches()
        with limited(round(limit * 1e9) if kind == "cache" else None) as enter:
            subprocess.run([*me, kind], check=True, preexec_fn=enter, env=environment)


def load(folder: Path) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
    """Return the scored epochs of a cohort and their stages."""
    from sklearn_sleep.datasets import load_cohort

    # In this process: idle workers would take part of the limit.
    X, y, _ = load_cohort(folder, return_X_y_groups=True)
    return X, y


def cache_of(work: Path, X: pd.DataFrame, name: str) -> int:
    """Process nights into a cache and return its bytes."""
    folder = work / f"cache-{name}"
    make_steps(folder, n_jobs=-1).fit_transform(X)
    return sum(path.stat().st_size for path in folder.rglob("*.npy"))


def make_steps(folder: Path, n_jobs: int | None = None) -> Pipeline:
    """Return the steps from EDF files to a cache."""
    from sklearn_sleep.preprocessing import (
        EDFReader,
        Epocher,
        Normalizer,
        RecordingCache,
        Resampler,
    )

    return make_pipeline(
        EDFReader(SIGNALS),
        Resampler(),
        Normalizer(),
        Epocher(),
        RecordingCache(folder, n_jobs=n_jobs),
    )


def link_cohort(folder: Path, linked: Path, n_names: int) -> None:
    """Give the files of a cohort further names: other subjects, the same bytes on disk."""
    for path in (folder / "polysomnography").rglob("*.*"):
        for number in range(n_names):
            name = re.sub(r"1(?=\d{5}[.-])", str(number + 1), path.name)
            link = linked / path.parent.relative_to(folder) / name
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                os.link(path, link)


def drop_caches() -> None:
    """Forget files that are in memory, where that is allowed."""
    with contextlib.suppress(OSError):
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3")


@contextlib.contextmanager
def limited(n_bytes: int | None) -> Iterator[object]:
    """Yield what a process calls to come under a limit of memory."""
    group = _GROUPS / f"sklearn-sleep-{os.getpid()}"
    if n_bytes is None:
        yield None
        return
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(n_bytes))
    except OSError as error:
        print(f"(no control group: {error}; the limit holds for kept nights only)")
        yield None
        return
    try:
        yield lambda: (group / "tasks").write_text(str(os.getpid()))
    finally:
        peak = int((group / "memory.max_usage_in_bytes").read_text())
        print(f"  largest memory of the group: {peak / 1e6:.0f} MB", flush=True)
        with contextlib.suppress(OSError):
            group.rmdir()


def train(work: Path, kind: str) -> None:
    """Train and print the seconds of each pass."""
    from sklearn_sleep.core.stage_schemes import merge_stages
    from sklearn_sleep.staging.wav2sleep import Wav2SleepClassifier

    X, y = load(work / "linked")
    if kind == "memory":
        # Some of all sites: all of them would take an hour, and a night takes what it takes.
        step = len(X["recording"].cat.categories) // IN_MEMORY
        some = X["recording"].cat.codes.to_numpy() % step == 0
        X, y = X[some].reset_index(drop=True), y[some]
    classifier = Wav2SleepClassifier(
        module__feature_dim=16,
        module__initial_channels=2,
        module__max_channels=16,
        module__mixer_heads=4,
        module__mixer_feedforward_dim=64,
        # The first pass from memory reads.
        max_epochs=2 if kind == "memory" else 1,
        batch_size=2,
        train_split=None,
        random_state=0,
        kept_bytes=2**40 if kind == "memory" else 0,
        verbose=0,
    )
    pipeline = make_pipeline(*make_steps(work / "cache-linked").named_steps.values(), classifier)
    peak = [0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], psutil.Process().memory_info().rss - shared())

    watcher = threading.Thread(target=watch)
    watcher.start()
    pipeline.fit(X, merge_stages(y, 4))
    done.set()
    watcher.join()
    seconds = list(pipeline[-1].history[:, "dur"])
    n_nights = X["recording"].nunique()
    speed = n_nights / seconds[-1]
    passes = " and ".join(f"{one:.0f}" for one in seconds)
    print(
        f"from {kind}, {n_nights} nights: {passes} s a pass, {speed:.2f} nights/s in the last, "
        f"{peak[0] / 1e6:.0f} MB of its own",
        flush=True,
    )


def shared() -> int:
    """Return the bytes of this process that are files in memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssFile:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main()
