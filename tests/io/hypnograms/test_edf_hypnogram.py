"""Stages among the annotations of EDF+ files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import edfio
import mne
import numpy as np
import pytest

from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
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
    with pytest.warns(HypnogramWarning, match="starts at 16:13:00 and the recording at 16:13:30"):
        found = read_hypnogram(SLEEP_EDF, n_epochs=2650, recording_start=later)
    np.testing.assert_array_equal(found, expected)


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
    np.testing.assert_array_equal(read_hypnogram(path), [0, 0, 4])


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
