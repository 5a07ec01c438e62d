"""Joint training of a scarce signal against its own nights alone and against transfer.

The PPG is left on half of the training nights that have it, a quarter of all. Staging from the PPG
alone is learned from these nights; from the ECG of all nights and then, with these weights, from
the PPG; or jointly with the other signals of all nights, under stochastic masking. All three see
as many nights in training; transfer sees as many again for the ECG.

    python examples/joint_training.py --size full
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from experiments import (
    Experiment,
    as_scores,
    compare,
    kappa_by_night,
    paired_difference,
    verdict,
)
from skorch.helper import SliceDict

from sklearn_sleep import Epochs, Wav2SleepClassifier

QUESTION = "What helps a scarce signal: joint training, its own nights, or transfer?"
JOINT, ALONE, TRANSFER = "joint training", "PPG nights alone", "transfer from ECG"
FINE_TUNING_RATE = 1e-3  # a third of the rate of a training from scratch


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    """Run the experiment; return kappa from the PPG alone by way of training."""
    experiment = Experiment("joint_training", QUESTION, arguments, n_seeds=4)
    X = with_scarce_ppg(experiment)
    parts = []
    for seed in experiment.seeds:
        joint = experiment.fit(seed, X=X)
        parts.append(experiment.score(JOINT, seed, joint, ["PPG"]))
        alone = experiment.fit(seed, ["PPG"], X, mask_probability={})
        parts.append(experiment.score(ALONE, seed, alone, ["PPG"]))
        kappa = kappa_after_transfer(experiment, transfer(experiment, X, seed))
        parts.append(as_scores(TRANSFER, seed, ["PPG"], kappa))
        print(f"Seed {seed}: trained and scored", flush=True)
    scores = pd.concat(parts, ignore_index=True)
    table = compare(scores, JOINT)
    finding = " ".join(
        verdict(
            f"Kappa from the PPG, {JOINT} minus {other}",
            paired_difference(scores, JOINT, other, ["PPG"]),
        )
        for other in (ALONE, TRANSFER)
    )
    experiment.report(scores, table, finding)
    return table


def with_scarce_ppg(experiment: Experiment) -> pd.DataFrame:
    """Return the training table with the PPG on half of the nights that have it."""
    epochs, _ = experiment.nights_with(experiment.X_train, experiment.y_train, ["PPG"])
    paths = [recording.path for recording in epochs.recordings]
    kept = paths[: (len(paths) + 1) // 2]  # subjects come from the sites in turn
    return experiment.X_train.assign(PPG=experiment.X_train["recording"].isin(kept))


def transfer(experiment: Experiment, X: pd.DataFrame, seed: int) -> Wav2SleepClassifier:
    """Return a classifier trained on the ECG, and then on with the PPG in its place."""
    classifier = experiment.fit(seed, ["ECG"], X, mask_probability={})
    epochs, y = experiment.nights_with(X, experiment.y_train, ["PPG"])
    classifier.set_params(
        warm_start=True, lr=FINE_TUNING_RATE, max_epochs=experiment.passes_over(epochs)
    )
    return classifier.fit(ppg_as_ecg(epochs), y)


def kappa_after_transfer(experiment: Experiment, classifier: Wav2SleepClassifier) -> pd.Series:
    """Return kappa of each held-out night that has the PPG."""
    epochs, y = experiment.nights_with(experiment.X_test, experiment.y_test, ["PPG"])
    return kappa_by_night(y, classifier.predict(ppg_as_ecg(epochs)), epochs.table["recording"])


def ppg_as_ecg(epochs: Epochs) -> SliceDict:
    """Return the PPG under the name of the ECG, for the encoder that knows the latter."""
    arrays = epochs.to_arrays()
    return SliceDict(ECG=arrays["PPG"], recording=arrays["recording"])


if __name__ == "__main__":
    main()
