"""Which channels of a recording stand for which signals, be it a file or in memory."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from sklearn_sleep.core.arrays import SampleArray
from sklearn_sleep.core.signals import (
    SIGNALS,
    SignalDefinition,
    find_channel,
    former_names,
    likely_labels,
)
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.core.units import UNITS, conversion_factor
from sklearn_sleep.exceptions import (
    EDFError,
    EDFRepairWarning,
    EDFWarning,
    MissingSignalWarning,
)

# Hz. Oximeters store pulse rates and saturations at 1 to 4 Hz, under names like those of the pulse.
_LOWEST_RATES: Final = {"PPG": 10.0}


class Channel(Protocol):
    """What is said of a channel; the unit is as it is spelt, and empty where none is told."""

    @property
    def label(self) -> str: ...  # noqa: D102 - said above
    @property
    def unit(self) -> str: ...  # noqa: D102
    @property
    def sampling_frequency(self) -> float:
        """In Hz."""

    @property
    def physical_range(self) -> tuple[float, float] | None:
        """What the recorder can tell, from minimum to maximum; None if that is not known."""


@dataclass(frozen=True)
class Channels:
    """The channels of one recording, and what messages call it and the place of a unit.

    `check` raises EDFError if it is not told what the samples of a channel mean.
    """

    path: str
    channels: Sequence[Any]
    unit_field: str = "unit"
    check: Callable[[Any], None] = lambda channel: None


@dataclass(frozen=True)
class ScaledChannel:
    """A channel and how its values become those of the signal."""

    channel: Any
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Derivation:
    """A signal as one channel, or as the difference of two."""

    definition: SignalDefinition
    unit: str
    parts: tuple[ScaledChannel, ...]

    @property
    def label(self) -> str:
        """The channel's label, or those of two."""
        return " - ".join(part.channel.label for part in self.parts)


class DerivationsMixin:
    """For sources whose signals are channels, or differences of two."""

    derivations: tuple[Derivation, ...]
    n_epochs: int

    @property
    def names(self) -> tuple[str, ...]:
        """Canonical names of the signals that are there."""
        return tuple(derivation.definition.name for derivation in self.derivations)

    @property
    def taken_from(self) -> dict[str, str]:
        """The label of the channel, or of the two, that each signal is taken from."""
        return {derivation.definition.name: derivation.label for derivation in self.derivations}

    def signal(self, name: str) -> Signal:
        """Return a signal by its canonical name; its samples are read when asked for."""
        derivation = self.derivations[self.names.index(name)]
        return Signal(
            derivation.definition,
            partial(self.read, derivation),
            derivation.parts[0].channel.sampling_frequency,
            derivation.unit,
            n_epochs=self.n_epochs,
        )

    def read(self, derivation: Derivation) -> SampleArray:
        """Return the samples of a signal, (n_samples,)."""
        raise NotImplementedError

    def identify(self, name_part: Callable[[ScaledChannel], list[Any]]) -> list[dict[str, Any]]:
        """Return what the signals are known by; `name_part` says it of a channel."""
        return [
            {
                "name": derivation.definition.name,
                "samples_per_epoch": derivation.definition.samples_per_epoch,
                "unit": derivation.unit,
                "parts": [name_part(part) for part in derivation.parts],
            }
            for derivation in self.derivations
        ]


def derive_signals(
    recording: Channels,
    definitions: Sequence[SignalDefinition],
    *,
    channels: Mapping[str, Any],
    units: Mapping[str, str],
) -> tuple[Derivation, ...]:
    """Find the wanted signals as `find_signals` does, and tell of those that are missing.

    A `MissingSignalWarning` if no signal is found, or one is not and a channel looks like it.
    """
    found = find_signals(recording, definitions, channels=channels, units=units)
    if not found:
        names = ", ".join(definition.name for definition in definitions)
        warnings.warn(
            f"{recording.path}: none of the signals {names} was found among the channels "
            f"{[channel.label for channel in recording.channels]}. If one "
            "of them has another label here, say so: EDFReader(channels={'ECG': 'the label'}).",
            MissingSignalWarning,
            stacklevel=3,
        )
    elif likely := find_likely(recording, definitions, found):
        warnings.warn(
            f"{recording.path}: {tell_likely(likely)}", MissingSignalWarning, stacklevel=3
        )
    return found


def find_signals(
    recording: Channels,
    definitions: Sequence[SignalDefinition],
    *,
    channels: Mapping[str, Any],
    units: Mapping[str, str],
) -> tuple[Derivation, ...]:
    """Return the wanted signals that are among a recording's channels; see `find_channels`.

    `channels` are labels that go before the aliases, by signal, `units` those to use instead of the
    definitions'.
    """
    found = []
    for definition in definitions:
        unit = units.get(definition.name, definition.unit)
        positions = find_channels(recording, definition, channels.get(definition.name), unit)
        if positions is not None:
            wanted = [recording.channels[position] for position in positions]
            found.append(_derive(recording, definition, wanted, unit))
    return tuple(found)


