"""Epochs: rows that name 30-second epochs, over the recordings that hold them."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_sleep.core.arrays import BoolArray, IntArray
from sklearn_sleep.core.memory import IN_MEMORY, MemorySource, is_raw, source_from_mne
from sklearn_sleep.core.messages import list_names
from sklearn_sleep.core.recording import Recording, Step
from sklearn_sleep.core.signals import EPOCH_DURATION, source_of
from sklearn_sleep.exceptions import EDFWarning, SplitNightWarning

# Nights are rarely scored to the last epoch; a fold leaves out more than this.
_WHOLE_NIGHT_FRACTION = 0.9


@dataclass(frozen=True)
class Night:
    """The rows that fall in one recording: their positions among all, and the epoch of each, (n,).

    `masks` say for signals with a column in the table whether each row may use the signal and what
    is derived from it, (n,).
    """

    recording: Recording
    rows: IntArray
    epoch: IntArray
    masks: dict[str, BoolArray]

    def may_use(self, signal: str) -> BoolArray:
        """Return for each epoch of a signal, (n_epochs,), whether it may be used.

        An epoch that no row names takes the value of the nearest one that is named, the earlier of
        two. ValueError if an epoch is named twice, once with and once without the signal.
        """
        n_epochs = self.recording.signals[signal].n_epochs
        mask = self._mask(signal)
        if mask is None:
            return np.ones(n_epochs, dtype=bool)
        epoch, first = np.unique(self.epoch, return_index=True)
        value = mask[first]
        if len(epoch) < len(self.epoch):
            conflict = value[np.searchsorted(epoch, self.epoch)] != mask
            if conflict.any():
                raise ValueError(
                    f"Epoch {self.epoch[conflict][0]} of {self.recording.path} is named twice, "
                    f"once with {signal}=True and once with {signal}=False. "
                    "Pass the two in separate calls."
                )
        every = np.arange(n_epochs)
        after = np.searchsorted(epoch, every).clip(max=len(epoch) - 1)
        before = (np.searchsorted(epoch, every, side="right") - 1).clip(min=0)
        nearest = np.where(every - epoch[before] <= epoch[after] - every, before, after)
        nearest = np.where(every < epoch[0], 0, nearest)
        return value[nearest]

    def _mask(self, signal: str) -> BoolArray | None:
        """Return which rows may use a signal and its source, (n,); None: there is no column."""
        masks = [self.masks[name] for name in {signal, source_of(signal)} if name in self.masks]
        return np.logical_and.reduce(masks) if masks else None

    def choose_signals(self, signals: Sequence[str]) -> list[tuple[str, IntArray]]:
        """Return which of some signals each row is to use: the first one that it may.

        The result has signals with the positions of their rows among those of the night; rows that
        may use none are left out.
        """
        left = np.ones(len(self.epoch), dtype=bool)
        chosen = []
        for name in signals:
            if name not in self.recording.signals:
                continue
            mask = self._mask(name)
            rows = left if mask is None else left & mask
            if rows.any():
                chosen.append((name, np.flatnonzero(rows)))
                left &= ~rows
        return chosen


class Epochs:
    """Rows that name epochs, over the distinct recordings they name.

    This is what flows between the steps of a pipeline. It has a length (rows) and is indexed by
    integer array, mask and slice, like any scikit-learn ``X``, and holds no samples.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        Columns ``recording`` (categorical) and ``epoch``, and any further ones. A boolean column
        named like a signal says whether that signal may be used in a row.
    recordings : sequence of Recording
        The distinct recordings.
    recording_index : array-like of int, shape (n_rows,)
        The position in `recordings` of the one that each row names.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> epochs = EDFReader(["EEG"]).fit_transform("tests/data/sleep-edf-5min.edf")
    >>> epochs
    Epochs(10 rows over 1 recording)
    >>> len(epochs[2:5])
    3
    """

    def __init__(
        self,
        table: pd.DataFrame,
        recordings: Sequence[Recording],
        recording_index: npt.ArrayLike,
    ) -> None:
        self.table = table
        self.recordings = tuple(recordings)
        self.recording_index = np.asarray(recording_index, dtype=np.int32)

    @classmethod
    def from_recordings(cls, recordings: Any) -> Self:
        """Return every epoch of recordings in memory, in their order.

        Parameters
        ----------
        recordings : Recording, Raw of mne, or sequence of them
            Those without a name of their own are numbered.

        Returns
        -------
        Epochs
            Its table has a column ``subject`` where each recording tells the person.

        Raises
        ------
        ValueError
            If two recordings have the same name.

        Examples
        --------
        >>> from sklearn_sleep import Recording
        >>> nights = [Recording.from_arrays({"ABD": np.arange(600.0)}, 10.0) for _ in range(2)]
        >>> epochs = Epochs.from_recordings(nights)
        >>> epochs[1:].table
                       recording  epoch
        1  recording in memory 1      1
        2  recording in memory 2      0
        3  recording in memory 2      1
        """
        items = _items(recordings)
        if not items or not all(_is_recording(item) for item in items):
            raise TypeError(
                "recordings must be a Recording or a Raw of mne, or a list of them, but is "
                f"{name_types(recordings)}. epoch_table(paths) names the epochs of files."
            )
        made = [item if isinstance(item, Recording) else Recording.from_mne(item) for item in items]
        if sum(recording.path == IN_MEMORY for recording in made) > 1:
            made = [_numbered(recording, number) for number, recording in enumerate(made, 1)]
        names = [recording.path for recording in made]
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise ValueError(
                f"Each recording may be given once; given more often: {list_names(repeated)}. Give "
                "each a name: Recording.from_mne(raw, name='night 1')."
            )
        counts = [recording.n_epochs for recording in made]
        short = [name for name, count in zip(names, counts, strict=True) if not count]
        if short:
            why = f"{list_names(short)}: less than an epoch ({EPOCH_DURATION:g} s)"
            if len(short) == len(made):
                raise ValueError(f"{why}, so that there is nothing to stage.")
            warnings.warn(f"{why}, so that X has no rows for it.", EDFWarning, stacklevel=2)
        table = make_epoch_table(names, [np.arange(count) for count in counts])
        subjects = [recording.subject for recording in made]
        if all(subjects):
            table["subject"] = np.repeat(np.array(subjects, dtype=object), counts)
        return cls(table, made, np.repeat(np.arange(len(made)), counts))

    def __len__(self) -> int:
        return len(self.table)

    @property
    def shape(self) -> tuple[int]:
        """``(n_rows,)``, by which scikit-learn indexes it like an array."""
        return (len(self),)

    def __getitem__(self, key: Any) -> Epochs:
        # scikit-learn asks for X[key, ...].
        if isinstance(key, tuple):
            key = key[0]
        if isinstance(key, int | np.integer):
            key = [key]
        if not isinstance(key, slice):
            key = np.asarray(key)
            if not key.size:
                # NumPy makes an array of floats of an empty list.
                key = key.astype(np.intp)
        index = self.recording_index[key]
        used, index = np.unique(index, return_inverse=True)
        recordings = [self.recordings[position] for position in used]
        return Epochs(self.table.iloc[key], recordings, index)

    def apply(self, step: Step) -> Epochs:
        """Return the same rows over recordings with one more step, not to be changed afterwards."""
        recordings = [recording.apply(step) for recording in self.recordings]
        return Epochs(self.table, recordings, self.recording_index)

    @property
    def signal_names(self) -> tuple[str, ...]:
        """Canonical names of the signals that any of the recordings has, in order."""
        return tuple(dict.fromkeys(n for recording in self.recordings for n in recording.signals))

    @property
    def samples_per_epoch(self) -> dict[str, int]:
        """Samples per epoch of each signal; ValueError if the recordings differ in it."""
        rates: dict[str, int] = {}
        for recording in self.recordings:
            for name, signal in recording.signals.items():
                rate = round(signal.sampling_frequency * EPOCH_DURATION)
                if rates.setdefault(name, rate) != rate:
                    raise ValueError(
                        f"{name} of {recording.path} has {rate} samples per epoch, others have "
                        f"{rates[name]}. Put Resampler() before Epocher() in the pipeline."
                    )
        return rates

    def nights(self) -> Iterator[Night]:
        """Yield the rows recording by recording."""
        order = np.argsort(self.recording_index, kind="stable")
        bounds = np.searchsorted(self.recording_index[order], np.arange(len(self.recordings) + 1))
        epoch = self.table["epoch"].to_numpy()
        names = self.signal_names
        masks = {
            name: as_mask(self.table[name])
            for name in dict.fromkeys([*names, *map(source_of, names)])
            if name in self.table.columns
        }
        for position, recording in enumerate(self.recordings):
            rows = order[bounds[position] : bounds[position + 1]]
            yield Night(
                recording,
                rows,
                epoch[rows].astype(np.intp),
                {name: mask[rows] for name, mask in masks.items()},
            )

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Read the rows' samples into memory.

        For each signal an array (n_rows, samples_per_epoch) of float32 with NaN where it is missing
        or may not be used, and ``"recording"``, the paths (n_rows,). With skorch's
        ``SliceDict(**arrays)`` it is an X of its own.
        """
        self.require_epoched("to_arrays()")
        arrays: dict[str, npt.NDArray[Any]] = {
            name: np.full((len(self), per_epoch), np.nan, np.float32)
            for name, per_epoch in self.samples_per_epoch.items()
        }
        for night in self.nights():
            for name, signal in night.recording.signals.items():
                data = np.where(night.may_use(name)[:, None], signal.data, np.float32(np.nan))
                arrays[name][night.rows] = data[night.epoch]
        paths = np.array([recording.path for recording in self.recordings], dtype=object)
        arrays["recording"] = paths[self.recording_index]
        return arrays

    def require_epoched(self, who: str) -> None:
        """Raise ValueError, which names the missing steps, unless nights are cut into epochs."""
        for recording in self.recordings:
            for signal in recording.signals.values():
                if not signal.is_epoched:
                    raise ValueError(
                        f"{who} needs recordings that are cut into epochs. Put Resampler(), "
                        "Normalizer() and Epocher() before it in the pipeline."
                    )
                return

    def require_continuous(self, who: str, remedy: str) -> None:
        """Raise ValueError if the recordings have been cut into epochs; see `Signal`."""
        # Steps are applied to all recordings alike, so that the first one tells.
        for recording in self.recordings[:1]:
            for signal in recording.signals.values():
                signal.require_continuous(who, remedy)

    def __repr__(self) -> str:
        n = len(self.recordings)
        return f"Epochs({len(self)} rows over {n} recording{'s' if n != 1 else ''})"


