"""Tables of stages and events, of text files and workbooks: what columns mean, where rows lie."""

import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import compress
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_sleep.core.messages import list_names
from sklearn_sleep.core.stage_vocabulary import fold, names_stage, parse_stage
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io.hypnograms.events import Event, are_events, names_event
from sklearn_sleep.io.hypnograms.format import ReadOptions
from sklearn_sleep.io.hypnograms.stage_annotations import (
    CLOCK,
    JITTER,
    StageAnnotations,
    are_seconds,
    check_order,
    parse_epoch_numbers,
    parse_seconds,
    parse_stage_at,
    place_clocks,
    time_of_day_difference,
)

COLUMNS: Final = {
    "stage": (
        "stage, stages, sleep_stage, sleep_stages, sleepstage, sleepstages, stage_label, "
        "stage_name, hypnogram, scoring, label, description"
    ),
    "onset": (
        "onset, start, begin, time, clock, clock_time, time_of_day, start_time, starttime, "
        "begin_time, timestamp, datetime, date_time"
    ),
    "end": "end, stop, end_time, endtime, stop_time",
    "duration": "duration, dur, length",
    "epoch": "epoch, epochs, epoch_number, epochnumber, epoch_no, epoch_nr, epoch_index, "
    "epoch_id, no, nr, number, index, #",
    "event": "event, events, event_type, event_name, trial_type, annotation, annotations",
    "channel": "channel, channels, ch_name, ch_names, location, signal, electrode",
}
"""What a column of each kind is called, in any letter case and with its unit (s) behind."""

_KIND_OF_NAME: Final = {
    name.strip(): kind for kind, names in COLUMNS.items() for name in names.split(",")
}
_UNIT: Final = re.compile(r"_(s|sec|secs|second|seconds|hh_mm_ss|h_m_s|hhmmss)$")
_NO_SECONDS: Final = re.compile(
    r"[a-z]_(ms|msecs?|milliseconds?|us|min|mins|minutes?|h|hrs?|hours?|samples?)$"
)
# Parts of names of times, epochs and durations, in the languages of the stages' names.
_LOOKS_LIKE_PLACE: Final = re.compile(
    r"onset|start|begin|debut|inicio|inizio|time|zeit|temps|tiempo|tempo|tijd|\btid|ttid|hora|heure|\bora\b"
    r"|clock|uhr|epoch|epoca|epoque|seite|page|sec\b|second|sekund|dur|dauer|duree|length"
)
_ELAPSED: Final = re.compile(r"(\d+):([0-5]\d):([0-5]\d(?:[.,]\d+)?)")  # 0:00:30
_INTEGER: Final = re.compile(r"(-?\d{1,9})([.,]0*)?")
_BLANK: Final = re.compile(r"(n/?a|nan|none|null|-)?", re.IGNORECASE)
_ZERO: Final = re.compile(r"0?0:00(:00([.,]0*)?)?")
_NEAR_MIDNIGHT: Final = 15 * 60.0  # of recordings whose first stage may well be at 00:00:00
_NO_DURATION: Final = re.compile(rf"{_BLANK.pattern}|0+([.,]0*)?", re.IGNORECASE)


def find_columns(
    header: Sequence[str], path: Path, told: Mapping[str, str] | None = None
) -> dict[str, int]:
    """Return the position of each kind of column; empty without stages, or events with times.

    `told` names columns by kind, and goes before what names are known.
    """
    names = [column_name(cell) for cell in header]
    columns = {}
    for kind, name in (told or {}).items():
        if column_name(name) not in names:
            raise HypnogramError(
                f"{path}: columns says that {name!r} is the {kind}, but the header has "
                f"{list_names([repr(cell) for cell in header], 10)}."
            )
        columns[kind] = names.index(column_name(name))
    taken = set(columns.values())
    for kind in COLUMNS:
        found = [
            index
            for index, name in enumerate(names)
            if _KIND_OF_NAME.get(name) == kind and index not in taken
        ]
        if kind in columns or not found:
            continue
        if kind == "stage" and len(found) > 1:
            raise HypnogramError(
                f"{path}: the header {list(header)} has more than one column of stages. Say which "
                f"it is with columns={{'stage': {header[found[0]]!r}}}."
            )
        columns[kind] = found[0]
    if not ("stage" in columns or {"event", "onset"} <= set(columns)):
        return {}
    for kind in ("onset", "end", "duration"):
        if kind in columns and (unit := _NO_SECONDS.search(names[columns[kind]])):
            raise HypnogramError(
                f"{path}: the column {header[columns[kind]]!r} is in {unit[1]}, as its name says, "
                f"where the {kind} is read in seconds or as a time of day. Write seconds."
            )
    return columns


