"""load_cohort: any folder of recordings and hypnograms, whose files share a name."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sklearn_sleep.core.signals import SignalDefinition
from sklearn_sleep.datasets.cohort import (
    Cohort,
    FolderPath,
    night_key,
    report_nights_of_one_person,
)
from sklearn_sleep.datasets.nights import NightFiles, Problem
from sklearn_sleep.datasets.registry import NAMING_COHORTS, channel_labels, dataset_from_path
from sklearn_sleep.datasets.same_person import tell_people_of_one_name
from sklearn_sleep.exceptions import CohortWarning
from sklearn_sleep.io.hypnograms.format import StageCodes

# What follows a recording's name in that of its annotation, the most detailed first.
_ANNOTATION_ENDINGS = (
    "-nsrr.xml",
    "-profusion.xml",
    ".xml",
    ".stg.txt",
    ".allscore.txt",
    ".csv",
    ".tsv",
    ".xlsx",
    ".txt",
)
_NAMES = (
    # NSRR: shhs1-200001, mesa-sleep-0001, chat-baseline-300001, wsc-visit1-10119-nsrr
    rf"({'|'.join(NAMING_COHORTS)})\d?-(?:.*-)?([a-z]{{0,2}}\d{{3,}})(?:-nsrr)?",
    # mros-visit1-aa0001 and other cohorts that name their visits so
    r"([a-z]+)-visit\d+-([a-z]{0,2}\d{3,})(?:-nsrr)?",
    # BIDS: sub-01_ses-1_task-sleep_eeg
    r"(sub)-([a-z0-9]+)(?:_.*)?",
)


def subject_from_name(name: str) -> str:
    """Return the subject of a recording from its name without ending.

    Names of the NSRR hold the dataset, the visit and the subject's number (``"shhs1-200001"`` is of
    ``"shhs-200001"``); any other name is a subject of its own.
    """
    for pattern in _NAMES:
        if match := re.fullmatch(pattern, name, re.IGNORECASE):
            return f"{match[1]}-{match[2]}".casefold()
    return name


@dataclass(frozen=True)
class _AnyFolder(Cohort):
    """A cohort without a name, whose files are named as anybody likes.

    `person` is a pattern that finds the subject in a path below the folder, without its ending.
    """

    person: str = ""

    def find(self, folder: Path) -> tuple[list[NightFiles], list[Problem]]:
        """Return the nights of a folder in the order of their paths; unknown files are no problem.

        An annotation may lie in any folder, unless recordings in several folders have the same
        name: then only one in the recording's own folder is its annotation.
        """
        recordings: list[tuple[Path, tuple[str, ...]]] = []
        annotations: dict[tuple[str, ...], list[tuple[int, Path]]] = {}
        problems: list[Problem] = []
        for path, rank, match in self.files(folder, problems):
            if match and rank < 0:
                recordings.append((path, night_key(match)))
            elif match:
                annotations.setdefault(night_key(match), []).append((rank, path))
        counts = Counter(key for _, key in recordings)
        nights = []
        subjects = self._subjects([path for path, _ in recordings], folder, problems)
        for path, key in recordings:
            if path not in subjects:
                continue
            beside = [
                found
                for found in annotations.get(key, [])
                if counts[key] == 1 or found[1].parent == path.parent
            ]
            annotation = min(beside)[1] if beside else None
            dataset = dataset_from_path(path)
            night = NightFiles(
                path, annotation, subjects[path], "", dataset, channel_labels(dataset)
            )
            nights.append(night)
        return nights, problems

    def _subjects(
        self, paths: Sequence[Path], folder: Path, problems: list[Problem]
    ) -> dict[Path, str]:
        """Return the subject of each recording; one that the pattern does not find is left out."""
        if not self.person:
            subjects = {path: subject_from_name(path.stem) for path in paths}
            report_nights_of_one_person(
                subjects, folder, _WHO_IS_WHO, problems, tell_people_of_one_name
            )
            return subjects
        subjects = {}
        spellings: dict[str, str] = {}
        for path in paths:
            name = path.relative_to(folder).with_suffix("").as_posix()
            match = re.search(self.person, name, re.IGNORECASE)
            groups = [] if match is None else [match.groupdict().get("subject"), *match.groups()]
            found = next(filter(None, groups), match and not match.groups() and match[0])
            if found:
                subjects[path] = spellings.setdefault(found.casefold(), found)
                continue
            text = (
                f"{path}: subject={self.person!r} does not find whose night it is; it is left out."
            )
            problems.append(Problem(str(path), text, CohortWarning))
        if paths and not subjects:
            raise ValueError(
                f"subject={self.person!r} finds nobody in the names of the recordings, such as "
                f"{name!r}. It is a regular expression whose first group is the person."
            )
        return subjects

    @property
    def _source(self) -> str:
        return "that holds the cohort's EDF files"

    @property
    def _wanted(self) -> str:
        return (
            "recording with a hypnogram. Each EDF file needs an annotation of "
            f"the same name that ends in one of {', '.join(_ANNOTATION_ENDINGS)}, or before its "
            "ending in _stages, -hypnogram or the like; annotation=... takes those of other names."
        )


_NAME = r"/(?P<name>[^./][^/]*?)"
# night_stages.txt, night-hypnogram.edf, night hypno.csv, night.stages.csv
_SCORING = (
    r"[-_ .](?:sleep[-_ ]?)?"
    r"(?:stages?|staging|hypnogramm?e?|hypno|hyp|scoring|annotations?)"
)
ANY_FOLDER = _AnyFolder(
    "",
    recording=rf"(?!.*{_SCORING}\.\w+$){_NAME}\.(?:edf|bdf|rec)",
    annotations=(
        rf"{_NAME}{_SCORING}\.(?:edf|bdf|xml|csv|tsv|xlsx|txt)",
        *(_NAME + re.escape(ending) for ending in _ANNOTATION_ENDINGS),
    ),
    description="",
    other=(".*",),
)


_WHO_IS_WHO = 'Say who is who: subject=r"{pattern}", whose first group is the person.'


def any_folder(subject: str | None = None, annotation: str | None = None) -> Cohort:
    """Return the layout of any folder, with patterns of people and annotations of its own."""
    for name, pattern in (("subject", subject), ("annotation", annotation)):
        try:
            re.compile(pattern or "")
        except (re.error, TypeError) as error:
            raise ValueError(f"{name}={pattern!r} is no regular expression: {error}.") from error
    if annotation and "(?P<name>" not in annotation:
        annotation = f"{_NAME}(?:{annotation})"
    annotations = (annotation,) if annotation else ANY_FOLDER.annotations
    return replace(ANY_FOLDER, person=subject or "", annotations=annotations)


def load_cohort(
    folder: FolderPath,
    *,
    subject: str | None = None,
    annotation: str | None = None,
    stage_names: Mapping[str, str] | None = None,
    stage_codes: StageCodes | None = None,
    epoch_duration: float | None = None,
    columns: Mapping[str, str] | None = None,
    signals: Sequence[str | SignalDefinition] | None = None,
    channels: Mapping[str, Any] | None = None,
    units: Mapping[str, str] | None = None,
    return_X_y_groups: bool = False,
    n_jobs: int | None = None,
    verbose: int | None = None,
) -> Any:
    r"""Load a folder of EDF files and their hypnograms.

    Takes the layout of the National Sleep Research Resource, where annotations lie in
    ``polysomnography/annotations-events-nsrr``, or any folder where each recording and its
    annotation have the same name and different endings (``-nsrr.xml``, ``-profusion.xml``,
    ``.xml``, ``.stg.txt``, ``.allscore.txt``, ``.csv``, ``.tsv``, ``.xlsx``, ``.txt``; before an
    ending may stand ``_stages``, ``-hypnogram``, ``-hypno``, ``_scoring`` or the like, as in
    ``night-hypnogram.edf``). Only headers and annotations are read.

    Parameters
    ----------
    folder : path
        The cohort's folder; subfolders are searched.
    subject : str, optional
        Regular expression that finds the person in a recording's path below the folder, without
        its ending and whatever the case: its group ``subject``, else its first group, else all that
        it matches. ``subject=r"P\d+"`` makes ``P01_N1`` and ``P01_N2`` one person. A recording in
        which it finds nobody is left out. By default names tell the person in the cohorts of the
        NSRR and in BIDS, and else each name is a person of its own.
    annotation : str, optional
        Regular expression of what follows a recording's name in that of its annotation:
        ``annotation=r"_scorer2\.csv"``. With a group ``name``, which is the recording's, it is one
        of the end of the annotation's path.
    stage_names, stage_codes, epoch_duration, columns
        What the annotations mean where they do not tell it themselves, as in `read_hypnogram`:
        ``stage_names={"A": "?"}``.
    signals : sequence of str or SignalDefinition, optional
        What you are going to ask `EDFReader` for: nights that lack one of them are warned of, and
        the Bunch tells of these signals alone.
    channels, units
        Labels and units by signal, as in `EDFReader`.
    return_X_y_groups : bool, default=False
        Return ``(X, y, groups)`` instead of a Bunch.
    n_jobs, verbose
        As in `load_shhs`.

    Returns
    -------
    Bunch or tuple
        ``X``, ``y``, ``groups``, ``recordings``, ``channels`` and ``problems`` as `load_shhs`
        returns them, with these differences: ``X`` has no column ``dataset``, and ``recordings``
        has ``patient``, what the header says of the person, in place of age, sex and body mass
        index.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder does not exist, or holds no night with a hypnogram, or a pattern finds nobody
        or is no regular expression.

    Warns
    -----
    HypnogramWarning, EDFWarning
        If a recording has no annotation, or one of the two cannot be read; it is left out.
    MissingSignalWarning
        If nights lack one of `signals`.
    CohortWarning
        If a recording or an annotation is no file, an annotation a link out of the folder,
        `subject` does not find the person of a recording, or it is not given and names look like
        several nights of one person, or are the same for several people.

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
    return any_folder(subject, annotation).load(
        folder,
        hypnogram_options={
            "stage_names": stage_names,
            "stage_codes": stage_codes,
            "epoch_duration": epoch_duration,
            "columns": columns,
        },
        signals=signals,
        channels=channels,
        units=units,
        return_X_y_groups=return_X_y_groups,
        n_jobs=n_jobs,
        verbose=verbose,
    )
