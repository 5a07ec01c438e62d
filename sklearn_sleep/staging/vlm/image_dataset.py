"""Rows of images as torch datasets, drawn batch by batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sklearn_sleep.imaging import WaveformImages
from sklearn_sleep.staging.vlm.conversation import Conversation, Encoded


class ImageRow(NamedTuple):
    """A row: its position among all, images, tokens of the answer, and weight in the loss."""

    position: int
    images: npt.NDArray[np.uint8]
    answer: list[int]
    weight: float


@dataclass(frozen=True)
class AnswerBatch:
    """Rows that go through the model together: positions among all and weights, (n_rows,)."""

    encoded: Encoded
    position: Tensor
    row_weight: Tensor

    def __len__(self) -> int:
        return len(self.position)

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self)

    @property
    def names(self) -> list[str]:
        """What messages call the rows."""
        return [f"row {position}" for position in self.position.tolist()]

    @property
    def weight(self) -> float:
        """Sum of the rows' weights in the loss."""
        return float(self.row_weight.sum())


class ImageDataset(Dataset[ImageRow]):
    """Images, the tokens of the answers to them, and the weight of each row in the loss."""

    def __init__(
        self,
        images: Any,
        answers: Sequence[list[int]],
        weight: npt.NDArray[np.float64] | None = None,
    ) -> None:
        self.images = images
        self.answers = answers
        self.weight = np.ones(len(images)) if weight is None else weight

    @property
    def identity(self) -> Any:
        """What tells the dataset from others; for `core.identity.digest`."""
        images = self.images.source if isinstance(self.images, _Panels) else self.images
        if isinstance(images, WaveformImages):
            epochs, table = images.epochs, images.epochs.table
            images = [
                [recording.fingerprint for recording in epochs.recordings],
                epochs.recording_index,
                {name: table[name].to_numpy() for name in table.columns.drop("recording")},
                images.montage,
                images.context,
                images.layout,
            ]
        return [images, self.answers, self.weight]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> ImageRow:
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: list[int]) -> list[ImageRow]:
        """Return rows, whose images are drawn together."""
        drawn = np.asarray(self.images[np.asarray(rows)])
        return [
            ImageRow(row, images, self.answers[row], float(self.weight[row]))
            for row, images in zip(rows, drawn, strict=True)
        ]


def collate_rows(rows: Sequence[ImageRow], conversation: Conversation, n_given: int) -> AnswerBatch:
    """Put rows into a batch; the first `n_given` tokens of each answer are no labels."""
    images = np.stack([row.images for row in rows])
    return AnswerBatch(
        conversation.encode(images, [row.answer for row in rows], n_given),
        torch.tensor([row.position for row in rows]),
        torch.tensor([row.weight for row in rows], dtype=torch.float32),
    )


def as_images(X: Any, classifier: str) -> Any:
    """Return what images are taken from, uint8 (n_rows, n_images, height, width, 3), row by row.

    Of an array without the second axis, rows have one image each. TypeError or ValueError, in the
    name of `classifier`, if X is something else.
    """
    if isinstance(X, WaveformImages):
        return X if X.layout == "separate" else _Panels(X)
    if not isinstance(X, np.ndarray):
        raise TypeError(
            f"{classifier} takes images, but X is {type(X).__name__}. Put WaveformImageRenderer() "
            "before it in the pipeline."
        )
    if X.ndim == 4:
        X = X[:, None]
    if X.ndim != 5 or X.shape[-1] != 3 or X.dtype != np.uint8:
        raise ValueError(
            "An array of images must be of uint8 and have the shape (n_rows, n_images, height, "
            f"width, 3), but is of {X.dtype} and has {X.shape}."
        )
    return X


class _Panels:
    """Rows whose context is one image."""

    def __init__(self, images: WaveformImages) -> None:
        self.source = images

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, key: Any) -> npt.NDArray[np.uint8]:
        return np.asarray(self.source[key])[:, None]
