"""What is said of a field of an EDF or BDF file that is wrong."""

from __future__ import annotations

import warnings

from sklearn_sleep.exceptions import EDFError, EDFRepairWarning


def edf_error(
    path: str, field: str, found: object, remedy: str, *, channel: str | None = None
) -> EDFError:
    """Return the error for a field that cannot be read.

    Parameters
    ----------
    path : str
        The file.
    field : str
        Name of the field in the EDF specification.
    found : object
        What the field holds.
    remedy : str
        Why that cannot be read, and what to do.
    channel : str, optional
        Label of the channel whose field it is.

    Returns
    -------
    EDFError
        To be raised by the caller.

    Examples
    --------
    >>> print(edf_error("a.edf", "number of signals", "x", "copy the file again"))
    a.edf: field 'number of signals': found 'x'; copy the file again
    """
    return EDFError(f"{_place(path, field, channel)}: found {found!r}; {remedy}")


def warn_repair(
    path: str, field: str, found: object, used: object, reason: str, *, channel: str | None = None
) -> None:
    """Warn that a sound value stands in for a bad field.

    Parameters
    ----------
    path, field, found, channel
        As in `edf_error`.
    used : object
        The value in its place, shown with `str`.
    reason : str
        Why the field was bad, or why the value is sound.

    Warns
    -----
    EDFRepairWarning
        Always.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_repair("a.edf", "startdate", "31-02-85", "none", "no such day")
    >>> print(caught[0].message)
    a.edf: field 'startdate': found '31-02-85', used none (no such day)
    """
    message = f"{_place(path, field, channel)}: found {found!r}, used {used} ({reason})"
    warnings.warn(message, EDFRepairWarning, stacklevel=3)


def _place(path: str, field: str, channel: str | None) -> str:
    return f"{path}: field '{field}'" + ("" if channel is None else f" of channel '{channel}'")
