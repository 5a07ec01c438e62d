"""SignalQuality: signals that are unfit are left out of a night, or told of."""

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from sklearn_sleep.core.arrays import SampleArray
from sklearn_sleep.core.epochs import Epochs, Night
from sklearn_sleep.core.masking import mask_epochs
from sklearn_sleep.core.parallel import run_parallel
from sklearn_sleep.core.parameter_constraints import Interval, StrOptions
from sklearn_sleep.core.recording import DerivedSource, Recording
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.exceptions import SignalQualityWarning
from sklearn_sleep.features.base import check_choices
from sklearn_sleep.features.quality.assessment import (
    EPOCH_FAULTS,
    NIGHT_FAULTS,
    SignalAssessment,
    assess_signal,
)
from sklearn_sleep.preprocessing.base import EpochsTransformer, TakesEpochsMixin


class SignalQuality(TakesEpochsMixin, EpochsTransformer):
    """Leave unfit signals out of a night, or warn of them.

    Each signal is looked at when it is read, by the rules of its `SignalDefinition`. A signal of
    which too many epochs are unusable counts as missing in that night. Goes after `EDFReader`,
    before the steps that change units or rates.

    Parameters
    ----------
    action : {"drop", "warn"}, default="drop"
        ``"drop"`` takes unfit signals out of the night and says so in a `SignalQualityWarning`;
        ``"warn"`` says so and leaves them as they are.
    faults : sequence of str, default=("flat", "clipped", "noisy", "wrong unit")
        What makes an epoch unusable; ``"inverted"`` may be among them. Those of the night,
        ``"inverted"`` and ``"wrong unit"``, make all of its epochs so.
    maximum_unusable : float, default=0.5
        A signal is unfit if more than this share of the epochs that are there is unusable.
    mask_epochs : bool, default=False
        Take out unusable epochs of signals that stay, too. `Resampler` with ``method="linear"``
        bridges such gaps.
    n_jobs : int, optional
        Nights that `assess_nights` and `assess_epochs` read at the same time; see joblib.
    verbose : int, optional
        Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
        terminal or in a notebook.

    Notes
    -----
    An epoch is flat if the signal stands still for more than half of it (nine tenths of a belt's),
    and clipped if more than 2% of it lies at the limit of the recorder. It is noisy if the beats of
    an ECG or a PPG are too different to be beats (Orphanidou et al. 2015), or less than half of the
    power of another signal lies where breathing, or brain and eyes, have it. An EMG is not judged,
    nor is a signal of which too few samples per second are there: ECG 50, PPG 20, EEG and EOG 64.
    Samples of a signal with plausible values, such as a percentage, are noise beyond these.

    A night is inverted if the R waves of an ECG, or the upstrokes of a PPG, go down in most epochs,
    and in a wrong unit if its usual amplitude, or value, is not within what the body makes.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> epochs = EDFReader(["ECG"]).fit_transform("tests/data/mitdb-100.edf")
    >>> SignalQuality().assess_nights(epochs)[["flat", "clipped", "inverted", "wrong unit", "fit"]]
                                   flat  clipped  inverted  wrong unit   fit
    recording                signal
    tests/data/mitdb-100.edf ECG     0.0      0.0     False       False  True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "action": [StrOptions({"drop", "warn"})],
        "faults": ["array-like"],
        "maximum_unusable": [Interval(Real, 0, 1, closed="both")],
        "mask_epochs": ["boolean"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose", None],
    }

    def __init__(
        self,
        *,
        action: Literal["drop", "warn"] = "drop",
        faults: Sequence[str] = ("flat", "clipped", "noisy", "wrong unit"),
        maximum_unusable: float = 0.5,
        mask_epochs: bool = False,
        n_jobs: int | None = None,
        verbose: int | None = None,
    ) -> None:
        self.action = action
        self.faults = faults
        self.maximum_unusable = maximum_unusable
        self.mask_epochs = mask_epochs
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _check_parameters(self) -> None:
        check_choices("faults", self.faults, (*EPOCH_FAULTS, *NIGHT_FAULTS))

    def _check_input(self, X: Any) -> None:
        super()._check_input(X)
        X.require_continuous("SignalQuality", "Put it after EDFReader in the pipeline.")

    def transform(self, X: Epochs) -> Epochs:
        """Return the same rows over recordings that are looked at when they are read.

        A `SignalQualityWarning` then names the recording, the signal and what is wrong.
        """
        self._check(X)
        rules = {
            "action": self.action,
            "faults": tuple(self.faults),
            "maximum_unusable": self.maximum_unusable,
            "mask_epochs": self.mask_epochs,
        }
        recordings = [Recording(_CheckedSource(recording, rules)) for recording in X.recordings]
        return Epochs(X.table, recordings, X.recording_index)

    def assess_nights(self, X: Epochs) -> pd.DataFrame:
        """Read all signals and tell what is wrong with them in a row for each of each recording.

        Returns
        -------
        DataFrame
            ``epochs`` (number), the shares ``missing`` of these, and ``flat``, ``clipped``,
            ``noisy`` and ``unusable`` of those that are there, ``inverted``, ``wrong unit`` and
            ``fit`` (bool).
        """
        rows = {}
        for night, assessments in self._assess(X):
            for name, assessment in assessments.items():
                rows[night.recording.path, name] = summarize(
                    assessment, tuple(self.faults), self.maximum_unusable
                )
        index = pd.MultiIndex.from_tuples(rows, names=["recording", "signal"])
        return pd.DataFrame(list(rows.values()), index=index)

    def assess_epochs(self, X: Epochs) -> pd.DataFrame:
        """Read all signals and tell what is wrong with them in each row.

        Returns
        -------
        DataFrame of shape (n_rows, n_signals)
            What is wrong with a signal (``"missing"``, ``"flat"``, ``"clipped"``, ``"noisy"``, or
            ``""``), indexed by recording and epoch, in the order of the rows.
        """
        told = {name: np.full(len(X), "missing", dtype=object) for name in X.signal_names}
        for night, assessments in self._assess(X):
            for name, assessment in assessments.items():
                of_epochs = np.full(len(assessment.missing), "", dtype=object)
                for fault in reversed(("missing", *EPOCH_FAULTS)):
                    of_epochs[getattr(assessment, fault)] = fault
                told[name][night.rows] = of_epochs[night.epoch]
        index = pd.MultiIndex.from_frame(X.table[["recording", "epoch"]])
        return pd.DataFrame(told, index=index)

    def _assess(self, X: Epochs) -> list[tuple[Night, dict[str, SignalAssessment]]]:
        self._validate_params()
        self._check(X)
        nights = list(X.nights())
        assessments = run_parallel(
            _assess_recording,
            [(night.recording,) for night in nights],
            description="Looking at signals",
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        return list(zip(nights, assessments, strict=True))


class _CheckedSource(DerivedSource):
    """A recording whose signals are looked at when they are read."""

    def __init__(self, recording: Recording, rules: Mapping[str, Any]) -> None:
        super().__init__(recording)
        self._rules = rules

    @property
    def identity(self) -> Mapping[str, Any]:
        return {"recording": self.recording.fingerprint, "quality": dict(self._rules)}

    def signal(self, name: str) -> Signal:
        signal = self.recording.signals[name]
        return signal.map(partial(self._check, signal))

    def _check(self, signal: Signal, samples: SampleArray) -> SampleArray:
        assessment = assess_signal(signal, samples)
        faults = self._rules["faults"]
        drops = self._rules["action"] == "drop"
        if assessment.share_unusable(faults) > self._rules["maximum_unusable"]:
            consequence = "it counts as missing" if drops else "it is used all the same"
            warnings.warn(
                f"{self.path}: {signal.name} is {assessment.describe(faults)}; {consequence}.",
                SignalQualityWarning,
                stacklevel=4,
            )
            return np.full_like(samples, np.nan) if drops else samples
        if not (drops and self._rules["mask_epochs"]):
            return samples
        return mask_epochs(samples, assessment.unusable(faults), signal.sampling_frequency)


def summarize(
    assessment: SignalAssessment, faults: Sequence[str], maximum_unusable: float
) -> dict[str, Any]:
    """Return an assessment in numbers: the columns of `SignalQuality.assess_nights`."""
    n_epochs = len(assessment.missing)
    unusable = assessment.share_unusable(faults)
    return {
        "epochs": n_epochs,
        "missing": float(assessment.missing.mean()) if n_epochs else 0.0,
        **{fault: assessment.share(getattr(assessment, fault)) for fault in EPOCH_FAULTS},
        "unusable": unusable,
        "inverted": assessment.inverted,
        "wrong unit": assessment.wrong_unit,
        "fit": unusable <= maximum_unusable and not bool(assessment.missing.all()),
    }


def _assess_recording(recording: Recording) -> dict[str, SignalAssessment]:
    return {name: assess_signal(signal) for name, signal in recording.signals.items()}
