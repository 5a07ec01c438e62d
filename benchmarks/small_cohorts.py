"""How well do tens of nights do? A learning curve of the network against heart rate features.

Trains on 5, 12, 25 and 50 synthetic nights of two hours and stages 30 others, from ECG, from
thoracic respiration and from all four signals of wav2sleep:

- features of heart rate variability (sleepecg) and gradient boosting, from ECG;
- the published recipe at half width, and with batches of two nights;
- ``Wav2SleepClassifier(size="auto")``.

Rows that the CSV file holds already are not computed again, so that a run can be cut off.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sleepecg
from environment import describe_environment, format_table
from matplotlib.figure import Figure
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import cohen_kappa_score
from sklearn.pipeline import make_pipeline

from sklearn_sleep import Epochs, Wav2SleepClassifier, make_cohort, merge_stages
from sklearn_sleep.preprocessing import EDFReader, Epocher, Normalizer, Resampler

SIGNALS = ("ECG", "PPG", "ABD", "THX")
SCORED = {"ECG": ("ECG",), "THX": ("THX",), "all": SIGNALS}
SIZES = (5, 12, 25, 50)
N_TEST_NIGHTS = 30
N_CLASSES = 4
# Seconds back and ahead of an epoch: sleepecg's default and a longer and a shorter window.
WINDOWS = ((240, 60), (120, 150), (15, 45))
NEIGHBOURS = (-4, -2, -1, 1, 2, 4)
# The published configuration with channels and features halved.
HALF_WIDTH = {
    "module__feature_dim": 64,
    "module__initial_channels": 8,
    "module__max_channels": 64,
    "module__mixer_heads": 4,
    "module__mixer_feedforward_dim": 256,
}


class Nights:
    """Training and test nights, as epoch tables, samples and features."""

    def __init__(self, folder: Path, *, quick: bool, random_state: int) -> None:
        n_test = 4 if quick else N_TEST_NIGHTS
        self.sizes = (4,) if quick else SIZES
        self.X, y, _ = make_cohort(
            folder,
            n_subjects=n_test + max(self.sizes),
            hours=0.5 if quick else 2.0,
            second_visit_probability=0.0,
            random_state=random_state,
            n_jobs=-1,
            return_X_y_groups=True,
        )
        self.y = merge_stages(y, N_CLASSES)
        names = np.random.default_rng(0).permutation(self.X["recording"].unique())
        self.test = self.X["recording"].isin(names[:n_test]).to_numpy()
        self.pool = names[n_test:]
        steps = make_pipeline(EDFReader(list(SIGNALS)), Resampler(), Normalizer(), Epocher())
        self.steps = steps.fit(self.X)
        self.features = heart_rate_features(self.X)

    def training(self, n_nights: int) -> npt.NDArray[np.bool_]:
        """Return which rows are of the first nights of the pool."""
        return self.X["recording"].isin(self.pool[:n_nights]).to_numpy()

    def epochs(self, rows: npt.NDArray[np.bool_], signals: Sequence[str]) -> Epochs:
        """Return rows as a classifier takes them, other signals masked."""
        masks = {name: False for name in SIGNALS if name not in signals}
        return self.steps.transform(self.X[rows].assign(**masks))


def heart_rate_features(X: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return features of each row, the same relative to the night, and those of its neighbours."""
    epochs = EDFReader(["ECG"]).fit_transform(X)
    columns: npt.NDArray[np.float64] | None = None
    for night in epochs.nights():
        signal = night.recording.signals["ECG"]
        samples = np.asarray(signal.data, dtype=float).ravel()
        frequency = signal.sampling_frequency
        record = sleepecg.SleepRecord(
            sleep_stage_duration=30,
            heartbeat_times=sleepecg.detect_heartbeats(samples, frequency) / frequency,
            sleep_stages=np.zeros(int(len(samples) / frequency / 30), dtype=int),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of windows with too few beats, which give NaN
            values = np.hstack(
                [
                    sleepecg.extract_features(
                        [record],
                        lookback=back,
                        lookforward=ahead,
                        feature_selection=["hrv-time", "hrv-frequency"],
                    )[0][0]
                    for back, ahead in WINDOWS
                ]
            )
            values = np.where(np.isfinite(values), values, np.nan)
            relative = (values - np.nanmean(values, axis=0)) / (np.nanstd(values, axis=0) + 1e-9)
        padding = max(NEIGHBOURS)
        padded = np.pad(relative, ((padding, padding), (0, 0)), constant_values=np.nan)
        around = [padded[padding + k : padding + k + len(values)] for k in NEIGHBOURS]
        of_night = np.hstack([values, relative, *around])
        if columns is None:
            columns = np.full((len(X), of_night.shape[1]), np.nan)
        columns[night.rows] = of_night[night.epoch]
    if columns is None:
        raise ValueError("No night has an ECG.")
    return columns


def boost(nights: Nights, rows: npt.NDArray[np.bool_], seed: int) -> dict[str, float]:
    """Train gradient boosting on features; return kappa from ECG."""
    varying = np.array([len(np.unique(c[np.isfinite(c)])) > 2 for c in nights.features[rows].T])
    features = nights.features[:, varying]
    classifier = HistGradientBoostingClassifier(random_state=seed)
    classifier.fit(features[rows], nights.y[rows])
    predicted = classifier.predict(features[nights.test])
    return {"ECG": cohen_kappa_score(nights.y[nights.test], predicted)}


def network(
    *signals: str, **parameters: Any
) -> Callable[[Nights, npt.NDArray[np.bool_], int], dict[str, float]]:
    """Return what trains a network of the signals and scores it from those in `SCORED`."""

    def train(nights: Nights, rows: npt.NDArray[np.bool_], seed: int) -> dict[str, float]:
        classifier = Wav2SleepClassifier(
            signals=signals, classes=range(N_CLASSES), random_state=seed, **parameters
        )
        classifier.fit(nights.epochs(rows, signals), nights.y[rows])
        return {
            name: cohen_kappa_score(
                nights.y[nights.test], classifier.predict(nights.epochs(nights.test, scored))
            )
            for name, scored in SCORED.items()
            if set(scored) <= set(signals)
        }

    return train


MODELS = {
    "HRV features, gradient boosting": boost,
    "published recipe, half width": network(*SIGNALS, **HALF_WIDTH),
    "published recipe, half width, batches of 2": network(*SIGNALS, **HALF_WIDTH, batch_size=2),
    'size="auto"': network(*SIGNALS, size="auto"),
    'size="auto", ECG alone': network("ECG", size="auto"),
}


def measure(nights: Nights, path: Path, seeds: Sequence[int]) -> pd.DataFrame:
    """Train and score what the file does not hold; return all of it."""
    done = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["model", "nights", "seed"])
    keys = set(done[["model", "nights", "seed"]].itertuples(index=False, name=None))
    for seed in seeds:
        for n_nights in nights.sizes:
            for model, train in MODELS.items():
                if (model, n_nights, seed) in keys:
                    continue
                started = time.perf_counter()
                kappa = train(nights, nights.training(n_nights), seed)
                row = {"model": model, "nights": n_nights, "seed": seed, **kappa}
                row["minutes"] = (time.perf_counter() - started) / 60
                done = pd.concat([done, pd.DataFrame([row])], ignore_index=True)
                done.to_csv(path, index=False)
                print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    return done


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
    parser.add_argument("--seeds", type=int, default=2)
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
    scores = measure(nights, out / "learning_curve.csv", range(options.seeds))
    draw(scores).savefig(out / "learning_curve.png", dpi=100)
    mean = scores.groupby(["model", "nights"])[list(SCORED)].mean().reindex(MODELS, level=0)
    rows = [
        [model, str(n), *("" if np.isnan(k) else f"{k:.3f}" for k in kappa)]
        for (model, n), kappa in zip(mean.index, mean.to_numpy(), strict=True)
    ]
    print(describe_environment(["torch", "scikit-learn", "skorch", "sleepecg"]))
    print(format_table(["model", "nights", *SCORED], rows))


if __name__ == "__main__":
    main()
