"""Can a vision-language model stage sleep by looking at it? Beside a network and a baseline.

Makes a synthetic cohort and compares, on the same folds and in the five stages of the AASM:

- a vision-language model that is shown images of EEG, EOG and EMG. It is a tiny one of Qwen2.5-VL's
  architecture that starts from random weights, since model hubs may be out of reach; with a name
  such as Qwen/Qwen2.5-VL-3B-Instruct in its place the same pipeline adapts a large one;
- wav2sleep, from heart rate and breathing;
- the baselines of heart rate variability and of the EEG.

Run it from the root of the repository:

    python examples/stage_by_looking.py                # small: a minute, to see that it runs
    python examples/stage_by_looking.py --size full    # as in docs/vision-language.md

Fits are kept in the folder for temporary files: a run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline, make_pipeline

from sklearn_sleep import (
    Comparison,
    EDFReader,
    Epocher,
    InstantaneousHeartRate,
    Normalizer,
    Resampler,
    SaliencyDisplay,
    VLMStager,
    Wav2SleepClassifier,
    WaveformImageRenderer,
    compare,
    eeg_baseline,
    hrv_baseline,
    make_cohort,
    stage_names,
    tiny_vlm,
)
from sklearn_sleep.exceptions import MissingSignalWarning
from sklearn_sleep.imaging import Grid, Montage, Trace

# Smaller than the published images, and with the signals that most sites record.
MONTAGE = Montage(
    [
        Trace("EEG", "#ffff00", (-100.0, 100.0)),
        Trace("EOG-L", "#00ffff", (-100.0, 100.0)),
        Trace("EMG", "#4040ff", (-40.0, 40.0)),
    ],
    width=224,
    height=112,
    line_width=0.8,
    grid=Grid(over_traces=True),
)
# Subjects, hours of a night, folds, and passes of the two networks.
SIZES = {"small": (8, 0.5, 2, 2, 5), "full": (24, 2.0, 3, 6, None)}


def main(arguments: Sequence[str] | None = None) -> Comparison:
    """Run the comparison and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--folder", type=Path, help="keeps the cohort and the fits")
    parser.add_argument("--out", type=Path, help="folder for the tables and the figures")
    options = parser.parse_args(arguments)
    n_subjects, hours, n_folds, passes, wav2sleep_passes = SIZES[options.size]
    folder = options.folder or Path(tempfile.gettempdir()) / f"looking-{options.size}"
    X, y, groups = make_cohort(
        folder / "cohort",
        n_subjects=n_subjects,
        hours=hours,
        second_visit_probability=0.0,
        random_state=3,
        n_jobs=-1,
        verbose=True,
        return_X_y_groups=True,
    )
    looking = make_looking_pipeline(passes)
    estimators = {
        "HRV baseline": hrv_baseline(random_state=0),
        "EEG baseline": eeg_baseline(random_state=0),
        "wav2sleep": make_listening_pipeline(wav2sleep_passes),
        "vision-language model": looking,
    }
    with warnings.catch_warnings():
        # A site records no EEG; its nights are staged by the training prior.
        warnings.simplefilter("ignore", MissingSignalWarning)
        comparison = compare(estimators, X, y, groups, cv=n_folds, folder=folder / "fits")
        differences = comparison.differences("HRV baseline", random_state=0)
        print(comparison.summary().round(3).to_string())
        print(differences.round(3).to_string())
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
            comparison.summary().round(3).to_csv(options.out / "scores.csv")
            differences.round(4).to_csv(options.out / "differences.csv")
            comparison.plot(title=f"{len(X['recording'].unique())} nights").save(
                options.out / "scores.png"
            )
            draw_saliency(looking, X, y, groups, options.out / "saliency.png")
    return comparison


def make_looking_pipeline(passes: int) -> Pipeline:
    """Return a pipeline from EDF files to stages by images."""
    stager = VLMStager(
        tiny_vlm(),
        classes=range(5),
        prompt="Stage?",
        tuning="full",
        train_vision=True,
        lr=1e-3,
        max_epochs=passes,
        batch_size=16,
        random_state=0,
    )
    return make_pipeline(EDFReader(MONTAGE), WaveformImageRenderer(MONTAGE, context=[0]), stager)


def make_listening_pipeline(passes: int | None) -> Pipeline:
    """Return a pipeline from EDF files to stages by heart rate and breathing."""
    classifier = Wav2SleepClassifier(
        signals=["IHR", "ABD", "THX"], classes=range(5), size="auto", random_state=0
    )
    if passes is not None:
        classifier.set_params(max_epochs=passes)
    return make_pipeline(
        EDFReader(["ECG", "ABD", "THX"]),
        InstantaneousHeartRate(),
        Resampler(),
        Normalizer(),
        Epocher(),
        classifier,
    )


def draw_saliency(
    pipeline: Pipeline,
    X: pd.DataFrame,
    y: npt.NDArray[np.int64],
    groups: npt.NDArray[np.object_],
    path: Path,
) -> None:
    """Train on a third of the other subjects and draw where the model looks in a night of one."""
    subjects = np.unique(groups)
    first = groups == subjects[0]
    others = np.isin(groups, subjects[1::3])
    pipeline.fit(X[others], y[others])
    images = pipeline[:-1].transform(X[first])
    deep = int((y[first] == 3).argmax())
    stage = stage_names(5)[pipeline[-1].predict(images[[deep]])[0]]
    SaliencyDisplay.from_estimator(
        pipeline[-1], images, row=deep, title=f"An epoch of N3, staged as {stage}"
    ).save(path)


if __name__ == "__main__":
    main()
