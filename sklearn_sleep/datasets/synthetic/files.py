"""The files of a synthetic night: where they lie and how they are written."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from edfio import Edf, EdfSignal, Patient, Recording

from sklearn_sleep.datasets.synthetic.sites import Site
from sklearn_sleep.io.nsrr_xml import write_nsrr_xml

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

    @property
    def name(self) -> str:
        """File name without suffix, ``<site>-visit<visit>-<number>``."""
        return f"{self.site}-visit{self.visit}-{self.number}"

    @property
    def subject(self) -> str:
        """Identifier of the subject, ``<site>-<number>``, the same at both visits."""
        return f"{self.site}-{self.number}"

    @property
    def recording(self) -> Path:
        """The EDF file."""
        return self.folder / "polysomnography" / "edfs" / self.site / f"{self.name}.edf"

    @property
    def annotations(self) -> Path:
        """The NSRR XML file with the hypnogram."""
        folder = self.folder / "polysomnography" / "annotations-events-nsrr" / self.site
        return folder / f"{self.name}-nsrr.xml"

    @property
    def truth(self) -> Path:
        """The NumPy archive with what is known of the night."""
        return self.folder / "truth" / f"{self.name}.npz"

    @property
    def paths(self) -> tuple[Path, Path, Path]:
        """Recording, annotations and truth."""
        return self.recording, self.annotations, self.truth

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
    recording, annotations, archive = (_partial(path) for path in night.paths)
    _edf(night, site, samples, start).write(recording)
    write_nsrr_xml(annotations, truth["stages"], start_time=start)
    with archive.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **truth)
    for partial, path in zip((recording, annotations, archive), night.paths, strict=True):
        partial.replace(path)


def _partial(path: Path) -> Path:
    """Return a name beside the file that no other process and no loader takes."""
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


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
