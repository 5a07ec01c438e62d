"""draw_epochs: samples of epochs to images."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from sklearn_sleep.core.arrays import FloatArray, SampleArray
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.imaging.montage import Grid, Montage, find_montage, rgb
from sklearn_sleep.imaging.strokes import PixelArray, fill_spans, stroke_spans

ImageArray = npt.NDArray[np.uint8]

# What is worked on at a time stays in a processor's cache.
_EPOCHS_AT_A_TIME = 16
# Pixels, of letters that an image of 224 rows and six bands still shows.
_TEXT_HEIGHT = 11
_TEXT_GAP = 3
# Of a montage without a grid: one that hides nothing.
_NO_GRID = Grid(minor_alpha=0.0, major_alpha=0.0)


def draw_epochs(
    samples: Mapping[str, npt.ArrayLike],
    montage: str | Montage = "sleepvlm",
    *,
    amplitudes: Mapping[str, tuple[float, float]] | None = None,
) -> ImageArray:
    """Draw epochs.

    Parameters
    ----------
    samples : mapping of str to array-like of shape (n_epochs, samples_per_epoch)
        By the names of the montage's signals and in the units of their definitions; NaN where
        samples are missing. Signals may differ in their samples per epoch; one that is not there
        leaves its band empty.
    montage : str or Montage, default="sleepvlm"
        What is drawn, and how.
    amplitudes : mapping of str to tuple of float, optional
        The values at the bottom and the top of the band, of traces that have none of their own.

    Returns
    -------
    ndarray of uint8, shape (n_epochs, height, width, 3)
        Red, green and blue.

    Examples
    --------
    >>> seconds = np.arange(3000) / 100
    >>> alpha = 30 * np.sin(2 * np.pi * 10 * seconds)
    >>> images = draw_epochs({"F4": [alpha], "EMG": [alpha / 10]})
    >>> images.shape
    (1, 224, 448, 3)
    >>> images[0, 18, 100]  # in the first of six bands, where F4 is drawn in yellow
    array([255, 255,   0], dtype=uint8)
    """
    montage = find_montage(montage)
    arrays, n_epochs = _check(samples, montage)
    own = {trace.name: trace.amplitude for trace in montage.traces if trace.amplitude}
    scales = {**(amplitudes or {}), **own}
    if not scales.keys() >= arrays.keys():
        unknown = sorted(arrays.keys() - scales.keys())
        raise ValueError(f"The traces of {unknown} have no amplitude; give it in amplitudes.")
    return draw_pages(arrays, scales, montage, n_epochs)


def draw_pages(
    samples: Mapping[str, SampleArray],
    amplitudes: Mapping[str, tuple[float, float]],
    montage: Montage,
    n_epochs: int,
) -> ImageArray:
    """Return images, (n_epochs, height, width, 3), empty pages where no samples are."""
    images = np.empty((n_epochs, montage.height, montage.width, 3), dtype=np.uint8)
    for start in range(0, n_epochs, _EPOCHS_AT_A_TIME):
        some = slice(start, start + _EPOCHS_AT_A_TIME)
        part = {name: array[some] for name, array in samples.items()}
        _draw(images[some], part, amplitudes, montage)
    return images


def _check(
    samples: Mapping[str, npt.ArrayLike], montage: Montage
) -> tuple[dict[str, SampleArray], int]:
    arrays = {}
    for name, values in samples.items():
        montage.position(name)  # raises if it has none
        arrays[name] = np.asarray(values, dtype=np.float32)
        if arrays[name].ndim != 2 or arrays[name].shape[1] < 2:
            raise ValueError(
                f"{name!r} must have the shape (n_epochs, samples_per_epoch) with two samples or "
                f"more, but has {arrays[name].shape}."
            )
    n_epochs = {name: len(array) for name, array in arrays.items()}
    if len(set(n_epochs.values())) > 1:
        raise ValueError(f"The signals must have as many epochs each, but have {n_epochs}.")
    return arrays, next(iter(n_epochs.values()), 0)


def _draw(
    images: ImageArray,
    samples: Mapping[str, SampleArray],
    amplitudes: Mapping[str, tuple[float, float]],
    montage: Montage,
) -> None:
    page = page_of(montage)
    canvas = np.repeat(page.background[None], len(images), axis=0)
    missing = []
    nothing = np.full((len(images), 2), np.nan, dtype=np.float32)
    for position, trace in enumerate(montage.traces):
        values = samples.get(trace.name, nothing)
        absent = np.isnan(values).all(axis=1)
        missing.append((position, np.flatnonzero(absent)))
        if absent.all():
            continue
        heights = _heights(values, amplitudes[trace.name], montage, position)
        top, bottom = stroke_spans(heights, montage.columns, montage.line_width)
        band = position * montage.band_height
        rows = (band, band + montage.band_height) if montage.clip else (0.0, float(montage.height))
        fill_spans(
            canvas,
            top,
            bottom,
            page.colors[position],
            first_column=montage.margin,
            rows=rows,
        )
    # One channel after the other is the fastest way to leave out the fourth byte.
    pixels = canvas.view(np.uint8).reshape(*canvas.shape, 4)
    for channel in range(3):
        images[..., channel] = pixels[..., channel]
    for position, epochs in missing:
        for epoch in epochs:
            _write_missing(images[epoch], montage, position)


def _heights(
    values: SampleArray, amplitude: tuple[float, float], montage: Montage, position: int
) -> SampleArray:
    """Return pixels below the upper edge, of shape (samples_per_epoch, n_epochs)."""
    low, high = amplitude
    pixels_per_unit = montage.band_height / (high - low)
    # One epoch beside the other: what follows is done to whole rows of the array.
    heights = np.ascontiguousarray(values.T)
    heights = heights * np.float32(-pixels_per_unit)
    heights += np.float32(montage.center(position) + (low + high) / 2 * pixels_per_unit)
    return heights


class Page:
    """The empty page of a montage, and the colours of its traces on it, as (height, width) pixels.

    Where the grid lies over the traces, the colour of a pixel that a trace covers is that of both.
    """

    def __init__(self, montage: Montage) -> None:
        shape = (montage.height, montage.width)
        grid = montage.grid or _NO_GRID
        opacity = _grid_opacity(montage, grid)
        grid_color = rgb(grid.color)

        def under_grid(color: FloatArray, opacity: FloatArray) -> ImageArray:
            alpha = opacity[..., None]
            return np.round(color * (1 - alpha) + grid_color * alpha).astype(np.uint8)

        page = under_grid(np.broadcast_to(rgb(montage.background), (*shape, 3)), opacity)
        page = _annotate(page, montage)
        self.background = _pack(page)
        above = opacity if grid.over_traces else np.zeros(shape)
        self.colors = [
            _pack(under_grid(np.broadcast_to(rgb(trace.color), (*shape, 3)), above))
            for trace in montage.traces
        ]


@lru_cache(maxsize=8)
def page_of(montage: Montage) -> Page:
    """Return the page of a montage, made once."""
    return Page(montage)


def _write_missing(image: ImageArray, montage: Montage, position: int) -> None:
    """Write into an image, (height, width, 3), that the trace at a position is missing."""
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
