"""What the experiments share: nights, training, kappa by night, intervals, and a report.

An experiment trains several models on the same nights and stages the same held-out nights, one of
each subject, so that their differences are paired by night. A difference comes with a 95%
interval, a bootstrap over seeds and over held-out nights, and `verdict` says what follows from it.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from matplotlib.figure import Figure
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from sklearn_sleep import (
    Epochs,
    Wav2SleepClassifier,
    make_cohort,
    merge_stages,
    recording_scores,
    wav2sleep_pipeline,
)
from sklearn_sleep.staging.pipeline import CARDIORESPIRATORY_SIGNALS
from sklearn_sleep.training.schedule import ValidationNights

ALL_SIGNALS = CARDIORESPIRATORY_SIGNALS

# For tens of nights: half the published width, and a context of ten minutes; with the published
# hours of it, they are learnt by heart.
SMALL_NETWORK = {
    "size": "published",
    "module__feature_dim": 64,
    "module__initial_channels": 8,
    "module__max_channels": 64,
    "module__mixer_heads": 4,
    "module__mixer_feedforward_dim": 128,
    "module__sequence_blocks": 1,
    "module__sequence_dilations": 3,
    "batch_size": 2,
    "lr": 3e-3,
    "train_split": ValidationNights(minimum_subjects=40),
}
N_CLASSES = 4  # W, Light, Deep, REM: the paper's scheme
N_BOOTSTRAPS = 2000


@dataclass(frozen=True)
class Size:
    """How large an experiment is; half of the subjects are held out, and no more seeds are used."""

    n_subjects: int
    hours: float
    max_epochs: int
    n_seeds: int


SIZES = {"small": Size(8, 0.5, 1, 2), "full": Size(32, 2.0, 20, 4)}


class Experiment:
    """Synthetic nights of four sites, halved by subject into training and held-out nights.

    Parameters
    ----------
    name : str
        Name of the script and of the files that it writes.
    question : str
        What is asked.
    arguments : sequence of str or None
        Command line: ``--size``, ``--cohort`` and ``--out``.
    n_seeds : int
        Trainings of each model in full size; the small size has two at most.

    Attributes
    ----------
    X_train, X_test : DataFrame
        Epoch tables.
    y_train, y_test : ndarray of int
        Stages.
    seeds : range
        Seeds of the trainings.
    """

    def __init__(
        self, name: str, question: str, arguments: Sequence[str] | None, *, n_seeds: int
    ) -> None:
        parser = argparse.ArgumentParser(description=question)
        parser.add_argument("--size", choices=SIZES, default="small")
        parser.add_argument("--cohort", type=Path, help="folder that keeps the cohort")
        parser.add_argument(
            "--out", type=Path, help="folder of the results; in full size docs/experiments"
        )
        options = parser.parse_args(arguments)
        scratch = Path(tempfile.gettempdir()) / "sklearn-sleep-experiments" / options.size
        full = options.size == "full"
        self.name, self.question = name, question
        self.started = time.monotonic()
        self.size = SIZES[options.size]
        self.seeds = range(min(n_seeds, self.size.n_seeds))
        # A small run must not replace the results that are committed.
        self.out = options.out or (Path("docs/experiments") if full else scratch / "results")
        self.X, y, self.groups = make_cohort(
            options.cohort or scratch / "cohort",
            n_subjects=self.size.n_subjects,
            hours=self.size.hours,
            second_visit_probability=0.0,  # held-out nights are then independent
            random_state=1,  # the recipe was chosen on the cohort of seed 0
            n_jobs=-1,
            verbose=True,
            return_X_y_groups=True,
        )
        self.y = merge_stages(y, N_CLASSES)
        self.steps = self.pipeline(0)[:-1].fit(self.X)
        train, test = self.halves()[0]
        self.X_train, self.y_train = self.X.iloc[train], self.y[train]
        self.X_test, self.y_test = self.X.iloc[test], self.y[test]

    def halves(self) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
        """Return the rows of two folds, each with half of the subjects of each site."""
        sites = self.groups.astype(str).str.partition("-")[0]
        folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
        return list(folds.split(self.X, sites, self.groups))

    def pipeline(self, seed: int, **parameters: Any) -> Pipeline:
        """Return the pipeline of every experiment, the classifier with the parameters given."""
        # The paper's claims are of waveforms.
        pipeline = wav2sleep_pipeline(
            ALL_SIGNALS,
            choices=dict.fromkeys(ALL_SIGNALS, "waveform"),
            max_epochs=self.size.max_epochs,
            random_state=seed,
            **SMALL_NETWORK,
        )
        pipeline[-1].set_params(classes=range(N_CLASSES), **parameters)
        return pipeline

    def nights_with(
        self, X: pd.DataFrame, y: npt.NDArray[np.int64], signals: Sequence[str]
    ) -> tuple[Epochs, npt.NDArray[np.int64]]:
        """Return the epochs and stages of nights with one of the signals, others masked."""
        X = X.assign(**{name: False for name in ALL_SIGNALS if name not in signals})
        epochs = self.steps.transform(X)
        usable = np.zeros(len(X), dtype=bool)
        for name in signals:
            recorded = np.array([name in recording.signals for recording in epochs.recordings])
            allowed = X[name].to_numpy() if name in X else True
            usable |= recorded[epochs.recording_index] & allowed
        return epochs[usable], y[usable]

    def passes_over(self, epochs: Epochs) -> int:
        """Return the passes that show a model as many nights as if it had all to train on."""
        n_nights = self.X_train["recording"].nunique()
        return round(self.size.max_epochs * n_nights / len(epochs.recordings))

    def fit(
        self,
        seed: int,
        signals: Sequence[str] = ALL_SIGNALS,
        X: pd.DataFrame | None = None,
        **parameters: Any,
    ) -> Wav2SleepClassifier:
        """Train a classifier of the signals on the training nights that have one of them."""
        X = self.X_train if X is None else X
        epochs, y = self.nights_with(X, self.y_train, signals)
        classifier = self.pipeline(
            seed, signals=list(signals), max_epochs=self.passes_over(epochs), **parameters
        )[-1]
        return classifier.fit(epochs, y)

    def score(
        self, model: str, seed: int, classifier: Wav2SleepClassifier, signals: Sequence[str]
    ) -> pd.DataFrame:
        """Return kappa of each held-out night that has one of the signals, from them alone."""
        epochs, y = self.nights_with(self.X_test, self.y_test, signals)
        kappa = kappa_by_night(y, classifier.predict(epochs), epochs.table["recording"])
        return as_scores(model, seed, signals, kappa)

    def report(self, scores: pd.DataFrame, table: pd.DataFrame, finding: str) -> None:
        """Print the table and what was found, and write table, figure and page."""
        text = to_markdown(table)
        print(f"\n{self.question}\n\n{text}\n\n{finding}")
        self.out.mkdir(parents=True, exist_ok=True)
        table.to_csv(self.out / f"{self.name}.csv", index=False)
        draw(scores, self.question).savefig(self.out / f"{self.name}.png", dpi=100)
        minutes = (time.monotonic() - self.started) / 60
        page = (
            f"# {self.question}\n\n{text}\n\n{finding}\n\n"
            f"![Kappa of each model, and of each seed as a point]({self.name}.png)\n\n"
            f"{self.size.n_subjects} synthetic nights of {self.size.hours:g} h, half of the "
            f"subjects held out; {self.size.max_epochs} passes, {len(self.seeds)} seeds. "
            f"{minutes:.1f} minutes on {os.cpu_count()} cores with torch {torch.__version__}.\n"
        )
        (self.out / f"{self.name}.md").write_text(page, encoding="utf-8")
        print(f"\nTable, figure and page are in {self.out} ({minutes:.1f} minutes).")


def kappa_by_night(y: Any, predicted: Any, nights: Any) -> pd.Series:
    """Return Cohen's kappa of each night; 0 where all is one stage, as chance agrees as well."""
    return recording_scores(cohen_kappa_score, y, predicted, nights).fillna(0.0)


