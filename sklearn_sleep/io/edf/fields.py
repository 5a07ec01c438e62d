"""The text fields of an EDF or BDF header.

Positions and widths are those of Kemp et al. (1992), *A simple format for exchange of digitized
polygraphic recordings*, Electroenceph. clin. Neurophysiol. 82, 391-393, which EDF+ and BDF share.
"""

from __future__ import annotations

import math
from typing import Final

from sklearn_sleep.io.edf.messages import warn_repair

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
"""Width of each field of a signal's header; a field is stored for all signals, then the next."""

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


def decode_text(raw: bytes) -> str:
    r"""Decode text as UTF-8 if it is that, else as Latin-1, in which any bytes are text.

    Parameters
    ----------
    raw : bytes
        Text of a header field or an annotation.

    Returns
    -------
    str
        The text.

    Examples
    --------
    >>> decode_text(b"\xb5V"), decode_text(b"\xc2\xb5V")
    ('µV', 'µV')
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def parse_number(text: str) -> float:
    """Parse the number in a header field.

    Parameters
    ----------
    text : str
        The field, without its padding. A decimal comma is read as a decimal point.

    Returns
    -------
    float
        The number, NaN where the text is none (infinities included).

    Examples
    --------
    >>> parse_number("-3276.8"), parse_number("1,5"), parse_number("n/a"), parse_number("a,b")
    (-3276.8, 1.5, nan, nan)
    """
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
    """Parse the whole number in a header field.

    Parameters
    ----------
    text : str
        The field, without its padding. ``"10.0"`` counts as a whole number.

    Returns
    -------
    int or None
        The number, None where the text is none.

    Examples
    --------
    >>> parse_integer("-1"), parse_integer("10.0"), parse_integer("10.5"), parse_integer("")
    (-1, 10, None, None)
    """
    try:
        return int(text)
    except ValueError:
        number = parse_number(text)
        return int(number) if number.is_integer() else None


def read_general_fields(path: str, block: bytes) -> dict[str, str]:
    """Return the fields of the general header by name.

    Parameters
    ----------
    path : str
        The file, for messages.
    block : bytes
        Its first 256 bytes.

    Returns
    -------
    dict of str to str
        The fields but the version, in the order of the file, without padding.

    Warns
    -----
    EDFRepairWarning
        If a field that matters for reading is padded with NUL bytes or is not ASCII.

    Examples
    --------
    >>> read_general_fields("night.edf", b"14".rjust(254) + b"  ")["number of signals"]
    '14'
    """
    bounds = GENERAL_FIELDS.items()
    if _is_plain(block[8:]):
        text = block.decode("latin-1")
        return {name: text[first:end].strip() for name, (first, end) in bounds}
    return {name: _repair_texts(path, name, [block[first:end]])[0] for name, (first, end) in bounds}


def read_signal_fields(path: str, block: bytes, number_of_signals: int) -> dict[str, list[str]]:
    """Return the fields of the signals' headers by name.

    Parameters
    ----------
    path : str
        The file, for messages.
    block : bytes
        The ``256 * number_of_signals`` bytes after the general header.
    number_of_signals : int
        Signals in the file, annotation signals included.

    Returns
    -------
    dict of str to list of str
        For each field a text per signal, without padding.

    Warns
    -----
    EDFRepairWarning
        If a field that matters for reading is padded with NUL bytes or is not ASCII.

    Examples
    --------
    >>> read_signal_fields("night.edf", b"ECG".ljust(256), 1)["label"]
    ['ECG']
    """
    if not _is_plain(block):
        return {
            name: _repair_texts(path, name, split_signal_field(block, name, number_of_signals))
            for name in SIGNAL_FIELDS
        }
    text = block.decode("ascii")
    fields: dict[str, list[str]] = {}
    first = 0
    for name, width in SIGNAL_FIELDS.items():
        end = first + width * number_of_signals
        fields[name] = [text[i : i + width].strip() for i in range(first, end, width)]
        first = end
    return fields


def split_signal_field(block: bytes, field: str, number_of_signals: int) -> list[bytes]:
    """Return the bytes of one field of the signals' headers.

    Parameters
    ----------
    block : bytes
        The ``256 * number_of_signals`` bytes after the general header.
    field : str
        A name in `SIGNAL_FIELDS`.
    number_of_signals : int
        Signals in the file, annotation signals included.

    Returns
    -------
    list of bytes
        The field of each signal, with its padding.

    Examples
    --------
    >>> split_signal_field(b"ECG".ljust(16) + b"SaO2".ljust(16), "label", 2)
    [b'ECG             ', b'SaO2            ']
    """
    names = list(SIGNAL_FIELDS)
    width = SIGNAL_FIELDS[field]
    before = sum(SIGNAL_FIELDS[name] for name in names[: names.index(field)])
    start = before * number_of_signals
    return [block[i : i + width] for i in range(start, start + width * number_of_signals, width)]


def parse_signal_numbers(path: str, field: str, texts: list[str], labels: list[str]) -> list[float]:
    """Parse a numeric field of all signals.

    Parameters
    ----------
    path, field : str
        The file and the field's name, for messages.
    texts, labels : list of str
        The field and the label of each signal.

    Returns
    -------
    list of float
        The numbers, NaN where a text is none: that is an error only for who reads that signal.

    Warns
    -----
    EDFRepairWarning
        If numbers have a decimal comma; once for the field.

    Examples
    --------
    >>> parse_signal_numbers("night.edf", "physical minimum", ["-1.5", "n/a"], ["ECG", "SaO2"])
    [-1.5, nan]
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
