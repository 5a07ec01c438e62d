"""WaveformImages: a lazy sequence of images, one for each row of epochs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from sklearn_sleep.core.epochs import Epochs, Night
from sklearn_sleep.imaging.drawing import draw_pages
from sklearn_sleep.imaging.montage import Montage
from sklearn_sleep.imaging.night_samples import NightSamplesCache
from sklearn_sleep.imaging.png_folder import write_folder

__all__ = ["WaveformImages"]

ImageArray = npt.NDArray[np.uint8]
IntArray = npt.NDArray[np.intp]

# Rows that are drawn together when all are gone through; context is shared among them.
_ROWS_AT_A_TIME = 64


class WaveformImages(Sequence[Any]):
    """Images of epochs, drawn when they are asked for.

    An integer gives a row's image, anything else that NumPy indexes with gives some of the rows,
    and nothing is drawn for it. It is made by `WaveformImageRenderer`.

    Parameters
    ----------
    epochs : Epochs of shape (n_rows,)
        What is drawn.
    montage : Montage
        How it is drawn.
    context : tuple of int
        Which epochs belong to a row, counted from its own.
    layout : {"separate", "panel"}
        Whether these are images of their own, or side by side in one.
    kept_bytes : int
        How many bytes of samples are kept, so that a night is not read again for each row.

    Examples
    --------
    >>> from sklearn_sleep.imaging import Trace, WaveformImageRenderer
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> montage = Montage([Trace("EEG", "#ffff00"), Trace("EOG", "#00ffff")])
    >>> epochs = EDFReader(montage).fit_transform("tests/data/sleep-edf-5min.edf")
    >>> images = WaveformImageRenderer(montage).fit_transform(epochs)
    >>> len(images), images[3].shape, np.asarray(images[2:4]).shape
    (10, (3, 224, 448, 3), (2, 3, 224, 448, 3))
    """

    def __init__(
        self,
        epochs: Epochs,
        montage: Montage,
        context: tuple[int, ...],
        layout: Literal["separate", "panel"],
        kept_bytes: int,
    ) -> None:
        self.montage = montage
        self.context = context
        self.layout = layout
        self._cache = NightSamplesCache(kept_bytes)
        # Some of the rows still know the others, which say what may be used of their context.
        self._all = epochs
        self._rows = np.arange(len(epochs))

    @property
    def epochs(self) -> Epochs:
        """What is drawn, of shape (n_rows,)."""
        return self._all[self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int]:
        """``(n_rows,)``, by which scikit-learn indexes it like an array."""
        return (len(self),)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of the array of a row."""
        n, height, width = len(self.context), self.montage.height, self.montage.width
        return (height, n * width, 3) if self.layout == "panel" else (n, height, width, 3)

    @overload
    def __getitem__(self, key: int) -> ImageArray: ...

    @overload
    def __getitem__(self, key: Any) -> Any: ...

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, int | np.integer):
            if not -len(self) <= key < len(self):
                raise IndexError(f"There is no row {key}; there are {len(self)}.")
            return self._draw(np.array([key % len(self)]))[0]
        # Not copied as for pickling: nights that were read are shared.
        some = object.__new__(type(self))
        vars(some).update(vars(self))
        some._rows = np.atleast_1d(self._rows[np.asarray(key) if np.ndim(key) else key])
        return some

    def __iter__(self) -> Iterator[ImageArray]:
        for start in range(0, len(self), _ROWS_AT_A_TIME):
            yield from self._draw(np.arange(start, min(start + _ROWS_AT_A_TIME, len(self))))

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError(
                "Images are drawn when they are asked for; np.asarray(images) needs a copy."
            )
        images = np.empty((len(self), *self.image_shape), dtype=np.uint8)
        for start in range(0, len(self), _ROWS_AT_A_TIME):
            stop = min(start + _ROWS_AT_A_TIME, len(self))
            images[start:stop] = self._draw(np.arange(start, stop))
        return images if dtype is None else images.astype(dtype)

    def with_context(self, context: Sequence[int]) -> WaveformImages:
        """Return the same rows with other epochs around them.

        Parameters
        ----------
        context : sequence of int
            Counted from each row's own.

        Returns
        -------
        WaveformImages
        """
        other = self[:]
        other.context = tuple(context)
        return other

    def read_samples(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the samples that the rows' own images are drawn from.

        Returns
        -------
        dict of str to ndarray of float32, shape (n_rows, samples_per_epoch)
            In the units of the montage; NaN where they are missing or may not be used.

        Raises
        ------
        ValueError
            If recordings differ in the samples per epoch of a signal.
        """
        found: dict[str, npt.NDArray[np.float32]] = {}
        for night, rows, _ in self.nights():
            epoch = self._all.table["epoch"].to_numpy()[self._rows[rows]]
            for name, values in self._cache.read(night.recording, self.montage).samples.items():
                per_epoch = values.shape[1]
                samples = found.setdefault(
                    name, np.full((len(self), per_epoch), np.nan, dtype=np.float32)
                )
                if samples.shape[1] != per_epoch:
                    raise ValueError(
                        f"{name} of {night.recording.path} has {per_epoch} samples per epoch, "
                        f"others have {samples.shape[1]}. Put Resampler() before the images."
                    )
                usable = night.may_use(name)[epoch]
                samples[rows[usable]] = values[epoch[usable]]
        return found

    def shows_signals(self) -> npt.NDArray[np.bool_]:
        """Return for each row whether any signal is there and may be used, in its own epoch.

        Returns
        -------
        ndarray of bool, shape (n_rows,)
        """
        shown = np.zeros(len(self), dtype=bool)
        for night, rows, _ in self.nights():
            epoch = self._all.table["epoch"].to_numpy()[self._rows[rows]]
            for trace in self.montage.traces:
                if trace.name in night.recording.signals:
                    shown[rows] |= night.may_use(trace.name)[epoch]
        return shown

    def to_pil(self, row: int) -> list[Image.Image]:
        """Return a row's images as PIL images.

        Parameters
        ----------
        row : int
            Its position.

        Returns
        -------
        list of PIL.Image.Image
            One for each epoch of the context, or one panel.
        """
        image = self[row]
        return [Image.fromarray(part) for part in (image if image.ndim == 4 else [image])]

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> Path:
        """Write the images as PNG files, each epoch once.

        Files that are there already are not drawn again, so that it can be cut off and go on.

        Parameters
        ----------
        folder : path
            Made if need be.
        n_jobs : int, optional
            Nights that are written at the same time; see joblib.
        verbose : bool, default=False
            Show progress.

        Returns
        -------
        Path
            Of ``index.csv``, a row for each row of the images: recording, epoch, and for each
            epoch of the context its file, relative to the folder, or nothing where the night has
            no such epoch.
        """
        return write_folder(self, Path(folder), n_jobs=n_jobs, verbose=verbose)

    def nights(self, rows: IntArray | None = None) -> Iterator[tuple[Night, IntArray, IntArray]]:
        """Yield the rows recording by recording.

        Parameters
        ----------
        rows : ndarray of int, optional
            Positions of some of the rows; all if not given.

        Yields
        ------
        night : Night
            The recording, with all rows that are known of it.
        positions : ndarray of int, shape (n,)
            Which of the rows are in it.
        epochs : ndarray of int, shape (n, n_context)
            The epochs that each of them shows, those outside the recording among them.
        """
        base_rows = self._rows if rows is None else self._rows[rows]
        of_recording = self._all.recording_index[base_rows]
        epoch = self._all.table["epoch"].to_numpy()[base_rows].astype(np.intp)
        for position in np.unique(of_recording):
            positions = np.flatnonzero(of_recording == position)
            yield (
                self._known_nights[position],
                positions,
                epoch[positions, None] + np.array(self.context),
            )

    @cached_property
    def _known_nights(self) -> list[Night]:
        return list(self._all.nights())

    def draw_night(self, night: Night, epochs: IntArray) -> ImageArray:
        """Draw epochs of a night.

        Parameters
        ----------
        night : Night
            Of `nights`.
        epochs : ndarray of int, shape (n,)
            Epochs of the recording; those before its start and after its end are empty pages.

        Returns
        -------
        ndarray of uint8, shape (n, height, width, 3)
        """
        of_night = self._cache.read(night.recording, self.montage)
        samples = {}
        for name, values in of_night.samples.items():
            known = (epochs >= 0) & (epochs < len(values))
            chosen = np.full((len(epochs), values.shape[1]), np.nan, dtype=np.float32)
            usable = np.zeros(len(epochs), dtype=bool)
            usable[known] = night.may_use(name)[epochs[known]]
            chosen[usable] = values[epochs[usable]]
            samples[name] = chosen
        return draw_pages(samples, of_night.amplitudes, self.montage, len(epochs))

    def _draw(self, rows: IntArray) -> ImageArray:
        images = np.empty((len(rows), *self.image_shape), dtype=np.uint8)
        for night, of_night, wanted in self.nights(rows):
            epochs, place = np.unique(wanted, return_inverse=True)
            drawn = self.draw_night(night, epochs)[place.reshape(wanted.shape)]
            if self.layout == "panel":
                n, _, height, *_ = drawn.shape
                drawn = drawn.transpose(0, 2, 1, 3, 4).reshape(n, height, -1, 3)
            images[of_night] = drawn
        return images

    def __getstate__(self) -> dict[str, Any]:
        # Samples are read anew where it is unpickled.
        state = {**vars(self), "_cache": NightSamplesCache(self._cache.kept_bytes)}
        state.pop("_known_nights", None)
        if not len(self):
            # Nothing to draw of its own; `draw_night` is given its nights.
            state["_all"] = self._all[:0]
        return state

    def __repr__(self) -> str:
        size = f"{self.montage.width} x {self.montage.height}"
        n = len(self.context)
        each = f"{n} images of {size} pixels" if n > 1 else f"an image of {size} pixels"
        return f"WaveformImages({len(self)} rows, {each} each)"
