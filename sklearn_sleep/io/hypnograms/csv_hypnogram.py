"""Delimited text: a stage a line, or a table with a column of stages.

One stage a line is also the ``.txt`` of ISRUC-Sleep and the ``.eannot`` of Luna and NSRR.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

from sklearn_sleep.core.stages import Stage, parse_stage
from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io.hypnograms.stage_annotations import StageAnnotations, parse_stage_at

__all__ = ["KNOWN_FORMATS", "StageCodes", "epochs_from_numbers", "read_csv_hypnogram"]

KNOWN_FORMATS: Final = (
    "Known are NSRR XML, Compumedics Profusion XML, EDF+ annotations, ISRUC .xlsx and .txt, WSC "
    ".stg.txt and .allscore.txt, a stage a line, and CSV with a column 'stage' (and, if wanted, "
    "'epoch', or 'onset' and 'duration')."
)

StageCodes = Literal["r&k", "aasm"]

_STAGE_COLUMNS: Final = frozenset(
    {"stage", "stages", "sleep_stage", "sleep_stages", "hypnogram", "label", "description"}
)
_OTHER_COLUMNS: Final = {
    "onset": "onset",
    "start": "onset",
    "duration": "duration",
    "epoch": "epoch",
}
_INTEGER: Final = re.compile(r"(-?\d+)(\.0*)?")


def read_csv_hypnogram(
    lines: Sequence[str], path: Path, *, epoch_duration: float, stage_codes: StageCodes | None
) -> StageAnnotations:
    """Read stages from lines of text.

    Parameters
    ----------
    lines : sequence of str
        Lines of the file; blank ones may follow the last stage.
    path : Path
        The file, for messages.
    epoch_duration : float
        Seconds of the file's epochs, where it gives no durations.
    stage_codes : {"r&k", "aasm"} or None
        What integers mean, see `read_hypnogram`.

    Returns
    -------
    StageAnnotations
        One stage a row. An ``onset`` column places it; so does an ``epoch`` column, whose numbers
        may start at 0 or 1.

    Raises
    ------
    HypnogramError
        A line or the header cannot be read, a line is missing, or integers may mean two things.

    Examples
    --------
    >>> read_csv_hypnogram(
    ...     ["onset,duration,stage", "0,60,W", "60,30,N1"],
    ...     Path("night.csv"),
    ...     epoch_duration=30.0,
    ...     stage_codes=None,
    ... )
    StageAnnotations(onset=array([ 0., 60.]), duration=array([60., 30.]), stage=array([0, 1]))
    """
    start = next(index for index, line in enumerate(lines) if line.strip())
    delimiter = next((mark for mark in "\t;," if mark in lines[start]), ",")
    columns = _columns(_cells(lines[start], delimiter, path), path)
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
    parse = _parser(stages, path, stage_codes)
    codes = [
        parse_stage_at(text, path, place, parse) for text, place in zip(stages, places, strict=True)
    ]
    if "onset" in columns:
        onset = _seconds(rows, columns["onset"], "onset", places, path)
        duration = _seconds(rows, columns["duration"], "duration", places, path)
        return StageAnnotations.from_lists(onset, duration, codes)
    epochs = [row[columns["epoch"]] for row in rows] if "epoch" in columns else None
    return epochs_from_numbers(codes, epochs, places, path, epoch_duration)


def epochs_from_numbers(
    codes: Sequence[Stage],
    numbers: Sequence[str] | None,
    places: Sequence[str],
    path: Path,
    epoch_duration: float,
) -> StageAnnotations:
    """Place stages by a column of epoch numbers, whose first epoch may be called 0 or 1.

    With a 0 among them numbers count from 0; from 1 on without a gap they count from 1.

    Parameters
    ----------
    codes : sequence of Stage, shape (n_annotations,)
        Stages.
    numbers : sequence of str, shape (n_annotations,), or None
        Their epoch numbers as the file writes them; None if the stages follow one another.
    places : sequence of str, shape (n_annotations,)
        Where each stands in the file, for messages.
    path : Path
        The file, for messages.
    epoch_duration : float
        Seconds of an epoch.

    Returns
    -------
    StageAnnotations
        Each stage with its onset.

    Raises
    ------
    HypnogramError
        A number is no integer from 0 on, or neither 0 nor 1 is there, or 1 is the first and
        others are missing, so that it cannot be told how epochs are counted.

    Examples
    --------
    >>> epochs_from_numbers([Stage.W, Stage.R], ["1", "2"], ["", ""], Path("a.csv"), 30.0).onset
    array([ 0., 30.])
    """
    if numbers is None:
        return StageAnnotations.from_epochs(codes, epoch_duration)
    values = []
    for text, place in zip(numbers, places, strict=True):
        match = _INTEGER.fullmatch(text.strip())
        if match is None or int(match[1]) < 0:
            raise HypnogramError(f"{path}: {place}: epoch is {text!r}, which is no epoch number.")
        values.append(int(match[1]))
    first = min(values)
    complete = set(values) == set(range(1, max(values) + 1))
    if first > 1 or (first == 1 and not complete):
        raise HypnogramError(
            f"{path}: epochs are numbered from {first} to {max(values)}, some of them missing, so "
            "that it cannot be told whether the recording's first epoch is 0 or 1. Give times "
            "instead, in columns 'onset' and 'duration' (s)."
        )
    return StageAnnotations.from_epochs(codes, epoch_duration, [value - first for value in values])


def _rows(lines: Sequence[str], first_number: int, delimiter: str, path: Path) -> list[list[str]]:
    """Cells of each line up to the last filled one."""
    end = max((index + 1 for index, line in enumerate(lines) if line.strip()), default=0)
    for number, line in enumerate(lines[:end], start=first_number):
        if not line.strip():
            raise HypnogramError(
                f"{path}: line {number} is empty. If the stage of an epoch is unknown, write '?' "
                "there; if the line is a mistake, remove it."
            )
    return [_cells(line, delimiter, path) for line in lines[:end]]


def _cells(line: str, delimiter: str, path: Path) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error as error:
        raise HypnogramError(f"{path}: this is no table ({error}). {KNOWN_FORMATS}") from None


def _columns(header: Sequence[str], path: Path) -> dict[str, int]:
    """Column of 'stage', 'onset', 'duration' and 'epoch'; empty where there is no header."""
    names = [re.sub(r"[\s-]", "_", cell.strip().casefold()) for cell in header]
    stage = [index for index, name in enumerate(names) if name in _STAGE_COLUMNS]
    if not stage and len(header) == 1 and _is_stage(header[0]):
        return {}
    if len(stage) != 1:
        found = "more than one column of stages" if stage else "neither a stage nor a known header"
        raise HypnogramError(f"{path}: the first line {list(header)} has {found}. {KNOWN_FORMATS}")
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


def _is_stage(text: str) -> bool:
    try:
        parse_stage(text)
    except HypnogramError:
        return False
    return True


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
            f"code {text} is none of the AASM codes 0 to 4 and -1. If REM is 5 in this file, pass "
            "stage_codes='r&k'."
        ) from None


def _seconds(
    rows: Sequence[Sequence[str]], column: int, name: str, places: Sequence[str], path: Path
) -> list[float]:
    seconds = []
    for row, place in zip(rows, places, strict=True):
        try:
            seconds.append(float(row[column].replace(",", ".")))
        except ValueError:
            raise HypnogramError(
                f"{path}: {place}: {name} is {row[column]!r}, which is no number of seconds."
            ) from None
    return seconds
