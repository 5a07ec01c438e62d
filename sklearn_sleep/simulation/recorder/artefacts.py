"""What goes wrong in a recording: movements, electrode pops, saturation, dropouts, mains hum."""

from dataclasses import dataclass

import numpy as np
from scipy import signal as scipy_signal

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.datasets.recorder import Channel, Site
from sklearn_sleep.simulation.body.processes import smooth_noise
from sklearn_sleep.simulation.body.subject import Subject
from sklearn_sleep.simulation.body.timeline import Timeline

# Rms of movement artefacts: in uV, or in the units in which a breath or pulse is about 1.
MOVEMENT_AMPLITUDE = {"ECG": 180.0, "PPG": 0.8, "THX": 0.8, "ABD": 0.8, "EMG": 30.0}
SCALP_MOVEMENT_AMPLITUDE = 60.0
MOVEMENT_CORRELATION_SECONDS = 0.08
POPS_PER_HOUR, POP_AMPLITUDE, POP_SECONDS = 1.0, (200.0, 600.0), 0.8
SATURATIONS_PER_HOUR, SATURATION_SECONDS, SATURATION_GAIN = 0.25, (5.0, 30.0), 12.0
DROPOUTS_PER_HOUR, DROPOUT_MEDIAN_SECONDS, DROPOUT_SPREAD = 0.35, 30.0, 1.0


@dataclass(frozen=True)
class Artefact:
    """A stretch of a channel, start to stop in s, that does not show what it should.

    Kinds are movement, electrode pop, saturation and dropout.
    """

    label: str
    kind: str
    start: float
    stop: float


def add_mains_hum(
    rng: np.random.Generator, signal: FloatArray, channel: Channel, site: Site, subject: Subject
) -> None:
    """Add mains hum to a signal in uV, (n_samples,), in place; anti-aliasing may remove it."""
    if not channel.unit or channel.sampling_frequency <= 2.0 * site.mains_frequency:
        return
    amplitude = site.mains_amplitude * subject.noise_gain * rng.uniform(0.2, 1.0)
    cycles = np.arange(len(signal)) * (site.mains_frequency / channel.sampling_frequency)
    signal += amplitude * np.sin(2.0 * np.pi * (cycles + rng.random()))


def add_artefacts(
    rng: np.random.Generator, signal: FloatArray, channel: Channel, timeline: Timeline
) -> list[Artefact]:
    """Spoil a signal, (n_samples,), in places, in place; difficulty is a factor on that."""
    difficulty = timeline.difficulty
    if difficulty == 0.0:
        return []
    frequency, label = channel.sampling_frequency, channel.label
    amplitude = MOVEMENT_AMPLITUDE.get(channel.signal, SCALP_MOVEMENT_AMPLITUDE)
    artefacts = []
    for start, stop in timeline.movements.tolist():
        _move(rng, signal[_samples(start, stop, frequency)], frequency, difficulty * amplitude)
        artefacts.append(Artefact(label, "movement", start, stop))

    per_hour = difficulty * timeline.subject.noise_gain
    if channel.unit and channel.signal != "EMG":
        for start in _times(rng, per_hour * POPS_PER_HOUR, timeline):
            _pop(rng, signal, frequency, start)
            artefacts.append(Artefact(label, "electrode pop", start, start + 5.0 * POP_SECONDS))
    for start in _times(rng, per_hour * SATURATIONS_PER_HOUR, timeline):
        stop = min(start + rng.uniform(*SATURATION_SECONDS), timeline.duration)
        signal[_samples(start, stop, frequency)] *= SATURATION_GAIN
        artefacts.append(Artefact(label, "saturation", start, stop))
    for start in _times(rng, per_hour * DROPOUTS_PER_HOUR, timeline):
        length = DROPOUT_MEDIAN_SECONDS * np.exp(DROPOUT_SPREAD * rng.standard_normal())
        stop = float(min(start + length, timeline.duration))
        signal[_samples(start, stop, frequency)] = 0.0
        artefacts.append(Artefact(label, "dropout", start, stop))
    return artefacts


def _times(rng: np.random.Generator, per_hour: float, timeline: Timeline) -> list[float]:
    number = rng.poisson(per_hour * timeline.duration / 3600.0)
    return sorted(rng.uniform(0.0, timeline.duration, number).tolist())


def _samples(start: float, stop: float, sampling_frequency: float) -> slice:
    return slice(int(start * sampling_frequency), int(stop * sampling_frequency) + 1)


def _move(
    rng: np.random.Generator, signal: FloatArray, sampling_frequency: float, amplitude: float
) -> None:
    """Add the noise of one movement, which swells and dies away within it."""
    noise = smooth_noise(rng, len(signal), sampling_frequency, MOVEMENT_CORRELATION_SECONDS)
    signal += amplitude * np.sqrt(scipy_signal.windows.tukey(len(signal), 0.3)) * noise


def _pop(
    rng: np.random.Generator, signal: FloatArray, sampling_frequency: float, start: float
) -> None:
    """Let an electrode lose contact: a jump that decays through the recorder's high pass."""
    where = _samples(start, start + 5.0 * POP_SECONDS, sampling_frequency)
    length = len(signal[where])
    jump = rng.choice([-1.0, 1.0]) * rng.uniform(*POP_AMPLITUDE)
    signal[where] += jump * np.exp(-np.arange(length) / sampling_frequency / POP_SECONDS)
