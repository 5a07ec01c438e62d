"""Rasterizer: anti-aliased traces into many images at once.

The pixels in which a stretch of a column begins and ends are mixed with what is there already; what
lies between them is filled. Pixels that no trace touches are not visited.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
    """Draw a stretch of each column into images.

    Parameters
    ----------
    canvas : ndarray of uint32, shape (n_images, height, width)
        Four bytes a pixel; changed in place.
    top, bottom : ndarray of float32, shape (n_columns, n_images)
        Of `stroke_spans`.
    colors : ndarray of uint32, shape (height, width)
        The colour that each pixel has where it is covered.
    first_column : int
        Of the image, where the first of these lies.
    rows : tuple of float
        Nothing is drawn above the first and below the second.
    """
    n_images, height, width = canvas.shape
    # Image by image, so that what is written lies close together.
    top = np.maximum(top.T, np.float32(rows[0])).ravel()
    bottom = np.minimum(bottom.T, np.float32(rows[1])).ravel()
    image, column = np.divmod(np.arange(len(top)), len(top) // n_images)
    column += first_column
    is_there = bottom > top
    if not is_there.all():
        top, bottom, image, column = (values[is_there] for values in (top, bottom, image, column))
    image *= height * width
    pixels, palette = canvas.reshape(-1), colors.reshape(-1)
    first, last = top.astype(np.intp), bottom.astype(np.intp)

    place = first * width + column
    covered = np.minimum(bottom, first + 1) - top
    _blend(pixels, place + image, palette.take(place), covered)
    # A stretch that ends at a border has nothing of the row below it.
    ends = np.flatnonzero((last > first) & (bottom > last))
    place = last[ends] * width + column[ends]
    _blend(pixels, place + image[ends], palette.take(place), (bottom - last)[ends])
    _fill(pixels, palette, first + 1, last, column, image, width)


def _blend(pixels: PixelArray, place: IntArray, color: PixelArray, covered: FloatArray) -> None:
    """Mix a colour into pixels that are covered in part."""
    opacity = (covered * np.float32(_OPAQUE)).astype(np.uint32)
    pixels[place] = _mix(pixels.take(place), color, opacity)


def _mix(page: PixelArray, color: PixelArray, opacity: PixelArray) -> PixelArray:
    """Return pixels between two colours, with an opacity of the second from 0 to 256."""
    # Two bytes of a pixel at a time, each with a free byte above it for the product.
    rest = _OPAQUE - opacity
    even = ((page & _EVEN_BYTES) * rest + (color & _EVEN_BYTES) * opacity) >> 8
    odd = ((page >> 8) & _EVEN_BYTES) * rest + ((color >> 8) & _EVEN_BYTES) * opacity
    return (even & _EVEN_BYTES) | (odd & ~_EVEN_BYTES)


def _fill(
    pixels: PixelArray,
    palette: PixelArray,
    start: IntArray,
    stop: IntArray,
    column: IntArray,
    image: IntArray,
    width: int,
) -> None:
    """Fill the rows of each column from `start` to before `stop`."""
    length = np.maximum(stop - start, 0)
    # Rows go up by one within a column; where the next one begins, the place is another.
    offset = start - (np.cumsum(length) - length)
    place = np.arange(int(length.sum()))
    place += np.repeat(offset, length)
    place *= width
    place += np.repeat(column, length)
    color = palette.take(place)
    place += np.repeat(image, length)
    pixels[place] = color
