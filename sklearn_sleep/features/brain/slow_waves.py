"""Slow waves in an EEG."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.features.samples import band_pass

# Hz, and the widths over which the filter falls (Carrier et al. 2011, Eur J Neurosci 33:758-766).
_BAND, _TRANSITIONS = (0.3, 1.5), (0.2, 0.2)
# uV and s; Massimini et al. 2004, J Neurosci 24:6862-6870, and Carrier et al. 2011, with the
# limits of YASA (Vallat & Walker 2021, eLife 10:e70092).
_TROUGH, _CREST, _HEIGHT = (40.0, 200.0), (10.0, 150.0), (75.0, 350.0)
_NEGATIVE_DURATION, _POSITIVE_DURATION = (0.3, 1.5), (0.1, 1.0)


class SlowWaves(NamedTuple):
    """Slow waves of a night, each (n_waves,).

    `starts` and `stops` are times in s at which the negative half wave begins and the positive one
    ends, `troughs` those of the negative peaks; `heights` are from peak to peak, in uV.
    """

    starts: FloatArray
    stops: FloatArray
    troughs: FloatArray
    heights: FloatArray


def detect_slow_waves(samples: npt.ArrayLike, sampling_frequency: float) -> SlowWaves:
    """Return the slow waves of a finite EEG in uV, (n_samples,), at 10 Hz or more.

    Between 0.3 and 1.5 Hz, a negative half wave of 40 to 200 uV and 0.3 to 1.5 s and the positive
    one after it, of 10 to 150 uV and 0.1 to 1 s, that together are 75 to 350 uV high.

    >>> time = np.arange(0, 60, 0.01)
    >>> waves = detect_slow_waves(60 * np.sin(2 * np.pi * 0.8 * time), 100)
    >>> len(waves.starts), float(waves.heights[20].round())
    (47, 120.0)
    """
    values = np.asarray(samples, dtype=np.float64)
    if len(values) < 2:
        return SlowWaves(*[np.empty(0)] * 4)
    filtered = band_pass(values, sampling_frequency, _BAND, _TRANSITIONS)
    edges = np.flatnonzero(np.diff(np.signbit(filtered))) + 1
    if len(edges) < 4:
        return SlowWaves(*[np.empty(0)] * 4)
    # Half waves lie between edges; waves begin with the negative ones.
    edges = edges[0 if filtered[edges[0]] < 0 else 1 :]
    n_waves = (len(edges) - 1) // 2
    edges = edges[: 2 * n_waves + 1]
    starts, middles, stops = edges[:-1:2], edges[1::2], edges[2::2]
    lowest = np.minimum.reduceat(filtered, edges)[:-1:2]
    highest = np.maximum.reduceat(filtered, edges)[1::2]
    found = np.ones(len(starts), dtype=bool)
    for values_of_wave, (least, most) in (
        (-lowest, _TROUGH),
        (highest, _CREST),
        (highest - lowest, _HEIGHT),
        ((middles - starts) / sampling_frequency, _NEGATIVE_DURATION),
        ((stops - middles) / sampling_frequency, _POSITIVE_DURATION),
    ):
        found &= (least < values_of_wave) & (values_of_wave < most)
    starts, middles, stops = starts[found], middles[found], stops[found]
    troughs = [a + filtered[a:b].argmin() for a, b in zip(starts, middles, strict=True)]
    return SlowWaves(
        starts / sampling_frequency,
        stops / sampling_frequency,
        np.array(troughs, dtype=np.float64) / sampling_frequency,
        (highest - lowest)[found],
    )
