"""Recordings in memory: arrays with labels, rates and units, and Raw objects of mne."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.arrays import SampleArray
from sklearn_sleep.core.channels import Channels, Derivation, DerivationsMixin, derive_signals
from sklearn_sleep.core.messages import list_names
from sklearn_sleep.core.signals import SignalDefinition, count_epochs
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.core.units import conversion_factor

IN_MEMORY: Final = "recording in memory"
"""The path of a recording that has no name of its own."""

_FIFF_UNITS: Final = {107: "V", 114: "degC"}  # numbers of the FIFF format; mne knows no percentage
_ANONYMOUS: Final = ("X", "x")  # EDF+ 2.1.3.3
_UNIT_FIELD: Final = "unit (as units= of Recording.from_mne or Recording.from_arrays says)"
_MNE_TYPES: Final = {
    "ECG": "ecg",
    "EMG": "emg",
    "EOG": "eog",
    "EOG-L": "eog",
    "EOG-R": "eog",
    "PPG": "bio",
    "ABD": "resp",
    "THX": "resp",
    "FLOW": "resp",
}


@dataclass(frozen=True)
class MemoryChannel:
    """A channel whose samples, (n_samples,) in its unit, are in memory, or in a Raw of mne.

    It pickles with its samples. `physical_range` is None where nobody told it.
    """

    label: str
    unit: str
    sampling_frequency: float
    read: Callable[[], npt.NDArray[Any]]
    physical_range: tuple[float, float] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        kept = self.label, self.unit, self.sampling_frequency, self.read(), self.physical_range
        return _restore_channel, kept

    @property
    def checksum(self) -> str:
        """A SHA-256 of the samples as they are now."""
        samples = np.ascontiguousarray(self.read())
        return hashlib.sha256(samples.dtype.str.encode() + samples.tobytes()).hexdigest()


def _restore_channel(
    label: str, unit: str, rate: float, samples: npt.NDArray[Any], limits: Any
) -> MemoryChannel:
    return MemoryChannel(label, unit, rate, partial(_itself, samples), limits)


def _itself(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return samples


@dataclass(frozen=True, eq=False)
class MemorySource(DerivationsMixin):
    """Channels in memory, and which of them stand for signals; see `Recording.from_arrays`.

    `labels` are those that go before the aliases, by signal, whoever chooses the signals.
    """

    path: str
    channels: tuple[MemoryChannel, ...]
    n_epochs: int
    labels: Mapping[str, Any] = field(default_factory=dict)
    subject: str = ""
    dataset: str = ""
    start: datetime | None = None
    derivations: tuple[Derivation, ...] = ()

    @property
    def identity(self) -> Mapping[str, Any]:
        """The samples of the signals, by their checksum, and what is said of them."""
        return {
            "n_epochs": self.n_epochs,
            "signals": self.identify(
                lambda part: [
                    *(part.channel.label, part.channel.sampling_frequency, part.channel.checksum),
                    *(part.scale, part.offset),
                ]
            ),
        }

    def choose(
        self,
        definitions: Sequence[SignalDefinition],
        *,
        channels: Mapping[str, Any],
        units: Mapping[str, str] = MappingProxyType({}),
    ) -> MemorySource:
        """Return a source of some signals, by the rules of `derive_signals`, and their channels."""
        own = Channels(self.path, self.channels, _UNIT_FIELD)
        found = derive_signals(own, definitions, channels=channels, units=units)
        used = {part.channel.label for derivation in found for part in derivation.parts}
        kept = tuple(channel for channel in self.channels if channel.label in used)
        return replace(self, channels=kept, derivations=found)

    def read(self, derivation: Derivation) -> SampleArray:
        """Return the samples of a signal, (n_samples,)."""
        parts = [
            part.channel.read().astype(np.float64) * part.scale + part.offset
            for part in derivation.parts
        ]
        samples = parts[0]
        if len(parts) > 1:
            length = min(map(len, parts))
            samples = samples[:length] - parts[1][:length]
        if not derivation.unit and any(p.channel.physical_range is None for p in derivation.parts):
            # The range that no header tells is the one that the samples take, and zero stays zero.
            largest = np.max(np.abs(samples), initial=0.0, where=np.isfinite(samples))
            samples /= largest or 1.0
        return samples.astype(np.float32)


def source_from_arrays(
    arrays: Mapping[str, Any],
    sampling_frequencies: float | Mapping[str, float],
    units: Mapping[str, str] | None,
    ranges: Mapping[str, tuple[float, float]] | None,
    *,
    path: str | None,
    subject: str,
    start: datetime | None,
) -> MemorySource:
    """Return a source of arrays, (n_samples,) each, by their labels; see `Recording`."""
    if not isinstance(arrays, Mapping) or not arrays:
        raise TypeError(
            "arrays must be samples by channel label, {'EKG': (n_samples,), ...}, not "
            f"{type(arrays).__name__}. Of an array (n_channels, n_samples) dict(zip(labels, array))"
            " makes them."
        )
    if not all(isinstance(label, str) for label in arrays):
        raise TypeError(f"The labels in arrays must be texts such as 'EKG', not {list(arrays)}.")
    if start is not None and not isinstance(start, datetime):
        raise TypeError(f"start={start!r} must be a datetime.")
    _check_labels(arrays, units=units, ranges=ranges)
    channels = []
    for label, given in arrays.items():
        try:
            samples = _without_masked(given)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"arrays[{label!r}] cannot be made an array (n_samples,): {error}"
            ) from error
        if samples.ndim != 1 or samples.dtype.kind not in "fiub":
            raise ValueError(
                f"arrays[{label!r}] must be real numbers of shape (n_samples,), but is "
                f"{samples.dtype} of shape {samples.shape}."
            )
        rate = sampling_frequencies
        if isinstance(rate, Mapping):
            if label not in rate:
                raise ValueError(f"sampling_frequencies has none for {label!r}; give it in Hz.")
            rate = rate[label]
        try:
            rate = float(rate)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"The sampling frequency of {label!r}, {rate!r}, must be a number in Hz."
            ) from error
        if not (np.isfinite(rate) and rate > 0):
            raise ValueError(f"The sampling frequency of {label!r}, {rate} Hz, must be above 0.")
        unit = (units or {}).get(label) or ""
        channels.append(
            MemoryChannel(label, unit, rate, partial(_itself, samples), _range_of(label, ranges))
        )
    durations = {c.label: len(arrays[c.label]) / c.sampling_frequency for c in channels}
    shortest, longest = min(durations.values()), max(durations.values())
    if longest - shortest > 1.0:
        told = ", ".join(f"{label} {duration:g} s" for label, duration in durations.items())
        raise ValueError(
            f"The arrays of a recording must last equally long, but last {told}. Check the "
            "sampling frequencies."
        )
    return MemorySource(
        str(path or IN_MEMORY),
        tuple(channels),
        count_epochs(shortest),
        subject=str(subject or ""),
        start=start,
    )


def _without_masked(given: Any) -> npt.NDArray[Any]:
    """Return what is given as an array, NaN where it is masked."""
    if isinstance(given, np.ma.MaskedArray) and given.dtype.kind in "fiub":
        return np.where(np.ma.getmaskarray(given), np.nan, np.ma.getdata(given))
    return np.asarray(given)


def source_from_mne(
    raw: Any,
    units: Mapping[str, str] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    *,
    path: str | None = None,
    subject: str | None = None,
) -> MemorySource:
    """Return a source of a Raw's channels that are not marked as bad; see `Recording`."""
    if not is_raw(raw):
        raise TypeError(
            f"raw must be a Raw of mne, not {type(raw).__name__}. Of arrays "
            "Recording.from_arrays({label: samples}, sampling_frequencies, units) makes a "
            "recording; files are named by their paths."
        )
    _check_labels(dict.fromkeys(raw.ch_names), units=units, ranges=ranges)
    # What mne gives "n/a" it takes from the file as it is, and calls it volts all the same.
    in_file = getattr(raw, "_orig_units", None) or {}
    channels = []
    for position, described in enumerate(raw.info["chs"]):
        label = described["ch_name"]
        unit = _FIFF_UNITS.get(int(described["unit"]), "")
        if in_file.get(label) == "n/a":
            unit = ""
        unit = (units or {}).get(label, unit)
        if label not in raw.info["bads"]:
            rate = float(raw.info["sfreq"])
            read = _RawChannel(raw, position)
            channels.append(MemoryChannel(label, unit, rate, read, _range_of(label, ranges)))
    start = raw.info["meas_date"]
    if start is not None:
        start = start.replace(tzinfo=None) + timedelta(seconds=raw.first_time)
    if subject is None:
        subject = str((raw.info["subject_info"] or {}).get("his_id", ""))
        subject = "" if subject in _ANONYMOUS else subject
    files = [str(file) for file in raw.filenames if file is not None]
    return MemorySource(
        str(path or (files[0] if files else IN_MEMORY)),
        tuple(channels),
        count_epochs(raw.n_times / raw.info["sfreq"]),
        subject=subject,
        start=start,
    )


