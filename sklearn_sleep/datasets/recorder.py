"""What a recorder stores, as plain data: its channels, rates, units and labels."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SCALED_SIGNALS = ("ECG", "EOG-L", "EOG-R", "EMG")
_ARBITRARY_SIGNALS = ("PPG", "THX", "ABD", "OTHER")
_EEG_SIGNALS = (
    *("C4-M1", "C3-M2", "O2-M1", "F4-M1", "Fz-Cz", "Cz-Oz"),
    *("C3", "C4", "O2", "F4", "REFERENCE"),
)
_SIGNALS = (*_SCALED_SIGNALS, *_ARBITRARY_SIGNALS, *_EEG_SIGNALS)
_MICROVOLTS = {"V": 1e6, "mV": 1e3, "uV": 1.0}


@dataclass(frozen=True)
class Channel:
    """One channel of a recorder's EDF files.

    Parameters
    ----------
    label : str
        Channel label in the file, at most 16 ASCII characters (EDF, Kemp 1992).
    signal : str
        What it holds: ``ECG``, ``PPG``, ``THX``, ``ABD``, ``EOG-L``, ``EOG-R``, ``EMG`` or an
        EEG derivation (``C4-M1 C3-M2 O2-M1 F4-M1 Fz-Cz Cz-Oz``) or electrode (``C3 C4 O2 F4``),
        ``REFERENCE``, such as a mastoid, which records nothing of its own, or ``OTHER``: noise, as
        of a channel that no signal is taken from.
    sampling_frequency : float
        In Hz, a whole number.
    unit : {"uV", "mV", "V", ""}
        Physical dimension; empty for respiration and plethysmogram.
    physical_range : tuple of float
        Physical minimum and maximum as the header gives them; what exceeds them is clipped. The
        minimum may be the larger one, as in SHHS.
    polarity : {1, -1}, default=1
        -1: the leads were swapped, so that the physical values are inverted.
    referential : bool, default=False
        The channel is one electrode against a reference that the recorder's other referential
        channels share, so that differences such as C4 - M1 are free of it.
    """

    label: str
    signal: str
    sampling_frequency: float
    unit: str
    physical_range: tuple[float, float]
    polarity: int = 1
    referential: bool = False

    def __post_init__(self) -> None:
        where = f"of channel {self.label!r}"
        if not (self.label and self.label.isascii() and len(self.label) <= 16):
            raise ValueError(f"label {where} must be 1 to 16 ASCII characters, as EDF stores it.")
        if self.signal not in _SIGNALS:
            raise ValueError(
                f"signal={self.signal!r} {where} cannot be synthesized; "
                f"use one of {', '.join(_SIGNALS)}."
            )
        if (self.signal in _ARBITRARY_SIGNALS) != (self.unit == ""):
            arbitrary = ", ".join(_ARBITRARY_SIGNALS)
            raise ValueError(
                f"unit={self.unit!r} {where} must be empty for {arbitrary}, and only for them."
            )
        if self.unit and self.unit not in _MICROVOLTS:
            raise ValueError(f"unit={self.unit!r} {where} must be one of {', '.join(_MICROVOLTS)}.")
        if self.sampling_frequency <= 0 or self.sampling_frequency % 1:
            raise ValueError(
                f"sampling_frequency={self.sampling_frequency} {where} must be whole and positive."
            )
        if self.physical_range[0] == self.physical_range[1]:
            raise ValueError(f"physical_range={self.physical_range} {where} must not be empty.")
        if self.polarity not in (1, -1):
            raise ValueError(f"polarity={self.polarity} {where} must be 1 or -1.")

    @property
    def microvolts_per_unit(self) -> float:
        """Microvolts in one `unit`; 1 where the unit is arbitrary."""
        return _MICROVOLTS.get(self.unit, 1.0)


@dataclass(frozen=True)
class Site:
    """A place with its own recorder and montage.

    Parameters
    ----------
    name : str
        Lower-case letters and digits, beginning with a letter; it names folders and files.
    channels : tuple of Channel
        In the order of the file; labels must differ.
    record_duration : float, default=1.0
        Duration of an EDF data record in s; 30 s must be a whole number of records and a record
        a whole number of samples of each channel.
    mains_frequency : float, default=60.0
        In Hz.
    mains_amplitude : float, default=5.0
        Typical amplitude of mains hum in uV.
    """

    name: str
    channels: tuple[Channel, ...]
    record_duration: float = 1.0
    mains_frequency: float = 60.0
    mains_amplitude: float = 5.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9]*", self.name):
            raise ValueError(
                f"Site name {self.name!r} must be lower-case letters and digits, as in 'north'."
            )
        labels = [channel.label for channel in self.channels]
        if not labels or len(set(labels)) < len(labels):
            raise ValueError(
                f"Site {self.name!r} needs channels, all with different labels; got {labels}."
            )
        if self.record_duration <= 0 or (30.0 / self.record_duration) % 1:
            raise ValueError(
                f"record_duration={self.record_duration} of site {self.name!r} must divide the "
                "30-second epoch."
            )
        for channel in self.channels:
            if (channel.sampling_frequency * self.record_duration) % 1:
                raise ValueError(
                    f"Channel {channel.label!r} of site {self.name!r}: a data record of "
                    f"{self.record_duration} s must hold a whole number of samples, which "
                    f"sampling_frequency={channel.sampling_frequency} does not give."
                )


def voltages(
    rate: float, unit: str, limit: float, labels: Mapping[str, str], *, referential: bool = False
) -> tuple[Channel, ...]:
    """Return channels at a rate in Hz, from -limit to limit in a unit, by label and signal."""
    return tuple(
        Channel(label, signal, rate, unit, (-limit, limit), referential=referential)
        for label, signal in labels.items()
    )


def electrodes(rate: float, labels: Mapping[str, str]) -> tuple[Channel, ...]:
    """Return electrodes at a rate in Hz against a common one; ``labels`` says where each lies."""
    return tuple(
        channel
        for label, signal in labels.items()
        for channel in voltages(
            rate, "uV", 3000.0 if signal == "ECG" else 500.0, {label: signal}, referential=True
        )
    )


def derivations(rate: float, labels: Mapping[str, str]) -> tuple[Channel, ...]:
    """Return differences of two electrodes at a rate in Hz, in uV, by label and signal."""
    limits = {"EMG": 200.0, "ECG": 3000.0}
    return tuple(
        channel
        for label, signal in labels.items()
        for channel in voltages(rate, "uV", limits.get(signal, 800.0), {label: signal})
    )


def belts(rate: float, thorax: str, abdomen: str) -> tuple[Channel, ...]:
    """Return the belts at a rate in Hz, by their labels."""
    signals = {thorax: "THX", abdomen: "ABD"}
    return tuple(
        Channel(label, signal, rate, "", (-100.0, 100.0)) for label, signal in signals.items()
    )


def pulse(rate: float, label: str) -> Channel:
    """Return a plethysmogram at a rate in Hz."""
    return Channel(label, "PPG", rate, "", (0.0, 100.0))


def unread(rate: float, *labels: str) -> tuple[Channel, ...]:
    """Return channels that no signal is taken from, and that must not be taken for one."""
    return tuple(Channel(label, "OTHER", rate, "", (0.0, 100.0)) for label in labels)