def as_scores(model: str, seed: int, signals: Sequence[str], kappa: pd.Series) -> pd.DataFrame:
    """Return kappas of nights as rows that say which model, seed and signals they come from."""
    return pd.DataFrame(
        {
            "signals": " + ".join(signals),
            "model": model,
            "seed": seed,
            "night": kappa.index.astype(str),
            "kappa": kappa.to_numpy(),
        }
    )


def paired_difference(
    scores: pd.DataFrame, model: str, other: str, signals: Sequence[str]
) -> tuple[float, float, float]:
    """Return how much larger a model's kappa is, and the limits of the 95% interval.

    Parameters
    ----------
    scores : DataFrame
        Rows of `as_scores`.
    model, other : str
        The two models, with the same seeds and nights.
    signals : sequence of str
        Values of the column ``signals``; kappas of a night are averaged over them.

    Returns
    -------
    difference, low, high : float
        The bootstrap draws seeds and nights with replacement, each as many as there are.
    """
    chosen = scores[scores["signals"].isin(signals)]
    kappa = chosen.pivot_table("kappa", ["model", "seed"], "night")
    differences = (kappa.loc[model] - kappa.loc[other]).to_numpy()
    n_seeds, n_nights = differences.shape
    rng = np.random.default_rng(0)
    seeds = rng.integers(n_seeds, size=(N_BOOTSTRAPS, n_seeds, 1))
    nights = rng.integers(n_nights, size=(N_BOOTSTRAPS, 1, n_nights))
    low, high = np.quantile(differences[seeds, nights].mean(axis=(1, 2)), [0.025, 0.975])
    return float(differences.mean()), float(low), float(high)


