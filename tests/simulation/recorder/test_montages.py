"""Trees in the layouts of the public cohorts have the channels and rates that providers list."""

import numpy as np
import pyedflib
import pytest

from sklearn_sleep.core.signals import SIGNALS
from sklearn_sleep.datasets import COHORTS
from sklearn_sleep.features import detect_r_peaks
from sklearn_sleep.preprocessing import EDFReader

# Of CHAT's channel without a scale, and recorders that lack a signal.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.EDFWarning"),
    pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning"),
]

# Rates in Hz of the channels that the providers list, by recorder. NSRR: the pages "montage and
# sampling rate information" of https://sleepdata.org/datasets/<cohort>; WSC's "Input 2" is in its
# labels. CHAT lists the lowest rates allowed. Sleep-EDF: https://physionet.org/content/sleep-edfx.
# ISRUC: Khalighi 2016, table 2. MASS: O'Reilly 2014.
DOCUMENTED = {
    "shhs1": {
        125: "EEG(sec)|EEG|ECG|EMG",
        50: "EOG(L)|EOG(R)",
        10: "Thor RES|Abdo RES|New Air",
        1: "SaO2|H.R.|Position|Light|OX STAT",
    },
    "shhs2v3": {
        125: "EEG(sec)|EEG|EMG",
        250: "ECG",
        50: "EOG(L)|EOG(R)",
        10: "Airflow|Thor RES|Abdo RES",
        1: "SaO2|PR|Position|Light|OX STAT",
    },
    "shhs2v4": {
        128: "EEG(sec)|EEG|EMG",
        256: "ECG",
        64: "EOG(L)|EOG(R)",
        8: "Airflow|Thor RES|Abdo RES",
        1: "SaO2|PR|Position|Light|OX STAT",
    },
    "mesa": {
        256: "EKG|EOG-L|EOG-R|EMG|EEG1|EEG2|EEG3|Pleth",
        32: "Flow|Snore|Thor|Abdo|Leg|Pos",
        1: "OxStatus|SpO2|HR",
    },
    "wscgamma": {
        100: "E1|E2|C3_M2|O1_M2|chin|lleg_r|snore|ECG|nasalflow|oralflow|nas_pres|thorax|abdomen|"
        "sum|position|spo2"
    },
    "wsctwin": {
        200: "E1|E2|F3_M2|Fz_M2|Cz_M2|C3_M2|Pz_M2|O1_M2|cchin_l|lleg_r|ECG|snore|flow|nas_pres|"
        "thorax|abdomen|sum|position|spo2"
    },
    "chatmasino": {
        200: "E1|E2|F3|F4|C3|C4|T3|T4|O1|O2|M1|M2|Lchin|Rchin|Cchin|ECG1|ECG2|ECG3|RLeg1|RLeg2|"
        "LLeg1|LLeg2|Snore",
        128: "Cannula Flow",
        32: "Airflow|Chest|ABD|SUM|Cap",
        15: "EtCO2",
        10: "SpO2",
    },
    "cfsv1": {
        128: "C3|C4|A1|A2|LOC|ROC|PlethWV",
        256: "ECG1|ECG2|EMG1|EMG2|EMG3|Snore",
        64: "L Leg|R Leg|Nasal Pres",
        32: "Airflow|Thor Effort|Abdo Effort|Sum",
        1: "Position|Ox Status|Pulse|SpO2",
    },
    "cfsv2": {
        128: "C3|C4|A1|A2|LOC|ROC|Nasal Pres",
        512: "ECG1|ECG2",
        256: "EMG1|EMG2|EMG3|Snore",
        64: "L Leg|R Leg",
        32: "Airflow|Thor Effort|Abdo Effort|Sum",
        1: "Position|Ox Status|Pulse|SpO2",
    },
    "ccshs": {
        128: "C3|C4|A1|A2|LOC|ROC|PlethWV",
        256: "ECG1|ECG2|SNORE|LEFT LEG1|LEFT LEG2|RIGHT LEG1|RIGHT LEG2",
        32: "ABDO EFFORT|THOR EFFORT|SUM|AIRFLOW",
        64: "NASAL PRES",
        1: "SpO2|POSITION|PULSE|OX STATUS",
        512: "Light|HRate",
    },
    "mros1": {
        256: "C3|C4|A1|A2|ROC|LOC|L Chin|R Chin",
        512: "ECG L|ECG R",
        64: "Leg L|Leg R|Cannula Flow",
        16: "Airflow|SUM|Thoracic|Abdominal",
        4: "Position",
        1: "STAT|HR|SAO2",
    },
    "mros2": {
        256: "C3|C4|M1|M2|E1|E2|L Chin|R Chin",
        512: "ECG L|ECG R",
        64: "Leg L|Leg R|Cannula Flow",
        32: "Airflow|SUM|Chest|ABD",
        4: "Position",
        1: "STAT|HR|SpO2",
    },
    "isruc": {
        200: "LOC-A2|ROC-A1|F3-A2|C3-A2|O1-A2|F4-A1|C4-A1|O2-A1|X1|X2|X3|X4|X5|X6|DC3|X7|X8|SaO2|"
        "DC8"
    },
    "isrucmastoid": {
        200: "E1-M2|E2-M1|F3-M2|C3-M2|O1-M2|F4-M1|C4-M1|O2-M1|X1|X2|X3|X4|X5|X6|DC4|X7|X8|SpO2|"
        "DC8|DC7"
    },
    "isrucnumbered": {
        200: "E1-M2|E2-M1|F3-M2|C3-M2|O1-M2|F4-M1|C4-M1|O2-M1|24|25|26|27|28|29|DC01|30|31|SpO2|"
        "DC02|DC04"
    },
    "isrucelectrodes": {
        200: "ROC|A1|LOC|A2|C4|O2|C3|O1|F4|F3|X1|X2|X3|X4|X5|X6|X7|X8|DC8|DC3|SaO2"
    },
    "masscle": {
        256: "EOG Left Horiz|EOG Right Horiz|EMG Chin1|EMG Chin2|EMG Chin3|EEG C3-CLE|EEG C4-CLE|"
        "ECG ECGI|Resp Thermistor|Resp Cannula|Resp Belt Thor|Resp Belt Abdo|SaO2 SaO2"
    },
    "massler": {256: "EEG C3-LER|EEG C4-LER|EEG Fz-LER|ECG ECGI"},
    "massss2": {
        256: "EEG C3-CLE|EEG C4-CLE|EEG Fpz-CLE|EOG Left Horiz|EOG Right Horiz|EMG Chin|ECG ECGI|"
        "EOG Upper Vertic|EOG Lower Vertic|Resp Nasal"
    },
    "sleepedfsc": {
        100: "EEG Fpz-Cz|EEG Pz-Oz|EOG horizontal",
        1: "Resp oro-nasal|EMG submental|Temp rectal|Event marker",
    },
    "sleepedfst": {100: "EEG Fpz-Cz|EEG Pz-Oz|EOG horizontal|EMG submental", 1: "Marker"},
}


