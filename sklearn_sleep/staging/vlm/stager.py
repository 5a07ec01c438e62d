"""VLMStager: a vision-language model that stages sleep by looking at it."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone
from sklearn.utils.class_weight import compute_sample_weight
from skorch import NeuralNet
from torch import nn

from sklearn_sleep.core.epochs import warn_of_split_nights
from sklearn_sleep.core.stages import stage_names
from sklearn_sleep.exceptions import MissingSignalWarning
from sklearn_sleep.imaging import WaveformImages
from sklearn_sleep.staging.vlm.answers import AnswerTree
from sklearn_sleep.staging.vlm.backbone import VisionLanguageModel, keep_whole_images, load_backbone
from sklearn_sleep.staging.vlm.conversation import Conversation
from sklearn_sleep.staging.vlm.image_dataset import ImageDataset, as_images
from sklearn_sleep.staging.vlm.module import VisionLanguageModule
from sklearn_sleep.staging.vlm.perception import PERCEIVED_VALUES, perception_texts
from sklearn_sleep.staging.vlm.prompts import (
    answer_text,
    image_captions,
    perception_prompt,
    stage_prompt,
)
from sklearn_sleep.staging.vlm.savable import SavableLearner
from sklearn_sleep.training.targets import check_targets, encode

__all__ = ["VLMStager"]


class VLMStager(SavableLearner):
    """Stage sleep with a general vision-language model that is shown the waveforms.

    A skorch net whose samples are images of epochs. Each row's images and a question make a
    conversation; the model is trained to answer with the stage. Probabilities come from one forward
    pass, as those of the tokens that name the stages, so that every answer is a stage.

    Parameters
    ----------
    model : str or VisionLanguageModel, default="Qwen/Qwen2.5-VL-3B-Instruct"
        Any image-text-to-text model of Hugging Face: its name on the hub, a folder, or a model in
        memory such as `tiny_vlm` gives, which is not changed.
    classes : array-like, optional
        All classes, where `y` may lack some.
    answers : mapping of class to str, optional
        How the model names each class. Names of stages if not given: W, N1, N2, N3 and R of five.
    prompt : str, optional
        The question. If not given, it says what the images show and which answers there are.
    tuning : {"lora", "full"}, default="lora"
        Whether adapters of low rank are trained or the weights themselves.
    train_vision : bool, default=False
        Whether the vision tower is trained too.
    lora_rank : int, default=16
    lora_alpha : int, default=32
    lora_dropout : float, default=0.05
        Of the adapters, as in SleepVLM.
    quantization : {"4bit"}, optional
        Keep the model's own weights in four bits, on GPUs.
    precision : {"float32", "bfloat16"}, default="float32"
        Type in which the model is kept and computes; adapters stay float32.
    gradient_checkpointing : bool, default=False
        Train in less memory, and in more time.
    class_weight : "balanced", mapping or None, default=None
        Weights of the classes in the loss.
    random_state : int, RandomState instance or None, default=None
        Seed of adapters, shuffling and dropout.
    target_batch_size : int, optional
        Rows in a step of the optimizer, a multiple of `batch_size`: gradients are added up to the
        result of a batch of them all. `batch_size` if not given.
    optimizer : type, default=AdamW
        Optimizer.
    optimizer__weight_decay : float, default=0.1
        Its weight decay.
    lr : float, default=1e-4
        Highest learning rate. It rises and decays as `WarmUpDecay` says.
    max_epochs : int, default=15
        Passes over the rows.
    batch_size : int, default=6
        Rows in a batch.
    train_split : callable or None, default=None
        As skorch has it; none are set aside by default, as in SleepVLM.
    patience : int, default=5
        Passes without improvement of the validation loss, where there is one.
    callbacks : list of (str, Callback), optional
        Further skorch callbacks, such as `ResumableCheckpoint`.
    verbose : int, default=0
        Print each pass.
    device : str, default="cpu"
        Torch device.
    **kwargs
        Further parameters of `skorch.NeuralNet`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    class_prior_ : ndarray of shape (n_classes,)
        Part of each in the training rows: the prediction for rows without any signal.
    answers_ : list of str
        How the model names them.
    prompt_ : str
        The question.
    image_shape_ : tuple of int
        Of each row: images, height, width and colours.

    See Also
    --------
    sklearn_sleep.imaging.WaveformImageRenderer : Step before it in a pipeline.
    tiny_vlm : A model to try it with.

    References
    ----------
    Zhou et al. 2025, arXiv 2509.22810; Deng et al. 2026, "SleepVLM", arXiv 2603.26738, from whose
    configuration the defaults are.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_sleep.imaging import MONTAGES, WaveformImageRenderer
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> pipeline = make_pipeline(
    ...     EDFReader(MONTAGES["sleepvlm"]), WaveformImageRenderer("sleepvlm"), VLMStager()
    ... )
    """

    def __init__(
        self,
        model: str | VisionLanguageModel = "Qwen/Qwen2.5-VL-3B-Instruct",
        *,
        classes: npt.ArrayLike | None = None,
        answers: Mapping[Any, str] | None = None,
        prompt: str | None = None,
        tuning: Literal["lora", "full"] = "lora",
        train_vision: bool = False,
        lora_rank: int = 16,
        lora_alpha: int = 32,
        lora_dropout: float = 0.05,
        quantization: Literal["4bit"] | None = None,
        precision: Literal["float32", "bfloat16"] = "float32",
        gradient_checkpointing: bool = False,
        class_weight: str | Mapping[Any, float] | None = None,
        random_state: int | np.random.RandomState | None = None,
        target_batch_size: int | None = None,
        module: type[nn.Module] = VisionLanguageModule,
        criterion: type[nn.Module] = nn.CrossEntropyLoss,
        optimizer: type[torch.optim.Optimizer] = torch.optim.AdamW,
        optimizer__weight_decay: float = 0.1,
        lr: float = 1e-4,
        max_epochs: int = 15,
        batch_size: int = 6,
        train_split: Any = None,
        patience: int = 5,
        callbacks: Any = None,
        verbose: int = 0,
        device: str | None = "cpu",
        **kwargs: Any,
    ) -> None:
        self.model = model
        self.classes = classes
        self.answers = answers
        self.prompt = prompt
        self.tuning = tuning
        self.train_vision = train_vision
        self.lora_rank = lora_rank
        self.lora_alpha = lora_alpha
        self.lora_dropout = lora_dropout
        self.quantization = quantization
        self.precision = precision
        self.gradient_checkpointing = gradient_checkpointing
        self.class_weight = class_weight
        self.random_state = random_state
        self.target_batch_size = target_batch_size
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

    # -- fitting ---------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        rationales: Sequence[Any] | None = None,
    ) -> Self:
        """Train on images of epochs.

        Parameters
        ----------
        X : WaveformImages or ndarray of uint8, shape (n_rows, n_images, height, width, 3)
            What `WaveformImageRenderer` gives, or arrays in memory.
        y : array-like of shape (n_rows,)
            Stages.
        sample_weight : array-like of shape (n_rows,), optional
            Weight of each row in the loss.
        rationales : sequence of (rules, text) or None, length n_rows, optional
            Why each row has its stage: identifiers of `RULES`, and text. The model learns to say
            so after the stage.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            If transformers or peft is not installed.
        TypeError, ValueError
            If X, y or a parameter is not what it must be.

        Warns
        -----
        SplitNightWarning
            If X names only part of a night.
        """
        starts_anew = not (self.warm_start and self.initialized_)
        dataset = self._stage_dataset(X, y, sample_weight, rationales, starts_anew=starts_anew)
        with self._training(starts_anew=starts_anew):
            return super().fit(dataset, None)

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        classes: npt.ArrayLike | None = None,
        sample_weight: Any = None,
        rationales: Sequence[Any] | None = None,
        **fit_params: Any,
    ) -> Self:
        """Train on, from the weights that are there.

        Parameters
        ----------
        X : WaveformImages or ndarray of uint8, shape (n_rows, n_images, height, width, 3)
            What `WaveformImageRenderer` gives, or arrays in memory.
        y : array-like of shape (n_rows,)
            Stages.
        classes : array-like, optional
            All classes; needed in the first call where `y` lacks some.
        sample_weight : array-like of shape (n_rows,), optional
            Weight of each row in the loss.
        rationales : sequence of (rules, text) or None, length n_rows, optional
            Why each row has its stage.
        **fit_params
            Used by skorch.

        Returns
        -------
        self
        """
        if isinstance(X, ImageDataset):  # skorch's fit calls partial_fit
            return super().partial_fit(X, y, **fit_params)
        starts_anew = not self.initialized_
        dataset = self._stage_dataset(
            X, y, sample_weight, rationales, starts_anew=starts_anew, classes=classes
        )
        with self._training(starts_anew=starts_anew):
            return super().partial_fit(dataset, None)

    # -- predicting ------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the probability of each stage.

        Parameters
        ----------
        X : WaveformImages or ndarray of uint8, shape (n_rows, n_images, height, width, 3)
            What `WaveformImageRenderer` gives, or arrays in memory.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            Columns in the order of ``classes_``.

        Warns
        -----
        MissingSignalWarning
            If rows show no signal at all; they get the classes' prior probabilities.
        """
        self.check_is_fitted()
        images = self._check_images(X)
        probabilities = np.tile(self.class_prior_, (len(images), 1))
        shown = np.flatnonzero(_shows_signals(X))
        tokens = self._tree.prompt_tokens
        dataset = ImageDataset(images, [tokens] * len(images))
        for batch in self.get_iterator(torch.utils.data.Subset(dataset, shown.tolist())):
            self._set_training(False)
            with torch.no_grad():
                logits = self.infer(batch.encoded.inputs, self._tree.n_logits)
            found = self._tree.log_probabilities(logits).exp()
            probabilities[batch.position.numpy()] = found.cpu().numpy()
        return probabilities

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable stage of each row.

        Parameters
        ----------
        X : WaveformImages or ndarray of uint8, shape (n_rows, n_images, height, width, 3)
            What `WaveformImageRenderer` gives, or arrays in memory.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    # -- the first phase -------------------------------------------------------------------------

    def pretrain(self, X: Any, *, seconds: float = 1.0, max_epochs: int = 2) -> Self:
        """Teach the model to see waveforms, before it is to stage them.

        The first of SleepVLM's two phases: from the image of an epoch the model writes what each
        trace measures in each second, its power in four bands and its mean absolute value; the
        vision tower learns too. No stages are needed. `fit` then starts from `pretrained_`, which
        is also a `model` for other stagers.

        Parameters
        ----------
        X : WaveformImages of shape (n_rows,)
            Of which each row's own epoch is shown.
        seconds : float, default=1.0
            Length of the stretches that are measured.
        max_epochs : int, default=2
            Passes over the rows.

        Returns
        -------
        self
            With ``pretrained_``, the model, and ``pretraining_history_``.

        Raises
        ------
        TypeError
            If X is no `WaveformImages`, which know their samples.
        ValueError
            If no row has a signal.
        """
        if not isinstance(X, WaveformImages):
            raise TypeError(f"pretrain takes WaveformImages, but X is {type(X).__name__}.")
        images = X.with_context([0])
        images = images[np.flatnonzero(images.shows_signals())]
        if not len(images):
            raise ValueError("No row of X has a signal to learn from.")
        learner = clone(self).set_params(train_vision=True, max_epochs=max_epochs)
        learner._check_parameters()
        learner.backbone_ = learner._load()
        prompt = perception_prompt(X.montage, PERCEIVED_VALUES, seconds)
        learner.answer_with(prompt, image_captions([0]))
        texts = perception_texts(images.read_samples(), X.montage, seconds)
        answers = [learner._conversation.tokens_of(text) for text in texts]
        dataset = ImageDataset(as_images(images, type(self).__name__), answers)
        with learner._training():
            NeuralNet.fit(learner, dataset, None)
        self.pretrained_ = VisionLanguageModel(learner.merged_model(), learner.backbone_.processor)
        self.pretraining_history_ = learner.history
        return self

    # -- saving ----------------------------------------------------------------------------------

    def merged_model(self) -> Any:
        """Return the model with what was learned in its own weights; the adapter is used up."""
        model = self.module_.model
        return model.merge_and_unload() if self.tuning == "lora" else model

    def answer_with(self, prompt: str, captions: Sequence[str]) -> None:
        """Take another question, whose answers are learned from their first token on.

        Parameters
        ----------
        prompt : str
            The question.
        captions : sequence of str
            What is written before each image.
        """
        self._adapter_options = None
        self._conversation = Conversation(self.backbone_.processor, prompt, captions)
        self._n_given = 0

    # -- parts -----------------------------------------------------------------------------------

    def _stage_dataset(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        rationales: Sequence[Any] | None,
        *,
        starts_anew: bool,
        classes: npt.ArrayLike | None = None,
    ) -> ImageDataset:
        self._check_parameters()
        images = as_images(X, type(self).__name__)
        y = check_targets(y, len(images))
        if isinstance(X, WaveformImages):
            warn_of_split_nights(X.epochs)
        if starts_anew:
            self._adapter_options: Mapping[str, Any] | None = None
            given = self.classes if classes is None else classes
            self.classes_ = np.unique(y if given is None else given)
            self.answers_ = self._name_classes()
            self.image_shape_ = _row_shape(X, images)
            self.prompt_ = self._ask(X)
            self.captions_ = _captions(X, self.image_shape_[0])
            self.backbone_ = self._load()
        images = self._check_images(X)
        self._make_conversation()
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
        return ImageDataset(images, self._answer_tokens(codes, rationales), weight)

    def _answer_tokens(
        self, codes: npt.NDArray[np.intp], rationales: Sequence[Any] | None
    ) -> list[list[int]]:
        if rationales is None:
            of_class = [
                self._conversation.tokens_of(answer_text(answer)) for answer in self.answers_
            ]
            return [of_class[code] for code in codes]
        if len(rationales) != len(codes):
            raise ValueError(f"rationales has {len(rationales)} rows, but y has {len(codes)}.")
        texts = [
            answer_text(self.answers_[code], *(rationale or ()))
            for code, rationale in zip(codes, rationales, strict=True)
        ]
        return [self._conversation.tokens_of(text) for text in texts]

    def _check_parameters(self) -> None:
        for name, allowed in (
            ("tuning", ("lora", "full")),
            ("precision", ("float32", "bfloat16")),
            ("quantization", (None, "4bit")),
        ):
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"{name}={value!r} must be one of {allowed}.")
        size = self.target_batch_size
        if size is not None and (size < 1 or size % self.batch_size):
            raise ValueError(
                f"target_batch_size={size} must be a multiple of batch_size={self.batch_size}, the "
                "rows that are held in memory."
            )

    def _name_classes(self) -> list[str]:
        if self.answers is not None:
            lacking = [label for label in self.classes_.tolist() if label not in self.answers]
            if lacking:
                raise ValueError(f"answers does not name the classes {lacking}.")
            return [str(self.answers[label]) for label in self.classes_.tolist()]
        if np.issubdtype(self.classes_.dtype, np.integer):
            n_classes = len(self.classes_) if self.classes is None else len(np.unique(self.classes))
            names = _NAMES_BY_NUMBER.get(n_classes)
            if names is not None and self.classes_.tolist() == list(range(n_classes)):
                return list(names)
        return [str(label) for label in self.classes_]

    def _ask(self, X: Any) -> str:
        if self.prompt is not None:
            return self.prompt
        montage = X.montage if isinstance(X, WaveformImages) else None
        return stage_prompt(self.answers_, montage)

    def _load(self) -> VisionLanguageModel:
        source = getattr(self, "pretrained_", self.model)
        if isinstance(source, VisionLanguageModel):
            # It stays as it is, for the next fit.
            backbone = copy.deepcopy(source)
            backbone.model.to(self.compute_device)
        else:
            backbone = load_backbone(
                os.fspath(source),
                dtype=self.weights_dtype,
                quantization=self.quantization,
                device=str(self.device),
            )
        keep_whole_images(backbone.processor)
        return backbone

    def _make_conversation(self) -> None:
        processor = self.backbone_.processor
        self._conversation = Conversation(processor, self.prompt_, self.captions_)
        self._tree = AnswerTree(processor.tokenizer, self.answers_)
        self._n_given = self._tree.n_given

    def _check_images(self, X: Any) -> Any:
        images = as_images(X, type(self).__name__)
        shape = _row_shape(X, images)
        if shape != self.image_shape_:
            raise ValueError(
                f"Rows have images of the shape {shape}, but {type(self).__name__} was fitted on "
                f"{self.image_shape_}: (images, height, width, colours)."
            )
        return images


