"""What every display shares, and the list of them."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline

from sklearn_sleep.core.atomic_write import atomic_write
from sklearn_sleep.core.optional_dependencies import import_optional
from sklearn_sleep.core.signals import EPOCH_DURATION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TIME_LABEL = "Time from the recording's start (h)"

_SECONDS_PER_HOUR = 3600.0
# From wake at the top, which is drawn light, to REM, in the order of the classes.
_STAGE_COLORS = ("#f0c808", "#8ecae6", "#219ebc", "#023047", "#d62828")

DISPLAYS: dict[str, type[Display]] = {}
"""Every display by its name; a subclass of `Display` is listed when it is defined."""


class Display(ABC):
    """A figure that is drawn from values: ``plot`` leaves it in ``figure_`` and ``axes_``.

    A plot is one subclass: its constructor keeps what is drawn, ``_draw`` draws it, and
    ``from_estimator``, if it has one, asks the estimator that it is given for the values.
    """

    figure_: Figure
    axes_: Any

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        DISPLAYS[cls.__name__] = cls

    def plot(self, *, title: str | None = None) -> Self:
        """Draw into a new figure that no window shows, and return the display."""
        self._draw()
        if title:
            self._set_title(title)
        return self

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the figure to a file, whose ending tells the format."""
        ending = Path(path).suffix.removeprefix(".")
        with atomic_write(path) as partial:
            self.figure_.savefig(partial, format=ending or "png", dpi=100, bbox_inches="tight")

    @abstractmethod
    def _draw(self) -> None:
        """Set ``figure_`` and ``axes_``."""

    def _set_title(self, title: str) -> None:
        axes: Axes = np.ravel(self.axes_)[0]
        axes.set_title(title)

    def _new_figure(self, width: float, height: float) -> None:
        """Set ``figure_`` to an empty one, of a size in inches."""
        module = import_optional("matplotlib.figure", extra="plot", purpose=type(self).__name__)
        self.figure_ = module.Figure(figsize=(width, height), layout="constrained")


def last_step(estimator: Any, X: Any = None) -> tuple[Any, Any]:
    """Return the estimator at the end of pipelines and searches, and what the steps make of X."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not isinstance(estimator, Pipeline):
        return estimator, X
    if X is not None and len(estimator) > 1:
        X = estimator[:-1].transform(X)
    return last_step(estimator[-1], X)


def draw_stages(
    axes: Axes, stages: npt.NDArray[np.integer[Any]], stage_names: Sequence[str]
) -> None:
    """Draw the classes of a night's epochs, (n_epochs,), as steps; negative ones are unscored."""
    if stages.dtype.kind not in "iu" or stages.max(initial=-1) >= len(stage_names):
        raise ValueError(
            f"A hypnogram to draw must be integers below {len(stage_names)}, one for each of "
            f"{list(stage_names)}, or negative where unscored; it has {np.unique(stages).tolist()}."
        )
    hours = np.arange(len(stages) + 1) * EPOCH_DURATION / _SECONDS_PER_HOUR
    shown = np.where(stages >= 0, stages, np.nan)
    axes.stairs(shown, hours, baseline=None, color="black", linewidth=0.8)
    for stage in range(len(stage_names)):
        where = np.flatnonzero(stages == stage)
        axes.hlines(
            np.full(len(where), stage),
            hours[where],
            hours[where + 1],
            stage_color(stage),
            linewidth=4,
        )
    axes.set_yticks(range(len(stage_names)), stage_names)
    axes.set_ylim(len(stage_names) - 0.5, -0.5)


def draw_shares(
    axes: Axes,
    shares: npt.ArrayLike,
    names: Sequence[str],
    colors: Sequence[str] | None = None,
) -> None:
    """Draw shares, (n_epochs, n_names), that sum to 1 as areas on top of each other."""
    shares = np.asarray(shares)
    hours = (np.arange(len(shares)) + 0.5) * EPOCH_DURATION / _SECONDS_PER_HOUR
    axes.stackplot(hours, shares.T, labels=list(names), colors=colors)
    axes.set_ylim(0, 1)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")


def stage_color(stage: int) -> str:
    """Return the colour of a class."""
    return _STAGE_COLORS[stage % len(_STAGE_COLORS)]
