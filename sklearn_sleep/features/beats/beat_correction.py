"""Correction of beats that were missed, found twice, misplaced or ectopic."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_sleep.core.arrays import FloatArray, IntArray

# Lipponen & Tarvainen 2019, J Med Eng Technol 43:173-181: the factor and the number of intervals
# of the thresholds, those of the local median, and the lines that part ectopic beats from others.
_THRESHOLD_FACTOR, _THRESHOLD_INTERVALS = 5.2, 91
_MEDIAN_INTERVALS = 11
_SLOPE, _INTERCEPT = 0.13, 0.17
_FARTHEST_FROM_MEDIAN = 3.0
# Below that, there is no telling what is usual.
_FEWEST_BEATS = 5
# In s; beyond it beats were lost rather than missed (Orphanidou et al. 2015, IEEE J Biomed Health
# Inform 19:832-838).
LONGEST_INTERVAL = 3.0


@dataclass(frozen=True)
class BeatArtefacts:
    """Beats, (n,), of which the R-R interval before them is not that of a sinus rhythm.

    `ectopic` ones came too early, followed by a pause, or too late; `extra` ones are none; before
    `missed` ones another was missed; `misplaced` ones end an interval too long or too short.
    """

    ectopic: IntArray
    extra: IntArray
    missed: IntArray
    misplaced: IntArray


def find_artefacts(times: npt.ArrayLike) -> BeatArtefacts:
    """Find artefacts in the times of beats in s, (n_beats,), by Lipponen & Tarvainen 2019.

    Successive differences of R-R intervals, and the intervals' differences from their local median,
    are each compared with 5.2 times the quartile deviation of the 91 around them. The signs of
    neighbouring differences tell the kind. The first two beats and the last are never artefacts.

    >>> beats = np.cumsum(0.9 + 0.02 * np.sin(np.arange(100)))
    >>> find_artefacts(np.delete(beats, 50)).missed
    array([50])
    """
    beats = np.asarray(times, dtype=np.float64)
    if len(beats) < _FEWEST_BEATS:
        return BeatArtefacts(*(np.empty(0, dtype=np.intp) for _ in range(4)))
    # By beat: the interval that ends there. That of the first one is not known.
    interval = np.diff(beats, prepend=np.nan)
    interval[0] = interval[1:].mean()
    median = pd.Series(interval).rolling(_MEDIAN_INTERVALS, center=True, min_periods=1).median()
    local_median = median.to_numpy()
    deviation = interval - local_median
    # Intervals are bounded below, so that short ones count twice.
    deviation = np.where(deviation < 0, 2 * deviation, deviation)
    tolerance = _threshold(deviation)
    change = np.diff(interval, prepend=np.nan)
    change[0] = change[1:].mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        # NaN where all intervals are the same, which is no artefact.
        change /= _threshold(change)
        too_far = np.abs(deviation / tolerance) > _FARTHEST_FROM_MEDIAN

    longer, shorter = change > 1, change < -1
    beside, after = _neighbours(change)
    ectopic = longer & (beside < -_SLOPE * change - _INTERCEPT)
    ectopic |= shorter & (beside > -_SLOPE * change + _INTERCEPT)
    suspected = (longer | shorter) & ~ectopic
    suspected[[0, -2, -1]] = ectopic[[0, -2, -1]] = False
    # What is found at a beat may come of the interval that follows.
    size = np.abs(change)
    later = np.flatnonzero(suspected[:-2] & (size[1:-1] < size[2:])) + 1
    suspected[later] = ~ectopic[later]
    suspected &= (longer & (after < -1)) | (shorter & (after > 1)) | too_far

    with_next = interval + np.append(interval[1:], 0.0)
    extra = suspected & shorter & (after > 1) & (np.abs(with_next - local_median) < tolerance)
    half_is_right = np.abs(interval / 2 - local_median) < tolerance
    missed = suspected & ~extra & longer & (after < -1) & half_is_right
    misplaced = suspected & ~extra & ~missed
    return BeatArtefacts(*map(np.flatnonzero, (ectopic, extra, missed, misplaced)))


def correct_beats(times: npt.ArrayLike) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return times of beats in s, (n_corrected_beats,), put right, and which were put in or moved.

    Extra beats of the times in s, (n_beats,), are taken out, missed ones put in, and ectopic and
    misplaced ones, told once the number is right, are moved: halfway between their neighbours,
    several in a row at even intervals. Where no beat was found for more than 3 s, nothing is put
    in: the two parts are corrected apart. Intervals beside a corrected beat are not measured.

    >>> beats = np.cumsum(0.9 + 0.02 * np.sin(np.arange(100)))
    >>> corrected, is_corrected = correct_beats(np.delete(beats, 50))
    >>> len(corrected), np.flatnonzero(is_corrected)
    (100, array([50]))
    """
    beats = np.asarray(times, dtype=np.float64)
    parts = np.split(beats, np.flatnonzero(np.diff(beats) > LONGEST_INTERVAL) + 1)
    corrected = [_correct(part) for part in parts]
    return (
        np.concatenate([part for part, _ in corrected]),
        np.concatenate([is_corrected for _, is_corrected in corrected]),
    )


def _correct(beats: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    artefacts = find_artefacts(beats)
    put_in = np.zeros(len(beats), dtype=bool)
    if len(artefacts.extra) or len(artefacts.missed):
        beats, put_in = _put_right_number(beats, artefacts)
        # Those next to an extra or a missed beat are in their place now.
        artefacts = find_artefacts(beats)
    is_corrected = put_in.copy()
    is_corrected[artefacts.ectopic] = is_corrected[artefacts.misplaced] = True
    return _place_evenly(beats, is_corrected), is_corrected


def _put_right_number(
    beats: FloatArray, artefacts: BeatArtefacts
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Take out extra beats and put in missed ones; return which were put in."""
    with_missed = np.insert(beats, artefacts.missed, np.nan)
    before = np.searchsorted(artefacts.missed, artefacts.extra, side="right")
    unplaced = np.delete(with_missed, artefacts.extra + before)
    put_in = np.isnan(unplaced)
    return _place_evenly(unplaced, put_in), put_in


def _place_evenly(beats: FloatArray, is_unknown: npt.NDArray[np.bool_]) -> FloatArray:
    if not is_unknown.any():
        return beats
    known = np.flatnonzero(~is_unknown)
    return np.interp(np.arange(len(beats)), known, beats[known])


def _threshold(values: FloatArray) -> FloatArray:
    """Return 5.2 times the quartile deviation of the sizes around each value."""
    around = pd.Series(np.abs(values)).rolling(_THRESHOLD_INTERVALS, center=True, min_periods=1)
    deviation = (around.quantile(0.75) - around.quantile(0.25)) / 2
    return _THRESHOLD_FACTOR * deviation.to_numpy()


def _neighbours(change: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the neighbour, and the one of the next two, that is farthest to the other side.

    For a rise the largest of both neighbours and the smallest of the next two; else the reverse.
    """
    padded = np.pad(change, 2, mode="reflect")
    before, next_one, next_but_one = padded[1:-3], padded[3:-1], padded[4:]
    rises = change > 0
    beside = np.where(rises, np.maximum(before, next_one), np.minimum(before, next_one))
    after = np.where(rises, np.minimum(next_one, next_but_one), np.maximum(next_one, next_but_one))
    return beside, after
