"""VLMStager: a vision-language model that stages sleep by looking at it."""

import copy
import os
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.base import clone
from torch import Tensor, nn

from sklearn_sleep.core.epochs import Epochs
from sklearn_sleep.core.messages import list_names
from sklearn_sleep.core.parameter_constraints import Interval, StrOptions, check_parameters
from sklearn_sleep.core.stage_schemes import stage_names
from sklearn_sleep.exceptions import MissingSignalWarning, TrainingError
from sklearn_sleep.imaging import MONTAGES, WaveformImages
from sklearn_sleep.staging.vlm.answers import AnswerTree
from sklearn_sleep.staging.vlm.backbone import VisionLanguageModel, keep_whole_images, load_backbone
from sklearn_sleep.staging.vlm.conversation import IGNORED, Conversation
from sklearn_sleep.staging.vlm.explanation import (
    Explanation,
    begin_explanation,
    parse_explanation,
    saliency_of_images,
)
from sklearn_sleep.staging.vlm.image_dataset import (
    AnswerBatch,
    ImageDataset,
    as_images,
    collate_rows,
)
from sklearn_sleep.staging.vlm.module import VisionLanguageModule
from sklearn_sleep.staging.vlm.perception import PERCEIVED_VALUES, perception_texts
from sklearn_sleep.staging.vlm.prompts import (
    answer_text,
    image_captions,
    perception_prompt,
    stage_prompt,
)
from sklearn_sleep.staging.vlm.saving import STAGER_FILES, read_stager, write_stager
from sklearn_sleep.training.sleep_net import SleepNet


