"""Time from the path of an EDF file to the arrays that a network takes.

Three signals (ECG at 125 Hz, THX and ABD at 10 Hz) of an eight-hour night of 14 channels in the
layout of the Sleep Heart Health Study are read, resampled to 1024, 256 and 256 samples per epoch,
z-scored and cut into epochs. The published wav2sleep does the same for comparison, from a checkout
that ``--peer`` names; nothing of it is installed or copied.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import numpy.typing as npt
from environment import describe_environment, format_table
from sklearn.pipeline import make_pipeline

from sklearn_sleep.preprocessing import EDFReader, Epocher, Normalizer, Resampler

SIGNALS = ("ECG", "THX", "ABD")
SAMPLES_PER_EPOCH = {"ECG": 1024, "THX": 256, "ABD": 256}
HOURS = 8
EPOCHS_PER_HOUR = 120
PEER_HOURS = 10
"""To which the published pipeline pads every night before it normalises (its default)."""

LAYOUT = {
    "SaO2": 1,
    "H.R.": 1,
    "EEG(sec)": 125,
    "ECG": 125,
    "EMG": 125,
    "EOG(L)": 50,
    "EOG(R)": 50,
    "EEG": 125,
    "THOR RES": 10,
    "ABDO RES": 10,
    "POSITION": 1,
    "LIGHT": 1,
    "NEW AIR": 10,
    "OX stat": 1,
}
"""Channels of a night of SHHS and their sampling frequencies in Hz; data records last 1 s."""

VOLTAGES = ("EEG(sec)", "ECG", "EMG", "EOG(L)", "EOG(R)", "EEG")
PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "torch", "pyEDFlib", "pyarrow", "numba")

Arrays = dict[str, npt.NDArray[np.float32]]


def write_night(path: Path) -> None:
    """Write an eight-hour night of 14 channels with records of 1 s (37 MB).

    Parameters
    ----------
    path : pathlib.Path
        The EDF file to write.
    """
    random = np.random.default_rng(0)
    signals = []
    for label, rate in LAYOUT.items():
        n_samples = HOURS * 3600 * rate
        # A slow wave under noise: pulse or breath in shape is not what the time depends on.
        wave = np.sin(2 * np.pi * 0.25 * np.arange(n_samples) / rate)
        samples = 0.5 * wave + 0.1 * random.standard_normal(n_samples)
        signals.append(
            edfio.EdfSignal(
                samples.clip(-1.0, 1.0),
                rate,
                label=label,
                physical_dimension="mV" if label in VOLTAGES else "",
                physical_range=(-1.0, 1.0),
            )
        )
    edfio.Edf(signals, data_record_duration=1).write(path)


def read_with_sklearn_sleep(path: Path, *, resampler: Resampler, normalizer: Normalizer) -> Arrays:
    """Run the pipeline of this library from the path to arrays.

    Parameters
    ----------
    path : pathlib.Path
        The EDF file.
    resampler : Resampler
        The second step.
    normalizer : Normalizer
        The third step.

    Returns
    -------
    dict of str to ndarray of float32, shape (n_epochs, samples_per_epoch)
    """
    pipeline = make_pipeline(EDFReader(SIGNALS), resampler, normalizer, Epocher())
    recording = pipeline.fit_transform(path).recordings[0]
    return {name: signal.data for name, signal in recording.signals.items()}


def map_and_cast(path: Path) -> Arrays:
    """Map the file and cast the three channels to float32: less than this no reader can do.

    Parameters
    ----------
    path : pathlib.Path
        The EDF file.

    Returns
    -------
    dict of str to ndarray of float32, shape (n_samples,)
        Stored values, not physical ones.
    """
    header_bytes = 256 * (1 + len(LAYOUT))
    stored = np.memmap(path, dtype="<i2", mode="r", offset=header_bytes)
    records = stored.reshape(-1, sum(LAYOUT.values()))
    first = dict(zip(LAYOUT, np.cumsum([0, *LAYOUT.values()]), strict=False))
    return {
        label: records[:, first[label] : first[label] + LAYOUT[label]].astype(np.float32).ravel()
        for label in ("ECG", "THOR RES", "ABDO RES")
    }


class PublishedPipeline:
    """The preprocessing of the published wav2sleep, from a checkout of its repository.

    Parameters
    ----------
    checkout : pathlib.Path
        Root of the checkout, which holds ``src/wav2sleep``.

    Raises
    ------
    SystemExit
        If the checkout or a package that it needs is missing.
    """

    def __init__(self, checkout: Path) -> None:
        package = checkout / "src" / "wav2sleep"
        if not package.is_dir():
            sys.exit(f"--peer {checkout}: there is no folder {package}; name a wav2sleep checkout.")
        # The package's own __init__ wants hydra and the model; its data modules do not.
        namespace = types.ModuleType("wav2sleep")
        namespace.__path__ = [str(package)]
        sys.modules["wav2sleep"] = namespace
        # pandas 3 hands out arrays that cannot be written to; it does not write to them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        try:
            self._edf: Any = importlib.import_module("wav2sleep.data.edf")
            self._preprocessing: Any = importlib.import_module("wav2sleep.data.preprocessing")
            self._dataset: Any = importlib.import_module("wav2sleep.data.dataset")
        except ModuleNotFoundError as error:
            sys.exit(
                f"--peer {checkout}: it needs {error.name}; pip install pyarrow numba pyedflib"
            )

    def read(self, path: Path) -> Arrays:
        """Read, resample and normalize as its ingest and its dataset do, all in memory.

        Parameters
        ----------
        path : pathlib.Path
            The EDF file.

        Returns
        -------
        dict of str to ndarray of float32, shape (n_epochs, samples_per_epoch)
            Ten hours, zeros before normalization where the night has ended.
        """
        waveforms = self._process(path)
        torch = self._dataset.torch
        tensors = {
            name: torch.from_numpy(waveforms[name].dropna().values).float() for name in SIGNALS
        }
        return _cut(self._dataset.ParquetDataset._zscore_normalize(tensors))

    def read_through_parquet(self, path: Path, folder: Path) -> Arrays:
        """Do the same with the Parquet file between that it uses in fact.

        Parameters
        ----------
        path : pathlib.Path
            The EDF file.
        folder : pathlib.Path
            Where the Parquet file goes.

        Returns
        -------
        dict of str to ndarray of float32, shape (n_epochs, samples_per_epoch)
        """
        parquet = folder / "night.parquet"
        self._process(path).to_parquet(parquet)
        dataset = self._dataset.ParquetDataset(
            [str(parquet)], columns=list(SIGNALS), require_labels=False
        )
        return _cut(dataset[0][0])

    def _process(self, path: Path) -> Any:
        """Return its table of resampled waveforms."""
        table, _ = self._edf.load_edf_data(str(path), list(SIGNALS), raise_on_missing=False)
        return self._preprocessing.process_waveform_dataframe(
            table, list(SIGNALS), max_length_hours=PEER_HOURS
        )


def _cut(tensors: Mapping[str, Any]) -> Arrays:
    """Cut the published pipeline's tensors into epochs."""
    return {
        name: tensor.numpy().reshape(-1, SAMPLES_PER_EPOCH[name])
        for name, tensor in tensors.items()
    }


