r"""Somnomedics Domino: the sleep profile (``SchlafProfil\profil``), and files of events.

An epoch of a profile has its time of day, an event (``Signal Type: Impuls``) its start and end.

Forms of the header, of times and the texts are from public code that reads it (Snooz, wonambi,
pyPhasesRecordloader).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Final

from sklearn_sleep.core.messages import shorten
from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io.hypnograms.events import Event
from sklearn_sleep.io.hypnograms.format import AnnotationFile, HypnogramFormat, ReadOptions
from sklearn_sleep.io.hypnograms.stage_annotations import (
    CLOCK,
    StageAnnotations,
    place_clocks,
)
from sklearn_sleep.io.hypnograms.stage_table import Table, read_event_table, read_stage_table

_SIGNAL: Final = re.compile(r"\s*Signal[ -]?ID\s*:", re.IGNORECASE)
_PROFILE: Final = re.compile(r"schlafprofil[\\/]profil", re.IGNORECASE)
_RATE: Final = re.compile(r"(\d+(?:[.,]\d+)?)\s*s(?:ec)?", re.IGNORECASE)
_NUMBER: Final = re.compile(r"-?\d+")
_NUMBERED: Final = re.compile(r"\s*(-?\d+)\s*[=:]\s*(.+?)\s*")
_HEADER_LENGTH: Final = 20
_DAY: Final = 24 * 3600.0


def _header(file: AnnotationFile) -> dict[str, str]:
    """Return the values before the rows, by their names in small letters."""
    lines = takewhile(lambda line: not _is_row(line), file.lines[:_HEADER_LENGTH])
    pairs = [line.split(":", 1) for line in lines if ":" in line]
    return {
        re.sub(r"[\s-]+", " ", name.strip().casefold()): value.strip(" \t;")
        for name, value in pairs
    }


def _is_row(line: str) -> bool:
    return CLOCK.match(line.strip()) is not None


def _recognises(file: AnnotationFile) -> bool:
    """Whether one of the first lines names a signal."""
    return any(_SIGNAL.match(line) for line in file.lines[:_HEADER_LENGTH])


def _read(file: AnnotationFile, options: ReadOptions) -> StageAnnotations:
    """Read the rows, an epoch of the header's rate each, placed by their times of day."""
    path = file.path
    header = _header(file)
    table = _profile(file, header).without_events(options)
    _check_numbers(table.rows, table.places, table.own_names or {}, path, options)
    options = replace(options, epoch_duration=_rate(header, path, options))
    return read_stage_table(table, options)


def _events(file: AnnotationFile, options: ReadOptions) -> list[Event]:
    """Read events, or the artefacts of a sleep profile; the signal is the channel."""
    header = _header(file)
    if header.get("signal type", "")[:3].casefold() != "imp":
        table = _profile(file, header)
        rate = str(_rate(header, file.path, options))
        columns = {**table.columns, "duration": 2}
        table = table._replace(columns=columns, rows=[[*row, rate] for row in table.rows])
        return read_event_table(table, options, lambda text: text.upper() != "A")
    starts, ends, texts, places = [], [], [], []
    for place, line in _rows(file):
        cells = [cell.strip() for cell in line.split(";")]
        start = CLOCK.match(cells[0])
        end = CLOCK.fullmatch(cells[0][start.end() :].lstrip(" -")) if start else None
        if start is None or end is None or len(cells) < 3:
            raise HypnogramError(
                f"{file.path}: {place} is {shorten(line)}; an event of Domino has a start and an "
                "end with a hyphen between them, a duration and a name, with semicolons."
            )
        starts.append(start[0].strip())
        ends.append(end[0])
        texts.append(cells[2])
        places.append(place)
    if not texts:
        return []
    onset = place_clocks(starts, "start", places, file.path, options.recording_start)
    end_time = place_clocks(ends, "end", places, file.path, options.recording_start)
    # The column of durations is rounded.
    duration = (end_time - onset).round(3) % _DAY
    channel = header.get("signal id", "")
    return [Event(*row, channel) for row in zip(onset, duration, texts, strict=True)]