def column_name(cell: str) -> str:
    """Return the name of a column without letter case, unit and separators."""
    return _UNIT.sub("", re.sub(r"[^\w#]+", "_", cell.strip().casefold()).strip("_"))


class Table(NamedTuple):
    """Rows of a file, where each stands in it, and the position of each kind of column.

    `own_names` are the stages that only this format calls so. Where a format does not say that its
    times are those of day, they may count from the recording's start.
    """

    header: Sequence[str]
    columns: Mapping[str, int]
    rows: Sequence[Sequence[str]]
    places: Sequence[str]
    path: Path
    own_names: Mapping[str, str] | None = None
    are_times_of_day: bool = False

    def chosen(self, which: Iterable[bool]) -> "Table":
        """Return the table with some of the rows, as a value for each says."""
        rows = list(compress(zip(self.rows, self.places, strict=True), which))
        return self._replace(rows=[row for row, _ in rows], places=[place for _, place in rows])

    def cells(self, kind: str) -> list[str]:
        """Return the cells of a kind of column, empty where a row is shorter or there is none."""
        index = self.columns.get(kind)
        if index is None:
            return [""] * len(self.rows)
        return [row[index].strip() if index < len(row) else "" for row in self.rows]

    def parse(self, options: ReadOptions) -> Callable[[str], Stage | None]:
        """Return what gives the stage that a text names, None if it names none."""
        names = {**(self.own_names or {}), **(options.stage_names or {})}
        return cache(lambda text: parse_stage(text, names) if names_stage(text, names) else None)

    def without_events(self, options: ReadOptions) -> "Table":
        """Return the rows but those of events, and of marks of no duration such as lights on."""
        if not {"stage", "onset"} <= set(self.columns):
            return self
        parse = self.parse(options)
        texts = self.cells("stage")
        kept = [parse(text) is not None or not names_event(text) for text in texts]
        if "duration" in self.columns:
            for index, duration in enumerate(self.cells("duration")):
                is_mark = _NO_DURATION.fullmatch(duration) is not None
                kept[index] &= not is_mark or parse(texts[index]) != Stage.UNSCORED
        return self.chosen(kept)


def read_stage_table(table: Table, options: ReadOptions) -> StageAnnotations:
    """Return the stages of a table, a row each; rows of events among them are passed over."""
    path = table.path
    if "stage" not in table.columns:
        event = table.header[table.columns["event"]]
        raise HypnogramError(
            f"{path}: this table has a column of events, {event!r}, and none of stages. Read it "
            f"with read_events, or, if it holds stages, pass columns={{'stage': {event!r}}}."
        )
    table = table.without_events(options)
    if not table.rows:
        raise HypnogramError(
            f"{path}: there is a header but no stage below it. If these are events, read them with "
            "read_events."
        )
    places = table.places
    texts = {kind: table.cells(kind) for kind in table.columns}
    texts = {kind: cells for kind, cells in texts.items() if kind == "stage" or any(cells)}
    if "onset" not in texts and "epoch" not in texts:
        _check_other_columns(table.header, table.columns, table.rows, path)
    parse = _parser(texts["stage"], path, options, table.own_names)
    codes = [
        parse_stage_at(text, path, place, parse)
        for text, place in zip(texts["stage"], places, strict=True)
    ]
    if "onset" in texts:
        _check_zero(table, options)
        return _by_time(texts, codes, places, path, options)
    if "epoch" in texts:
        return _by_number(texts, codes, places, path, options)
    if "duration" in texts:
        return _in_turn(texts["duration"], codes, places, path, options)
    return StageAnnotations.from_epochs(codes, options.duration_of(len(codes), path))


