"""RespirationFeatures: breathing around each epoch, and how the heart goes with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfiltfilt

from sklearn_sleep.core.epochs import Night
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.features.base import FeatureTransformer
from sklearn_sleep.features.beats.heartbeats import HeartbeatDetector, Heartbeats
from sklearn_sleep.features.beats.hrv_frequency import RESAMPLED_FREQUENCY, resample_intervals
from sklearn_sleep.features.beats.interval_windows import (
    IntervalWindows,
    check_windows,
    name_windows,
)
from sklearn_sleep.features.breathing.breaths import Breaths, detect_breaths
from sklearn_sleep.features.breathing.cardiorespiratory_coupling import (
    COUPLING,
    coupling,
    peak_to_trough,
)
from sklearn_sleep.features.breathing.derived_respiration import (
    DERIVED_FREQUENCY,
    respiration_from_ecg,
    respiration_from_ppg,
)
from sklearn_sleep.features.samples import bridge_gaps, usable_samples

__all__ = ["RespirationFeatures"]

FloatArray = npt.NDArray[np.float64]

BREATHS = (
    "breathing_rate",
    "breath_duration_sd",
    "breath_duration_rmssd",
    "breath_duration_max",
    "inspiration_share",
    "inspiration_share_sd",
    "breath_depth_cv",
    "breath_depth_cvsd",
    "breath_similarity",
)
_BELTS = ("THX", "ABD")
_DERIVED = ("ECG", "PPG")
_ARRHYTHMIA = "RSA"
# Hz: the shortest breath looked for takes a second.
_FASTEST = 1.0


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
    detector : HeartbeatDetector, optional
        What finds the beats; ``HeartbeatDetector()`` if not given.
    n_jobs : int, optional
        Nights that are computed at the same time; see joblib.
    verbose : bool, default=False
        Show progress.

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
    ``breath_duration_sd``        s      standard deviation of the duration; ``_rmssd``, the root
                                         mean square of its successive differences; ``_max``
    ``inspiration_share``         1      mean part of inspiration in a breath, and (``_sd``) its
                                         standard deviation
    ``breath_depth_cv``           1      standard deviation of the depth over its mean, and
                                         (``_cvsd``) root mean square of successive differences
                                         over the mean
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
        "detector": [HeartbeatDetector, None],
    }

    def __init__(
        self,
        windows: Sequence[tuple[int, int]] = ((120, 150),),
        *,
        signals: Sequence[str] = (*_BELTS, *_DERIVED),
        coupling: bool = True,
        detector: HeartbeatDetector | None = None,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(n_jobs=n_jobs, verbose=verbose)
        self.windows = windows
        self.signals = signals
        self.coupling = coupling
        self.detector = detector

    @property
    def feature_names(self) -> Sequence[str]:
        """Names of the features."""
        names = name_windows(BREATHS, self.windows)
        if self.coupling:
            names += [*name_windows([_ARRHYTHMIA], self.windows), *COUPLING]
        return names

    def _check_parameters(self) -> None:
        check_windows(self.windows)
        known = (*_BELTS, *_DERIVED)
        if not set(self.signals) <= set(known):
            raise ValueError(
                f"signals={self.signals!r} must be a list of some of {', '.join(known)}."
            )

    def compute_features(self, night: Night) -> FloatArray:
        """Return the features of a night's rows.

        Parameters
        ----------
        night : Night
            The recording and the epochs of it that are asked for.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_features)
        """
        detector = HeartbeatDetector() if self.detector is None else self.detector
        features = {name: np.full(len(night.epoch), np.nan) for name in self.feature_names}

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
            _write(features, rows, self._of_breaths(breaths, night.epoch[rows]))
            for beats_from, having_beats in night.choose_signals(detector.signals):
                both = np.intersect1d(rows, having_beats)
                if self.coupling and len(both):
                    beats, epoch = beats_of(beats_from), night.epoch[both]
                    _write(features, both, self._of_arrhythmia(breaths, beats, epoch))
                    _write(features, both, _coupling_of(samples, frequency, beats, epoch))
        return np.column_stack(list(features.values()))

    def _of_breaths(self, breaths: Breaths, epoch: npt.NDArray[np.intp]) -> dict[str, FloatArray]:
        """Return the features of windows around epochs, by name."""
        durations = breaths.durations
        measured = np.isfinite(durations)
        inspirations = ((breaths.peaks - breaths.onsets[:-1]) / durations)[measured]
        depths, similarities = breaths.depths[measured], breaths.similarities[measured]

        def summarise(windows: IntervalWindows) -> Iterator[FloatArray]:
            yield 60 / windows.mean(windows.intervals)
            yield windows.standard_deviation(windows.intervals)
            yield windows.root_mean_square_of_changes(windows.intervals)
            yield windows.maximum(windows.intervals)
            yield windows.mean(inspirations)
            yield windows.standard_deviation(inspirations)
            mean_depth = windows.mean(depths)
            yield windows.standard_deviation(depths) / mean_depth
            yield windows.root_mean_square_of_changes(depths) / mean_depth
            # Of breaths that follow on another one in the window.
            yield windows.mean_of_pairs(similarities)

        return self._in_windows(BREATHS, breaths.onsets, durations, epoch, summarise)

    def _of_arrhythmia(
        self, breaths: Breaths, beats: Heartbeats, epoch: npt.NDArray[np.intp]
    ) -> dict[str, FloatArray]:
        arrhythmia = np.where(breaths.is_measured, peak_to_trough(breaths, beats), np.nan)
        return self._in_windows(
            (_ARRHYTHMIA,),
            breaths.onsets,
            arrhythmia,
            epoch,
            lambda windows: [windows.mean(windows.intervals)],
        )

    def _in_windows(
        self,
        names: Sequence[str],
        onsets: FloatArray,
        values: FloatArray,
        epoch: npt.NDArray[np.intp],
        summarise: Callable[[IntervalWindows], Iterable[FloatArray]],
    ) -> dict[str, FloatArray]:
        begin = EPOCH_DURATION * epoch.astype(np.float64)
        columns: list[FloatArray] = []
        for back, ahead in self.windows:
            windows = IntervalWindows.around(onsets, values, begin - back, begin + ahead)
            with np.errstate(divide="ignore", invalid="ignore"):  # of breaths without depth
                columns += summarise(windows)
        return dict(zip(name_windows(names, self.windows), columns, strict=True))


def _write(
    features: dict[str, FloatArray], rows: npt.NDArray[np.intp], of_rows: dict[str, FloatArray]
) -> None:
    for name, values in of_rows.items():
        # Ratios to nothing, as of breaths without depth, which classifiers would not take.
        features[name][rows] = np.where(np.isinf(values), np.nan, values)


def _coupling_of(
    samples: FloatArray, frequency: float, beats: Heartbeats, epoch: npt.NDArray[np.intp]
) -> dict[str, FloatArray]:
    """Return the coupling around the middle of epochs."""
    last = math.ceil(len(samples) / frequency)
    intervals, measured = resample_intervals(beats.times, beats.intervals, first=0, last=last)
    intervals[~measured] = np.nan
    filled, missing = bridge_gaps(samples)
    respiration = np.full(len(intervals), np.nan)
    if not missing.all():
        # Faster ones would fold into the bands.
        smooth = sosfiltfilt(butter(2, _FASTEST, fs=frequency, output="sos"), filled - filled[0])
        times = np.arange(len(intervals)) / RESAMPLED_FREQUENCY
        respiration = np.interp(times, np.arange(len(smooth)) / frequency, smooth)
        nearest = np.round(times * frequency).astype(np.intp).clip(max=len(missing) - 1)
        respiration[missing[nearest]] = np.nan
    return coupling(intervals, respiration, EPOCH_DURATION * (epoch.astype(np.float64) + 0.5))
