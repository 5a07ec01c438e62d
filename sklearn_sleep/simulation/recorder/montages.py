"""The recorders of the public cohorts: channels, rates and units as their providers list them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sklearn_sleep.simulation.recorder.sites import Channel, Site

__all__ = ["MONTAGES"]


def _electrodes(rate: float, labels: Mapping[str, str]) -> tuple[Channel, ...]:
    """Return electrodes against a common one, Fpz; ``labels`` tells what each lies upon."""
    return tuple(
        Channel(label, signal, rate, "uV", (-3000.0, 3000.0), referential=True)
        if signal == "ECG"
        else Channel(label, signal, rate, "uV", (-500.0, 500.0), referential=True)
        for label, signal in labels.items()
    )


def _derivations(rate: float, labels: Mapping[str, str]) -> tuple[Channel, ...]:
    """Return differences of two electrodes, in uV."""
    limits = {"EMG": 200.0, "ECG": 3000.0}
    return tuple(
        Channel(label, signal, rate, "uV", (-limits.get(signal, 800.0), limits.get(signal, 800.0)))
        for label, signal in labels.items()
    )


def _belts(rate: float, thorax: str, abdomen: str) -> tuple[Channel, ...]:
    return (
        Channel(thorax, "THX", rate, "", (-100.0, 100.0)),
        Channel(abdomen, "ABD", rate, "", (-100.0, 100.0)),
    )


def _pulse(rate: float, label: str) -> Channel:
    return Channel(label, "PPG", rate, "", (0.0, 100.0))


def _unread(rate: float, *labels: str) -> tuple[Channel, ...]:
    """Return channels that no signal is taken from, and that must not be taken for one."""
    return tuple(Channel(label, "OTHER", rate, "", (0.0, 100.0)) for label in labels)


def _shhs(
    eeg: float, ecg: float, eog: float, breath: float, pulse: str, flow: str
) -> tuple[Channel, ...]:
    """SHHS: https://sleepdata.org/datasets/shhs, montages of SHHS1, SHHS2v3 and SHHS2v4.

    The respiratory range is upside down: its minimum is larger than its maximum.
    """
    return (
        *_unread(1.0, "SaO2", pulse),
        Channel("EEG(sec)", "C3-M2", eeg, "uV", (-125.0, 125.0)),
        Channel("ECG", "ECG", ecg, "mV", (-1.25, 1.25)),
        Channel("EMG", "EMG", eeg, "uV", (-31.5, 31.5)),
        Channel("EOG(L)", "EOG-L", eog, "uV", (-125.0, 125.0)),
        Channel("EOG(R)", "EOG-R", eog, "uV", (-125.0, 125.0)),
        Channel("EEG", "C4-M1", eeg, "uV", (-125.0, 125.0)),
        Channel("THOR RES", "THX", breath, "", (1.0, -1.0)),
        Channel("ABDO RES", "ABD", breath, "", (1.0, -1.0)),
        *_unread(1.0, "POSITION", "LIGHT"),
        *_unread(breath, flow),
        *_unread(1.0, "OX STAT"),
    )


# https://sleepdata.org/datasets/mesa, montage; labels and rates of the files as public code lists
# them, where E1, E2 and Chin are EOG-L, EOG-R and EMG.
_MESA = (
    Channel("EKG", "ECG", 256.0, "mV", (-1.25, 1.25)),
    *_electrodes(256.0, {"EOG-L": "EOG-L", "EOG-R": "EOG-R"}),
    *_derivations(256.0, {"EMG": "EMG", "EEG1": "Fz-Cz", "EEG2": "Cz-Oz", "EEG3": "C4-M1"}),
    *_unread(32.0, "Pres", "Flow", "Snore"),
    *_belts(32.0, "Thor", "Abdo"),
    *_unread(32.0, "Leg", "Therm", "Pos"),
    *_unread(1.0, "EKG_Off", "EOG-L_Off", "EOG-R_Off", "EMG_Off"),
    *_unread(1.0, "EEG1_Off", "EEG2_Off", "EEG3_Off"),
    _pulse(256.0, "Pleth"),
    *_unread(1.0, "OxStatus", "SpO2", "HR"),
    *_unread(256.0, "DHR"),
)

# https://sleepdata.org/datasets/wsc, montage: the Heritage system (Gamma studies, until 2009) and
# the Comet system (Twin studies, from 2009 on).
_WSC_GAMMA = (
    *_derivations(100.0, {"E1": "EOG-L", "E2": "EOG-R", "C3_M2": "C3-M2", "O1_M2": "O2-M1"}),
    *_derivations(100.0, {"chin": "EMG"}),
    *_unread(100.0, "lleg_r", "snore"),
    Channel("ECG", "ECG", 100.0, "mV", (-3.0, 3.0)),
    *_unread(100.0, "nasalflow", "oralflow", "nas_pres"),
    *_belts(100.0, "thorax", "abdomen"),
    *_unread(100.0, "sum", "position", "spo2"),
)
_WSC_TWIN = (
    *_derivations(200.0, {"E1": "EOG-L", "E2": "EOG-R", "F3_M2": "F4-M1", "Fz_M2": "F4-M1"}),
    *_derivations(200.0, {"Cz_M2": "C3-M2", "C3_M2": "C3-M2", "Pz_M2": "O2-M1", "O1_M2": "O2-M1"}),
    *_derivations(200.0, {"cchin_l": "EMG"}),
    *_unread(200.0, "lleg_r"),
    Channel("ECG", "ECG", 200.0, "mV", (-3.0, 3.0)),
    *_unread(200.0, "snore", "flow", "nas_pres"),
    *_belts(200.0, "thorax", "abdomen"),
    *_unread(200.0, "sum", "position", "spo2"),
)


def _chat(plethysmogram: str) -> tuple[Channel, ...]:
    """CHAT: https://sleepdata.org/datasets/chat, montage, whose rates are the lowest allowed.

    The spellings of the plethysmogram are those that the authors of wav2sleep met.
    """
    eeg = {"F3": "F4", "F4": "F4", "C3": "C3", "C4": "C4", "T3": "C3", "T4": "C4"}
    return (
        *_electrodes(200.0, {"E1": "EOG-L", "E2": "EOG-R", **eeg, "O1": "O2", "O2": "O2"}),
        *_electrodes(200.0, {"M1": "REFERENCE", "M2": "REFERENCE"}),
        *_electrodes(200.0, {"Lchin": "EMG", "Rchin": "EMG", "Cchin": "REFERENCE"}),
        *_electrodes(200.0, {"ECG1": "ECG", "ECG2": "REFERENCE", "ECG3": "REFERENCE"}),
        *_unread(200.0, "RLeg1", "RLeg2", "LLeg1", "LLeg2"),
        *_unread(32.0, "Airflow"),
        *_unread(128.0, "Cannula Flow"),
        *_belts(32.0, "Chest", "ABD"),
        *_unread(32.0, "SUM"),
        *_unread(10.0, "SpO2"),
        _pulse(200.0, plethysmogram),
        *_unread(1.0, "Position"),
        *_unread(32.0, "Cap"),
        *_unread(15.0, "EtCO2"),
        *_unread(200.0, "Snore"),
    )


_CLEVELAND_HEAD = {
    **dict.fromkeys(("A1", "A2"), "REFERENCE"),
    "C3": "C3",
    "C4": "C4",
    "LOC": "EOG-L",
    "ROC": "EOG-R",
}
_CLEVELAND_CHIN = {"EMG1": "EMG", "EMG2": "REFERENCE", "EMG3": "EMG"}


def _cfs(ecg: float, nasal_pressure: float) -> tuple[Channel, ...]:
    """CFS: https://sleepdata.org/datasets/cfs, montages of CFSv1 and CFSv2."""
    return (
        *_electrodes(128.0, _CLEVELAND_HEAD),
        *_electrodes(ecg, {"ECG2": "REFERENCE", "ECG1": "ECG"}),
        *_electrodes(256.0, _CLEVELAND_CHIN),
        *_unread(64.0, "L Leg", "R Leg"),
        *_unread(32.0, "AIRFLOW"),
        *_belts(32.0, "THOR EFFORT", "ABDO EFFORT"),
        *_unread(32.0, "SUM"),
        *_unread(256.0, "SNORE"),
        *_unread(1.0, "POSITION", "OX STATUS", "PULSE", "SpO2"),
        *_unread(nasal_pressure, "NASAL PRES"),
    )


