"""Our own format: config.json says what the model is, model.safetensors holds the weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors.torch import load_file, save

from sklearn_sleep.core.atomic_write import atomic_write, remove_partials
from sklearn_sleep.core.checksums import file_checksum, read_checked_json, to_checked_json
from sklearn_sleep.core.messages import shorten
from sklearn_sleep.training.checkpoints.checkpoint import (
    Checkpoint,
    check_files,
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
            "size": checkpoint.size,
            "recipe": dict(checkpoint.recipe),
        },
    }
    state = {key: value.contiguous() for key, value in checkpoint.state.items()}
    folder.mkdir(parents=True, exist_ok=True)
    remove_partials(folder)
    # The configuration comes first, and refuses the weights of an older model that are there still.
    with (
        atomic_write(folder / _WEIGHTS) as weights,
        atomic_write(folder / _CONFIGURATION) as description,
    ):
        weights.write_bytes(save(state))
        configuration["checksums"] = {_WEIGHTS: file_checksum(weights)}
        description.write_text(to_checked_json(configuration), encoding="utf-8")


def read_configuration(folder: Path) -> dict[str, Any]:
    """Return ``steps`` and ``classifier`` of the configuration in a folder."""
    for name in OWN_FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder / name} is not there. Give a folder that save_pretrained wrote."
            )
    with explain_damage(folder):
        configuration = read_checked_json(folder / _CONFIGURATION)
        if configuration["format_version"] > _FORMAT_VERSION:
            raise ValueError(
                f"{folder} was saved by a newer sklearn_sleep; update it to load the model."
            )
        check_files(folder, configuration.get("checksums", {}))  # version 0.1.0 noted none
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
            # Neither was noted when all networks were of the published size by default.
            size=_check_size(described.get("size", "published")),
            recipe=dict(described.get("recipe", {})),
        )


def _check_size(size: Any) -> Literal["auto", "published"]:
    if size == "auto":
        return "auto"
    if size == "published":
        return "published"
    raise ValueError(f"the size {shorten(size)} is not known; known are 'auto' and 'published'.")
