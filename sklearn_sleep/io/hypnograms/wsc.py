"""Wisconsin Sleep Cohort scoring: ``.stg.txt`` and ``.allscore.txt``.

Facts from the cohort's documentation at NSRR (https://sleepdata.org/datasets/wsc): Gamma studies
come with a ``.stg.txt`` of 1-based epoch numbers and R&K codes, Twin studies with an
``.allscore.txt`` that notes the time of day of every event, and a stage only where it changes. The
``.log.txt`` of a Gamma study notes when the recording started, and started again: its form, and
that some of its times are of a 12-hour clock, are from public code that reads the cohort
(github.com/joncarter1/wav2sleep, github.com/LucaCerina/WisconsinSC_cleaner).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io.hypnograms.stage_annotations import (
    EPOCH_DURATION,
    StageAnnotations,
    durations_to_next,
    parse_stage_at,
    time_of_day_difference,
)

__all__ = [
    "check_stg_start",
    "is_wsc_allscore",
    "is_wsc_stg",
    "read_wsc_allscore",
    "read_wsc_stg",
]

_STG_HEADER: Final = re.compile(r"Epoch\tUser-Defined Stage\b")
_STG_ROW: Final = re.compile(r"(\d+)\t(\d+)(\t\s*\d*)*\s*")
_EVENT: Final = re.compile(r"\s*(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)\s*\t\s*(.*)")

# A time and, mostly, an epoch number in the first column; a date that was taken out may precede it.
_LOG_START: Final = re.compile(
    r"\s*(?:--/--/--\s*)?(\d{1,2}):(\d{2}):(\d{2})[^\t]*\tRecording Started\b.*", re.IGNORECASE
)

_DAY: Final = 24 * 3600.0
_START_TOLERANCE: Final = 1.0  # EDF headers tell whole seconds
_START: Final = "START RECORDING"
_POWER_FAILURE: Final = "POWER FAILURE RECOVERY"


def is_wsc_stg(lines: Sequence[str]) -> bool:
    r"""Whether lines of text are a ``.stg.txt``, with its header or without.

    Parameters
    ----------
    lines : sequence of str
        Lines of the file.

    Returns
    -------
    bool
        The header is there, or every line is a number, a tab and a code.

    Examples
    --------
    >>> is_wsc_stg(["1\t0\t0", "2\t1\t0"]), is_wsc_stg(["0", "1"])
    (True, False)
    """
    filled = [line for line in lines if line.strip()]
    return bool(_STG_HEADER.match(filled[0])) or all(_STG_ROW.fullmatch(line) for line in filled)


def read_wsc_stg(lines: Sequence[str], path: Path, *, epoch_duration: float) -> StageAnnotations:
    r"""Read the user-defined stages of a ``.stg.txt``.

    Parameters
    ----------
    lines : sequence of str
        Lines of the file.
    path : Path
        The file, for messages.
    epoch_duration : float
        Seconds of the file's epochs, 30 in the cohort.

    Returns
    -------
    StageAnnotations
        One stage a row; epoch 1 starts with the recording.

    Raises
    ------
    HypnogramError
        A row cannot be read, or its epoch number is 0.

    Examples
    --------
    >>> read_wsc_stg(["1\t0\t0", "2\t5\t0"], Path("night.stg.txt"), epoch_duration=30.0).stage
    array([0, 4])
    """
    numbers, stage = [], []
    for index, line in enumerate(lines, start=1):
        if not line.strip() or _STG_HEADER.match(line):
            continue
        row = _STG_ROW.fullmatch(line)
        if row is None or int(row[1]) == 0:
            raise HypnogramError(
                f"{path}: line {index} is {line!r}; a .stg.txt has an epoch number from 1 on, a "
                "tab and a stage code."
            )
        numbers.append(int(row[1]) - 1)
        stage.append(parse_stage_at(row[2], path, f"line {index}"))
    if not stage:
        raise HypnogramError(f"{path}: this .stg.txt has a header but no epochs.")
    return StageAnnotations.from_epochs(stage, epoch_duration, numbers)


def is_wsc_allscore(lines: Sequence[str]) -> bool:
    r"""Whether lines of text are an ``.allscore.txt``.

    Parameters
    ----------
    lines : sequence of str
        Lines of the file.

    Returns
    -------
    bool
        The first filled line is a time of day, a tab and a text.

    Examples
    --------
    >>> is_wsc_allscore(["22:10:05.00\tSTART RECORDING"])
    True
    """
    return _EVENT.fullmatch(next(line for line in lines if line.strip())) is not None


def check_stg_start(path: Path, recording_start: datetime) -> None:
    """Make sure that the epochs of a ``.stg.txt`` count from the start of the EDF file.

    Parameters
    ----------
    path : Path
        The ``.stg.txt``; the ``.log.txt`` beside it tells when the recording started.
    recording_start : datetime
        When the EDF file starts. Only the time of day counts.

    Raises
    ------
    HypnogramError
        The recording started at another time, or started again later.

    Warns
    -----
    HypnogramWarning
        There is no log that tells.
    """
    log = path.with_name(re.sub(r"\.stg\.txt$", ".log.txt", path.name, flags=re.IGNORECASE))
    starts = []
    if log != path and log.is_file():
        lines = log.read_text(encoding="latin-1").splitlines()
        starts = [match for line in lines if (match := _LOG_START.fullmatch(line))]
    if not starts:
        warnings.warn(
            f"{path}: no .log.txt beside it tells when the recording started, so that its epochs "
            "are taken to count from the start of the EDF file without a check. Put the log that "
            "came with it beside it.",
            HypnogramWarning,
            stacklevel=2,
        )
        return
    # After a restart, what came before is not in the EDF file, or what comes after is elsewhere.
    hour, minute, second = (int(text) for text in starts[-1].groups())
    clock = timedelta(hours=hour, minutes=minute, seconds=second)
    _check_start(log, clock, recording_start, 12.0 if hour <= 12 else 24.0)


def _check_start(path: Path, clock: timedelta, recording_start: datetime, hours: float) -> None:
    """Raise if a recording starts at another time of day than its EDF file."""
    start = datetime.combine(recording_start.date(), datetime.min.time()) + clock
    if abs(time_of_day_difference(start, recording_start, hours=hours)) > _START_TOLERANCE:
        raise HypnogramError(
            f"{path}: the recording starts at {start:%H:%M:%S} here and at "
            f"{recording_start:%H:%M:%S} in the EDF file, so that stages do not tell the place in "
            "it. Leave the night out."
        )


def read_wsc_allscore(
    lines: Sequence[str],
    path: Path,
    *,
    n_epochs: int | None,
    recording_start: datetime | None = None,
) -> StageAnnotations:
    r"""Read the stages of an ``.allscore.txt``.

    Parameters
    ----------
    lines : sequence of str
        Lines of the file.
    path : Path
        The file, for messages.
    n_epochs : int or None
        Number of 30-second epochs of the recording. The last stage lasts until its end, or, if this
        is None, until the last event of any kind, but for one epoch at the least and in whole
        epochs.
    recording_start : datetime, optional
        When the EDF file starts. Only the time of day counts.

    Returns
    -------
    StageAnnotations
        Onsets count from ``START RECORDING``; what is noted before it is left out.

    Raises
    ------
    HypnogramError
        The recording was interrupted, it has no or several starts, or another one than the EDF
        file, there are no stages, or events are not in order of time.

    Examples
    --------
    >>> lines = ["23:59:30.00\tSTART RECORDING", "00:00:00.00\tSTAGE - N2", "00:01:00.00\tEND"]
    >>> read_wsc_allscore(lines, Path("night.allscore.txt"), n_epochs=None)
    StageAnnotations(onset=array([30.]), duration=array([60.]), stage=array([2]))
    """
    clock, times, texts, numbers = _events_from_start(lines, path)
    if recording_start is not None:
        _check_start(path, timedelta(seconds=clock), recording_start, 24.0)
    chosen = [index for index, text in enumerate(texts) if text.startswith("STAGE")]
    if not chosen:
        raise HypnogramError(
            f"{path}: no event such as 'STAGE - N2' after {_START}. Was the night scored?"
        )
    onset = times[chosen]
    back = np.flatnonzero(np.diff(onset, prepend=0.0) < 0)
    if back.size:
        raise HypnogramError(
            f"{path}: line {numbers[chosen[back[0]]]}: this stage is noted earlier than the one "
            "before it. Put the lines in order of time."
        )
    stage = [parse_stage_at(texts[index], path, f"line {numbers[index]}") for index in chosen]
    onset, codes = _without_repeats(onset, stage, path)
    end = _scoring_end(onset[-1], times.max(), n_epochs)
    return StageAnnotations.from_lists(onset, durations_to_next(onset, end), codes)


def _events_from_start(
    lines: Sequence[str], path: Path
) -> tuple[float, NDArray[np.float64], list[str], list[int]]:
    """Time of day of the start; seconds since then, text and line number of events from then on."""
    clock, texts, numbers = [], [], []
    for number, line in enumerate(lines, start=1):
        event = _EVENT.fullmatch(line)
        if event is None:
            if line.strip():
                raise HypnogramError(
                    f"{path}: line {number} is {line!r}; an .allscore.txt has a time of day "
                    "(HH:MM:SS.ff), a tab and a text."
                )
            continue
        hour, minute, second, text = event.groups()
        clock.append(int(hour) * 3600 + int(minute) * 60 + float(second))
        texts.append(text.strip())
        numbers.append(number)
    if _POWER_FAILURE in " ".join(texts):
        raise HypnogramError(
            f"{path}: the power failed during this recording ({_POWER_FAILURE}), so that times "
            "after it do not tell the place in the EDF file. Leave the night out."
        )
    if texts.count(_START) != 1:
        raise HypnogramError(
            f"{path}: {texts.count(_START)} events {_START}, where one tells when the recording "
            "starts. Keep the one that agrees with the EDF file's start time."
        )
    first = texts.index(_START)
    # A step back of more than half a day is midnight.
    time = np.array(clock[first:], dtype=np.float64)
    steps = (np.diff(time, prepend=time[0]) + _DAY / 2) % _DAY - _DAY / 2
    # Rounded, so that equal times are equal whatever was summed before.
    times = np.cumsum(steps, dtype=np.float64).round(3)
    return float(time[0]), times, texts[first:], numbers[first:]


def _without_repeats(
    onset: NDArray[np.float64], stage: Sequence[int], path: Path
) -> tuple[NDArray[np.float64], list[int]]:
    """Stages noted once for each time."""
    codes = np.asarray(stage, dtype=np.int64)
    repeated = np.diff(onset, prepend=-1.0) == 0
    clash = np.flatnonzero(repeated & (np.diff(codes, prepend=codes[0]) != 0))
    if clash.size:
        raise HypnogramError(
            f"{path}: two different stages overlap: both are noted {onset[clash[0]]:g} s after the "
            "start. Remove one of the two."
        )
    return onset[~repeated], codes[~repeated].tolist()


def _scoring_end(last_onset: float, last_event: float, n_epochs: int | None) -> float:
    if n_epochs is not None and n_epochs * EPOCH_DURATION > last_onset:
        return n_epochs * EPOCH_DURATION
    whole = last_event // EPOCH_DURATION * EPOCH_DURATION
    return float(max(whole, last_onset + EPOCH_DURATION))
