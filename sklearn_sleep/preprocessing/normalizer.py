"""Normalizer: each signal to zero mean and unit variance, by the night or causally."""

from __future__ import annotations

from functools import partial
from numbers import Real
from typing import Any, ClassVar, Literal

from sklearn_sleep.core.parameter_constraints import Interval, StrOptions
from sklearn_sleep.core.recording import Signal
from sklearn_sleep.preprocessing._normalization import causal_normalize, zscore
from sklearn_sleep.preprocessing.base import RecordingTransformer

__all__ = ["Normalizer"]

_SECONDS_PER_HOUR = 3600.0


class Normalizer(RecordingTransformer):
    """Bring each signal of a night to zero mean and unit variance.

    Missing samples (NaN) take no part in the statistics and stay missing.

    Parameters
    ----------
    method : {"zscore", "causal"}, default="zscore"
        ``"zscore"`` uses the mean and standard deviation of the night. ``"causal"`` follows them
        with exponential moving averages that know only the past (time constants of 120 s and
        900 s, outliers clipped at 4 standard deviations, as the published wav2sleep has them), so
        that the night can be staged while it lasts.
    padded_hours : float, optional
        Take the statistics as if zeros followed the recording up to this duration. The published
        wav2sleep pads to ten hours; ``None`` uses the recording alone.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> epochs = EDFReader(["EEG"]).fit_transform("tests/data/sleep-edf-5min.edf")
    >>> samples = Normalizer().fit_transform(epochs).recordings[0].signals["EEG"].data
    >>> round(float(samples.std(ddof=1)), 4)
    1.0
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "method": [StrOptions({"zscore", "causal"})],
        "padded_hours": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        method: Literal["zscore", "causal"] = "zscore",
        *,
        padded_hours: float | None = None,
    ) -> None:
        self.method = method
        self.padded_hours = padded_hours

    def transform_signal(self, signal: Signal) -> Signal:
        """Return the normalized signal.

        Parameters
        ----------
        signal : Signal
            Not yet cut into epochs.

        Returns
        -------
        Signal
        """
        self._check_continuous(signal)
        rate = signal.sampling_frequency
        padded_length = None
        if self.padded_hours is not None:
            padded_length = round(self.padded_hours * _SECONDS_PER_HOUR * rate)
        if self.method == "zscore":
            return signal.map(partial(zscore, padded_length=padded_length), unit="")
        return signal.map(
            partial(causal_normalize, sampling_frequency=rate, padded_length=padded_length),
            unit="",
        )
