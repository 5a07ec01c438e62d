"""SignalAssessment: what is wrong with one signal of one night, measured epoch by epoch."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy import fft

from sklearn_sleep.core.arrays import BoolArray
from sklearn_sleep.core.signals import EPOCH_DURATION, SIGNALS, Interval, QualityRules
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.core.units import conversion_factor
from sklearn_sleep.features.beats.heartbeats import HeartbeatDetector
from sklearn_sleep.features.beats.signal_quality import signal_quality
from sklearn_sleep.features.samples import bridge_gaps
from sklearn_sleep.preprocessing.epocher import split_epochs
from sklearn_sleep.preprocessing.resampler import resample_polyphase

FloatArray = npt.NDArray[np.floating]

EPOCH_FAULTS = ("flat", "clipped", "noisy")
"""What can be wrong with an epoch."""
NIGHT_FAULTS = ("inverted", "wrong unit")
"""What can be wrong with a whole night."""

_HALF = 0.5
_FLAT_STANDARD_DEVIATION = 1e-3  # of a range from -1 to 1, as the published wav2sleep drops PPG
# Of samples that stay at a limit, as slow waves do, and of those that touch it, as noise does.
_CLIPPED_SHARE, _AT_LIMIT_SHARE = 0.02, 0.05
_EPOCHS_AT_A_TIME, _EPOCHS_OF_BEATS = 60, 240
# Equal samples in a row that are no chance: a second, and at low rates five of them.
_RUN_SECONDS, _RUN_SAMPLES = 1.0, 5
_CLIPPED_RUN = 3
# Samples at a limit for each in the hundredth of the range below it: a sine of 256 levels that just
# reaches its limits has 1.3, noise that a limit cuts 1% off has 8.
_NEAR_LIMIT, _PILE = 0.01, 3.0
# Deflections to the wrong side that are larger by this factor turn the signal.
_TURNED_FACTOR = 1.5
_EXTREME = (0.5, 99.5)  # percentiles that a few wild samples do not move


@dataclass(frozen=True)
class SignalAssessment:
    """What is wrong with one signal of one night, as `SignalQuality` explains.

    Arrays are of shape (n_epochs,); `missing` is where more than half of an epoch is not there.
    """

    name: str
    missing: BoolArray
    flat: BoolArray
    clipped: BoolArray
    noisy: BoolArray
    inverted: bool
    wrong_unit: bool

    def unusable(self, faults: Sequence[str]) -> BoolArray:
        """Return which epochs, (n_epochs,), are there and have any of some faults."""
        unusable = np.zeros_like(self.missing)
        for fault in EPOCH_FAULTS:
            if fault in faults:
                unusable |= getattr(self, fault)
        if ("inverted" in faults and self.inverted) or ("wrong unit" in faults and self.wrong_unit):
            unusable[:] = True
        return unusable & ~self.missing

    def share_unusable(self, faults: Sequence[str]) -> float:
        """Return the share of unusable epochs among those that are there; 0 if none is."""
        return self.share(self.unusable(faults))

    def share(self, epochs: BoolArray) -> float:
        """Return the share of some of the epochs, (n_epochs,), among those that are there."""
        return float(epochs.sum() / max((~self.missing).sum(), 1))

    def describe(self, faults: Sequence[str]) -> str:
        """Return in words which of some faults there are."""
        told = [
            f"{fault} in {self.share(getattr(self, fault)):.0%} of its epochs"
            for fault in EPOCH_FAULTS
            if fault in faults and getattr(self, fault).any()
        ]
        if "inverted" in faults and self.inverted:
            told.append("upside down")
        if "wrong unit" in faults and self.wrong_unit:
            told.append("of an amplitude that suggests a wrong unit")
        return " and ".join(told)


def assess_signal(signal: Signal, samples: FloatArray | None = None) -> SignalAssessment:
    """Look for what is wrong with a signal as it was read; `samples` are its data if at hand."""
    if samples is None:
        samples = signal.data
    rules = signal.definition.quality_rules
    per_epoch = max(round(signal.sampling_frequency * EPOCH_DURATION), 1)
    epochs = split_epochs(samples, signal.n_epochs, per_epoch)
    measured = _measure(signal, rules, epochs)
    missing = measured["missing"] > _HALF
    flat = measured["constant"] > rules.flat_share
    if not signal.unit and rules.flat_share < 1:
        # NaN has no standard deviation, and is not below.
        flat |= measured["standard deviation"] < _FLAT_STANDARD_DEVIATION
    flat &= ~missing
    clipped = measured["clipped"] > _CLIPPED_SHARE
    clipped |= measured["at limit"] > _AT_LIMIT_SHARE
    clipped &= rules.clips & ~flat & ~missing
    noisy = measured["beyond"] > _HALF
    if rules.beats is not None and signal.sampling_frequency >= rules.least_frequency:
        alike = _likeness_of_beats(signal, rules, epochs)
        noisy |= np.nan_to_num(alike, nan=1.0) < rules.least_likeness
    else:
        noisy |= np.nan_to_num(measured["band"], nan=1.0) < _HALF
    noisy &= ~flat & ~missing
    sound = ~(missing | flat | clipped | noisy)
    turned = measured["turned"][sound & np.isfinite(measured["turned"])]
    return SignalAssessment(
        signal.name,
        missing,
        flat,
        clipped,
        noisy,
        bool(len(turned) and turned.mean() > _HALF),
        any(
            _is_outside(measured[name][~(missing | flat)], expected)
            for name, expected in (("range", rules.amplitude), ("level", rules.values))
        ),
    )


def _measure(
    signal: Signal, rules: QualityRules, epochs: FloatArray
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the measures of each epoch, from a few of them at a time: nights are long."""
    frequency = signal.sampling_frequency
    # NaN where a measure does not apply.
    measured: dict[str, npt.NDArray[np.float64]]
    measured = defaultdict(lambda: np.full(len(epochs), np.nan))
    lowest, highest = _extremes(epochs)
    limits = cutting_limits(epochs, lowest, highest)
    band = _band(signal, rules)
    # To the unit of the rules, whatever the reader was told to convert to.
    factor = conversion_factor(signal.unit, signal.definition.unit or "")
    for start in range(0, len(epochs), _EPOCHS_AT_A_TIME):
        here = slice(start, start + _EPOCHS_AT_A_TIME)
        some = epochs[here]
        measured["missing"][here] = np.isnan(some).mean(axis=1)
        measured["constant"][here] = _constant_share(some, frequency)
        measured["standard deviation"][here] = some.std(axis=1)
        measured["clipped"][here] = _clipped_share(some, lowest, highest)
        measured["at limit"][here] = share_at(some, limits)
        if band is not None:
            measured["band"][here] = _band_power_share(some, frequency, band)
        if factor is not None and rules.amplitude is not None:
            measured["range"][here] = factor * _epoch_range(some)
        if factor is not None and rules.values is not None:
            low, high = rules.values
            measured["beyond"][here] = ((factor * some < low) | (factor * some > high)).mean(axis=1)
            measured["level"][here] = factor * np.median(some, axis=1)
        if rules.beats == "ECG":  # whose R waves go up
            measured["turned"][here] = _is_turned(some)
        elif rules.beats == "PPG":  # whose upstrokes are its steepest part
            measured["turned"][here] = _is_turned(np.diff(some, axis=1))
    return measured


