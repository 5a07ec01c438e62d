"""Types of arrays, by what they hold."""

import numpy as np
import numpy.typing as npt

SampleArray = npt.NDArray[np.float32]
"""Samples of signals."""
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
"""Positions."""
BoolArray = npt.NDArray[np.bool_]
