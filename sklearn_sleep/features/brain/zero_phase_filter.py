"""A band-pass filter that keeps the shape and the place of waves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import firwin, oaconvolve

__all__ = ["band_pass"]

FloatArray = npt.NDArray[np.float64]

# Length of a Hamming-windowed low-pass filter, times the width of its transition over the
# sampling frequency (Ifeachor & Jervis 2002, Digital Signal Processing, table 7.3).
_HAMMING_LENGTH = 3.3


def band_pass(
    samples: FloatArray,
    sampling_frequency: float,
    band: tuple[float, float],
    transitions: tuple[float, float],
) -> FloatArray:
    """Return samples filtered by a symmetric impulse response.

    Parameters
    ----------
    samples : ndarray of float64, shape (n_samples,)
        Finite.
    sampling_frequency : float
        In Hz.
    band : (float, float)
        Frequencies in Hz that pass.
    transitions : (float, float)
        Widths in Hz below and above the band over which the gain falls to zero; half of it is
        lost in their middle.

    Returns
    -------
    ndarray of float64, shape (n_samples,)

    Examples
    --------
    >>> time = np.arange(0, 30, 0.01)
    >>> waves = 5 + np.sin(2 * np.pi * 10 * time)
    >>> filtered = band_pass(waves, 100, (0.4, 30), (0.4, 7.5))
    >>> bool(np.allclose(filtered[1000:2000], waves[1000:2000] - 5, atol=0.01))
    True
    """
    lengths = [
        round(_HAMMING_LENGTH * sampling_frequency / width) // 2 * 2 + 1 for width in transitions
    ]
    below = firwin(lengths[0], band[0] - transitions[0] / 2, fs=sampling_frequency)
    above = firwin(lengths[1], band[1] + transitions[1] / 2, fs=sampling_frequency)
    half = max(lengths) // 2
    response = np.zeros(2 * half + 1)
    response[half - len(above) // 2 : half + len(above) // 2 + 1] += above
    response[half - len(below) // 2 : half + len(below) // 2 + 1] -= below
    reach = min(half, len(samples) - 1)
    # The night's ends go on as their own image turned around, which makes no step.
    padded = np.pad(samples, reach, mode="reflect", reflect_type="odd")
    padded = np.pad(padded, half - reach, mode="edge")
    return oaconvolve(padded, response, mode="valid")
