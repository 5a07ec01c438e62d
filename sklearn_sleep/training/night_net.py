"""NightNet: a skorch net whose samples are epochs and whose batches are nights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from torch import nn

from sklearn_sleep.core.epochs import Epochs, warn_of_split_nights
from sklearn_sleep.training.callbacks.resumable import ResumesMixin
from sklearn_sleep.training.inputs import as_epochs
from sklearn_sleep.training.night_dataset import NightDataset
from sklearn_sleep.training.night_learning import NightLearner
from sklearn_sleep.training.sampling import BalancedSampler, cohorts_of
from sklearn_sleep.training.schedule import ValidationNights
from sklearn_sleep.training.targets import check_targets, encode

__all__ = ["NightNet"]


class NightNet(ResumesMixin, NightLearner):
    """Base of the classifiers that read whole nights.

    Whatever rows are asked for, the network reads the night around them; the loss and the score
    use the rows alone.

    A derived class sets the attributes ``signals``, ``classes``, ``class_weight``,
    ``random_state``, ``kept_bytes``, ``target_batch_size`` and ``balance`` in its constructor and
    may change `augment`.

    Attributes
    ----------
    steps_per_pass_ : int
        Optimizer steps in a pass over the training nights.
    """

    @property
    def always_masked(self) -> tuple[str, ...]:
        """Signals that training masks in each night that has another one."""
        return ()

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train on nights.

        Parameters
        ----------
        X : Epochs or mapping of str to array, n_rows long
            What the steps of a pipeline give, or arrays in memory.
        y : array-like of shape (n_rows,)
            Stages.
        sample_weight : array-like of shape (n_rows,), optional
            Weight of each row in the loss.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X, y or a parameter is not what it must be.
        """
        starts_anew = not (self.warm_start and self.initialized_)
        dataset = self._training_dataset(X, y, sample_weight, starts_anew=starts_anew)
        with self._training(dataset, starts_anew=starts_anew):
            return super().fit(dataset, None)

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        classes: npt.ArrayLike | None = None,
        sample_weight: Any = None,
        **fit_params: Any,
    ) -> Self:
        """Train on, from the weights that are there.

        Parameters
        ----------
        X : Epochs or mapping of str to array, n_rows long
            What the steps of a pipeline give, or arrays in memory.
        y : array-like of shape (n_rows,)
            Stages.
        classes : array-like, optional
            All classes; needed in the first call where `y` lacks some.
        sample_weight : array-like of shape (n_rows,), optional
            Weight of each row in the loss.
        **fit_params
            Used by skorch.

        Returns
        -------
        self
        """
        if isinstance(X, NightDataset):  # skorch's fit calls partial_fit
            return super().partial_fit(X, y, **fit_params)
        starts_anew = not self.initialized_
        dataset = self._training_dataset(
            X, y, sample_weight, starts_anew=starts_anew, classes=classes
        )
        with self._training(dataset, starts_anew=starts_anew):
            return super().partial_fit(dataset, None, **fit_params)

    def choose_recipe(self, n_nights: int) -> dict[str, Any]:
        """Return parameters for a number of training nights, instead of those of the constructor.

        Parameters
        ----------
        n_nights : int
            Training nights.

        Returns
        -------
        dict
            Parameters by name, ``part__parameter`` among them.
        """
        return {}

    @property
    def _recipe(self) -> dict[str, Any]:
        # A network that was loaded has none.
        return getattr(self, "recipe_", {})

    def get_params_for(self, prefix: str) -> dict[str, Any]:
        """Return the parameters of a part, those of the recipe among them.

        Parameters
        ----------
        prefix : str
            Name of the part.

        Returns
        -------
        dict
        """
        start = f"{prefix}__"
        chosen = {
            name.removeprefix(start): value
            for name, value in self._recipe.items()
            if name.startswith(start)
        }
        return chosen | super().get_params_for(prefix)

    def draw_seeds(self) -> tuple[int, int]:
        """Return the seeds of the training and of the choice of nights to validate on."""
        random_state = check_random_state(self.random_state)
        return int(random_state.randint(2**31)), int(random_state.randint(2**31))

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

    # -- the training loop -----------------------------------------------------------------------

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        """Set nights aside, with the classifier's own seed where `train_split` has none.

        Parameters
        ----------
        X : NightDataset
            All nights.
        y : None
            Ignored.
        **fit_params
            Used by skorch.

        Returns
        -------
        train, valid : Dataset, Dataset or None
        """
        if isinstance(self.train_split, ValidationNights):
            return self.train_split.seeded(self.split_seed_)(X)
        return super().get_split_datasets(X, y, **fit_params)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return the batches of nights.

        Parameters
        ----------
        dataset : NightDataset or Subset of one
            The nights.
        training : bool, default=False
            Whether to train on them, as `balance` and `target_batch_size` say.

        Returns
        -------
        iterable of NightBatch

        Raises
        ------
        ValueError
            If `balance` or `target_batch_size` does not fit.
        """
        if not training:
            return super().get_iterator(dataset)
        parameters = {"batch_size": self.batch_size, **self.get_params_for("iterator_train")}
        if parameters["batch_size"] == -1:
            parameters["batch_size"] = len(dataset)
        if self.balance is not None:
            parameters["sampler"] = BalancedSampler(cohorts_of(dataset, self.balance))
            parameters["shuffle"] = False
        iterator = self.iterator_train(dataset, **parameters)
        batches_per_step = self._batches_per_step(parameters["batch_size"])
        self.steps_per_pass_ = math.ceil(len(iterator) / batches_per_step)
        return iterator

    def torch_compile(self, module: nn.Module, name: str) -> nn.Module:
        """Compile the network if `compile` is set, as it says itself where it can.

        Parameters
        ----------
        module : Module
            The network or the criterion.
        name : str
            Its name.

        Returns
        -------
        Module
        """
        compile_encoders = getattr(module, "compile_encoders", None)
        if not self.compile or name == "criterion":
            return module
        if compile_encoders is None:
            return super().torch_compile(module, name)
        compile_encoders(**self.get_params_for("compile"))
        return module

    # -- parts -----------------------------------------------------------------------------------

    def _training_dataset(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        starts_anew: bool,
        classes: npt.ArrayLike | None = None,
    ) -> NightDataset:
        epochs = as_epochs(X, type(self).__name__)
        y = check_targets(y, len(epochs))
        warn_of_split_nights(epochs)
        if starts_anew:
            self.classes_ = np.unique(y if classes is None else classes)
            if classes is None and self.classes is not None:
                self.classes_ = np.unique(self.classes)
            self._choose_signals(epochs)
        # A network that was loaded has not drawn anything yet.
        if starts_anew or not hasattr(self, "random_generator_"):
            seed, self.split_seed_ = self.draw_seeds()
            self.random_generator_ = np.random.default_rng(seed)
        self.check_samples_per_epoch(epochs)
        codes = encode(y, self.classes_)
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
        if weight.shape != codes.shape:
            raise ValueError(
                f"sample_weight must have the shape {codes.shape}, but has {weight.shape}."
            )
        if self.class_weight is not None:
            weight = weight * compute_sample_weight(self.class_weight, y)
        if starts_anew:
            counts = np.bincount(codes, weights=weight, minlength=len(self.classes_))
            self.class_prior_ = counts / counts.sum()
        return NightDataset(epochs, self.signals_, codes, weight, kept_bytes=self.kept_bytes)

    def _choose_signals(self, epochs: Epochs) -> None:
        """Settle which signals the network takes, and at which rates."""
        rates = epochs.samples_per_epoch
        self.signals_ = tuple(rates if self.signals is None else self.signals)
        lacking = [name for name in self.signals_ if name not in rates]
        if lacking or not self.signals_:
            raise ValueError(
                f"None of the training nights has the signal(s) {lacking or 'asked for'}; "
                f"they have {list(rates)}."
            )
        self.samples_per_epoch_ = {name: rates[name] for name in self.signals_}

    def _batches_per_step(self, batch_size: int) -> int:
        if self.target_batch_size is None:
            return 1
        if self.target_batch_size < 1 or self.target_batch_size % batch_size:
            raise ValueError(
                f"target_batch_size={self.target_batch_size} must be a multiple of "
                f"batch_size={batch_size}, the nights that are held in memory."
            )
        return self.target_batch_size // batch_size

    @contextmanager
    def _training(self, dataset: NightDataset, *, starts_anew: bool) -> Iterator[None]:
        """Seed torch for a training and put the recipe's parameters in; leave all as it was."""
        if starts_anew:
            self.recipe_ = self.choose_recipe(len(dataset))
        given = {name: getattr(self, name) for name in self._recipe if "__" not in name}
        devices = [self.compute_device] if self.compute_device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(self.random_generator_.integers(2**63)))
            try:
                for name in given:
                    setattr(self, name, self._recipe[name])
                yield
            finally:
                for name, value in given.items():
                    setattr(self, name, value)
