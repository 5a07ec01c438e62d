"""Figures of nights and of trainings."""

from sklearn_sleep.plotting.attention import AttentionDisplay
from sklearn_sleep.plotting.hypnogram import HypnogramDisplay
from sklearn_sleep.plotting.training import TrainingDisplay

__all__ = ["AttentionDisplay", "HypnogramDisplay", "TrainingDisplay"]
