"""What a network that starts from a checkpoint takes of it, and what it has anew."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from sklearn_sleep.core.identity import identity
from sklearn_sleep.core.signals import source_of
from sklearn_sleep.features.front_end import FrontEnd
from sklearn_sleep.networks import make_wav2sleep
from sklearn_sleep.networks.encoders import encoder_inputs, group_signals
from sklearn_sleep.networks.wav2sleep import FOLLOWED
from sklearn_sleep.staging.recipes import group_by_reading
from sklearn_sleep.training.checkpoints.checkpoint import Checkpoint

_ENCODERS = "signal_encoders.encoders."
_EMBEDDER = "signal_encoders.embedder"
KEPT, NEW, PARTLY_NEW, DROPPED = "kept", "new", "partly new", "dropped"

# They weigh no signal by its name or place.
_MIXERS_OF_ANY_SIGNALS = ("attention", "mean")
# Parameters of the network that its weights do not depend on.
_FREE = ("dropout", "sequence_dropout", "gradient_checkpointing")
OF_SIGNALS = ("signal_map", "signal_groups")
"""Parameters of the network that a plan settles."""


@dataclass(frozen=True)
class Transfer:
    """A network that starts from a checkpoint.

    `signals` are its samples per epoch, `parameters` those of `make_wav2sleep`, `state` the weights
    that it takes, `parts` says what became of each part, and `embeddings` gives pairs of rows of
    the signals' embeddings, in the new network and in the checkpoint.
    """

    signals: Mapping[str, int]
    parameters: Mapping[str, Any]
    state: Mapping[str, Tensor]
    parts: Mapping[str, str]
    embeddings: tuple[Tensor, Sequence[tuple[int, int]]] | None = None

    @property
    def new(self) -> list[str]:
        """Parts that have weights which no training has seen."""
        return [name for name, origin in self.parts.items() if origin in (NEW, PARTLY_NEW)]

    def fill(self, fresh: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights of a network that was just made, with those of the checkpoint."""
        filled = {**fresh, **self.state}
        if self.embeddings is not None:
            old, rows = self.embeddings
            # Where nothing is new, no network needs to be made before.
            weight = filled.get(f"{_EMBEDDER}.weight", old.new_zeros(len(rows), old.shape[1]))
            weight = weight.clone()
            for row, of_checkpoint in rows:
                weight[row] = old[of_checkpoint]
            filled[f"{_EMBEDDER}.weight"] = weight
        return filled


