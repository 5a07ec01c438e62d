"""RespirationFeatures: breathing around each epoch, and how the heart goes with it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.signal import butter

from sklearn_sleep.core.arrays import FloatArray, IntArray
from sklearn_sleep.core.epochs import Night
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.features.base import (
    Feature,
    FeatureSource,
    FeatureTransformer,
    check_choices,
    compute_columns,
    select_features,
)
from sklearn_sleep.features.beats.heartbeats import HeartbeatDetector, Heartbeats
from sklearn_sleep.features.breathing.breaths import Breaths, detect_breaths
from sklearn_sleep.features.breathing.derived_respiration import (
    DERIVED_FREQUENCY,
    respiration_from_ecg,
    respiration_from_ppg,
)
from sklearn_sleep.features.interval_windows import (
    RESAMPLED_FREQUENCY,
    IntervalWindows,
    check_windows,
    compute_in_windows,
    largest_in,
    name_windows,
    resample_intervals,
)
from sklearn_sleep.features.samples import filter_at, usable_samples

_BELTS = ("THX", "ABD")
_DERIVED = ("ECG", "PPG")
# Hz: the shortest breath looked for takes a second.
_FASTEST = 1.0
# Thomas et al. 2005, Sleep 28:1151-1161: bands in Hz of high-, low- and very-low-frequency
# coupling, and three segments of 512 samples at 2 Hz that overlap by half.
_BANDS = {"VLFC": (0.001, 0.01), "LFC": (0.01, 0.1), "HFC": (0.1, 0.4)}
_SEGMENT_SECONDS, _N_SEGMENTS = 256.0, 3
_MINIMUM_COVERAGE = 0.8


@dataclass(frozen=True)
class BreathWindows(IntervalWindows):
    """Windows over the durations of breaths in s, and what else is known of those breaths."""

    breaths: Breaths

    @cached_property
    def inspirations(self) -> FloatArray:
        """Part of inspiration in each breath, (n_intervals,)."""
        return ((self.breaths.peaks - self.breaths.onsets[:-1]) / self.durations)[self.measured]

    @cached_property
    def depths(self) -> FloatArray:
        """Depth of each breath, (n_intervals,)."""
        return self.breaths.depths[self.measured]

    @cached_property
    def similarities(self) -> FloatArray:
        """Correlation of each breath with the one before, (n_intervals,)."""
        return self.breaths.similarities[self.measured]


@dataclass(frozen=True)
class Coupling(FeatureSource):
    """How heart and breathing go together in each of some windows; NaN where too little is known.

    `strength` is the coupling in each band, (n_windows,), and `coherence` the squared coherence at
    each frequency from 0.1 to 0.4 Hz, (n_windows, n_frequencies).
    """

    strength: dict[str, FloatArray]
    coherence: FloatArray

    def part(self, band: str) -> FloatArray:
        """Return the part of a band in the coupling of all three, (n_windows,)."""
        return self.strength[band] / sum(self.strength.values())


# Each a name and a function that returns a value for each window, in the order of the columns:
# "breaths" of `BreathWindows`, "arrhythmia" of windows over that of each breath in s, "coupling"
# of `Coupling`; `RespirationFeatures` explains them.
RESPIRATION_FEATURES: dict[str, dict[str, Feature]] = {
    "breaths": {
        "breathing_rate": lambda windows: 60 / windows.mean(windows.intervals),
        "breath_duration_sd": lambda windows: windows.standard_deviation(windows.intervals),
        "breath_duration_rmssd": lambda windows: windows.root_mean_square_of_changes(
            windows.intervals
        ),
        "breath_duration_max": lambda windows: windows.maximum(windows.intervals),
        "inspiration_share": lambda windows: windows.mean(windows.inspirations),
        "inspiration_share_sd": lambda windows: windows.standard_deviation(windows.inspirations),
        "breath_depth_cv": lambda windows: (
            windows.standard_deviation(windows.depths) / windows.mean(windows.depths)
        ),
        "breath_depth_cvsd": lambda windows: (
            windows.root_mean_square_of_changes(windows.depths) / windows.mean(windows.depths)
        ),
        # Of breaths that follow on another one in the window.
        "breath_similarity": lambda windows: windows.mean_of_pairs(windows.similarities),
    },
    "arrhythmia": {"RSA": lambda windows: windows.mean(windows.intervals)},
    "coupling": {
        "HFC": lambda coupling: coupling.part("HFC"),
        "LFC": lambda coupling: coupling.part("LFC"),
        "VLFC": lambda coupling: coupling.part("VLFC"),
        "HFC_LFC_ratio": lambda coupling: coupling.strength["HFC"] / coupling.strength["LFC"],
        "coherence": lambda coupling: coupling.coherence.max(axis=1),
    },
}


class RespirationFeatures(FeatureTransformer):
    """Breathing in a window around each epoch.

    Parameters
    ----------
    windows : sequence of (int, int), default=((120, 150),)
        Seconds before and after the beginning of the epoch. With several windows the names of the
        features end with both, as in ``breathing_rate_120_150``.
    signals : sequence of {"THX", "ABD", "ECG", "PPG"}, default=("THX", "ABD", "ECG", "PPG")
        Where to look for breaths; the first that a row may use is taken. From ECG and PPG
        respiration is derived.
    coupling : bool, default=True
        Whether to add how the R-R intervals of ECG or PPG go with breathing.
    features : sequence of str or (str, callable), optional
        Names of features and functions of your own with names for them, as in `HRVFeatures`; the
        windows have ``depths``, ``inspirations`` and ``similarities`` too. Columns are those of
        breaths, of ``RSA`` and of the coupling, whatever ``coupling`` is.
    detector : HeartbeatDetector, optional
        What finds the beats; ``HeartbeatDetector()`` if not given.
    n_jobs : int, optional
        Nights whose breathing is computed at the same time; see joblib.
    verbose : int, optional
        Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
        terminal or in a notebook.

    See Also
    --------
    sklearn_sleep.features.detect_breaths : The breaths of a belt.
    sklearn_sleep.features.respiration_from_ecg : The height of the QRS complexes.
    sklearn_sleep.features.respiration_from_ppg : The baseline of the PPG.

    Notes
    -----
    Of the breaths that end in the window:

    ============================  =====  ==========================================================
    ``breathing_rate``            1/min  60 over the mean duration
    ``breath_duration_sd``        s      standard deviation of the duration
    ``breath_duration_rmssd``     s      root mean square of its successive differences
    ``breath_duration_max``       s      the longest
    ``inspiration_share``         1      mean part of inspiration in a breath
    ``inspiration_share_sd``      1      its standard deviation
    ``breath_depth_cv``           1      standard deviation of the depth over its mean
    ``breath_depth_cvsd``         1      root mean square of its successive differences over its
                                         mean
    ``breath_similarity``         1      mean correlation of breaths with the one before
    ``RSA``                       s      respiratory sinus arrhythmia, peak to trough (Grossman et
                                         al. 1990)
    ``HFC, LFC, VLFC``            1      parts of the cardiopulmonary coupling from 0.1 to 0.4,
                                         0.01 to 0.1 and 0.001 to 0.01 Hz, in the 512 s around the
                                         epoch whatever the window (Thomas et al. 2005)
    ``HFC_LFC_ratio``             1      their ratio
    ``coherence``                 1      largest squared coherence of R-R intervals and breathing
    ============================  =====  ==========================================================

    Breathing is most regular in deep sleep (Douglas et al. 1982, Thorax 37:840-844). Belts and
    amplifiers have no common unit, so that depths count against each other alone. Variability of
    depth and duration and the correlation of successive breaths are those that Redmond & Heneghan
    2006 (IEEE Trans Biomed Eng 53:485-496) and Long et al. 2014 (Biomed Signal Process Control
    14:197-205) stage from.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> epochs = EDFReader(["ECG"], units={"ECG": "mV"}).fit_transform("tests/data/mitdb-100.edf")
    >>> features = RespirationFeatures().fit_transform(epochs)
    >>> features.loc[:, ["breathing_rate", "inspiration_share", "RSA"]].mean().round(2)
    breathing_rate       17.80
    inspiration_share     0.49
    RSA                   0.03
    dtype: float64
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **FeatureTransformer._parameter_constraints,
        "windows": ["array-like"],
        "signals": ["array-like"],
        "coupling": ["boolean"],
        "features": ["array-like", None],
        "detector": [HeartbeatDetector, None],
    }

    def __init__(
        self,
        windows: Sequence[tuple[int, int]] = ((120, 150),),
        *,
        signals: Sequence[str] = (*_BELTS, *_DERIVED),
        coupling: bool = True,
        features: Sequence[str | tuple[str, Feature]] | None = None,
        detector: HeartbeatDetector | None = None,
        n_jobs: int | None = None,
        verbose: int | None = None,
    ) -> None:
        self.windows = windows
        self.signals = signals
        self.coupling = coupling
        self.features = features
        self.detector = detector
        super().__init__(n_jobs=n_jobs, verbose=verbose)

    @property
    def feature_names(self) -> Sequence[str]:
        """Names of the features."""
        breaths, arrhythmia, coupling = self._select_features().values()
        return [
            *name_windows(breaths, self.windows),
            *name_windows(arrhythmia, self.windows),
            *coupling,
        ]

    def _select_features(self) -> dict[str, dict[str, Feature]]:
        """Return functions by group, a user's own among those of breaths."""
        default = RESPIRATION_FEATURES if self.coupling else ("breaths",)
        selected = select_features(self.features, RESPIRATION_FEATURES, default)
        groups: dict[str, dict[str, Feature]] = {name: {} for name in RESPIRATION_FEATURES}
        for name, function in selected.items():
            known_in = [key for key, of in RESPIRATION_FEATURES.items() if of.get(name) is function]
            groups[(*known_in, "breaths")[0]][name] = function
        return groups

    def _check_parameters(self) -> None:
        self._select_features()
        check_windows(self.windows)
        check_choices("signals", self.signals, (*_BELTS, *_DERIVED))

    def compute_features(self, night: Night) -> FloatArray:
        """Return the features of a night's rows, (n_rows, n_features)."""
        detector = HeartbeatDetector() if self.detector is None else self.detector
        of_breaths, of_arrhythmia, of_coupling = self._select_features().values()
        features = np.full((len(night.epoch), len(self.feature_names)), np.nan)
        # The first columns are those of breaths, the last those of coupling.
        n_of_breaths = len(self.windows) * len(of_breaths)
        n_in_windows = n_of_breaths + len(self.windows) * len(of_arrhythmia)
        needs_heart = n_of_breaths < features.shape[1]

        @cache
        def beats_of(signal: str) -> Heartbeats:
            return detector.detect(night.recording.signals[signal], night.may_use(signal))

        for name, rows in night.choose_signals(self.signals):
            signal = night.recording.signals[name]
            samples = usable_samples(signal, night.may_use(name))
            frequency = signal.sampling_frequency
            if name == "ECG":
                samples = respiration_from_ecg(samples, frequency, beats_of(name))
            elif name == "PPG":
                samples = respiration_from_ppg(samples, frequency)
            if name not in _BELTS:
                frequency = DERIVED_FREQUENCY
            breaths = detect_breaths(samples, frequency)
            features[rows, :n_of_breaths] = compute_in_windows(
                of_breaths, self._windows_of_breaths(breaths, night.epoch[rows])
            )
            for beats_from, having_beats in night.choose_signals(detector.signals):
                both = np.intersect1d(rows, having_beats)
                if needs_heart and len(both):
                    beats, epoch = beats_of(beats_from), night.epoch[both]
                    features[both, n_of_breaths:n_in_windows] = compute_in_windows(
                        of_arrhythmia, self._windows_of_arrhythmia(breaths, beats, epoch)
                    )
                    features[both, n_in_windows:] = compute_columns(
                        of_coupling, _couple_at(epoch, beats, samples, frequency), len(epoch)
                    )
        # Ratios to nothing, as of breaths without depth, which classifiers would not take.
        features[np.isinf(features)] = np.nan
        return features

    def _windows_of_breaths(self, breaths: Breaths, epoch: IntArray) -> list[BreathWindows]:
        return [
            BreathWindows(breaths.onsets, breaths.durations, epoch, window, breaths)
            for window in self.windows
        ]

    def _windows_of_arrhythmia(
        self, breaths: Breaths, beats: Heartbeats, epoch: IntArray
    ) -> list[IntervalWindows]:
        arrhythmia = np.where(breaths.is_measured, peak_to_trough(breaths, beats), np.nan)
        return [
            IntervalWindows(breaths.onsets, arrhythmia, epoch, window) for window in self.windows
        ]


