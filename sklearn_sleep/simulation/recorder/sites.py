"""The sites of the synthetic cohort: what each recorder stores, and how."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["SITES", "Channel", "Site"]

_SCALED_SIGNALS = {"ECG": "uV", "EOG-L": "uV", "EOG-R": "uV", "EMG": "uV"}
_ARBITRARY_SIGNALS = ("PPG", "THX", "ABD", "OTHER")
_EEG_SIGNALS = (
    *("C4-M1", "C3-M2", "O2-M1", "F4-M1", "Fz-Cz", "Cz-Oz"),
    *("C3", "C4", "O2", "F4", "REFERENCE"),
)
_MICROVOLTS = {"V": 1e6, "mV": 1e3, "uV": 1.0}


@dataclass(frozen=True)
class Channel:
    """One channel of a site's EDF files.

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
        minimum may be the larger one, as in SHHS: physical values are right when the header's
        linear scale is applied, and inverted when the order is ignored.
    polarity : {1, -1}, default=1
        -1: the leads were swapped, so that the physical values are inverted.
    referential : bool, default=False
        The channel is one electrode against a reference that the site's other referential
        channels share, so that differences such as C4 - M1 are free of it.

    Raises
    ------
    ValueError
        If a value is not possible.

    Examples
    --------
    >>> Channel("EKG", "ECG", 256.0, "mV", (-5.0, 5.0)).microvolts_per_unit
    1000.0
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
        if self.signal not in (*_SCALED_SIGNALS, *_ARBITRARY_SIGNALS, *_EEG_SIGNALS):
            known = ", ".join((*_SCALED_SIGNALS, *_ARBITRARY_SIGNALS, *_EEG_SIGNALS))
            raise ValueError(
                f"signal={self.signal!r} {where} cannot be synthesized; use one of {known}."
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

    Raises
    ------
    ValueError
        If a value is not possible.

    Examples
    --------
    >>> site = Site("attic", (Channel("ECG", "ECG", 100.0, "mV", (-5.0, 5.0)),))
    >>> site.name
    'attic'
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


_NORTH = Site(
    "north",
    (
        Channel("EEG(sec)", "C3-M2", 125.0, "uV", (-125.0, 125.0)),
        Channel("ECG", "ECG", 125.0, "mV", (-1.25, 1.25)),
        Channel("EMG", "EMG", 125.0, "uV", (-31.5, 31.5)),
        Channel("EOG(L)", "EOG-L", 50.0, "uV", (-125.0, 125.0)),
        Channel("EOG(R)", "EOG-R", 50.0, "uV", (-125.0, 125.0)),
        Channel("EEG", "C4-M1", 125.0, "uV", (-125.0, 125.0)),
        Channel("THOR RES", "THX", 10.0, "", (1.0, -1.0)),
        Channel("ABDO RES", "ABD", 10.0, "", (1.0, -1.0)),
    ),
    record_duration=1.0,
    mains_frequency=60.0,
    mains_amplitude=2.0,
)
_SOUTH = Site(
    "south",
    (
        Channel("EKG", "ECG", 256.0, "mV", (-1.25, 1.25)),
        Channel("EOG-L", "EOG-L", 128.0, "uV", (-400.0, 400.0)),
        Channel("EOG-R", "EOG-R", 128.0, "uV", (-400.0, 400.0)),
        Channel("EMG", "EMG", 128.0, "uV", (-60.0, 60.0)),
        Channel("EEG1", "Fz-Cz", 128.0, "uV", (-400.0, 400.0)),
        Channel("EEG2", "Cz-Oz", 128.0, "uV", (-400.0, 400.0)),
        Channel("EEG3", "C4-M1", 128.0, "uV", (-400.0, 400.0)),
        Channel("Thor", "THX", 32.0, "", (-1.0, 1.0)),
        Channel("Abdo", "ABD", 32.0, "", (-1.0, 1.0), polarity=-1),
        Channel("Pleth", "PPG", 256.0, "", (-1.6, 1.6)),
    ),
    record_duration=1.0,
    mains_frequency=60.0,
    mains_amplitude=6.0,
)
_EAST = Site(
    "east",
    (
        Channel("F4", "F4", 200.0, "V", (-0.0005, 0.0005), referential=True),
        Channel("C4", "C4", 200.0, "V", (-0.0005, 0.0005), referential=True),
        Channel("O2", "O2", 200.0, "V", (-0.0005, 0.0005), referential=True),
        Channel("M1", "REFERENCE", 200.0, "V", (-0.0005, 0.0005), referential=True),
        Channel("E1", "EOG-L", 200.0, "V", (-0.0005, 0.0005), referential=True),
        Channel("E2", "EOG-R", 200.0, "V", (-0.0005, 0.0005), referential=True),
        Channel("chin", "EMG", 200.0, "uV", (-80.0, 80.0)),
        Channel("ECG L", "ECG", 200.0, "uV", (-3000.0, 3000.0)),
        Channel("chest", "THX", 20.0, "", (-100.0, 100.0)),
        Channel("abdomen", "ABD", 20.0, "", (-100.0, 100.0)),
    ),
    record_duration=2.0,
    mains_frequency=50.0,
    mains_amplitude=4.0,
)
_WEST = Site(
    "west",
    (
        Channel("ECG1", "ECG", 200.0, "V", (-0.003, 0.003), polarity=-1),
        Channel("THOR EFFORT", "THX", 10.0, "", (-5.0, 5.0)),
        Channel("ABDO EFFORT", "ABD", 10.0, "", (-5.0, 5.0)),
        Channel("PlethWV", "PPG", 64.0, "", (0.0, 100.0)),
    ),
    record_duration=10.0,
    mains_frequency=50.0,
    mains_amplitude=10.0,
)
SITES: tuple[Site, ...] = (_NORTH, _SOUTH, _EAST, _WEST)
"""The default sites, after recorders of the National Sleep Research Resource (Zhang 2018, JAMIA
25:1351-1358): `north` has the channel names, rates and inverted respiratory range of SHHS (Quan
1997), `south` those of MESA (Chen 2015) with a finger plethysmogram, `east` an electrode-wise
montage in volts as in CFS, and `west` is a home test: ECG with swapped leads, respiration and
plethysmogram, without EEG."""
