"""Parts of the training loop: validation nights, learning rate, early stopping, records."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import GroupShuffleSplit
from skorch.callbacks import Callback, EarlyStopping
from torch.utils.data import Subset

from sklearn_sleep.core.messages import list_names
from sklearn_sleep.exceptions import TrainingError
from sklearn_sleep.training.night_dataset import NightDataset


@dataclass(eq=False)
class ValidationNights:
    """Set the nights of some subjects aside to validate on.

    Parameters
    ----------
    fraction : float, default=0.15
        Fraction of the subjects.
    minimum_subjects : int, default=5
        With fewer subjects than this, none is set aside.
    random_state : int, RandomState instance or None, default=0
        Seed of the choice. ``None`` takes it from the classifier's `random_state`; further calls of
        ``partial_fit`` then set the same subjects aside.
    """

    fraction: float = 0.15
    _: KW_ONLY
    minimum_subjects: int = 5
    random_state: int | np.random.RandomState | None = 0

    def __call__(
        self, dataset: NightDataset, y: None = None
    ) -> tuple[Subset[Any] | NightDataset, Subset[Any] | None]:
        """Return the nights to train on, and those to validate on or None."""
        subjects = dataset.subjects
        n_subjects = len(set(subjects))
        if n_subjects < self.minimum_subjects:
            return dataset, None
        splitter = GroupShuffleSplit(
            1,
            test_size=max(round(self.fraction * n_subjects), 1),
            random_state=self.random_state,
        )
        train, valid = next(splitter.split(np.zeros(len(subjects)), groups=subjects))
        return Subset(dataset, train.tolist()), Subset(dataset, valid.tolist())

    def seeded(self, seed: int) -> ValidationNights:
        """Return the same, with a seed where none was given."""
        return replace(self, random_state=seed) if self.random_state is None else self


def in_steps(value: float, n_steps: int, name: str) -> float:
    """Return a length of training, an integer or a fraction of it, in steps of the optimizer."""
    if isinstance(value, int | np.integer) and value >= 0:
        return int(value)
    if isinstance(value, float) and 0 <= value <= 1:
        return value * n_steps
    raise ValueError(
        f"{name}={value!r} must be a number of steps (an integer such as 2000) or a fraction of "
        "the training (a float from 0.0 to 1.0)."
    )


class WarmUpDecay(Callback):
    """Raise the learning rate linearly, then let it decay exponentially.

    At step ``s`` (from 1) the rate is ``lr * s / warm_up`` up to the end of the warm-up, and ``lr *
    exp(-(s - warm_up) / time_constant)`` after it. Both lengths are steps of the optimizer where
    they are integers, and fractions of the training where they are floats. Published (the wav2sleep
    repository's configuration, 2026): 2000 and 10000, for some 50 passes over 10,000 nights in
    batches of 16. A training of 30 nights has a hundred steps and would end in the midst of that
    warm-up; hence the defaults, which give the same shape at any length.
    """

    def __init__(self, warm_up: float = 0.1, time_constant: float = 0.3) -> None:
        self.warm_up = warm_up
        self.time_constant = time_constant

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start counting."""
        self.step_ = 0

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Find how many steps there are."""
        n_steps = net.planned("max_epochs") * net.steps_per_pass_
        self.warm_up_steps_ = max(in_steps(self.warm_up, n_steps, "warm_up"), 1)
        self.decay_steps_ = in_steps(self.time_constant, n_steps, "time_constant")
        if not self.decay_steps_:
            raise ValueError("time_constant=0 lets the learning rate vanish; it must be more.")

    def on_batch_begin(self, net: Any, batch: Any = None, training: bool = False, **_: Any) -> None:
        """Set the learning rate of the step that the batch belongs to."""
        if not training:
            return
        step = self.step_ + 1
        if step <= self.warm_up_steps_:
            factor = step / self.warm_up_steps_
        else:
            factor = math.exp(-(step - self.warm_up_steps_) / self.decay_steps_)
        rate = net.planned("lr")
        for group in net.optimizer_.param_groups:
            # Groups of parameters may have rates of their own, which keep their ratio.
            if rate:
                highest = rate * group.setdefault("relative_rate", group["lr"] / rate)
            else:  # some may learn though the others do not
                highest = group.setdefault("highest_rate", group["lr"])
            group["lr"] = highest * factor

    def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
        """Count the step, which may take several batches."""
        self.step_ += 1


class StopEarly(EarlyStopping):
    """skorch's `EarlyStopping`, which does nothing where no nights were set aside.

    The weights of the best epoch are restored at the end of training.
    """

    def on_epoch_end(self, net: Any, dataset_valid: Any = None, **kwargs: Any) -> None:
        """Compare the epoch with the best so far."""
        if dataset_valid is not None:
            super().on_epoch_end(net, **kwargs)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Restore the best weights, if there are any."""
        if self.best_model_weights_ is not None:
            super().on_train_end(net, **kwargs)


class RecordSteps(Callback):
    """Record the learning rate and the gradient of each pass in the history.

    ``learning_rate`` is that of the pass's last step, the highest one where groups of parameters
    have their own; ``gradient_norm`` is the mean over its steps of the gradient's Euclidean norm
    before it is clipped. Where it or a loss is no finite number, a
    `TrainingError` names the nights of the batch before any weight has changed.
    """

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Start a pass."""
        self.norms_: list[float] = []

    def on_grad_computed(
        self, net: Any, named_parameters: Any, batch: Any = None, **kwargs: Any
    ) -> None:
        """Take the norm of the gradient."""
        norms = [p.grad.norm() for _, p in named_parameters if p.grad is not None]
        # Where no night of a batch has a signal, there is no gradient.
        self.norms_.append(float(torch.stack(norms).norm()) if norms else 0.0)
        self._check_finite("gradient", self.norms_[-1], net, batch)

    def on_batch_end(
        self, net: Any, batch: Any = None, loss: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Look at the loss."""
        if loss is not None:
            self._check_finite("loss", float(loss), net, batch)

    @staticmethod
    def _check_finite(what: str, value: float, net: Any, batch: Any) -> None:
        if not math.isfinite(value):
            raise TrainingError(
                f"The {what} of {list_names(batch.names, 8)} is {value}: the training has "
                f"diverged. A smaller learning rate than lr={net.planned('lr'):g} may help, or "
                "samples are far too large; Normalizer() brings them to a standard deviation of 1."
            )

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Write into the history."""
        rates = [float(group["lr"]) for group in net.optimizer_.param_groups]
        net.history.record("learning_rate", max(rates))
        net.history.record("gradient_norm", float(np.mean(self.norms_)))
