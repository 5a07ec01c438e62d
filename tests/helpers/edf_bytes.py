"""EDF and BDF files byte by byte, written from the specification and not by the library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

GENERAL = {
    "version": (0, 8),
    "patient identification": (8, 80),
    "recording identification": (88, 80),
    "startdate": (168, 8),
    "starttime": (176, 8),
    "number of bytes in header": (184, 8),
    "reserved": (192, 44),
    "number of data records": (236, 8),
    "duration of a data record": (244, 8),
    "number of signals": (252, 4),
}
PER_SIGNAL = (
    ("label", 16),
    ("transducer type", 80),
    ("physical dimension", 8),
    ("physical minimum", 8),
    ("physical maximum", 8),
    ("digital minimum", 8),
    ("digital maximum", 8),
    ("prefiltering", 80),
    ("number of samples in a data record", 8),
    ("reserved", 32),
)


@dataclass
class SignalText:
    """The header of a signal; the order is that of `PER_SIGNAL`."""

    label: str = "ECG"
    transducer: str = "AgAgCl"
    unit: str = "uV"
    physical_minimum: str = "-3276.8"
    physical_maximum: str = "3276.7"
    digital_minimum: str = "-32768"
    digital_maximum: str = "32767"
    prefiltering: str = "HP:0.1Hz"
    samples_per_record: str = "4"
    reserved: str = ""


def annotation_signal(samples: int = 32, label: str = "EDF Annotations") -> SignalText:
    return SignalText(label, "", "", "-1", "1", prefiltering="", samples_per_record=str(samples))


def pack_int24(values: Sequence[int]) -> bytes:
    return b"".join(int(value).to_bytes(3, "little", signed=True) for value in values)


def pack_int16(values: Sequence[int]) -> bytes:
    return np.asarray(values, "<i2").tobytes()


def build_file(
    signals: Sequence[SignalText],
    records: Sequence[Sequence[bytes]],
    *,
    reserved: str = "",
    record_duration: str = "1",
    version: bytes = b"0".ljust(8),
    date: str = "24.04.89",
    time: str = "16.13.00",
    recording: str = "Startdate 24-APR-1989 X X X",
) -> bytes:
    """Return a file; `records` holds the bytes of each signal in each data record."""
    general = [
        version,
        b"X F X Female_33yr".ljust(80),
        recording.encode().ljust(80),
        date.encode().ljust(8),
        time.encode().ljust(8),
        str(256 * (1 + len(signals))).encode().ljust(8),
        reserved.encode().ljust(44),
        str(len(records)).encode().ljust(8),
        record_duration.encode().ljust(8),
        str(len(signals)).encode().ljust(4),
    ]
    headers = [
        getattr(signal, field.name).encode().ljust(width)
        for field, (_, width) in zip(fields(SignalText), PER_SIGNAL, strict=True)
        for signal in signals
    ]
    assert sum(map(len, general)) == 256
    return b"".join([*general, *headers, *(part for record in records for part in record)])


def overwrite(data: bytes, field: str, value: bytes | str, signal: int | None = None) -> bytes:
    """Return the file with a field of its general header, or of a signal's, replaced."""
    value = value.encode() if isinstance(value, str) else value
    if signal is None:
        start, width = GENERAL[field]
    else:
        number_of_signals = int(data[252:256])
        names = [name for name, _ in PER_SIGNAL]
        widths = [width for _, width in PER_SIGNAL]
        position = names.index(field)
        width = widths[position]
        start = 256 + number_of_signals * sum(widths[:position]) + width * signal
    assert len(value) <= width
    return data[:start] + value.ljust(width) + data[start + width :]


def tal(text: bytes, samples: int = 32, sample_bytes: int = 2) -> bytes:
    """Return the bytes of an annotation signal in a data record."""
    assert len(text) <= samples * sample_bytes
    return text.ljust(samples * sample_bytes, b"\0")


def small_edf(number_of_records: int = 3) -> bytes:
    """Return a valid file of two signals, 4 Hz and 2 Hz."""
    signals = [SignalText(), SignalText(label="SaO2", unit="%", samples_per_record="2")]
    records = [
        [pack_int16(range(6 * i, 6 * i + 4)), pack_int16([6 * i + 4, 6 * i + 5])]
        for i in range(number_of_records)
    ]
    return build_file(signals, records)


def discontinuous_edf(
    onsets: Sequence[str], *, rates: Sequence[int] = (4, 2), record_duration: str = "1"
) -> bytes:
    """Return an EDF+D file; stored values count up from 0 (modulo 30000), scaled by 0.1."""
    signals = [SignalText(label=f"S{rate}", samples_per_record=str(rate)) for rate in rates]
    records = [
        [
            *(pack_int16([k % 30000 for k in range(rate * i, rate * (i + 1))]) for rate in rates),
            tal(f"+{onset}\x14\x14\0".encode()),
        ]
        for i, onset in enumerate(onsets)
    ]
    return build_file(
        [*signals, annotation_signal()],
        records,
        reserved="EDF+D",
        record_duration=record_duration,
    )
