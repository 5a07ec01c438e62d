"""One network for every subset of the signals, on nights that another simulator drew.

Trains on 12 people of the cohort of ``neurokit2_cohort.py``, eight of a site with PPG and four of
one without, and stages the 6 others from all signals, the ECG, the PPG, the belt around the thorax
and both belts, with

- the published network and masking (``size="published"``), on waveforms;
- ``size="auto"`` on waveforms;
- ``size="auto"`` on the heart rate and the waveforms of the belts;
- `wav2sleep_pipeline`, the default;
- `hrv_baseline` and `cardiorespiratory_baseline`.

Whatever is found in the signals is found within the processor time of the training. A row counts
the nights that have one of its signals. Models that the CSV file holds already are not trained
again, so that a run can be cut off.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from environment import describe_environment, format_table
from neurokit2_cohort import SITES, make_neurokit2_cohort
from sklearn.metrics import cohen_kappa_score
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from sklearn_sleep import (
    cardiorespiratory_baseline,
    hrv_baseline,
    merge_stages,
    wav2sleep_pipeline,
)

SIGNALS = ("ECG", "PPG", "ABD", "THX")
SCORED = {
    "all": SIGNALS,
    "ECG": ("ECG",),
    "PPG": ("PPG",),
    "THX": ("THX",),
    "ABD + THX": ("ABD", "THX"),
}
N_CLASSES = 4
WAVEFORMS = dict.fromkeys(SIGNALS, "waveform")
HEART_RATE = {"ECG": "heart_rate", "PPG": "heart_rate", "ABD": "waveform", "THX": "waveform"}
PUBLISHED_MASKING = {"ECG": 0.5, "PPG": 0.1, "ABD": 0.7, "THX": 0.7}


def network(**parameters: Any) -> Callable[[Path, int], Pipeline]:
    """Return what makes a network's pipeline with a cache."""
    return lambda cache, seed: wav2sleep_pipeline(
        SIGNALS,
        cache=cache,
        random_state=seed,
        **{"classes": range(N_CLASSES), "device": "cpu", "verbose": 0, **parameters},
    )


# What makes each model, and the signals that it reads.
MODELS: Mapping[str, tuple[Callable[[Path, int], Pipeline], Collection[str]]] = {
    "wav2sleep_pipeline": (network(), SIGNALS),
    "hrv_baseline": (lambda _, seed: hrv_baseline(random_state=seed), ("ECG", "PPG")),
    "cardiorespiratory_baseline": (
        lambda _, seed: cardiorespiratory_baseline(random_state=seed),
        SIGNALS,
    ),
    "waveforms": (network(choices=WAVEFORMS), SIGNALS),
    "heart rate + belts": (network(choices=HEART_RATE), SIGNALS),
    "published network and masking": (
        network(choices=WAVEFORMS, size="published", mask_probability=PUBLISHED_MASKING),
        SIGNALS,
    ),
}


def held_out(cohort: Bunch) -> pd.Series:
    """Return whether each row is of a test subject: the last third of each site."""
    first = {name: site.n_subjects - site.n_subjects // 3 for name, site in SITES.items()}
    is_test = {
        subject: int(subject.rpartition("-")[2]) >= first[subject.rpartition("-")[0]]
        for subject in cohort.groups.unique()
    }
    return cohort.groups.map(is_test).astype(bool)


def train_and_score(model: str, cohort: Bunch, seed: int) -> dict[str, float]:
    """Return the processor time of training, in s, and kappa of each row of the table."""
    make, reads = MODELS[model]
    y, test = merge_stages(cohort.y, N_CLASSES), held_out(cohort).to_numpy()
    # Empty for each model, so that none is spared what another has found.
    with tempfile.TemporaryDirectory() as cache:
        pipeline = make(Path(cache), seed)
        started = time.process_time()
        pipeline.fit(cohort.X[~test], y[~test])
        found = {"seconds": time.process_time() - started, **dict.fromkeys(SCORED, np.nan)}
        for name, signals in SCORED.items():
            if not set(signals) & set(reads):
                continue
            rows = test & has_any(cohort, signals)
            masked = {signal: False for signal in SIGNALS if signal not in signals}
            predicted = pipeline.predict(cohort.X[rows].assign(**masked))
            found[name] = cohen_kappa_score(y[rows], predicted)
    return found


def has_any(cohort: Bunch, signals: Collection[str]) -> np.ndarray:
    """Return whether the recording of each row has one of the signals."""
    has = (cohort.channels[list(signals)] != "-").any(axis=1)
    return cohort.X["recording"].astype(str).map(has).to_numpy(dtype=bool)


def measure(cohort: Bunch, options: argparse.Namespace) -> pd.DataFrame:
    """Train and score what the file does not hold; return what was asked for."""
    path = options.work / "another_simulator.csv"
    keys = ["hours", "random_state", "seed", "model"]
    done = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=keys)
    asked = [
        (options.hours, options.random_state, seed, model)
        for seed in range(options.seeds)
        for model in options.models
    ]
    for key in asked:
        if key in set(done[keys].itertuples(index=False, name=None)):
            continue
        *_, seed, model = key
        row = dict(zip(keys, key, strict=True)) | train_and_score(model, cohort, seed)
        done = pd.concat([done, pd.DataFrame([row])], ignore_index=True)
        done.to_csv(path, index=False)
        print(" ".join(f"{name}={value}" for name, value in row.items()), flush=True)
    return done[[key in asked for key in done[keys].itertuples(index=False, name=None)]]


def tabulate(found: pd.DataFrame, models: Sequence[str]) -> str:
    """Return kappa by test signals and model, means over seeds, and what training cost."""
    mean = found.groupby("model")[[*SCORED, "seconds"]].mean()
    rows = [
        [name, *(f"{kappa:.3f}" if kappa == kappa else "none" for kappa in mean[name][models])]
        for name in SCORED
    ]
    rows.append(["training (processor s)", *(f"{value:.0f}" for value in mean["seconds"][models])])
    return format_table(["test signals", *models], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the cohort, train what is asked for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[*MODELS], metavar="MODEL")
    parser.add_argument("--hours", type=float, default=2.0, help="of each night")
    parser.add_argument("--seeds", type=int, default=1, help="of the training")
    parser.add_argument("--random-state", type=int, default=0, help="of the cohort")
    parser.add_argument("--n-jobs", type=int, help="nights that are drawn at the same time")
    parser.add_argument("--work", type=Path, help="folder that keeps the cohort and the figures")
    options = parser.parse_args(arguments)
    if options.work is None:
        options.work = Path(tempfile.gettempdir()) / "another-simulator"
    torch.set_num_threads(1)
    folder = options.work / f"cohort-{options.hours:g}-{options.random_state}"
    cohort = make_neurokit2_cohort(
        folder, options.hours, options.random_state, n_jobs=options.n_jobs
    )
    found = measure(cohort, options)
    print(describe_environment(["neurokit2", "torch", "scikit-learn", "skorch"]))
    print(tabulate(found, options.models))


if __name__ == "__main__":
    main()
