"""What belts and a finger clip record of breath and pulse."""

import numpy as np

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.datasets.recorder import Channel
from sklearn_sleep.simulation.body.night import Body
from sklearn_sleep.simulation.body.processes import add_waves, smooth_noise

# In REM the intercostal muscles lose tone and the thorax moves less than the abdomen (Tabachnik
# 1981, J Appl Physiol 51:557-564).
THORAX_SHARE = (1.02, 1.0, 1.0, 1.02, 0.88)
SETTLING_SECONDS = 20.0
BELT_DRIFT_SECONDS, BELT_DRIFT = 400.0, 0.07  # belts slip, and posture moves the breath
# The pulse peaks 0.1 to 0.2 s after its foot and shows the dicrotic wave some 0.4 s after it
# (Allen 2007, Physiol Meas 28:R1-R39).
SYSTOLIC_RISE = 0.16
DICROTIC_TIME, DICROTIC_WIDTH, DICROTIC_HEIGHT = 0.42, 0.06, 0.25
RESPIRATORY_BASELINE = 0.12


def respiratory_effort(rng: np.random.Generator, body: Body, channel: Channel) -> FloatArray:
    """Return what a belt (THX, ABD) records, (n_samples,); a breath is -1 to 1."""
    timeline, breathing, subject = body.timeline, body.breathing, body.subject
    sampling_frequency = channel.sampling_frequency
    n_samples = round(timeline.duration * sampling_frequency)
    times = np.arange(n_samples) / sampling_frequency
    share = timeline.level(THORAX_SHARE, SETTLING_SECONDS)
    tension = np.exp(timeline.difficulty * BELT_DRIFT * timeline.noise(rng, BELT_DRIFT_SECONDS))
    if channel.signal == "THX":
        effort = subject.thorax_gain * breathing.volume(times)
    else:
        effort = subject.abdomen_gain * breathing.volume(times, subject.abdomen_lag)
        share = 2.0 - share
    effort *= np.interp(times, timeline.times, share * tension)
    # The belt shifts with posture, slowly and with each movement.
    effort += 0.15 * smooth_noise(rng, n_samples, sampling_frequency, 60.0)
    effort += subject.noise_gain * 0.03 * rng.standard_normal(n_samples)
    return effort


def plethysmogram(rng: np.random.Generator, body: Body, channel: Channel) -> FloatArray:
    """Return the pulses, (n_samples,), without a constant part; one is 1 high."""
    pulses, subject, sampling_frequency = body.pulses, body.subject, channel.sampling_frequency
    n_samples = round(body.timeline.duration * sampling_frequency)
    signal = np.zeros(n_samples)
    sizes = pulses.sizes
    stretch = np.sqrt(np.clip(np.diff(pulses.onsets, append=pulses.onsets[-1] + 1.0), 0.5, 1.5))

    def pulse(lag: FloatArray, events: slice) -> FloatArray:
        rise = np.maximum(lag, 0.0) / SYSTOLIC_RISE
        systolic = rise**2 * np.exp(2.0 * (1.0 - rise))
        late = (lag - DICROTIC_TIME * stretch[events, None]) / DICROTIC_WIDTH
        return sizes[events, None] * (systolic + DICROTIC_HEIGHT * np.exp(-0.5 * late**2))

    add_waves(signal, sampling_frequency, pulses.onsets, (0.0, 1.2), pulse)
    times = np.arange(n_samples) / sampling_frequency
    signal -= 0.4 * np.interp(times, pulses.onsets, sizes)
    signal += RESPIRATORY_BASELINE * body.breathing.volume_at(sampling_frequency, n_samples)
    signal += subject.noise_gain * 0.10 * smooth_noise(rng, n_samples, sampling_frequency, 3.0)
    signal += subject.noise_gain * 0.02 * rng.standard_normal(n_samples)
    return subject.pulse_gain * signal
