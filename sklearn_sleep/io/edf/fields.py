"""The text fields of an EDF or BDF header, and what is said of a field that is wrong.

Positions and widths are those of Kemp et al. (1992), *A simple format for exchange of digitized
polygraphic recordings*, Electroenceph. clin. Neurophysiol. 82, 391-393, which EDF+ and BDF share.
"""

import itertools
import math
import re
import warnings
from collections.abc import Callable
from datetime import date, datetime, time
from typing import AnyStr, Final, TypeVar

from sklearn_sleep.exceptions import EDFError, EDFRepairWarning

Day = TypeVar("Day", date, time)

BLOCK_BYTES: Final = 256
"""Bytes of the general header, and of each signal's header after it."""

GENERAL_FIELDS: Final = {
    "patient identification": (8, 88),
    "recording identification": (88, 168),
    "startdate": (168, 176),
    "starttime": (176, 184),
    "number of bytes in header": (184, 192),
    "reserved": (192, 236),
    "number of data records": (236, 244),
    "duration of a data record": (244, 252),
    "number of signals": (252, 256),
}
"""First byte and end of each field of the general header, after the version (bytes 0 to 7)."""

SIGNAL_FIELDS: Final = {
    "label": 16,
    "transducer type": 80,
    "physical dimension": 8,
    "physical minimum": 8,
    "physical maximum": 8,
    "digital minimum": 8,
    "digital maximum": 8,
    "prefiltering": 80,
    "number of samples in a data record": 8,
    "reserved": 32,
}
"""Bytes of each field of a signal's header; a field is stored for all signals, then the next."""

FREE_TEXT: Final = frozenset(
    {
        "patient identification",
        "recording identification",
        "transducer type",
        "prefiltering",
        "reserved",
    }
)
"""Fields that do not decide how samples are read; a repair of these is not worth a warning."""


# Separators other than the full stop occur in files of many exporters.
_TRIPLE: Final = re.compile(r"(\d{1,2})\s*[.\-:/ ]\s*(\d{1,2})\s*[.\-:/ ]\s*(\d\d|yy)")
_EXACT: Final = re.compile(r"\d\d\.\d\d\.(?:\d\d|yy)")
_RECORDING_DATE: Final = re.compile(r"\bStartdate (\d\d)-([A-Z]{3})-(\d{4})\b", re.IGNORECASE)
_MONTHS: Final = (
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
)  # fmt: skip
_START_UNKNOWN: Final = "the samples are read, but the start is unknown"
_FIRST_YEAR: Final = 1985  # "yy" counts from 1985 to 2084: EDF+ specification, section 2.1.3.2


def edf_error(
    path: str, field: str, found: object, remedy: str, *, channel: str | None = None
) -> EDFError:
    """Return the error that a field holds `found`; `remedy` says why not, and what to do."""
    return EDFError(f"{_place(path, field, channel)}: found {found!r}; {remedy}")


def warn_repair(
    path: str, field: str, found: object, used: object, reason: str, *, channel: str | None = None
) -> None:
    """Warn that `used` stands in for what a field holds; `reason` says why."""
    message = f"{_place(path, field, channel)}: found {found!r}, used {used} ({reason})"
    warnings.warn(message, EDFRepairWarning, stacklevel=3)


def _place(path: str, field: str, channel: str | None) -> str:
    return f"{path}: field '{field}'" + ("" if channel is None else f" of channel '{channel}'")


def decode_text(raw: bytes) -> str:
    """Decode text as UTF-8 if it is that, else as Latin-1, in which any bytes are text."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def parse_number(text: str) -> float:
    """Return the number in a field, NaN where it is none; a decimal comma is read as a point."""
    try:
        number = float(text)
    except ValueError:
        if "," not in text:
            return math.nan
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            return math.nan
    return number if math.isfinite(number) else math.nan


def parse_integer(text: str) -> int | None:
    """Return the whole number in a field, ``"10.0"`` too; None where it is none."""
    try:
        return int(text)
    except ValueError:
        number = parse_number(text)
        return int(number) if number.is_integer() else None


def read_general_fields(path: str, block: bytes) -> dict[str, str]:
    """Return the fields of the general header (256 bytes) but the version, without padding."""
    bounds = GENERAL_FIELDS.items()
    if _is_plain(block[8:]):
        text = block.decode("latin-1")
        return {name: text[first:end].strip() for name, (first, end) in bounds}
    return {name: _repair_texts(path, name, [block[first:end]])[0] for name, (first, end) in bounds}


def read_signal_fields(path: str, block: bytes, number_of_signals: int) -> dict[str, list[str]]:
    """Return each field of the signals' headers (256 bytes a signal), a text per signal."""
    if _is_plain(block):
        text = block.decode("ascii")
        return {
            name: [part.strip() for part in split_signal_field(text, name, number_of_signals)]
            for name in SIGNAL_FIELDS
        }
    return {
        name: _repair_texts(path, name, split_signal_field(block, name, number_of_signals))
        for name in SIGNAL_FIELDS
    }