@pytest.mark.parametrize("name", COHORTS)
def test_channels_and_rates_are_those_that_the_provider_lists(name, public_tree):
    seen = set()
    for night in public_tree(name).nights:
        if night.site not in DOCUMENTED:
            continue
        with pyedflib.EdfReader(str(night.recording)) as file:
            rates = dict(
                zip(
                    (label.casefold() for label in file.getSignalLabels()),
                    file.getSampleFrequencies(),
                    strict=True,
                )
            )
        for rate, labels in DOCUMENTED[night.site].items():
            for label in labels.split("|"):
                assert rates[label.casefold()] == rate, (night.site, label)
        seen.add(night.site)
    assert seen


@pytest.mark.parametrize("name", sorted(set(COHORTS) - {"sleep_edf"}))
def test_ecg_has_the_heartbeats_of_the_generator(name, public_tree):
    # The channel that is read is the right one, whatever else the recorder stores.
    tree = public_tree(name)
    truth = {str(night.recording): night.load_truth()["r_peaks"] for night in tree.nights}
    read = 0
    for night in EDFReader(["ECG"]).fit_transform(tree.X).recordings:
        if "ECG" not in night.signals:
            continue
        signal = night.signals["ECG"]
        found = detect_r_peaks(np.nan_to_num(signal.data), signal.sampling_frequency)
        beats = truth[night.path]
        assert np.mean(np.abs(beats[:, None] - found[None]).min(axis=1) < 0.1) > 0.95
        read += 1
    assert read >= 2


@pytest.mark.parametrize("name", sorted(set(COHORTS) - {"isruc", "sleep_edf"}))
def test_belts_have_the_breaths_of_the_generator(name, public_tree):
    tree = public_tree(name)
    truth = {str(night.recording): night.load_truth() for night in tree.nights}
    read = 0
    for night in EDFReader(["THX", "ABD"]).fit_transform(tree.X).recordings:
        for signal in night.signals.values():
            rate = round(30 * signal.sampling_frequency)
            epochs = np.nan_to_num(signal.data[: len(signal.data) // rate * rate]).reshape(-1, rate)
            power = np.abs(np.fft.rfft(epochs - epochs.mean(axis=1, keepdims=True), axis=1)) ** 2
            # Bins of 2 breaths a minute; slower than 6 a minute is drift.
            per_minute = 2.0 * (3 + power[:, 3:30].argmax(axis=1))
            told = truth[night.path]["respiratory_rate"][: len(per_minute)]
            assert np.median(np.abs(per_minute - told)) < 2.0, (night.path, signal)
            read += 1
    assert read >= 4


@pytest.mark.parametrize("name", COHORTS)
def test_signals_are_in_their_units(name, public_tree):
    # An R wave is near 1 mV; EEG, EOG and EMG are of some to some hundred uV. SpO2 is noise, not
    # the body's, around the middle of its percents.
    tree = public_tree(name)
    wanted = sorted({signal for signals in tree.recordings["signals"] for signal in signals})
    limits = {"mV": (0.05, 1.0), "uV": (0.5, 200.0), "%": (0.5, 50.0)}
    for night in EDFReader(wanted).fit_transform(tree.X).recordings:
        for signal_name, signal in night.signals.items():
            unit = SIGNALS[signal_name].unit
            if unit is None:
                assert np.nanmax(np.abs(signal.data)) <= 1.0
                continue
            low, high = limits[unit]
            assert low < np.nanstd(signal.data) < high, (night.path, signal_name)
