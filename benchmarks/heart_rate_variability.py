"""Time from the ECG of a night to its heart rate variability, beside sleepecg.

Both take the same samples, and then the same beats, of a synthetic night of eight hours.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import sleepecg
from environment import describe_environment, format_table

from sklearn_sleep import make_cohort
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.features import HeartbeatDetector, Heartbeats, HRVFeatures
from sklearn_sleep.preprocessing import EDFReader

HOURS = 8.0
BACK, AHEAD = 240, 60


def of_sleepecg(beats: npt.NDArray[np.float64], n_epochs: int) -> None:
    """Compute sleepecg's features of the time and the frequency domain."""
    record = sleepecg.SleepRecord(
        sleep_stage_duration=round(EPOCH_DURATION),
        heartbeat_times=beats,
        sleep_stages=np.zeros(n_epochs, dtype=int),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of windows with too few beats, which give NaN
        sleepecg.extract_features(
            [record],
            lookback=BACK,
            lookforward=AHEAD,
            feature_selection=["hrv-time", "hrv-frequency"],
        )


def of_sklearn_sleep(beats: npt.NDArray[np.float64], n_epochs: int, *groups: str) -> None:
    """Compute our features of these groups."""
    heartbeats = Heartbeats(beats, np.zeros(len(beats), dtype=bool), beats)
    HRVFeatures([(BACK, AHEAD)], groups=groups).of_beats(heartbeats, np.arange(n_epochs))


def measure(tasks: dict[str, Callable[[], Any]], repetitions: int) -> dict[str, float]:
    """Return the median of the seconds of each task, all in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repetitions):
        for name, task in tasks.items():
            started = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - started)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Time detection and features and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=9)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        cohort = make_cohort(folder, n_subjects=1, hours=HOURS, random_state=0)
        epochs = EDFReader(["ECG"]).fit_transform(cohort.X)
        recording = epochs.recordings[0]
        signal = recording.signals["ECG"]
        samples = signal.data.astype(np.float64)
    frequency, n_epochs = signal.sampling_frequency, recording.n_epochs
    beats = sleepecg.detect_heartbeats(samples, frequency) / frequency
    offset = itertools.count()
    # Other samples each time, since the beats of the same ones are remembered.
    in_memory = Signal(
        signal.definition,
        lambda: samples + next(offset),
        frequency,
        signal.unit,
        n_epochs=n_epochs,
    )
    seconds = measure(
        {
            "beats: sleepecg": lambda: sleepecg.detect_heartbeats(samples, frequency),
            "beats: not corrected": lambda: HeartbeatDetector(correct=False).detect(in_memory),
            "beats: corrected": lambda: HeartbeatDetector().detect(in_memory),
            "features: sleepecg": lambda: of_sleepecg(beats, n_epochs),
            "features: the same": lambda: of_sklearn_sleep(beats, n_epochs, "time", "frequency"),
            "features: and nonlinear": lambda: of_sklearn_sleep(
                beats, n_epochs, "time", "frequency", "nonlinear"
            ),
        },
        options.repetitions,
    )
    rows = [
        [
            name,
            f"{1e3 * value:.1f}",
            f"{seconds[name.partition(':')[0] + ': sleepecg'] / value:.1f}",
        ]
        for name, value in seconds.items()
    ]
    print(describe_environment(["numpy", "scipy", "pandas", "sleepecg"]))
    print(f"Night: {HOURS:g} h, {frequency:g} Hz, {len(beats)} beats")
    print(format_table(["task", "median (ms)", "times as fast as sleepecg"], rows))


if __name__ == "__main__":
    main()
