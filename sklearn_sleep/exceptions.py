"""The errors and warnings of sklearn_sleep, one class for each thing that can go wrong."""

from __future__ import annotations

__all__ = [
    "EDFError",
    "EDFRepairWarning",
    "EDFWarning",
    "HypnogramError",
    "HypnogramWarning",
    "MissingSignalWarning",
    "SplitNightWarning",
]


class EDFError(ValueError):
    """A file is not EDF or BDF, or what was asked of it cannot be read.

    The message names the file, the header field and what to do.
    """


class EDFWarning(UserWarning):
    """A recording could not be read as asked, and the others went on without it."""


class EDFRepairWarning(EDFWarning):
    """A header field was wrong and a sound value was used in its place.

    The message names the file, the field, what was found and what was used.
    """


class HypnogramError(ValueError):
    """An annotation file does not give a hypnogram; the message says where it fails."""


class HypnogramWarning(UserWarning):
    """An annotation file gives a hypnogram, but part of it is missing or does not fit."""


class MissingSignalWarning(UserWarning):
    """A recording has none of the signals that were asked for."""


class SplitNightWarning(UserWarning):
    """``fit`` was given part of a night, so that the rest may stand in a test fold."""
