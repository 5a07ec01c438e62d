"""EEGFeatures: brain waves, eye movements and muscle tone of each epoch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import methodcaller
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.integrate import simpson, trapezoid
from scipy.signal import welch
from scipy.stats import iqr

from sklearn_sleep.core.arrays import FloatArray, IntArray
from sklearn_sleep.core.epochs import Night
from sklearn_sleep.core.signals import EPOCH_DURATION, SIGNALS
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.features.base import (
    Feature,
    FeatureSource,
    FeatureTransformer,
    compute_columns,
    select_features,
)
from sklearn_sleep.features.brain.slow_waves import SlowWaves, detect_slow_waves
from sklearn_sleep.features.brain.spindles import detect_spindles
from sklearn_sleep.features.samples import band_pass, bridge_gaps, require_rate, usable_samples
from sklearn_sleep.preprocessing.base import check_signals
from sklearn_sleep.preprocessing.resampler import resample_polyphase

# Hz: the rate, the band and its edges of YASA (Vallat & Walker 2021, eLife 10:e70092), so that
# what depends on them, as crossings and entropies do, means the same.
_FREQUENCY = 100
_BAND, _TRANSITIONS = (0.4, 30.0), (0.4, 7.5)
_LOWEST_FREQUENCY = 64.0
# Hz; those of YASA, which split delta where slow oscillations begin (Steriade et al. 1993,
# J Neurosci 13:3252-3265).
_BANDS = {
    "slow_delta": (0.4, 1.0),
    "fast_delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 12.0),
    "sigma": (12.0, 16.0),
    "beta": (16.0, 30.0),
}
# s of the Welch segments: two periods of the slowest wave.
_SEGMENT = 5.0
# Largest step of the curve lengths (Higuchi 1988, Physica D 31:277-283), as YASA has it.
_LARGEST_STEP = 10
# Of which the processor's cache holds what is computed of them (measured: 8 to 64).
_EPOCHS_IN_CACHE = 32
# uV, well below the steps of any recorder.
_FLAT = 1e-3
_SAMPLES_PER_EPOCH = round(_FREQUENCY * EPOCH_DURATION)


# Each a name and a function of epochs that returns a value for each and may take others by name,
# in the order of the columns, by group; `EEGFeatures` explains them.
EEG_FEATURES: dict[str, dict[str, Feature]] = {
    "shape": {
        "sd": lambda epochs: np.sqrt(
            epochs.variance * epochs.samples.shape[1] / (epochs.samples.shape[1] - 1)
        ),
        "iqr": lambda epochs: iqr(epochs.samples, axis=1),
        "skewness": lambda epochs: (
            (epochs.squares * epochs.centred).mean(axis=1) / epochs.variance**1.5
        ),
        "kurtosis": lambda epochs: (epochs.squares**2).mean(axis=1) / epochs.variance**2 - 3,
        "zero_crossings": lambda epochs: _sign_changes(epochs.samples),
        "hjorth_mobility": lambda epochs: np.sqrt(epochs.variance_of_change / epochs.variance),
        "hjorth_complexity": lambda epochs: (
            np.sqrt(np.diff(epochs.change, axis=1).var(axis=1) / epochs.variance_of_change)
            / epochs["hjorth_mobility"]
        ),
    },
    "bands": {band: methodcaller("share", band) for band in _BANDS},
    "ratios": {
        "delta_theta_ratio": lambda epochs: epochs.ratio_of_delta("theta"),
        "delta_sigma_ratio": lambda epochs: epochs.ratio_of_delta("sigma"),
        "delta_beta_ratio": lambda epochs: epochs.ratio_of_delta("beta"),
        "alpha_theta_ratio": lambda epochs: epochs["alpha"] / epochs["theta"],
    },
    # By trapezoids, as in YASA.
    "power": {"power": lambda epochs: epochs.power(_BAND, trapezoid)},
    "complexity": {
        "permutation_entropy": lambda epochs: _permutation_entropy(epochs.samples),
        "higuchi_dimension": lambda epochs: _higuchi_dimension(epochs.samples),
        "petrosian_dimension": lambda epochs: _petrosian_dimension(epochs.change),
    },
    "events": {
        "spindles": lambda epochs: epochs.events.count(epochs.events.spindles.mean(axis=1))[
            epochs.epoch
        ],
        "spindle_seconds": lambda epochs: _seconds_in(epochs.events.spindles, epochs.epoch),
        "slow_waves": lambda epochs: epochs.events.count(epochs.events.slow_waves.troughs)[
            epochs.epoch
        ],
        "slow_wave_height": lambda epochs: epochs.events.slow_wave_heights[epochs.epoch],
    },
}
# What a signal has, by what its name begins with.
_GROUPS = {
    "EEG": tuple(EEG_FEATURES),
    "EOG": ("shape", "bands", "power", "complexity"),
    "EMG": ("shape", "power", "complexity"),
}


@dataclass(frozen=True)
class SleepEvents:
    """Spindles and slow waves in the EEG of a night in uV at 100 Hz, (n_samples,)."""

    samples: FloatArray

    @cached_property
    def spindles(self) -> FloatArray:
        """Where spindles begin and end in s, (n_spindles, 2)."""
        return detect_spindles(self.samples, _FREQUENCY)

    @cached_property
    def slow_waves(self) -> SlowWaves:
        """The slow waves."""
        return detect_slow_waves(self.samples, _FREQUENCY)

    def count(self, times: FloatArray, weights: FloatArray | None = None) -> FloatArray:
        """Return how many events of times in s are in each epoch of the night, (n_epochs,)."""
        n_epochs = len(self.samples) // _SAMPLES_PER_EPOCH
        of_event = (times // EPOCH_DURATION).astype(np.intp)
        return np.bincount(of_event, weights, minlength=n_epochs).astype(np.float64)

    @cached_property
    def slow_wave_heights(self) -> FloatArray:
        """Mean height of slow waves in each epoch of the night in uV, (n_epochs,); 0 of none."""
        times, heights = self.slow_waves.troughs, self.slow_waves.heights
        return self.count(times, heights) / np.maximum(self.count(times), 1)


@dataclass(frozen=True)
class EEGEpochs(FeatureSource):
    """Epochs of an EEG, EOG or EMG from 0.4 to 30 Hz, which have features: ``epochs["sd"]``.

    `samples` are in uV at 100 Hz, (n_epochs, 3000); `epoch`, (n_epochs,), tells where they are in
    the night whose `events` were looked for.
    """

    registry = EEG_FEATURES
    samples: FloatArray
    epoch: IntArray
    events: SleepEvents

    @cached_property
    def centred(self) -> FloatArray:
        """Samples less the mean of their epoch, for the moments."""
        return self.samples - self.samples.mean(axis=1, keepdims=True)

    @cached_property
    def squares(self) -> FloatArray:
        """Squares of the centred samples."""
        return self.centred**2

    @cached_property
    def variance(self) -> FloatArray:
        """Variance, over n, (n_epochs,)."""
        return self.squares.mean(axis=1)

    @cached_property
    def change(self) -> FloatArray:
        """Change from sample to sample, (n_epochs, 2999)."""
        return np.diff(self.samples, axis=1)

    @cached_property
    def variance_of_change(self) -> FloatArray:
        """Variance of the change, (n_epochs,)."""
        return self.change.var(axis=1)

    @cached_property
    def spectrum(self) -> tuple[FloatArray, FloatArray]:
        """Frequencies in Hz and power spectral density in uV**2/Hz, (n_epochs, n_frequencies)."""
        # The median over Hamming-windowed segments that overlap by half.
        return welch(
            self.samples,
            _FREQUENCY,
            window="hamming",
            nperseg=round(_SEGMENT * _FREQUENCY),
            average="median",
            axis=1,
        )

    def power(self, band: tuple[float, float], integrate: Callable[..., Any]) -> FloatArray:
        """Return the power in a band in Hz in uV**2, (n_epochs,)."""
        low, high = band
        frequency, density = self.spectrum
        inside = (low <= frequency) & (frequency <= high)
        return np.asarray(integrate(density[:, inside], frequency[inside], axis=1))

    @cached_property
    def total_power(self) -> FloatArray:
        """Power by Simpson's rule in uV**2, (n_epochs,)."""
        return self.power(_BAND, simpson)

    def share(self, band: str) -> FloatArray:
        """Return the part of a band in the power, (n_epochs,)."""
        return self.power(_BANDS[band], simpson) / self.total_power

    def ratio_of_delta(self, band: str) -> FloatArray:
        """Return how many times the power of a band delta has, (n_epochs,)."""
        return (self["slow_delta"] + self["fast_delta"]) / self[band]


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
    features : sequence of str or (str, callable), optional
        Names of features without the signal's, and functions of your own with names for them, as
        in `HRVFeatures`; they take epochs, of which ``epochs.samples`` are in uV, (n_epochs,
        3000). Signals have those that are meant for them, whatever ``events`` is.
    n_jobs : int, optional
        Nights whose signals are computed at the same time; see joblib.
    verbose : int, optional
        Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
        terminal or in a notebook.

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
    ``delta_theta_ratio`` ...    dt, ds, db    1     delta over theta, and ``delta_sigma_ratio``,
                                                     ``delta_beta_ratio``; of EEG
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
        "features": ["array-like", None],
    }

    def __init__(
        self,
        signals: Sequence[str] = ("EEG",),
        *,
        events: bool = True,
        features: Sequence[str | tuple[str, Feature]] | None = None,
        n_jobs: int | None = None,
        verbose: int | None = None,
    ) -> None:
        super().__init__(n_jobs=n_jobs, verbose=verbose)
        self.signals = signals
        self.events = events
        self.features = features

    @property
    def feature_names(self) -> Sequence[str]:
        """Names of the features."""
        return [
            f"{signal}_{name}" for signal in self.signals for name in self._select_features(signal)
        ]

    def _select_features(self, signal: str) -> dict[str, Feature]:
        kind = next((kind for kind in _GROUPS if signal.startswith(kind)), "EEG")
        default = [group for group in _GROUPS[kind] if self.events or group != "events"]
        selected = select_features(self.features, EEG_FEATURES, default)
        others = EEG_FEATURES.keys() - _GROUPS[kind]
        of_others = [function for group in others for function in EEG_FEATURES[group].values()]
        return {name: of for name, of in selected.items() if of not in of_others}

    def _names_of_signals(self) -> dict[str, Sequence[str]]:
        return {"signals": self.signals}

    def _check_parameters(self) -> None:
        for signal in self.signals:
            if not isinstance(signal, str):
                raise ValueError(f"signals={self.signals!r} must be a list of names.")
            # A definition of the user's own is seen when it is read.
            if signal in SIGNALS and SIGNALS[signal].unit != "uV":
                raise ValueError(
                    f"signals={self.signals!r} must be EEG, EOG or EMG; {signal} is none of them."
                )
            self._select_features(signal)

    def _check_input(self, X: Any) -> None:
        super()._check_input(X)
        for name in self.signals:
            usable = [n.recording for n in X.nights() if n.masks.get(name, np.True_).any()]
            check_signals(usable, _require_waves, [name])

    def compute_features(self, night: Night) -> FloatArray:
        """Return the features of a night's rows, (n_rows, n_features)."""
        return np.hstack([self._of_signal(night, name) for name in self.signals])

    def _of_signal(self, night: Night, name: str) -> FloatArray:
        functions = self._select_features(name)
        features = np.full((len(night.epoch), len(functions)), np.nan)
        if name not in night.recording.signals:
            return features
        may_use = night.may_use(name)
        if not may_use.any():
            return features
        samples = _resample(night.recording.signals[name], may_use)
        # Of an electrode that is off there would be features of rounding errors.
        known = np.isfinite(samples).all(axis=1) & (np.ptp(samples, axis=1) > _FLAT)
        rows = (may_use & known)[night.epoch]
        if not rows.any():
            return features
        filled, _ = bridge_gaps(samples.ravel())
        epoch, position = np.unique(night.epoch[rows], return_inverse=True)
        filtered = band_pass(filled, _FREQUENCY, _BAND, _TRANSITIONS)
        epochs = EEGEpochs(filtered.reshape(samples.shape)[epoch], epoch, SleepEvents(filled))
        features[rows] = _compute_in_parts(functions, epochs)[position]
        return features


