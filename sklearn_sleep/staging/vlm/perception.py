"""What waveforms measure, as text: the targets of the first phase of training."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.signal import welch

from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.imaging import Montage

__all__ = ["PERCEIVED_BANDS", "PERCEIVED_VALUES", "measure_waveforms", "perception_texts"]

FloatArray = npt.NDArray[np.float64]

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
    """Return band powers and mean absolute value of each stretch of epochs.

    Parameters
    ----------
    samples : array-like of shape (n_epochs, samples_per_epoch)
        In uV.
    seconds : float, default=1.0
        Length of a stretch, of which an epoch is a whole number.
    with_bands : bool, default=True
        Whether to compute the powers of `PERCEIVED_BANDS`.

    Returns
    -------
    ndarray of float64, shape (n_epochs, n_stretches, n_values)
        Powers in dB of 1 uV^2, from a Hann window over the stretch; then the mean absolute value in
        uV. NaN where samples are missing.

    Raises
    ------
    ValueError
        If an epoch is no whole number of stretches, or a stretch no whole number of samples.

    Examples
    --------
    >>> time = np.arange(3000) / 100
    >>> values = measure_waveforms([20 * np.sin(2 * np.pi * 10 * time)], seconds=5)
    >>> values[0, 0].round(1)  # 20 uV at 10 Hz: 200 uV^2
    array([-20. , -20. ,  23. , -20. ,  12.3])
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
    """Return what is to be seen in the image of each epoch.

    Parameters
    ----------
    samples : mapping of str to ndarray of shape (n_epochs, samples_per_epoch)
        By signal, in the units of the montage.
    montage : Montage
        With which they are drawn.
    seconds : float
        Length of a stretch.

    Returns
    -------
    list of str
        JSON objects: a list for each trace that is there, in which each stretch has a list of its
        values.
    """
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
