"""The signals of a polysomnogram: names, aliases, units and rates, in one table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from types import MappingProxyType
from typing import Any

from sklearn_sleep.core.units import UNITS, conversion_factor

EPOCH_DURATION = 30.0
"""Duration of an epoch in s (AASM Manual for the Scoring of Sleep and Associated Events)."""

LONGEST_RECORDING = 14 * 24 * 3600.0
"""Duration in s beyond which a file has a wrong digit: patch recorders run for two weeks."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class QualityRules:
    """What sound epochs of a signal look like.

    Parameters
    ----------
    amplitude : tuple of float, optional
        From the smallest to the largest range of an epoch, without its extreme hundredth, that is
        no mistake in the unit; in the signal's unit.
    values : tuple of float, optional
        The lowest and the highest sample that can be true, in the signal's unit.
    flat_share : float, default=0.5
        An epoch is flat if the signal stands still for more than this share of it; 1 never is.
    clips : bool, default=True
        Whether samples at the signal's extremes were cut off there by the recorder.
    band : tuple of float, optional
        In Hz: where at least half of the power of an epoch lies.
    beats : {"ECG", "PPG"}, optional
        Whose beats are looked for, and compared with each other.
    least_likeness : float, default=0.0
        Of the beats of an epoch, from 0 to 1 (`sklearn_sleep.features.signal_quality`).
    least_frequency, enough_frequency : float, default=0.0, None
        Sampling frequencies in Hz above which the band, or from which on the beats, are judged;
        and to which signals are brought down before beats are compared.
    """

    amplitude: Interval | None = None
    values: Interval | None = None
    flat_share: float = 0.5
    clips: bool = True
    band: Interval | None = None
    beats: str | None = None
    least_likeness: float = 0.0
    least_frequency: float = 0.0
    enough_frequency: float | None = None

    def __post_init__(self) -> None:
        for name in ("amplitude", "values", "band"):
            _set_interval(self, name)


@dataclass(frozen=True)
class Drawing:
    """How a signal is drawn, unless a `Trace` says otherwise.

    Parameters
    ----------
    color : str, default="#1a1a1a"
        ``"#rrggbb"``.
    amplitude : tuple of float, optional
        The values at the bottom and the top of its band, in the signal's unit; the middle 98% of
        the night if not given.
    """

    color: str = "#1a1a1a"
    amplitude: Interval | None = None

    def __post_init__(self) -> None:
        _set_interval(self, "amplitude")


def _set_interval(rules: QualityRules | Drawing, name: str) -> None:
    interval = getattr(rules, name)
    if interval is None:
        return
    low, high = interval
    if not low < high:
        raise ValueError(f"{name}={interval} must rise.")
    # A list, of which JSON makes pairs, would make the rules unhashable.
    object.__setattr__(rules, name, (low, high))


