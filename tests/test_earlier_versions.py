"""What version 0.1.0 wrote is used, or refused by a message that names that version."""

from __future__ import annotations

import shutil
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy.signal import resample_poly
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import make_pipeline
from skorch.helper import SliceDict

from sklearn_sleep import (
    EDFReader,
    Epocher,
    Normalizer,
    RecordingCache,
    Resampler,
    ResumableCheckpoint,
    VLMStager,
    Wav2SleepClassifier,
    compare,
    ingest,
    load_pretrained,
    make_cohort,
    tiny_vlm,
)
from sklearn_sleep.preprocessing import resampler
from sklearn_sleep.training import WeightAverage

REFUSED = r"sklearn_sleep 0\.1\.0"


@pytest.fixture
def written(data_folder, tmp_path):
    """A copy of what version 0.1.0 wrote."""
    return shutil.copytree(data_folder / "written-by-0.1.0", tmp_path / "written")


@pytest.fixture
def unchanged(written):
    """Make sure that what is refused stays as it was."""

    def contents():
        return {path: path.read_bytes() for path in written.rglob("*") if path.is_file()}

    before = contents()
    yield
    assert contents() == before


@pytest.mark.usefixtures("unchanged")
def test_cache_is_refused(written, night):
    pipeline = make_pipeline(
        EDFReader(["ABD"]), Resampler(), Normalizer(), Epocher(), RecordingCache(written / "cache")
    )
    with pytest.raises(ValueError, match=REFUSED):
        pipeline.fit_transform(night)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(("store", "kind"), [("store", "cache"), ("store-parquet", "parquet")])
def test_store_is_refused(written, tmp_path, store, kind):
    make_cohort(tmp_path / "cohort", n_subjects=1, hours=0.5, random_state=0)
    with pytest.raises(ValueError, match=REFUSED):
        ingest(tmp_path / "cohort", written / store, signals=["ABD"], format=kind)


@pytest.mark.usefixtures("unchanged")
def test_comparison_is_refused(written):
    recording = np.repeat([f"night {number}" for number in range(4)], 20)
    X = pd.DataFrame({"recording": recording, "epoch": np.tile(np.arange(20), 4)})
    y = X["epoch"] // 7
    with pytest.raises(ValueError, match=REFUSED):
        compare(
            {"most frequent": DummyClassifier()},
            *(X, y),
            cv=2,
            folder=written / "comparison",
            verbose=False,
        )


@pytest.mark.usefixtures("unchanged")
def test_training_is_refused(written):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=120)
    belt = (rng.normal(size=(120, 16)) * (0.3 + y[:, None])).astype(np.float32)
    X = SliceDict(THX=belt, recording=np.repeat(np.arange(8).astype(str), 15))
    classifier = Wav2SleepClassifier(
        module__feature_dim=8,
        module__initial_channels=2,
        module__max_channels=4,
        module__mixer_layers=1,
        module__mixer_heads=2,
        module__mixer_feedforward_dim=16,
        module__sequence_blocks=1,
        module__sequence_dilations=2,
        module__dropout=0.3,
        max_epochs=3,
        batch_size=1,
        target_batch_size=2,
        lr=0.05,
        callbacks=[ResumableCheckpoint(written / "training")],
        callbacks__weight_average=WeightAverage(0.6, start=1),
        random_state=0,
    )
    with pytest.raises(ValueError, match=REFUSED):
        classifier.fit(X, y)


def resample_by_scipy(samples, sampling_frequency, samples_per_epoch, n_epochs):
    """Resample as 0.1.0 did, by SciPy's filter, whose phases differ by up to a thousandth."""
    ratio = Fraction(samples_per_epoch, 30) / Fraction(sampling_frequency)
    up, down = ratio.numerator, ratio.denominator
    samples = resample_poly(np.asarray(samples, np.float64), up, down, padtype="edge")
    return samples[: n_epochs * samples_per_epoch].astype(np.float32)


def probabilities(written, night):
    """Yield those of the two models, and those that 0.1.0 gave."""
    pipeline = load_pretrained(written / "model")
    with np.load(written / "model-expected.npz") as expected:
        yield pipeline.predict_proba(night), expected["probability"]
    classifier = Wav2SleepClassifier.from_pretrained(written / "model-published")
    with np.load(written / "model-published-expected.npz") as expected:
        found = classifier.predict_proba(pipeline[:-1].transform(night))
        yield found, expected["probability"]


def test_models_are_used(written, night, monkeypatch):
    monkeypatch.setattr(resampler, "resample_polyphase", resample_by_scipy)
    for found, expected in probabilities(written, night):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_equal_gains_change_probabilities_by_less_than_they_differed(written, night):
    for found, expected in probabilities(written, night):
        np.testing.assert_allclose(found, expected, atol=2e-4)


def test_stager_is_used(written, tmp_path):
    small = tiny_vlm(hidden_size=32, n_layers=1)
    small.model.save_pretrained(tmp_path / "tiny-vlm")
    small.processor.save_pretrained(tmp_path / "tiny-vlm")
    images = np.random.default_rng(0).integers(0, 256, (6, 1, 56, 56, 3), dtype=np.uint8)
    stager = VLMStager.from_pretrained(written / "vlm-stager", model=str(tmp_path / "tiny-vlm"))
    with np.load(written / "vlm-stager-expected.npz") as expected:
        weights = small.model.state_dict().values()
        # Else torch or transformers draw other weights than they did, and nothing can be said.
        assert sum(float(w.abs().sum()) for w in weights) == pytest.approx(
            float(expected["model_sum"]), rel=1e-6
        )
        np.testing.assert_allclose(stager.predict_proba(images), expected["probability"], atol=1e-6)
