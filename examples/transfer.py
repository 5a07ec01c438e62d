"""A network of one site's ECG and breath, fine-tuned on a few nights of another site's PPG.

The network is trained on site A (ECG and THX) and goes on with nights of site B from the PPG
alone, in which the encoders of the ECG read heart and breath; against one that these nights of B
train from random weights. Each draw has other nights of B and another seed; all stage the same
held-out nights.

    python examples/transfer.py --size full
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from experiments import as_scores, compare, draw, kappa_by_night, paired_difference, to_markdown
from sklearn.pipeline import Pipeline

from sklearn_sleep import (
    Epochs,
    Wav2SleepClassifier,
    make_cohort,
    merge_stages,
    wav2sleep_pipeline,
)

QUESTION = "Few nights of another signal: fine-tune a network of another site, or start anew?"
SITE_A, SITE_B = "north", "west"
SIGNALS_A, SIGNALS_B = ("ECG", "THX"), ("PPG",)
TUNED, ANEW = "fine-tuned", "from scratch"


@dataclass(frozen=True)
class Size:
    """Nights of A, of B in a draw and held out, draws, their hours, and parameters of training."""

    n_a: int
    n_b: int
    n_test: int
    n_draws: int
    hours: float
    on_a: dict[str, Any]
    tuning: dict[str, Any]
    anew: dict[str, Any]


QUICK = {"max_epochs": 1}
SIZES = {
    "small": Size(3, 1, 2, 2, 0.5, QUICK, QUICK, QUICK),
    # The recipe's passes from scratch; fine-tuning at a third of its rate, in fewer of them.
    "full": Size(50, 5, 30, 3, 2.0, {}, {"lr": 2e-3, "max_epochs": 40}, {}),
}


def steps(signals: Sequence[str]) -> Pipeline:
    """Return the steps before the network, what physiology reads from the signals among them."""
    return wav2sleep_pipeline(signals)[:-1]


def read_site(
    folder: Path, site: str, n_nights: int, signals: Sequence[str], hours: float, seed: int
) -> tuple[Epochs, Any, pd.Series]:
    """Return the epochs of a site's nights, one a subject, their stages and subjects."""
    X, y, groups = make_cohort(
        folder,
        n_subjects=n_nights,
        sites=[site],
        hours=hours,
        second_visit_probability=0.0,
        random_state=seed,
        return_X_y_groups=True,
    )
    return steps(signals).fit_transform(X), merge_stages(y, 4), groups.astype(str)


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    """Run the experiment; return kappa from the PPG by way of training."""
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--cohort", type=Path, help="folder that keeps the nights and networks")
    parser.add_argument("--out", type=Path, help="folder of the results")
    parser.add_argument("--draws", type=int, help="instead of the size's")
    options = parser.parse_args(arguments)
    size = SIZES[options.size]
    n_draws = options.draws or size.n_draws
    folder = (
        options.cohort or Path(tempfile.gettempdir()) / f"sklearn-sleep-transfer-{options.size}"
    )
    out = options.out or folder / "results"
    of_a, y_of_a, _ = read_site(folder / "a", SITE_A, size.n_a, SIGNALS_A, size.hours, 2)
    n_b = size.n_test + size.n_b * size.n_draws
    of_b, y_of_b, subjects = read_site(folder / "b", SITE_B, n_b, SIGNALS_B, size.hours, 3)
    names = list(subjects.unique())
    test = subjects.isin(names[: size.n_test]).to_numpy()
    parts = []
    for seed in range(n_draws):
        first = size.n_test + seed * size.n_b
        few = subjects.isin(names[first : first + size.n_b]).to_numpy()
        shared = {"size": "auto", "classes": range(4), "random_state": seed}
        checkpoint = folder / f"checkpoint-{seed}"
        if not (checkpoint / "config.json").exists():
            print(f"Draw {seed}: training on {size.n_a} nights of {SITE_A}", flush=True)
            classifier = Wav2SleepClassifier(**shared, **size.on_a).fit(of_a, y_of_a)
            classifier.save_pretrained(checkpoint)
        models = {
            TUNED: Wav2SleepClassifier(
                initialize_from=checkpoint, signals={"PPG": "ECG"}, **shared, **size.tuning
            ),
            ANEW: Wav2SleepClassifier(signals=["PPG"], **shared, **size.anew),
        }
        for name, classifier in models.items():
            classifier.fit(of_b[few], y_of_b[few])
            held_out = of_b[test]
            predicted = classifier.predict(held_out)
            kappa = kappa_by_night(y_of_b[test], predicted, held_out.table["recording"])
            parts.append(as_scores(name, seed, SIGNALS_B, kappa))
            print(f"Draw {seed}, {name}: kappa {kappa.mean():.3f}", flush=True)
    scores = pd.concat(parts, ignore_index=True)
    table = compare(scores, TUNED)
    difference = paired_difference(scores, TUNED, ANEW, list(SIGNALS_B))
    finding = (
        f"Kappa from the PPG, {TUNED} minus {ANEW}: "
        "{:+.3f} (95% interval {:+.3f} to {:+.3f}), ".format(*difference)
        + f"{n_draws} draws of {size.n_b} nights, {size.n_test} held-out nights."
    )
    text = f"# {QUESTION}\n\n{to_markdown(table)}\n\n{finding}\n"
    print(f"\n{text}")
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / "transfer.csv", index=False)
    (out / "transfer.md").write_text(text, encoding="utf-8")
    draw(scores, QUESTION).savefig(out / "transfer.png", dpi=100)
    return table


if __name__ == "__main__":
    main()
