import os
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
from sklearn_sleep.io.edf.samples import read_edf_samples

DATA = Path(__file__).parents[2] / "data"
RECORDINGS = [
    DATA / "sleep-edf-5min.edf",
    DATA / "mitdb-100.edf",
    DATA / "golden/preprocess-shhs-like/night.edf",
]
VOLTS = {"uV": 1e-6, "mV": 1e-3, "V": 1.0}  # mne gives these in volts


def assert_equals_float64(samples, expected, channel):
    """Both are rounded once, from numbers that differ by the rounding errors of float64."""
    assert samples.dtype == np.float32
    assert samples.flags.c_contiguous
    full_scale = abs(channel.physical_maximum - channel.physical_minimum)
    np.testing.assert_allclose(
        samples, expected.astype(np.float32), rtol=1.2e-7, atol=1e-12 * full_scale
    )


def assert_equals_pyedflib(path):
    header = read_edf_header(path)
    with pyedflib.EdfReader(str(path)) as reader:
        assert reader.signals_in_file == len(header.channels)
        for position, channel in enumerate(header.channels):
            expected = reader.readSignal(position)
            assert_equals_float64(read_edf_samples(header, channel), expected, channel)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_real_files_equal_pyedflib(path):
    assert_equals_pyedflib(path)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_real_files_equal_mne(path):
    header = read_edf_header(path)
    for channel in header.channels:
        raw = mne.io.read_raw_edf(path, include=[channel.label], verbose="error")
        assert raw.info["sfreq"] == pytest.approx(channel.sampling_frequency)
        scale = VOLTS.get(channel.unit, 1.0)
        expected = raw.get_data()[0]
        samples = read_edf_samples(header, channel, scale=scale)
        full_scale = abs(channel.physical_maximum - channel.physical_minimum) * scale
        np.testing.assert_allclose(
            samples, expected.astype(np.float32), rtol=1.2e-7, atol=1e-12 * full_scale
        )


@pytest.mark.parametrize("record_duration", [0.5, 1, 4, 30])
def test_mixed_rates_that_edfio_writes(tmp_path, record_duration):
    generator = np.random.default_rng(0)
    signals = [
        edfio.EdfSignal(
            generator.uniform(low, high, int(60 * rate)),
            rate,
            label=f"S{rate}",
            physical_range=(low, high),
            digital_range=digital,
        )
        for rate, (low, high), digital in [
            (256, (-1.25, 1.25), (-32768, 32767)),
            (125.5, (0, 250), (-2048, 2047)),
            (10, (34, 40), (-2849, 2731)),
            (2, (-1, 100), (0, 1)),
        ]
        if rate * record_duration % 1 == 0
    ]
    path = tmp_path / "mixed.edf"
    edfio.Edf(signals, data_record_duration=record_duration).write(path)
    assert_equals_pyedflib(path)
    header = read_edf_header(path)
    assert header.record_duration == record_duration
    assert [c.sampling_frequency for c in header.channels] == [
        signal.sampling_frequency for signal in signals
    ]


@pytest.mark.parametrize("file_type", [pyedflib.FILETYPE_EDFPLUS, pyedflib.FILETYPE_BDFPLUS])
def test_files_that_pyedflib_writes(tmp_path, file_type):
    generator = np.random.default_rng(1)
    rates = [200, 50, 1]
    is_bdf = file_type == pyedflib.FILETYPE_BDFPLUS
    limit = 2 ** (23 if is_bdf else 15)
    path = tmp_path / ("night.bdf" if is_bdf else "night.edf")
    with pyedflib.EdfWriter(str(path), len(rates), file_type=file_type) as writer:
        for position, rate in enumerate(rates):
            writer.setSignalHeader(
                position,
                pyedflib.highlevel.make_signal_header(
                    f"S{rate}",
                    dimension="uV",
                    sample_frequency=rate,
                    physical_min=-300.25,
                    physical_max=500.5,
                    digital_min=-limit,
                    digital_max=limit - 1,
                ),
            )
        writer.writeAnnotation(1, 30, "Sleep stage W")
        writer.writeSamples([generator.uniform(-300, 500, 40 * rate) for rate in rates])
    assert_equals_pyedflib(path)
    header = read_edf_header(path)
    read = mne.io.read_raw_bdf if is_bdf else mne.io.read_raw_edf
    raw = read(path, include=["S200"], verbose="error")
    samples = read_edf_samples(header, header.channel("S200"))
    assert_equals_float64(samples, raw.get_data()[0] * 1e6, header.channel("S200"))


def test_extremes_of_24_bits_are_read_as_they_are(tmp_path):
    stored = [-(2**23), -1, 0, 1, 255, 256, -256, 65536, 2**23 - 1, -(2**23) + 1]
    signal = SignalText(
        physical_minimum="-8388608",
        physical_maximum="8388607",
        digital_minimum="-8388608",
        digital_maximum="8388607",
        samples_per_record="5",
    )
    data = build_file(
        [signal, signal],
        [[pack_int24(stored[:5]), pack_int24([7] * 5)], [pack_int24(stored[5:]), b"\xff" * 15]],
        version=b"\xffBIOSEMI",
        reserved="24BIT",
    )
    path = tmp_path / "night.bdf"
    path.write_bytes(data)
    header = read_edf_header(path)
    np.testing.assert_array_equal(read_edf_samples(header, header.channels[0]), stored)
    np.testing.assert_array_equal(
        read_edf_samples(header, header.channels[1]), [7.0] * 5 + [-1.0] * 5
    )


