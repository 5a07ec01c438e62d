"""``python -m sklearn_sleep demo``: the main job on a synthetic cohort."""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from sklearn_sleep.commands.predict import write_predictions
from sklearn_sleep.commands.train import score_signal_subsets
from sklearn_sleep.core.atomic_write import atomic_write
from sklearn_sleep.core.parallel import run_parallel
from sklearn_sleep.core.stage_schemes import merge_stages
from sklearn_sleep.datasets import load_cohort
from sklearn_sleep.features.baselines import cardiorespiratory_baseline
from sklearn_sleep.simulation.make_cohort import make_cohort
from sklearn_sleep.staging.pipeline import CARDIORESPIRATORY_SIGNALS, wav2sleep_pipeline

N_CLASSES = 4  # W, Light, Deep, REM: the published cardio-respiratory scheme
HELD_OUT_FOLDS = 4  # a quarter of the subjects is held out

_NETWORK = "wav2sleep"
_SENSORS = {
    "ECG": "ECG electrodes",
    "PPG": "a pulse sensor",
    "ABD": "a belt around the abdomen",
    "THX": "a belt around the chest",
}
# What records just these signals.
_DEVICES = {
    ("ECG", "PPG", "ABD", "THX"): "a sleep laboratory",
    ("PPG", "ABD", "THX"): "a home test for apnoea",
    ("ECG", "THX"): "a chest strap",
    ("ECG",): "a Holter recorder",
    ("PPG",): "a watch or a pulse oximeter",
}


def run_demo(out: Path, *, subjects: int, hours: float, epochs: int, seed: int) -> None:
    """Make a cohort, train, and stage held-out nights from every subset of signals.

    Network and baseline are trained on the same nights, and stage the same held-out ones.
    """
    started = time.monotonic()
    print(f"A synthetic cohort of {subjects} subjects in {out / 'cohort'}")
    make_cohort(out / "cohort", n_subjects=subjects, hours=hours, random_state=seed, n_jobs=-1)
    X, y, groups = load_cohort(out / "cohort", return_X_y_groups=True)
    y = merge_stages(y, N_CLASSES, from_classes=5)
    folds = StratifiedGroupKFold(HELD_OUT_FOLDS, shuffle=True, random_state=seed)
    train, held_out = next(folds.split(X, y, groups))
    print(
        f"{X['recording'].nunique()} nights, {len(X)} scored epochs; "
        f"{groups.iloc[held_out].nunique()} of {groups.nunique()} subjects are held out."
    )

    estimators = {
        _NETWORK: wav2sleep_pipeline(cache=out / "cache", random_state=seed, max_epochs=epochs),
        "cardiorespiratory baseline": cardiorespiratory_baseline(random_state=seed),
    }
    print(
        f"\nTraining {' and '.join(estimators)} on the other subjects, and staging those held out "
        "from every subset of the signals"
    )
    fitted, table = fit_and_score(estimators, X, y, train, held_out)
    print("\nCohen's kappa on the held-out subjects, each column one model, trained once")
    print(by_model(table).to_string(index=False, na_rep=""))
    with atomic_write(out / "signal-subsets.csv") as partial:
        table.to_csv(partial, index=False)

    predictions = out / "predictions"
    write_predictions(fitted[_NETWORK], X.iloc[held_out], predictions, y=y[held_out])
    print(f"\nStages (CSV) and hypnograms (PNG) of the held-out nights are in {predictions}")
    print(f"Done in {time.monotonic() - started:.0f} s.")


def fit_and_score(
    estimators: Mapping[str, Pipeline],
    X: pd.DataFrame,
    y: npt.NDArray[np.int64],
    train: npt.NDArray[np.intp],
    held_out: npt.NDArray[np.intp],
) -> tuple[dict[str, Pipeline], pd.DataFrame]:
    """Return fitted estimators by name, and scores of each from every subset that it knows.

    They are trained side by side, on as many cores as there are.
    """
    done = run_parallel(
        _fit_and_score,
        [(estimator, X, y, train, held_out) for estimator in estimators.values()],
        description="Training",
        n_jobs=-1,
        verbose=None,
    )
    fitted, tables = zip(*done, strict=True)
    named = [table.assign(model=name) for name, table in zip(estimators, tables, strict=True)]
    return dict(zip(estimators, fitted, strict=True)), pd.concat(named, ignore_index=True)


def _fit_and_score(
    estimator: Pipeline,
    X: pd.DataFrame,
    y: npt.NDArray[np.int64],
    train: npt.NDArray[np.intp],
    held_out: npt.NDArray[np.intp],
) -> tuple[Pipeline, pd.DataFrame]:
    estimator.fit(X.iloc[train], y[train])
    known = estimator[0].get_feature_names_out()
    signals = [signal for signal in CARDIORESPIRATORY_SIGNALS if signal in known]
    return estimator, score_signal_subsets(estimator, X.iloc[held_out], y[held_out], signals)


def by_model(table: pd.DataFrame) -> pd.DataFrame:
    """Return kappa with a row for each subset and a column for each model, and what has it."""
    subsets = table.drop_duplicates("signals").set_index("signals")["nights"]
    kappa = table.pivot_table("kappa", "signals", "model")
    wide = kappa.loc[subsets.index, table["model"].unique()].round(3)
    wide.insert(0, "nights", subsets)
    wide["as recorded by"] = [describe_subset(tuple(name.split(" + "))) for name in wide.index]
    return wide.reset_index()


def describe_subset(signals: tuple[str, ...]) -> str:
    """Return what records some signals: ``"a sleep laboratory"``."""
    return _DEVICES.get(signals) or " and ".join(_SENSORS[name] for name in signals)
