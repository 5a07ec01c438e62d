"""The published wav2sleep's format: config.yaml and state_dict.pth.

What is known of the format is known from the published implementation
(https://github.com/joncarter1/wav2sleep, February 2026). Its loader imports the classes that the
configuration names; this one compares the names with those it knows, and imports nothing.
"""

import hashlib
import inspect
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from sklearn_sleep.core.atomic_write import atomic_write, remove_partials
from sklearn_sleep.core.checksums import file_checksum
from sklearn_sleep.core.messages import shorten
from sklearn_sleep.networks.wav2sleep import FOLLOWED, make_wav2sleep
from sklearn_sleep.training.checkpoints.checkpoint import (
    Checkpoint,
    check_files,
    check_torch_file,
)

_CONFIGURATION = "config.yaml"
_WEIGHTS = "state_dict.pth"
PUBLISHED_FILES = (_CONFIGURATION, _WEIGHTS)
_LARGEST_CONFIGURATION = 1 << 20
_MOST_CLASSES = 100
# Comments, which the published code passes over, before a configuration that this package wrote.
_CHECKSUMS = "# SHA-256 of the lines below: {}\n# SHA-256 of the weights: {}\n"

# Of the signals that the published code knows (its settings).
SAMPLES_PER_EPOCH = {
    "ABD": 256,
    "THX": 256,
    "ECG": 1024,
    "PPG": 1024,
    "EOG-L": 4096,
    "EOG-R": 4096,
}

_MODULE = "wav2sleep.models.wav2sleep."
_TARGET = "_target_"
_PARTS = {
    "signal_encoders": "SignalEncoders",
    "epoch_mixer": "MultiModalAttentionEmbedder",
    "sequence_mixer": "SequenceCNN",
}


@dataclass(frozen=True)
class _Option:
    """An option of a published part: its parameter of `make_wav2sleep` and its default."""

    parameter: str
    default: Any
    type: type
    may_be_none: bool = False


_REQUIRED = object()
_OPTIONS: dict[str, dict[str, _Option]] = {
    "signal_encoders": {
        "feature_dim": _Option("feature_dim", _REQUIRED, int),
        "activation": _Option("activation", _REQUIRED, str),
        "norm": _Option("encoder_norm", "instance", str, may_be_none=True),
        "causal": _Option("causal", False, bool),
        "chunk_causal": _Option("chunk_causal", True, bool),
        "embed_signals": _Option("embed_signals", False, bool),
        "initial_channels": _Option("initial_channels", 16, int),
        "max_channels": _Option("max_channels", 128, int),
        "output_norm": _Option("output_norm", False, bool),
        "use_residual": _Option("residual", True, bool),
    },
    "epoch_mixer": {
        "feature_dim": _Option("feature_dim", _REQUIRED, int),
        "layers": _Option("mixer_layers", 4, int),
        "dropout": _Option("dropout", 0.0, float),
        "dim_ff": _Option("mixer_feedforward_dim", 512, int),
        "activation": _Option("mixer_activation", "gelu", str),
        "norm_first": _Option("mixer_norm_first", True, bool),
        "nhead": _Option("mixer_heads", 4, int),
        "register_tokens": _Option("mixer_register_tokens", 0, int),
    },
    "sequence_mixer": {
        "feature_dim": _Option("feature_dim", 128, int),
        "dropout": _Option("sequence_dropout", 0.2, float),
        "num_layers": _Option("sequence_blocks", 2, int),
        "activation": _Option("sequence_activation", "gelu", str),
        "norm": _Option("sequence_norm", "batch", str, may_be_none=True),
        "causal": _Option("sequence_causal", False, bool),
        "num_dilations": _Option("sequence_dilations", 6, int),
        "kernel_size": _Option("sequence_kernel_size", 7, int),
    },
}
# Values of other parameters that the published code knows.
_ACTIVATIONS = ("relu", "leaky", "gelu", "silu", "swish", "linear")
_NORMS = ("instance", "layer", "batch", "rms", "group", "weight", None)
_PUBLISHED_VALUES = {
    "epoch_mixer": ("attention",),
    "sequence_mixer": ("dilated_cnn",),
    "encoder_norm": (*_NORMS, "auto"),
    "sequence_norm": _NORMS,
    "activation": _ACTIVATIONS,
    "mixer_activation": _ACTIVATIONS,
    "sequence_activation": _ACTIVATIONS,
    "signal_groups": (None,),
}


