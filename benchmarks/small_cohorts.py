"""How well do tens of nights do? The network against the baselines, from every subset of signals.

Trains on 5, 12, 25 and 50 synthetic nights of two hours and stages 30 others from each of the
fifteen subsets of ECG, PPG, ABD and THX:

- ``wav2sleep_pipeline()``, one network for all subsets, by its recipe;
- `cardiorespiratory_baseline`, trained on nights whose signals are masked, as the network's are;
- `hrv_baseline`, the same of the heart alone.

Each draw has other nights to train and to test on, and trains with other random numbers; all models
of a draw have the same. A difference is the mean over draws of kappa over all test epochs, against
the better of the baselines; its interval is a bootstrap over the test nights of each draw. What the
CSV file holds already is not computed again, so that a run can be cut off.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from environment import describe_environment, format_table
from matplotlib.figure import Figure
from sklearn.pipeline import Pipeline

from sklearn_sleep import (
    cardiorespiratory_baseline,
    hrv_baseline,
    make_cohort,
    merge_stages,
    wav2sleep_pipeline,
)

SIGNALS = ("ECG", "PPG", "ABD", "THX")
SUBSETS = [c for size in range(4, 0, -1) for c in itertools.combinations(SIGNALS, size)]
BREATH = {("ABD", "THX"), ("ABD",), ("THX",)}
SIZES = (5, 12, 25, 50)
N_TEST_NIGHTS = 30
N_CLASSES = 4
NETWORK = "wav2sleep"
N_BOOTSTRAPS = 1000
KEYS = ["model", "nights", "draw"]


class Cohort:
    """Nights of one cohort, of which each draw takes some to train and others to test on."""

    def __init__(self, folder: Path, *, quick: bool, random_state: int) -> None:
        self.cache = folder / "cache"
        self.n_test = 4 if quick else N_TEST_NIGHTS
        self.sizes = (4,) if quick else SIZES
        self.X, y, _ = make_cohort(
            folder / "nights",
            n_subjects=self.n_test + max(self.sizes),
            hours=0.5 if quick else 2.0,
            second_visit_probability=0.0,
            random_state=random_state,
            n_jobs=-1,
            return_X_y_groups=True,
        )
        self.y = merge_stages(y, N_CLASSES)
        self.names = self.X["recording"].unique()
        reader = cardiorespiratory_baseline()[0]
        recordings = reader.transform(self.X).recordings
        self.has = {recording.path: set(recording.signals) for recording in recordings}

    def draw(self, n_nights: int, seed: int) -> tuple[npt.NDArray[np.bool_], Sequence[str]]:
        """Return the rows of nights to train on, and the names of others to test on."""
        names = np.random.default_rng(seed).permutation(self.names)
        test, train = names[: self.n_test], names[self.n_test : self.n_test + n_nights]
        return self.X["recording"].isin(train).to_numpy(), test


def count_pairs(truth: npt.NDArray[np.int64], found: npt.NDArray[np.int64]) -> list[int]:
    """Return how often each pair of true and predicted stage occurs, (N_CLASSES ** 2,)."""
    return np.bincount(truth * N_CLASSES + found, minlength=N_CLASSES**2).tolist()


def kappa_of(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return Cohen's kappa of counted pairs, (…, N_CLASSES ** 2)."""
    table = counts.reshape(*counts.shape[:-1], N_CLASSES, N_CLASSES).astype(float)
    n = table.sum(axis=(-2, -1))
    agreed = np.trace(table, axis1=-2, axis2=-1) / n
    chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1) / n**2
    return (agreed - chance) / (1 - chance)


def make_network(cohort: Cohort, seed: int) -> Pipeline:
    """Return the network by its recipe; what is found in the nights is kept."""
    return wav2sleep_pipeline(
        SIGNALS, cache=cohort.cache, classes=range(N_CLASSES), random_state=seed, verbose=0
    )


MODELS: dict[str, tuple[Callable[[Cohort, int], Pipeline], set[str]]] = {
    NETWORK: (make_network, set(SIGNALS)),
    "cardiorespiratory baseline": (
        lambda cohort, seed: cardiorespiratory_baseline(random_state=seed),
        set(SIGNALS),
    ),
    "HRV baseline": (lambda cohort, seed: hrv_baseline(random_state=seed), {"ECG", "PPG"}),
}


def score(cohort: Cohort, model: str, n_nights: int, draw: int) -> pd.DataFrame:
    """Train a model; return its pairs of stages in each test night, by subset."""
    make, known = MODELS[model]
    train, test = cohort.draw(n_nights, draw)
    started = time.process_time()
    pipeline = make(cohort, draw).fit(cohort.X[train], cohort.y[train])
    seconds = time.process_time() - started
    rows: list[dict[str, Any]] = []
    for subset in SUBSETS:
        if known.isdisjoint(subset):
            continue
        usable = [name for name in test if not cohort.has[name].isdisjoint(subset)]
        of_test = cohort.X["recording"].isin(usable).to_numpy()
        masks = {name: False for name in SIGNALS if name not in subset}
        found = pd.Series(pipeline.predict(cohort.X[of_test].assign(**masks)))
        recording = cohort.X["recording"][of_test].astype(str).to_numpy()
        truth = cohort.y[of_test]
        for name in usable:
            of_night = recording == name
            pairs = count_pairs(truth[of_night], found[of_night].to_numpy())
            key = {"model": model, "nights": n_nights, "draw": draw, "signals": " + ".join(subset)}
            rows.append(
                {**key, "night": Path(name).stem, "pairs": " ".join(map(str, pairs)), "s": seconds}
            )
    return pd.DataFrame(rows)


