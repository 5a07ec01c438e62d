"""The files of a synthetic night: where they lie and how they are written."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from edfio import Edf, EdfSignal, Patient, Recording

from sklearn_sleep.core.atomic_write import atomic_write
from sklearn_sleep.simulation.recorder.annotations import WRITERS
from sklearn_sleep.simulation.recorder.layouts import LAYOUTS, AnnotationFile, Visit
from sklearn_sleep.simulation.recorder.sites import Site

__all__ = ["SyntheticNight", "write_night"]


@dataclass(frozen=True)
class SyntheticNight:
    """A night of a synthetic cohort: who, where, and the files.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the cohort.
    site : str
        Name of the site.
    number : int
        Number of the subject, unique in the cohort.
    visit : int
        1 or 2.
    layout : str, default=""
        Name of the public cohort whose layout the folder has.

    Examples
    --------
    >>> night = SyntheticNight(Path("cohort"), "north", 100001, 1)
    >>> night.name, night.subject
    ('north-visit1-100001', 'north-100001')
    >>> night.recording.as_posix()
    'cohort/polysomnography/edfs/north/north-visit1-100001.edf'
    """

    folder: Path
    site: str
    number: int
    visit: int
    layout: str = ""

    @property
    def name(self) -> str:
        """Stem of the recording's file name, ``<site>-visit<visit>-<number>`` without a layout."""
        return self.recording.stem

    @property
    def subject(self) -> str:
        """Identifier of the subject, the same on all visits."""
        if not self.layout:
            return f"{self.site}-{self.number}"
        subject, _ = self._branch
        return subject.format(number=self.number)

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
        if self.layout:
            # Hidden, since no provider's download has such a folder.
            return self.folder / ".truth" / f"{self.subject}-visit{self.visit}.npz"
        return self.folder / "truth" / f"{self.name}.npz"

    @property
    def files(self) -> Visit:
        """What the night leaves on disk."""
        if self.layout:
            _, visits = self._branch
            return visits[self.visit - 1]
        name = f"{self.site}/{self.site}-visit{self.visit}-{self.number}"
        annotation = AnnotationFile(
            f"polysomnography/annotations-events-nsrr/{name}-nsrr.xml", "NSRR"
        )
        return Visit(str(self.visit), None, f"polysomnography/edfs/{name}.edf", (annotation,))

    @property
    def _branch(self) -> tuple[str, tuple[Visit, ...]]:
        layout = LAYOUTS[self.layout]
        return layout.branches[(self.number - layout.first_number) % len(layout.branches)]

    @property
    def paths(self) -> tuple[Path, ...]:
        """Recording, annotations and truth."""
        annotations = (self.annotation_path(file) for file in self.files.annotations)
        return self.recording, *annotations, self.truth

    def annotation_path(self, file: AnnotationFile) -> Path:
        """Return where an annotation of the night lies.

        Parameters
        ----------
        file : AnnotationFile
            One of ``files.annotations``.

        Returns
        -------
        Path
        """
        return self.folder / file.path.format(number=self.number)

    def is_complete(self) -> bool:
        """Return whether all files are there; each appears only once it is whole."""
        return all(path.is_file() for path in self.paths)

    def load_truth(self) -> dict[str, npt.NDArray[np.generic]]:
        """Read what is known of the night.

        Returns
        -------
        dict of str to ndarray
            As `make_cohort` describes them.
        """
        with np.load(self.truth, allow_pickle=False) as archive:
            return dict(archive)


def write_night(
    night: SyntheticNight,
    site: Site,
    samples: Mapping[str, npt.NDArray[np.int16]],
    truth: Mapping[str, npt.NDArray[np.generic]],
    start: datetime.datetime,
) -> None:
    """Write the files of a night; each appears under its name only when it is whole.

    Parameters
    ----------
    night : SyntheticNight
        Where they go; folders are made.
    site : Site
        The header of each channel.
    samples : mapping of str to ndarray of shape (n_samples,), int16
        Digital samples by channel label.
    truth : mapping of str to ndarray
        What is known; ``truth["stages"]`` becomes the annotation.
    start : datetime.datetime
        When the recording starts.
    """
    for path in night.paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        partials = [stack.enter_context(atomic_write(path)) for path in night.paths]
        recording, *annotations, archive = partials
        _edf(night, site, samples, start).write(recording)
        for label in night.files.without_scale:
            _take_scale(recording, [channel.label for channel in site.channels].index(label))
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
    night: SyntheticNight,
    site: Site,
    samples: Mapping[str, npt.NDArray[np.int16]],
    start: datetime.datetime,
) -> Edf:
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