@dataclass(frozen=True)
class _RawChannel:
    """Reads one channel of a Raw, (n_samples,)."""

    raw: Any
    position: int

    def __call__(self) -> npt.NDArray[np.float64]:
        return self.raw.get_data(picks=[self.position], verbose="error")[0]


def is_raw(value: Any) -> bool:
    """Return whether a value is a Raw of mne, which is not imported for this."""
    base = getattr(sys.modules.get("mne.io.base"), "BaseRaw", None)
    return base is not None and isinstance(value, base)


def make_raw(
    signals: Sequence[Signal],
    sampling_frequency: float | None,
    start: datetime | None,
    subject: str,
) -> Any:
    """Return the signals as a RawArray of mne; see `Recording.to_mne`."""
    import mne  # noqa: PLC0415 - takes a second, and is needed here alone

    rates = {signal.name: signal.sampling_frequency for signal in signals}
    if sampling_frequency is None and len(set(rates.values())) > 1:
        told = ", ".join(f"{name} {rate:g} Hz" for name, rate in rates.items())
        raise ValueError(
            f"The signals differ in their sampling frequencies ({told}), but a Raw of mne has one. "
            "Choose some of them, to_mne(['ECG']), or say to which all are to be resampled: "
            f"to_mne(sampling_frequency={max(rates.values()):g})."
        )
    rate = sampling_frequency or next(iter(rates.values()))
    data, types = [], []
    for signal in signals:
        samples = signal.data.reshape(-1).astype(np.float64)
        ratio = Fraction(rate / signal.sampling_frequency).limit_denominator(10_000)
        if ratio != 1:
            samples = mne.filter.resample(
                samples, *ratio.as_integer_ratio(), method="polyphase", verbose="error"
            )
        factor = conversion_factor(signal.unit, "V")
        data.append(samples * (factor or 1.0))
        is_voltage = conversion_factor(signal.definition.unit or "", "V") is not None
        kind = _MNE_TYPES.get(signal.name, "eeg" if is_voltage else "misc")
        # Without a unit, as after Normalizer, they are no volts.
        types.append("misc" if is_voltage and factor is None else kind)
    length = min(map(len, data))
    info = mne.create_info([s.name for s in signals], rate, types, verbose="error")
    if subject:
        info["subject_info"] = {"his_id": subject}
    raw = mne.io.RawArray(np.array([x[:length] for x in data]), info, verbose="error")
    if start is not None:
        # mne keeps the time of the recorder's clock as if it were of Greenwich.
        raw.set_meas_date(start.replace(tzinfo=UTC))
    return raw


def _check_labels(labels: Mapping[str, Any], **parameters: Mapping[str, Any] | None) -> None:
    for parameter, given in parameters.items():
        if not isinstance(given, Mapping | None):
            raise TypeError(f"{parameter}={given!r} must be a mapping by label, {{'EKG': ...}}.")
        unknown = [label for label in given or {} if label not in labels]
        if unknown:
            raise ValueError(
                f"{parameter} names {list_names(unknown)}, which is no channel; there are "
                f"{list_names(list(labels))}."
            )
    wrong = {k: v for k, v in (parameters["units"] or {}).items() if not isinstance(v, str | None)}
    if wrong:
        raise TypeError(f"units={wrong} must be texts such as 'uV'.")


def _range_of(
    label: str, ranges: Mapping[str, tuple[float, float]] | None
) -> tuple[float, float] | None:
    if label not in (ranges or {}):
        return None
    given = (ranges or {})[label]
    try:
        minimum, maximum = map(float, given)
    except (TypeError, ValueError):
        minimum = maximum = np.nan
    if not (np.isfinite([minimum, maximum]).all() and minimum != maximum):
        raise ValueError(f"ranges[{label!r}]={given!r} must be two different numbers.")
    return minimum, maximum
