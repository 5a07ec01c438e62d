"""Cohort: how a public dataset lies on disk, and how its nights are found and loaded."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sklearn_sleep.core.signals import SignalDefinition
from sklearn_sleep.datasets.demographics import Demographics, add_demographics
from sklearn_sleep.datasets.layout import Layout
from sklearn_sleep.datasets.nights import NightFiles, Problem, as_table, load_nights
from sklearn_sleep.datasets.same_person import tell_nights_of_one_person
from sklearn_sleep.exceptions import CohortWarning
from sklearn_sleep.io.files import fault_in, printable
from sklearn_sleep.io.hypnograms.stage_annotations import ResampleEpochs

FolderPath = str | os.PathLike[str]
# Files that come with any download and hold no night.
_NEVER_NIGHTS = (
    r"/\..*",
    r"\.(csv|tsv|json|md|pdf|docx?|html?|xls|zip|rar|gz|log|partial)",
    r"/(README|LICENSE|RECORDS|ANNOTATORS|MD5SUMS?|SHA1SUMS|SHA256SUMS)[^/]*",
)
_NAMED_AT_ONCE = 5  # files that one warning names
_WHICH_VISIT = (
    "Give the pattern of recordings a group 'visit' for the night, and 'subject' for the person."
)


@dataclass(frozen=True)
class Cohort:
    r"""A dataset: where its files lie, what its channels are called, and who is in it.

    Files are told by their paths below the cohort's folder, with the folder's own name in front:
    ``shhs/polysomnography/edfs/shhs1/shhs1-200001.edf``. Patterns are regular expressions that
    match the end of such a path, whatever the case. Their named groups say which night a file
    belongs to: a recording and an annotation whose groups are equal go together.

    Parameters
    ----------
    name : str
        Short name, the value of the column ``dataset``.
    recording : str
        Pattern of recordings, with a group ``subject`` and, where a person has several nights, a
        group ``visit``.
    annotations : tuple of str
        Patterns of annotations with the same groups; the first one that a night has is read.
    description : str
        What the cohort is, how to get it and what to cite.
    subject : str or callable, default="{dataset}-{subject}"
        How groups make the person's identifier, or a function of the recording's path.
    other : tuple of str, default=()
        Patterns of files that are known and hold neither.
    wrong_stages : str, default=""
        Pattern of recordings whose stages the provider knows to be wrong; they are left out.
    demographics : tuple of Demographics, default=()
        Tables of the cohort that tell age, sex and body mass index.
    resample_epochs : {"warn", "majority", "error"}, default="warn"
        As in `read_hypnogram`: ``"majority"`` for cohorts whose epochs are known to be off the
        30-second grid.
    channels : mapping of str to tuple of str, default={}
        Channel labels that mean something in this cohort only, by signal, the most wanted first;
        ``"A-B"`` is the channel of that name or the difference of two. `EDFReader` knows those of
        the public cohorts, and takes others as ``channels={cohort.name: cohort.channels}``.
    layout : Layout, optional
        How `make_cohort` writes a synthetic one.

    Examples
    --------
    >>> attic = Cohort(
    ...     "attic",
    ...     recording=r"night(?P<visit>\d)-(?P<subject>\d+)\.edf",
    ...     annotations=(r"night(?P<visit>\d)-(?P<subject>\d+)\.csv",),
    ...     description="Nights found in an attic.",
    ... )
    >>> attic.name
    'attic'
    """

    name: str
    recording: str
    annotations: tuple[str, ...]
    description: str
    subject: str | Callable[[Path], str] = "{dataset}-{subject}"
    other: tuple[str, ...] = ()
    wrong_stages: str = ""
    demographics: tuple[Demographics, ...] = ()
    resample_epochs: ResampleEpochs = "warn"
    channels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    layout: Layout | None = None

    # The ``load_`` functions take their documentation from here (`loaders.document_loader`).
    def load(
        self,
        folder: FolderPath,
        *,
        visits: Sequence[str | int] | None = None,
        wake_minutes: float | None = None,
        hypnogram_options: Mapping[str, Any] | None = None,
        signals: Sequence[str | SignalDefinition] | None = None,
        channels: Mapping[str, Any] | None = None,
        units: Mapping[str, str] | None = None,
        return_X_y_groups: bool = False,
        n_jobs: int | None = None,
        verbose: int | None = None,
    ) -> Any:
        """Load the cohort from its folder.

        Parameters
        ----------
        folder : path
            The folder that the provider's download gives.
        visits : sequence of str, optional
            Which of a person's nights to load; all of them by default.
        wake_minutes : float, optional
            Rows of wake longer before the first and after the last epoch of sleep are left out.
        hypnogram_options : Mapping, optional
            What `read_hypnogram` is told of each annotation, such as ``stage_names``.
        signals : sequence of str or SignalDefinition, optional
            What the Bunch tells of, with a `MissingSignalWarning` if a night lacks one; all of
            `SIGNALS` by default, without a warning.
        channels, units
            Labels and units by signal, as `EDFReader` is going to take them.
        return_X_y_groups : bool, default=False
            Return ``(X, y, groups)`` instead of a Bunch.
        n_jobs : int, optional
            Nights that are loaded at the same time; see joblib.
        verbose : int, optional
            Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
            terminal or in a notebook.

        Returns
        -------
        Bunch or tuple
            X : DataFrame
                A row per scored epoch: ``recording`` (categorical: the path), ``epoch`` (int32),
                ``subject``, ``dataset`` (categorical) and ``scored_epochs``, the number of rows
                that the recording has.
            y : ndarray of int64, shape (n_rows,)
                AASM stages (W 0, N1 1, N2 2, N3 3, R 4).
            groups : Series (categorical), shape (n_rows,)
                The subject, so that all nights of a person fall in one fold.
            recordings : DataFrame
                A row per night: ``path``, ``annotation``, ``dataset``, ``subject``, ``visit``,
                ``start``, ``duration`` (s), ``signals`` (canonical names of those there),
                ``n_epochs``, ``scored_epochs``, and ``age`` (years), ``sex`` (F or M) and ``bmi``
                (kg/m²) where the cohort's tables or headers tell them.
            channels : DataFrame
                A row per night, by path, and a column per signal: the label of the channel that
                `EDFReader` takes it from, ``"-"`` where it is missing.
            problems : DataFrame
                What was warned of: ``path`` and ``problem``.
            DESCR : str
                What the cohort is, how to get it and what to cite.

            A Bunch holds all of them, a tuple the first three.

        Raises
        ------
        FileNotFoundError
            If the folder does not exist.
        ValueError
            If it holds no night of the cohort that can be read, or a visit is not there.

        Warns
        -----
        CohortWarning
            If the folder holds files of no known name, annotations without a recording, a night
            twice, nights of one person as it seems under several subjects, one whose stages are
            known to be wrong, what is no file or a link to an annotation elsewhere, or a table of
            its people that cannot be read.
        HypnogramWarning
            If a recording has no annotation, or one that cannot be read; it is left out.
        EDFWarning
            If a recording cannot be read; it is left out.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder} is not a folder. Give the folder {self._source}.")
        nights, problems = self.find(folder)
        nights = _of_visits(nights, visits, folder)
        _warn_of(problems)
        loaded = load_nights(
            nights,
            with_dataset=bool(self.name),
            resample_epochs=self.resample_epochs,
            wake_minutes=wake_minutes,
            hypnogram_options=hypnogram_options,
            signals=signals,
            channels=channels,
            units=units,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        if not len(loaded.recordings):
            raise ValueError(f"{folder} holds no {self._wanted}")
        if return_X_y_groups:
            return loaded.X, loaded.y, loaded.groups
        if self.name:
            loaded.recordings, faults = add_demographics(
                loaded.recordings, self.demographics, folder
            )
            of_tables = [Problem(printable(path), fault, CohortWarning) for path, fault in faults]
            _warn_of(of_tables)
            problems += of_tables
            loaded.DESCR = self.description
        loaded.problems = pd.concat([as_table(problems), loaded.problems], ignore_index=True)
        return loaded

    @property
    def _source(self) -> str:
        return f"that the download of {self.name} made"

    @property
    def _wanted(self) -> str:
        return (
            f"night of {self.name} with a hypnogram. Recordings are looked "
            f"for as …/{self.recording}, annotations as …/{self.annotations[0]}."
        )

    def find(self, folder: Path) -> tuple[list[NightFiles], list[Problem]]:
        """Return the nights of a folder in the order of their paths, and what is wrong with others.

        Problems are files of no known name, annotations without a recording, nights that are there
        twice, and nights whose stages are known to be wrong.
        """
        recordings: dict[tuple[str, ...], tuple[Path, re.Match[str]]] = {}
        annotations: dict[tuple[str, ...], dict[int, Path]] = {}
        problems: list[Problem] = []

        def report(path: Path, what: str) -> None:
            shown = printable(path)
            problems.append(Problem(shown, f"{shown} {what}", CohortWarning))

        for path, rank, match in self.files(folder, problems):
            if match is None:
                report(path, f"is not a file of {self.name} that is known; it is left out.")
            elif rank >= 0:
                annotations.setdefault(night_key(match), {}).setdefault(rank, path)
            elif recordings.setdefault(night_key(match), (path, match))[0] != path:
                first, _ = recordings[night_key(match)]
                report(path, f"is the same night as {first} and is left out.")
        for key, ranked in annotations.items():
            if key not in recordings:
                report(ranked[min(ranked)], "has no recording and is left out.")
        nights = []
        for key, (path, match) in recordings.items():
            if self.wrong_stages and _match(self.wrong_stages, match.string):
                why = f"has wrong stages, as the provider of {self.name} says, and is left out."
                report(path, why)
                continue
            ranked = annotations.get(key, {})
            nights.append(self.night(path, ranked[min(ranked)] if ranked else None, match))
        if "(?P<visit>" not in self.recording:
            subjects = {night.recording: night.subject for night in nights}
            report_nights_of_one_person(subjects, folder, _WHICH_VISIT, problems)
        return nights, problems

    def files(
        self, folder: Path, problems: list[Problem]
    ) -> Iterator[tuple[Path, int, re.Match[str] | None]]:
        """Yield recordings (-1), annotations (rank of their pattern) and unknown files (no match).

        Other files are passed over; a FIFO, a device, and an annotation that is a link out of the
        folder are entered in the problems. Large recordings may lie elsewhere.
        """
        root = folder.resolve().name
        # Annotations first: night_hypnogram.edf may well match the pattern of recordings.
        ranked = [*enumerate(self.annotations), (-1, self.recording)]
        for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
            name = f"{root}/{path.relative_to(folder).as_posix()}"
            for rank, pattern in ranked:
                if match := _match(pattern, name):
                    if fault := fault_in(path, folder, may_be_elsewhere=rank < 0):
                        shown = printable(path)
                        problems.append(Problem(shown, f"{shown} {fault}", CohortWarning))
                    else:
                        yield path, rank, match
                    break
            else:
                if not any(_match(pattern, name) for pattern in (*self.other, *_NEVER_NIGHTS)):
                    yield path, len(self.annotations), None

    def night(self, path: Path, annotation: Path | None, match: re.Match[str]) -> NightFiles:
        """Return the files of a night whose recording is matched, and whose night it is."""
        groups = {name: value or "" for name, value in match.groupdict().items()}
        if callable(self.subject):
            subject = self.subject(path)
        else:
            subject = self.subject.format(dataset=self.name, **groups).casefold()
            subject = subject.replace("--", "-")  # a group that is not there
        visit = groups.get("visit", "") or "1"
        return NightFiles(
            path, annotation, subject, visit.casefold(), self.name, dict(self.channels)
        )

    def with_annotations(self, *patterns: str) -> Cohort:
        """Return the cohort with other annotations: those of another scorer."""
        return replace(self, annotations=patterns)


def report_nights_of_one_person(
    subjects: Mapping[Path, str],
    folder: Path,
    advice: str,
    problems: list[Problem],
    *tellers: Callable[[Mapping[str, str], str], tuple[str, str] | None],
) -> None:
    """Put what is said of recordings that look like nights of one person before other problems.

    What the first of further `tellers` has to say comes where they do not.
    """
    paths = {path.relative_to(folder).with_suffix("").as_posix(): path for path in subjects}
    named = {name: subjects[path] for name, path in paths.items()}
    told = (tell(named, advice) for tell in (tell_nights_of_one_person, *tellers))
    if found := next(filter(None, told), None):
        first, text = found
        problems.insert(0, Problem(str(paths[first]), text, CohortWarning))


def _match(pattern: str, name: str) -> re.Match[str] | None:
    return re.search(rf"(?:{pattern})\Z", name, re.IGNORECASE)


def night_key(match: re.Match[str]) -> tuple[str, ...]:
    """Return which night a file belongs to."""
    return tuple(
        f"{name}={(value or '').casefold()}" for name, value in sorted(match.groupdict().items())
    )


def _of_visits(
    nights: list[NightFiles], visits: Sequence[str | int] | None, folder: Path
) -> list[NightFiles]:
    if visits is None:
        return nights
    if isinstance(visits, str | int | np.integer):
        visits = [visits]
    wanted = {str(visit).casefold() for visit in visits}
    there = {night.visit for night in nights}
    absent = sorted(wanted - there)
    if absent:
        raise ValueError(
            f"visits={list(visits)}: {folder} holds no visit {', '.join(absent)}; "
            f"it holds {', '.join(sorted(there)) or 'none'}."
        )
    return [night for night in nights if night.visit in wanted]


def _warn_of(problems: list[Problem]) -> None:
    """Warn of files in few words: thousands of one kind are likely."""
    if not problems:
        return
    named = " ".join(problem.message for problem in problems[:_NAMED_AT_ONCE])
    more = len(problems) - _NAMED_AT_ONCE
    rest = f" And {more} more; the Bunch's 'problems' names all of them." if more > 0 else ""
    warnings.warn(named + rest, CohortWarning, stacklevel=4)
