"""Each public estimator with rows that it takes: nights of three minutes, tiny networks."""

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier
from skorch.helper import SliceDict

import sklearn_sleep
from sklearn_sleep.core.epochs import Epochs
from sklearn_sleep.imaging import Montage, Trace
from sklearn_sleep.training.inputs import as_epochs

N_EPOCHS = 6
_NIGHTS = ("a", "b")


@dataclass
class Case:
    """An estimator that is not fitted, rows for it, and what kind of rows these are."""

    estimator: BaseEstimator
    kind: str
    X: Any
    # The same rows as arrays in memory, for estimators that take these.
    arrays: SliceDict | None = None
    y: Any = field(default_factory=lambda: np.tile([0, 1, 1], 2 * N_EPOCHS // 3))

    @property
    def is_classifier(self) -> bool:
        return self.kind in ("smoother", "masked", "net", "images")

    def new(self) -> Any:
        return clone(self.estimator)

    @functools.cached_property
    def fitted(self) -> Any:
        """Not to be changed."""
        return self.new().fit(self.X, self.y)

    @functools.cached_property
    def results(self) -> dict[str, Any]:
        return results(self.fitted, self.X)


def results(fitted: Any, X: Any) -> dict[str, Any]:
    """Return what the methods of an estimator make of rows, as arrays with a row for each."""
    names = ("transform", "predict_proba", "predict")
    return {name: by_row(getattr(fitted, name)(X)) for name in names if hasattr(fitted, name)}


def by_row(value: Any) -> Any:
    """Return what comes out, of whatever type, as an array with a row for each."""
    if isinstance(value, Epochs):
        of_recordings = [
            [(name, signal.unit, signal.data.tobytes()) for name, signal in r.signals.items()]
            for r in value.recordings
        ]
        numbers = value.table["epoch"].to_numpy()
        told = [
            (value.recordings[i].path, epoch, repr(of_recordings[i]))
            for i, epoch in zip(value.recording_index, numbers, strict=True)
        ]
        rows = np.empty(len(told), dtype=object)
        rows[:] = told
        return rows
    if isinstance(value, pd.DataFrame):
        return value.to_numpy()
    return np.asarray(value if isinstance(value, np.ndarray) else value[:])


def take(X: Any, rows: Any) -> Any:
    """Return some rows, by position."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[np.asarray(rows)]


def assert_same(found: dict[str, Any], expected: dict[str, Any], rows: Any = slice(None)) -> None:
    """Compare results with some rows of others, those of sums in another order too."""
    assert found.keys() == expected.keys()
    for name, values in found.items():
        wanted = expected[name][rows]
        if values.dtype == object or values.dtype.kind in "UO":
            assert values.tolist() == wanted.tolist(), name
        else:
            np.testing.assert_allclose(values, wanted, rtol=1e-5, atol=1e-6, err_msg=name)


def write_nights(folder: Path) -> list[str]:
    """Write nights with a beat a second, a breath every four and an EEG of noise."""
    rng = np.random.default_rng(0)
    seconds = 30.0 * N_EPOCHS
    beats = np.arange(round(seconds * 100)) % 100
    breaths = np.arange(round(seconds * 10)) / 10
    paths = []
    for name in _NIGHTS:
        channels = {
            "ECG": (np.exp(-(((beats - 50) / 2) ** 2)) + 0.01 * rng.normal(size=len(beats)), 100),
            "EEG": (_brain(rng, len(beats)), 100),
            "THX": (np.sin(2 * np.pi * breaths / 4) + 0.01 * rng.normal(size=len(breaths)), 10),
        }
        units = {"ECG": "mV", "EEG": "uV", "THX": ""}
        signals = [
            edfio.EdfSignal(samples, rate, label=label, physical_dimension=units[label])
            for label, (samples, rate) in channels.items()
        ]
        paths.append(str(folder / f"{name}.edf"))
        edfio.Edf(signals).write(paths[-1])
    return paths


def _brain(rng: np.random.Generator, n_samples: int) -> np.ndarray:
    spectrum = np.fft.rfft(rng.normal(size=n_samples))
    frequency = np.fft.rfftfreq(n_samples, 0.01)
    return 100 * np.fft.irfft(spectrum / (1 + frequency), n_samples)


def make_cases(folder: Path) -> dict[str, Case]:
    """Return all by name."""
    table = sklearn_sleep.epoch_table(write_nights(folder))
    epochs = sklearn_sleep.EDFReader(["ECG", "EEG", "THX"]).fit_transform(table)
    rng = np.random.default_rng(1)
    features = pd.DataFrame(
        rng.normal(size=(len(table), 2)),
        columns=["x", "z"],
        index=pd.MultiIndex.from_frame(table[["recording", "epoch"]]),
    )
    steps = [
        sklearn_sleep.Epocher(),
        sklearn_sleep.Filter(0.5, 4.0),
        sklearn_sleep.FrontEnd({"ECG": ["waveform", "heart"]}),
        sklearn_sleep.InstantaneousHeartRate(),
        sklearn_sleep.Normalizer(),
        sklearn_sleep.Padder(hours=0.1),
        sklearn_sleep.RecordingCache(folder / "cache"),
        Reversed(),
        sklearn_sleep.Resampler({"EEG": 300, "ECG": 3000}),
        sklearn_sleep.SignalQuality(),
        sklearn_sleep.WaveformImageRenderer(
            Montage([Trace("EEG", "#ffff00", (-100, 100))], width=28, height=28), context=[0]
        ),
    ]
    of_features = [
        sklearn_sleep.CardiorespiratoryFeatures(
            sklearn_sleep.HRVFeatures([(30, 30)], groups=["time"]),
            sklearn_sleep.RespirationFeatures([(30, 30)]),
        ),
        sklearn_sleep.EEGFeatures(),
        sklearn_sleep.HeartbeatDetector(),
        sklearn_sleep.HRVFeatures([(30, 30)], groups=["time"]),
        sklearn_sleep.RespirationFeatures([(30, 30)]),
    ]
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    filled_tree = make_pipeline(SimpleImputer(), tree)
    arrays = SliceDict(
        ECG=rng.normal(size=(len(table), 64)).astype(np.float32),
        THX=rng.normal(size=(len(table), 16)).astype(np.float32),
        recording=np.repeat(np.array(_NIGHTS, dtype=object), N_EPOCHS),
    )
    cases = [
        Case(sklearn_sleep.EDFReader(["ECG", "EEG", "THX"]), "reader", table),
        *(Case(step, "step", epochs) for step in steps),
        *(Case(step, "features", epochs) for step in of_features),
        Case(sklearn_sleep.TemporalContext([-1, 2]), "context", features),
        Case(sklearn_sleep.SequenceSmoother(tree), "smoother", features),
        Case(
            sklearn_sleep.MaskedSignalsClassifier(
                make_pipeline(sklearn_sleep.HRVFeatures([(30, 30)], groups=["time"]), filled_tree),
                random_state=0,
            ),
            "masked",
            epochs,
        ),
        *(Case(net, "net", as_epochs(arrays, ""), arrays) for net in _nets()),
        Case(_stager(), "images", rng.integers(0, 255, (len(table), 1, 28, 28, 3), np.uint8)),
    ]
    return {_public_name(case.estimator): case for case in cases}


class Reversed(sklearn_sleep.RecordingTransformer):
    """The smallest step of one's own."""

    def transform_signal(self, signal: Any) -> Any:
        """Return the signal backwards."""
        return signal.map(lambda samples: samples[::-1].copy())


def _public_name(estimator: BaseEstimator) -> str:
    name = type(estimator).__name__
    return "RecordingTransformer" if name == "Reversed" else name


def _nets() -> list[BaseEstimator]:
    from accelerate import Accelerator

    small = {
        "module__feature_dim": 8,
        "module__initial_channels": 2,
        "module__max_channels": 4,
        "module__mixer_heads": 2,
        "module__mixer_feedforward_dim": 16,
        "module__sequence_dilations": 2,
        "max_epochs": 1,
        "train_split": None,
        "random_state": 0,
    }
    return [
        sklearn_sleep.Wav2SleepClassifier(**small),
        sklearn_sleep.AcceleratedWav2SleepClassifier(accelerator=Accelerator(cpu=True), **small),
    ]


def _stager() -> BaseEstimator:
    model = sklearn_sleep.tiny_vlm(hidden_size=32, n_layers=1, image_size=28)
    return sklearn_sleep.VLMStager(
        model, prompt="Stage?", tuning="full", max_epochs=1, batch_size=12, random_state=0
    )
