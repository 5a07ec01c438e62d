"""Strokes: anti-aliased lines through samples, into many images at once."""

# In each column of pixels the line through the samples covers one stretch, from its lowest to its
# highest point, which the width of the line makes longer. Nothing between two samples, and no
# sample, is lost, and nothing shows in a column that is not in it. The pixels in which a stretch
# begins and ends are mixed with what is there already; what lies between them is filled. Pixels
# that no trace touches are not visited.

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.arrays import IntArray, SampleArray

PixelArray = npt.NDArray[np.uint32]

# Opacity that is computed with in whole numbers.
_OPAQUE = np.uint32(256)
_EVEN_BYTES = np.uint32(0x00FF00FF)


class _TimeBase(NamedTuple):
    """Where samples lie among columns."""

    before: IntArray  # the sample before each border
    fraction: SampleArray  # how far the border lies on the way to the next sample
    # The first samples of columns, the second ones, ...: columns that have one, and it.
    picks: tuple[tuple[IntArray, IntArray], ...]


@lru_cache(maxsize=32)
def _time_base(n_samples: int, columns: int) -> _TimeBase:
    # The first and the last sample lie at the edges, as SleepVLM has them.
    place = np.linspace(0, columns, n_samples)
    borders = np.arange(columns + 1)
    before = np.clip(np.searchsorted(place, borders, side="right") - 1, 0, n_samples - 2)
    fraction = (borders - place[before]) / (place[before + 1] - place[before])
    first = np.searchsorted(place, borders[:-1])
    count = np.searchsorted(place, borders[1:]) - first
    picks = []
    for pick in range(int(count.max())):
        has_more = np.flatnonzero(count > pick)
        picks.append((has_more, first[has_more] + pick))
    return _TimeBase(before, fraction.astype(np.float32)[:, None], tuple(picks))


def stroke_spans(y: SampleArray, columns: int, width: float) -> tuple[SampleArray, SampleArray]:
    """Return the top and bottom, (columns, n_epochs), of what a line covers of each column.

    `y` is the height of each sample in pixels, downwards, of shape (n_samples, n_epochs); NaN where
    there is none. Where there is no line, top is infinity and bottom minus infinity.

    >>> y = np.array([[10.0], [10.0], [16.0]], dtype=np.float32)
    >>> top, bottom = stroke_spans(y, columns=4, width=0.2)
    >>> top.ravel(), bottom.ravel()
    (array([ 9.9,  9.9,  9.9, 12.9], dtype=float32),
     array([10.1, 10.1, 13.1, 16.1], dtype=float32))
    """
    base = _time_base(len(y), columns)
    at_border = y[base.before]
    rise = y[base.before + 1]
    rise -= at_border
    rise *= base.fraction
    at_border += rise
    top = np.minimum(at_border[:-1], at_border[1:])
    bottom = np.maximum(at_border[:-1], at_border[1:])
    for where, pick in base.picks:
        values = y[pick]
        if len(where) == len(top):
            np.minimum(top, values, out=top)
            np.maximum(bottom, values, out=bottom)
        else:
            top[where] = np.minimum(top[where], values)
            bottom[where] = np.maximum(bottom[where], values)
    missing = np.isnan(top)
    if missing.any():
        top[missing] = np.inf
        bottom[missing] = -np.inf
    top -= np.float32(width / 2)
    bottom += np.float32(width / 2)
    return top, bottom


def fill_spans(
    canvas: PixelArray,
    top: SampleArray,
    bottom: SampleArray,
    colors: PixelArray,
    *,
    first_column: int,
    rows: tuple[float, float],
) -> None:
    """Draw the stretches of `stroke_spans` into images, (n_images, height, width) of four bytes.

    `colors`, (height, width), is what each pixel shows where it is covered; nothing is drawn above
    the first of `rows` and below the second.
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


def _blend(pixels: PixelArray, place: IntArray, color: PixelArray, covered: SampleArray) -> None:
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
