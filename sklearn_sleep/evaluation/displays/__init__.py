"""Figures of nights, trainings and comparisons, a file each; `DISPLAYS` lists them by name."""

from sklearn_sleep.evaluation.displays.attention import AttentionDisplay
from sklearn_sleep.evaluation.displays.base import DISPLAYS, Display
from sklearn_sleep.evaluation.displays.comparison import ComparisonDisplay
from sklearn_sleep.evaluation.displays.hypnogram import HypnogramDisplay
from sklearn_sleep.evaluation.displays.saliency import SaliencyDisplay
from sklearn_sleep.evaluation.displays.training import TrainingDisplay

__all__ = [
    "DISPLAYS",
    "AttentionDisplay",
    "ComparisonDisplay",
    "Display",
    "HypnogramDisplay",
    "SaliencyDisplay",
    "TrainingDisplay",
]
