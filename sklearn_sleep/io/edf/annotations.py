"""Annotations of EDF+ and BDF+ files."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sklearn_sleep.io.edf.channels import EDFChannel
from sklearn_sleep.io.edf.header import EDFHeader, read_edf_header
from sklearn_sleep.io.edf.messages import warn_repair
from sklearn_sleep.io.edf.records import map_channel
from sklearn_sleep.io.edf.tal import ONSET_BYTES, parse_annotations, parse_record_onset

__all__ = ["EDFAnnotations", "read_edf_annotations"]


@dataclass(frozen=True, slots=True, eq=False)
class EDFAnnotations:
    """Annotations of a recording, in order of onset.

    Attributes
    ----------
    onset : ndarray of float64, shape (n_annotations,)
        Seconds from the start of the recording, that of its first data record.
    duration : ndarray of float64, shape (n_annotations,)
        Seconds; NaN where the file gives none.
    text : tuple of str
        What each says.

    Examples
    --------
    >>> import numpy as np
    >>> len(EDFAnnotations(np.array([30.0]), np.array([60.0]), ("Sleep stage W",)))
    1
    """

    onset: NDArray[np.float64]
    duration: NDArray[np.float64]
    text: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.text)


def read_edf_annotations(
    path_or_header: str | os.PathLike[str] | EDFHeader,
) -> EDFAnnotations:
    """Read the annotations of an EDF+ or BDF+ file, from all its annotation signals.

    Parameters
    ----------
    path_or_header : str, path-like or EDFHeader
        The file, or its header where that has been read.

    Returns
    -------
    EDFAnnotations
        The annotations, without those that only keep time; none where the file has no
        annotation signal. Text is UTF-8, as EDF+ says, or else Latin-1.

    Raises
    ------
    EDFError, OSError
        As `read_edf_header`.

    Warns
    -----
    EDFRepairWarning
        If the onset of annotations cannot be read, and they are left out.

    References
    ----------
    Kemp and Olivan (2003), Clin. Neurophysiol. 114, 1755-1761, section 2.2.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import edfio
    >>> path = Path(tempfile.mkdtemp(), "hypnogram.edf")
    >>> edfio.Edf([], annotations=[edfio.EdfAnnotation(30, 60, "Sleep stage W")]).write(path)
    >>> read_edf_annotations(path)
    EDFAnnotations(onset=array([30.]), duration=array([60.]), text=('Sleep stage W',))
    """
    header = (
        path_or_header if isinstance(path_or_header, EDFHeader) else read_edf_header(path_or_header)
    )
    found = []
    start = 0.0
    for position, channel in enumerate(header.annotation_channels):
        content = _read_content(header, channel)
        if position == 0:
            first_onset = parse_record_onset(content[:ONSET_BYTES])
            start = 0.0 if math.isnan(first_onset) else first_onset
        annotations, unreadable = parse_annotations(content)
        found.extend(annotations)
        if unreadable:
            reason = f"{len(unreadable)} annotations have no onset in seconds, and are left out"
            warn_repair(header.path, channel.label, unreadable[0][:40], "none", reason)
    found.sort(key=lambda annotation: annotation.onset)
    return EDFAnnotations(
        np.array([annotation.onset for annotation in found], dtype=np.float64) - start,
        np.array([annotation.duration for annotation in found], dtype=np.float64),
        tuple(annotation.text for annotation in found),
    )


def _read_content(header: EDFHeader, channel: EDFChannel) -> bytes:
    """Return what the signal holds in all data records, with a NUL after each record."""
    width = channel.samples_per_record * header.sample_bytes
    records = map_channel(
        header.path,
        "u1",
        first_byte=header.header_bytes + channel.offset,
        shape=(header.number_of_records, width),
        strides=(header.record_bytes, 1),
    )
    padded = np.zeros((header.number_of_records, width + 1), np.uint8)
    padded[:, :-1] = records
    return padded.tobytes()
