"""What all steps from recordings to features share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.core.epochs import Epochs, Night
from sklearn_sleep.core.parallel import run_parallel
from sklearn_sleep.core.tables import NamesRowsMixin
from sklearn_sleep.preprocessing.base import TakesEpochsMixin

# What a feature's name stands for: a function of the windows or epochs that it is computed from.
Feature = Callable[..., FloatArray]


class FeatureTransformer(TakesEpochsMixin, NamesRowsMixin, TransformerMixin, BaseEstimator, ABC):
    """Base of the steps that turn recordings into features, a row for each epoch.

    ``fit`` validates the parameters and learns nothing. Nights are computed one by one, `n_jobs` at
    a time. Derive from it and write `feature_names` and `compute_features` for a step of your own.

    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> class Amplitude(FeatureTransformer):
    ...     feature_names = ("EEG_sd",)
    ...     def compute_features(self, night):
    ...         eeg = night.recording.signals["EEG"].data.reshape(-1, 3000)
    ...         return eeg.std(axis=1)[night.epoch, None]
    >>> epochs = EDFReader(["EEG"]).fit_transform("tests/data/sleep-edf-5min.edf")
    >>> Amplitude().fit_transform(epochs)["EEG_sd"].to_numpy().round(1)[:2]
    array([36.4, 26.4])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_jobs": [int, None],
        "verbose": ["verbose", None],
    }

    def __init__(self, *, n_jobs: int | None = None, verbose: int | None = None) -> None:
        self.n_jobs = n_jobs
        self.verbose = verbose

    @property
    @abstractmethod
    def feature_names(self) -> Sequence[str]:
        """Names of the features, in their order."""

    @abstractmethod
    def compute_features(self, night: Night) -> FloatArray:
        """Return the features of a night's rows, (n_rows, n_features), NaN where there are none."""

    def transform(self, X: Epochs) -> pd.DataFrame:
        """Return features of rows of whole nights, (n_rows, n_features), by recording and epoch."""
        self._check(X)
        nights = list(X.nights())
        computed = run_parallel(
            self._compute,
            [(night,) for night in nights],
            description=type(self).__name__,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        values = np.full((len(X), len(self.feature_names)), np.nan)
        for night, features in zip(nights, computed, strict=True):
            values[night.rows] = features
        index = pd.MultiIndex.from_frame(X.table[["recording", "epoch"]])
        return pd.DataFrame(values, index=index, columns=list(self.feature_names))

    def get_feature_names_out(self, input_features: npt.ArrayLike | None = None) -> Any:
        """Return the names of the features, (n_features,); `input_features` do not count."""
        return np.asarray(self.feature_names, dtype=object)

    def _check_input(self, X: Any) -> None:
        super()._check_input(X)
        X.require_continuous(type(self).__name__, "Leave Epocher() out of its pipeline.")

    def _compute(self, night: Night) -> FloatArray:
        try:
            return self.compute_features(night)
        except ValueError as error:
            raise ValueError(f"{night.recording.path}: {error}") from error


class FeatureSource:
    """What features are computed from; has others by name, each computed once."""

    registry: ClassVar[Mapping[str, Mapping[str, Feature]]] = {}

    @cached_property
    def _computed(self) -> dict[Feature, FloatArray]:
        return {}

    def __getitem__(self, name: str) -> FloatArray:
        return self.compute(next(of[name] for of in self.registry.values() if name in of))

    def compute(self, function: Feature) -> FloatArray:
        """Return what the function of a feature makes of this."""
        if function not in self._computed:
            self._computed[function] = np.asarray(function(self))
        return self._computed[function]


def check_choices(name: str, values: Any, known: Iterable[str]) -> None:
    """Raise ValueError unless a parameter's values are a list of some of the known ones."""
    if isinstance(values, str) or not all(value in list(known) for value in values):
        raise ValueError(f"{name}={values!r} must be a list of some of {', '.join(known)}.")


def select_features(
    features: Sequence[Any] | None,
    groups: Mapping[str, Mapping[str, Feature]],
    default: Iterable[str],
) -> dict[str, Feature]:
    """Return functions by name: known ones that `features` names, and its (name, function) pairs.

    Without `features`, those of the `default` groups.
    """
    if features is None:
        return {name: function for group in default for name, function in groups[group].items()}
    known = {name: function for group in groups.values() for name, function in group.items()}
    selected: dict[str, Feature] = {}
    for feature in features:
        match feature:
            case str() as name if name in known:
                function = known[name]
            case str(name):
                raise ValueError(f"{name!r} is no feature; there are {', '.join(known)}.")
            case (str(name), function) if callable(function):
                pass
            case _:
                raise ValueError(
                    f"features={features!r} must be a list of names of features and, for those of "
                    "your own, of pairs (name, function)."
                )
        if name in selected:
            raise ValueError(f"features={features!r} has {name!r} twice.")
        selected[name] = function
    return selected


def compute_columns(
    functions: Mapping[str, Feature], source: FeatureSource, n_rows: int
) -> FloatArray:
    """Return what each function makes of what they share, (n_rows, n_functions)."""
    columns = np.empty((n_rows, len(functions)))
    with np.errstate(divide="ignore", invalid="ignore"):
        for number, (name, function) in enumerate(functions.items()):
            values = source.compute(function)
            if values.shape != (n_rows,):
                raise ValueError(
                    f"The feature {name!r} has the shape {values.shape}, but must have {(n_rows,)}."
                )
            columns[:, number] = values
    return columns