def plan_transfer(
    checkpoint: Checkpoint,
    wanted: Sequence[str] | Mapping[str, str | None] | None,
    *,
    classes: npt.NDArray[Any] | None,
    rates: Mapping[str, int],
    given: Mapping[str, Any],
) -> Transfer:
    """Return what a network of the wanted signals and classes takes of a checkpoint.

    `rates` are samples per epoch where they are known, `given` the user's parameters of the
    network. ValueError where the two cannot be one network.
    """
    _check_architecture(checkpoint.parameters, given)
    wanted = _name_derived(checkpoint, wanted, rates)
    names = tuple(checkpoint.signals) if wanted is None else tuple(wanted)
    if not names:
        raise ValueError("signals is empty; name at least one.")
    sources = dict(wanted) if isinstance(wanted, Mapping) else {}
    groups = _keep_groups(checkpoint, names)
    old = _Encoders(checkpoint)
    # What a front end reads from a new signal is grouped as the recipe does.
    by_reading = group_by_reading([name for name in names if name not in checkpoint.signals])
    read: dict[str, list[str]] = by_reading["module__signal_groups"]
    groups |= read
    tokens = group_signals(dict.fromkeys(names, 0), groups)
    told = {
        token: _start_of(members, sources, old)
        for token, members in groups.items()
        if not sources.keys().isdisjoint(members)
    }
    sources = {name: source for name, source in sources.items() if name in tokens} | told
    given_map = {token: by_reading["module__signal_map"][token] for token in read}
    given_map |= given.get("signal_map") or {}
    signal_map = {
        token: given_map.get(token)
        or (token if sources.get(token, token) != token else old.signal_map.get(token, token))
        for token in tokens
    }
    origins = _origins(signal_map, sources, old)
    signals = _settle_rates(names, tokens, signal_map, origins, old, checkpoint.signals, rates)
    parameters = dict(checkpoint.parameters)
    is_plain = all(token == encoder for token, encoder in signal_map.items())
    parameters["signal_map"] = None if is_plain else signal_map
    parameters["signal_groups"] = groups or None
    parts, state = _take_encoders(checkpoint, origins)
    embeddings = None
    if f"{_EMBEDDER}.weight" in checkpoint.state:
        rows = _embedding_rows(tokens, sources, old)
        parts[_EMBEDDER] = KEPT if len(rows) == len(tokens) else PARTLY_NEW if rows else NEW
        embeddings = checkpoint.state[f"{_EMBEDDER}.weight"], rows
    mixer = checkpoint.parameters.get("epoch_mixer", "attention")
    keeps = {
        "epoch_mixer": mixer in _MIXERS_OF_ANY_SIGNALS or set(tokens) == set(old.signal_map),
        "sequence_mixer": True,
        "classifier": classes is None or np.array_equal(classes, checkpoint.classes),
    }
    for part, is_kept in keeps.items():
        weights = _under(f"{part}.", checkpoint.state)
        if weights:
            parts[part] = KEPT if is_kept else NEW
            state |= weights if is_kept else {}
    used = {*origins, *origins.values()}
    dropped = [name for name in old.inputs if name not in used]
    parts |= dict.fromkeys((f"{_ENCODERS}{name}" for name in dropped), DROPPED)
    return Transfer(signals, parameters, state, parts, embeddings)


class _Encoders:
    """The encoders of a checkpoint: which signal has which, and what enters each."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        parameters = checkpoint.parameters
        self.groups = group_signals(checkpoint.signals, parameters.get("signal_groups"))
        self.signal_map = parameters.get("signal_map") or {name: name for name in self.groups}
        self.inputs = encoder_inputs(checkpoint.signals, self.groups, self.signal_map)

    def of(self, source: str) -> str:
        """Return the encoder of a signal, or of that name."""
        encoder = self.signal_map.get(source, source)
        if encoder not in self.inputs:
            raise ValueError(
                f"signals: {source!r} is no signal of the checkpoint, which has "
                f"{', '.join(self.signal_map)}."
            )
        return encoder


def _name_derived(
    checkpoint: Checkpoint,
    wanted: Sequence[str] | Mapping[str, str | None] | None,
    rates: Mapping[str, int],
) -> Sequence[str] | Mapping[str, str | None] | None:
    """Return what is wanted with the names of what a front end derives in place of sources."""
    if wanted is None or all(source_of(name) == name for name in checkpoint.signals):
        return wanted
    known = {**checkpoint.signals, **rates}
    derived: dict[str, list[str]] = {}
    for name in wanted:
        of_name = [signal for signal in known if source_of(signal) == name]
        # Before any night was seen, what a front end gives by default.
        derived[name] = of_name or list(FrontEnd().get_feature_names_out([name]))
    if not isinstance(wanted, Mapping):
        return [signal for name in wanted for signal in derived[name]]
    return {
        signal: None if source is None else signal.replace(f"({name})", f"({source})")
        for name, source in wanted.items()
        for signal in derived[name]
    }


def _start_of(
    members: Sequence[str], sources: Mapping[str, str | None], old: _Encoders
) -> str | None:
    """Return the group of the checkpoint that a group of signals starts from; None if from none."""
    starts = {sources.get(member, member) for member in members}
    for group, of_group in old.groups.items():
        if starts == set(of_group):
            return group
    return None


def _check_architecture(parameters: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise ValueError where the user asks for another network than the checkpoint's."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(make_wav2sleep).parameters.items()
    }
    for name, value in given.items():
        if name in (*_FREE, *OF_SIGNALS) or name not in defaults:
            continue
        found = parameters.get(name, defaults[name])
        if found is None and name in FOLLOWED:
            followed = FOLLOWED[name]
            found = parameters.get(followed, defaults[followed])
        if identity(value) != identity(found):
            raise ValueError(
                f"module__{name}={value!r}, but the network of initialize_from has {found!r}. "
                "Leave the parameter out, or train anew (initialize_from=None)."
            )


def _keep_groups(checkpoint: Checkpoint, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the groups of signals that enter an encoder side by side and are all wanted."""
    groups = checkpoint.parameters.get("signal_groups") or {}
    kept = {}
    for name, members in groups.items():
        there = [member for member in members if member in names]
        if there and len(there) < len(members):
            raise ValueError(
                f"signals has {', '.join(there)} of {', '.join(members)}, which enter one encoder "
                "of the checkpoint side by side. Name all of them or none."
            )
        if there:
            kept[name] = list(members)
    return kept


