"""draw_epochs: samples of epochs to images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_sleep.imaging.montage import Montage, find_montage
from sklearn_sleep.imaging.page import page_of, write_missing
from sklearn_sleep.imaging.rasterizer import fill_spans
from sklearn_sleep.imaging.strokes import stroke_spans

__all__ = ["draw_epochs", "draw_pages"]

FloatArray = npt.NDArray[np.float32]
ImageArray = npt.NDArray[np.uint8]

# What is worked on at a time stays in a processor's cache.
_EPOCHS_AT_A_TIME = 16


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

    Raises
    ------
    ValueError
        If a signal is none of the montage's, its array is not of two dimensions and at least two
        samples an epoch, or the signals differ in their epochs; or if a trace has no amplitude.

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
    samples: Mapping[str, FloatArray],
    amplitudes: Mapping[str, tuple[float, float]],
    montage: Montage,
    n_epochs: int,
) -> ImageArray:
    """Draw epochs, empty pages if there are no samples.

    Parameters
    ----------
    samples : mapping of str to ndarray of float32, shape (n_epochs, samples_per_epoch)
        By the names of the montage's signals; NaN where samples are missing.
    amplitudes : mapping of str to tuple of float
        Of these signals.
    montage : Montage
        What is drawn, and how.
    n_epochs : int
        How many.

    Returns
    -------
    ndarray of uint8, shape (n_epochs, height, width, 3)
    """
    images = np.empty((n_epochs, montage.height, montage.width, 3), dtype=np.uint8)
    for start in range(0, n_epochs, _EPOCHS_AT_A_TIME):
        some = slice(start, start + _EPOCHS_AT_A_TIME)
        part = {name: array[some] for name, array in samples.items()}
        _draw(images[some], part, amplitudes, montage)
    return images


def _check(
    samples: Mapping[str, npt.ArrayLike], montage: Montage
) -> tuple[dict[str, FloatArray], int]:
    names = [trace.name for trace in montage.traces]
    arrays = {}
    for name, values in samples.items():
        if name not in names:
            raise ValueError(f"The montage has no {name!r}; its signals are {names}.")
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
    samples: Mapping[str, FloatArray],
    amplitudes: Mapping[str, tuple[float, float]],
    montage: Montage,
) -> None:
    page = page_of(montage)
    canvas = np.repeat(page.background[None], len(images), axis=0)
    missing: list[tuple[int, Any]] = []
    for position, trace in enumerate(montage.traces):
        if trace.name not in samples:
            missing.append((position, range(len(images))))
            continue
        values = samples[trace.name]
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
            write_missing(images[epoch], montage, position)


def _heights(
    values: FloatArray, amplitude: tuple[float, float], montage: Montage, position: int
) -> FloatArray:
    """Return pixels below the upper edge, of shape (samples_per_epoch, n_epochs)."""
    low, high = amplitude
    pixels_per_unit = montage.band_height / (high - low)
    # One epoch beside the other: what follows is done to whole rows of the array.
    heights = np.ascontiguousarray(values.T)
    heights = heights * np.float32(-pixels_per_unit)
    heights += np.float32(montage.center(position) + (low + high) / 2 * pixels_per_unit)
    return heights
