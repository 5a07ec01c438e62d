"""ComparisonDisplay: the scores of recordings, estimator by estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sklearn_sleep.evaluation.displays.base import Display

if TYPE_CHECKING:
    import pandas as pd

# Of the distance between estimators, by which points are spread so that they can be told apart.
_SPREAD = 0.25


class ComparisonDisplay(Display):
    """Draw the score of each recording, and how the scores of each estimator are distributed.

    Parameters
    ----------
    scores : DataFrame
        With the columns ``estimator``, ``recording``, ``score`` and ``value``, as
        `sklearn_sleep.Comparison.scores` has them.
    score : str, optional
        Which score; the first if not given.

    Attributes
    ----------
    figure_, axes_ : Figure, Axes
        A box for each estimator, from the first to the third quartile with a line at the median,
        a point for each recording, and a diamond at the mean.

    Examples
    --------
    >>> import pandas as pd
    >>> scores = pd.DataFrame(
    ...     {
    ...         "estimator": ["network"] * 3 + ["baseline"] * 3,
    ...         "recording": ["a", "b", "c"] * 2,
    ...         "score": "kappa",
    ...         "value": [0.7, 0.8, 0.6, 0.6, 0.7, 0.65],
    ...     }
    ... )
    >>> display = ComparisonDisplay(scores).plot()
    >>> [label.get_text() for label in display.axes_.get_yticklabels()]
    ['network', 'baseline']
    """

    def __init__(self, scores: pd.DataFrame, *, score: str | None = None) -> None:
        self.scores = scores
        self.score = score

    def _draw(self) -> None:
        known = list(self.scores["score"].unique())
        score = known[0] if self.score is None else self.score
        if score not in known:
            raise ValueError(f"score={score!r} is none of the scores {known}.")
        of_score = self.scores[self.scores["score"] == score].dropna(subset=["value"])
        means = of_score.groupby(["estimator", "recording"], sort=False)["value"].mean()
        names = list(of_score["estimator"].unique())
        values = [means[name].to_numpy() for name in names]
        self._new_figure(7.0, 0.5 * len(names) + 1.4)
        self.axes_ = self.figure_.subplots()
        positions = np.arange(len(names), 0, -1)
        self.axes_.boxplot(values, orientation="horizontal", positions=positions, showfliers=False)
        for position, of_name in zip(positions, values, strict=True):
            # Spread evenly, not at random, so that a figure is the same each time.
            offset = _SPREAD * (np.arange(len(of_name)) % 5 - 2) / 2
            self.axes_.plot(of_name, position + offset, ".", color="tab:blue", alpha=0.5)
            self.axes_.plot(of_name.mean(), position, "D", color="tab:red")
        self.axes_.set_yticks(positions, names)
        self.axes_.set_xlabel(f"{score} of each recording")
