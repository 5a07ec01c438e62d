"""ResumableCheckpoint: a training that was cut off goes on as if nothing had happened."""

import contextlib
import json
import math
import os
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback, PrintLog
from skorch.history import History
from torch import Tensor

from sklearn_sleep._version import __version__
from sklearn_sleep.core.atomic_write import atomic_write, remove_partials
from sklearn_sleep.core.identity import class_identity, digest, identity
from sklearn_sleep.training.callbacks.show_progress import ShowProgress
from sklearn_sleep.training.checkpoints.checkpoint import check_torch_file

_FORMAT_VERSION = 2
_FILE = "training.pt"
# They say where and how a training runs and not what comes out, or are compared one by one.
_WITHOUT_EFFECT = (
    "accelerator",
    "callbacks",
    "callbacks__print_log__sink",
    "device",
    "kept_bytes",
    "unwrap_after_train",
    "verbose",
)
# What torch and this module raise for files that were damaged or made by something else.
_DAMAGE = (
    *(pickle.UnpicklingError, RuntimeError, EOFError, ValueError),
    *(KeyError, IndexError, AttributeError, TypeError),
)


class ResumableCheckpoint(Callback):
    """Save the whole training after each pass, and go on from there when it is started again.

    Fit the same classifier on the same data with the same folder, and the result is that of an
    uninterrupted training, bit for bit: weights, optimizer, random generators, learning rate,
    averages, early stopping and history are restored. A training that was complete is restored
    without another pass. The file is replaced as a whole, so that a crash while saving leaves the
    pass before; its checksums are compared, and it is read with ``weights_only=True``, which
    executes nothing. The `KeyboardInterrupt` of a training that is interrupted says in a note how
    many passes are saved.

    Parameters
    ----------
    folder : path
        Made if need be; a folder for each training. ``training.pt`` is written into it.

    Raises
    ------
    ValueError
        On ``fit``: the folder holds a training with other parameters or data, or a damaged file;
        or the classifier was trained before (``partial_fit``, ``warm_start``).
    TypeError
        A callback keeps something that cannot be saved.

    Notes
    -----
    Of each callback, the attributes whose names end in an underscore are saved: numbers, text,
    tensors, and lists and dictionaries of them. A callback that keeps anything else gives
    ``state_dict()`` and takes ``load_state_dict(state)``.

    Examples
    --------
    >>> from sklearn_sleep import Wav2SleepClassifier
    >>> classifier = Wav2SleepClassifier(
    ...     random_state=0, callbacks=[ResumableCheckpoint("training/")]
    ... )
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = folder

    def resume(self, net: Any, dataset: Any) -> int:
        """Restore the training that the folder holds, if any; return how many passes were done.

        The net is about to train on the dataset, whose ``identity`` tells it from others.
        """
        if net.history:
            raise ValueError(
                "ResumableCheckpoint goes with one fit from the beginning, but this classifier has "
                "been trained before (partial_fit or warm_start). Leave it out of callbacks."
            )
        self.identity_ = _describe(net, dataset)
        self.n_saved_ = 0
        path = Path(self.folder) / _FILE
        if net.is_main_process:
            # A folder is for one training, which has not begun to write.
            remove_partials(self.folder, f".{_FILE}.*.partial", older_than=-math.inf)
        if not path.exists():
            return 0
        state = _read(path)
        there = state["identity"]
        differing = sorted(
            name
            for name in self.identity_.keys() | there.keys()
            if self.identity_.get(name) != there.get(name)
        )
        if differing:
            found, expected = there.get(differing[0]), self.identity_.get(differing[0])
            raise ValueError(
                f"{path} holds another training: {', '.join(differing)} differ(s) "
                f"({differing[0]}: {found} there, {expected} here). Give another folder, or delete "
                "this one to start anew."
            )
        with _explain_damage(path):
            _restore(net, state)
        self.n_saved_ = len(net.history)
        return self.n_saved_

    def describe(self) -> str:
        """Return what is kept of a training that is interrupted."""
        if not getattr(self, "n_saved_", 0):
            return f"No pass was complete, so that {self.folder} holds nothing to go on from."
        return (
            f"{Path(self.folder) / _FILE} holds the {self.n_saved_} pass(es) that were complete; "
            "the same call goes on from there."
        )

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Save the training. `SleepNet` puts this callback last, when all others are done."""
        if not net.is_main_process:
            return
        folder = Path(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / _FILE) as partial, partial.open("wb") as file:
            torch.save({"identity": self.identity_, **_capture(net)}, file)
            file.flush()
            os.fsync(file.fileno())
        self.n_saved_ = len(net.history)


