"""read_envelope: the lowest and highest value of each column, read from an image."""

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.imaging.drawing import page_of
from sklearn_sleep.imaging.montage import Montage, find_montage

# How far a pixel's colour may lie from every mixture of page and trace: by rounding (of 255 steps),
# and, in parts of its way from the page, by the edge of another trace.
_ROUNDING_TOLERANCE = 4.0
_MIXING_TOLERANCE = 0.3
# Steps from the colour of the page below which a pixel counts as not covered.
_LEAST_CHANGE = 6.0


def read_envelope(
    image: npt.NDArray[np.uint8],
    montage: str | Montage,
    signal: str,
    *,
    amplitude: tuple[float, float] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Read a trace back from an image: its lowest and highest value in each column.

    Drawing loses what lies between these two, and no more than a pixel of them, as long as no
    other trace covers them. Traces of one colour are told apart by their bands, those of a colour
    of their own are found wherever they are.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
        Of one epoch.
    montage : str or Montage
        With which it was drawn.
    signal : str
        Name of the trace's signal.
    amplitude : tuple of float, optional
        The values at the bottom and the top of the band, if the trace has none of its own.

    Returns
    -------
    lowest, highest : ndarray of float64, shape (columns,)
        In the unit of the trace; NaN where it is not to be seen.

    Examples
    --------
    >>> from sklearn_sleep.imaging import draw_epochs
    >>> eeg = np.linspace(-40, 40, 3000)
    >>> image = draw_epochs({"C4": [eeg]})[0]
    >>> lowest, highest = read_envelope(image, "sleepvlm", "C4")
    >>> highest[[0, 224, 447]].round()
    array([-40.,   0.,  40.])
    """
    montage = find_montage(montage)
    if image.shape != (montage.height, montage.width, 3):
        raise ValueError(
            f"The image has the shape {image.shape}, but those of the montage have "
            f"{(montage.height, montage.width, 3)}."
        )
    position = montage.position(signal)
    scale = montage.traces[position].amplitude or amplitude
    if scale is None:
        raise ValueError(
            f"The trace of {signal!r} has no amplitude; give the one it was drawn with."
        )
    covered = _coverage(image, montage, position)[:, montage.margin :]
    seen = covered > 0
    first = seen.argmax(axis=0)
    last = montage.height - 1 - seen[::-1].argmax(axis=0)
    column = np.arange(montage.columns)
    radius = montage.line_width / 2
    top = first + 1 - covered[first, column] + radius
    bottom = last + covered[last, column] - radius
    # Of a line within one row, both are its middle.
    top, bottom = np.minimum(top, (top + bottom) / 2), np.maximum(bottom, (top + bottom) / 2)
    low, high = scale
    units_per_pixel = (high - low) / montage.band_height
    middle = (low + high) / 2

    def value(row: FloatArray) -> FloatArray:
        values = middle + (montage.center(position) - row) * units_per_pixel
        return np.where(seen.any(axis=0), values, np.nan)

    return value(bottom), value(top)


def _coverage(image: npt.NDArray[np.uint8], montage: Montage, position: int) -> FloatArray:
    """Return how much of each pixel a trace covers, as its colour tells."""
    page = page_of(montage)
    empty = _unpack(page.background)
    found = image - empty
    colors = [trace.color.lower() for trace in montage.traces]
    covered, distance = _mixture(found, _unpack(page.colors[position]) - empty)
    for other in {colors.index(color) for color in colors if color != colors[position]}:
        covered[_mixture(found, _unpack(page.colors[other]) - empty)[1] < distance] = 0
    if colors.count(colors[position]) > 1:
        row = np.arange(montage.height) + 0.5
        outside = np.abs(row - montage.center(position)) > montage.band_height / 2
        covered[outside] = 0
    return np.clip(covered, 0, 1)


def _mixture(found: FloatArray, way: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how far pixels lie on the way from page to trace, and how far beside it."""
    covered = (found * way).sum(axis=2) / np.maximum((way**2).sum(axis=2), 1)
    distance = np.linalg.norm(found - covered[..., None] * way, axis=2)
    change = covered * np.linalg.norm(way, axis=2)
    allowed = _ROUNDING_TOLERANCE + _MIXING_TOLERANCE * change
    covered[(distance > allowed) | (change < _LEAST_CHANGE)] = 0
    return covered, distance


def _unpack(pixels: npt.NDArray[np.uint32]) -> FloatArray:
    """Return red, green and blue of each pixel."""
    parts = np.ascontiguousarray(pixels).view(np.uint8).reshape(*pixels.shape, 4)
    return parts[..., :3].astype(np.float64)
