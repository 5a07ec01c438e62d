"""Stages among the annotations of EDF+ files."""

from __future__ import annotations

import warnings
from datetime import datetime
from pathlib import Path

import edfio
import mne
import numpy as np
import pytest

from sklearn_sleep.exceptions import EDFRepairWarning, HypnogramError, HypnogramWarning
from sklearn_sleep.io.hypnograms.reading import read_hypnogram

DATA = Path(__file__).parents[2] / "data"
SLEEP_EDF = DATA / "SC4001EC-Hypnogram.edf"


@pytest.fixture
def write(tmp_path):
    """Write (onset, duration, text) annotations as an EDF+ file and return its path."""

    def write_annotations(*annotations):
        path = tmp_path / "Base.edf"
        edfio.Edf(
            [], annotations=[edfio.EdfAnnotation(*annotation) for annotation in annotations]
        ).write(path)
        return path

    return write_annotations


def test_sleep_edf_against_mne():
    code = {"W": 0, "1": 1, "2": 2, "3": 3, "4": 3, "R": 4, "?": -1}
    annotations = mne.read_annotations(SLEEP_EDF)
    expected = np.full(86400 // 30, -9)
    for onset, duration, text in zip(
        annotations.onset, annotations.duration, annotations.description, strict=True
    ):
        first = round(onset / 30)
        expected[first : first + round(duration / 30)] = code[text.removeprefix("Sleep stage ")]
    np.testing.assert_array_equal(read_hypnogram(SLEEP_EDF, resample_epochs="error"), expected)


def test_sleep_edf_cut_to_its_recording():
    # The recording of 79,500 s ends where the unscored rest of the day begins.
    hypnogram = read_hypnogram(SLEEP_EDF, n_epochs=2650)
    assert hypnogram.size == 2650
    assert -1 not in hypnogram


def test_start_is_compared_with_that_of_the_recording():
    # That of SC4001E0-PSG.edf, https://physionet.org/content/sleep-edfx.
    start = datetime.fromisoformat("1985-01-01T16:13:00")
    expected = read_hypnogram(SLEEP_EDF, n_epochs=2650)
    np.testing.assert_array_equal(
        read_hypnogram(SLEEP_EDF, n_epochs=2650, recording_start=start), expected
    )
    later = datetime.fromisoformat("1989-04-24T16:13:30")
    with pytest.warns(HypnogramWarning) as told:
        found = read_hypnogram(SLEEP_EDF, n_epochs=2649, recording_start=later)
    np.testing.assert_array_equal(found, expected[1:])
    assert "starts at 16:13:00 and the recording at 16:13:30; its times were moved by -30 s" in str(
        told[0].message
    )
    assert "the first 30 s; what lies before its start is left out" in str(told[1].message)
    other_night = datetime.fromisoformat("1989-04-24T08:00:00")
    with pytest.raises(HypnogramError, match=r"8\.2 h apart"):
        read_hypnogram(SLEEP_EDF, recording_start=other_night)


def test_mass_pages_of_20_seconds_off_the_grid(write):
    # 3.5-23.5 W, 23.5-43.5 N1, 43.5-63.5 N2, 63.5-83.5 R: epochs have 20 s W, 16.5 s N2, 20 s R.
    path = write(
        (3.5, 20, "Sleep stage W"),
        (23.5, 20, "Sleep stage 1"),
        (43.5, 20, "Sleep stage 2"),
        (63.5, 20, "Sleep stage R"),
    )
    with pytest.warns(HypnogramWarning, match="5 of 5 changes .* the first at 3.5 s"):
        np.testing.assert_array_equal(read_hypnogram(path), [0, 2, 4])


def test_pages_of_30_seconds_off_the_grid(write):
    path = write(
        (20.25, 30, "Sleep stage W"), (50.25, 30, "Sleep stage 2"), (80.25, 30, "Movement time")
    )
    # 9.75 s of the first epoch are scored; then W has 20.25 s, then N2 20.25 s, then nothing.
    hypnogram = read_hypnogram(path, resample_epochs="majority")
    np.testing.assert_array_equal(hypnogram, [-1, 0, 2, -1])


def test_other_annotations_are_passed_over(write):
    path = write(
        (0, 60, "Sleep stage N1"), (10, 3, "Arousal"), (20, 0, "Wake"), (60, 30, "Sleep stage N3")
    )
    np.testing.assert_array_equal(read_hypnogram(path), [1, 1, 3])


def test_files_without_the_standard_texts(write):
    path = write((0, 30, "Wake"), (10, 3, "Spindle"), (15, 1, "3"), (30, 30, "N2"), (60, 30, "REM"))
    np.testing.assert_array_equal(read_hypnogram(path), [0, 2, 4])


def test_stages_without_a_duration_last_until_the_next(write):
    path = write((0, None, "Sleep stage W"), (60, None, "Sleep stage R"))
    with pytest.warns(HypnogramWarning, match="when the last stage, from 60 s on, ends"):
        np.testing.assert_array_equal(read_hypnogram(path), [0, 0, 4])
    np.testing.assert_array_equal(read_hypnogram(path, n_epochs=5), [0, 0, 4, 4, 4])


def test_unknown_text_ends_the_stage_before_it(write):
    path = write((0, None, "W"), (60, None, "N1"), (90, None, "Quux"), (150, None, "N2"))
    with pytest.warns(HypnogramWarning, match=r"first at 90 s.*'Quux'.*stage_names=\{'Quux'"):
        np.testing.assert_array_equal(read_hypnogram(path, n_epochs=6), [0, 0, 1, -1, -1, 2])
    found = read_hypnogram(path, n_epochs=6, stage_names={"quux": "N3"})
    np.testing.assert_array_equal(found, [0, 0, 1, 3, 3, 2])


def test_unknown_text_in_a_gap_is_named(write):
    path = write((0, 30, "W"), (30, 30, "Quux"), (60, 30, "N2"))
    with pytest.warns(HypnogramWarning, match="'Quux'"):
        np.testing.assert_array_equal(read_hypnogram(path), [0, -1, 2])


@pytest.mark.parametrize("duration", [None, 30, 20])
@pytest.mark.parametrize(
    ("onsets", "expected"),
    [([0, 30, 60], [-1, 1, 2]), ([60, 0, 30], [1, 2]), ([29.98, 0, 60], [1, -1, 2])],
)
def test_unknown_text_before_among_and_after_the_stages_is_named(write, onsets, expected, duration):
    stages = (
        (onset, duration and 30, text) for onset, text in zip(onsets[1:], ["N1", "N2"], strict=True)
    )
    path = write((onsets[0], duration, "Quux"), *stages)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = read_hypnogram(path)
    assert f"the first at {onsets[0]} s, name no known stage or event: 'Quux'" in str(
        told[0].message
    )
    np.testing.assert_array_equal(found[: len(expected)], expected)
    assert set(found[len(expected) :]) <= {-1}


@pytest.mark.parametrize("onset", [0, 100])
def test_short_notes_outside_the_stages_are_not_named(write, onset):
    path = write((onset, 4, "Quux"), (onset, None, "Quux"), (30, 60, "N1"))
    np.testing.assert_array_equal(read_hypnogram(path), [-1, 1, 1])


def test_movement_time_that_starts_with_an_epoch_ends_the_stage_before_it(write):
    path = write((0, None, "W"), (60.009, None, "N2"), (119.986, None, "MT"), (180, None, "R"))
    np.testing.assert_array_equal(read_hypnogram(path, n_epochs=7), [0, 0, 2, 2, -1, -1, 4])


@pytest.mark.parametrize("text", ["Light", "Light sleep", "Deep sleep", "NREM"])
def test_several_stages_at_once_are_no_event(write, text):
    path = write((0, None, "W"), (30, None, text), (60, None, "N2"))
    with pytest.warns(HypnogramWarning, match=f"first at 30 s.*'{text}'"):
        np.testing.assert_array_equal(read_hypnogram(path), [0, -1, 2])


def test_unknown_text_beside_a_movement_is_named(write):
    path = write((0, 30, "W"), (25, 40, "Movement"), (30, 20, "Quux"), (60, 30, "N2"))
    with pytest.warns(HypnogramWarning, match="first at 30 s.*'Quux'"):
        np.testing.assert_array_equal(read_hypnogram(path), [0, -1, 2])


@pytest.mark.parametrize("prefix", ["", "Sleep stage "])
@pytest.mark.parametrize("jitter_of_stages", [0, 0.02])
@pytest.mark.parametrize(("onset", "duration"), [(70, None), (70, 4), (60.7, None), (70, 40)])
def test_movements_within_an_epoch_of_stages_without_a_duration(
    write, prefix, jitter_of_stages, onset, duration
):
    names = ["W", "N1", "N2", "R"]
    onsets = [0, 30 + jitter_of_stages, 60, 150 - jitter_of_stages]
    stages = [(at, None, f"{prefix}{name}") for at, name in zip(onsets, names, strict=True)]
    path = write(*stages, (onset, duration, "Movement"))
    np.testing.assert_array_equal(read_hypnogram(path, n_epochs=6), [0, 1, 2, 2, 2, 4])


@pytest.mark.parametrize("text", ["Light", "Light sleep", "Leichtschlaf"])
def test_light_sleep_is_none_of_the_lights(write, text):
    path = write((0, None, "W"), (60, None, "N2"), (90, None, text), (150, None, "R"))
    with pytest.warns(HypnogramWarning, match=f"'{text}'"):
        np.testing.assert_array_equal(read_hypnogram(path, n_epochs=6), [0, 0, 2, -1, -1, 4])


@pytest.mark.parametrize("jitter", [0, 0.02, -0.2])
def test_change_to_no_stage_ends_the_stage_before_it(write, jitter):
    path = write((0, None, "W"), (30, None, "N2"), (60 + jitter, None, "Movement time"))
    np.testing.assert_array_equal(read_hypnogram(path, n_epochs=4), [0, 2, -1, -1])


@pytest.mark.parametrize("end", [90, 90.02])
def test_change_at_the_end_of_the_recording_is_no_epoch(write, end):
    path = write((0, None, "W"), (30, None, "N2"), (end, None, "W"))
    np.testing.assert_array_equal(read_hypnogram(path, n_epochs=3), [0, 2, 2])


@pytest.mark.parametrize(
    "event", ["Lights On", "Arousal", "Obstructive Apnea", "Hypopnée", "SpO2 desaturation"]
)
def test_events_do_not_end_a_stage(write, event):
    path = write((0, None, "W"), (60, None, "N1"), (90, None, event), (150, None, "N2"))
    np.testing.assert_array_equal(read_hypnogram(path, n_epochs=6), [0, 0, 1, 1, 1, 2])


@pytest.mark.parametrize("duration", [None, 4, 40])
@pytest.mark.parametrize("event", ["Movement", "Artifact", "Unknown", "Movement time"])
def test_movements_within_an_epoch_leave_its_stage(write, event, duration):
    stages = [(30 * index, 30, name) for index, name in enumerate(["W", "N1", "N2", "N2", "REM"])]
    path = write(*stages, (70, duration, event))
    np.testing.assert_array_equal(read_hypnogram(path), [0, 1, 2, 2, 4])


@pytest.mark.parametrize("jitter", [0.02, 0.2])
def test_jitter_is_no_overlap(write, jitter):
    names = ["W", "N1", "N2", "N2", "REM"]
    stages = [(30 * i + (i % 2) * jitter, 30, name) for i, name in enumerate(names)]
    np.testing.assert_array_equal(read_hypnogram(write(*stages)), [0, 1, 2, 2, 4])


def test_channel_after_two_at_signs(write):
    path = write((0, None, "W"), (30, None, "N1@@EEG C4-M1"), (60, None, "N2"))
    np.testing.assert_array_equal(read_hypnogram(path), [0, 1, 2])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"0       ", b"0" + bytes(7)),
        (b"0       ", b"1       "),
        (b"EDF Annotations", b"EDF annotations"),
        (b"EDF Annotations", b"edf ANNOTATIONS"),
    ],
)
def test_odd_versions_and_labels(tmp_path, old, new):
    path = tmp_path / "night.edf"
    signal = edfio.EdfSignal(np.zeros(30), 1, label="ECG", physical_range=(-1, 1))
    edfio.Edf([signal], annotations=[edfio.EdfAnnotation(0, 30, "Sleep stage W")]).write(path)
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EDFRepairWarning)
        np.testing.assert_array_equal(read_hypnogram(path), [0])