def split_signal_field(block: AnyStr, field: str, number_of_signals: int) -> list[AnyStr]:
    """Return one field of the signals' headers, with padding, by signal."""
    width = SIGNAL_FIELDS[field]
    before = itertools.takewhile(lambda name: name != field, SIGNAL_FIELDS)
    first = number_of_signals * sum(SIGNAL_FIELDS[name] for name in before)
    return [block[first + i * width : first + (i + 1) * width] for i in range(number_of_signals)]


def parse_signal_numbers(path: str, field: str, texts: list[str], labels: list[str]) -> list[float]:
    """Return a numeric field of all signals, NaN where a text is none.

    That is an error only for who reads that signal. Decimal commas are warned of once.
    """
    try:
        numbers = list(map(float, texts))
    except ValueError:
        numbers = list(map(parse_number, texts))
        commas = [i for i, text in enumerate(texts) if "," in text and not math.isnan(numbers[i])]
        if commas:
            first = commas[0]
            reason = f"a decimal comma; {len(commas)} of {len(texts)} signals"
            warn_repair(path, field, texts[first], numbers[first], reason, channel=labels[first])
    return [number if math.isfinite(number) else math.nan for number in numbers]


def _is_plain(block: bytes) -> bool:
    return block.isascii() and b"\0" not in block


def _repair_texts(path: str, field: str, raws: list[bytes]) -> list[str]:
    """Decode a field, and warn once if that needed a repair that matters."""
    texts = [decode_text(raw.split(b"\0", 1)[0]).strip() for raw in raws]
    repaired = [i for i, raw in enumerate(raws) if not _is_plain(raw)]
    if repaired and field not in FREE_TEXT:
        first = repaired[0]
        fault = "padded with NUL bytes" if b"\0" in raws[first] else "not ASCII"
        reason = f"{fault}; {len(repaired)} of {len(raws)} such fields"
        warn_repair(path, field, raws[first].rstrip(b" "), repr(texts[first]), reason)
    return texts


def read_start(path: str, date_text: str, time_text: str, recording: str) -> datetime | None:
    """Return the start that a header tells, to the second; None if date or time is unknown.

    Where the field "startdate" cannot be read, the ``Startdate dd-MMM-yyyy`` of the field
    "recording identification" serves. A time of day is not joined to a made-up date.
    """
    day = _read_triple(path, "startdate", date_text, _date_of, "dd.mm.yy")
    if day is None:
        day = _read_recording_date(recording)
        match = _TRIPLE.fullmatch(date_text)
        # EDF+ writes years after 2084 as "yy".
        if day is None or not (match and match[3] == "yy"):
            use = "'Startdate' of the recording field serves" if day else _START_UNKNOWN
            warn_repair(
                path, "startdate", date_text, day or "none", f"not a date as dd.mm.yy; {use}"
            )
    hour = _read_triple(path, "starttime", time_text, time, "hh.mm.ss")
    if hour is None:
        reason = f"not a time as hh.mm.ss; {_START_UNKNOWN}"
        warn_repair(path, "starttime", time_text, "none", reason)
    return None if day is None or hour is None else datetime.combine(day, hour)


def _date_of(day: int, month: int, year: int) -> date:
    return date(_FIRST_YEAR + (year - _FIRST_YEAR) % 100, month, day)


def _read_triple(
    path: str, field: str, text: str, make: Callable[[int, int, int], Day], form: str
) -> Day | None:
    match = _TRIPLE.fullmatch(text)
    if not match or match[3] == "yy":
        return None
    try:
        value = make(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
    if not _EXACT.fullmatch(text):
        warn_repair(path, field, text, value, f"not written as {form}")
    return value


def _read_recording_date(recording: str) -> date | None:
    match = _RECORDING_DATE.search(recording)
    if not match or match[2].upper() not in _MONTHS:
        return None
    try:
        return date(int(match[3]), _MONTHS.index(match[2].upper()) + 1, int(match[1]))
    except ValueError:
        return None
