"""What each sequence mixer makes of tens of nights, and what it costs.

Trains the recipe of `wav2sleep_pipeline` with each mixer that is registered, on the same folds of
synthetic nights, and stages the nights left out from ECG, from thoracic respiration and from all
signals. Each training has a process of its own, so that memory is its own too; what comes before
the network is read from a cache and not measured.

Beside it each mixer alone, as wide as published, differentiates a night of ten hours.

Rows that the CSV file holds already are not computed again, so that a run can be cut off.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from environment import describe_environment, format_table
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline

from sklearn_sleep import make_cohort, merge_stages, wav2sleep_pipeline
from sklearn_sleep.networks import SEQUENCE_MIXERS, SequenceMixerOptions

SIGNALS = ("ECG", "PPG", "ABD", "THX")
SCORED = {"all": SIGNALS, "ECG": ("ECG",), "THX": ("THX",)}
N_CLASSES = 4
EPOCHS_OF_LONG_NIGHT = 1200
NIGHT_REPETITIONS = 3


def make_stager(mixer: str, cache: Path, random_state: int, **parameters: Any) -> Pipeline:
    """Return the pipeline that is compared, with one of the mixers."""
    return wav2sleep_pipeline(
        SIGNALS,
        cache=cache,
        random_state=random_state,
        classes=range(N_CLASSES),
        module__sequence_mixer=mixer,
        device="cpu",
        verbose=0,
        **parameters,
    )


def measured(work: Callable[[], Any]) -> tuple[float, float]:
    """Return the processor time of some work, and the MB at its peak above those before it."""
    # The system forgets the peak of what came before; Linux alone.
    Path("/proc/self/clear_refs").write_text("5")
    before, started = memory_in_megabytes("VmRSS"), time.process_time()
    work()
    return time.process_time() - started, memory_in_megabytes("VmHWM") - before


def memory_in_megabytes(which: str) -> float:
    """Return the resident memory of this process, ``VmRSS``, or its peak, ``VmHWM``."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{which}:")[2].split()[0]) / 2**10


def train(options: argparse.Namespace, mixer: str, fold: int, seed: int) -> dict[str, Any]:
    """Train on a fold; return kappa on the nights left out, processor time and memory."""
    X, y, groups = load(options)
    folds = GroupKFold(options.folds, shuffle=True, random_state=seed)
    train, test = list(folds.split(X, y, groups))[fold]
    parameters = {} if options.passes is None else {"max_epochs": options.passes}
    pipeline = make_stager(mixer, options.work / "cache", seed, **parameters)
    classifier = pipeline[-1]
    epochs = pipeline[:-1].fit_transform(X.iloc[train])
    torch.set_num_threads(1)
    seconds, megabytes = measured(lambda: classifier.fit(epochs, y[train]))
    found = {"seconds": seconds, "megabytes": megabytes}
    for name, signals in SCORED.items():
        masked = {signal: False for signal in SIGNALS if signal not in signals}
        predicted = pipeline.predict(X.iloc[test].assign(**masked))
        found[name] = cohen_kappa_score(y[test], predicted)
    found["parameters"] = count_parameters(classifier.module_.sequence_mixer)
    return found


def differentiate_night(mixer: str) -> dict[str, Any]:
    """Run a mixer as wide as published over ten hours, forth and back; return time and memory."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    options = SequenceMixerOptions()
    module = SEQUENCE_MIXERS.make(mixer, options)

    def run(epochs: int) -> None:
        night = torch.randn(1, epochs, options.feature_dim)
        module(night).square().sum().backward()

    run(32)  # what is done once
    passes = [measured(lambda: run(EPOCHS_OF_LONG_NIGHT)) for _ in range(NIGHT_REPETITIONS)]
    seconds, megabytes = zip(*passes, strict=True)
    return {
        "seconds": min(seconds),
        # Of the first: the others may find memory that it had.
        "megabytes": megabytes[0],
        "parameters": count_parameters(module),
    }


def count_parameters(module: torch.nn.Module) -> int:
    """Return how many numbers a module learns."""
    return sum(parameter.numel() for parameter in module.parameters())


def load(options: argparse.Namespace) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return the cohort as an epoch table, stages and subjects; it is written but once."""
    X, y, groups = make_cohort(
        options.work / "cohort",
        n_subjects=options.nights,
        hours=options.hours,
        second_visit_probability=0.0,
        random_state=options.random_state,
        return_X_y_groups=True,
    )
    return X, merge_stages(y, N_CLASSES), groups


