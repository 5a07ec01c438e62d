"""SleepNet: what the deep classifiers share, from the seeds of a training to the hub."""

import inspect
import math
import os
import tempfile
import traceback
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils import check_random_state
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping, GradientNormClipping

from sklearn_sleep.core.epochs import Epochs, warn_of_split_nights
from sklearn_sleep.core.parameter_constraints import (
    Interval,
    Options,
    StrOptions,
    check_parameters,
)
from sklearn_sleep.core.progress import progress
from sklearn_sleep.core.targets import check_targets, check_weights
from sklearn_sleep.training.callbacks.resumable import ResumableCheckpoint
from sklearn_sleep.training.callbacks.show_progress import ShowProgress
from sklearn_sleep.training.callbacks.weight_average import WeightAverage
from sklearn_sleep.training.checkpoints.checkpoint import check_finite
from sklearn_sleep.training.checkpoints.hub import find_folder, upload_folder
from sklearn_sleep.training.inputs import choose_classes, encode, weigh_classes
from sklearn_sleep.training.schedule import RecordSteps, StopEarly, ValidationNights, WarmUpDecay

_NOT_GIVEN = object()
_SKORCH_PARAMETERS = frozenset(inspect.signature(NeuralNet).parameters)


@dataclass
class Accumulation:
    """Nights or rows whose gradients await a step of the optimizer, and batches yet to come."""

    size: int = 0
    weight: float = 0.0
    n_batches_left: int = 0


