"""NightLearner: losses and gradients of nights, and the steps that are taken with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_sleep.networks.layers import dropout_seed
from sklearn_sleep.training.night_dataset import NightBatch, NightSample
from sklearn_sleep.training.night_prediction import (
    NightPredictor,
    network_input,
    nights_with_signals,
)
from sklearn_sleep.training.parallel import map_nights

__all__ = ["NightLearner"]


class NightLearner(NightPredictor):
    """Learns from the rows that fall in whole nights.

    The loss of a batch is the weighted mean over its rows. Gradients are computed night by night,
    several at a time, and summed in a fixed order.
    """

    # Nights whose gradients await a step, the sum of their rows' weights, and batches to come.
    _n_accumulated = 0
    _accumulated_weight = 0.0
    _n_batches_left = 0

    def augment(self, night: NightSample, rng: np.random.Generator) -> dict[str, Any]:
        """Return what the network takes of a training night.

        Parameters
        ----------
        night : NightSample
            The night; it must not be changed.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        dict
            As `network_input` makes it.
        """
        return network_input(night.x, night.present)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Make a pass over nights.

        Parameters
        ----------
        iterator : iterable of NightBatch or None
            The nights.
        training : bool
            Whether to train on them.
        prefix : str
            Of the names in the history.
        step_fn : callable
            Takes a batch.
        **fit_params
            Used by skorch.
        """
        if training:
            self._n_batches_left = len(iterator)
            self._n_accumulated, self._accumulated_weight = 0, 0.0
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)

    def train_step(self, batch: NightBatch, **fit_params: Any) -> dict[str, Any]:
        """Add the gradient of a batch, and change the weights if `target_batch_size` is reached.

        Parameters
        ----------
        batch : NightBatch
            The nights.
        **fit_params
            Used by skorch.

        Returns
        -------
        dict
            As `train_step_single`.
        """
        if self.target_batch_size is None:
            return super().train_step(batch, **fit_params)
        if not self._n_accumulated:
            self._zero_grad_optimizer()
        step = self.train_step_single(batch, **fit_params)
        self._n_accumulated += batch.n_nights
        self._accumulated_weight += batch.weight
        self._n_batches_left -= 1
        # The last step of a pass may have fewer nights.
        if self._n_accumulated >= self.target_batch_size or self._n_batches_left <= 0:
            self._n_accumulated, self._accumulated_weight = 0, 0.0
            parameters = self.get_all_learnable_params()
            self.notify(
                "on_grad_computed", named_parameters=list(parameters), batch=batch, training=True
            )
            self._step_optimizer(lambda: None)
        return step

    def train_step_single(self, batch: NightBatch, **fit_params: Any) -> dict[str, Any]:
        """Compute the loss of a batch and its gradient, night by night.

        Parameters
        ----------
        batch : NightBatch
            The nights.
        **fit_params
            Used by skorch.

        Returns
        -------
        dict
            ``loss``; ``y_pred`` with the logits of each night that has a signal;
            ``kept_signals`` with the signals of each that were not masked.
        """
        self._set_training(True)
        nights_with_signals(batch, "Nothing is learned from them.")
        parameters = [p for _, p in self.get_all_learnable_params() if p.requires_grad]
        weight = batch.weight
        # Where every weight is 0, so is the loss.
        total = self._accumulated_weight + weight or 1.0
        seeds = batch.part(self.random_generator_.integers(2**63, size=batch.n_nights))
        seeded = zip(batch.nights, seeds, strict=True)

        def differentiate(item: tuple[NightSample, int]) -> tuple[Tensor, Tensor, Any, Any]:
            night, seed = item
            rng = np.random.default_rng(seed)
            with dropout_seed(int(rng.integers(2**63))):
                augmented = self.augment(night, rng)
                logits = self.infer(augmented)[0]
                loss = self._sum_losses(logits, night) / total
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
            return loss.detach(), logits.detach(), gradients, tuple(augmented["x"])

        # Batch norm writes its running statistics night by night.
        in_turn = any(
            isinstance(part, nn.modules.batchnorm._BatchNorm) for part in self.module_.modules()
        )
        results = map_nights(
            differentiate,
            [(night, seed) for night, seed in seeded if night.x],
            device=self.compute_device,
            in_turn=in_turn,
        )
        loss = sum((loss for loss, *_ in results), torch.zeros((), device=self.compute_device))
        gradients: list[Tensor | None] = [None] * len(parameters)
        for _, _, of_night, _ in results:
            gradients = _add(gradients, of_night)
        loss, gradients = self.sum_over_processes(loss, gradients, parameters)
        # The gradient is of the mean over the rows of all batches until the next step.
        _scale_gradients(parameters, self._accumulated_weight / total)
        for parameter, gradient in zip(
            parameters, _add([p.grad for p in parameters], gradients), strict=True
        ):
            parameter.grad = gradient
        return {
            "loss": loss * (total / (weight or 1.0)),
            "y_pred": [logits for _, logits, _, _ in results],
            "kept_signals": [kept for *_, kept in results],
        }

    def validation_step(self, batch: NightBatch, **fit_params: Any) -> dict[str, Any]:
        """Compute the loss of a batch without training.

        Parameters
        ----------
        batch : NightBatch
            The nights.
        **fit_params
            Used by skorch.

        Returns
        -------
        dict
            ``loss``, and ``y_pred`` with the logits of each night.
        """
        nights = nights_with_signals(batch, "They are not validated on.")
        logits = self.evaluation_step(NightBatch(nights))
        losses = (
            self._sum_losses(of_night, night)
            for of_night, night in zip(logits, nights, strict=True)
        )
        loss, _ = self.sum_over_processes(
            sum(losses, torch.zeros((), device=self.compute_device)), [], []
        )
        return {"loss": loss / (batch.weight or 1.0), "y_pred": logits}

    @property
    def is_main_process(self) -> bool:
        """Whether this process writes files, of several that train together."""
        return True

    def sum_over_processes(
        self, loss: Tensor, gradients: list[Tensor | None], parameters: Sequence[nn.Parameter]
    ) -> tuple[Tensor, list[Tensor | None]]:
        """Return the loss and the gradients of the whole batch.

        Parameters
        ----------
        loss : Tensor of shape ()
            Loss of this process's nights.
        gradients : list of Tensor or None
            Their gradients; ``None`` where a parameter has no part in the loss.
        parameters : sequence of Parameter
            What the gradients are by.

        Returns
        -------
        loss : Tensor of shape ()
            Of the nights of all processes that train together.
        gradients : list of Tensor or None
            Likewise.
        """
        return loss, gradients

    def _sum_losses(self, logits: Tensor, night: NightSample) -> Tensor:
        losses = self.criterion_(logits[night.epoch], night.y.to(logits.device))
        return (losses * night.weight.to(logits.device)).sum()


def _scale_gradients(parameters: Sequence[nn.Parameter], factor: float) -> None:
    for parameter in parameters:
        if parameter.grad is not None and factor:
            parameter.grad *= factor


def _add(sums: Sequence[Tensor | None], gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Add gradients to sums, in place where there is one."""
    result: list[Tensor | None] = []
    for total, gradient in zip(sums, gradients, strict=True):
        if gradient is None:
            result.append(total)
        else:  # autograd's own tensors may share memory
            result.append(gradient.clone() if total is None else total.add_(gradient))
    return result
