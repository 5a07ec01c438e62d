"""Childhood Adenotonsillectomy Trial (CHAT): children before and after surgery."""

from sklearn_sleep.datasets.demographics import Demographics
from sklearn_sleep.datasets.layout import Layout
from sklearn_sleep.datasets.nsrr import (
    MASTOID_DERIVATIONS,
    nsrr_cohort,
    nsrr_demographics,
    nsrr_loader,
    nsrr_visit,
)
from sklearn_sleep.datasets.recorder import Site, belts, electrodes, pulse, unread


def _recorder(name: str, plethysmogram: str) -> Site:
    """Return the montage of https://sleepdata.org/datasets/chat, with the lowest rates allowed."""
    eeg = {"F3": "F4", "F4": "F4", "C3": "C3", "C4": "C4", "T3": "C3", "T4": "C4"}
    channels = (
        *electrodes(200.0, {"E1": "EOG-L", "E2": "EOG-R", **eeg, "O1": "O2", "O2": "O2"}),
        *electrodes(200.0, {"M1": "REFERENCE", "M2": "REFERENCE"}),
        *electrodes(200.0, {"Lchin": "EMG", "Rchin": "EMG", "Cchin": "REFERENCE"}),
        *electrodes(200.0, {"ECG1": "ECG", "ECG2": "REFERENCE", "ECG3": "REFERENCE"}),
        *unread(200.0, "RLeg1", "RLeg2", "LLeg1", "LLeg2"),
        *unread(32.0, "Airflow"),
        *unread(128.0, "Cannula Flow"),
        *belts(32.0, "Chest", "ABD"),
        *unread(32.0, "SUM"),
        *unread(10.0, "SpO2"),
        pulse(200.0, plethysmogram),
        *unread(1.0, "Position"),
        *unread(32.0, "Cap"),
        *unread(15.0, "EtCO2"),
        *unread(200.0, "Snore"),
    )
    return Site(name, channels)


# The spellings of the plethysmogram are those that the authors of wav2sleep met.
_RANDOMIZED = (
    nsrr_visit(
        "baseline", _recorder("chatmasino", "PlethMasino"), "chat-baseline-{number}", "baseline"
    ),
    nsrr_visit(
        "followup", _recorder("chatpletmasimo", "PletMasimo"), "chat-followup-{number}", "followup"
    ),
)
_NOT_RANDOMIZED = nsrr_visit(
    "baseline-nonrandomized",
    _recorder("chatplethmasimo", "plethmasimo"),
    "chat-baseline-nonrandomized-{number}",
    "nonrandomized",
    without_scale=("ECG1",),
)

CHAT = nsrr_cohort(
    "chat",
    r"/chat-(?P<visit>baseline-nonrandomized|baseline|followup|nonrandomized)-(?P<subject>\d{6})",
    about="""\
Childhood Adenotonsillectomy Trial (CHAT)

Children of 5 to 10 years in the laboratory: 453 before (baseline) and most of them seven months
after (followup) randomization to surgery or waiting, and 779 who were not randomized. Some headers
have a physical maximum of 0, so that the channel has no scale and counts as missing, and the
plethysmogram has several spellings (PlethMasimo, PletMasimo, PlethMasino).
""",
    citation="""\
Marcus et al. 2013, "A randomized trial of adenotonsillectomy for childhood sleep apnea", N
Engl J Med 368:2366-2376.
""",
    # The montage of https://sleepdata.org/datasets/chat has ECG1 against ECG3.
    channels={
        **MASTOID_DERIVATIONS,
        "ECG": ("ECG1-ECG3",),
        "EMG": ("Lchin-Cchin", "Lchin-Rchin", "Chin1-Chin2"),
    },
    demographics=(
        *(
            nsrr_demographics(
                rf"chat-{visit}-(harmonized-)?dataset-.*\.csv",
                age="ageyear_at_meas",
                of_visit=visit,
            )
            for visit in ("baseline", "followup")
        ),
        Demographics(
            r"chat-nonrandomized-dataset-.*\.csv",
            "nsrrid",
            of_visit="baseline-nonrandomized",
            age=("age_nr",),
            sex=("ref9",),
            sexes={"1": "M", "2": "F"},
        ),
    ),
    layout=Layout((("chat-{number}", _RANDOMIZED), ("chat-{number}", (_NOT_RANDOMIZED,))), 300_001),
)

load_chat = nsrr_loader(CHAT, '``"baseline"``, ``"followup"`` and ``"baseline-nonrandomized"``')
