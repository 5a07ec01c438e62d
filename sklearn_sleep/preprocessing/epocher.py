"""Epocher: whole nights cut into 30-second epochs."""

from functools import partial

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.masking import Float
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.preprocessing.base import RecordingTransformer


class Epocher(RecordingTransformer):
    """Cut each signal into epochs of 30 s, from the recording's start.

    Samples after the last whole epoch are left out; where a signal ends early, NaN takes its
    place.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> epochs = EDFReader(["EEG"]).fit_transform("tests/data/sleep-edf-5min.edf")
    >>> Epocher().fit_transform(epochs).recordings[0].signals["EEG"].data.shape
    (10, 3000)
    """

    def transform_signal(self, signal: Signal) -> Signal:
        """Return the signal with data of shape (n_epochs, samples_per_epoch)."""
        signal.require_continuous(type(self).__name__)
        exact = signal.sampling_frequency * EPOCH_DURATION
        per_epoch = round(exact)
        if abs(exact - per_epoch) > 1e-6 * exact:
            raise ValueError(
                f"30 s of {signal.name} at {signal.sampling_frequency:g} Hz are {exact:g} samples, "
                "which is not a whole number. Put Resampler() before Epocher() in the pipeline."
            )
        cut = partial(split_epochs, n_epochs=signal.n_epochs, samples_per_epoch=per_epoch)
        return signal.map(cut, is_epoched=True)


def split_epochs(
    samples: npt.NDArray[Float], n_epochs: int, samples_per_epoch: int
) -> npt.NDArray[Float]:
    """Return samples, (n_samples,), as (n_epochs, samples_per_epoch), NaN where there are none."""
    missing = n_epochs * samples_per_epoch - len(samples)
    if missing > 0:
        samples = np.append(samples, np.full(missing, np.nan, samples.dtype))
    return samples[: n_epochs * samples_per_epoch].reshape(n_epochs, samples_per_epoch)
