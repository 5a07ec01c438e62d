"""TemporalContext: the features of an epoch in the light of its night."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.stage_schemes import check_scored
from sklearn_sleep.core.tables import NamesRowsMixin, as_pandas


class TemporalContext(NamesRowsMixin, TransformerMixin, BaseEstimator):
    """Add to the features of each epoch those of its neighbours, and where in the night it is.

    Only rows of the same recording count, in whatever order they come. An epoch that is not among
    the rows is missing: NaN as a neighbour, and left out of means.

    Parameters
    ----------
    neighbours : sequence of int, default=(-4, -2, -1, 1, 2, 4)
        Which neighbouring epochs' features to add; -1 is the previous one. They are named as in
        ``meanHR_next2`` and ``meanHR_previous1``.
    rolling_means : sequence of int, default=()
        Widths in epochs of centred windows over which to add means, as in ``meanHR_mean11``; odd.
    relative : bool, default=True
        Whether to add features less their mean over the rows of the recording, over their standard
        deviation, as in ``meanHR_relative``, and to take these for neighbours and means. Heart
        rate tells the stage against the sleeper's own, not against others'.
    time_since_start : bool, default=True
        Whether to add the hours from the recording's start to the epoch's.

    Attributes
    ----------
    feature_names_in_ : ndarray of str
        Names of the features seen in `fit`.
    n_features_in_ : int
        Their number.

    Examples
    --------
    >>> rows = [("a", 0), ("a", 1), ("b", 7)]
    >>> index = pd.MultiIndex.from_tuples(rows, names=["recording", "epoch"])
    >>> features = pd.DataFrame({"meanHR": [60.0, 62.0, 55.0]}, index=index)
    >>> step = TemporalContext([-1], relative=False, time_since_start=False)
    >>> step.fit_transform(features).to_numpy()
    array([[60., nan],
           [62., 60.],
           [55., nan]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "neighbours": ["array-like"],
        "rolling_means": ["array-like"],
        "relative": ["boolean"],
        "time_since_start": ["boolean"],
    }

    def __init__(
        self,
        neighbours: Sequence[int] = (-4, -2, -1, 1, 2, 4),
        *,
        rolling_means: Sequence[int] = (),
        relative: bool = True,
        time_since_start: bool = True,
    ) -> None:
        self.neighbours = neighbours
        self.rolling_means = rolling_means
        self.relative = relative
        self.time_since_start = time_since_start

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Validate the parameters, and note the features' names of X, (n_rows, n_features)."""
        self._validate_params()
        if y is not None:
            check_scored(y)
        X = _as_features(X)
        for offset in self.neighbours:
            if not isinstance(offset, int | np.integer) or not offset:
                raise ValueError(
                    f"neighbours={self.neighbours!r} must be whole numbers other than 0."
                )
        for width in self.rolling_means:
            if not isinstance(width, int | np.integer) or width < 1 or not width % 2:
                raise ValueError(
                    f"rolling_means={self.rolling_means!r} must be odd numbers of epochs."
                )
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = len(X.columns)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of X, (n_rows, n_features), in their order, with context."""
        check_is_fitted(self)
        X = _as_features(X)
        if list(X.columns) != list(self.feature_names_in_):
            raise ValueError(
                f"X has the features {list(X.columns)}, but TemporalContext was fitted on "
                f"{list(self.feature_names_in_)}."
            )
        values = X.to_numpy(dtype=np.float64)
        farthest = max([0, *map(abs, self.neighbours), *self.rolling_means])
        rows = _Rows(X.index, farthest)
        parts = [values]
        if self.relative:
            values = rows.relative(values)
            parts.append(values)
        parts += [rows.neighbour(values, offset) for offset in self.neighbours]
        parts += [rows.rolling_mean(values, width) for width in self.rolling_means]
        if self.time_since_start:
            epoch = X.index.get_level_values("epoch").to_numpy(dtype=np.float64)
            parts.append(epoch[:, None] * EPOCH_DURATION / 3600)
        return pd.DataFrame(
            np.hstack(parts), index=X.index, columns=list(self.get_feature_names_out())
        )

    def get_feature_names_out(self, input_features: npt.ArrayLike | None = None) -> Any:
        """Return the names of the features that come out, (n_features_out,)."""
        check_is_fitted(self)
        suffixes = ["", "_relative"] if self.relative else [""]
        suffixes += [f"_{'next' if k > 0 else 'previous'}{abs(k)}" for k in self.neighbours]
        suffixes += [f"_mean{width}" for width in self.rolling_means]
        names = [f"{name}{suffix}" for suffix in suffixes for name in self.feature_names_in_]
        return np.asarray(names + ["hours"] * self.time_since_start, dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Arrays do not tell which rows are neighbours.
        tags.input_tags.two_d_array = False
        tags.input_tags.allow_nan = True
        return tags


def _as_features(X: Any) -> pd.DataFrame:
    names = ["recording", "epoch"]
    table = as_pandas(X)
    if table is not X and set(names) <= set(table.columns):
        table = table.set_index(names)
    if not isinstance(table, pd.DataFrame) or list(table.index.names) != names:
        raise TypeError(
            "TemporalContext takes a DataFrame indexed by recording and epoch, or a polars table "
            f"with columns of these names, not {type(X).__name__}. Put a step such as "
            "HRVFeatures() right before it in the pipeline."
        )
    if any(pd.api.types.is_complex_dtype(dtype) for dtype in table.dtypes):
        raise ValueError("X holds complex numbers; features must be real.")
    return table


class _Rows:
    """Rows by recording and epoch, in any order."""

    def __init__(self, index: pd.Index[Any], farthest: int) -> None:
        epoch = index.get_level_values("epoch").to_numpy(dtype=np.int64)
        # Each row has a key; those of two recordings are farther apart than any context reaches.
        self.recording, _ = pd.factorize(index.get_level_values("recording"))
        between = (int(epoch.max()) - int(epoch.min()) if len(epoch) else 0) + 2 * farthest + 1
        self.key = self.recording.astype(np.int64) * between + epoch
        # An epoch that is named twice counts once.
        self.keys, self.first, self.place = np.unique(
            self.key, return_index=True, return_inverse=True
        )

    def neighbour(self, values: FloatArray, offset: int) -> FloatArray:
        """Return the values of the epochs so far away, NaN where they are missing."""
        wanted = self.key + offset
        position = np.searchsorted(self.keys, wanted).clip(max=len(self.keys) - 1)
        found = values[self.first[position]]
        found[self.keys[position] != wanted] = np.nan
        return found

    def rolling_mean(self, values: FloatArray, width: int) -> FloatArray:
        """Return the means of the epochs around, NaN where all are missing."""
        means = values[self.first]
        # Night by night, so that large values of one take no digits from the sums of another.
        for night in np.split(
            np.arange(len(means)), np.flatnonzero(np.diff(self.recording[self.first])) + 1
        ):
            keys = self.keys[night]
            start = np.searchsorted(keys, keys - width // 2)
            stop = np.searchsorted(keys, keys + width // 2, side="right")
            known = np.isfinite(means[night])
            # About their mean, for the digits of running sums.
            ordered = np.where(known, means[night], 0.0)
            centre = ordered.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
            total, count = _running((ordered - centre) * known), _running(known)
            with np.errstate(invalid="ignore"):
                means[night] = centre + (total[stop] - total[start]) / (count[stop] - count[start])
        return means[self.place]

    def relative(self, values: FloatArray) -> FloatArray:
        """Return values less the mean of their recording over its standard deviation."""
        result = np.full_like(values, np.nan)
        of_rows = pd.DataFrame(values[self.first])
        groups = of_rows.groupby(self.recording[self.first])
        mean = groups.mean().to_numpy()[self.recording]
        deviation = groups.std(ddof=0).to_numpy()[self.recording]
        np.divide(values - mean, deviation, out=result, where=deviation > 0)
        return result


def _running(values: FloatArray) -> FloatArray:
    return np.vstack([np.zeros(values.shape[1]), np.cumsum(values, axis=0)])
