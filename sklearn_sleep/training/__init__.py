"""Training of networks on whole nights with skorch."""

from sklearn_sleep.training.augmentation import Augmentation
from sklearn_sleep.training.callbacks.resumable import ResumableCheckpoint
from sklearn_sleep.training.callbacks.weight_average import WeightAverage
from sklearn_sleep.training.schedule import ValidationNights, WarmUpDecay

__all__ = [
    "Augmentation",
    "ResumableCheckpoint",
    "ValidationNights",
    "WarmUpDecay",
    "WeightAverage",
]
