"""Conversation: images and a question to the tensors that a model takes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

# Positions that the loss passes over (torch's convention).
IGNORED = -100


class Encoded(NamedTuple):
    """Inputs of the model, and the answers' tokens that are to be learned, (n_rows, n_labels).

    Each row ends with its labels; `IGNORED` stands after the end of shorter ones.
    """

    inputs: dict[str, Tensor]
    labels: Tensor


class Conversation:
    """A question, after captioned images, that is the same for all rows."""

    def __init__(self, processor: Any, prompt: str, captions: Sequence[str]) -> None:
        self.processor = processor
        content: list[dict[str, str]] = []
        for caption in captions:
            content += [{"type": "text", "text": caption}, {"type": "image"}]
        content.append({"type": "text", "text": prompt})
        self.n_images = len(captions)
        self.text = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )

    def encode(
        self,
        images: npt.NDArray[np.uint8],
        answers: Sequence[Sequence[int]],
        n_given: int = 0,
    ) -> Encoded:
        """Return the model's inputs: the question, and after it the tokens of answers.

        Images are uint8, (n_rows, n_images, height, width, 3). The first `n_given` tokens of each
        answer, which are the same in all, are no labels.
        """
        pictures = [[Image.fromarray(image) for image in row] for row in images]
        inputs = dict(
            self.processor(
                text=[self.text] * len(images),
                images=pictures,
                return_tensors="pt",
                # The template begins with what the model begins with.
                add_special_tokens=False,
            )
        )
        tokenizer = self.processor.tokenizer
        length = max(len(answer) for answer in answers)
        labels = torch.full((len(images), length), IGNORED)
        for row, answer in enumerate(answers):
            labels[row, : len(answer)] = torch.as_tensor(answer)
        tokens = torch.where(labels == IGNORED, tokenizer.pad_token_id or 0, labels)
        shape = inputs["input_ids"].shape
        for name, values in list(inputs.items()):
            if values.shape != shape:
                continue  # the images'
            if name == "input_ids":
                more = tokens
            elif name == "attention_mask":
                more = (labels != IGNORED).to(values.dtype)
            else:  # which kind of token each one is
                more = torch.zeros_like(labels, dtype=values.dtype)
            inputs[name] = torch.cat([values, more], dim=1)
        return Encoded(inputs, labels[:, n_given:])

    def tokens_of(self, answer: str) -> list[int]:
        """Return the tokens of an answer, with the one that ends it."""
        tokenizer = self.processor.tokenizer
        tokens = tokenizer(answer, add_special_tokens=False)["input_ids"]
        return [*tokens, tokenizer.eos_token_id]
