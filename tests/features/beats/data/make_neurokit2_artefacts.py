"""Write what neurokit2 0.2.13 finds in disturbed heartbeats; it needs pandas 2."""

from pathlib import Path

import numpy as np


def main() -> None:
    """Disturb a rhythm in four ways and ask neurokit2."""
    import neurokit2

    rng = np.random.default_rng(0)
    time, beats = 0.0, []
    while len(beats) < 3000:
        beats.append(time)
        time += 0.9 + 0.05 * np.sin(2 * np.pi * 0.25 * time) + 0.02 * rng.standard_normal()
    beats = np.array(beats)
    disturbed = rng.permutation(np.arange(30, 2970, 20))
    missed, extra, moved, early = np.split(disturbed[:120], 4)
    interval = np.diff(beats)
    beats[moved] += rng.choice([-0.3, 0.3], 30) * interval[moved]
    beats[early] -= 0.35 * interval[early]
    added = beats[extra] + 0.5 * interval[extra]
    beats = np.sort(np.concatenate([np.delete(beats, missed), added]))
    milliseconds = np.round(1000 * beats).astype(np.int64)
    artefacts, corrected = neurokit2.signal_fixpeaks(
        milliseconds, sampling_rate=1000, method="Kubios", iterative=False
    )
    np.savez_compressed(
        Path(__file__).with_name("neurokit2_artefacts.npz"),
        beats=milliseconds,
        ectopic=artefacts["ectopic"],
        extra=artefacts["extra"],
        missed=artefacts["missed"],
        misplaced=artefacts["longshort"],
        corrected=corrected,
    )


if __name__ == "__main__":
    main()