def _couple_at(
    epoch: IntArray, beats: Heartbeats, samples: FloatArray, frequency: float
) -> Coupling:
    """Return the coupling of beats to a respiratory signal at a rate in Hz around epochs."""
    last = math.ceil(len(samples) / frequency)
    intervals, measured = resample_intervals(beats.times, beats.intervals, first=0, last=last)
    intervals[~measured] = np.nan
    times = np.arange(len(intervals)) / RESAMPLED_FREQUENCY
    # Faster waves would fold into the bands.
    smooth = butter(2, _FASTEST, fs=frequency, output="sos")
    respiration = filter_at(times, samples, frequency, smooth)
    return couple(intervals, respiration, EPOCH_DURATION * (epoch.astype(np.float64) + 0.5))


def couple(intervals: FloatArray, respiration: FloatArray, centres: FloatArray) -> Coupling:
    """Return the cardiopulmonary coupling of Thomas et al. 2005 in 512 s around times in s.

    Of R-R intervals in s at 4 Hz and respiration at the same times, (n_samples,), NaN where they
    were not measured. The coupling at a frequency is the coherence of both times the power of
    their cross spectrum, each of which is an average over three segments of 256 s. NaN where less
    than 80% was measured of either signal.
    """
    size = round(_SEGMENT_SECONDS * RESAMPLED_FREQUENCY)
    step = size // 2
    first = np.round(centres * RESAMPLED_FREQUENCY).astype(np.intp) - step * (_N_SEGMENTS + 1) // 2
    frequency = np.fft.rfftfreq(size, 1 / RESAMPLED_FREQUENCY)
    wanted = frequency <= _BANDS["HFC"][1]
    frequency = frequency[wanted]
    cross = np.zeros((len(centres), wanted.sum()), dtype=np.complex128)
    power = np.zeros((2, *cross.shape))
    measured = np.zeros(len(centres))
    for number in range(_N_SEGMENTS):
        position = first[:, None] + step * number + np.arange(size)
        inside = (position >= 0) & (position < len(intervals))
        position = position.clip(0, len(intervals) - 1)
        known = inside & np.isfinite(intervals[position]) & np.isfinite(respiration[position])
        measured += known.mean(axis=1) / _N_SEGMENTS
        segments = np.stack([_centred(x[position], known) for x in (intervals, respiration)])
        spectra = np.fft.rfft(segments * np.hanning(size), axis=-1)[..., wanted]
        cross += spectra[0] * spectra[1].conj()
        power += np.abs(spectra) ** 2
    product = power[0] * power[1]
    squared = np.abs(cross) ** 2
    coherence = np.divide(squared, product, out=np.zeros(squared.shape), where=product > 0)
    strength = coherence * squared
    bands = {name: (low <= frequency) & (frequency < high) for name, (low, high) in _BANDS.items()}
    by_band = {name: strength[:, inside].sum(axis=1) for name, inside in bands.items()}
    enough = (measured >= _MINIMUM_COVERAGE) & (sum(by_band.values()) > 0)
    return Coupling(
        {name: np.where(enough, values, np.nan) for name, values in by_band.items()},
        np.where(enough[:, None], coherence[:, bands["HFC"]], np.nan),
    )


def _centred(windows: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    """Return windows less their mean, and zero where they are not known."""
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.where(known, windows, 0.0).sum(axis=1, keepdims=True) / count
    return np.where(known, windows - mean, 0.0)


def peak_to_trough(breaths: Breaths, heartbeats: Heartbeats) -> FloatArray:
    """Return the respiratory sinus arrhythmia of each breath in s, (n_breaths,).

    The longest R-R interval that ends in expiration less the shortest that ends in inspiration
    (Grossman, van Beek & Wientjes 1990, Psychophysiology 27:702-714); 0 where the heart does not
    slow with expiration, NaN where a phase of the breath has no measured interval.
    """
    intervals = heartbeats.intervals
    known = np.isfinite(intervals)
    times, intervals = heartbeats.times[1:][known], intervals[known]
    inspired = np.searchsorted(times, np.column_stack([breaths.onsets[:-1], breaths.peaks]))
    expired = np.searchsorted(times, np.column_stack([breaths.peaks, breaths.onsets[1:]]))
    shortest = -largest_in(-intervals, inspired)
    difference = largest_in(intervals, expired) - shortest
    return np.where(np.isfinite(difference), np.maximum(difference, 0.0), np.nan)
