"""Read the hypnogram of a night, whatever format its annotation file has."""

from __future__ import annotations

import codecs
import math
import operator
import os
import warnings
from datetime import datetime
from pathlib import Path
from typing import Final, get_args
from xml.etree.ElementTree import ParseError  # the error only; defusedxml parses

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from numpy.typing import NDArray

from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io.hypnograms import nsrr_xml, profusion_xml
from sklearn_sleep.io.hypnograms.csv_hypnogram import KNOWN_FORMATS, StageCodes, read_csv_hypnogram
from sklearn_sleep.io.hypnograms.edf_hypnogram import read_edf_hypnogram
from sklearn_sleep.io.hypnograms.isruc import read_isruc_xlsx
from sklearn_sleep.io.hypnograms.stage_annotations import (
    EPOCH_DURATION,
    ResampleEpochs,
    StageAnnotations,
    stage_per_epoch,
)
from sklearn_sleep.io.hypnograms.wsc import (
    check_stg_start,
    is_wsc_allscore,
    is_wsc_stg,
    read_wsc_allscore,
    read_wsc_stg,
)

__all__ = ["read_hypnogram"]

_EDF_MAGIC: Final = (b"0       ", b"\xffBIOSEMI")
_ZIP_MAGIC: Final = b"PK\x03\x04"
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_hypnogram(
    path: str | os.PathLike[str],
    *,
    n_epochs: int | None = None,
    recording_start: datetime | None = None,
    epoch_duration: float = 30.0,
    resample_epochs: ResampleEpochs = "warn",
    stage_codes: StageCodes | None = None,
) -> NDArray[np.int64]:
    r"""Read the sleep stage of every 30-second epoch of a recording.

    The format is told from the content of the file, its name does not matter: NSRR XML (both
    schemas), Compumedics Profusion XML, EDF+ and BDF+ annotations (Sleep-EDF, MASS), ISRUC
    ``.xlsx`` and ``.txt``, WSC ``.stg.txt`` and ``.allscore.txt``, a stage a line (also Luna
    ``.eannot``), and CSV with a column ``stage``.

    Epoch 0 starts with the recording, not with the first stage: time before the first stage is -1.
    A WSC ``.allscore.txt`` tells no end of the last stage; it is taken to last until the end of the
    recording if `n_epochs` is given, else until the last event.

    Parameters
    ----------
    path : str or path-like
        The annotation file.
    n_epochs : int, default=None
        Number of 30-second epochs of the recording. The result is filled up with -1 or cut to it.
        By default it ends with the last annotation.
    recording_start : datetime, optional
        When the recording starts, as its header tells. It is compared with the start that the
        scoring tells: that of EDF+ files, of an ``.allscore.txt``, or in the ``.log.txt`` beside a
        ``.stg.txt``.
    epoch_duration : float, default=30.0
        Seconds of the epochs *of the file*, where it does not tell: ISRUC, WSC ``.stg.txt``, a
        stage a line, and CSV without a ``duration``. The result has epochs of 30 s all the same.
    resample_epochs : {"warn", "majority", "error"}, default="warn"
        What to do if stages change off the 30-second grid, as in files with epochs of 20 s (MASS
        SS2, SS4 and SS5) or whose first epoch does not start on it: ``"majority"`` gives each epoch
        the stage that covers most of it, the earlier one on a tie, where time without a stage
        counts as -1; ``"warn"`` does so with a warning; ``"error"`` refuses.
    stage_codes : {"r&k", "aasm"}, default=None
        What integers in text files without a format of their own mean: R&K codes (4 is stage 4, 5
        is REM) or AASM codes as in `Stage` (4 is REM). By default a 5 tells that they are R&K, and
        a 4 without a 5 is refused.

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
        more than one scored epoch lies after the end of the recording, an EDF+ file starts at
        another time, or no log tells the start of a ``.stg.txt``.

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
    if n_epochs is not None:
        n_epochs = operator.index(n_epochs)
        if n_epochs < 1:
            raise ValueError(f"n_epochs must be 1 or more, not {n_epochs}.")
    annotations = _read_annotations(path, n_epochs, recording_start, epoch_duration, stage_codes)
    hypnogram = stage_per_epoch(annotations, path, resample_epochs=resample_epochs)
    return hypnogram if n_epochs is None else _of_length(hypnogram, n_epochs, path)


def _check_parameters(epoch_duration: float, resample_epochs: str, stage_codes: str | None) -> None:
    if not (math.isfinite(epoch_duration) and epoch_duration > 0):
        raise ValueError(f"epoch_duration must be a number of seconds > 0, not {epoch_duration!r}.")
    if resample_epochs not in get_args(ResampleEpochs):
        raise ValueError(
            f"resample_epochs must be one of {get_args(ResampleEpochs)}, not {resample_epochs!r}."
        )
    if stage_codes is not None and stage_codes not in get_args(StageCodes):
        raise ValueError(
            f"stage_codes must be None or one of {get_args(StageCodes)}, not {stage_codes!r}."
        )


def _read_annotations(
    path: Path,
    n_epochs: int | None,
    recording_start: datetime | None,
    epoch_duration: float,
    stage_codes: StageCodes | None,
) -> StageAnnotations:
    with path.open("rb") as file:
        head = file.read(512)  # an EDF file may be large
    if head.startswith(_EDF_MAGIC):
        return read_edf_hypnogram(path, recording_start=recording_start)
    if head.startswith(_ZIP_MAGIC):
        return read_isruc_xlsx(path, epoch_duration=epoch_duration)
    if b"\0" in head and not head.startswith(_UTF16_MARKS):
        raise HypnogramError(f"{path}: this is a binary file of no known format. {KNOWN_FORMATS}")
    content = path.read_bytes()
    text = _decoded(content)
    if not text.strip():
        raise HypnogramError(f"{path}: the file is empty.")
    if text.lstrip().startswith("<"):
        return _read_xml(content, path)
    lines = text.splitlines()
    if is_wsc_allscore(lines):
        return read_wsc_allscore(lines, path, n_epochs=n_epochs, recording_start=recording_start)
    if is_wsc_stg(lines):
        if recording_start is not None:
            check_stg_start(path, recording_start)
        return read_wsc_stg(lines, path, epoch_duration=epoch_duration)
    return read_csv_hypnogram(lines, path, epoch_duration=epoch_duration, stage_codes=stage_codes)


def _decoded(content: bytes) -> str:
    if content.startswith(_UTF16_MARKS):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _read_xml(content: bytes, path: Path) -> StageAnnotations:
    try:
        root = fromstring(content)
    except DefusedXmlException as error:
        raise HypnogramError(
            f"{path}: the XML declares entities, which no annotation format needs and an attack "
            f"does ({error}). Get the file from its source again."
        ) from error
    except ParseError as error:
        raise HypnogramError(
            f"{path}: the XML is damaged or cut short ({error}). Get the file from its source "
            "again."
        ) from error
    if root.tag == nsrr_xml.ROOT_TAG:
        return nsrr_xml.read_nsrr_xml(root, path)
    if root.tag == profusion_xml.ROOT_TAG:
        return profusion_xml.read_profusion_xml(root, path)
    raise HypnogramError(f"{path}: no known XML has the root <{root.tag}>. {KNOWN_FORMATS}")


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
    missing = max(0, n_epochs - hypnogram.size)
    return np.pad(hypnogram[:n_epochs], (0, missing), constant_values=Stage.UNSCORED)
