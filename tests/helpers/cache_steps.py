"""Steps with a RecordingCache that leave a trace of each read, for tests of the cache.

A module of its own, since worker processes import it.
"""

import os
import time
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline

from sklearn_sleep.preprocessing import (
    EDFReader,
    Epocher,
    Normalizer,
    RecordingCache,
    RecordingTransformer,
    Resampler,
)

RATES = {"ECG": 256, "PPG": 256, "ABD": 64, "THX": 64}
SIGNALS = ("ECG", "PPG", "ABD", "THX")


class CountReads(RecordingTransformer):
    """Leave a file for each time that samples are read, whatever process reads them."""

    def __init__(self, folder, seconds=0.0):
        self.folder = folder
        self.seconds = seconds

    def transform_signal(self, signal):
        def count(samples):
            name = f"{signal.name}-{abs(hash(samples.tobytes()))}"
            Path(self.folder, f"{name}-{os.getpid()}-{time.perf_counter_ns()}").touch()
            time.sleep(self.seconds)
            return samples

        return signal.map(count)


class Spread(TransformerMixin, BaseEstimator):
    """The standard deviation of each signal in each epoch."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        spreads = np.zeros((len(X), len(SIGNALS)))
        epoch = X.table["epoch"].to_numpy()
        for number, recording in enumerate(X.recordings):
            rows = X.recording_index == number
            for name, signal in recording.signals.items():
                spreads[rows, SIGNALS.index(name)] = signal.data[epoch[rows]].std(axis=1)
        return np.nan_to_num(spreads)


def reads(folder):
    return len(list(Path(folder).iterdir()))


def steps(cache, counts, signals=SIGNALS, **parameters):
    return make_pipeline(
        EDFReader(list(signals)),
        CountReads(str(counts)),
        Resampler(RATES),
        Normalizer(),
        Epocher(),
        RecordingCache(str(cache), **parameters),
    )


def n_signals(epochs):
    return sum(len(recording.signals) for recording in epochs.recordings)


def read_all(epochs):
    return {
        (recording.path, name): signal.data
        for recording in epochs.recordings
        for name, signal in recording.signals.items()
    }


def read_slowly(path, cache, counts):
    """Return the sum of a night's ECG; half a second passes while it is read."""
    pipeline = steps(cache, counts, signals=["ECG"])
    pipeline.set_params(countreads__seconds=0.5)
    return read_all(pipeline.fit_transform(path))[path, "ECG"].sum()


def files_of(cache):
    return sorted(Path(cache).glob("??/*/*.npy"))
