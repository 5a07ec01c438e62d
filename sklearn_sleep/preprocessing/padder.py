"""Padder: silence after the end of a recording."""

import math
from numbers import Real
from typing import Any, ClassVar

from sklearn_sleep.core.parameter_constraints import Interval
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.preprocessing.base import RecordingTransformer

_SECONDS_PER_HOUR = 3600.0


class Padder(RecordingTransformer):
    """Make each recording at least so long, by epochs without samples after its end.

    The published wav2sleep takes nights of ten hours and fills up shorter ones with zeros, which
    enter the normalization and the network. To do the same, put this step before
    ``Resampler(method="linear")``, which gives 0 where there are no samples; after any other step
    the epochs are missing. Rows stay what they are: they name epochs of the recording, and the
    padding is context. Longer recordings are left whole (the published code cuts them off).

    Parameters
    ----------
    hours : float, default=10.0
        Shortest duration, in h.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing import EDFReader, Epocher, Resampler
    >>> epochs = EDFReader(["EEG"]).fit_transform("tests/data/sleep-edf-5min.edf")
    >>> for step in Padder(hours=0.5), Resampler(method="linear"), Epocher():
    ...     epochs = step.fit_transform(epochs)
    >>> epochs
    Epochs(10 rows over 1 recording)
    >>> epochs.recordings[0].signals["EEG"].data.shape
    (60, 4096)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "hours": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, hours: float = 10.0) -> None:
        self.hours = hours

    def transform_signal(self, signal: Signal) -> Signal:
        """Return the signal with the same samples and more epochs to come."""
        signal.require_continuous(type(self).__name__)
        shortest = math.ceil(self.hours * _SECONDS_PER_HOUR / EPOCH_DURATION)
        return signal.map(lambda samples: samples, n_epochs=max(signal.n_epochs, shortest))
