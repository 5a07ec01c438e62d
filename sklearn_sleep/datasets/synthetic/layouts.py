"""The public cohorts as synthetic ones are written: folders, names, channels and defects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from sklearn_sleep.datasets.synthetic.sites import SITES, Channel, Site

__all__ = ["LAYOUTS", "AnnotationFile", "CohortLayout", "Visit"]

_NORTH, _SOUTH, _EAST, _WEST = SITES


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


def _site(name: str, channels: tuple[Channel, ...], **parameters: float) -> Site:
    return Site(name, channels, **parameters)


def _nsrr_visit(
    name: str, site: Site, night: str, folder: str = "", without_scale: tuple[str, ...] = ()
) -> Visit:
    below = f"{folder}/" if folder else ""
    return Visit(
        name,
        site,
        f"polysomnography/edfs/{below}{night}.edf",
        (
            AnnotationFile(
                f"polysomnography/annotations-events-nsrr/{below}{night}-nsrr.xml", "NSRR"
            ),
        ),
        without_scale,
    )


def _electrodes(rate: float, mastoid: str, eyes: tuple[str, str]) -> tuple[Channel, ...]:
    labels = {"C4": "C4", mastoid: "M1", eyes[0]: "EOG-L", eyes[1]: "EOG-R"}
    return tuple(
        Channel(label, signal, rate, "uV", (-500.0, 500.0), referential=True)
        for label, signal in labels.items()
    )


def _belts(thorax: str, abdomen: str, rate: float) -> tuple[Channel, ...]:
    return (
        Channel(thorax, "THX", rate, "", (-100.0, 100.0)),
        Channel(abdomen, "ABD", rate, "", (-100.0, 100.0)),
    )


def _pulse(label: str, rate: float) -> Channel:
    return Channel(label, "PPG", rate, "", (0.0, 100.0))


# The second visit of SHHS has an ECG of 250 Hz.
_SHHS2 = tuple(
    replace(channel, sampling_frequency=250.0) if channel.signal == "ECG" else channel
    for channel in _NORTH.channels
)
_CHAT = (
    *_electrodes(200.0, "M1", ("E1", "E2")),
    Channel("ECG1", "ECG", 200.0, "uV", (-3000.0, 3000.0)),
    *_belts("Chest", "Abdo", 32.0),
)
_WSC = (
    Channel("C4_M1", "C4-M1", 100.0, "uV", (-500.0, 500.0)),
    Channel("E1", "EOG-L", 100.0, "uV", (-500.0, 500.0)),
    Channel("E2", "EOG-R", 100.0, "uV", (-500.0, 500.0)),
    Channel("chin", "EMG", 100.0, "uV", (-80.0, 80.0)),
    Channel("ECG", "ECG", 100.0, "mV", (-3.0, 3.0)),
    *_belts("thorax", "abdomen", 25.0),
)
_CLEVELAND = (
    *_electrodes(128.0, "A1", ("LOC", "ROC")),
    Channel("ECG1", "ECG", 256.0, "mV", (-5.0, 5.0)),
    *_belts("THOR EFFORT", "ABDO EFFORT", 32.0),
    _pulse("PlethWV", 128.0),
)
_MROS = (
    *_electrodes(256.0, "A1", ("LOC", "ROC")),
    Channel("ECG L", "ECG", 512.0, "mV", (-5.0, 5.0)),
    *_belts("Thoracic", "Abdominal", 32.0),
)
_ISRUC = (
    Channel("LOC-A2", "EOG-L", 200.0, "uV", (-800.0, 800.0)),
    Channel("ROC-A1", "EOG-R", 200.0, "uV", (-800.0, 800.0)),
    Channel("C4-A1", "C4-M1", 200.0, "uV", (-800.0, 800.0)),
    Channel("X1", "EMG", 200.0, "uV", (-200.0, 200.0)),
    Channel("X2", "ECG", 200.0, "uV", (-3000.0, 3000.0)),
)
_MASS = (
    Channel("EEG C4-CLE", "C4-M1", 256.0, "uV", (-500.0, 500.0)),
    Channel("EOG Left Horiz", "EOG-L", 256.0, "uV", (-500.0, 500.0)),
    Channel("EOG Right Horiz", "EOG-R", 256.0, "uV", (-500.0, 500.0)),
    Channel("EMG Chin", "EMG", 256.0, "uV", (-80.0, 80.0)),
    Channel("ECG ECGI", "ECG", 256.0, "uV", (-3000.0, 3000.0)),
)
_SLEEP_EDF = (
    Channel("EEG Fpz-Cz", "Fz-Cz", 100.0, "uV", (-200.0, 200.0)),
    Channel("EEG Pz-Oz", "Cz-Oz", 100.0, "uV", (-200.0, 200.0)),
    Channel("EOG horizontal", "EOG-L", 100.0, "uV", (-1000.0, 1000.0)),
    Channel("EMG submental", "EMG", 100.0, "uV", (-80.0, 80.0)),
)


def _wsc_visit(visit: int, ending: str, format: str) -> Visit:  # noqa: A002 - the field's name
    night = f"polysomnography/wsc-visit{visit}-{{number}}-nsrr"
    return Visit(
        str(visit),
        _site("wsc", _WSC),
        f"{night}.edf",
        (AnnotationFile(f"{night}.{ending}", format),),
    )


def _isruc_visit(name: str, night: str) -> Visit:
    scored = tuple(
        AnnotationFile(f"{night}_{scorer}.{ending}", f"ISRUC {ending}", scorer)
        for scorer in (1, 2)
        for ending in ("txt", "xlsx")
    )
    return Visit(name, _site("isruc", _ISRUC), f"{night}.rec", scored)


def _mass_branch(subset: int, format: str) -> tuple[str, tuple[Visit, ...]]:  # noqa: A002
    subject = f"01-0{subset}-{{number:04d}}"
    night = f"SS{subset}/{subject}"
    annotation = AnnotationFile(f"{night} Base.edf", format)
    return f"mass-{subject}", (Visit("1", _site("mass", _MASS), f"{night} PSG.edf", (annotation,)),)


def _sleep_edf_visits(folder: str, study: str, letters: tuple[str, str]) -> tuple[Visit, ...]:
    return tuple(
        Visit(
            visit,
            _site(f"sleepedf{study.lower()}", _SLEEP_EDF, record_duration=30.0),
            f"{folder}/{study}{{number:02d}}{visit}{letters[0]}0-PSG.edf",
            (
                AnnotationFile(
                    f"{folder}/{study}{{number:02d}}{visit}{letters[0]}{letters[1]}-Hypnogram.edf",
                    "Sleep-EDF",
                ),
            ),
        )
        for visit in ("1", "2")
    )


_SHHS_NIGHTS = tuple(
    _nsrr_visit(
        visit,
        _site(f"shhs{visit}", channels),
        f"shhs{visit}-{{number}}",
        f"shhs{visit}",
    )
    for visit, channels in (("1", _NORTH.channels), ("2", _SHHS2))
)
_CHAT_NIGHTS = tuple(
    _nsrr_visit(
        visit,
        _site("chat", (*_CHAT, _pulse(label, 256.0))),
        f"chat-{visit}-{{number}}",
        visit,
    )
    for visit, label in (("baseline", "PlethMasino"), ("followup", "PLETMASIMO"))
)
_MROS_NIGHTS = tuple(
    _nsrr_visit(visit, _site("mros", _MROS), f"mros-visit{visit}-aa{{number:04d}}", f"visit{visit}")
    for visit in ("1", "2")
)
_CHAT_OTHERS = _nsrr_visit(
    "baseline-nonrandomized",
    _site("chat", (*_CHAT, _pulse("plethmasimo", 256.0))),
    "chat-baseline-nonrandomized-{number}",
    "nonrandomized",
    without_scale=("ECG1",),
)

_LAYOUTS = (
    CohortLayout("shhs", (("shhs-{number}", _SHHS_NIGHTS),), 200_001),
    CohortLayout(
        "mesa",
        (
            (
                "mesa-{number:04d}",
                (_nsrr_visit("1", _site("mesa", _SOUTH.channels), "mesa-sleep-{number:04d}"),),
            ),
        ),
        1,
    ),
    CohortLayout(
        "wsc",
        (
            (
                "wsc-{number}",
                (
                    _wsc_visit(1, "allscore.txt", "WSC allscore"),
                    _wsc_visit(2, "stg.txt", "WSC stg"),
                ),
            ),
            ("wsc-{number}", (_wsc_visit(1, "allscore.txt", "WSC power failure"),)),
        ),
        10_101,
    ),
    CohortLayout(
        "chat",
        (("chat-{number}", _CHAT_NIGHTS), ("chat-{number}", (_CHAT_OTHERS,))),
        300_001,
    ),
    CohortLayout(
        "cfs",
        (
            (
                "cfs-{number}",
                (_nsrr_visit("5", _site("cfs", _CLEVELAND), "cfs-visit5-{number}"),),
            ),
        ),
        800_001,
    ),
    CohortLayout(
        "ccshs",
        (
            (
                "ccshs-{number}",
                (_nsrr_visit("1", _site("ccshs", _CLEVELAND), "ccshs-trec-{number}"),),
            ),
        ),
        1_800_001,
    ),
    CohortLayout("mros", (("mros-aa{number:04d}", _MROS_NIGHTS),), 1),
    CohortLayout(
        "isruc",
        (
            ("isruc-i-{number}", (_isruc_visit("1", "subgroupI/{number}/{number}"),)),
            (
                "isruc-ii-{number}",
                (
                    _isruc_visit("1", "subgroupII/{number}/1/1"),
                    _isruc_visit("2", "subgroupII/{number}/2/2"),
                ),
            ),
            ("isruc-iii-{number}", (_isruc_visit("1", "subgroupIII/{number}/{number}"),)),
        ),
        1,
        ends_scored=True,
    ),
    CohortLayout("mass", (_mass_branch(1, "MASS"), _mass_branch(2, "MASS 20 s")), 1),
    CohortLayout(
        "sleep_edf",
        (
            ("sleep_edf-sc4{number:02d}", _sleep_edf_visits("sleep-cassette", "SC4", ("E", "C"))),
            ("sleep_edf-st7{number:02d}", _sleep_edf_visits("sleep-telemetry", "ST7", ("J", "P"))),
        ),
        0,
        # Some 20 hours around a night of 8 (Kemp et al. 2000, IEEE Trans Biomed Eng 47:1185-1194).
        wake_around=(0.9, 0.6),
    ),
)
LAYOUTS: Mapping[str, CohortLayout] = MappingProxyType({layout.name: layout for layout in _LAYOUTS})
"""Layouts by the name of the cohort, after what its provider documents; see
`sklearn_sleep.datasets.cohorts`."""
