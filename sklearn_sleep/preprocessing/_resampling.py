"""Resampling of one signal onto the samples-per-epoch grid of a network.

Both methods fill missing samples (NaN) by straight lines first, so that a gap never spreads, and
put the NaN back afterwards where the gap was.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import ceil, isfinite
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import firwin

from sklearn_sleep.core.signals import EPOCH_DURATION

__all__ = ["resample_linear", "resample_polyphase"]

HALF_LENGTH = 10
"""Zero crossings of the anti-aliasing filter on each side (the choice of ``resample_poly``)."""

KAISER_BETA = 5.0
"""Shape of the Kaiser window of the anti-aliasing filter (the choice of ``resample_poly``)."""

LARGEST_RATIO_TERM = 2**15
"""Above this numerator or denominator the filter matrices would outgrow the processor's cache."""

LARGEST_DRIFT = 1e-3
"""Output samples by which a rounded ratio may be off at the end of the night."""

PHASES_PER_SAMPLE = 4096
"""Steps to which a position is rounded where the ratio of the rates is not rational."""

SUB_BLOCK = 16
"""Outputs made by one matrix product; wider only multiplies more zeros (measured: 8 to 64)."""

SINGLE_THREAD_PRODUCT = 2**18
"""Multiplications up to which OpenBLAS stays in one thread; waking others costs more than it saves,
and stalls where every core is busy with a night of its own."""

Samples = npt.NDArray[np.float32]


class _BandMatrices(NamedTuple):
    """The filter as products: one row of inputs times one matrix gives 16 outputs."""

    block_inputs: int
    block_outputs: int
    reach: int
    starts: tuple[int, ...]
    matrices: tuple[Samples, ...]


