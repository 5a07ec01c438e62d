"""wav2sleep_pipeline: from EDF files to stages in one line, by the recipe."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from sklearn.pipeline import Pipeline, make_pipeline

from sklearn_sleep.core.signals import SignalDefinition
from sklearn_sleep.features.front_end import FrontEnd
from sklearn_sleep.features.quality.signal_quality import SignalQuality
from sklearn_sleep.preprocessing import (
    EDFReader,
    Epocher,
    Normalizer,
    RecordingCache,
    Resampler,
)
from sklearn_sleep.staging.wav2sleep import Wav2SleepClassifier

CARDIORESPIRATORY_SIGNALS = ("ECG", "PPG", "ABD", "THX")
"""The signals of the published wav2sleep."""


def wav2sleep_pipeline(
    signals: Sequence[str | SignalDefinition] = CARDIORESPIRATORY_SIGNALS,
    *,
    choices: Mapping[str, str | Sequence[str]] | None = None,
    channels: Mapping[str, Any] | None = None,
    units: Mapping[str, str] | None = None,
    on_error: Literal["raise", "warn"] = "raise",
    cache: str | os.PathLike[str] | None = None,
    random_state: int | None = None,
    **parameters: Any,
) -> Pipeline:
    """Return a pipeline from EDF paths to stages, to be trained by the recipe for its nights.

    One model stages nights from any subset of the signals. Noise is left out (`SignalQuality`),
    beats and breaths are found (`FrontEnd`), and network and training are of the size that
    `recipe_for` chooses.

    Parameters
    ----------
    signals : sequence of str or SignalDefinition, default=("ECG", "PPG", "ABD", "THX")
        Signals to stage from.
    choices : mapping, optional
        What the network is given of each signal, as in `FrontEnd`.
    channels, units, on_error
        As in `EDFReader`.
    cache : path, optional
        Folder that keeps what is read and found, as in `RecordingCache`; it serves each fold and
        each candidate of a search.
    random_state : int, optional
        Seed of the training.
    **parameters
        Further parameters of `Wav2SleepClassifier`, such as ``size="published"`` or ``verbose=1``.

    Returns
    -------
    Pipeline
        Of `EDFReader`, `SignalQuality`, `FrontEnd`, `Resampler`, `Normalizer`, `Epocher`,
        `RecordingCache` where there is a cache, and `Wav2SleepClassifier`, which computes on a GPU
        where there is one.

    See Also
    --------
    hrv_baseline : Heart rate variability and gradient boosting.
    pretrained_pipeline : A trained model with the steps before it.

    Examples
    --------
    >>> pipeline = wav2sleep_pipeline(["ECG", "THX"], random_state=0)
    >>> list(pipeline.named_steps)[:3]
    ['edfreader', 'signalquality', 'frontend']

    From a table of epochs, or paths, and stages::

        pipeline.fit(X, y).predict("night.edf")
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return make_pipeline(
        EDFReader(list(signals), channels=channels, units=units, on_error=on_error),
        SignalQuality(),
        FrontEnd(choices),
        Resampler(),
        Normalizer(),
        Epocher(),
        *([] if cache is None else [RecordingCache(cache)]),
        Wav2SleepClassifier(**{"device": device, "random_state": random_state, **parameters}),
    )
