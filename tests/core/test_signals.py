"""The table of signals against the labels that cohorts document, and units against the SI."""

import dataclasses
import json
import pickle
from fractions import Fraction
from pathlib import Path

import pytest

from sklearn_sleep.core.signals import (
    SIGNALS,
    Drawing,
    QualityRules,
    SignalDefinition,
    contralateral_derivation,
    count_epochs,
    find_channel,
    former_names,
    likely_labels,
    signal_definition,
)

# Channel labels of one recording of each cohort, and where its signals are.
COHORTS = {
    "shhs1": (
        "SaO2|H.R.|EEG(sec)|ECG|EMG|EOG(L)|EOG(R)|EEG|SOUND|AIRFLOW|THOR RES|ABDO RES|POSITION",
        {
            "ECG": "ECG",
            "EEG": "EEG",
            "EMG": "EMG",
            "EOG-L": "EOG(L)",
            "EOG-R": "EOG(R)",
            "THX": "THOR RES",
            "ABD": "ABDO RES",
            "PPG": None,
        },
    ),
    "mesa": (
        "EKG|EOG-L|EOG-R|EMG|EEG1|EEG2|EEG3|Pres|Flow|Snore|Thor|Abdo|Leg|Therm|Pos|EKG_Off|Pleth",
        {
            "ECG": "EKG",
            "PPG": "Pleth",
            "THX": "Thor",
            "ABD": "Abdo",
            "EOG-L": "EOG-L",
            "EOG-R": "EOG-R",
            "EEG": "EEG3",
        },
    ),
    "sleep-edf": (
        "EEG Fpz-Cz|EEG Pz-Oz|EOG horizontal|Resp oro-nasal|EMG submental|Temp rectal|Event marker",
        {
            "EEG": "EEG Fpz-Cz",
            "EOG": "EOG horizontal",
            "EMG": "EMG submental",
            "ECG": None,
            "EOG-L": None,
        },
    ),
    "isruc": (
        "LOC-A2|ROC-A1|F3-A2|C3-A2|O1-A2|F4-A1|C4-A1|O2-A1|X1|X2|X3",
        {"EOG-L": "LOC-A2", "EOG-R": "ROC-A1", "EEG": "C4-A1", "ECG": None},
    ),
    "mitdb": ("MLII|V5", {"ECG": "MLII"}),
}


@pytest.mark.parametrize("cohort", COHORTS)
def test_signals_are_found_under_the_labels_of_a_cohort(cohort):
    labels, expected = COHORTS[cohort]
    labels = labels.split("|")
    found = {name: find_channel(SIGNALS[name], labels) for name in expected}
    assert {n: None if i is None else labels[i] for n, i in found.items()} == expected


def test_samples_per_epoch_are_those_of_the_published_network():
    expected = {"ABD": 256, "THX": 256, "ECG": 1024, "PPG": 1024}
    expected |= dict.fromkeys(("EOG-L", "EOG-R", "EOG", "EEG", "EMG"), 4096)
    assert {name: SIGNALS[name].samples_per_epoch for name in expected} == expected
    assert SIGNALS["ECG"].sampling_frequency == pytest.approx(34.1333, abs=1e-4)


def test_names_go_before_aliases_and_aliases_in_their_order():
    signal = SignalDefinition("FLOW", 256, aliases=["Nasal Pressure", "CANNULA"])
    assert find_channel(signal, ["CANNULA", "Nasal Pressure", "Flow"]) == 2
    assert find_channel(signal, ["CANNULA", "Nasal Pressure"]) == 1
    assert find_channel(signal, ["CANNULA", "cannula"]) == 0
    assert find_channel(signal, ["AIRFLOW", "FLOW 2", ""]) is None


@pytest.mark.parametrize(
    "label", ["C4-M1", " c4-m1 ", "C4_M1", "C4M1", "EEG C4-M1", "eeg C4:M1", "C4-M1-Ref"]
)
def test_spelling_of_a_label_does_not_matter(label):
    assert find_channel(signal_definition("C4-M1"), ["C3-M2", label]) == 1


@pytest.mark.parametrize("label", ["C4", "C4-Ref", "EEG C4-LER", "C4-CLE"])
def test_common_references_are_left_out(label):
    assert find_channel(signal_definition("C4"), ["C3", label]) == 1


