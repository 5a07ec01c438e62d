"""Heartbeats of a night, from its ECG or its PPG."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sklearn_sleep.core.arrays import BoolArray, FloatArray
from sklearn_sleep.core.epochs import Night
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.features.base import FeatureTransformer, check_choices
from sklearn_sleep.features.beats.beat_correction import LONGEST_INTERVAL, correct_beats
from sklearn_sleep.features.beats.ecg_beats import detect_r_peaks
from sklearn_sleep.features.beats.pulse_onsets import detect_pulse_onsets
from sklearn_sleep.features.beats.signal_quality import signal_quality
from sklearn_sleep.features.remembered import remember
from sklearn_sleep.features.samples import bridge_gaps, usable_samples

_DETECTORS = {"ECG": detect_r_peaks, "PPG": detect_pulse_onsets}


@dataclass(frozen=True)
class Heartbeats:
    """The heartbeats of a night, in s from its start, rising.

    `times`, (n_beats,), are R peaks of an ECG or pulse onsets of a PPG; `is_corrected`, (n_beats,),
    tells those that were moved or put in; `detected` are the times before correction.

    >>> beats = Heartbeats(np.array([0.0, 1.0, 2.0, 3.0, 8.0, 9.0]), np.arange(6) == 1, np.empty(0))
    >>> beats.intervals
    array([nan, nan,  1., nan,  1.])
    """

    times: FloatArray
    is_corrected: BoolArray
    detected: FloatArray

    @property
    def intervals(self) -> FloatArray:
        """R-R intervals in s, (n_beats - 1,); NaN at corrected beats and beyond 3 s."""
        intervals = np.diff(self.times)
        known = ~(self.is_corrected[1:] | self.is_corrected[:-1])
        return np.where(known & (intervals <= LONGEST_INTERVAL), intervals, np.nan)


class HeartbeatDetector(FeatureTransformer):
    """Find the heartbeats of each night, and say how far they can be trusted.

    Other steps use it to find beats (`detect`). As a step of its own it gives the beats of each
    epoch, how many of them were corrected, and an index of signal quality.

    Parameters
    ----------
    signals : sequence of {"ECG", "PPG"}, default=("ECG", "PPG")
        Where to look for beats; the first that a row may use is taken.
    correct : bool, default=True
        Whether to correct missed, extra, misplaced and ectopic beats (`correct_beats`).
    n_jobs : int, optional
        Nights whose beats are found at the same time; see joblib.
    verbose : int, optional
        Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
        terminal or in a notebook.

    See Also
    --------
    sklearn_sleep.features.detect_r_peaks : The beats of an ECG.
    sklearn_sleep.features.detect_pulse_onsets : The beats of a PPG.
    sklearn_sleep.features.correct_beats : The correction, after Lipponen & Tarvainen 2019.
    sklearn_sleep.features.beats.signal_quality : The index, after Orphanidou et al. 2015.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> epochs = EDFReader(["ECG"], units={"ECG": "mV"}).fit_transform("tests/data/mitdb-100.edf")
    >>> HeartbeatDetector().fit_transform(epochs).describe().loc["mean"].round(2)
    beats              37.75
    corrected_beats     1.33
    signal_quality      0.98
    Name: mean, dtype: float64
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **FeatureTransformer._parameter_constraints,
        "signals": ["array-like"],
        "correct": ["boolean"],
    }

    def __init__(
        self,
        signals: Sequence[str] = ("ECG", "PPG"),
        *,
        correct: bool = True,
        n_jobs: int | None = None,
        verbose: int | None = None,
    ) -> None:
        self.signals = signals
        self.correct = correct
        super().__init__(n_jobs=n_jobs, verbose=verbose)

    @property
    def feature_names(self) -> Sequence[str]:
        """Names of the features."""
        return ("beats", "corrected_beats", "signal_quality")

    def detect(self, signal: Signal, may_use: BoolArray | None = None) -> Heartbeats:
        """Return the beats of a whole ECG or PPG, in epochs that may be used, (n_epochs,)."""
        if signal.name not in _DETECTORS:
            raise ValueError(
                f"There are no heartbeats to find in {signal.name}; give the ECG or the PPG."
            )
        return self._detect(signal, usable_samples(signal, may_use))

    def compute_features(self, night: Night) -> FloatArray:
        """Return beats, corrected ones and their quality in each row's epoch, (n_rows, 3)."""
        features = np.full((len(night.epoch), len(self.feature_names)), np.nan)
        for name, rows in night.choose_signals(self.signals):
            signal = night.recording.signals[name]
            samples = usable_samples(signal, night.may_use(name))
            heartbeats = self._detect(signal, samples)
            n_epochs = night.recording.n_epochs
            epoch = (heartbeats.times // EPOCH_DURATION).astype(np.intp)
            quality = signal_quality(
                samples, signal.sampling_frequency, heartbeats.detected, n_epochs=n_epochs
            )
            counts = [
                np.bincount(of_beats, minlength=n_epochs)[:n_epochs]
                for of_beats in (epoch, epoch[heartbeats.is_corrected])
            ]
            of_epochs = np.column_stack([*counts, quality])
            of_epochs[np.isnan(quality)] = np.nan
            features[rows] = of_epochs[night.epoch[rows]]
        return features

    def _detect(self, signal: Signal, samples: FloatArray) -> Heartbeats:
        return _find_beats(samples, signal.sampling_frequency, signal.name, bool(self.correct))

    def _check_parameters(self) -> None:
        check_choices("signals", self.signals, _DETECTORS)


@remember
def _find_beats(samples: FloatArray, frequency: float, signal: str, correct: bool) -> Heartbeats:
    """Return the beats of an ECG or PPG, (n_samples,), NaN where it is missing, at a rate in Hz."""
    filled, missing = bridge_gaps(samples)
    if missing.all():
        return Heartbeats(np.empty(0), np.empty(0, dtype=bool), np.empty(0))
    detected = _DETECTORS[signal](filled, frequency)
    detected = detected[~missing[np.round(detected * frequency).astype(np.intp)]]
    if not correct:
        return Heartbeats(detected, np.zeros(len(detected), dtype=bool), detected)
    return Heartbeats(*correct_beats(detected), detected)
