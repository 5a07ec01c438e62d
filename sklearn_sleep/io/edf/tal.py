r"""Time-stamped annotation lists (TALs), in which EDF+ and BDF+ keep annotations and time.

A TAL is ``+onset[\x15duration]\x14text\x14[text\x14...]\x00``. The first TAL of a data record
has an empty text and says when the record starts (EDF+ specification, Kemp and Olivan 2003,
Clin. Neurophysiol. 114, 1755-1761, section 2.2).
"""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

from sklearn_sleep.io.edf.fields import decode_text, parse_number

ONSET_BYTES: Final = 64
"""Bytes that surely hold the onset of a TAL and the end of the empty text after it."""

_TAL: Final = re.compile(rb"[^\0]+")


class TimestampedAnnotation(NamedTuple):
    """One text of a TAL: onset and duration in seconds (duration NaN where there is none)."""

    onset: float
    duration: float
    text: str


def parse_record_onset(record: bytes) -> float:
    r"""Return when a data record starts, from the TALs of its first annotation signal.

    Parameters
    ----------
    record : bytes
        What that signal holds in the data record, or the beginning of it.

    Returns
    -------
    float
        Seconds after the start in the header; NaN if the first TAL does not say.

    Examples
    --------
    >>> parse_record_onset(b"+567.5\x14\x14\x00+570\x14Lights off\x14\x00")
    567.5
    """
    onset, separator, texts = record.partition(b"\x14")
    if not separator or texts[:1] not in (b"\x14", b"\0", b""):
        return math.nan
    return parse_number(onset.decode("latin-1"))


def parse_annotations(record: bytes) -> tuple[list[TimestampedAnnotation], list[bytes]]:
    r"""Parse the TALs of an annotation signal.

    Parameters
    ----------
    record : bytes
        What an annotation signal holds in one data record, or in several with a NUL between.

    Returns
    -------
    annotations : list of TimestampedAnnotation
        Those with a text, so without timekeeping, in the order of the file.
    unreadable : list of bytes
        TALs whose onset is not a number.

    Examples
    --------
    >>> parse_annotations(b"+0\x14\x14\x00+30\x1560\x14Sleep stage W\x14\x00\x00")
    ([TimestampedAnnotation(onset=30.0, duration=60.0, text='Sleep stage W')], [])
    """
    annotations: list[TimestampedAnnotation] = []
    unreadable: list[bytes] = []
    for tal in _TAL.findall(record):
        stamp, _, body = tal.partition(b"\x14")
        texts = [text for text in body.split(b"\x14") if text]
        onset_text, _, duration_text = stamp.partition(b"\x15")
        onset = parse_number(onset_text.decode("latin-1"))
        if math.isnan(onset):
            unreadable.append(tal)
            continue
        duration = parse_number(duration_text.decode("latin-1"))
        annotations.extend(
            TimestampedAnnotation(onset, duration, decode_text(text)) for text in texts
        )
    return annotations, unreadable