def _capture(net: Any) -> dict[str, Any]:
    """Return all that a training depends on, between two passes."""
    cuda = net.compute_device.type == "cuda"
    return {
        "format_version": _FORMAT_VERSION,
        "sklearn_sleep": __version__,
        "module": dict(net.module_.state_dict()),
        "criterion": dict(net.criterion_.state_dict()),
        "optimizer": net.optimizer_.state_dict(),
        # skorch's Freezer looks at the first pass alone.
        "frozen": [name for name, p in net.get_all_learnable_params() if not p.requires_grad],
        "callbacks": {
            name: _callback_state(name, callback) for name, callback in _stateful_callbacks(net)
        },
        "history": _plain(net.history.to_list(), "history"),
        # As text, since its integers have 128 bits.
        "random_generator": json.dumps(net.random_generator_.bit_generator.state),
        "split_seed": net.split_seed_,
        "torch_generator": torch.get_rng_state(),
        "cuda_generator": torch.cuda.get_rng_state(net.compute_device) if cuda else None,
    }


def _restore(net: Any, state: Mapping[str, Any]) -> None:
    net.module_.load_state_dict(state["module"])
    net.criterion_.load_state_dict(state["criterion"])
    net.optimizer_.load_state_dict(state["optimizer"])
    for name, parameter in net.get_all_learnable_params():
        if name in state.get("frozen", ()):
            parameter.requires_grad_(False)
    for name, callback in _stateful_callbacks(net):
        if name not in state["callbacks"]:
            continue  # new since then, such as a progress bar
        if hasattr(callback, "load_state_dict"):
            callback.load_state_dict(state["callbacks"][name])
        else:
            vars(callback).update(_to_device(state["callbacks"][name], net.compute_device))
    net.history_ = History(state["history"])
    net.random_generator_.bit_generator.state = json.loads(state["random_generator"])
    net.split_seed_ = state["split_seed"]
    torch.set_rng_state(state["torch_generator"])
    if state["cuda_generator"] is not None and net.compute_device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda_generator"], net.compute_device)


def _read(path: Path) -> dict[str, Any]:
    # Generators' states live on the CPU; weights are copied to where the network is.
    with _explain_damage(path):
        check_torch_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        version = int(state["format_version"])
        if version == _FORMAT_VERSION:
            state["identity"].keys()
    if version < _FORMAT_VERSION:
        raise ValueError(
            f"{path} was saved by sklearn_sleep 0.1.0, which did not note the samples that a "
            "training learns from, so that they cannot be compared. Finish the training with that "
            "version (pip install sklearn_sleep==0.1.0), or delete the file to start anew."
        )
    if version > _FORMAT_VERSION:
        raise ValueError(
            f"{path} was saved by a newer sklearn_sleep ({state.get('sklearn_sleep')}); update it "
            "to go on with the training."
        )
    return state


@contextlib.contextmanager
def _explain_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ValueError(
            f"{path} is not a training that ResumableCheckpoint saved, or is damaged ({error!r}). "
            "Delete it to start anew."
        ) from error


def _describe(net: Any, dataset: Any) -> dict[str, Any]:
    """Return the parameters and a hash of the rows, by which a training is known."""
    # What the recipe chose comes before what was given.
    parameters = {
        name: _identity(value)
        for name, value in {**net.get_params(deep=False), **net._plan}.items()
        if name not in _WITHOUT_EFFECT
    }
    return {**parameters, "data (X, y, sample_weight)": digest(dataset.identity)}


def _identity(value: Any) -> Any:
    # The state of a generator comes from the file.
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return class_identity(type(value))
    return identity(value)


def _stateful_callbacks(net: Any) -> list[tuple[str, Any]]:
    return [
        (name, callback)
        for name, callback in net.callbacks_
        # What shows a training is not a part of it.
        if not isinstance(callback, ResumableCheckpoint | PrintLog | ShowProgress)
    ]


def _callback_state(name: str, callback: Any) -> Any:
    if hasattr(callback, "state_dict"):
        return callback.state_dict()
    return {
        attribute: _plain(value, f"callback {name!r}, {attribute}")
        for attribute, value in vars(callback).items()
        if attribute.endswith("_") and not attribute.startswith("_")
    }


def _plain(value: Any, where: str) -> Any:
    """Return what can be loaded without executing anything."""
    if value is None or isinstance(value, bool | int | float | str | Tensor):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key: _plain(item, where) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item, where) for item in value)
    raise TypeError(
        f"ResumableCheckpoint cannot save {where}: {type(value).__name__}. Give the callback "
        "state_dict() and load_state_dict(state), or leave it out."
    )


def _to_device(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: _to_device(item, device) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_to_device(item, device) for item in value)
    return value
