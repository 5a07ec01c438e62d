"""``python -m sklearn_sleep train``: the pipeline of the commands, trained, saved and scored."""

import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score
from sklearn.model_selection import StratifiedGroupKFold, cross_validate
from sklearn.pipeline import Pipeline

from sklearn_sleep.core.stage_schemes import merge_stages, stage_names
from sklearn_sleep.datasets import load_cohort
from sklearn_sleep.datasets.nights import tell_channels
from sklearn_sleep.evaluation.metrics import recording_scorer
from sklearn_sleep.exceptions import MissingSignalWarning
from sklearn_sleep.staging.pipeline import wav2sleep_pipeline
from sklearn_sleep.staging.pretrained import save_pretrained

SCORING = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy",
    "f1_macro": "f1_macro",
    "kappa by night": recording_scorer(cohen_kappa_score),
}


def signal_subsets(signals: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield every subset of the signals, the whole first and single ones last."""
    for size in range(len(signals), 0, -1):
        yield from itertools.combinations(signals, size)


def score_signal_subsets(
    pipeline: Pipeline, X: pd.DataFrame, y: npt.NDArray[np.int64], signals: Sequence[str]
) -> pd.DataFrame:
    """Score stages from every subset of the signals: kappa, accuracy, macro-F1 of all epochs.

    A row counts the nights and epochs that have one of its signals, and scores these. The
    pipeline is fitted, and its first step is an `EDFReader`.
    """
    epochs = pipeline[0].transform(X)
    available = [
        [name for name in signals if name in recording.signals] for recording in epochs.recordings
    ]
    rows = []
    for subset in signal_subsets(signals):
        usable = np.array([not set(subset).isdisjoint(names) for names in available])
        scored = usable[epochs.recording_index]
        if not scored.any():
            continue
        masks = {name: False for name in signals if name not in subset}
        predicted = pipeline.predict(X[scored].assign(**masks))
        rows.append(
            {
                "signals": " + ".join(subset),
                "nights": int(usable.sum()),
                "epochs": int(scored.sum()),
                "kappa": cohen_kappa_score(y[scored], predicted),
                "accuracy": accuracy_score(y[scored], predicted),
                "macro-F1": f1_score(y[scored], predicted, average="macro"),
            }
        )
    return pd.DataFrame(rows)


def cross_validate_subjects(
    pipeline: Pipeline, X: pd.DataFrame, y: Any, groups: pd.Series, *, folds: int, seed: int
) -> pd.DataFrame:
    """Return scores and seconds of each of some folds over subjects, and show progress."""
    print(f"Cross-validation over subjects, {folds} folds")
    scores = cross_validate(
        pipeline,
        X,
        y,
        groups=groups,
        cv=StratifiedGroupKFold(folds, shuffle=True, random_state=seed),
        scoring=SCORING,
        verbose=2,
    )
    return pd.DataFrame(scores)


def run_train(
    cohort: Path,
    save: Path,
    *,
    signals: Sequence[str],
    stages: int,
    epochs: int | None,
    folds: int,
    seed: int,
    channels: Mapping[str, Any] | None,
    units: Mapping[str, str] | None,
    **folder: Any,
) -> None:
    """Train on a folder of EDF files and hypnograms, after cross-validation, and save the model.

    `folder` is what `load_cohort` is told of people and hypnograms.
    """
    of_files: dict[str, Any] = {"signals": signals, "channels": channels, "units": units}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingSignalWarning)  # the table says it
        loaded = load_cohort(cohort, verbose=True, **of_files, **folder)
    print(tell_channels(loaded.channels))
    X, groups = loaded.X, loaded.groups
    y = merge_stages(loaded.y, stages, from_classes=5)
    counts = np.bincount(y, minlength=stages)
    told = ", ".join(
        f"{name} {count}" for name, count in zip(stage_names(stages), counts, strict=True)
    )
    print(
        f"{X['recording'].nunique()} nights of {groups.nunique()} subjects, "
        f"{len(X)} scored epochs ({told})"
    )
    passes: dict[str, Any] = {} if epochs is None else {"max_epochs": epochs}
    pipeline = wav2sleep_pipeline(
        random_state=seed, on_error="warn", classes=np.arange(stages), **of_files, **passes
    )
    if folds:
        scores = cross_validate_subjects(pipeline, X, y, groups, folds=folds, seed=seed)
        print(scores.round(3).to_string(index=False))
    pipeline.set_params(wav2sleepclassifier__verbose=1).fit(X, y)
    save_pretrained(pipeline, save)
    print(f"The model is in {save}")
