"""Rasterizer: anti-aliased traces into many images at once.

What covers a pixel in part is computed for each such pixel; stretches that are covered wholly are
filled. Pixels that no trace touches are not visited.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_sleep.imaging.strokes import SUB_COLUMNS

__all__ = ["fill_spans"]

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.intp]
PixelArray = npt.NDArray[np.uint32]

# Opacity that is computed with in whole numbers.
_OPAQUE = np.uint32(256)
_EVEN_BYTES = np.uint32(0x00FF00FF)


def fill_spans(
    canvas: PixelArray,
    top: FloatArray,
    bottom: FloatArray,
    colors: PixelArray,
    *,
    first_column: int,
    rows: tuple[float, float],
) -> None:
    """Draw stretches of sub-columns into images.

    Parameters
    ----------
    canvas : ndarray of uint32, shape (n_images, height, width)
        Four bytes a pixel; changed in place.
    top, bottom : ndarray of float32, shape (n_sub_columns, n_images)
        Of `stroke_spans`.
    colors : ndarray of uint32, shape (height, width)
        The colour that each pixel has where it is covered.
    first_column : int
        Of the image, where the first sub-column lies.
    rows : tuple of float
        Nothing is drawn above the first and below the second.
    """
    n_images, height, width = canvas.shape
    columns = len(top) // SUB_COLUMNS
    top, bottom = (_by_column(edge, columns, rows) for edge in (top, bottom))
    covered_from = top.min(axis=0).astype(np.intp)
    covered_to = np.ceil(bottom.max(axis=0)).astype(np.intp)
    full_from = np.ceil(top.max(axis=0)).astype(np.intp)
    full_to = bottom.min(axis=0).astype(np.intp)
    # Where no pixel is covered wholly, all are edges.
    no_full = full_to <= full_from
    full_from[no_full] = full_to[no_full] = covered_to[no_full]
    image, column = np.divmod(np.arange(n_images * columns), columns)
    column += first_column
    place = _Place(canvas.reshape(-1), colors.reshape(-1), image * (height * width), column, width)

    span = np.concatenate([covered_from, full_to]), np.concatenate([full_from, covered_to])
    which, row = _rows_of_spans(*span)
    which[which >= len(covered_from)] -= len(covered_from)
    place.blend(which, row, _coverage(top, bottom, which, row))
    place.fill(*_rows_of_spans(full_from, full_to))


def _by_column(edge: FloatArray, columns: int, rows: tuple[float, float]) -> FloatArray:
    """Return (SUB_COLUMNS, n_images * columns), within the rows."""
    n_images = edge.shape[1]
    ordered = edge.reshape(columns, SUB_COLUMNS, n_images).transpose(1, 2, 0)
    return np.clip(ordered.reshape(SUB_COLUMNS, -1), np.float32(rows[0]), np.float32(rows[1]))


def _rows_of_spans(start: IntArray, stop: IntArray) -> tuple[IntArray, IntArray]:
    """Return the rows of all spans, and for each the number of its span."""
    length = np.maximum(stop - start, 0)
    which = np.repeat(np.arange(len(length)), length)
    row = np.arange(len(which))
    row += (start - (np.cumsum(length) - length)).take(which)
    return which, row


def _coverage(top: FloatArray, bottom: FloatArray, which: IntArray, row: IntArray) -> FloatArray:
    """Return how much of each pixel is covered, from 0 to 256."""
    upper = row.astype(np.float32)
    lower = upper + 1
    covered = np.zeros(len(row), dtype=np.float32)
    for sub_column in range(SUB_COLUMNS):
        part = np.minimum(bottom[sub_column].take(which), lower)
        part -= np.maximum(top[sub_column].take(which), upper)
        covered += np.maximum(part, 0, out=part)
    covered *= np.float32(_OPAQUE / SUB_COLUMNS)
    return covered


def _mix(page: PixelArray, color: PixelArray, opacity: PixelArray) -> PixelArray:
    """Return pixels between two colours, with an opacity of the second from 0 to 256."""
    # Two bytes of a pixel at a time, each with a free byte above it for the product.
    rest = _OPAQUE - opacity
    even = ((page & _EVEN_BYTES) * rest + (color & _EVEN_BYTES) * opacity) >> 8
    odd = ((page >> 8) & _EVEN_BYTES) * rest + ((color >> 8) & _EVEN_BYTES) * opacity
    return (even & _EVEN_BYTES) | (odd & ~_EVEN_BYTES)


class _Place:
    """Where the pixels of spans lie."""

    def __init__(
        self, canvas: PixelArray, colors: PixelArray, image: IntArray, column: IntArray, width: int
    ) -> None:
        self._canvas = canvas
        self._colors = colors
        self._image = image
        self._column = column
        self._width = width

    def _find(self, which: IntArray, row: IntArray) -> tuple[Any, PixelArray]:
        """Return the pixels, and their colours where they are covered."""
        pixel = row * self._width
        pixel += self._column.take(which)
        color = self._colors.take(pixel)
        pixel += self._image.take(which)
        return pixel, color

    def fill(self, which: IntArray, row: IntArray) -> None:
        pixel, color = self._find(which, row)
        self._canvas[pixel] = color

    def blend(self, which: IntArray, row: IntArray, covered: FloatArray) -> None:
        pixel, color = self._find(which, row)
        self._canvas[pixel] = _mix(self._canvas.take(pixel), color, covered.astype(np.uint32))