def resample_linear(
    samples: npt.ArrayLike,
    sampling_frequency: float,
    samples_per_epoch: int,
    n_epochs: int,
    *,
    bridge_gaps: bool = False,
) -> Samples:
    """Resample by straight lines, on the time grid of the published wav2sleep pipeline.

    Output sample ``i`` lies at ``(i + 1) * 30 / samples_per_epoch`` seconds, so the first one is
    not at 0. Nothing is filtered: frequencies above half the new rate fold back. Where there is
    no input on both sides the output is 0.0.

    Parameters
    ----------
    samples : array-like of shape (n_samples,)
        The signal from the start of the recording, in any unit; NaN where it is missing.
    sampling_frequency : float
        Samples per second of `samples`, in Hz.
    samples_per_epoch : int
        Output samples in each 30-second epoch.
    n_epochs : int
        Epochs of output.
    bridge_gaps : bool, default=False
        ``False`` gives NaN wherever the signal is missing, inside the night and after its end,
        so that these epochs can be masked. ``True`` does as the published pipeline: straight
        lines across gaps, and 0.0 before the first and after the last sample.

    Returns
    -------
    ndarray of shape (n_epochs * samples_per_epoch,), float32
        The resampled signal, in the unit of `samples`.

    Raises
    ------
    ValueError
        If `samples` is not 1-D, or a rate or count is not positive.

    References
    ----------
    .. [1] J. F. Carter and L. Tarassenko, "wav2sleep: A unified multi-modal approach to sleep
       stage classification from physiological signals", ML4H 2024.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing._resampling import resample_linear
    >>> resample_linear([0.0, 1.0, 2.0, 3.0, 4.0], 1 / 6, samples_per_epoch=10, n_epochs=1)
    array([0.5, 1. , 1.5, 2. , 2.5, 3. , 3.5, 4. , 0. , 0. ], dtype=float32)
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

    valid = slice(0, filled.size) if gap is None else slice(gap.argmin(), _last(~gap) + 1)
    # Rounding must not push an output that lies on the first or last sample outside.
    resampled[positions < valid.start - 1e-6] = 0.0
    resampled[positions > valid.stop - 1 + 1e-6] = 0.0
    if not bridge_gaps:
        # An output closes its interval, as the epoch that it ends: it belongs to the input before.
        _put_gaps_back(resampled, gap, np.ceil(positions - 1e-6).astype(np.intp) - 1, filled.size)
    return resampled


def resample_polyphase(
    samples: npt.ArrayLike,
    sampling_frequency: float,
    samples_per_epoch: int,
    n_epochs: int,
) -> Samples:
    """Resample with an anti-aliasing filter.

    Output sample ``i`` lies at ``i * 30 / samples_per_epoch`` seconds: the first output is at the
    first input. The result is that of :func:`scipy.signal.resample_poly` with its default filter
    (10 zero crossings a side, Kaiser window of shape 5) and the first and last sample repeated
    beyond the ends (``padtype="edge"``), which leaves no step there.

    Parameters
    ----------
    samples : array-like of shape (n_samples,)
        The signal from the start of the recording, in any unit; NaN where it is missing.
    sampling_frequency : float
        Samples per second of `samples`, in Hz; need not be a whole number.
    samples_per_epoch : int
        Output samples in each 30-second epoch.
    n_epochs : int
        Epochs of output.

    Returns
    -------
    ndarray of shape (n_epochs * samples_per_epoch,), float32
        The resampled signal, in the unit of `samples`; NaN where the input is missing or has
        ended.

    Raises
    ------
    ValueError
        If `samples` is not 1-D, or a rate or count is not positive.

    Notes
    -----
    With a ratio of the rates ``up / down``, every `up` outputs repeat the same weights `down`
    inputs later, so the filter is one constant band matrix applied to every block of the night,
    and 16 outputs at a time it is a narrow one: the night takes a few matrix products.
    Where no such ratio holds to a thousandth of a sample over the night, each position is rounded
    to 1/4096 of a sample instead, which costs more time but never drifts.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sleep.preprocessing._resampling import resample_polyphase
    >>> seconds = np.arange(60 * 125) / 125
    >>> wave = resample_polyphase(np.sin(seconds), 125.0, samples_per_epoch=1024, n_epochs=2)
    >>> bool(np.allclose(wave[100:-100], np.sin(np.arange(2048) * 30 / 1024)[100:-100], atol=1e-3))
    True
    """
    samples, ratio = _checked(samples, sampling_frequency, samples_per_epoch, n_epochs)
    n_outputs = n_epochs * samples_per_epoch
    filled, gap = _fill_gaps(samples)
    if filled.size == 0 or n_outputs == 0:
        return np.full(n_outputs, np.nan, dtype=np.float32)
    rational = _rational(ratio, n_outputs)
    if rational is None:
        resampled = _filter_by_phase(filled, ratio, n_outputs)
    elif rational == 1:
        resampled = np.full(n_outputs, np.nan, dtype=np.float32)
        resampled[: filled.size] = filled[:n_outputs]
    else:
        resampled = _filter_by_blocks(filled, rational.numerator, rational.denominator, n_outputs)
    resampled[ceil(filled.size * ratio - 1e-6) :] = np.nan
    if gap is not None:
        inputs = (np.arange(n_outputs) / ratio + 1e-6).astype(np.intp)
        _put_gaps_back(resampled, gap, inputs, filled.size)
    return resampled


def _checked(
    samples: npt.ArrayLike, sampling_frequency: float, samples_per_epoch: int, n_epochs: int
) -> tuple[Samples, float]:
    """Give the samples as float32 and the ratio of the new rate to the old one."""
    samples = np.ascontiguousarray(samples, dtype=np.float32)
    if samples.ndim != 1:
        raise ValueError(
            f"samples must be one signal, of shape (n_samples,), but has shape {samples.shape}; "
            "resample each signal on its own."
        )
    if not (isfinite(sampling_frequency) and sampling_frequency > 0):
        raise ValueError(f"sampling_frequency must be above 0 Hz, got {sampling_frequency}.")
    if samples_per_epoch < 1:
        raise ValueError(f"samples_per_epoch must be 1 or more, got {samples_per_epoch}.")
    if n_epochs < 0:
        raise ValueError(f"n_epochs must be 0 or more, got {n_epochs}.")
    return samples, samples_per_epoch / EPOCH_DURATION / sampling_frequency


def _fill_gaps(samples: Samples) -> tuple[Samples, npt.NDArray[np.bool_] | None]:
    """Join NaN runs by straight lines, hold the ends, and give the mask of NaN (None: no NaN).

    A signal that is NaN throughout comes back empty.
    """
    # min() is NaN if any sample is, and needs no array of flags.
    if samples.size == 0 or not np.isnan(samples.min()):
        return samples, None
    gap = np.isnan(samples)
    if gap.all():
        return samples[:0], gap
    filled = samples.copy()
    filled[gap] = np.interp(np.flatnonzero(gap), np.flatnonzero(~gap), samples[~gap])
    return filled, gap


def _put_gaps_back(
    resampled: Samples,
    gap: npt.NDArray[np.bool_] | None,
    inputs: npt.NDArray[np.intp],
    n_samples: int,
) -> None:
    """Set NaN where the input that an output belongs to is missing or beyond the end."""
    resampled[inputs >= n_samples] = np.nan
    if gap is not None:
        resampled[gap[np.clip(inputs, 0, n_samples - 1)]] = np.nan


def _last(flags: npt.NDArray[np.bool_]) -> int:
    """Give the index of the last true flag."""
    return int(flags.size - 1 - flags[::-1].argmax())


def _rational(ratio: float, n_outputs: int) -> Fraction | None:
    """Give the ratio as a fraction with small terms, or None if that would drift."""
    fraction = Fraction(ratio).limit_denominator(LARGEST_RATIO_TERM)
    if not 0 < fraction.numerator <= LARGEST_RATIO_TERM:
        return None
    drift = abs(float(fraction) / ratio - 1.0) * n_outputs
    return fraction if drift <= LARGEST_DRIFT else None


def _lowpass(up: int, largest_rate: float) -> tuple[npt.NDArray[np.float64], int]:
    """Design the anti-aliasing filter on the grid of `up` steps per input; give its centre too."""
    half_length = ceil(HALF_LENGTH * largest_rate)
    taps = firwin(2 * half_length + 1, 1.0 / largest_rate, window=("kaiser", KAISER_BETA))
    return taps * up, half_length


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
    repeats = ceil((SUB_BLOCK * down / up + 2 * reach + 3) / down)
    block_outputs, block_inputs = repeats * up, repeats * down
    starts, matrices = [], []
    for first in range(0, block_outputs, SUB_BLOCK):
        outputs = np.arange(first, min(first + SUB_BLOCK, block_outputs))
        start = int(outputs[0]) * down // up - reach
        stop = int(outputs[-1]) * down // up + reach + 2
        inputs = np.arange(start, stop)[:, np.newaxis]
        starts.append(start + reach)
        matrices.append(_tap(taps, outputs * down - inputs * up + half_length))
    return _BandMatrices(block_inputs, block_outputs, reach, tuple(starts), tuple(matrices))


def _pad_ends(samples: Samples, before: int, length: int) -> Samples:
    """Repeat the first sample `before` times, and the last one up to `length` in all."""
    padded = np.empty(length, dtype=np.float32)
    kept = samples[: length - before]
    padded[:before] = samples[0]
    padded[before : before + kept.size] = kept
    padded[before + kept.size :] = samples[-1]
    return padded


def _filter_by_blocks(samples: Samples, up: int, down: int, n_outputs: int) -> Samples:
    """Filter and resample by ``up / down``: one matrix product for each 16 outputs of a block."""
    bands = _band_matrices(up, down)
    n_blocks = -(-n_outputs // bands.block_outputs)
    length = (n_blocks + 1) * bands.block_inputs + 2 * bands.reach + 2
    padded = _pad_ends(samples, bands.reach, length)
    resampled = np.empty((n_blocks, bands.block_outputs), dtype=np.float32)
    for index, (start, matrix) in enumerate(zip(bands.starts, bands.matrices, strict=True)):
        windows = sliding_window_view(padded[start:], matrix.shape[0])
        rows = windows[:: bands.block_inputs][:n_blocks]
        outputs = resampled[:, index * SUB_BLOCK : index * SUB_BLOCK + matrix.shape[1]]
        step = max(1, SINGLE_THREAD_PRODUCT // matrix.size)
        for first in range(0, n_blocks, step):
            np.matmul(rows[first : first + step], matrix, out=outputs[first : first + step])
    return resampled.ravel()[:n_outputs]


def _filter_by_phase(samples: Samples, ratio: float, n_outputs: int) -> Samples:
    """Filter and resample by any ratio: each output takes the weights of its nearest phase."""
    phases = ceil(PHASES_PER_SAMPLE * min(1.0, ratio))
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
