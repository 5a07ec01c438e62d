"""Fitted pipelines in a folder: JSON for what they are, safetensors for the weights."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from sklearn.pipeline import Pipeline

from sklearn_sleep.classifiers import Wav2SleepClassifier
from sklearn_sleep.networks import Wav2Sleep
from sklearn_sleep.preprocessing import EDFReader, Epocher, Filter, Normalizer, Resampler
from sklearn_sleep.signals import SignalDefinition

__all__ = ["load_pretrained", "save_pretrained"]

_FORMAT_VERSION = 1
_CONFIGURATION = "config.json"
_WEIGHTS = "model.safetensors"
# Only these are ever made from a file.
_STEPS = {step.__name__: step for step in (EDFReader, Filter, Resampler, Normalizer, Epocher)}
_CLASSIFIER = Wav2SleepClassifier.__name__
# What comes of files that were damaged or made by something else.
_DAMAGE = (
    json.JSONDecodeError,
    UnicodeDecodeError,
    KeyError,
    TypeError,
    SafetensorError,
    RuntimeError,
)


def save_pretrained(pipeline: Pipeline, folder: str | os.PathLike[str]) -> None:
    """Save a fitted pipeline that ends in a `Wav2SleepClassifier`.

    Parameters
    ----------
    pipeline : Pipeline
        Steps of `sklearn_sleep.preprocessing` and the classifier.
    folder : path
        Made if need be. ``config.json`` and ``model.safetensors`` are written into it.

    Raises
    ------
    TypeError
        If a step or a parameter cannot be saved.
    """
    *steps, (name, classifier) = pipeline.steps
    if not isinstance(classifier, Wav2SleepClassifier):
        msg = f"The last step must be a {_CLASSIFIER}, not {type(classifier).__name__}."
        raise TypeError(msg)
    if classifier.module is not Wav2Sleep:
        msg = f"Only the network Wav2Sleep can be saved, not module={classifier.module!r}."
        raise TypeError(msg)
    classifier.check_is_fitted()
    configuration = {
        "format": "sklearn_sleep",
        "format_version": _FORMAT_VERSION,
        "steps": [_describe_step(step_name, step) for step_name, step in steps],
        "classifier": {"name": name, **_describe_classifier(classifier)},
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = {key: value.contiguous() for key, value in classifier.module_.state_dict().items()}
    save_file(state, folder / _WEIGHTS)
    text = json.dumps(configuration, indent=2)
    (folder / _CONFIGURATION).write_text(text, encoding="utf-8")


def load_pretrained(folder: str | os.PathLike[str], *, device: str = "cpu") -> Pipeline:
    """Load a pipeline that `save_pretrained` wrote.

    Nothing in the folder is executed: steps are matched against known names.

    Parameters
    ----------
    folder : path
        The folder.
    device : str, default="cpu"
        Torch device.

    Returns
    -------
    Pipeline
        Ready to predict.

    Raises
    ------
    FileNotFoundError
        If the folder is not there, or not one of a pipeline.
    ValueError
        If it is not what `save_pretrained` writes.
    """
    folder = Path(folder)
    for name in (_CONFIGURATION, _WEIGHTS):
        if not (folder / name).is_file():
            msg = f"{folder / name} is not there. Give a folder that save_pretrained wrote."
            raise FileNotFoundError(msg)
    try:
        configuration = json.loads((folder / _CONFIGURATION).read_text(encoding="utf-8"))
        if configuration["format_version"] > _FORMAT_VERSION:
            msg = f"{folder} was saved by a newer sklearn_sleep; update it to load the model."
            raise ValueError(msg)
        steps = [_make_step(step) for step in configuration["steps"]]
        described = configuration["classifier"]
        classifier = _make_classifier(described, folder / _WEIGHTS, device)
    except _DAMAGE as error:
        msg = f"{folder} does not hold a pipeline as save_pretrained writes it: {error!r}"
        raise ValueError(msg) from error
    return Pipeline([*steps, (described["name"], classifier)])


def _describe_step(name: str, step: Any) -> dict[str, Any]:
    kind = type(step).__name__
    if _STEPS.get(kind) is not type(step):
        msg = f"The step {name!r} ({kind}) cannot be saved; known are {', '.join(_STEPS)}."
        raise TypeError(msg)
    parameters = step.get_params(deep=False)
    if "signals" in parameters:
        parameters["signals"] = [
            asdict(s) if isinstance(s, SignalDefinition) else str(s) for s in parameters["signals"]
        ]
    return {"name": name, "type": kind, "parameters": parameters}


def _make_step(described: dict[str, Any]) -> tuple[str, Any]:
    if described["type"] not in _STEPS:
        msg = f"the step {described['type']!r} is not known; known are {', '.join(_STEPS)}."
        raise ValueError(msg)
    parameters = dict(described["parameters"])
    if "signals" in parameters:
        parameters["signals"] = [
            SignalDefinition(**s) if isinstance(s, dict) else s for s in parameters["signals"]
        ]
    return described["name"], _STEPS[described["type"]](**parameters)


def _describe_classifier(classifier: Wav2SleepClassifier) -> dict[str, Any]:
    parameters = classifier.get_params(deep=False)
    module = {key: value for key, value in parameters.items() if key.startswith("module__")}
    return {
        "type": _CLASSIFIER,
        "parameters": module,
        "classes": classifier.classes_.tolist(),
        "class_prior": classifier.class_prior_.tolist(),
        "samples_per_epoch": classifier.samples_per_epoch_,
    }


def _make_classifier(described: dict[str, Any], weights: Path, device: str) -> Wav2SleepClassifier:
    if described["type"] != _CLASSIFIER:
        msg = f"the classifier {described['type']!r} is not known; known is {_CLASSIFIER}."
        raise ValueError(msg)
    unknown = [key for key in described["parameters"] if not key.startswith("module__")]
    if unknown:
        msg = f"the classifier's parameters {unknown} are not known."
        raise ValueError(msg)
    classifier = Wav2SleepClassifier(device=device, **described["parameters"])
    classifier.classes_ = np.asarray(described["classes"])
    classifier.class_prior_ = np.asarray(described["class_prior"], dtype=float)
    classifier.samples_per_epoch_ = {
        str(name): int(rate) for name, rate in described["samples_per_epoch"].items()
    }
    classifier.signals_ = tuple(classifier.samples_per_epoch_)
    classifier.initialize()
    classifier.module_.load_state_dict(load_file(weights, device=device))
    return classifier
