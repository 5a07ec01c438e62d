"""What the cohorts of the National Sleep Research Resource have in common."""

from __future__ import annotations

from sklearn_sleep.datasets.cohort import Cohort
from sklearn_sleep.datasets.demographics import Demographics

__all__ = ["describe_nsrr", "nsrr_cohort"]

_ACCESS = """\
How to get it: ask for access at https://sleepdata.org/datasets/{name}, sign the data access and use
agreement of the National Sleep Research Resource (NSRR), and download with its nsrr tool. The data
may be used for the purpose that was approved and must not be passed on.
"""
_CITATION = """\
Zhang et al. 2018, "The National Sleep Research Resource: towards a sleep data commons", J Am Med
Inform Assoc 25:1351-1358.
"""


def describe_nsrr(name: str, about: str, citation: str) -> str:
    """Return the description of a cohort, with the terms of the NSRR.

    Parameters
    ----------
    name : str
        Name of the cohort at the NSRR.
    about : str
        What it is; the title in the first line.
    citation : str
        The paper to cite, besides that of the NSRR.

    Returns
    -------
    str
    """
    return f"{about}\n{_ACCESS.format(name=name)}\nCite: {citation}{_CITATION}"


def nsrr_cohort(
    name: str,
    night: str,
    *,
    about: str,
    citation: str,
    demographics: tuple[Demographics, ...],
    wrong_stages: str = "",
) -> Cohort:
    """Return a cohort whose recordings and NSRR or Profusion XML have the same name.

    Parameters
    ----------
    name : str
        Name of the cohort at the NSRR.
    night : str
        Pattern of a night's path without endings.
    about, citation : str
        As in `describe_nsrr`.
    demographics : tuple of Demographics
        The cohort's tables.
    wrong_stages : str, default=""
        As in `Cohort`.

    Returns
    -------
    Cohort
    """
    return Cohort(
        name,
        recording=rf"{night}\.edf",
        annotations=(rf"{night}-nsrr\.xml", rf"{night}-profusion\.xml"),
        description=describe_nsrr(name, about, citation),
        demographics=demographics,
        wrong_stages=wrong_stages,
    )
