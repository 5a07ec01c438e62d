"""Headers of EDF, EDF+, BDF and BDF+ files, read without reading their samples."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from io import FileIO
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sklearn_sleep.core.signals import LONGEST_RECORDING
from sklearn_sleep.exceptions import EDFError
from sklearn_sleep.io.edf.fields import (
    BLOCK_BYTES,
    GENERAL_FIELDS,
    decode_text,
    edf_error,
    parse_integer,
    parse_number,
    parse_signal_numbers,
    read_general_fields,
    read_signal_fields,
    read_start,
    split_signal_field,
    warn_repair,
)
from sklearn_sleep.io.files import open_file

# Of one file's clocks, in s: less is the rounding and drift of a recorder's clock.
_SMALLEST_GAP: Final = 1.0
ONSET_BYTES: Final = 64
"""Bytes that surely hold the onset of a data record and the end of the empty text after it."""

_ANNOTATION_LABELS: Final = frozenset({"edf annotations", "bdf annotations"})
_VERSIONS: Final = (b"0       ", b"0\0\0\0\0\0\0\0")
_BIOSEMI: Final = b"\xffBIOSEMI"  # the version field of BDF
_EXTENSIONS: Final = ("EDF+C", "EDF+D", "BDF+C", "BDF+D")  # in the reserved field
_SAMPLE_BYTES: Final = {"EDF": 2, "BDF": 3}
# Computed in a core's cache, and read in blocks above it; a call costs as much as copying 8 KiB.
_BLOCK_BYTES: Final = 1 << 20
_BLOCK_ITEMS: Final = 1 << 15
_BYTES_OF_A_CALL: Final = 1 << 13
# Gaps become samples for which no bytes stand in the file: at most those of a day at 256 Hz, or
# three times as many as the file holds, as where days lie between nights.
_SAMPLES_IN_GAPS: Final = 256 * 86400
_GAPS_PER_RECORD: Final = 3


@dataclass(frozen=True, slots=True)
class EDFChannel:
    """One signal of a file, as its header describes it.

    `index` is its position, annotation signals counted; a number that cannot be read is NaN or
    None. `sampling_frequency` in Hz is NaN where records last 0 s; `offset` counts the bytes from
    the start of a data record to the signal's first sample.
    """

    index: int
    label: str
    unit: str
    transducer: str
    prefiltering: str
    physical_minimum: float
    physical_maximum: float
    digital_minimum: int | None
    digital_maximum: int | None
    samples_per_record: int
    sampling_frequency: float
    offset: int

    @property
    def physical_range(self) -> tuple[float, float]:
        """What the recorder can tell, in the channel's unit; upside down in inverted polarity."""
        return self.physical_minimum, self.physical_maximum