def _origins(
    signal_map: Mapping[str, str], sources: Mapping[str, str | None], old: _Encoders
) -> dict[str, str | None]:
    """Return from which encoder of the checkpoint each encoder starts; None if from none."""
    origins: dict[str, str | None] = {}
    for token, encoder in signal_map.items():
        origin = encoder if encoder in old.inputs else None
        if token in sources:
            source = sources[token]
            if source is None:
                origin = None
            elif source != token or source not in old.signal_map:
                origin = old.of(source)
        if origins.setdefault(encoder, origin) != origin:
            raise ValueError(
                f"signals: {token} shares the encoder {encoder!r} with others, which start from "
                f"{origins[encoder]!r} and not from {origin!r}."
            )
    return origins


def _settle_rates(
    names: Sequence[str],
    tokens: Mapping[str, Sequence[str]],
    signal_map: Mapping[str, str],
    origins: Mapping[str, str | None],
    old: _Encoders,
    of_checkpoint: Mapping[str, int],
    rates: Mapping[str, int],
) -> dict[str, int]:
    """Return the samples per epoch of each signal, those of the encoder that it starts from."""
    settled = {}
    for token, members in tokens.items():
        origin = origins[signal_map[token]]
        for member in members:
            if origin is None:
                # 0 stands for a signal that no night has shown yet.
                settled[member] = rates.get(member, of_checkpoint.get(member, 0))
                continue
            rate, n_signals = old.inputs[origin]
            if n_signals != len(members):
                raise ValueError(
                    f"signals: {token} cannot start from the encoder {origin!r}, into which "
                    f"{n_signals} signals go side by side."
                )
            if rates.get(member, rate) != rate:
                raise ValueError(
                    f"{member} comes with {rates[member]} samples per epoch, but the encoder "
                    f"{origin!r} of the checkpoint takes {rate}. Set "
                    f"Resampler(samples_per_epoch={{{member!r}: {rate}}})."
                )
            settled[member] = rate
    return {name: settled[name] for name in names}


def _take_encoders(
    checkpoint: Checkpoint, origins: Mapping[str, str | None]
) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return what became of the encoders, and the weights of those that start from another."""
    parts, state = {}, {}
    for encoder, origin in origins.items():
        part = f"{_ENCODERS}{encoder}"
        if origin is None:
            parts[part] = NEW
            continue
        parts[part] = KEPT if origin == encoder else f"from {origin}"
        prefix = f"{_ENCODERS}{origin}."
        for name, weights in _under(prefix, checkpoint.state).items():
            state[f"{part}.{name.removeprefix(prefix)}"] = weights
    return parts, state


def _embedding_rows(
    tokens: Mapping[str, Any], sources: Mapping[str, str | None], old: _Encoders
) -> list[tuple[int, int]]:
    """Return the rows of signals whose embedding is kept, here and in the checkpoint."""
    numbers = {name: number for number, name in enumerate(sorted(old.groups))}
    return [
        (row, numbers[source])
        for row, token in enumerate(sorted(tokens))
        if (source := sources.get(token, token)) is not None and source in numbers
    ]


def _under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: weights for name, weights in state.items() if name.startswith(prefix)}
