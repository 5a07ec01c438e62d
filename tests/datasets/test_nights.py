"""From which channel each signal of each night is taken."""

import numpy as np
import pandas as pd
import pytest

from sklearn_sleep.core.signals import SIGNALS
from sklearn_sleep.datasets import load_cohort
from sklearn_sleep.datasets.nights import tell_channels
from sklearn_sleep.exceptions import (
    EDFWarning,
    MissingSignalWarning,
    SleepWarning,
)
from sklearn_sleep.preprocessing import EDFReader


@pytest.fixture
def odd_labels(write_edf, tmp_path, write_text):
    """Three nights whose signals have other labels, and one of them lacks the ECG."""
    samples = np.zeros(600)

    def write(name, *labels):
        channels = [(label, samples, 10, "uV", (-1, 1)) for label in labels]
        write_text("W\nN1\n", f"{name}.csv")
        return write_edf(f"{name}.edf", *channels)

    write("a", "EKG", "C4", "M1", "Atmung")
    write("b", "Herz 2", "C4-A1", "THX")
    write("c", "Puls", "C4:M1")
    return tmp_path


def test_which_channel_each_signal_is_taken_from(odd_labels):
    told = {"channels": {"ECG": ["Herz 2"], "THX": "Atmung"}, "units": {"ECG": "uV"}}
    signals = ["ECG", "C4-M1", "THX"]
    missing = r"ECG is missing in 1 of 3 nights: c\.edf\. THX is missing in 1 of 3 nights: c\.edf\."
    with pytest.warns(MissingSignalWarning, match=missing):
        cohort = load_cohort(odd_labels, signals=signals, **told)
    expected = [["EKG", "C4 - M1", "Atmung"], ["Herz 2", "C4-A1", "THX"], ["-", "C4:M1", "-"]]
    assert cohort.channels.to_numpy().tolist() == expected
    assert cohort.channels.columns.tolist() == signals
    assert cohort.channels.index.tolist() == cohort.recordings["path"].tolist()
    epochs = EDFReader(signals, **told).fit_transform(cohort.X)
    for recording, labels in zip(epochs.recordings, expected, strict=True):
        there = {name: x for name, x in zip(signals, labels, strict=True) if x != "-"}
        assert recording.source.taken_from == there
    of_all = load_cohort(odd_labels).channels
    assert of_all["ECG"].tolist() == ["EKG", "-", "-"]
    assert set(of_all.columns) == set(SIGNALS)
    with pytest.raises(ValueError, match="channels has 'THX', which is none of the signals"):
        load_cohort(odd_labels, signals=["ECG"], channels={"THX": "Atmung"})


def test_labels_that_may_be_a_missing_signal_are_told(write_edf, tmp_path, write_text):
    for name, label in (("a", "ECG 2"), ("b", "ECG V1"), ("c", "ECG 2")):
        write_edf(f"{name}.edf", (label, np.zeros(600), 10, "uV", (-1, 1)))
        write_text("W\nN1\n", f"{name}.csv")
    likely = r"of 3 nights: a.edf, b.edf, c.edf\. ECG is missing, and may be 'ECG 2' or 'ECG V1'\."
    with pytest.warns(MissingSignalWarning, match=likely) as warned:
        load_cohort(tmp_path, signals=["ECG"])
    assert len(warned) == 1


def test_channels_are_told_in_few_lines_whatever_the_number_of_nights(odd_labels):
    with pytest.warns(MissingSignalWarning):
        channels = load_cohort(odd_labels, signals=["ECG", "EEG"]).channels
    many = pd.concat([channels] * 2000)
    assert tell_channels(many).splitlines() == [
        "Signals: the channels that they are taken from, and in how many nights",
        "  ECG: - (4000), EKG (2000)",
        "  EEG: C4 (2000), C4-A1 (2000), C4:M1 (2000)",
        "ECG is missing in 4000 of 6000 nights: b.edf, c.edf, b.edf and 3997 more.",
    ]


def test_the_table_is_what_the_reader_takes(cohort):
    assert (cohort.channels == "-").any(axis=None)
    epochs = EDFReader(list(SIGNALS)).fit_transform(cohort.X)
    for recording in epochs.recordings:
        labels = cohort.channels.loc[recording.path]
        assert recording.source.taken_from == labels[labels != "-"].to_dict()


def test_a_unit_or_rate_that_does_not_fit_loses_the_signal_alone(write_edf, tmp_path, write_text):
    night = write_edf(
        "a.edf",
        ("ECG", np.zeros(600), 10, "bpm", (-1, 1)),
        ("C4", np.zeros(600), 10, "uV", (-1, 1)),
        ("M1", np.zeros(1200), 20, "uV", (-1, 1)),
        ("THX", np.zeros(600), 10, "", (-1, 1)),
    )
    write_text("W\nN1\n", "a.csv")
    signals = ["ECG", "C4-M1", "THX"]
    with pytest.warns(SleepWarning) as warned:
        cohort = load_cohort(tmp_path, signals=signals)
    assert cohort.channels.loc[str(night)].tolist() == ["-", "-", "THX"]
    assert "found 'bpm'" in str(warned[0].message)
    assert "C4 10 Hz and M1 20 Hz" in str(warned[1].message)
    with pytest.warns(EDFWarning):
        (recording,) = EDFReader(signals).fit_transform(night).recordings
    assert list(recording.signals) == ["THX"]
    with pytest.warns(EDFWarning, match=r"EEG is the difference of .*cannot be subtracted"):
        reader = EDFReader(["EEG"], channels={"EEG": ["C4-M1", "C4"]}).fit_transform(night)
    assert reader.recordings[0].source.taken_from == {"EEG": "C4"}
