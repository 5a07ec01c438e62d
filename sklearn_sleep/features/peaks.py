"""Where between samples a peak lies."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["vertex"]

FloatArray = npt.NDArray[np.float64]


def vertex(curves: FloatArray, peak: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    """Return the vertex of the parabola through each curve's highest sample and its neighbours.

    Parameters
    ----------
    curves : ndarray of shape (n_curves, n_samples)
        Samples around each peak.
    peak : ndarray of int, shape (n_curves,)
        The highest sample of each, neither the first nor the last.

    Returns
    -------
    offset : ndarray of shape (n_curves,)
        Samples by which the vertex comes later, between -0.5 and 0.5; 0 where the three lie on a
        line.
    height : ndarray of shape (n_curves,)
        Value there.

    Examples
    --------
    >>> curve = -((np.arange(5.0) - 2.25) ** 2)
    >>> offset, height = vertex(curve[None], np.array([2]))
    >>> float(offset[0]), float(height[0])
    (0.25, 0.0)
    """
    row = np.arange(len(curves))
    before, at, after = (curves[row, peak + k] for k in (-1, 0, 1))
    bend = before - 2 * at + after
    offset = np.where(bend < 0, (before - after) / np.where(bend < 0, 2 * bend, 1.0), 0.0)
    offset = offset.clip(-0.5, 0.5)
    return offset, at - 0.25 * (before - after) * offset
