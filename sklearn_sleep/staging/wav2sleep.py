"""Wav2SleepClassifier: the wav2sleep network as a scikit-learn classifier."""

import inspect
import os
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.base import clone
from skorch.exceptions import NotInitializedError
from torch import Tensor, nn

from sklearn_sleep.core.epochs import Epochs
from sklearn_sleep.core.identity import identity
from sklearn_sleep.core.masking import check_mask_probability, draw_subsets
from sklearn_sleep.core.messages import list_names
from sklearn_sleep.core.parameter_constraints import Interval, StrOptions
from sklearn_sleep.core.signals import check_signal_names, source_of
from sklearn_sleep.exceptions import SignalQualityWarning
from sklearn_sleep.networks import make_wav2sleep
from sklearn_sleep.staging.diagnostics import attention_table
from sklearn_sleep.staging.recipes import (
    describe_recipe,
    missing_front_ends,
    read_recipe,
    recipe_for,
)
from sklearn_sleep.staging.transfer import NEW, OF_SIGNALS, PARTLY_NEW, Transfer, plan_transfer
from sklearn_sleep.training.augmentation import Augmentation
from sklearn_sleep.training.callbacks.failure_signs import (
    WarnOfFailureSigns,
    warn_of_constant_signals,
)
from sklearn_sleep.training.checkpoints.checkpoint import (
    Checkpoint,
    check_finite,
    check_prior,
    check_weights,
    explain_damage,
)
from sklearn_sleep.training.checkpoints.hub import at_revision, find_folder
from sklearn_sleep.training.checkpoints.own_format import (
    OWN_FILES,
    read_own_checkpoint,
    write_own_checkpoint,
)
from sklearn_sleep.training.checkpoints.published_format import (
    PUBLISHED_FILES,
    is_published,
    read_published_checkpoint,
    write_published_checkpoint,
)
from sklearn_sleep.training.inputs import as_epochs
from sklearn_sleep.training.night_dataset import (
    NightBatch,
    NightDataset,
    NightSample,
    collate_nights,
)
from sklearn_sleep.training.night_learning import (
    accumulate_gradients,
    differentiate_nights,
    hold_frozen_statistics,
    map_nights,
    names_of_batch_norms,
    network_input,
    nights_with_signals,
)
from sklearn_sleep.training.sampling import BalancedSampler, cohorts_of
from sklearn_sleep.training.schedule import ValidationNights
from sklearn_sleep.training.sleep_net import SleepNet

PUBLISHED_MASK_PROBABILITY = {"ECG": 0.5, "PPG": 0.1, "ABD": 0.7, "THX": 0.7}
"""Masking probabilities of Carter & Tarassenko 2024."""

# Of the network.
_OF_MODULE = "module__"
_FRACTION = Interval(Real, 0, 1, closed="left")
_SIZES = (
    *("feature_dim", "initial_channels", "max_channels", "mixer_layers", "mixer_heads"),
    *("mixer_feedforward_dim", "sequence_blocks", "sequence_kernel_size", "sequence_dilations"),
)


