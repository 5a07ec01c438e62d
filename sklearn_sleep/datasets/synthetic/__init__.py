"""Synthetic polysomnograms with known truth, for tests, teaching and benchmarks."""

from __future__ import annotations

from sklearn_sleep.datasets.synthetic.cohort import make_cohort
from sklearn_sleep.datasets.synthetic.files import SyntheticNight
from sklearn_sleep.datasets.synthetic.sites import SITES, Channel, Site

__all__ = ["SITES", "Channel", "Site", "SyntheticNight", "make_cohort"]