def measure(
    cohort: Cohort, path: Path, draws: Sequence[int], sizes: Sequence[int], models: Sequence[str]
) -> pd.DataFrame:
    """Train and score what the file does not hold; return all that it then holds."""
    done = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=KEYS)
    keys = set(done[KEYS].itertuples(index=False, name=None))
    for draw, n_nights, model in itertools.product(draws, sizes, models):
        if (model, n_nights, draw) in keys:
            continue
        scored = score(cohort, model, n_nights, draw)
        done = pd.concat([done, scored], ignore_index=True)
        done.to_csv(path, index=False)
        print(f"{model}, {n_nights} nights, draw {draw}: {scored['s'][0]:.0f} s", flush=True)
    return done


def compare(scores: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each number of nights and subset: kappa, best baseline, difference."""
    rows = []
    for (n_nights, signals), cell in scores.groupby(["nights", "signals"], sort=False):
        by_model = {name: _by_draw(part) for name, part in cell.groupby("model", sort=False)}
        if NETWORK not in by_model or len(by_model) == 1:
            continue
        kappa = {name: _mean_kappa(of_draws) for name, of_draws in by_model.items()}
        best = max((name for name in kappa if name != NETWORK), key=lambda name: kappa[name])
        network, baseline = by_model[NETWORK], by_model[best]
        low, high = _interval(network, baseline)
        rows.append(
            {
                "nights": n_nights,
                "signals": signals,
                NETWORK: kappa[NETWORK],
                "best baseline": kappa[best],
                "which": best,
                "difference": kappa[NETWORK] - kappa[best],
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)


def _by_draw(part: pd.DataFrame) -> dict[int, npt.NDArray[np.int64]]:
    """Return counted pairs of the test nights of each draw, (n_nights, N_CLASSES ** 2)."""
    return {
        draw: np.array([row.split() for row in of_draw.sort_values("night")["pairs"]], np.int64)
        for draw, of_draw in part.groupby("draw")
    }


def _mean_kappa(of_draws: dict[int, npt.NDArray[np.int64]]) -> float:
    return float(np.mean([kappa_of(pairs.sum(axis=0)) for pairs in of_draws.values()]))


def _interval(
    network: dict[int, npt.NDArray[np.int64]], baseline: dict[int, npt.NDArray[np.int64]]
) -> tuple[float, float]:
    """Return the 95% interval of the mean difference, nights drawn anew in each draw."""
    rng = np.random.default_rng(0)
    differences = np.zeros(N_BOOTSTRAPS)
    common = network.keys() & baseline.keys()
    for draw in sorted(common):
        n = len(network[draw])
        drawn = rng.multinomial(n, np.full(n, 1 / n), size=N_BOOTSTRAPS)
        differences += kappa_of(drawn @ network[draw]) - kappa_of(drawn @ baseline[draw])
    low, high = np.quantile(differences / len(common), [0.025, 0.975])
    return float(low), float(high)


def plot(table: pd.DataFrame) -> Figure:
    """Return learning curves of the network and the best baseline, a panel for each subset."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    panels = figure.subplots(3, 5, sharex=True, sharey=True).ravel()
    for axes, subset in zip(panels, SUBSETS, strict=True):
        curve = table[table["signals"] == " + ".join(subset)]
        axes.plot(curve["nights"], curve[NETWORK], marker="o", color="#0072b2", label=NETWORK)
        axes.plot(
            curve["nights"],
            curve["best baseline"],
            marker="s",
            linestyle="--",
            color="#d55e00",
            label="best baseline",
        )
        axes.set_title(" + ".join(subset), fontsize="small")
        axes.set_xscale("log")
        axes.set_xticks(SIZES, [str(size) for size in SIZES])
        axes.minorticks_off()
    figure.supxlabel("training nights")
    figure.supylabel("Cohen's kappa, four stages")
    panels[0].legend(fontsize="x-small")
    return figure


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    """Measure the learning curves; write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few short nights, in a minute")
    parser.add_argument("--draws", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--sizes", type=int, nargs="+", help="training nights; 5, 12, 25 and 50")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--random-state", type=int, default=8, help="of the cohort")
    parser.add_argument(
        "--folder", type=Path, help="keeps the cohort, and the scores of each night"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/small-cohorts"))
    options = parser.parse_args(arguments)
    kind = "quick" if options.quick else "full"
    folder = options.folder or Path(tempfile.gettempdir()) / f"small-cohorts-{kind}"
    out = folder / "results" if options.quick else options.out
    out.mkdir(parents=True, exist_ok=True)
    cohort = Cohort(folder, quick=options.quick, random_state=options.random_state)
    scores = measure(
        cohort, folder / "scores.csv", options.draws, options.sizes or cohort.sizes, options.models
    )
    table = compare(scores)
    if table.empty:
        print("There is nothing to compare yet: the file needs the network and a baseline.")
        return table
    table.round(3).to_csv(out / "subsets.csv", index=False)
    plot(table).savefig(out / "subsets.png", dpi=100)
    rows = [[v if isinstance(v, str) else f"{v:.3g}" for v in row] for row in table.to_numpy()]
    print(describe_environment(["torch", "scikit-learn", "skorch"]))
    print(format_table(list(table), rows))
    return table


if __name__ == "__main__":
    main()
