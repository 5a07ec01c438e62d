"""Cohorts of nights."""

from sklearn_sleep.datasets.cohort import Cohort
from sklearn_sleep.datasets.cohorts import (
    COHORTS,
    load_ccshs,
    load_cfs,
    load_chat,
    load_isruc,
    load_mass,
    load_mesa,
    load_mros,
    load_shhs,
    load_sleep_edf,
    load_wsc,
)
from sklearn_sleep.datasets.fetching import fetch_sleep_edf
from sklearn_sleep.datasets.joining import load_cohorts
from sklearn_sleep.datasets.loading import load_cohort
from sklearn_sleep.datasets.splitting import LeaveOneCohortOut, split_subjects

__all__ = [
    "COHORTS",
    "Cohort",
    "LeaveOneCohortOut",
    "fetch_sleep_edf",
    "load_ccshs",
    "load_cfs",
    "load_chat",
    "load_cohort",
    "load_cohorts",
    "load_isruc",
    "load_mass",
    "load_mesa",
    "load_mros",
    "load_shhs",
    "load_sleep_edf",
    "load_wsc",
    "split_subjects",
]
