"""Write what YASA 0.8.1 makes of an EEG of 20 minutes: features, spindles and slow waves."""

import json
from pathlib import Path

import numpy as np

FREQUENCY = 100


def simulate_eeg():
    """Return 20 minutes in uV, and the times of the spindles and of the slow waves in them."""
    rng = np.random.default_rng(0)
    n_samples = 20 * 60 * FREQUENCY
    time = np.arange(n_samples) / FREQUENCY
    frequency = np.fft.rfftfreq(n_samples, 1 / FREQUENCY)
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    spectrum *= np.where(frequency < 0.3, 0.0, 1 / np.maximum(frequency, 0.1) ** 0.8)
    eeg = np.fft.irfft(spectrum, n_samples)
    eeg *= 12 / eeg.std()
    wander = 0.03 * np.cumsum(rng.standard_normal(n_samples))
    eeg += np.where(time < 150, 14 * np.sin(2 * np.pi * 10 * time + wander), 0.0)
    spindles = np.arange(300.0, 1190.0, 10.0) + rng.uniform(0, 5, 89)
    for middle in spindles:
        shape = np.exp(-(((time - middle) / rng.uniform(0.35, 0.6)) ** 2))
        wave = np.sin(2 * np.pi * rng.uniform(12.3, 14.7) * (time - middle))
        eeg += rng.uniform(15, 35) * shape * wave
    slow_waves = np.arange(600.0, 1190.0, 5.0) + rng.uniform(0, 2, 118)
    for start in slow_waves:
        phase = (time - start) / rng.uniform(0.8, 1.3)
        inside = (phase > 0) & (phase < 1)
        eeg -= np.where(inside, rng.uniform(50, 110) * np.sin(2 * np.pi * phase), 0.0)
    return eeg.round(1), spindles, slow_waves


def main() -> None:
    """Ask YASA."""
    import mne
    import yasa

    eeg, _, _ = simulate_eeg()
    info = mne.create_info(["EEG"], FREQUENCY, "eeg", verbose="error")
    raw = mne.io.RawArray(eeg[None] * 1e-6, info, verbose="error")
    features = yasa.SleepStaging(raw, "EEG").get_features()
    names = [n for n in features if n.startswith("eeg_") and not n.endswith("_norm")]
    spindles = yasa.spindles_detect(eeg, FREQUENCY).summary()
    waves = yasa.sw_detect(eeg, FREQUENCY).summary()
    found = {
        "features": {name[4:]: features[name].astype(float).tolist() for name in names},
        "spindles": spindles[["Start", "End"]].round(3).to_numpy().tolist(),
        "slow_waves": waves[["Start", "NegPeak", "End", "PTP"]].round(3).to_numpy().tolist(),
    }
    path = Path(__file__).with_name("yasa_eeg.json")
    path.write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
