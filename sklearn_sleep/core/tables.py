"""Tables of polars, which has no index, beside those of pandas."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import pandas as pd

from sklearn_sleep.core.epochs import Epochs

# Where a table of features in polars has the recording and epoch of each row.
_INDEX = "_recording_and_epoch"


def as_pandas(X: Any) -> Any:
    """Return a polars table as one of pandas, with the rows' index where known; all else as is."""
    polars = sys.modules.get("polars")
    if polars is None or not isinstance(X, polars.DataFrame):
        return X
    table = pd.DataFrame({name: X[name].to_numpy() for name in X.columns})
    index = getattr(X, _INDEX, None)
    return table if index is None else table.set_index(index)


def _index_of_rows(X: Any) -> Any:
    if isinstance(X, Epochs):
        return pd.MultiIndex.from_frame(X.table[["recording", "epoch"]])
    table = as_pandas(X)
    return table.index if list(table.index.names) == ["recording", "epoch"] else None


class NamesRowsMixin:
    """For steps whose features go on to others that need the recording and epoch of each row.

    In pandas these are the index; what ``set_output(transform="polars")`` gives has them beside
    its columns, until the rows are selected or changed.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "transform" in vars(cls):
            cls.transform = _name_rows(cls.transform)  # type: ignore[attr-defined]  # of the step it is mixed into


def _name_rows(transform: Callable[..., Any]) -> Callable[..., Any]:
    # Outside of scikit-learn's own wrapper, which makes the container.
    @functools.wraps(transform)
    def wrapper(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
        features = transform(self, X, *args, **kwargs)
        if hasattr(features, "columns") and not hasattr(features, "index"):
            setattr(features, _INDEX, _index_of_rows(X))
        return features

    return wrapper
