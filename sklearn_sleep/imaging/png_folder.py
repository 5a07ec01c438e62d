"""Images in a folder: a PNG file for each epoch, and an index."""

from __future__ import annotations

import hashlib
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from PIL import Image
from tqdm.auto import tqdm

from sklearn_sleep.core.atomic_write import atomic_write
from sklearn_sleep.core.epochs import Night

if TYPE_CHECKING:
    from sklearn_sleep.imaging.waveform_images import WaveformImages

__all__ = ["write_folder"]

IntArray = npt.NDArray[np.intp]

# Epochs that are drawn together.
_EPOCHS_AT_A_TIME = 64


def write_folder(
    images: WaveformImages, folder: Path, *, n_jobs: int | None, verbose: bool
) -> Path:
    """Write images as PNG files, and the index of their rows.

    Parameters
    ----------
    images : WaveformImages
        What to write.
    folder : Path
        Made if need be.
    n_jobs : int or None
        Nights that are written at the same time.
    verbose : bool
        Show progress.

    Returns
    -------
    Path
        Of the index.
    """
    folder.mkdir(parents=True, exist_ok=True)
    columns = [f"image{offset:+d}" if offset else "image" for offset in images.context]
    index = images.epochs.table[["recording", "epoch"]].reset_index(drop=True)
    files = np.full((len(images), len(columns)), "", dtype=object)
    nights = list(images.nights())
    # What draws goes to the workers, and not all the rows with each night.
    drawer = images[:0]
    writing = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_write_night)(drawer, night, wanted, folder) for night, _, wanted in nights
    )
    progress = tqdm(writing, desc="Images", total=len(nights), unit="night", disable=not verbose)
    for (_, rows, _), written in zip(nights, progress, strict=True):
        files[rows] = written
    for position, column in enumerate(columns):
        index[column] = files[:, position]
    path = folder / "index.csv"
    with atomic_write(path) as partial:
        index.to_csv(partial, index=False)
    return path


def _write_night(
    images: WaveformImages, night: Night, wanted: IntArray, folder: Path
) -> npt.NDArray[np.object_]:
    """Write the epochs of a night that are not there; return the files of all."""
    epochs, place = np.unique(wanted, return_inverse=True)
    known = (epochs >= 0) & (epochs < night.recording.n_epochs)
    names = _names(images, night, epochs, known)
    missing = np.array([bool(name) and not (folder / name).exists() for name in names])
    todo = np.flatnonzero(missing)
    for start in range(0, len(todo), _EPOCHS_AT_A_TIME):
        some = todo[start : start + _EPOCHS_AT_A_TIME]
        for position, image in zip(some, images.draw_night(night, epochs[some]), strict=True):
            _write_png(image, folder / names[position])
    return np.array(names, dtype=object)[place.reshape(wanted.shape)]


def _names(
    images: WaveformImages, night: Night, epochs: IntArray, known: npt.NDArray[np.bool_]
) -> list[str]:
    """Return the file of each epoch; the same name means the same image."""
    content = f"{night.recording.fingerprint}{astuple(images.montage)}"
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    of_night = f"{Path(night.recording.path).stem}-{digest}"
    signals = [
        trace.name for trace in images.montage.traces if trace.name in night.recording.signals
    ]
    masked = {name: ~night.may_use(name) for name in signals if name in night.masks}
    names = []
    for epoch, is_known in zip(epochs, known, strict=True):
        without = "".join(f"-without-{name}" for name in masked if is_known and masked[name][epoch])
        names.append(f"{of_night}/{epoch:05d}{without}.png" if is_known else "")
    return names


def _write_png(image: npt.NDArray[np.uint8], path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path) as partial:
        # Stronger compression takes twice as long and saves a sixth.
        Image.fromarray(image).save(partial, format="png", compress_level=1)
