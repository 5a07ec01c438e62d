"""A model is saved over an older one by processes that are killed, one at each of their writes.

Run with a folder, and for each kind of model ``kind=number``: the first write at which one is
killed. Prints a line for each kind: what the folder holds after each write.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from sklearn_sleep import VLMStager, Wav2SleepClassifier, tiny_vlm
from sklearn_sleep.core.atomic_write import remove_partials
from sklearn_sleep.core.stage_schemes import stage_names

_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir"}


def kill_at(number: int, write: Callable[[], None]) -> None:
    """Write in a process that is killed before its n-th change of a file."""
    child = os.fork()
    if not child:
        n_changes = 0

        def count(event: str, arguments: tuple) -> None:
            nonlocal n_changes
            opens = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            n_changes += bool(opens or event in _CHANGES)
            if n_changes > number:
                os._exit(9)

        sys.addaudithook(count)
        write()
        os._exit(0)
    os.waitpid(child, 0)


def make_classifier(seed: int) -> Wav2SleepClassifier:
    torch.manual_seed(seed)
    classifier = Wav2SleepClassifier(
        module__feature_dim=8,
        module__initial_channels=2,
        module__max_channels=4,
        module__mixer_heads=2,
        module__sequence_dilations=2 if seed else 3,
    )
    classifier.classes_ = np.arange(4)
    classifier.class_prior_ = np.full(4, 0.25)
    classifier.samples_per_epoch_ = {"ECG": 1024}
    classifier.signals_ = ("ECG",)
    return classifier.initialize()


def make_stager(seed: int) -> VLMStager:
    stager = VLMStager(
        tiny_vlm(hidden_size=32, n_layers=1), tuning="lora" if seed else "full", lora_rank=2
    )
    stager.classes_ = np.arange(2 + seed)
    stager.class_prior_ = np.full(2 + seed, 1 / (2 + seed))
    stager.answers_ = list(stage_names(2 + seed))
    stager.prompt_, stager.captions_, stager.image_shape_ = "?", [""], (1, 56, 56, 3)
    stager.backbone_ = stager._load()
    return stager.prepare()


def save(kind: str, model: object, folder: Path) -> None:
    options = {} if kind == "vlm" else {"format": kind}
    model.save_pretrained(folder, **options)


def what_is_there(kind: str, folder: Path, models: dict) -> str:
    loader = VLMStager if kind == "vlm" else Wav2SleepClassifier
    try:
        found = loader.from_pretrained(folder)
    except (ValueError, FileNotFoundError) as error:
        return "refused" if str(folder) in str(error) else repr(error)
    for name, model in models.items():
        state, expected = found.module_.state_dict(), model.module_.state_dict()
        if state.keys() == expected.keys() and all(
            torch.equal(state[key], expected[key]) for key in state
        ):
            assert len(found.classes_) == len(model.classes_)
            return name
    raise AssertionError("what is there is neither the one nor the other")


def main(kind: str, root: Path, number: int) -> None:
    make = make_stager if kind == "vlm" else make_classifier
    models = {"old": make(0), "new": make(1)}
    save(kind, models["old"], root / "old")
    there = ""
    while there != "new":
        folder = shutil.copytree(root / "old", root / str(number))
        kill_at(number, lambda: save(kind, models["new"], folder))  # noqa: B023
        there = what_is_there(kind, folder, models)
        print(there, end=" ")
        # What the killed one left does not stay for ever.
        for partial in folder.glob(".*.partial"):
            os.utime(partial, (0, 0))
        remove_partials(folder)
        assert not list(folder.glob(".*.partial"))
        number += 1
    print()


if __name__ == "__main__":
    for argument in sys.argv[2:]:
        kind, _, number = argument.partition("=")
        main(kind, Path(sys.argv[1]) / kind, int(number))
