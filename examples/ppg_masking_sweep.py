"""How often should the PPG be masked in training? A grid search over the probability.

`GridSearchCV` tries probabilities and seeds on two folds by subject. Each night is held out once,
and is staged from all signals and from the PPG alone.

    python examples/ppg_masking_sweep.py --size full
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from experiments import ALL_SIGNALS, Experiment, as_scores, compare, paired_difference, verdict
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from sklearn_sleep import recording_scores

QUESTION = "How often should the PPG be masked in training?"
PROBABILITIES = (0.0, 0.1, 0.5, 0.9)
SEED = "wav2sleepclassifier__random_state"
PROBABILITY = "wav2sleepclassifier__mask_probability__PPG"


@dataclass(frozen=True)
class NightScorer:
    """Kappa of each night of a cohort, 0 for those that a fold does not hold out.

    `GridSearchCV` averages scores over folds. Since each night is held out in one of them, its
    kappa is that average times the number of folds.

    Parameters
    ----------
    nights : mapping of tuple of str to tuple of str
        The nights that have one of the signals, by the signals to stage from.
    """

    nights: Mapping[tuple[str, ...], tuple[str, ...]]

    def __call__(
        self, pipeline: Pipeline, X: pd.DataFrame, y: npt.NDArray[np.int64]
    ) -> dict[str, float]:
        """Return kappa by the name that `name_of` gives signals and night."""
        scores = {}
        for signals, nights in self.nights.items():
            rows = X["recording"].isin(nights).to_numpy()
            masks = {name: False for name in pipeline[0].signals if name not in signals}
            predicted = pipeline.predict(X[rows].assign(**masks))
            kappa = recording_scores(cohen_kappa_score, y[rows], predicted, X["recording"][rows])
            kappa = kappa.reindex(nights).fillna(0.0)
            scores |= {self.name_of(signals, night): kappa[night] for night in nights}
        return scores

    @staticmethod
    def name_of(signals: Sequence[str], night: str) -> str:
        """Return the name of a score."""
        return f"{' + '.join(signals)}: {night}"


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    """Run the search; return kappa by signals and masking probability."""
    experiment = Experiment("ppg_masking_sweep", QUESTION, arguments, n_seeds=2)
    scorer = NightScorer(
        {signals: nights_with(experiment, signals) for signals in (ALL_SIGNALS, ("PPG",))}
    )
    folds = experiment.halves()
    search = GridSearchCV(
        experiment.pipeline(0),
        {PROBABILITY: PROBABILITIES, SEED: list(experiment.seeds)},
        cv=folds,
        scoring=scorer,
        refit=False,
        n_jobs=2,
        verbose=1,
    ).fit(experiment.X, experiment.y)
    parts = []
    for candidate, parameters in enumerate(search.cv_results_["params"]):
        for signals, nights in scorer.nights.items():
            means = [
                search.cv_results_[f"mean_test_{scorer.name_of(signals, night)}"][candidate]
                for night in nights
            ]
            kappa = pd.Series(means, index=nights) * len(folds)
            model = name_of_model(parameters[PROBABILITY])
            parts.append(as_scores(model, parameters[SEED], signals, kappa))
    scores = pd.concat(parts, ignore_index=True)
    rare, often = name_of_model(0.1), name_of_model(0.9)
    table = compare(scores, rare)
    alone = table[table["signals"] == "PPG"].set_index("model")["kappa"]
    whole = table[table["signals"] != "PPG"].set_index("model")["kappa"]
    difference = paired_difference(scores, rare, often, ["PPG"])
    finding = (
        verdict("Kappa from the PPG alone, masked with 0.1 as in the paper minus 0.9", difference)
        + f" Best from the PPG alone: {alone.idxmax()}; with all signals: {whole.idxmax()}."
    )
    experiment.report(scores, table, finding)
    return table


def nights_with(experiment: Experiment, signals: Sequence[str]) -> tuple[str, ...]:
    """Return the nights of the cohort that have one of the signals."""
    epochs, _ = experiment.nights_with(experiment.X, experiment.y, signals)
    return tuple(recording.path for recording in epochs.recordings)


def name_of_model(probability: float) -> str:
    """Return what a model is called in the table."""
    return f"PPG masked with {probability:g}"


if __name__ == "__main__":
    main()
