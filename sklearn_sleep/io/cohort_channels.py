"""Channel labels that mean something in one cohort only."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["COHORT_CHANNELS"]

# Electrodes that are stored one by one, against a reference of the recorder's own.
_MASTOIDS = {
    "EEG": ("C4-M1", "C3-M2"),
    "EOG-L": ("E1-M2", "LOC-M2"),
    "EOG-R": ("E2-M1", "ROC-M1"),
}

COHORT_CHANNELS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        # C4-A1; "EEG(sec)" is C3-A2 (https://sleepdata.org/datasets/shhs, montage).
        "shhs": {"EEG": ("EEG",), "C4-M1": ("EEG",), "C3-M2": ("EEG(sec)", "EEG sec", "EEG2")},
        # https://sleepdata.org/datasets/mesa, equipment and montage.
        "mesa": {
            "EEG": ("EEG3",),
            "Fz-Cz": ("EEG1",),
            "Cz-Oz": ("EEG2",),
            "C4-M1": ("EEG3",),
        },
        # Of the two systems that recorded it, both have C3; https://sleepdata.org/datasets/wsc,
        # montage.
        "wsc": {"EEG": ("C3-M2",), "EMG": ("chin", "cchin_l")},
        # The montage of https://sleepdata.org/datasets/chat has ECG1 against ECG3.
        "chat": {
            **_MASTOIDS,
            "ECG": ("ECG1-ECG3",),
            "EMG": ("Lchin-Cchin", "Lchin-Rchin", "Chin1-Chin2"),
        },
        "cfs": {**_MASTOIDS, "EMG": ("EMG1-EMG2",)},
        "ccshs": {**_MASTOIDS, "EMG": ("EMG1-EMG2",)},
        "mros": {**_MASTOIDS, "EMG": ("L Chin-R Chin",)},
        # Table 2 of Khalighi et al. 2016, Comput Methods Programs Biomed 124:180-192: the ninth and
        # tenth channel, which some files name by a number.
        "isruc": {"EMG": ("X1", "24"), "ECG": ("X2", "25"), **_MASTOIDS},
        # O'Reilly et al. 2014, J Sleep Res 23:628-635.
        "mass": {
            "EMG": ("EMG Chin", "EMG Chin1-EMG Chin2"),
            "EEG": ("C4-CLE", "C4-LER", "C3-CLE", "C3-LER"),
            "THX": ("Resp Belt Thor",),
            "ABD": ("Resp Belt Abdo",),
        },
        "sleep_edf": {"EEG": ("Fpz-Cz",), "EOG": ("EOG horizontal",), "EMG": ("EMG submental",)},
    }
)
"""Labels by cohort and signal, the most wanted first, which go before the aliases of a signal;
``"A-B"`` is the channel of that name or the difference of two."""
