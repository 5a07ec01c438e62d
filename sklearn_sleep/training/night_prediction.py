"""NightPredictor: a skorch net that predicts the stages of whole nights."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import ClassifierMixin
from skorch import NeuralNet
from torch import Tensor

from sklearn_sleep.core.epochs import Epochs
from sklearn_sleep.exceptions import MissingSignalWarning
from sklearn_sleep.training.callbacks.failure_signs import warn_of_constant_signals
from sklearn_sleep.training.inputs import as_epochs
from sklearn_sleep.training.night_dataset import (
    NightBatch,
    NightDataset,
    NightSample,
    collate_nights,
)
from sklearn_sleep.training.parallel import map_nights

__all__ = ["NightPredictor", "network_input", "nights_with_signals"]


class NightPredictor(ClassifierMixin, NeuralNet):
    """Predicts epochs from the whole night around them.

    A night without any usable signal gets the classes' prior probabilities.
    """

    @property
    def compute_device(self) -> torch.device:
        """Where the network computes."""
        return torch.device(self.device)

    def get_params_for(self, prefix: str) -> dict[str, Any]:
        """Return the parameters of a part, with the defaults that nights need.

        Parameters
        ----------
        prefix : str
            Name of the part.

        Returns
        -------
        dict
        """
        params = super().get_params_for(prefix)
        if prefix == "module":
            params.setdefault("signals", self.samples_per_epoch_)
            params.setdefault("n_classes", len(self.classes_))
        elif prefix == "criterion":
            # Rows are weighed one by one.
            params["reduction"] = "none"
        elif prefix in ("iterator_train", "iterator_valid"):
            params.setdefault("collate_fn", collate_nights)
            params.setdefault("shuffle", prefix == "iterator_train")
        return params

    def evaluation_step(self, batch: NightBatch, training: bool = False) -> tuple[Tensor, ...]:
        """Return the logits of each night of a batch.

        Parameters
        ----------
        batch : NightBatch
            The nights.
        training : bool, default=False
            Whether dropout is at work.

        Returns
        -------
        tuple of Tensor of shape (n_epochs, n_classes)
        """
        self._set_training(training)

        def stage(night: NightSample) -> Tensor:
            with torch.set_grad_enabled(training):
                return self.infer(network_input(night.x, night.present))[0]

        return tuple(map_nights(stage, batch.nights, device=self.compute_device))

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the probability of each stage.

        Parameters
        ----------
        X : Epochs or mapping of str to array, n_rows long
            What the steps of a pipeline give, or arrays in memory.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            Columns in the order of ``classes_``.

        Warns
        -----
        MissingSignalWarning
            If a night has no usable signal; its rows get the classes' prior probabilities.
        ConstantSignalWarning
            If a signal of a night is constant, as of a sensor that is off.
        """
        self.check_is_fitted()
        epochs = as_epochs(X, type(self).__name__)
        self.check_samples_per_epoch(epochs)
        probabilities = np.tile(self.class_prior_, (len(epochs), 1))
        for batch in self.get_iterator(NightDataset(epochs, self.signals_), training=False):
            nights = nights_with_signals(batch, "Their rows get the prior probabilities.")
            warn_of_constant_signals(nights)
            outputs = self.evaluation_step(NightBatch(nights))
            for night, logits in zip(nights, outputs, strict=True):
                of_epochs = torch.softmax(logits.double(), dim=1).cpu().numpy()
                probabilities[night.rows] = of_epochs[night.epoch]
        return probabilities

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable stage of each row.

        Parameters
        ----------
        X : Epochs or mapping of str to array, n_rows long
            What the steps of a pipeline give, or arrays in memory.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        most_probable = self.predict_proba(X).argmax(axis=1)
        return self.classes_[most_probable]

    def check_samples_per_epoch(self, epochs: Epochs) -> None:
        """Raise unless the signals come at the rates that the network was trained with.

        Parameters
        ----------
        epochs : Epochs
            What to predict.

        Raises
        ------
        ValueError
            Names the signal and both rates.
        """
        for name, found in epochs.samples_per_epoch.items():
            wanted = self.samples_per_epoch_.get(name, found)
            if found != wanted:
                raise ValueError(
                    f"{name} comes with {found} samples per epoch, but the network takes {wanted}. "
                    "Set Resampler(samples_per_epoch=...) as in training."
                )


def network_input(x: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return what the network takes for a batch of one night.

    Parameters
    ----------
    x : mapping of str to Tensor of shape (n_epochs, samples_per_epoch)
        Samples by signal.
    present : mapping of str to Tensor of bool, shape (n_epochs,)
        Which epochs have the signal.

    Returns
    -------
    dict
        ``x`` and ``present``, with a batch dimension.
    """
    return {
        "x": {name: samples[None] for name, samples in x.items()},
        "present": {name: present[name][None] for name in x},
    }


def nights_with_signals(batch: NightBatch, consequence: str) -> tuple[NightSample, ...]:
    """Return the nights that have a signal, and warn of the others.

    Parameters
    ----------
    batch : NightBatch
        The nights.
    consequence : str
        What becomes of the others, for the message.

    Returns
    -------
    tuple of NightSample

    Warns
    -----
    MissingSignalWarning
        Names the nights without any signal.
    """
    paths = [night.path for night in batch.nights if not night.x]
    if paths:
        msg = f"No usable signal in {', '.join(paths)}. {consequence}"
        warnings.warn(msg, MissingSignalWarning, stacklevel=3)
    return tuple(night for night in batch.nights if night.x)
