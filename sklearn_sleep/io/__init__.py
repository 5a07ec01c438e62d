"""Files: EDF and BDF, hypnograms in all formats."""

from sklearn_sleep.io.epoch_table import epoch_table
from sklearn_sleep.io.hypnograms.format import AnnotationFile, HypnogramFormat, ReadOptions
from sklearn_sleep.io.hypnograms.formats import HYPNOGRAM_FORMATS
from sklearn_sleep.io.hypnograms.reading import read_hypnogram
from sklearn_sleep.io.hypnograms.stage_annotations import StageAnnotations

__all__ = [
    "HYPNOGRAM_FORMATS",
    "AnnotationFile",
    "HypnogramFormat",
    "ReadOptions",
    "StageAnnotations",
    "epoch_table",
    "read_hypnogram",
]
