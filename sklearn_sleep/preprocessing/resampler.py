"""Resampler: every signal to the rate that its definition names."""

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from math import ceil, isfinite
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import firwin

from sklearn_sleep.core.arrays import SampleArray
from sklearn_sleep.core.parameter_constraints import StrOptions
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.preprocessing.base import RecordingTransformer, as_one_signal, missing_samples

# Zero crossings of the anti-aliasing filter on each side (the choice of ``resample_poly``).
_HALF_LENGTH = 10

# Shape of the Kaiser window of the anti-aliasing filter (the choice of ``resample_poly``).
_KAISER_BETA = 5.0

# Above this numerator or denominator the filter matrices would outgrow the processor's cache.
_LARGEST_RATIO_TERM = 2**15

# Output samples by which a rounded ratio may be off at the end of the night.
_LARGEST_DRIFT = 1e-3

# Steps to which a position is rounded where the ratio of the rates is not rational.
_PHASES_PER_SAMPLE = 4096

# Outputs made by one matrix product; wider only multiplies more zeros (measured: 8 to 64).
_SUB_BLOCK = 16

# Multiplications up to which OpenBLAS stays in one thread; waking others costs more than it saves,
# and stalls where every core is busy with a night of its own.
_SINGLE_THREAD_PRODUCT = 2**18


