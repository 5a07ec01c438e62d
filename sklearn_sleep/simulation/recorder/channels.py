"""What is recorded of a synthetic night, channel by channel, and what is known of it."""

from collections.abc import Callable, Mapping
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.datasets.recorder import Channel, Site
from sklearn_sleep.simulation.body.night import Body
from sklearn_sleep.simulation.recorder.artefacts import Artefact, add_artefacts, add_mains_hum
from sklearn_sleep.simulation.recorder.belts_and_finger import plethysmogram, respiratory_effort
from sklearn_sleep.simulation.recorder.electrodes import (
    common_reference,
    electrocardiogram,
    electroencephalogram,
    electromyogram,
    electrooculogram,
)

# The share of the upper half of a channel's physical range that a breath or a pulse takes.
ARBITRARY_SCALE = {"THX": 0.3, "ABD": 0.3, "PPG": 0.4, "OTHER": 1.0}
DIGITAL_MINIMUM, DIGITAL_MAXIMUM = -32768, 32767  # EDF samples are 16-bit (Kemp 1992)


def _nothing(rng: np.random.Generator, body: Body, channel: Channel) -> FloatArray:
    return np.zeros(round(body.timeline.duration * channel.sampling_frequency))


def _noise(rng: np.random.Generator, body: Body, channel: Channel) -> FloatArray:
    return 0.1 * rng.standard_normal(len(_nothing(rng, body, channel)))


# What an ideal recorder would show, (n_samples,), in uV or arbitrary units; all others are EEG.
_SENSORS: Mapping[str, Callable[[np.random.Generator, Body, Channel], FloatArray]] = {
    "ECG": electrocardiogram,
    "PPG": plethysmogram,
    "THX": respiratory_effort,
    "ABD": respiratory_effort,
    "EOG-L": electrooculogram,
    "EOG-R": electrooculogram,
    "EMG": electromyogram,
    "REFERENCE": _nothing,
    "OTHER": _noise,
}


def record_channel(
    seed: np.random.SeedSequence, body: Body, channel: Channel, site: Site
) -> tuple[npt.NDArray[np.int16], list[Artefact]]:
    """Return one channel, (n_samples,), as EDF stores it, and its artefacts.

    The seed is the channel's own; a referential electrode takes what it shares with the others from
    the seed's parent.
    """
    rng = np.random.default_rng(seed)
    signal = _SENSORS.get(channel.signal, electroencephalogram)(rng, body, channel)
    if channel.referential:
        parent = np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key[:-1])
        signal += common_reference(np.random.default_rng(parent), body, channel)
    add_mains_hum(rng, signal, channel, site, body.subject)
    if channel.signal == "OTHER":
        return _digitize(signal, channel), []
    artefacts = add_artefacts(rng, signal, channel, body.timeline)
    return _digitize(signal, channel), artefacts


def _digitize(signal: FloatArray, channel: Channel) -> npt.NDArray[np.int16]:
    minimum, maximum = channel.physical_range
    if channel.signal in ARBITRARY_SCALE:
        half_range = 0.5 * abs(maximum - minimum)
        gain, centre = ARBITRARY_SCALE[channel.signal] * half_range, 0.5 * (minimum + maximum)
    else:
        gain, centre = 1.0 / channel.microvolts_per_unit, 0.0
    levels = (DIGITAL_MAXIMUM - DIGITAL_MINIMUM) / (maximum - minimum)
    digital = (channel.polarity * gain * levels) * signal
    digital += (centre - minimum) * levels + DIGITAL_MINIMUM
    np.rint(digital, out=digital)
    np.clip(digital, DIGITAL_MINIMUM, DIGITAL_MAXIMUM, out=digital)
    return digital.astype(np.int16)


def truth_arrays(
    body: Body, site: Site, artefacts: list[Artefact]
) -> dict[str, npt.NDArray[np.generic]]:
    """Return what is known of a night as `make_cohort` describes it, in arrays without pickle."""
    breathing, timeline = body.breathing, body.timeline
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "stages": body.scored_stages,
        "physiological_stages": body.stages,
        "r_peaks": body.heartbeats.times,
        "ectopic": body.heartbeats.ectopic,
        "breath_onsets": breathing.onsets,
        "respiratory_rate": breathing.rate.reshape(timeline.n_epochs, -1).mean(axis=1),
        "respiratory_pauses": timeline.pauses,
        "arousals": timeline.arousals,
        "artefact_label": np.array([artefact.label for artefact in artefacts], dtype="U16"),
        "artefact_kind": np.array([artefact.kind for artefact in artefacts], dtype="U16"),
        "artefact_start": np.array([artefact.start for artefact in artefacts], dtype=np.float64),
        "artefact_stop": np.array([artefact.stop for artefact in artefacts], dtype=np.float64),
    }
    if any(channel.signal == "PPG" for channel in site.channels):
        arrays["pulse_onsets"] = body.pulses.onsets
    for field in fields(body.subject):
        arrays[f"subject_{field.name}"] = np.asarray(getattr(body.subject, field.name))
    return arrays
