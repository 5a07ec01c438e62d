"""Sleep Heart Health Study (SHHS): polysomnography/edfs/shhs1 and shhs2."""

from sklearn_sleep.datasets.demographics import Demographics
from sklearn_sleep.datasets.layout import Layout
from sklearn_sleep.datasets.nsrr import nsrr_cohort, nsrr_loader, nsrr_visit
from sklearn_sleep.datasets.recorder import Channel, Site, unread, voltages


def _recorder(
    name: str, eeg: float, ecg: float, eog: float, breath: float, pulse: str, flow: str
) -> Site:
    """Return a montage of https://sleepdata.org/datasets/shhs, whose belts are upside down."""
    channels = (
        *unread(1.0, "SaO2", pulse),
        *voltages(eeg, "uV", 125.0, {"EEG(sec)": "C3-M2"}),
        *voltages(ecg, "mV", 1.25, {"ECG": "ECG"}),
        *voltages(eeg, "uV", 31.5, {"EMG": "EMG"}),
        *voltages(eog, "uV", 125.0, {"EOG(L)": "EOG-L", "EOG(R)": "EOG-R"}),
        *voltages(eeg, "uV", 125.0, {"EEG": "C4-M1"}),
        Channel("THOR RES", "THX", breath, "", (1.0, -1.0)),
        Channel("ABDO RES", "ABD", breath, "", (1.0, -1.0)),
        *unread(1.0, "POSITION", "LIGHT"),
        *unread(breath, flow),
        *unread(1.0, "OX STAT"),
    )
    return Site(name, channels)


_FIRST = nsrr_visit(
    "1", _recorder("shhs1", 125.0, 125.0, 50.0, 10.0, "H.R.", "NEW AIR"), "shhs1-{number}", "shhs1"
)
_SECOND_RECORDERS = (
    _recorder("shhs2v3", 125.0, 250.0, 50.0, 10.0, "PR", "AIRFLOW"),
    _recorder("shhs2v4", 128.0, 256.0, 64.0, 8.0, "PR", "AIRFLOW"),
)

SHHS = nsrr_cohort(
    "shhs",
    r"/shhs(?P<visit>[12])-(?P<subject>\d{6})",
    about="""\
Sleep Heart Health Study (SHHS)

5,793 adults of 40 and more years at home, 2,651 of them again some five years later: two EEG, EOG,
chin EMG, ECG (125 Hz at the first, 125 to 256 Hz at the second visit) and respiration (10 Hz,
stored upside down). Scored by the rules of Rechtschaffen and Kales.
""",
    citation="""\
Quan et al. 1997, "The Sleep Heart Health Study: design, rationale, and methods", Sleep
20:1077-1085.
""",
    # C4-A1; "EEG(sec)" is C3-A2 (https://sleepdata.org/datasets/shhs, montage).
    channels={"EEG": ("EEG",), "C4-M1": ("EEG",), "C3-M2": ("EEG(sec)", "EEG sec", "EEG2")},
    demographics=(
        Demographics(
            r"shhs-harmonized-dataset-.*\.csv",
            "nsrrid",
            visit="visitnumber",
            age=("nsrr_age",),
            sex=("nsrr_sex",),
            bmi=("nsrr_bmi",),
        ),
        *(
            Demographics(
                rf"shhs{visit}-dataset-.*\.csv",
                "nsrrid",
                of_visit=visit,
                age=(f"age_s{visit}",),
                sex=("gender",),
                bmi=(f"bmi_s{visit}",),
                sexes={"1": "M", "2": "F"},
            )
            for visit in ("1", "2")
        ),
    ),
    layout=Layout(
        tuple(
            ("shhs-{number}", (_FIRST, nsrr_visit("2", recorder, "shhs2-{number}", "shhs2")))
            for recorder in _SECOND_RECORDERS
        ),
        200_001,
    ),
)

load_shhs = nsrr_loader(SHHS, '``"1"`` and ``"2"``', "polysomnography/edfs/shhs1 and shhs2")