_NAMES_BY_NUMBER = {n: tuple(stage_names(n)) for n in (2, 3, 4, 5)}


def _row_shape(X: Any, images: Any) -> tuple[int, ...]:
    """Return the shape of a row's images: (n_images, height, width, 3)."""
    if isinstance(X, WaveformImages):
        shape = X.image_shape
        return shape if len(shape) == 4 else (1, *shape)
    return tuple(images.shape[1:])


def _captions(X: Any, n_images: int) -> list[str]:
    if isinstance(X, WaveformImages) and len(X.context) == n_images:
        return image_captions(X.context)
    if n_images % 2:
        return image_captions(range(-(n_images // 2), n_images // 2 + 1))
    return [""] * n_images


def _shows_signals(X: Any) -> npt.NDArray[np.bool_]:
    """Return which rows have any signal in their own epoch, and warn of the others."""
    if not isinstance(X, WaveformImages):
        return np.ones(len(X), dtype=bool)
    shown = X.shows_signals()
    if not shown.all():
        paths = np.array([recording.path for recording in X.epochs.recordings])
        lacking = np.unique(paths[X.epochs.recording_index[~shown]])
        named = ", ".join(lacking[:3]) + (", …" if len(lacking) > 3 else "")
        msg = (
            f"{(~shown).sum()} rows of {len(lacking)} recordings have no usable signal ({named}). "
            "They get the prior probabilities."
        )
        warnings.warn(msg, MissingSignalWarning, stacklevel=4)
    return shown
