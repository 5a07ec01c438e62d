"""FrontEnd: what physiology reads from signals, as signals of their own, for networks."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.arrays import BoolArray, FloatArray, SampleArray
from sklearn_sleep.core.epochs import Epochs, Night
from sklearn_sleep.core.messages import list_names
from sklearn_sleep.core.recording import DerivedSource, Recording
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.exceptions import SignalQualityWarning
from sklearn_sleep.features.beats.heartbeats import HeartbeatDetector
from sklearn_sleep.features.readings import (
    DEFAULT_CHOICES,
    READINGS,
    WAVEFORM,
    Waveform,
    derived_names,
    derived_signal,
    read_source,
)
from sklearn_sleep.features.samples import usable_samples
from sklearn_sleep.preprocessing.base import EpochsTransformer, TakesEpochsMixin


class FrontEnd(TakesEpochsMixin, EpochsTransformer):
    """Give networks what physiology reads from signals, beside their waveforms or in their place.

    A network that is given heart rates and breaths need not learn to find them. With tens of
    training nights it stages better from these than from waveforms, in a small part of the time;
    see ``docs/small-cohorts.md``. Goes after `EDFReader` and `SignalQuality` and before
    `Resampler`: beats need 62 Hz.

    Parameters
    ----------
    choices : mapping of str to str or sequence of str, optional
        What is given of each signal, by name: ``"waveform"``, ``"heart"``, ``"heart_rate"``,
        ``"pulse"``, ``"breathing"``, or several of them. Signals that are not named keep the
        default: all but ``"waveform"`` and ``"heart_rate"`` of ECG, PPG, ABD, THX and FLOW, and
        ``"waveform"`` of all others.

    See Also
    --------
    wav2sleep_pipeline : A pipeline with this step.
    HeartbeatDetector : What finds the beats.
    detect_breaths : What finds the breaths.

    Notes
    -----
    Each derived signal is named after what it tells and its source, as ``HR(ECG)``. What may not be
    used of the source is not used for it: rows that the table or a NaN masks, and nights in which
    training masks the source. Each source that is there gives its own.

    =================  ===================  =====================================================
    choice             of                   signals
    =================  ===================  =====================================================
    ``"heart"``        ECG, PPG             at 16 samples an epoch: ``HR``, the heart rate in
                                            1/min; ``RR_change``, the logarithm of the change
                                            from one R-R interval to the next; ``HF``, ``LF`` and
                                            ``VLF``, those of the rate's amplitude from 0.15 to
                                            0.4, 0.04 to 0.15 and 0.0033 to 0.04 Hz (Task Force
                                            1996, Circulation 93:1043-1065)
    ``"pulse"``        PPG                  ``pulse_amplitude``, the logarithm of the height of
                                            pulses, at 16 samples an epoch
    ``"heart_rate"``   ECG, PPG             ``HR`` at 128 samples an epoch, after Sridhar et al.
                                            2020 (npj Digit Med 3:106)
    ``"breathing"``    ABD, THX, FLOW,      at 16 samples an epoch: ``BR``, the breathing rate in
                       ECG, PPG             1/min; ``effort``, the logarithm of the depth of
                                            breaths; ``rate_change`` and ``effort_change`` from
                                            one to the next; ``rate_variability`` and
                                            ``effort_variability``, those of how far each swings
                                            around its mean over some two minutes;
                                            ``regularity``, how like the breath before each is;
                                            of belts and flow ``movement``, the
                                            logarithm of the amplitude from 1 to 4 Hz
    ``"waveform"``     any                  the signal itself
    =================  ===================  =====================================================

    What ``"heart"`` and ``"breathing"`` tell in units of its own comes a second time, as
    ``HR_level(ECG)``: `Normalizer` brings the one to the mean and the standard deviation of the
    night, which differ from person to person, and the other to typical ones, which tell how fast
    the heart is and how much it varies beside other people's.

    Beats and breaths are found when samples are read, once a night for all that is told of them; a
    `RecordingCache` after `Epocher` keeps the signals.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> epochs = EDFReader(["ECG"], units={"ECG": "mV"}).fit_transform("tests/data/mitdb-100.edf")
    >>> night = FrontEnd({"ECG": "heart"}).fit_transform(epochs).recordings[0]
    >>> list(night.signals)[:6]
    ['HR(ECG)', 'RR_change(ECG)', 'HF(ECG)', 'LF(ECG)', 'VLF(ECG)', 'HR_level(ECG)']
    >>> rate = night.signals["HR(ECG)"]
    >>> rate, round(float(np.nanmean(rate.data)), 1)
    (Signal(HR(ECG), 0.533333 Hz, 1/min), 75.5)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {"choices": [Mapping, None]}

    def __init__(self, choices: Mapping[str, str | Sequence[str]] | None = None) -> None:
        self.choices = choices

    def _check_parameters(self) -> None:
        for signal, chosen in (self.choices or {}).items():
            names = _as_names(chosen)
            for name in names:
                _check_choice(signal, name)
            if not names:
                raise ValueError(
                    f"choices[{signal!r}] is empty; leave the signal out of EDFReader instead."
                )
            if {"heart", "heart_rate"} <= set(names):
                raise ValueError(
                    f"choices[{signal!r}] has 'heart' and 'heart_rate', which are both called "
                    f"HR({signal}); choose one."
                )

    def _names_of_signals(self) -> Mapping[str, Iterable[str]]:
        return {"choices": list(self.choices or {})}

    def _check_input(self, X: Any) -> None:
        super()._check_input(X)
        X.require_continuous("FrontEnd", "Put it before Epocher() in the pipeline.")

    def transform(self, X: Epochs) -> Epochs:
        """Return the same rows, (n_rows,), over recordings with the chosen signals.

        Recordings that are cut into epochs are a ValueError.
        """
        self._check(X)
        slow: dict[str, list[str]] = {}
        recordings = [Recording(self._derive(night, slow)) for night in X.nights()]
        for fault, paths in slow.items():
            warnings.warn(f"{list_names(paths)}: {fault}", SignalQualityWarning, stacklevel=2)
        return Epochs(X.table, recordings, X.recording_index)

    def get_feature_names_out(self, input_features: npt.ArrayLike | None = None) -> Any:
        """Return the names of the signals that come out, (n_signals,), of those that go in."""
        before = [] if input_features is None else list(np.asarray(input_features, dtype=object))
        return np.asarray(
            [name for signal in before for name in self._names_from(signal)], dtype=object
        )

    def _choices_of(self, signal: str) -> tuple[str, ...]:
        default = DEFAULT_CHOICES.get(signal, (WAVEFORM,))
        return _as_names((self.choices or {}).get(signal, default))

    def _names_from(self, signal: str) -> list[str]:
        """Return the names of what is given of a signal."""
        return [
            name
            for choice in self._choices_of(signal)
            for name in ([signal] if choice == WAVEFORM else derived_names(choice, signal))
        ]

    def _derive(self, night: Night, slow: dict[str, list[str]]) -> DerivedSource:
        """Return what is given of a night; faults of signals that are too slow go into `slow`."""
        usable, choices = {}, {}
        for name, signal in night.recording.signals.items():
            may_use = night.may_use(name)
            # Where nothing may be used of a source, nobody asks for what is derived from it: the
            # recording is the one that a cache knows.
            usable[name] = may_use if may_use.any() and not may_use.all() else None
            choices[name] = self._choices_of(name)
            least = max(
                (READINGS[c].sources[name] for c in choices[name] if c in READINGS), default=0
            )
            if signal.sampling_frequency < least:
                _check_is_recorded(signal)
                fault = (
                    f"{name} has {signal.sampling_frequency:g} samples per second, and what is to "
                    f"be found in it needs {least:g}; it counts as missing."
                )
                slow.setdefault(fault, []).append(night.recording.path)
                choices[name] = tuple(c for c in choices[name] if c == WAVEFORM)
        return _FrontEndSource(night.recording, choices, usable)


