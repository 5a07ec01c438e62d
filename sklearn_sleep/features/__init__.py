"""Features of heartbeats, breathing and brain waves, for any scikit-learn classifier."""

from sklearn_sleep.features.base import FeatureTransformer
from sklearn_sleep.features.baselines import cardiorespiratory_baseline, eeg_baseline, hrv_baseline
from sklearn_sleep.features.beats.beat_correction import (
    BeatArtefacts,
    correct_beats,
    find_artefacts,
)
from sklearn_sleep.features.beats.ecg_beats import detect_r_peaks
from sklearn_sleep.features.beats.heart_rate import InstantaneousHeartRate
from sklearn_sleep.features.beats.heartbeats import HeartbeatDetector, Heartbeats
from sklearn_sleep.features.beats.hrv import HRVFeatures
from sklearn_sleep.features.beats.pulse_onsets import detect_pulse_onsets
from sklearn_sleep.features.beats.signal_quality import signal_quality
from sklearn_sleep.features.brain.eeg import EEGFeatures
from sklearn_sleep.features.brain.slow_waves import SlowWaves, detect_slow_waves
from sklearn_sleep.features.brain.spindles import detect_spindles
from sklearn_sleep.features.breathing.breaths import Breaths, detect_breaths
from sklearn_sleep.features.breathing.derived_respiration import (
    respiration_from_ecg,
    respiration_from_ppg,
)
from sklearn_sleep.features.breathing.respiration import RespirationFeatures
from sklearn_sleep.features.cardiorespiratory import CardiorespiratoryFeatures
from sklearn_sleep.features.front_end import FrontEnd
from sklearn_sleep.features.masked_signals import MaskedSignalsClassifier
from sklearn_sleep.features.quality.signal_quality import SignalQuality
from sklearn_sleep.features.temporal_context import TemporalContext

__all__ = [
    "BeatArtefacts",
    "Breaths",
    "CardiorespiratoryFeatures",
    "EEGFeatures",
    "FeatureTransformer",
    "FrontEnd",
    "HRVFeatures",
    "HeartbeatDetector",
    "Heartbeats",
    "InstantaneousHeartRate",
    "MaskedSignalsClassifier",
    "RespirationFeatures",
    "SignalQuality",
    "SlowWaves",
    "TemporalContext",
    "cardiorespiratory_baseline",
    "correct_beats",
    "detect_breaths",
    "detect_pulse_onsets",
    "detect_r_peaks",
    "detect_slow_waves",
    "detect_spindles",
    "eeg_baseline",
    "find_artefacts",
    "hrv_baseline",
    "respiration_from_ecg",
    "respiration_from_ppg",
    "signal_quality",
]
