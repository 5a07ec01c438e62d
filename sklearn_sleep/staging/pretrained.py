"""Trained pipelines: from EDF files to stages, out of a folder or from the Hugging Face Hub."""

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from sklearn.pipeline import Pipeline, make_pipeline

from sklearn_sleep.core.signals import SIGNALS, SignalDefinition
from sklearn_sleep.features import FrontEnd, InstantaneousHeartRate
from sklearn_sleep.features.quality.signal_quality import SignalQuality
from sklearn_sleep.preprocessing import (
    EDFReader,
    Epocher,
    Filter,
    Normalizer,
    Padder,
    RecordingCache,
    Resampler,
)
from sklearn_sleep.staging.wav2sleep import Wav2SleepClassifier
from sklearn_sleep.training.checkpoints.checkpoint import explain_damage
from sklearn_sleep.training.checkpoints.hub import at_revision, find_folder
from sklearn_sleep.training.checkpoints.own_format import (
    read_configuration,
    read_own_checkpoint,
    write_own_checkpoint,
)
from sklearn_sleep.training.checkpoints.published_format import (
    is_published,
    read_published_checkpoint,
)

# Only these are ever made from a file.
_STEPS = {
    step.__name__: step
    for step in (
        EDFReader,
        SignalQuality,
        FrontEnd,
        InstantaneousHeartRate,
        Filter,
        Padder,
        Resampler,
        Normalizer,
        Epocher,
    )
}

# The published pipeline has voltages in mV, the floor of its causal normalization too; rules and
# drawing that are not given follow the unit.
_PUBLISHED_EOG = {
    name: replace(SIGNALS[name], unit="mV", quality=None, drawing=None)
    for name in ("EOG-L", "EOG-R")
}


