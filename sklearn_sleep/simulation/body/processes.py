"""Random processes and wave trains from which the synthetic signals are made."""

from collections.abc import Callable

import numpy as np
from scipy import signal as scipy_signal

from sklearn_sleep.core.arrays import FloatArray

_EVENTS_PER_CHUNK = 2048  # keeps the (events, samples) matrices of a night below some 10 MB


def smooth_noise(
    rng: np.random.Generator, n_samples: int, sampling_frequency: float, time_constant: float
) -> FloatArray:
    """Return an Ornstein-Uhlenbeck process of unit variance, (n_samples,); Hz and s."""
    memory = np.exp(-1.0 / (sampling_frequency * time_constant))
    innovation = rng.standard_normal(n_samples)
    start = memory * rng.standard_normal(1)  # a draw of the process itself: no transient
    noise, _ = scipy_signal.lfilter(
        [np.sqrt(1.0 - memory**2)], [1.0, -memory], innovation, zi=start
    )
    return noise


def band_noise(
    rng: np.random.Generator, n_samples: int, sampling_frequency: float, band: tuple[float, float]
) -> FloatArray:
    """Return noise of unit variance within a band in Hz, cut at 45% of the rate, (n_samples,)."""
    corners = (band[0], min(band[1], 0.45 * sampling_frequency))
    sections = scipy_signal.butter(2, corners, "bandpass", fs=sampling_frequency, output="sos")
    noise = scipy_signal.sosfilt(sections, rng.standard_normal(n_samples))
    return noise / noise.std()


def pink_noise(
    rng: np.random.Generator, n_samples: int, sampling_frequency: float, lowest: float = 0.25
) -> FloatArray:
    """Return noise of unit variance whose power falls as 1/f above a frequency in Hz, (n_samples,).

    Poles and zeros that alternate at equal steps of log frequency make a slope of -10 dB a
    decade (Keshner 1982, "1/f noise", Proc. IEEE 70:212-218).
    """
    n_pairs = int(np.ceil(np.log2(0.5 * sampling_frequency / lowest) / 2.0))
    corners = lowest * 4.0 ** np.arange(n_pairs)
    poles = np.exp(-2.0 * np.pi * corners / sampling_frequency)
    zeros = np.exp(-2.0 * np.pi * 2.0 * corners / sampling_frequency)
    sections = scipy_signal.zpk2sos(zeros, poles, 1.0)
    noise = scipy_signal.sosfilt(sections, rng.standard_normal(n_samples))
    return noise / noise.std()


def add_waves(
    signal: FloatArray,
    sampling_frequency: float,
    times: FloatArray,
    span: tuple[float, float],
    wave: Callable[[FloatArray, slice], FloatArray],
) -> None:
    """Add a wave at each time in s, between samples, in place; ends beyond the signal are left out.

    ``wave(lag, events)`` gives the wave at `lag` (n, n_lags) seconds after the `events`, a slice of
    `times` (ascending), and is zero outside of `span` in s.
    """
    offsets = np.arange(int(np.ceil((span[1] - span[0]) * sampling_frequency)))
    for begin in range(0, len(times), _EVENTS_PER_CHUNK):
        events = slice(begin, begin + _EVENTS_PER_CHUNK)
        first = np.ceil((times[events] + span[0]) * sampling_frequency).astype(np.int64)
        index = first[:, None] + offsets
        values = wave(index / sampling_frequency - times[events, None], events)
        inside = (index >= 0) & (index < len(signal))
        index, values = index[inside], values[inside]
        if index.size:
            low = int(index.min())
            summed = np.bincount(index - low, weights=values)
            signal[low : low + len(summed)] += summed


def add_gaussian_waves(
    signal: FloatArray,
    sampling_frequency: float,
    centres: FloatArray,
    width: float | FloatArray,
    amplitude: float | FloatArray,
) -> None:
    """Add Gaussian waves around centres in s (ascending), in place; widths are deviations in s."""
    if not len(centres):
        return
    widths = np.broadcast_to(np.asarray(width, dtype=np.float64), centres.shape)
    amplitudes = np.broadcast_to(np.asarray(amplitude, dtype=np.float64), centres.shape)
    reach = 4.0 * float(widths.max())

    def wave(lag: FloatArray, events: slice) -> FloatArray:
        heights = amplitudes[events, None]
        return heights * np.exp(-0.5 * (lag / widths[events, None]) ** 2)

    add_waves(signal, sampling_frequency, centres, (-reach, reach), wave)
