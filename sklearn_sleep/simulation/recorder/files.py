"""The files of a synthetic cohort: where they lie, how they are written, and what made them."""

import contextlib
import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from edfio import Edf, EdfSignal, Patient, Recording

from sklearn_sleep.core.atomic_write import atomic_write
from sklearn_sleep.datasets.layout import AnnotationFile, Layout, Visit
from sklearn_sleep.simulation.recorder.annotations import WRITERS
from sklearn_sleep.simulation.recorder.sites import files_of_site

MANIFEST_NAME = "cohort.json"
FORMAT = "sklearn_sleep synthetic cohort"


@dataclass(frozen=True)
class SyntheticNight:
    """A night of a synthetic cohort: who, where, and the files.

    ``number`` is the person's, unique in the cohort, ``visit`` 1 or 2, and ``layout`` tells the
    rest. `load_truth` reads what is known of the night.
    """

    folder: Path
    number: int
    visit: int
    layout: Layout

    @property
    def name(self) -> str:
        """Stem of the recording's file name."""
        return self.recording.stem

    @property
    def subject(self) -> str:
        """Identifier of the person, the same on all visits."""
        subject, _ = self._person
        return subject.format(number=self.number)

    @property
    def site(self) -> str:
        """Name of the site."""
        return self.files.site.name

    @property
    def recording(self) -> Path:
        """The EDF file."""
        return self.folder / self.files.recording.format(number=self.number)

    @property
    def annotations(self) -> Path:
        """The file with the hypnogram."""
        return self.annotation_path(self.files.annotations[0])

    @property
    def truth(self) -> Path:
        """The NumPy archive with what is known of the night."""
        names = {"name": self.name, "subject": self.subject, "visit": self.visit}
        return self.folder / self.layout.truth.format(**names)

    @property
    def files(self) -> Visit:
        """What the night leaves on disk."""
        _, visits = self._person
        return visits[self.visit - 1]

    @property
    def _person(self) -> tuple[str, tuple[Visit, ...]]:
        people = self.layout.people
        return people[(self.number - self.layout.first_number) % len(people)]

    @property
    def paths(self) -> tuple[Path, ...]:
        """Recording, annotations and truth."""
        annotations = (self.annotation_path(file) for file in self.files.annotations)
        return self.recording, *annotations, self.truth

    def annotation_path(self, file: AnnotationFile) -> Path:
        """Return where one of ``files.annotations`` lies."""
        return self.folder / file.path.format(number=self.number)

    def is_complete(self) -> bool:
        """Return whether all files are there; each appears only once it is whole."""
        return all(path.is_file() for path in self.paths)

    def load_truth(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what is known of the night, as `make_cohort` describes it."""
        with np.load(self.truth, allow_pickle=False) as archive:
            return dict(archive)


def write_night(
    night: SyntheticNight,
    samples: Mapping[str, npt.NDArray[np.int16]],
    truth: Mapping[str, npt.NDArray[np.generic]],
    start: datetime.datetime,
) -> None:
    """Write digital samples, (n_samples,) by label, the stages of the truth, and the truth.

    Each file appears under its name only when it is whole.
    """
    for path in night.paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    labels = [channel.label for channel in night.files.site.channels]
    with contextlib.ExitStack() as stack:
        partials = [stack.enter_context(atomic_write(path)) for path in night.paths]
        recording, *annotations, archive = partials
        _edf(night, samples, start).write(recording)
        for label in night.files.without_scale:
            _take_scale(recording, labels.index(label))
        for file, path in zip(night.files.annotations, annotations, strict=True):
            stages = truth["stages"] if file.scorer == 1 else truth["physiological_stages"]
            WRITERS[file.format](path, stages.astype(np.int8), start)
        with archive.open("wb") as opened:
            np.savez_compressed(opened, allow_pickle=False, **truth)


def _take_scale(path: Path, index: int) -> None:
    """Write 0 as physical minimum and maximum of a channel, as headers of CHAT have it."""
    with path.open("r+b") as file:
        file.seek(252)
        n_channels = int(file.read(4))
        # Before the physical minima: label 16, transducer 80 and dimension 8 bytes a channel.
        for before in (104, 112):
            file.seek(256 + before * n_channels + 8 * index)
            file.write(b"0       ")


def _edf(
    night: SyntheticNight, samples: Mapping[str, npt.NDArray[np.int16]], start: datetime.datetime
) -> Edf:
    site = night.files.site
    signals = [
        EdfSignal.from_digital(
            samples[channel.label],
            channel.sampling_frequency,
            label=channel.label,
            physical_dimension=channel.unit,
            physical_range=channel.physical_range,
        )
        for channel in site.channels
    ]
    return Edf(
        signals,
        patient=Patient(code=night.subject),
        recording=Recording(startdate=start.date(), equipment_code="synthetic"),
        starttime=start.time(),
        data_record_duration=site.record_duration,
    )


def claim_folder(
    folder: Path,
    parameters: Mapping[str, Any],
    nights: Sequence[SyntheticNight],
    *,
    overwrite: bool,
    layouts: Mapping[str, Layout],
) -> None:
    """Make sure that a folder holds nights of these parameters and no others.

    A cohort may grow: ``n_subjects`` larger than before keeps the nights that are there. With
    `overwrite`, nights of other parameters, in one of these layouts, are removed, not refused.
    """
    manifest = folder / MANIFEST_NAME
    wanted = json.loads(json.dumps(parameters))
    if manifest.is_file():
        found = _read(manifest)
        different = _differences(found["parameters"], wanted)
        if different and not overwrite:
            raise ValueError(
                f"{folder} holds a cohort made with other parameters: {'; '.join(different)}. "
                "Use another folder, the same parameters, or overwrite=True to replace it."
            )
        if overwrite:
            _remove_nights(folder, found, layouts)
    elif folder.is_dir() and any(folder.iterdir()):
        raise ValueError(
            f"{folder} is not empty and has no {MANIFEST_NAME}, so it is not a synthetic cohort. "
            "Use a new or empty folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "format": FORMAT,
        "parameters": wanted,
        "nights": [[night.site, night.number, night.visit] for night in nights],
    }
    with atomic_write(manifest) as partial:
        partial.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _read(manifest: Path) -> dict[str, Any]:
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{manifest} is not JSON ({error}). Remove the folder and make the cohort again."
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(
            f"{manifest} is not the manifest of a synthetic cohort. Use another folder."
        )
    return content


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    different = []
    for name in wanted:
        if name == "n_subjects" and found.get(name, 0) <= wanted[name]:
            continue
        if found.get(name) == wanted[name]:
            continue
        if name == "sites":
            different.append("sites differ")
        else:
            different.append(f"{name}={found.get(name)} there, {name}={wanted[name]} asked")
    return different


def _remove_nights(folder: Path, content: Mapping[str, Any], layouts: Mapping[str, Layout]) -> None:
    name = content["parameters"].get("layout")
    if name and name not in layouts:
        raise ValueError(
            f"{folder} holds a cohort in the layout {name!r}, whose files are not known here. "
            "Remove the folder, or use another one."
        )
    for site, number, visit in content["nights"]:
        if name:
            paths = SyntheticNight(folder, int(number), int(visit), layouts[name]).paths
        else:
            of_site = files_of_site(str(site), int(visit))
            paths = tuple(folder / path.format(number=int(number)) for path in of_site)
        for path in paths:
            # A manifest that names files elsewhere was not written here.
            if path.resolve().is_relative_to(folder.resolve()):
                path.unlink(missing_ok=True)
