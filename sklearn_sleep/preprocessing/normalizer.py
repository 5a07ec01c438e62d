"""Normalizer: each signal to zero mean and unit variance, by the night or causally."""

from collections.abc import Callable
from functools import partial
from math import isfinite
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from sklearn_sleep.core.arrays import SampleArray
from sklearn_sleep.core.parameter_constraints import Interval, StrOptions
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.core.units import conversion_factor
from sklearn_sleep.preprocessing.base import RecordingTransformer, as_one_signal, missing_samples

_SECONDS_PER_HOUR = 3600.0
# Floor of the divisor, as in the published wav2sleep pipeline: a flat signal gives zeros.
_SMALLEST_STANDARD_DEVIATION = 1e-6

# Samples of variance solved together at the least; below that, a call costs more than it saves.
_SHORTEST_BLOCK = 32

# Relative change of the held residuals at which a block is solved.
_CONVERGED = 1e-10


class Normalizer(RecordingTransformer):
    """Bring each signal of a night to zero mean and unit variance.

    Missing samples (NaN) take no part in the statistics and stay missing. A signal that stands
    still, but for what float32 rounds off, becomes 0. Signals whose definition has a `typical` mean
    and standard deviation are brought to these, so that their level can be told.

    Parameters
    ----------
    method : {"zscore", "causal"}, default="zscore"
        ``"zscore"`` uses the mean and standard deviation of the night. ``"causal"`` follows them
        with exponential moving averages that know only the past (time constants of 120 s and
        900 s, outliers clipped at 4 standard deviations, as the published wav2sleep has them), so
        that the night can be staged while it lasts. No standard deviation counts as less than 0.1
        of the unit of the signal's definition, whichever `EDFReader` reads it in.
    padded_hours : float, optional
        Take the statistics as if zeros followed the recording up to this duration. The published
        wav2sleep pads to ten hours; ``None`` uses the recording alone.

    References
    ----------
    J. F. Carter and L. Tarassenko, "wav2sleep: A unified multi-modal approach to sleep stage
    classification from physiological signals", ML4H 2024.

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
        """Return the normalized signal, without unit; it must not yet be cut into epochs."""
        signal.require_continuous(type(self).__name__)
        rate = signal.sampling_frequency
        padded_length = None
        if self.padded_hours is not None:
            padded_length = round(self.padded_hours * _SECONDS_PER_HOUR * rate)
        normalize: Callable[..., SampleArray]
        if signal.definition.typical is not None:
            normalize = partial(_standardize, typical=signal.definition.typical)
        elif self.method == "causal":
            normalize = partial(
                causal_normalize, sampling_frequency=rate, padded_length=padded_length
            )
        else:
            normalize = partial(zscore, padded_length=padded_length)
        # Typical values and the smallest deviations are in the definition's unit.
        own_unit = signal.definition.unit or ""
        factor = conversion_factor(signal.unit, own_unit) if signal.unit != own_unit else None
        if factor is None:
            return signal.map(normalize, unit="")
        return signal.map(lambda samples: normalize(samples * np.float32(factor)), unit="")


def zscore(samples: npt.ArrayLike, *, padded_length: int | None = None) -> SampleArray:
    """Take a signal's mean off, and divide by its standard deviation, as if zeros were to follow.

    The deviation is the unbiased one, as ``torch.std``, and at least 1e-6; NaN stays NaN.
    """
    samples = as_one_signal(samples, "normalise")
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
    deviation = np.sqrt(squares / max(n_counted - 1, 1))
    if deviation < 2 * np.spacing(np.float32(abs(level))):
        centred[:] = 0.0
    else:
        centred += level - padded_level
        centred /= max(deviation, _SMALLEST_STANDARD_DEVIATION)
    return _with_missing(samples, centred, is_present)


def _standardize(samples: SampleArray, typical: tuple[float, float]) -> SampleArray:
    """Take a typical mean off samples, (n_samples,), and divide by a typical deviation."""
    mean, deviation = typical
    return (samples - np.float32(mean)) / np.float32(deviation)


def causal_normalize(
    samples: npt.ArrayLike,
    sampling_frequency: float,
    *,
    variance_time_constant: float = 900.0,
    baseline_time_constant: float = 120.0,
    outlier_threshold: float = 4.0,
    minimum_standard_deviation: float = 0.1,
    padded_length: int | None = None,
) -> SampleArray:
    """Normalise each sample by what came before it; time constants are in s, and NaN stays NaN."""
    # The baseline m and the variance v follow the signal x sample by sample:
    #     m[t] = a * x[t] + (1 - a) * m[t - 1]        a = 1 / (baseline_time_constant * fs)
    #     r[t] = x[t] - m[t], held within outlier_threshold standard deviations of time t - 1
    #     v[t] = b * r[t] ** 2 + (1 - b) * v[t - 1]   b = 1 / (variance_time_constant * fs)
    # and the output is (x[t] - m[t]) / sqrt(v[t]), where no standard deviation counts as less than
    # minimum_standard_deviation. They start from the mean and variance of a warm-up: the shorter of
    # the two time constants, at most a tenth of the signal with its padding.
    samples = as_one_signal(samples, "normalise")
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
    # As above.
    offset = float(present[0])
    signal = present.astype(np.float64) - offset
    n_zeros = max((padded_length or 0) - samples.size, 0)
    longest = int(min(baseline_time_constant, variance_time_constant) * sampling_frequency)
    n_warm_up = max(1, min(longest, (samples.size + n_zeros) // 10))
    start = signal[:n_warm_up]
    warm_up = np.append(start, np.full(min(n_warm_up - start.size, n_zeros), -offset))
    residual = signal - _moving_average(signal, baseline_step, float(warm_up.mean()))
    floor = minimum_standard_deviation**2
    variance = _clipped_variance(
        residual**2,
        variance_step,
        start=max(float(warm_up.var()), floor, _SMALLEST_STANDARD_DEVIATION),
        floor=floor,
        threshold=outlier_threshold**2,
    )
    residual /= np.sqrt(np.maximum(variance, floor))
    return _with_missing(samples, residual, is_present)


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


def _without_missing(samples: SampleArray) -> tuple[SampleArray, npt.NDArray[np.bool_] | None]:
    """Give the samples that are numbers, and where they stand (None: everywhere)."""
    missing = missing_samples(samples)
    return (samples, None) if missing is None else (samples[~missing], ~missing)


def _with_missing(
    samples: SampleArray,
    values: npt.NDArray[np.float64],
    is_present: npt.NDArray[np.bool_] | None,
) -> SampleArray:
    """Put values in the places of the samples that are numbers."""
    if is_present is None:
        return values.astype(np.float32)
    samples = samples.copy()
    samples[is_present] = values
    return samples


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
    # Holding outliers back makes this a nonlinear recursion. With the held residuals taken as known
    # it is a linear filter, and a few rounds of filtering and holding settle a block to 1e-10.
    variance = np.empty(squares.size)
    variance[0] = start
    # Short enough that, even with every sample held, an error shrinks from round to round.
    length = max(_SHORTEST_BLOCK, int(1.0 / (step * threshold)))
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
            if not np.any(np.abs(held - previous) > _CONVERGED * limit):
                break
    return variance
