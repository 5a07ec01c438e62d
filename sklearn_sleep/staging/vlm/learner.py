"""AnswerLearner: a skorch net whose batches are conversations, and which learns the answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils import check_random_state
from skorch import NeuralNet
from skorch.callbacks import GradientNormClipping
from torch import Tensor

from sklearn_sleep.staging.vlm.conversation import IGNORED
from sklearn_sleep.staging.vlm.image_dataset import AnswerBatch, Collate
from sklearn_sleep.training.callbacks.resumable import ResumesMixin
from sklearn_sleep.training.schedule import RecordSteps, StopEarly, WarmUpDecay

__all__ = ["AnswerLearner"]


class AnswerLearner(ResumesMixin, ClassifierMixin, NeuralNet):
    """Learns what to answer to a question about images.

    The loss of a row is the mean over the tokens of its answer, that of a batch the weighted mean
    over its rows.

    A derived class sets the attributes of `VLMStager`'s parameters in its constructor, and
    ``backbone_`` and ``_conversation`` before it is initialized.
    """

    # Tokens with which all answers begin, so that they are not learned.
    _n_given = 0
    # Of an adapter that was loaded.
    _adapter_options: Mapping[str, Any] | None = None

    @property
    def compute_device(self) -> torch.device:
        """Where the model computes."""
        return torch.device(self.device)

    @property
    def is_main_process(self) -> bool:
        """Whether this process writes files, of several that train together."""
        return True

    @property
    def weights_dtype(self) -> torch.dtype:
        """Type in which the model is kept."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        *scores, log = super()._default_callbacks
        return [
            *scores,
            ("steps", RecordSteps()),
            ("gradient_clipping", GradientNormClipping(1.0)),
            ("learning_rate", WarmUpDecay(warm_up=0.05)),
            ("early_stopping", StopEarly(patience=self.patience, load_best=True)),
            log,
        ]

    def get_params_for(self, prefix: str) -> dict[str, Any]:
        """Return the parameters of a part.

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
            params.setdefault("model", self.backbone_.model)
            params.setdefault("adapter_options", self._adapter_options)
            for name in (
                "tuning",
                "train_vision",
                "lora_rank",
                "lora_alpha",
                "lora_dropout",
                "gradient_checkpointing",
            ):
                params.setdefault(name, getattr(self, name))
        elif prefix == "criterion":
            # Rows are weighed one by one, and answers may differ in length.
            params.update(reduction="none", ignore_index=IGNORED)
        elif prefix in ("iterator_train", "iterator_valid"):
            params.setdefault("collate_fn", Collate(self._conversation, self._n_given))
            params.setdefault("shuffle", prefix == "iterator_train")
        return params

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return the batches of rows.

        Parameters
        ----------
        dataset : Dataset
            The rows.
        training : bool, default=False
            Whether to train on them.

        Returns
        -------
        iterable of AnswerBatch
        """
        iterator = super().get_iterator(dataset, training=training)
        if training:
            size = self.batch_size if self.target_batch_size is None else self.target_batch_size
            self.steps_per_pass_ = math.ceil(len(dataset) / size)
        return iterator

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Make a pass over rows.

        Parameters
        ----------
        iterator : iterable of AnswerBatch or None
            The rows.
        training : bool
            Whether to train on them.
        prefix : str
            Of the names in the history.
        step_fn : callable
            Takes a batch.
        **fit_params
            Used by skorch.
        """
        if iterator is None:
            return
        n_batches = len(iterator)
        self._summed_rows, self._summed_weight = 0, 0.0
        for number, batch in enumerate(iterator):
            self.notify("on_batch_begin", batch=batch, training=training)
            self._is_last_batch = number == n_batches - 1
            step = step_fn(batch, **fit_params)
            self.history.record_batch(f"{prefix}_loss", step["loss"].item())
            self.history.record_batch(f"{prefix}_batch_size", batch.n_rows)
            self.notify("on_batch_end", batch=batch, training=training, **step)
        self.history.record(f"{prefix}_batch_count", n_batches)

    def train_step(self, batch: AnswerBatch, **fit_params: Any) -> dict[str, Any]:
        """Add the gradient of a batch, and change the weights if there are rows enough.

        Parameters
        ----------
        batch : AnswerBatch
            The rows.
        **fit_params
            Used by skorch.

        Returns
        -------
        dict
            ``loss`` and ``y_pred``.
        """
        self._set_training(True)
        if not self._summed_rows:
            self._zero_grad_optimizer()
        losses, logits = self._losses(batch)
        weight = batch.weight.to(losses.device)
        total = (losses * weight).sum()
        total.backward()
        self._summed_rows += batch.n_rows
        self._summed_weight += float(weight.sum())
        size = self.batch_size if self.target_batch_size is None else self.target_batch_size
        if self._summed_rows >= size or self._is_last_batch:
            parameters = list(self.get_all_learnable_params())
            for _, parameter in parameters:
                if parameter.grad is not None and self._summed_weight:
                    parameter.grad /= self._summed_weight
            self._summed_rows, self._summed_weight = 0, 0.0
            self.notify("on_grad_computed", named_parameters=parameters, batch=batch, training=True)
            self._step_optimizer(lambda: None)
        return {"loss": total.detach() / (weight.sum() or 1.0), "y_pred": logits.detach()}

    def validation_step(self, batch: AnswerBatch, **fit_params: Any) -> dict[str, Any]:
        """Compute the loss of a batch without training.

        Parameters
        ----------
        batch : AnswerBatch
            The rows.
        **fit_params
            Used by skorch.

        Returns
        -------
        dict
            ``loss`` and ``y_pred``.
        """
        self._set_training(False)
        with torch.no_grad():
            losses, logits = self._losses(batch)
        weight = batch.weight.to(losses.device)
        return {"loss": (losses * weight).sum() / (weight.sum() or 1.0), "y_pred": logits}

    def infer(self, x: Mapping[str, Tensor], n_logits: int = 1, **fit_params: Any) -> Tensor:
        """Return the logits of the last positions.

        Parameters
        ----------
        x : mapping of str to Tensor
            Inputs of the model.
        n_logits : int, default=1
            How many positions.
        **fit_params
            Used by skorch.

        Returns
        -------
        Tensor of float32, shape (n_rows, n_logits, vocabulary)
        """
        device = self.compute_device
        lower = self.precision == "bfloat16"
        inputs = {name: values.to(device) for name, values in x.items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=lower):
            return self.module_(n_logits, **inputs).float()

    def _losses(self, batch: AnswerBatch) -> tuple[Tensor, Tensor]:
        """Return the loss of each row, the mean over its answer's tokens, and the logits."""
        labels = batch.encoded.labels.to(self.compute_device)
        # What a position says is about the next one.
        logits = self.infer(batch.encoded.inputs, labels.shape[1] + 1)[:, :-1]
        losses = self.criterion_(logits.transpose(1, 2), labels)
        return losses.sum(dim=1) / (labels != IGNORED).sum(dim=1), logits

    @contextmanager
    def _training(self, *, starts_anew: bool = True) -> Iterator[None]:
        """Seed a training, and leave torch's generator as it was."""
        # A model that was loaded has not drawn anything yet.
        if starts_anew or not hasattr(self, "random_generator_"):
            random_state = check_random_state(self.random_state)
            seed, self.split_seed_ = (int(random_state.randint(2**31)) for _ in range(2))
            self.random_generator_ = np.random.default_rng(seed)
        devices = [self.compute_device] if self.compute_device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(self.random_generator_.integers(2**63)))
            yield
