"""Samples of one signal of an EDF or BDF file, in physical units."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from sklearn_sleep.exceptions import EDFError
from sklearn_sleep.io.edf.fields import (
    BLOCK_BYTES,
    decode_text,
    edf_error,
    parse_number,
    read_general_fields,
    split_signal_field,
    warn_repair,
)
from sklearn_sleep.io.edf.header import EDFChannel, EDFHeader
from sklearn_sleep.io.files import open_file

_LARGEST: Final = 1e29  # in nV for V, or as a 24-bit sample, still a number of single precision
_BEYOND: Final = "beyond what a sample can be"
_SAME_TIME: Final = 1e-6  # seconds; above rounding errors, below half a sample of any signal


def read_edf_samples(
    header: EDFHeader, channel: EDFChannel, *, scale: float = 1.0, offset: float = 0.0
) -> NDArray[np.float32]:
    """Read the samples of one signal in physical units, (n_samples,), times `scale` plus `offset`.

    This is computed in double precision and rounded once. The header's scale is applied as written
    where minimum and maximum are swapped: a physical minimum above the maximum means inverted
    polarity, which is legitimate; a digital one is against the specification, and warned of. Where
    records of an EDF+D file leave a gap, samples are NaN and those after the gap keep their place:
    a run of records starts at sample ``round(onset * sampling_frequency)``.
    """
    gain, constant = _read_scale(header.path, channel)
    gain, constant = gain * scale, constant * scale + offset
    count = channel.samples_per_record
    samples = np.empty((header.number_of_records, count), np.float32)
    first = 0
    values = np.empty((0, count))
    for block in _read_stored_values(header, channel):
        values = values[: len(block)] if first else np.empty(block.shape)
        np.multiply(block, gain, out=values)
        values += constant
        samples[first : first + len(block)] = values
        first += len(block)
    if header.record_onsets is None:
        return samples.reshape(-1)
    runs = _find_runs(header.record_onsets, header.record_duration)
    # Halves are rounded up: to even would tear runs apart where a gap is not a whole sample.
    onsets = header.record_onsets[[run.start for run in runs]]
    positions = np.floor(onsets * channel.sampling_frequency + 0.5).astype(int).tolist()
    placed = np.full((positions[-1] + len(runs[-1]) * count,), np.nan, np.float32)
    for run, position in zip(runs, positions, strict=True):
        placed[position : position + len(run) * count] = samples[run.start : run.stop].reshape(-1)
    return placed


def check_scale(path: str, channel: EDFChannel) -> None:
    """Raise EDFError if a channel's header does not say what its stored values mean."""
    values: dict[str, float | None] = {
        "physical minimum": channel.physical_minimum,
        "physical maximum": channel.physical_maximum,
        "digital minimum": channel.digital_minimum,
        "digital maximum": channel.digital_maximum,
    }
    for field, value in values.items():
        if value is None or math.isnan(value):
            raise _scale_error(path, channel, field, "not a number")
        if abs(value) > (2**31 if field.startswith("digital") else _LARGEST):
            raise _scale_error(path, channel, field, _BEYOND)
    for kind in ("physical", "digital"):
        if values[f"{kind} minimum"] == values[f"{kind} maximum"]:
            raise _scale_error(path, channel, f"{kind} maximum", f"the {kind} minimum as well")
    gain, constant = _gain_and_constant(channel)
    if not 1 / _LARGEST <= abs(gain) <= (_LARGEST - abs(constant)) / 2**23:
        raise _scale_error(path, channel, "physical maximum", _BEYOND)


def _scale_error(path: str, channel: EDFChannel, field: str, fault: str) -> EDFError:
    found = _read_field(path, channel.index, field)
    remedy = f"{fault}, so there is no scale; correct the header or leave the channel out"
    return edf_error(path, field, found, remedy, channel=channel.label)


def _read_field(path: str, index: int, field: str) -> str:
    """Return the text of a channel's field, of which `EDFChannel` keeps the number only."""
    try:
        with open_file(path, EDFError) as file:
            general = read_general_fields(path, file.read(BLOCK_BYTES))
            number_of_signals = int(parse_number(general["number of signals"]))
            block = file.read(BLOCK_BYTES * number_of_signals)
        raw = split_signal_field(block, field, number_of_signals)[index]
    except (ValueError, IndexError) as error:
        raise EDFError(f"{path}: the file has changed since its header was read.") from error
    return decode_text(raw).strip(" \0")


def _read_scale(path: str, channel: EDFChannel) -> tuple[float, float]:
    """Return factor and summand that make physical values of stored ones."""
    check_scale(path, channel)
    # check_scale has seen to it that these are numbers.
    minimum, maximum = cast("int", channel.digital_minimum), cast("int", channel.digital_maximum)
    if minimum > maximum:
        reason = f"above the digital maximum, {maximum}; the scale is applied as written"
        warn_repair(path, "digital minimum", minimum, minimum, reason, channel=channel.label)
    return _gain_and_constant(channel)


def _gain_and_constant(channel: EDFChannel) -> tuple[float, float]:
    """Return factor and summand of a scale that `check_scale` has passed."""
    minimum, maximum = cast("int", channel.digital_minimum), cast("int", channel.digital_maximum)
    gain = (channel.physical_maximum - channel.physical_minimum) / (maximum - minimum)
    return gain, channel.physical_minimum - gain * minimum


def _read_stored_values(header: EDFHeader, channel: EDFChannel) -> Iterator[NDArray[Any]]:
    """Yield the signal's integers of some records after the other, (n_records, n_samples).

    The 24 bits of BDF are the upper ones of a 32-bit integer that starts a byte earlier.
    """
    if channel.samples_per_record == 0:
        field = "number of samples in a data record"
        remedy = "there is nothing to read; leave the channel out"
        raise edf_error(header.path, field, 0, remedy, channel=channel.label)
    if header.sample_bytes == 3:
        return (block >> 8 for block in header.read_channel(channel, "<i4", 3, lead=1))
    return header.read_channel(channel, "<i2", 2)


def _find_runs(onsets: NDArray[np.float64], record_duration: float) -> list[range]:
    """Return the records of each run without a gap or overlap."""
    apart = np.abs(np.diff(onsets) - record_duration) > _SAME_TIME
    firsts = [0, *(np.flatnonzero(apart) + 1).tolist()]
    return [range(*bounds) for bounds in pairwise([*firsts, len(onsets)])]
