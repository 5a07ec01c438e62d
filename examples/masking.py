"""Stochastic masking, and whether one model then serves every subset of the signals.

The same network is trained with the paper's masking probabilities and without masking, and both
stage held-out nights from every subset of the four signals.

    python examples/masking.py --size full
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from experiments import ALL_SIGNALS, Experiment, compare, paired_difference, verdict

from sklearn_sleep.commands import signal_subsets

QUESTION = "Does stochastic masking make one model serve every subset of the signals?"
MASK_PROBABILITY = {"masking": None, "no masking": {}}  # None: those of the paper


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    """Run the experiment; return kappa by subset and way of training."""
    experiment = Experiment("masking", QUESTION, arguments, n_seeds=3)
    parts = []
    for seed in experiment.seeds:
        for model, mask_probability in MASK_PROBABILITY.items():
            classifier = experiment.fit(seed, mask_probability=mask_probability)
            parts += [
                experiment.score(model, seed, classifier, subset)
                for subset in signal_subsets(ALL_SIGNALS)
            ]
            print(f"Seed {seed}, {model}: trained and scored", flush=True)
    scores = pd.concat(parts, ignore_index=True)
    table = compare(scores, "masking")
    single = paired_difference(scores, "masking", "no masking", ALL_SIGNALS)
    whole = paired_difference(scores, "masking", "no masking", [" + ".join(ALL_SIGNALS)])
    finding = verdict(
        "Kappa from a single signal, masking minus no masking", single
    ) + " With all four signals the difference is {:+.3f} ({:+.3f} to {:+.3f}).".format(*whole)
    experiment.report(scores, table, finding)
    return table


if __name__ == "__main__":
    main()