def _require_waves(signal: Signal) -> None:
    """Raise ValueError unless a signal is in uV, at a rate that has all bands."""
    if signal.unit != "uV":
        raise ValueError(
            f"{signal.name} has the unit {signal.unit!r}, and microvolts are needed. Leave out the "
            "Normalizer before the feature step."
        )
    needs = f"waves of 30 Hz need {_LOWEST_FREQUENCY:g} or more"
    require_rate(signal.sampling_frequency, _LOWEST_FREQUENCY, signal.name, needs)


def _resample(signal: Signal, may_use: npt.NDArray[np.bool_]) -> FloatArray:
    """Return the samples of each epoch at 100 Hz."""
    samples = usable_samples(signal, may_use)
    resampled = resample_polyphase(
        samples, signal.sampling_frequency, _SAMPLES_PER_EPOCH, signal.n_epochs
    )
    return resampled.astype(np.float64).reshape(-1, _SAMPLES_PER_EPOCH)


def _compute_in_parts(functions: dict[str, Feature], epochs: EEGEpochs) -> FloatArray:
    """Return features, (n_epochs, n_features), of a few epochs at a time."""
    parts = []
    for start in range(0, len(epochs.epoch), _EPOCHS_IN_CACHE):
        few = slice(start, start + _EPOCHS_IN_CACHE)
        part = EEGEpochs(epochs.samples[few], epochs.epoch[few], epochs.events)
        parts.append(compute_columns(functions, part, len(part.epoch)))
    return np.concatenate(parts)