@dataclass(frozen=True, slots=True)
class EDFHeader:
    """Header of a file; it holds no samples and pickles small.

    `variant` is EDF, EDF+C, EDF+D, BDF, BDF+C or BDF+D, of which "D" may have gaps between data
    records. `start` is that of the first record, with the fraction of a second that EDF+ keeps in
    its first annotation. `record_duration` in s is 0 in files of annotations; `record_onsets` in s,
    (number_of_records,), is None where each record follows on the one before.
    """

    path: str
    variant: str
    header_bytes: int
    start: datetime | None
    number_of_records: int
    record_duration: float
    record_bytes: int
    channels: tuple[EDFChannel, ...]
    annotation_channels: tuple[EDFChannel, ...]
    patient: str
    recording: str
    record_onsets: NDArray[np.float64] | None = field(default=None, compare=False)

    @property
    def sample_bytes(self) -> int:
        """Bytes of a stored sample: 2 in EDF, 3 in BDF."""
        return _SAMPLE_BYTES[self.variant[:3]]

    @property
    def duration(self) -> float:
        """Seconds from the start of the first data record to the end of the last, gaps included."""
        if self.record_onsets is None:
            return self.number_of_records * self.record_duration
        return float(self.record_onsets[-1]) + self.record_duration

    def read_channel(
        self, channel: EDFChannel, dtype: str, item_bytes: int, lead: int = 0
    ) -> Iterator[NDArray[Any]]:
        """Yield a signal of some records after the other, (n_records, n_items), all in one memory.

        Items of `dtype` are `item_bytes` apart and start `lead` bytes before the signal does. The
        file is read and not mapped: one that is cut off meanwhile would end the process.
        """
        n_bytes = channel.samples_per_record * self.sample_bytes
        # What lies between is left out where that is cheaper than one call a record.
        is_apart = self.record_bytes - n_bytes > _BYTES_OF_A_CALL
        start = self.header_bytes + (channel.offset if is_apart else 0)
        step = n_bytes if is_apart else self.record_bytes
        at_once = max(
            1, min(_BLOCK_BYTES // max(1, step), _BLOCK_ITEMS * item_bytes // max(1, n_bytes))
        )
        memory = memoryview(bytearray(lead + min(at_once, self.number_of_records) * step))
        with open_file(self.path, EDFError) as file:
            file.seek(start)
            for first in range(0, self.number_of_records, at_once):
                count = min(at_once, self.number_of_records - first)
                whole = memory[lead : lead + count * step]
                if not is_apart:
                    self._fill(file, whole)
                for record in range(count) if is_apart else ():
                    file.seek(start + (first + record) * self.record_bytes)
                    self._fill(file, whole[record * step : (record + 1) * step])
                yield np.ndarray(
                    (count, n_bytes // item_bytes),
                    np.dtype(dtype),
                    memory,
                    offset=0 if is_apart else channel.offset,
                    strides=(step, item_bytes),
                )

    def _fill(self, file: FileIO, memory: memoryview) -> None:
        while memory:
            n_read = file.readinto(memory)
            if not n_read:
                raise EDFError(
                    f"{self.path}: the file is shorter than when its header was read; read that "
                    "again"
                )
            memory = memory[n_read:]

    def channel(self, label: str) -> EDFChannel:
        """Return the signal of this label, the first where several have it."""
        for channel in self.channels:
            if channel.label == label:
                return channel
        labels = [channel.label for channel in self.channels]
        raise edf_error(self.path, "label", labels, f"none is {label!r}; ask for one of these")


def read_edf_header(path: str | os.PathLike[str]) -> EDFHeader:
    """Read the header of an EDF or BDF file.

    Wrong fields that matter are repaired, each with an `EDFRepairWarning`; a valid file gives none.
    `EDFError` if this is no EDF file, or the place of a signal cannot be known. Fields that only
    concern the scale of one signal raise when that signal is read.
    """
    name = os.fspath(path)
    with open_file(name, EDFError) as file:
        size = os.fstat(file.fileno()).st_size
        general = file.read(BLOCK_BYTES)
        if len(general) < BLOCK_BYTES:
            raise _cut_off(name, size, "a header takes at least 256")
        variant = _read_variant(name, general)
        sample_bytes = _SAMPLE_BYTES[variant[:3]]
        fields = read_general_fields(name, general)
        number_of_signals = _read_number_of_signals(name, fields["number of signals"])
        header_bytes = BLOCK_BYTES * (1 + number_of_signals)
        if size < header_bytes:
            raise _cut_off(name, size, f"that of {number_of_signals} signals takes {header_bytes}")
        signal_block = file.read(header_bytes - BLOCK_BYTES)
        _check_header_bytes(name, fields["number of bytes in header"], header_bytes, signal_block)
        signal_fields = read_signal_fields(name, signal_block, number_of_signals)
        only_annotations = all(map(_holds_annotations, signal_fields["label"]))
        record_duration = _read_record_duration(
            name, fields["duration of a data record"], may_be_zero=only_annotations
        )
        signals = _build_channels(name, signal_fields, record_duration, sample_bytes)
        record_bytes = sum(signal.samples_per_record for signal in signals) * sample_bytes
        number_of_records = _count_records(
            name, fields["number of data records"], size - header_bytes, record_bytes
        )
        text = fields["duration of a data record"]
        _check_durations(name, text, record_duration, number_of_records, signals)
        annotation_channels = tuple(s for s in signals if _holds_annotations(s.label))
        first_onset = 0.0
        if annotation_channels:
            file.seek(header_bytes + annotation_channels[0].offset)
            first_onset = parse_record_onset(file.read(ONSET_BYTES))
    recording = fields["recording identification"]
    header = EDFHeader(
        path=name,
        variant=variant,
        header_bytes=header_bytes,
        start=_add_onset(
            name,
            read_start(name, fields["startdate"], fields["starttime"], recording),
            first_onset,
        ),
        number_of_records=number_of_records,
        record_duration=record_duration,
        record_bytes=record_bytes,
        channels=tuple(s for s in signals if not _holds_annotations(s.label)),
        annotation_channels=annotation_channels,
        patient=fields["patient identification"],
        recording=recording,
    )
    if not any(channel.samples_per_record for channel in header.channels):
        return header
    if not variant.endswith("D") and not _has_gaps(header, first_onset):
        return header
    return replace(header, record_onsets=_read_record_onsets(header))


def _has_gaps(header: EDFHeader, first_onset: float) -> bool:
    """Return whether the last record starts at another time than without gaps, and warn of it.

    Some recorders pause and write ``EDF+C`` or nothing in the field 'reserved' all the same.
    """
    if not header.annotation_channels or math.isnan(first_onset):
        return False
    last = header.number_of_records - 1
    with open(header.path, "rb") as file:  # noqa: PTH123 - as in read_edf_header
        place = header.header_bytes + last * header.record_bytes
        file.seek(place + header.annotation_channels[0].offset)
        late = parse_record_onset(file.read(ONSET_BYTES)) - first_onset
    late -= last * header.record_duration
    if math.isnan(late) or abs(late) < _SMALLEST_GAP:
        return False
    field = "reserved"
    reason = f"the last data record starts {late:g} s later than without gaps"
    warn_repair(header.path, field, header.variant, "the times of the records", reason)
    return True


def _cut_off(path: str, size: int, needed: str) -> EDFError:
    """Return the error for a file that ends within its header."""
    found = f"{size} bytes" if size else "an empty file"
    remedy = f"the file ends within its header, of which {needed}; copy or export it again"
    return edf_error(path, "number of bytes in header", found, remedy)


def _read_variant(path: str, general: bytes) -> str:
    """Return the format, from the version and the reserved field."""
    version = general[:8]
    reserved = general[slice(*GENERAL_FIELDS["reserved"])].decode("latin-1")
    is_bdf = version == _BIOSEMI
    is_valid = is_bdf or version.rstrip(b" \0") == b"0"
    if not is_valid:
        is_bdf = reserved.startswith(("BDF", "24BIT"))
    variant = "BDF" if is_bdf else "EDF"
    if reserved[:5].upper() in _EXTENSIONS:
        variant += reserved[3:5].upper()
    if not is_valid:
        _check_looks_like_edf(path, general)
        reason = "the rest of the header is of this format"
        warn_repair(path, "version", version, variant, reason)
    return variant


def _check_looks_like_edf(path: str, general: bytes) -> None:
    """Raise unless the size of the header is what the number of signals makes it."""
    if not looks_like_edf(general):
        remedy = "this is not an EDF or BDF file; give it to the reader of its own format"
        raise edf_error(path, "version", general[:8], remedy)


def looks_like_edf(head: bytes) -> bool:
    """Return whether a file that begins with these bytes (256 or more) is EDF or BDF.

    That is so if the version says it, or the header's size is what the number of signals makes it.
    """
    if head[:8] == _BIOSEMI or head[:8] in _VERSIONS:
        return True
    numbers = [
        parse_integer(head[slice(*GENERAL_FIELDS[name])].decode("latin-1").strip(" \0"))
        for name in ("number of bytes in header", "number of signals")
    ]
    return None not in numbers and numbers[0] == BLOCK_BYTES * (1 + (numbers[1] or 0))


def _holds_annotations(label: str) -> bool:
    return label.casefold() in _ANNOTATION_LABELS


def _read_number_of_signals(path: str, text: str) -> int:
    number = parse_integer(text)
    if number is None or number < 1:
        remedy = "a recording has one signal or more; copy or export it again"
        raise edf_error(path, "number of signals", text, remedy)
    return number


def _check_header_bytes(path: str, text: str, header_bytes: int, signal_block: bytes) -> None:
    """Warn if the field is wrong, raise if it is rather the number of signals that is."""
    if parse_integer(text) == header_bytes:
        return
    number_of_signals = len(signal_block) // BLOCK_BYTES
    # Read with a wrong number of signals, these fields hold pieces of other ones.
    for name in ("digital minimum", "digital maximum", "number of samples in a data record"):
        for value in split_signal_field(signal_block, name, number_of_signals):
            if parse_integer(decode_text(value).strip(" \0")) is None:
                remedy = (
                    f"'number of bytes in header' is {text!r}, not {header_bytes}, and the headers "
                    "of so many signals make no sense; correct the wrong one of the two"
                )
                raise edf_error(path, "number of signals", number_of_signals, remedy)
    reason = f"the size of a header of {number_of_signals} signals"
    warn_repair(path, "number of bytes in header", text, header_bytes, reason)


def _read_record_duration(path: str, text: str, *, may_be_zero: bool) -> float:
    """Return the duration of a data record in seconds."""
    name = "duration of a data record"
    duration = parse_number(text)
    if duration > 0 or (may_be_zero and duration == 0):
        if "," in text:
            warn_repair(path, name, text, duration, "a decimal comma")
        return duration
    if may_be_zero:
        warn_repair(path, name, text, 0, "the file holds annotations only, which need none")
        return 0.0
    remedy = "seconds above 0 are needed to know the sampling frequencies; correct it in the header"
    raise edf_error(path, name, text, remedy)


def _check_durations(
    path: str,
    text: str,
    record_duration: float,
    number_of_records: int,
    signals: Sequence[EDFChannel],
) -> None:
    """Raise if data records of such a duration make something that no recorder writes."""
    rates = [s.sampling_frequency for s in signals if not _holds_annotations(s.label)]
    rate, duration = max(rates, default=0.0), record_duration * number_of_records
    if not rate or (0.1 <= rate <= 1e6 and duration <= LONGEST_RECORDING):
        return
    remedy = (
        f"{number_of_records} such records would last {duration / 3600:.4g} h and the fastest "
        f"signal have {rate:.4g} samples a second; correct it in the header"
    )
    raise edf_error(path, "duration of a data record", text, remedy)


def _add_onset(path: str, start: datetime | None, first_onset: float) -> datetime | None:
    """Return when the first data record starts; EDF+ keeps the fraction of a second in it."""
    if start is None or math.isnan(first_onset):
        return start
    try:
        return start + timedelta(seconds=first_onset)
    except OverflowError:
        field = "timekeeping annotation of data record 1"
        warn_repair(path, field, first_onset, "none", "no such time, so the start is unknown")
        return None


def _read_record_onsets(header: EDFHeader) -> NDArray[np.float64] | None:
    """Return when the records of an EDF+D file start in s, (n_records,); None without a gap."""
    if not header.annotation_channels:
        remedy = (
            "there is no signal 'EDF Annotations' that says when the data records start; "
            "if the recording has no gaps, write 'EDF+C' there"
        )
        raise edf_error(header.path, "reserved", header.variant, remedy)
    blocks = header.read_channel(header.annotation_channels[0], "u1", 1)
    records = [record.tobytes() for block in blocks for record in block[:, :ONSET_BYTES]]
    onsets = np.array([parse_record_onset(record) for record in records])
    with np.errstate(over="ignore"):
        onsets -= onsets[0]
    missing = np.flatnonzero(np.isnan(onsets))
    if missing.size:
        found = records[missing[0]].rstrip(b"\0")[:40]
        remedy = "it does not say when the record starts; export the recording again as EDF+C"
        raise edf_error(header.path, _onset_field(missing[0]), found, remedy)
    # Texts of onsets are rounded: half a sample at the highest rate is no gap.
    tolerance = 0.5 / max(channel.sampling_frequency for channel in header.channels)
    duration = header.record_duration
    if np.abs(onsets - np.arange(len(onsets)) * duration).max() < tolerance:
        return None
    _check_order(header.path, onsets, duration - tolerance)
    _check_gaps(header, onsets)
    return _join_runs(onsets, duration, tolerance)


def _build_channels(
    path: str, fields: dict[str, list[str]], record_duration: float, sample_bytes: int
) -> tuple[EDFChannel, ...]:
    """Return all signals in the order of the file, annotation signals among them.

    A scale that cannot be read stops nobody here: it is an error when its signal is read.
    """
    labels = fields["label"]
    counts = _read_samples_per_record(path, fields)
    ends = list(accumulate(counts))
    minima, maxima = (
        parse_signal_numbers(path, name, fields[name], labels)
        for name in ("physical minimum", "physical maximum")
    )
    return tuple(
        EDFChannel(
            index,
            label,
            fields["physical dimension"][index],
            fields["transducer type"][index],
            fields["prefiltering"][index],
            minima[index],
            maxima[index],
            parse_integer(fields["digital minimum"][index]),
            parse_integer(fields["digital maximum"][index]),
            counts[index],
            counts[index] / record_duration if record_duration else math.nan,
            (ends[index] - counts[index]) * sample_bytes,
        )
        for index, label in enumerate(labels)
    )


def _read_samples_per_record(path: str, fields: dict[str, list[str]]) -> list[int]:
    name = "number of samples in a data record"
    counts: list[int] = []
    for text, label in zip(fields[name], fields["label"], strict=True):
        count = parse_integer(text)
        if count is None or count < 0:
            remedy = "without it no signal can be found in the file; copy or export it again"
            raise edf_error(path, name, text, remedy, channel=label)
        counts.append(count)
    if not any(counts):
        remedy = "no channel has samples, so there is nothing to read; export the recording again"
        raise edf_error(path, name, 0, remedy)
    return counts


def _count_records(path: str, text: str, data_bytes: int, record_bytes: int) -> int:
    """Return how many whole data records the file holds, whatever its header says.

    A recorder that stops early leaves -1 or an old count, and a broken copy is shorter.
    """
    field = "number of data records"
    count, rest = divmod(data_bytes, record_bytes)
    if count == 0:
        remedy = (
            f"the file holds {data_bytes} bytes of samples and a data record takes {record_bytes}, "
            "so there is nothing to read; copy or export the recording again"
        )
        raise edf_error(path, field, text, remedy)
    if parse_integer(text) != count or rest:
        reason = f"the whole data records in the file; {rest} bytes are left over after them"
        warn_repair(path, field, text, count, reason)
    return count


def parse_record_onset(record: bytes) -> float:
    """Return when a data record starts, in s, as its first annotation says; NaN if it does not."""
    onset, separator, texts = record.partition(b"\x14")
    if not separator or texts[:1] not in (b"\x14", b"\0", b""):
        return math.nan
    return parse_number(onset.decode("latin-1"))


def _join_runs(
    onsets: NDArray[np.float64], record_duration: float, tolerance: float
) -> NDArray[np.float64]:
    """Return the onsets with those of a run of records exactly one record apart."""
    steady = np.arange(len(onsets)) * record_duration
    lateness = (onsets - steady).tolist()
    run_lateness = lateness[0]
    for record, seconds in enumerate(lateness):
        if abs(seconds - run_lateness) >= tolerance:
            run_lateness = seconds
        lateness[record] = run_lateness
    return steady + lateness


def _check_order(path: str, onsets: NDArray[np.float64], shortest_step: float) -> None:
    steps = np.diff(onsets)
    backwards = np.flatnonzero(steps <= 0)
    if backwards.size:
        record = backwards[0] + 1
        remedy = (
            f"seconds from the first record, but the record before starts at {onsets[record - 1]}; "
            "records must be in order of time, so sort them or export the recording again"
        )
        raise edf_error(path, _onset_field(record), float(onsets[record]), remedy)
    overlaps = np.flatnonzero(steps < shortest_step)
    if overlaps.size:
        record = overlaps[0] + 1
        reason = (
            f"{overlaps.size} records start before the end of the record in front; where they "
            "overlap, the samples of the later one are used"
        )
        found = float(onsets[record])
        warn_repair(path, _onset_field(record), found, "this onset", reason)


def _check_gaps(header: EDFHeader, onsets: NDArray[np.float64]) -> None:
    """Raise if the gaps between data records would be more samples than can be meant."""
    held = header.number_of_records * header.record_duration
    gaps = float(onsets[-1]) + header.record_duration - held
    rate = max(channel.sampling_frequency for channel in header.channels)
    most = min(max(_SAMPLES_IN_GAPS / rate, _GAPS_PER_RECORD * held), LONGEST_RECORDING - held)
    if gaps > most:
        record = int(np.diff(onsets).argmax()) + 1
        remedy = (
            f"seconds from the first record: gaps of {gaps / 3600:.4g} h between records that hold "
            f"{held / 3600:.4g} h; correct it or split the file"
        )
        raise edf_error(header.path, _onset_field(record), float(onsets[record]), remedy)


def _onset_field(record: int) -> str:
    return f"timekeeping annotation of data record {record + 1}"