@dataclass(frozen=True)
class SignalDefinition:
    """What is known of a signal, whichever file it comes from.

    Parameters
    ----------
    name : str
        Canonical name, for example ``"ECG"``. A name like ``"HR(ECG)"`` is that of a signal that is
        derived from another one, its `source`.
    samples_per_epoch : int
        Samples per 30-second epoch that the networks take. The published wav2sleep
        (Carter & Tarassenko 2024) uses 256 for respiration, 1024 for ECG and PPG and 4096
        for EOG.
    unit : {"mV", "uV", "V", "nV", "%", "degC"} or None
        The unit that samples are converted to. ``None``: the recorder's own arbitrary unit,
        scaled so that the channel's physical range becomes -1 to 1.
    aliases : tuple of str
        Channel labels under which cohorts store the signal, the most wanted first. Case, spaces
        and punctuation do not matter.
    quality : QualityRules, optional
        What `SignalQuality` judges it by. If not given, as the signal of the table whose name it
        has (up to a dash), else any other voltage as an EEG.
    drawing : Drawing, optional
        Its colour and amplitude in images; as for `quality` if not given.
    typical : tuple of float, optional
        Mean and standard deviation in many people, in the signal's unit, of one whose level tells
        something: `Normalizer` takes these in place of the night's.

    Examples
    --------
    >>> pressure = SignalDefinition("PRESSURE", 256, aliases=("Nasal Pressure", "CANNULA"))
    >>> find_channel(pressure, ["ECG", "NASAL PRESSURE"])
    1
    """

    name: str
    samples_per_epoch: int
    unit: str | None = None
    aliases: tuple[str, ...] = ()
    quality: QualityRules | None = None
    drawing: Drawing | None = None
    typical: Interval | None = None

    def __post_init__(self) -> None:
        if self.unit is not None and self.unit not in UNITS:
            raise ValueError(
                f"unit={self.unit!r} of signal {self.name!r} is not known; "
                f"use one of {sorted(UNITS)}, or None for arbitrary units."
            )
        if self.samples_per_epoch < 1:
            raise ValueError(
                f"samples_per_epoch={self.samples_per_epoch} of signal {self.name!r} "
                "must be at least 1."
            )
        # A list would make the definition unhashable.
        object.__setattr__(self, "aliases", tuple(self.aliases))
        if self.typical is not None:
            object.__setattr__(self, "typical", tuple(self.typical))
            if len(self.typical) != 2 or not (isfinite(self.typical[0]) and self.typical[1] > 0):
                raise ValueError(
                    f"typical={self.typical} of signal {self.name!r} must be a mean and a standard "
                    "deviation above 0."
                )
        parts: dict[str, Any] = {"quality": QualityRules, "drawing": Drawing}
        for name, kind in parts.items():
            # As JSON has them where definitions are saved.
            if isinstance(getattr(self, name), Mapping):
                object.__setattr__(self, name, kind(**getattr(self, name)))

    @property
    def source(self) -> str | None:
        """The signal that it is derived from; what masks that one masks this one too."""
        found = _DERIVED.fullmatch(self.name)
        return found["source"] if found else None

    @property
    def sampling_frequency(self) -> float:
        """Sampling frequency in Hz after resampling to ``samples_per_epoch``."""
        return self.samples_per_epoch / EPOCH_DURATION

    @property
    def quality_rules(self) -> QualityRules:
        """What it is judged by, in its unit: its own rules, or those of the table's signal."""
        if self.quality is not None:
            return self.quality
        model, factor = self._model
        rules = model.quality or QualityRules()
        return replace(
            rules,
            amplitude=_times(rules.amplitude, factor),
            values=_times(rules.values, factor),
        )

    @property
    def drawn_as(self) -> Drawing:
        """How it is drawn, in its unit: its own drawing, or that of the table's signal."""
        if self.drawing is not None:
            return self.drawing
        model, factor = self._model
        drawing = model.drawing or Drawing()
        return replace(drawing, amplitude=_times(drawing.amplitude, factor))

    @property
    def _model(self) -> tuple[SignalDefinition, float | None]:
        """The signal of the table that is most like it, and the factor from its unit to this."""
        names = (self.name, self.name.partition("-")[0])
        model = next((SIGNALS[name] for name in names if name in SIGNALS), None)
        if model is None:
            is_voltage = self.unit is not None and UNITS[self.unit][0] == "voltage"
            model = SIGNALS["EEG"] if is_voltage else self
        same = self.unit == model.unit
        return model, 1.0 if same else conversion_factor(model.unit or "", self.unit or "")


def _times(interval: Interval | None, factor: float | None) -> Interval | None:
    if interval is None or factor is None:
        return None
    return interval if factor == 1 else (interval[0] * factor, interval[1] * factor)


# Amplitudes are ranges of an epoch that are no mistake in the unit, since factors of 1,000 lie
# between neighbouring units: QRS complexes of 0.5 to 3 mV; EEG of 10 to 200 uV, EOG up to 500 uV,
# chin EMG of 2 to 200 uV (AASM manual; Surawicz & Knilans, Chou's Electrocardiography in Clinical
# Practice). Likeness: Orphanidou et al. 2015, IEEE J Biomed Health Inform 19:832-838; QRS
# complexes have little power beyond 50 Hz and pulses beyond 15.
_HEART = QualityRules(
    (0.05, 20.0), beats="ECG", least_likeness=0.66, least_frequency=50.0, enough_frequency=128.0
)
_PULSE = QualityRules(beats="PPG", least_likeness=0.86, least_frequency=20.0, enough_frequency=64.0)
# Eye movements and brain waves of sleep, from the AASM manual's high pass to its fastest spindles.
# White noise of twice the bandwidth has half of its power there.
_BRAIN = QualityRules((2.0, 2_000.0), band=(0.3, 16.0), least_frequency=64.0)

