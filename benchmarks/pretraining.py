"""Whether it helps to start from what can be known before any night is labelled.

Trains ``wav2sleep_pipeline()`` by its recipe on 5, 12 and 25 labelled nights of a site, and stages
24 other nights of that site. The network starts

- from random weights;
- from a network that 50 labelled nights of another site have trained;
- from a network that has seen 60 nights of the site itself, without their labels. Masked stretches
  of what is read from one signal were predicted from the other signals and the rest of the night.

A network that does not start from random weights is fine-tuned at the recipe's learning rate or at
a third of it; a draw of nights that is not reported decides. That of the other site is scored
before any fine-tuning, too (0 nights in the CSV file). The labelled nights are among the 60, and no
held-out night is. Synthetic sites differ in their recorders alone, not in their people, so that
labels of another site tell here as much as labels can.

What the CSV file holds already is not computed again, so that a run can be cut off.
"""

from __future__ import annotations

import argparse
import itertools
import math
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from another_simulator import N_CLASSES, SCORED, SIGNALS
from environment import describe_environment, format_table
from matplotlib.figure import Figure
from sklearn.metrics import cohen_kappa_score
from sklearn.pipeline import Pipeline
from torch import Tensor, nn

from sklearn_sleep import Wav2SleepClassifier, make_cohort, merge_stages, wav2sleep_pipeline
from sklearn_sleep.core.signals import source_of
from sklearn_sleep.networks import make_wav2sleep
from sklearn_sleep.staging.recipes import recipe_for
from sklearn_sleep.training.augmentation import Augmentation
from sklearn_sleep.training.night_dataset import NightDataset, NightSample

TARGET_SITE, OTHER_SITE = "west", "south"

RANDOM, LABELLED, UNLABELLED = "random weights", "labels of another site", "nights without labels"
STARTS = (RANDOM, LABELLED, UNLABELLED)
# The same for any number of few nights.
RECIPE_RATE: float = recipe_for(12, ["HR(ECG)"])["lr"]
RATES = (RECIPE_RATE, RECIPE_RATE / 3)
PILOT = 0
KEYS = ["start", "rate", "nights", "draw"]

# Of pre-training without labels. The course of the rate is the recipe's.
LEARNING_RATE, WEIGHT_DECAY, LARGEST_GRADIENT = 3e-3, 1e-2, 1.0
WARM_UP, TIME_CONSTANT = 0.1, 0.3
# What is predicted is hard to learn by heart, so that the recipe's 0.4 would be too much.
DROPOUT = 0.1
# A night is masked in so many ways in a step.
MASKED_COPIES = 4
# Epochs of a stretch, and the part of the night that stretches take together.
SHORTEST, LONGEST, MASKED_PART = 2, 20, 0.5
KEPT_PROBABILITY = 0.5
PLAYING = Augmentation(time_shift=0.5, speed_change=0.1)
DISTURBANCE = Augmentation(time_shift=0.0, gain=0.3, noise=0.5)


@dataclass(frozen=True)
class Size:
    """Nights that are held out, of the site without labels, of the other site; hours; passes."""

    n_test: int
    n_unlabelled: int
    n_other: int
    hours: float
    passes: int
    of_training: tuple[int, ...]
    pilot: int
    parameters: Mapping[str, Any]


FULL = Size(24, 60, 50, 2.0, 30, (5, 12, 25), 12, {})
QUICK = Size(3, 5, 3, 0.5, 2, (2, 4), 2, {"max_epochs": 2})


class Nights:
    """Labelled nights of a site, in an order, as an epoch table and stages."""

    def __init__(self, folder: Path, site: str, n_nights: int, hours: float, seed: int) -> None:
        self.X, y, _ = make_cohort(
            folder,
            n_subjects=n_nights,
            sites=[site],
            hours=hours,
            second_visit_probability=0.0,
            random_state=seed,
            return_X_y_groups=True,
        )
        self.y = merge_stages(y, N_CLASSES)
        self.names = self.X["recording"].unique().astype(str)

    def take(self, names: Iterable[str]) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
        """Return the rows of some nights and their stages."""
        rows = self.X["recording"].isin(list(names)).to_numpy()
        return self.X[rows], self.y[rows]