class Resampler(RecordingTransformer):
    """Bring each signal to a whole number of samples per epoch.

    Parameters
    ----------
    samples_per_epoch : mapping of str to int, optional
        Samples per 30-second epoch by signal name. Signals that are not named have those of
        their definition in `SIGNALS` (ABD and THX 256, ECG and PPG 1024, EOG, EEG and EMG 4096).
    method : {"polyphase", "linear"}, default="polyphase"
        ``"polyphase"`` filters against aliasing and leaves an offset as it is; sample `i` lies at
        ``i * 30 / samples_per_epoch`` s of its epoch. ``"linear"`` interpolates as the published
        wav2sleep does, with sample `i` at ``(i + 1) * 30 / samples_per_epoch`` s, missing samples
        bridged within the recording and 0 outside it.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> epochs = EDFReader(["EEG"]).fit_transform("tests/data/sleep-edf-5min.edf")
    >>> signal = Resampler({"EEG": 1920}).fit_transform(epochs).recordings[0].signals["EEG"]
    >>> signal.sampling_frequency
    64.0
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "samples_per_epoch": [Mapping, None],
        "method": [StrOptions({"polyphase", "linear"})],
    }

    def __init__(
        self,
        samples_per_epoch: Mapping[str, int] | None = None,
        *,
        method: Literal["polyphase", "linear"] = "polyphase",
    ) -> None:
        self.samples_per_epoch = samples_per_epoch
        self.method = method

    def _names_of_signals(self) -> dict[str, Mapping[str, int]]:
        return {"samples_per_epoch": self.samples_per_epoch or {}}

    def transform_signal(self, signal: Signal) -> Signal:
        """Return a signal that is not yet cut into epochs at its new sampling frequency."""
        signal.require_continuous(type(self).__name__)
        wanted = (self.samples_per_epoch or {}).get(
            signal.name, signal.definition.samples_per_epoch
        )
        is_number = isinstance(wanted, int | float | np.number)
        if not (is_number and wanted >= 1 and wanted == wanted // 1):
            raise ValueError(
                f"samples_per_epoch[{signal.name!r}]={wanted!r} must be an integer above 0."
            )
        per_epoch = int(wanted)
        rate = signal.sampling_frequency
        n_epochs = signal.n_epochs

        def resample(samples: SampleArray) -> SampleArray:
            if self.method == "linear":
                return resample_linear(samples, rate, per_epoch, n_epochs, bridge_gaps=True)
            return resample_polyphase(samples, rate, per_epoch, n_epochs)

        return signal.map(resample, sampling_frequency=per_epoch / EPOCH_DURATION)


class _BandMatrices(NamedTuple):
    """The filter as products: one row of inputs times one matrix gives 16 outputs."""

    block_inputs: int
    block_outputs: int
    reach: int
    starts: tuple[int, ...]
    matrices: tuple[SampleArray, ...]


def resample_linear(
    samples: npt.ArrayLike,
    sampling_frequency: float,
    samples_per_epoch: int,
    n_epochs: int,
    *,
    bridge_gaps: bool = False,
) -> SampleArray:
    """Resample by straight lines, unfiltered, on the time grid of the published wav2sleep.

    Output sample ``i`` lies at ``(i + 1) * 30 / samples_per_epoch`` s; 0 where there is no input on
    both sides. Gaps are bridged as there, or else NaN, and so is what follows the signal's end.
    """
    samples, ratio = _checked(samples, sampling_frequency, samples_per_epoch, n_epochs)
    n_outputs = n_epochs * samples_per_epoch
    filled, gap = _fill_gaps(samples)
    if filled.size == 0:
        # Of a signal that is missing altogether there is nothing to bridge.
        nothing = 0.0 if bridge_gaps and not samples.size else np.nan
        return np.full(n_outputs, nothing, dtype=np.float32)
    positions = np.arange(1, n_outputs + 1) / ratio
    left = np.minimum(positions.astype(np.intp), filled.size - 1)
    right = np.minimum(left + 1, filled.size - 1)
    fraction = (positions - left).astype(np.float32)
    resampled = filled[left] + fraction * (filled[right] - filled[left])

    valid = (
        slice(0, filled.size) if gap is None else slice(gap.argmin(), np.flatnonzero(~gap)[-1] + 1)
    )
    # Rounding must not push an output that lies on the first or last sample outside.
    resampled[positions < valid.start - 1e-6] = 0.0
    resampled[positions > valid.stop - 1 + 1e-6] = 0.0
    if not bridge_gaps:
        # An output closes its interval, as the epoch that it ends: it belongs to the input before.
        _put_gaps_back(resampled, gap, np.ceil(positions - 1e-6).astype(np.intp) - 1, samples)
    return resampled


def resample_polyphase(
    samples: npt.ArrayLike,
    sampling_frequency: float,
    samples_per_epoch: int,
    n_epochs: int,
) -> SampleArray:
    """Resample with an anti-aliasing filter; NaN where the input is missing or has ended.

    Output sample ``i`` lies at ``i * 30 / samples_per_epoch`` s. The result is that of
    `scipy.signal.resample_poly` with its default filter and ``padtype="edge"``, but for the gain of
    each phase, which is 1: SciPy's differ by up to a thousandth, and make noise of an offset.
    """
    samples, ratio = _checked(samples, sampling_frequency, samples_per_epoch, n_epochs)
    n_outputs = n_epochs * samples_per_epoch
    filled, gap = _fill_gaps(samples)
    if filled.size == 0 or n_outputs == 0:
        return np.full(n_outputs, np.nan, dtype=np.float32)
    # With a ratio of the rates up / down the filter is one constant band matrix, applied to every
    # block of the night in a few matrix products. Where no such ratio holds to a thousandth of a
    # sample over the night, each position is rounded to 1/4096 of a sample, which costs more time
    # but never drifts.
    rational = _rational(ratio, n_outputs)
    # Off and on again, so that not even the weights' rounding shows in a constant signal.
    offset = filled[0]
    if rational is None:
        resampled = _filter_by_phase(filled - offset, ratio, n_outputs) + offset
    elif rational == 1:
        resampled = np.full(n_outputs, np.nan, dtype=np.float32)
        resampled[: filled.size] = filled[:n_outputs]
    else:
        up, down = rational.numerator, rational.denominator
        resampled = _filter_by_blocks(filled - offset, up, down, n_outputs) + offset
    resampled[ceil(filled.size * ratio - 1e-6) :] = np.nan
    if gap is not None:
        inputs = (np.arange(n_outputs) / ratio + 1e-6).astype(np.intp)
        _put_gaps_back(resampled, gap, inputs, samples)
    return resampled


def _checked(
    samples: npt.ArrayLike, sampling_frequency: float, samples_per_epoch: int, n_epochs: int
) -> tuple[SampleArray, float]:
    """Give the samples as float32 and the ratio of the new rate to the old one."""
    samples = as_one_signal(samples, "resample")
    if not (isfinite(sampling_frequency) and sampling_frequency > 0):
        raise ValueError(f"sampling_frequency must be above 0 Hz, got {sampling_frequency}.")
    if samples_per_epoch < 1:
        raise ValueError(f"samples_per_epoch must be 1 or more, got {samples_per_epoch}.")
    if n_epochs < 0:
        raise ValueError(f"n_epochs must be 0 or more, got {n_epochs}.")
    return samples, samples_per_epoch / EPOCH_DURATION / sampling_frequency


def _fill_gaps(samples: SampleArray) -> tuple[SampleArray, npt.NDArray[np.bool_] | None]:
    """Join missing runs by straight lines, hold the ends, and give their mask (None: no gap)."""
    gap = missing_samples(samples)
    if gap is None:
        return samples, None
    if gap.all():  # there is nothing to join
        return samples[:0], gap
    filled = samples.copy()
    filled[gap] = np.interp(np.flatnonzero(gap), np.flatnonzero(~gap), samples[~gap])
    return filled, gap


def _put_gaps_back(
    resampled: SampleArray,
    gap: npt.NDArray[np.bool_] | None,
    inputs: npt.NDArray[np.intp],
    samples: SampleArray,
) -> None:
    """Set what the input that an output belongs to has in its gaps; NaN beyond the end."""
    resampled[inputs >= samples.size] = np.nan
    if gap is not None:
        inputs = np.clip(inputs, 0, samples.size - 1)
        resampled[gap[inputs]] = samples[inputs[gap[inputs]]]


def _rational(ratio: float, n_outputs: int) -> Fraction | None:
    """Give the ratio as a fraction with small terms, or None if that would drift."""
    fraction = Fraction(ratio).limit_denominator(_LARGEST_RATIO_TERM)
    if not 0 < fraction.numerator <= _LARGEST_RATIO_TERM:
        return None
    drift = abs(float(fraction) / ratio - 1.0) * n_outputs
    return fraction if drift <= _LARGEST_DRIFT else None


def _lowpass(up: int, largest_rate: float) -> tuple[npt.NDArray[np.float64], int]:
    """Design the anti-aliasing filter on the grid of `up` steps per input; give its centre too."""
    half_length = ceil(_HALF_LENGTH * largest_rate)
    taps = firwin(2 * half_length + 1, 1.0 / largest_rate, window=("kaiser", _KAISER_BETA))
    # Each phase, the taps that one output has its weights from, passes a constant as it is.
    phase = np.arange(taps.size) % up
    return taps / np.bincount(phase, weights=taps)[phase], half_length


def _tap(taps: npt.NDArray[np.float64], indices: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
    """Look taps up; beyond the filter they are zero."""
    inside = (indices >= 0) & (indices < taps.size)
    return np.where(inside, taps[np.clip(indices, 0, taps.size - 1)], 0.0).astype(np.float32)


@lru_cache(maxsize=16)
def _band_matrices(up: int, down: int) -> _BandMatrices:
    """Make the filter's matrices for one ratio of rates."""
    taps, half_length = _lowpass(up, max(up, down))
    reach = half_length // up + 1
    # BLAS reads overlapping rows in place if they start no closer than they are wide.
    repeats = ceil((_SUB_BLOCK * down / up + 2 * reach + 3) / down)
    block_outputs, block_inputs = repeats * up, repeats * down
    starts, matrices = [], []
    for first in range(0, block_outputs, _SUB_BLOCK):
        outputs = np.arange(first, min(first + _SUB_BLOCK, block_outputs))
        start = int(outputs[0]) * down // up - reach
        stop = int(outputs[-1]) * down // up + reach + 2
        inputs = np.arange(start, stop)[:, np.newaxis]
        starts.append(start + reach)
        matrices.append(_tap(taps, outputs * down - inputs * up + half_length))
    return _BandMatrices(block_inputs, block_outputs, reach, tuple(starts), tuple(matrices))


