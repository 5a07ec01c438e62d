"""Stagers in folders: an adapter, or all weights, and how to use them."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file

from sklearn_sleep.core.atomic_write import atomic_write, remove_partials
from sklearn_sleep.core.checksums import file_checksum, read_checked_json, to_checked_json
from sklearn_sleep.core.stage_schemes import stage_names
from sklearn_sleep.staging.vlm.backbone import load_backbone
from sklearn_sleep.training.checkpoints.checkpoint import (
    check_files,
    check_finite,
    check_prior,
    explain_damage,
)

_CONFIGURATION = "vlm_stager.json"
_ADAPTER_CONFIGURATION = "adapter_config.json"
_ADAPTER = "adapter_model.safetensors"
# All weights, where they cannot be loaded from elsewhere.
_MODEL_FOLDER = "model"
_FORMAT_VERSION = 1
STAGER_FILES = (_CONFIGURATION, _ADAPTER_CONFIGURATION, _ADAPTER, f"{_MODEL_FOLDER}/*")
"""The files of a stager."""

_PARAMETERS = ("tuning", "train_vision", "lora_rank", "lora_alpha", "lora_dropout", "precision")
_FITTED = ("answers_", "prompt_", "captions_", "image_shape_")
# What an adapter's configuration may say; the rest of it may name code, or is for training.
_ADAPTER_OPTIONS = (
    "r",
    "lora_alpha",
    "lora_dropout",
    "target_modules",
    "bias",
    "use_rslora",
    "use_dora",
    "rank_pattern",
    "alpha_pattern",
    "modules_to_save",
)
# Of SleepVLM's adapters (Deng et al. 2026), which say nothing of it themselves.
_AASM = stage_names(5)
_SLEEPVLM_IMAGES = (3, 224, 448, 3)


def write_stager(stager: Any, folder: Path) -> None:
    """Write a fitted `VLMStager` into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_partials(folder)
    module, backbone = stager.module_.model, stager.backbone_
    configuration = {
        "format": "sklearn_sleep",
        "format_version": _FORMAT_VERSION,
        "type": type(stager).__name__,
        "model": backbone.name if stager.tuning == "lora" else "",
        "parameters": {name: getattr(stager, name) for name in _PARAMETERS},
        "fitted": {
            **{name: getattr(stager, name) for name in _FITTED},
            "classes_": stager.classes_.tolist(),
            "class_prior_": stager.class_prior_.tolist(),
        },
    }
    with tempfile.TemporaryDirectory(prefix=".", suffix=".partial", dir=folder) as temporary:
        old, new = Path(temporary, "old"), Path(temporary, "new")
        old.mkdir()
        new.mkdir()
        if stager.tuning == "lora":
            module.save_pretrained(new, safe_serialization=True)
            (new / "README.md").unlink(missing_ok=True)  # peft's, with nothing of ours in it
        if not configuration["model"]:
            # Without the adapter, which is written by itself.
            model = stager.base_model() if stager.tuning == "lora" else module
            model.save_pretrained(new / _MODEL_FOLDER, safe_serialization=True)
            backbone.processor.save_pretrained(new / _MODEL_FOLDER)
        written = sorted(path for path in new.rglob("*") if path.is_file())
        configuration["checksums"] = {
            path.relative_to(new).as_posix(): file_checksum(path) for path in written
        }
        # It comes first, and refuses the files of an older model that are there still.
        with atomic_write(folder / _CONFIGURATION) as partial:
            partial.write_text(to_checked_json(configuration), encoding="utf-8")
        for name in (_ADAPTER_CONFIGURATION, _ADAPTER, _MODEL_FOLDER):
            if (folder / name).exists():
                (folder / name).replace(old / name)
        for path in new.iterdir():
            path.replace(folder / path.name)