class _PlainLoader(yaml.SafeLoader):
    """Reads plain values without aliases, by which a few lines become any number of values."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            alias = self.peek_event()
            raise yaml.MarkedYAMLError(
                problem=f"*{alias.anchor} is an alias; write the value itself",
                problem_mark=alias.start_mark,
            )
        return super().compose_node(parent, index)


def is_published(folder: Path) -> bool:
    """Say whether a folder holds a model in the published format, and not in our own."""
    return (folder / _CONFIGURATION).is_file() and not (folder / "config.json").is_file()


def read_published_checkpoint(folder: Path) -> Checkpoint:
    """Read a published network from ``config.yaml`` and ``state_dict.pth``; nothing is executed.

    Classes are 0, 1, …: of four, those of ``merge_stages(y, 4)``; of five, the AASM stages. The
    prior, which the format does not hold, is uniform.
    """
    for name in PUBLISHED_FILES:
        if not (folder / name).is_file():
            needed = " and ".join(PUBLISHED_FILES)
            raise FileNotFoundError(
                f"{folder / name} is not there. A published model has {needed}."
            )
    path = folder / _CONFIGURATION
    if path.stat().st_size > _LARGEST_CONFIGURATION:
        raise ValueError(
            f"{path} takes {path.stat().st_size} bytes, where a configuration takes thousands."
        )
    _check(folder)
    try:
        configuration = yaml.load(path.read_text(encoding="utf-8"), _PlainLoader)  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not a plain YAML file, and nothing but plain values is read: {error}"
        ) from error
    signals, n_classes, parameters = _translate(path, configuration)
    return Checkpoint(
        signals=signals,
        classes=np.arange(n_classes),
        class_prior=np.full(n_classes, 1 / n_classes),
        parameters=parameters,
        state=_read_state(folder / _WEIGHTS),
    )


def write_published_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write a network so that the published code loads it; ValueError where that cannot be."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(make_wav2sleep).parameters.items()
        if parameter.default is not parameter.empty
    }
    parameters = defaults | dict(checkpoint.parameters)
    for name, followed in FOLLOWED.items():
        if parameters[name] is None:
            parameters[name] = parameters[followed]
    _check_writable(checkpoint, parameters)
    configuration: dict[str, Any] = {
        _TARGET: _MODULE + "Wav2Sleep",
        "num_classes": len(checkpoint.classes),
    }
    for part, class_name in _PARTS.items():
        options = {key: parameters[option.parameter] for key, option in _OPTIONS[part].items()}
        configuration[part] = {_TARGET: _MODULE + class_name, **options}
    signal_map = parameters["signal_map"] or {name: name for name in checkpoint.signals}
    configuration["signal_encoders"]["signal_map"] = dict(signal_map)
    if (folder / "config.json").is_file():
        raise ValueError(
            f"{folder} holds a model in our own format, which would be read instead of the "
            "published one. Give another folder."
        )
    text = yaml.safe_dump(configuration, sort_keys=False)
    state = {key: value.detach().cpu().contiguous() for key, value in checkpoint.state.items()}
    folder.mkdir(parents=True, exist_ok=True)
    remove_partials(folder)
    # The configuration comes first, and refuses the weights of an older model that are there still.
    with (
        atomic_write(folder / _WEIGHTS) as weights,
        atomic_write(folder / _CONFIGURATION) as description,
    ):
        with weights.open("wb") as file:
            torch.save(state, file)
        checksums = _CHECKSUMS.format(_sha256(text), file_checksum(weights))
        description.write_bytes((checksums + text).encode())


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _check(folder: Path) -> None:
    """Raise ValueError where files of which we noted the checksums are others now."""
    path = folder / _CONFIGURATION
    pattern = _CHECKSUMS.format(*["([0-9a-f]{64})"] * 2)
    found = re.match(pattern, path.read_bytes().decode(errors="replace"))
    if not found:
        return
    if _sha256(found.string[found.end() :]) != found[1]:
        raise ValueError(
            f"{path} is not as it was written: it is damaged, or was changed by hand. To use it as "
            "it is, remove its first two lines."
        )
    check_files(folder, {_WEIGHTS: found[2]})


def _check_writable(checkpoint: Checkpoint, parameters: Mapping[str, Any]) -> None:
    reasons = [
        f"{name}={parameters[name]!r}"
        for name, published in _PUBLISHED_VALUES.items()
        if parameters[name] not in published
    ]
    reasons += [
        f"{name} with {rate} samples per epoch"
        for name, rate in checkpoint.signals.items()
        if SAMPLES_PER_EPOCH.get(name) != rate
    ]
    if not np.array_equal(checkpoint.classes, np.arange(len(checkpoint.classes))):
        reasons.append(f"the classes {checkpoint.classes.tolist()} (it numbers them from 0)")
    if reasons:
        raise ValueError(
            f"The published format has no {', no '.join(reasons)}. "
            "Save the model with format='sklearn_sleep'."
        )


def _translate(path: Path, configuration: Any) -> tuple[dict[str, int], int, dict[str, Any]]:
    """Return the signals, the number of classes and the parameters of `make_wav2sleep`."""
    top = _options(path, "", configuration, "Wav2Sleep", {"num_classes", *_PARTS})
    n_classes = top.get("num_classes")
    if type(n_classes) is not int or not 2 <= n_classes <= _MOST_CLASSES:
        raise ValueError(
            f"{path}: num_classes={shorten(n_classes)} must be an integer from 2 to "
            f"{_MOST_CLASSES}."
        )
    parameters: dict[str, Any] = {}
    signal_map: Any = None
    for part, class_name in _PARTS.items():
        known = set(_OPTIONS[part]) | ({"signal_map"} if part == "signal_encoders" else set())
        given = _options(path, part, top.get(part), class_name, known)
        if part == "signal_encoders":
            signal_map = given.pop("signal_map", None)
        for key, option in _OPTIONS[part].items():
            value = _value(f"{path}: {part}.{key}", given.get(key, option.default), option)
            if parameters.setdefault(option.parameter, value) != value:
                raise ValueError(
                    f"{path}: {part}.{key}={shorten(value)}, but another part has "
                    f"{shorten(parameters[key])}."
                )
    signals = _signals(path, signal_map)
    if any(name != encoder for name, encoder in signal_map.items()):
        parameters["signal_map"] = dict(signal_map)
    return signals, n_classes, parameters


def _options(path: Path, part: str, given: Any, class_name: str, known: set[str]) -> dict[str, Any]:
    """Return the options of a part, all of which are known."""
    where = f"{path}: {part or 'the configuration'}"
    if not isinstance(given, dict):
        raise ValueError(f"{where} must be a mapping with {_TARGET}, not {shorten(given)}.")
    if given.get(_TARGET) != _MODULE + class_name:
        raise ValueError(
            f"{where} has {_TARGET}={shorten(given.get(_TARGET))}, which is not known here; "
            f"known is {_MODULE + class_name!r}. Targets are compared, never imported."
        )
    unknown = [key for key in given if key != _TARGET and key not in known]
    if unknown:
        raise ValueError(
            f"{where} has the unknown option(s) {shorten(unknown)}; known are {sorted(known)}."
        )
    return {key: value for key, value in given.items() if key != _TARGET}


def _value(where: str, value: Any, option: _Option) -> Any:
    """Return a value of the type that the option has."""
    if value is _REQUIRED:
        raise ValueError(f"{where} is missing.")
    if value is None and option.may_be_none:
        return None
    if option.type is float and type(value) is int:
        return float(value)
    # Not isinstance, by which True is an integer.
    if type(value) is not option.type:
        raise ValueError(f"{where}={shorten(value)} must be of type {option.type.__name__}.")
    return value


def _signals(path: Path, signal_map: Any) -> dict[str, int]:
    if not isinstance(signal_map, dict) or not signal_map:
        raise ValueError(
            f"{path}: signal_encoders.signal_map must name encoders by signal, not "
            f"{shorten(signal_map)}."
        )
    for name, encoder in signal_map.items():
        if name not in SAMPLES_PER_EPOCH:
            raise ValueError(
                f"{path}: signal_encoders.signal_map has the unknown signal {shorten(name)}; "
                f"known are {', '.join(SAMPLES_PER_EPOCH)}."
            )
        if not isinstance(encoder, str):
            raise ValueError(
                f"{path}: signal_encoders.signal_map.{name}={shorten(encoder)} must be a name."
            )
    return {name: SAMPLES_PER_EPOCH[name] for name in signal_map}


def _read_state(path: Path) -> dict[str, Tensor]:
    try:
        check_torch_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is not a file of tensors alone, and is not loaded: it could run code."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is not a file of weights that torch can read: {error}") from error
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise ValueError(f"{path} must hold tensors by name, and nothing else.")
    return dict(state)