def _pad_ends(samples: SampleArray, before: int, length: int) -> SampleArray:
    """Repeat the first sample `before` times, and the last one up to `length` in all."""
    padded = np.empty(length, dtype=np.float32)
    kept = samples[: length - before]
    padded[:before] = samples[0]
    padded[before : before + kept.size] = kept
    padded[before + kept.size :] = samples[-1]
    return padded


def _filter_by_blocks(samples: SampleArray, up: int, down: int, n_outputs: int) -> SampleArray:
    """Filter and resample by ``up / down``: one matrix product for each 16 outputs of a block."""
    bands = _band_matrices(up, down)
    n_blocks = -(-n_outputs // bands.block_outputs)
    length = (n_blocks + 1) * bands.block_inputs + 2 * bands.reach + 2
    padded = _pad_ends(samples, bands.reach, length)
    resampled = np.empty((n_blocks, bands.block_outputs), dtype=np.float32)
    for index, (start, matrix) in enumerate(zip(bands.starts, bands.matrices, strict=True)):
        windows = sliding_window_view(padded[start:], matrix.shape[0])
        rows = windows[:: bands.block_inputs][:n_blocks]
        outputs = resampled[:, index * _SUB_BLOCK : index * _SUB_BLOCK + matrix.shape[1]]
        step = max(1, _SINGLE_THREAD_PRODUCT // matrix.size)
        for first in range(0, n_blocks, step):
            np.matmul(rows[first : first + step], matrix, out=outputs[first : first + step])
    return resampled.ravel()[:n_outputs]


def _filter_by_phase(samples: SampleArray, ratio: float, n_outputs: int) -> SampleArray:
    """Filter and resample by any ratio: each output takes the weights of its nearest phase."""
    phases = ceil(_PHASES_PER_SAMPLE * min(1.0, ratio))
    taps, half_length = _lowpass(phases, phases * max(1.0, 1.0 / ratio))
    reach = half_length // phases + 1
    offsets = np.arange(-reach, reach + 2)
    weights = _tap(taps, np.arange(phases + 1)[:, np.newaxis] - offsets * phases + half_length)

    positions = np.arange(n_outputs) / ratio
    left = positions.astype(np.intp)
    phase = np.rint((positions - left) * phases).astype(np.intp)
    windows = sliding_window_view(
        _pad_ends(samples, reach, int(left[-1]) + offsets.size), offsets.size
    )
    resampled = np.empty(n_outputs, dtype=np.float32)
    # Gathered in pieces, so that a night needs a few megabytes at a time.
    step = max(1, 2**20 // offsets.size)
    for first in range(0, n_outputs, step):
        piece = slice(first, first + step)
        np.einsum("ij,ij->i", windows[left[piece]], weights[phase[piece]], out=resampled[piece])
    return resampled
