"""Recording: one night, read when it is asked for, and never changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Any, Protocol, Self

from sklearn_sleep.core.asked_signals import check_asked_signals
from sklearn_sleep.core.identity import class_identity, digest
from sklearn_sleep.core.memory import (
    MemorySource,
    make_raw,
    source_from_arrays,
    source_from_mne,
)
from sklearn_sleep.core.messages import list_names
from sklearn_sleep.core.signals import SIGNALS, SignalDefinition
from sklearn_sleep.core.sources import RecordingSource, Signal


class Step(Protocol):
    """What a transformer does to a recording: a function from signal to signal."""

    def transform_signal(self, signal: Signal) -> Signal:
        """Return the processed signal; nothing is read until its samples are asked for."""
        ...

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, which name the step in the fingerprint."""
        ...


class Recording:
    """One night of signals: an immutable value that remembers how to read itself.

    `EDFReader` makes it of a file, `from_mne` and `from_arrays` of what is in memory, and pipelines
    take it in the place of a path. That of a file pickles small, since it holds its source (a path
    and what the header said) and the steps to apply; one from memory pickles with its samples.

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
    >>> import numpy as np
    >>> belt = np.sin(np.arange(2400.0))
    >>> recording = Recording.from_arrays({"ABDO RES": belt}, 10.0, name="night 1")
    >>> recording
    Recording('night 1', 8 epochs, signals=['ABD'])
    >>> recording.signals["ABD"].data.shape
    (2400,)
    """

    __slots__ = ("source", "steps")
    source: RecordingSource
    steps: tuple[Step, ...]

    def __init__(self, source: RecordingSource, steps: tuple[Step, ...] = ()) -> None:
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "steps", tuple(steps))

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, Any],
        sampling_frequencies: float | Mapping[str, float],
        units: Mapping[str, str] | None = None,
        *,
        signals: Sequence[str | SignalDefinition] | None = None,
        channels: Mapping[str, Any] | None = None,
        ranges: Mapping[str, tuple[float, float]] | None = None,
        name: str | None = None,
        subject: str = "",
        start: datetime | None = None,
    ) -> Self:
        """Make a recording of arrays with labels, rates and units, by the rules of `EDFReader`.

        Parameters
        ----------
        arrays : mapping of str to array-like of shape (n_samples,)
            The samples by the label of the channel, NaN where there are none. They are not copied.
        sampling_frequencies : float or mapping of str to float
            In Hz, of all channels or by label.
        units : mapping of str to str, optional
            The units of the samples by label, such as ``"uV"``. One that is needed and not given
            is taken to be the signal's (ECG mV; EEG, EOG and EMG uV), with an `EDFRepairWarning`.
        signals : sequence of str or SignalDefinition, optional
            Signals that the recording is to have; other channels are dropped. By default those of
            `SIGNALS` that are found, and an `EDFReader` that gets the recording finds others, such
            as ``"C4-M1"``.
        channels : mapping, optional
            Labels to look for before the known aliases: ``{"ECG": "ECG 2"}``.
        ranges : mapping of str to (float, float), optional
            By label, from the least to the greatest value that the recorder can tell, which become
            -1 and 1 in signals of arbitrary units (PPG, ABD, THX, FLOW), as the physical range in a
            file's header does. By default the sample farthest from 0 becomes -1 or 1. After
            ``Normalizer()`` that is the same; ``Normalizer("causal")`` knows the size of a signal.
        name : str, optional
            What tables and messages call it; no two recordings of a call may have the same.
        subject : str, default=""
            The person.
        start : datetime, optional
            Local time of the first sample.

        Returns
        -------
        Recording

        Raises
        ------
        ValueError
            If the arrays do not last equally long, to a second.

        Examples
        --------
        >>> import numpy as np
        >>> recording = Recording.from_arrays(
        ...     {"C4": np.ones(3000), "M1": np.zeros(3000)}, 100.0, {"C4": "mV", "M1": "mV"},
        ...     signals=["C4-M1"],
        ... )
        >>> recording.signals["C4-M1"].data[:2], recording.signals["C4-M1"].unit
        (array([1000., 1000.], dtype=float32), 'uV')
        """
        source = source_from_arrays(
            arrays, sampling_frequencies, units, ranges, path=name, subject=subject, start=start
        )
        return cls._choose(source, signals, channels)

    @classmethod
    def from_mne(
        cls,
        raw: Any,
        signals: Sequence[str | SignalDefinition] | None = None,
        *,
        channels: Mapping[str, Any] | None = None,
        units: Mapping[str, str] | None = None,
        ranges: Mapping[str, tuple[float, float]] | None = None,
        name: str | None = None,
        subject: str | None = None,
    ) -> Self:
        """Make a recording of a Raw of mne, by the rules of `EDFReader`.

        Parameters
        ----------
        raw : mne.io.BaseRaw
            Its samples are read when they are asked for, and not copied: ``raw.copy()`` if it is to
            be changed in place afterwards. Channels in ``raw.info["bads"]`` are passed over.
        signals, channels, ranges
            As of `from_arrays`.
        units : mapping of str to str, optional
            By label, where mne does not know it. Voltages are in V there; what a file gives without
            a unit, or in one that mne does not know (such as %), is left as it is, here too, with
            an `EDFRepairWarning` where a unit is needed.
        name : str, optional
            What tables and messages call it; the Raw's file if it has one.
        subject : str, optional
            The person; ``his_id`` in ``raw.info["subject_info"]`` if not given.

        Returns
        -------
        Recording
            It starts at ``raw.info["meas_date"]``, as it stands, plus ``raw.first_time``.

        Notes
        -----
        A Raw has one sampling frequency: mne brings all channels of a file to the highest, and lays
        the pieces of an EDF+D file end to end. Where the file is at hand, its path is exact.

        Examples
        --------
        >>> import mne
        >>> raw = mne.io.read_raw_edf("tests/data/sleep-edf-5min.edf", verbose="error")
        >>> Recording.from_mne(raw, ["EEG", "EOG"], name="night 1")
        Recording('night 1', 10 epochs, signals=['EEG', 'EOG'])
        """
        source = source_from_mne(raw, units, ranges, path=name, subject=subject)
        return cls._choose(source, signals, channels)

    @classmethod
    def _choose(
        cls,
        source: MemorySource,
        signals: Sequence[str | SignalDefinition] | None,
        channels: Mapping[str, Any] | None,
    ) -> Self:
        definitions = check_asked_signals(
            list(SIGNALS) if signals is None else signals, channels, None
        )
        if any(isinstance(labels, Mapping) for labels in (channels or {}).values()):
            raise ValueError("channels by dataset are for EDFReader; give labels by signal here.")
        chosen = source.choose(definitions, channels=channels or {})
        kept = source.channels if signals is None else chosen.channels
        return cls(replace(chosen, channels=kept, labels=dict(channels or {})))

    def to_mne(
        self, signals: Sequence[str] | None = None, *, sampling_frequency: float | None = None
    ) -> Any:
        """Return the processed signals as a Raw of mne.

        Parameters
        ----------
        signals : sequence of str, optional
            Names of signals; all by default.
        sampling_frequency : float, optional
            In Hz; signals of others are resampled to it by `mne.filter.resample`. Needed where the
            signals differ, since a Raw has one.

        Returns
        -------
        mne.io.RawArray
            Voltages in V, other signals as they are; NaN where there are no samples. The types are
            ``eeg``, ``eog``, ``ecg``, ``emg``, ``resp`` (ABD, THX, FLOW), ``bio`` (PPG), and
            ``misc`` for all else and for voltages that `Normalizer` has taken the unit of.

        Raises
        ------
        ValueError
            If the signals differ in their sampling frequencies and none is given.

        Examples
        --------
        >>> import numpy as np
        >>> belt = np.sin(np.arange(2400.0))
        >>> Recording.from_arrays({"ABD": belt, "THX": belt}, 10.0).to_mne().get_channel_types()
        ['resp', 'resp']
        """
        if isinstance(signals, str):
            raise ValueError(f"signals must be a list of names, not {signals!r}.")
        own = self.signals
        names = list(own) if signals is None else list(signals)
        missing = [name for name in names if name not in own]
        if missing or not names:
            raise ValueError(
                f"{self.path} has no signal {list_names(missing)}; it has {list(own)}."
                if missing
                else f"{self.path} has no signals, of which a Raw could be made."
            )
        return make_raw([own[n] for n in names], sampling_frequency, self.start, self.subject)

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