def read_event_table(
    table: Table, options: ReadOptions, is_stage: Callable[[str], bool] | None = None
) -> list[Event]:
    """Return the rows of a table that are no stage, placed by their times.

    By default a text is a stage if it names one, or is a number in a column of stages.
    """
    if "onset" not in table.columns:
        raise HypnogramError(
            f"{table.path}: this is a list of stages without times, which holds no events. Give "
            "the file of the events, or say when they are with columns={'onset': '…'}."
        )
    kind = "event" if "event" in table.columns else "stage"
    table = table.chosen(not _BLANK.fullmatch(text) for text in table.cells(kind))
    texts = table.cells(kind)
    if not texts:
        return []
    _check_zero(table, options)
    onset = _times(table.cells("onset"), "onset", table.places, table.path, options)
    duration = _event_durations(table, onset, options)
    if is_stage is None:
        is_stage = _stage_test(table, options)
    parse = table.parse(options)
    are_stages = np.array([is_stage(text) for text in texts])
    codes = [parse(text) if is_stage(text) else None for text in texts]
    stages = StageAnnotations.from_lists(
        onset, duration, [Stage.UNSCORED if code is None else code for code in codes]
    ).chosen(are_stages)
    are_stages[are_stages] = ~are_events(stages, list(compress(texts, are_stages)))
    rows = zip(onset.tolist(), duration.tolist(), texts, table.cells("channel"), strict=True)
    return [Event(*row) for row in compress(rows, ~are_stages)]


def _stage_test(table: Table, options: ReadOptions) -> Callable[[str], bool]:
    """Return what tells whether a text of a table is a stage and no event."""
    if {"stage", "event"} <= set(table.columns):
        return lambda text: False
    parse = table.parse(options)
    if "event" in table.columns:
        return lambda text: parse(text) is not None
    # A number that is no code of a stage is no event either.
    return lambda text: parse(text) is not None or not any(map(str.isalpha, text))


def _check_zero(table: Table, options: ReadOptions) -> None:
    """Raise if times begin with 00:00:00, far from midnight: they may count from the start."""
    first, start = table.cells("onset")[0], options.recording_start
    if start is None or table.are_times_of_day or not _ZERO.fullmatch(first):
        return
    midnight = datetime.combine(start.date(), datetime.min.time())
    if abs(time_of_day_difference(midnight, start)) > _NEAR_MIDNIGHT:
        raise HypnogramError(
            f"{table.path}: {table.places[0]}: the times begin with {first} and the recording at "
            f"{start:%H:%M:%S}, so that they may be times of day, or count from its start. If they "
            "do, write seconds, or pass a recording_start at midnight; if they are times of day, "
            "write the dates in front of them."
        )


def _event_durations(
    table: Table, onset: NDArray[np.float64], options: ReadOptions
) -> NDArray[np.float64]:
    """Return s, NaN where a row tells neither its duration nor its end."""
    duration = np.full(onset.shape, np.nan)
    kind = "duration" if "duration" in table.columns else "end"
    told = np.array([not _BLANK.fullmatch(text) for text in table.cells(kind)])
    part = table.chosen(told)
    if part.rows and kind == "duration":
        duration[told] = _seconds(part.cells(kind), kind, part.places, table.path)
    elif part.rows:
        ends = _times(part.cells(kind), kind, part.places, table.path, options)
        duration[told] = ends - onset[told]
    return duration


