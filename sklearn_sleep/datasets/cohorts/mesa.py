"""Multi-Ethnic Study of Atherosclerosis (MESA) Sleep: polysomnography/edfs."""

from sklearn_sleep.datasets.layout import Layout
from sklearn_sleep.datasets.nsrr import nsrr_cohort, nsrr_demographics, nsrr_loader, nsrr_visit
from sklearn_sleep.datasets.recorder import (
    Site,
    belts,
    derivations,
    electrodes,
    pulse,
    unread,
    voltages,
)

# https://sleepdata.org/datasets/mesa, montage; labels and rates of the files as public code lists
# them, where E1, E2 and Chin are EOG-L, EOG-R and EMG.
_RECORDER = Site(
    "mesa",
    (
        *voltages(256.0, "mV", 1.25, {"EKG": "ECG"}),
        *electrodes(256.0, {"EOG-L": "EOG-L", "EOG-R": "EOG-R"}),
        *derivations(256.0, {"EMG": "EMG", "EEG1": "Fz-Cz", "EEG2": "Cz-Oz", "EEG3": "C4-M1"}),
        *unread(32.0, "Pres", "Flow", "Snore"),
        *belts(32.0, "Thor", "Abdo"),
        *unread(32.0, "Leg", "Therm", "Pos"),
        *unread(1.0, "EKG_Off", "EOG-L_Off", "EOG-R_Off", "EMG_Off"),
        *unread(1.0, "EEG1_Off", "EEG2_Off", "EEG3_Off"),
        pulse(256.0, "Pleth"),
        *unread(1.0, "OxStatus", "SpO2", "HR"),
        *unread(256.0, "DHR"),
    ),
)

MESA = nsrr_cohort(
    "mesa",
    r"/mesa-sleep-(?P<subject>\d{4})",
    about="""\
Multi-Ethnic Study of Atherosclerosis (MESA) Sleep

2,056 adults of 54 to 95 years at home, one night each: three EEG, EOG, chin EMG, ECG, respiration
and a finger plethysmogram of 256 Hz. Scored by the rules of the AASM.
""",
    citation="""\
Chen et al. 2015, "Racial/ethnic differences in sleep disturbances: the Multi-Ethnic Study
of Atherosclerosis (MESA)", Sleep 38:877-888.
""",
    # https://sleepdata.org/datasets/mesa, equipment and montage.
    channels={"EEG": ("EEG3",), "Fz-Cz": ("EEG1",), "Cz-Oz": ("EEG2",), "C4-M1": ("EEG3",)},
    demographics=(
        nsrr_demographics(
            r"mesa-sleep-(harmonized-)?dataset-.*\.csv",
            "mesaid",
            age="sleepage5c",
            sex="gender1",
            bmi="bmi5c",
        ),
    ),
    layout=Layout(
        (("mesa-{number:04d}", (nsrr_visit("1", _RECORDER, "mesa-sleep-{number:04d}"),)),), 1
    ),
)

load_mesa = nsrr_loader(MESA, 'only ``"1"`` here')
