"""Cohorts of nights."""

from sklearn_sleep.datasets.any_folder import load_cohort
from sklearn_sleep.datasets.cohort import Cohort
from sklearn_sleep.datasets.cohorts.ccshs import load_ccshs
from sklearn_sleep.datasets.cohorts.cfs import load_cfs
from sklearn_sleep.datasets.cohorts.chat import load_chat
from sklearn_sleep.datasets.cohorts.isruc import load_isruc
from sklearn_sleep.datasets.cohorts.mass import load_mass
from sklearn_sleep.datasets.cohorts.mesa import load_mesa
from sklearn_sleep.datasets.cohorts.mros import load_mros
from sklearn_sleep.datasets.cohorts.shhs import load_shhs
from sklearn_sleep.datasets.cohorts.sleep_edf import load_sleep_edf
from sklearn_sleep.datasets.cohorts.wsc import load_wsc
from sklearn_sleep.datasets.fetching import fetch_sleep_edf
from sklearn_sleep.datasets.joining import load_cohorts
from sklearn_sleep.datasets.registry import COHORTS
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
