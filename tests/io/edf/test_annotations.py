import datetime
from pathlib import Path

import edfio
import mne
import numpy as np
import pyedflib
import pytest
from edf_bytes import SignalText, annotation_signal, build_file, pack_int16, small_edf, tal

from sklearn_sleep.exceptions import EDFRepairWarning
from sklearn_sleep.io.edf.annotations import read_edf_annotations
from sklearn_sleep.io.edf.header import read_edf_header

HYPNOGRAM = Path(__file__).parents[2] / "data" / "SC4001EC-Hypnogram.edf"


@pytest.fixture
def write(tmp_path):
    def write_tals(*records, signals=1, reserved="EDF+C"):
        """Write a file; each record holds the text of each annotation signal."""
        path = tmp_path / "night.edf"
        data = build_file(
            [SignalText(samples_per_record="1"), *([annotation_signal()] * signals)],
            [[pack_int16([0]), *(tal(text) for text in record)] for record in records],
            reserved=reserved,
        )
        path.write_bytes(data)
        return path

    return write_tals


def test_real_hypnogram_agrees_with_mne():
    annotations = read_edf_annotations(HYPNOGRAM)
    expected = mne.read_annotations(HYPNOGRAM)
    assert len(annotations) == len(expected) > 100
    np.testing.assert_array_equal(annotations.onset, expected.onset)
    np.testing.assert_array_equal(annotations.duration, expected.duration)
    assert annotations.text == tuple(expected.description)


def test_real_hypnogram_agrees_with_edfio():
    annotations = read_edf_annotations(read_edf_header(HYPNOGRAM))
    expected = edfio.read_edf(HYPNOGRAM).annotations
    assert annotations.text == tuple(annotation.text for annotation in expected)
    np.testing.assert_array_equal(annotations.onset, [a.onset for a in expected])
    np.testing.assert_array_equal(annotations.duration, [a.duration for a in expected])


def test_annotations_that_pyedflib_writes_to_bdf(tmp_path):
    path = tmp_path / "night.bdf"
    with pyedflib.EdfWriter(str(path), 1, file_type=pyedflib.FILETYPE_BDFPLUS) as writer:
        writer.setSignalHeader(0, pyedflib.highlevel.make_signal_header("ECG", sample_frequency=10))
        writer.writeSamples([np.zeros(600)])
        writer.writeAnnotation(0.5, -1, "Lights off")
        writer.writeAnnotation(30, 30, "Schlafstadium Ä")
    annotations = read_edf_annotations(path)
    assert annotations.text == ("Lights off", "Schlafstadium Ä")
    np.testing.assert_array_equal(annotations.onset, [0.5, 30])
    np.testing.assert_array_equal(annotations.duration, [np.nan, 30])


def test_onsets_count_from_the_first_sample(tmp_path):
    path = tmp_path / "subsecond.edf"
    signal = edfio.EdfSignal(np.linspace(-1, 1, 300), 10, label="ABD", physical_range=(-1, 1))
    edfio.Edf(
        [signal],
        starttime=datetime.time(22, 30, 5, 250000),
        annotations=[edfio.EdfAnnotation(1.5, None, "x")],
    ).write(path)
    np.testing.assert_array_equal(read_edf_annotations(path).onset, [1.5])
    assert edfio.read_edf(path).annotations[0].onset == 1.5


def test_texts_of_all_signals_and_records_in_order_of_time(write):
    path = write(
        [b"+0\x14\x14\0+9.5\x1530\x14N2\x14Arousal\x14\0", b"+7\x14second signal\x14\0"],
        [b"+1\x14\x14Lights off\x14\0", b"+2.25\x150.5\x14Apnea\x14\0"],
        [b"+2\x14\x14\0", b""],
        signals=2,
    )
    annotations = read_edf_annotations(path)
    assert annotations.text == ("Lights off", "Apnea", "second signal", "N2", "Arousal")
    np.testing.assert_array_equal(annotations.onset, [1, 2.25, 7, 9.5, 9.5])
    np.testing.assert_array_equal(annotations.duration, [np.nan, 0.5, np.nan, 30, 30])
    assert annotations.onset.dtype == annotations.duration.dtype == np.float64


def test_onsets_before_the_recording_are_negative(write):
    path = write([b"+0\x14\x14\0-5\x14Calibration\x14\0"])
    np.testing.assert_array_equal(read_edf_annotations(path).onset, [-5])


@pytest.mark.parametrize("duration", [b"", b"\x1530"])
def test_first_annotation_need_not_keep_time(write, duration):
    annotations = read_edf_annotations(write([b"+30" + duration + b"\x14Sleep stage W\x14\0"]))
    np.testing.assert_array_equal(annotations.onset, [30])
    assert annotations.text == ("Sleep stage W",)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_text_is_utf8_or_else_latin1(write, encoding):
    path = write([b"+0\x14\x14\0+1\x14" + "Müdigkeit".encode(encoding) + b"\x14\0"])
    assert read_edf_annotations(path).text == ("Müdigkeit",)


def test_signal_that_is_full_to_the_last_byte_does_not_run_into_the_next_record(write):
    text = b"+0\x14\x14\0+1\x14" + b"x" * 55 + b"\x14"
    assert len(text) == 64
    assert read_edf_annotations(write([text], [b"+1\x14\x14\0"])).text == ("x" * 55,)


def test_gaps_do_not_move_annotations(write):
    path = write(
        [b"+5\x14\x14\0+5\x14first\x14\0"],
        [b"+100\x14\x14\0+100.5\x14second\x14\0"],
        reserved="EDF+D",
    )
    np.testing.assert_array_equal(read_edf_annotations(path).onset, [0, 95.5])


def test_annotations_without_an_onset_are_left_out_by_name(write):
    path = write([b"+0\x14\x14\0soon\x14Lights off\x14\0+3\x14N1\x14\0\0later\x14N2\x14\0"])
    with pytest.warns(EDFRepairWarning) as caught:
        annotations = read_edf_annotations(path)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "night.edf: field 'EDF Annotations': found b'soon\\x14Lights off\\x14', used" in message
    assert "2 annotations have no onset" in message
    assert annotations.text == ("N1",)


def test_file_without_annotation_signal_has_none(tmp_path):
    path = tmp_path / "night.edf"
    path.write_bytes(small_edf())
    annotations = read_edf_annotations(path)
    assert len(annotations) == 0
    assert annotations.onset.shape == annotations.duration.shape == (0,)
