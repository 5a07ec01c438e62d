"""Sleep staging from polysomnography as scikit-learn pipelines."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn_sleep.baselines import cardiorespiratory_baseline, eeg_baseline, hrv_baseline
    from sklearn_sleep.classifiers import SequenceSmoother, Wav2SleepClassifier
    from sklearn_sleep.comparison import Comparison, compare
    from sklearn_sleep.datasets import (
        Cohort,
        LeaveOneCohortOut,
        fetch_sleep_edf,
        load_ccshs,
        load_cfs,
        load_chat,
        load_cohort,
        load_cohorts,
        load_isruc,
        load_mass,
        load_mesa,
        load_mros,
        load_shhs,
        load_sleep_edf,
        load_wsc,
        make_cohort,
        split_subjects,
    )
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
    from sklearn_sleep.ingestion import ingest, read_parquet_night
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
        RecordingCache,
        Resampler,
    )
    from sklearn_sleep.pretrained import (
        load_pretrained,
        pretrained_pipeline,
        save_pretrained,
    )
    from sklearn_sleep.quality import SignalQuality
    from sklearn_sleep.recording import Recording
    from sklearn_sleep.signals import SIGNALS, SignalDefinition
    from sklearn_sleep.stages import Stage, merge_stages, stage_names
    from sklearn_sleep.vlm import VLMStager, tiny_vlm

__version__ = "0.1.0"

# Each name is imported when it is first used: torch alone would take seconds.
_MODULES = {
    "AttentionDisplay": "plotting",
    "CardiorespiratoryFeatures": "features",
    "Cohort": "datasets",
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
    "LeaveOneCohortOut": "datasets",
    "Normalizer": "preprocessing",
    "Padder": "preprocessing",
    "Recording": "recording",
    "RecordingCache": "preprocessing",
    "Resampler": "preprocessing",
    "RespirationFeatures": "features",
    "SIGNALS": "signals",
    "SequenceSmoother": "classifiers",
    "SignalDefinition": "signals",
    "SignalQuality": "quality",
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
    "fetch_sleep_edf": "datasets",
    "hrv_baseline": "baselines",
    "ingest": "ingestion",
    "load_ccshs": "datasets",
    "load_cfs": "datasets",
    "load_chat": "datasets",
    "load_cohort": "datasets",
    "load_cohorts": "datasets",
    "load_isruc": "datasets",
    "load_mass": "datasets",
    "load_mesa": "datasets",
    "load_mros": "datasets",
    "load_pretrained": "pretrained",
    "load_shhs": "datasets",
    "load_sleep_edf": "datasets",
    "load_wsc": "datasets",
    "make_cohort": "datasets",
    "merge_stages": "stages",
    "pretrained_pipeline": "pretrained",
    "read_hypnogram": "io.hypnogram",
    "read_parquet_night": "ingestion",
    "recording_scorer": "metrics",
    "recording_scores": "metrics",
    "save_pretrained": "pretrained",
    "sleep_statistics": "metrics",
    "split_subjects": "datasets",
    "stage_names": "stages",
    "tiny_vlm": "vlm",
}

__all__ = [
    "SIGNALS",
    "AttentionDisplay",
    "CardiorespiratoryFeatures",
    "Cohort",
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
    "LeaveOneCohortOut",
    "Normalizer",
    "Padder",
    "Recording",
    "RecordingCache",
    "Resampler",
    "RespirationFeatures",
    "SequenceSmoother",
    "SignalDefinition",
    "SignalQuality",
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
    "fetch_sleep_edf",
    "hrv_baseline",
    "ingest",
    "load_ccshs",
    "load_cfs",
    "load_chat",
    "load_cohort",
    "load_cohorts",
    "load_isruc",
    "load_mass",
    "load_mesa",
    "load_mros",
    "load_pretrained",
    "load_shhs",
    "load_sleep_edf",
    "load_wsc",
    "make_cohort",
    "merge_stages",
    "pretrained_pipeline",
    "read_hypnogram",
    "read_parquet_night",
    "recording_scorer",
    "recording_scores",
    "save_pretrained",
    "sleep_statistics",
    "split_subjects",
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
