"""The public cohorts, a module for each: its layout and its ``load_`` function."""

from __future__ import annotations

from types import MappingProxyType

from sklearn_sleep.datasets.cohorts.ccshs import CCSHS, load_ccshs
from sklearn_sleep.datasets.cohorts.cfs import CFS, load_cfs
from sklearn_sleep.datasets.cohorts.chat import CHAT, load_chat
from sklearn_sleep.datasets.cohorts.isruc import ISRUC, load_isruc
from sklearn_sleep.datasets.cohorts.mass import MASS, load_mass
from sklearn_sleep.datasets.cohorts.mesa import MESA, load_mesa
from sklearn_sleep.datasets.cohorts.mros import MROS, load_mros
from sklearn_sleep.datasets.cohorts.shhs import SHHS, load_shhs
from sklearn_sleep.datasets.cohorts.sleep_edf import SLEEP_EDF, load_sleep_edf
from sklearn_sleep.datasets.cohorts.wsc import WSC, load_wsc

__all__ = [
    "COHORTS",
    "load_ccshs",
    "load_cfs",
    "load_chat",
    "load_isruc",
    "load_mass",
    "load_mesa",
    "load_mros",
    "load_shhs",
    "load_sleep_edf",
    "load_wsc",
]

COHORTS = MappingProxyType(
    {
        cohort.name: cohort
        for cohort in (SHHS, MESA, WSC, CHAT, CFS, CCSHS, MROS, ISRUC, MASS, SLEEP_EDF)
    }
)
"""The public cohorts by name."""
