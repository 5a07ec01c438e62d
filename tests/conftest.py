"""Fixtures that several test modules share."""

from __future__ import annotations

import functools
import os
import shutil
import sys
from pathlib import Path

# Small models gain nothing from threads, and those of two test processes wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import edfio
import numpy as np
import pytest
from filelock import FileLock
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from sklearn_sleep.core.stage_schemes import merge_stages
from sklearn_sleep.preprocessing import EDFReader, Epocher, Normalizer, Resampler
from sklearn_sleep.simulation.make_cohort import make_cohort
from sklearn_sleep.staging.wav2sleep import Wav2SleepClassifier

# Modules beside tests that others use too: files made byte by byte, nights as arrays.
sys.path.append(str(Path(__file__).parent / "helpers"))

CARDIORESPIRATORY = ("ECG", "PPG", "ABD", "THX")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of golden data and real files."""
    return Path(__file__).parent / "data"


@pytest.fixture
def published(data_folder, tmp_path):
    """A copy of the published-format checkpoint, to be damaged at will."""
    source = data_folder / "golden" / "wav2sleep-cardio-small"
    for name in ("config.yaml", "state_dict.pth"):
        shutil.copy(source / name, tmp_path / name)
    return tmp_path


@pytest.fixture(scope="session")
def night(data_folder):
    """The path of a golden night."""
    return str(data_folder / "golden" / "preprocess-shhs-like" / "night.edf")


@pytest.fixture(scope="session")
def golden_rows(data_folder):
    """The inputs of the published-format checkpoint as arrays by row, and its published logits."""
    with np.load(data_folder / "golden" / "wav2sleep-cardio-small" / "case.npz") as case:
        logits = case["logits"]
        nights, n_epochs, _ = logits.shape
        arrays = {}
        for name, n in {"ABD": 256, "THX": 256, "ECG": 1024, "PPG": 1024}.items():
            samples = case[f"x_{name}"].reshape(nights * n_epochs, n)
            arrays[name] = np.where(np.isinf(samples), np.nan, samples).astype(np.float32)
    arrays["recording"] = np.repeat(np.arange(nights), n_epochs)
    return arrays, logits.reshape(nights * n_epochs, -1)


@pytest.fixture(scope="session")
def cohort(tmp_path_factory) -> Bunch:
    """Half-hour nights of six subjects at all sites, with four stages."""
    made = make_cohort(tmp_path_factory.mktemp("cohort"), n_subjects=6, hours=0.5, random_state=1)
    made.y = merge_stages(made.y, 4)
    return made


@pytest.fixture
def cache_folders(tmp_path):
    """A folder for a RecordingCache, and one in which each read of samples leaves a file."""
    counts = tmp_path / "counts"
    counts.mkdir()
    return tmp_path / "cache", counts


@pytest.fixture(scope="session")
def public_tree(tmp_path_factory):
    """Make, once for all processes, four subjects with all their visits as a public cohort lies."""
    root = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        root = root.parent
    root = root / "public"
    root.mkdir(exist_ok=True)

    @functools.cache
    def make(name: str) -> Bunch:
        with FileLock(root / f"{name}.lock"):
            # What another process made before is kept.
            return make_cohort(
                root / name, layout=name, n_subjects=4, hours=0.5, second_visit_probability=1.0
            )

    return make


@pytest.fixture(scope="session")
def make_classifier():
    """Make a classifier whose network is small enough for tests."""

    def make(**parameters):
        from small import SMALL_NETWORK

        small = {
            **SMALL_NETWORK,
            # The tests say themselves what differs.
            "size": "published",
            "module__sequence_dilations": 3,
            "classes": np.arange(4),
            "max_epochs": 2,
            "batch_size": 3,
            "random_state": 0,
            **parameters,
        }
        return Wav2SleepClassifier(**small)

    return make


@pytest.fixture(scope="session")
def fitted_classifier(make_classifier):
    """A classifier that has learned nights in which every signal tells the stage."""
    from telling_nights import as_x, make_arrays

    arrays, recording, y = make_arrays()
    classifier = make_classifier(
        classes=None, max_epochs=25, lr=5e-3, batch_size=1, train_split=None
    )
    return classifier.fit(as_x(arrays, recording), y)


@pytest.fixture(scope="session")
def make_pipeline_of(make_classifier):
    """Make a pipeline from EDF files to stages for some signals."""

    from small import SMALL_RATES

    def make(signals=CARDIORESPIRATORY, **parameters):
        return make_pipeline(
            EDFReader(list(signals)),
            Resampler(SMALL_RATES),
            Normalizer(),
            Epocher(),
            make_classifier(**parameters),
        )

    return make


@pytest.fixture(scope="session")
def fitted_pipeline(cohort, make_pipeline_of):
    """A pipeline that has been fitted on the cohort; not to be changed."""
    return make_pipeline_of().fit(cohort.X, cohort.y)


@pytest.fixture
def write_edf(tmp_path):
    """Write an EDF file of (label, samples, sampling frequency, unit, physical range)."""

    def write(name, *channels) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        signals = [
            edfio.EdfSignal(
                np.asarray(samples, dtype=float),
                sampling_frequency,
                label=label,
                physical_dimension=unit,
                physical_range=physical_range,
            )
            for label, samples, sampling_frequency, unit, physical_range in channels
        ]
        edfio.Edf(signals).write(path)
        return path

    return write


@pytest.fixture
def write_text(tmp_path):
    """Write a text file, such as a hypnogram."""

    def write(text, name="night.txt", encoding="utf-8") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding=encoding)
        return path

    return write


@pytest.fixture
def add_night(write_edf):
    """Write a recording of so many epochs."""

    def add(name, n_epochs, seconds=0) -> Path:
        samples = np.zeros(round(n_epochs * 30 + seconds) * 2)
        return write_edf(name, ("ECG", samples, 2, "mV", (-1, 1)))

    return add
