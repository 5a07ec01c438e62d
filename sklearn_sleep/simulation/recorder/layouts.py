"""The public cohorts as synthetic ones are written: folders, names, formats and defects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sklearn_sleep.simulation.recorder.montages import MONTAGES
from sklearn_sleep.simulation.recorder.sites import Site

__all__ = ["LAYOUTS", "AnnotationFile", "CohortLayout", "Visit"]


@dataclass(frozen=True)
class AnnotationFile:
    """A hypnogram beside a recording.

    Parameters
    ----------
    path : str
        Below the cohort's folder; ``{number}`` stands for the subject's number.
    format : str
        A key of `WRITERS`.
    scorer : {1, 2}, default=1
        The second scorer notes the true course of the night.
    """

    path: str
    format: str
    scorer: int = 1


@dataclass(frozen=True)
class Visit:
    """What a night of a subject leaves on disk.

    Parameters
    ----------
    name : str
        The visit as the loader calls it.
    site : Site or None
        The channels; None where they are told elsewhere.
    recording : str
        Path of the recording below the cohort's folder; ``{number}`` stands for the number.
    annotations : tuple of AnnotationFile
        The first one has the stages that a loader returns.
    without_scale : tuple of str, default=()
        Labels of channels whose physical minimum and maximum are both written as 0.
    """

    name: str
    site: Site | None
    recording: str
    annotations: tuple[AnnotationFile, ...]
    without_scale: tuple[str, ...] = ()


@dataclass(frozen=True)
class CohortLayout:
    """How a public cohort lies on disk.

    Parameters
    ----------
    name : str
        Name of the cohort.
    branches : tuple of (str, tuple of Visit)
        Kinds of subjects, dealt out in turn: the identifier, in which ``{number}`` stands for the
        number, and the visits.
    first_number : int
        Number of the first subject.
    wake_around : tuple of float, default=(0.0, 0.0)
        Wake before and after the night, as parts of its length.
    ends_scored : bool, default=False
        The format has no word for an unscored epoch: both ends of the night are wake.
    """

    name: str
    branches: tuple[tuple[str, tuple[Visit, ...]], ...]
    first_number: int
    wake_around: tuple[float, float] = (0.0, 0.0)
    ends_scored: bool = False


def _nsrr_visit(
    name: str, montage: str, night: str, folder: str = "", without_scale: tuple[str, ...] = ()
) -> Visit:
    below = f"{folder}/" if folder else ""
    annotations = tuple(
        AnnotationFile(
            f"polysomnography/annotations-events-{kind}/{below}{night}-{kind}.xml", name_of_format
        )
        for kind, name_of_format in (("nsrr", "NSRR"), ("profusion", "Profusion"))
    )
    recording = f"polysomnography/edfs/{below}{night}.edf"
    return Visit(name, MONTAGES[montage], recording, annotations, without_scale)


def _wsc_visit(visit: int, montage: str, formats: Mapping[str, str]) -> Visit:
    night = f"polysomnography/wsc-visit{visit}-{{number}}-nsrr"
    annotations = {**formats, "eannot": "Luna eannot"}
    return Visit(
        str(visit),
        MONTAGES[montage],
        f"{night}.edf",
        tuple(AnnotationFile(f"{night}.{ending}", name) for ending, name in annotations.items()),
    )


def _isruc_visit(name: str, montage: str, night: str) -> Visit:
    scored = tuple(
        AnnotationFile(f"{night}_{scorer}.{ending}", f"ISRUC {ending}", scorer)
        for scorer in (1, 2)
        for ending in ("txt", "xlsx")
    )
    return Visit(name, MONTAGES[montage], f"{night}.rec", scored)


def _mass_branch(subset: int, montage: str, pages: str) -> tuple[str, tuple[Visit, ...]]:
    subject = f"01-0{subset}-{{number:04d}}"
    night = f"SS{subset}/{subject}"
    annotation = AnnotationFile(f"{night} Base.edf", pages)
    return f"mass-{subject}", (Visit("1", MONTAGES[montage], f"{night} PSG.edf", (annotation,)),)


def _sleep_edf_visits(folder: str, study: str, first: str, second: str) -> tuple[Visit, ...]:
    return tuple(
        Visit(
            visit,
            MONTAGES[f"sleepedf{study[:2].lower()}"],
            f"{folder}/{study}{{number:02d}}{visit}{first}0-PSG.edf",
            (
                AnnotationFile(
                    f"{folder}/{study}{{number:02d}}{visit}{first}{second}-Hypnogram.edf",
                    "Sleep-EDF",
                ),
            ),
        )
        for visit in ("1", "2")
    )


_SHHS_FIRST = _nsrr_visit("1", "shhs1", "shhs1-{number}", "shhs1")
_SHHS_BRANCHES = tuple(
    ("shhs-{number}", (_SHHS_FIRST, _nsrr_visit("2", montage, "shhs2-{number}", "shhs2")))
    for montage in ("shhs2v3", "shhs2v4")
)
_GAMMA = {"stg.txt": "WSC stg", "sco.txt": "WSC sco", "log.txt": "WSC log"}
_WSC_BRANCHES = (
    (
        "wsc-{number}",
        (
            _wsc_visit(1, "wscgamma", _GAMMA),
            _wsc_visit(2, "wsctwin", {"allscore.txt": "WSC allscore"}),
        ),
    ),
    ("wsc-{number}", (_wsc_visit(3, "wsctwin", {"allscore.txt": "WSC power failure"}),)),
    ("wsc-{number}", (_wsc_visit(4, "wscgamma", {**_GAMMA, "log.txt": "WSC log of a restart"}),)),
)
_CHAT_BRANCHES = (
    (
        "chat-{number}",
        (
            _nsrr_visit("baseline", "chatmasino", "chat-baseline-{number}", "baseline"),
            _nsrr_visit("followup", "chatpletmasimo", "chat-followup-{number}", "followup"),
        ),
    ),
    (
        "chat-{number}",
        (
            _nsrr_visit(
                "baseline-nonrandomized",
                "chatplethmasimo",
                "chat-baseline-nonrandomized-{number}",
                "nonrandomized",
                without_scale=("ECG1",),
            ),
        ),
    ),
)
_CFS_BRANCHES = tuple(
    ("cfs-{number}", (_nsrr_visit("5", montage, "cfs-visit5-{number}"),))
    for montage in ("cfsv1", "cfsv2")
)
_MROS_NIGHTS = tuple(
    _nsrr_visit(visit, f"mros{visit}", f"mros-visit{visit}-aa{{number:04d}}", f"visit{visit}")
    for visit in ("1", "2")
)
_ISRUC_BRANCHES = (
    ("isruc-i-{number}", (_isruc_visit("1", "isruc", "subgroupI/{number}/{number}"),)),
    (
        "isruc-ii-{number}",
        (
            _isruc_visit("1", "isrucnumbered", "subgroupII/{number}/1/1"),
            _isruc_visit("2", "isrucmastoid", "subgroupII/{number}/2/2"),
        ),
    ),
    (
        "isruc-iii-{number}",
        (_isruc_visit("1", "isrucelectrodes", "subgroupIII/{number}/{number}"),),
    ),
)

_LAYOUTS = (
    CohortLayout("shhs", _SHHS_BRANCHES, 200_001),
    CohortLayout(
        "mesa", (("mesa-{number:04d}", (_nsrr_visit("1", "mesa", "mesa-sleep-{number:04d}"),)),), 1
    ),
    CohortLayout("wsc", _WSC_BRANCHES, 10_101),
    CohortLayout("chat", _CHAT_BRANCHES, 300_001),
    CohortLayout("cfs", _CFS_BRANCHES, 800_001),
    CohortLayout(
        "ccshs",
        (("ccshs-{number}", (_nsrr_visit("1", "ccshs", "ccshs-trec-{number}"),)),),
        1_800_001,
    ),
    CohortLayout("mros", (("mros-aa{number:04d}", _MROS_NIGHTS),), 1),
    CohortLayout("isruc", _ISRUC_BRANCHES, 1, ends_scored=True),
    CohortLayout(
        "mass",
        (
            _mass_branch(1, "masscle", "MASS"),
            _mass_branch(2, "massss2", "MASS 20 s"),
            _mass_branch(1, "massler", "MASS"),
        ),
        1,
    ),
    CohortLayout(
        "sleep_edf",
        (
            ("sleep_edf-sc4{number:02d}", _sleep_edf_visits("sleep-cassette", "SC4", "E", "C")),
            ("sleep_edf-st7{number:02d}", _sleep_edf_visits("sleep-telemetry", "ST7", "J", "P")),
        ),
        0,
        # Some 20 hours around a night of 8 (Kemp et al. 2000, IEEE Trans Biomed Eng 47:1185-1194).
        wake_around=(0.9, 0.6),
    ),
)
LAYOUTS: Mapping[str, CohortLayout] = MappingProxyType({layout.name: layout for layout in _LAYOUTS})
"""Layouts by the name of the cohort, after what its provider documents; see
`sklearn_sleep.datasets.cohorts`."""
