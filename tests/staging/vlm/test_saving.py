"""Stagers are the same after saving and loading, and nothing in files is executed."""

import json

import numpy as np
import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from telling_images import make_images

from sklearn_sleep import EDFReader, VLMStager, WaveformImageRenderer, tiny_vlm
from sklearn_sleep.exceptions import TrainingError
from sklearn_sleep.imaging import Montage, Trace

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.SplitNightWarning"),
]


def make_stager(architecture="qwen2_5_vl", **parameters):
    return VLMStager(
        tiny_vlm(architecture, hidden_size=32, image_size=56),
        **{"prompt": "Stage?", "max_epochs": 1, "lr": 1e-2, "random_state": 0, **parameters},
    )


@pytest.fixture(scope="module")
def rows():
    return make_images(24)


@pytest.mark.parametrize("architecture", ["qwen2_5_vl", "llava"])
@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_saved_and_loaded(rows, tmp_path, architecture, tuning):
    stager = make_stager(architecture, tuning=tuning).fit(*rows)
    expected = stager.predict_proba(rows[0])
    stager.save_pretrained(tmp_path)
    assert (tmp_path / "adapter_model.safetensors").exists() == (tuning == "lora")
    assert not list(tmp_path.rglob("*.bin"))
    loaded = VLMStager.from_pretrained(tmp_path)
    np.testing.assert_allclose(loaded.predict_proba(rows[0]), expected, atol=1e-6)
    np.testing.assert_array_equal(loaded.classes_, stager.classes_)
    assert (loaded.prompt_, loaded.tuning) == (stager.prompt_, tuning)
    # Saving does not use the adapter up, and what was loaded can be saved.
    np.testing.assert_array_equal(stager.predict_proba(rows[0]), expected)
    loaded.save_pretrained(tmp_path / "again")
    again = VLMStager.from_pretrained(tmp_path / "again")
    np.testing.assert_allclose(again.predict_proba(rows[0]), expected, atol=1e-6)


def test_of_a_model_that_is_elsewhere_the_adapter_alone_is_saved(rows, tmp_path):
    vlm = tiny_vlm(hidden_size=32)
    vlm.model.save_pretrained(tmp_path / "model")
    vlm.processor.save_pretrained(tmp_path / "model")
    stager = make_stager().set_params(model=str(tmp_path / "model")).fit(*rows)
    expected = stager.predict_proba(rows[0])
    np.testing.assert_allclose(
        make_stager().set_params(model=vlm).fit(*rows).predict_proba(rows[0]), expected, atol=1e-6
    )
    stager.save_pretrained(tmp_path / "stager")
    assert not (tmp_path / "stager" / "model").exists()
    loaded = VLMStager.from_pretrained(tmp_path / "stager")
    np.testing.assert_allclose(loaded.predict_proba(rows[0]), expected, atol=1e-6)
    (tmp_path / "model").rename(tmp_path / "moved")
    moved = VLMStager.from_pretrained(tmp_path / "stager", model=str(tmp_path / "moved"))
    np.testing.assert_allclose(moved.predict_proba(rows[0]), expected, atol=1e-6)


def test_a_pretrained_model_is_saved_with_it(rows, tmp_path, cohort):
    montage = Montage([Trace("EEG", "#ffff00")], width=112, height=56)
    steps = EDFReader(montage).fit_transform(cohort.X[:20])
    images = WaveformImageRenderer(montage, context=[0]).fit_transform(steps)
    stager = make_stager().pretrain(images, seconds=30, max_epochs=1).fit(*rows)
    stager.save_pretrained(tmp_path)
    loaded = VLMStager.from_pretrained(tmp_path)
    np.testing.assert_allclose(
        loaded.predict_proba(rows[0]), stager.predict_proba(rows[0]), atol=1e-6
    )


