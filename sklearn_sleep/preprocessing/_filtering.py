"""Zero-phase filtering of one signal that may have gaps."""

from __future__ import annotations

from math import isfinite

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, iirnotch, sosfiltfilt, tf2sos

__all__ = ["filter_samples"]

NOTCH_QUALITY = 30.0
"""Notch frequency over its -3 dB width: 1.7 Hz at 50 Hz, as in SciPy's ``iirnotch`` example."""

Samples = npt.NDArray[np.float32]


def filter_samples(
    samples: npt.ArrayLike,
    sampling_frequency: float,
    low_frequency: float | None,
    high_frequency: float | None,
    *,
    order: int = 4,
    notch_frequency: float | None = None,
) -> Samples:
    """Filter a signal forwards and backwards, so that nothing is shifted in time.

    A Butterworth filter in second-order sections keeps what lies between the two frequencies.

    Parameters
    ----------
    samples : array-like of shape (n_samples,)
        One signal, in any unit; NaN where it is missing.
    sampling_frequency : float
        Samples per second, in Hz.
    low_frequency : float or None
        Lower edge of what is kept, in Hz; None keeps everything below (low-pass).
    high_frequency : float or None
        Upper edge of what is kept, in Hz; None keeps everything above (high-pass).
    order : int, default=4
        Order of the Butterworth filter at each edge. It runs twice, so that an edge is
        attenuated by 6 dB and the slope is that of twice the order.
    notch_frequency : float, optional
        Mains frequency to take out as well, 50 or 60 Hz (quality 30: 1.7 or 2 Hz wide).

    Returns
    -------
    ndarray of shape (n_samples,), float32
        The filtered signal, in the unit of `samples`; NaN where the input is NaN.

    Raises
    ------
    ValueError
        If no frequency is given, if one is not between 0 and half the sampling frequency, if
        `low_frequency` is not below `high_frequency`, if `order` is below 1 or if `samples` is
        not 1-D.

    Notes
    -----
    Each run of samples between two gaps is filtered on its own, mirrored about its end points.
    Filling the gap instead would make the filter ring at the artificial corners. The first and
    last period of `low_frequency` in a run are less sure, as with any filter.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sleep.preprocessing._filtering import filter_samples
    >>> seconds = np.arange(12_000) / 100
    >>> breathing = np.sin(2 * np.pi * 0.25 * seconds)
    >>> mains = np.sin(2 * np.pi * 50 / 3 * seconds)
    >>> filtered = filter_samples(breathing + mains + 8.0, 100.0, 0.05, 2.0)
    >>> float(np.abs(filtered - breathing)[5000:-5000].max().round(2))
    0.0
    """
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1:
        raise ValueError(
            f"samples must be one signal, of shape (n_samples,), but has shape {samples.shape}; "
            "filter each signal on its own."
        )
    sections = _design(sampling_frequency, low_frequency, high_frequency, order, notch_frequency)
    # What SciPy mirrors at each end at the most; a longer mirror measured no better.
    mirrored = 3 * (2 * len(sections) + 1)
    filtered = np.full(samples.size, np.nan, dtype=np.float32)
    for start, stop in _present_runs(samples):
        run = samples[start:stop].astype(np.float64)
        pad_length = None if run.size > mirrored else run.size - 1
        filtered[start:stop] = sosfiltfilt(sections, run, padlen=pad_length)
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
    sections = []
    if low_frequency is not None and high_frequency is not None:
        if low_frequency >= high_frequency:
            raise ValueError(
                f"low_frequency ({low_frequency} Hz) must be below high_frequency "
                f"({high_frequency} Hz): they are the edges of what is kept."
            )
        edges = [low_frequency, high_frequency]
        sections.append(butter(order, edges, "bandpass", fs=sampling_frequency, output="sos"))
    elif low_frequency is not None:
        sections.append(
            butter(order, low_frequency, "highpass", fs=sampling_frequency, output="sos")
        )
    elif high_frequency is not None:
        sections.append(
            butter(order, high_frequency, "lowpass", fs=sampling_frequency, output="sos")
        )
    if notch_frequency is not None:
        notch = iirnotch(notch_frequency, NOTCH_QUALITY, fs=sampling_frequency)
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


def _present_runs(samples: Samples) -> list[tuple[int, int]]:
    """Give (start, stop) of each run without NaN."""
    present = np.concatenate([[False], ~np.isnan(samples), [False]])
    edges = np.flatnonzero(present[1:] != present[:-1])
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
