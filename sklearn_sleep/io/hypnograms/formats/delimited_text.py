"""Delimited text: a stage a line, or a table with a column of stages.

One stage a line is also the ``.txt`` of ISRUC-Sleep and the ``.eannot`` of Luna and NSRR.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from sklearn_sleep.core.signals import LONGEST_RECORDING
from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io.hypnograms.events import Event
from sklearn_sleep.io.hypnograms.format import (
    AnnotationFile,
    HypnogramFormat,
    ReadOptions,
    split_lines,
)
from sklearn_sleep.io.hypnograms.stage_annotations import StageAnnotations
from sklearn_sleep.io.hypnograms.stage_table import (
    Table,
    find_columns,
    read_event_table,
    read_stage_table,
)


def _recognises(file: AnnotationFile) -> bool:
    """Whether the first line is a stage, or names a column of stages or events."""
    if not file.first_line or file.root.tag:
        return False
    try:
        (_, cells), *_ = _rows(file.first_line, _delimiter(file.first_line), file.path)
    except HypnogramError:
        return True  # refused in words when it is read
    if find_columns(cells, file.path, file.options.columns):
        return True
    return len(cells) == 1 and file.options.names_stage(cells[0])


def _read(file: AnnotationFile, options: ReadOptions) -> StageAnnotations:
    """Read one stage a row, placed by its columns if there is a header."""
    return read_stage_table(_table(file, options), options)


def _events(file: AnnotationFile, options: ReadOptions) -> list[Event]:
    """Read the rows that are no stage, or the column of events."""
    return read_event_table(_table(file, options), options)


def _table(file: AnnotationFile, options: ReadOptions) -> Table:
    """Return the rows, below their header if there is one."""
    path = file.path
    delimiter = _delimiter(file.first_line)
    numbers, rows = [], []
    for number, row in _rows(file.text, delimiter, path):
        numbers.append(number)
        rows.append(row)
        if len(rows) > LONGEST_RECORDING:
            raise HypnogramError(
                f"{path}: there are more than {LONGEST_RECORDING:.0f} lines, a stage a second of "
                "the longest recording. Give the file that holds the hypnogram."
            )
    header = rows[0]
    columns = find_columns(header, path, options.columns)
    if columns:
        numbers, rows = numbers[1:], rows[1:]
    else:
        columns = {"stage": 0}
    width = max(at for kind, at in columns.items() if kind not in ("event", "channel"))
    for row, number in zip(rows, numbers, strict=True):
        if len(row) <= width:
            raise HypnogramError(
                f"{path}: line {number} has {len(row)} column(s), where the stage needs "
                f"{width + 1}. Complete the line."
            )
    own_names = {"L": "?"} if path.suffix.casefold() == ".eannot" else None  # lights on, in Luna
    places = [f"line {number}" for number in numbers]
    return Table(header, columns, rows, places, path, own_names)


def _rows(text: str, delimiter: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the line and the cells of each row, from the first to the last filled."""
    lines = split_lines(text)
    end = max((index + 1 for index, line in enumerate(lines) if line.strip()), default=0)
    start = next((index for index, line in enumerate(lines) if line.strip()), 0)
    reader = csv.reader(lines[start:end], delimiter=delimiter)
    last = 0
    try:
        for row in reader:
            number, last = start + last + 1, reader.line_num
            if not any(cell.strip() for cell in row):
                raise HypnogramError(
                    f"{path}: line {number} is empty. If the stage of an epoch is unknown, write "
                    "'?' there; if the line is a mistake, remove it."
                )
            yield number, row
    except csv.Error as error:
        raise HypnogramError(
            f"{path}: this is no table ({error}). Write a stage a line, or cells with commas, "
            "semicolons or tabs between them."
        ) from None


def _delimiter(line: str) -> str:
    return next((mark for mark in "\t;," if mark in line), ",")


FORMAT = HypnogramFormat(
    "a stage a line, or CSV with a column 'stage' (and, if wanted, 'epoch', or 'onset' and "
    "'duration')",
    recognises=_recognises,
    read=_read,
    origin="ISRUC .txt, Luna and NSRR .eannot, YASA, tables of your own",
    events=_events,
    examples=(
        "W\nN2\n",
        "epoch,stage\n0,W\n1,N2\n",
        "onset;duration;description\n0;30;Sleep stage W\n30,0;30;Sleep stage N2\n",
        "Time\tStage\n22:00:00\tW\n22:00:30\tN2\n",
    ),
)
