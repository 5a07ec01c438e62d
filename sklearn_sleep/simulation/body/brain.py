"""Brain and eye activity of a night: rhythms, spindles, K-complexes, eye movements, blinks."""

from dataclasses import dataclass

import numpy as np
from scipy import signal as scipy_signal

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.simulation.body.processes import add_gaussian_waves, add_waves, band_noise
from sklearn_sleep.simulation.body.timeline import TIMELINE_FREQUENCY, Timeline

BRAIN_FREQUENCY = 64
"""Rate in Hz at which the sources are made. They end at 16 Hz, and all channels of a night, of
whatever rate, are mixtures of the same sources."""

# Bands, K-complexes, spindles and the 75 uV of slow waves: AASM manual. By stage, W N1 N2 N3 R, in
# uV rms at C4-M1.
RHYTHMS: dict[str, tuple[tuple[float, float], tuple[float, ...]]] = {
    "delta": ((0.5, 2.0), (4.0, 5.5, 10.0, 31.0, 5.0)),
    "theta": ((4.0, 7.5), (3.5, 8.0, 6.5, 6.0, 7.5)),
    "alpha": ((8.5, 11.5), (13.0, 4.5, 2.5, 1.5, 3.5)),
}
RHYTHM_DRIFT_SECONDS, RHYTHM_DRIFT = 90.0, 0.22
WAXING_SECONDS, WAXING = 4.0, 0.25
SETTLING_SECONDS = 6.0
# Some 2 to 5 spindles of 0.5 to 2 s a minute of N2, fewer in N3 (De Gennaro & Ferrara 2003, Sleep
# Med Rev 7:423-440).
SPINDLES_PER_MINUTE = (0.0, 0.2, 4.0, 1.5, 0.0)
SPINDLE_FREQUENCIES, SPINDLE_WIDTHS = (12.2, 14.4), (0.2, 0.4)
SPINDLE_AMPLITUDE = 24.0
K_COMPLEXES_PER_MINUTE = (0.0, 0.0, 1.6, 0.4, 0.0)
K_COMPLEX_AMPLITUDE = 85.0
# Eye movements: blinks and saccades in wake, slow rolling movements in N1, bursts of rapid eye
# movements in REM (Aserinsky & Kleitman 1953, Science 118:273-274).
SACCADES_PER_MINUTE = (16.0, 1.0, 0.0, 0.0, 9.0)
BLINKS_PER_MINUTE = (9.0, 0.5, 0.0, 0.0, 0.0)
SLOW_EYE_MOVEMENTS = (12.0, 45.0, 4.0, 2.0, 5.0)  # uV rms
SLOW_EYE_MOVEMENT_BAND = (0.2, 0.5)
SACCADE_AMPLITUDE, BLINK_AMPLITUDE, BLINK_WIDTH = 85.0, 140.0, 0.07
SACCADE_SECONDS, COUPLING_SECONDS = 0.025, 1.2  # rise; decay through the recorder's high pass


@dataclass(frozen=True)
class BrainActivity:
    """Sources at ``BRAIN_FREQUENCY``, (n_samples,), in uV.

    Rhythms, spindles and K-complexes are as they appear at C4-M1, eye movements as at the left eye;
    the right eye has them inverted.
    """

    delta: FloatArray
    theta: FloatArray
    alpha: FloatArray
    spindles: FloatArray
    k_complexes: FloatArray
    eye_movements: FloatArray

    def mix(self, sampling_frequency: float, **gains: float) -> FloatArray:
        """Return sources, each by its factor, at a rate in Hz, (n_samples,), in uV."""
        mixture = np.zeros(len(self.delta))
        for name, gain in gains.items():
            mixture += gain * getattr(self, name)
        return scipy_signal.resample_poly(mixture, round(sampling_frequency), BRAIN_FREQUENCY)


def simulate_brain(rng: np.random.Generator, timeline: Timeline) -> BrainActivity:
    """Draw brain and eye activity."""
    subject = timeline.subject
    n_samples = round(timeline.duration * BRAIN_FREQUENCY)
    arousal = np.minimum(timeline.surge(0.5, 3.0), 1.5)
    rhythm_gains = {"delta": subject.delta_gain, "theta": 1.0, "alpha": subject.alpha_gain}
    rhythms = {}
    for name, (band, by_stage) in RHYTHMS.items():
        amplitude = np.exp(
            timeline.level(np.log(by_stage), SETTLING_SECONDS)
            + timeline.difficulty * RHYTHM_DRIFT * timeline.noise(rng, RHYTHM_DRIFT_SECONDS)
            + WAXING * timeline.noise(rng, WAXING_SECONDS)
        )
        if name == "alpha":
            amplitude += 5.0 * arousal
        source = band_noise(rng, n_samples, BRAIN_FREQUENCY, band)
        rhythms[name] = rhythm_gains[name] * _on_brain_grid(amplitude, n_samples) * source
    return BrainActivity(
        **rhythms,
        spindles=_spindles(rng, timeline, n_samples),
        k_complexes=_k_complexes(rng, timeline, n_samples),
        eye_movements=_eye_movements(rng, timeline, n_samples),
    )


