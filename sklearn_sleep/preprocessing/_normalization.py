"""Normalisation of one signal: over the whole night, or from its past alone."""

from __future__ import annotations

from math import isfinite

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

__all__ = ["causal_normalize", "zscore"]

SMALLEST_STANDARD_DEVIATION = 1e-6
"""Floor of the divisor, as in the published wav2sleep pipeline: a flat signal gives zeros."""

SHORTEST_BLOCK = 32
"""Samples of variance solved together at the least; below that, a call costs more than it saves."""

CONVERGED = 1e-10
"""Relative change of the held residuals at which a block is solved."""

Samples = npt.NDArray[np.float32]


def zscore(samples: npt.ArrayLike, *, padded_length: int | None = None) -> Samples:
    """Take the night's mean off a signal and divide by its standard deviation.

    The standard deviation is the unbiased one (divided by n - 1, as ``torch.std``) and at least
    1e-6, as in the published wav2sleep pipeline.

    Parameters
    ----------
    samples : array-like of shape (n_samples,)
        One signal, in any unit; NaN is left out of the statistics and stays NaN.
    padded_length : int, optional
        Take the statistics as if zeros followed `samples` up to this many samples. The published
        pipeline pads each night to ten hours before it normalises. A signal that is as long or
        longer is not padded.

    Returns
    -------
    ndarray of shape (n_samples,), float32
        The signal without unit; zeros where it was constant.

    Raises
    ------
    ValueError
        If `samples` is not 1-D.

    References
    ----------
    .. [1] J. F. Carter and L. Tarassenko, "wav2sleep: A unified multi-modal approach to sleep
       stage classification from physiological signals", ML4H 2024.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing._normalization import zscore
    >>> zscore([1.0, 2.0, float("nan"), 3.0])
    array([-1.,  0., nan,  1.], dtype=float32)
    """
    samples = _one_signal(samples)
    present, is_present = _without_missing(samples)
    if present.size == 0:
        return samples.copy()
    # Taking the first sample off keeps a constant signal exactly zero, whatever its level.
    offset = float(present[0])
    centred = present.astype(np.float64) - offset
    mean = centred.mean()
    centred -= mean
    # Not a product of BLAS, whose last digit depends on how many threads share it.
    squares = float(np.einsum("i,i->", centred, centred))

    n_zeros = max((padded_length or 0) - samples.size, 0)
    n_counted = present.size + n_zeros
    level = offset + mean
    padded_level = level * present.size / n_counted
    squares += present.size * (level - padded_level) ** 2 + n_zeros * padded_level**2
    deviation = max(np.sqrt(squares / max(n_counted - 1, 1)), SMALLEST_STANDARD_DEVIATION)

    centred += level - padded_level
    centred /= deviation
    return _with_missing(centred, is_present)