def test_rate_that_is_no_whole_number(tmp_path):
    signal = SignalText(samples_per_record="10")
    data = build_file(
        [signal], [[pack_int16(range(10))], [pack_int16(range(10, 20))]], record_duration="3"
    )
    path = tmp_path / "night.edf"
    path.write_bytes(data)
    header = read_edf_header(path)
    assert header.channels[0].sampling_frequency == pytest.approx(10 / 3)
    np.testing.assert_allclose(
        read_edf_samples(header, header.channels[0]) * 10, np.arange(20), rtol=1e-6
    )
    assert_equals_pyedflib(path)


def test_records_longer_than_a_block_and_many_short_ones_are_whole(tmp_path):
    for per_record, number in [(40000, 2), (1, 40000)]:
        stored = np.arange(80000 if per_record > 1 else 40000) % 60000 - 30000
        data = build_file(
            [SignalText(samples_per_record=str(per_record))],
            [[pack_int16(stored[i * per_record : (i + 1) * per_record])] for i in range(number)],
        )
        path = tmp_path / "night.edf"
        path.write_bytes(data)
        header = read_edf_header(path)
        samples = read_edf_samples(header, header.channels[0])
        np.testing.assert_allclose(samples, stored * 0.1, rtol=1e-6)


def test_scale_and_offset_are_applied_in_double_precision(tmp_path):
    path = tmp_path / "night.edf"
    path.write_bytes(small_edf())
    header = read_edf_header(path)
    samples = read_edf_samples(header, header.channels[0], scale=1e-6, offset=-0.0032)
    stored = np.array([0, 1, 2, 3, 6, 7, 8, 9, 12, 13, 14, 15])
    expected = (stored * 0.1 * 1e-6 - 0.0032).astype(np.float32)
    np.testing.assert_array_max_ulp(samples, expected, 1)


def test_offset_that_cancels_leaves_no_rounding_error(tmp_path):
    # In single precision, 30000.1 - 30000 is 0.099609.
    data = overwrite(small_edf(), "physical minimum", "26723.2", 0)
    data = overwrite(data, "physical maximum", "33276.7", 0)
    path = tmp_path / "night.edf"
    path.write_bytes(data)
    header = read_edf_header(path)
    samples = read_edf_samples(header, header.channels[0], offset=-30000)
    np.testing.assert_allclose(samples[:4], [0, 0.1, 0.2, 0.3], atol=1e-8)