def test_mastoids_have_a_former_name():
    assert find_channel(signal_definition("F4-M1"), ["F4-A2", "F4-A1"]) == 1
    assert find_channel(signal_definition("F4-M1"), ["F4-A2"]) is None


def test_former_names_are_those_of_mastoids_alone():
    assert former_names("C4-M1") == ("C4-A1",)
    assert former_names("M1-M2") == ("A1-A2",)
    assert former_names("EMG1-EMG2") == former_names("M10") == ()


# The derivations that the AASM manual recommends, of both sides.
@pytest.mark.parametrize("derivation", ["F4-M1", "C4-M1", "O2-M1", "F3-M2", "C3-M2", "O1-M2"])
def test_mastoids_of_the_other_side(derivation):
    assert contralateral_derivation(derivation.partition("-")[0]) == derivation


@pytest.mark.parametrize("name", ["C4-M1", "Fpz-Cz", "POz", "FT10", "O2-A1", "F3", "fp1-m2"])
def test_electrodes_and_their_differences_are_eeg(name):
    definition = signal_definition(name)
    assert (definition.name, definition.samples_per_epoch, definition.unit) == (name, 4096, "uV")


@pytest.mark.parametrize("name", ["EKG", "C4-", "Q1", "C4-M1-O2", "", "ecg"])
def test_unknown_names_are_refused_with_the_known_ones(name):
    with pytest.raises(ValueError, match=r"is not a known signal. Use one of ECG, PPG, .*C4-M1"):
        signal_definition(name)


def test_a_definition_of_your_own_is_taken_as_it_is():
    mine = SignalDefinition("SpO2", 30, aliases=["SaO2"])
    assert signal_definition(mine) is mine
    assert hash(mine) == hash(SignalDefinition("SpO2", 30, None, ("SaO2",)))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"samples_per_epoch": 256, "unit": "mmHg"}, "unit='mmHg' of signal 'X'"),
        ({"samples_per_epoch": 0}, "samples_per_epoch=0 of signal 'X'"),
    ],
)
def test_impossible_definitions_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        SignalDefinition("X", **parameters)


@pytest.mark.parametrize("record_duration", ["0.1", "0.3", "1", "1.6", "7.5", "29.9", "0.015625"])
def test_epochs_are_counted_as_in_exact_arithmetic(record_duration):
    for records in (1, 99, 100, 299, 300, 301, 12345, 288000):
        exact = Fraction(record_duration) * records // 30
        assert count_epochs(records * float(record_duration)) == exact
    summed = sum([float(record_duration)] * 3000)
    assert count_epochs(summed) == Fraction(record_duration) * 3000 // 30


@pytest.mark.parametrize("name", SIGNALS)
def test_entries_say_how_a_signal_is_judged_and_drawn(name):
    signal = SIGNALS[name]
    assert isinstance(signal.quality, QualityRules)
    assert isinstance(signal.drawing, Drawing)
    assert (signal.quality_rules, signal.drawn_as) == (signal.quality, signal.drawing)


def test_definitions_without_rules_follow_the_signal_they_are_most_like():
    eeg = SIGNALS["EEG"]
    for derivation in ("C4-M1", "F3"):
        assert signal_definition(derivation).quality_rules == eeg.quality
        assert signal_definition(derivation).drawn_as == eeg.drawing
    in_microvolts = SignalDefinition("ECG-2", 512, "uV")
    assert in_microvolts.quality_rules.amplitude == (50.0, 20_000.0)
    assert in_microvolts.quality_rules.beats == "ECG"
    assert in_microvolts.drawn_as.amplitude == (-1000.0, 1500.0)
    assert SignalDefinition("leg", 512, "mV").quality_rules.amplitude == (0.002, 2.0)
    # Amplitudes mean nothing in a recorder's own unit.
    assert SignalDefinition("ECG", 512).quality_rules.amplitude is None
    assert SignalDefinition("snore", 512).quality_rules == QualityRules()
    own = QualityRules(amplitude=(1, 2))
    assert SignalDefinition("ECG", 512, "uV", quality=own).quality_rules is own


def test_definitions_are_saved_as_json():
    signal = SignalDefinition(
        "POS", 32, "degC", ["Pos"], QualityRules(values=[1, 2]), Drawing("#000000", [0, 4])
    )
    saved = json.loads(json.dumps(dataclasses.asdict(signal)))
    assert SignalDefinition(**saved) == signal
    assert hash(SignalDefinition(**saved)) == hash(signal)
    old = {"name": "ECG", "samples_per_epoch": 1024, "unit": "mV", "aliases": ["EKG"]}
    assert SignalDefinition(**old).quality_rules == SIGNALS["ECG"].quality


