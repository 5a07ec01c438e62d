"""Page: what is the same in every image of a montage, and what is written on it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.imaging.montage import Grid, Montage, rgb

__all__ = ["Page", "page_of", "write_missing"]

FloatArray = npt.NDArray[np.float64]
PixelArray = npt.NDArray[np.uint32]
ImageArray = npt.NDArray[np.uint8]

# Pixels, of letters that an image of 224 rows and six bands still shows.
_TEXT_HEIGHT = 11
_TEXT_GAP = 3


class Page:
    """The empty page of a montage, and the colours of its traces on it.

    Parameters
    ----------
    montage : Montage
        What is drawn.

    Attributes
    ----------
    background : ndarray of uint32, shape (height, width)
        The empty page, four bytes a pixel.
    colors : list of ndarray of uint32, shape (height, width)
        For each trace the colour of a pixel that it covers: where the grid lies over the traces,
        it is that of both.
    """

    def __init__(self, montage: Montage) -> None:
        shape = (montage.height, montage.width)
        opacity = np.zeros(shape)
        grid_color = np.zeros(3)
        over_traces = False
        if montage.grid is not None:
            opacity = _grid_opacity(montage, montage.grid)
            grid_color = rgb(montage.grid.color)
            over_traces = montage.grid.over_traces

        def under_grid(color: FloatArray, opacity: FloatArray) -> ImageArray:
            alpha = opacity[..., None]
            return np.round(color * (1 - alpha) + grid_color * alpha).astype(np.uint8)

        page = under_grid(np.broadcast_to(rgb(montage.background), (*shape, 3)), opacity)
        page = _annotate(page, montage)
        self.background = _pack(page)
        above = opacity if over_traces else np.zeros(shape)
        self.colors = [
            _pack(under_grid(np.broadcast_to(rgb(trace.color), (*shape, 3)), above))
            for trace in montage.traces
        ]


@lru_cache(maxsize=8)
def page_of(montage: Montage) -> Page:
    """Return the page of a montage, made once."""
    return Page(montage)


def write_missing(image: ImageArray, montage: Montage, position: int) -> None:
    """Write into an image that a signal is missing.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
        Changed in place.
    montage : Montage
        Of the image.
    position : int
        Of the missing trace.
    """
    text = f"{montage.traces[position].label} missing"
    opacity = _text_opacity(text)
    top = round(montage.center(position) - opacity.shape[0] / 2)
    left = montage.margin + max((montage.columns - opacity.shape[1]) // 2, 0)
    _blend_text(image, opacity, montage, top, left)


def _pack(image: ImageArray) -> PixelArray:
    """Return red, green and blue as one number a pixel."""
    packed = np.zeros((*image.shape[:2], 4), dtype=np.uint8)
    packed[..., :3] = image
    return packed.view(np.uint32)[..., 0]


def _grid_opacity(montage: Montage, grid: Grid) -> FloatArray:
    """Return how much of each pixel the grid hides."""
    seen = np.ones((montage.height, montage.width))
    steps = np.arange(1, int(EPOCH_DURATION / grid.minor_seconds) + 1) * grid.minor_seconds
    majors = np.arange(1, int(EPOCH_DURATION / grid.major_seconds) + 1) * grid.major_seconds
    minors = steps[~np.isclose(steps[:, None], majors[None]).any(axis=1)]
    across = np.ones(montage.columns)
    for times, width, alpha in (
        (minors, grid.minor_width, grid.minor_alpha),
        (majors, grid.major_width, grid.major_alpha),
    ):
        for time in times[times < EPOCH_DURATION]:
            place = time / EPOCH_DURATION * montage.columns
            across *= 1 - alpha * _line(montage.columns, place, width)
    seen[:, montage.margin :] *= across
    for position in range(1, len(montage)):
        line = _line(montage.height, position * montage.band_height, grid.major_width)
        seen *= 1 - grid.major_alpha * line[:, None]
    return 1 - seen


def _line(n_pixels: int, place: float, width: float) -> FloatArray:
    """Return how much of each pixel a straight line covers, as matplotlib places it."""
    # Its middle lies in the middle of a pixel.
    middle = np.floor(place + 0.5) + 0.5
    first = np.arange(n_pixels)
    covered = np.minimum(first + 1, middle + width / 2) - np.maximum(first, middle - width / 2)
    return np.clip(covered, 0, 1)


def _annotate(page: ImageArray, montage: Montage) -> ImageArray:
    """Write labels and draw calibration marks."""
    for position, trace in enumerate(montage.traces):
        center = montage.center(position)
        if montage.labels:
            opacity = _text_opacity(trace.label)
            _blend_text(page, opacity, montage, round(center - opacity.shape[0] - 1), _TEXT_GAP)
        if montage.calibration and montage.margin and trace.amplitude and trace.unit:
            # Half of the amplitude, which is half of the band.
            quarter = montage.band_height / 4
            rows = slice(round(center - quarter), round(center + quarter) + 1)
            page[rows, montage.margin - _TEXT_GAP] = rgb(montage.text_color)
            low, high = trace.amplitude
            opacity = _text_opacity(f"{(high - low) / 2:g} {trace.unit}".strip())
            _blend_text(page, opacity, montage, round(center + 1), _TEXT_GAP)
    return page


@lru_cache(maxsize=64)
def _text_opacity(text: str) -> FloatArray:
    font = ImageFont.load_default(_TEXT_HEIGHT)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text))
    image = Image.new("L", (right - left + 1, bottom - top + 1))
    ImageDraw.Draw(image).text((-left, -top), text, fill=255, font=font)
    return np.asarray(image) / 255


def _blend_text(
    image: ImageArray, opacity: FloatArray, montage: Montage, top: int, left: int
) -> None:
    """Write into an image; what lies beyond its edges is left out."""
    opacity = opacity[max(-top, 0) :]
    top = max(top, 0)
    part = image[top : top + opacity.shape[0], left : left + opacity.shape[1]]
    alpha = opacity[: part.shape[0], : part.shape[1], None]
    part[:] = np.round(part * (1 - alpha) + rgb(montage.text_color) * alpha).astype(np.uint8)
