"""Features of heartbeats, breathing and brain waves, for any scikit-learn classifier."""

from sklearn_sleep.features.base import FeatureTransformer
from sklearn_sleep.features.beat_correction import BeatArtefacts, correct_beats, find_artefacts
from sklearn_sleep.features.ecg_beats import detect_r_peaks
from sklearn_sleep.features.heartbeats import HeartbeatDetector, Heartbeats
from sklearn_sleep.features.hrv import HRVFeatures
from sklearn_sleep.features.pulse_onsets import detect_pulse_onsets
from sklearn_sleep.features.signal_quality import signal_quality
from sklearn_sleep.features.temporal_context import TemporalContext

__all__ = [
    "BeatArtefacts",
    "FeatureTransformer",
    "HRVFeatures",
    "HeartbeatDetector",
    "Heartbeats",
    "TemporalContext",
    "correct_beats",
    "detect_pulse_onsets",
    "detect_r_peaks",
    "find_artefacts",
    "signal_quality",
]