def measure(ways: Mapping[str, Callable[[], Arrays]], repetitions: int) -> dict[str, list[float]]:
    """Time each way, one after the other in each repetition, after one that does not count.

    Parameters
    ----------
    ways : mapping of str to callable
        What to time, by name.
    repetitions : int
        How often.

    Returns
    -------
    dict of str to list of float, length `repetitions`
        Seconds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repetition in range(repetitions + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            elapsed = time.perf_counter() - start
            if repetition:
                seconds[name].append(elapsed)
    return seconds


def largest_difference(ours: Arrays, peers: Arrays) -> dict[str, float]:
    """Compare normalized signals within the recording.

    Parameters
    ----------
    ours, peers : dict of str to ndarray of float32, shape (n_epochs, samples_per_epoch)
        The peer's go on after the end of the recording.

    Returns
    -------
    dict of str to float
        Largest absolute difference by signal, in standard deviations.
    """
    return {
        name: float(np.abs(array - peers[name][: len(array)]).max()) for name, array in ours.items()
    }


def report(seconds: Mapping[str, Sequence[float]], reference: str | None) -> str:
    """Lay the timings out as a table.

    Parameters
    ----------
    seconds : mapping of str to sequence of float
        Timings by name, in s.
    reference : str or None
        The name whose median the others are compared with.

    Returns
    -------
    str
        Markdown.
    """
    header = ["from path to arrays", "median (ms)", "fastest (ms)"]
    if reference is not None:
        header.append("times as fast as the peer")
    rows = []
    for name, timings in seconds.items():
        median = statistics.median(timings)
        row = [name, f"{1e3 * median:.1f}", f"{1e3 * min(timings):.1f}"]
        if reference is not None:
            row.append(f"{statistics.median(seconds[reference]) / median:.1f}")
        rows.append(row)
    return format_table(header, rows)


def run(folder: Path, peer: Path | None, repetitions: int) -> None:
    """Write the night, time every way and print the results.

    Parameters
    ----------
    folder : pathlib.Path
        For the night and the peer's Parquet file.
    peer : pathlib.Path or None
        Checkout of wav2sleep.
    repetitions : int
        How often each way is timed.
    """
    path = folder / "shhs1-200001.edf"
    write_night(path)
    polyphase, linear = "sklearn_sleep, polyphase (default)", "sklearn_sleep, linear"

    def read_linear() -> Arrays:
        return read_with_sklearn_sleep(
            path,
            resampler=Resampler(method="linear"),
            normalizer=Normalizer(padded_hours=PEER_HOURS),
        )

    ways: dict[str, Callable[[], Arrays]] = {
        "floor: memory map and cast": lambda: map_and_cast(path),
        polyphase: lambda: read_with_sklearn_sleep(
            path, resampler=Resampler(), normalizer=Normalizer()
        ),
        linear: read_linear,
    }
    reference = None
    if peer is not None:
        published = PublishedPipeline(peer)
        reference = "wav2sleep, in memory"
        ways[reference] = lambda: published.read(path)
        ways["wav2sleep, through Parquet"] = lambda: published.read_through_parquet(path, folder)
    print(describe_environment(PACKAGES))
    megabytes = path.stat().st_size / 1e6
    print(f"Night: {HOURS} h, {len(LAYOUT)} channels, {megabytes:.1f} MB, in the page cache")
    print(f"Repetitions: {repetitions}, interleaved\n")
    print(report(measure(ways, repetitions), reference))
    if reference is None:
        print("\nTo compare with the published wav2sleep: --peer PATH_OF_A_CHECKOUT")
        print("(git clone https://github.com/joncarter1/wav2sleep; pip install pyarrow numba)")
        return
    differences = largest_difference(read_linear(), ways[reference]())
    text = ", ".join(f"{name} {value:.1e}" for name, value in differences.items())
    print(f"\nLargest difference of linear from wav2sleep (standard deviations): {text}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peer", type=Path, help="checkout of wav2sleep to compare with")
    parser.add_argument("--repetitions", type=int, default=15, help="timings of each way")
    arguments = parser.parse_args()
    if arguments.repetitions < 1:
        parser.error(f"--repetitions must be 1 or more, got {arguments.repetitions}")
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), arguments.peer, arguments.repetitions)


if __name__ == "__main__":
    main()
