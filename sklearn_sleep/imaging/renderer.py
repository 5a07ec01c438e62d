"""WaveformImageRenderer: epochs to images."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from sklearn_sleep.core.epochs import Epochs
from sklearn_sleep.core.parameter_constraints import Interval, StrOptions
from sklearn_sleep.imaging.montage import Montage, find_montage
from sklearn_sleep.imaging.waveform_images import WaveformImages, check_unit
from sklearn_sleep.preprocessing.base import EpochsTransformer, TakesEpochsMixin


class WaveformImageRenderer(TakesEpochsMixin, EpochsTransformer):
    """Draw the signals of each epoch, as they are shown to those who score sleep.

    Parameters
    ----------
    montage : {"sleepvlm", "clinical"} or Montage, default="sleepvlm"
        Which signals, how large, in which colours, on what kind of page.

        ``"sleepvlm"`` is that of Deng et al. 2026: 448 x 224 pixels, black; F4 yellow, C4 green,
        O2 red, the left EOG cyan, the right one magenta (-50 to 50 uV) and the chin EMG blue (-40
        to 40 uV), not clipped; lines each second and, stronger, each fifth.

        ``"clinical"`` is a white page of 1024 x 640 pixels with labels and calibration marks, and
        with ECG, PPG and respiration too.
    context : sequence of int, default=(-1, 0, 1)
        Which epochs a row's images show, counted from its own: the one before, itself, and the
        one after. Where the night has none it is an empty page.
    layout : {"separate", "panel"}, default="separate"
        Whether these are images of their own, or side by side in one.
    kept_bytes : int, default=2**30
        Nights that were drawn from are kept in memory, up to this many bytes of samples, and so
        is the last one.

    See Also
    --------
    draw_epochs : Draw arrays.

    Notes
    -----
    Amplitudes are in uV (ECG: mV), and samples that have no unit any more are refused: no
    `Normalizer` goes before this step. Filters are up to the pipeline: Deng et al. had EEG and
    EOG at 0.3 to 35 Hz and EMG from 10 Hz on, with a notch at 50 Hz.

    A signal that a recording lacks, or that a row may not use, leaves its band empty, and is
    written there as missing; samples that are missing leave a gap.

    References
    ----------
    Deng et al. 2026, "SleepVLM", arXiv 2603.26738; Zhou et al. 2025, arXiv 2509.22810.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_sleep.imaging import Trace
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> montage = Montage([Trace("EEG", "#ffff00"), Trace("EOG", "#00ffff")])
    >>> steps = make_pipeline(EDFReader(montage), WaveformImageRenderer(montage, context=[0]))
    >>> steps.fit_transform("tests/data/sleep-edf-5min.edf")
    WaveformImages(10 rows, an image of 448 x 224 pixels each)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "montage": [str, Montage],
        "context": ["array-like"],
        "layout": [StrOptions({"separate", "panel"})],
        "kept_bytes": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        montage: str | Montage = "sleepvlm",
        *,
        context: Sequence[int] = (-1, 0, 1),
        layout: Literal["separate", "panel"] = "separate",
        kept_bytes: int = 2**30,
    ) -> None:
        self.montage = montage
        self.context = context
        self.layout = layout
        self.kept_bytes = kept_bytes

    def _check_parameters(self) -> None:
        find_montage(self.montage)
        context = list(self.context)
        if not context or not all(isinstance(offset, Integral) for offset in context):
            raise ValueError(
                f"context={self.context!r} must be a list of at least one whole number."
            )

    def transform(self, X: Epochs) -> WaveformImages:
        """Return the images of each row, (n_rows,), which are drawn when they are asked for."""
        self._check(X)
        montage = find_montage(self.montage)
        found = False
        for recording in X.recordings:
            for trace in montage.traces:
                if trace.name in recording.signals:
                    check_unit(recording.signals[trace.name], trace)
                    found = True
            if found:  # one night tells whether the step is in its place
                break
        if not found and len(X):
            raise ValueError(
                f"None of the recordings has a signal of the montage, {[d.name for d in montage]}; "
                f"they have {list(X.signal_names)}. Read them with EDFReader(montage)."
            )
        context = tuple(int(offset) for offset in self.context)
        return WaveformImages(X, montage, context, self.layout, self.kept_bytes)

    def get_feature_names_out(self, input_features: npt.ArrayLike | None = None) -> Any:
        """Return the name of what comes out."""
        return np.asarray(["image"], dtype=object)
