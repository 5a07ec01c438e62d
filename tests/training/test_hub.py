"""Classifiers to and from the Hugging Face Hub, in whose place is a hub of folders."""

import inspect
import shutil
import sys
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest

from sklearn_sleep import VLMStager, Wav2SleepClassifier, pretrained_pipeline, tiny_vlm


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub of folders in the place of huggingface_hub."""
    calls = []

    def create_repo(repo_id, *, private, exist_ok):
        calls.append(("create", repo_id, private, exist_ok))

    def upload_folder(*, repo_id, folder_path, revision, commit_message):
        calls.append(("upload", repo_id, revision, commit_message))
        shutil.copytree(folder_path, tmp_path / "hub" / repo_id)

    def snapshot_download(*, repo_id, revision, allow_patterns):
        calls.append(("download", repo_id, revision, sorted(allow_patterns)))
        return str(tmp_path / "hub" / repo_id)

    stand_ins = (create_repo, upload_folder, snapshot_download)
    for function in stand_ins:
        # The real ones take what these take.
        taken = inspect.signature(getattr(huggingface_hub, function.__name__)).parameters
        assert inspect.signature(function).parameters.keys() <= taken.keys()
    module = SimpleNamespace(**{function.__name__: function for function in stand_ins})
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return calls


@pytest.mark.parametrize("format_", ["sklearn_sleep", "wav2sleep"])
def test_pushed_to_the_hub_and_back(golden_rows, published, hub, format_):
    classifier = Wav2SleepClassifier.from_pretrained(published)
    name = classifier.push_to_hub(
        "someone/night", format=format_, private=True, commit_message="first"
    )
    assert name == "hf://someone/night"
    loaded = Wav2SleepClassifier.from_pretrained(name, revision="v1")
    arrays, _ = golden_rows
    np.testing.assert_array_equal(loaded.predict_proba(arrays), classifier.predict_proba(arrays))
    files = ["config.json", "config.yaml", "model.safetensors", "state_dict.pth"]
    assert hub == [
        ("create", "someone/night", True, True),
        ("upload", "someone/night", None, "first"),
        ("download", "someone/night", "v1", files),
    ]


def test_pipeline_from_the_hub(published, hub, night):
    Wav2SleepClassifier.from_pretrained(published).push_to_hub("a/b", format="wav2sleep")
    pipeline = pretrained_pipeline("hf://a/b")
    np.testing.assert_array_equal(
        pipeline.predict(night), pretrained_pipeline(published).predict(night)
    )


def test_without_huggingface_hub(published, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn_sleep\[hub\]'"):
        Wav2SleepClassifier.from_pretrained("hf://joncarter/wav2sleep")
    with pytest.raises(ImportError, match=r"pip install 'sklearn_sleep\[hub\]'"):
        Wav2SleepClassifier.from_pretrained(published).push_to_hub("a/b")


def test_names_that_are_no_repository(hub, published):
    with pytest.raises(ValueError, match="'wav2sleep' is not a repository of the hub"):
        Wav2SleepClassifier.from_pretrained("hf://wav2sleep")
    with pytest.raises(ValueError, match="revision='v1' is for models on the hub"):
        Wav2SleepClassifier.from_pretrained(published, revision="v1")
    assert not hub


@pytest.fixture
def stager():
    """Before the hub is replaced, which transformers looks into when it is imported."""
    images = np.random.default_rng(0).integers(0, 255, (6, 1, 28, 56, 3), dtype=np.uint8)
    stager = VLMStager(tiny_vlm(hidden_size=32), prompt="Stage?", max_epochs=1, random_state=0)
    return stager.fit(images, ["W", "N1", "N2", "N3", "R", "W"]), images


def test_a_stager_on_the_hub(stager, hub):
    stager, images = stager
    name = stager.push_to_hub("someone/looking", commit_message="first")
    loaded = VLMStager.from_pretrained(name, revision="v1")
    np.testing.assert_allclose(
        loaded.predict_proba(images), stager.predict_proba(images), atol=1e-6
    )
    assert hub == [
        ("create", "someone/looking", False, True),
        ("upload", "someone/looking", None, "first"),
        (
            "download",
            "someone/looking",
            "v1",
            ["adapter_config.json", "adapter_model.safetensors", "model/*", "vlm_stager.json"],
        ),
    ]


def test_fine_tuning_starts_from_the_revision_that_was_loaded(golden_rows, published, hub):
    Wav2SleepClassifier.from_pretrained(published).push_to_hub("a/b", format="wav2sleep")
    loaded = Wav2SleepClassifier.from_pretrained("hf://a/b", revision="v1")
    assert loaded.initialize_from == "hf://a/b@v1"
    arrays, logits = golden_rows
    loaded.set_params(max_epochs=0, train_split=None).fit(arrays, logits.argmax(axis=1))
    assert [call[1:3] for call in hub if call[0] == "download"] == [("a/b", "v1")] * 2
    assert set(loaded.initial_parts_.values()) == {"kept"}