def epochs_in_memory(X: Any) -> Epochs | None:
    """Return X as epochs if it is some, or a recording or Raw of mne or some of them; else None.

    No signals are chosen among the channels of a Raw.
    """
    if isinstance(X, Epochs):
        return X
    items = _items(X)
    if not items or not all(_is_recording(item) for item in items):
        return None
    return Epochs.from_recordings(
        [Recording(source_from_mne(item)) if is_raw(item) else item for item in items]
    )


def name_types(X: Any) -> str:
    """Return what X is in a message: ``"list of float"``."""
    kind = type(X).__name__
    if isinstance(X, np.ndarray):
        return f"{kind} of {X.dtype}"
    if isinstance(X, list | tuple) and X:
        return f"{kind} of {' and '.join(dict.fromkeys(type(item).__name__ for item in X))}"
    return kind


def _items(X: Any) -> list[Any]:
    is_list = isinstance(X, list | tuple | pd.Series) or (
        isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1
    )
    return list(X) if is_list else [X]


def _is_recording(value: Any) -> bool:
    return isinstance(value, Recording) or is_raw(value)


def _numbered(recording: Recording, number: int) -> Recording:
    source = recording.source
    if recording.path != IN_MEMORY or not isinstance(source, MemorySource):
        return recording
    return Recording(replace(source, path=f"{IN_MEMORY} {number}"), recording.steps)


