"""HypnogramDisplay: a night's stages over time."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sklearn_sleep.evaluation.displays.base import (
    TIME_LABEL,
    Display,
    draw_shares,
    draw_stages,
    stage_color,
)


class HypnogramDisplay(Display):
    """Draw a hypnogram, beside another one and the stages' probabilities if they are given.

    Parameters
    ----------
    hypnogram : array-like of shape (n_epochs,)
        Class of each epoch as an integer from 0; negative values are unscored.
    stage_names : sequence of str
        Name of each class, as `sklearn_sleep.stage_names` gives them.
    reference : array-like of shape (n_epochs,), optional
        A second hypnogram, usually the scorer's.
    probabilities : array-like of shape (n_epochs, n_classes), optional
        Probability of each class (a hypnodensity).

    Attributes
    ----------
    figure_, axes_ : Figure, list of Axes
        Its axes, from top to bottom.

    Examples
    --------
    >>> from sklearn_sleep.core.stage_schemes import stage_names
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

    def _draw(self) -> None:
        panels = [("Stage", self.hypnogram)]
        if self.reference is not None:
            panels = [("Scored", self.reference), ("Predicted", self.hypnogram)]
        n_axes = len(panels) + (self.probabilities is not None)
        self._new_figure(10.0, 1.6 * n_axes + 0.6)
        self.axes_ = list(self.figure_.subplots(n_axes, 1, sharex=True, squeeze=False)[:, 0])
        for axes, (label, stages) in zip(self.axes_, panels, strict=False):
            draw_stages(axes, np.asarray(stages), self.stage_names)
            axes.set_ylabel(label)
        if self.probabilities is not None:
            colors = [stage_color(stage) for stage in range(len(self.stage_names))]
            draw_shares(self.axes_[-1], self.probabilities, self.stage_names, colors)
            self.axes_[-1].set_ylabel("Probability")
        self.axes_[-1].set_xlabel(TIME_LABEL)
