"""Epochs as images: raw signals drawn as a clinician sees them."""

from sklearn_sleep.imaging.drawing import draw_epochs
from sklearn_sleep.imaging.envelope import read_envelope
from sklearn_sleep.imaging.montage import MONTAGES, Grid, Montage, Trace, find_montage
from sklearn_sleep.imaging.renderer import WaveformImageRenderer
from sklearn_sleep.imaging.waveform_images import WaveformImages

__all__ = [
    "MONTAGES",
    "Grid",
    "Montage",
    "Trace",
    "WaveformImageRenderer",
    "WaveformImages",
    "draw_epochs",
    "find_montage",
    "read_envelope",
]
