"""What the deep classifiers accept as X, epochs of a pipeline or arrays in memory, and classes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils.class_weight import compute_sample_weight

from sklearn_sleep.core.epochs import Epochs, make_epoch_table
from sklearn_sleep.core.recording import Recording
from sklearn_sleep.core.signals import signal_definition, source_of
from sklearn_sleep.core.sources import ArraySource

_NOT_SIGNALS = ("recording", "mask", "subject")


def as_epochs(X: Any, who: str) -> Epochs:
    """Return X as epochs that are cut and ready for a classifier, whose name messages say.

    Beside epochs it takes arrays in memory such as skorch's ``SliceDict``: samples (n_rows,
    samples_per_epoch) by signal name, ``recording`` (n_rows,), rows of a recording in time order,
    and optionally ``subject`` (n_rows,) and ``mask`` (n_rows, n_signals), whose columns stand for
    the signals in their order and are ``True`` where a signal may be used.
    """
    if isinstance(X, Epochs):
        X.require_epoched(who)
        return X
    if isinstance(X, Mapping):
        return _epochs_from_arrays(X)
    raise TypeError(
        f"{who} takes epochs of a pipeline or a SliceDict of arrays, but X is {type(X).__name__}. "
        "Put EDFReader(signals=[...]), Resampler(), Normalizer() and Epocher() before it."
    )


def _epochs_from_arrays(X: Mapping[str, npt.NDArray[Any]]) -> Epochs:
    names = [name for name in X if name not in _NOT_SIGNALS]
    if not names or "recording" not in X:
        raise ValueError(
            "Arrays come by signal name together with 'recording', the recording of each row; "
            f"found the keys {list(X)}."
        )
    recording = np.asarray(X["recording"])
    mask = np.asarray(X["mask"]) if "mask" in X else None
    _check_arrays(X, names, len(recording), mask)
    codes, paths = pd.factorize(recording)
    if (codes < 0).any():
        raise ValueError(
            f"'recording' is missing in {int((codes < 0).sum())} rows; name it in each row."
        )
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(paths) + 1))
    epoch = np.empty(len(recording), np.int32)
    recordings = []
    for i, path in enumerate(paths):
        rows = order[bounds[i] : bounds[i + 1]]
        epoch[rows] = np.arange(len(rows))
        recordings.append(_recording_from_arrays(str(path), X, names, rows, mask))
    table = make_epoch_table([str(path) for path in paths], [[0]] * len(paths))
    table = table.iloc[codes].assign(epoch=epoch).reset_index(drop=True)
    return Epochs(table, recordings, codes)


def _recording_from_arrays(
    path: str,
    X: Mapping[str, npt.NDArray[Any]],
    names: list[str],
    rows: npt.NDArray[np.intp],
    mask: npt.NDArray[np.bool_] | None,
) -> Recording:
    arrays, definitions = {}, {}
    of_rows = {name: np.asarray(X[name])[rows].astype(np.float32) for name in names}
    usable = {name: ~np.isnan(samples).all(axis=1) for name, samples in of_rows.items()}
    if mask is not None:
        usable = {name: usable[name] & mask[rows, names.index(name)] for name in names}
    for name, samples in of_rows.items():
        samples[~(usable[name] & usable.get(source_of(name), np.True_))] = np.nan
        if not np.isnan(samples).all():
            arrays[name] = samples
            definition = signal_definition(name)
            definitions[name] = replace(definition, samples_per_epoch=samples.shape[1])
    subject = str(np.asarray(X["subject"])[rows[0]]) if "subject" in X else ""
    source = ArraySource(path, arrays, definitions, n_epochs=len(rows), subject=subject)
    return Recording(source)


def _check_arrays(
    X: Mapping[str, npt.NDArray[Any]],
    names: list[str],
    n_rows: int,
    mask: npt.NDArray[Any] | None,
) -> None:
    for name in names:
        shape = np.shape(X[name])
        if len(shape) != 2 or shape[0] != n_rows:
            raise ValueError(
                f"{name!r} must have the shape ({n_rows}, samples_per_epoch), but has {shape}."
            )
        if np.iscomplexobj(X[name]):
            raise ValueError(f"{name!r} holds complex numbers; samples must be real.")
    if mask is not None and (mask.shape != (n_rows, len(names)) or mask.dtype != bool):
        raise ValueError(
            f"'mask' must be boolean with the shape ({n_rows}, {len(names)}), a column for each "
            f"of {names}, but is {mask.dtype} with {mask.shape}."
        )


def weigh_classes(
    weight: npt.NDArray[np.float64],
    class_weight: Any,
    y: npt.NDArray[Any],
    classes: npt.NDArray[Any],
) -> npt.NDArray[np.float64]:
    """Return weights of rows times those of their classes; ValueError for what is no weight."""
    if class_weight is None:
        return weight
    if isinstance(class_weight, Mapping):
        for label, value in class_weight.items():
            if label not in classes.tolist():
                raise ValueError(
                    f"class_weight has {label!r}, which is no class; there are {classes.tolist()}."
                )
            if not 0 <= value < np.inf:
                raise ValueError(f"class_weight[{label!r}]={value!r} must be a number from 0 on.")
    weight = weight * compute_sample_weight(class_weight, y)
    if not weight.any():
        raise ValueError(
            f"class_weight={class_weight!r} leaves no row a weight, so that nothing is to be "
            "learned."
        )
    return weight


def choose_classes(y: npt.NDArray[Any], given: npt.ArrayLike | None) -> npt.NDArray[Any]:
    """Return the sorted classes: those that are given, or else those of y.

    Ensembles of scikit-learn number the classes that occur before they fit; where names are given
    and y holds numbers, the names are of something else.
    """
    if given is None:
        return np.unique(y)
    classes = np.unique(np.asarray(given))
    is_numbered = y.dtype.kind in "iu" and classes.dtype.kind in "OUT"
    return np.unique(y) if is_numbered and 0 <= y.min() <= y.max() < len(classes) else classes


def encode(y: npt.NDArray[Any], classes: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Return the position of each stage, (n_rows,), among the sorted classes."""
    codes = np.searchsorted(classes, y).clip(max=len(classes) - 1)
    unknown = np.unique(y[classes[codes] != y])
    if len(unknown):
        raise ValueError(
            f"y has the stages {unknown.tolist()}, which are not among {classes.tolist()}. "
            "Name all of them in classes."
        )
    return codes
