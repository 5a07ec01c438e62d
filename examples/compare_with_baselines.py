"""Does the network beat features and gradient boosting? All on the same folds.

Makes a synthetic cohort of four sites and compares wav2sleep, trained on all signals of heart and
breath and on each of them alone, with the three classical baselines: heart rate variability, the
same with breathing, and EEG, which only one site has not recorded. Prints the scores, and the
differences from the baseline of heart rate variability. Run it from the root of the repository:

    python examples/compare_with_baselines.py                # small: a minute, to see that it runs
    python examples/compare_with_baselines.py --size full    # as in docs/baselines.md

Fits are kept in the folder for temporary files: a run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline, make_pipeline

from sklearn_sleep import (
    Comparison,
    EDFReader,
    Epocher,
    Normalizer,
    Resampler,
    Wav2SleepClassifier,
    cardiorespiratory_baseline,
    compare,
    eeg_baseline,
    hrv_baseline,
    make_cohort,
    merge_stages,
)
from sklearn_sleep.exceptions import MissingSignalWarning

SIGNALS = ("ECG", "PPG", "ABD", "THX")
# Subjects, hours of a night, folds, and what the network is given beyond its defaults.
SIZES: dict[str, tuple[int, float, int, dict[str, Any]]] = {
    "small": (8, 0.5, 2, {"max_epochs": 1}),
    "full": (16, 2.0, 3, {}),
}


def main(arguments: Sequence[str] | None = None) -> Comparison:
    """Run the comparison and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--folder", type=Path, help="keeps the cohort and the fits")
    parser.add_argument("--out", type=Path, help="folder for the tables and the figure")
    options = parser.parse_args(arguments)
    n_subjects, hours, n_folds, parameters = SIZES[options.size]
    folder = options.folder or Path(tempfile.gettempdir()) / f"baselines-{options.size}"
    X, y, groups = make_cohort(
        folder / "cohort",
        n_subjects=n_subjects,
        hours=hours,
        random_state=2,
        n_jobs=-1,
        verbose=True,
        return_X_y_groups=True,
    )
    estimators = {
        "HRV baseline": hrv_baseline(random_state=0),
        "cardiorespiratory baseline": cardiorespiratory_baseline(random_state=0),
        "EEG baseline": eeg_baseline(random_state=0),
        "wav2sleep": network(SIGNALS, parameters),
        **{f"wav2sleep, {signal}": network([signal], parameters) for signal in SIGNALS},
    }
    with warnings.catch_warnings():
        # Sites record different signals, which is what the network is for.
        warnings.simplefilter("ignore", MissingSignalWarning)
        comparison = compare(
            estimators, X, merge_stages(y, 4), groups, cv=n_folds, folder=folder / "fits"
        )
    differences = comparison.differences("HRV baseline", random_state=0)
    print(comparison.summary().round(3).to_string())
    print(differences.round(3).to_string())
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        comparison.summary().round(3).to_csv(options.out / "scores.csv")
        differences.round(4).to_csv(options.out / "differences.csv")
        comparison.plot(title=f"{len(comparison.scores['recording'].unique())} nights").save(
            options.out / "scores.png"
        )
    return comparison


def network(signals: Sequence[str], parameters: dict[str, Any]) -> Pipeline:
    """Return a pipeline from EDF files to stages by the network."""
    classifier = Wav2SleepClassifier(
        signals=list(signals), size="auto", random_state=0, verbose=0, **parameters
    )
    return make_pipeline(EDFReader(list(signals)), Resampler(), Normalizer(), Epocher(), classifier)


if __name__ == "__main__":
    main()
