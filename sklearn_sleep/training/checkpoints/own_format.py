"""Our own format: config.json says what the model is, model.safetensors holds the weights."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file, save_file

from sklearn_sleep.core.messages import shorten
from sklearn_sleep.training.checkpoints.checkpoint import (
    Checkpoint,
    check_parts_are_named,
    explain_damage,
)

_FORMAT_VERSION = 1
_CONFIGURATION = "config.json"
_WEIGHTS = "model.safetensors"
OWN_FILES = (_CONFIGURATION, _WEIGHTS)

_CLASSIFIER = "Wav2SleepClassifier"
_PREFIX = "module__"


def write_own_checkpoint(
    checkpoint: Checkpoint,
    folder: Path,
    *,
    steps: Sequence[Mapping[str, Any]] = (),
    name: str = _CLASSIFIER.lower(),
) -> None:
    """Write a network, and what describes the steps of the pipeline that it ends, of JSON types.

    `name` is that of the classifier's own step. TypeError where a part of the network has no name.
    """
    check_parts_are_named(checkpoint.parameters)
    configuration = {
        "format": "sklearn_sleep",
        "format_version": _FORMAT_VERSION,
        "steps": list(steps),
        "classifier": {
            "name": name,
            "type": _CLASSIFIER,
            "parameters": {_PREFIX + key: value for key, value in checkpoint.parameters.items()},
            "classes": checkpoint.classes.tolist(),
            "class_prior": checkpoint.class_prior.tolist(),
            "samples_per_epoch": dict(checkpoint.signals),
        },
    }
    text = json.dumps(configuration, indent=2)
    folder.mkdir(parents=True, exist_ok=True)
    state = {key: value.contiguous() for key, value in checkpoint.state.items()}
    save_file(state, folder / _WEIGHTS)
    (folder / _CONFIGURATION).write_text(text, encoding="utf-8")


def read_configuration(folder: Path) -> dict[str, Any]:
    """Return ``steps`` and ``classifier`` of the configuration in a folder."""
    for name in OWN_FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder / name} is not there. Give a folder that save_pretrained wrote."
            )
    with explain_damage(folder):
        configuration = json.loads((folder / _CONFIGURATION).read_text(encoding="utf-8"))
        if configuration["format_version"] > _FORMAT_VERSION:
            raise ValueError(
                f"{folder} was saved by a newer sklearn_sleep; update it to load the model."
            )
        return {"steps": configuration["steps"], "classifier": configuration["classifier"]}


def read_own_checkpoint(folder: Path) -> Checkpoint:
    """Read a network; nothing in the folder is executed."""
    described = read_configuration(folder)["classifier"]
    with explain_damage(folder):
        if described["type"] != _CLASSIFIER:
            raise ValueError(
                f"the classifier {shorten(described['type'])} is not known; known is {_CLASSIFIER}."
            )
        unknown = [key for key in described["parameters"] if not key.startswith(_PREFIX)]
        if unknown:
            raise ValueError(f"the classifier's parameters {shorten(unknown)} are not known.")
        return Checkpoint(
            signals={str(name): int(n) for name, n in described["samples_per_epoch"].items()},
            classes=np.asarray(described["classes"]),
            class_prior=np.asarray(described["class_prior"], dtype=float),
            parameters={
                key.removeprefix(_PREFIX): value for key, value in described["parameters"].items()
            },
            state=load_file(folder / _WEIGHTS),
        )
