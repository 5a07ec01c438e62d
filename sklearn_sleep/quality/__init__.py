"""Whether the signals of a night are fit for use."""

from sklearn_sleep.quality.signal_quality import SignalQuality

__all__ = ["SignalQuality"]
