"""CardiorespiratoryFeatures: heart rate variability and breathing, from the same beats."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.core.epochs import Night
from sklearn_sleep.features.base import FeatureTransformer
from sklearn_sleep.features.beats.heartbeats import HeartbeatDetector
from sklearn_sleep.features.beats.hrv import HRVFeatures
from sklearn_sleep.features.breathing.respiration import RespirationFeatures


class CardiorespiratoryFeatures(FeatureTransformer):
    """Heart rate variability, breathing, and how they go together.

    The features of `HRVFeatures` and `RespirationFeatures`, side by side, from the beats that one
    detector finds, where a `FeatureUnion` of both has two of them to set.

    Parameters
    ----------
    hrv : HRVFeatures, optional
        ``HRVFeatures()`` if not given. Its ``n_jobs``, ``verbose`` and ``detector`` do not count.
    respiration : RespirationFeatures, optional
        ``RespirationFeatures()`` if not given. The same holds.
    detector : HeartbeatDetector, optional
        What finds the beats; ``HeartbeatDetector()`` if not given.
    n_jobs : int, optional
        Nights of which both are computed at the same time; see joblib.
    verbose : int, optional
        Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
        terminal or in a notebook.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> epochs = EDFReader(["ECG"], units={"ECG": "mV"}).fit_transform("tests/data/mitdb-100.edf")
    >>> step = CardiorespiratoryFeatures(HRVFeatures(features=["meanHR"]))
    >>> step.fit_transform(epochs).mean().round(1)[["meanHR", "breathing_rate"]]
    meanHR            75.3
    breathing_rate    17.8
    dtype: float64
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **FeatureTransformer._parameter_constraints,
        "hrv": [HRVFeatures, None],
        "respiration": [RespirationFeatures, None],
        "detector": [HeartbeatDetector, None],
    }

    def __init__(
        self,
        hrv: HRVFeatures | None = None,
        respiration: RespirationFeatures | None = None,
        *,
        detector: HeartbeatDetector | None = None,
        n_jobs: int | None = None,
        verbose: int | None = None,
    ) -> None:
        self.hrv = hrv
        self.respiration = respiration
        self.detector = detector
        super().__init__(n_jobs=n_jobs, verbose=verbose)

    @property
    def feature_names(self) -> Sequence[str]:
        """Names of the features."""
        return [name for step in self._steps() for name in step.feature_names]

    def _steps(self) -> tuple[FeatureTransformer, ...]:
        return (
            HRVFeatures() if self.hrv is None else self.hrv,
            RespirationFeatures() if self.respiration is None else self.respiration,
        )

    def _check_parameters(self) -> None:
        for step in self._steps():
            step._validate_params()
            step._check_parameters()

    def compute_features(self, night: Night) -> FloatArray:
        """Return the features of a night's rows, (n_rows, n_features)."""
        detector = HeartbeatDetector() if self.detector is None else self.detector
        features = []
        for step in self._steps():
            step_of_night = clone(step)
            step_of_night.detector = detector  # not cloned, since it may be somebody's own
            features.append(step_of_night.compute_features(night))
        return np.hstack(features)