def _rows(file: AnnotationFile) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each line from the first row on."""
    start = next((i for i, line in enumerate(file.lines) if _is_row(line)), len(file.lines))
    for number, line in enumerate(file.lines[start:], start=start + 1):
        if line.strip():
            yield f"line {number}", line.strip()


def _profile(file: AnnotationFile, header: Mapping[str, str]) -> Table:
    """Return the rows of a sleep profile."""
    _check_signal(header, file.path)
    rows, places = [], []
    for place, line in _rows(file):
        row = [cell.strip() for cell in line.rstrip(";").split(";")]
        if len(row) != 2 or not CLOCK.fullmatch(row[0]):
            raise HypnogramError(
                f"{file.path}: {place} is {shorten(line)}; a sleep profile has a time of day, a "
                "semicolon and a stage."
            )
        rows.append(row)
        places.append(place)
    if not rows:
        raise HypnogramError(f"{file.path}: this sleep profile has a header but no epochs.")
    own_names = {"A": "?", **_numbered(header)}
    columns = {"onset": 0, "stage": 1}
    return Table(["time", "stage"], columns, rows, places, file.path, own_names, True)


def _check_signal(header: Mapping[str, str], path: Path) -> None:
    """Raise if the file holds another signal than the sleep profile."""
    signal, type_ = header.get("signal id", ""), header.get("signal type", "")
    if not _PROFILE.fullmatch(signal) or type_[:3].casefold() not in ("", "dis"):
        raise HypnogramError(
            f"{path}: this file of Domino holds the signal {signal!r} of type {type_!r}, which is "
            r"no hypnogram. Give the one of 'SchlafProfil\profil', mostly called Schlafprofil.txt "
            "or Sleep profile.txt; read_events reads files of events (type Impuls)."
        )


def _rate(header: Mapping[str, str], path: Path, options: ReadOptions) -> float:
    """Return the s of an epoch, as told or as the header says."""
    text = header.get("rate", "")
    if options.is_duration_told or not text:
        return options.epoch_duration
    match = _RATE.fullmatch(text)
    if match is None:
        raise HypnogramError(
            f"{path}: the rate is {text!r}, which is no number of seconds. Pass epoch_duration."
        )
    return float(match[1].replace(",", "."))


def _numbered(header: Mapping[str, str]) -> dict[str, str]:
    """Return what numbers mean where the list of events says so: ``1=N1,2=N2``."""
    events = header.get("events list", "").split(",")
    return {match[1]: match[2] for text in events if (match := _NUMBERED.fullmatch(text))}


def _check_numbers(
    rows: Sequence[Sequence[str]],
    places: Sequence[str],
    own_names: Mapping[str, str],
    path: Path,
    options: ReadOptions,
) -> None:
    """Raise if a stage is a number of which nothing tells what it means."""
    for (_, text), place in zip(rows, places, strict=True):
        if options.stage_codes or not _NUMBER.fullmatch(text):
            continue
        if text not in own_names and not options.is_told(text):
            raise HypnogramError(
                f"{path}: {place}: the stage is the number {text}, and the list of events in the "
                f"header does not say which one it is. Pass stage_names={{{text!r}: 'N2'}} for "
                "each number, or stage_codes='aasm' or stage_codes='r&k' for all."
            )


FORMAT = HypnogramFormat(
    "Somnomedics Domino sleep profile",
    recognises=_recognises,
    read=_read,
    origin="Somnomedics Domino, Schlafprofil.txt; epochs with times of day, needs recording_start",
    events=_events,
    examples=(
        (
            "Signal ID: SchlafProfil\\profil\nStart Time: 01.03.2009 22:00:00\nUnit: \n"
            "Signal Type: Discret\nEvents list: N4,N3,N2,N1,REM,Wake,Movement\nRate: 30 s\n\n"
            "22:00:00,000; Wake\n22:00:30,000; N2\n"
        ),
    ),
)
