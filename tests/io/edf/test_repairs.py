"""Each repair, and each error, of a header with wrong bytes."""

import datetime
import re

import numpy as np
import pytest
from edf_bytes import (
    SignalText,
    annotation_signal,
    build_file,
    discontinuous_edf,
    overwrite,
    small_edf,
    tal,
)

from sklearn_sleep.exceptions import EDFError, EDFRepairWarning
from sklearn_sleep.io.edf.header import read_edf_header
from sklearn_sleep.io.edf.samples import read_edf_samples

START = datetime.datetime.fromisoformat("1989-04-24T16:13:00")
ANONYMOUS = {"recording identification": "X X X X"}
# The stored values 0, 1, 2, 3 of the first record, by the scale of `SignalText`.
FIRST_ECG = np.array([0.0, 0.1, 0.2, 0.3])


@pytest.fixture
def write(tmp_path):
    def write_bytes(data):
        path = tmp_path / "night.edf"
        path.write_bytes(data)
        return path

    return write_bytes


def only_warning(caught):
    assert len(caught) == 1, [str(warning.message) for warning in caught]
    return str(caught[0].message)


@pytest.mark.parametrize(
    ("changes", "field", "used", "start"),
    [
        ({"startdate": "24-04-89"}, "startdate", "1989-04-24", START),
        ({"startdate": "24/04/89"}, "startdate", "1989-04-24", START),
        ({"startdate": "24:04:89"}, "startdate", "1989-04-24", START),
        ({"startdate": "24 04 89"}, "startdate", "1989-04-24", START),
        ({"startdate": "24.4.89"}, "startdate", "1989-04-24", START),
        ({"startdate": "31.02.85"}, "startdate", "1989-04-24", START),
        ({"startdate": "31.02.85", **ANONYMOUS}, "startdate", "none", None),
        ({"startdate": "00.00.00", **ANONYMOUS}, "startdate", "none", None),
        ({"startdate": "24.04.yy", **ANONYMOUS}, "startdate", "none", None),
        ({"startdate": "XX.XX.XX", **ANONYMOUS}, "startdate", "none", None),
        (
            {"startdate": "", "recording identification": "Startdate 31-FEB-1989 X X X"},
            "startdate",
            "none",
            None,
        ),
        ({"starttime": "16:13:00"}, "starttime", "16:13:00", START),
        ({"starttime": "25.13.00"}, "starttime", "none", None),
        ({"starttime": "garbage"}, "starttime", "none", None),
    ],
)
def test_start_is_repaired(write, changes, field, used, start):
    data = small_edf()
    for name, text in changes.items():
        data = overwrite(data, name, text)
    with pytest.warns(EDFRepairWarning) as caught:
        header = read_edf_header(write(data))
    expected = rf"night.edf: field '{field}': found '{re.escape(changes[field])}', used {used} \("
    assert re.search(expected, only_warning(caught))
    assert header.start == start
    np.testing.assert_allclose(read_edf_samples(header, header.channels[0])[:4], FIRST_ECG)


