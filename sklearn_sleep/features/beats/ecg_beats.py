"""R peaks in an electrocardiogram."""

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.features.samples import refine_peaks, require_rate

LEAST_ECG_FREQUENCY = 50.0
"""Samples a second of an ECG in which beats can be found."""

# sleepecg recommends 100 Hz or more and passes 5 to 30 Hz, for which 62 Hz suffice: detection at a
# higher rate takes longer. Where the peak lies is then found at the full rate.
_DETECTION_FREQUENCY, _LOWEST_DETECTION_FREQUENCY = 100.0, 62.0
# Half of a QRS complex, which lasts up to 0.1 s (Surawicz et al. 2009, J Am Coll Cardiol 53:976).
_REFINEMENT_SECONDS = 0.05
_HIGHEST_DETECTED = 30.0  # Hz, the end of the detector's pass band (Pan & Tompkins 1985, wider)
# No heart pauses for so long and goes on: the detector has lost the beats.
_SILENCE_SECONDS = 10.0


def detect_r_peaks(samples: npt.ArrayLike, sampling_frequency: float) -> FloatArray:
    """Return the times of R peaks in s, (n_beats,), of a finite ECG, (n_samples,), at a rate in Hz.

    Beats are found by sleepecg (Pan & Tompkins 1985, with its changes), and once more after a
    silence of 10 s, since one saturation of the amplifier can raise its thresholds above all beats
    that follow. Each is then placed, between samples, where the signal is farthest from what is
    50 ms away, so that an ECG that is upside down gives the same R-R intervals.

    >>> time = np.arange(0, 60, 1 / 200)
    >>> ecg = np.exp(-0.5 * ((time % 0.8 - 0.4) / 0.01) ** 2)
    >>> bool(np.allclose(np.diff(detect_r_peaks(ecg, 200)), 0.8, atol=0.001))
    True
    """
    needs = f"R peaks need {LEAST_ECG_FREQUENCY:g} or more, better 200"
    require_rate(sampling_frequency, LEAST_ECG_FREQUENCY, "The ECG", needs)
    values = np.ascontiguousarray(samples, dtype=np.float64)
    if sampling_frequency <= 2 * _HIGHEST_DETECTED:
        return detect_r_peaks(resample_poly(values, 2, 1), 2 * sampling_frequency)
    step = int(sampling_frequency / _DETECTION_FREQUENCY)
    if step < 2:
        step = 2 if sampling_frequency >= 2 * _LOWEST_DETECTION_FREQUENCY else 1
    coarse = values
    if step > 1:
        whole = values[: len(values) // step * step]
        # Means of a few values each; along the last axis they would take ten times as long.
        coarse = sum((whole[k::step] for k in range(1, step)), whole[::step]) / step
    found = _detect(coarse, sampling_frequency / step)
    middle = np.round((found + 0.5) * step - 0.5).astype(np.intp)
    reach = max(round(_REFINEMENT_SECONDS * sampling_frequency), step) + 1
    middle = middle[(middle >= reach) & (middle < len(values) - reach)]
    around = values[middle[:, None] + np.arange(-reach, reach + 1)]
    height = np.abs(around - (around[:, :1] + around[:, -1:]) / 2)
    highest = height[:, 1:-1].argmax(axis=1) + 1
    offset, _ = refine_peaks(height, highest)
    times = (middle - reach + highest + offset) / sampling_frequency
    return times[np.diff(times, prepend=-np.inf) > 0]


def _detect(samples: FloatArray, sampling_frequency: float) -> npt.NDArray[np.intp]:
    """Return the samples of beats; where none are found for long, the rest is searched anew."""
    found = [_detect_from_scratch(samples, sampling_frequency)]
    to_search = [(0, len(samples), found[0])]
    while to_search:
        start, stop, beats = to_search.pop()
        edges = np.concatenate([[start], beats, [stop]])
        for index in np.flatnonzero(np.diff(edges) > _SILENCE_SECONDS * sampling_frequency):
            after = int(edges[index] + sampling_frequency)
            before = int(edges[index + 1])
            if _seconds_of_signal(samples[after:before], sampling_frequency) < _SILENCE_SECONDS:
                continue
            again = after + _detect_from_scratch(samples[after:before], sampling_frequency)
            if len(again):
                found.append(again)
                to_search.append((after, before, again))
    return np.sort(np.concatenate(found))


def _seconds_of_signal(samples: FloatArray, sampling_frequency: float) -> float:
    """Return for how long a signal is more than a straight line, as across a gap."""
    bend = np.abs(np.diff(samples, 2))
    return np.count_nonzero(bend > 1e-6 * np.ptp(samples)) / sampling_frequency


def _detect_from_scratch(samples: FloatArray, sampling_frequency: float) -> npt.NDArray[np.intp]:
    # sleepecg brings numba, 70 MB that processes without an ECG to look at need not have.
    from sleepecg.heartbeats import detect_heartbeats  # noqa: PLC0415 - see above

    changes = samples[1:] != samples[:-1]
    # Its thresholds are learnt from 2 s, and what is flat at first tells nothing.
    if not changes.any() or len(samples) - changes.argmax() < 2 * sampling_frequency:
        return np.empty(0, np.intp)
    return np.asarray(detect_heartbeats(np.ascontiguousarray(samples), sampling_frequency), np.intp)