def in_own_process(options: argparse.Namespace, *what: object) -> dict[str, Any]:
    """Measure one thing in a new process."""
    command = [sys.executable, __file__, "--measure", *map(str, what)]
    for name in ("work", "nights", "hours", "folds", "random_state", "passes"):
        value = getattr(options, name)
        if value is not None:
            command += [f"--{name.replace('_', '-')}", str(value)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(options: argparse.Namespace) -> pd.DataFrame:
    """Train with each mixer on each fold what the file does not hold; return what was asked for."""
    keys = ["nights", "hours", "passes", "random_state", "folds", "seed", "fold", "mixer"]
    done = pd.read_csv(options.out) if options.out.exists() else pd.DataFrame(columns=keys)
    asked = []
    for seed in range(options.seeds):
        for fold in range(options.folds):
            for mixer in options.mixers:
                of_run = [options.nights, options.hours, options.passes or 0, options.random_state]
                key = dict(zip(keys, [*of_run, options.folds, seed, fold, mixer], strict=True))
                asked.append(tuple(key.values()))
                if tuple(key.values()) in set(done[keys].itertuples(index=False, name=None)):
                    continue
                row = key | in_own_process(options, mixer, fold, seed)
                done = pd.concat([done, pd.DataFrame([row])], ignore_index=True)
                done.to_csv(options.out, index=False)
                print(" ".join(f"{name}={value}" for name, value in row.items()), flush=True)
    return done[[key in asked for key in done[keys].itertuples(index=False, name=None)]]


def tabulate(found: pd.DataFrame, mixers: Sequence[str]) -> str:
    """Return means over folds and draws, and how each mixer stands to the first one."""
    by_mixer = {mixer: found[found["mixer"] == mixer] for mixer in mixers}
    first = by_mixer[mixers[0]]["all"].to_numpy()
    rows = []
    for mixer, runs in by_mixer.items():
        difference = runs["all"].to_numpy() - first
        rows.append(
            [
                mixer,
                *(f"{runs[name].mean():.3f}" for name in SCORED),
                f"{difference.mean():+.3f} ({difference.min():+.3f} to {difference.max():+.3f})",
                f"{runs['seconds'].mean():.1f}",
                f"{runs['megabytes'].mean():.0f}",
                f"{runs['parameters'].iloc[0]:.0f}",
            ]
        )
    header = [f"kappa, {name}" for name in SCORED]
    header += [f"all, less {mixers[0]}", "training (processor s)", "memory (MB)", "parameters"]
    return format_table(["sequence mixer", *header], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nights", type=int, default=50, help="of the cohort, a subject each")
    parser.add_argument("--hours", type=float, default=2.0, help="of each night")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1, help="draws of folds and of weights")
    parser.add_argument("--passes", type=int, help="over the nights; as the recipe says")
    parser.add_argument("--mixers", nargs="+", choices=SEQUENCE_MIXERS, default=[*SEQUENCE_MIXERS])
    parser.add_argument("--random-state", type=int, default=20, help="of the cohort")
    parser.add_argument("--work", type=Path, help="folder that keeps cohort, cache and figures")
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        mixer, *of_training = options.measure
        found = (
            train(options, mixer, *map(int, of_training))
            if of_training
            else differentiate_night(mixer)
        )
        print(json.dumps(found))
        return
    if options.work is None:
        size = f"{options.nights}-{options.hours:g}-{options.random_state}"
        options.work = Path(tempfile.gettempdir()) / f"sequence-mixers-{size}"
    options.work.mkdir(parents=True, exist_ok=True)
    options.out = options.work / "sequence_mixers.csv"
    X, _, _ = load(options)
    # Into the cache, so that no training has the work of it.
    steps = make_stager(options.mixers[0], options.work / "cache", 0)[:-1]
    steps.set_params(recordingcache__n_jobs=1).fit_transform(X)
    found = measure(options)
    nights = {mixer: in_own_process(options, mixer) for mixer in options.mixers}
    print(describe_environment(["torch", "scikit-learn", "skorch"]))
    print(tabulate(found, options.mixers))
    rows = [
        [mixer, f"{of['seconds']:.2f}", f"{of['megabytes']:.0f}", str(of["parameters"])]
        for mixer, of in nights.items()
    ]
    print(format_table(["alone, ten hours", "processor s", "MB", "parameters"], rows))


if __name__ == "__main__":
    main()
