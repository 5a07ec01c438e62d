"""Headers of EDF, EDF+, BDF and BDF+ files, read without reading their samples."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sklearn_sleep.exceptions import EDFError
from sklearn_sleep.io.edf.channels import EDFChannel, build_channels
from sklearn_sleep.io.edf.fields import (
    BLOCK_BYTES,
    GENERAL_FIELDS,
    decode_text,
    parse_integer,
    parse_number,
    read_general_fields,
    read_signal_fields,
    split_signal_field,
)
from sklearn_sleep.io.edf.messages import edf_error, warn_repair
from sklearn_sleep.io.edf.records import count_records, map_channel, read_record_onsets
from sklearn_sleep.io.edf.start import read_start
from sklearn_sleep.io.edf.tal import ONSET_BYTES, parse_record_onset

__all__ = ["EDFChannel", "EDFHeader", "read_edf_header"]

_ANNOTATION_LABELS: Final = frozenset({"EDF Annotations", "BDF Annotations"})
_BIOSEMI: Final = b"\xffBIOSEMI"  # the version field of BDF
_EXTENSIONS: Final = ("EDF+C", "EDF+D", "BDF+C", "BDF+D")  # in the reserved field
_SAMPLE_BYTES: Final = {"EDF": 2, "BDF": 3}


@dataclass(frozen=True, slots=True)
class EDFHeader:
    """Header of an EDF or BDF file; it holds no samples and pickles small.

    Attributes
    ----------
    path : str
        The file.
    variant : {"EDF", "EDF+C", "EDF+D", "BDF", "BDF+C", "BDF+D"}
        Format; "D" files may have gaps between data records.
    header_bytes : int
        Bytes before the first data record.
    start : datetime.datetime or None
        When the first data record starts, with the fraction of a second that EDF+ keeps in its
        first annotation; None where the header does not say.
    number_of_records : int
        Whole data records in the file.
    record_duration : float
        Seconds; 0 in files of annotations.
    record_bytes : int
        Bytes of a data record.
    channels : tuple of EDFChannel
        The signals that are not annotations; empty in files of annotations.
    annotation_channels : tuple of EDFChannel
        The signals that hold annotations.
    patient, recording : str
        The fields "patient identification" and "recording identification".
    record_onsets : ndarray of float64, shape (number_of_records,), or None
        Seconds from the start of the first data record to that of each; None where each follows
        on the one before.
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

    def channel(self, label: str) -> EDFChannel:
        """Return the signal of this label, the first where several have it.

        Parameters
        ----------
        label : str
            As the file spells it.

        Returns
        -------
        EDFChannel
            The signal.

        Raises
        ------
        EDFError
            If no signal has this label.
        """
        for channel in self.channels:
            if channel.label == label:
                return channel
        labels = [channel.label for channel in self.channels]
        raise edf_error(self.path, "label", labels, f"none is {label!r}; ask for one of these")


def read_edf_header(path: str | os.PathLike[str]) -> EDFHeader:
    """Read the header of an EDF or BDF file.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    EDFHeader
        What the header says, with sound values in place of wrong ones.

    Raises
    ------
    EDFError
        If the file is not EDF or BDF, is cut off within its header, holds no data record, or the
        place of a signal cannot be known. Fields that only concern the scale of one signal raise
        when that signal is read.
    OSError
        If the file cannot be opened; `FileNotFoundError` where there is none.

    Warns
    -----
    EDFRepairWarning
        For each wrong field that matters for reading, with what was used in its place. A valid
        file gives no warning.

    References
    ----------
    EDF: Kemp et al. (1992), Electroenceph. clin. Neurophysiol. 82, 391-393. EDF+: Kemp and Olivan
    (2003), Clin. Neurophysiol. 114, 1755-1761. BDF: https://www.biosemi.com/faq/file_format.htm.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import edfio
    >>> import numpy as np
    >>> path = Path(tempfile.mkdtemp(), "night.edf")
    >>> ecg = edfio.EdfSignal(np.zeros(30 * 125), 125, label="ECG", physical_range=(-1, 1))
    >>> edfio.Edf([ecg]).write(path)
    >>> header = read_edf_header(path)
    >>> header.duration, header.channel("ECG").sampling_frequency
    (30.0, 125.0)
    """
    name = os.fspath(path)
    with open(name, "rb") as file:  # noqa: PTH123 - a Path costs a fifth of the whole reading
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
        only_annotations = _ANNOTATION_LABELS.issuperset(signal_fields["label"])
        record_duration = _read_record_duration(
            name, fields["duration of a data record"], may_be_zero=only_annotations
        )
        signals = build_channels(name, signal_fields, record_duration, sample_bytes)
        record_bytes = sum(signal.samples_per_record for signal in signals) * sample_bytes
        number_of_records = count_records(
            name, fields["number of data records"], size - header_bytes, record_bytes
        )
        annotation_channels = tuple(s for s in signals if s.label in _ANNOTATION_LABELS)
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
        channels=tuple(s for s in signals if s.label not in _ANNOTATION_LABELS),
        annotation_channels=annotation_channels,
        patient=fields["patient identification"],
        recording=recording,
    )
    if variant.endswith("D") and header.channels:
        return replace(header, record_onsets=_read_record_onsets(header))
    return header


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
    if reserved[:5] in _EXTENSIONS:
        variant += reserved[3:5]
    if not is_valid:
        _check_looks_like_edf(path, general)
        reason = "the rest of the header is of this format"
        warn_repair(path, "version", version, variant, reason)
    return variant


def _check_looks_like_edf(path: str, general: bytes) -> None:
    """Raise unless the size of the header is what the number of signals makes it."""
    numbers = [
        parse_integer(general[slice(*GENERAL_FIELDS[name])].decode("latin-1").strip(" \0"))
        for name in ("number of bytes in header", "number of signals")
    ]
    if numbers[0] is None or numbers[1] is None or numbers[0] != BLOCK_BYTES * (1 + numbers[1]):
        remedy = "this is not an EDF or BDF file; give it to the reader of its own format"
        raise edf_error(path, "version", general[:8], remedy)


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
    """Return when the records of an EDF+D file start, None where there are no gaps."""
    if not header.annotation_channels:
        remedy = (
            "there is no signal 'EDF Annotations' that says when the data records start; "
            "if the recording has no gaps, write 'EDF+C' there"
        )
        raise edf_error(header.path, "reserved", header.variant, remedy)
    timekeeping = header.annotation_channels[0]
    records = map_channel(
        header.path,
        "u1",
        first_byte=header.header_bytes + timekeeping.offset,
        shape=(
            header.number_of_records,
            min(ONSET_BYTES, timekeeping.samples_per_record * header.sample_bytes),
        ),
        strides=(header.record_bytes, 1),
    )
    highest = max(channel.sampling_frequency for channel in header.channels)
    return read_record_onsets(header.path, records, header.record_duration, highest)
