"""How well the beats of an epoch can be trusted."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.arrays import BoolArray, FloatArray, IntArray
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.features.beats.beat_correction import LONGEST_INTERVAL

# Orphanidou et al. 2015, IEEE J Biomed Health Inform 19:832-838: beats a minute, and the ratio of
# the longest to the shortest interval, that a heart at rest does not exceed.
_SLOWEST, _FASTEST = 40.0, 180.0
_LARGEST_RATIO = 2.2
# Points at which beats are compared; a QRS complex spans five of them at 60 beats a minute.
_POINTS = 64


def signal_quality(
    samples: npt.ArrayLike, sampling_frequency: float, beats: npt.ArrayLike, *, n_epochs: int
) -> FloatArray:
    """Return how alike the beats of each epoch are: the index of Orphanidou et al. 2015.

    The beats of an epoch, each as long as its median R-R interval, are averaged to a template;
    the index is their mean correlation with it. It is 0 where the beats cannot be a heart's: fewer
    than 40 or more than 180 a minute, an interval beyond 3 s, or intervals that differ by more
    than a factor of 2.2. The paper takes windows of 10 s, and trusts an ECG from 0.66 and a PPG
    from 0.86 on.

    Of an ECG or PPG, (n_samples,), NaN where it is missing, at a rate in Hz, and its beats in s as
    detected, not corrected, (n_beats,): up to 1, (n_epochs,), NaN where all samples are missing.

    >>> time = np.arange(0, 60, 1 / 64)
    >>> pulse = np.exp(-0.5 * ((time % 0.8 - 0.4) / 0.08) ** 2)
    >>> pulse[32 * 64 :] = np.random.default_rng(0).standard_normal(28 * 64)
    >>> signal_quality(pulse, 64, np.arange(0.4, 60, 0.8), n_epochs=2).round(1)
    array([1. , 0.1])
    """
    values = np.asarray(samples, dtype=np.float64)
    times = np.asarray(beats, dtype=np.float64)
    epoch = (times // EPOCH_DURATION).astype(np.intp)
    width, is_plausible = _look_at_intervals(times, epoch, n_epochs)
    positions = times[:, None] + np.linspace(-0.5, 0.5, _POINTS) * width[epoch][:, None]
    index = np.round(np.nan_to_num(positions, nan=-1.0) * sampling_frequency).astype(np.intp)
    whole = (index[:, 0] >= 0) & (index[:, -1] < len(values)) & np.isfinite(width[epoch])
    shapes = values[index[whole]]
    whole[whole] = np.isfinite(shapes).all(axis=1)
    shapes = shapes[np.isfinite(shapes).all(axis=1)]
    shapes -= shapes.mean(axis=1, keepdims=True)
    quality = _mean_correlation(shapes, epoch[whole], n_epochs)
    quality[~is_plausible] = 0.0
    quality[_is_missing(values, sampling_frequency, n_epochs)] = np.nan
    return quality


def _mean_correlation(shapes: FloatArray, epoch: IntArray, n_epochs: int) -> FloatArray:
    templates = np.zeros((n_epochs, shapes.shape[1]))
    np.add.at(templates, epoch, shapes)
    sizes = np.linalg.norm(shapes, axis=1) * np.linalg.norm(templates, axis=1)[epoch]
    products = (shapes * templates[epoch]).sum(axis=1)
    correlation = np.divide(products, sizes, out=np.zeros_like(sizes), where=sizes > 0)
    count = np.bincount(epoch, minlength=n_epochs)
    total = np.bincount(epoch, weights=correlation, minlength=n_epochs)
    return total / np.maximum(count, 1)


def _look_at_intervals(
    times: FloatArray, epoch: IntArray, n_epochs: int
) -> tuple[FloatArray, BoolArray]:
    """Return the median interval of each epoch in s, NaN of none, and where a heart makes them."""
    medians = np.full(max(n_epochs, epoch.max(initial=-1) + 1), np.nan)
    plausible = np.zeros(n_epochs, dtype=bool)
    # Where the beats of each begin and, last, where they end.
    bounds = np.searchsorted(epoch, np.arange(n_epochs + 1))
    for number, (start, stop) in enumerate(pairwise(bounds)):
        intervals = np.diff(times[start:stop])
        if len(intervals) == 0:
            continue
        medians[number] = np.median(intervals)
        # What is missing at the edges counts as an interval of its own.
        edges = (
            times[start] - number * EPOCH_DURATION,
            (number + 1) * EPOCH_DURATION - times[stop - 1],
        )
        rate = 60 / intervals.mean()
        plausible[number] = (
            _SLOWEST <= rate <= _FASTEST
            and max(intervals.max(), *edges) <= LONGEST_INTERVAL
            and intervals.max() <= _LARGEST_RATIO * intervals.min()
        )
    return medians, plausible


def _is_missing(values: FloatArray, sampling_frequency: float, n_epochs: int) -> BoolArray:
    bounds = np.round(np.arange(n_epochs + 1) * EPOCH_DURATION * sampling_frequency).astype(int)
    return np.array([np.isnan(values[a:b]).all() for a, b in pairwise(bounds)])
