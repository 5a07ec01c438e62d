"""Registries of the network's parts by name, and the options that parts are made with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from torch import nn

Part: TypeAlias = str | Callable[..., nn.Module] | None
"""A name in a registry, or a user's own function or class that makes a module."""

_Factory = TypeVar("_Factory", bound=Callable[..., nn.Module])


class Registry(dict[str | None, Callable[..., nn.Module]]):
    """Makers of one kind of part by name: messages, docs and tests take their lists from here."""

    def __init__(
        self, parameter: str, makers: Mapping[Any, Callable[..., nn.Module]] | None = None
    ) -> None:
        super().__init__(makers or {})
        self.parameter = parameter

    def register(self, name: str) -> Callable[[_Factory], _Factory]:
        """Return a decorator that enters a class or function under a name of its own."""

        def enter(make: _Factory) -> _Factory:
            # A cell of a notebook may run twice.
            if name in self and self[name].__module__ != make.__module__:
                raise ValueError(f"{self.parameter}={name!r} is {self[name]!r} already.")
            self[name] = make
            return make

        return enter

    def make(self, part: Part, *options: Any) -> nn.Module:
        """Return the module that a registered name or a user's function makes of its options."""
        if isinstance(part, nn.Module):
            raise TypeError(
                f"{self.parameter}={part!r} is a module, which every clone of a classifier would "
                "share; give the class or function that makes it."
            )
        if not callable(part) and part not in self:
            raise ValueError(
                f"{self.parameter}={part!r} is not known; use one of {', '.join(map(repr, self))}."
            )
        made = part(*options) if callable(part) else self[part](*options)
        if not isinstance(made, nn.Module):
            raise TypeError(f"{self.parameter}={part!r} made {made!r}, which is no torch Module.")
        return made


@dataclass(frozen=True, kw_only=True)
class EncoderOptions:
    """Options of the signal encoders; `make_wav2sleep` explains them."""

    feature_dim: int = 128
    activation: Part = "gelu"
    initial_channels: int = 16
    max_channels: int = 128
    norm: Part = "instance"
    residual: bool = True
    output_norm: bool = False
    causal: bool = False
    chunk_causal: bool = True
    signal_map: Mapping[str, str] | None = None
    signal_groups: Mapping[str, Sequence[str]] | None = None
    embed_signals: bool = False
    gradient_checkpointing: bool = False


@dataclass(frozen=True, kw_only=True)
class MixerOptions:
    """What both mixers have; `make_wav2sleep` explains it."""

    feature_dim: int = 128
    layers: int = 2
    heads: int = 8
    feedforward_dim: int = 512
    dropout: float = 0.1
    activation: Part = "gelu"
    norm_first: bool = True
    causal: bool = False


@dataclass(frozen=True, kw_only=True)
class EpochMixerOptions(MixerOptions):
    """Options of an epoch mixer, which knows the names of all signals."""

    signals: tuple[str, ...]
    register_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class SequenceMixerOptions(MixerOptions):
    """Options of a sequence mixer; `causal` if an epoch must not see later ones."""

    kernel_size: int = 7
    dilations: int = 6
    norm: Part = "layer"