def _on_brain_grid(track: FloatArray, n_samples: int) -> FloatArray:
    grid = np.arange(n_samples) * (TIMELINE_FREQUENCY / BRAIN_FREQUENCY)
    return np.interp(grid, np.arange(len(track)), track)


def _event_times(
    rng: np.random.Generator,
    timeline: Timeline,
    per_minute: tuple[float, ...],
    burstiness: float = 0.0,
) -> FloatArray:
    """Poisson events; with `burstiness`, the rate itself fluctuates over some seconds."""
    rate = np.array(per_minute)[timeline.stage_track] / 60.0 / TIMELINE_FREQUENCY
    if burstiness:
        rate = rate * np.exp(burstiness * timeline.noise(rng, 6.0) - 0.5 * burstiness**2)
    times = np.flatnonzero(rng.random(len(rate)) < rate) / TIMELINE_FREQUENCY
    return times + rng.uniform(0.0, 1.0 / TIMELINE_FREQUENCY, len(times))


def _spindles(rng: np.random.Generator, timeline: Timeline, n_samples: int) -> FloatArray:
    times = _event_times(rng, timeline, SPINDLES_PER_MINUTE)
    frequencies = rng.uniform(*SPINDLE_FREQUENCIES, (len(times), 1))
    widths = rng.uniform(*SPINDLE_WIDTHS, (len(times), 1))
    height = timeline.subject.spindle_gain * SPINDLE_AMPLITUDE
    heights = height * np.exp(0.25 * rng.standard_normal((len(times), 1)))

    def spindle(lag: FloatArray, events: slice) -> FloatArray:
        envelope = heights[events] * np.exp(-0.5 * (lag / widths[events]) ** 2)
        return envelope * np.cos(2.0 * np.pi * frequencies[events] * lag)

    spindles = np.zeros(n_samples)
    add_waves(spindles, BRAIN_FREQUENCY, times, (-1.6, 1.6), spindle)
    return spindles


def _k_complexes(rng: np.random.Generator, timeline: Timeline, n_samples: int) -> FloatArray:
    times = _event_times(rng, timeline, K_COMPLEXES_PER_MINUTE)
    height = timeline.subject.delta_gain * K_COMPLEX_AMPLITUDE
    heights = height * np.exp(0.25 * rng.standard_normal(len(times)))
    k_complexes = np.zeros(n_samples)
    # A sharp negative wave, at once followed by a slower positive one (AASM manual).
    add_gaussian_waves(k_complexes, BRAIN_FREQUENCY, times, 0.09, -heights)
    add_gaussian_waves(k_complexes, BRAIN_FREQUENCY, times + 0.35, 0.16, 0.7 * heights)
    return k_complexes


def _eye_movements(rng: np.random.Generator, timeline: Timeline, n_samples: int) -> FloatArray:
    slow = _on_brain_grid(timeline.level(SLOW_EYE_MOVEMENTS, SETTLING_SECONDS), n_samples)
    movements = slow * band_noise(rng, n_samples, BRAIN_FREQUENCY, SLOW_EYE_MOVEMENT_BAND)
    times = _event_times(rng, timeline, SACCADES_PER_MINUTE, burstiness=1.0)
    jumps = np.zeros(n_samples)
    sizes = (
        SACCADE_AMPLITUDE * rng.choice([-1.0, 1.0], len(times)) * rng.uniform(0.4, 1.6, len(times))
    )
    np.add.at(jumps, np.minimum((times * BRAIN_FREQUENCY).astype(np.int64), n_samples - 1), sizes)
    for seconds, high_pass in ((SACCADE_SECONDS, False), (COUPLING_SECONDS, True)):
        memory = np.exp(-1.0 / (BRAIN_FREQUENCY * seconds))
        numerator = [1.0] if high_pass else [1.0 - memory]
        jumps = scipy_signal.lfilter(numerator, [1.0, -memory], jumps)
    blinks = _event_times(rng, timeline, BLINKS_PER_MINUTE)
    heights = BLINK_AMPLITUDE * rng.uniform(0.6, 1.4, len(blinks))
    movements += jumps
    add_gaussian_waves(movements, BRAIN_FREQUENCY, blinks, BLINK_WIDTH, heights)
    return movements