class Experiment:
    """The nights, the networks to start from, and the trainings."""

    def __init__(self, folder: Path, size: Size, random_state: int) -> None:
        self.folder, self.size = folder, size
        self.target = Nights(
            folder / TARGET_SITE,
            TARGET_SITE,
            size.n_test + size.n_unlabelled,
            size.hours,
            random_state + 1,
        )
        self.held_out = self.target.names[: size.n_test]
        self.own = self.target.names[size.n_test :]
        self.random_state = random_state

    def make_stager(self, seed: int, **parameters: Any) -> Pipeline:
        """Return the pipeline; what is found in the nights is read once."""
        return wav2sleep_pipeline(
            SIGNALS,
            cache=self.folder / "cache",
            classes=range(N_CLASSES),
            random_state=seed,
            device="cpu",
            verbose=0,
            **{**self.size.parameters, **parameters},
        )

    def checkpoint(self, start: str) -> Path:
        """Return the folder of the network that trainings start from, made if need be."""
        folder = self.folder / "checkpoints" / start.replace(" ", "-")
        if (folder / "config.json").exists():
            return folder
        started = time.process_time()
        classifier = self._label() if start == LABELLED else self._pretrain()
        classifier.save_pretrained(folder)
        print(f"Start from {start}: {time.process_time() - started:.0f} s", flush=True)
        return folder

    def _label(self) -> Wav2SleepClassifier:
        other = Nights(
            self.folder / OTHER_SITE,
            OTHER_SITE,
            self.size.n_other,
            self.size.hours,
            self.random_state,
        )
        return self.make_stager(PILOT).fit(other.X, other.y)[-1]

    def _pretrain(self) -> Wav2SleepClassifier:
        X, _ = self.target.take(self.own)
        unknown = np.zeros(len(X), np.int64)
        pipeline = self.make_stager(PILOT, max_epochs=0).fit(X, unknown)
        classifier = pipeline[-1]
        network = pretrain(
            classifier,
            NightDataset(pipeline[:-1].transform(X), classifier.signals_, kept_bytes=2**31),
            self.size.passes,
            NightDataset(
                pipeline[:-1].transform(self.target.take(self.held_out)[0]), classifier.signals_
            ),
        )
        learned = {
            name: weights
            for name, weights in network.state_dict().items()
            if not name.startswith("classifier.")
        }
        classifier.module_.load_state_dict(learned, strict=False)
        return classifier

    def score(self, start: str, rate: float, n_nights: int, draw: int) -> dict[str, float]:
        """Train on the labelled nights of a draw; return kappa from each subset of signals.

        Of no nights, the network to start from stages as it is.
        """
        parameters: dict[str, Any] = {"lr": rate}
        if start != RANDOM:
            parameters["initialize_from"] = self.checkpoint(start)
        labelled = np.random.default_rng(draw).permutation(self.own)[:n_nights]
        pipeline = self.make_stager(draw, **parameters)
        started = time.process_time()
        if n_nights:
            pipeline.fit(*self.target.take(labelled))
        else:
            trained = Wav2SleepClassifier.from_pretrained(self.checkpoint(start))
            pipeline.steps[-1] = (pipeline.steps[-1][0], trained)
            pipeline[:-1].fit(self.target.X)
        seconds = time.process_time() - started
        X, y = self.target.take(self.held_out)
        found = {}
        for name, signals in SCORED.items():
            masks = {signal: False for signal in SIGNALS if signal not in signals}
            found[name] = cohen_kappa_score(y, pipeline.predict(X.assign(**masks)))
        return {**found, "s": seconds}


# -- pre-training without labels -------------------------------------------------------------------


def pretrain(
    classifier: Wav2SleepClassifier, nights: NightDataset, passes: int, unseen: NightDataset
) -> nn.Module:
    """Return a network that predicts masked stretches, of the classifier's parameters.

    It has the classifier's signals and starts from its weights; the head has an output for each
    sample of each signal.
    """
    parameters = classifier.get_params_for("module")
    signals: dict[str, int] = parameters["signals"]
    torch.manual_seed(PILOT)
    network = make_wav2sleep(
        **{**parameters, "n_classes": sum(signals.values()), "dropout": DROPOUT}
    )
    known = classifier.module_.state_dict()
    shared = {name: known[name] for name in known if not name.startswith("classifier.")}
    network.load_state_dict(shared, strict=False)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    n_steps = passes * len(nights)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, n_steps))
    rng = np.random.default_rng(PILOT)
    for number in range(passes):
        errors = []
        network.train()
        for index in rng.permutation(len(nights)):
            loss = masked_errors(network, nights[int(index)], rng, signals, disturb=True).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
            optimizer.step()
            schedule.step()
            errors.append(loss.item())
        print(f"Pass {number + 1}: {np.mean(errors):.3f} of the variance is left", flush=True)
    network.eval()
    rng = np.random.default_rng(PILOT)
    with torch.no_grad():
        of_unseen = [
            masked_errors(network, unseen[i], rng, signals, disturb=False)
            for i in range(len(unseen))
        ]
    left = torch.cat(of_unseen).mean().item()
    print(f"Of nights that it has not seen: {left:.3f} of the variance is left", flush=True)
    return network


