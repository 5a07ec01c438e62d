"""Montage: which signals are drawn, how large, in which colours, on what kind of page."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.signals import (
    SignalDefinition,
    contralateral_derivation,
    former_names,
    signal_definition,
)

# The default, which `Trace` replaces by what its signal is drawn with.
_OF_SIGNAL: Any = "signal"
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Trace:
    """A signal as it is drawn.

    Parameters
    ----------
    signal : str or SignalDefinition
        A canonical name, an EEG derivation, or a definition of your own.
    color : str, optional
        ``"#rrggbb"``; that of the signal's definition if not given.
    amplitude : tuple of float or None, optional
        The values that lie at the bottom and the top of the trace's band, in the unit of the
        signal's definition; those of the definition if not given. ``None``: the band holds the
        middle 98% of the night's samples, as for signals whose unit is arbitrary.
    label : str, optional
        What is written beside it; the signal's name if not given.

    Examples
    --------
    >>> Trace("EMG", "#0000ff", (-40.0, 40.0)).name
    'EMG'
    """

    signal: str | SignalDefinition
    color: str = ""
    amplitude: tuple[float, float] | None = _OF_SIGNAL
    label: str = ""

    def __post_init__(self) -> None:
        definition = signal_definition(self.signal)
        object.__setattr__(self, "signal", definition)
        object.__setattr__(self, "color", self.color or definition.drawn_as.color)
        _check_color("color", self.color)
        if self.amplitude == _OF_SIGNAL:
            object.__setattr__(self, "amplitude", definition.drawn_as.amplitude)
        object.__setattr__(self, "label", self.label or definition.name)
        if self.amplitude is not None:
            low, high = self.amplitude
            if not low < high:
                raise ValueError(f"amplitude={self.amplitude} of {definition.name} must rise.")
            object.__setattr__(self, "amplitude", (float(low), float(high)))

    @property
    def definition(self) -> SignalDefinition:
        """What the signal is."""
        return signal_definition(self.signal)

    @property
    def name(self) -> str:
        """The signal's canonical name."""
        return self.definition.name

    @property
    def unit(self) -> str:
        """The unit of the amplitude; empty where it is arbitrary."""
        return self.definition.unit or ""


@dataclass(frozen=True)
class Grid:
    """Lines of time, and between the traces.

    Parameters
    ----------
    color : str
        ``"#rrggbb"``.
    minor_seconds, major_seconds : float
        Time from line to line, in s.
    minor_alpha, major_alpha : float
        Opacity, from 0 to 1. The lines between traces are as the major ones.
    minor_width, major_width : float
        In pixels.
    over_traces : bool
        Whether the lines lie over the traces or under them.
    """

    color: str = "#404040"
    minor_seconds: float = 1.0
    major_seconds: float = 5.0
    minor_alpha: float = 0.6
    major_alpha: float = 0.8
    minor_width: float = 1.0
    major_width: float = 1.0
    over_traces: bool = False

    def __post_init__(self) -> None:
        _check_color("color", self.color)
        for name in ("minor_seconds", "major_seconds", "minor_width", "major_width"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)} of a Grid must be above 0.")
        for name in ("minor_alpha", "major_alpha"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)} of a Grid must be between 0 and 1.")


