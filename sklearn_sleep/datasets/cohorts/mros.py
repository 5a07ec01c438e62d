"""Osteoporotic Fractures in Men Study (MrOS) Sleep: polysomnography/edfs/visit1 and visit2."""

from sklearn_sleep.datasets.layout import Layout
from sklearn_sleep.datasets.nsrr import (
    MASTOID_DERIVATIONS,
    nsrr_cohort,
    nsrr_demographics,
    nsrr_loader,
    nsrr_visit,
)
from sklearn_sleep.datasets.recorder import Site, belts, electrodes, unread


def _recorder(
    name: str,
    breath: float,
    mastoids: tuple[str, str],
    eyes: tuple[str, str],
    belt_labels: tuple[str, str],
    spo2: str,
) -> Site:
    """Return a montage of https://sleepdata.org/datasets/mros: that of visit 1 or visit 2."""
    channels = (
        *unread(4.0, "Position"),
        *unread(64.0, "Leg L", "Leg R"),
        *electrodes(256.0, {"C3": "C3", "C4": "C4", **dict.fromkeys(mastoids, "REFERENCE")}),
        *electrodes(256.0, {eyes[0]: "EOG-L", eyes[1]: "EOG-R"}),
        *electrodes(512.0, {"ECG L": "ECG", "ECG R": "REFERENCE"}),
        *electrodes(256.0, {"L Chin": "EMG", "R Chin": "REFERENCE"}),
        *unread(breath, "Airflow", "SUM"),
        *belts(breath, *belt_labels),
        *unread(1.0, "STAT", "HR", spo2),
        *unread(64.0, "Cannula Flow"),
    )
    return Site(name, channels)


_RECORDERS = {
    "1": _recorder("mros1", 16.0, ("A1", "A2"), ("LOC", "ROC"), ("Thoracic", "Abdominal"), "SAO2"),
    "2": _recorder("mros2", 32.0, ("M1", "M2"), ("E1", "E2"), ("Chest", "ABD"), "SpO2"),
}
_VISITS = tuple(
    nsrr_visit(visit, recorder, f"mros-visit{visit}-aa{{number:04d}}", f"visit{visit}")
    for visit, recorder in _RECORDERS.items()
)

MROS = nsrr_cohort(
    "mros",
    r"/mros-visit(?P<visit>[12])-(?P<subject>aa\d{4})",
    about="""\
Osteoporotic Fractures in Men Study (MrOS) Sleep

2,907 men of 65 and more years at home, 1,026 of them again: single electrodes, ECG and respiration.
Of eight first visits the provider says that the stages are wrong; they are left out.
""",
    citation="""\
Blackwell et al. 2011, "Associations between sleep architecture and sleep-disordered
breathing and cognition in older community-dwelling men: the Osteoporotic Fractures in Men Sleep
Study", J Am Geriatr Soc 59:2217-2225.
""",
    # https://sleepdata.org/datasets/mros, polysomnography introduction, known issues.
    wrong_stages=r"/mros-visit1-(aa2033|aa3905|aa4225|aa4398|aa4928|aa5622|aa5660|aa5781)\.edf",
    channels={**MASTOID_DERIVATIONS, "EMG": ("L Chin-R Chin",)},
    demographics=tuple(
        nsrr_demographics(
            rf"mros-visit{visit}-(harmonized|dataset)-.*\.csv",
            age=age,
            sex="gender",
            bmi="hwbmi",
            sexes={"1": "F", "2": "M"},
            of_visit=visit,
        )
        for visit, age in (("1", "vsage1"), ("2", "vs2age1"))
    ),
    layout=Layout((("mros-aa{number:04d}", _VISITS),), 1),
)

load_mros = nsrr_loader(MROS, '``"1"`` and ``"2"``')
