"""Attention against concatenation, two ways to put the signals of an epoch together.

The same network is trained with the paper's attention, and with a hidden layer over the signals
side by side, zeros for missing ones.

    python examples/epoch_mixers.py --size full
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from experiments import ALL_SIGNALS, Experiment, compare, paired_difference, verdict

QUESTION = "Attention or concatenation: how should the signals of an epoch be put together?"
EPOCH_MIXERS = {"attention": "attention", "concatenation": "concat"}
SUBSETS = (ALL_SIGNALS, ("ECG", "THX"), ("ABD", "THX"), ("ECG",), ("PPG",), ("THX",))


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    """Run the experiment; return kappa by subset and epoch mixer."""
    experiment = Experiment("epoch_mixers", QUESTION, arguments, n_seeds=4)
    parts = []
    for seed in experiment.seeds:
        for model, epoch_mixer in EPOCH_MIXERS.items():
            classifier = experiment.fit(seed, module__epoch_mixer=epoch_mixer)
            parts += [experiment.score(model, seed, classifier, subset) for subset in SUBSETS]
            print(f"Seed {seed}, {model}: trained and scored", flush=True)
    scores = pd.concat(parts, ignore_index=True)
    table = compare(scores, "attention")
    difference = paired_difference(scores, "attention", "concatenation", table["signals"].unique())
    claim = f"Kappa over {len(SUBSETS)} subsets of the signals, attention minus concatenation"
    whole = paired_difference(scores, "attention", "concatenation", [" + ".join(ALL_SIGNALS)])
    finding = verdict(
        claim, difference
    ) + " With all four signals the difference is {:+.3f} ({:+.3f} to {:+.3f}).".format(*whole)
    experiment.report(scores, table, finding)
    return table


if __name__ == "__main__":
    main()