def rate_at(step: int, n_steps: int) -> float:
    """Return the part of the learning rate at a step, as `WarmUpDecay` has it."""
    warm_up = max(WARM_UP * n_steps, 1)
    if step + 1 <= warm_up:
        return (step + 1) / warm_up
    return math.exp(-(step + 1 - warm_up) / (TIME_CONSTANT * n_steps))


def masked_errors(
    network: nn.Module,
    night: NightSample,
    rng: np.random.Generator,
    signals: Mapping[str, int],
    *,
    disturb: bool,
) -> Tensor:
    """Return the mean squared error of each masked copy of a night, (n_copies,).

    In each copy one source is missing in stretches, which are predicted in SD of the night from
    the rest of it and from the other sources that are kept; all that is read from it is missing.
    """
    whole = PLAYING.apply(night.x, rng) if disturb else night.x
    given = DISTURBANCE.apply(whole, rng) if disturb else whole
    sources = list(dict.fromkeys(map(source_of, whole)))
    n_epochs = len(next(iter(whole.values())))
    hidden = torch.from_numpy(np.stack([draw_stretches(n_epochs, rng) for _ in _copies()]))
    target = [sources[rng.integers(len(sources))] for _ in _copies()]
    kept = rng.random((MASKED_COPIES, len(sources))) < KEPT_PROBABILITY
    present = {}
    for name in whole:
        source = source_of(name)
        is_target = torch.tensor([of_copy == source for of_copy in target])
        is_kept = torch.from_numpy(kept[:, sources.index(source)])
        where = torch.where(is_target[:, None], ~hidden, is_kept[:, None])
        present[name] = where & night.present[name]
    x = {name: samples.expand(MASKED_COPIES, -1, -1) for name, samples in given.items()}
    predicted = dict(zip(signals, network(x, present).split([*signals.values()], 2), strict=True))
    errors = []
    for copy in _copies():
        of_target = []
        for name in whole:
            where = hidden[copy] & night.present[name]
            if source_of(name) == target[copy] and bool(where.any()):
                of_target.append((predicted[name][copy] - whole[name])[where].square().mean())
        if of_target:
            errors.append(torch.stack(of_target).mean())
    return torch.stack(errors)


def _copies() -> range:
    return range(MASKED_COPIES)


