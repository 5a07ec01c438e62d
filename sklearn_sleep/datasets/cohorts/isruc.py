"""ISRUC-Sleep: numbered folders of .rec files and two scorers."""

from typing import Any, Unpack

from sklearn_sleep.datasets.cohort import Cohort, FolderPath
from sklearn_sleep.datasets.layout import AnnotationFile, Layout, Visit
from sklearn_sleep.datasets.loaders import LoadParameters, document_loader
from sklearn_sleep.datasets.nsrr import MASTOID_DERIVATIONS
from sklearn_sleep.datasets.recorder import Channel, Site, derivations, electrodes, unread

_NIGHT = (
    r"(?:subgroup[ _]?(?P<subgroup>III|II|I|[123])/(?:[^/]+/)*?)?"
    r"\b(?P<subject>\d{1,3})/(?:(?P<visit>[12])/)?\d+"
)
_SCORERS = (1, 2)
_ENDINGS = ("txt", "xlsx")  # the text is the quicker one to read and says the same


def _of_scorer(scorer: int) -> tuple[str, ...]:
    if scorer not in _SCORERS:
        raise ValueError(f"scorer={scorer!r} is not there; ISRUC has the scorers 1 and 2.")
    return tuple(rf"{_NIGHT}_{scorer}\.{ending}" for ending in _ENDINGS)


def _derivations(left: str, right: str, mastoids: tuple[str, str]) -> tuple[Channel, ...]:
    first, second = mastoids
    eyes = {f"{left}-{second}": "EOG-L", f"{right}-{first}": "EOG-R"}
    odd = {f"F3-{second}": "F4-M1", f"C3-{second}": "C3-M2", f"O1-{second}": "O2-M1"}
    even = {f"F4-{first}": "F4-M1", f"C4-{first}": "C4-M1", f"O2-{first}": "O2-M1"}
    return derivations(200.0, {**eyes, **odd, **even})


def _recorder(name: str, head: tuple[Channel, ...], *others: str, numbers: tuple[str, ...]) -> Site:
    chin, heart, *rest = numbers
    channels = (
        *head,
        *derivations(200.0, {chin: "EMG", heart: "ECG"}),
        *unread(200.0, *rest, *others),
    )
    return Site(name, channels, mains_frequency=50.0)


# Table 2 of Khalighi et al. 2016, Comput Methods Programs Biomed 124:180-192: X1 is the chin, X2
# the ECG. Public code that reads the files meets the four ways of naming them.
_X = tuple(f"X{number}" for number in range(1, 9))
_NUMBERS = ("24", "25", "26", "27", "28", "29", "30", "31")
_MASTOID_HEAD = _derivations("E1", "E2", ("M1", "M2"))
_SINGLE_ELECTRODES = {
    "ROC": "EOG-R",
    "A1": "REFERENCE",
    "LOC": "EOG-L",
    "A2": "REFERENCE",
    "C4": "C4",
    "O2": "O2",
    "C3": "C3",
    "O1": "O2",
    "F4": "F4",
    "F3": "F4",
}
_EARS = _recorder(
    "isruc", _derivations("LOC", "ROC", ("A1", "A2")), "DC3", "SaO2", "DC8", numbers=_X
)
_MASTOIDS = _recorder("isrucmastoid", _MASTOID_HEAD, "DC4", "SpO2", "DC8", "DC7", numbers=_X)
_NUMBERED = _recorder(
    "isrucnumbered", _MASTOID_HEAD, "DC01", "SpO2", "DC02", "DC04", numbers=_NUMBERS
)
_ELECTRODES = _recorder(
    "isrucelectrodes", electrodes(200.0, _SINGLE_ELECTRODES), "DC8", "DC3", "SaO2", numbers=_X
)


def _visit(name: str, recorder: Site, night: str) -> Visit:
    scored = tuple(
        AnnotationFile(f"{night}_{scorer}.{ending}", f"ISRUC {ending}", scorer)
        for scorer in _SCORERS
        for ending in _ENDINGS
    )
    return Visit(name, recorder, f"{night}.rec", scored)


ISRUC = Cohort(
    "isruc",
    recording=_NIGHT + r"\.(?:rec|edf)",
    annotations=_of_scorer(1),
    subject="{dataset}-{subgroup}-{subject}",
    other=(r"/\d+_[12]\.(?:txt|xlsx)", r"[^/]*\.xlsx"),
    # The ninth and tenth channel, which some files name by a number.
    channels={"EMG": ("X1", "24"), "ECG": ("X2", "25"), **MASTOID_DERIVATIONS},
    description="""\
ISRUC-Sleep

118 nights at the sleep medicine centre of Coimbra: subgroup I, 100 people with sleep disorders;
subgroup II, 8 people with two nights each; subgroup III, 10 healthy people. Recordings are EDF
files with the ending ``.rec``; two scorers staged each night by the rules of the AASM.

How to get it: free for research at https://sleeptight.isr.uc.pt; unpack each ``.rar`` where it
lies. The subgroup is told by a folder of that name (subgroupI, subgroupII, subgroupIII).

Cite: Khalighi et al. 2016, "ISRUC-Sleep: a comprehensive public dataset for sleep researchers",
Comput Methods Programs Biomed 124:180-192.
""",
    layout=Layout(
        (
            ("isruc-i-{number}", (_visit("1", _EARS, "subgroupI/{number}/{number}"),)),
            (
                "isruc-ii-{number}",
                (
                    _visit("1", _NUMBERED, "subgroupII/{number}/1/1"),
                    _visit("2", _MASTOIDS, "subgroupII/{number}/2/2"),
                ),
            ),
            ("isruc-iii-{number}", (_visit("1", _ELECTRODES, "subgroupIII/{number}/{number}"),)),
        ),
        1,
        ends_scored=True,
    ),
)


def _load(folder: FolderPath, *, scorer: int = 1, **parameters: Unpack[LoadParameters]) -> Any:
    return ISRUC.with_annotations(*_of_scorer(scorer)).load(folder, **parameters)


load_isruc = document_loader(
    _load,
    ISRUC,
    "The folder with ``subgroupI``, ``subgroupII`` and ``subgroupIII``, or one of them.",
    '``"1"`` and ``"2"`` in subgroup II',
    own="""\
scorer : {1, 2}, default=1
    Whose stages to take.
""",
)
