"""AttentionDisplay: which signals the network attends to, over a night."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.stage_schemes import stage_names as names_of_stages
from sklearn_sleep.evaluation.displays.base import (
    TIME_LABEL,
    Display,
    draw_shares,
    draw_stages,
    last_step,
)

if TYPE_CHECKING:
    import pandas as pd


class AttentionDisplay(Display):
    """Draw the attention to each signal over a night, below the night's hypnogram.

    Parameters
    ----------
    attention : DataFrame of shape (n_rows, n_columns)
        Rows of one recording, as `sklearn_sleep.epoch_attention` returns them.
    hypnogram : array-like of int, shape (n_rows,)
        Class of each row from 0; negative values are unscored.
    stage_names : sequence of str
        Name of each class, as `sklearn_sleep.stage_names` gives them.

    Attributes
    ----------
    figure_, axes_ : Figure, list of Axes
        Hypnogram and attention. Epochs that no row names are left empty.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a.edf"], [0, 1]], names=["recording", "epoch"])
    >>> attention = pd.DataFrame({"CLS": [0.2, 0.4], "ECG": [0.8, 0.6]}, index=index)
    >>> display = AttentionDisplay(attention, [0, 1], ("W", "S")).plot()
    >>> [area.get_label() for area in display.axes_[1].collections]
    ['CLS', 'ECG']
    """

    def __init__(
        self, attention: pd.DataFrame, hypnogram: npt.ArrayLike, stage_names: Sequence[str]
    ) -> None:
        self.attention = attention
        self.hypnogram = hypnogram
        self.stage_names = stage_names

    @classmethod
    def from_estimator(
        cls, classifier: Any, X: Any, *, layer: int = -1, title: str | None = None
    ) -> Self:
        """Draw the attention over a night, below the stages that are predicted.

        Parameters
        ----------
        classifier : Wav2SleepClassifier or Pipeline that ends in one
            Fitted.
        X : as for ``predict``, n_rows long
            One night: of a classifier, what the steps of a pipeline give, or arrays in memory.
        layer : int, default=-1
            Layer of the epoch mixer.
        title : str, optional
            Title of the figure.
        """
        classifier, X = last_step(classifier, X)
        attention = classifier.epoch_attention(X, layer=layer)
        hypnogram = classifier.predict_proba(X).argmax(axis=1)
        names = _class_names(classifier.classes_)
        return cls(attention, hypnogram, names).plot(title=title)

    def _draw(self) -> None:
        recordings = self.attention.index.get_level_values("recording").unique()
        if len(recordings) != 1:
            raise ValueError(
                f"The rows are of {len(recordings)} recordings, but a figure shows one. Select it: "
                'attention.loc[["night.edf"]].'
            )
        epoch = self.attention.index.get_level_values("epoch").to_numpy()
        n_epochs = int(epoch.max()) + 1
        stages = np.full(n_epochs, -1)
        stages[epoch] = np.asarray(self.hypnogram)
        shares = np.zeros((n_epochs, self.attention.shape[1]))
        shares[epoch] = self.attention.fillna(0.0).to_numpy()
        self._new_figure(10.0, 4.0)
        self.axes_ = list(self.figure_.subplots(2, 1, sharex=True))
        draw_stages(self.axes_[0], stages, self.stage_names)
        self.axes_[0].set_ylabel("Stage")
        draw_shares(self.axes_[1], shares, [str(name) for name in self.attention.columns])
        self.axes_[1].set_ylabel("Attention")
        self.axes_[1].set_xlabel(TIME_LABEL)


def _class_names(classes: npt.NDArray[Any]) -> tuple[str, ...]:
    """Return the names of the stages, or the classes themselves where they are others."""
    if len(classes) in (2, 3, 4, 5) and list(classes) == list(range(len(classes))):
        return names_of_stages(len(classes))
    return tuple(str(name) for name in classes)
