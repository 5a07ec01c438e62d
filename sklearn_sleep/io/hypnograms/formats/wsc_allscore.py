"""Wisconsin Sleep Cohort ``.allscore.txt``: times of day of all events, of Twin studies.

A stage is noted only where it changes (https://sleepdata.org/datasets/wsc).
"""

import math
import re
import warnings
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sklearn_sleep.core.messages import shorten
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io.hypnograms.events import Event
from sklearn_sleep.io.hypnograms.format import AnnotationFile, HypnogramFormat, ReadOptions
from sklearn_sleep.io.hypnograms.stage_annotations import (
    StageAnnotations,
    check_start,
)

_EVENT: Final = re.compile(r"\s*(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)\s*\t\s*(.*)")
_DURATION: Final = re.compile(r"\s*-\s*DUR:\s*(\d+(?:\.\d+)?)\s*SEC\.?", re.IGNORECASE)
_DAY: Final = 24 * 3600.0
_START: Final = "START RECORDING"
_POWER_FAILURE: Final = "POWER FAILURE RECOVERY"


def _read(file: AnnotationFile, options: ReadOptions) -> StageAnnotations:
    """Read stages from ``START RECORDING`` on; the last lasts until the recording's end.

    Where that is not known, it lasts until the last event of any kind, in whole epochs.
    """
    path = file.path
    times, texts, numbers = _rows_from_start(file, options)
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
    stage = [options.stage(texts[index], path, f"line {numbers[index]}") for index in chosen]
    onset, codes = _without_repeats(onset, stage, path)
    end = _scoring_end(onset[-1], times.max(), options.n_epochs)
    if options.n_epochs is None and codes[-1] != Stage.UNSCORED:
        warnings.warn(
            f"{path}: nothing tells when the last stage, from {onset[-1]:g} s on, ends. It was "
            f"taken to last until the last event, {end:g} s; pass n_epochs, the length of the "
            "recording.",
            HypnogramWarning,
            stacklevel=4,
        )
    return StageAnnotations.from_lists(onset, np.diff(onset, append=end), codes)


def _events(file: AnnotationFile, options: ReadOptions) -> list[Event]:
    """Read all rows but stages from the start on; the duration is taken out of the text."""
    times, texts, _ = _rows_from_start(file, options)
    events = []
    for onset, text in zip(times.tolist(), texts, strict=True):
        if text != _START and not text.startswith("STAGE"):
            match = _DURATION.search(text)
            duration = float(match[1]) if match else math.nan
            events.append(Event(onset, duration, _DURATION.sub("", text).strip()))
    return events


def _rows_from_start(
    file: AnnotationFile, options: ReadOptions
) -> tuple[NDArray[np.float64], list[str], list[int]]:
    """Seconds since the recording's start, text and line number of what is noted from then on."""
    path = file.path
    clock, texts, numbers = [], [], []
    for number, line in enumerate(file.lines, start=1):
        event = _EVENT.fullmatch(line)
        if event is None:
            if line.strip():
                raise HypnogramError(
                    f"{path}: line {number} is {shorten(line)}; an .allscore.txt has a time of day "
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
    if options.recording_start is not None:
        check_start(timedelta(seconds=clock[first]), options.recording_start, path, 24.0)
    return times, texts[first:], numbers[first:]


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


FORMAT = HypnogramFormat(
    "WSC .allscore.txt",
    recognises=lambda file: _EVENT.fullmatch(file.first_line) is not None,
    read=_read,
    origin="Wisconsin Sleep Cohort, Twin recorder; the time of day of each change of stage",
    entries="a change",
    events=_events,
    examples=(
        (
            "22:00:00.00\tSTART RECORDING\n22:00:00.00\tSTAGE - W\n22:00:30.00\tSTAGE - N2\n"
            "22:01:00.00\tLIGHTS ON\n"
        ),
    ),
)
