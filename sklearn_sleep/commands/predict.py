"""``python -m sklearn_sleep predict``: nights staged, as a CSV of stages and a figure of each."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_sleep.core.atomic_write import atomic_write
from sklearn_sleep.core.progress import progress
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.stage_schemes import stage_names
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.evaluation.displays.hypnogram import HypnogramDisplay
from sklearn_sleep.exceptions import EDFWarning
from sklearn_sleep.io.epoch_tables import epoch_table
from sklearn_sleep.staging.pretrained import load_pretrained


def exit_status(n_done: int, n_nights: int) -> int:
    """Return 0 if all nights were done, 1 if none, 3 if some."""
    return 0 if n_done == n_nights else 3 if n_done else 1


def run_predict(
    model: Path,
    nights: Sequence[Path],
    out: Path,
    *,
    channels: Mapping[str, Any] | None,
    units: Mapping[str, str] | None,
) -> int:
    """Stage nights with a saved model; one that cannot be staged is named, the others go on.

    Labels and units that are given go before those that the model was saved with.
    """
    pipeline = load_pretrained(model)
    for name, given in (("channels", channels), ("units", units)):
        if given:
            saved = getattr(pipeline[0], name) or {}
            pipeline[0].set_params(**{name: {**saved, **given}}).fit(None)
    X = epoch_table(nights, on_error="warn")
    written = write_predictions(pipeline, X, out, on_error="warn", verbose=True)
    n_staged = sum(written.values())
    print(f"Staged {n_staged} of {len(nights)} nights; stages and hypnograms are in {out}")
    return exit_status(n_staged, len(nights))


def write_predictions(
    pipeline: Pipeline,
    X: pd.DataFrame,
    folder: Path,
    *,
    y: npt.NDArray[np.int64] | None = None,
    on_error: Literal["raise", "warn"] = "raise",
    verbose: int | None = None,
) -> dict[Path, bool]:
    """Write ``<recording>.csv`` and ``.png`` of each night; return whether it is staged, by table.

    A night without any usable signal has the stage "?" in all epochs, and its picture says so.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = stage_names(len(pipeline.classes_))
    written: dict[Path, bool] = {}
    rows_of = X.groupby("recording", observed=True, sort=False).indices
    with progress("Staging nights", len(rows_of), unit="night", verbose=verbose) as work:
        for recording, rows in work.count(rows_of.items()):
            try:
                probabilities = pipeline.predict_proba(X.iloc[rows])
            except Exception as error:  # one bad file must not stop the others, whatever is wrong
                if on_error == "raise":
                    raise
                warnings.warn(
                    f"{recording} could not be staged: {type(error).__name__}: {error}",
                    EDFWarning,
                    stacklevel=2,
                )
                continue
            predicted = probabilities.argmax(axis=1)
            # Of a night without any usable signal nothing is known but how frequent stages are.
            is_staged = not (probabilities == getattr(pipeline[-1], "class_prior_", np.nan)).all()
            if not is_staged:
                predicted[:] = Stage.UNSCORED
            epoch = X["epoch"].to_numpy()[rows]
            table = pd.DataFrame({"epoch": epoch, "onset_s": epoch * EPOCH_DURATION})
            if y is not None:
                table["scored"] = np.array([*names, "?"])[y[rows]]
            # The last one is what -1 finds.
            table["stage"] = np.array([*names, "?"])[predicted]
            table["usable_signal"] = is_staged
            for column, name in enumerate(names):
                table[f"probability_{name}"] = probabilities[:, column].round(4)
            stem = _free_name(Path(str(recording)).stem, written)
            path = folder / f"{stem}.csv"
            with atomic_write(path) as partial:
                table.sort_values("epoch").to_csv(partial, index=False)
            display = HypnogramDisplay(
                _place(predicted, epoch, -1),
                names,
                reference=None if y is None else _place(y[rows], epoch, -1),
                probabilities=_place(probabilities, epoch, 0),
            )
            title = stem if is_staged else f"{stem}: no usable signal, not staged"
            display.plot(title=title).save(folder / f"{stem}.png")
            written[path] = bool(is_staged)
    return written


def _place(
    values: npt.NDArray[np.generic], epoch: npt.NDArray[np.integer], empty: int
) -> npt.NDArray[np.generic]:
    """Return the values of epochs at their places in the night, (last epoch + 1, ...)."""
    placed = np.full((int(epoch.max()) + 1, *values.shape[1:]), empty, dtype=values.dtype)
    placed[epoch] = values
    return placed


def _free_name(stem: str, taken: Iterable[Path]) -> str:
    """Return the stem, numbered if a recording of another folder has it already."""
    stems = {path.stem for path in taken}
    return next(
        name for name in (stem, *(f"{stem}-{i}" for i in range(2, 10**6))) if name not in stems
    )
