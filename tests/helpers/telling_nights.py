"""Nights as arrays, in which every signal tells the stage."""

import numpy as np
from skorch.helper import SliceDict

SIGNALS = {"ECG": 64, "PPG": 64, "THX": 16}


def make_arrays(n_epochs=(30, 41, 24, 36), *, seed=0):
    """Nights whose stage is the amplitude of every signal, so that each signal tells it."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.repeat(rng.integers(0, 2, n // 3 + 1), 3)[:n] for n in n_epochs])
    arrays = {
        name: (rng.normal(size=(len(y), width)) * (0.3 + 1.5 * y[:, None])).astype(np.float32)
        for name, width in SIGNALS.items()
    }
    names = np.repeat([f"night-{i}" for i in range(len(n_epochs))], n_epochs)
    return arrays, names.astype(object), y


def as_x(arrays, recording, **more):
    return SliceDict(**arrays, recording=recording, **more)