def save_pretrained(pipeline: Pipeline, folder: str | os.PathLike[str]) -> None:
    """Save a fitted pipeline that ends in a `Wav2SleepClassifier`.

    Parameters
    ----------
    pipeline : Pipeline
        Steps of `sklearn_sleep.preprocessing` and the classifier. A `RecordingCache` is left out.
    folder : path
        Made if need be. ``config.json`` and ``model.safetensors`` are written into it, over an
        older model; whoever loads it gets the one or the other, or an error, never parts of both.

    Raises
    ------
    TypeError
        If a step or a parameter cannot be saved.
    """
    *steps, (name, classifier) = pipeline.steps
    if not isinstance(classifier, Wav2SleepClassifier):
        raise TypeError(
            f"The last step must be a Wav2SleepClassifier, not {type(classifier).__name__}."
        )
    # A cache is of this machine, and changes no result.
    described = [
        _describe_step(step_name, step)
        for step_name, step in steps
        if not isinstance(step, RecordingCache)
    ]
    write_own_checkpoint(classifier.to_checkpoint(), Path(folder), steps=described, name=name)


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
        Ready to predict; ``fit`` trains anew, as that of the pipeline that was saved would.

    Raises
    ------
    FileNotFoundError
        If the folder is not there, or not one of a pipeline.
    ValueError
        If it is not what `save_pretrained` wrote, which is compared by checksums.
    """
    folder = Path(folder)
    configuration = read_configuration(folder)
    with explain_damage(folder):
        steps = [_make_step(step) for step in configuration["steps"]]
        name = configuration["classifier"]["name"]
    checkpoint = read_own_checkpoint(folder)
    classifier = Wav2SleepClassifier.from_checkpoint(checkpoint, folder, device=device)
    return Pipeline([*steps, (name, classifier)])


def pretrained_pipeline(
    source: str | os.PathLike[str],
    *,
    revision: str | None = None,
    device: str = "cpu",
    channels: Mapping[str, Any] | None = None,
    units: Mapping[str, str] | None = None,
    on_error: Literal["raise", "warn"] = "raise",
) -> Pipeline:
    """Load a trained model with the steps that it needs before it, from EDF files on.

    For models in the published format, these are the steps of the published code: linear
    resampling, zeros after the recording up to ten hours, and the normalization over all of it
    (by the night, or causal for causal models; the published command line normalizes by the night
    even those, which were trained the other way). Predictions for the epochs of the recording are
    the published ones. Recordings longer than ten hours are staged whole, where the published
    code cuts them off.

    Parameters
    ----------
    source : path or str
        A folder in the published format, one that `save_pretrained` wrote, or ``"hf://user/name"``
        for such a model on the Hugging Face Hub, which needs ``sklearn_sleep[hub]``.
    revision : str, optional
        Branch, tag or commit on the hub.
    device : str, default="cpu"
        Torch device.
    channels, units
        Labels and units of your files, as in `EDFReader`; those that a pipeline was saved with stay
        where none are given.
    on_error : {"raise", "warn"}, default="raise"
        What to do with a file that cannot be read, as in `EDFReader`.

    Returns
    -------
    Pipeline
        Takes EDF paths or an epoch table. ``fit`` fine-tunes, as that of
        `Wav2SleepClassifier.from_pretrained` does.

    Raises
    ------
    FileNotFoundError
        If the folder or a file in it is not there.
    ImportError
        If the hub is asked for and huggingface_hub is not installed.
    ValueError
        If the files are not those of a model, name what is not known, or hold a classifier alone.

    Examples
    --------
    >>> pipeline = pretrained_pipeline("tests/data/golden/wav2sleep-cardio-small")
    >>> pipeline.predict("tests/data/golden/preprocess-shhs-like/night.edf").shape
    (12,)
    """
    folder = find_folder(source, revision)
    if is_published(folder):
        pipeline = _published_pipeline(folder, device)
    else:
        pipeline = load_pretrained(folder, device=device)
    # Fitted on other nights, it goes on from here.
    classifier = pipeline[-1]
    classifier.set_params(
        initialize_from=at_revision(source, revision), classes=classifier.classes_
    )
    reader = pipeline[0]
    if not isinstance(reader, EDFReader):
        raise ValueError(
            f"{folder} holds a classifier without the steps from EDF files to its epochs. Put "
            "them before Wav2SleepClassifier.from_pretrained(...), or save the whole pipeline "
            "with save_pretrained(pipeline, folder)."
        )
    given = {"channels": channels, "units": units}
    of_lab = {name: value for name, value in given.items() if value is not None}
    reader.set_params(on_error=on_error, **of_lab)
    return pipeline


def _published_pipeline(folder: Path, device: str) -> Pipeline:
    checkpoint = read_published_checkpoint(folder)
    classifier = Wav2SleepClassifier.from_checkpoint(checkpoint, folder, device=device)
    return make_pipeline(
        EDFReader([_PUBLISHED_EOG.get(s, s) for s in checkpoint.signals]),
        # Before the resampling, so that what follows the last whole epoch is not lost.
        Padder(hours=10.0),
        Resampler(dict(checkpoint.signals), method="linear"),
        Normalizer("causal" if checkpoint.parameters["causal"] else "zscore"),
        Epocher(),
        classifier,
    )


def _describe_step(name: str, step: Any) -> dict[str, Any]:
    kind = type(step).__name__
    if _STEPS.get(kind) is not type(step):
        raise TypeError(
            f"The step {name!r} ({kind}) cannot be saved; known are {', '.join(_STEPS)}."
        )
    parameters = step.get_params(deep=False)
    if "signals" in parameters:
        parameters["signals"] = [
            asdict(s) if isinstance(s, SignalDefinition) else str(s) for s in parameters["signals"]
        ]
    return {"name": name, "type": kind, "parameters": parameters}


def _make_step(described: Mapping[str, Any]) -> tuple[str, Any]:
    if described["type"] not in _STEPS:
        raise ValueError(
            f"the step {described['type']!r} is not known; known are {', '.join(_STEPS)}."
        )
    parameters = dict(described["parameters"])
    if "signals" in parameters:
        parameters["signals"] = [
            SignalDefinition(**s) if isinstance(s, dict) else s for s in parameters["signals"]
        ]
    return described["name"], _STEPS[described["type"]](**parameters)
