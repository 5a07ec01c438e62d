"""The signals of a polysomnogram: names, aliases, units and rates, in one table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

__all__ = [
    "EPOCH_DURATION",
    "INSTANTANEOUS_HEART_RATE",
    "SIGNALS",
    "VOLTS",
    "SignalDefinition",
    "contralateral_derivation",
    "conversion_factor",
    "count_epochs",
    "find_channel",
    "former_names",
    "signal_definition",
]

EPOCH_DURATION = 30.0
"""Duration of an epoch in s (AASM Manual for the Scoring of Sleep and Associated Events)."""


@dataclass(frozen=True)
class SignalDefinition:
    """What is known of a signal, whichever file it comes from.

    Parameters
    ----------
    name : str
        Canonical name, for example ``"ECG"``.
    samples_per_epoch : int
        Samples per 30-second epoch that the networks take. The published wav2sleep
        (Carter & Tarassenko 2024) uses 256 for respiration, 1024 for ECG and PPG and 4096
        for EOG.
    unit : {"mV", "uV"} or None
        The unit that voltages are converted to. ``None``: the recorder's own arbitrary unit,
        scaled so that the channel's physical range becomes -1 to 1.
    aliases : tuple of str
        Channel labels under which cohorts store the signal, the most wanted first. Case, spaces
        and punctuation do not matter.

    Examples
    --------
    >>> flow = SignalDefinition("FLOW", 256, aliases=("Nasal Pressure", "CANNULA"))
    >>> find_channel(flow, ["ECG", "NASAL PRESSURE"])
    1
    """

    name: str
    samples_per_epoch: int
    unit: str | None = None
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.unit is not None and self.unit not in VOLTS:
            raise ValueError(
                f"unit={self.unit!r} of signal {self.name!r} is not known; "
                f"use one of {sorted(VOLTS)}, or None for arbitrary units."
            )
        if self.samples_per_epoch < 1:
            raise ValueError(
                f"samples_per_epoch={self.samples_per_epoch} of signal {self.name!r} "
                "must be at least 1."
            )
        # A list would make the definition unhashable.
        object.__setattr__(self, "aliases", tuple(self.aliases))

    @property
    def sampling_frequency(self) -> float:
        """Sampling frequency in Hz after resampling to ``samples_per_epoch``."""
        return self.samples_per_epoch / EPOCH_DURATION


VOLTS = MappingProxyType({"V": 1.0, "mV": 1e-3, "uV": 1e-6, "nV": 1e-9})
"""The units that voltages can be converted to, in V."""

_UNIT_SPELLINGS = {
    "v": "V",
    "volt": "V",
    "volts": "V",
    "mv": "mV",
    "millivolt": "mV",
    "millivolts": "mV",
    "uv": "uV",
    # Case folding makes the Greek letter of the micro sign.
    "\N{GREEK SMALL LETTER MU}v": "uV",
    "microvolt": "uV",
    "microvolts": "uV",
    "nv": "nV",
}

# Labels seen in SHHS, MESA, WSC, CHAT, CFS, CCSHS, MrOS (NSRR), ISRUC, MASS and Sleep-EDF.
_TABLE = (
    SignalDefinition(
        "ECG",
        1024,
        "mV",
        (
            "EKG",
            "ECG1-ECG2",
            "ECG L-ECG R",
            "EKG1-EKG2",
            "ECG1",
            "ECG L",
            "ECG I",
            "ECG II",
            "EKG1",
            "ECG ECGI",
            "MLII",
        ),
    ),
    SignalDefinition(
        "PPG",
        1024,
        None,
        ("Pleth", "PlethWV", "PWF", "PlethMasimo", "PletMasimo", "PlethMasino", "Plethysmogram"),
    ),
    SignalDefinition(
        "ABD",
        256,
        None,
        ("Abdo", "ABDO RES", "ABDO EFFORT", "Abdominal", "Abdomen", "RIP Abdomen", "Resp Abdomen"),
    ),
    SignalDefinition(
        "THX",
        256,
        None,
        (
            "Thor",
            "THOR RES",
            "THOR EFFORT",
            "Thoracic",
            "Chest",
            "Thorax",
            "RIP Thorax",
            "RIP Thora",
            "Resp Chest",
            "Resp Thorax",
        ),
    ),
    SignalDefinition(
        "EOG-L",
        4096,
        "uV",
        ("E1-M2", "LOC-A2", "LOC-M2", "E1", "LOC", "EOG Left", "EOG Left Horiz", "L-EOG"),
    ),
    SignalDefinition(
        "EOG-R",
        4096,
        "uV",
        ("E2-M1", "ROC-A1", "ROC-M1", "E2", "ROC", "EOG Right", "EOG Right Horiz", "R-EOG"),
    ),
    SignalDefinition("EOG", 4096, "uV", ("EOG horizontal", "E1-E2", "LOC-ROC")),
    SignalDefinition("EEG", 4096, "uV", ("C4-M1", "C4-A1", "EEG3", "Fpz-Cz", "C4", "EEG1")),
    SignalDefinition(
        "EMG",
        4096,
        "uV",
        ("Chin", "EMG submental", "Chin1-Chin2", "Chin EMG", "EMG Chin", "EMG1-EMG2", "EMG1"),
    ),
)
SIGNALS = MappingProxyType({definition.name: definition for definition in _TABLE})
"""The table of canonical signals, by name."""

INSTANTANEOUS_HEART_RATE = SignalDefinition("IHR", 128)
"""In 1/min, computed from heartbeats and in no file, whence it is not in the table.

