"""EDFSource: the wanted signals of one EDF or BDF file."""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from sklearn_sleep.core.arrays import SampleArray
from sklearn_sleep.core.recording import Signal
from sklearn_sleep.core.signals import (
    SIGNALS,
    UNITS,
    SignalDefinition,
    conversion_factor,
    count_epochs,
    find_channel,
    former_names,
)
from sklearn_sleep.exceptions import (
    EDFError,
    EDFRepairWarning,
    EDFWarning,
    MissingSignalWarning,
)
from sklearn_sleep.io.edf.header import EDFChannel, EDFHeader, read_edf_header
from sklearn_sleep.io.edf.samples import check_scale, read_edf_samples

# Hz. Oximeters store pulse rates and saturations at 1 to 4 Hz, under names like those of the pulse.
_LOWEST_RATES: Final = {"PPG": 10.0}


@dataclass(frozen=True)
class _ScaledChannel:
    """A channel and how its physical values become those of the signal."""

    channel: EDFChannel
    scale: float
    offset: float


@dataclass(frozen=True)
class _Derivation:
    """A signal as one channel, or as the difference of two."""

    definition: SignalDefinition
    unit: str
    parts: tuple[_ScaledChannel, ...]


@dataclass(frozen=True)
class EmptySource:
    """A recording of which no signal can be read, so that its rows keep their places."""

    path: str
    n_epochs: int
    subject: str = ""
    dataset: str = ""
    start: datetime | None = None
    names: tuple[str, ...] = ()

    @property
    def identity(self) -> Mapping[str, Any]:
        """The file; there are no samples."""
        return {"path": self.path}

    def signal(self, name: str) -> Signal:
        """Raise, since there are no signals."""
        raise KeyError(name)


@dataclass(frozen=True)
class EDFSource:
    """The wanted signals of one file, as its header describes them.

    `size` in bytes and `modified`, the time of the last change in ns, tell that the file is still
    the same. `subject` and `dataset` are empty where they are not known.
    """

    header: EDFHeader
    derivations: tuple[_Derivation, ...]
    n_epochs: int
    size: int
    modified: int
    subject: str = ""
    dataset: str = ""

    @property
    def path(self) -> str:
        """The file."""
        return self.header.path

    @property
    def start(self) -> datetime | None:
        """Local time of the first sample."""
        return self.header.start

    @property
    def names(self) -> tuple[str, ...]:
        """Canonical names of the signals that the file has."""
        return tuple(derivation.definition.name for derivation in self.derivations)

    @property
    def identity(self) -> Mapping[str, Any]:
        """The file's place, size and time, and which channels stand for which signals."""
        return {
            "path": os.path.realpath(self.path),
            "size": self.size,
            "modified": self.modified,
            "signals": [
                {
                    "name": derivation.definition.name,
                    "samples_per_epoch": derivation.definition.samples_per_epoch,
                    "unit": derivation.unit,
                    "parts": [[p.channel.index, p.scale, p.offset] for p in derivation.parts],
                }
                for derivation in self.derivations
            ],
        }

    def signal(self, name: str) -> Signal:
        """Return a signal by its canonical name; its samples are read when asked for."""
        derivation = self.derivations[self.names.index(name)]
        return Signal(
            derivation.definition,
            partial(self._read, derivation),
            derivation.parts[0].channel.sampling_frequency,
            derivation.unit,
            n_epochs=self.n_epochs,
        )

    def _read(self, derivation: _Derivation) -> SampleArray:
        status = Path(self.path).stat()
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified):
            raise EDFError(
                f"{self.path}: the file has changed since its header was read. "
                "Run the pipeline again from EDFReader."
            )
        first, *references = (
            read_edf_samples(self.header, part.channel, scale=part.scale, offset=part.offset)
            for part in derivation.parts
        )
        for reference in references:
            first -= reference
        return first


def open_edf(
    path: str,
    definitions: Sequence[SignalDefinition],
    *,
    channels: Mapping[str, Any],
    units: Mapping[str, str],
    subject: str = "",
    dataset: str = "",
) -> EDFSource:
    """Find the wanted signals in a file's header; those that it does not have are left out.

    `channels` are labels that go before the aliases, by signal, `units` those to use instead of the
    definitions'. `EDFError` if a channel's unit cannot be converted; an `EDFWarning` if a channel
    has no scale, a `MissingSignalWarning` if no signal is found.
    """
    header = read_edf_header(path)
    status = Path(path).stat()
    found = []
    for definition in definitions:
        unit = units.get(definition.name, definition.unit)
        positions = find_channels(header, definition, channels.get(definition.name), unit)
        if positions is not None:
            wanted = tuple(header.channels[position] for position in positions)
            found.append(_derive(path, definition, wanted, unit))
    if not found:
        names = ", ".join(definition.name for definition in definitions)
        warnings.warn(
            f"{path}: none of the signals {names} was found among the channels "
            f"{[channel.label for channel in header.channels]}. If one "
            "of them has another label here, say so: EDFReader(channels={'ECG': 'the label'}).",
            MissingSignalWarning,
            stacklevel=2,
        )
    return EDFSource(
        replace(header, channels=()),
        tuple(found),
        count_epochs(header.duration),
        status.st_size,
        status.st_mtime_ns,
        subject,
        dataset,
    )


