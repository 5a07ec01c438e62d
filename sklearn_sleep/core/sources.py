"""Signals, and where a recording has them from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np

from sklearn_sleep.core.arrays import SampleArray
from sklearn_sleep.core.signals import SignalDefinition


@dataclass(eq=False, repr=False)
class Signal:
    """One signal of a recording, whose samples are read when `data` is asked for.

    Parameters
    ----------
    definition : SignalDefinition
        What the signal is.
    read : callable
        Returns the samples, a float32 array.
    sampling_frequency : float
        In Hz.
    unit : str
        ``"mV"``, ``"uV"``, or ``""`` for arbitrary units.
    n_epochs : int
        Number of 30-second epochs that the signal is to have: those of the recording, and those
        that a step has put after its end.
    is_epoched : bool, default=False
        Whether the samples have been cut into epochs.

    Attributes
    ----------
    data : ndarray of float32, shape (n_samples,) or (n_epochs, samples_per_epoch)
        The samples; NaN where there are none. Not kept: ask once and hold on to it.

    Examples
    --------
    >>> from sklearn_sleep.core.signals import SIGNALS
    >>> signal = Signal(SIGNALS["ABD"], lambda: np.ones(600, np.float32), 10.0, "", n_epochs=2)
    >>> signal.map(np.negative).data[:2]
    array([-1., -1.], dtype=float32)
    """

    definition: SignalDefinition
    read: Callable[[], SampleArray]
    sampling_frequency: float
    unit: str
    _: KW_ONLY
    n_epochs: int
    is_epoched: bool = False

    @property
    def name(self) -> str:
        """Canonical name."""
        return self.definition.name

    @property
    def data(self) -> SampleArray:
        """The samples, read and processed now."""
        return self.read()

    def map(
        self,
        function: Callable[[SampleArray], SampleArray],
        *,
        sampling_frequency: float | None = None,
        unit: str | None = None,
        is_epoched: bool | None = None,
        n_epochs: int | None = None,
    ) -> Signal:
        """Return the signal that `function`, which must not write into its argument, makes of this.

        Say what else it changes: the sampling frequency in Hz, the unit, cut or not, the epochs.
        """
        return Signal(
            self.definition,
            lambda: function(self.read()),
            self.sampling_frequency if sampling_frequency is None else sampling_frequency,
            self.unit if unit is None else unit,
            n_epochs=self.n_epochs if n_epochs is None else n_epochs,
            is_epoched=self.is_epoched if is_epoched is None else is_epoched,
        )

    def require_continuous(
        self, who: str, remedy: str = "Put it before Epocher() in the pipeline."
    ) -> None:
        """Raise ValueError if the samples have been cut into epochs; `who` needs whole nights."""
        if self.is_epoched:
            raise ValueError(
                f"{who} works on whole nights, but the recordings are already cut into epochs. "
                f"{remedy}"
            )

    def __repr__(self) -> str:
        unit = self.unit or "arbitrary unit"
        return f"Signal({self.name}, {self.sampling_frequency:g} Hz, {unit})"


class RecordingSource(Protocol):
    """Where the samples of a recording come from."""

    @property
    def path(self) -> str:
        """The file, or another name that no second recording has."""

    @property
    def n_epochs(self) -> int:
        """Whole 30-second epochs."""

    @property
    def subject(self) -> str:
        """The person; empty where not known."""

    @property
    def dataset(self) -> str:
        """The cohort; empty where not known."""

    @property
    def start(self) -> datetime | None:
        """Local time of the first sample."""

    @property
    def names(self) -> tuple[str, ...]:
        """Canonical names of the signals that are there."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """What distinguishes these samples from all others."""

    def signal(self, name: str) -> Signal:
        """Return a signal by its canonical name."""


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Epoched samples in memory, (n_epochs, samples_per_epoch), NaN where a signal is missing."""

    path: str
    arrays: Mapping[str, SampleArray]
    definitions: Mapping[str, SignalDefinition]
    _: KW_ONLY
    n_epochs: int
    subject: str = ""
    dataset: str = ""
    start: datetime | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Canonical names of the signals that are there."""
        return tuple(self.arrays)

    @property
    def identity(self) -> Mapping[str, Any]:
        """The name and the samples' own hash."""
        samples = hashlib.sha256()
        for name, array in self.arrays.items():
            samples.update(name.encode())
            samples.update(np.ascontiguousarray(array).tobytes())
        return {"path": self.path, "arrays": samples.hexdigest()}

    def signal(self, name: str) -> Signal:
        """Return a signal by its canonical name."""
        array = self.arrays[name]
        definition = self.definitions[name]
        rate = definition.sampling_frequency
        unit = definition.unit or ""
        return Signal(
            definition, lambda: array, rate, unit, n_epochs=self.n_epochs, is_epoched=True
        )
