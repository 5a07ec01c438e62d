import datetime
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import edfio
import mne
import numpy as np
import pyedflib
import pytest
from edf_bytes import (
    SignalText,
    annotation_signal,
    build_file,
    discontinuous_edf,
    overwrite,
    pack_int16,
    pack_int24,
    small_edf,
    tal,
)

from sklearn_sleep.exceptions import EDFError
from sklearn_sleep.io.edf.header import read_edf_header

DATA = Path(__file__).parents[2] / "data"
RECORDINGS = [
    DATA / "sleep-edf-5min.edf",
    DATA / "mitdb-100.edf",
    DATA / "golden/preprocess-shhs-like/night.edf",
]


@pytest.fixture
def write(tmp_path):
    def write_bytes(data, name="night.edf"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write_bytes


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_header_agrees_with_pyedflib(path):
    header = read_edf_header(path)
    with pyedflib.EdfReader(str(path)) as reader:
        described = reader.getSignalHeaders()
        samples = reader.getNSamples()
        assert header.start == reader.getStartdatetime()
        assert header.duration == reader.getFileDuration()
        assert header.number_of_records == reader.datarecords_in_file
        assert header.record_duration == reader.datarecord_duration
    assert len(header.channels) == len(described)
    for channel, expected, n_samples in zip(header.channels, described, samples, strict=True):
        assert channel.label == expected["label"]
        assert channel.unit == expected["dimension"]
        assert channel.transducer == expected["transducer"]
        assert channel.prefiltering == expected["prefilter"]
        assert channel.sampling_frequency == expected["sample_frequency"]
        assert channel.physical_minimum == expected["physical_min"]
        assert channel.physical_maximum == expected["physical_max"]
        assert channel.digital_minimum == expected["digital_min"]
        assert channel.digital_maximum == expected["digital_max"]
        assert channel.samples_per_record * header.number_of_records == n_samples


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_start_and_labels_agree_with_mne(path):
    header = read_edf_header(path)
    raw = mne.io.read_raw_edf(path, verbose="error")
    assert [channel.label for channel in header.channels] == raw.ch_names
    assert header.start == raw.info["meas_date"].replace(tzinfo=None)


def test_hypnogram_file_has_no_channels():
    header = read_edf_header(DATA / "SC4001EC-Hypnogram.edf")
    assert header.variant == "EDF+C"
    assert header.channels == ()
    assert [channel.label for channel in header.annotation_channels] == ["EDF Annotations"]
    assert header.duration == 0
    assert header.start == datetime.datetime.fromisoformat("1989-04-24T16:13:00")


@pytest.mark.parametrize("name", ["invalid-date.edf", "zero-data-records.edf"])
def test_real_headers_without_samples_name_the_field(name):
    with pytest.raises(EDFError, match=rf"{name}: field 'number of data records': found '0'"):
        read_edf_header(DATA / name)


def test_fractions_of_a_second_of_the_start_are_read(tmp_path):
    path = tmp_path / "subsecond.edf"
    start = datetime.time(22, 30, 5, 250000)
    signal = edfio.EdfSignal(np.linspace(-1, 1, 300), 10, label="ABD", physical_range=(-1, 1))
    edf = edfio.Edf(
        [signal],
        recording=edfio.Recording(startdate=datetime.date(2020, 2, 29)),
        starttime=start,
        annotations=[edfio.EdfAnnotation(1, None, "x")],
    )
    edf.write(path)
    header = read_edf_header(path)
    assert header.variant == "EDF+C"
    assert header.start == datetime.datetime.combine(datetime.date(2020, 2, 29), start)


@pytest.mark.parametrize(
    ("file_type", "variant"),
    [
        (pyedflib.FILETYPE_EDF, "EDF"),
        (pyedflib.FILETYPE_EDFPLUS, "EDF+C"),
        (pyedflib.FILETYPE_BDF, "BDF"),
        (pyedflib.FILETYPE_BDFPLUS, "BDF+C"),
    ],
)
def test_variants_that_pyedflib_writes(tmp_path, file_type, variant):
    path = tmp_path / "night.edf"
    with pyedflib.EdfWriter(str(path), 1, file_type=file_type) as writer:
        writer.setStartdatetime(datetime.datetime.fromisoformat("2001-02-03T04:05:06"))
        writer.setSignalHeader(0, pyedflib.highlevel.make_signal_header("ECG", sample_frequency=10))
        writer.writeSamples([np.zeros(30)])
    header = read_edf_header(path)
    assert header.variant == variant
    assert [channel.label for channel in header.channels] == ["ECG"]
    assert header.start == datetime.datetime.fromisoformat("2001-02-03T04:05:06")
    assert header.duration == 3


@pytest.mark.parametrize("variant", ["EDF+C", "EDF+D", "BDF+C", "BDF+D"])
def test_extended_variants_are_told_by_the_reserved_field(write, variant):
    is_bdf = variant.startswith("BDF")
    samples = pack_int24([1, 2]) if is_bdf else pack_int16([1, 2])
    data = build_file(
        [SignalText(samples_per_record="2"), annotation_signal(8, f"{variant[:3]} Annotations")],
        [[samples, tal(b"+0\x14\x14\0", 8, 3 if is_bdf else 2)]],
        reserved=variant,
        version=b"\xffBIOSEMI" if is_bdf else b"0".ljust(8),
    )
    header = read_edf_header(write(data))
    assert header.variant == variant
    assert header.record_bytes == (30 if is_bdf else 20)
    assert header.record_onsets is None


@pytest.mark.parametrize(
    ("year", "expected"), [("85", 1985), ("99", 1999), ("00", 2000), ("84", 2084)]
)
def test_two_digit_years_are_1985_to_2084(write, year, expected):
    data = overwrite(small_edf(), "startdate", f"01.02.{year}")
    assert read_edf_header(write(data)).start == datetime.datetime.fromisoformat(
        f"{expected}-02-01T16:13:00"
    )


def test_years_after_2084_come_from_the_recording_field(write):
    data = overwrite(small_edf(), "startdate", "24.04.yy")
    data = overwrite(data, "recording identification", "Startdate 24-APR-2090 X X X")
    assert read_edf_header(write(data)).start == datetime.datetime.fromisoformat(
        "2090-04-24T16:13:00"
    )


def test_valid_files_give_no_warning(write):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in [*RECORDINGS, DATA / "SC4001EC-Hypnogram.edf", write(small_edf())]:
            read_edf_header(path)


def test_rates_follow_from_the_record_duration(write):
    signals = [SignalText(samples_per_record="50"), SignalText(label="T", samples_per_record="1")]
    data = build_file(
        signals, [[pack_int16(range(50)), pack_int16([1])]] * 2, record_duration=".1953125"
    )
    header = read_edf_header(write(data))
    assert header.channels[0].sampling_frequency == 256
    assert header.channels[1].sampling_frequency == 5.12
    assert header.channels[1].offset == 100
    assert header.duration == 0.390625


def test_text_of_utf8_and_latin1_is_read(write):
    latin1 = overwrite(small_edf(), "patient identification", "Åsa".encode("latin-1"))
    assert read_edf_header(write(latin1)).patient == "Åsa"
    utf8 = overwrite(small_edf(), "patient identification", "Åsa")
    assert read_edf_header(write(utf8)).patient == "Åsa"


def test_scale_that_nobody_asks_for_does_not_stop_the_file(write):
    data = small_edf()
    for field in ("physical minimum", "physical maximum", "digital minimum", "digital maximum"):
        data = overwrite(data, field, "n/a", signal=1)
    channel = read_edf_header(write(data)).channel("SaO2")
    assert np.isnan([channel.physical_minimum, channel.physical_maximum]).all()
    assert channel.digital_minimum is None
    assert channel.digital_maximum is None


def test_channel_is_picked_by_label(write):
    header = read_edf_header(write(small_edf()))
    assert header.channel("SaO2").index == 1
    with pytest.raises(EDFError, match=r"night.edf: field 'label'.*'ECG', 'SaO2'.*'EKG'"):
        header.channel("EKG")


def test_record_onsets_of_edf_d_count_from_the_first(write):
    header = read_edf_header(write(discontinuous_edf(["2.5", "3.5", "10", "11"])))
    assert header.record_onsets is not None
    np.testing.assert_array_equal(header.record_onsets, [0, 1, 7.5, 8.5])
    assert header.duration == 9.5
    assert header.start == datetime.datetime.fromisoformat("1989-04-24T16:13:02.500000")


def test_edf_d_without_gaps_needs_no_onsets(write):
    header = read_edf_header(write(discontinuous_edf(["0", "1", "2.001", "3"])))
    assert header.record_onsets is None
    assert header.duration == 4


def test_header_is_small_to_pickle_and_compares(write):
    header = read_edf_header(write(discontinuous_edf(["0", "5"])))
    copy = pickle.loads(pickle.dumps(header))  # noqa: S301
    assert copy == header
    np.testing.assert_array_equal(copy.record_onsets, header.record_onsets)
    assert len(pickle.dumps(read_edf_header(RECORDINGS[0]))) < 2000


@pytest.mark.parametrize("make", ["missing", "folder"])
def test_what_is_no_file_raises_what_the_system_says(tmp_path, make):
    if make == "missing":
        with pytest.raises(FileNotFoundError):
            read_edf_header(tmp_path / "no.edf")
    else:
        with pytest.raises((IsADirectoryError, PermissionError)):
            read_edf_header(tmp_path)


def test_reading_edf_imports_no_heavy_library():
    code = (
        "import sys, sklearn_sleep.io.edf.annotations, sklearn_sleep.io.edf.samples;"
        "print(sorted({'torch', 'mne', 'matplotlib', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"
