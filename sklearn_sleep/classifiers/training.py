"""Parts of the training loop: validation nights, learning rate, early stopping."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.model_selection import GroupShuffleSplit
from skorch.callbacks import Callback, EarlyStopping
from torch.utils.data import Subset

from sklearn_sleep.classifiers.night_dataset import NightDataset

__all__ = ["StopEarly", "ValidationNights", "WarmUpDecay"]


class ValidationNights:
    """Set the nights of some subjects aside to validate on.

    Parameters
    ----------
    fraction : float, default=0.15
        Fraction of the subjects.
    minimum_subjects : int, default=5
        With fewer subjects than this, none is set aside.
    random_state : int, RandomState instance or None, default=0
        Seed of the choice.
    """

    def __init__(
        self,
        fraction: float = 0.15,
        *,
        minimum_subjects: int = 5,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.fraction = fraction
        self.minimum_subjects = minimum_subjects
        self.random_state = random_state

    def __call__(
        self, dataset: NightDataset, y: None = None
    ) -> tuple[Subset[Any] | NightDataset, Subset[Any] | None]:
        """Split the nights.

        Parameters
        ----------
        dataset : NightDataset
            All nights.
        y : None
            Ignored.

        Returns
        -------
        train : Dataset
            Nights to train on.
        valid : Dataset or None
            Nights to validate on.
        """
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

    def __repr__(self) -> str:
        return f"ValidationNights({self.fraction}, minimum_subjects={self.minimum_subjects})"


class WarmUpDecay(Callback):
    """Raise the learning rate linearly, then let it decay exponentially.

    The shape is the published one (2,000 steps of warm-up, time constant 10,000 steps, for 50
    epochs of 10,000 nights); here it is scaled to the number of steps that the training has.

    Parameters
    ----------
    warm_up : float, default=0.1
        Part of the training in which the rate rises to the optimizer's ``lr``.
    time_constant : float, default=0.3
        Part of the training in which it then falls by a factor of e.
    """

    def __init__(self, warm_up: float = 0.1, time_constant: float = 0.3) -> None:
        self.warm_up = warm_up
        self.time_constant = time_constant

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start counting."""
        self.step_ = 0

    def on_epoch_begin(self, net: Any, dataset_train: Any = None, **kwargs: Any) -> None:
        """Find how many steps there are."""
        batch_size = net.get_params_for("iterator_train").get("batch_size", net.batch_size)
        batch_size = len(dataset_train) if batch_size == -1 else batch_size
        self.n_steps_ = net.max_epochs * math.ceil(len(dataset_train) / batch_size)

    def on_batch_begin(self, net: Any, batch: Any = None, training: bool = False, **_: Any) -> None:
        """Set the learning rate of the step."""
        if not training:
            return
        self.step_ += 1
        warm_up = max(self.warm_up * self.n_steps_, 1)
        if self.step_ <= warm_up:
            factor = self.step_ / warm_up
        else:
            factor = math.exp(-(self.step_ - warm_up) / (self.time_constant * self.n_steps_))
        for group in net.optimizer_.param_groups:
            # Groups of parameters may have rates of their own, which keep their ratio.
            ratio = group.setdefault("relative_rate", group["lr"] / net.lr if net.lr else 1.0)
            group["lr"] = net.lr * ratio * factor


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
