"""load_cohort: a folder of EDF files and their hypnograms as (X, y, groups)."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

from sklearn_sleep.datasets.nights import NightFiles, load_nights

__all__ = ["find_nights", "load_cohort", "subject_from_name"]

_RECORDING_SUFFIXES = (".edf", ".bdf", ".rec")
# What follows a recording's name in that of its annotation, the most detailed first.
_ANNOTATION_ENDINGS = (
    "-nsrr.xml",
    "-profusion.xml",
    ".xml",
    ".stg.txt",
    ".allscore.txt",
    "-hypnogram.edf",
    ".csv",
    ".tsv",
    ".xlsx",
    ".txt",
)
_NAMES = (
    # NSRR: shhs1-200001, mesa-sleep-0001, chat-baseline-300001, wsc-visit1-10119-nsrr
    re.compile(
        r"(shhs|mesa|wsc|chat|cfs|ccshs|mros)\d?-(?:.*-)?([a-z]{0,2}\d{3,})(?:-nsrr)?",
        re.IGNORECASE,
    ),
    # mros-visit1-aa0001 and other cohorts that name their visits so
    re.compile(r"([a-z]+)-visit\d+-([a-z]{0,2}\d{3,})(?:-nsrr)?", re.IGNORECASE),
    # BIDS: sub-01_ses-1_task-sleep_eeg
    re.compile(r"(sub)-([a-z0-9]+)(?:_.*)?", re.IGNORECASE),
)


def load_cohort(
    folder: str | os.PathLike[str],
    *,
    return_X_y_groups: bool = False,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Any:
    """Load a folder of EDF files and their hypnograms.

    Takes the layout of the National Sleep Research Resource, where annotations lie in
    ``polysomnography/annotations-events-nsrr``, or any folder where each recording and its
    annotation have the same name and different endings (``-nsrr.xml``, ``-profusion.xml``,
    ``.xml``, ``.stg.txt``, ``.allscore.txt``, ``-hypnogram.edf``, ``.csv``, ``.tsv``, ``.xlsx``,
    ``.txt``). Only headers and annotations are read.

    Parameters
    ----------
    folder : path
        The cohort's folder; subfolders are searched.
    return_X_y_groups : bool, default=False
        Return ``(X, y, groups)`` instead of a Bunch.
    n_jobs : int, optional
        Nights that are loaded at the same time; see joblib.
    verbose : bool, default=False
        Show progress.

    Returns
    -------
    Bunch or tuple
        X : DataFrame
            A row per scored epoch: ``recording`` (categorical: the path), ``epoch`` (int32),
            ``subject`` (categorical) and ``scored_epochs``, the number of rows that the
            recording has.
        y : ndarray of int64, shape (n_rows,)
            AASM stages (W 0, N1 1, N2 2, N3 3, R 4).
        groups : Series (categorical), shape (n_rows,)
            The subject, so that all nights of a person fall in one fold.
        recordings : DataFrame
            A row per night: ``path``, ``annotation``, ``dataset``, ``subject``, ``visit``,
            ``start``, ``duration`` (s), ``signals`` (canonical names of those there),
            ``n_epochs``, ``scored_epochs`` and ``patient`` (what the header says of the person).
        problems : DataFrame
            What was warned of: ``path`` and ``problem``.

        A Bunch holds all five, a tuple the first three.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If it holds no night with a hypnogram.

    Warns
    -----
    HypnogramWarning
        If a recording has no annotation, or one that cannot be read; it is left out.
    EDFWarning
        If a recording cannot be read; it is left out.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_sleep import make_cohort
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = make_cohort(folder, n_subjects=2, hours=0.5, sites=["west"], random_state=0)
    ...     X, y, groups = load_cohort(folder, return_X_y_groups=True)
    >>> list(X.columns)
    ['recording', 'epoch', 'subject', 'scored_epochs']
    >>> groups.nunique()
    2
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is not a folder. Give the folder that holds the cohort's EDF files."
        )
    files = [
        NightFiles(recording, annotation, subject_from_name(recording.stem))
        for recording, annotation in find_nights(folder)
    ]
    nights = load_nights(files, n_jobs=n_jobs, verbose=verbose)
    if not len(nights.recordings):
        raise ValueError(
            f"{folder} holds no recording with a hypnogram. Each EDF file needs an annotation of "
            f"the same name that ends in one of {', '.join(_ANNOTATION_ENDINGS)}."
        )
    return (nights.X, nights.y, nights.groups) if return_X_y_groups else nights


def find_nights(folder: Path) -> list[tuple[Path, Path | None]]:
    """Find recordings and their annotations.

    An annotation may lie in any folder, unless recordings in several folders have the same name:
    then only one in the recording's own folder is its annotation.

    Parameters
    ----------
    folder : Path
        Searched with its subfolders.

    Returns
    -------
    list of (Path, Path or None)
        Each recording with its annotation, in the order of the paths.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    annotations: dict[str, dict[str, list[Path]]] = {}
    recordings = []
    for path in files:
        name = path.name.casefold()
        if name.startswith("."):
            continue
        for ending in _ANNOTATION_ENDINGS:
            if name.endswith(ending):
                stem = name.removesuffix(ending)
                annotations.setdefault(stem, {}).setdefault(ending, []).append(path)
                break
        else:
            if path.suffix.casefold() in _RECORDING_SUFFIXES:
                recordings.append(path)
    counts = Counter(path.stem.casefold() for path in recordings)
    nights = []
    for path in recordings:
        stem = path.stem.casefold()
        own_folder = path.parent if counts[stem] > 1 else None
        nights.append((path, _choose(annotations.get(stem, {}), own_folder)))
    return nights


def subject_from_name(name: str) -> str:
    """Return the subject of a recording from its name.

    Parameters
    ----------
    name : str
        File name without its ending. Names of the NSRR hold the dataset, the visit and the
        subject's number; any other name is a subject of its own.

    Returns
    -------
    str

    Examples
    --------
    >>> subject_from_name("shhs1-200001"), subject_from_name("shhs2-200001")
    ('shhs-200001', 'shhs-200001')
    >>> subject_from_name("mros-visit2-aa0001")
    'mros-aa0001'
    >>> subject_from_name("my night")
    'my night'
    """
    for pattern in _NAMES:
        match = pattern.fullmatch(name)
        if match:
            return f"{match[1]}-{match[2]}".casefold()
    return name


def _choose(annotations: dict[str, list[Path]], own_folder: Path | None) -> Path | None:
    for ending in _ANNOTATION_ENDINGS:
        for path in annotations.get(ending, []):
            if own_folder is None or path.parent == own_folder:
                return path
    return None