def test_old_pickles_without_rules_are_read():
    signal = SignalDefinition("ECG", 1024, "mV")
    for name in ("quality", "drawing"):
        del vars(signal)[name]
    restored = pickle.loads(pickle.dumps(signal))  # noqa: S301
    assert restored == SignalDefinition("ECG", 1024, "mV")


@pytest.mark.parametrize("make", [QualityRules, Drawing])
def test_amplitudes_rise(make):
    with pytest.raises(ValueError, match=r"amplitude=\(2, 1\) must rise"):
        make(amplitude=(2, 1))


def test_user_guide_lists_the_signals():
    guide = Path(__file__).parents[2] / "docs" / "user-guide.md"
    for name, signal in SIGNALS.items():
        unit = signal.unit or "physical range becomes -1 to 1"
        assert f"| `{name}` | {unit} | {signal.samples_per_epoch} |" in guide.read_text()


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("ECG", "Lead II"), ("ECG", "II"), ("PPG", "SpO2 Pleth"),
        ("PPG", "Pulse Waveform"), ("THX", "Effort THO"), ("THX", "Thorax RIP"), ("THX", "RES THO"),
        ("ABD", "Effort ABD"), ("ABD", "RES ABD"), ("EEG", "C3-A2"), ("EEG", "F4-M1"),
        ("EEG", "C3:M2"), ("EEG", "EEG F4-A1"), ("EEG", "EEG C3-LER"), ("EEG", "C4-A1A2"),
        ("ECG", "EKG Lead II"), ("PPG", "SpO2 Wave"), ("THX", "Resp THO"), ("THX", "Chest Belt"),
        ("ABD", "RIP.Abdom"), ("EOG-L", "E1-A2"), ("EOG-R", "ROC-A2"), ("EMG", "EMG Mentalis"),
    ],
)  # fmt: skip
def test_labels_of_other_laboratories(name, label):
    labels = ["Snore", label, "Body"]
    found = {other: find_channel(definition, labels) for other, definition in SIGNALS.items()}
    assert {other for other, position in found.items() if position is not None} == {name}


@pytest.mark.parametrize("label", ["Pulse", "PR", "HR", "SpO2", "SaO2", "Pulse Rate"])
def test_rates_and_saturations_are_no_pulse(label):
    assert find_channel(SIGNALS["PPG"], [label]) is None


def test_a_second_electrode_of_the_ecg_may_be_a_reference():
    # That of CHAT is: it is taken where channels={"ECG": "ECG 2"} says so.
    assert find_channel(SIGNALS["ECG"], ["ECG 2"]) is None


@pytest.mark.parametrize(
    ("name", "likely"),
    [
        ("ECG", ["ECG 2", "ECG-V1", "EKG R"]), ("PPG", ["Finger Pleth", "PPG1"]),
        ("THX", ["Thorax 1", "THOREFF"]), ("ABD", ["XABD"]), ("EOG-L", ["EOG1", "EOG1:M2"]),
        ("EEG", ["EEG(sec)", "F4-C4", "T3"]), ("EMG", ["ChinL", "EMG Kinn"]),
    ],
)  # fmt: skip
def test_labels_that_may_be_a_signal(name, likely):
    others = ["ECG HR", "Pulse", "PR", "EMG LAT", "EMG Tib", "Snore", "EEG Event", "EKG_Off"]
    assert likely_labels(SIGNALS[name], [*others, *likely]) == likely


@pytest.mark.parametrize("typical", [(1.0, 0.0), (1.0, -2.0), (1.0,), (float("nan"), 1.0)])
def test_typical_values_are_a_mean_and_a_deviation(typical):
    with pytest.raises(ValueError, match="must be a mean and a standard deviation"):
        SignalDefinition("PRESSURE", 64, typical=typical)


def test_typical_values_from_json_are_as_they_were():
    definition = SignalDefinition("PRESSURE", 64, typical=(1.0, 2.0))
    assert SignalDefinition(**json.loads(json.dumps(dataclasses.asdict(definition)))) == definition
    assert hash(SignalDefinition("PRESSURE", 64, typical=[1.0, 2.0])) == hash(definition)
