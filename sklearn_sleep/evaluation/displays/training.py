"""TrainingDisplay: how a training went, pass by pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sklearn_sleep.evaluation.displays.base import Display, last_step

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


class TrainingDisplay(Display):
    """Draw losses, learning rate and gradient norm over the passes of a training.

    Parameters
    ----------
    history : DataFrame
        As `sklearn_sleep.history_frame` returns it.

    Attributes
    ----------
    figure_, axes_ : Figure, list of Axes
        Losses, with a line at the pass of the lowest validation loss; then learning rate and
        gradient norm where the history has them.

    Examples
    --------
    >>> import pandas as pd
    >>> history = pd.DataFrame({"train_loss": [1.4, 1.1], "valid_loss": [1.5, 1.3]}, index=[1, 2])
    >>> display = TrainingDisplay(history).plot()
    >>> [line.get_label() for line in display.axes_[0].lines]
    ['training', 'validation', 'lowest (pass 2)']
    """

    def __init__(self, history: pd.DataFrame) -> None:
        self.history = history

    @classmethod
    def from_estimator(cls, classifier: Any, *, title: str | None = None) -> Self:
        """Draw the training of a fitted classifier, or of the one at the end of a pipeline."""
        classifier, _ = last_step(classifier)
        return cls(classifier.history_frame()).plot(title=title)

    def _draw(self) -> None:
        labels = {"learning_rate": "Learning rate", "gradient_norm": "Gradient norm"}
        present = [name for name in labels if name in self.history]
        n_axes = 1 + len(present)
        self._new_figure(7.0, 1.6 * n_axes + 1.4)
        ratios = [2] + [1] * len(present)
        grid = self.figure_.subplots(n_axes, 1, sharex=True, squeeze=False, height_ratios=ratios)
        self.axes_ = list(grid[:, 0])
        _draw_losses(self.axes_[0], self.history)
        for axes, name in zip(self.axes_[1:], present, strict=True):
            axes.plot(self.history.index, self.history[name], color="black", marker=".")
            axes.set_ylabel(labels[name])
        self.axes_[-1].set_xlabel("Pass over the training nights")


def _draw_losses(axes: Axes, history: pd.DataFrame) -> None:
    axes.plot(history.index, history["train_loss"], marker=".", label="training")
    if "valid_loss" in history and history["valid_loss"].notna().any():
        lowest: Any = history["valid_loss"].idxmin()
        axes.plot(history.index, history["valid_loss"], marker=".", label="validation")
        axes.axvline(lowest, color="gray", linestyle=":", label=f"lowest (pass {lowest})")
    axes.set_ylabel("Loss")
    axes.legend()
