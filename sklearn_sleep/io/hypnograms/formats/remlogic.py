"""RemLogic event lists (Embla), as in the CAP Sleep Database: epochs among all other events.

An epoch is a row whose event is ``SLEEP-S0`` to ``S4``, ``SLEEP-REM``, ``SLEEP-MT`` or
``SLEEP-UNSCORED``. The first column of other rows, such as ``MCAP-A1``, repeats the stage of their
epoch. Forms of the header and of times: physionet.org/content/capslpdb and the readers of wonambi
(github.com/wonambi-python/wonambi).
"""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sklearn_sleep.core.messages import list_names
from sklearn_sleep.core.stage_vocabulary import fold
from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io.hypnograms.events import Event
from sklearn_sleep.io.hypnograms.format import AnnotationFile, HypnogramFormat, ReadOptions
from sklearn_sleep.io.hypnograms.stage_annotations import StageAnnotations
from sklearn_sleep.io.hypnograms.stage_table import Table, read_event_table, read_stage_table

_TITLE: Final = "remlogic event export"
_TIME: Final = re.compile(
    r".*\[hh:mm:ss|(time|heure|zeit|uhrzeit|hora|ora|tempo|tijd|tid)\b", re.IGNORECASE
)
_DURATION: Final = re.compile(r".*\[s|dur|dauer", re.IGNORECASE)
_EVENT: Final = re.compile(r"(event|[eé]v[eéè]n[ei]ment|ereignis|evento)\b", re.IGNORECASE)
_CHANNEL: Final = re.compile(r"loca|lokal|emplac|channel|canal|kanal", re.IGNORECASE)
_STAGES: Final = {
    "SLEEP-S0": "W",
    "SLEEP-S1": "N1",
    "SLEEP-S2": "N2",
    "SLEEP-S3": "N3",
    "SLEEP-S4": "N3",
    "SLEEP-REM": "R",
    "SLEEP-RE": "R",  # so wonambi writes it
    "SLEEP-MT": "?",
    "SLEEP-UNSCORED": "?",
}


def _is_epoch(cell: str) -> bool:
    return cell.upper().startswith("SLEEP-")


def _names_epoch(text: str, options: ReadOptions) -> bool:
    return fold(text) in map(fold, _STAGES) or options.is_told(text)


def _cells(line: str) -> list[str]:
    """Return the cells of a row; positions hold blanks, so that only tabs are between them."""
    return [cell.strip() for cell in line.split("\t")]


def _header_index(file: AnnotationFile) -> int | None:
    """Return the index of the line that names the columns, if there is one."""
    for index, line in enumerate(file.lines):
        cells = _cells(line)
        if len(cells) < 2 or cells[0].endswith(":"):
            continue
        if any(map(_is_epoch, cells)):
            return None
        if _column(_TIME, cells) is not None:
            return index
    return None


def _column(pattern: re.Pattern[str], header: Sequence[str]) -> int | None:
    return next((index for index, cell in enumerate(header) if pattern.match(cell)), None)


def _recognises(file: AnnotationFile) -> bool:
    """Whether the title is there, or, where it was taken off, rows of epochs below a header."""
    if file.first_line.strip().casefold().startswith(_TITLE):
        return True
    return "\tSLEEP-" in file.text and _header_index(file) is not None


def _read(file: AnnotationFile, options: ReadOptions) -> StageAnnotations:
    """Read the epochs, each from its time of day on for its duration."""
    path = file.path
    table = _table(file)
    epochs = table.chosen(any(map(_is_epoch, row)) for row in table.rows)
    if not epochs.rows:
        raise HypnogramError(
            f"{path}: none of the events is a stage such as 'SLEEP-S2'. Export the events SLEEP-… "
            "from RemLogic too."
        )
    columns = {kind: at for kind, at in table.columns.items() if kind != "channel"}
    for row, place in zip(epochs.rows, epochs.places, strict=True):
        if len(row) <= max(columns.values()) or not _is_epoch(row[columns["stage"]]):
            raise HypnogramError(
                f"{path}: {place}: the cells {row} do not stand in the columns {table.header}. "
                "Complete the line."
            )
    unknown = _unknown(epochs.rows, columns, path, options)
    epochs = epochs._replace(own_names={**_STAGES, **dict.fromkeys(unknown, "?")})
    return read_stage_table(epochs, options)


