"""SignalAssessment: what is wrong with one signal of one night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.recording import FloatArray, Signal
from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.features.beats.heartbeats import HeartbeatDetector
from sklearn_sleep.features.beats.signal_quality import signal_quality
from sklearn_sleep.features.quality.measures import (
    band_power_share,
    clipped_share,
    constant_share,
    cutting_limits,
    epoch_range,
    is_turned,
    share_at,
    split_epochs,
)
from sklearn_sleep.preprocessing._resampling import resample_polyphase

__all__ = ["EPOCH_FAULTS", "NIGHT_FAULTS", "SignalAssessment", "assess_signal"]

BoolArray = npt.NDArray[np.bool_]

EPOCH_FAULTS = ("flat", "clipped", "noisy")
"""What can be wrong with an epoch."""
NIGHT_FAULTS = ("inverted", "wrong unit")
"""What can be wrong with a whole night."""

_HALF = 0.5
# A breath may be held for half an epoch, in a central apnoea.
_FLAT_SHARE = {"ABD": 0.9, "THX": 0.9}
_FLAT_STANDARD_DEVIATION = 1e-3  # of a range from -1 to 1, as the published wav2sleep drops PPG
# Of samples that stay at a limit, as slow waves do, and of those that touch it, as noise does.
_CLIPPED_SHARE, _AT_LIMIT_SHARE = 0.02, 0.05
# Orphanidou et al. 2015, IEEE J Biomed Health Inform 19:832-838.
_LEAST_QUALITY = {"ECG": 0.66, "PPG": 0.86}
# Breaths of 3 to 60 a minute; eye movements and brain waves of sleep, from the AASM manual's high
# pass to its fastest spindles. White noise of twice the bandwidth has half of its power there.
_RESPIRATORY_BAND = (0.05, 1.0)
_SCALP_BAND = (0.3, 16.0)
# Beats are compared at these rates in Hz if there are more, since QRS complexes have little power
# beyond 50 Hz and pulses beyond 15; and not found at all at lower ones than the least.
_ENOUGH_FREQUENCY = {"ECG": 128.0, "PPG": 64.0}
_LEAST_FREQUENCY = {"ECG": 50.0, "PPG": 20.0}
_EPOCHS_AT_A_TIME, _EPOCHS_OF_BEATS = 60, 240
# Ranges of an epoch that are no mistake in the unit: factors of 1,000 lie between neighbouring
# units. QRS complexes of 0.5 to 3 mV; EEG of 10 to 200 uV, EOG up to 500 uV, chin EMG of 2 to
# 200 uV (AASM manual; Surawicz & Knilans, Chou's Electrocardiography in Clinical Practice).
_PLAUSIBLE_RANGE = {"ECG": (0.05, 20.0), "EMG": (0.2, 5_000.0), "EOG": (2.0, 5_000.0)}
_PLAUSIBLE_EEG = (2.0, 2_000.0)


@dataclass(frozen=True)
class SignalAssessment:
    """What is wrong with one signal of one night.

    Attributes
    ----------
    name : str
        Canonical name of the signal.
    missing : ndarray of bool, shape (n_epochs,)
        More than half of the epoch is not there.
    flat : ndarray of bool, shape (n_epochs,)
        The signal stands still for more than half of the epoch (nine tenths of a belt's).
    clipped : ndarray of bool, shape (n_epochs,)
        More than 2% of the epoch lies at the limit of the recorder.
    noisy : ndarray of bool, shape (n_epochs,)
        The beats of an ECG or a PPG are too different to be beats (Orphanidou et al. 2015), or less
        than half of the power of another signal lies where breathing, or brain and eyes, have it.
        An EMG is not judged, nor is a signal of which too few samples per second are there: ECG
        50, PPG 20, EEG and EOG 64.
    inverted : bool
        An ECG whose R waves, or a PPG whose upstrokes, go down in most epochs.
    wrong_unit : bool
        The usual amplitude of a voltage is not within what the body makes.
    """

    name: str
    missing: BoolArray
    flat: BoolArray
    clipped: BoolArray
    noisy: BoolArray
    inverted: bool
    wrong_unit: bool

    def unusable(self, faults: Sequence[str]) -> BoolArray:
        """Return the epochs that have any of some faults.

        Parameters
        ----------
        faults : sequence of str
            Of `EPOCH_FAULTS` and `NIGHT_FAULTS`.

        Returns
        -------
        ndarray of bool, shape (n_epochs,)
            Missing epochs are not counted.
        """
        unusable = np.zeros_like(self.missing)
        for fault in EPOCH_FAULTS:
            if fault in faults:
                unusable |= getattr(self, fault)
        if ("inverted" in faults and self.inverted) or ("wrong unit" in faults and self.wrong_unit):
            unusable[:] = True
        return unusable & ~self.missing

    def share_unusable(self, faults: Sequence[str]) -> float:
        """Return the share of unusable epochs among those that are there.

        Parameters
        ----------
        faults : sequence of str
            As in `unusable`.

        Returns
        -------
        float
            0 if none is there.
        """
        there = int((~self.missing).sum())
        return float(self.unusable(faults).sum() / there) if there else 0.0

    def describe(self, faults: Sequence[str]) -> str:
        """Return in words what is wrong.

        Parameters
        ----------
        faults : sequence of str
            Which faults to tell of.

        Returns
        -------
        str
        """
        n_epochs = max(int((~self.missing).sum()), 1)
        told = [
            f"{fault} in {getattr(self, fault).sum() / n_epochs:.0%} of its epochs"
            for fault in EPOCH_FAULTS
            if fault in faults and getattr(self, fault).any()
        ]
        if "inverted" in faults and self.inverted:
            told.append("upside down")
        if "wrong unit" in faults and self.wrong_unit:
            told.append("of an amplitude that suggests a wrong unit")
        return " and ".join(told)


def assess_signal(signal: Signal, samples: FloatArray | None = None) -> SignalAssessment:
    """Look for what is wrong with a signal.

    Parameters
    ----------
    signal : Signal
        As it was read: not normalized, not cut into epochs.
    samples : ndarray of float32, shape (n_samples,), optional
        Its samples, if they have been read.

    Returns
    -------
    SignalAssessment

    Examples
    --------
    >>> from sklearn_sleep.core.signals import SIGNALS
    >>> beats = np.tile(np.exp(-0.5 * ((np.arange(100) - 50) / 2) ** 2), 60).astype(np.float32)
    >>> ecg = Signal(SIGNALS["ECG"], lambda: beats, 100.0, "mV", n_epochs=2)
    >>> assess_signal(ecg).noisy
    array([False, False])
    """
    if samples is None:
        samples = signal.data
    frequency = signal.sampling_frequency
    per_epoch = max(round(frequency * EPOCH_DURATION), 1)
    epochs = split_epochs(samples, per_epoch, signal.n_epochs)
    measured = _measure(signal, epochs)
    missing = measured["missing"] > _HALF
    flat = measured["constant"] > _FLAT_SHARE.get(signal.name, _HALF)
    if not signal.unit:
        # NaN has no standard deviation, and is not below.
        flat |= measured["standard deviation"] < _FLAT_STANDARD_DEVIATION
    flat &= ~missing
    clipped = measured["clipped"] > _CLIPPED_SHARE
    clipped |= measured["at limit"] > _AT_LIMIT_SHARE
    clipped &= ~flat & ~missing
    if signal.name in _LEAST_FREQUENCY and frequency >= _LEAST_FREQUENCY[signal.name]:
        alike = _likeness_of_beats(signal, epochs)
        noisy = np.nan_to_num(alike, nan=1.0) < _LEAST_QUALITY[signal.name]
    else:
        noisy = np.nan_to_num(measured["band"], nan=1.0) < _HALF
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
        _is_of_wrong_unit(signal, measured["range"][~(missing | flat)]),
    )


def _measure(signal: Signal, epochs: FloatArray) -> dict[str, npt.NDArray[np.float64]]:
    """Return the measures of each epoch, from a few of them at a time: nights are long."""
    frequency = signal.sampling_frequency
    names = ("missing", "constant", "standard deviation", "clipped", "at limit", "band", "range")
    measured = {name: np.full(len(epochs), np.nan) for name in (*names, "turned")}
    lowest, highest = _extremes(epochs)
    limits = cutting_limits(epochs, lowest, highest)
    band = _band(signal)
    for start in range(0, len(epochs), _EPOCHS_AT_A_TIME):
        here = slice(start, start + _EPOCHS_AT_A_TIME)
        some = epochs[here]
        measured["missing"][here] = np.isnan(some).mean(axis=1)
        measured["constant"][here] = constant_share(some, frequency)
        measured["standard deviation"][here] = some.std(axis=1)
        measured["clipped"][here] = clipped_share(some, lowest, highest)
        measured["at limit"][here] = share_at(some, limits)
        if band is not None:
            measured["band"][here] = band_power_share(some, frequency, band, band[0])
        if signal.unit in ("mV", "uV"):
            measured["range"][here] = epoch_range(some)
        if signal.name == "ECG":
            measured["turned"][here] = is_turned(some)
        elif signal.name == "PPG":
            measured["turned"][here] = is_turned(np.diff(some, axis=1))
    return measured


def _extremes(epochs: FloatArray) -> tuple[float, float]:
    if not epochs.size or np.isnan(epochs).all():
        return np.nan, np.nan
    return float(np.nanmin(epochs)), float(np.nanmax(epochs))


def _band(signal: Signal) -> tuple[float, float] | None:
    """Return where a signal should have most of its power, if that can be told from noise."""
    if signal.name in ("ABD", "THX"):
        return _RESPIRATORY_BAND
    is_judged = signal.name not in (*_LEAST_QUALITY, "EMG") and bool(signal.unit)
    return _SCALP_BAND if is_judged and signal.sampling_frequency > 4 * _SCALP_BAND[1] else None


def _likeness_of_beats(signal: Signal, epochs: FloatArray) -> npt.NDArray[np.float64]:
    """Return the index of each epoch, from some hours at a time: detectors copy what they get."""
    likeness = np.full(len(epochs), np.nan)
    enough = _ENOUGH_FREQUENCY[signal.name]
    detector = HeartbeatDetector((signal.name,), correct=False)
    for start in range(0, len(epochs), _EPOCHS_OF_BEATS):
        samples, frequency = (
            epochs[start : start + _EPOCHS_OF_BEATS].ravel(),
            signal.sampling_frequency,
        )
        n_epochs = min(_EPOCHS_OF_BEATS, len(epochs) - start)
        if frequency > enough:
            per_epoch = round(enough * EPOCH_DURATION)
            samples = resample_polyphase(samples, frequency, per_epoch, n_epochs)
            frequency = enough
        part = Signal(
            signal.definition, partial(np.asarray, samples), frequency, "", n_epochs=n_epochs
        )
        beats = detector.detect(part).detected
        likeness[start : start + n_epochs] = signal_quality(
            samples, frequency, beats, n_epochs=n_epochs
        )
    return likeness


def _is_of_wrong_unit(signal: Signal, ranges: npt.NDArray[np.float64]) -> bool:
    ranges = ranges[np.isfinite(ranges)]
    if not len(ranges):
        return False
    # In the unit of the table, whatever the reader was told to convert to.
    kind = signal.name.partition("-")[0]
    expected = "mV" if kind == "ECG" else "uV"
    factor = {("mV", "uV"): 1e3, ("uV", "mV"): 1e-3}.get((signal.unit, expected), 1.0)
    low, high = _PLAUSIBLE_RANGE.get(kind, _PLAUSIBLE_EEG)
    return not low <= factor * float(np.median(ranges)) <= high