# https://sleepdata.org/datasets/ccshs, montage, which does not tell the chin's rate.
_CCSHS = (
    *_electrodes(128.0, _CLEVELAND_HEAD),
    *_electrodes(256.0, _CLEVELAND_CHIN),
    *_electrodes(256.0, {"ECG1": "ECG", "ECG2": "REFERENCE"}),
    *_belts(32.0, "THOR EFFORT", "ABDO EFFORT"),
    *_unread(32.0, "SUM"),
    *_unread(1.0, "SpO2"),
    *_unread(32.0, "AIRFLOW"),
    *_unread(256.0, "SNORE"),
    *_unread(64.0, "NASAL PRES"),
    *_unread(256.0, "LEFT LEG1", "LEFT LEG2", "RIGHT LEG1", "RIGHT LEG2"),
    *_unread(1.0, "POSITION", "PULSE", "OX STATUS"),
    _pulse(128.0, "PlethWV"),
    *_unread(512.0, "Light", "HRate"),
)


def _mros(
    breath: float,
    mastoids: tuple[str, str],
    eyes: tuple[str, str],
    belts: tuple[str, str],
    spo2: str,
) -> tuple[Channel, ...]:
    """MrOS: https://sleepdata.org/datasets/mros, montages of visit 1 and visit 2."""
    return (
        *_unread(4.0, "Position"),
        *_unread(64.0, "Leg L", "Leg R"),
        *_electrodes(256.0, {"C3": "C3", "C4": "C4", **dict.fromkeys(mastoids, "REFERENCE")}),
        *_electrodes(256.0, {eyes[0]: "EOG-L", eyes[1]: "EOG-R"}),
        *_electrodes(512.0, {"ECG L": "ECG", "ECG R": "REFERENCE"}),
        *_electrodes(256.0, {"L Chin": "EMG", "R Chin": "REFERENCE"}),
        *_unread(breath, "Airflow", "SUM"),
        *_belts(breath, *belts),
        *_unread(1.0, "STAT", "HR", spo2),
        *_unread(64.0, "Cannula Flow"),
    )