# What several signals have in common.
_EYE = SignalDefinition(
    "EOG",
    4096,
    "uV",
    quality=replace(_BRAIN, amplitude=(2.0, 5_000.0)),
    drawing=Drawing("#1f4e9c", (-50.0, 50.0)),
)
_BREATHING = SignalDefinition(
    "respiration",
    256,
    # Breaths of 3 to 60 a minute; one may be held for half an epoch, in a central apnoea.
    quality=QualityRules(flat_share=0.9, band=(0.05, 1.0)),
    drawing=Drawing("#6a3d7c"),
)

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
            "Lead II",
            "II",
            "ECG Lead II",
            "Lead I",
            "EKG II",
            *("EKG Lead II", "EKG L-EKG R", "ECG LA-RA", "ECG Lead I", "EKG I"),
        ),
        quality=_HEART,
        drawing=Drawing("#a01818", (-1.0, 1.5)),
    ),
    SignalDefinition(
        "PPG",
        1024,
        None,
        (
            *("Pleth", "PlethWV", "PWF", "PlethMasimo", "PletMasimo", "PlethMasino"),
            *("Plethysmogram", "SpO2 Pleth", "Pleth Wave", "Pulse Waveform", "Pulse Wave", "BVP"),
            *("Plethysmograph", "SpO2 Wave", "SpO2 Waveform", "SpO2 PPG", "SaO2 Pleth"),
        ),
        quality=_PULSE,
        drawing=Drawing("#a01818"),
    ),
    replace(
        _BREATHING,
        name="ABD",
        aliases=(
            "Abdo",
            "ABDO RES",
            "ABDO EFFORT",
            "Abdominal",
            "Abdomen",
            "RIP Abdomen",
            "Resp Abdomen",
            *("Abdomen RIP", "Abdominal RIP", "RIP ABD", "Effort ABD", "ABD Effort", "RES ABD"),
            *("Abdominal Effort", "Abdomen Effort", "Effort Abdomen", "RES Abdomen", "Belly"),
            *("Abdom", "RIP Abdom", "Effort Abdo", "Abdomen Belt", "Abdominal Belt"),
        ),
    ),
    replace(
        _BREATHING,
        name="THX",
        aliases=(
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
            *("Thorax RIP", "Thoracic RIP", "RIP THX", "RIP THO", "Effort THO", "Effort THX"),
            *("Thoracic Effort", "Thorax Effort", "Effort Thorax", "RES THO", "RES THX"),
            *("RES Thorax", "Chest Effort", "THO", "Resp THO", "RIP Chest", "Chest RIP"),
            *("Effort Chest", "Chest Belt", "Thorax Belt", "Thoracic Belt", "Rib Cage"),
        ),
    ),
    replace(
        _EYE,
        name="EOG-L",
        aliases=(
            "E1-M2",
            "LOC-A2",
            "LOC-M2",
            "E1",
            "LOC",
            "EOG Left",
            "EOG Left Horiz",
            "L-EOG",
            "E1-A2",
            "LOC-M1",
            "LOC-A1",
            "E1-M1",
            "Left EOG",
            "EOG L-M2",
            "EOG L-A2",
        ),
    ),
    replace(
        _EYE,
        name="EOG-R",
        aliases=(
            "E2-M1",
            "ROC-A1",
            "ROC-M1",
            "E2",
            "ROC",
            "EOG Right",
            "EOG Right Horiz",
            "R-EOG",
            "E2-A1",
            "ROC-M2",
            "ROC-A2",
            "E2-M2",
            "Right EOG",
            "EOG R-M1",
            "EOG R-A1",
        ),
    ),
    replace(
        _EYE,
        name="EOG",
        aliases=("EOG horizontal", "E1-E2", "LOC-ROC"),
    ),
    SignalDefinition(
        "EEG",
        4096,
        "uV",
        (
            *("C4-M1", "C4-A1", "EEG3", "Fpz-Cz", "C4", "EEG1"),
            # Any other electrode against a mastoid, central ones first: AASM manual, version 2.
            *("C3-M2", "C3-A2", "Cz-M1", "Cz-A1", "Cz-M2", "Cz-A2", "C4-M2", "C4-A2", "C3-M1"),
            *("C3-A1", "F4-M1", "F4-A1", "F3-M2", "F3-A2", "Fz-M1", "Fz-A1", "Fz-M2", "Fz-A2"),
            *("O2-M1", "O2-A1", "O1-M2", "O1-A2", "Pz-Oz", "Fp2-M1", "Fp2-A1", "Fp1-M2", "Fp1-A2"),
            *("C3", "Cz", "F4", "F3", "Fz"),  # not O2, which may be oxygen
        ),
        quality=_BRAIN,
        drawing=Drawing("#1a1a1a", (-50.0, 50.0)),
    ),
    SignalDefinition(
        "EMG",
        4096,
        "uV",
        (
            "Chin",
            "EMG submental",
            "Chin1-Chin2",
            "Chin EMG",
            "EMG Chin",
            "EMG1-EMG2",
            "EMG1",
            "Submental",
            "Submentalis",
            "EMG Submentalis",
            "Mentalis",
            "EMG Mentalis",
        ),
        quality=QualityRules((0.2, 5_000.0)),
        drawing=Drawing("#2d6a2d", (-50.0, 50.0)),
    ),
    SignalDefinition(
        "SpO2",
        32,
        "%",
        ("SaO2", "OSAT", "O2 Sat", "O2Sat", "SaO2 SaO2", "Oximetry", "Oxygen Saturation"),
        # In whole percents it stands still for minutes, and 100 cuts nothing off.
        quality=QualityRules(values=(50.0, 100.0), flat_share=1.0, clips=False),
        drawing=Drawing("#006d77", (70.0, 100.0)),
    ),
    # Nasal pressure goes before a thermistor, which does not show how deep breaths are.
    replace(
        _BREATHING,
        name="FLOW",
        aliases=(
            "Cannula Flow",
            "Nasal Pressure",
            "Nasal Pres",
            "Nas Pres",
            "Nasal Flow",
            "Airflow",
            "NEW AIR",
            "PTAF",
            "Cannula",
            "Nasal Cannula",
            "Nasal",
            "oro-nasal",
            "Thermistor",
        ),
    ),
)
SIGNALS = MappingProxyType({definition.name: definition for definition in _TABLE})
"""The table of canonical signals, by name."""

