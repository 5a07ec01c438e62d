"""WaveformImages: a lazy sequence of images, one for each row of epochs."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from sklearn_sleep.core.arrays import IntArray, SampleArray
from sklearn_sleep.core.atomic_write import atomic_write
from sklearn_sleep.core.epochs import Epochs, Night
from sklearn_sleep.core.masking import infinite_as_missing
from sklearn_sleep.core.parallel import run_parallel
from sklearn_sleep.core.recording import Recording
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.core.units import conversion_factor
from sklearn_sleep.imaging.drawing import ImageArray, draw_pages
from sklearn_sleep.imaging.montage import Montage, Trace
from sklearn_sleep.preprocessing import Epocher, Resampler

# Rows that are drawn together when all are gone through; context is shared among them.
_ROWS_AT_A_TIME = 64
# Percentiles of the night's samples at the edges of the band of a trace without amplitude.
_MIDDLE = (1.0, 99.0)


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
        for row, image in enumerate(self):
            images[row] = image
        return images if dtype is None else images.astype(dtype)

    def with_context(self, context: Sequence[int]) -> WaveformImages:
        """Return the same rows with other epochs around them, counted from each row's own."""
        other = self[:]
        other.context = tuple(context)
        return other

    def read_samples(self) -> dict[str, SampleArray]:
        """Return the samples that the rows' own images are drawn from, by signal.

        Of shape (n_rows, samples_per_epoch), in the units of the montage; NaN where they are
        missing or may not be used. Recordings must have the same samples per epoch.
        """
        found: dict[str, SampleArray] = {}
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
        """Return whether each row, (n_rows,), may use any signal in its own epoch."""
        shown = np.zeros(len(self), dtype=bool)
        for night, rows, _ in self.nights():
            epoch = self._all.table["epoch"].to_numpy()[self._rows[rows]]
            for trace in self.montage.traces:
                if trace.name in night.recording.signals:
                    shown[rows] |= night.may_use(trace.name)[epoch]
        return shown

    def to_pil(self, row: int) -> list[Image.Image]:
        """Return a row's PIL images: one for each epoch of its context, or one panel."""
        image = self[row]
        return [Image.fromarray(part) for part in (image if image.ndim == 4 else [image])]

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        n_jobs: int | None = None,
        verbose: int | None = None,
    ) -> Path:
        """Write the images as PNG files, each epoch once.

        Files that are there already are not drawn again, so that it can be cut off and go on.

        Parameters
        ----------
        folder : path
            Made if need be.
        n_jobs : int, optional
            Nights that are written at the same time; see joblib.
        verbose : int, optional
            Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
            terminal or in a notebook.

        Returns
        -------
        Path
            Of ``index.csv``, a row for each row of the images: recording, epoch, and for each epoch
            of the context its file in the folder, or nothing where the night has no such epoch.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        index = self.epochs.table[["recording", "epoch"]].reset_index(drop=True)
        files = np.full((len(self), len(self.context)), "", dtype=object)
        nights = list(self.nights())
        # What draws goes to the workers, and not all the rows with each night.
        drawer = self[:0]
        writing = run_parallel(
            _write_night,
            [(drawer, night, wanted, folder) for night, _, wanted in nights],
            description="Images",
            n_jobs=n_jobs,
            verbose=verbose,
        )
        for (_, rows, _), written in zip(nights, writing, strict=True):
            files[rows] = written
        for position, offset in enumerate(self.context):
            index[f"image{offset:+d}" if offset else "image"] = files[:, position]
        path = folder / "index.csv"
        with atomic_write(path) as partial:
            index.to_csv(partial, index=False)
        return path

    def nights(self, rows: IntArray | None = None) -> Iterator[tuple[Night, IntArray, IntArray]]:
        """Yield nights with the positions, (n,), and epochs, (n, n_context), of rows in them."""
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
        """Return images, (n, height, width, 3), of epochs, (n,); empty outside of the night."""
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


class NightSamples:
    """Samples, (n_epochs, samples_per_epoch), and amplitudes of a night in the montage's units."""

    def __init__(self, recording: Recording, montage: Montage) -> None:
        self.samples: dict[str, SampleArray] = {}
        self.amplitudes: dict[str, tuple[float, float]] = {}
        for trace in montage.traces:
            if trace.name not in recording.signals:
                continue
            samples = _read(recording.signals[trace.name], trace)
            samples = infinite_as_missing(samples, trace.name, recording.path)
            self.samples[trace.name] = samples
            self.amplitudes[trace.name] = trace.amplitude or _amplitude(samples)

    @property
    def n_bytes(self) -> int:
        """Memory that the samples take."""
        return sum(samples.nbytes for samples in self.samples.values())


