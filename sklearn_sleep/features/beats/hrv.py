"""HRVFeatures: heart rate variability around each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.epochs import Night
from sklearn_sleep.core.parameter_constraints import Interval
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.features.base import FeatureTransformer
from sklearn_sleep.features.beats.heartbeats import HeartbeatDetector, Heartbeats
from sklearn_sleep.features.beats.hrv_frequency import FREQUENCY_DOMAIN, frequency_domain
from sklearn_sleep.features.beats.hrv_nonlinear import NONLINEAR, nonlinear
from sklearn_sleep.features.beats.hrv_time import TIME_DOMAIN, time_domain
from sklearn_sleep.features.beats.interval_windows import (
    IntervalWindows,
    check_windows,
    name_windows,
)

__all__ = ["HRVFeatures"]

FloatArray = npt.NDArray[np.float64]

_GROUPS = {"time": TIME_DOMAIN, "frequency": FREQUENCY_DOMAIN, "nonlinear": NONLINEAR}


class HRVFeatures(FeatureTransformer):
    """Heart rate variability in a window around each epoch.

    Parameters
    ----------
    windows : sequence of (int, int), default=((240, 60),)
        Seconds before and after the beginning of the epoch. With several windows the names of the
        features end with both, as in ``SDNN_240_60``.
    groups : sequence of {"time", "frequency", "nonlinear"}, default=all three
        Which features to compute.
    detector : HeartbeatDetector, optional
        What finds the beats; ``HeartbeatDetector()`` if not given.
    minimum_coverage : float, default=0.8
        Part of a window that measured R-R intervals must fill for features of the frequency
        domain. The others take what intervals there are.
    n_jobs : int, optional
        Nights that are computed at the same time; see joblib.
    verbose : bool, default=False
        Show progress.

    Notes
    -----
    Of normal R-R intervals (NN), those between measured beats, in s:

    ==================  ====  =====================================================================
    ``meanNN`` ...      s     mean, ``max``, ``min``, ``range``, ``median``, ``mad`` (median
                              absolute deviation), ``iqr`` (interquartile range) of the intervals
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
    ``LF_norm`` ...     %     part of ``LF`` and ``HF`` in their sum; ``LF_HF_ratio``
    ``SampEn``          1     sample entropy, m = 2, r = 0.2 SD (Richman & Moorman 2000)
    ``DFA_alpha1``      1     scaling exponent over 4 to 16 beats, and (``DFA_alpha2``) over 16 to
                              64 (Peng et al. 1995)
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
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **FeatureTransformer._parameter_constraints,
        "windows": ["array-like"],
        "groups": ["array-like"],
        "detector": [HeartbeatDetector, None],
        "minimum_coverage": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(
        self,
        windows: Sequence[tuple[int, int]] = ((240, 60),),
        *,
        groups: Sequence[str] = ("time", "frequency", "nonlinear"),
        detector: HeartbeatDetector | None = None,
        minimum_coverage: float = 0.8,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(n_jobs=n_jobs, verbose=verbose)
        self.windows = windows
        self.groups = groups
        self.detector = detector
        self.minimum_coverage = minimum_coverage

    @property
    def feature_names(self) -> Sequence[str]:
        """Names of the features."""
        names = [name for group in self.groups for name in _GROUPS[group]]
        return name_windows(names, self.windows)

    def _check_parameters(self) -> None:
        if not set(self.groups) <= set(_GROUPS):
            raise ValueError(
                f"groups={self.groups!r} must be a list of some of {', '.join(_GROUPS)}."
            )
        check_windows(self.windows)

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
        features = np.full((len(night.epoch), len(self.feature_names)), np.nan)
        for name, rows in night.choose_signals(detector.signals):
            heartbeats = detector.detect(night.recording.signals[name], night.may_use(name))
            epoch, position = np.unique(night.epoch[rows], return_inverse=True)
            features[rows] = self.of_beats(heartbeats, epoch)[position]
        return features

    def of_beats(self, heartbeats: Heartbeats, epoch: npt.NDArray[np.intp]) -> FloatArray:
        """Return the features of epochs from beats, wherever they come from.

        Parameters
        ----------
        heartbeats : Heartbeats
            Of a night.
        epoch : ndarray of int, shape (n_epochs,)
            0-based, in any order.

        Returns
        -------
        ndarray of float64, shape (n_epochs, n_features)
        """
        columns: list[FloatArray] = []
        begin = EPOCH_DURATION * epoch.astype(np.float64)
        for back, ahead in self.windows:
            windows = IntervalWindows.around(
                heartbeats.times, heartbeats.intervals, begin - back, begin + ahead
            )
            for group in self.groups:
                if group == "time":
                    of_group = time_domain(windows)
                elif group == "nonlinear":
                    of_group = nonlinear(windows)
                else:
                    of_night = frequency_domain(
                        heartbeats.times,
                        heartbeats.intervals,
                        n_epochs=int(epoch.max()) + 1,
                        epoch_seconds=round(EPOCH_DURATION),
                        back=back,
                        ahead=ahead,
                        minimum_coverage=self.minimum_coverage,
                    )
                    of_group = {name: values[epoch] for name, values in of_night.items()}
                columns += [of_group[name] for name in _GROUPS[group]]
        features = np.column_stack(columns)
        # Ratios to nothing, as of beats that do not vary, which classifiers would not take.
        features[np.isinf(features)] = np.nan
        return features
