"""The data records of an EDF or BDF file: how many there are and when each starts."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sklearn_sleep.exceptions import EDFError
from sklearn_sleep.io.edf.fields import parse_integer
from sklearn_sleep.io.edf.messages import edf_error, warn_repair
from sklearn_sleep.io.edf.tal import parse_record_onset

_LONGEST_RECORDING: Final = 31 * 86400.0
"""Seconds; a record onset beyond this is taken for a damaged one, since gaps take memory."""


def count_records(path: str, text: str, data_bytes: int, record_bytes: int) -> int:
    """Return how many whole data records a file holds.

    What is there is read, whatever the header says: a recorder that stops early leaves -1 or a
    count that is not up to date, and a broken copy is shorter than its header says.

    Parameters
    ----------
    path : str
        The file, for messages.
    text : str
        The field "number of data records".
    data_bytes : int
        Bytes of the file after its header.
    record_bytes : int
        Bytes of one data record.

    Returns
    -------
    int
        Whole data records, at least one.

    Raises
    ------
    EDFError
        If there is not one whole data record.

    Warns
    -----
    EDFRepairWarning
        If the field says otherwise, or bytes are left over after the last whole record.

    Examples
    --------
    >>> count_records("night.edf", "480", 480 * 3000, 3000)
    480
    """
    field = "number of data records"
    count, rest = divmod(data_bytes, record_bytes)
    if count == 0:
        remedy = (
            f"the file holds {data_bytes} bytes of samples and a data record takes {record_bytes}, "
            "so there is nothing to read; copy or export the recording again"
        )
        raise edf_error(path, field, text, remedy)
    if parse_integer(text) != count or rest:
        reason = f"the whole data records in the file; {rest} bytes are left over after them"
        warn_repair(path, field, text, count, reason)
    return count


def map_channel(
    path: str, dtype: str, *, first_byte: int, shape: tuple[int, int], strides: tuple[int, int]
) -> NDArray[Any]:
    """Map one signal of every data record, reading nothing yet.

    Parameters
    ----------
    path : str
        The file.
    dtype : str
        Type of an item.
    first_byte : int
        Place of the first item in the file.
    shape : tuple of int
        Data records, items in each.
    strides : tuple of int
        Bytes from record to record, and from item to item.

    Returns
    -------
    ndarray of `dtype`, shape `shape`
        A read-only view of the file.

    Raises
    ------
    EDFError
        If the file has become too short since its header was read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp(), "two-records")
    >>> path.write_bytes(bytes(range(8)))
    8
    >>> map_channel(str(path), "u1", first_byte=1, shape=(2, 2), strides=(4, 1))
    array([[1, 2],
           [5, 6]], dtype=uint8)
    """
    try:
        data = np.memmap(path, dtype=np.uint8, mode="r")
        return np.ndarray(shape, np.dtype(dtype), buffer=data, offset=first_byte, strides=strides)
    except (TypeError, ValueError) as error:
        message = f"{path}: the file is shorter than when its header was read; read that again"
        raise EDFError(message) from error


def read_record_onsets(
    path: str, records: NDArray[np.uint8], record_duration: float, sampling_frequency: float
) -> NDArray[np.float64] | None:
    r"""Return when the data records of an EDF+D file start.

    Parameters
    ----------
    path : str
        The file, for messages.
    records : ndarray of uint8, shape (n_records, n_bytes)
        The first annotation signal.
    record_duration : float
        Seconds.
    sampling_frequency : float
        The highest in the file, in Hz. Half a sample at that rate is how far an onset may be off
        before it counts as a gap, since the text of an onset is rounded.

    Returns
    -------
    ndarray of float64, shape (n_records,), or None
        Seconds from the start of the first record; None if each record follows on the last.
        Onsets that are less than half a sample off from following on the last do follow on it.

    Raises
    ------
    EDFError
        If a record has no onset, starts before the one in front of it, or starts a month late.

    Warns
    -----
    EDFRepairWarning
        If records overlap.

    Examples
    --------
    >>> import numpy as np
    >>> records = np.array([list(b"+7\x14\x14\0"), list(b"+9\x14\x14\0")], dtype=np.uint8)
    >>> read_record_onsets("night.edf", records, 1.0, 100.0)
    array([0., 2.])
    """
    onsets = np.array([parse_record_onset(record.tobytes()) for record in records])
    missing = np.flatnonzero(np.isnan(onsets))
    if missing.size:
        found = records[missing[0]].tobytes().rstrip(b"\0")[:40]
        remedy = "it does not say when the record starts; export the recording again as EDF+C"
        raise edf_error(path, _onset_field(missing[0]), found, remedy)
    onsets -= onsets[0]
    tolerance = 0.5 / sampling_frequency
    if np.abs(onsets - np.arange(len(onsets)) * record_duration).max() < tolerance:
        return None
    _check_order(path, onsets, record_duration - tolerance)
    return _join_runs(onsets, record_duration, tolerance)


def _join_runs(
    onsets: NDArray[np.float64], record_duration: float, tolerance: float
) -> NDArray[np.float64]:
    """Return the onsets with those of a run of records exactly one record apart."""
    steady = np.arange(len(onsets)) * record_duration
    lateness = (onsets - steady).tolist()
    run_lateness = lateness[0]
    for record, seconds in enumerate(lateness):
        if abs(seconds - run_lateness) >= tolerance:
            run_lateness = seconds
        lateness[record] = run_lateness
    return steady + lateness


def _check_order(path: str, onsets: NDArray[np.float64], shortest_step: float) -> None:
    steps = np.diff(onsets)
    backwards = np.flatnonzero(steps <= 0)
    if backwards.size:
        record = backwards[0] + 1
        remedy = (
            f"seconds from the first record, but the record before starts at {onsets[record - 1]}; "
            "records must be in order of time, so sort them or export the recording again"
        )
        raise edf_error(path, _onset_field(record), float(onsets[record]), remedy)
    if onsets[-1] > _LONGEST_RECORDING:
        record = int(np.argmax(onsets > _LONGEST_RECORDING))
        remedy = "seconds from the first record, more than a month; correct it or split the file"
        raise edf_error(path, _onset_field(record), float(onsets[record]), remedy)
    overlaps = np.flatnonzero(steps < shortest_step)
    if overlaps.size:
        record = overlaps[0] + 1
        reason = (
            f"{overlaps.size} records start before the end of the record in front; where they "
            "overlap, the samples of the later one are used"
        )
        found = float(onsets[record])
        warn_repair(path, _onset_field(record), found, "this onset", reason)


def _onset_field(record: int) -> str:
    return f"timekeeping annotation of data record {record + 1}"