@dataclass(frozen=True)
class Montage:
    """The page that epochs are drawn on.

    Traces have bands of equal height, the first at the top, across 30 s. A montage is a sequence
    of the definitions of its signals, so that ``EDFReader(montage)`` reads them.

    Parameters
    ----------
    traces : sequence of Trace
        From top to bottom.
    width, height : int, default=448, 224
        Of the image, in pixels.
    background : str, default="#000000"
        Colour of the page.
    line_width : float, default=1.0
        Of the traces, in pixels.
    grid : Grid, optional
        Lines of time and between traces; none if not given.
    margin : int, default=0
        Pixels at the left that the traces leave free for labels.
    labels : bool, default=False
        Write the label of each trace. Missing signals are labelled always.
    calibration : bool, default=False
        Draw a bar of half the amplitude beside each trace, and write how much it is.
    clip : bool, default=False
        Whether what exceeds a trace's amplitude is cut off at its band; else it goes on into the
        bands beside it.
    text_color : str, default="#c0c0c0"
        Colour of what is written.

    Examples
    --------
    >>> montage = Montage([Trace("EEG", "#ffff00"), Trace("EMG", "#0000ff", (-40, 40))])
    >>> [definition.name for definition in montage]
    ['EEG', 'EMG']
    >>> montage.band_height
    112.0
    """

    traces: tuple[Trace, ...]
    width: int = 448
    height: int = 224
    background: str = "#000000"
    line_width: float = 1.0
    grid: Grid | None = None
    margin: int = 0
    labels: bool = False
    calibration: bool = False
    clip: bool = False
    text_color: str = "#c0c0c0"

    def __post_init__(self) -> None:
        object.__setattr__(self, "traces", tuple(self.traces))
        if not self.traces:
            raise ValueError("A Montage needs at least one Trace.")
        names = [trace.name for trace in self.traces]
        if len(set(names)) < len(names):
            raise ValueError(f"A Montage draws each signal once, but has the traces {names}.")
        for name in ("background", "text_color"):
            _check_color(name, getattr(self, name))
        if not 0 <= self.margin < self.width or self.height < len(self.traces):
            raise ValueError(
                f"An image of {self.width} x {self.height} pixels has no room for "
                f"{len(self.traces)} traces beside a margin of {self.margin}."
            )
        if not self.line_width > 0:
            raise ValueError(f"line_width={self.line_width} must be above 0.")

    def __len__(self) -> int:
        return len(self.traces)

    def __iter__(self) -> Iterator[SignalDefinition]:
        return (trace.definition for trace in self.traces)

    @property
    def band_height(self) -> float:
        """Height of a trace's band in pixels."""
        return self.height / len(self.traces)

    @property
    def columns(self) -> int:
        """Pixels across 30 s."""
        return self.width - self.margin

    def position(self, signal: str) -> int:
        """Return which trace is that of a signal; ValueError if none is."""
        names = [trace.name for trace in self.traces]
        if signal not in names:
            raise ValueError(f"The montage has no {signal!r}; its signals are {names}.")
        return names.index(signal)

    def center(self, position: int) -> float:
        """Return how many pixels below the upper edge the middle of a trace's band lies."""
        return (position + 0.5) * self.band_height


def find_montage(montage: str | Montage) -> Montage:
    """Return the montage of a name in `MONTAGES`; one that is a montage is returned as it is.

    >>> find_montage("sleepvlm").width
    448
    """
    if isinstance(montage, Montage):
        return montage
    if montage not in MONTAGES:
        raise ValueError(
            f"montage={montage!r} is none of {', '.join(MONTAGES)}; or give a Montage."
        )
    return MONTAGES[montage]


def rgb(color: str) -> npt.NDArray[np.float64]:
    """Return the red, green and blue of ``"#rrggbb"``, from 0 to 255."""
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float64)


def _check_color(name: str, color: str) -> None:
    if not _COLOR.fullmatch(color):
        raise ValueError(f"{name}={color!r} must be written '#rrggbb'.")


def _electrode(name: str) -> SignalDefinition:
    """Return an EEG electrode against whatever reference a file has it with."""
    derivation = contralateral_derivation(name)
    return SignalDefinition(name, 4096, "uV", (derivation, *former_names(derivation)))


# matplotlib's points at the 100 dots per inch at which SleepVLM draws.
_PIXELS_PER_POINT = 100 / 72

MONTAGES = MappingProxyType(
    {
        # Deng et al. 2026 (arXiv 2603.26738) and their code.
        "sleepvlm": Montage(
            (
                Trace(_electrode("F4"), "#ffff00"),
                Trace(_electrode("C4"), "#00ff00"),
                Trace(_electrode("O2"), "#ff0000"),
                Trace("EOG-L", "#00ffff", label="LOC"),
                Trace("EOG-R", "#ff00ff", label="ROC"),
                Trace("EMG", "#0000ff", (-40.0, 40.0), label="Chin"),
            ),
            line_width=0.6 * _PIXELS_PER_POINT,
            grid=Grid(
                minor_width=0.5 * _PIXELS_PER_POINT,
                major_width=0.8 * _PIXELS_PER_POINT,
                over_traces=True,
            ),
        ),
        # Colours are those of the signals.
        "clinical": Montage(
            (
                Trace(_electrode("F4"), amplitude=(-75.0, 75.0)),
                Trace(_electrode("C4"), amplitude=(-75.0, 75.0)),
                Trace(_electrode("O2"), amplitude=(-75.0, 75.0)),
                Trace("EOG-L", amplitude=(-75.0, 75.0)),
                Trace("EOG-R", amplitude=(-75.0, 75.0)),
                Trace("EMG", amplitude=(-40.0, 40.0)),
                Trace("ECG"),
                Trace("PPG"),
                Trace("THX"),
                Trace("ABD"),
            ),
            width=1024,
            height=640,
            background="#ffffff",
            grid=Grid("#c8c8c8", minor_alpha=0.5, major_alpha=1.0),
            margin=64,
            labels=True,
            calibration=True,
            text_color="#303030",
        ),
    }
)
"""Montages by name."""