def test_unknown_standard_text(write):
    with pytest.raises(HypnogramError, match="annotation 2: 'Sleep stage N9' is no sleep stage"):
        read_hypnogram(write((0, 30, "Sleep stage W"), (30, 30, "Sleep stage N9")))


def test_file_without_stages(write):
    message = r"Base\.edf: none of the 2 annotations .* \(found: 'Lights off'\)"
    with pytest.raises(HypnogramError, match=message):
        read_hypnogram(write((0, None, "Lights off"), (9, None, "Lights off")))


def test_recording_without_annotations():
    with pytest.raises(HypnogramError, match=r"none of the 0 annotations .* \(found: nothing\)"):
        read_hypnogram(DATA / "mitdb-100.edf")


def test_a_start_that_writers_put_where_they_know_none_is_told_of(tmp_path):
    path = tmp_path / "hypnogram.edf"
    notes = [edfio.EdfAnnotation(30 * i, 30, f"Sleep stage {s}") for i, s in enumerate("W2R")]
    edfio.Edf([], annotations=notes).write(path)  # 1985-01-01 00:00:00
    start = datetime.fromisoformat("2020-03-01T22:15:00")
    with pytest.warns(HypnogramWarning, match=r"starts on 1985-01-01 00:00:00.*start together"):
        np.testing.assert_array_equal(read_hypnogram(path, recording_start=start), [0, 2, 4])
