"""WeightAverage: predict with the moving average of the weights."""

from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor

from sklearn_sleep.training.schedule import in_steps


class WeightAverage(Callback):
    """Average the weights over the steps of training, exponentially.

    After each optimizer step from `start` on, ``average = d * average + (1 - d) * weights`` with
    ``d = min(decay, (1 + n) / (10 + n))`` at the n-th update (as in TensorFlow's
    ``ExponentialMovingAverage(num_updates=...)``), so that the average is not held back by the
    first weights it saw. The average is what is validated, compared by early stopping and predicted
    with; training itself goes on from the weights as they are. The deep classifiers have it under
    the name ``weight_average``, off as published: a decay of 0.9999 looks back over 10,000 steps,
    of which a training on tens of nights has a hundred.

    Parameters
    ----------
    decay : float or None, default=0.9999
        Weight of the average so far, from 0 to below 1. The default is that of the published
        implementation (its callback ``ema``, 2026). ``None`` turns averaging off.
    start : int or float, default=0.1
        When averaging begins: an integer is a number of steps (published: ``2000``), a float a
        fraction of the training.
    """

    def __init__(self, decay: float | None = 0.9999, start: float = 0.1) -> None:
        self.decay = decay
        self.start = start

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Check the parameters and start counting."""
        if not (
            self.decay is None or (isinstance(self.decay, int | float) and 0 <= self.decay < 1)
        ):
            raise ValueError(
                f"decay={self.decay!r} must be from 0 to below 1, or None for no average."
            )
        self.step_ = 0
        self.n_updates_ = 0
        self.has_stepped_ = False
        self.average_: dict[str, Tensor] | None = None
        self.weights_: dict[str, Tensor] | None = None

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Find the step at which averaging begins."""
        self.start_step_ = in_steps(
            self.start, net.planned("max_epochs") * net.steps_per_pass_, "start"
        )

    def on_batch_begin(self, net: Any, batch: Any = None, training: bool = False, **_: Any) -> None:
        """Put the weights in that the batch is computed with."""
        if not training:
            self._use_average(net)
        elif self.weights_ is not None:
            net.module_.load_state_dict(self.weights_)
            self.weights_ = None

    def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
        """Note that a step is about to follow, which is not so after each batch."""
        self.step_ += 1
        self.has_stepped_ = True

    def on_batch_end(self, net: Any, batch: Any = None, training: bool = False, **_: Any) -> None:
        """Update the average after a step."""
        if not (training and self.has_stepped_):
            return
        self.has_stepped_ = False
        if self.decay is not None and self.step_ >= self.start_step_:
            self._update(net.module_.state_dict(), self.decay)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Leave the average in for the callbacks that follow."""
        self._use_average(net)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Leave the average in, and keep no second copy."""
        self._use_average(net)
        self.average_ = self.weights_ = None

    def _update(self, weights: dict[str, Tensor], decay: float) -> None:
        if self.average_ is None:
            self.average_ = {name: value.detach().clone() for name, value in weights.items()}
            return
        self.n_updates_ += 1
        decay = min(decay, (1 + self.n_updates_) / (10 + self.n_updates_))
        with torch.no_grad():
            for name, average in self.average_.items():
                if average.is_floating_point():
                    average.lerp_(weights[name], 1 - decay)
                else:  # a counter
                    average.copy_(weights[name])

    def _use_average(self, net: Any) -> None:
        if self.average_ is None or self.weights_ is not None:
            return
        weights = net.module_.state_dict()
        self.weights_ = {name: value.detach().clone() for name, value in weights.items()}
        net.module_.load_state_dict(self.average_)