class VLMStager(SleepNet):
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
        All classes, where `y` may lack some. Names are left aside where an ensemble of
        scikit-learn has numbered those that occur.
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
    verbose : int, optional
        Progress: 0 none, 1 a line for each pass on stdout. If not given, a bar with passes, loss
        and time left appears after five seconds, on a terminal or in a notebook.
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

    _counted = "rows"
    _files: ClassVar[tuple[str, ...]] = STAGER_FILES
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SleepNet._parameter_constraints,
        "model": [str, os.PathLike, VisionLanguageModel],
        "answers": [Mapping, None],
        "prompt": [str, None],
        "tuning": [StrOptions({"lora", "full"})],
        "train_vision": ["boolean"],
        "lora_rank": [Interval(Integral, 1, None, closed="left")],
        "lora_alpha": [Interval(Real, 0, None, closed="neither")],
        "lora_dropout": [Interval(Real, 0, 1, closed="left")],
        "quantization": [StrOptions({"4bit"}), None],
        "gradient_checkpointing": ["boolean"],
    }
    _dataset_arguments = ("rationales",)
    _warm_up = 0.05
    # Tokens with which all answers begin, so that they are not learned.
    _n_given = 0
    # Of an adapter that was loaded.
    _adapter_options: Mapping[str, Any] | None = None

    model: str | VisionLanguageModel
    answers: Mapping[Any, str] | None
    prompt: str | None
    tuning: Literal["lora", "full"]
    train_vision: bool
    lora_rank: int
    lora_alpha: int
    lora_dropout: float
    quantization: Literal["4bit"] | None
    gradient_checkpointing: bool

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
        verbose: int | None = None,
        device: str | None = "cpu",
        **kwargs: Any,
    ) -> None:
        super().__init__(locals())

    # -- fitting ---------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        rationales: Sequence[Any] | None = None,
        **fit_params: Any,
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
        **fit_params
            `train_split` takes them.

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
        return super().fit(X, y, sample_weight, rationales=rationales, **fit_params)

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        classes: npt.ArrayLike | None = None,
        sample_weight: Any = None,
        rationales: Sequence[Any] | None = None,
        **fit_params: Any,
    ) -> Self:
        """Train on, from the weights that are there; `classes` where the first y lacks some."""
        return super().partial_fit(
            X, y, classes, sample_weight, rationales=rationales, **fit_params
        )

    # -- rows ------------------------------------------------------------------------------------

    def check_input(self, X: Any) -> tuple[Any, Epochs | None]:
        """Return X as images."""
        # Before a large model is loaded.
        self._batches_per_step(self.batch_size)
        images = as_images(X, type(self).__name__)
        return (X, X.epochs) if isinstance(X, WaveformImages) else (images, None)

    def start_anew(self, rows: Any) -> None:
        """Settle what the model is asked, and load it."""
        self._adapter_options = None
        self.answers_ = self._name_classes()
        self.image_shape_ = _row_shape(rows)
        montage = rows.montage if isinstance(rows, WaveformImages) else None
        self.prompt_ = stage_prompt(self.answers_, montage) if self.prompt is None else self.prompt
        self.captions_ = _captions(rows, self.image_shape_[0])
        self.backbone_ = self._load()

    def check_fits(self, rows: Any) -> None:
        """Raise unless rows have images of the shape that the model was fitted on."""
        shape = _row_shape(rows)
        if shape != self.image_shape_:
            raise ValueError(
                f"Rows have images of the shape {shape}, but {type(self).__name__} was fitted on "
                f"{self.image_shape_}: (images, height, width, colours)."
            )

    def make_dataset(
        self,
        rows: Any,
        codes: npt.NDArray[np.intp],
        weight: npt.NDArray[np.float64],
        rationales: Sequence[Any] | None = None,
    ) -> ImageDataset:
        """Return images and what is to be answered to them."""
        self._make_conversation()
        images = as_images(rows, type(self).__name__)
        return ImageDataset(images, self._answer_tokens(codes, rationales), weight)

    def _answer_tokens(
        self, codes: npt.NDArray[np.intp], rationales: Sequence[Any] | None
    ) -> list[list[int]]:
        if rationales is None:
            rationales = [None] * len(codes)
        if len(rationales) != len(codes):
            raise ValueError(f"rationales has {len(rationales)} rows, but y has {len(codes)}.")
        texts = [
            answer_text(self.answers_[code], *(rationale or ()))
            for code, rationale in zip(codes, rationales, strict=True)
        ]
        tokens = {text: self._conversation.tokens_of(text) for text in dict.fromkeys(texts)}
        return [tokens[text] for text in texts]

    def _name_classes(self) -> list[str]:
        labels = self.classes_
        if self.classes is not None and len(np.unique(self.classes)) == len(labels):
            # The same, unless an ensemble has numbered them.
            labels = np.unique(self.classes)
        if self.answers is not None:
            lacking = [label for label in labels.tolist() if label not in self.answers]
            if lacking:
                raise ValueError(f"answers does not name the classes {lacking}.")
            return [str(self.answers[label]) for label in labels.tolist()]
        if np.issubdtype(labels.dtype, np.integer):
            n_classes = len(labels) if self.classes is None else len(np.unique(self.classes))
            names = _NAMES_BY_NUMBER.get(n_classes)
            if names is not None and labels.tolist() == list(range(n_classes)):
                return list(names)
        return [str(label) for label in labels]

    def _load(self) -> VisionLanguageModel:
        if isinstance(self.model, VisionLanguageModel):
            # It stays as it is, for the next fit.
            backbone = copy.deepcopy(self.model)
            backbone.model.to(self.compute_device)
        else:
            backbone = load_backbone(
                os.fspath(self.model),
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

    def _images(self, X: Any) -> Any:
        images = as_images(X, type(self).__name__)
        self.check_fits(X if isinstance(X, WaveformImages) else images)
        return images

    # -- learning --------------------------------------------------------------------------------

    @property
    def weights_dtype(self) -> torch.dtype:
        """Type in which the model is kept."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32

    def get_params_for(self, prefix: str) -> dict[str, Any]:
        """Return the parameters of a part, with those that answers need."""
        params = super().get_params_for(prefix)
        if prefix == "module":
            params.setdefault("model", self.backbone_.model)
            params.setdefault("adapter_options", self._adapter_options)
            for name in _OF_MODULE:
                params.setdefault(name, getattr(self, name))
        elif prefix == "criterion":
            # Answers may differ in length.
            params["ignore_index"] = IGNORED
        elif prefix in ("iterator_train", "iterator_valid"):
            collate = partial(collate_rows, conversation=self._conversation, n_given=self._n_given)
            params.setdefault("collate_fn", collate)
        return params

    def infer(self, x: Mapping[str, Tensor], n_logits: int = 1, **fit_params: Any) -> Tensor:
        """Return the logits of the last positions, float32 of (n_rows, n_logits, vocabulary)."""
        inputs = {name: values.to(self.compute_device) for name, values in x.items()}
        with self.lower_precision:
            return self.module_(n_logits, **inputs).float()

    def train_step_single(self, batch: AnswerBatch, **fit_params: Any) -> dict[str, Any]:
        """Add the gradient of the summed losses of rows; before a step, divide by their weight."""
        self._set_training(True)
        losses, logits = self._losses(batch)
        weight = batch.row_weight.to(losses.device)
        total = (losses * weight).sum()
        total.backward()
        summed = self._accumulation.weight + batch.weight
        if summed and self.completes_step(batch):
            for _, parameter in self.get_all_learnable_params():
                if parameter.grad is not None:
                    parameter.grad /= summed
        return {"loss": total.detach() / (weight.sum() or 1.0), "y_pred": logits.detach()}

    def validation_step(self, batch: AnswerBatch, **fit_params: Any) -> dict[str, Any]:
        """Compute the loss of a batch, the weighted mean over its rows, without training."""
        self._set_training(False)
        with torch.no_grad():
            losses, logits = self._losses(batch)
        weight = batch.row_weight.to(losses.device)
        return {"loss": (losses * weight).sum() / (weight.sum() or 1.0), "y_pred": logits}

    def _losses(self, batch: AnswerBatch) -> tuple[Tensor, Tensor]:
        """Return the loss of each row, the mean over its answer's tokens, and the logits."""
        labels = batch.encoded.labels.to(self.compute_device)
        # What a position says is about the next one.
        logits = self.infer(batch.encoded.inputs, labels.shape[1] + 1)[:, :-1]
        losses = self.criterion_(logits.transpose(1, 2), labels)
        return losses.sum(dim=1) / (labels != IGNORED).sum(dim=1), logits

    # -- predicting ------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the probability of each class of ``classes_``, (n_rows, n_classes).

        Rows of X, as `fit` takes it, that show no signal at all get the classes' prior, with a
        `MissingSignalWarning`.
        """
        self.check_is_fitted()
        images = self._images(X)
        probabilities = np.tile(self.class_prior_, (len(images), 1))
        shown = np.flatnonzero(_shows_signals(X))
        tokens = self._tree.prompt_tokens
        dataset = ImageDataset(images, [tokens] * len(images))
        for batch in self.get_iterator(torch.utils.data.Subset(dataset, shown.tolist())):
            self._set_training(False)
            with torch.no_grad():
                logits = self.infer(batch.encoded.inputs, self._tree.n_logits)
            found = self._tree.log_probabilities(logits).exp().cpu().numpy()
            if not np.isfinite(found).all():
                self.check_finite("The model")
                raise TrainingError(
                    f"The model's output for {list_names(batch.names, 8)} is no finite number."
                )
            probabilities[batch.position.numpy()] = found
        return probabilities

    def explain(
        self, X: Any, epochs: npt.ArrayLike | None = None, *, max_new_tokens: int = 256
    ) -> pd.DataFrame:
        """Say why rows are scored as they are.

        The model goes on from its most probable stage with the rules that it applies and why, as
        it has learned from the ``rationales`` of `fit`. What it cites is checked against `RULES`;
        what it says is not.

        Parameters
        ----------
        X : WaveformImages or ndarray of uint8
            As `fit` takes it.
        epochs : array-like of int or bool, optional
            Which rows, by position or as a mask; all if not given.
        max_new_tokens : int, default=256
            Where an answer is cut off.

        Returns
        -------
        DataFrame
            A row for each: ``row``, ``recording`` and ``epoch`` where X knows them, ``stage``,
            ``probability``, ``rules``, ``unknown_rules`` (cited, but none of `RULES`),
            ``rationale`` and ``is_complete``.
        """
        self.check_is_fitted()
        images = self._images(X)
        rows = np.arange(len(images)) if epochs is None else np.asarray(epochs)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        probabilities = self.predict_proba(X[rows])
        best = probabilities.argmax(axis=1)
        found: dict[int, Explanation] = {}
        # Rows of a stage begin alike, so that none is padded.
        for code in np.unique(best):
            positions = np.flatnonzero(best == code)
            for start in range(0, len(positions), self.batch_size):
                some = positions[start : start + self.batch_size]
                said = self._go_on(images, rows[some], self.answers_[code], max_new_tokens)
                for position, text in zip(some, said, strict=True):
                    found[position] = parse_explanation(self.answers_[code], text)
        columns: dict[str, Any] = {"row": rows}
        if isinstance(X, WaveformImages):
            table = X.epochs.table.iloc[rows]
            columns |= {name: table[name].to_numpy() for name in ("recording", "epoch")}
        columns["stage"] = self.classes_[best]
        columns["probability"] = probabilities[np.arange(len(rows)), best]
        for name in Explanation.__dataclass_fields__:
            columns[name] = [getattr(found[position], name) for position in range(len(rows))]
        return pd.DataFrame(columns)

    def saliency(self, X: Any) -> npt.NDArray[np.float32]:
        """Return how much the most probable stage hangs on each pixel, float32.

        The gradient of the log probability by the image, times the image, as large as it is, of
        shape (n_rows, n_images, height, width); its greatest value is 1 in each row.
        """
        self.check_is_fitted()
        images = self._images(X)
        tokens = self._tree.prompt_tokens
        dataset = ImageDataset(images, [tokens] * len(images))
        maps = []
        for batch in self.get_iterator(dataset):
            self._set_training(False)
            inputs = dict(batch.encoded.inputs)
            pixels = inputs["pixel_values"].to(self.compute_device).requires_grad_()
            inputs["pixel_values"] = pixels
            found = self._tree.log_probabilities(self.infer(inputs, self._tree.n_logits))
            (gradient,) = torch.autograd.grad(found.amax(dim=1).sum(), pixels)
            shape = (batch.size, *self.image_shape_[:3])
            maps.append(saliency_of_images(inputs, gradient, shape))
        return np.concatenate(maps)

    def _go_on(
        self, images: Any, rows: npt.NDArray[np.intp], stage: str, max_new_tokens: int
    ) -> list[str]:
        """Return what the model says after the beginning of an explanation."""
        tokenizer = self.backbone_.processor.tokenizer
        beginning = tokenizer(begin_explanation(stage), add_special_tokens=False)["input_ids"]
        encoded = self._conversation.encode(np.asarray(images[rows]), [beginning] * len(rows))
        inputs = {name: v.to(self.compute_device) for name, v in encoded.inputs.items()}
        self._set_training(False)
        with torch.no_grad(), self.lower_precision:
            generated = self.module_.model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        new = generated[:, inputs["input_ids"].shape[1] :]
        return tokenizer.batch_decode(new, skip_special_tokens=True)

    # -- the first phase -------------------------------------------------------------------------

    def pretrain(self, X: Any, *, seconds: float = 1.0, max_epochs: int = 2) -> Self:
        """Teach the model to see waveforms, before it is to stage them.

        The first of SleepVLM's two phases: from the image of an epoch the model writes what each
        trace measures in each second, its power in four bands and its mean absolute value; the
        vision tower learns too. No stages are needed. This stager stays as it was; the one that
        is returned has the model that was taught as its parameter `model`:
        ``stager.pretrain(images).fit(images, y)``.

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
        VLMStager
            Not fitted; with the parameters of this one, apart from ``model``. Both have
            ``pretrained_``, the model, and ``pretraining_history_``.

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
        learner = self._copy(self.model).set_params(train_vision=True, max_epochs=max_epochs)
        check_parameters(learner)
        learner._batches_per_step(learner.batch_size)
        learner.backbone_ = learner._load()
        prompt = perception_prompt(X.montage, PERCEIVED_VALUES, seconds)
        # Other than stages, what is measured is learned from its first token on.
        learner._conversation = Conversation(
            learner.backbone_.processor, prompt, image_captions([0])
        )
        texts = perception_texts(images.read_samples(), X.montage, seconds)
        answers = [learner._conversation.tokens_of(text) for text in texts]
        dataset = ImageDataset(as_images(images, type(self).__name__), answers)
        learner._draw_generator()
        learner._learn(dataset, "fit", starts_anew=True)
        model = learner.module_.model
        merged = model.merge_and_unload() if self.tuning == "lora" else model
        self.pretrained_ = VisionLanguageModel(merged, learner.backbone_.processor)
        self.pretraining_history_ = learner.history
        taught = self._copy(self.pretrained_)
        taught.pretrained_ = self.pretrained_
        taught.pretraining_history_ = self.pretraining_history_
        return taught

    def _copy(self, model: Any) -> Self:
        """Return an unfitted copy with another model, which a clone would copy."""
        parameters = self.get_params(deep=False) | {"model": ""}
        return clone(type(self)(**parameters)).set_params(model=model)

    # -- saving ----------------------------------------------------------------------------------

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write the stager into a folder, which is made if need be.

        ``vlm_stager.json`` is written, the adapter (``adapter_config.json``,
        ``adapter_model.safetensors``), and in ``model`` the model itself if it cannot be loaded
        from where it came from: as it was in memory, pretrained, or fully tuned.
        """
        self.check_is_fitted()
        write_stager(self, Path(folder))

    @classmethod
    def read_folder(cls, folder: Path, *, device: str, model: str | None = None) -> Self:
        """Return the stager that a folder holds, or one with the adapter that it holds."""
        stager: Self = read_stager(cls, folder, model=model, device=device)
        return stager

    def prepare(self, adapter_options: Mapping[str, Any] | None = None) -> Self:
        """Make the network of a stager that was read from files, with its adapter's options."""
        self._adapter_options = adapter_options
        keep_whole_images(self.backbone_.processor)
        if not self.prompt_:
            self.prompt_ = stage_prompt(self.answers_, MONTAGES["sleepvlm"])
            self.captions_ = image_captions([-1, 0, 1])
        self._make_conversation()
        return self.initialize()

    def base_model(self) -> Any:
        """Return a copy of the model without its adapter."""
        return copy.deepcopy(self.module_.model).unload()


_OF_MODULE = (
    "tuning",
    "train_vision",
    "lora_rank",
    "lora_alpha",
    "lora_dropout",
    "gradient_checkpointing",
)
_NAMES_BY_NUMBER = {n: tuple(stage_names(n)) for n in (2, 3, 4, 5)}


def _row_shape(rows: Any) -> tuple[int, ...]:
    """Return the shape of a row's images: (n_images, height, width, 3)."""
    if isinstance(rows, WaveformImages):
        shape = rows.image_shape
        return shape if len(shape) == 4 else (1, *shape)
    return tuple(rows.shape[1:])


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
        warnings.warn(
            f"{(~shown).sum()} rows of {len(lacking)} recordings have no usable signal "
            f"({list_names(lacking.tolist())}). They get the prior probabilities.",
            MissingSignalWarning,
            stacklevel=4,
        )
    return shown
