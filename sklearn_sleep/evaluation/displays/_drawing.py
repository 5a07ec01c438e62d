"""What the displays draw with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.signals import EPOCH_DURATION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["TIME_LABEL", "SavesFigure", "draw_shares", "draw_stages", "new_figure", "stage_color"]

TIME_LABEL = "Time from the recording's start (h)"

_SECONDS_PER_HOUR = 3600.0
# From wake at the top, which is drawn light, to REM, in the order of the classes.
_STAGE_COLORS = ("#f0c808", "#8ecae6", "#219ebc", "#023047", "#d62828")


class SavesFigure:
    """For displays, whose figure `plot` leaves in ``figure_``."""

    figure_: Figure

    def save(self, path: Any) -> None:
        """Write the figure to a file.

        Parameters
        ----------
        path : path
            Its ending tells the format.
        """
        self.figure_.savefig(path, dpi=100, bbox_inches="tight")


def new_figure(size: tuple[float, float]) -> Figure:
    """Return an empty figure that no window shows.

    Parameters
    ----------
    size : tuple of float
        Width and height in inches.

    Returns
    -------
    Figure

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("Figures need matplotlib: pip install 'sklearn_sleep[plot]'.") from error
    return Figure(figsize=size, layout="constrained")


def draw_stages(
    axes: Axes, stages: npt.NDArray[np.integer[Any]], stage_names: Sequence[str]
) -> None:
    """Draw the stages of a night as steps.

    Parameters
    ----------
    axes : Axes
        Where.
    stages : ndarray of int, shape (n_epochs,)
        Class of each epoch; negative values are unscored.
    stage_names : sequence of str
        Name of each class.
    """
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
    """Draw what sums to 1 in each epoch as areas on top of each other.

    Parameters
    ----------
    axes : Axes
        Where.
    shares : array-like of shape (n_epochs, n)
        The shares.
    names : sequence of str
        Name of each.
    colors : sequence of str, optional
        Colour of each; matplotlib's if not given.
    """
    shares = np.asarray(shares)
    hours = (np.arange(len(shares)) + 0.5) * EPOCH_DURATION / _SECONDS_PER_HOUR
    axes.stackplot(hours, shares.T, labels=list(names), colors=colors)
    axes.set_ylim(0, 1)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")


def stage_color(stage: int) -> str:
    """Return the colour of a stage.

    Parameters
    ----------
    stage : int
        Its class.

    Returns
    -------
    str
    """
    return _STAGE_COLORS[stage % len(_STAGE_COLORS)]
