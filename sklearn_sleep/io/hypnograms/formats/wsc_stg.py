"""Wisconsin Sleep Cohort ``.stg.txt``: 1-based epoch numbers and R&K codes, of Gamma studies.

The cohort's documentation at NSRR (https://sleepdata.org/datasets/wsc). The ``.log.txt`` beside it
notes when the recording started, and started again: its form, and that some of its times are of a
12-hour clock, are from public code that reads the cohort (github.com/joncarter1/wav2sleep,
github.com/LucaCerina/WisconsinSC_cleaner).
"""

import re
import warnings
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sklearn_sleep.core.messages import shorten
from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io.hypnograms.format import AnnotationFile, HypnogramFormat, ReadOptions
from sklearn_sleep.io.hypnograms.stage_annotations import (
    StageAnnotations,
    are_seconds,
    check_start,
)

_HEADER: Final = re.compile(r"Epoch\tUser-Defined Stage\b")
_ROW: Final = re.compile(r"(\d{1,9})\t(\d{1,9})(?:\t[^\S\t]*+\d*+)*+\s*")

# A time and, mostly, an epoch number in the first column; a date that was taken out may precede it.
_LOG_START: Final = re.compile(
    r"\s*(?:--/--/--\s*)?(\d{1,2}):(\d{2}):(\d{2})[^\t]*\tRecording Started\b.*", re.IGNORECASE
)


def _recognises(file: AnnotationFile) -> bool:
    """Whether the header is there, or every line is a number, a tab and a code."""
    if _HEADER.match(file.first_line):
        return True
    rows = [_ROW.fullmatch(line) for line in file.lines if line.strip()]
    numbers = [int(row[1]) for row in rows if row]
    return 0 < len(numbers) == len(rows) and not are_seconds(numbers)


def _read(file: AnnotationFile, options: ReadOptions) -> StageAnnotations:
    """Read the user-defined stages; epoch 1 starts with the recording."""
    path = file.path
    if options.recording_start is not None:
        _check_log(path, options.recording_start)
    numbers, stage = [], []
    for index, line in enumerate(file.lines, start=1):
        if not line.strip() or _HEADER.match(line):
            continue
        row = _ROW.fullmatch(line)
        if row is None or int(row[1]) == 0:
            raise HypnogramError(
                f"{path}: line {index} is {shorten(line)}; a .stg.txt has an epoch number from 1 "
                "on, a tab and a stage code."
            )
        numbers.append(int(row[1]) - 1)
        stage.append(options.stage(row[2], path, f"line {index}"))
    if not stage:
        raise HypnogramError(f"{path}: this .stg.txt has a header but no epochs.")
    return StageAnnotations.from_epochs(stage, options.epoch_duration, numbers)


def _check_log(path: Path, recording_start: datetime) -> None:
    """Make sure that epochs count from the start of the EDF file, by the log beside them."""
    log = path.with_name(re.sub(r"\.stg\.txt$", ".log.txt", path.name, flags=re.IGNORECASE))
    starts = []
    if log != path and log.is_file():
        lines = AnnotationFile(log).lines
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
    check_start(clock, recording_start, log, 12.0 if hour <= 12 else 24.0)


FORMAT = HypnogramFormat(
    "WSC .stg.txt",
    recognises=_recognises,
    read=_read,
    origin="Wisconsin Sleep Cohort, Gamma recorder; epoch number and R&K code",
    examples=("Epoch\tUser-Defined Stage\tCAST-Defined Stage\n1\t0\t0\n2\t2\t2\n",),
)
