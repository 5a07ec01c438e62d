"""Respiration told by an ECG or a PPG, where no belt was worn."""

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfiltfilt

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.features.beats.beat_correction import LONGEST_INTERVAL
from sklearn_sleep.features.beats.heartbeats import Heartbeats
from sklearn_sleep.features.samples import bridge_gaps, filter_at

# Samples a second; as many as breaths are looked for in.
DERIVED_FREQUENCY = 10.0
# s around the R peak in which a QRS complex lies; it takes 0.07 to 0.11 s (Surawicz et al. 2009,
# Circulation 119:e235-e240).
_QRS_REACH = 0.05
# Hz; below it is what moves the ECG's baseline.
_ECG_BASELINE = 0.5
# Hz: 6 to 36 breaths a minute, between the slow waves of the vessels and the heartbeat.
_PPG_BASELINE = (0.1, 0.6)


def respiration_from_ecg(
    samples: npt.ArrayLike, sampling_frequency: float, heartbeats: Heartbeats
) -> FloatArray:
    """Return the height of the QRS complexes: the lungs move the heart against the electrodes.

    After Moody et al. 1985 (Comput Cardiol 12:113-116); the "amplitude modulation" of Charlton et
    al. 2016 (Physiol Meas 37:610-626). Of an ECG, (n_samples,), NaN where it is missing, at a rate
    in Hz: at `DERIVED_FREQUENCY`, NaN between beats more than 3 s apart. Its sign means nothing;
    beats that were corrected are left out.

    >>> time = np.arange(0, 60, 1 / 128)
    >>> breath = 1 + 0.1 * np.sin(2 * np.pi * time / 4)
    >>> ecg = breath * np.exp(-0.5 * ((time % 0.5 - 0.25) / 0.012) ** 2)
    >>> times = np.arange(0.25, 60, 0.5)
    >>> beats = Heartbeats(times, np.zeros(len(times), dtype=bool), times)
    >>> derived = respiration_from_ecg(ecg, 128, beats)
    >>> (derived / derived[200]).round(2)[200:240:10]  # a second from one to the next
    array([1.  , 1.09, 1.  , 0.91])
    """
    values, missing = bridge_gaps(np.asarray(samples, dtype=np.float64))
    grid = _grid(values, sampling_frequency)
    times = heartbeats.times[~heartbeats.is_corrected]
    peaks = np.round(times * sampling_frequency).astype(np.intp).clip(0, len(values) - 1)
    seen = ~missing[peaks]
    times, peaks = times[seen], peaks[seen]
    if len(times) < 2:
        return np.full(len(grid), np.nan)
    high = butter(2, _ECG_BASELINE, "highpass", fs=sampling_frequency, output="sos")
    filtered = sosfiltfilt(high, values)
    reach = max(round(_QRS_REACH * sampling_frequency), 1)
    complexes = filtered[(peaks[:, None] + np.arange(-reach, reach + 1)).clip(0, len(values) - 1)]
    derived = np.interp(grid, times, np.ptp(complexes, axis=1), left=np.nan, right=np.nan)
    following = np.searchsorted(times, grid).clip(1, len(times) - 1)
    derived[np.diff(times)[following - 1] > LONGEST_INTERVAL] = np.nan
    return derived


def respiration_from_ppg(samples: npt.ArrayLike, sampling_frequency: float) -> FloatArray:
    """Return the baseline from 0.1 to 0.6 Hz: breathing moves the blood in the veins.

    The "baseline wander" of Charlton et al. 2016 (Physiol Meas 37:610-626). On synthetic nights its
    breathing rate is twice as near the truth as that of the height of the pulses. Of a PPG,
    (n_samples,), at a rate in Hz: at `DERIVED_FREQUENCY`, NaN where it is missing. Its sign means
    nothing.

    >>> time = np.arange(0, 60, 1 / 64)
    >>> pulse = np.exp(-0.5 * ((time % 0.8 - 0.4) / 0.08) ** 2)
    >>> derived = respiration_from_ppg(pulse + np.sin(2 * np.pi * time / 4), 64)
    >>> (derived / derived[210]).round(1)[210:250:20]  # two seconds from one to the next
    array([ 1., -1.])
    """
    values = np.asarray(samples, dtype=np.float64)
    band = butter(2, _PPG_BASELINE, "bandpass", fs=sampling_frequency, output="sos")
    return filter_at(_grid(values, sampling_frequency), values, sampling_frequency, band)


def _grid(values: FloatArray, sampling_frequency: float) -> FloatArray:
    n_derived = int(len(values) / sampling_frequency * DERIVED_FREQUENCY)
    return np.arange(n_derived) / DERIVED_FREQUENCY