def _seconds_in(events: FloatArray, epoch: IntArray) -> FloatArray:
    """Return how many seconds of each epoch lie in events, which do not overlap."""
    edges = events.ravel()
    passed = np.concatenate([[0.0], np.cumsum(np.diff(events, axis=1))])

    def until(times: FloatArray) -> FloatArray:
        n_edges = np.searchsorted(edges, times)
        begun = n_edges % 2 == 1
        last = edges[np.maximum(n_edges - 1, 0)] if len(edges) else times
        return passed[n_edges // 2] + np.where(begun, times - last, 0.0)

    begin = EPOCH_DURATION * epoch.astype(np.float64)
    return until(begin + EPOCH_DURATION) - until(begin)


def _sign_changes(epochs: FloatArray) -> FloatArray:
    negative = np.signbit(epochs)
    return (negative[:, 1:] != negative[:, :-1]).sum(axis=1).astype(np.float64)


def _petrosian_dimension(change: FloatArray) -> FloatArray:
    """Return that told by turns of the curve (Petrosian 1995, Proc IEEE CBMS 212-217)."""
    n_samples = change.shape[1] + 1
    logarithm = math.log10(n_samples)
    turns = _sign_changes(change)
    return logarithm / (logarithm + np.log10(n_samples / (n_samples + 0.4 * turns)))


def _permutation_entropy(epochs: FloatArray) -> FloatArray:
    """Return that of orders of three samples, up to 1 (Bandt & Pompe 2002, PRL 88:174102)."""
    first, second, third = epochs[:, :-2], epochs[:, 1:-1], epochs[:, 2:]
    # Three comparisons tell the six orders apart; equal samples keep their order in time.
    order = 4 * (second < first) + 2 * (third < second) + (third < first)
    share = np.stack([(order == number).mean(axis=1) for number in range(8)])
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(share > 0, share * np.log2(share), 0.0).sum(axis=0)
    return entropy / math.log2(6)


def _higuchi_dimension(epochs: FloatArray) -> FloatArray:
    """Return the slope of the curve's length over steps of 1 to 10 samples (Higuchi 1988)."""
    n_samples = epochs.shape[1]
    lengths = []
    for step in range(1, _LARGEST_STEP + 1):
        distance = np.abs(epochs[:, step:] - epochs[:, :-step])
        of_starts = []
        for start in range(step):
            n_steps = (n_samples - 1 - start) // step
            total = distance[:, start::step][:, :n_steps].sum(axis=1)
            of_starts.append(total / step * (n_samples - 1) / (step * n_steps))
        lengths.append(np.mean(of_starts, axis=0))
    with np.errstate(divide="ignore"):
        logarithms = np.log(lengths)
    inverse = np.log(1 / np.arange(1, _LARGEST_STEP + 1))
    inverse -= inverse.mean()
    # Not a matrix product, whose rounding depends on how many epochs there are.
    slope = (inverse[:, None] * logarithms).sum(axis=0) / (inverse**2).sum()
    return np.where(np.isfinite(slope), slope, np.nan)