def _isruc_rest(numbers: tuple[str, ...], others: tuple[str, ...]) -> tuple[Channel, ...]:
    chin, heart, *rest = numbers
    return (
        *_derivations(200.0, {chin: "EMG", heart: "ECG"}),
        *_unread(200.0, *rest, *others),
    )


def _isruc_derivations(left: str, right: str, mastoids: tuple[str, str]) -> tuple[Channel, ...]:
    first, second = mastoids
    eyes = {f"{left}-{second}": "EOG-L", f"{right}-{first}": "EOG-R"}
    odd = {f"F3-{second}": "F4-M1", f"C3-{second}": "C3-M2", f"O1-{second}": "O2-M1"}
    even = {f"F4-{first}": "F4-M1", f"C4-{first}": "C4-M1", f"O2-{first}": "O2-M1"}
    return _derivations(200.0, {**eyes, **odd, **even})


# Table 2 of Khalighi et al. 2016, Comput Methods Programs Biomed 124:180-192: X1 is the chin, X2
# the ECG. Public code that reads the files meets the four ways of naming them.
_ISRUC_X = tuple(f"X{number}" for number in range(1, 9))
_ISRUC = {
    "isruc": (
        *_isruc_derivations("LOC", "ROC", ("A1", "A2")),
        *_isruc_rest(_ISRUC_X, ("DC3", "SaO2", "DC8")),
    ),
    "isrucmastoid": (
        *_isruc_derivations("E1", "E2", ("M1", "M2")),
        *_isruc_rest(_ISRUC_X, ("DC4", "SpO2", "DC8", "DC7")),
    ),
    "isrucnumbered": (
        *_isruc_derivations("E1", "E2", ("M1", "M2")),
        *_isruc_rest(
            ("24", "25", "26", "27", "28", "29", "30", "31"), ("DC01", "SpO2", "DC02", "DC04")
        ),
    ),
    "isrucelectrodes": (
        *_electrodes(200.0, {"ROC": "EOG-R", "A1": "REFERENCE", "LOC": "EOG-L"}),
        *_electrodes(200.0, {"A2": "REFERENCE", "C4": "C4", "O2": "O2", "C3": "C3"}),
        *_electrodes(200.0, {"O1": "O2", "F4": "F4", "F3": "F4"}),
        *_isruc_rest(_ISRUC_X, ("DC8", "DC3", "SaO2")),
    ),
}

# O'Reilly et al. 2014, J Sleep Res 23:628-635: 256 Hz; labels as public code lists them. Those of
# SS1 are against computed linked ears (CLE) in most nights and against a linked-ear electrode (LER)
# in some.
_MASS_ODD = ("F7", "T3", "T5", "P3", "F3", "O1")
_MASS_EVEN = ("F8", "T4", "T6", "P4", "F4", "O2")


def _mass_head(reference: str, names: tuple[str, ...]) -> dict[str, str]:
    signals = {"F": "F4-M1", "T": "C4-M1", "P": "O2-M1", "O": "O2-M1", "C": "C4-M1"}
    return {
        f"EEG {name}-{reference}": "C3-M2" if name == "C3" else signals[name[0]] for name in names
    }