INSTANTANEOUS_HEART_RATE = SignalDefinition("IHR", 128)
"""In 1/min, computed from heartbeats and in no file, whence it is not in the table.

4.3 samples per second: as near to the 4 at which R-R intervals are resampled for spectra up to
0.4 Hz (`HRVFeatures`) as networks of the wav2sleep design allow; they take a power of two an epoch.
"""

# Whoever derives signals names them "HR(ECG)": what is told, and the signal that tells it.
_DERIVED = re.compile(r"(?P<quantity>[^()]+)\((?P<source>[^()]+)\)")
DERIVED_SAMPLES = 16
"""Samples an epoch of what is derived from beats and breaths, one in 1.9 s: half a breath."""

# An electrode of the 10-10 system, the mastoids (M, formerly A) or a mean of them.
_ELECTRODE = r"(?:Fp|AF|FC|FT|CP|TP|PO|F|C|T|P|O|A|M)(?:z|\d{1,2})"
_DERIVATION = re.compile(rf"{_ELECTRODE}(?:-{_ELECTRODE})?", re.IGNORECASE)
_EDF_PLUS_TYPES = ("EEG", "EOG", "EMG", "ECG", "Resp")  # EDF+ 2.1.3.4: "type of signal" + " "
_COMMON_REFERENCES = ("-Ref", "-CLE", "-LER", "-LE", "-A1A2", "-M1M2", "-AVG")
# Heart rates and electrodes of the leg are named like the ECG and the chin's EMG.
_ANOTHER_THING = re.compile(r"rate|\bhr\b|bpm|leg|tib|\b[lr]at\b|plm|off|event", re.IGNORECASE)


