"""The errors and warnings of sklearn_sleep, one class for each thing that can go wrong.

::

    SleepError
        EDFError, a ValueError too
        HypnogramError, a ValueError too
        TrainingError, a ValueError too
    SleepWarning, a UserWarning
        BatchNormWarning
        CacheWarning
        CohortWarning
        ConstantSignalWarning
        EDFWarning
            EDFRepairWarning
        HypnogramWarning
        MaskedSignalWarning
        MissingSignalWarning
        SharedSubjectWarning
        SignalQualityWarning
        SplitNightWarning
        StageSchemeWarning
"""


class SleepError(Exception):
    """Base of the errors."""


class EDFError(SleepError, ValueError):
    """A file is not EDF or BDF, or what was asked of it cannot be read."""


class HypnogramError(SleepError, ValueError):
    """An annotation file does not give a hypnogram; the message says where it fails."""


class TrainingError(SleepError, ValueError):
    """A training diverged: a loss, a gradient or a weight is no finite number."""


class SleepWarning(UserWarning):
    """Base of the warnings."""


class EDFWarning(SleepWarning):
    """A recording could not be read as asked, and the others went on without it."""


class EDFRepairWarning(EDFWarning):
    """A header field was wrong and a sound value was used in its place."""


class HypnogramWarning(SleepWarning):
    """An annotation file gives a hypnogram, but part of it is missing or does not fit."""


class BatchNormWarning(SleepWarning):
    """A network with batch norm is trained on nights that are computed one by one."""


class CacheWarning(SleepWarning):
    """What is kept on disk is damaged or cannot be written; it is computed again."""


class CohortWarning(SleepWarning):
    """A cohort's folder holds something else than its layout says; the rest was loaded."""


class ConstantSignalWarning(SleepWarning):
    """A signal has the same value for a whole night, as of a sensor that is off."""


class MaskedSignalWarning(SleepWarning):
    """A signal was (almost) always masked in training, so that nothing was learned from it."""


class MissingSignalWarning(SleepWarning):
    """A recording has none of the signals that were asked for."""


class SharedSubjectWarning(SleepWarning):
    """A person stands in two parts of a split, so that a model is tested on one it knows."""


class SignalQualityWarning(SleepWarning):
    """A signal of a night looks unfit: flat, clipped, noisy, upside down or in a wrong unit."""


class SplitNightWarning(SleepWarning):
    """``fit`` was given part of a night, so that the rest may stand in a test fold."""


class StageSchemeWarning(SleepWarning):
    """Integers are taken for AASM's five stages, but may be classes that were merged before."""
