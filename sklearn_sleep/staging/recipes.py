"""Sizes of network and training for cohorts of tens of nights."""

from collections.abc import Collection
from typing import Any

from sklearn_sleep.core.signals import INSTANTANEOUS_HEART_RATE
from sklearn_sleep.training.augmentation import Augmentation
from sklearn_sleep.training.schedule import ValidationNights

# What docs/small-cohorts.md was measured on, and some way beyond.
_MOST_NIGHTS = 200
# Nights that a training shows in all its passes.
_NIGHTS_SHOWN = 1000
_FEWEST_PASSES, _MOST_PASSES = 30, 100
# With fewer, the nights are worth more in training than what they tell about when to stop.
_SUBJECTS_TO_VALIDATE = 100


def recipe_for(n_nights: int, signals: Collection[str] = ()) -> dict[str, Any]:
    """Return the parameters of `Wav2SleepClassifier` for a number of training nights, by name.

    The published network and its schedule are for thousands of nights. Up to 200 nights, it is a
    network of half the width; a context of twenty minutes instead of hours, with which tens of
    nights are not learnt by heart; more dropout; time shifts, changes of speed and noise; signals
    that are masked less often, with probability 0.3 each; batches of two nights, for more steps; as
    many passes as show 1000 nights, at least 30 and at most 100; and no validation nights below 100
    subjects. For more nights it is the published one. Of a single signal, and with the
    instantaneous heart rate among them, it is a network of a quarter of the width, with more
    dropout still. The figures come from the learning curves in ``docs/small-cohorts.md``, over 5 to
    50 synthetic nights of two hours.
    """
    if n_nights > _MOST_NIGHTS:
        return {}
    passes = round(_NIGHTS_SHOWN / max(n_nights, 1))
    is_narrow = len(signals) == 1 or INSTANTANEOUS_HEART_RATE.name in signals
    width = 32 if is_narrow else 64
    return {
        "module__feature_dim": width,
        "module__initial_channels": 8,
        "module__max_channels": width,
        "module__mixer_heads": 4,
        "module__mixer_feedforward_dim": 128,
        "module__sequence_blocks": 1,
        "module__sequence_dilations": 3,
        "module__dropout": 0.4 if is_narrow else 0.2,
        "mask_probability": dict.fromkeys(("ECG", "PPG", "ABD", "THX"), 0.3),
        "batch_size": 2,
        "lr": 3e-3,
        "max_epochs": min(max(passes, _FEWEST_PASSES), _MOST_PASSES),
        "train_split": ValidationNights(minimum_subjects=_SUBJECTS_TO_VALIDATE),
        "augmentation": Augmentation(time_shift=0.5, speed_change=0.1, noise=0.2),
    }
