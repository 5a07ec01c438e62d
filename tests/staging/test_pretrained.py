"""Saved pipelines: the same predictions, and nothing executed."""

import json

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from sklearn_sleep.core.signals import SignalDefinition
from sklearn_sleep.preprocessing import EDFReader, Epocher, Filter, Normalizer, RecordingTransformer
from sklearn_sleep.staging.pretrained import load_pretrained, save_pretrained


@pytest.fixture
def folder(fitted_pipeline, tmp_path):
    save_pretrained(fitted_pipeline, tmp_path / "model")
    return tmp_path / "model"


def change(folder, **changes):
    path = folder / "config.json"
    described = {**json.loads(path.read_text()), **changes}
    del described["checksum"]
    path.write_text(json.dumps(described))


def test_predictions_are_the_same(folder, fitted_pipeline, cohort):
    loaded = load_pretrained(folder)
    np.testing.assert_array_equal(
        loaded.predict_proba(cohort.X), fitted_pipeline.predict_proba(cohort.X)
    )
    assert [name for name, _ in loaded.steps] == [name for name, _ in fitted_pipeline.steps]


def test_night_without_signals_gets_the_same_prior(folder, fitted_pipeline, cohort):
    X = cohort.X.assign(ECG=False, PPG=False, ABD=False, THX=False)
    with pytest.warns(UserWarning, match="No usable signal"):
        np.testing.assert_allclose(
            load_pretrained(folder).predict_proba(X), fitted_pipeline.predict_proba(X)
        )


def test_own_signals_and_string_stages(cohort, make_classifier, tmp_path):
    belly = SignalDefinition("BELLY", 64, aliases=("ABDO RES", "Abdo", "abdomen"))
    names = np.array(["wake", "light", "deep", "REM"])[cohort.y]
    north = cohort.X["recording"].str.contains("/north/").to_numpy()
    pipeline = make_pipeline(
        EDFReader([belly], channels={"BELLY": ["ABDO RES"]}),
        Filter(high_frequency=0.9),
        *make_pipeline_steps(64),
        make_classifier(classes=None),
    ).fit(cohort.X[north], names[north])
    save_pretrained(pipeline, tmp_path)
    loaded = load_pretrained(tmp_path)
    np.testing.assert_array_equal(
        loaded.predict(cohort.X[north]), pipeline.predict(cohort.X[north])
    )


def make_pipeline_steps(samples_per_epoch):
    from sklearn_sleep.preprocessing import Resampler

    return [
        Resampler({"BELLY": samples_per_epoch}, method="linear"),
        Normalizer("causal"),
        Epocher(),
    ]


def test_unknown_names_are_not_imported(folder):
    steps = json.loads((folder / "config.json").read_text())["steps"]
    steps[1]["type"] = "os.system"
    change(folder, steps=steps)
    with pytest.raises(ValueError, match=r"'os\.system' is not known"):
        load_pretrained(folder)


def test_parameters_of_the_classifier_are_limited_to_the_network(folder):
    described = json.loads((folder / "config.json").read_text())["classifier"]
    described["parameters"]["iterator_valid"] = "anything"
    change(folder, classifier=described)
    with pytest.raises(ValueError, match="iterator_valid"):
        load_pretrained(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_and_damaged_files(folder, name):
    (folder / name).write_bytes(b"\x80nonsense")
    with pytest.raises(ValueError, match="model"):
        load_pretrained(folder)
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        load_pretrained(folder)


def test_newer_format(folder):
    change(folder, format_version=99)
    with pytest.raises(ValueError, match="newer"):
        load_pretrained(folder)


def test_weights_of_another_network(folder):
    described = json.loads((folder / "config.json").read_text())["classifier"]
    described["parameters"]["module__feature_dim"] = 12
    change(folder, classifier=described)
    with pytest.raises(ValueError, match="size mismatch"):
        load_pretrained(folder)


def test_steps_that_cannot_be_saved(fitted_pipeline, tmp_path):
    class Inverter(RecordingTransformer):
        def transform_signal(self, signal):
            return signal.map(np.negative)

    pipeline = make_pipeline(Inverter(), fitted_pipeline[-1])
    with pytest.raises(TypeError, match="Inverter"):
        save_pretrained(pipeline, tmp_path)
    with pytest.raises(TypeError, match="Epocher"):
        save_pretrained(fitted_pipeline[:-1], tmp_path)
