"""EEGFeatures: brain waves, eye movements and muscle tone of each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.epochs import Night
from sklearn_sleep.core.recording import Signal
from sklearn_sleep.core.signals import EPOCH_DURATION, SIGNALS
from sklearn_sleep.features.base import FeatureTransformer
from sklearn_sleep.features.brain.eeg_waveform import (
    BANDS,
    COMPLEXITY,
    RATIOS,
    SHAPE,
    band_powers,
    complexity,
    shape,
)
from sklearn_sleep.features.brain.slow_waves import detect_slow_waves
from sklearn_sleep.features.brain.spindles import detect_spindles
from sklearn_sleep.features.brain.zero_phase_filter import band_pass
from sklearn_sleep.features.samples import bridge_gaps, usable_samples
from sklearn_sleep.preprocessing.resampler import resample_polyphase

__all__ = ["EEGFeatures"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

# Hz: the rate, the band and its edges of YASA (Vallat & Walker 2021, eLife 10:e70092), so that
# what depends on them, as crossings and entropies do, means the same.
_FREQUENCY = 100
_BAND, _TRANSITIONS = (0.4, 30.0), (0.4, 7.5)
_LOWEST_FREQUENCY = 64.0
# Of which the processor's cache holds what is computed of them (measured: 8 to 64).
_EPOCHS_IN_CACHE = 32
# uV, well below the steps of any recorder.
_FLAT = 1e-3
_SAMPLES_PER_EPOCH = round(_FREQUENCY * EPOCH_DURATION)
_EVENTS = ("spindles", "spindle_seconds", "slow_waves", "slow_wave_height")
_EEG, _EOG, _EMG = "EEG", "EOG", "EMG"


class EEGFeatures(FeatureTransformer):
    """Brain waves, eye movements and muscle tone of each epoch.

    Signals are resampled to 100 Hz and filtered from 0.4 to 30 Hz. Epochs in which a signal is
    missing or constant have no features.

    Parameters
    ----------
    signals : sequence of str, default=("EEG",)
        EEG, EOG or EMG: canonical names, or derivations such as ``"C4-M1"``. Names of features
        begin with them, as in ``EEG_sigma``.
    events : bool, default=True
        Whether to look for spindles and slow waves in EEG.
    n_jobs : int, optional
        Nights that are computed at the same time; see joblib.
    verbose : bool, default=False
        Show progress.

    See Also
    --------
    sklearn_sleep.features.detect_spindles : The spindles.
    sklearn_sleep.features.detect_slow_waves : The slow waves.
    TemporalContext : What YASA's smoothed and normalized features are for.

    Notes
    -----
    The features are those from which YASA stages (Vallat & Walker 2021, eLife 10:e70092), with
    its name for each in the second column, and its events.

    ===========================  ============  ====  ==============================================
    ``sd, iqr``                  std, iqr      uV    standard deviation, interquartile range
    ``skewness, kurtosis``       skew, kurt    1     kurtosis is 0 of a normal distribution
    ``zero_crossings``           nzc           1     changes of sign
    ``hjorth_mobility``          hmob          1     standard deviation of the change from sample
                                                     to sample over that of the samples (Hjorth
                                                     1970, Electroencephalogr Clin Neurophysiol
                                                     29:306-310)
    ``hjorth_complexity``        hcomp         1     mobility of the change over mobility
    ``slow_delta, fast_delta``   sdelta,       1     part of the power from 0.4 to 1 and from 1 to
                                 fdelta              4 Hz; of EEG and EOG
    ``theta, alpha, sigma``      theta, ...    1     4 to 8, 8 to 12 and 12 to 16 Hz
    ``beta``                     beta          1     16 to 30 Hz
    ``delta_theta_ratio`` ...    dt, ds, db    1     delta over theta, sigma and beta; of EEG
    ``alpha_theta_ratio``        at            1     of EEG
    ``power``                    abspow        uV^2  from 0.4 to 30 Hz
    ``permutation_entropy``      perm          1     of the order of three samples, up to 1
    ``higuchi_dimension``        higuchi       1     fractal dimension
    ``petrosian_dimension``      petrosian     1     fractal dimension
    ``spindles``                               1     spindles whose middle is in the epoch; of EEG
    ``spindle_seconds``                        s     time of the epoch that spindles take
    ``slow_waves``                             1     slow waves whose trough is in the epoch
    ``slow_wave_height``                       uV    their mean height, trough to crest; 0 of none
    ===========================  ============  ====  ==============================================

    Examples
    --------
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> epochs = EDFReader(["EEG"]).fit_transform("tests/data/sleep-edf-5min.edf")
    >>> features = EEGFeatures().fit_transform(epochs)
    >>> features.loc[:, ["EEG_sd", "EEG_alpha", "EEG_permutation_entropy"]].mean().round(2)
    EEG_sd                     26.47
    EEG_alpha                   0.02
    EEG_permutation_entropy     0.91
    dtype: float64
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **FeatureTransformer._parameter_constraints,
        "signals": ["array-like"],
        "events": ["boolean"],
    }

    def __init__(
        self,
        signals: Sequence[str] = ("EEG",),
        *,
        events: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(n_jobs=n_jobs, verbose=verbose)
        self.signals = signals
        self.events = events

    @property
    def feature_names(self) -> Sequence[str]:
        """Names of the features."""
        return [f"{signal}_{name}" for signal in self.signals for name in self._names(signal)]

    def _names(self, signal: str) -> tuple[str, ...]:
        kind = _kind(signal)
        bands = () if kind == _EMG else tuple(BANDS)
        of_eeg = kind == _EEG
        return (
            *SHAPE,
            *bands,
            *(RATIOS if of_eeg else ()),
            "power",
            *COMPLEXITY,
            *(_EVENTS if of_eeg and self.events else ()),
        )

    def _check_parameters(self) -> None:
        for signal in self.signals:
            # A definition of the user's own is seen when it is read.
            if signal in SIGNALS and SIGNALS[signal].unit != "uV":
                raise ValueError(
                    f"signals={self.signals!r} must be EEG, EOG or EMG; {signal} is none of them."
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
        return np.hstack([self._of_signal(night, name) for name in self.signals])

    def _of_signal(self, night: Night, name: str) -> FloatArray:
        names = self._names(name)
        features = np.full((len(night.epoch), len(names)), np.nan)
        if name not in night.recording.signals:
            return features
        may_use = night.may_use(name)
        samples = _resample(night.recording.signals[name], may_use)
        # Of an electrode that is off there would be features of rounding errors.
        known = np.isfinite(samples).all(axis=1) & (np.ptp(samples, axis=1) > _FLAT)
        rows = (may_use & known)[night.epoch]
        if not rows.any():
            return features
        filled, _ = bridge_gaps(samples.ravel())
        epoch, position = np.unique(night.epoch[rows], return_inverse=True)
        filtered = band_pass(filled, _FREQUENCY, _BAND, _TRANSITIONS)
        values = _of_epochs(filtered.reshape(samples.shape)[epoch])
        if _EVENTS[0] in names:
            values |= _events(filled, epoch)
        features[rows] = np.column_stack([values[feature] for feature in names])[position]
        return features


def _kind(signal: str) -> str:
    return next((kind for kind in (_EOG, _EMG) if signal.startswith(kind)), _EEG)


def _resample(signal: Signal, may_use: npt.NDArray[np.bool_]) -> FloatArray:
    """Return the samples of each epoch at 100 Hz."""
    if signal.unit != "uV":
        raise ValueError(
            f"{signal.name} has the unit {signal.unit!r}, and microvolts are needed. Leave out the "
            "Normalizer before the feature step."
        )
    if signal.sampling_frequency < _LOWEST_FREQUENCY:
        raise ValueError(
            f"{signal.name} has {signal.sampling_frequency:g} samples per second; waves of 30 Hz "
            f"need {_LOWEST_FREQUENCY:g} or more."
        )
    samples = usable_samples(signal, may_use)
    resampled = resample_polyphase(
        samples, signal.sampling_frequency, _SAMPLES_PER_EPOCH, signal.n_epochs
    )
    return resampled.astype(np.float64).reshape(-1, _SAMPLES_PER_EPOCH)


def _of_epochs(epochs: FloatArray) -> dict[str, FloatArray]:
    """Return the features of epochs but for events, a few epochs at a time."""
    parts = []
    for start in range(0, len(epochs), _EPOCHS_IN_CACHE):
        part = epochs[start : start + _EPOCHS_IN_CACHE]
        parts.append(shape(part) | band_powers(part, _FREQUENCY) | complexity(part))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _events(samples: FloatArray, epoch: IntArray) -> dict[str, FloatArray]:
    """Return spindles and slow waves of epochs."""
    spindles = detect_spindles(samples, _FREQUENCY)
    waves = detect_slow_waves(samples, _FREQUENCY)
    n_epochs = len(samples) // _SAMPLES_PER_EPOCH

    def count(times: FloatArray, weights: FloatArray | None = None) -> FloatArray:
        of_event = (times // EPOCH_DURATION).astype(np.intp)
        counts = np.bincount(of_event, weights, minlength=n_epochs)
        return counts[epoch].astype(np.float64)

    n_waves = count(waves.troughs)
    return {
        "spindles": count(spindles.mean(axis=1)),
        "spindle_seconds": _seconds_in(spindles, epoch),
        "slow_waves": n_waves,
        "slow_wave_height": count(waves.troughs, waves.heights) / np.maximum(n_waves, 1),
    }


def _seconds_in(events: FloatArray, epoch: IntArray) -> FloatArray:
    """Return how many seconds of each epoch lie in events, which do not overlap."""
    edges = events.ravel()
    passed = np.concatenate([[0.0], np.cumsum(np.diff(events, axis=1))])

    def until(times: FloatArray) -> FloatArray:
        """Return the seconds in events before each time."""
        n_edges = np.searchsorted(edges, times)
        begun = n_edges % 2 == 1
        last = edges[np.maximum(n_edges - 1, 0)] if len(edges) else times
        return passed[n_edges // 2] + np.where(begun, times - last, 0.0)

    begin = EPOCH_DURATION * epoch.astype(np.float64)
    return until(begin + EPOCH_DURATION) - until(begin)
