"""What waveforms measure, as text: the targets of the first phase of training."""

import json
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.signal import welch

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.imaging import Montage

PERCEIVED_BANDS = {
    "delta": (0.3, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
}
"""In Hz, as SleepVLM has them (Deng et al. 2026)."""

PERCEIVED_VALUES = (
    *(f"{band} power (dB)" for band in PERCEIVED_BANDS),
    "mean absolute value (uV)",
)
"""Of EEG and EOG; of other signals the last one alone."""

# uV^2 below which no power is told from none.
_LEAST_POWER = 1e-2


def measure_waveforms(
    samples: npt.ArrayLike, seconds: float = 1.0, *, with_bands: bool = True
) -> FloatArray:
    """Return band powers and mean absolute value, (n_epochs, n_stretches, n_values), of uV.

    Powers are in dB of 1 uV^2, from a Hann window over the stretch; the mean absolute value in uV.
    NaN where samples are missing.
    """
    epochs = np.asarray(samples, dtype=np.float64)
    n_stretches = EPOCH_DURATION / seconds
    length = epochs.shape[1] / n_stretches
    if n_stretches != round(n_stretches) or length != round(length):
        raise ValueError(
            f"seconds={seconds:g} must divide 30 s, and be a whole number of samples, of which an "
            f"epoch has {epochs.shape[1]}."
        )
    stretches = epochs.reshape(len(epochs), round(n_stretches), round(length))
    values = [np.abs(stretches).mean(axis=2)]
    if with_bands:
        frequency = length / seconds
        frequencies, density = welch(stretches, frequency, nperseg=round(length), detrend=False)
        width = frequencies[1] - frequencies[0]
        powers = [
            density[..., (frequencies >= low) & (frequencies < high)].sum(axis=2) * width
            for low, high in PERCEIVED_BANDS.values()
        ]
        values = [10 * np.log10(np.maximum(power, _LEAST_POWER)) for power in powers] + values
    measured = np.stack(values, axis=2)
    measured[np.isnan(stretches).any(axis=2)] = np.nan
    return measured


def perception_texts(
    samples: Mapping[str, npt.NDArray[np.float32]], montage: Montage, seconds: float
) -> list[str]:
    """Return what is to be seen in each epoch's image: JSON, a list for each trace."""
    measured = {}
    for trace in montage.traces:
        if trace.name in samples:
            with_bands = trace.unit == "uV" and not trace.name.startswith("EMG")
            measured[trace.label] = measure_waveforms(
                samples[trace.name], seconds, with_bands=with_bands
            ).round(1)
    n_epochs = len(next(iter(measured.values()), []))
    return [
        json.dumps(
            {
                label: values[epoch].tolist()
                for label, values in measured.items()
                if not np.isnan(values[epoch]).any()
            },
            separators=(",", ":"),
        )
        for epoch in range(n_epochs)
    ]