@pytest.mark.parametrize(
    ("field", "signal", "text", "place", "found", "used"),
    [
        ("version", None, b"1", "'version'", r"b'1 +'", "EDF"),
        ("version", None, b"\x01\x02\x03", "'version'", r"b'\\x01\\x02\\x03 +'", "EDF"),
        ("number of bytes in header", None, "512", "'number of bytes in header'", "'512'", "768"),
        ("number of bytes in header", None, "", "'number of bytes in header'", "''", "768"),
        ("number of data records", None, "-1", "'number of data records'", "'-1'", "3"),
        ("number of data records", None, "4", "'number of data records'", "'4'", "3"),
        ("number of data records", None, "2", "'number of data records'", "'2'", "3"),
        ("number of data records", None, "many", "'number of data records'", "'many'", "3"),
        (
            "duration of a data record",
            None,
            "1,0",
            "'duration of a data record'",
            "'1,0'",
            "1.0",
        ),
        (
            "physical minimum",
            0,
            "-3276,8",
            "'physical minimum' of channel 'ECG'",
            "'-3276,8'",
            "-3276.8",
        ),
        ("label", 0, b"ECG\0\0\0", "'label'", r"b'ECG\\x00\\x00\\x00'", "'ECG'"),
        ("label", 0, b"ECG\0EEG", "'label'", r"b'ECG\\x00EEG'", "'ECG'"),
        (
            "physical minimum",
            0,
            b"-3276.8\0",
            "'physical minimum'",
            r"b'-3276.8\\x00'",
            "'-3276.8'",
        ),
        (
            "number of signals",
            None,
            b"2\0\0\0",
            "'number of signals'",
            r"b'2\\x00\\x00\\x00'",
            "'2'",
        ),
        ("physical dimension", 0, b"\xb5V", "'physical dimension'", r"b'\\xb5V'", "'µV'"),
        ("physical dimension", 0, "µV", "'physical dimension'", r"b'\\xc2\\xb5V'", "'µV'"),
    ],
)
def test_field_is_repaired(write, field, signal, text, place, found, used):
    data = overwrite(small_edf(), field, text, signal)
    with pytest.warns(EDFRepairWarning) as caught:
        header = read_edf_header(write(data))
    message = only_warning(caught)
    assert re.search(rf"night.edf: field {place}: found {found}, used {used} \(", message), message
    assert header.header_bytes == 768
    assert header.number_of_records == 3
    assert header.variant == "EDF"
    channel = header.channel("ECG")
    assert channel.sampling_frequency == 4
    np.testing.assert_allclose(read_edf_samples(header, channel)[:4], FIRST_ECG)


@pytest.mark.parametrize(
    ("data", "used", "left"),
    [
        (small_edf() + b"\0" * 5, 3, 5),
        (small_edf()[:-5], 2, 7),
        (small_edf()[:-12], 2, 0),
    ],
    ids=["bytes after the last record", "cut-off record", "missing record"],
)
def test_whole_records_are_used(write, data, used, left):
    with pytest.warns(EDFRepairWarning) as caught:
        header = read_edf_header(write(data))
    pattern = rf"'number of data records': found '3', used {used} \(.*; {left} bytes are left over"
    assert re.search(pattern, only_warning(caught))
    assert header.duration == used
    assert read_edf_samples(header, header.channels[1]).shape == (2 * used,)


def test_onset_beyond_all_dates_leaves_the_start_unknown(write):
    with pytest.warns(EDFRepairWarning) as caught:
        header = read_edf_header(write(discontinuous_edf(["999999999999", "1000000000000"])))
    pattern = "night.edf: field 'timekeeping annotation of data record 1': found 999999999999.0, "
    assert pattern in only_warning(caught)
    assert header.start is None


def test_fields_padded_with_nul_give_one_warning_for_each_field(write):
    data = overwrite(small_edf(), "label", b"ECG".ljust(16, b"\0"), 0)
    data = overwrite(data, "label", b"SaO2".ljust(16, b"\0"), 1)
    with pytest.warns(EDFRepairWarning) as caught:
        header = read_edf_header(write(data))
    assert "2 of 2 such fields" in only_warning(caught)
    assert [channel.label for channel in header.channels] == ["ECG", "SaO2"]


def test_odd_version_of_bdf_is_told_by_the_reserved_field(write):
    data = build_file(
        [SignalText(samples_per_record="1")], [[b"\1\0\0"]], version=b"?BIOSEMI", reserved="24BIT"
    )
    with pytest.warns(EDFRepairWarning, match=r"'version': found b'\?BIOSEMI', used BDF"):
        assert read_edf_header(write(data)).sample_bytes == 3


@pytest.mark.parametrize("duration", ["x", "-1"])
def test_file_of_annotations_needs_no_record_duration(write, duration):
    data = build_file(
        [annotation_signal()],
        [[tal(b"+0\x14\x14\0+30\x14A\x14\0")]],
        reserved="EDF+C",
        record_duration=duration,
    )
    with pytest.warns(EDFRepairWarning, match=rf"found '{duration}', used 0 \("):
        assert read_edf_header(write(data)).record_duration == 0


