"""How well do tens of nights do? A learning curve of the network against heart rate features.

Trains on 5, 12, 25 and 50 synthetic nights of two hours and stages 30 others, from ECG, from
thoracic respiration and from all four signals of wav2sleep:

- `hrv_baseline`: features of heart rate variability and gradient boosting, from ECG;
- the published recipe at half width, and with batches of two nights;
- ``Wav2SleepClassifier(size="auto")``;
- the same on the instantaneous heart rate in place of the waveforms of the heart, alone and with
  respiration.

Each seed draws other nights to train and to test on, and trains with other random numbers.
Rows that the CSV file holds already are not computed again, so that a run can be cut off.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from environment import describe_environment, format_table
from matplotlib.figure import Figure
from sklearn.metrics import cohen_kappa_score
from sklearn.pipeline import make_pipeline

from sklearn_sleep import (
    Epochs,
    InstantaneousHeartRate,
    Wav2SleepClassifier,
    hrv_baseline,
    make_cohort,
    merge_stages,
)
from sklearn_sleep.core.signals import INSTANTANEOUS_HEART_RATE
from sklearn_sleep.preprocessing import EDFReader, Epocher, Normalizer, Resampler

Rows = npt.NDArray[np.bool_]

SIGNALS = ("ECG", "PPG", "ABD", "THX")
HEART_RATE = INSTANTANEOUS_HEART_RATE.name
SCORED = {"ECG": ("ECG",), "THX": ("THX",), "all": SIGNALS}
SIZES = (5, 12, 25, 50)
N_TEST_NIGHTS = 30
N_CLASSES = 4
# The published configuration with channels and features halved.
HALF_WIDTH = {
    "module__feature_dim": 64,
    "module__initial_channels": 8,
    "module__max_channels": 64,
    "module__mixer_heads": 4,
    "module__mixer_feedforward_dim": 256,
}


class Nights:
    """Training and test nights of each draw, as epoch tables and samples."""

    def __init__(self, folder: Path, *, quick: bool, random_state: int) -> None:
        self.n_test = 4 if quick else N_TEST_NIGHTS
        self.sizes = (4,) if quick else SIZES
        self.X, y, _ = make_cohort(
            folder,
            n_subjects=self.n_test + max(self.sizes),
            hours=0.5 if quick else 2.0,
            second_visit_probability=0.0,
            random_state=random_state,
            n_jobs=-1,
            return_X_y_groups=True,
        )
        self.y = merge_stages(y, N_CLASSES)
        self.names = self.X["recording"].unique()
        steps = make_pipeline(
            EDFReader(list(SIGNALS)),
            InstantaneousHeartRate(["ECG"]),
            Resampler(),
            Normalizer(),
            Epocher(),
        )
        self.steps = steps.fit(self.X)
        reader, staging = hrv_baseline()
        steps = make_pipeline(reader, *(step for _, step in staging.estimator.steps[:-1]))
        self.features = steps.fit_transform(self.X)

    def draw(self, n_nights: int, seed: int) -> Draw:
        """Return nights to train on and others to test on."""
        names = np.random.default_rng(seed).permutation(self.names)
        test, train = names[: self.n_test], names[self.n_test : self.n_test + n_nights]
        recording = self.X["recording"]
        return Draw(self, recording.isin(train).to_numpy(), recording.isin(test).to_numpy(), seed)


@dataclass(frozen=True)
class Draw:
    """Some nights to train on, others to test on, and the seed of both and of the training."""

    nights: Nights
    train: Rows
    test: Rows
    seed: int

    def epochs(self, rows: Rows, signals: Collection[str]) -> Epochs:
        """Return rows as a classifier takes them, other signals masked."""
        masks = {name: False for name in SIGNALS if name not in signals}
        return self.nights.steps.transform(self.nights.X[rows].assign(**masks))

    def score(self, predicted: npt.ArrayLike) -> float:
        """Return kappa on the test nights."""
        return cohen_kappa_score(self.nights.y[self.test], predicted)


def boost(draw: Draw) -> dict[str, float]:
    """Train gradient boosting on features; return kappa from ECG."""
    features, y = draw.nights.features, draw.nights.y
    classifier = hrv_baseline(random_state=draw.seed)[-1].estimator[-1]
    classifier.fit(features[draw.train], y[draw.train])
    return {"ECG": draw.score(classifier.predict(features[draw.test]))}


def network(*signals: str, **parameters: Any) -> Callable[[Draw], dict[str, float]]:
    """Return what trains a network of the signals and scores it from those in `SCORED`."""

    def train(draw: Draw) -> dict[str, float]:
        classifier = Wav2SleepClassifier(
            signals=signals, classes=range(N_CLASSES), random_state=draw.seed, **parameters
        )
        waveforms = {"ECG" if name == HEART_RATE else name for name in signals}
        classifier.fit(draw.epochs(draw.train, waveforms), draw.nights.y[draw.train])
        return {
            name: draw.score(classifier.predict(draw.epochs(draw.test, scored)))
            for name, scored in SCORED.items()
            if waveforms.issuperset(scored) or (name == "all" and len(waveforms) > 1)
        }

    return train


MODELS = {
    "hrv_baseline": boost,
    "published recipe, half width": network(*SIGNALS, **HALF_WIDTH),
    "published recipe, half width, batches of 2": network(*SIGNALS, **HALF_WIDTH, batch_size=2),
    'size="auto"': network(*SIGNALS, size="auto"),
    'size="auto", ECG alone': network("ECG", size="auto"),
    'size="auto", heart rate alone': network(HEART_RATE, size="auto"),
    'size="auto", heart rate, ABD, THX': network(HEART_RATE, "ABD", "THX", size="auto"),
}


def measure(
    nights: Nights,
    path: Path,
    seeds: Sequence[int],
    sizes: Sequence[int],
    models: Collection[str],
) -> pd.DataFrame:
    """Train and score what the file does not hold; return what was asked for."""
    done = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["model", "nights", "seed"])
    keys = set(done[["model", "nights", "seed"]].itertuples(index=False, name=None))
    for seed in seeds:
        for n_nights in sizes:
            for model in models:
                if (model, n_nights, seed) in keys:
                    continue
                started = time.perf_counter()
                kappa = MODELS[model](nights.draw(n_nights, seed))
                row = {"model": model, "nights": n_nights, "seed": seed, **kappa}
                row["minutes"] = (time.perf_counter() - started) / 60
                done = pd.concat([done, pd.DataFrame([row])], ignore_index=True)
                done.to_csv(path, index=False)
                print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    return done[done["model"].isin(models) & done["nights"].isin(sizes) & done["seed"].isin(seeds)]


def draw(scores: pd.DataFrame) -> Figure:
    """Return the learning curves, a panel for the signals that are staged from."""
    figure = Figure(figsize=(10, 3.5), layout="constrained")
    for axes, signals in zip(figure.subplots(1, len(SCORED), sharey=True), SCORED, strict=True):
        for model in MODELS:
            curve = scores[scores["model"] == model].dropna(subset=[signals])
            mean = curve.groupby("nights")[signals].mean()
            if len(mean):
                axes.plot(mean.index, mean, marker="o", label=model)
        axes.set(title=f"from {signals}", xlabel="training nights", xscale="log")
        axes.set_xticks(SIZES, [str(size) for size in SIZES])
        axes.minorticks_off()
    figure.axes[0].set_ylabel("Cohen's kappa, four classes")
    figure.axes[0].legend(fontsize="x-small")
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the learning curve and write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few short nights, in a minute")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--sizes", type=int, nargs="+", help="training nights; 5, 12, 25 and 50")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS, metavar="MODEL")
    parser.add_argument("--random-state", type=int, default=8, help="of the cohort")
    parser.add_argument("--cohort", type=Path, help="folder that keeps the cohort")
    parser.add_argument("--out", type=Path, default=Path("docs/small-cohorts"))
    options = parser.parse_args(arguments)
    scratch = Path(tempfile.gettempdir()) / f"small-cohorts-{'quick' if options.quick else 'full'}"
    out = scratch / "results" if options.quick else options.out
    out.mkdir(parents=True, exist_ok=True)
    nights = Nights(
        options.cohort or scratch / "cohort",
        quick=options.quick,
        random_state=options.random_state,
    )
    sizes = options.sizes or nights.sizes
    scores = measure(
        nights, out / "learning_curve.csv", range(options.seeds), sizes, options.models
    )
    draw(scores).savefig(out / "learning_curve.png", dpi=100)
    mean = scores.groupby(["model", "nights"])[list(SCORED)].mean()
    mean = mean.reindex(MODELS, level=0)
    rows = [
        [model, str(n), *("" if np.isnan(k) else f"{k:.3f}" for k in kappa)]
        for (model, n), kappa in zip(mean.index, mean.to_numpy(), strict=True)
    ]
    print(describe_environment(["torch", "scikit-learn", "skorch"]))
    print(format_table(["model", "nights", *SCORED], rows))


if __name__ == "__main__":
    main()
