"""What a trained network needs to be used again, whichever format it is stored in."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from torch import Tensor

# What comes of files that were damaged or made by something else.
_DAMAGE = (
    json.JSONDecodeError,
    UnicodeDecodeError,
    KeyError,
    TypeError,
    AttributeError,
    SafetensorError,
    RuntimeError,
)


@dataclass(frozen=True)
class Checkpoint:
    """A trained network: samples per epoch of its signals, its classes and their prior, weights.

    `parameters` are those of `make_wav2sleep`, apart from ``signals`` and ``n_classes``.
    """

    signals: Mapping[str, int]
    classes: npt.NDArray[Any]
    class_prior: npt.NDArray[np.float64]
    parameters: Mapping[str, Any]
    state: Mapping[str, Tensor]


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


@contextmanager
def explain_damage(folder: Path) -> Iterator[None]:
    """Turn what comes of damaged files into a ValueError that names the folder."""
    try:
        yield
    except _DAMAGE as error:
        raise ValueError(
            f"{folder} does not hold a model as save_pretrained writes it: {error!r}"
        ) from error
