"""Cohorts of nights."""

from sklearn_sleep.datasets.loading import load_cohort
from sklearn_sleep.datasets.synthetic import make_cohort

__all__ = ["load_cohort", "make_cohort"]
