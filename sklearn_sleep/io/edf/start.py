"""When an EDF or BDF recording starts."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Final

from sklearn_sleep.io.edf.messages import warn_repair

# Separators other than the full stop occur in files of many exporters.
_TRIPLE: Final = re.compile(r"(\d{1,2})\s*[.\-:/ ]\s*(\d{1,2})\s*[.\-:/ ]\s*(\d\d|yy)")
_EXACT: Final = re.compile(r"\d\d\.\d\d\.(?:\d\d|yy)")
_RECORDING_DATE: Final = re.compile(r"\bStartdate (\d\d)-([A-Z]{3})-(\d{4})\b", re.IGNORECASE)
_MONTHS: Final = (
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
)  # fmt: skip
_FIRST_YEAR: Final = 1985  # "yy" counts from 1985 to 2084: EDF+ specification, section 2.1.3.2


def read_start(path: str, date_text: str, time_text: str, recording: str) -> datetime | None:
    """Return the start of a recording from its header, to the second.

    Two-digit years are 1985 to 2084, as the EDF+ specification says. Where the date field cannot
    be read, the ``Startdate dd-MMM-yyyy`` of the recording field serves. A time of day is not
    joined to a made-up date: without a date, or without a time, there is no start.

    Parameters
    ----------
    path : str
        The file, for messages.
    date_text, time_text : str
        The fields "startdate" (``dd.mm.yy``) and "starttime" (``hh.mm.ss``).
    recording : str
        The field "recording identification".

    Returns
    -------
    datetime.datetime or None
        The start, without a time zone as EDF has none; None if it cannot be read.

    Warns
    -----
    EDFRepairWarning
        For each of the two fields that is not as the specification says.

    Examples
    --------
    >>> read_start("night.edf", "24.04.89", "16.13.00", "")
    datetime.datetime(1989, 4, 24, 16, 13)
    """
    day = _read_date(path, date_text, recording)
    hour = _read_time(path, time_text)
    return None if day is None or hour is None else datetime.combine(day, hour)


def _read_date(path: str, text: str, recording: str) -> date | None:
    match = _TRIPLE.fullmatch(text)
    if match and match[3] != "yy":
        year = _FIRST_YEAR + (int(match[3]) - _FIRST_YEAR) % 100
        try:
            day = date(year, int(match[2]), int(match[1]))
        except ValueError:
            pass
        else:
            if not _EXACT.fullmatch(text):
                warn_repair(path, "startdate", text, day, "not written as dd.mm.yy")
            return day
    written_out = _read_recording_date(recording)
    if match and match[3] == "yy" and written_out is not None:
        return written_out  # EDF+ writes years after 2084 this way
    if written_out is not None:
        reason = "not a date as dd.mm.yy; 'Startdate' of the recording field serves"
        warn_repair(path, "startdate", text, written_out, reason)
    else:
        reason = "not a date as dd.mm.yy; the samples are read, but the start is unknown"
        warn_repair(path, "startdate", text, "none", reason)
    return written_out


def _read_recording_date(recording: str) -> date | None:
    match = _RECORDING_DATE.search(recording)
    if not match or match[2].upper() not in _MONTHS:
        return None
    try:
        return date(int(match[3]), _MONTHS.index(match[2].upper()) + 1, int(match[1]))
    except ValueError:
        return None


def _read_time(path: str, text: str) -> time | None:
    match = _TRIPLE.fullmatch(text)
    if match and match[3] != "yy":
        try:
            hour = time(int(match[1]), int(match[2]), int(match[3]))
        except ValueError:
            pass
        else:
            if not _EXACT.fullmatch(text):
                warn_repair(path, "starttime", text, hour, "not written as hh.mm.ss")
            return hour
    reason = "not a time as hh.mm.ss; the samples are read, but the start is unknown"
    warn_repair(path, "starttime", text, "none", reason)
    return None
