"""Which signals does a sleep stager need? Heart, breath, or both, on the same folds.

Makes a small synthetic cohort, and cross-validates three pipelines over the same subjects: one that
sees the ECG, one that sees the breathing, and one that is trained on all signals with stochastic
masking. Then the ones for heart and breath are stacked. Run it from the root of the repository:

    python examples/compare_signals.py --subjects 12 --epochs 15
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score, make_scorer
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, cross_validate

from sklearn_sleep import make_cohort, merge_stages, recording_scorer
from sklearn_sleep.commands.pipelines import make_cardiorespiratory_pipeline


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    """Run the comparison and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--epochs", type=int, default=15)
    options = parser.parse_args(arguments)

    with tempfile.TemporaryDirectory() as folder:
        X, y, groups = make_cohort(
            Path(folder),
            n_subjects=options.subjects,
            hours=options.hours,
            random_state=0,
            n_jobs=-1,
            verbose=True,
            return_X_y_groups=True,
        )
        y = merge_stages(y, 4)
        pipelines = {
            name: make_cardiorespiratory_pipeline(
                max_epochs=options.epochs, random_state=0, signals=signals
            )
            for name, signals in {
                "heart": ["ECG"],
                "breath": ["ABD", "THX"],
                "all signals": ["ECG", "PPG", "ABD", "THX"],
            }.items()
        }
        # Members of a stack are fitted on inner folds, which must not split subjects either.
        inner = GroupKFold(2)
        folds = list(StratifiedGroupKFold(3, shuffle=True, random_state=0).split(X, y, groups))
        rows = []
        for name, pipeline in pipelines.items():
            rows += cross_validate_on(name, pipeline, X, y, folds)
        for train, test in folds:
            stack = StackingClassifier(
                [(name, pipelines[name]) for name in ("heart", "breath")],
                final_estimator=LogisticRegression(max_iter=1000),
                cv=list(inner.split(X.iloc[train], y[train], groups.iloc[train])),
            )
            rows += cross_validate_on("heart and breath, stacked", stack, X, y, [(train, test)])
    table = pd.DataFrame(rows).groupby("pipeline", sort=False).mean(numeric_only=True)
    print(table.round(3).to_string())
    return table


def cross_validate_on(
    name: str, pipeline: object, X: pd.DataFrame, y: object, folds: Sequence[object]
) -> list[dict[str, object]]:
    """Return the scores of a pipeline, a row per fold."""
    scores = cross_validate(
        pipeline,
        X,
        y,
        cv=folds,
        scoring={
            "accuracy": "accuracy",
            "f1_macro": "f1_macro",
            "kappa": make_scorer(cohen_kappa_score),
            "kappa by night": recording_scorer(cohen_kappa_score),
        },
    )
    table = pd.DataFrame(scores).drop(columns="score_time")
    table.columns = table.columns.str.removeprefix("test_")
    return [{"pipeline": name, **row} for row in table.to_dict("records")]


if __name__ == "__main__":
    main()
