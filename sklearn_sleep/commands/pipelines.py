"""The pipeline that the commands train, and how they show what it can do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score
from sklearn.pipeline import Pipeline, make_pipeline

from sklearn_sleep.preprocessing import EDFReader, Epocher, Normalizer, Resampler
from sklearn_sleep.staging.wav2sleep import Wav2SleepClassifier
from sklearn_sleep.training.schedule import ValidationNights

__all__ = [
    "CARDIORESPIRATORY_SIGNALS",
    "make_cardiorespiratory_pipeline",
    "score_signal_subsets",
    "signal_subsets",
]

CARDIORESPIRATORY_SIGNALS = ("ECG", "PPG", "ABD", "THX")
"""The signals of the published wav2sleep."""


def make_cardiorespiratory_pipeline(
    *,
    max_epochs: int,
    random_state: int,
    signals: Sequence[str] = CARDIORESPIRATORY_SIGNALS,
    verbose: bool = False,
) -> Pipeline:
    """Return a pipeline from EDF files to stages, of a size for tens of nights.

    Parameters
    ----------
    max_epochs : int
        Passes over the nights.
    random_state : int
        Seed.
    signals : sequence of str, default=CARDIORESPIRATORY_SIGNALS
        Signals to use.
    verbose : bool, default=False
        Print each pass.

    Returns
    -------
    Pipeline
    """
    return make_pipeline(
        EDFReader(list(signals), on_error="warn"),
        Resampler(),
        Normalizer(),
        Epocher(),
        Wav2SleepClassifier(
            module__feature_dim=64,
            module__initial_channels=8,
            module__max_channels=64,
            module__mixer_heads=4,
            module__mixer_feedforward_dim=128,
            # A context of ten minutes: with the published hours of it, tens of nights are learnt
            # by heart.
            module__sequence_blocks=1,
            module__sequence_dilations=3,
            max_epochs=max_epochs,
            batch_size=2,
            lr=3e-3,
            train_split=ValidationNights(minimum_subjects=40),
            random_state=random_state,
            device="cuda" if torch.cuda.is_available() else "cpu",
            verbose=int(verbose),
        ),
    )


def signal_subsets(signals: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield every subset of the signals, the whole first and single ones last.

    Parameters
    ----------
    signals : sequence of str
        Signals.

    Yields
    ------
    tuple of str

    Examples
    --------
    >>> list(signal_subsets(["ECG", "THX"]))
    [('ECG', 'THX'), ('ECG',), ('THX',)]
    """
    for size in range(len(signals), 0, -1):
        yield from itertools.combinations(signals, size)


def score_signal_subsets(
    pipeline: Pipeline, X: pd.DataFrame, y: npt.NDArray[np.int64], signals: Sequence[str]
) -> pd.DataFrame:
    """Stage nights from every subset of their signals, and score the stages.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; its first step is an `EDFReader`.
    X : DataFrame
        Epoch table.
    y : ndarray of int
        Stages.
    signals : sequence of str
        The signals to take subsets of.

    Returns
    -------
    DataFrame
        A row per subset: nights and epochs that have one of its signals, and pooled Cohen's
        kappa, accuracy and macro-averaged F1 on these.
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
