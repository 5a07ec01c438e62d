"""Time from the EEG of a night to features, spindles and slow waves, beside YASA.

Both take the same samples, at 100 Hz, of a synthetic night of eight hours, on one core.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Sequence

import mne
import numpy as np
import yasa
from environment import describe_environment, format_table
from heart_rate_variability import measure

from sklearn_sleep import make_cohort
from sklearn_sleep.features import EEGFeatures, detect_slow_waves, detect_spindles
from sklearn_sleep.preprocessing import EDFReader, Resampler

HOURS = 8.0
FREQUENCY = 100


def main(arguments: Sequence[str] | None = None) -> None:
    """Time features and events and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        X = make_cohort(folder, n_subjects=1, hours=HOURS, random_state=0).X
        epochs = EDFReader(["EEG"]).fit_transform(X)
        epochs = Resampler({"EEG": 30 * FREQUENCY}).fit_transform(epochs)
        eeg = epochs.recordings[0].signals["EEG"].data.astype(np.float64)
        info = mne.create_info(["EEG"], FREQUENCY, "eeg", verbose="error")
        raw = mne.io.RawArray(eeg[None] * 1e-6, info, verbose="error")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of YASA, which finds few slow waves
            seconds = measure(
                {
                    "features: YASA": lambda: yasa.SleepStaging(raw, "EEG").get_features(),
                    "features: EEGFeatures": lambda: EEGFeatures(events=False).fit_transform(
                        epochs
                    ),
                    "spindles: YASA": lambda: yasa.spindles_detect(eeg, FREQUENCY),
                    "spindles: detect_spindles": lambda: detect_spindles(eeg, FREQUENCY),
                    "slow waves: YASA": lambda: yasa.sw_detect(eeg, FREQUENCY),
                    "slow waves: detect_slow_waves": lambda: detect_slow_waves(eeg, FREQUENCY),
                },
                options.repetitions,
            )
    rows = [
        [name, f"{1e3 * value:.0f}", f"{seconds[name.partition(':')[0] + ': YASA'] / value:.1f}"]
        for name, value in seconds.items()
    ]
    print(describe_environment(["numpy", "scipy", "mne", "antropy", "yasa"]))
    print(f"Night: {HOURS:g} h, {FREQUENCY} Hz, {len(eeg) // (30 * FREQUENCY)} epochs")
    print(format_table(["task", "median (ms)", "times as fast as YASA"], rows))


if __name__ == "__main__":
    main()