def read_stager(stager_type: Any, folder: Path, *, model: str | None, device: str) -> Any:
    """Read a stager, or an adapter as SleepVLM publishes it; nothing in it is executed.

    `model` is where to load the model from, instead of where the folder says. FileNotFoundError if
    the folder has neither, ValueError if files are damaged, newer, or of another kind.
    """
    has_adapter = (folder / _ADAPTER_CONFIGURATION).is_file()
    if not (folder / _CONFIGURATION).is_file() and not has_adapter:
        raise FileNotFoundError(
            f"{folder} has neither {_CONFIGURATION}, which save_pretrained writes, nor an adapter "
            f"({_ADAPTER_CONFIGURATION})."
        )
    with explain_damage(folder):
        adapter = _read_json(folder / _ADAPTER_CONFIGURATION) if has_adapter else None
        described = _describe(folder, stager_type.__name__, adapter)
        name = model or described["model"] or str(folder / _MODEL_FOLDER)
        # Version 0.1.0 noted none; a model from elsewhere is not looked at here.
        checksums = {
            file: checksum
            for file, checksum in described.get("checksums", {}).items()
            if not (model and file.startswith(_MODEL_FOLDER))
        }
        check_files(folder, checksums)
        stager = stager_type(name, device=device, **described["parameters"])
        fitted = dict(described["fitted"])
        stager.classes_ = np.asarray(fitted.pop("classes_"))
        stager.class_prior_ = np.asarray(fitted.pop("class_prior_"), dtype=float)
        for attribute in _FITTED:
            setattr(stager, attribute, fitted[attribute])
        stager.image_shape_ = tuple(stager.image_shape_)
    stager.backbone_ = load_backbone(name, dtype=stager.weights_dtype, device=device)
    if not model and not described["model"]:
        stager.backbone_.name = ""
    with explain_damage(folder):
        options = None if adapter is None else _adapter_options(adapter)
        stager.prepare(options)
        if adapter is not None:
            _load_adapter(stager.module_.model, folder / _ADAPTER)
        check_finite(stager.module_.model.state_dict(), f"The model in {folder}")
        check_prior(stager.class_prior_, folder)
    return stager


def _describe(folder: Path, kind: str, adapter: dict[str, Any] | None) -> dict[str, Any]:
    if (folder / _CONFIGURATION).is_file():
        described = read_checked_json(folder / _CONFIGURATION)
        if described["type"] != kind:
            raise ValueError(f"{folder} holds a {described['type']}, not a {kind}.")
        if described["format_version"] > _FORMAT_VERSION:
            raise ValueError(
                f"{folder} was saved by a newer sklearn_sleep; update it to load the model."
            )
        unknown = sorted(described["parameters"].keys() - set(_PARAMETERS))
        if unknown:
            raise ValueError(f"{folder}: the parameters {unknown} are not known.")
        return described
    assert adapter is not None  # noqa: S101  one of the two is there
    return {
        "model": str(adapter["base_model_name_or_path"]),
        "parameters": {},
        "fitted": {
            "classes_": list(range(len(_AASM))),
            "class_prior_": [1 / len(_AASM)] * len(_AASM),
            "answers_": list(_AASM),
            "prompt_": "",
            "captions_": [],
            "image_shape_": _SLEEPVLM_IMAGES,
        },
    }


def _adapter_options(adapter: dict[str, Any]) -> dict[str, Any]:
    if adapter["peft_type"] != "LORA":
        raise ValueError(f"The adapter is of the type {adapter['peft_type']}; only LORA is known.")
    return {
        name: adapter[name] for name in _ADAPTER_OPTIONS if adapter.get(name) not in (None, {}, [])
    }


def _load_adapter(model: Any, path: Path) -> None:
    from peft import set_peft_model_state_dict

    found: Any = set_peft_model_state_dict(model, load_file(path))
    missing = [name for name in found.missing_keys if "lora_" in name]
    if missing or found.unexpected_keys:
        unexpected = list(found.unexpected_keys)[:2]
        raise ValueError(
            f"{path} does not fit the model: missing {missing[:2]}, unexpected {unexpected}."
        )


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
