"""One model for every subset of the signals against a model for each.

One network is trained on all signals with stochastic masking, and one network on each of several
subsets. They are compared in kappa, training time, size of the weights and staging time. Each
sees as many nights in training.

    python examples/unified_or_specialised.py --size full
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import pandas as pd
from experiments import ALL_SIGNALS, Experiment, compare, paired_difference, verdict

from sklearn_sleep import Wav2SleepClassifier

QUESTION = "One model for every subset of the signals, or a model for each?"
UNIFIED, SPECIALISED = "unified", "specialised"
SUBSETS = (ALL_SIGNALS, ("ECG", "THX"), ("ABD", "THX"), ("ECG",), ("PPG",))
TOLERANCE = 0.05
"""Kappa that one model may lose against the several that it replaces."""


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    """Run the experiment; return kappa, times and sizes by subset and model."""
    experiment = Experiment("unified_or_specialised", QUESTION, arguments, n_seeds=2)
    parts, costs = [], []
    for seed in experiment.seeds:
        unified, unified_seconds = train(experiment, seed, ALL_SIGNALS, None)
        for subset in SUBSETS:
            specialised, seconds = train(experiment, seed, subset, {})
            for model, classifier, trained_in in (
                (UNIFIED, unified, unified_seconds),
                (SPECIALISED, specialised, seconds),
            ):
                started = time.perf_counter()
                scores = experiment.score(model, seed, classifier, subset)
                staged_in = time.perf_counter() - started
                parts.append(scores)
                costs.append(
                    {
                        "signals": " + ".join(subset),
                        "model": model,
                        "training (s)": trained_in,
                        "weights (MB)": megabytes(classifier),
                        "staging a night (s)": staged_in / len(scores),
                    }
                )
        print(f"Seed {seed}: trained and scored", flush=True)
    scores = pd.concat(parts, ignore_index=True)
    by_model = pd.DataFrame(costs).groupby(["signals", "model"]).mean().reset_index()
    table = compare(scores, UNIFIED).merge(by_model, on=["signals", "model"])
    difference = paired_difference(scores, UNIFIED, SPECIALISED, table["signals"].unique())
    experiment.report(scores, table, describe(table, difference))
    return table


def train(
    experiment: Experiment,
    seed: int,
    signals: Sequence[str],
    mask_probability: dict[str, float] | None,
) -> tuple[Wav2SleepClassifier, float]:
    """Return a classifier and the seconds that its training took."""
    started = time.perf_counter()
    classifier = experiment.fit(seed, signals, mask_probability=mask_probability)
    return classifier, time.perf_counter() - started


def megabytes(classifier: Wav2SleepClassifier) -> float:
    """Return the size of the network's weights in 10**6 bytes."""
    return sum(weight.nbytes for weight in classifier.module_.parameters()) / 1e6


def describe(table: pd.DataFrame, difference: tuple[float, float, float]) -> str:
    """Return what was found, with the cost of one model beside that of all specialised ones."""
    costs = ["training (s)", "weights (MB)"]
    one = table[table["model"] == UNIFIED][costs].iloc[0]  # it is the same for every subset
    several = table[table["model"] == SPECIALISED]
    claim = (
        f"Kappa over {len(several)} subsets of the signals, one model minus specialised ones, "
        f"where a loss of up to {TOLERANCE:g} counts as none"
    )
    judgement = verdict(claim, difference, tolerance=TOLERANCE)
    if several["kappa"].mean() <= TOLERANCE:
        judgement = f"{claim}: cannot tell, as the specialised ones have learned nothing to lose."
    return (
        f"{judgement} One model trains in "
        f"{one['training (s)']:.0f} s and takes {one['weights (MB)']:.2f} MB; the "
        f"{len(several)} specialised ones take {several['training (s)'].sum():.0f} s and "
        f"{several['weights (MB)'].sum():.2f} MB."
    )


if __name__ == "__main__":
    main()
