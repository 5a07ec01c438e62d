"""Filter: zero-phase band-pass and notch filters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn_sleep.core.parameter_constraints import Interval
from sklearn_sleep.core.recording import Signal
from sklearn_sleep.preprocessing._filtering import filter_samples
from sklearn_sleep.preprocessing.base import RecordingTransformer

__all__ = ["Filter"]


class Filter(RecordingTransformer):
    """Filter signals with a zero-phase Butterworth filter.

    Missing samples (NaN) stay missing and do not spread.

    Parameters
    ----------
    low_frequency, high_frequency : float or mapping of str to float, optional
        Frequencies in Hz below and above which a signal is attenuated; a mapping gives one for
        each signal that is named and leaves the others alone. ``None`` filters nothing on that
        side.
    notch_frequency : float or mapping of str to float, optional
        Mains frequency in Hz to take out.
    order : int, default=4
        Order of the Butterworth filter, which is applied forwards and backwards.

    Examples
    --------
    The filter settings that the AASM manual recommends for the EEG:

    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> epochs = EDFReader(["EEG"]).fit_transform("tests/data/sleep-edf-5min.edf")
    >>> Filter(0.3, 35.0).fit_transform(epochs).recordings[0].signals["EEG"]
    Signal(EEG, 100 Hz, uV)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "low_frequency": [Interval(Real, 0, None, closed="neither"), Mapping, None],
        "high_frequency": [Interval(Real, 0, None, closed="neither"), Mapping, None],
        "notch_frequency": [Interval(Real, 0, None, closed="neither"), Mapping, None],
        "order": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        low_frequency: float | Mapping[str, float] | None = None,
        high_frequency: float | Mapping[str, float] | None = None,
        *,
        notch_frequency: float | Mapping[str, float] | None = None,
        order: int = 4,
    ) -> None:
        self.low_frequency = low_frequency
        self.high_frequency = high_frequency
        self.notch_frequency = notch_frequency
        self.order = order

    def transform_signal(self, signal: Signal) -> Signal:
        """Return the filtered signal.

        Parameters
        ----------
        signal : Signal
            Not yet cut into epochs.

        Returns
        -------
        Signal

        Raises
        ------
        ValueError
            If a frequency is not below half the signal's sampling frequency.
        """
        self._check_continuous(signal)
        low = _of_signal(self.low_frequency, signal.name)
        high = _of_signal(self.high_frequency, signal.name)
        notch = _of_signal(self.notch_frequency, signal.name)
        if low is None and high is None and notch is None:
            return signal
        highest = signal.sampling_frequency / 2
        for name, frequency in (
            ("low_frequency", low),
            ("high_frequency", high),
            ("notch_frequency", notch),
        ):
            if frequency is not None and frequency >= highest:
                raise ValueError(
                    f"{name}={frequency:g} Hz is too high for {signal.name}, which is sampled at "
                    f"{signal.sampling_frequency:g} Hz and holds frequencies below {highest:g} Hz. "
                    f"Give it by signal: Filter({name}={{'EEG': {frequency:g}}})."
                )
        return signal.map(
            partial(
                filter_samples,
                sampling_frequency=signal.sampling_frequency,
                low_frequency=low,
                high_frequency=high,
                order=self.order,
                notch_frequency=notch,
            )
        )


def _of_signal(frequency: float | Mapping[str, float] | None, name: str) -> float | None:
    return frequency.get(name) if isinstance(frequency, Mapping) else frequency
