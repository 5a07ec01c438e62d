"""Classifiers that stage sleep."""

from sklearn_sleep.staging.accelerated import AcceleratedWav2SleepClassifier
from sklearn_sleep.staging.diagnostics import epoch_attention, history_frame
from sklearn_sleep.staging.pipeline import wav2sleep_pipeline
from sklearn_sleep.staging.pretrained import load_pretrained, pretrained_pipeline, save_pretrained
from sklearn_sleep.staging.recipes import recipe_for
from sklearn_sleep.staging.sequence_smoother import SequenceSmoother
from sklearn_sleep.staging.wav2sleep import Wav2SleepClassifier

__all__ = [
    "AcceleratedWav2SleepClassifier",
    "SequenceSmoother",
    "Wav2SleepClassifier",
    "epoch_attention",
    "history_frame",
    "load_pretrained",
    "pretrained_pipeline",
    "recipe_for",
    "save_pretrained",
    "wav2sleep_pipeline",
]