def make_epoch_table(recordings: Sequence[str], epochs: Sequence[npt.ArrayLike]) -> pd.DataFrame:
    """Return the table that names the given epochs of each recording, by distinct paths."""
    counts = [len(np.atleast_1d(e)) for e in epochs]
    codes = np.repeat(np.arange(len(recordings)), counts)
    # Object strings: a categorical of them takes its code array and no more.
    categories = pd.Index(np.asarray(recordings, dtype=object), dtype=object)
    dtype = np.min_scalar_type(-max(len(recordings), 1))
    return pd.DataFrame(
        {
            "recording": pd.Categorical.from_codes(codes.astype(dtype), categories=categories),
            "epoch": np.concatenate([np.empty(0, np.int32), *map(np.asarray, epochs)]).astype(
                np.int32
            ),
        }
    )


def as_mask(column: pd.Series) -> BoolArray:
    """Return a signal's column, (n_rows,), as booleans; without a value the signal may be used."""
    if column.dtype == np.bool_:
        return column.to_numpy()
    # Tables with and without the column give missing values when they are concatenated.
    values = column.astype(object).where(column.notna(), True)
    if not values.isin([True, False]).all():
        raise ValueError(
            f"The column {column.name!r} says in which rows the signal of that name may be used "
            f"and must hold True and False, not {column.dtype} such as {values.iloc[0]!r}."
        )
    return values.to_numpy(dtype=bool)


def warn_of_split_nights(epochs: Epochs) -> None:
    """Warn if the rows name only part of a night, which makes scores of its rest too good.

    The table's column ``scored_epochs`` says how many rows each recording has in all; without it, a
    night counts as split if less than 90% of its epochs are named.
    """
    split = []
    for night in epochs.nights():
        named = len(np.unique(night.epoch))
        whole = math.ceil(_WHOLE_NIGHT_FRACTION * night.recording.n_epochs)
        if "scored_epochs" in epochs.table.columns:
            scored = epochs.table["scored_epochs"].iloc[night.rows[0]]
            whole = whole if pd.isna(scored) else int(scored)
        if named < whole:
            split.append(night.recording.path)
    if split:
        warnings.warn(
            f"X names only part of {len(split)} of {len(epochs.recordings)} nights "
            f"({list_names(split)}). If the rest is in a test fold, scores are too good: pass "
            "groups= and split by subject, as GroupKFold and StratifiedGroupKFold do. If the rest "
            "is unscored, say how many epochs each recording has in a column 'scored_epochs'.",
            SplitNightWarning,
            stacklevel=3,
        )
