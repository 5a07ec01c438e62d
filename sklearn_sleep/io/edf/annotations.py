r"""Annotations of EDF+ and BDF+ files, kept in time-stamped annotation lists (TALs).

A TAL is ``+onset[\x15duration]\x14text\x14[text\x14...]\x00``. The first TAL of a data record
has an empty text and says when the record starts (EDF+ specification, Kemp and Olivan 2003,
Clin. Neurophysiol. 114, 1755-1761, section 2.2).
"""

import os
import re
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_sleep.io.edf.fields import decode_text, parse_number, warn_repair
from sklearn_sleep.io.edf.header import (
    ONSET_BYTES,
    EDFChannel,
    EDFHeader,
    parse_record_onset,
    read_edf_header,
)

_LATEST: Final = 1e12  # s; no onset is thousands of years after the start
_TAL: Final = re.compile(rb"[^\0]+")


class _Annotation(NamedTuple):
    """One text of a TAL: onset and duration in s (duration NaN where there is none)."""

    onset: float
    duration: float
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class EDFAnnotations:
    """Annotations in order of onset: onset and duration in s, (n_annotations,), and texts.

    Onsets count from the first data record; a duration is NaN where the file gives none.
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

    Those that only keep time are left out, and those without an onset, with an `EDFRepairWarning`.
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
            start = first_onset if abs(first_onset) < _LATEST else 0.0
        annotations, unreadable = _parse_annotations(content)
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
    blocks = header.read_channel(channel, "u1", 1)
    return b"".join(np.pad(block, ((0, 0), (0, 1))).tobytes() for block in blocks)


def _parse_annotations(record: bytes) -> tuple[list[_Annotation], list[bytes]]:
    """Return the annotations with a text in the order of the file, and the TALs without an onset.

    `record` is what an annotation signal holds in data records, with a NUL between them.
    """
    annotations: list[_Annotation] = []
    unreadable: list[bytes] = []
    for tal in _TAL.findall(record):
        stamp, _, body = tal.partition(b"\x14")
        texts = [text for text in body.split(b"\x14") if text]
        onset_text, _, duration_text = stamp.partition(b"\x15")
        onset = parse_number(onset_text.decode("latin-1"))
        if not abs(onset) < _LATEST:
            unreadable.append(tal)
            continue
        duration = parse_number(duration_text.decode("latin-1"))
        annotations.extend(_Annotation(onset, duration, decode_text(text)) for text in texts)
    return annotations, unreadable
