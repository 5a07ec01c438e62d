"""Cohort: how a public dataset lies on disk, and how its nights are found and loaded."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sklearn_sleep.datasets.demographics import Demographics, add_demographics
from sklearn_sleep.datasets.nights import NightFiles, Problem, load_nights
from sklearn_sleep.exceptions import CohortWarning
from sklearn_sleep.io.hypnograms.stage_annotations import ResampleEpochs

__all__ = ["Cohort"]

# Files that come with any download and hold no night.
_NEVER_NIGHTS = (
    r"/\..*",
    r"\.(csv|tsv|json|md|pdf|docx?|html?|xls|zip|rar|gz|log|partial)",
    r"/(README|LICENSE|RECORDS|ANNOTATORS|MD5SUMS?|SHA1SUMS|SHA256SUMS)[^/]*",
)
_NAMED_AT_ONCE = 5  # files that one warning names


@dataclass(frozen=True)
class Cohort:
    r"""A public dataset: its layout, ids, annotations and rules.

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
    subject : str, default="{dataset}-{subject}"
        How groups make the person's identifier.
    other : tuple of str, default=()
        Patterns of files that are known and hold neither.
    wrong_stages : str, default=""
        Pattern of recordings whose stages the provider knows to be wrong; they are left out.
    demographics : tuple of Demographics, default=()
        Tables of the cohort that tell age, sex and body mass index.
    resample_epochs : {"warn", "majority", "error"}, default="warn"
        As in `read_hypnogram`: ``"majority"`` for cohorts whose epochs are known to be off the
        30-second grid.

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
    subject: str = "{dataset}-{subject}"
    other: tuple[str, ...] = ()
    wrong_stages: str = ""
    demographics: tuple[Demographics, ...] = ()
    resample_epochs: ResampleEpochs = "warn"

    def load(
        self,
        folder: str | os.PathLike[str],
        *,
        visits: Sequence[str | int] | None = None,
        wake_minutes: float | None = None,
        return_X_y_groups: bool = False,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> Any:
        """Load the cohort from its folder.

        Parameters
        ----------
        folder : path
            The folder that the provider's download gives.
        visits : sequence of str or int, optional
            Which visits to load; all of them by default.
        wake_minutes : float, optional
            Rows of wake longer before the first and after the last epoch of sleep are left out.
        return_X_y_groups : bool, default=False
            Return ``(X, y, groups)`` instead of a Bunch.
        n_jobs : int, optional
            Nights that are loaded at the same time; see joblib.
        verbose : bool, default=False
            Show progress.

        Returns
        -------
        Bunch or tuple
            See `load_shhs`.

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
            twice, or one whose stages are known to be wrong.
        HypnogramWarning
            If a recording has no annotation, or one that cannot be read; it is left out.
        EDFWarning
            If a recording cannot be read; it is left out.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise FileNotFoundError(
                f"{folder} is not a folder. Give the folder that the download of {self.name} made."
            )
        nights, problems = self.find(folder)
        nights = _of_visits(nights, visits, folder)
        _warn_of(problems)
        loaded = load_nights(
            nights,
            dataset=self.name,
            resample_epochs=self.resample_epochs,
            wake_minutes=wake_minutes,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        if not len(loaded.recordings):
            raise ValueError(
                f"{folder} holds no night of {self.name} with a hypnogram. Recordings are looked "
                f"for as …/{self.recording}, annotations as …/{self.annotations[0]}."
            )
        if return_X_y_groups:
            return loaded.X, loaded.y, loaded.groups
        loaded.recordings = add_demographics(loaded.recordings, self.demographics, folder)
        found = pd.DataFrame([(p.path, p.message) for p in problems], columns=["path", "problem"])
        loaded.problems = pd.concat([found, loaded.problems], ignore_index=True)
        loaded.DESCR = self.description
        return loaded

    def find(self, folder: Path) -> tuple[list[NightFiles], list[Problem]]:
        """Find the nights of a folder.

        Parameters
        ----------
        folder : Path
            Searched with its subfolders.

        Returns
        -------
        nights : list of NightFiles
            In the order of the paths.
        problems : list of Problem
            Files of no known name, annotations without a recording, nights that are there twice,
            and nights whose stages are known to be wrong.
        """
        recordings: dict[tuple[str, ...], tuple[Path, re.Match[str]]] = {}
        annotations: dict[tuple[str, ...], dict[int, Path]] = {}
        problems: list[Problem] = []

        def report(path: Path, what: str) -> None:
            problems.append(Problem(str(path), f"{path} {what}", CohortWarning))

        for path, name in _files(folder):
            match = _match(self.recording, name)
            if match:
                first, _ = recordings.setdefault(_key(match), (path, match))
                if first != path:
                    report(path, f"is the same night as {first} and is left out.")
            elif found := self._match_annotation(name):
                rank, key = found
                annotations.setdefault(key, {}).setdefault(rank, path)
            elif not any(_match(pattern, name) for pattern in (*self.other, *_NEVER_NIGHTS)):
                report(path, f"is not a file of {self.name} that is known; it is left out.")
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
            nights.append(self._night(path, ranked[min(ranked)] if ranked else None, match))
        return nights, problems

    def _match_annotation(self, name: str) -> tuple[int, tuple[str, ...]] | None:
        """Return the rank of the pattern that a path matches, and the night's key."""
        for rank, pattern in enumerate(self.annotations):
            match = _match(pattern, name)
            if match:
                return rank, _key(match)
        return None

    def _night(self, path: Path, annotation: Path | None, match: re.Match[str]) -> NightFiles:
        groups = {name: value or "" for name, value in match.groupdict().items()}
        subject = self.subject.format(dataset=self.name, **groups).casefold()
        subject = subject.replace("--", "-")  # a group that is not there
        visit = groups.get("visit", "") or "1"
        return NightFiles(path, annotation, subject, visit.casefold())

    def with_annotations(self, *patterns: str) -> Cohort:
        """Return the cohort with other annotations: those of another scorer.

        Parameters
        ----------
        *patterns : str
            As `annotations`.

        Returns
        -------
        Cohort
        """
        return replace(self, annotations=patterns)


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files below a folder, with the folder's name before the path below it."""
    root = folder.resolve().name
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, f"{root}/{path.relative_to(folder).as_posix()}"


def _match(pattern: str, name: str) -> re.Match[str] | None:
    return re.search(rf"(?:{pattern})\Z", name, re.IGNORECASE)


def _key(match: re.Match[str]) -> tuple[str, ...]:
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
