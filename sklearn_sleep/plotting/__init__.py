"""Figures of nights."""

from sklearn_sleep.plotting.hypnogram import HypnogramDisplay

__all__ = ["HypnogramDisplay"]
