"""What the cohorts of the National Sleep Research Resource have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_sleep.datasets.cohort import Cohort
from sklearn_sleep.datasets.demographics import Demographics
from sklearn_sleep.datasets.layout import AnnotationFile, Visit
from sklearn_sleep.datasets.loaders import Loader, make_loader
from sklearn_sleep.datasets.recorder import Site

_ACCESS = """\
How to get it: ask for access at https://sleepdata.org/datasets/{name}, sign the data access and use
agreement of the National Sleep Research Resource (NSRR), and download with its nsrr tool. The data
may be used for the purpose that was approved and must not be passed on.
"""
_CITATION = """\
Zhang et al. 2018, "The National Sleep Research Resource: towards a sleep data commons", J Am Med
Inform Assoc 25:1351-1358.
"""
# Electrodes that are stored one by one, against a reference of the recorder's own.
MASTOID_DERIVATIONS = {
    "EEG": ("C4-M1", "C3-M2"),
    "EOG-L": ("E1-M2", "LOC-M2"),
    "EOG-R": ("E2-M1", "ROC-M1"),
}
# Electrodes of the two studies of Cleveland.
CLEVELAND_HEAD = {
    "A1": "REFERENCE",
    "A2": "REFERENCE",
    "C3": "C3",
    "C4": "C4",
    "LOC": "EOG-L",
    "ROC": "EOG-R",
}
CLEVELAND_CHIN = {"EMG1": "EMG", "EMG2": "REFERENCE", "EMG3": "EMG"}
_FORMATS = {"nsrr": "NSRR", "profusion": "Profusion"}


def nsrr_cohort(
    name: str,
    night: str,
    *,
    about: str,
    citation: str,
    endings: Sequence[str] = (r"-nsrr\.xml", r"-profusion\.xml"),
    **fields: Any,
) -> Cohort:
    """Return a cohort whose recordings and annotations have one name, `night`, and other endings.

    Its description has the title first, and the terms of the NSRR.
    """
    return Cohort(
        name,
        recording=rf"{night}\.edf",
        annotations=tuple(f"{night}{ending}" for ending in endings),
        description=f"{about}\n{_ACCESS.format(name=name)}\nCite: {citation}{_CITATION}",
        **fields,
    )


def nsrr_loader(cohort: Cohort, visits: str, holds: str = "polysomnography/edfs") -> Loader:
    """Return the ``load_`` function of a cohort; the download's folder holds some folders."""
    folder = f"The folder ``{cohort.name}`` that ``nsrr download {cohort.name}`` makes: {holds}."
    return make_loader(cohort, folder, visits)


def nsrr_demographics(
    file: str,
    subject: str = "nsrrid",
    *,
    age: str = "age",
    sex: str = "male",
    bmi: str = "bmi",
    sexes: Mapping[str, str] | None = None,
    **visit: str,
) -> Demographics:
    """Return a table with the harmonized columns of the NSRR, or else the cohort's own."""
    return Demographics(
        file,
        subject,
        age=("nsrr_age", age),
        sex=("nsrr_sex", sex),
        bmi=("nsrr_bmi", bmi),
        sexes={"1": "M", "0": "F"} if sexes is None else sexes,
        **visit,
    )


def nsrr_visit(
    name: str, site: Site, night: str, folder: str = "", without_scale: tuple[str, ...] = ()
) -> Visit:
    """Return a visit as `nsrr_cohort` finds it, in a folder of its own if one is named."""
    below = f"{folder}/{night}" if folder else night
    annotations = tuple(
        AnnotationFile(f"polysomnography/annotations-events-{kind}/{below}-{kind}.xml", of_kind)
        for kind, of_kind in _FORMATS.items()
    )
    return Visit(name, site, f"polysomnography/edfs/{below}.edf", annotations, without_scale)