def draw_stretches(n_epochs: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Draw the epochs that are masked, (n_epochs,)."""
    hidden = np.zeros(n_epochs, bool)
    while hidden.mean() < MASKED_PART:
        length = int(rng.integers(SHORTEST, LONGEST + 1))
        first = int(rng.integers(1 - length, n_epochs))
        hidden[max(first, 0) : first + length] = True
    return hidden


# -- what is measured ------------------------------------------------------------------------------


class Scores:
    """A CSV file with a row for each training."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=KEYS)

    def of(self, experiment: Experiment, *key: Any) -> Mapping[str, Any]:
        """Return the row of a training, which is done unless the file holds it."""
        match = (self.table[KEYS] == list(key)).all(axis=1)
        if not match.any():
            row = dict(zip(KEYS, key, strict=True)) | experiment.score(*key)
            new = pd.DataFrame([row])
            self.table = new if self.table.empty else pd.concat([self.table, new])
            self.table = self.table.reset_index(drop=True)
            self.table.to_csv(self.path, index=False)
            print(" ".join(f"{k}={v:.3f}" if k in SCORED else f"{k}={v}" for k, v in row.items()))
            match = (self.table[KEYS] == list(key)).all(axis=1)
        return self.table[match].iloc[0].to_dict()


def choose_rates(experiment: Experiment, scores: Scores) -> dict[str, float]:
    """Return the learning rate of each start, by the mean of kappa over the subsets."""
    chosen = {RANDOM: RATES[0]}
    for start in (LABELLED, UNLABELLED):
        rows = {
            rate: scores.of(experiment, start, rate, experiment.size.pilot, PILOT) for rate in RATES
        }
        chosen[start] = max(RATES, key=lambda rate: np.mean([rows[rate][name] for name in SCORED]))
    return chosen


def complete(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of draws and sizes that every start was trained in, without the pilot."""
    reported = table[table["draw"] != PILOT]
    return reported.groupby(["draw", "nights"]).filter(lambda cell: len(cell) == len(STARTS))


def tabulate(found: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each subset and number of nights: kappa of each start, and differences.

    A difference is against random weights, with its lowest and highest of all draws.
    """
    rows = []
    for name, n_nights in itertools.product(SCORED, sorted(found["nights"].unique())):
        cell = found[found["nights"] == n_nights].pivot_table(
            index="draw", columns="start", values=name
        )
        row: dict[str, Any] = {"signals": name, "nights": n_nights, "draws": len(cell)}
        row |= {start: cell[start].mean() for start in STARTS}
        for start in (LABELLED, UNLABELLED):
            difference = cell[start] - cell[RANDOM]
            row |= {
                f"{start}, less": difference.mean(),
                f"{start}, lowest": difference.min(),
                f"{start}, highest": difference.max(),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def describe(table: pd.DataFrame) -> str:
    """Return the table in Markdown."""
    rows = []
    for row in table.to_dict("records"):
        counts = [str(row["nights"]), str(row["draws"])]
        cells = [row["signals"], *counts, *(f"{row[start]:.3f}" for start in STARTS)]
        for start in (LABELLED, UNLABELLED):
            mean, low, high = (row[f"{start}, {what}"] for what in ("less", "lowest", "highest"))
            cells.append(f"{mean:+.3f} ({low:+.3f} to {high:+.3f})")
        rows.append(cells)
    differences = [f"{start}, less random" for start in (LABELLED, UNLABELLED)]
    return format_table(["staged from", "labelled nights", "draws", *STARTS, *differences], rows)


def plot(table: pd.DataFrame) -> Figure:
    """Return learning curves, a panel for each subset."""
    figure = Figure(figsize=(10, 3), layout="constrained")
    panels = figure.subplots(1, len(SCORED), sharex=True, sharey=True)
    styles = (("o", "-", "#0072b2"), ("s", "--", "#d55e00"), ("^", ":", "#009e73"))
    for axes, name in zip(panels, SCORED, strict=True):
        curve = table[table["signals"] == name]
        for start, (marker, line, color) in zip(STARTS, styles, strict=True):
            axes.plot(
                curve["nights"],
                curve[start],
                marker=marker,
                linestyle=line,
                color=color,
                label=start,
            )
        axes.set_title(name, fontsize="small")
        axes.set_xscale("log")
        axes.set_xticks(curve["nights"], [str(n) for n in curve["nights"]])
        axes.minorticks_off()
    figure.supxlabel("labelled nights")
    figure.supylabel("Cohen's kappa, four stages")
    panels[-1].legend(fontsize="x-small")
    return figure


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    """Measure the learning curves; write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few short nights, in a minute")
    parser.add_argument("--draws", type=int, default=3, help="beside the one that is not reported")
    parser.add_argument("--sizes", type=int, nargs="+", help="labelled nights; 5, 12 and 25")
    parser.add_argument(
        "--done", action="store_true", help="report what the file holds; train nothing"
    )
    parser.add_argument("--random-state", type=int, default=30, help="of the cohorts")
    parser.add_argument("--folder", type=Path, help="keeps nights, networks and scores")
    parser.add_argument("--out", type=Path, default=Path("docs/small-cohorts"))
    options = parser.parse_args(arguments)
    size = QUICK if options.quick else FULL
    kind = "quick" if options.quick else "full"
    folder = options.folder or Path(tempfile.gettempdir()) / f"pretraining-{kind}"
    out = folder / "results" if options.quick else options.out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    scores = Scores(folder / "scores.csv")
    if not options.done:
        experiment = Experiment(folder, size, options.random_state)
        rates = choose_rates(experiment, scores)
        print(f"Learning rates: {rates}")
        sizes = options.sizes or size.of_training
        for draw, n_nights in itertools.product(range(1, options.draws + 1), sizes):
            for start in STARTS:
                scores.of(experiment, start, rates[start], n_nights, draw)
        scores.of(experiment, LABELLED, 0.0, 0, PILOT)
    found = complete(scores.table)
    table = tabulate(found)
    table.round(3).to_csv(out / "pretraining.csv", index=False)
    plot(table).savefig(out / "pretraining.png", dpi=100)
    print(describe_environment(["torch", "scikit-learn", "skorch"]))
    print(describe(table))
    return table


if __name__ == "__main__":
    main()
