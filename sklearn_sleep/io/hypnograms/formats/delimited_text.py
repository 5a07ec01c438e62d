"""Delimited text: a stage a line, or a table with a column of stages.

One stage a line is also the ``.txt`` of ISRUC-Sleep and the ``.eannot`` of Luna and NSRR.
"""

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sklearn_sleep.core.signals import LONGEST_RECORDING
from sklearn_sleep.core.stage_vocabulary import names_stage, parse_stage
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io.hypnograms.format import (
    AnnotationFile,
    HypnogramFormat,
    ReadOptions,
    StageCodes,
)
from sklearn_sleep.io.hypnograms.stage_annotations import (
    StageAnnotations,
    epochs_from_numbers,
    parse_seconds,
    parse_stage_at,
)

_STAGE_COLUMNS: Final = frozenset(
    {"stage", "stages", "sleep_stage", "sleep_stages", "hypnogram", "label", "description"}
)
_OTHER_COLUMNS: Final = {
    "onset": "onset",
    "start": "onset",
    "duration": "duration",
    "epoch": "epoch",
}
_INTEGER: Final = re.compile(r"(-?\d{1,9})(\.0*)?")


def _recognises(file: AnnotationFile) -> bool:
    """Whether the first line is a stage, or names a column of stages."""
    if not file.first_line or file.root.tag:
        return False
    try:
        cells = _cells(file.first_line, _delimiter(file.first_line), file.path)
    except HypnogramError:
        return True  # refused in words when it is read
    names_column = any(name in _STAGE_COLUMNS for name in _names(cells))
    return names_column or (len(cells) == 1 and names_stage(cells[0]))


def _read(file: AnnotationFile, options: ReadOptions) -> StageAnnotations:
    """Read one stage a row, placed by columns ``onset`` or ``epoch`` (from 0 or 1) if there are."""
    path, lines = file.path, file.lines
    start = lines.index(file.first_line)
    delimiter = _delimiter(file.first_line)
    columns = _columns(_cells(file.first_line, delimiter, path), path)
    if columns:
        start += 1
    else:
        columns = {"stage": 0}
    rows = _rows(lines[start:], start + 1, delimiter, path)
    if not rows:
        raise HypnogramError(f"{path}: there is a header but no stage below it.")
    width = max(columns.values())
    numbers = range(start + 1, start + 1 + len(rows))
    for row, number in zip(rows, numbers, strict=True):
        if len(row) <= width:
            raise HypnogramError(
                f"{path}: line {number} has {len(row)} column(s), where the stage needs "
                f"{width + 1}. Complete the line."
            )
    places = [f"line {number}" for number in numbers]
    stages = [row[columns["stage"]].strip() for row in rows]
    parse = _parser(stages, path, options.stage_codes)
    codes = [
        parse_stage_at(text, path, place, parse) for text, place in zip(stages, places, strict=True)
    ]
    if "onset" in columns:
        onset = _seconds(rows, columns["onset"], "onset", places, path)
        duration = _seconds(rows, columns["duration"], "duration", places, path)
        return StageAnnotations.from_lists(onset, duration, codes)
    epochs = [row[columns["epoch"]] for row in rows] if "epoch" in columns else None
    return epochs_from_numbers(codes, epochs, places, path, options.epoch_duration)


def _rows(lines: Sequence[str], first_number: int, delimiter: str, path: Path) -> list[list[str]]:
    """Cells of each line up to the last filled one."""
    end = max((index + 1 for index, line in enumerate(lines) if line.strip()), default=0)
    if end > LONGEST_RECORDING:
        raise HypnogramError(
            f"{path}: there are {end} lines; a stage a second makes at most "
            f"{LONGEST_RECORDING:.0f}. Give the file that holds the hypnogram."
        )
    for number, line in enumerate(lines[:end], start=first_number):
        if not line.strip():
            raise HypnogramError(
                f"{path}: line {number} is empty. If the stage of an epoch is unknown, write '?' "
                "there; if the line is a mistake, remove it."
            )
    return [_cells(line, delimiter, path) for line in lines[:end]]


def _delimiter(line: str) -> str:
    return next((mark for mark in "\t;," if mark in line), ",")


def _cells(line: str, delimiter: str, path: Path) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error as error:
        raise HypnogramError(
            f"{path}: this is no table ({error}). Write a stage a line, or cells with commas, "
            "semicolons or tabs between them."
        ) from None


def _names(header: Sequence[str]) -> list[str]:
    return [re.sub(r"[\s-]", "_", cell.strip().casefold()) for cell in header]


def _columns(header: Sequence[str], path: Path) -> dict[str, int]:
    """Return the column of 'stage', 'onset', 'duration' and 'epoch'; empty without a header."""
    names = _names(header)
    stage = [index for index, name in enumerate(names) if name in _STAGE_COLUMNS]
    if not stage:
        return {}
    if len(stage) > 1:
        raise HypnogramError(
            f"{path}: the first line {list(header)} has more than one column of stages. Keep one."
        )
    columns = {"stage": stage[0]}
    for index, name in enumerate(names):
        if name in _OTHER_COLUMNS:
            columns[_OTHER_COLUMNS[name]] = index
    if ("onset" in columns) != ("duration" in columns):
        raise HypnogramError(
            f"{path}: the header {list(header)} has only one of 'onset' and 'duration'. Times need "
            "both, in seconds."
        )
    return columns


def _parser(
    stages: Sequence[str], path: Path, stage_codes: StageCodes | None
) -> Callable[[str], Stage]:
    """Choose what reads a cell: `stage_codes` says what integers mean."""
    integers = {int(match[1]) for text in stages if (match := _INTEGER.fullmatch(text))}
    if stage_codes is None and 4 in integers and 5 not in integers:
        raise HypnogramError(
            f"{path}: code 4 occurs and 5 does not, so that 4 may be REM (AASM codes 0 to 4, as "
            "this library and YASA write) or stage 4 (R&K codes, where 5 is REM). Pass "
            "stage_codes='aasm' or stage_codes='r&k'."
        )
    return _parse_aasm if stage_codes == "aasm" else parse_stage


def _parse_aasm(text: str) -> Stage:
    match = _INTEGER.fullmatch(text)
    if match is None:
        return parse_stage(text)
    code = int(match[1])
    if code == -2:  # YASA tells unscored from artefact
        return Stage.UNSCORED
    try:
        return Stage(code)
    except ValueError:
        raise HypnogramError(
            f"code {code} is none of the AASM codes 0 to 4 and -1. If REM is 5 in this file, pass "
            "stage_codes='r&k'."
        ) from None


def _seconds(
    rows: Sequence[Sequence[str]], column: int, name: str, places: Sequence[str], path: Path
) -> list[float]:
    return [
        parse_seconds(row[column].replace(",", "."), f"{path}: {place}: {name}")
        for row, place in zip(rows, places, strict=True)
    ]


FORMAT = HypnogramFormat(
    "a stage a line, or CSV with a column 'stage' (and, if wanted, 'epoch', or 'onset' and "
    "'duration')",
    recognises=_recognises,
    read=_read,
    origin="ISRUC .txt, Luna and NSRR .eannot, YASA, tables of your own",
)