def _mass_first(reference: str) -> tuple[Channel, ...]:
    names = ("C3", "C4", "Fz", "Cz", "Pz", *_MASS_ODD, *_MASS_EVEN)
    return (
        *_derivations(256.0, {"EOG Left Horiz": "EOG-L", "EOG Right Horiz": "EOG-R"}),
        *_electrodes(256.0, {"EMG Chin1": "EMG", "EMG Chin2": "REFERENCE", "EMG Chin3": "EMG"}),
        *_derivations(256.0, _mass_head(reference, names)),
        *_derivations(256.0, {"ECG ECGI": "ECG"}),
        *_unread(256.0, "EMG Ant Tibial L", "EMG Ant Tibial R"),
        *_unread(256.0, "Resp Thermistor", "Resp Cannula"),
        *_belts(256.0, "Resp Belt Thor", "Resp Belt Abdo"),
        *_unread(256.0, "SaO2 SaO2"),
    )


_MASS_SECOND = (
    *_derivations(256.0, _mass_head("CLE", ("Fp1", "Fp2", *_MASS_ODD, *_MASS_EVEN))),
    *_derivations(256.0, _mass_head("CLE", ("C3", "C4", "Fpz", "Cz", "Pz"))),
    *_unread(256.0, "EOG Upper Vertic", "EOG Lower Vertic"),
    *_derivations(256.0, {"EOG Left Horiz": "EOG-L", "EOG Right Horiz": "EOG-R"}),
    *_derivations(256.0, {"EMG Chin": "EMG", "ECG ECGI": "ECG"}),
    *_unread(256.0, "Resp Nasal"),
)

# https://physionet.org/content/sleep-edfx/1.0.0/: the recorder of the cassettes keeps an envelope
# of the chin EMG, that of the telemetry study the EMG.
_SLEEP_EDF_HEAD = _derivations(
    100.0, {"EEG Fpz-Cz": "Fz-Cz", "EEG Pz-Oz": "Cz-Oz", "EOG horizontal": "EOG-L"}
)
_SLEEP_EDF_CASSETTE = (
    *_SLEEP_EDF_HEAD,
    *_unread(1.0, "Resp oro-nasal"),
    *_derivations(1.0, {"EMG submental": "EMG"}),
    *_unread(1.0, "Temp rectal", "Event marker"),
)
_SLEEP_EDF_TELEMETRY = (
    *_SLEEP_EDF_HEAD,
    *_derivations(100.0, {"EMG submental": "EMG"}),
    *_unread(1.0, "Marker"),
)

_CHANNELS = {
    "shhs1": _shhs(125.0, 125.0, 50.0, 10.0, "H.R.", "NEW AIR"),
    "shhs2v3": _shhs(125.0, 250.0, 50.0, 10.0, "PR", "AIRFLOW"),
    "shhs2v4": _shhs(128.0, 256.0, 64.0, 8.0, "PR", "AIRFLOW"),
    "mesa": _MESA,
    "wscgamma": _WSC_GAMMA,
    "wsctwin": _WSC_TWIN,
    "chatmasino": _chat("PlethMasino"),
    "chatpletmasimo": _chat("PletMasimo"),
    "chatplethmasimo": _chat("plethmasimo"),
    "cfsv1": (*_cfs(256.0, 64.0), _pulse(128.0, "PlethWV")),
    "cfsv2": _cfs(512.0, 128.0),
    "ccshs": _CCSHS,
    "mros1": _mros(16.0, ("A1", "A2"), ("LOC", "ROC"), ("Thoracic", "Abdominal"), "SAO2"),
    "mros2": _mros(32.0, ("M1", "M2"), ("E1", "E2"), ("Chest", "ABD"), "SpO2"),
    **_ISRUC,
    "masscle": _mass_first("CLE"),
    "massler": _mass_first("LER"),
    "massss2": _MASS_SECOND,
    "sleepedfsc": _SLEEP_EDF_CASSETTE,
    "sleepedfst": _SLEEP_EDF_TELEMETRY,
}
_RECORD_DURATIONS = {"sleepedfsc": 30.0, "sleepedfst": 30.0}
_EUROPEAN_MAINS = dict.fromkeys((*_ISRUC, "sleepedfsc", "sleepedfst"), 50.0)

MONTAGES: Mapping[str, Site] = MappingProxyType(
    {
        name: Site(
            name,
            channels,
            record_duration=_RECORD_DURATIONS.get(name, 1.0),
            mains_frequency=_EUROPEAN_MAINS.get(name, 60.0),
        )
        for name, channels in _CHANNELS.items()
    }
)
"""Recorders by name: the cohort and the version of its montage."""