class SleepNet(ClassifierMixin, NeuralNet):
    """A skorch net that stages sleep: the base of `Wav2SleepClassifier` and `VLMStager`.

    A derived class spells out its parameters, those declared here among them, in a constructor that
    hands on its ``locals()``, and writes the abstract methods.
    Batches have a ``size``, which `batch_size` counts, and a ``weight``, the sum of their rows'.
    """

    classes: npt.ArrayLike | None
    class_weight: str | Mapping[Any, float] | None
    random_state: int | np.random.RandomState | None
    precision: Literal["float32", "bfloat16"]
    target_batch_size: int | None
    patience: int

    # What `batch_size` counts, for messages.
    _counted: ClassVar[str]
    # Files of a saved model.
    _files: ClassVar[tuple[str, ...]]
    # Arguments of fit that `make_dataset` takes.
    _dataset_arguments: ClassVar[tuple[str, ...]] = ()
    # Part of the training in which the learning rate rises.
    _warm_up: ClassVar[float] = 0.1

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "module": [callable],
        "criterion": [callable],
        "classes": ["array-like", None],
        "class_weight": [StrOptions({"balanced"}), Mapping, None],
        "random_state": ["random_state"],
        "target_batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "optimizer": [callable],
        "optimizer__weight_decay": [Interval(Real, 0, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="left")],
        "max_epochs": [Interval(Integral, 0, None, closed="left")],
        # -1 takes all in one.
        "batch_size": [Interval(Integral, 1, None, closed="left"), Options(Integral, {-1})],
        "train_split": [callable, None],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, tuple, StrOptions({"disable"}), None],
        "warm_start": ["boolean"],
        "verbose": ["verbose", None],
        "device": [str, torch.device, None],
        "compile": ["boolean"],
        "iterator_train": [callable],
        "iterator_valid": [callable],
        "dataset": [callable],
        "predict_nonlinearity": [callable, StrOptions({"auto"}), None],
        "use_caching": ["boolean", StrOptions({"auto"})],
        "torch_load_kwargs": [Mapping, None],
    }

    def __init__(self, scope: Mapping[str, Any]) -> None:
        named = {name: scope[name] for name in scope if name not in ("self", "__class__", "kwargs")}
        own = [name for name in named if name not in _SKORCH_PARAMETERS and "__" not in name]
        # Each parameter is kept under its name, as scikit-learn wants; skorch does so with its own.
        self.__dict__.update({name: named.pop(name) for name in own})
        super().__init__(**named, **scope["kwargs"])

    # -- what a derived class is asked for -------------------------------------------------------

    @abstractmethod
    def check_input(self, X: Any) -> tuple[Any, Epochs | None]:
        """Return the checked rows of X, and the epochs that they are of where these are known."""

    @abstractmethod
    def start_anew(self, rows: Any) -> None:
        """Settle what the network takes and gives, before a training from the beginning."""

    @abstractmethod
    def check_fits(self, rows: Any) -> None:
        """Raise unless rows are what the network takes."""

    @abstractmethod
    def make_dataset(self, *args: Any, **kwargs: Any) -> Any:
        """Return rows, their classes and their weights, (n_rows,), as what is trained on."""

    @abstractmethod
    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the probability of each class, (n_rows, n_classes)."""

    @abstractmethod
    def save_pretrained(self, *args: Any, **kwargs: Any) -> None:
        """Write the trained network into a folder."""

    @classmethod
    @abstractmethod
    def read_folder(cls, *args: Any, **kwargs: Any) -> Self:
        """Return the network that a folder holds, on a device."""

    def choose_recipe(self, n_nights: int) -> Mapping[str, Any]:
        """Return parameters for a number of training nights that stand before the net's own."""
        return {}

    def is_set(self, name: str) -> bool:
        """Whether the user has set a parameter, which a recipe then leaves as it is."""
        return True

    def sampling(self, dataset: Any) -> dict[str, Any]:
        """Return arguments of the training's DataLoader that depend on the dataset."""
        return {}

    # -- parameters ------------------------------------------------------------------------------

    def _get_param_names(self) -> list[str]:
        # skorch takes every attribute for a parameter.
        return [name for name in super()._get_param_names() if not name.startswith("_")]

    def get_params(self, deep: bool = True, **kwargs: Any) -> dict[str, Any]:
        """Return the parameters by name, those of callbacks as ``callbacks__name__parameter``."""
        params = super().get_params(deep=deep, **kwargs)
        # What was given goes before what a callback makes of it.
        given = super().get_params(deep=False) if deep else {}
        return {
            name: value
            for name, value in (params | given).items()
            if not any(part.startswith("_") for part in name.split("__"))
        }

    def set_params(self, **params: Any) -> Self:
        """Set parameters; what they must be is checked when the net is fitted."""
        # skorch would make the callbacks at once.
        if not _are_callbacks(self.callbacks) or not _are_callbacks(params.get("callbacks")):
            for name in [name for name in params if name.startswith("callbacks")]:
                setattr(self, name, params.pop(name))
                self._params_to_validate.add(name)
        groups = params.pop("optimizer__param_groups", _NOT_GIVEN)
        super().set_params(**params)
        # Of a net with an optimizer, skorch would change that alone, which the next fit makes anew.
        for name, value in params.items():
            if name.startswith("optimizer__") and not name.startswith("optimizer__param_groups"):
                self._keep_parameter(name, value)
        if groups is not _NOT_GIVEN:
            self._keep_parameter("optimizer__param_groups", groups)
            if self.initialized_:
                self._initialize_optimizer()
        return self

    def _keep_parameter(self, name: str, value: Any) -> None:
        setattr(self, name, value)
        self._params_to_validate.add(name)

    def planned(self, name: str) -> Any:
        """Return what a training goes by: while one runs the recipe's value, else the parameter."""
        return getattr(self, "_plan", {}).get(name, getattr(self, name))

    def get_params_for(self, prefix: str) -> dict[str, Any]:
        """Return the parameters of a part, those of the recipe among them."""
        start = f"{prefix}__"
        # A network that was loaded has no recipe.
        recipe = getattr(self, "recipe_", {})
        chosen = {
            name.removeprefix(start): value
            for name, value in recipe.items()
            if name.startswith(start) and not self.is_set(name)
        }
        # What has a default and was left at it is the recipe's.
        params: dict[str, Any] = super().get_params_for(prefix) | chosen
        if prefix == "criterion":
            # Rows are weighed one by one.
            params["reduction"] = "none"
        elif prefix == "optimizer":
            params.setdefault("lr", self.planned("lr"))
        elif prefix in ("iterator_train", "iterator_valid"):
            params.setdefault("batch_size", self.planned("batch_size"))
            params.setdefault("shuffle", prefix == "iterator_train")
        return params

    @property
    def compute_device(self) -> torch.device:
        """Where the network computes."""
        return torch.device(self.device)

    @property
    def is_main_process(self) -> bool:
        """Whether this process writes files, of several that train together."""
        return True

    @property
    def lower_precision(self) -> torch.autocast:
        """Context in which the network computes its products as `precision` says."""
        lower = self.precision == "bfloat16"
        return torch.autocast(self.compute_device.type, torch.bfloat16, enabled=lower)

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        *scores, log = super()._default_callbacks
        return [
            *scores,
            ("steps", RecordSteps()),
            ("gradient_clipping", GradientNormClipping(1.0)),
            ("learning_rate", WarmUpDecay(warm_up=self._warm_up)),
            # Validation and early stopping come after it and see the average.
            ("weight_average", WeightAverage(None)),
            ("early_stopping", StopEarly(patience=self.patience, load_best=True)),
            log,
        ]

    def initialize_callbacks(self) -> Self:
        """Make the callbacks; one that saves the training comes after all others."""
        super().initialize_callbacks()
        self.callbacks_.sort(key=lambda item: isinstance(item[1], ResumableCheckpoint))
        return self

    def initialize(self) -> Self:
        """Make the network and the parts of its training, with random weights."""
        self._accumulation = Accumulation()
        return super().initialize()

    # -- fitting ---------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, **fit_params: Any) -> Self:
        """Train on rows of X, their classes y and weights, (n_rows,); `train_split` takes more."""
        starts_anew = not (self.warm_start and self.initialized_)
        more = self._take_dataset_arguments(fit_params)
        dataset = self._training_dataset(X, y, sample_weight, starts_anew=starts_anew, **more)
        return self._learn(dataset, "fit", starts_anew=starts_anew, **fit_params)

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        classes: npt.ArrayLike | None = None,
        sample_weight: Any = None,
        **fit_params: Any,
    ) -> Self:
        """Train on, from the weights that are there; `classes` where the first y lacks some."""
        starts_anew = not self.initialized_
        more = self._take_dataset_arguments(fit_params)
        dataset = self._training_dataset(
            X, y, sample_weight, starts_anew=starts_anew, classes=classes, **more
        )
        return self._learn(dataset, "partial_fit", starts_anew=starts_anew, **fit_params)

    def _take_dataset_arguments(self, fit_params: dict[str, Any]) -> dict[str, Any]:
        return {
            name: fit_params.pop(name) for name in self._dataset_arguments if name in fit_params
        }

    def _training_dataset(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        starts_anew: bool,
        classes: npt.ArrayLike | None = None,
        **more: Any,
    ) -> Any:
        check_parameters(self)
        if not _are_callbacks(self.callbacks):
            raise ValueError(
                f"callbacks={self.callbacks!r} must be a list of skorch callbacks, or of pairs "
                "(name, callback)."
            )
        rows, epochs = self.check_input(X)
        y = check_targets(y, len(rows))
        if epochs is not None:
            warn_of_split_nights(epochs)
        if starts_anew:
            self.classes_ = choose_classes(y, self.classes if classes is None else classes)
            self.start_anew(rows)
        # A network that was loaded has not drawn anything yet.
        if starts_anew or not hasattr(self, "random_generator_"):
            self._draw_generator()
        self.check_fits(rows)
        codes = encode(y, self.classes_)
        weight = check_weights(sample_weight, len(y))
        weight = weigh_classes(weight, self.class_weight, y, self.classes_)
        if starts_anew:
            counts = np.bincount(codes, weights=weight, minlength=len(self.classes_))
            self.class_prior_ = counts / counts.sum()
        return self.make_dataset(rows, codes, weight, **more)

    def draw_seeds(self) -> tuple[int, int]:
        """Return the seeds of the training and of the choice of nights to validate on."""
        random_state = check_random_state(self.random_state)
        return int(random_state.randint(2**31)), int(random_state.randint(2**31))

    def _draw_generator(self) -> None:
        seed, self.split_seed_ = self.draw_seeds()
        self.random_generator_ = np.random.default_rng(seed)

    def _learn(self, dataset: Any, method: str, *, starts_anew: bool, **fit_params: Any) -> Self:
        """Train by the recipe, with torch seeded; leave torch's own generator as it was."""
        if starts_anew:
            self.recipe_ = self.choose_recipe(len(dataset))
        devices = [self.compute_device] if self.compute_device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(self.random_generator_.integers(2**63)))
            recipe = getattr(self, "recipe_", {})
            self._plan = {name: recipe[name] for name in recipe if not self.is_set(name)}
            try:
                if starts_anew:
                    self.initialize()
                self._train(dataset, _routing_method=method, **fit_params)
            finally:
                del self._plan
        self.check_finite("After training, the network")
        return self

    def check_finite(self, what: str) -> None:
        """Raise TrainingError where weights that can be learned are no finite numbers."""
        named = self.get_all_learnable_params()
        check_finite({name: p for name, p in named if p.requires_grad}, what)

    def _train(self, dataset: Any, epochs: int | None = None, **fit_params: Any) -> Self:
        """Train, and show how far it has come, unless each pass is printed."""
        if not self.initialized_:
            self.initialize()
        n_passes = self.planned("max_epochs") if epochs is None else epochs
        verbose = 0 if self.verbose or not self.is_main_process else self.verbose
        with progress("Training", n_passes, verbose=verbose) as work:
            shown = ("progress", ShowProgress(work))
            self.callbacks_.append(shown)
            try:
                return self._make_passes(dataset, epochs=epochs, **fit_params)
            finally:
                self.callbacks_.remove(shown)

    def _make_passes(self, dataset: Any, **fit_params: Any) -> Self:
        """Do as skorch's `partial_fit`, which takes whatever interrupts for the end."""
        self.notify("on_train_begin", X=dataset, y=None)
        try:
            self.fit_loop(dataset, None, **fit_params)
        except KeyboardInterrupt as interrupt:
            *_, (frame, _) = traceback.walk_tb(interrupt.__traceback__)
            if frame.f_code is not EarlyStopping.on_epoch_end.__code__:
                for callback in self._resumable_checkpoints():
                    interrupt.add_note(callback.describe())
                raise
        self.notify("on_train_end", X=dataset, y=None)
        return self

    def _resumable_checkpoints(self) -> list[ResumableCheckpoint]:
        callbacks = (callback for _, callback in self.callbacks_)
        return [callback for callback in callbacks if isinstance(callback, ResumableCheckpoint)]

    # -- the training loop -----------------------------------------------------------------------

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **fit_params: Any) -> Self:
        """Make the passes that a checkpoint does not hold already."""
        n_passes = self.planned("max_epochs") if epochs is None else epochs
        for callback in self._resumable_checkpoints():
            n_passes -= callback.resume(self, X)
            self.check_finite("The training that is to go on")
        return super().fit_loop(X, y, n_passes, **fit_params)

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        """Set nights aside, with the classifier's own seed where `train_split` has none."""
        split = self.planned("train_split")
        if isinstance(split, ValidationNights):
            return split.seeded(self.split_seed_)(X)
        return split(X, **fit_params) if split else (X, None)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return the batches, in training as `sampling` and `target_batch_size` say."""
        if not training:
            return super().get_iterator(dataset)
        parameters = self.get_params_for("iterator_train") | self.sampling(dataset)
        if parameters["batch_size"] == -1:
            parameters["batch_size"] = len(dataset)
        iterator = self.iterator_train(dataset, **parameters)
        batches_per_step = self._batches_per_step(parameters["batch_size"])
        self.steps_per_pass_ = math.ceil(len(iterator) / batches_per_step)
        return iterator

    def _batches_per_step(self, batch_size: int) -> int:
        size = self.target_batch_size
        if size is None:
            return 1
        if size < 1 or size % batch_size:
            raise ValueError(
                f"target_batch_size={size} must be a multiple of batch_size={batch_size}, the "
                f"{self._counted} that are held in memory."
            )
        return int(size // batch_size)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Make a pass over batches."""
        if training:
            self._accumulation = Accumulation(n_batches_left=len(iterator))
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)

    @property
    def n_batches_left(self) -> int:
        """Batches of a pass of the training that are yet to come."""
        return self._accumulation.n_batches_left

    def completes_step(self, batch: Any) -> bool:
        """Return whether the weights change after a batch; the last step may have fewer rows."""
        target, waiting = self.target_batch_size, self._accumulation
        return target is None or waiting.size + batch.size >= target or not waiting.n_batches_left

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Add the gradient of a batch, and change the weights if `target_batch_size` is reached."""
        waiting = self._accumulation
        waiting.n_batches_left -= 1
        if self.target_batch_size is None:
            return super().train_step(batch, **fit_params)
        if not waiting.size:
            self._zero_grad_optimizer()
        is_complete = self.completes_step(batch)
        step: dict[str, Any] = self.train_step_single(batch, **fit_params)
        waiting.size += batch.size
        waiting.weight += batch.weight
        if is_complete:
            waiting.size, waiting.weight = 0, 0.0
            parameters = list(self.get_all_learnable_params())
            self.notify("on_grad_computed", named_parameters=parameters, batch=batch, training=True)
            self._step_optimizer(lambda: None)
        return step

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags

    # -- what comes of it ------------------------------------------------------------------------

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable class of each row, (n_rows,)."""
        most_probable = self.predict_proba(X).argmax(axis=1)
        return self.classes_[most_probable]

    def history_frame(self) -> pd.DataFrame:
        """Return a row for each pass of the training.

        See the function `sklearn_sleep.history_frame`.
        """
        self.check_is_fitted()
        rows = [
            {name: value for name, value in row.items() if np.isscalar(value)}
            for row in self.history.to_list()
        ]
        columns = {"epoch": "pass", "dur": "duration"}
        table = pd.DataFrame(rows).rename(columns=columns)
        counts = [name for name in table.columns if name.endswith("_batch_count")]
        return table.drop(columns=counts).set_index("pass")

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        *,
        revision: str | None = None,
        device: str = "cpu",
        **options: Any,
    ) -> Self:
        """Load a trained classifier; nothing in the files is executed.

        `VLMStager` reads adapters of peft as SleepVLM publishes them. It takes what the steps
        before it gave in its training.

        Parameters
        ----------
        source : path or str
            A folder, or ``"hf://user/name"`` for a model on the Hugging Face Hub, which needs
            ``sklearn_sleep[hub]``.
        revision : str, optional
            Branch, tag or commit on the hub.
        device : str, default="cpu"
            Torch device.
        **options
            Of a `VLMStager`, ``model``: where to load the model from to which an adapter belongs;
            where the adapter says if not given.
        """
        folder = find_folder(source, revision, files=cls._files)
        return cls.read_folder(folder, device=device, **options)

    def push_to_hub(
        self,
        repository: str,
        *,
        private: bool = False,
        revision: str | None = None,
        commit_message: str | None = None,
        **options: Any,
    ) -> str:
        """Upload the trained classifier to the Hugging Face Hub; return ``"hf://user/name"``.

        Needs ``sklearn_sleep[hub]`` and an account (``hf auth login``).

        Parameters
        ----------
        repository : str
            ``"user/name"``, made if need be.
        private : bool, default=False
            Whether a new repository is private.
        revision, commit_message : str, optional
            Branch, and what to write in its history.
        **options
            As `save_pretrained` takes them.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder, **options)
            return upload_folder(
                Path(folder),
                repository,
                private=private,
                revision=revision,
                commit_message=commit_message,
            )


def _are_callbacks(value: Any) -> bool:
    if isinstance(value, list | tuple):
        parts = [item[-1] if isinstance(item, tuple) and item else item for item in value]
        return all(hasattr(part, "on_train_begin") for part in parts)
    return value is None or (isinstance(value, str) and value == "disable")
