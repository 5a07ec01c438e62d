"""Wav2SleepClassifier: the wav2sleep network as a scikit-learn classifier."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.base import clone
from skorch.callbacks import GradientNormClipping
from torch import Tensor, nn

from sklearn_sleep.core.masking import check_mask_probability, draw_kept_signals
from sklearn_sleep.networks import make_wav2sleep
from sklearn_sleep.staging.checkpointing import CheckpointMixin
from sklearn_sleep.staging.diagnostics import attention_table
from sklearn_sleep.staging.recipes import recipe_for
from sklearn_sleep.training.augmentation import Augmentation
from sklearn_sleep.training.callbacks.failure_signs import WarnOfFailureSigns
from sklearn_sleep.training.callbacks.weight_average import WeightAverage
from sklearn_sleep.training.night_dataset import NightSample
from sklearn_sleep.training.night_net import NightNet
from sklearn_sleep.training.night_prediction import network_input
from sklearn_sleep.training.schedule import RecordSteps, StopEarly, ValidationNights, WarmUpDecay

__all__ = ["PUBLISHED_MASK_PROBABILITY", "Wav2SleepClassifier"]

PUBLISHED_MASK_PROBABILITY = {"ECG": 0.5, "PPG": 0.1, "ABD": 0.7, "THX": 0.7}
"""Masking probabilities of Carter & Tarassenko 2024."""


class Wav2SleepClassifier(CheckpointMixin, NightNet):
    """Stage sleep with the wav2sleep network, from any subset of the signals it was trained on.

    A skorch net whose samples are epochs and whose batches are nights. Whatever rows are asked
    for, the network reads the whole night around them; the loss and the score use the rows alone.
    In training, signals are masked at random, so that one model serves every subset of them.
    A signal is missing where the recording lacks it, where a boolean column of the epoch table
    with its name is ``False``, or where its samples are NaN. Missing and masked signals cost no
    computation.

    Parameters
    ----------
    module : callable or Module, default=make_wav2sleep
        The network; ``module__feature_dim`` and so on are its parameters.
    signals : sequence of str, optional
        Canonical names of the signals to use; all that occur in the training nights if not given.
    classes : array-like, optional
        All classes, where `y` may lack some.
    mask_probability : mapping of str to float, optional
        Probability of each signal to be masked in a training night; 0 for those that are not
        named. ``None`` takes the published ECG 0.5, PPG 0.1, ABD 0.7, THX 0.7. Single ones are
        reached by name: ``set_params(mask_probability__PPG=0.3)``.
    backup_signals : collection of str, default=("ECG", "PPG")
        Where all signals of a night would be masked, one of these that is there is kept.
    flip_polarity : bool, default=True
        Turn each signal of a training night upside down with probability 1/2, since electrodes
        are at times worn the wrong way round.
    augmentation : Augmentation, optional
        Further changes of training nights. Published: none. Its parameters are reached by name:
        ``set_params(augmentation__noise=0.1)``, which starts from ``Augmentation()`` where there
        is none.
    size : {"published", "auto"}, default="published"
        ``"auto"`` fits network and training to the number of training nights, as `recipe_for`
        says: parameters that are at their defaults take the values of the recipe.
    class_weight : "balanced", mapping or None, default=None
        Weights of the classes in the loss.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, of shuffling, masking and dropout. The same seed gives the
        same result, however many processes or cores compute it.
    kept_bytes : int, default=2**31
        Training nights are kept in memory once read, up to this many bytes; others are read anew
        in each epoch.
    target_batch_size : int, optional
        Nights in a step of the optimizer, a multiple of `batch_size`: gradients of that many
        nights are added up while `batch_size` nights are held in memory, with the result of a
        batch of them all. `batch_size` if not given.
    balance : str, optional
        Draw equally many nights from each cohort in a pass, as `BalancedSampler` says.
        ``"dataset"`` tells cohorts apart by the recordings' dataset; any other name is a column of
        the epoch table.
    precision : {"float32", "bfloat16"}, default="float32"
        Type in which the network computes its products. ``"bfloat16"`` takes half the memory and
        is faster where the processor has it; weights, norms and losses stay float32.
    criterion : type, default=CrossEntropyLoss
        Loss of each row; ``criterion__label_smoothing`` is its label smoothing (published: 0).
    optimizer : type, default=AdamW
        Optimizer.
    optimizer__weight_decay : float, default=1e-4
        Its weight decay.
    lr : float, default=1e-3
        Highest learning rate. It rises and decays as `WarmUpDecay` says.
    max_epochs : int, default=50
        Passes over the nights.
    batch_size : int, default=16
        Nights in a batch.
    train_split : callable or None, default=ValidationNights(0.15)
        Sets nights aside to validate on, by subject. Training stops when their loss has not
        improved for some passes, and the best weights are restored.
    patience : int, default=5
        Passes without improvement.
    callbacks : list of (str, Callback), optional
        Further skorch callbacks, such as `ResumableCheckpoint`. Beside those of skorch there are
        ``learning_rate`` (`WarmUpDecay`), ``weight_average`` (`WeightAverage`, off),
        ``gradient_clipping`` (at norm 1.0, as published), ``early_stopping``, ``steps``
        (`RecordSteps`) and ``failure_signs`` (`WarnOfFailureSigns`). Their parameters are reached
        by name: ``set_params(callbacks__weight_average__decay=0.999)``.
    verbose : int, default=0
        Print each pass.
    device : str, default="cpu"
        Torch device.
    **kwargs
        Further parameters of `skorch.NeuralNet`, and of its parts by ``part__parameter``.
        ``compile=True`` compiles the encoders (`Wav2Sleep.compile_encoders`);
        ``module__gradient_checkpointing=True`` trains in less memory.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    class_prior_ : ndarray of shape (n_classes,)
        Part of each in the training rows: the prediction for a night without usable signals.
    signals_ : tuple of str
        The signals that the network takes.
    recipe_ : dict
        The parameters that `size` has chosen; empty for the published size.
    history_ : History
        skorch's record of the training.

    See Also
    --------
    sklearn_sleep.preprocessing.EDFReader : First step of a pipeline that ends here.
    sklearn_sleep.pretrained_pipeline : A trained classifier with the steps before it.

    References
    ----------
    Carter & Tarassenko, "wav2sleep: A Unified Multi-Modal Approach to Sleep Stage Classification
    from Physiological Signals", ML4H 2024, arXiv 2411.04644.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_sleep.preprocessing import EDFReader, Epocher, Normalizer, Resampler
    >>> pipeline = make_pipeline(
    ...     EDFReader(["ECG", "THX"]), Resampler(), Normalizer(), Epocher(),
    ...     Wav2SleepClassifier(mask_probability={"ECG": 0.5, "THX": 0.7}, random_state=0),
    ... )
    >>> pipeline = pipeline.set_params(wav2sleepclassifier__mask_probability__ECG=0.3)
    """

    def __init__(
        self,
        module: Callable[..., nn.Module] | nn.Module = make_wav2sleep,
        *,
        signals: Sequence[str] | None = None,
        classes: npt.ArrayLike | None = None,
        mask_probability: Mapping[str, float] | None = None,
        backup_signals: Collection[str] = ("ECG", "PPG"),
        flip_polarity: bool = True,
        augmentation: Augmentation | None = None,
        size: Literal["published", "auto"] = "published",
        class_weight: str | Mapping[Any, float] | None = None,
        random_state: int | np.random.RandomState | None = None,
        kept_bytes: int = 2**31,
        target_batch_size: int | None = None,
        balance: str | None = None,
        precision: Literal["float32", "bfloat16"] = "float32",
        criterion: type[nn.Module] = nn.CrossEntropyLoss,
        optimizer: type[torch.optim.Optimizer] = torch.optim.AdamW,
        optimizer__weight_decay: float = 1e-4,
        lr: float = 1e-3,
        max_epochs: int = 50,
        batch_size: int = 16,
        train_split: Any = ValidationNights(),  # noqa: B008  it holds no state
        patience: int = 5,
        callbacks: Any = None,
        verbose: int = 0,
        device: str | None = "cpu",
        **kwargs: Any,
    ) -> None:
        self.signals = signals
        self.classes = classes
        self.mask_probability = mask_probability
        self.backup_signals = backup_signals
        self.flip_polarity = flip_polarity
        self.augmentation = augmentation
        self.size = size
        self.class_weight = class_weight
        self.random_state = random_state
        self.kept_bytes = kept_bytes
        self.target_batch_size = target_batch_size
        self.balance = balance
        self.precision = precision
        self.patience = patience
        super().__init__(
            module,
            criterion,
            optimizer=optimizer,
            optimizer__weight_decay=optimizer__weight_decay,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            train_split=train_split,
            callbacks=callbacks,
            verbose=verbose,
            device=device,
            **kwargs,
        )

    def set_params(self, **params: Any) -> Self:
        """Set parameters, ``mask_probability__<signal>`` and ``augmentation__<name>`` among them.

        Parameters
        ----------
        **params
            Parameters by name.

        Returns
        -------
        self
        """
        if of_signals := _take(params, "mask_probability__"):
            current = params.get("mask_probability", self.mask_probability)
            params["mask_probability"] = {
                **(PUBLISHED_MASK_PROBABILITY if current is None else current),
                **of_signals,
            }
        if of_augmentation := _take(params, "augmentation__"):
            augmentation = params.get("augmentation", self.augmentation)
            # That of another classifier, of which this one is a clone, must not change.
            augmentation = Augmentation() if augmentation is None else clone(augmentation)
            params["augmentation"] = augmentation.set_params(**of_augmentation)
        return super().set_params(**params)

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        *scores, log = super()._default_callbacks
        return [
            *scores,
            ("steps", RecordSteps()),
            ("gradient_clipping", GradientNormClipping(1.0)),
            ("learning_rate", WarmUpDecay()),
            # Validation and early stopping come after it and see the average.
            ("weight_average", WeightAverage(None)),
            ("early_stopping", StopEarly(patience=self.patience, load_best=True)),
            ("failure_signs", WarnOfFailureSigns()),
            log,
        ]

    def initialize(self) -> Self:
        """Make the network and the parts of its training, with random weights."""
        check_mask_probability(self._mask_probability)
        if self.augmentation is not None:
            self.augmentation.check()
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision={self.precision!r} must be 'float32' or 'bfloat16'.")
        return super().initialize()

    def infer(self, x: Any, **fit_params: Any) -> Tensor:
        """Return the logits of nights, computed with the `precision` asked for.

        Parameters
        ----------
        x : dict
            What the network takes.
        **fit_params
            Used by skorch.

        Returns
        -------
        Tensor of float32, shape (batch, n_epochs, n_classes)
        """
        lower = self.precision == "bfloat16"
        with torch.autocast(self.compute_device.type, torch.bfloat16, enabled=lower):
            return super().infer(x, **fit_params).float()

    def choose_recipe(self, n_nights: int) -> dict[str, Any]:
        """Return the parameters that `size` chooses for training nights of `signals_`.

        Parameters
        ----------
        n_nights : int
            Training nights.

        Returns
        -------
        dict
            Parameters that are at their defaults, by name.

        Raises
        ------
        ValueError
            If `size` is not known.
        """
        if self.size not in ("published", "auto"):
            raise ValueError(f"size={self.size!r} must be 'published' or 'auto'.")
        if self.size == "published":
            return {}
        defaults = inspect.signature(Wav2SleepClassifier.__init__).parameters
        return {
            name: value
            for name, value in recipe_for(n_nights, self.signals_).items()
            if (
                name not in vars(self)
                if "__" in name
                else repr(getattr(self, name)) == repr(defaults[name].default)
            )
        }

    def epoch_attention(self, X: Any, *, layer: int = -1) -> pd.DataFrame:
        """Return how much the epoch mixer attends to each signal, (n_rows, n_columns).

        See the function `sklearn_sleep.epoch_attention`.
        """
        return attention_table(self, X, layer)

    @property
    def _mask_probability(self) -> Mapping[str, float]:
        return (
            PUBLISHED_MASK_PROBABILITY if self.mask_probability is None else self.mask_probability
        )

    @property
    def always_masked(self) -> tuple[str, ...]:
        """Signals that training masks in each night that has another one."""
        certain = [name for name in self.signals_ if self._mask_probability.get(name, 0) >= 1]
        backup = set(self.signals_).intersection(self.backup_signals or ())
        if len(certain) == len(self.signals_) and not backup:
            return ()  # each may be the one that is kept
        return tuple(name for name in certain if name not in backup)

    def augment(self, night: NightSample, rng: np.random.Generator) -> dict[str, Any]:
        """Mask signals of a training night, turn some upside down, and change them further.

        Parameters
        ----------
        night : NightSample
            The night; it must not be changed.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        dict
            What the network takes.
        """
        kept = draw_kept_signals(tuple(night.x), self._mask_probability, self.backup_signals, rng)
        flipped = rng.random(len(kept)) < 0.5 * self.flip_polarity
        x = {
            name: -night.x[name] if flip else night.x[name]
            for name, flip in zip(kept, flipped, strict=True)
        }
        if self.augmentation is not None:
            x = self.augmentation.apply(x, rng)
        return network_input(x, night.present)


def _take(params: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Remove the parameters that begin with a prefix, and return them without it."""
    names = [name for name in params if name.startswith(prefix)]
    return {name.removeprefix(prefix): params.pop(name) for name in names}
