"""InstantaneousHeartRate: the heart rate as a signal of its own, for networks."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.epochs import Epochs, Night, as_mask
from sklearn_sleep.core.recording import DerivedSource, Recording
from sklearn_sleep.core.signals import INSTANTANEOUS_HEART_RATE
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.features.beats.heart_signals import heart_rate
from sklearn_sleep.features.beats.heartbeats import HeartbeatDetector
from sklearn_sleep.preprocessing.base import EpochsTransformer, TakesEpochsMixin


class InstantaneousHeartRate(TakesEpochsMixin, EpochsTransformer):
    """Add the instantaneous heart rate, as a signal ``"IHR"``, to recordings with an ECG or a PPG.

    A network that is given it need not learn to find beats. With tens of training nights it stages
    better from this signal than from the ECG, in a small part of the time; see
    ``docs/small-cohorts.md``.

    Parameters
    ----------
    signals : sequence of {"ECG", "PPG"}, default=("ECG", "PPG")
        Where to look for beats; of each recording the first that any row may use is taken.
    correct : bool, default=True
        Whether to correct missed, extra, misplaced and ectopic beats (`correct_beats`).

    See Also
    --------
    HeartbeatDetector : What finds the beats.
    HRVFeatures : What the classical baseline computes of the same beats.

    Notes
    -----
    The rate in 1/min is 60 over the R-R interval that ends at a beat, linear from beat to beat at
    128 samples an epoch (sample `i` at ``i * 30 / 128`` s), and missing (NaN) where no R-R interval
    was measured for more than 10 s. After Sridhar et al. 2020 (npj Digit Med 3:106).

    Where the table says that rows may not use the ECG (or whichever signal the beats come from),
    they may not use this signal either.

    Beats are found when samples are read, each time anew.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_sleep import Wav2SleepClassifier
    >>> from sklearn_sleep.preprocessing import EDFReader, Epocher, Normalizer, Resampler
    >>> reader = EDFReader(["ECG"], units={"ECG": "mV"})
    >>> epochs = make_pipeline(reader, InstantaneousHeartRate()).fit_transform(
    ...     "tests/data/mitdb-100.edf"
    ... )
    >>> rate = epochs.recordings[0].signals["IHR"]
    >>> rate, round(float(np.nanmean(rate.data)), 1)
    (Signal(IHR, 4.26667 Hz, 1/min), 75.5)

    As the only signal of a network:

    >>> pipeline = make_pipeline(
    ...     reader, InstantaneousHeartRate(), Resampler(), Normalizer(), Epocher(),
    ...     Wav2SleepClassifier(signals=["IHR"], size="auto"),
    ... )
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "signals": ["array-like"],
        "correct": ["boolean"],
    }

    def __init__(self, signals: Sequence[str] = ("ECG", "PPG"), *, correct: bool = True) -> None:
        self.signals = signals
        self.correct = correct

    def _check_parameters(self) -> None:
        HeartbeatDetector(self.signals)._check_parameters()

    def transform(self, X: Epochs) -> Epochs:
        """Add the signal to each recording with an ECG or a PPG; others stay as they are.

        The table, (n_rows,), gets a column ``IHR`` where some rows may not use the signal.
        Recordings that are cut into epochs are a ValueError.
        """
        self._check(X)
        detector = HeartbeatDetector(tuple(self.signals), correct=self.correct)
        name = INSTANTANEOUS_HEART_RATE.name
        recordings = []
        may_use = np.ones(len(X), dtype=bool)
        for night in X.nights():
            beats_from = _choose(night, detector)
            if beats_from is None:
                recordings.append(night.recording)
                continue
            source = _WithHeartRate(night.recording, beats_from, detector)
            recordings.append(Recording(source))
            may_use[night.rows] = night.masks.get(beats_from, np.True_)
        table = X.table
        if name in table.columns:
            may_use &= as_mask(table[name])
        if not may_use.all():
            table = table.assign(**{name: may_use})
        return Epochs(table, recordings, X.recording_index)

    def get_feature_names_out(self, input_features: npt.ArrayLike | None = None) -> Any:
        """Return the names of the signals that go in, (n_signals,), and that of the heart rate."""
        before = [] if input_features is None else list(np.asarray(input_features, dtype=object))
        return np.asarray([*before, INSTANTANEOUS_HEART_RATE.name], dtype=object)


class _WithHeartRate(DerivedSource):
    """The recording with the heart rate too."""

    def __init__(self, recording: Recording, beats_from: str, detector: HeartbeatDetector) -> None:
        super().__init__(recording)
        self._beats_from = beats_from
        self._detector = detector

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.recording.signals, INSTANTANEOUS_HEART_RATE.name)

    @property
    def identity(self) -> Mapping[str, Any]:
        return {
            "recording": self.recording.fingerprint,
            "beats_from": self._beats_from,
            "detector": self._detector.get_params(),
        }

    def signal(self, name: str) -> Signal:
        if name != INSTANTANEOUS_HEART_RATE.name:
            return self.recording.signals[name]
        waveform = self.recording.signals[self._beats_from]
        detector = self._detector
        return Signal(
            INSTANTANEOUS_HEART_RATE,
            lambda: heart_rate(detector.detect(waveform), waveform.n_epochs).astype(np.float32),
            INSTANTANEOUS_HEART_RATE.sampling_frequency,
            "1/min",
            n_epochs=waveform.n_epochs,
        )


def _choose(night: Night, detector: HeartbeatDetector) -> str | None:
    """Return the signal to find a night's beats in."""
    chosen = night.choose_signals(detector.signals)
    if not chosen:
        return None
    name, _ = chosen[0]
    night.recording.signals[name].require_continuous("InstantaneousHeartRate")
    return name
