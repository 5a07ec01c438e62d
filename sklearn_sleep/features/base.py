"""What all steps from recordings to features share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin
from tqdm.auto import tqdm

from sklearn_sleep.core.epochs import Epochs, Night
from sklearn_sleep.preprocessing.base import TakesEpochsMixin

__all__ = ["FeatureTransformer"]

FloatArray = npt.NDArray[np.float64]


class FeatureTransformer(TakesEpochsMixin, TransformerMixin, BaseEstimator, ABC):
    """Base of the steps that turn recordings into features, a row for each epoch.

    A step is stateless: ``fit`` validates its parameters and learns nothing. Nights are computed
    one by one, each once, however many rows name it. Derive from it and write `feature_names` and
    `compute_features` to make a step of your own.

    Parameters
    ----------
    n_jobs : int, optional
        Nights that are computed at the same time; see joblib.
    verbose : bool, default=False
        Show progress.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> class Amplitude(FeatureTransformer):
    ...     @property
    ...     def feature_names(self):
    ...         return ("EEG_sd",)
    ...     def compute_features(self, night):
    ...         eeg = night.recording.signals["EEG"].data.reshape(-1, 3000)
    ...         return eeg.std(axis=1)[night.epoch, None]
    >>> epochs = EDFReader(["EEG"]).fit_transform("tests/data/sleep-edf-5min.edf")
    >>> Amplitude().fit_transform(epochs)["EEG_sd"].to_numpy().round(1)[:2]
    array([36.4, 26.4])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_jobs": [int, None],
        "verbose": ["verbose"],
    }

    def __init__(self, *, n_jobs: int | None = None, verbose: bool = False) -> None:
        self.n_jobs = n_jobs
        self.verbose = verbose

    @property
    @abstractmethod
    def feature_names(self) -> Sequence[str]:
        """Names of the features."""

    @abstractmethod
    def compute_features(self, night: Night) -> FloatArray:
        """Return the features of a night's rows.

        Parameters
        ----------
        night : Night
            The recording and the epochs of it that are asked for, in any order.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_features)
            NaN where a feature cannot be told.
        """

    def transform(self, X: Epochs) -> pd.DataFrame:
        """Compute the features of each row.

        Parameters
        ----------
        X : Epochs of shape (n_rows,)
            Rows over recordings as they were read, before they are cut into epochs.

        Returns
        -------
        DataFrame of shape (n_rows, n_features)
            Of float64, in the order of the rows, indexed by recording and epoch.

        Raises
        ------
        ValueError
            If a night cannot be computed; names the recording.
        """
        self._check_input(X)
        nights = list(X.nights())
        computed = Parallel(n_jobs=self.n_jobs, return_as="generator")(
            delayed(self._compute)(night) for night in nights
        )
        values = np.full((len(X), len(self.feature_names)), np.nan)
        progress = tqdm(
            zip(nights, computed, strict=True),
            desc=type(self).__name__,
            total=len(nights),
            unit="night",
            disable=not self.verbose,
        )
        for night, features in progress:
            values[night.rows] = features
        index = pd.MultiIndex.from_frame(X.table[["recording", "epoch"]])
        return pd.DataFrame(values, index=index, columns=list(self.feature_names))

    def get_feature_names_out(self, input_features: npt.ArrayLike | None = None) -> Any:
        """Return the names of the features.

        Parameters
        ----------
        input_features : array-like of str, optional
            Ignored.

        Returns
        -------
        ndarray of str
        """
        return np.asarray(self.feature_names, dtype=object)

    def _check_input(self, X: Any) -> None:
        super()._check_input(X)
        X.require_continuous(type(self).__name__, "Leave Epocher() out of its pipeline.")

    def _compute(self, night: Night) -> FloatArray:
        try:
            return self.compute_features(night)
        except ValueError as error:
            raise ValueError(f"{night.recording.path}: {error}") from error