def source_of(signal: str) -> str:
    """Return the signal that one is derived from, by its name, or else the signal itself.

    >>> source_of("HR(ECG)"), source_of("ECG")
    ('ECG', 'ECG')
    """
    found = _DERIVED.fullmatch(signal)
    return found["source"] if found else signal


def count_epochs(duration: float) -> int:
    """Return the number of whole 30-second epochs in a duration in s."""
    # Durations are sums of decimal fractions: 899.9999999 s is 30 epochs.
    return int(duration / EPOCH_DURATION + 1e-6)


def signal_definition(signal: str | SignalDefinition) -> SignalDefinition:
    """Return the definition of a name in `SIGNALS`, or of an EEG derivation such as ``"C4-M1"``.

    A definition of your own is returned as it is.

    >>> signal_definition("ABD").samples_per_epoch, signal_definition("F4-M1").unit
    (256, 'uV')
    """
    if isinstance(signal, SignalDefinition):
        return signal
    if not isinstance(signal, str):
        raise TypeError(f"A signal is a name such as 'ECG' or a SignalDefinition, not {signal!r}.")
    if signal in SIGNALS:
        return SIGNALS[signal]
    if _DERIVATION.fullmatch(signal):
        eeg = SIGNALS["EEG"]
        return SignalDefinition(signal, eeg.samples_per_epoch, eeg.unit, former_names(signal))
    if _DERIVED.fullmatch(signal):
        return SignalDefinition(signal, DERIVED_SAMPLES)
    raise ValueError(
        f"{signal!r} is not a known signal. Use one of {', '.join(SIGNALS)}, an EEG derivation "
        "such as 'C4-M1', or define it: SignalDefinition(name, samples_per_epoch, unit, aliases)."
    )


def check_signal_names(parameter: str, names: Iterable[str], own: Iterable[str] = ()) -> None:
    """Raise ValueError where names of signals are misspelt: neither known, nor a user's `own`."""
    if isinstance(names, str):
        raise ValueError(f"{parameter}={names!r} must be a list of names.")
    known = dict.fromkeys([*SIGNALS, INSTANTANEOUS_HEART_RATE.name, *own])
    wrong = [
        name
        for name in names
        if name not in known
        and not _DERIVATION.fullmatch(source_of(str(name)))
        and source_of(str(name)) not in known
    ]
    if wrong:
        raise ValueError(
            f"{parameter} names {', '.join(map(repr, wrong))}, which is no signal. Known are "
            f"{', '.join(known)}, and EEG derivations such as 'C4-M1'."
        )


def find_channel(definition: SignalDefinition, labels: Sequence[str]) -> int | None:
    """Return the position of a signal's channel among labels, the first if several match.

    The canonical name is looked for first, then the aliases in their order. Case, spaces and
    punctuation are left out of the comparison, and so are the signal type that EDF+ writes before
    a label (``"EEG C4-M1"``) and a common reference after it (``"C4-Ref"``).

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


def likely_labels(definition: SignalDefinition, labels: Iterable[str]) -> list[str]:
    """Return the labels that may be a signal: they hold a name of it of three letters or more.

    Any electrode may be an EEG.

    >>> likely_labels(SIGNALS["ECG"], ["ECG 2", "ECG Rate", "EEG"])
    ['ECG 2']
    """
    names = {_plain(name) for name in (definition.name.partition("-")[0], *definition.aliases)}
    long_names = [name for name in names if len(name) > 2]

    def is_likely(label: str) -> bool:
        plain = _plain(label)
        is_electrode = definition.name == "EEG" and _DERIVATION.fullmatch(label) is not None
        return is_electrode or any(name in plain for name in long_names)

    return [label for label in labels if not _ANOTHER_THING.search(label) and is_likely(label)]


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