class NightSamplesCache:
    """The nights that were read last, up to a number of bytes; the last one is always kept."""

    def __init__(self, kept_bytes: int) -> None:
        self.kept_bytes = kept_bytes
        self._nights: OrderedDict[str, NightSamples] = OrderedDict()

    def read(self, recording: Recording, montage: Montage) -> NightSamples:
        """Return the samples of a recording, of the same montage in all calls."""
        key = recording.fingerprint
        if key not in self._nights:
            self._nights[key] = NightSamples(recording, montage)
            while (
                len(self._nights) > 1
                and sum(night.n_bytes for night in self._nights.values()) > self.kept_bytes
            ):
                self._nights.popitem(last=False)
        self._nights.move_to_end(key)
        return self._nights[key]


def check_unit(signal: Signal, trace: Trace) -> float:
    """Return the factor from a signal's unit to its trace's; ValueError if there is none."""
    if signal.unit == trace.unit:
        return 1.0
    factor = conversion_factor(signal.unit, trace.unit) if trace.unit else None
    if factor is None:
        has = f"the unit {signal.unit!r}" if signal.unit else "no unit"
        wants = f"in {trace.unit}" if trace.unit else "without a unit"
        raise ValueError(
            f"{signal.name} has {has}, but its trace is {wants}. Leave out the Normalizer before "
            "the images; for a signal of another unit, give the trace a SignalDefinition with it."
        )
    return factor


def _read(signal: Signal, trace: Trace) -> SampleArray:
    """Return the samples of each epoch in the unit of the trace."""
    factor = check_unit(signal, trace)
    if not signal.is_epoched:
        per_epoch = signal.sampling_frequency * EPOCH_DURATION
        if abs(per_epoch - round(per_epoch)) > 1e-6 * per_epoch:
            signal = Resampler({signal.name: round(per_epoch)}).transform_signal(signal)
        signal = Epocher().transform_signal(signal)
    samples = signal.data.astype(np.float32, copy=False)
    return samples if factor == 1 else samples * np.float32(factor)


def _amplitude(samples: SampleArray) -> tuple[float, float]:
    if np.isnan(samples).all():
        return -1.0, 1.0
    low, high = (float(edge) for edge in np.nanpercentile(samples, _MIDDLE))
    # Of constant samples: a line in the middle.
    return (low, high) if low < high else (low - 1, low + 1)


def _write_night(
    images: WaveformImages, night: Night, wanted: IntArray, folder: Path
) -> npt.NDArray[np.object_]:
    """Write the epochs of a night that are not there; return the files of all."""
    epochs, place = np.unique(wanted, return_inverse=True)
    known = (epochs >= 0) & (epochs < night.recording.n_epochs)
    names = _names(images, night, epochs, known)
    missing = np.array([bool(name) and not (folder / name).exists() for name in names])
    todo = np.flatnonzero(missing)
    for start in range(0, len(todo), _ROWS_AT_A_TIME):
        some = todo[start : start + _ROWS_AT_A_TIME]
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


def _write_png(image: ImageArray, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path) as partial:
        # Stronger compression takes twice as long and saves a sixth.
        Image.fromarray(image).save(partial, format="png", compress_level=1)
