"""What a trained network needs to be used again, whichever format it is stored in."""

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from torch import Tensor

from sklearn_sleep.core.checksums import file_checksum
from sklearn_sleep.core.messages import list_names
from sklearn_sleep.exceptions import TrainingError
from sklearn_sleep.networks.wav2sleep import make_wav2sleep

# What comes of files that were damaged or made by something else.
_DAMAGE = (
    json.JSONDecodeError,
    UnicodeDecodeError,
    KeyError,
    TypeError,
    AttributeError,
    ArithmeticError,
    SafetensorError,
    RuntimeError,
)


@dataclass(frozen=True)
class Checkpoint:
    """A trained network: samples per epoch of its signals, its classes and their prior, weights.

    `parameters` are those of `make_wav2sleep`, apart from ``signals`` and ``n_classes``. `size` and
    `recipe`, of JSON's types, say how it was trained, where that is known.
    """

    signals: Mapping[str, int]
    classes: npt.NDArray[Any]
    class_prior: npt.NDArray[np.float64]
    parameters: Mapping[str, Any]
    state: Mapping[str, Tensor]
    size: Literal["auto", "published"] = "published"
    recipe: Mapping[str, Any] = field(default_factory=dict)


def check_parts_are_named(parameters: Mapping[str, Any]) -> None:
    """Raise TypeError where a part of the network is a user's own, which no file can name."""
    for name, value in parameters.items():
        if callable(value):
            raise TypeError(
                f"module__{name}={value!r} has no name by which it could be found again, so that "
                "the model cannot be saved. Enter it in its registry in sklearn_sleep.networks, "
                "SEQUENCE_MIXERS.register('mine')(...) for example, and give that name; or pickle "
                "the classifier."
            )


def check_files(folder: Path, checksums: Mapping[str, str]) -> None:
    """Raise unless the files of a model are those that were saved together."""
    for name, checksum in checksums.items():
        path = folder / name
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not there, which belongs to the model.")
        if file_checksum(path) != checksum:
            raise ValueError(
                f"{path} is not the file that was saved with the model: it is damaged, or saving "
                "was cut off. Save the model again, or fetch it again."
            )


def check_torch_file(path: Path) -> None:
    """Raise ValueError where a file of torch is damaged; torch itself compares no checksum."""
    if not zipfile.is_zipfile(path):
        return  # of a torch before 1.6, or nothing that torch reads
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > path.stat().st_size:  # torch compresses nothing
                raise ValueError(
                    f"{path} unpacks to {size} bytes, more than torch would have written."
                )
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if damaged is not None:
        raise ValueError(f"{path} is damaged: the checksum of {damaged} is another one.")


def check_finite(state: Mapping[str, Tensor], what: str) -> None:
    """Raise TrainingError where weights are NaN or infinite; the message begins with `what`."""
    wrong = [
        name
        for name, values in state.items()
        if values.is_floating_point() and not bool(values.isfinite().all())
    ]
    if wrong:
        raise TrainingError(
            f"{what} has weights that are NaN or infinite, in {list_names(wrong)}: its training "
            "diverged, or it was damaged. It cannot tell any stage."
        )


def check_prior(prior: npt.NDArray[np.float64], folder: Path) -> None:
    """Raise ValueError unless the prior of a model's classes is one."""
    if not (np.all(prior >= 0) and abs(prior.sum() - 1) < 1e-3):
        raise ValueError(f"The model in {folder} has the prior {prior.tolist()}, which is none.")


@contextmanager
def explain_damage(folder: Path) -> Iterator[None]:
    """Turn what comes of damaged files into a ValueError that names the folder."""
    try:
        yield
    except _DAMAGE as error:
        raise ValueError(
            f"{folder} does not hold a model as save_pretrained writes it: {error!r}"
        ) from error
    except ValueError as error:
        if str(folder) in str(error):
            raise
        raise ValueError(f"{folder}: {error}") from error


def check_weights(checkpoint: Checkpoint) -> None:
    """Raise where the weights are not those of the network described, before memory is taken."""
    sizes = {name: size for name, size in checkpoint.parameters.items() if type(size) is int}
    n_layers = max(
        sizes.get("mixer_layers", 0),
        sizes.get("sequence_blocks", 1) * sizes.get("sequence_dilations", 1),
        len(checkpoint.signals),
    )
    # Each layer has a tensor at least, so that a network with fewer is made in no time.
    if n_layers > len(checkpoint.state):
        raise ValueError(
            f"the network is said to have {n_layers} layers, but the weights are "
            f"{len(checkpoint.state)} tensors."
        )
    with torch.device("meta"):
        network = make_wav2sleep(
            dict(checkpoint.signals), len(checkpoint.classes), **checkpoint.parameters
        )
    network.load_state_dict(checkpoint.state, assign=True)
