"""Recording: one night, read when it is asked for, and never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Protocol

import numpy as np

from sklearn_sleep.core.arrays import SampleArray
from sklearn_sleep.core.identity import class_identity, digest
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


class Step(Protocol):
    """What a transformer does to a recording: a function from signal to signal."""

    def transform_signal(self, signal: Signal) -> Signal:
        """Return the processed signal; nothing is read until its samples are asked for."""
        ...

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, which name the step in the fingerprint."""
        ...


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


class Recording:
    """One night of signals: an immutable value that remembers how to read itself.

    It pickles small, since it holds its source (a path and what the header said) and the steps
    to apply, and never samples.

    Parameters
    ----------
    source : RecordingSource
        Where the samples come from, before the steps.
    steps : tuple of Step, default=()
        What is done to the samples when they are read, in order.

    Attributes
    ----------
    signals : Mapping of str to Signal
        The processed signals by canonical name. Looking one up reads nothing; its ``data`` does.

    Examples
    --------
    >>> from sklearn_sleep.core.signals import SIGNALS
    >>> source = ArraySource("night-1", {"ABD": np.zeros((8, 256), "f4")}, SIGNALS, n_epochs=8)
    >>> recording = Recording(source)
    >>> recording
    Recording('night-1', 8 epochs, signals=['ABD'])
    >>> recording.signals["ABD"].data.shape
    (8, 256)
    """

    __slots__ = ("source", "steps")
    source: RecordingSource
    steps: tuple[Step, ...]

    def __init__(self, source: RecordingSource, steps: tuple[Step, ...] = ()) -> None:
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "steps", tuple(steps))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"A Recording cannot be changed; {name!r} was about to be set. Apply a step instead."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.source, self.steps)

    @property
    def path(self) -> str:
        """The file it is read from."""
        return self.source.path

    @property
    def n_epochs(self) -> int:
        """Whole 30-second epochs from the recording's start."""
        return self.source.n_epochs

    @property
    def subject(self) -> str:
        """The person; empty where not known."""
        return self.source.subject

    @property
    def dataset(self) -> str:
        """The cohort; empty where not known."""
        return self.source.dataset

    @property
    def start(self) -> datetime | None:
        """Local time of the first sample."""
        return self.source.start

    @property
    def signals(self) -> Mapping[str, Signal]:
        """The processed signals by canonical name."""
        return _Signals(self)

    def apply(self, step: Step) -> Recording:
        """Return a recording with one more step, which must not be changed afterwards."""
        return Recording(self.source, (*self.steps, step))

    @property
    def fingerprint(self) -> str:
        """A hash of the source's identity and of the steps with their parameters.

        Two recordings with the same fingerprint give the same samples, so that it can name
        them in a cache.
        """
        steps = [[class_identity(type(step)), step.get_params(deep=False)] for step in self.steps]
        return digest({"source": self.source.identity, "steps": steps})

    def __repr__(self) -> str:
        names = list(self.source.names)
        return f"Recording({self.path!r}, {self.n_epochs} epochs, signals={names})"


class DerivedSource:
    """A recording as the source of another one, which does more than a `Step` can.

    Derive from this class and write `identity` and `signal`, and `names` if there are others.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    path = property(attrgetter("recording.path"))
    n_epochs = property(attrgetter("recording.n_epochs"))
    subject = property(attrgetter("recording.subject"))
    dataset = property(attrgetter("recording.dataset"))
    start = property(attrgetter("recording.start"))

    @property
    def names(self) -> tuple[str, ...]:
        """Canonical names of the signals that are there."""
        return tuple(self.recording.signals)

    @property
    def identity(self) -> Mapping[str, Any]:
        """That of the recording, if the samples are the same."""
        return {"recording": self.recording.fingerprint}

    def signal(self, name: str) -> Signal:
        """Return a signal by its canonical name."""
        return self.recording.signals[name]


class _Signals(Mapping[str, Signal]):
    """The signals of a recording with its steps applied, made when looked up."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def __getitem__(self, name: str) -> Signal:
        if name not in self._recording.source.names:
            raise KeyError(name)
        signal = self._recording.source.signal(name)
        for step in self._recording.steps:
            signal = step.transform_signal(signal)
        return signal

    def __iter__(self) -> Iterator[str]:
        return iter(self._recording.source.names)

    def __len__(self) -> int:
        return len(self._recording.source.names)

    def __repr__(self) -> str:
        return repr(dict(self))