@pytest.mark.parametrize(
    ("data", "field", "found"),
    [
        (b"", "number of bytes in header", "'an empty file'"),
        (small_edf()[:100], "number of bytes in header", "'100 bytes'"),
        (small_edf()[:700], "number of bytes in header", "'700 bytes'"),
        (small_edf()[:768], "number of data records", "'3'"),
        (small_edf()[:779], "number of data records", "'3'"),
        (b"<?xml version='1.0'?>" + b" " * 500, "version", "b'<\\?xml ve'"),
        (bytes(range(256)) * 4, "version", "b'.*'"),
        (overwrite(small_edf(), "number of signals", "0"), "number of signals", "'0'"),
        (overwrite(small_edf(), "number of signals", "-2"), "number of signals", "'-2'"),
        (overwrite(small_edf(), "number of signals", "two"), "number of signals", "'two'"),
        (overwrite(small_edf(), "number of signals", "1"), "number of signals", "1"),
        (overwrite(small_edf(200), "number of signals", "3"), "number of signals", "3"),
        (
            overwrite(small_edf(), "duration of a data record", "0"),
            "duration of a data record",
            "'0'",
        ),
        (
            overwrite(small_edf(), "duration of a data record", "x"),
            "duration of a data record",
            "'x'",
        ),
        (
            overwrite(small_edf(), "number of samples in a data record", "-4", 0),
            "number of samples in a data record' of channel 'ECG",
            "'-4'",
        ),
        (
            overwrite(small_edf(), "number of samples in a data record", "", 1),
            "number of samples in a data record' of channel 'SaO2",
            "''",
        ),
        (
            build_file([SignalText()], [[b"\0" * 8]], reserved="EDF+D"),
            "reserved",
            r"'EDF\+D'",
        ),
        (
            discontinuous_edf(["0", "x", "2"]),
            "timekeeping annotation of data record 2",
            r"b'\+x\\x14\\x14'",
        ),
        (
            discontinuous_edf(["0", "5", "4"]),
            "timekeeping annotation of data record 3",
            "4.0",
        ),
        (
            discontinuous_edf(["0", "1", "1"]),
            "timekeeping annotation of data record 3",
            "1.0",
        ),
        (
            discontinuous_edf(["0", "1", "9999999"]),
            "timekeeping annotation of data record 3",
            "9999999.0",
        ),
        (
            discontinuous_edf(["0", "1e308", "1.1e308"]),
            "timekeeping annotation of data record 2",
            "1e\\+308",
        ),
    ],
)
def test_what_cannot_be_read_names_file_field_and_remedy(write, data, field, found):
    with pytest.raises(EDFError) as caught:
        read_edf_header(write(data))
    assert re.search(rf"night.edf: field '{field}': found {found}; .+", str(caught.value))


@pytest.mark.parametrize("duration", ["1e308", "1e9", "1000000", "86400", "3600", "1e-6", "1e-308"])
def test_duration_of_a_record_that_makes_no_night_is_refused(write, duration):
    path = write(overwrite(small_edf(), "duration of a data record", duration))
    with pytest.raises(EDFError, match=rf"'duration of a data record': found '{duration}'; 3 such"):
        read_edf_header(path)


def test_fifteen_days_of_a_slow_signal_are_refused(write):
    signal = SignalText(samples_per_record="8640")
    records = [[bytes(2 * 8640)]] * 15
    day = build_file([signal], records, record_duration="86400")
    with pytest.raises(EDFError, match="15 such records would last 360 h"):
        read_edf_header(write(day))
    assert read_edf_header(write(build_file([signal], records[:14], record_duration="86400")))


def test_gaps_are_checked_before_they_take_memory(write):
    """Of two records of 1 s at 256 Hz, a month, a week, and a day and a second apart."""
    for seconds in (30 * 86400, 7 * 86400, 86403):
        path = write(discontinuous_edf(["0", str(seconds)], rates=(256, 2)))
        with pytest.raises(EDFError, match=rf"data record 2': found {seconds}.0; seconds .* gaps"):
            read_edf_header(path)
    assert (
        read_edf_header(write(discontinuous_edf(["0", "86400"], rates=(256, 2)))).duration == 86401
    )
    # What an hour holds may lie in four hours; a slow signal makes few samples of them.
    onsets = ["0", "3600", "10800"]
    hours = discontinuous_edf(onsets, rates=(3600 * 256,), record_duration="3600")
    assert read_edf_header(write(hours)).duration == 4 * 3600


def test_discontinuous_file_without_samples_has_no_gaps(write):
    data = discontinuous_edf(["0", "5"], rates=(4,))
    data = overwrite(data, "number of samples in a data record", "0", 0)
    with pytest.warns(EDFRepairWarning, match="number of data records"):
        assert read_edf_header(write(data)).record_onsets is None


