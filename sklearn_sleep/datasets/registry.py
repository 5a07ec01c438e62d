"""The public cohorts by name: whatever module lies in `sklearn_sleep.datasets.cohorts`."""

import os
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType

from sklearn_sleep.datasets import cohorts
from sklearn_sleep.datasets.cohort import Cohort


def _cohorts() -> Iterator[Cohort]:
    for found in iter_modules(cohorts.__path__, f"{cohorts.__name__}."):
        values = vars(import_module(found.name)).values()
        yield from (value for value in values if isinstance(value, Cohort))


COHORTS: Mapping[str, Cohort] = MappingProxyType({cohort.name: cohort for cohort in _cohorts()})
"""The public cohorts by name. It never changes, so that every process has the same."""

NAMING_COHORTS = tuple(
    name for name, cohort in COHORTS.items() if cohort.recording.startswith(f"/{name}")
)
"""Names of the cohorts whose files begin with the cohort's name, as those of the NSRR do."""


def find_cohort(cohort: str | Cohort, parameter: str) -> Cohort:
    """Return a cohort by its name, or as it is; ``parameter`` names it in the error."""
    if isinstance(cohort, Cohort):
        return cohort
    if cohort not in COHORTS:
        raise ValueError(
            f"{parameter}={cohort!r} is not known; use one of {', '.join(COHORTS)}, or a Cohort."
        )
    return COHORTS[cohort]


def channel_labels(dataset: str) -> Mapping[str, tuple[str, ...]]:
    """Return the labels by signal that mean something in a dataset only; none if it is unknown."""
    return COHORTS[dataset].channels if dataset in COHORTS else {}


def dataset_from_path(path: str | os.PathLike[str]) -> str:
    """Return the cohort that a file's name starts with: ``"shhs"`` of ``"shhs1-1.edf"``."""
    name = re.match(r"[a-z]*", Path(path).name.casefold())
    return name[0] if name and name[0] in NAMING_COHORTS else ""