def _events(file: AnnotationFile, options: ReadOptions) -> list[Event]:
    """Read the rows that are no epoch; their location is the channel."""
    return read_event_table(_table(file), options, lambda text: _names_epoch(text, options))


def _table(file: AnnotationFile) -> Table:
    """Return the rows below the header, of epochs and all other events, and their columns."""
    index = _header_index(file)
    if index is None:
        raise HypnogramError(
            f"{file.path}: no line above the events names a column of times, such as "
            "'Time [hh:mm:ss]'. Export the events from RemLogic again."
        )
    header = _cells(file.lines[index])
    lines = list(enumerate(file.lines[index + 1 :], start=index + 2))
    rows = [_cells(line) for _, line in lines if line.strip()]
    kinds = {"stage": _EVENT, "onset": _TIME, "duration": _DURATION, "channel": _CHANNEL}
    columns = {
        kind: found for kind, name in kinds.items() if (found := _column(name, header)) is not None
    }
    # Headers are in the language of the laboratory; epochs show where the events stand.
    epoch: list[str] = next((row for row in rows if any(map(_is_epoch, row))), [])
    columns["stage"] = next(
        (position for position, cell in enumerate(epoch) if _is_epoch(cell)),
        columns.get("stage", columns["onset"] + 1),
    )
    _spell_out_halves(rows, columns["onset"])
    places = [f"line {number}" for number, line in lines if line.strip()]
    return Table(header, columns, rows, places, file.path, _STAGES, True)


def _spell_out_halves(rows: Sequence[list[str]], column: int) -> None:
    """Write PM for the prefix U of times on a clock of 12 hours, and AM where it lacks."""
    filled = [row for row in rows if len(row) > column]
    times = [row[column].upper() for row in filled]
    if any(time.startswith("U") for time in times):
        for row, time in zip(filled, times, strict=True):
            row[column] = f"{time.removeprefix('U')} {'PM' if time.startswith('U') else 'AM'}"


def _unknown(
    rows: Sequence[Sequence[str]], columns: dict[str, int], path: Path, options: ReadOptions
) -> list[str]:
    """Return the events that are like stages and are none that is known, with a warning."""
    texts = [row[columns["stage"]] for row in rows]
    unknown = [index for index, text in enumerate(texts) if not _names_epoch(text, options)]
    if not unknown:
        return []
    names = list(dict.fromkeys(texts[index] for index in unknown))
    warnings.warn(
        f"{path}: {len(unknown)} event(s), the first at {rows[unknown[0]][columns['onset']]}, name "
        f"no known stage: {list_names(list(map(repr, names)))}. Their epochs are unscored (-1). "
        f"Pass stage_names={{{names[0]!r}: 'N2'}} if one is a stage.",
        HypnogramWarning,
        stacklevel=5,
    )
    return names


FORMAT = HypnogramFormat(
    "RemLogic event list",
    recognises=_recognises,
    read=_read,
    origin="Embla RemLogic, CAP Sleep Database; events with times of day, needs recording_start",
    entries="a stretch",
    events=_events,
    examples=(
        (
            "RemLogic Event Export\nPatient:\tTid Time\nRecording Date:\t01/03/2009\n\n"
            "Sleep Stage\tPosition\tTime [hh:mm:ss]\tEvent\tDuration[s]\tLocation\n"
            "W\tLeft\t22:00:00\tSLEEP-S0\t30\tROC-LOC\nS2\tLeft\t22:00:30\tSLEEP-S2\t30\tROC-LOC\n"
        ),
    ),
)
