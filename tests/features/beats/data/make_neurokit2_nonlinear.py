"""Write neurokit2 0.2.13's sample entropy and scaling exponents of R-R intervals."""

import json
from pathlib import Path

import numpy as np


def main() -> None:
    """Make intervals of three kinds and ask neurokit2."""
    import neurokit2

    rng = np.random.default_rng(0)
    steps = rng.standard_normal((3, 300))
    kinds = {
        "white": 0.9 + 0.05 * steps[0],
        "walk": 0.9 + 0.005 * np.cumsum(steps[1]),
        "sine": 0.9 + 0.05 * np.sin(np.arange(300) * 1.1) + 0.01 * steps[2],
    }
    boxes = {"DFA_alpha1": range(4, 17), "DFA_alpha2": (16, 20, 24, 28, 32, 40, 48, 56, 64)}
    cases = {}
    for kind, intervals in kinds.items():
        values = np.round(intervals, 6)
        tolerance = 0.2 * values.std(ddof=1)
        entropy, _ = neurokit2.entropy_sample(values, delay=1, dimension=2, tolerance=tolerance)
        exponents = {
            name: neurokit2.fractal_dfa(values, scale=np.array(scale), overlap=False)[0]
            for name, scale in boxes.items()
        }
        cases[kind] = {"intervals": values.tolist(), "SampEn": entropy, **exponents}
    Path(__file__).with_name("neurokit2_nonlinear.json").write_text(json.dumps(cases))


if __name__ == "__main__":
    main()
