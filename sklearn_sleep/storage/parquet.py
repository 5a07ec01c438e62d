"""Nights as Parquet files, for tools other than this package."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.arrays import SampleArray
from sklearn_sleep.core.atomic_write import atomic_write
from sklearn_sleep.core.optional_dependencies import import_optional
from sklearn_sleep.core.stages import Stage

_CHECKSUM = "sklearn_sleep checksum"


def write_parquet_night(
    path: Path,
    signals: Mapping[str, SampleArray],
    stages: npt.NDArray[np.integer],
    *,
    attributes: Mapping[str, str],
) -> None:
    """Write a night: samples (n_epochs, samples_per_epoch), stages (n_epochs,), null if missing."""
    arrow, parquet = _import_pyarrow()
    n_epochs = len(stages)
    kept: dict[str, SampleArray] = {}
    columns = {
        "epoch": arrow.array(np.arange(n_epochs, dtype=np.int32)),
        "stage": arrow.array(stages.astype(np.int8), mask=stages == Stage.UNSCORED),
    }
    for name, samples in signals.items():
        # The recording may have been padded, or end with part of an epoch.
        whole = np.full((n_epochs, samples.shape[1]), np.nan, dtype=np.float32)
        whole[: min(n_epochs, len(samples))] = samples[:n_epochs]
        missing = np.isnan(whole).all(axis=1)
        whole[missing] = np.nan  # of one kind, for the checksum
        kept[name] = whole
        values = arrow.array(whole.ravel())
        columns[name] = arrow.FixedSizeListArray.from_arrays(
            values, whole.shape[1], mask=arrow.array(missing)
        )
    metadata = {**attributes, _CHECKSUM: _digest(kept, stages.astype(np.int64))}
    table = arrow.table(columns).replace_schema_metadata(metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial:
        parquet.write_table(table, partial, compression="zstd")


def read_parquet_night(
    path: str | os.PathLike[str],
) -> tuple[dict[str, SampleArray], npt.NDArray[np.int64]]:
    """Read a night that `ingest` wrote as Parquet.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    signals : dict of str to ndarray of float32, shape (n_epochs, samples_per_epoch)
        Samples, NaN where they are missing.
    stages : ndarray of int64, shape (n_epochs,)
        `Stage` of each epoch, -1 where it is not scored.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    ValueError
        If the file is damaged.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "night.parquet")
    >>> samples = np.arange(4, dtype=np.float32).reshape(2, 2)
    >>> write_parquet_night(path, {"ABD": samples}, np.array([0, -1]), attributes={})
    >>> read_parquet_night(path)
    ({'ABD': array([[0., 1.],
           [2., 3.]], dtype=float32)}, array([ 0, -1]))
    """
    arrow, parquet = _import_pyarrow()
    try:
        table = parquet.read_table(path)
        signals, stages = _take_apart(table)
        checksum = (table.schema.metadata or {}).get(_CHECKSUM.encode())
        sound = checksum is None or checksum.decode() == _digest(signals, stages)
    except FileNotFoundError:
        raise
    except (arrow.ArrowException, OSError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is no night that ingest wrote, or is damaged: {error}") from error
    if not sound:
        raise ValueError(
            f"{path} is damaged: its checksum is another one. Delete it and call ingest again."
        )
    return signals, stages


def _digest(signals: Mapping[str, SampleArray], stages: npt.NDArray[np.int64]) -> str:
    """Return a SHA-256 of all that is read from a file."""
    found = hashlib.sha256()
    columns: dict[str, npt.NDArray[Any]] = {**signals, "stage": stages}
    for name, values in columns.items():
        found.update(f"{name} {values.shape} ".encode())
        found.update(np.ascontiguousarray(values).data)
    return found.hexdigest()


def _take_apart(table: Any) -> tuple[dict[str, SampleArray], npt.NDArray[np.int64]]:
    stages = table["stage"].fill_null(int(Stage.UNSCORED)).to_numpy().astype(np.int64)
    signals = {}
    for name in table.column_names:
        if name in ("epoch", "stage"):
            continue
        column = table[name].combine_chunks()
        per_epoch = column.type.list_size
        samples = np.full((len(column), per_epoch), np.nan, dtype=np.float32)
        there = ~column.is_null().to_numpy(zero_copy_only=False)
        samples[there] = column.drop_null().flatten().to_numpy().reshape(-1, per_epoch)
        signals[name] = samples
    return signals, stages


def _import_pyarrow() -> tuple[Any, Any]:
    options = {"extra": "parquet", "purpose": "Parquet"}
    return import_optional("pyarrow", **options), import_optional("pyarrow.parquet", **options)
