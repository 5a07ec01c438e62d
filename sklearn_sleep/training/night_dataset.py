"""Whole nights as tensors: what the deep classifiers train on and predict."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from mmap import mmap
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sklearn_sleep.core.epochs import Epochs, Night
from sklearn_sleep.core.masking import infinite_as_missing

Part = TypeVar("Part")

# An epoch of which less is there is missing; in one of which more is there, the gap is silence.
MINIMUM_PRESENT_FRACTION = 0.5


@dataclass(frozen=True)
class NightSample:
    """One whole night and the rows that fall in it.

    Signals that are there have finite samples, (n_epochs, samples_per_epoch), and say in which
    epochs they are present, (n_epochs,). Of the n rows there are the positions in X, the epochs
    that they name, classes and weights. Samples that are a file of a `RecordingCache` in memory are
    `mapped`: the file and the address; between processes, the file's name goes and not the samples.
    """

    path: str
    x: dict[str, Tensor]
    present: dict[str, Tensor]
    rows: Tensor
    epoch: Tensor
    y: Tensor
    weight: Tensor
    mapped: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def n_bytes(self) -> int:
        """Memory that the samples take."""
        return sum(samples.nbytes for samples in self.x.values())

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state["x"] = {
            name: self.mapped[name][0] if self._is_mapped(name) else samples
            for name, samples in self.x.items()
        }
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        x, mapped = {}, {}
        for name, samples in state["x"].items():
            x[name] = samples
            if isinstance(samples, str):
                x[name] = _map(samples)
                mapped[name] = (samples, x[name].data_ptr())
        self.__dict__.update({**state, "x": x, "mapped": mapped})

    def _is_mapped(self, name: str) -> bool:
        """Whether a signal is a file still, and not what something has made of it."""
        return name in self.mapped and self.mapped[name][1] == self.x[name].data_ptr()


def _map(path: str) -> Tensor:
    try:
        return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} was evicted from its RecordingCache before it was used. Raise max_bytes, so "
            "that the nights which workers read ahead have room."
        ) from error


@dataclass(frozen=True)
class NightBatch:
    """Some nights, of any length and with any signals."""

    nights: tuple[NightSample, ...]

    def __len__(self) -> int:
        # skorch weighs the losses of batches by this.
        return sum(len(night.rows) for night in self.nights)

    @property
    def size(self) -> int:
        """Number of nights."""
        return len(self.nights)

    @property
    def names(self) -> list[str]:
        """What messages call the nights: their paths."""
        return [night.path for night in self.nights]

    @property
    def weight(self) -> float:
        """Sum of the weights of the rows that can be learned from."""
        return sum(float(night.weight.sum()) for night in self.nights if night.x)

    def part(self, of_nights: Sequence[Part]) -> Sequence[Part]:
        """Return what belongs to `nights` of a sequence with `size` items."""
        return of_nights


@dataclass
class NightDataset(Dataset[NightSample]):
    """The nights of some rows, read when asked for; `kept_bytes` of them are kept in memory."""

    epochs: Epochs
    signals: Sequence[str]
    y: npt.NDArray[np.intp] | None = None
    weight: npt.NDArray[np.float64] | None = None
    kept_bytes: int = 0
    _nights: list[Night] = field(init=False, repr=False)
    _kept: dict[int, NightSample] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._nights = list(self.epochs.nights())

    def __len__(self) -> int:
        return len(self._nights)

    def __getitem__(self, index: int) -> NightSample:
        if index in self._kept:
            return self._kept[index]
        sample = self._read(self._nights[index])
        if sample.n_bytes <= self.kept_bytes:
            self.kept_bytes -= sample.n_bytes
            self._kept[index] = sample
        return sample

    @property
    def identity(self) -> list[object]:
        """What tells the dataset from others, for `core.identity.digest`."""
        recordings, table = self.epochs.recordings, self.epochs.table
        return [
            list(self.signals),
            [[r.fingerprint, r.subject, r.dataset] for r in recordings],
            self.epochs.recording_index,
            {name: table[name].to_numpy() for name in table.columns.drop("recording")},
            self.y,
            self.weight,
        ]

    @property
    def subjects(self) -> list[str]:
        """The subject of each night, or its path where that is not known."""
        return [night.recording.subject or night.recording.path for night in self._nights]

    def _read(self, night: Night) -> NightSample:
        x, present = {}, {}
        mapped: dict[str, tuple[str, int]] = {}
        for name in self.signals:
            if name not in night.recording.signals:
                continue
            usable = night.may_use(name)
            if not usable.any():
                continue
            samples = night.recording.signals[name].data
            missing = ~np.isfinite(samples)
            if missing.any():
                samples = infinite_as_missing(samples, name, night.recording.path)
                usable = usable & (missing.mean(axis=1) <= 1 - MINIMUM_PRESENT_FRACTION)
                samples = np.where(missing, np.float32(0), samples)
            if usable.any():
                # Copied only where a memory map or a view could not be written through.
                x[name] = torch.from_numpy(np.require(samples, requirements=["C", "W"]))
                present[name] = torch.from_numpy(usable)
                # A view of a part has another base.
                base: object = samples.base
                if isinstance(samples, np.memmap) and isinstance(base, mmap):
                    mapped[name] = (str(samples.filename), x[name].data_ptr())
        n = len(night.rows)
        y = np.zeros(n, np.int64) if self.y is None else self.y[night.rows]
        weight = np.ones(n) if self.weight is None else self.weight[night.rows]
        return NightSample(
            night.recording.path,
            x,
            present,
            torch.from_numpy(night.rows.astype(np.int64)),
            torch.from_numpy(night.epoch.astype(np.int64)),
            torch.from_numpy(y.astype(np.int64)),
            torch.from_numpy(weight.astype(np.float32)),
            mapped,
        )


def collate_nights(samples: Sequence[NightSample]) -> NightBatch:
    """Put nights into a batch, each as long as it is."""
    return NightBatch(tuple(samples))