def _check_other_columns(
    header: Sequence[str], columns: Mapping[str, int], rows: Sequence[Sequence[str]], path: Path
) -> None:
    """Raise if a column that is not understood looks like a time or the number of an epoch."""
    known = set(columns.values())
    for index, name in enumerate(header):
        if index in known:
            continue
        cells = [row[index].strip() for row in rows if index < len(row)]
        words = " ".join(map(fold, re.findall(r"[^\W_]+", name)))
        steps = _steps(cells)
        if _LOOKS_LIKE_PLACE.search(words) or _tells_places(cells, steps):
            kind = "epoch" if "epo" in words or (steps == 1).any() else "onset"
            raise HypnogramError(
                f"{path}: the column {name!r} looks as if it tells where each stage lies, and its "
                f"name is not known. Say what it is with columns={{{kind!r}: {name!r}}} (kinds are "
                f"{', '.join(COLUMNS)}), or remove it."
            )


def _steps(cells: Sequence[str]) -> NDArray[np.float64]:
    """Return the differences of cells that are numbers, of none if one is not."""
    try:
        return np.diff([float(cell.replace(",", ".")) for cell in cells if cell])
    except ValueError:
        return np.empty(0)


def _tells_places(cells: Sequence[str], steps: NDArray[np.float64]) -> bool:
    """Return whether cells are times of day, or rise without being the numbers of the rows."""
    filled = [cell for cell in cells if cell]
    if len(filled) > 1 and all(map(CLOCK.fullmatch, filled)):
        return True
    rises = steps.size > 0 and bool((steps > 0).all())
    return rises and (steps.max() > 1 or filled[0] not in ("0", "1"))


def _by_time(
    texts: Mapping[str, Sequence[str]],
    codes: Sequence[Stage],
    places: Sequence[str],
    path: Path,
    options: ReadOptions,
) -> StageAnnotations:
    onset = _times(texts["onset"], "onset", places, path, options)
    if "duration" in texts:
        duration = _seconds(texts["duration"], "duration", places, path)
    elif "end" in texts:
        duration = _times(texts["end"], "end", places, path, options) - onset
    else:
        duration = _common_step(onset, path, options)
    stages = StageAnnotations.from_lists(onset, duration, codes)
    if not _are_clocks(texts["onset"]):
        return stages
    check_order(onset, places, path)
    return stages.later(0.0, path)


def _common_step(
    onset: NDArray[np.float64], path: Path, options: ReadOptions
) -> NDArray[np.float64]:
    """Return the duration of rows that tell only when they start: an epoch, if most rows do."""
    epoch = options.epoch_duration
    steps = np.diff(onset)
    if steps.size and np.mean(np.abs(steps - epoch) <= JITTER) < 0.5:
        raise HypnogramError(
            f"{path}: the rows tell when a stage starts and not how long it lasts, and most are "
            f"not {epoch:g} s apart. Add a column 'duration' (s), or pass epoch_duration."
        )
    return np.full(onset.shape, epoch)


def _by_number(
    texts: Mapping[str, Sequence[str]],
    codes: Sequence[Stage],
    places: Sequence[str],
    path: Path,
    options: ReadOptions,
) -> StageAnnotations:
    """Place rows by their epoch's number, or as stretches that are numbered."""
    numbers = parse_epoch_numbers(texts["epoch"], places, path)
    n_epochs = max(numbers) + 1
    if are_seconds(numbers):
        raise HypnogramError(
            f"{path}: no epoch follows another by its number, as if these were seconds. Say so "
            "with columns={'onset': '…'}, or give times in columns 'onset' and 'duration' (s)."
        )
    if "duration" not in texts:
        page = options.epoch_duration
        # Scoring may end before the recording, so that only pages that go on after it are shorter.
        if options.end is not None and n_epochs * page >= options.end + 2 * page:
            page = options.duration_of(n_epochs, path)
        return StageAnnotations.from_epochs(codes, page, numbers)
    duration = _seconds(texts["duration"], "duration", places, path)
    if np.ptp(duration) <= 2 * JITTER:
        return StageAnnotations.from_epochs(codes, round(float(np.median(duration)), 2), numbers)
    if numbers == list(range(n_epochs)):
        return _in_turn(texts["duration"], codes, places, path, options)
    raise HypnogramError(
        f"{path}: epochs are numbered, some are left out, and they last {duration.min():g} to "
        f"{duration.max():g} s, so that numbers do not tell when they start. Add a column 'onset' "
        "(s)."
    )


