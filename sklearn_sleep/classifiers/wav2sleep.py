"""Wav2SleepClassifier: the wav2sleep network as a scikit-learn classifier."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from skorch import NeuralNet
from skorch.callbacks import GradientNormClipping
from torch import Tensor, nn

from sklearn_sleep.classifiers.inputs import as_epochs
from sklearn_sleep.classifiers.night_dataset import (
    NightBatch,
    NightDataset,
    NightSample,
    collate_nights,
)
from sklearn_sleep.classifiers.parallel import map_nights
from sklearn_sleep.classifiers.targets import check_targets, encode
from sklearn_sleep.classifiers.training import StopEarly, ValidationNights, WarmUpDecay
from sklearn_sleep.epochs import Epochs, warn_of_split_nights
from sklearn_sleep.exceptions import MissingSignalWarning
from sklearn_sleep.masking import check_mask_probability, draw_kept_signals
from sklearn_sleep.networks import Wav2Sleep
from sklearn_sleep.networks.blocks import dropout_seed

__all__ = ["PUBLISHED_MASK_PROBABILITY", "Wav2SleepClassifier"]

PUBLISHED_MASK_PROBABILITY = {"ECG": 0.5, "PPG": 0.1, "ABD": 0.7, "THX": 0.7}
"""Masking probabilities of Carter & Tarassenko 2024."""


class Wav2SleepClassifier(ClassifierMixin, NeuralNet):
    """Stage sleep with the wav2sleep network, from any subset of the signals it was trained on.

    A skorch net whose samples are epochs and whose batches are nights. Whatever rows are asked
    for, the network reads the whole night around them; the loss and the score use the rows alone.
    In training, signals are masked at random, so that one model serves every subset of them.
    A signal is missing where the recording lacks it, where a boolean column of the epoch table
    with its name is ``False``, or where its samples are NaN. Missing and masked signals cost no
    computation.

    Parameters
    ----------
    module : type or Module, default=Wav2Sleep
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
    class_weight : "balanced", mapping or None, default=None
        Weights of the classes in the loss.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, of shuffling, masking and dropout. The same seed gives the
        same result, however many processes or cores compute it.
    kept_bytes : int, default=2**31
        Training nights are kept in memory once read, up to this many bytes; others are read anew
        in each epoch.
    criterion : type, default=CrossEntropyLoss
        Loss of each row.
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
        Further skorch callbacks.
    verbose : int, default=0
        Print each pass.
    device : str, default="cpu"
        Torch device.
    **kwargs
        Further parameters of `skorch.NeuralNet`, and of its parts by ``part__parameter``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    class_prior_ : ndarray of shape (n_classes,)
        Part of each in the training rows: the prediction for a night without usable signals.
    signals_ : tuple of str
        The signals that the network takes.
    history_ : History
        skorch's record of the training.

    See Also
    --------
    sklearn_sleep.preprocessing.EDFReader : First step of a pipeline that ends here.

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
        module: type[nn.Module] | nn.Module = Wav2Sleep,
        *,
        signals: Sequence[str] | None = None,
        classes: npt.ArrayLike | None = None,
        mask_probability: Mapping[str, float] | None = None,
        backup_signals: Collection[str] = ("ECG", "PPG"),
        flip_polarity: bool = True,
        class_weight: str | Mapping[Any, float] | None = None,
        random_state: int | np.random.RandomState | None = None,
        kept_bytes: int = 2**31,
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
        device: str = "cpu",
        **kwargs: Any,
    ) -> None:
        self.signals = signals
        self.classes = classes
        self.mask_probability = mask_probability
        self.backup_signals = backup_signals
        self.flip_polarity = flip_polarity
        self.class_weight = class_weight
        self.random_state = random_state
        self.kept_bytes = kept_bytes
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

    # -- parameters ------------------------------------------------------------------------------

    def set_params(self, **params: Any) -> Self:
        """Set parameters, ``mask_probability__<signal>`` among them.

        Parameters
        ----------
        **params
            Parameters by name.

        Returns
        -------
        self
        """
        prefix = "mask_probability__"
        single = {key: params.pop(key) for key in list(params) if key.startswith(prefix)}
        if single:
            current = params.get("mask_probability", self.mask_probability)
            merged = dict(PUBLISHED_MASK_PROBABILITY if current is None else current)
            merged |= {key.removeprefix(prefix): value for key, value in single.items()}
            params["mask_probability"] = merged
        return super().set_params(**params)

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

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        *scores, log = super()._default_callbacks
        return [
            *scores,
            ("gradient_clipping", GradientNormClipping(1.0)),
            ("learning_rate", WarmUpDecay()),
            ("early_stopping", StopEarly(patience=self.patience, load_best=True)),
            log,
        ]

    # -- training --------------------------------------------------------------------------------

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
        with self._seeded():
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
        dataset = self._training_dataset(
            X, y, sample_weight, starts_anew=not self.initialized_, classes=classes
        )
        with self._seeded():
            return super().partial_fit(dataset, None, **fit_params)

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
            ``loss``, and ``y_pred`` with the logits of each night.
        """
        self._set_training(True)
        nights = _with_signals(batch, "Nothing is learned from them.")
        parameters = [p for _, p in self.get_all_learnable_params() if p.requires_grad]
        total = _total_weight(nights)
        seeds = self.random_generator_.integers(2**63, size=len(nights))

        def differentiate(item: tuple[NightSample, int]) -> tuple[Tensor, Tensor, Any]:
            night, seed = item
            rng = np.random.default_rng(seed)
            with dropout_seed(int(rng.integers(2**63))):
                logits = self.infer(self._augment(night, rng))[0]
                loss = self._sum_losses(logits, night) / total
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
            return loss.detach(), logits.detach(), gradients

        results = map_nights(
            differentiate, list(zip(nights, seeds, strict=True)), device=self.device
        )
        for _, _, gradients in results:
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if gradient is None:
                    continue
                if parameter.grad is None:
                    parameter.grad = gradient.clone()
                else:
                    parameter.grad += gradient
        loss = sum((loss for loss, _, _ in results), torch.zeros(()))
        return {"loss": loss, "y_pred": [logits for _, logits, _ in results]}

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
        nights = _with_signals(batch, "They are not validated on.")
        logits = self.evaluation_step(NightBatch(nights))
        losses = (
            self._sum_losses(of_night, night)
            for of_night, night in zip(logits, nights, strict=True)
        )
        loss = sum(losses, torch.zeros(())) / _total_weight(nights)
        return {"loss": loss, "y_pred": logits}

    # -- prediction ------------------------------------------------------------------------------

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
                return self.infer(_network_input(night.x, night.present))[0]

        return tuple(map_nights(stage, batch.nights, device=self.device))

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
        """
        self.check_is_fitted()
        epochs = as_epochs(X, type(self).__name__)
        self._check_samples_per_epoch(epochs)
        probabilities = np.tile(self.class_prior_, (len(epochs), 1))
        for batch in self.get_iterator(NightDataset(epochs, self.signals_), training=False):
            nights = _with_signals(batch, "Their rows get the prior probabilities.")
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
        check_mask_probability(self._mask_probability)
        epochs = as_epochs(X, type(self).__name__)
        y = check_targets(y, len(epochs))
        warn_of_split_nights(epochs)
        if starts_anew:
            self.classes_ = np.unique(y if classes is None else classes)
            if classes is None and self.classes is not None:
                self.classes_ = np.unique(self.classes)
            self._choose_signals(epochs)
            random_state = check_random_state(self.random_state)
            self.random_generator_ = np.random.default_rng(random_state.randint(2**31))
        self._check_samples_per_epoch(epochs)
        codes = encode(y, self.classes_)
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
        if weight.shape != codes.shape:
            msg = f"sample_weight must have the shape {codes.shape}, but has {weight.shape}."
            raise ValueError(msg)
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
            msg = (
                f"None of the training nights has the signal(s) {lacking or 'asked for'}; "
                f"they have {list(rates)}."
            )
            raise ValueError(msg)
        self.samples_per_epoch_ = {name: rates[name] for name in self.signals_}

    def _check_samples_per_epoch(self, epochs: Epochs) -> None:
        for name, found in epochs.samples_per_epoch.items():
            wanted = self.samples_per_epoch_.get(name, found)
            if found != wanted:
                msg = (
                    f"{name} comes with {found} samples per epoch, but the network takes {wanted}. "
                    "Set Resampler(samples_per_epoch=...) as in training."
                )
                raise ValueError(msg)

    @property
    def _mask_probability(self) -> Mapping[str, float]:
        return (
            PUBLISHED_MASK_PROBABILITY if self.mask_probability is None else self.mask_probability
        )

    def _augment(self, night: NightSample, rng: np.random.Generator) -> dict[str, Any]:
        """Mask signals, and turn some upside down."""
        kept = draw_kept_signals(tuple(night.x), self._mask_probability, self.backup_signals, rng)
        flipped = rng.random(len(kept)) < 0.5 * self.flip_polarity
        x = {
            name: -night.x[name] if flip else night.x[name]
            for name, flip in zip(kept, flipped, strict=True)
        }
        return _network_input(x, night.present)

    def _sum_losses(self, logits: Tensor, night: NightSample) -> Tensor:
        losses = self.criterion_(logits[night.epoch], night.y.to(logits.device))
        return (losses * night.weight.to(logits.device)).sum()

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """Seed torch for a training, and leave its global state as it was."""
        devices = [self.device] if torch.device(self.device).type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(self.random_generator_.integers(2**63)))
            yield


def _network_input(x: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return what the network takes for a batch of one night."""
    return {
        "x": {name: samples[None] for name, samples in x.items()},
        "present": {name: present[name][None] for name in x},
    }


def _with_signals(batch: NightBatch, consequence: str) -> tuple[NightSample, ...]:
    """Return the nights that have a signal, and warn of the others."""
    paths = [night.path for night in batch.nights if not night.x]
    if paths:
        msg = f"No usable signal in {', '.join(paths)}. {consequence}"
        warnings.warn(msg, MissingSignalWarning, stacklevel=3)
    return tuple(night for night in batch.nights if night.x)


def _total_weight(nights: Sequence[NightSample]) -> float:
    # Where every weight is 0, so is the loss.
    return sum(float(night.weight.sum()) for night in nights) or 1.0
