"""Resampler: every signal to the rate that its definition names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from sklearn_sleep.core.parameter_constraints import StrOptions
from sklearn_sleep.core.recording import FloatArray, Signal
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.preprocessing._resampling import resample_linear, resample_polyphase
from sklearn_sleep.preprocessing.base import RecordingTransformer

__all__ = ["Resampler"]


class Resampler(RecordingTransformer):
    """Bring each signal to a whole number of samples per epoch.

    Parameters
    ----------
    samples_per_epoch : mapping of str to int, optional
        Samples per 30-second epoch by signal name. Signals that are not named have those of
        their definition (ABD and THX 256, ECG and PPG 1024, EOG, EEG and EMG 4096).
    method : {"polyphase", "linear"}, default="polyphase"
        ``"polyphase"`` filters against aliasing; sample `i` of an epoch lies at
        ``i * 30 / samples_per_epoch`` s. ``"linear"`` interpolates as the published wav2sleep
        does, with sample `i` at ``(i + 1) * 30 / samples_per_epoch`` s, missing samples bridged
        within the recording and 0 outside it.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> epochs = EDFReader(["EEG"]).fit_transform("tests/data/sleep-edf-5min.edf")
    >>> signal = Resampler({"EEG": 1920}).fit_transform(epochs).recordings[0].signals["EEG"]
    >>> signal.sampling_frequency
    64.0
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "samples_per_epoch": [Mapping, None],
        "method": [StrOptions({"polyphase", "linear"})],
    }

    def __init__(
        self,
        samples_per_epoch: Mapping[str, int] | None = None,
        *,
        method: Literal["polyphase", "linear"] = "polyphase",
    ) -> None:
        self.samples_per_epoch = samples_per_epoch
        self.method = method

    def transform_signal(self, signal: Signal) -> Signal:
        """Return the signal at its new sampling frequency.

        Parameters
        ----------
        signal : Signal
            Not yet cut into epochs.

        Returns
        -------
        Signal

        Raises
        ------
        ValueError
            If a number of samples per epoch is not an integer above 0.
        """
        self._check_continuous(signal)
        wanted = (self.samples_per_epoch or {}).get(
            signal.name, signal.definition.samples_per_epoch
        )
        per_epoch = int(wanted)
        if per_epoch != wanted or per_epoch < 1:
            raise ValueError(
                f"samples_per_epoch[{signal.name!r}]={wanted!r} must be an integer above 0."
            )
        rate = signal.sampling_frequency
        n_epochs = signal.n_epochs

        def resample(samples: FloatArray) -> FloatArray:
            if self.method == "linear":
                return resample_linear(samples, rate, per_epoch, n_epochs, bridge_gaps=True)
            return resample_polyphase(samples, rate, per_epoch, n_epochs)

        return signal.map(resample, sampling_frequency=per_epoch / EPOCH_DURATION)
