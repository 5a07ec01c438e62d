"""``python -m sklearn_sleep demo``: the main job on a synthetic cohort."""

import time
from pathlib import Path

import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from sklearn_sleep.commands.predict import write_predictions
from sklearn_sleep.commands.train import (
    CARDIORESPIRATORY_SIGNALS,
    cross_validate_subjects,
    make_cardiorespiratory_pipeline,
    score_signal_subsets,
)
from sklearn_sleep.core.atomic_write import atomic_write
from sklearn_sleep.core.stage_schemes import merge_stages
from sklearn_sleep.datasets import load_cohort
from sklearn_sleep.features.baselines import hrv_baseline
from sklearn_sleep.simulation.make_cohort import make_cohort

N_CLASSES = 4  # W, Light, Deep, REM: the published cardio-respiratory scheme
HELD_OUT_FOLDS = 4  # a quarter of the subjects is held out
CROSS_VALIDATION_FOLDS = 2


def run_demo(out: Path, *, subjects: int, hours: float, epochs: int, seed: int) -> None:
    """Make a cohort, cross-validate, train, and stage held-out nights from every subset of signals.

    The table of scores on the held-out nights has a row for each subset of signals, of the network,
    then of the heart rate baseline.
    """
    started = time.monotonic()
    print(f"A synthetic cohort of {subjects} subjects in {out / 'cohort'}")
    make_cohort(
        out / "cohort",
        n_subjects=subjects,
        hours=hours,
        random_state=seed,
        n_jobs=-1,
        verbose=True,
    )
    X, y, groups = load_cohort(out / "cohort", return_X_y_groups=True)
    y = merge_stages(y, N_CLASSES, from_classes=5)
    folds = StratifiedGroupKFold(HELD_OUT_FOLDS, shuffle=True, random_state=seed)
    train, held_out = next(folds.split(X, y, groups))
    print(
        f"{X['recording'].nunique()} nights, {len(X)} scored epochs; "
        f"{groups.iloc[held_out].nunique()} of {groups.nunique()} subjects are held out."
    )

    print()
    pipeline = make_cardiorespiratory_pipeline(max_epochs=epochs, random_state=seed)
    scores = cross_validate_subjects(
        pipeline,
        X.iloc[train],
        y[train],
        groups.iloc[train],
        folds=CROSS_VALIDATION_FOLDS,
        seed=seed,
    )
    print(scores.drop(columns="score_time").round(3).to_string(index=False))

    print("\nTraining on all but the held-out subjects")
    pipeline.set_params(wav2sleepclassifier__verbose=1).fit(X.iloc[train], y[train])
    table = score_signal_subsets(pipeline, X.iloc[held_out], y[held_out], CARDIORESPIRATORY_SIGNALS)
    print("\nTraining the baseline: heart rate variability and gradient boosting")
    baseline = hrv_baseline(random_state=seed).fit(X.iloc[train], y[train])
    of_baseline = score_signal_subsets(
        baseline, X.iloc[held_out], y[held_out], baseline[0].get_feature_names_out()
    )
    table = pd.concat(
        [table.assign(model="wav2sleep"), of_baseline.assign(model="HRV baseline")],
        ignore_index=True,
    )
    print("\nHeld-out subjects, each one model, by the signals it is given")
    print(table.round(3).to_string(index=False))
    with atomic_write(out / "signal-subsets.csv") as partial:
        table.to_csv(partial, index=False)

    predictions = out / "predictions"
    write_predictions(pipeline, X.iloc[held_out], predictions, y=y[held_out], verbose=True)
    print(f"\nStages (CSV) and hypnograms (PNG) of the held-out nights are in {predictions}")
    print(f"Done in {time.monotonic() - started:.0f} s.")
