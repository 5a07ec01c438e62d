"""``python -m sklearn_sleep predict``: stage the user's own nights with a saved model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sklearn_sleep.commands.outputs import write_predictions
from sklearn_sleep.io.epoch_tables import epoch_table
from sklearn_sleep.staging.pretrained import load_pretrained

__all__ = ["run_predict"]


def run_predict(model: Path, nights: Sequence[Path], folder: Path) -> None:
    """Stage nights and write a CSV and a figure of each.

    Parameters
    ----------
    model : Path
        Folder of a model that ``train`` saved.
    nights : sequence of Path
        EDF or BDF files. One that cannot be read is named in a warning; the others go on.
    folder : Path
        Where the files go.
    """
    pipeline = load_pretrained(model)
    X = epoch_table(nights, on_error="warn")
    written = write_predictions(pipeline, X, folder, verbose=True)
    print(f"Staged {len(written)} of {len(nights)} nights; stages and hypnograms are in {folder}")
