"""Read the hypnogram of a night, whatever format its annotation file has."""

import math
import operator
import os
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from sklearn_sleep.core.messages import shorten
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.stage_vocabulary import names_stage
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning, SleepError
from sklearn_sleep.io.hypnograms.format import (
    AnnotationFile,
    HypnogramFormat,
    ReadOptions,
    StageCodes,
)
from sklearn_sleep.io.hypnograms.formats import HYPNOGRAM_FORMATS, known_formats
from sklearn_sleep.io.hypnograms.stage_annotations import (
    ResampleEpochs,
    stage_per_epoch,
)
from sklearn_sleep.io.hypnograms.stage_table import COLUMNS

T = TypeVar("T")


def read_hypnogram(
    path: str | os.PathLike[str],
    *,
    n_epochs: int | None = None,
    recording_start: datetime | None = None,
    epoch_duration: float | None = None,
    resample_epochs: ResampleEpochs = "warn",
    stage_codes: StageCodes | None = None,
    stage_names: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> NDArray[np.int64]:
    r"""Read the sleep stage of every 30-second epoch of a recording.

    The format is told from the content of the file, its name does not matter: NSRR XML (both
    schemas), Compumedics Profusion XML, EDF+ and BDF+ annotations (Sleep-EDF, MASS), ISRUC
    ``.xlsx`` and ``.txt``, WSC ``.stg.txt`` and ``.allscore.txt``, the sleep profile of Somnomedics
    Domino, RemLogic event lists (CAP), a stage a line (also Luna ``.eannot``), CSV with a column
    ``stage``, and what you add to `sklearn_sleep.io.HYPNOGRAM_FORMATS`.

    Epoch 0 starts with the recording, not with the first stage: time before the first stage is -1.
    A WSC ``.allscore.txt`` tells no end of the last stage; it is taken to last until the end of the
    recording if `n_epochs` is given, else, with a warning, until the last event.

    Parameters
    ----------
    path : str or path-like
        The annotation file.
    n_epochs : int, default=None
        Number of 30-second epochs of the recording. The result is filled up with -1 or cut to it.
        By default it ends with the last annotation.
    recording_start : datetime, optional
        When the recording starts, as its header tells. Times of day are placed by it, so that
        Domino, RemLogic and tables of such times need it. It is compared with the start that the
        scoring tells: that of EDF+ files, of an ``.allscore.txt``, or in the ``.log.txt`` beside a
        ``.stg.txt``.
    epoch_duration : float, default=None
        Seconds of the epochs *of the file*, where it does not tell: ISRUC, WSC ``.stg.txt``, a
        stage a line, and CSV without a ``duration``. The result has epochs of 30 s all the same.
        By default 30; a stage a line for which only another length fits `n_epochs` has that one,
        with a warning.
    resample_epochs : {"warn", "majority", "error"}, default="warn"
        What to do if stages change off the 30-second grid, as in files with epochs of 20 s (MASS
        SS2, SS4 and SS5) or whose first epoch does not start on it: ``"majority"`` gives each epoch
        the stage that covers most of it, the earlier one on a tie, where time without a stage
        counts as -1; ``"warn"`` does so with a warning; ``"error"`` refuses.
    stage_codes : {"r&k", "aasm"}, default=None
        What integers in tables and lines of text mean: R&K codes (4 is stage 4, 5 is REM) or AASM
        codes as in `Stage` (4 is REM, 5 and above are unscored). By default they are R&K codes, but
        a 4 is refused, since it may be either.

    stage_names : Mapping of str to str, default=None
        Which stage a text of the file is, where it is no common name or may be several things:
        ``{"Wach": "W", "A": "?"}``. It goes before what is known of the text.

    columns : Mapping of str to str, default=None
        Which column of a table is its ``"stage"``, ``"onset"``, ``"end"``, ``"duration"`` or
        ``"epoch"``, where its name is none of the common ones: ``{"onset": "Begin der Seite"}``.

    Returns
    -------
    ndarray of int64, shape (n_epochs,)
        `Stage` codes: W=0, N1=1, N2=2, N3=3, R=4, unscored -1. R&K stages 3 and 4 are both N3,
        movement time is unscored.

    Raises
    ------
    HypnogramError
        The format is not known, there are no stages, a stage has an unknown name, different
        stages overlap, or they start at another time than the recording. The message names the
        file and the place in it.
    EDFError
        The header of an EDF file cannot be read.
    ValueError
        A parameter has an impossible value.
    OSError
        The file cannot be opened.

    Warns
    -----
    HypnogramWarning
        There are gaps between stages (they become -1), stages change off the 30-second grid,
        more than one scored epoch lies after the end of the recording, the scoring ends before half
        of the recording, an EDF+ file starts at another time, a text among the stages is neither
        stage nor event, nothing tells when the last stage ends, or no log tells the start of a
        ``.stg.txt``.

    See Also
    --------
    read_events : What is scored beside the stages, such as apnoeas and arousals.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "night.csv")
    ...     _ = path.write_text("onset,duration,stage\n30,60,W\n90,30,N1")
    ...     read_hypnogram(path)
    array([-1,  0,  0,  1])
    """
    path = Path(path)
    _check_parameters(epoch_duration, resample_epochs, stage_codes)
    check_names(stage_names, columns)
    recording_start = as_clock(recording_start)
    if n_epochs is not None:
        n_epochs = operator.index(n_epochs)
        if n_epochs < 1:
            raise ValueError(f"n_epochs must be 1 or more, not {n_epochs}.")
    options = ReadOptions(
        n_epochs,
        recording_start,
        EPOCH_DURATION if epoch_duration is None else epoch_duration,
        stage_codes,
        stage_names,
        columns,
        is_duration_told=epoch_duration is not None,
    )
    file = AnnotationFile(path, options)
    annotations = read_in_format(file, lambda format_: format_.read)
    hypnogram = stage_per_epoch(annotations, path, resample_epochs=resample_epochs)
    return hypnogram if n_epochs is None else _of_length(hypnogram, n_epochs, path)


def _check_parameters(
    epoch_duration: float | None, resample_epochs: str, stage_codes: str | None
) -> None:
    if epoch_duration is not None and not 0 < epoch_duration < math.inf:
        raise ValueError(f"epoch_duration must be a number of seconds > 0, not {epoch_duration!r}.")
    if resample_epochs not in get_args(ResampleEpochs):
        raise ValueError(
            f"resample_epochs must be one of {get_args(ResampleEpochs)}, not {resample_epochs!r}."
        )
    if stage_codes is not None and stage_codes not in get_args(StageCodes):
        raise ValueError(
            f"stage_codes must be None or one of {get_args(StageCodes)}, not {stage_codes!r}."
        )


def as_clock(recording_start: datetime | None) -> datetime | None:
    """Return the start as the recorder's clock tells it, without the time zone that mne adds."""
    if recording_start is None:
        return None
    if not isinstance(recording_start, datetime):
        raise ValueError(
            f"recording_start must be a datetime, as read from the recording's header, not "
            f"{recording_start!r}."
        )
    return recording_start.replace(tzinfo=None)


def check_names(stage_names: Mapping[str, str] | None, columns: Mapping[str, str] | None) -> None:
    """Raise ValueError if what was told names no stage or no kind of column."""
    for parameter, told in (("stage_names", stage_names), ("columns", columns)):
        are_texts = told is None or (
            isinstance(told, Mapping)
            and all(isinstance(text, str) for text in (*told, *told.values()))
        )
        if not are_texts:
            raise ValueError(
                f"{parameter} must map texts to texts, such as {{'Wach': 'W'}} or "
                f"{{'onset': 'Begin'}}, not {told!r}."
            )
    if unknown := set(columns or ()) - set(COLUMNS):
        raise ValueError(
            f"columns has the keys {sorted(unknown)}; a column is one of {tuple(COLUMNS)}."
        )
    for text, stage in (stage_names or {}).items():
        if not names_stage(stage):
            raise ValueError(
                f"stage_names says that {text!r} is {stage!r}; a stage is W, N1, N2, N3, R or ?."
            )


def read_in_format(
    file: AnnotationFile,
    reader: Callable[[HypnogramFormat], Callable[[AnnotationFile, ReadOptions], T]],
) -> T:
    """Return what a reader of the file's format reads, or raise with the file's name."""
    if file.is_text and not file.first_line:
        raise HypnogramError(f"{file.path}: the file is empty.")
    for format_ in reversed(HYPNOGRAM_FORMATS.values()):
        try:
            if format_.recognises(file):
                return reader(format_)(file, file.options)
        except (SleepError, OSError, Warning):
            raise
        except Exception as error:  # whatever comes of damage, it must not end a cohort
            raise HypnogramError(
                f"{file.path}: it cannot be read as {format_.name} ({shorten(error)}). Get the "
                "file from its source again."
            ) from error
    hint = ""
    if not file.is_text:
        fault = "this is a binary file of no known format"
    elif file.root.tag:
        fault = f"no known XML has the root <{file.root.tag}>"
    else:
        fault = f"the first line {file.first_line[:200]!r} has neither a stage nor a known header"
        hint = (
            " Of a table, columns={'stage': '…'} says which column holds the stages; of a text, "
            "stage_names={'…': 'W'} which stage it is."
        )
    raise HypnogramError(f"{file.path}: {fault}. {known_formats()}{hint}")


def _of_length(hypnogram: NDArray[np.int64], n_epochs: int, path: Path) -> NDArray[np.int64]:
    beyond = int((hypnogram[n_epochs:] != Stage.UNSCORED).sum())
    if beyond > 1:
        warnings.warn(
            f"{path}: the hypnogram has {hypnogram.size} epochs and the recording {n_epochs}: "
            f"{beyond} scored epochs after {n_epochs * EPOCH_DURATION:g} s were left out. Check "
            "that the two belong together.",
            HypnogramWarning,
            stacklevel=3,
        )
    # Scoring ends when the lights go on, hours before many recordings do.
    if hypnogram.size < n_epochs / 2:
        warnings.warn(
            f"{path}: the hypnogram ends after {hypnogram.size} of the recording's {n_epochs} "
            "epochs; those after it are unscored. Check that the two belong together, and "
            "epoch_duration.",
            HypnogramWarning,
            stacklevel=3,
        )
    missing = max(0, n_epochs - hypnogram.size)
    return np.pad(hypnogram[:n_epochs], (0, missing), constant_values=Stage.UNSCORED)
