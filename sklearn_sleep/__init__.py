"""Sleep staging from polysomnography as scikit-learn pipelines."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn_sleep.baselines import cardiorespiratory_baseline, eeg_baseline, hrv_baseline
    from sklearn_sleep.classifiers import SequenceSmoother, Wav2SleepClassifier
    from sklearn_sleep.comparison import Comparison, compare
    from sklearn_sleep.datasets import load_cohort, make_cohort
    from sklearn_sleep.epochs import Epochs, epoch_table
    from sklearn_sleep.features import (
        CardiorespiratoryFeatures,
        EEGFeatures,
        HeartbeatDetector,
        HRVFeatures,
        InstantaneousHeartRate,
        RespirationFeatures,
        TemporalContext,
    )
    from sklearn_sleep.imaging import WaveformImageRenderer, WaveformImages
    from sklearn_sleep.io.hypnogram import read_hypnogram
    from sklearn_sleep.metrics import recording_scorer, recording_scores, sleep_statistics
    from sklearn_sleep.plotting import (
        AttentionDisplay,
        ComparisonDisplay,
        HypnogramDisplay,
        TrainingDisplay,
    )
    from sklearn_sleep.preprocessing import (
        EDFReader,
        Epocher,
        Filter,
        Normalizer,
        Padder,
        Resampler,
    )
    from sklearn_sleep.pretrained import (
        load_pretrained,
        pretrained_pipeline,
        save_pretrained,
    )
    from sklearn_sleep.recording import Recording
    from sklearn_sleep.signals import SIGNALS, SignalDefinition
    from sklearn_sleep.stages import Stage, merge_stages, stage_names
    from sklearn_sleep.vlm import VLMStager, tiny_vlm

__version__ = "0.1.0"

# Each name is imported when it is first used: torch alone would take seconds.
_MODULES = {
    "AttentionDisplay": "plotting",
    "CardiorespiratoryFeatures": "features",
    "Comparison": "comparison",
    "ComparisonDisplay": "plotting",
    "EDFReader": "preprocessing",
    "EEGFeatures": "features",
    "Epocher": "preprocessing",
    "Epochs": "epochs",
    "Filter": "preprocessing",
    "HRVFeatures": "features",
    "HeartbeatDetector": "features",
    "HypnogramDisplay": "plotting",
    "InstantaneousHeartRate": "features",
    "Normalizer": "preprocessing",
    "Padder": "preprocessing",
    "Recording": "recording",
    "Resampler": "preprocessing",
    "RespirationFeatures": "features",
    "SIGNALS": "signals",
    "SequenceSmoother": "classifiers",
    "SignalDefinition": "signals",
    "Stage": "stages",
    "TemporalContext": "features",
    "TrainingDisplay": "plotting",
    "VLMStager": "vlm",
    "Wav2SleepClassifier": "classifiers",
    "WaveformImageRenderer": "imaging",
    "WaveformImages": "imaging",
    "cardiorespiratory_baseline": "baselines",
    "compare": "comparison",
    "eeg_baseline": "baselines",
    "epoch_table": "tables",
    "hrv_baseline": "baselines",
    "load_cohort": "datasets",
    "load_pretrained": "pretrained",
    "make_cohort": "datasets",
    "merge_stages": "stages",
    "pretrained_pipeline": "pretrained",
    "read_hypnogram": "io.hypnogram",
    "recording_scorer": "metrics",
    "recording_scores": "metrics",
    "save_pretrained": "pretrained",
    "sleep_statistics": "metrics",
    "stage_names": "stages",
    "tiny_vlm": "vlm",
}

__all__ = [
    "SIGNALS",
    "AttentionDisplay",
    "CardiorespiratoryFeatures",
    "Comparison",
    "ComparisonDisplay",
    "EDFReader",
    "EEGFeatures",
    "Epocher",
    "Epochs",
    "Filter",
    "HRVFeatures",
    "HeartbeatDetector",
    "HypnogramDisplay",
    "InstantaneousHeartRate",
    "Normalizer",
    "Padder",
    "Recording",
    "Resampler",
    "RespirationFeatures",
    "SequenceSmoother",
    "SignalDefinition",
    "Stage",
    "TemporalContext",
    "TrainingDisplay",
    "VLMStager",
    "Wav2SleepClassifier",
    "WaveformImageRenderer",
    "WaveformImages",
    "cardiorespiratory_baseline",
    "compare",
    "eeg_baseline",
    "epoch_table",
    "hrv_baseline",
    "load_cohort",
    "load_pretrained",
    "make_cohort",
    "merge_stages",
    "pretrained_pipeline",
    "read_hypnogram",
    "recording_scorer",
    "recording_scores",
    "save_pretrained",
    "sleep_statistics",
    "stage_names",
    "tiny_vlm",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
