"""Samples of nights as images are drawn from, kept while they are needed."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.recording import Recording, Signal
from sklearn_sleep.core.signals import EPOCH_DURATION, conversion_factor
from sklearn_sleep.imaging.montage import Montage, Trace
from sklearn_sleep.preprocessing import Epocher, Resampler

__all__ = ["NightSamples", "NightSamplesCache", "check_unit"]

FloatArray = npt.NDArray[np.float32]

# Percentiles of the night's samples at the edges of the band of a trace without amplitude.
_MIDDLE = (1.0, 99.0)


class NightSamples:
    """What is drawn of a night.

    Parameters
    ----------
    recording : Recording
        Cut into epochs or not.
    montage : Montage
        What is drawn.

    Attributes
    ----------
    samples : dict of str to ndarray of float32, shape (n_epochs, samples_per_epoch)
        By signal, in the units of the montage.
    amplitudes : dict of str to tuple of float
        Of these traces; where they have none of their own, the middle of the night's samples.
    """

    def __init__(self, recording: Recording, montage: Montage) -> None:
        self.samples: dict[str, FloatArray] = {}
        self.amplitudes: dict[str, tuple[float, float]] = {}
        for trace in montage.traces:
            if trace.name not in recording.signals:
                continue
            samples = _read(recording.signals[trace.name], trace)
            self.samples[trace.name] = samples
            self.amplitudes[trace.name] = trace.amplitude or _amplitude(samples)

    @property
    def n_bytes(self) -> int:
        """Memory that the samples take."""
        return sum(samples.nbytes for samples in self.samples.values())


class NightSamplesCache:
    """The nights that were read last, up to a number of bytes; the last one is always kept.

    Parameters
    ----------
    kept_bytes : int
        How much to keep.
    """

    def __init__(self, kept_bytes: int) -> None:
        self.kept_bytes = kept_bytes
        self._nights: OrderedDict[str, NightSamples] = OrderedDict()

    def read(self, recording: Recording, montage: Montage) -> NightSamples:
        """Return the samples of a recording.

        Parameters
        ----------
        recording : Recording
            The night.
        montage : Montage
            What is drawn; the same in all calls.

        Returns
        -------
        NightSamples
        """
        key = recording.fingerprint
        if key not in self._nights:
            self._nights[key] = NightSamples(recording, montage)
            while (
                len(self._nights) > 1
                and sum(night.n_bytes for night in self._nights.values()) > self.kept_bytes
            ):
                self._nights.popitem(last=False)
        self._nights.move_to_end(key)
        return self._nights[key]


def check_unit(signal: Signal, trace: Trace) -> float:
    """Return the factor from the unit of a signal to that of a trace.

    Parameters
    ----------
    signal : Signal
        Of a recording.
    trace : Trace
        Of the montage.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If they do not go together.
    """
    if signal.unit == trace.unit:
        return 1.0
    factor = conversion_factor(signal.unit, trace.unit) if trace.unit else None
    if factor is None:
        has = f"the unit {signal.unit!r}" if signal.unit else "no unit"
        wants = f"in {trace.unit}" if trace.unit else "without a unit"
        raise ValueError(
            f"{signal.name} has {has}, but its trace is {wants}. Leave out the Normalizer before "
            "the images; for a signal of another unit, give the trace a SignalDefinition with it."
        )
    return factor


def _read(signal: Signal, trace: Trace) -> FloatArray:
    """Return the samples of each epoch in the unit of the trace."""
    factor = check_unit(signal, trace)
    if not signal.is_epoched:
        per_epoch = signal.sampling_frequency * EPOCH_DURATION
        if abs(per_epoch - round(per_epoch)) > 1e-6 * per_epoch:
            signal = Resampler({signal.name: round(per_epoch)}).transform_signal(signal)
        signal = Epocher().transform_signal(signal)
    samples = signal.data.astype(np.float32, copy=False)
    return samples if factor == 1 else samples * np.float32(factor)


def _amplitude(samples: FloatArray) -> tuple[float, float]:
    if np.isnan(samples).all():
        return -1.0, 1.0
    low, high = (float(edge) for edge in np.nanpercentile(samples, _MIDDLE))
    # Of constant samples: a line in the middle.
    return (low, high) if low < high else (low - 1, low + 1)