4.3 samples per second: as near to the 4 at which R-R intervals are resampled for spectra up to
0.4 Hz (`HRVFeatures`) as networks of the wav2sleep design allow; they take a power of two an epoch.
"""

# An electrode of the 10-10 system, the mastoids (M, formerly A) or a mean of them.
_ELECTRODE = r"(?:Fp|AF|FC|FT|CP|TP|PO|F|C|T|P|O|A|M)(?:z|\d{1,2})"
_DERIVATION = re.compile(rf"{_ELECTRODE}(?:-{_ELECTRODE})?", re.IGNORECASE)
_EDF_PLUS_TYPES = ("EEG", "EOG", "EMG", "ECG", "Resp")  # EDF+ 2.1.3.4: "type of signal" + " "
_COMMON_REFERENCES = ("-Ref", "-CLE", "-LER")


def count_epochs(duration: float) -> int:
    """Return the number of whole 30-second epochs in a duration.

    Parameters
    ----------
    duration : float
        In s.

    Returns
    -------
    int

    Examples
    --------
    >>> count_epochs(1805.0)
    60
    """
    # Durations are sums of decimal fractions: 899.9999999 s is 30 epochs.
    return int(duration / EPOCH_DURATION + 1e-6)


def signal_definition(signal: str | SignalDefinition) -> SignalDefinition:
    """Return the definition of a signal.

    Parameters
    ----------
    signal : str or SignalDefinition
        A canonical name of the table, an EEG derivation such as ``"C4-M1"``, or a definition of
        your own, which is returned as it is.

    Returns
    -------
    SignalDefinition

    Raises
    ------
    ValueError
        If the name is neither in the table nor an EEG derivation.

    Examples
    --------
    >>> signal_definition("ABD").samples_per_epoch
    256
    >>> signal_definition("F4-M1").unit
    'uV'
    """
    if isinstance(signal, SignalDefinition):
        return signal
    if signal in SIGNALS:
        return SIGNALS[signal]
    if _DERIVATION.fullmatch(signal):
        eeg = SIGNALS["EEG"]
        return SignalDefinition(signal, eeg.samples_per_epoch, eeg.unit, former_names(signal))
    raise ValueError(
        f"{signal!r} is not a known signal. Use one of {', '.join(SIGNALS)}, an EEG derivation "
        "such as 'C4-M1', or define it: SignalDefinition(name, samples_per_epoch, unit, aliases)."
    )


def find_channel(definition: SignalDefinition, labels: Sequence[str]) -> int | None:
    """Return the position of the channel that holds a signal.

    The canonical name is looked for first, then the aliases in their order. Case, spaces and
    punctuation are left out of the comparison, and so are the signal type that EDF+ writes before
    a label (``"EEG C4-M1"``) and a common reference after it (``"C4-Ref"``).

    Parameters
    ----------
    definition : SignalDefinition
        The signal.
    labels : sequence of str
        Channel labels of a file.

    Returns
    -------
    int or None
        Position in `labels`; the first one where several match.

    Examples
    --------
    >>> find_channel(SIGNALS["THX"], ["SaO2", "ABDO RES", "THOR RES"])
    2
    """
    spellings = [_spellings(label) for label in labels]
    for name in (definition.name, *definition.aliases):
        wanted = _plain(name)
        for position, names in enumerate(spellings):
            if wanted in names:
                return position
    return None


def conversion_factor(found: str, wanted: str) -> float | None:
    """Return the factor from one voltage unit to another.

    Parameters
    ----------
    found : str
        Unit as a file spells it (``"uV"``, ``"µV"``, ``"MV"``, ``"Volts"``).
    wanted : {"V", "mV", "uV", "nV"}
        Unit to convert to.

    Returns
    -------
    float or None
        ``None`` if `found` is not a voltage.

    Examples
    --------
    >>> conversion_factor("uV", "mV")
    0.001
    >>> conversion_factor("mmHg", "mV") is None
    True
    """
    unit = _UNIT_SPELLINGS.get(found.strip().casefold())
    if unit is None:
        return None
    # Rounded, since 1e-6 / 1e-3 is not the float that is written 0.001.
    return float(f"{VOLTS[unit] / VOLTS[wanted]:.6g}")


def former_names(label: str) -> tuple[str, ...]:
    """Return what a label with M1 or M2 was before the AASM manual of 2007: ``("C4-A1",)``."""
    former = re.sub(r"\bM([12])\b", r"A\1", label)
    return (former,) if former != label else ()


def contralateral_derivation(electrode: str) -> str:
    """Return an electrode of the left (odd) or right side against the other side's mastoid."""
    return f"{electrode}-M{2 if int(electrode[-1]) % 2 else 1}"


def _plain(label: str) -> str:
    return re.sub(r"[\W_]+", "", label.casefold())


def _spellings(label: str) -> set[str]:
    label = label.strip()
    shorter: Iterable[str] = [label]
    for prefix in _EDF_PLUS_TYPES:
        if label.casefold().startswith(prefix.casefold() + " "):
            shorter = [label, label[len(prefix) + 1 :]]
    names = set()
    for name in shorter:
        names.add(_plain(name))
        for reference in _COMMON_REFERENCES:
            if name.casefold().endswith(reference.casefold()):
                names.add(_plain(name[: -len(reference)]))
    return names
