"""Filter: zero-phase band-pass and notch filters."""

from collections.abc import Mapping
from functools import partial
from math import isfinite
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, iirnotch, sosfiltfilt, tf2sos

from sklearn_sleep.core.arrays import SampleArray
from sklearn_sleep.core.parameter_constraints import Interval
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.preprocessing.base import RecordingTransformer, as_one_signal, missing_samples

# Notch frequency over its -3 dB width: 1.7 Hz at 50 Hz, as in SciPy's ``iirnotch`` example.
_NOTCH_QUALITY = 30.0


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

    def _names_of_signals(self) -> dict[str, Mapping[str, float]]:
        names = ("low_frequency", "high_frequency", "notch_frequency")
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if isinstance(value, Mapping)}

    def transform_signal(self, signal: Signal) -> Signal:
        """Return the filtered signal, which must not yet be cut into epochs."""
        signal.require_continuous(type(self).__name__)
        highest = signal.sampling_frequency / 2
        wanted: dict[str, Any] = dict.fromkeys(
            ("low_frequency", "high_frequency", "notch_frequency")
        )
        for name in wanted:
            frequency = getattr(self, name)
            if isinstance(frequency, Mapping):
                frequency = frequency.get(signal.name)
            if frequency is None:
                continue
            if not (isinstance(frequency, int | float | np.number) and frequency > 0):
                raise ValueError(
                    f"{name} must be above 0 Hz, got {frequency!r}; None leaves it out."
                )
            if frequency >= highest:
                raise ValueError(
                    f"{name}={frequency:g} Hz is too high for {signal.name}, which is sampled at "
                    f"{signal.sampling_frequency:g} Hz and holds frequencies below {highest:g} Hz. "
                    f"Give it by signal: Filter({name}={{'EEG': {frequency:g}}})."
                )
            wanted[name] = frequency
        low, high, _ = wanted.values()
        if low is not None and high is not None and low >= high:
            raise ValueError(
                f"low_frequency={low:g} Hz must be below high_frequency={high:g} Hz for "
                f"{signal.name}: they are the edges of what is kept."
            )
        if all(frequency is None for frequency in wanted.values()):
            return signal
        rate = signal.sampling_frequency
        return signal.map(
            partial(filter_samples, sampling_frequency=rate, order=self.order, **wanted)
        )


def filter_samples(
    samples: npt.ArrayLike,
    sampling_frequency: float,
    low_frequency: float | None,
    high_frequency: float | None,
    *,
    order: int = 4,
    notch_frequency: float | None = None,
) -> SampleArray:
    """Filter a signal forwards and backwards, so that nothing is shifted in time; NaN stays NaN."""
    # Each run of samples between two gaps is filtered on its own, mirrored about its end points:
    # filling the gap instead would make the filter ring at the artificial corners.
    samples = as_one_signal(samples, "filter")
    sections = _design(sampling_frequency, low_frequency, high_frequency, order, notch_frequency)
    # What SciPy mirrors at each end at the most; a longer mirror measured no better.
    mirrored = 3 * (2 * len(sections) + 1)
    filtered = samples.copy()
    for start, stop in _present_runs(samples):
        # Without its offset, so that of a signal that stands still no rounding is left.
        offset = float(samples[start])
        run = samples[start:stop].astype(np.float64) - offset
        pad_length = None if run.size > mirrored else run.size - 1
        run = sosfiltfilt(sections, run, padlen=pad_length)
        filtered[start:stop] = run if low_frequency else run + offset
    return filtered


def _design(
    sampling_frequency: float,
    low_frequency: float | None,
    high_frequency: float | None,
    order: int,
    notch_frequency: float | None,
) -> npt.NDArray[np.float64]:
    """Give the second-order sections of the whole filter."""
    if not (isfinite(sampling_frequency) and sampling_frequency > 0):
        raise ValueError(f"sampling_frequency must be above 0 Hz, got {sampling_frequency}.")
    if order < 1:
        raise ValueError(f"order must be 1 or more, got {order}.")
    _check_frequency("low_frequency", low_frequency, sampling_frequency)
    _check_frequency("high_frequency", high_frequency, sampling_frequency)
    _check_frequency("notch_frequency", notch_frequency, sampling_frequency)
    edges = [edge for edge in (low_frequency, high_frequency) if edge is not None]
    if len(edges) == 2 and edges[0] >= edges[1]:
        raise ValueError(
            f"low_frequency ({low_frequency} Hz) must be below high_frequency "
            f"({high_frequency} Hz): they are the edges of what is kept."
        )
    sections = []
    if edges:
        of_one = "lowpass" if low_frequency is None else "highpass"
        kind = "bandpass" if len(edges) == 2 else of_one
        sections.append(butter(order, np.squeeze(edges), kind, fs=sampling_frequency, output="sos"))
    if notch_frequency is not None:
        notch = iirnotch(notch_frequency, _NOTCH_QUALITY, fs=sampling_frequency)
        sections.append(tf2sos(*notch))
    if not sections:
        raise ValueError(
            "There is nothing to filter: give low_frequency, high_frequency or notch_frequency."
        )
    return np.concatenate(sections)


def _check_frequency(name: str, frequency: float | None, sampling_frequency: float) -> None:
    """Raise if a frequency cannot be filtered at this sampling frequency."""
    if frequency is None:
        return
    if not frequency > 0:
        raise ValueError(f"{name} must be above 0 Hz, got {frequency}; None leaves it out.")
    if frequency >= sampling_frequency / 2:
        raise ValueError(
            f"{name} is {frequency} Hz, but a signal sampled at {sampling_frequency} Hz holds only "
            f"frequencies below {sampling_frequency / 2} Hz; choose a lower one or None."
        )


def _present_runs(samples: SampleArray) -> list[tuple[int, int]]:
    """Give (start, stop) of each run of numbers."""
    missing = missing_samples(samples)
    if missing is None:
        return [(0, samples.size)] if samples.size else []
    present = np.concatenate([[False], ~missing, [False]])
    edges = np.flatnonzero(present[1:] != present[:-1])
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
