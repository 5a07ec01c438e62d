"""Features of heartbeats, breathing and brain waves, for any scikit-learn classifier."""

from sklearn_sleep.features.base import FeatureTransformer
from sklearn_sleep.features.beat_correction import BeatArtefacts, correct_beats, find_artefacts
from sklearn_sleep.features.breaths import Breaths, detect_breaths
from sklearn_sleep.features.cardiorespiratory import CardiorespiratoryFeatures
from sklearn_sleep.features.derived_respiration import respiration_from_ecg, respiration_from_ppg
from sklearn_sleep.features.ecg_beats import detect_r_peaks
from sklearn_sleep.features.eeg import EEGFeatures
from sklearn_sleep.features.heart_rate import InstantaneousHeartRate
from sklearn_sleep.features.heartbeats import HeartbeatDetector, Heartbeats
from sklearn_sleep.features.hrv import HRVFeatures
from sklearn_sleep.features.pulse_onsets import detect_pulse_onsets
from sklearn_sleep.features.respiration import RespirationFeatures
from sklearn_sleep.features.signal_quality import signal_quality
from sklearn_sleep.features.slow_waves import SlowWaves, detect_slow_waves
from sklearn_sleep.features.spindles import detect_spindles
from sklearn_sleep.features.temporal_context import TemporalContext

__all__ = [
    "BeatArtefacts",
    "Breaths",
    "CardiorespiratoryFeatures",
    "EEGFeatures",
    "FeatureTransformer",
    "HRVFeatures",
    "HeartbeatDetector",
    "Heartbeats",
    "InstantaneousHeartRate",
    "RespirationFeatures",
    "SlowWaves",
    "TemporalContext",
    "correct_beats",
    "detect_breaths",
    "detect_pulse_onsets",
    "detect_r_peaks",
    "detect_slow_waves",
    "detect_spindles",
    "find_artefacts",
    "respiration_from_ecg",
    "respiration_from_ppg",
    "signal_quality",
]
