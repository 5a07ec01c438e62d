"""Files: EDF and BDF, hypnograms in all formats."""

from sklearn_sleep.io.epoch_table import epoch_table
from sklearn_sleep.io.hypnograms.reading import read_hypnogram

__all__ = ["epoch_table", "read_hypnogram"]
