"""Train alone, and then in several processes together: share_trainings.py FOLDER N_PROCESSES.

The processes are forks, which need not import everything anew, with the environment that torchrun
gives them.
"""

import os
import socket
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from skorch.helper import SliceDict

from sklearn_sleep import Wav2SleepClassifier
from sklearn_sleep.staging.accelerated import AcceleratedWav2SleepClassifier
from sklearn_sleep.training.callbacks.resumable import ResumableCheckpoint
from sklearn_sleep.training.schedule import ValidationNights

SMALL = {
    "module__feature_dim": 8,
    "module__initial_channels": 2,
    "module__max_channels": 4,
    "module__mixer_heads": 2,
    "module__mixer_feedforward_dim": 16,
    "module__sequence_dilations": 3,
    "mask_probability": {"ECG": 0.5, "THX": 0.5},
    "class_weight": "balanced",
    # In the order of their hashes, which each process draws anew.
    "backup_signals": {"ECG", "THX", "PPG", "ABD"},
    "random_state": 0,
    "lr": 1e-2,
    "train_split": None,
}
CASES = {
    # Seven nights: the last batch has one, and one process none of it.
    "odd number of nights": {"batch_size": 3, "max_epochs": 3},
    "accumulated": {"batch_size": 2, "target_batch_size": 4, "max_epochs": 3},
    "stopped early": {
        "batch_size": 2,
        "max_epochs": 12,
        "lr": 0.05,
        "patience": 2,
        "train_split": ValidationNights(0.4, random_state=None),
    },
}


def make_nights(n_nights=7):
    rng = np.random.default_rng(0)
    n_epochs = rng.integers(8, 20, size=n_nights)
    y = rng.integers(0, 3, size=n_epochs.sum())
    night = np.repeat(np.arange(n_nights), n_epochs)
    x = {
        name: (rng.normal(size=(len(y), width)) * (0.3 + y[:, None])).astype(np.float32)
        for name, width in (("ECG", 64), ("THX", 16))
    }
    x["ECG"][night == 2] = np.nan
    x["THX"][np.isin(night, (4, 5))] = np.nan
    return SliceDict(**x, recording=np.array([f"night-{i}" for i in night], dtype=object)), y


def outcome_of(classifier, X):
    history = classifier.history
    return {
        "weights": torch.cat([p.detach().flatten() for p in classifier.module_.parameters()]),
        "train_loss": history[:, "train_loss"],
        "valid_loss": [row.get("valid_loss", 0.0) for row in history],
        "gradient_norm": history[:, "gradient_norm"],
        "probabilities": classifier.predict_proba(X),
    }


def train_alone(folder):
    X, y = make_nights()
    for name, case in CASES.items():
        alone = Wav2SleepClassifier(**SMALL | case).fit(X, y)
        np.savez(folder / f"{name}-alone.npz", **outcome_of(alone, X))


def train_together(folder):
    accelerator = Accelerator(cpu=True)
    X, y = make_nights()
    rank = accelerator.process_index
    for name, case in CASES.items():
        shared = AcceleratedWav2SleepClassifier(accelerator=accelerator, **SMALL | case).fit(X, y)
        np.savez(folder / f"{name}-shared-{rank}.npz", **outcome_of(shared, X))

    # The seed that a process draws by itself differs from the other's.
    parameters = SMALL | {"random_state": None, "batch_size": 3, "max_epochs": 1}
    np.random.seed(rank)  # noqa: NPY002  random_state=None stands for this one
    checkpoint = ResumableCheckpoint(folder / "training")
    unseeded = AcceleratedWav2SleepClassifier(
        accelerator=accelerator, callbacks=[checkpoint], **parameters
    ).fit(X, y)
    np.savez(folder / f"unseeded-shared-{rank}.npz", **outcome_of(unseeded, X))
    refusals = {
        "batch norm": {"module__encoder_norm": "batch"},
        # A folder of each process's own, of which one holds a training.
        "passes": {"callbacks": [ResumableCheckpoint(folder / f"training-{rank}")]},
    }
    resumed = SMALL | {"batch_size": 3, "max_epochs": 1}
    saved = {"callbacks": [ResumableCheckpoint(folder / "training-0")]}
    if accelerator.is_main_process:
        alone = Wav2SleepClassifier(**resumed | saved).fit(X, y)
        np.savez(folder / "resumed-alone.npz", **outcome_of(alone, X))
    accelerator.wait_for_everyone()
    shared = AcceleratedWav2SleepClassifier(accelerator=accelerator, **resumed | saved).fit(X, y)
    np.savez(folder / f"resumed-shared-{rank}.npz", **outcome_of(shared, X))
    for name, parameters in refusals.items():
        refused = AcceleratedWav2SleepClassifier(accelerator=accelerator, **resumed | parameters)
        try:
            refused.fit(X, y)
        except ValueError as error:
            (folder / f"{name}-{rank}.txt").write_text(str(error))
    accelerator.end_training()


def main(folder, n_processes):
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    train_alone(folder)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(n_processes),
        "LOCAL_WORLD_SIZE": str(n_processes),
    }
    children = []
    for rank in range(n_processes):
        children.append(os.fork())
        if not children[-1]:
            os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            train_together(folder)
            return
    statuses = [os.waitpid(child, 0)[1] for child in children]
    if any(statuses):
        sys.exit("A process failed.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
