"""``python -m sklearn_sleep train``: train on the user's own cohort and save the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import StratifiedGroupKFold, cross_validate

from sklearn_sleep.commands.pipelines import make_cardiorespiratory_pipeline
from sklearn_sleep.core.stages import merge_stages, stage_names
from sklearn_sleep.datasets import load_cohort
from sklearn_sleep.evaluation.metrics import recording_scorer
from sklearn_sleep.staging.pretrained import save_pretrained

__all__ = ["run_train"]


def run_train(
    cohort: Path,
    model: Path,
    *,
    signals: Sequence[str],
    n_classes: int = 4,
    max_epochs: int = 20,
    n_folds: int = 0,
    random_state: int = 0,
) -> None:
    """Train on a folder of EDF files and hypnograms, and save the model.

    Parameters
    ----------
    cohort : Path
        The folder, as `load_cohort` takes it.
    model : Path
        Folder of the model, made if need be.
    signals : sequence of str
        Signals to train on.
    n_classes : {2, 3, 4, 5}, default=4
        Number of stages.
    max_epochs : int, default=20
        Passes over the nights.
    n_folds : int, default=0
        Cross-validate over subjects with this many folds before the training on all nights.
    random_state : int, default=0
        Seed.
    """
    X, y, groups = load_cohort(cohort, return_X_y_groups=True, verbose=True)
    y = merge_stages(y, n_classes)
    counts = np.bincount(y, minlength=n_classes)
    stages = ", ".join(
        f"{name} {count}" for name, count in zip(stage_names(n_classes), counts, strict=True)
    )
    print(
        f"{X['recording'].nunique()} nights of {groups.nunique()} subjects, "
        f"{len(X)} scored epochs ({stages})"
    )
    pipeline = make_cardiorespiratory_pipeline(
        max_epochs=max_epochs, random_state=random_state, signals=signals
    )
    pipeline.set_params(wav2sleepclassifier__classes=np.arange(n_classes))
    if n_folds:
        print(f"Cross-validation over subjects, {n_folds} folds")
        scores = cross_validate(
            pipeline,
            X,
            y,
            groups=groups,
            cv=StratifiedGroupKFold(n_folds, shuffle=True, random_state=random_state),
            scoring={
                "accuracy": "accuracy",
                "f1_macro": "f1_macro",
                "kappa by night": recording_scorer(cohen_kappa_score),
            },
            verbose=2,
        )
        print(pd.DataFrame(scores).round(3).to_string(index=False))
    pipeline.set_params(wav2sleepclassifier__verbose=1).fit(X, y)
    save_pretrained(pipeline, model)
    print(f"The model is in {model}")
