"""HRVFeatures: heart rate variability around each epoch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.fft import rfftfreq
from scipy.integrate import trapezoid

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.core.epochs import Night
from sklearn_sleep.core.parameter_constraints import Interval
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.features.base import Feature, FeatureTransformer, check_choices, select_features
from sklearn_sleep.features.beats.heartbeats import HeartbeatDetector, Heartbeats
from sklearn_sleep.features.interval_windows import (
    RESAMPLED_FREQUENCY,
    IntervalWindows,
    check_windows,
    compute_in_windows,
    name_windows,
    resample_intervals,
)

# Hz; those of the Task Force 1996, Circulation 93:1043-1065; as in sleepecg, very low frequencies
# begin above 0.0033.
_BANDS = {"VLF": (0.0033, 0.04), "LF": (0.04, 0.15), "HF": (0.15, 0.4), "total": (-1.0, 0.4)}
_HIGHEST_FREQUENCY = 0.4
# Richman & Moorman 2000, Am J Physiol 278:H2039-H2049.
_EMBEDDING, _TOLERANCE = 2, 0.2
# Beats of the boxes, short and long (Peng et al. 1995, Chaos 5:82-87, with the usual upper end of
# 64; Task Force of the e-Cardiology group 2015, Europace 17:1341-1353).
_SHORT_BOXES, _LONG_BOXES = tuple(range(4, 17)), (16, 20, 24, 28, 32, 40, 48, 56, 64)


# Each a name and a function of the windows that returns a value for each and may take others by
# name, in the order of the columns, by group; `HRVFeatures` explains them.
HRV_FEATURES: dict[str, dict[str, Feature]] = {
    "time": {
        "meanNN": lambda windows: windows.mean(windows.intervals),
        "maxNN": lambda windows: windows.quantile(windows.ordered, 1.0),
        "minNN": lambda windows: windows.quantile(windows.ordered, 0.0),
        "rangeNN": lambda windows: windows["maxNN"] - windows["minNN"],
        "SDNN": lambda windows: windows.standard_deviation(windows.intervals),
        "RMSSD": lambda windows: windows.root_mean_square_of_changes(windows.intervals),
        "SDSD": lambda windows: windows.standard_deviation_of_pairs(
            windows.changes(windows.intervals)
        ),
        "NN50": lambda windows: windows.changes_beyond(0.05),
        "NN20": lambda windows: windows.changes_beyond(0.02),
        "pNN50": lambda windows: windows["NN50"] / windows.count_of_pairs,
        "pNN20": lambda windows: windows["NN20"] / windows.count_of_pairs,
        "medianNN": lambda windows: windows.quantile(windows.ordered, 0.5),
        # Infinite beyond the last interval, where they stay.
        "madNN": lambda windows: windows.quantile(
            np.sort(np.abs(windows.ordered - windows["medianNN"][:, None]), axis=1), 0.5
        ),
        "iqrNN": lambda windows: (
            windows.quantile(windows.ordered, 0.75) - windows.quantile(windows.ordered, 0.25)
        ),
        "cvNN": lambda windows: windows["SDNN"] / windows["meanNN"],
        "cvSD": lambda windows: windows["RMSSD"] / windows["meanNN"],
        "meanHR": lambda windows: 60 / windows["meanNN"],
        "maxHR": lambda windows: 60 / windows["minNN"],
        "minHR": lambda windows: 60 / windows["maxNN"],
        "stdHR": lambda windows: windows.standard_deviation(60 / windows.intervals),
        "SD1": lambda windows: np.sqrt(windows["SDSD"] ** 2 / 2),
        # Rounding may take what is zero just below it.
        "SD2": lambda windows: np.sqrt(
            np.maximum(2 * windows["SDNN"] ** 2 - windows["SD1"] ** 2, 0.0)
        ),
        "S": lambda windows: np.pi * windows["SD1"] * windows["SD2"],
        "SD1_SD2_ratio": lambda windows: windows["SD1"] / windows["SD2"],
        "CSI": lambda windows: windows["SD2"] / windows["SD1"],
        "CVI": lambda windows: np.log10(16 * windows["SD1"] * windows["SD2"]),
    },
    "frequency": {
        "total_power": lambda windows: windows.powers["total"],
        "VLF": lambda windows: windows.powers["VLF"],
        "LF": lambda windows: windows.powers["LF"],
        "LF_norm": lambda windows: 100 * windows["LF"] / (windows["LF"] + windows["HF"]),
        "HF": lambda windows: windows.powers["HF"],
        "HF_norm": lambda windows: 100 * windows["HF"] / (windows["LF"] + windows["HF"]),
        "LF_HF_ratio": lambda windows: windows["LF"] / windows["HF"],
    },
    # Intervals that were not measured are left out, and those around them joined.
    "nonlinear": {
        "SampEn": lambda windows: np.array(
            [
                sample_entropy(windows.intervals[start:stop])
                for start, stop in zip(windows.starts, windows.stops, strict=True)
            ]
        ),
        "DFA_alpha1": lambda windows: _scaling_exponent(windows, _SHORT_BOXES),
        "DFA_alpha2": lambda windows: _scaling_exponent(windows, _LONG_BOXES),
    },
    # 60 over the infinite values behind the last interval is 0, which no quantile reaches.
    "robust": {"medianHR": lambda windows: windows.quantile(60 / windows.ordered, 0.5)},
}


@dataclass(frozen=True)
class HeartbeatWindows(IntervalWindows):
    """Windows over normal R-R intervals in s, which have features too: ``windows["SDNN"]``.

    `minimum_coverage` is the part of a window that they must fill for a spectrum.
    """

    registry = HRV_FEATURES
    minimum_coverage: float = 0.8

    def changes_beyond(self, seconds: float) -> FloatArray:
        """Return how many successive differences are larger, (n_windows,); NaN of none at all."""
        larger = np.abs(self.changes(self.intervals)) > seconds
        return np.where(self.count_of_pairs > 0, self.total_of_pairs(larger), np.nan)

    @cached_property
    def powers(self) -> dict[str, FloatArray]:
        """Powers of the bands in s**2, (n_windows,); NaN where too little is covered.

        R-R intervals are linear at 4 Hz, missing ones too; the spectrum is the periodogram of the
        window less its mean, and bands are integrated by trapezoids, as sleepecg has it.
        """
        back, ahead = self.window
        n_epochs, epoch_seconds = int(self.epoch.max()) + 1, round(EPOCH_DURATION)
        last = (n_epochs - 1) * epoch_seconds + ahead
        resampled, measured = resample_intervals(self.times, self.durations, first=-back, last=last)
        n_window = (back + ahead) * RESAMPLED_FREQUENCY
        step = epoch_seconds * RESAMPLED_FREQUENCY
        starts = step * np.arange(n_epochs)
        covered = np.concatenate([[0], np.cumsum(measured)])
        enough = covered[starts + n_window] - covered[starts] >= self.minimum_coverage * n_window
        bins = np.arange(1, math.ceil(_HIGHEST_FREQUENCY * (back + ahead)) + 1)
        power = _periodogram(resampled, n_window, step, n_epochs, bins)
        # The mean is taken off, so that nothing is left at zero.
        density = np.hstack([np.zeros((n_epochs, 1)), power])
        density[~enough] = np.nan
        # Bins at the edge of two bands fall to one of them by rounding; this is SciPy's.
        frequency = rfftfreq(n_window, 1 / RESAMPLED_FREQUENCY)[: len(bins) + 1]
        inside = {name: (a < frequency) & (frequency <= b) for name, (a, b) in _BANDS.items()}
        return {
            name: np.asarray(trapezoid(density[:, bins], frequency[bins]))[self.epoch]
            for name, bins in inside.items()
        }


class HRVFeatures(FeatureTransformer):
    """Heart rate variability in a window around each epoch.

    Parameters
    ----------
    windows : sequence of (int, int), default=((240, 60),)
        Seconds before and after the beginning of the epoch. With several windows the names of the
        features end with both, as in ``SDNN_240_60``.
    groups : sequence of {"time", "frequency", "nonlinear", "robust"}, default=the first three
        Which features to compute if `features` does not say.
    features : sequence of str or (str, callable), optional
        Names of features, in their order, and functions of your own with names for them; see the
        last example. ``groups`` does not count then.
    detector : HeartbeatDetector, optional
        What finds the beats; ``HeartbeatDetector()`` if not given.
    minimum_coverage : float, default=0.8
        Part of a window that measured R-R intervals must fill for features of the frequency
        domain. The others take what intervals there are.
    n_jobs : int, optional
        Nights that are computed at the same time; see joblib.
    verbose : int, optional
        Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
        terminal or in a notebook.

    Notes
    -----
    Of normal R-R intervals (NN), those between measured beats, in s:

    ==================  ====  =====================================================================
    ``meanNN`` ...      s     mean, ``maxNN``, ``minNN``, ``rangeNN``, ``medianNN``, ``madNN``
                              (median absolute deviation), ``iqrNN`` (interquartile range)
    ``SDNN``            s     standard deviation of the intervals, over n - 1
    ``RMSSD, SDSD``     s     root mean square, and standard deviation, of successive differences
    ``NN50, NN20``      1     successive differences beyond 50 and 20 ms, and (``pNN50``,
                              ``pNN20``) their part of all
    ``cvNN, cvSD``      1     ``SDNN`` and ``RMSSD`` over ``meanNN``
    ``meanHR`` ...      1/min 60 over ``meanNN``; ``maxHR`` and ``minHR``; ``stdHR``, the standard
                              deviation of the beats' rates
    ``SD1, SD2, S``     s     axes of the Poincare plot's ellipse, and (s**2) its area
    ``SD1_SD2_ratio``   1     their ratio, and its inverse (``CSI``)
    ``CVI``             1     logarithm (base 10) of 16 ``SD1`` ``SD2`` (Toichi et al. 1997)
    ``total_power``     s**2  power up to 0.4 Hz; ``VLF`` from 0.0033, ``LF`` from 0.04, ``HF`` from
                              0.15 to 0.4 Hz
    ``LF_norm`` ...     %     part of ``LF``, and (``HF_norm``) of ``HF``, in the sum of both
    ``LF_HF_ratio``     1     their ratio
    ``SampEn``          1     sample entropy, m = 2, r = 0.2 SD (Richman & Moorman 2000)
    ``DFA_alpha1``      1     scaling exponent over 4 to 16 beats, and (``DFA_alpha2``) over 16 to
                              64 (Peng et al. 1995)
    ``medianHR``        1/min median of the beats' rates, in the group ``"robust"``
    ==================  ====  =====================================================================

    Definitions are those of the Task Force 1996 (Circulation 93:1043-1065) and of Shaffer &
    Ginsberg 2017 (Front Public Health 5:258). The spectrum is the periodogram of the intervals,
    resampled linearly at 4 Hz.

    On the same beats the values are sleepecg's, with three exceptions, where sleepecg 0.6 departs
    from those definitions: its ``cvSD`` divides ``SDSD`` by the mean successive difference, its
    ``pNN50`` and ``pNN20`` count the intervals that shorter windows lack, and its ``NN50`` and
    ``NN20`` are 0 where there are no beats. ``SampEn`` and the exponents are neurokit2's for the
    same boxes; its own are 4 to 11 and from 12 beats on.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> epochs = EDFReader(["ECG"], units={"ECG": "mV"}).fit_transform("tests/data/mitdb-100.edf")
    >>> features = HRVFeatures(groups=["time"]).fit_transform(epochs)
    >>> float(features["meanHR"].mean().round(1))
    75.3

    A function of one's own takes the windows, of which ``windows.intervals[start:stop]`` with
    ``start`` and ``stop`` from ``windows.starts`` and ``windows.stops`` are the NN in s, and
    returns a value for each:

    >>> def total(windows):
    ...     return windows.total(windows.intervals)
    >>> HRVFeatures(features=["SDNN", ("total", total)]).get_feature_names_out()
    array(['SDNN', 'total'], dtype=object)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **FeatureTransformer._parameter_constraints,
        "windows": ["array-like"],
        "groups": ["array-like"],
        "features": ["array-like", None],
        "detector": [HeartbeatDetector, None],
        "minimum_coverage": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(
        self,
        windows: Sequence[tuple[int, int]] = ((240, 60),),
        *,
        groups: Sequence[str] = ("time", "frequency", "nonlinear"),
        features: Sequence[str | tuple[str, Feature]] | None = None,
        detector: HeartbeatDetector | None = None,
        minimum_coverage: float = 0.8,
        n_jobs: int | None = None,
        verbose: int | None = None,
    ) -> None:
        super().__init__(n_jobs=n_jobs, verbose=verbose)
        self.windows = windows
        self.groups = groups
        self.features = features
        self.detector = detector
        self.minimum_coverage = minimum_coverage

    @property
    def feature_names(self) -> Sequence[str]:
        """Names of the features."""
        return name_windows(self._select_features(), self.windows)

    def _select_features(self) -> dict[str, Feature]:
        return select_features(self.features, HRV_FEATURES, self.groups)

    def _check_parameters(self) -> None:
        check_choices("groups", self.groups, HRV_FEATURES)
        self._select_features()
        check_windows(self.windows)

    def compute_features(self, night: Night) -> FloatArray:
        """Return the features of a night's rows, (n_rows, n_features)."""
        detector = HeartbeatDetector() if self.detector is None else self.detector
        features = np.full((len(night.epoch), len(self.feature_names)), np.nan)
        for name, rows in night.choose_signals(detector.signals):
            heartbeats = detector.detect(night.recording.signals[name], night.may_use(name))
            epoch, position = np.unique(night.epoch[rows], return_inverse=True)
            features[rows] = self.of_beats(heartbeats, epoch)[position]
        return features

    def of_beats(self, heartbeats: Heartbeats, epoch: npt.NDArray[np.intp]) -> FloatArray:
        """Return features, (n_epochs, n_features), of epochs by number from beats of any source."""
        times, intervals = heartbeats.times, heartbeats.intervals
        windows = [
            HeartbeatWindows(times, intervals, epoch, window, self.minimum_coverage)
            for window in self.windows
        ]
        features = compute_in_windows(self._select_features(), windows)
        # Ratios to nothing, as of beats that do not vary, which classifiers would not take.
        features[np.isinf(features)] = np.nan
        return features