def causal_normalize(
    samples: npt.ArrayLike,
    sampling_frequency: float,
    *,
    variance_time_constant: float = 900.0,
    baseline_time_constant: float = 120.0,
    outlier_threshold: float = 4.0,
    minimum_standard_deviation: float = 0.1,
    padded_length: int | None = None,
) -> Samples:
    """Normalise each sample by what came before it, with exponential moving averages.

    The baseline ``m`` and the variance ``v`` follow the signal ``x`` sample by sample::

        m[t] = a * x[t] + (1 - a) * m[t - 1]        a = 1 / (baseline_time_constant * fs)
        r[t] = x[t] - m[t], held within outlier_threshold standard deviations of time t - 1
        v[t] = b * r[t] ** 2 + (1 - b) * v[t - 1]   b = 1 / (variance_time_constant * fs)

    and the output is ``(x[t] - m[t]) / sqrt(v[t])``, where no standard deviation counts as less
    than `minimum_standard_deviation`. They start from the mean and variance of a warm-up: the
    shorter of the two time constants, at most a tenth of the (padded) signal. Defaults are those
    of the published wav2sleep pipeline.

    Parameters
    ----------
    samples : array-like of shape (n_samples,)
        One signal, in any unit; NaN does not enter the averages and stays NaN.
    sampling_frequency : float
        Samples per second, in Hz.
    variance_time_constant, baseline_time_constant : float, default=900.0, 120.0
        Memory of the averages, in seconds.
    outlier_threshold : float, default=4.0
        Standard deviations beyond which a sample is held back from the variance. The output
        itself is not clipped.
    minimum_standard_deviation : float, default=0.1
        Floor of the divisor, in the unit of `samples`.
    padded_length : int, optional
        Length in samples, zeros at the end included, of which the warm-up may take a tenth. The
        published pipeline pads each night to ten hours before it normalises.

    Returns
    -------
    ndarray of shape (n_samples,), float32
        The signal without unit.

    Raises
    ------
    ValueError
        If `samples` is not 1-D, or a parameter is not positive, or a time constant is shorter
        than one sample.

    Notes
    -----
    Holding outliers back makes the variance a nonlinear recursion. It is solved block by block:
    with the held residuals taken as known it is a linear filter, and a few rounds of filtering
    and holding settle it to 1e-10.

    References
    ----------
    .. [1] J. F. Carter and L. Tarassenko, "wav2sleep: A unified multi-modal approach to sleep
       stage classification from physiological signals", ML4H 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sleep.preprocessing._normalization import causal_normalize
    >>> noise = np.random.default_rng(0).normal(70.0, 5.0, size=36_000)
    >>> float(causal_normalize(noise, 10.0)[18_000:].std().round(1))
    1.0
    """
    samples = _one_signal(samples)
    _check_positive(
        sampling_frequency=sampling_frequency,
        outlier_threshold=outlier_threshold,
        minimum_standard_deviation=minimum_standard_deviation,
    )
    baseline_step = _step("baseline_time_constant", baseline_time_constant, sampling_frequency)
    variance_step = _step("variance_time_constant", variance_time_constant, sampling_frequency)
    present, is_present = _without_missing(samples)
    if present.size == 0:
        return samples.copy()
    signal = present.astype(np.float64)
    n_zeros = max((padded_length or 0) - samples.size, 0)
    longest = int(min(baseline_time_constant, variance_time_constant) * sampling_frequency)
    warm_up = _warm_up(signal, max(1, min(longest, (samples.size + n_zeros) // 10)), n_zeros)
    residual = signal - _moving_average(signal, baseline_step, float(warm_up.mean()))
    floor = minimum_standard_deviation**2
    variance = _clipped_variance(
        residual**2,
        variance_step,
        start=max(float(warm_up.var()), floor, SMALLEST_STANDARD_DEVIATION),
        floor=floor,
        threshold=outlier_threshold**2,
    )
    residual /= np.sqrt(np.maximum(variance, floor))
    return _with_missing(residual, is_present)


def _one_signal(samples: npt.ArrayLike) -> Samples:
    """Give the samples as one float32 signal."""
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1:
        raise ValueError(
            f"samples must be one signal, of shape (n_samples,), but has shape {samples.shape}; "
            "normalise each signal on its own."
        )
    return samples


def _check_positive(**parameters: float) -> None:
    """Raise if a parameter is not a number above 0."""
    for name, value in parameters.items():
        if not (isfinite(value) and value > 0):
            raise ValueError(f"{name} must be above 0, got {value}.")


def _step(name: str, time_constant: float, sampling_frequency: float) -> float:
    """Give the weight of one sample in a moving average of this time constant."""
    _check_positive(**{name: time_constant})
    step = 1.0 / (time_constant * sampling_frequency)
    if step > 1.0:
        raise ValueError(
            f"{name} is {time_constant} s, shorter than one sample at {sampling_frequency} Hz; "
            f"it must be at least {1.0 / sampling_frequency:g} s."
        )
    return step


def _without_missing(samples: Samples) -> tuple[Samples, npt.NDArray[np.bool_] | None]:
    """Give the samples that are not NaN, and where they stand (None: everywhere)."""
    # min() is NaN if any sample is, and needs no array of flags.
    if samples.size == 0 or not np.isnan(samples.min()):
        return samples, None
    is_present = ~np.isnan(samples)
    return samples[is_present], is_present


def _with_missing(
    values: npt.NDArray[np.float64], is_present: npt.NDArray[np.bool_] | None
) -> Samples:
    """Put values back in their places among NaN."""
    if is_present is None:
        return values.astype(np.float32)
    samples = np.full(is_present.size, np.nan, dtype=np.float32)
    samples[is_present] = values
    return samples


def _warm_up(signal: npt.NDArray[np.float64], size: int, n_zeros: int) -> npt.NDArray[np.float64]:
    """Give the start of the signal from which the averages begin, zeros of the padding included."""
    start = signal[:size]
    return np.concatenate([start, np.zeros(min(size - start.size, n_zeros))])


def _moving_average(
    signal: npt.NDArray[np.float64], step: float, start: float
) -> npt.NDArray[np.float64]:
    """Follow the signal with weight `step`; the first value is `start` itself."""
    average = np.empty_like(signal)
    average[0] = start
    average[1:], _ = lfilter([step], [1.0, step - 1.0], signal[1:], zi=[(1.0 - step) * start])
    return average


def _clipped_variance(
    squares: npt.NDArray[np.float64], step: float, start: float, floor: float, threshold: float
) -> npt.NDArray[np.float64]:
    """Follow squared residuals held at `threshold` times the variance one sample before."""
    variance = np.empty(squares.size)
    variance[0] = start
    # Short enough that, even with every sample held, an error shrinks from round to round.
    length = max(SHORTEST_BLOCK, int(1.0 / (step * threshold)))
    for first in range(1, squares.size, length):
        block = variance[first - 1 : first + length]
        block_squares = squares[first : first + length]
        held = np.minimum(block_squares, threshold * max(block[0], floor))
        # Each round settles at least one more sample for good, so these many always suffice.
        for _ in range(block_squares.size):
            state = [(1.0 - step) * block[0]]
            block[1:], _ = lfilter([step], [1.0, step - 1.0], held, zi=state)
            limit = threshold * np.maximum(block[:-1], floor)
            previous, held = held, np.minimum(block_squares, limit)
            if not np.any(np.abs(held - previous) > CONVERGED * limit):
                break
    return variance
