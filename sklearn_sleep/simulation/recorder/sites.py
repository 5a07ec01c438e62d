"""The default sites of a synthetic cohort: what each recorder stores, and how."""

from collections.abc import Sequence

from sklearn_sleep.datasets.layout import AnnotationFile, Layout, Visit
from sklearn_sleep.datasets.recorder import Channel, Site, voltages

_NORTH = Site(
    "north",
    (
        *voltages(125.0, "uV", 125.0, {"EEG(sec)": "C3-M2"}),
        *voltages(125.0, "mV", 1.25, {"ECG": "ECG"}),
        *voltages(125.0, "uV", 31.5, {"EMG": "EMG"}),
        *voltages(50.0, "uV", 125.0, {"EOG(L)": "EOG-L", "EOG(R)": "EOG-R"}),
        *voltages(125.0, "uV", 125.0, {"EEG": "C4-M1"}),
        Channel("THOR RES", "THX", 10.0, "", (1.0, -1.0)),
        Channel("ABDO RES", "ABD", 10.0, "", (1.0, -1.0)),
    ),
    mains_amplitude=2.0,
)
_SOUTH = Site(
    "south",
    (
        *voltages(256.0, "mV", 1.25, {"EKG": "ECG"}),
        *voltages(128.0, "uV", 400.0, {"EOG-L": "EOG-L", "EOG-R": "EOG-R"}),
        *voltages(128.0, "uV", 60.0, {"EMG": "EMG"}),
        *voltages(128.0, "uV", 400.0, {"EEG1": "Fz-Cz", "EEG2": "Cz-Oz", "EEG3": "C4-M1"}),
        Channel("Thor", "THX", 32.0, "", (-1.0, 1.0)),
        Channel("Abdo", "ABD", 32.0, "", (-1.0, 1.0), polarity=-1),
        Channel("Pleth", "PPG", 256.0, "", (-1.6, 1.6)),
    ),
    mains_amplitude=6.0,
)
_EAST_ELECTRODES = {
    "F4": "F4",
    "C4": "C4",
    "O2": "O2",
    "M1": "REFERENCE",
    "E1": "EOG-L",
    "E2": "EOG-R",
}
_EAST = Site(
    "east",
    (
        *voltages(200.0, "V", 0.0005, _EAST_ELECTRODES, referential=True),
        *voltages(200.0, "uV", 80.0, {"chin": "EMG"}),
        *voltages(200.0, "uV", 3000.0, {"ECG L": "ECG"}),
        Channel("chest", "THX", 20.0, "", (-100.0, 100.0)),
        Channel("abdomen", "ABD", 20.0, "", (-100.0, 100.0)),
    ),
    record_duration=2.0,
    mains_frequency=50.0,
    mains_amplitude=4.0,
)
_WEST = Site(
    "west",
    (
        Channel("ECG1", "ECG", 200.0, "V", (-0.003, 0.003), polarity=-1),
        Channel("THOR EFFORT", "THX", 10.0, "", (-5.0, 5.0)),
        Channel("ABDO EFFORT", "ABD", 10.0, "", (-5.0, 5.0)),
        Channel("PlethWV", "PPG", 64.0, "", (0.0, 100.0)),
    ),
    record_duration=10.0,
    mains_frequency=50.0,
    mains_amplitude=10.0,
)
SITES: tuple[Site, ...] = (_NORTH, _SOUTH, _EAST, _WEST)
"""The default sites, after recorders of the National Sleep Research Resource (Zhang 2018, JAMIA
25:1351-1358): `north` has the channel names, rates and inverted respiratory range of SHHS (Quan
1997), `south` those of MESA (Chen 2015) with a finger plethysmogram, `east` an electrode-wise
montage in volts as in CFS, and `west` is a home test: ECG with swapped leads, respiration and
plethysmogram, without EEG."""

FIRST_NUMBER = 100_001


def files_of_site(site: str, visit: int) -> tuple[str, str, str]:
    """Return the paths of recording, annotation and truth, with ``{number}``, as the NSRR has."""
    name = f"{site}-visit{visit}-{{number}}"
    return (
        f"polysomnography/edfs/{site}/{name}.edf",
        f"polysomnography/annotations-events-nsrr/{site}/{name}-nsrr.xml",
        f"truth/{name}.npz",
    )


def layout_of_sites(sites: Sequence[Site]) -> Layout:
    """Return the layout of a cohort whose people are dealt to sites, with two visits each."""
    return Layout(
        tuple(
            (f"{site.name}-{{number}}", tuple(_visit(site, visit) for visit in (1, 2)))
            for site in sites
        ),
        FIRST_NUMBER,
        truth="truth/{name}.npz",
    )


def _visit(site: Site, visit: int) -> Visit:
    recording, annotation, _ = files_of_site(site.name, visit)
    return Visit(str(visit), site, recording, (AnnotationFile(annotation, "NSRR"),))