def _extremes(epochs: FloatArray) -> tuple[float, float]:
    if not epochs.size or np.isnan(epochs).all():
        return np.nan, np.nan
    return float(np.nanmin(epochs)), float(np.nanmax(epochs))


def _band(signal: Signal, rules: QualityRules) -> Interval | None:
    """Return where a signal should have most of its power, if that can be told from noise."""
    has_its_unit = bool(signal.unit) or signal.definition.unit is None
    return (
        rules.band if has_its_unit and signal.sampling_frequency > rules.least_frequency else None
    )


def _likeness_of_beats(
    signal: Signal, rules: QualityRules, epochs: FloatArray
) -> npt.NDArray[np.float64]:
    """Return the index of each epoch, from some hours at a time: detectors copy what they get."""
    likeness = np.full(len(epochs), np.nan)
    definition = SIGNALS[rules.beats or signal.name]
    detector = HeartbeatDetector((definition.name,), correct=False)
    enough = rules.enough_frequency or signal.sampling_frequency
    for start in range(0, len(epochs), _EPOCHS_OF_BEATS):
        some = epochs[start : start + _EPOCHS_OF_BEATS]
        samples, frequency = some.ravel(), signal.sampling_frequency
        n_epochs = len(some)
        if frequency > enough:
            per_epoch = round(enough * EPOCH_DURATION)
            samples = resample_polyphase(samples, frequency, per_epoch, n_epochs)
            frequency = enough
        part = Signal(definition, partial(np.asarray, samples), frequency, "", n_epochs=n_epochs)
        beats = detector.detect(part).detected
        likeness[start : start + n_epochs] = signal_quality(
            samples, frequency, beats, n_epochs=n_epochs
        )
    return likeness