def _in_turn(
    durations: Sequence[str],
    codes: Sequence[Stage],
    places: Sequence[str],
    path: Path,
    options: ReadOptions,
) -> StageAnnotations:
    """Place rows one after the other; in a list of events, those that last an epoch or more."""
    duration = _seconds(durations, "duration", places, path)
    epoch = options.epoch_duration
    is_event = duration < epoch - JITTER
    if is_event.any() and not is_event.all():
        warnings.warn(
            f"{path}: {int(is_event.sum())} of {duration.size} rows last less than an epoch of "
            f"{epoch:g} s. They were taken for events and left out.",
            HypnogramWarning,
            stacklevel=6,
        )
        duration = duration[~is_event]
        codes = [code for code, event in zip(codes, is_event, strict=True) if not event]
    onset = np.cumsum(duration) - duration
    return StageAnnotations.from_lists(onset, duration, codes)


def _times(
    texts: Sequence[str], kind: str, places: Sequence[str], path: Path, options: ReadOptions
) -> NDArray[np.float64]:
    """Return s from the recording's start, of seconds or of times of day, over midnight."""
    if not _are_clocks(texts):
        return _seconds(texts, kind, places, path)
    return place_clocks(texts, kind, places, path, options.recording_start)


def _are_clocks(texts: Sequence[str]) -> bool:
    return any(map(CLOCK.fullmatch, texts))


def _seconds(
    texts: Sequence[str], kind: str, places: Sequence[str], path: Path
) -> NDArray[np.float64]:
    if kind == "duration":
        texts = [_ELAPSED.sub(_spell_seconds, text.strip()) for text in texts]
    return np.array(
        [
            parse_seconds(text, f"{path}: {place}: {kind}")
            for text, place in zip(texts, places, strict=True)
        ]
    )


def _spell_seconds(match: re.Match[str]) -> str:
    """Return hours, minutes and seconds as seconds."""
    hours, minutes, seconds = match.groups()
    return str(3600 * int(hours) + 60 * int(minutes) + float(seconds.replace(",", ".")))


def _parser(
    stages: Sequence[str],
    path: Path,
    options: ReadOptions,
    own_names: Mapping[str, str] | None,
) -> Callable[[str], Stage]:
    """Choose what reads a cell: `stage_codes` says what integers mean."""
    names = {**(own_names or {}), **(options.stage_names or {})}
    integers = {int(match[1]) for text in stages if (match := _INTEGER.fullmatch(text))}
    if (
        options.stage_codes is None
        and 4 in integers
        and "4" not in names
        and not options.is_told("4")
    ):
        why = (
            "5 occurs too, so that they may be stage 4 and REM (R&K codes), or REM and unknown"
            if 5 in integers
            else "5 does not, so that 4 may be REM (AASM codes 0 to 4, as this library and YASA "
            "write) or stage 4 (R&K codes, where 5 is REM)"
        )
        raise HypnogramError(
            f"{path}: code 4 occurs and {why}. Pass stage_codes='aasm' or stage_codes='r&k'."
        )
    if options.stage_codes != "aasm":
        return lambda text: parse_stage(text, names)
    beyond = sorted(code for code in integers if code > Stage.R and not options.is_told(str(code)))
    if beyond:
        warnings.warn(
            f"{path}: {beyond} are none of the AASM codes 0 to 4 and are unscored (-1). If REM is "
            "5 in this file, pass stage_codes='r&k'.",
            HypnogramWarning,
            stacklevel=6,
        )
    return lambda text: _parse_aasm(text, names)


def _parse_aasm(text: str, names: Mapping[str, str]) -> Stage:
    match = _INTEGER.fullmatch(text)
    if match is None or text in names:
        return parse_stage(text, names)
    code = int(match[1])
    return Stage(code) if Stage.W <= code <= Stage.R else Stage.UNSCORED
