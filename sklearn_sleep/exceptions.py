"""The errors and warnings of sklearn_sleep, one class for each thing that can go wrong."""

from __future__ import annotations

__all__ = [
    "BatchNormWarning",
    "CacheWarning",
    "CohortWarning",
    "ConstantSignalWarning",
    "EDFError",
    "EDFRepairWarning",
    "EDFWarning",
    "HypnogramError",
    "HypnogramWarning",
    "MaskedSignalWarning",
    "MissingSignalWarning",
    "SharedSubjectWarning",
    "SignalQualityWarning",
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


class BatchNormWarning(UserWarning):
    """A network with batch norm is trained on nights that are computed one by one."""


class CacheWarning(UserWarning):
    """A file of a cache is damaged or cannot be written; the night is processed again."""


class CohortWarning(UserWarning):
    """A cohort's folder holds something else than its layout says; the rest was loaded."""


class ConstantSignalWarning(UserWarning):
    """A signal has the same value for a whole night, as of a sensor that is off."""


class MaskedSignalWarning(UserWarning):
    """A signal was (almost) always masked in training, so that nothing was learned from it."""


class MissingSignalWarning(UserWarning):
    """A recording has none of the signals that were asked for."""


class SharedSubjectWarning(UserWarning):
    """A person stands in two parts of a split, so that a model is tested on one it knows."""


class SignalQualityWarning(UserWarning):
    """A signal of a night looks unfit: flat, clipped, noisy, upside down or in a wrong unit."""


class SplitNightWarning(UserWarning):
    """``fit`` was given part of a night, so that the rest may stand in a test fold."""
