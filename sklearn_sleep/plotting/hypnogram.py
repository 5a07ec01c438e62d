"""HypnogramDisplay: a night's stages over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from sklearn_sleep.signals import EPOCH_DURATION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["HypnogramDisplay"]

_SECONDS_PER_HOUR = 3600.0
# From wake at the top, which is drawn light, to REM, in the order of the classes.
_STAGE_COLORS = ("#f0c808", "#8ecae6", "#219ebc", "#023047", "#d62828")


class HypnogramDisplay:
    """Draw a hypnogram, beside another one and the stages' probabilities if they are given.

    Parameters
    ----------
    hypnogram : array-like of shape (n_epochs,)
        Class of each epoch as an integer from 0; negative values are unscored.
    stage_names : sequence of str
        Name of each class, as `sklearn_sleep.stages.stage_names` gives them.
    reference : array-like of shape (n_epochs,), optional
        A second hypnogram, usually the scorer's.
    probabilities : array-like of shape (n_epochs, n_classes), optional
        Probability of each class (a hypnodensity).

    Attributes
    ----------
    figure_ : Figure
        The figure.
    axes_ : list of Axes
        Its axes, from top to bottom.

    Examples
    --------
    >>> from sklearn_sleep.stages import stage_names
    >>> display = HypnogramDisplay([0, 1, 1, 2, 3], stage_names(4)).plot()
    >>> [label.get_text() for label in display.axes_[0].get_yticklabels()]
    ['W', 'Light', 'Deep', 'REM']
    """

    def __init__(
        self,
        hypnogram: npt.ArrayLike,
        stage_names: Sequence[str],
        *,
        reference: npt.ArrayLike | None = None,
        probabilities: npt.ArrayLike | None = None,
    ) -> None:
        self.hypnogram = hypnogram
        self.stage_names = stage_names
        self.reference = reference
        self.probabilities = probabilities

    def plot(self, *, title: str | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        title : str, optional
            Title of the figure.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        panels = [("hypnogram", self.hypnogram)]
        if self.reference is not None:
            panels.insert(0, ("reference", self.reference))
        n_axes = len(panels) + (self.probabilities is not None)
        self.figure_ = _new_figure((10.0, 1.6 * n_axes + 0.6))
        self.axes_ = list(self.figure_.subplots(n_axes, 1, sharex=True, squeeze=False)[:, 0])
        names = {"hypnogram": "Predicted" if self.reference is not None else "Stage"}
        for axes, (kind, stages) in zip(self.axes_, panels, strict=False):
            _draw_steps(axes, np.asarray(stages), self.stage_names)
            axes.set_ylabel(names.get(kind, "Scored"))
        if self.probabilities is not None:
            _draw_probabilities(self.axes_[-1], np.asarray(self.probabilities), self.stage_names)
        self.axes_[-1].set_xlabel("Time from the recording's start (h)")
        if title:
            self.axes_[0].set_title(title)
        return self

    def save(self, path: Any) -> None:
        """Write the figure to a file.

        Parameters
        ----------
        path : path
            Its ending tells the format.
        """
        self.figure_.savefig(path, dpi=100, bbox_inches="tight")


def _new_figure(size: tuple[float, float]) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        msg = "Figures need matplotlib: pip install 'sklearn_sleep[plot]'."
        raise ImportError(msg) from error
    return Figure(figsize=size, layout="constrained")


def _draw_steps(
    axes: Axes, stages: npt.NDArray[np.integer[Any]], stage_names: Sequence[str]
) -> None:
    hours = np.arange(len(stages) + 1) * EPOCH_DURATION / _SECONDS_PER_HOUR
    shown = np.where(stages >= 0, stages, np.nan)
    axes.stairs(shown, hours, baseline=None, color="black", linewidth=0.8)
    for stage in range(len(stage_names)):
        where = np.flatnonzero(stages == stage)
        axes.hlines(
            np.full(len(where), stage), hours[where], hours[where + 1], _color(stage), linewidth=4
        )
    axes.set_yticks(range(len(stage_names)), stage_names)
    axes.set_ylim(len(stage_names) - 0.5, -0.5)


def _draw_probabilities(
    axes: Axes, probabilities: npt.NDArray[np.floating[Any]], stage_names: Sequence[str]
) -> None:
    hours = (np.arange(len(probabilities)) + 0.5) * EPOCH_DURATION / _SECONDS_PER_HOUR
    colors = [_color(stage) for stage in range(len(stage_names))]
    axes.stackplot(hours, probabilities.T, labels=list(stage_names), colors=colors)
    axes.set_ylim(0, 1)
    axes.set_ylabel("Probability")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")


def _color(stage: int) -> str:
    return _STAGE_COLORS[stage % len(_STAGE_COLORS)]
