"""What physiology reads from signals: which quantities, from which sources, how computed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.core.signals import DERIVED_SAMPLES, SignalDefinition, source_of
from sklearn_sleep.features.beats.ecg_beats import LEAST_ECG_FREQUENCY
from sklearn_sleep.features.beats.heart_signals import (
    HEART_RATE_SAMPLES,
    HEART_SIGNALS,
    heart_rate,
    heart_signals,
    pulse_amplitude,
)
from sklearn_sleep.features.beats.heartbeats import Heartbeats
from sklearn_sleep.features.beats.pulse_onsets import LEAST_PPG_FREQUENCY
from sklearn_sleep.features.breathing.breath_signals import (
    BREATH_SIGNALS,
    breath_signals,
    movement,
)
from sklearn_sleep.features.breathing.breaths import LEAST_BREATH_FREQUENCY, detect_breaths
from sklearn_sleep.features.breathing.derived_respiration import (
    DERIVED_FREQUENCY,
    respiration_from_ecg,
    respiration_from_ppg,
)

WAVEFORM = "waveform"
# Samples a second that the searches for beats and breaths need.
_HEART = {"ECG": LEAST_ECG_FREQUENCY, "PPG": LEAST_PPG_FREQUENCY}
_BELTS = dict.fromkeys(("ABD", "THX", "FLOW"), LEAST_BREATH_FREQUENCY)


@dataclass(frozen=True)
class Waveform:
    """A night of one signal: samples, (n_samples,), NaN where they may not be used; rate in Hz."""

    name: str
    samples: FloatArray
    sampling_frequency: float
    n_epochs: int
    heartbeats: Callable[[], Heartbeats]


@dataclass(frozen=True)
class Reading:
    """One thing that a front end reads: what it is called and computed, and from which signals.

    `sources` are those signals, with the samples a second that they need.
    """

    sources: Mapping[str, float]
    quantities: Callable[[str], Sequence[str]]
    samples_per_epoch: int
    read: Callable[[Waveform], Mapping[str, FloatArray]]


def _read_heart(waveform: Waveform) -> dict[str, FloatArray]:
    return heart_signals(waveform.heartbeats(), waveform.n_epochs, DERIVED_SAMPLES)


def _read_pulse(waveform: Waveform) -> dict[str, FloatArray]:
    amplitude = pulse_amplitude(
        waveform.samples, waveform.sampling_frequency, waveform.n_epochs, DERIVED_SAMPLES
    )
    return {"pulse_amplitude": amplitude}


def _read_heart_rate(waveform: Waveform) -> dict[str, FloatArray]:
    return {"HR": heart_rate(waveform.heartbeats(), waveform.n_epochs)}


def _read_breathing(waveform: Waveform) -> dict[str, FloatArray]:
    samples, frequency = waveform.samples, waveform.sampling_frequency
    if waveform.name == "ECG":
        samples = respiration_from_ecg(samples, frequency, waveform.heartbeats())
    elif waveform.name == "PPG":
        samples = respiration_from_ppg(samples, frequency)
    if waveform.name in _HEART:
        frequency = DERIVED_FREQUENCY
    breaths = detect_breaths(samples, frequency)
    signals = breath_signals(breaths, waveform.n_epochs, DERIVED_SAMPLES)
    if waveform.name in _BELTS:
        signals["movement"] = movement(samples, frequency, waveform.n_epochs, DERIVED_SAMPLES)
    return signals


# Means and standard deviations, rounded, over synthetic nights and those of another simulator. Our
# choice: what counts is that they are the same for all nights. Depths of breaths and heights of
# pulses, whose units are the recorder's own, have none.
_TYPICAL = MappingProxyType(
    {
        "HR": (65.0, 12.0),
        "RR_change": (-3.9, 0.8),
        "HF": (0.3, 0.7),
        "LF": (0.5, 0.7),
        "VLF": (0.7, 0.7),
        "BR": (15.0, 3.0),
        "rate_change": (-2.5, 1.0),
        "effort_change": (-2.0, 1.0),
        "rate_variability": (-1.8, 0.7),
        "effort_variability": (-1.5, 0.7),
        "regularity": (1.3, 0.8),
    }
)
_LEVEL = "_level"


def _with_levels(quantities: Iterable[str]) -> tuple[str, ...]:
    """Return names of quantities and of the levels of those that have a typical one."""
    names = tuple(quantities)
    return (*names, *(name + _LEVEL for name in names if name in _TYPICAL))


READINGS = MappingProxyType(
    {
        "heart": Reading(
            _HEART, lambda source: _with_levels(HEART_SIGNALS), DERIVED_SAMPLES, _read_heart
        ),
        "pulse": Reading(
            {"PPG": LEAST_PPG_FREQUENCY},
            lambda source: ("pulse_amplitude",),
            DERIVED_SAMPLES,
            _read_pulse,
        ),
        "heart_rate": Reading(_HEART, lambda source: ("HR",), HEART_RATE_SAMPLES, _read_heart_rate),
        "breathing": Reading(
            {**_BELTS, **_HEART},
            lambda source: _with_levels(
                (*BREATH_SIGNALS, *(("movement",) if source in _BELTS else ()))
            ),
            DERIVED_SAMPLES,
            _read_breathing,
        ),
    }
)
"""What front ends read from signals, by name."""

DEFAULT_CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ECG": ("heart", "breathing"),
        "PPG": ("heart", "pulse", "breathing"),
        **dict.fromkeys(_BELTS, ("breathing",)),
    }
)
"""What `FrontEnd` gives of each signal that it is not told of; of all others, the waveform."""


def reading_of(signal: str) -> str | None:
    """Return the choice that a derived signal belongs to by its name; None of any other signal.

    >>> reading_of("HF(PPG)"), reading_of("BR(PPG)"), reading_of("PPG")
    ('heart', 'breathing', None)
    """
    source = source_of(signal)
    if source == signal:
        return None
    return next((n for n in READINGS if signal in derived_names(n, source)), None)


def derived_names(choice: str, source: str) -> list[str]:
    """Return the names of what a choice derives from a source."""
    return [f"{quantity}({source})" for quantity in READINGS[choice].quantities(source)]


def derived_signal(choice: str, name: str) -> tuple[SignalDefinition, str]:
    """Return the definition of a derived signal of a choice, and its unit."""
    quantity = name.partition("(")[0]
    of_level = quantity.removesuffix(_LEVEL)
    definition = SignalDefinition(
        name,
        READINGS[choice].samples_per_epoch,
        typical=None if of_level == quantity else _TYPICAL[of_level],
    )
    return definition, "1/min" if of_level in ("HR", "BR") else ""


def read_source(waveform: Waveform, choices: Sequence[str]) -> dict[str, FloatArray]:
    """Return all that choices derive from a source, by name."""
    found = {}
    for choice in choices:
        values = READINGS[choice].read(waveform)
        for quantity in READINGS[choice].quantities(waveform.name):
            found[f"{quantity}({waveform.name})"] = values[quantity.removesuffix(_LEVEL)]
    return found