class Wav2SleepClassifier(SleepNet):
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
    signals : sequence of str, or mapping of str to str, optional
        Canonical names of the signals to use, with what a `FrontEnd` derives from them; all that
        occur in the training nights if not given, or those of the checkpoint that
        `initialize_from` names. A mapping says which signal's
        encoder of that checkpoint each starts from: ``{"PPG": "ECG"}``, or ``{"PPG": None}`` for
        a new one.
    classes : array-like, optional
        All classes, where `y` may lack some. Names are left aside where an ensemble of
        scikit-learn has numbered those that occur.
    initialize_from : path or str, optional
        A folder that `save_pretrained` wrote or in the published format, or ``"hf://user/name"``,
        of whose weights ``fit`` starts (fine-tuning). The network is then that of the checkpoint,
        with `signals` and the classes of y. Clones start from it too, so that folds of a
        cross-validation do; they should not hold nights that the checkpoint has learned from.
    mask_probability : mapping of str to float, optional
        Probability of each signal to be masked in a training night; 0 for those that are not
        named. ``None`` takes the published ECG 0.5, PPG 0.1, ABD 0.7, THX 0.7. Single ones are
        reached by name: ``set_params(mask_probability__PPG=0.3)``.
    backup_signals : collection of str, default=("ECG", "PPG")
        Where all signals of a night would be masked, one of these that is there is kept.
    subsets_per_night : int, optional
        Subsets of its signals that a training night is staged from in each pass; the loss is their
        mean. Signals are encoded once for all of them. Of several subsets the first is of all
        signals. If not given, what `size` chooses, else 1.
    single_signal_probability : float, optional
        Probability that a subset is a single signal, all equally likely, in place of what
        `mask_probability` draws. If not given, what `size` chooses, else 0.
    flip_polarity : bool, default=True
        Turn each signal of a training night upside down with probability 1/2, since electrodes
        are at times worn the wrong way round.
    augmentation : Augmentation, optional
        Further changes of training nights. Published: none. Its parameters are reached by name:
        ``set_params(augmentation__noise=0.1)``, which starts from ``Augmentation()`` where there
        is none.
    size : {"auto", "published"}, default="auto"
        ``"auto"`` fits network and training to the signals and the number of training nights, as
        `recipe_for` says: parameters that are equal to their defaults take the values of the
        recipe, whether they were given or not, since a clone is given all of them. Of
        ``module__…`` parameters, those that are given stay, whatever their value.
        ``"published"`` is the paper's network and training, which are for thousands of nights.
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
    verbose : int, optional
        Progress: 0 none, 1 a line for each pass on stdout. If not given, a bar with passes, loss
        and time left appears after five seconds, on a terminal or in a notebook.
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
        The parameters that `size` has chosen, and those of the network that `initialize_from`
        has; empty for the published size. Of waveforms, ``"front_end"`` says what a `FrontEnd`
        would read from them.
    initial_parts_ : dict of str to str
        With `initialize_from`, what each part of the network has started from: ``"kept"``,
        ``"from ECG"`` (the encoder of another signal), ``"new"``, ``"partly new"``; or that it was
        ``"dropped"``. Parts are named as their weights begin.
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

    _counted = "nights"
    _files: ClassVar[tuple[str, ...]] = (*OWN_FILES, *PUBLISHED_FILES)
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SleepNet._parameter_constraints,
        "signals": ["array-like", Mapping, None],
        "initialize_from": [str, os.PathLike, None],
        "mask_probability": [Mapping, None],
        "backup_signals": ["array-like", None],
        "subsets_per_night": [Interval(Integral, 1, None, closed="left"), None],
        "single_signal_probability": [Interval(Real, 0, 1, closed="both"), None],
        "flip_polarity": ["boolean"],
        "augmentation": [Augmentation, None],
        "size": [StrOptions({"published", "auto"})],
        "kept_bytes": [Interval(Real, 0, None, closed="left")],
        "balance": [str, None],
        "criterion__label_smoothing": [Interval(Real, 0, 1, closed="both")],
        "module__dropout": [_FRACTION],
        "module__sequence_dropout": [_FRACTION, None],
        **{f"module__{name}": [Interval(Integral, 1, None, closed="left")] for name in _SIZES},
    }

    signals: Sequence[str] | Mapping[str, str | None] | None
    initialize_from: str | os.PathLike[str] | None
    mask_probability: Mapping[str, float] | None
    backup_signals: Collection[str]
    subsets_per_night: int | None
    single_signal_probability: float | None
    flip_polarity: bool
    augmentation: Augmentation | None
    size: Literal["published", "auto"]
    kept_bytes: int
    balance: str | None

    def __init__(
        self,
        module: Callable[..., nn.Module] | nn.Module = make_wav2sleep,
        *,
        signals: Sequence[str] | Mapping[str, str | None] | None = None,
        classes: npt.ArrayLike | None = None,
        initialize_from: str | os.PathLike[str] | None = None,
        mask_probability: Mapping[str, float] | None = None,
        backup_signals: Collection[str] = ("ECG", "PPG"),
        subsets_per_night: int | None = None,
        single_signal_probability: float | None = None,
        flip_polarity: bool = True,
        augmentation: Augmentation | None = None,
        size: Literal["auto", "published"] = "auto",
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
        verbose: int | None = None,
        device: str | None = "cpu",
        **kwargs: Any,
    ) -> None:
        super().__init__(locals())

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``mask_probability__PPG``, ``augmentation__noise`` … are among them."""
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

    # -- parts -----------------------------------------------------------------------------------

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        *shared, log = super()._default_callbacks
        return [*shared, ("failure_signs", WarnOfFailureSigns()), log]

    def get_params_for(self, prefix: str) -> dict[str, Any]:
        """Return the parameters of a part, with those that nights need."""
        params = super().get_params_for(prefix)
        if prefix == "module":
            if self.initialize_from is not None:  # which has settled what was given
                recipe = getattr(self, "recipe_", {})
                names = [name for name in OF_SIGNALS if _OF_MODULE + name in recipe]
                params |= {name: recipe[_OF_MODULE + name] for name in names}
            params.setdefault("signals", self.samples_per_epoch_)
            params.setdefault("n_classes", len(self.classes_))
        elif prefix in ("iterator_train", "iterator_valid"):
            params.setdefault("collate_fn", collate_nights)
        return params

    def initialize(self) -> Self:
        """Make the network and the parts of its training, with random weights."""
        check_mask_probability(self._mask_probability)
        own = getattr(self, "signals_", ())
        check_signal_names("mask_probability", self._mask_probability, own)
        check_signal_names("backup_signals", self.backup_signals or (), own)
        augmentation = self.planned("augmentation")
        if augmentation is not None:
            augmentation.check()
        if self._n_subsets > 1 and self.module is not make_wav2sleep:
            raise ValueError(
                f"subsets_per_night={self._n_subsets} goes with the network Wav2Sleep, not "
                f"module={self.module!r}; leave it out."
            )
        return super().initialize()

    def initialize_module(self) -> Self:
        """Make the network, with the weights of `initialize_from` if it is given."""
        super().initialize_module()
        if self.initialize_from is not None:
            # It was read when a training began, but not where a parameter makes the network anew.
            plan = self.__dict__.pop("_transfer", None) or self._plan_transfer(
                self.initialize_from, self.samples_per_epoch_
            )
            self.module_.load_state_dict(plan.fill(self.module_.state_dict()))
        return self

    def torch_compile(self, module: nn.Module, name: str) -> nn.Module:
        """Compile the network if `compile` is set, as it says itself where it can."""
        compile_encoders = getattr(module, "compile_encoders", None)
        if not self.compile or name == "criterion":
            return module
        if compile_encoders is None:
            return super().torch_compile(module, name)
        compile_encoders(**self.get_params_for("compile"))
        return module

    def choose_recipe(self, n_nights: int) -> dict[str, Any]:
        """Return what `size` chooses for training nights of `signals_`, of what was left to it."""
        recipe = {} if self.size == "published" else recipe_for(n_nights, self.signals_)
        if self.initialize_from is not None:
            recipe = {name: recipe[name] for name in recipe if not name.startswith(_OF_MODULE)}
            of_network = self._transfer.parameters.items()
            recipe |= {_OF_MODULE + name: value for name, value in of_network}
            settled = {_OF_MODULE + name for name in OF_SIGNALS}
            return {
                name: recipe[name] for name in recipe if name in settled or not self.is_set(name)
            }
        if self.module is not make_wav2sleep:
            # It has parameters of its own, and need not know of subsets.
            known = [name for name in recipe if not name.startswith(_OF_MODULE)]
            recipe = {name: recipe[name] for name in known if name != "subsets_per_night"}
        chosen = {name: value for name, value in recipe.items() if not self.is_set(name)}
        advice = None if self.size == "published" else missing_front_ends(self.signals_)
        return chosen if advice is None else {**chosen, "front_end": advice}

    def is_set(self, name: str) -> bool:
        """Whether the user has set a parameter: to another value than its default."""
        default = inspect.signature(Wav2SleepClassifier.__init__).parameters.get(name)
        if default is None:  # of a part; it is there if it was given
            return name in vars(self)
        value = getattr(self, name)
        return value is not default.default and identity(value) != identity(default.default)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.dict = True
        # A missing sample is a signal that is not there.
        tags.input_tags.allow_nan = True
        return tags

    # -- nights ----------------------------------------------------------------------------------

    def check_input(self, X: Any) -> tuple[Epochs, Epochs]:
        """Return X as epochs that are ready for the network."""
        epochs = as_epochs(X, type(self).__name__)
        return epochs, epochs

    def start_anew(self, rows: Epochs) -> None:
        """Settle which signals the network takes, and at which rates."""
        rates = rows.samples_per_epoch
        self.__dict__.pop("initial_parts_", None)
        if self.initialize_from is not None:
            self._start_from(self.initialize_from, rates)
            return
        if isinstance(self.signals, Mapping):
            raise ValueError(
                f"signals={self.signals!r} says which encoders to start from, but there is no "
                "initialize_from. Give it, or a list of names."
            )
        asked = tuple(rates if self.signals is None else self.signals)
        # A source stands for all that is derived from it, too.
        found = {name: [n for n in rates if name in (n, source_of(n))] for name in asked}
        self.signals_ = tuple(dict.fromkeys(n for names in found.values() for n in names))
        lacking = [name for name, names in found.items() if not names]
        if lacking or not self.signals_:
            raise ValueError(
                f"None of the training nights has the signal(s) {lacking or 'asked for'}; "
                f"they have {list(rates)}."
            )
        self.samples_per_epoch_ = {name: rates[name] for name in self.signals_}

    def _start_from(self, source: str | os.PathLike[str], rates: Mapping[str, int]) -> None:
        plan = self._transfer = self._plan_transfer(source, rates)
        unknown = [name for name, rate in plan.signals.items() if not rate]
        if unknown or not rates.keys() & plan.signals.keys():
            raise ValueError(
                f"None of the training nights has the signal(s) {unknown or list(plan.signals)}; "
                f"they have {list(rates)}."
            )
        self.signals_, self.samples_per_epoch_ = tuple(plan.signals), dict(plan.signals)
        self.initial_parts_ = dict(plan.parts)

    def _plan_transfer(self, source: str | os.PathLike[str], rates: Mapping[str, int]) -> Transfer:
        if self.module is not make_wav2sleep:
            raise TypeError(
                f"initialize_from goes with the network Wav2Sleep, not module={self.module!r}."
            )
        folder = find_folder(source, files=self._files)
        parameters = {
            name.removeprefix(_OF_MODULE): value
            for name, value in vars(self).items()
            if name.startswith(_OF_MODULE)
        }
        return plan_transfer(
            _read_checkpoint(folder),
            self.signals,
            classes=self.classes_,
            rates=rates,
            given=parameters,
        )

    def check_fits(self, rows: Epochs) -> None:
        """Raise unless the signals come at the rates that the network was trained with."""
        for name, found in rows.samples_per_epoch.items():
            wanted = self.samples_per_epoch_.get(name, found)
            if found != wanted:
                raise ValueError(
                    f"{name} comes with {found} samples per epoch, but the network takes {wanted}. "
                    "Set Resampler(samples_per_epoch=...) as in training."
                )

    def make_dataset(
        self, rows: Epochs, codes: npt.NDArray[np.intp], weight: npt.NDArray[np.float64]
    ) -> NightDataset:
        """Return the nights of the rows."""
        return NightDataset(rows, self.signals_, codes, weight, kept_bytes=self.kept_bytes)

    def sampling(self, dataset: Any) -> dict[str, Any]:
        """Return the sampler that `balance` asks for."""
        if self.balance is None:
            return {}
        return {"sampler": BalancedSampler(cohorts_of(dataset, self.balance)), "shuffle": False}

    @property
    def _mask_probability(self) -> Mapping[str, float]:
        probability = self.planned("mask_probability")
        return PUBLISHED_MASK_PROBABILITY if probability is None else probability

    @property
    def _n_subsets(self) -> int:
        return self.planned("subsets_per_night") or 1

    @property
    def always_masked(self) -> tuple[str, ...]:
        """Signals that training masks in each night that has another one."""
        if self._n_subsets > 1 or self.planned("single_signal_probability"):
            return ()
        sources = tuple(dict.fromkeys(map(source_of, self.signals_)))
        certain = [name for name in sources if self._mask_probability.get(name, 0) >= 1]
        backup = set(sources).intersection(self.backup_signals or ())
        if len(certain) == len(sources) and not backup:
            return ()  # each may be the one that is kept
        return tuple(name for name in certain if name not in backup)

    def augment(self, night: NightSample, rng: np.random.Generator) -> dict[str, Any]:
        """Return what the network takes of a training night: masked, turned and changed.

        With several subsets of its signals they are among it, as ``subsets``; and where its epochs
        change places, their new order, (n_epochs,), as ``order``.
        """
        augmentation = self.planned("augmentation")
        subsets = draw_subsets(
            tuple(night.x),
            self._n_subsets,
            self.planned("single_signal_probability") or 0.0,
            self._mask_probability,
            self.backup_signals,
            rng,
        )
        kept = [name for name in night.x if any(name in subset for subset in subsets)]
        # What is derived, as a heart rate, has no polarity.
        turns = rng.random(len(kept)) < 0.5 * self.flip_polarity
        x = {
            name: -night.x[name] if turn and source_of(name) == name else night.x[name]
            for name, turn in zip(kept, turns, strict=True)
        }
        present, order = night.present, None
        if augmentation is not None:
            x = augmentation.apply(x, rng)
            order = augmentation.draw_order(len(present[kept[0]]), rng)
        if order is not None:
            x = {name: samples[order] for name, samples in x.items()}
            present = {name: present[name][order] for name in x}
        augmented = network_input(x, present)
        if len(subsets) > 1:
            augmented["subsets"] = subsets
        return augmented if order is None else augmented | {"order": order}

    # -- learning and predicting -----------------------------------------------------------------

    def infer(self, x: Any, **fit_params: Any) -> Tensor:
        """Return the logits of nights, float32 of (batch, n_epochs, n_classes)."""
        if "subsets" in x:
            # Names, which skorch would make tensors of.
            fit_params = {**fit_params, "subsets": x["subsets"]}
            x = {name: value for name, value in x.items() if name != "subsets"}
        with self.lower_precision:
            return super().infer(x, **fit_params).float()

    def train_step_single(self, batch: NightBatch, **fit_params: Any) -> dict[str, Any]:
        """Compute the loss of a batch and its gradient, night by night.

        The loss is the weighted mean over the rows; ``y_pred`` has the logits of each night that
        has a signal, ``kept_signals`` the signals of each that were not masked.
        """
        self._set_training(True)
        hold_frozen_statistics(self.module_)
        nights_with_signals(batch, "Nothing is learned from them.")
        parameters = [p for _, p in self.get_all_learnable_params() if p.requires_grad]
        weight, before = batch.weight, self._accumulation.weight
        seeds = self.random_generator_.integers(2**63, size=batch.size).tolist()
        # Where every weight is 0, so is the loss.
        total = before + weight or 1.0

        def loss_of(
            night: NightSample, rng: np.random.Generator
        ) -> tuple[Tensor, Tensor, tuple[str, ...]]:
            augmented = self.augment(night, rng)
            order = augmented.pop("order", None)
            of_subsets = self.infer(augmented)
            if order is not None:
                of_subsets = of_subsets[:, torch.argsort(order).to(of_subsets.device)]
            losses = [self._sum_losses(logits, night) for logits in of_subsets]
            loss = torch.stack(losses).mean() / total
            return loss, of_subsets[0], tuple(augmented["x"])

        learned = differentiate_nights(
            loss_of,
            batch.nights,
            batch.part(seeds),
            parameters,
            device=self.compute_device,
            # Batch norm writes its running statistics night by night.
            in_turn=bool(names_of_batch_norms(self.module_)),
        )
        loss, gradients = self.sum_over_processes(learned.loss, learned.gradients, parameters)
        # The gradient is of the mean over the rows of all batches until the next step.
        accumulate_gradients(parameters, gradients, before / total)
        return {
            "loss": loss * (total / (weight or 1.0)),
            "y_pred": learned.logits,
            "kept_signals": learned.kept_signals,
        }

    def validation_step(self, batch: NightBatch, **fit_params: Any) -> dict[str, Any]:
        """Compute the loss of a batch and the logits of each night, without training."""
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

    def sum_over_processes(
        self, loss: Tensor, gradients: list[Tensor | None], parameters: Sequence[nn.Parameter]
    ) -> tuple[Tensor, list[Tensor | None]]:
        """Return the loss and the gradients of the whole batch."""
        return loss, gradients

    def _sum_losses(self, logits: Tensor, night: NightSample) -> Tensor:
        losses = self.criterion_(logits[night.epoch], night.y.to(logits.device))
        return (losses * night.weight.to(logits.device)).sum()

    def evaluation_step(self, batch: NightBatch, training: bool = False) -> tuple[Tensor, ...]:
        """Return the logits of each night of a batch, (n_epochs, n_classes)."""
        self._set_training(training)

        def stage(night: NightSample) -> Tensor:
            with torch.set_grad_enabled(training):
                return self.infer(network_input(night.x, night.present))[0]

        return tuple(map_nights(stage, batch.nights, device=self.compute_device))

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the probability of each class of ``classes_``, (n_rows, n_classes).

        A night without any usable signal gets the classes' prior probabilities, with a
        MissingSignalWarning, and one of which the network's output is no finite number, with a
        SignalQualityWarning; a signal that is constant all night, a ConstantSignalWarning.
        """
        self.check_is_fitted()
        epochs = as_epochs(X, type(self).__name__)
        self.check_fits(epochs)
        probabilities = np.tile(self.class_prior_, (len(epochs), 1))
        overflown = []
        for batch in self.get_iterator(NightDataset(epochs, self.signals_), training=False):
            nights = nights_with_signals(batch, "Their rows get the prior probabilities.")
            warn_of_constant_signals(nights)
            outputs = self.evaluation_step(NightBatch(nights))
            for night, logits in zip(nights, outputs, strict=True):
                of_epochs = torch.softmax(logits.double(), dim=1).cpu().numpy()
                if np.isfinite(of_epochs).all():
                    probabilities[night.rows] = of_epochs[night.epoch]
                else:
                    overflown.append(night.path)
        if overflown:
            self.check_finite("The network")
            warnings.warn(
                f"Samples of {list_names(overflown)} are too large for the network, whose output "
                "is no finite number. Their rows get the prior probabilities.",
                SignalQualityWarning,
                stacklevel=2,
            )
        return probabilities

    def epoch_attention(self, X: Any, *, layer: int = -1) -> pd.DataFrame:
        """Return how much the epoch mixer attends to each signal, (n_rows, n_columns).

        See the function `sklearn_sleep.epoch_attention`.
        """
        return attention_table(self, X, layer)

    # -- saving ----------------------------------------------------------------------------------

    def check_is_fitted(self, attributes: Any = None, *args: Any, **kwargs: Any) -> None:
        """Raise NotInitializedError unless the network is trained, and say what of it is new."""
        new = getattr(self, "initial_parts_", {})
        if new and not self.initialized_:
            names = [name for name, origin in new.items() if origin in (NEW, PARTLY_NEW)]
            raise NotInitializedError(
                f"The network of {self.initialize_from} has parts that no training has seen: "
                f"{list_names(names)}. Fit it on nights of yours before it is used."
            )
        super().check_is_fitted(attributes, *args, **kwargs)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        source: str | os.PathLike[str],
        *,
        classes: npt.ArrayLike | None = None,
        signals: Sequence[str] | Mapping[str, str | None] | None = None,
        revision: str | None = None,
        device: str = "cpu",
    ) -> Self:
        """Load a trained classifier, to stage nights or to go on training; nothing is executed.

        It reads our own format and the published one (``config.yaml``, ``state_dict.pth``). The
        network takes what the steps before it gave in its training; `pretrained_pipeline` gives
        these too. ``fit`` fine-tunes: it starts from these weights, and so do clones, since
        ``initialize_from`` is set. ``set_params(initialize_from=None)`` trains anew.

        Parameters
        ----------
        source : path or str
            A folder, or ``"hf://user/name"`` for a model on the Hugging Face Hub such as
            ``"hf://joncarter/wav2sleep"``, which needs ``sklearn_sleep[hub]``.
        classes : array-like, optional
            Other classes than those of the checkpoint, which get a new head. If not given, the
            head is kept, and `y` must have no other classes.
        signals : sequence of str, or mapping of str to str, optional
            Other signals than those of the checkpoint, as of `Wav2SleepClassifier`: its encoders
            are kept, others are new, ``{"PPG": "ECG"}`` starts one from that of another signal, and
            what is not named is dropped.
        revision : str, optional
            Branch, tag or commit on the hub.
        device : str, default="cpu"
            Torch device.

        Returns
        -------
        Wav2SleepClassifier
            Ready to predict, unless something of it is new: then it has to be fitted first.
            ``initial_parts_`` says what was kept, is new, and was dropped.

        Raises
        ------
        FileNotFoundError
            If the folder or a file in it is not there.
        ValueError
            If the files are not those of a model, or the signals cannot start from it.

        Examples
        --------
        >>> from sklearn_sleep import Wav2SleepClassifier
        >>> folder = "tests/data/golden/wav2sleep-cardio-small"
        >>> classifier = Wav2SleepClassifier.from_pretrained(folder)
        >>> classifier.signals_
        ('ABD', 'THX', 'ECG', 'PPG')
        >>> fine_tuned = Wav2SleepClassifier.from_pretrained(
        ...     folder, classes=["NREM", "REM", "W"], signals=["PPG"]
        ... )
        >>> fine_tuned.initial_parts_["signal_encoders.encoders.PPG"]
        'kept'
        >>> fine_tuned.initial_parts_["classifier"]
        'new'
        """
        folder = find_folder(source, revision, files=cls._files)
        checkpoint = _read_checkpoint(folder)
        with explain_damage(folder):
            check_weights(checkpoint)
        if classes is None:
            classes = checkpoint.classes
        plan = plan_transfer(
            checkpoint,
            signals,
            classes=np.unique(np.asarray(classes)),
            rates={},
            given={},
        )
        if plan.new:
            classifier = cls(device=device)
        else:
            if signals is not None:
                checkpoint = replace(
                    checkpoint,
                    signals=plan.signals,
                    parameters=plan.parameters,
                    state=plan.fill(plan.state),
                )
            classifier = cls.from_checkpoint(checkpoint, folder, device=device)
        classifier.set_params(
            initialize_from=at_revision(source, revision), classes=classes, signals=signals
        )
        classifier.initial_parts_ = dict(plan.parts)
        return classifier

    @classmethod
    def read_folder(cls, folder: Path, *, device: str) -> Self:
        """Return the classifier that a folder holds, in either format."""
        return cls.from_checkpoint(_read_checkpoint(folder), folder, device=device)

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, folder: Path, *, device: str = "cpu") -> Self:
        """Make a trained classifier; the folder is named where it does not fit the network."""
        with explain_damage(folder):
            check_weights(checkpoint)
            parameters = {_OF_MODULE + key: value for key, value in checkpoint.parameters.items()}
            classifier = cls(device=device, size=checkpoint.size, **parameters)
            classifier.recipe_ = read_recipe(checkpoint.recipe)
            classifier.classes_ = checkpoint.classes
            classifier.class_prior_ = checkpoint.class_prior
            classifier.samples_per_epoch_ = dict(checkpoint.signals)
            classifier.signals_ = tuple(checkpoint.signals)
            classifier.initialize()
            classifier.module_.load_state_dict(checkpoint.state)
            check_finite(checkpoint.state, f"The model in {folder}")
            check_prior(checkpoint.class_prior, folder)
            return classifier

    def to_checkpoint(self) -> Checkpoint:
        """Return the trained network."""
        if self.module is not make_wav2sleep:
            raise TypeError(f"Only the network Wav2Sleep can be saved, not module={self.module!r}.")
        self.check_is_fitted()
        parameters = self.get_params_for("module")
        del parameters["signals"], parameters["n_classes"]
        return Checkpoint(
            signals=self.samples_per_epoch_,
            classes=self.classes_,
            class_prior=self.class_prior_,
            parameters=parameters,
            state=self.module_.state_dict(),
            size=self.size,
            recipe=describe_recipe(getattr(self, "recipe_", {})),
        )

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        format: str = "sklearn_sleep",  # noqa: A002  the word that users look for
    ) -> None:
        """Save the trained classifier, without the steps before it.

        Whole pipelines are saved by the function `save_pretrained`.

        Parameters
        ----------
        folder : path
            Made if need be.
        format : {"sklearn_sleep", "wav2sleep"}, default="sklearn_sleep"
            Our own, ``config.json`` and ``model.safetensors``; or that of the published wav2sleep,
            ``config.yaml`` and ``state_dict.pth``, which its code loads. The latter does not hold
            the classes' prior, and is refused where the published code has nothing like the
            network.
        """
        checkpoint = self.to_checkpoint()
        if format == "sklearn_sleep":
            write_own_checkpoint(checkpoint, Path(folder))
        elif format == "wav2sleep":
            write_published_checkpoint(checkpoint, Path(folder))
        else:
            raise ValueError(f"format={format!r} is not known; use 'sklearn_sleep' or 'wav2sleep'.")


def _read_checkpoint(folder: Path) -> Checkpoint:
    return (read_published_checkpoint if is_published(folder) else read_own_checkpoint)(folder)


def _take(params: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Remove the parameters that begin with a prefix, and return them without it."""
    names = [name for name in params if name.startswith(prefix)]
    return {name.removeprefix(prefix): params.pop(name) for name in names}