@pytest.fixture
def published(tmp_path):
    """An adapter in the layout of SleepVLM's, and the model that it belongs to."""
    vlm = tiny_vlm(hidden_size=32)
    base = tmp_path / "base"
    vlm.model.save_pretrained(base)
    vlm.processor.save_pretrained(base)
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])
    with pytest.warns(FutureWarning, match="is_gradient_checkpointing"):
        adapted = peft.get_peft_model(vlm.model, config)
    adapted.peft_config["default"].base_model_name_or_path = str(base)
    folder = tmp_path / "adapter"
    adapted.save_pretrained(folder)
    weights = load_file(folder / "adapter_model.safetensors")
    rng = np.random.default_rng(0)
    for name, value in weights.items():
        weights[name] = value + 0.3 * value.new_tensor(rng.normal(size=value.shape))
    save_file(weights, folder / "adapter_model.safetensors")
    peft.set_peft_model_state_dict(adapted, weights)
    return folder, adapted


def test_published_adapters_are_loaded(published):
    folder, adapted = published
    stager = VLMStager.from_pretrained(folder)
    assert stager.answers_ == ["W", "N1", "N2", "N3", "R"]
    assert stager.image_shape_ == (3, 224, 448, 3)
    assert "F4" in stager.prompt_
    images = np.random.default_rng(0).integers(0, 255, (2, 3, 224, 448, 3), dtype=np.uint8)
    found = stager.predict_proba(images)
    plain = VLMStager.from_pretrained(folder)
    plain.module_.model = adapted.eval()
    np.testing.assert_allclose(found, plain.predict_proba(images), atol=1e-6)
    plain.module_.model = adapted.unload()
    assert np.abs(plain.predict_proba(images) - found).max() > 1e-3


def test_damaged_and_other_files(rows, tmp_path, published):
    with pytest.raises(FileNotFoundError, match="has neither"):
        VLMStager.from_pretrained(tmp_path)
    folder, _ = published
    config = json.loads((folder / "adapter_config.json").read_text())

    def changed(**values):
        (folder / "adapter_config.json").write_text(json.dumps({**config, **values}))
        return folder

    with pytest.raises(ValueError, match="of the type IA3; only LORA is known"):
        VLMStager.from_pretrained(changed(peft_type="IA3"))
    with pytest.raises(ValueError, match="does not fit the model"):
        VLMStager.from_pretrained(changed(target_modules=["q_proj"]))
    # What could name code is not looked at.
    changed(auto_mapping={"base_model_class": "x", "parent_library": "os"}, eva_config={"a": 1})
    VLMStager.from_pretrained(folder)
    (folder / "adapter_model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="does not hold a model"):
        VLMStager.from_pretrained(folder)
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_model.bin").write_bytes(b"pickled")
    with pytest.raises(FileNotFoundError):
        VLMStager.from_pretrained(folder)


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_weights_that_are_no_numbers_are_refused(rows, tmp_path, tuning):
    stager = make_stager(tuning=tuning).fit(*rows)
    with torch.no_grad():
        for parameter in stager.module_.parameters():
            if parameter.requires_grad:
                parameter.view(-1)[0] = float("nan")
    with pytest.raises(TrainingError, match="The model has weights that are NaN"):
        stager.predict(rows[0])
    with pytest.raises(TrainingError, match=r"of row \d+, row \d+.* is nan.*diverged"):
        stager.partial_fit(*rows)
    stager.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=f"The model in {tmp_path} has weights that are NaN"):
        VLMStager.from_pretrained(tmp_path)


def test_newer_and_unknown_configurations(rows, tmp_path):
    make_stager().fit(*rows).save_pretrained(tmp_path)
    path = tmp_path / "vlm_stager.json"
    good = json.loads(path.read_text())
    del good["checksum"]

    def load(**changes):
        path.write_text(json.dumps({**good, **changes}))
        return VLMStager.from_pretrained(tmp_path)

    load()
    with pytest.raises(ValueError, match="saved by a newer sklearn_sleep"):
        load(format_version=99)
    with pytest.raises(ValueError, match="holds a Wav2SleepClassifier, not a VLMStager"):
        load(type="Wav2SleepClassifier")
    with pytest.raises(ValueError, match=r"the parameters \['callbacks'\] are not known"):
        load(parameters={"callbacks": "os.system"})
    path.write_text("{")
    with pytest.raises(ValueError, match="does not hold a model"):
        VLMStager.from_pretrained(tmp_path)