def _periodogram(
    samples: FloatArray, n_window: int, step: int, n_windows: int, bins: npt.NDArray[np.intp]
) -> FloatArray:
    """Return the power spectral density of overlapping windows at bins other than zero."""
    # Windows share blocks, whose Fourier sums are computed once and turned to their place in each.
    block = math.gcd(n_window, step)
    blocks = samples[: len(samples) // block * block].reshape(-1, block)
    # Less a common value, which changes no bin, for the digits.
    blocks = blocks - samples.mean()
    angle = -2 * np.pi * np.outer(np.arange(block), bins) / n_window
    of_blocks = blocks @ np.cos(angle) + 1j * (blocks @ np.sin(angle))
    first = np.arange(n_windows) * (step // block)
    total = np.zeros((n_windows, len(bins)), dtype=np.complex128)
    for number in range(n_window // block):
        turn = np.exp(-2j * np.pi * bins * (number * block % n_window) / n_window)
        total += of_blocks[first + number] * turn
    return 2 * (total.real**2 + total.imag**2) / (RESAMPLED_FREQUENCY * n_window)


def sample_entropy(values: npt.ArrayLike) -> float:
    """Return the sample entropy of (n_values,) with m = 2, r = 0.2 SD; NaN if none match.

    >>> round(sample_entropy(np.random.default_rng(0).standard_normal(300)), 1)
    2.3
    >>> round(sample_entropy(np.sin(np.arange(300) / 5)), 1)
    0.2
    """
    x = np.asarray(values, dtype=np.float64)
    if len(x) < _EMBEDDING + 2:
        return np.nan
    near = np.abs(x[:, None] - x) <= _TOLERANCE * x.std(ddof=1)
    # As many templates of two as of three, and none with itself.
    n = len(x) - _EMBEDDING
    matches = near[:n, :n]
    for shift in range(1, _EMBEDDING):
        matches = matches & near[shift : shift + n, shift : shift + n]
    longer = matches & near[_EMBEDDING:, _EMBEDDING:]
    pairs, longer_pairs = np.count_nonzero(matches) - n, np.count_nonzero(longer) - n
    return float(-np.log(longer_pairs / pairs)) if longer_pairs > 0 else np.nan


def _scaling_exponent(windows: IntervalWindows, boxes: tuple[int, ...]) -> FloatArray:
    """Return the slope of the logarithm of the fluctuation over that of the box size."""
    fluctuation = np.column_stack([_mean_square_fluctuation(windows, size) for size in boxes])
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithm = np.log(fluctuation) / 2
    logarithm[~np.isfinite(logarithm)] = np.nan
    size = np.log(boxes)
    size = size - size.mean()
    # NaN if the largest box is too large for the window.
    return logarithm @ size / (size @ size)


def _mean_square_fluctuation(windows: IntervalWindows, size: int) -> FloatArray:
    """Return the mean square of the profile less its trend over whole boxes, (n_windows,)."""
    # The profile of a window differs from that of the night by a line, which goes with the trend,
    # so that the boxes that begin at each beat are computed once.
    n_boxes = windows.count // size
    if len(windows.intervals) < size:
        return np.full(len(n_boxes), np.nan)
    profile = np.cumsum(windows.intervals - windows.intervals.mean())
    residual = _squared_residual(profile, size)
    # Running sums over boxes that follow each other: one row a box, one column a phase.
    n_rows = -(-len(residual) // size)
    rows = np.pad(residual, (0, n_rows * size - len(residual))).reshape(n_rows, size)
    running = np.vstack([np.zeros(size), np.cumsum(rows, axis=0)])
    row, phase = np.divmod(windows.starts, size)
    first = np.minimum(row, n_rows)
    total = running[np.minimum(first + n_boxes, n_rows), phase] - running[first, phase]
    return np.where(n_boxes > 0, total / np.maximum(n_boxes * size, 1), np.nan)


def _squared_residual(profile: FloatArray, size: int) -> FloatArray:
    """Return for the box from each beat on the sum of squares that a line leaves."""
    boxes = np.lib.stride_tricks.sliding_window_view(profile, size)
    position = np.arange(size) - (size - 1) / 2
    # About the first of each box, for the digits.
    centred = boxes - boxes[:, :1]
    sums, products = centred.sum(axis=1), centred @ position
    squares = np.einsum("ij,ij->i", centred, centred)
    residual = squares - sums**2 / size - products**2 / (position @ position)
    return np.maximum(residual, 0.0)