def compare(scores: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Return a row for each set of signals and model: its kappa, and how far it is from one model.

    Parameters
    ----------
    scores : DataFrame
        Rows of `as_scores`.
    reference : str
        The model that the others are compared with.

    Returns
    -------
    DataFrame
        ``kappa`` is the mean over seeds and held-out nights, ``SD over seeds`` that of the seeds'
        means, ``low`` and ``high`` the 95% interval of the difference from the reference.
    """
    rows = []
    order = itertools.product(scores["signals"].unique(), scores["model"].unique())
    for signals, model in order:
        part = scores[(scores["signals"] == signals) & (scores["model"] == model)]
        difference = (
            (np.nan,) * 3
            if model == reference
            else paired_difference(scores, reference, model, [signals])
        )
        of_seeds = part.groupby("seed")["kappa"].mean()
        rows.append(
            {
                "signals": signals,
                "model": model,
                "nights": part["night"].nunique(),
                "kappa": of_seeds.mean(),
                "SD over seeds": of_seeds.std(),
                f"{reference} minus this": difference[0],
                "low": difference[1],
                "high": difference[2],
            }
        )
    return pd.DataFrame(rows)


def verdict(claim: str, difference: tuple[float, float, float], *, tolerance: float = 0.0) -> str:
    """Say whether a difference agrees with the paper, which has it above ``-tolerance``.

    It agrees where the whole interval is above that, it does not where the whole interval is
    below, and else nobody can tell.

    Parameters
    ----------
    claim : str
        What the difference is of.
    difference : tuple of float
        What `paired_difference` returns.
    tolerance : float, default=0.0
        A loss that counts as none.

    Returns
    -------
    str

    Examples
    --------
    >>> verdict("Masking minus none", (0.2, 0.1, 0.3))
    'Masking minus none: +0.200 (95% interval +0.100 to +0.300): agrees with the paper.'
    """
    mean, low, high = difference
    if low > -tolerance:
        judgement = "agrees with the paper"
    elif high < -tolerance:
        judgement = "does not agree with the paper"
    else:
        judgement = "cannot tell"
    return f"{claim}: {mean:+.3f} (95% interval {low:+.3f} to {high:+.3f}): {judgement}."


def to_markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown, numbers with three decimals and missing ones left empty."""

    def cell(value: Any) -> str:
        if isinstance(value, float):
            return "" if np.isnan(value) else f"{value:.3f}"
        return str(value)

    rows = [list(table), ["---"] * table.shape[1], *table.itertuples(index=False)]
    return "\n".join("| " + " | ".join(map(cell, row)) + " |" for row in rows)


def draw(scores: pd.DataFrame, title: str) -> Figure:
    """Draw kappa as bars, a group for each set of signals; a point is a seed."""
    signals, models = scores["signals"].unique(), scores["model"].unique()
    width = 0.8 / len(models)
    figure = Figure(figsize=(max(6.0, 2.0 + 0.3 * len(signals) * len(models)), 5.0))
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    for position, model in enumerate(models):
        of_model = scores[scores["model"] == model]
        kappa = of_model.pivot_table("kappa", "signals", "seed").loc[signals]
        x = np.arange(len(signals)) + (position - (len(models) - 1) / 2) * width
        axes.bar(x, kappa.mean(axis=1), 0.9 * width, label=model, zorder=2)
        axes.plot(x, kappa.to_numpy(), ".", color="black", markersize=4, zorder=3)
    tilt = {"rotation": 40, "ha": "right"} if len(signals) > 2 else {}
    axes.set_xticks(np.arange(len(signals)), signals, fontsize="small", **tilt)
    axes.set_ylabel("Cohen's kappa, mean over nights")
    axes.set_title(title, fontsize="medium", wrap=True)
    axes.grid(axis="y", color="0.9", zorder=0)
    axes.legend(fontsize="small")
    return figure