def test_inverted_polarity_is_applied_as_written(tmp_path):
    data = overwrite(small_edf(), "physical minimum", "3276.8", 0)
    data = overwrite(data, "physical maximum", "-3276.7", 0)
    path = tmp_path / "night.edf"
    path.write_bytes(data)
    header = read_edf_header(path)
    samples = read_edf_samples(header, header.channels[0])
    np.testing.assert_allclose(samples[:4], [0, -0.1, -0.2, -0.3], atol=1e-8)
    raw = mne.io.read_raw_edf(path, include=["ECG"], verbose="error")
    np.testing.assert_allclose(samples, raw.get_data()[0] * 1e6, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("first", [0, 2.5, 100])
def test_gaps_are_nan_and_places_are_kept(tmp_path, first):
    path = tmp_path / "night.edf"
    onsets = np.array([0, 1, 7.5, 8.5, 20])
    path.write_bytes(discontinuous_edf([f"{onset + first:g}" for onset in onsets]))
    header = read_edf_header(path)
    for rate in (4, 2):
        expected = np.full(21 * rate, np.nan)
        for record, onset in enumerate(onsets):
            place = int(onset * rate)
            expected[place : place + rate] = 0.1 * np.arange(rate * record, rate * (record + 1))
        samples = read_edf_samples(header, header.channel(f"S{rate}"))
        np.testing.assert_allclose(samples, expected, rtol=1e-6)


@pytest.mark.parametrize("reserved", ["EDF+C", "edf+c", "edf+d", "EDF+D", ""])
def test_gaps_are_found_whatever_the_reserved_field_says(tmp_path, reserved):
    path = tmp_path / "night.edf"
    content = discontinuous_edf(["0", "1", "7", "8"])
    path.write_bytes(content)
    expected = read_edf_header(path).record_onsets
    path.write_bytes(content.replace(b"EDF+D", reserved.ljust(5).encode(), 1))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = read_edf_header(path).record_onsets
    np.testing.assert_array_equal(found, expected)
    assert len(told) == (not reserved.upper().endswith("D"))
    if told:
        assert "the last data record starts 5 s later than without gaps" in str(told[0].message)


def test_samples_around_gaps_equal_those_that_mne_reads_end_to_end(tmp_path):
    path = tmp_path / "night.edf"
    path.write_bytes(discontinuous_edf(["0", "1", "7.5", "8.5"], rates=(4,)))
    header = read_edf_header(path)
    samples = read_edf_samples(header, header.channels[0])
    raw = mne.io.read_raw_edf(path, verbose="error")  # which takes no notice of the gap
    np.testing.assert_allclose(
        samples[~np.isnan(samples)], raw.get_data()[0] * 1e6, rtol=1e-6, atol=1e-9
    )


def test_gaps_of_part_of_a_sample_do_not_tear_a_run_apart(tmp_path):
    path = tmp_path / "night.edf"
    # At 5 Hz the second run starts at sample 12.5, its records at 12.5, 17.5, 22.5.
    path.write_bytes(discontinuous_edf(["0", "2.5", "3.5", "4.5"], rates=(5, 20)))
    header = read_edf_header(path)
    slow = read_edf_samples(header, header.channel("S5"))
    np.testing.assert_allclose(slow[:5] * 10, np.arange(5), rtol=1e-6)
    assert np.isnan(slow[5:13]).all()
    np.testing.assert_allclose(slow[13:] * 10, np.arange(5, 20), rtol=1e-6)
    fast = read_edf_samples(header, header.channel("S20"))
    assert np.isnan(fast[20:50]).all()
    np.testing.assert_allclose(fast[50:] * 10, np.arange(20, 80), rtol=1e-6)


def test_onsets_with_rounded_text_are_one_run_after_a_gap(tmp_path):
    path = tmp_path / "night.edf"
    # At 30 Hz the second run starts at sample 150.498, but its second record at 160.503.
    onsets = ["0", "5.0166", "5.3501", "5.6832", "6.0167"]
    path.write_bytes(discontinuous_edf(onsets, rates=(10,), record_duration="0.333333"))
    header = read_edf_header(path)
    samples = read_edf_samples(header, header.channel("S10"))
    assert samples.shape == (190,)
    np.testing.assert_allclose(samples[150:] * 10, np.arange(10, 50), rtol=1e-6)


def test_gaps_in_bdf(tmp_path):
    path = tmp_path / "night.bdf"
    data = build_file(
        [
            SignalText(samples_per_record="2", digital_minimum="-8388608", digital_maximum="0"),
            annotation_signal(8, "BDF Annotations"),
        ],
        [
            [pack_int24([-8388608, 0]), tal(b"+0\x14\x14\0", 8, 3)],
            [pack_int24([0, -4194304]), tal(b"+2\x14\x14\0", 8, 3)],
        ],
        version=b"\xffBIOSEMI",
        reserved="BDF+D",
    )
    path.write_bytes(data)
    header = read_edf_header(path)
    np.testing.assert_allclose(
        read_edf_samples(header, header.channels[0]),
        [-3276.8, 3276.7, np.nan, np.nan, 3276.7, -0.05],
        rtol=1e-6,
    )


@pytest.mark.parametrize("bytes_of_a_sample", [2, 3])
@pytest.mark.parametrize(
    ("counts", "n_records"), [((3, 5), 40_000), ((1000, 9000), 70), ((40_000, 1), 3), ((0, 7), 1)]
)
def test_records_of_any_shape_are_read_block_by_block(
    tmp_path, bytes_of_a_sample, counts, n_records
):
    bits = 8 * bytes_of_a_sample
    stored = np.random.default_rng(0).integers(
        -(2 ** (bits - 1)), 2 ** (bits - 1), (n_records, sum(counts))
    )
    words = stored.astype("<i4").view("u1").reshape(n_records, -1, 4)[..., :bytes_of_a_sample]
    limits = {
        "digital_minimum": str(-(2 ** (bits - 1))),
        "digital_maximum": str(2 ** (bits - 1) - 1),
    }
    scale = {
        "physical_minimum": limits["digital_minimum"],
        "physical_maximum": limits["digital_maximum"],
    }
    signals = [SignalText(samples_per_record=str(count), **limits, **scale) for count in counts]
    version = b"\xffBIOSEMI" if bits == 24 else b"0".ljust(8)
    path = tmp_path / "night.edf"
    path.write_bytes(build_file(signals, [[record.tobytes()] for record in words], version=version))
    header = read_edf_header(path)
    ends = np.cumsum(counts)
    for channel, end in zip(header.channels, ends, strict=True):
        if channel.samples_per_record:
            expected = stored[:, end - channel.samples_per_record : end].ravel()
            np.testing.assert_array_equal(read_edf_samples(header, channel), expected)


def test_file_that_shrinks_while_it_is_read_is_an_error(tmp_path):
    """Mapped, it would end the process."""
    path = tmp_path / "night.edf"
    path.write_bytes(build_file([SignalText(samples_per_record="30000")], [[bytes(60_000)]] * 20))
    header = read_edf_header(path)
    blocks = header.read_channel(header.channels[0], "<i2", 2)
    assert next(blocks).shape[1] == 30_000
    os.truncate(path, 600_000)
    with pytest.raises(EDFError, match="shorter than when its header was read"):
        list(blocks)