class _FrontEndSource(DerivedSource):
    """A recording with the signals that a front end gives of its own."""

    def __init__(
        self,
        recording: Recording,
        choices: Mapping[str, tuple[str, ...]],
        usable: Mapping[str, BoolArray | None],
    ) -> None:
        super().__init__(recording)
        self._choices = choices
        self._usable = usable
        self._given = _given_signals(choices)
        self._found: dict[str, FloatArray] = {}
        self._lock = Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        # What was found stays where it is.
        return type(self), (self.recording, self._choices, self._usable)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._given)

    @property
    def identity(self) -> Mapping[str, Any]:
        return {
            "recording": self.recording.fingerprint,
            "front_end": {name: list(choices) for name, choices in self._choices.items()},
            "usable": {name: mask for name, mask in self._usable.items() if mask is not None},
        }

    def signal(self, name: str) -> Signal:
        source, choice = self._given[name]
        waveform = self.recording.signals[source]
        if choice == WAVEFORM:
            return waveform
        definition, unit = derived_signal(choice, name)
        return Signal(
            definition,
            lambda: self._take(name, source),
            definition.sampling_frequency,
            unit,
            n_epochs=waveform.n_epochs,
        )

    def _take(self, name: str, source: str) -> SampleArray:
        """Return a derived signal, (n_samples,), and forget it: what reads a night reads all."""
        with self._lock:
            if name not in self._found:
                self._found.update(self._read(source))
            return self._found.pop(name).astype(np.float32)

    def _read(self, source: str) -> dict[str, FloatArray]:
        """Return all that is derived from a source, by name."""
        signal, may_use = self.recording.signals[source], self._usable[source]
        # Read once, for all that is found in it.
        samples = signal.data
        signal = replace(signal, read=lambda: samples)
        waveform = Waveform(
            source,
            usable_samples(signal, may_use),
            signal.sampling_frequency,
            signal.n_epochs,
            lambda: HeartbeatDetector().detect(signal, may_use),
        )
        return read_source(waveform, [c for c in self._choices[source] if c != WAVEFORM])


def _check_is_recorded(signal: Signal) -> None:
    """Raise ValueError for a signal that is slow because it was resampled for a network."""
    if signal.sampling_frequency == signal.definition.sampling_frequency:
        raise ValueError(
            f"{signal.name} has been resampled to {signal.sampling_frequency:g} samples per "
            "second. Put FrontEnd() before Resampler() in the pipeline."
        )


def _check_choice(signal: str, name: str) -> None:
    """Raise ValueError for a choice that is not known, or not read from the signal."""
    if name == WAVEFORM:
        return
    if name not in READINGS:
        known = ", ".join([WAVEFORM, *READINGS])
        raise ValueError(f"choices[{signal!r}]={name!r} is not known; choose among {known}.")
    sources = READINGS[name].sources
    if signal not in sources:
        raise ValueError(
            f"choices[{signal!r}]={name!r}, which is read from {', '.join(sources)} alone."
        )


def _given_signals(choices: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, str]]:
    """Return the source and the choice of each signal that is given, by name."""
    given: dict[str, tuple[str, str]] = {}
    for signal, chosen in choices.items():
        for choice in chosen:
            names = [signal] if choice == WAVEFORM else derived_names(choice, signal)
            given.update(dict.fromkeys(names, (signal, choice)))
    return given


def _as_names(choices: str | Sequence[str]) -> tuple[str, ...]:
    return (choices,) if isinstance(choices, str) else tuple(choices)
