"""Synthetic cohorts of real EDF files, whose ground truth is known."""

from sklearn_sleep.simulation.make_cohort import make_cohort

__all__ = ["make_cohort"]
