"""Which signals are asked for, under which labels and in which units."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_sleep.core.signals import SignalDefinition, check_signal_names, signal_definition
from sklearn_sleep.core.units import UNITS, conversion_factor


def check_asked_signals(
    signals: Sequence[str | SignalDefinition],
    channels: Mapping[str, Any] | None,
    units: Mapping[str, str] | None,
) -> tuple[SignalDefinition, ...]:
    """Return the definitions of signals; ValueError for what these parameters cannot be."""
    if isinstance(signals, str) or not len(signals):
        raise ValueError(f"signals must be a list of at least one signal, not {signals!r}.")
    definitions = tuple(signal_definition(signal) for signal in signals)
    names = [definition.name for definition in definitions]
    if len(set(names)) < len(names):
        raise ValueError(f"signals names a signal more than once: {names}.")
    for parameter, told in (("channels", channels), ("units", units)):
        if not isinstance(told, Mapping | None):
            raise ValueError(f"{parameter}={told!r} must be a mapping by signal, {{'ECG': ...}}.")
    labels_of = list(_labels(channels or {}))
    for name, labels in labels_of:
        if not all(isinstance(label, str) for label in labels):
            raise ValueError(
                f"channels[{name!r}]={labels!r} must be a label, such as 'ECG 2', or a list of "
                "labels."
            )
    # What stands under a dataset's name is looked for in its nights alone.
    check_signal_names("channels", [name for name, _ in labels_of], names)
    by_signal = [n for n, of in (channels or {}).items() if not isinstance(of, Mapping | None)]
    check_signal_names("units", units or {}, names)
    for parameter, given in (("channels", by_signal), ("units", list(units or {}))):
        if unasked := [name for name in given if name not in names]:
            raise ValueError(
                f"{parameter} has {', '.join(map(repr, unasked))}, which is none of the signals "
                f"asked for: {', '.join(names)}. Add it to signals, or leave it out."
            )
    _check_units(definitions, units or {})
    return definitions


def _check_units(definitions: Sequence[SignalDefinition], units: Mapping[str, str]) -> None:
    """Raise ValueError for a unit that is not known, or in which a signal cannot be given."""
    for name, wanted in units.items():
        if wanted not in list(UNITS):
            raise ValueError(
                f"units[{name!r}]={wanted!r} is not known; use one of {', '.join(UNITS)}."
            )
    for definition in definitions:
        name, own = definition.name, definition.unit
        unit = units.get(name)
        if unit and own and conversion_factor(own, unit) is None:
            raise ValueError(
                f"units[{name!r}]={unit!r} is a {UNITS[unit][0]}, but {name} is a "
                f"{UNITS[own][0]}, in {own}."
            )


def _labels(channels: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield the labels of each signal, those by dataset among them."""
    for name, labels in channels.items():
        if isinstance(labels, Mapping):
            yield from _labels(labels)
        elif labels is not None:
            yield (
                name,
                [labels] if isinstance(labels, str) or not np.iterable(labels) else list(labels),
            )
