"""Steps from EDF files to model-ready epochs."""

from sklearn_sleep.preprocessing.base import RecordingTransformer
from sklearn_sleep.preprocessing.edf_reader import EDFReader
from sklearn_sleep.preprocessing.epocher import Epocher
from sklearn_sleep.preprocessing.filter import Filter
from sklearn_sleep.preprocessing.normalizer import Normalizer
from sklearn_sleep.preprocessing.padder import Padder
from sklearn_sleep.preprocessing.recording_cache import RecordingCache
from sklearn_sleep.preprocessing.resampler import Resampler

__all__ = [
    "EDFReader",
    "Epocher",
    "Filter",
    "Normalizer",
    "Padder",
    "RecordingCache",
    "RecordingTransformer",
    "Resampler",
]
