"""Figures of nights, trainings and comparisons."""

from sklearn_sleep.plotting.attention import AttentionDisplay
from sklearn_sleep.plotting.comparison import ComparisonDisplay
from sklearn_sleep.plotting.hypnogram import HypnogramDisplay
from sklearn_sleep.plotting.saliency import SaliencyDisplay
from sklearn_sleep.plotting.training import TrainingDisplay

__all__ = [
    "AttentionDisplay",
    "ComparisonDisplay",
    "HypnogramDisplay",
    "SaliencyDisplay",
    "TrainingDisplay",
]