def find_channels(
    header: EDFHeader,
    definition: SignalDefinition,
    chosen: str | Sequence[str] | None = None,
    unit: str | None = None,
) -> tuple[int, ...] | None:
    """Return the positions of a signal's channel, or of the two it is the difference of.

    `chosen` labels, or differences ``"A-B"``, go before the signal's aliases. A channel without a
    scale, or whose unit cannot be converted to `unit`, is passed over, with an `EDFWarning`; one
    that is too slow for the signal is another thing of that name.
    """
    lowest = _LOWEST_RATES.get(definition.name, 0.0)
    labels = [
        "" if channel.sampling_frequency < lowest else channel.label for channel in header.channels
    ]
    while (positions := _find_labels(definition, labels, chosen)) is not None:
        for position in positions:
            try:
                check_scale(header.path, header.channels[position])
                _check_unit(header.path, header.channels[position], definition.name, unit)
            except EDFError as error:
                labels[position] = ""
                warnings.warn(
                    f"{error}. Without another channel for {definition.name}, it is missing.",
                    EDFWarning,
                    stacklevel=3,
                )
                break
        else:
            return positions
    return None


def _check_unit(path: str, channel: EDFChannel, name: str, unit: str | None) -> None:
    """Raise if a channel tells a unit that cannot be converted to `unit`."""
    if unit is None or not channel.unit or conversion_factor(channel.unit, unit) is not None:
        return
    raise EDFError(
        f"{path}: field 'physical dimension' of channel {channel.label!r}: found {channel.unit!r}, "
        f"which is not a {UNITS[unit][0]}, so that {name} cannot be given in {unit}. Choose "
        f"another channel with EDFReader(channels={{{name!r}: ...}})"
    )


def _find_labels(
    definition: SignalDefinition, labels: Sequence[str], chosen: str | Sequence[str] | None
) -> tuple[int, ...] | None:
    """Return the positions of a signal's channels by their labels alone."""
    for name in [chosen] if isinstance(chosen, str) else chosen or ():
        positions = _find_named(_electrode(name), labels)
        if positions is not None:
            return positions
    # A canonical name such as EOG-L has a dash and is no difference.
    if definition.name not in SIGNALS:
        return _find_named(definition, labels)
    position = find_channel(definition, labels)
    return None if position is None else (position,)


def _find_named(definition: SignalDefinition, labels: Sequence[str]) -> tuple[int, ...] | None:
    """Return the position of a channel, or for ``"A-B"`` else those of A and B."""
    position = find_channel(definition, labels)
    if position is not None:
        return (position,)
    active, _, reference = definition.name.partition("-")
    if not reference:
        return None
    pair = [find_channel(_electrode(electrode), labels) for electrode in (active, reference)]
    if pair[0] is None or pair[1] is None:
        return None
    return (pair[0], pair[1])


def _electrode(name: str) -> SignalDefinition:
    name = name.strip()
    return SignalDefinition(name, 1, "uV", former_names(name))


def _derive(
    path: str,
    definition: SignalDefinition,
    channels: tuple[EDFChannel, ...],
    unit: str | None,
) -> _Derivation:
    if len({channel.sampling_frequency for channel in channels}) > 1:
        rates = " and ".join(f"{c.label} {c.sampling_frequency:g} Hz" for c in channels)
        raise EDFError(
            f"{path}: {definition.name} is the difference of channels with different sampling "
            f"frequencies ({rates}), which cannot be subtracted. Ask for one of them."
        )
    parts = tuple(_scaled(path, channel, definition.name, unit) for channel in channels)
    return _Derivation(definition, unit or "", parts)


def _scaled(path: str, channel: EDFChannel, name: str, unit: str | None) -> _ScaledChannel:
    if unit is None:
        # The physical range becomes -1 to 1; a range written upside down inverts the polarity,
        # which is what the recorder meant by it.
        center = (channel.physical_minimum + channel.physical_maximum) / 2
        half = abs(channel.physical_maximum - channel.physical_minimum) / 2
        return _ScaledChannel(channel, 1 / half, -center / half)
    factor = conversion_factor(channel.unit, unit)
    field = f"{path}: field 'physical dimension' of channel {channel.label!r}"
    if factor is None:
        warnings.warn(
            f"{field}: found no unit, used {unit!r}. Check the amplitude of {name}.",
            EDFRepairWarning,
            stacklevel=2,
        )
        factor = 1.0
    return _ScaledChannel(channel, factor, 0.0)