def test_no_samples_in_any_signal_is_an_error(write):
    data = overwrite(small_edf(), "number of samples in a data record", "0", 0)
    data = overwrite(data, "number of samples in a data record", "0", 1)
    with pytest.raises(EDFError, match="field 'number of samples in a data record': found"):
        read_edf_header(write(data))


@pytest.mark.parametrize(
    ("field", "text", "found"),
    [
        ("physical minimum", "n/a", "'n/a'"),
        ("physical maximum", "", "''"),
        ("physical maximum", "inf", "'inf'"),
        ("digital minimum", "-2e", "'-2e'"),
        ("digital maximum", "0.5", "'0.5'"),
        ("physical maximum", "-3276.8", "'-3276.8'"),
        ("digital maximum", "-32768", "'-32768'"),
        # Samples of single precision would be infinite, or all the same.
        ("physical maximum", "1e39", "'1e39'"),
        ("physical minimum", "-1e308", "'-1e308'"),
        ("digital maximum", "9e307", "'9e307'"),
        ("digital maximum", "1e29", "'1e29'"),
        ("physical maximum", "1e28", "'1e28'"),
    ],
)
def test_asked_for_channel_without_scale_is_an_error(write, field, text, found):
    header = read_edf_header(write(overwrite(small_edf(), field, text, 1)))
    np.testing.assert_allclose(read_edf_samples(header, header.channel("ECG"))[:4], FIRST_ECG)
    with pytest.raises(EDFError) as caught:
        read_edf_samples(header, header.channel("SaO2"))
    expected = rf"night.edf: field '{field}' of channel 'SaO2': found {re.escape(found)}; .+"
    assert re.search(expected, str(caught.value))


def test_asked_for_channel_without_samples_is_an_error(write):
    data = overwrite(small_edf(), "number of samples in a data record", "0", 1)
    with pytest.warns(EDFRepairWarning, match="number of data records"):
        header = read_edf_header(write(data))
    with pytest.raises(EDFError, match="'number of samples in a data record' of channel 'SaO2'"):
        read_edf_samples(header, header.channel("SaO2"))


def test_digital_minimum_above_maximum_is_applied_as_written(write):
    data = overwrite(small_edf(), "digital minimum", "32767", 0)
    data = overwrite(data, "digital maximum", "-32768", 0)
    header = read_edf_header(write(data))
    with pytest.warns(EDFRepairWarning) as caught:
        samples = read_edf_samples(header, header.channels[0])
    pattern = "night.edf: field 'digital minimum' of channel 'ECG': found 32767, used 32767 ("
    assert pattern in only_warning(caught)
    np.testing.assert_allclose(samples[:4], [-0.1, -0.2, -0.3, -0.4], rtol=1e-6)


def test_overlapping_records_are_named_and_the_later_one_is_used(write):
    with pytest.warns(EDFRepairWarning) as caught:
        header = read_edf_header(write(discontinuous_edf(["0", "0.5", "1.5"])))
    message = only_warning(caught)
    assert "night.edf: field 'timekeeping annotation of data record 2': found 0.5, used" in message
    assert "1 records start before the end" in message
    samples = read_edf_samples(header, header.channel("S4"))
    np.testing.assert_allclose(samples * 10, [0, 1, 4, 5, 6, 7, 8, 9, 10, 11], rtol=1e-6)


def test_file_that_shrank_since_is_an_error(write):
    path = write(small_edf())
    header = read_edf_header(path)
    write(small_edf()[:-4])
    with pytest.raises(EDFError, match="shorter than when its header was read"):
        read_edf_samples(header, header.channels[1])


def test_repaired_file_is_the_same_as_the_sound_one(write):
    sound = read_edf_header(write(small_edf()))
    expected = [read_edf_samples(sound, channel) for channel in sound.channels]
    data = overwrite(small_edf(), "number of data records", "-1")
    data = overwrite(data, "startdate", "24/04/89")
    with pytest.warns(EDFRepairWarning) as caught:
        header = read_edf_header(write(data))
    assert len(caught) == 2
    assert header == sound
    for channel, samples in zip(header.channels, expected, strict=True):
        np.testing.assert_array_equal(read_edf_samples(header, channel), samples)