def _is_outside(measured: npt.NDArray[np.float64], expected: Interval | None) -> bool:
    """Return whether the usual measure of an epoch is not what is expected."""
    measured = measured[np.isfinite(measured)]
    if expected is None or not len(measured):
        return False
    return not expected[0] <= float(np.median(measured)) <= expected[1]


def _constant_share(epochs: FloatArray, sampling_frequency: float) -> FloatArray:
    """Return the share of each epoch in which the signal stands still for a second or longer."""
    least = max(round(_RUN_SECONDS * sampling_frequency), _RUN_SAMPLES)
    return _long_runs(epochs.ravel(), least).reshape(epochs.shape).mean(axis=1)


def cutting_limits(samples: FloatArray, lowest: float, highest: float) -> list[float]:
    """Return which of a night's extremes cut its waves off, by the samples that pile up there."""
    # More are there than in the hundredth of the range below it. The crests of a wave that just
    # reaches a limit are not so many, whatever its resolution.
    near = _NEAR_LIMIT * (highest - lowest)
    limits = []
    for limit, is_near in (
        (lowest, samples <= lowest + near),
        (highest, samples >= highest - near),
    ):
        at_limit = np.count_nonzero(samples == limit)
        # One more, since every wave has a highest sample.
        if at_limit > _PILE * (np.count_nonzero(is_near) - at_limit + 1):
            limits.append(float(limit))
    return limits


def _clipped_share(epochs: FloatArray, lowest: float, highest: float) -> FloatArray:
    """Return the share of each epoch that stays at the limits of what was recorded."""
    samples = epochs.ravel()
    extreme = (samples == lowest) | (samples == highest)
    if not extreme.any():
        return np.zeros(len(epochs))
    clipped = extreme & _long_runs(samples, _CLIPPED_RUN)
    return clipped.reshape(epochs.shape).mean(axis=1)


def share_at(epochs: FloatArray, limits: Sequence[float]) -> FloatArray:
    """Return the share of each epoch, (n_epochs,), that is at a limit, if only for a sample."""
    return sum(((epochs == limit).mean(axis=1) for limit in limits), np.zeros(len(epochs)))


def _band_power_share(epochs: FloatArray, sampling_frequency: float, band: Interval) -> FloatArray:
    """Return the share of power in a band in Hz, of that above baseline wander; NaN without any."""
    frequency = fft.rfftfreq(epochs.shape[1], 1 / sampling_frequency)
    within = (frequency >= band[0]) & (frequency <= band[1])
    shares = np.full(len(epochs), np.nan)
    for number, epoch in enumerate(epochs):
        filled, missing = bridge_gaps(epoch)
        if missing.all():
            continue
        power = np.abs(fft.rfft(filled - filled.mean())) ** 2
        total = float(power[frequency >= band[0]].sum())
        if total > 0:
            shares[number] = float(power[within].sum()) / total
    return shares


def _epoch_range(epochs: FloatArray) -> FloatArray:
    """Return the range of each epoch without its extreme hundredth; NaN where samples are."""
    low, high = np.percentile(epochs, _EXTREME, axis=1)
    return (high - low).astype(epochs.dtype)


def _is_turned(epochs: FloatArray) -> FloatArray:
    """Return 1 for each epoch whose larger deflections go down, else 0; NaN where samples are."""
    low, middle, high = np.percentile(epochs, (_EXTREME[0], 50, _EXTREME[1]), axis=1)
    with np.errstate(invalid="ignore"):
        turned = (middle - low) > _TURNED_FACTOR * (high - middle)
    return np.where(np.isfinite(low), turned.astype(np.float64), np.nan)


def _long_runs(samples: FloatArray, least: int) -> BoolArray:
    """Return which samples are among so many equal ones in a row."""
    if not len(samples):
        return np.zeros(0, dtype=bool)
    begins = np.flatnonzero(np.append(True, samples[1:] != samples[:-1]))
    lengths = np.diff(np.append(begins, len(samples)))
    return np.repeat(lengths >= least, lengths)
