"""What a stager says of its stages, and where it looks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from sklearn_sleep.imaging import WaveformImages
from sklearn_sleep.staging.vlm.explanation import (
    Explanation,
    as_table,
    begin_explanation,
    parse_explanation,
    saliency_of_images,
)
from sklearn_sleep.staging.vlm.image_dataset import ImageDataset
from sklearn_sleep.staging.vlm.learner import AnswerLearner

__all__ = ["ExplainingLearner"]


class ExplainingLearner(AnswerLearner):
    """Says why it answers so, and shows where it looks."""

    def explain(
        self, X: Any, epochs: npt.ArrayLike | None = None, *, max_new_tokens: int = 256
    ) -> pd.DataFrame:
        """Say why rows are scored as they are.

        The model goes on from its most probable stage with the rules that it applies and why, as
        it has learned from the ``rationales`` of `fit`. What it cites is checked against `RULES`;
        what it says is not.

        Parameters
        ----------
        X : WaveformImages or ndarray of uint8, shape (n_rows, n_images, height, width, 3)
            What `WaveformImageRenderer` gives, or arrays in memory.
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
        images = self._check_images(X)
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
        columns |= {
            "stage": self.classes_[best],
            "probability": probabilities[np.arange(len(rows)), best],
        }
        return pd.DataFrame(as_table([found[position] for position in range(len(rows))], columns))

    def saliency(self, X: Any) -> npt.NDArray[np.float32]:
        """Return where the model looks: how much the most probable stage hangs on each pixel.

        Parameters
        ----------
        X : WaveformImages or ndarray of uint8, shape (n_rows, n_images, height, width, 3)
            What `WaveformImageRenderer` gives, or arrays in memory.

        Returns
        -------
        ndarray of float32, shape (n_rows, n_images, height, width)
            The gradient of the logarithm of the stage's probability by the image, times the image,
            as large as it is; its greatest value is 1 in each row.
        """
        self.check_is_fitted()
        images = self._check_images(X)
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
            shape = (batch.n_rows, *self.image_shape_[:3])
            maps.append(saliency_of_images(inputs, gradient, shape))
        return np.concatenate(maps)

    def _go_on(
        self, images: Any, rows: npt.NDArray[np.intp], stage: str, max_new_tokens: int
    ) -> list[str]:
        """Return what the model says after the beginning of an explanation."""
        tokenizer = self.backbone_.processor.tokenizer
        beginning = tokenizer(begin_explanation(stage), add_special_tokens=False)["input_ids"]
        encoded = self._conversation.encode(np.asarray(images[rows]), [beginning] * len(rows))
        device = self.compute_device
        inputs = {name: values.to(device) for name, values in encoded.inputs.items()}
        self._set_training(False)
        with (
            torch.no_grad(),
            torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bfloat16"),
        ):
            generated = self.module_.model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        new = generated[:, inputs["input_ids"].shape[1] :]
        return tokenizer.batch_decode(new, skip_special_tokens=True)