def find_likely(
    recording: Channels, definitions: Sequence[SignalDefinition], found: Sequence[Derivation]
) -> dict[str, list[str]]:
    """Return labels that look like signals that were not found, by signal, in order.

    Not among them are channels of other signals or another unit, and those that are too slow; there
    are none where the channel of a known label has been refused, which has been told of.
    """
    names = [derivation.definition.name for derivation in found]
    taken = {part.channel.label for derivation in found for part in derivation.parts}
    likely = {}
    for definition in (d for d in definitions if d.name not in names):
        lowest = _LOWEST_RATES.get(definition.name, 0.0)
        quick = [c for c in recording.channels if c.sampling_frequency >= lowest]
        if find_channel(definition, [channel.label for channel in quick]) is not None:
            continue
        free = [c for c in quick if c.label not in taken and _is_convertible(c, definition.unit)]
        if labels := likely_labels(definition, [channel.label for channel in free]):
            likely[definition.name] = labels
    return likely


def tell_likely(likely: Mapping[str, Sequence[str]]) -> str:
    """Return which channels may be which missing signals, and how to take them."""
    told = "; ".join(
        f"{name} is missing, and may be {' or '.join(map(repr, labels))}"
        for name, labels in likely.items()
    )
    first, labels = next(iter(likely.items()))
    return f"{told}. Take it with channels={{{first!r}: {labels[0]!r}}}."


def find_channels(
    recording: Channels,
    definition: SignalDefinition,
    chosen: str | Sequence[str] | None = None,
    unit: str | None = None,
) -> tuple[int, ...] | None:
    """Return the positions of a signal's channel, or of the two it is the difference of.

    `chosen` labels, or differences ``"A-B"``, go before the signal's aliases. A channel without a
    scale, or whose unit cannot be converted to `unit`, is passed over, with an `EDFWarning`, as is
    a difference of two rates; one that is too slow for the signal is another thing of that name.
    """
    lowest = _LOWEST_RATES.get(definition.name, 0.0)
    labels = [
        "" if channel.sampling_frequency < lowest else channel.label
        for channel in recording.channels
    ]
    refused: set[tuple[int, ...]] = set()
    while (positions := _find_labels(definition, labels, chosen, refused)) is not None:
        if fault := _fault_of_rates(recording, positions, definition.name):
            refused.add(positions)
            warnings.warn(fault, EDFWarning, stacklevel=3)
            continue
        for position in positions:
            try:
                recording.check(recording.channels[position])
                _check_unit(recording, recording.channels[position], definition.name, unit)
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


def _fault_of_rates(recording: Channels, positions: tuple[int, ...], name: str) -> str:
    """Return why channels cannot be subtracted; nothing if they can."""
    channels = [recording.channels[position] for position in positions]
    if len({channel.sampling_frequency for channel in channels}) == 1:
        return ""
    rates = " and ".join(f"{c.label} {c.sampling_frequency:g} Hz" for c in channels)
    return (
        f"{recording.path}: {name} is the difference of channels with different sampling "
        f"frequencies ({rates}), which cannot be subtracted. Without other channels for {name}, it "
        "is missing. Ask for one of them."
    )


def _check_unit(recording: Channels, channel: Channel, name: str, unit: str | None) -> None:
    """Raise if a channel tells a unit that cannot be converted to `unit`."""
    if unit is None or _is_convertible(channel, unit):
        return
    raise EDFError(
        f"{recording.path}: {recording.unit_field} of channel {channel.label!r}: found "
        f"{channel.unit!r}, which is not a {UNITS[unit][0]}, so that {name} cannot be given in "
        f"{unit}. Choose another channel with EDFReader(channels={{{name!r}: ...}})"
    )


def _is_convertible(channel: Channel, unit: str | None) -> bool:
    """Return whether a channel tells no unit that cannot be converted to `unit`."""
    return not (unit and channel.unit) or conversion_factor(channel.unit, unit) is not None


def _find_labels(
    definition: SignalDefinition,
    labels: Sequence[str],
    chosen: str | Sequence[str] | None,
    refused: set[tuple[int, ...]],
) -> tuple[int, ...] | None:
    """Return the positions of a signal's channels by their labels alone, none of the refused."""
    for name in [chosen] if isinstance(chosen, str) else chosen or ():
        positions = _find_named(_electrode(name), labels)
        if positions is not None and positions not in refused:
            return positions
    # A canonical name such as EOG-L has a dash and is no difference.
    if definition.name not in SIGNALS:
        positions = _find_named(definition, labels)
        return None if positions in refused else positions
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
    recording: Channels,
    definition: SignalDefinition,
    channels: Sequence[Channel],
    unit: str | None,
) -> Derivation:
    parts = tuple(_scale(recording, channel, definition.name, unit) for channel in channels)
    return Derivation(definition, unit or "", parts)


def _scale(recording: Channels, channel: Channel, name: str, unit: str | None) -> ScaledChannel:
    if unit is None:
        if channel.physical_range is None:
            return ScaledChannel(channel)
        # The physical range becomes -1 to 1; a range written upside down inverts the polarity,
        # which is what the recorder meant by it.
        minimum, maximum = channel.physical_range
        center = (minimum + maximum) / 2
        half = abs(maximum - minimum) / 2
        return ScaledChannel(channel, 1 / half, -center / half)
    factor = conversion_factor(channel.unit, unit)
    if factor is None:
        warnings.warn(
            f"{recording.path}: {recording.unit_field} of channel {channel.label!r}: found no "
            f"unit, used {unit!r}. Check the amplitude of {name}.",
            EDFRepairWarning,
            stacklevel=3,
        )
        factor = 1.0
    return ScaledChannel(channel, factor)
