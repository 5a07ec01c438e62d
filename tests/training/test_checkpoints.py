"""Classifiers from and to folders: the published format, our own, and the hub."""

import errno
import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from scipy.special import softmax

from sklearn_sleep import Wav2SleepClassifier, pretrained_pipeline, save_pretrained

SAMPLES_PER_EPOCH = {"ABD": 256, "THX": 256, "ECG": 1024, "PPG": 1024}


def change(folder, **changes):
    """Set values of config.yaml, by keys like ``epoch_mixer__nhead``."""
    path = folder / "config.yaml"
    configuration = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        *parts, last = key.split("__")
        part = configuration
        for name in parts:
            part = part[name]
        part[last] = value
    path.write_text(yaml.safe_dump(configuration))


# -- the published format --------------------------------------------------------------------------


def test_published_checkpoint_gives_its_logits(golden_rows, published):
    classifier = Wav2SleepClassifier.from_pretrained(published)
    arrays, logits = golden_rows
    assert any(np.isnan(arrays[name]).any() for name in SAMPLES_PER_EPOCH)
    probabilities = classifier.predict_proba(arrays)
    np.testing.assert_allclose(probabilities, softmax(logits.astype(float), axis=1), atol=1e-4)
    np.testing.assert_array_equal(classifier.predict(arrays), logits.argmax(axis=1))


def test_what_the_published_format_does_not_say(published):
    classifier = Wav2SleepClassifier.from_pretrained(str(published))
    np.testing.assert_array_equal(classifier.classes_, [0, 1, 2, 3])
    np.testing.assert_array_equal(classifier.class_prior_, [0.25] * 4)
    assert classifier.samples_per_epoch_ == SAMPLES_PER_EPOCH


def test_training_goes_on_from_published_weights(golden_rows, published):
    classifier = Wav2SleepClassifier.from_pretrained(published)
    classifier.set_params(max_epochs=1, train_split=None, random_state=0, verbose=0)
    arrays, logits = golden_rows
    before = {key: value.clone() for key, value in classifier.module_.state_dict().items()}
    classifier.partial_fit(arrays, logits.argmax(axis=1))
    after = classifier.module_.state_dict()
    changes = [float((after[key] - before[key]).abs().max()) for key in before]
    assert 0 < max(changes) < 0.1


def test_weights_are_compared_strictly(published):
    state = torch.load(published / "state_dict.pth", weights_only=True)
    state["classifier.bias2"] = state["classifier.bias"]
    torch.save(state, published / "state_dict.pth")
    with pytest.raises(ValueError, match=r"Unexpected key.*classifier\.bias2"):
        Wav2SleepClassifier.from_pretrained(published)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"_target_": "os.system"}, r"_target_='os\.system', which is not known"),
        (
            {"sequence_mixer___target_": "wav2sleep.models.ppgnet.SleepPPGNet"},
            "sequence_mixer has _target_='wav2sleep.models.ppgnet.SleepPPGNet'",
        ),
        ({"epoch_mixer__heads": 3}, r"epoch_mixer has the unknown option\(s\) \['heads'\]"),
        ({"extra": 1}, r"unknown option\(s\) \['extra'\]"),
        ({"num_classes": "4"}, "num_classes='4' must be an integer"),
        ({"epoch_mixer__nhead": True}, "epoch_mixer.nhead=True must be of type int"),
        ({"signal_encoders__norm": 3}, "signal_encoders.norm=3 must be of type str"),
        ({"signal_encoders__activation": None}, "activation=None must be of type str"),
        ({"signal_encoders__norm": "auto2"}, "norm='auto2' is not known"),
        ({"sequence_mixer__feature_dim": 16}, "feature_dim=16, but another part has 32"),
        ({"signal_encoders__signal_map": {"EEG": "EEG"}}, "unknown signal 'EEG'"),
        ({"signal_encoders__signal_map": None}, "signal_map must name encoders"),
        ({"signal_encoders": ["ECG"]}, "signal_encoders must be a mapping"),
        ({"num_classes": 5}, "size mismatch for classifier"),
        ({"epoch_mixer__nhead": 0}, "ZeroDivisionError"),
        ({"num_classes": 10**12}, "must be an integer from 2 to 100"),
        ({"epoch_mixer__layers": 2_000_000}, "2000000 layers, but the weights are"),
        ({"sequence_mixer__num_layers": 2_000_000}, "layers, but the weights are"),
        ({"sequence_mixer__num_dilations": 2_000_000}, "layers, but the weights are"),
        ({"epoch_mixer__register_tokens": 10**12}, "size mismatch for epoch_mixer"),
        ({"epoch_mixer__dim_ff": 10**11}, "size mismatch for epoch_mixer"),
        ({"signal_encoders__max_channels": 10**6}, "size mismatch for signal_encoders"),
        ({"sequence_mixer__kernel_size": 10**9 + 1}, "size mismatch for sequence_mixer"),
    ],
)
def test_configurations_that_are_not_known(published, changes, match):
    change(published, **changes)
    with pytest.raises(ValueError, match=match) as caught:
        Wav2SleepClassifier.from_pretrained(published)
    assert str(published) in str(caught.value)


LAUGHS = "\n".join(
    ["a0: &a0 [x]", *(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]" for i in range(40))]
)


@pytest.mark.parametrize(
    "text",
    [
        f"_target_: {{}}\n{LAUGHS}",
        "a: &a {b: 1}\nnum_classes:\n  <<: [*a, *a]",
        f"num_classes: {'9' * 5000}",
        f"num_classes: 0x{'f' * 5000}",
        "[" * 100_000,
        "- " * 100_000,
        "a" * 2**21,
    ],
    ids=range(7),
)
def test_configurations_that_grow_are_refused_in_few_words(published, text):
    (published / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"config\.yaml") as caught:
        Wav2SleepClassifier.from_pretrained(published)
    assert len(str(caught.value)) < 1000


def test_weights_that_grow_are_refused(published):
    path = published / "state_dict.pth"
    with zipfile.ZipFile(path) as sound:
        members = {name: sound.read(name) for name in sound.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content + bytes(10**5))
    with pytest.raises(ValueError, match=r"state_dict.pth unpacks to \d+ bytes, more than torch"):
        Wav2SleepClassifier.from_pretrained(published)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"parameters": {"module__mixer_layers": 2_000_000}}, "2000000 layers"),
        ({"parameters": {"module__feature_dim": 2**40}}, "does not hold a model"),
        ({"classes": [[1], [2, 3]]}, "inhomogeneous"),
        ({"samples_per_epoch": {"ECG": 2**62}}, "does not hold a model"),
        ({"type": "x" * 100_000}, "is not known; known is Wav2SleepClassifier"),
    ],
)
def test_own_configurations_that_grow(published, tmp_path, change, match):
    folder = tmp_path / "own"
    Wav2SleepClassifier.from_pretrained(published).save_pretrained(folder)
    path = folder / "config.json"
    configuration = json.loads(path.read_text())
    del configuration["checksum"]
    for key, value in change.items():
        old = configuration["classifier"][key]
        configuration["classifier"][key] = {**old, **value} if key == "parameters" else value
    path.write_text(json.dumps(configuration))
    with pytest.raises(ValueError, match=match) as caught:
        Wav2SleepClassifier.from_pretrained(folder)
    assert str(folder) in str(caught.value)


def test_missing_option_takes_the_published_default(published):
    path = published / "config.yaml"
    configuration = yaml.safe_load(path.read_text())
    del configuration["signal_encoders"]["norm"]
    del configuration["epoch_mixer"]["activation"]
    path.write_text(yaml.safe_dump(configuration))
    same = Wav2SleepClassifier.from_pretrained(published)
    assert same.module__encoder_norm == "instance"
    assert same.module__mixer_activation == "gelu"
    del configuration["epoch_mixer"]["feature_dim"]
    path.write_text(yaml.safe_dump(configuration))
    with pytest.raises(ValueError, match=r"epoch_mixer\.feature_dim is missing"):
        Wav2SleepClassifier.from_pretrained(published)


def test_yaml_is_not_executed(published):
    ran = published / "ran"
    text = f"num_classes: !!python/object/apply:pathlib.Path.touch [{ran}]\n"
    (published / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"config\.yaml is not a plain YAML file"):
        Wav2SleepClassifier.from_pretrained(published)
    assert not ran.exists()


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("save", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x, 2))])
def test_pickles_are_not_executed(published, save):
    ran = published / "ran"
    save({"classifier.bias": Payload(str(ran))}, published / "state_dict.pth")
    with pytest.raises(ValueError, match=r"state_dict\.pth is not a file of tensors alone"):
        Wav2SleepClassifier.from_pretrained(published)
    assert not ran.exists()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 no archive"])
def test_damaged_weights(published, content):
    (published / "state_dict.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"state_dict\.pth"):
        Wav2SleepClassifier.from_pretrained(published)


def test_state_that_is_no_mapping_of_tensors(published):
    torch.save({"classifier.bias": [1.0]}, published / "state_dict.pth")
    with pytest.raises(ValueError, match="must hold tensors by name"):
        Wav2SleepClassifier.from_pretrained(published)


def test_missing_files(published):
    (published / "state_dict.pth").unlink()
    with pytest.raises(FileNotFoundError, match=r"state_dict\.pth is not there"):
        Wav2SleepClassifier.from_pretrained(published)
    (published / "config.yaml").unlink()
    with pytest.raises(FileNotFoundError, match=r"config\.json is not there"):
        Wav2SleepClassifier.from_pretrained(published)
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        Wav2SleepClassifier.from_pretrained(published / "nowhere")


# -- saving ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["sklearn_sleep", "wav2sleep"])
def test_saved_and_loaded_again(golden_rows, published, tmp_path, format_):
    classifier = Wav2SleepClassifier.from_pretrained(published)
    classifier.save_pretrained(tmp_path / "saved", format=format_)
    loaded = Wav2SleepClassifier.from_pretrained(tmp_path / "saved")
    arrays, _ = golden_rows
    np.testing.assert_array_equal(loaded.predict_proba(arrays), classifier.predict_proba(arrays))


def test_published_configuration_comes_out_as_it_went_in(published, tmp_path):
    Wav2SleepClassifier.from_pretrained(published).save_pretrained(
        tmp_path / "saved", format="wav2sleep"
    )
    before = yaml.safe_load((published / "config.yaml").read_text())
    after = yaml.safe_load((tmp_path / "saved" / "config.yaml").read_text())
    # Written out, although it is the published default.
    assert after["epoch_mixer"].pop("norm_first") is True
    assert after["epoch_mixer"].pop("register_tokens") == 0
    assert after["signal_encoders"].pop("embed_signals") is False
    assert after == before
    state = torch.load(published / "state_dict.pth", weights_only=True)
    saved = torch.load(tmp_path / "saved" / "state_dict.pth", weights_only=True)
    assert list(saved) == list(state)
    assert all(torch.equal(saved[key], state[key]) for key in state)


def test_own_classes_and_prior_are_kept(fitted_pipeline, tmp_path):
    classifier = fitted_pipeline[-1]
    classifier.save_pretrained(tmp_path)
    loaded = Wav2SleepClassifier.from_pretrained(tmp_path)
    np.testing.assert_array_equal(loaded.classes_, classifier.classes_)
    np.testing.assert_allclose(loaded.class_prior_, classifier.class_prior_)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


def trained(signals, classes=(0, 1, 2, 3), **parameters):
    """A classifier that counts as trained, whose weights are random."""
    classifier = Wav2SleepClassifier(
        **{f"module__{key}": value for key, value in {"feature_dim": 8, **parameters}.items()}
    )
    classifier.classes_ = np.asarray(classes)
    classifier.class_prior_ = np.full(len(classes), 1 / len(classes))
    classifier.samples_per_epoch_ = signals
    classifier.signals_ = tuple(signals)
    return classifier.initialize()


def test_all_options_survive_the_published_format(tmp_path):
    options = {
        "signal_map": {"EOG-L": "EOG", "EOG-R": "EOG"},
        "embed_signals": True,
        "activation": "silu",
        "initial_channels": 2,
        "max_channels": 4,
        "encoder_norm": "weight",
        "residual": False,
        "output_norm": True,
        "causal": True,
        "chunk_causal": False,
        "mixer_layers": 1,
        "mixer_heads": 2,
        "mixer_feedforward_dim": 16,
        "mixer_norm_first": False,
        "mixer_register_tokens": 2,
        "sequence_blocks": 1,
        "sequence_kernel_size": 5,
        "sequence_dilations": 2,
        "sequence_norm": None,
        "dropout": 0.25,
    }
    signals = {"EOG-L": 4096, "EOG-R": 4096}
    classifier = trained(signals, range(5), **options)
    classifier.save_pretrained(tmp_path, format="wav2sleep")
    loaded = Wav2SleepClassifier.from_pretrained(tmp_path)
    found = loaded.get_params_for("module")
    followed = {
        "mixer_activation": "silu",
        "sequence_activation": "silu",
        "sequence_causal": True,
        "sequence_dropout": 0.25,
    }
    expected = {"feature_dim": 8, "signals": signals, "n_classes": 5, **options, **followed}
    assert found == expected
    x = {name: torch.randn(1, 3, 4096) for name in signals}
    with torch.no_grad():
        before, after = classifier.module_.eval()(x), loaded.module_.eval()(x)
    torch.testing.assert_close(before, after)


@pytest.mark.parametrize(
    ("classifier", "match"),
    [
        (lambda: trained({"ECG": 1024}, epoch_mixer="mean"), "no epoch_mixer='mean'"),
        (
            lambda: trained({"ECG": 1024}, sequence_mixer="transformer"),
            "no sequence_mixer='transformer'",
        ),
        (lambda: trained({"EEG": 4096}), "no EEG with 4096 samples"),
        (lambda: trained({"ECG": 256}), "no ECG with 256 samples"),
        (lambda: trained({"ECG": 1024}, ["N", "R", "W"]), r"no the classes \['N', 'R', 'W'\]"),
    ],
)
def test_what_the_published_format_cannot_hold(classifier, match, tmp_path):
    model = classifier()
    with pytest.raises(ValueError, match=match):
        model.save_pretrained(tmp_path / "published", format="wav2sleep")
    assert not (tmp_path / "published").exists()
    model.save_pretrained(tmp_path / "own")
    loaded = Wav2SleepClassifier.from_pretrained(tmp_path / "own")
    assert loaded.get_params_for("module") == model.get_params_for("module")


def test_unknown_format_and_untrained_classifier(published, tmp_path):
    classifier = Wav2SleepClassifier.from_pretrained(published)
    with pytest.raises(ValueError, match="format='onnx' is not known"):
        classifier.save_pretrained(tmp_path / "saved", format="onnx")
    with pytest.raises(AttributeError, match=r"not fitted|not initialized"):
        Wav2SleepClassifier().save_pretrained(tmp_path / "saved")
    with pytest.raises(TypeError, match="Only the network Wav2Sleep"):
        Wav2SleepClassifier(torch.nn.Identity).save_pretrained(tmp_path / "saved")


def test_weight_norm_can_be_pickled(tmp_path):
    classifier = trained({"THX": 16}, encoder_norm="weight", sequence_norm="weight")
    x = {"THX": torch.randn(1, 5, 16)}
    copy = pickle.loads(pickle.dumps(classifier))  # noqa: S301  our own
    with torch.no_grad():
        assert torch.equal(classifier.module_.eval()(x), copy.module_.eval()(x))


# -- whole or not there ----------------------------------------------------------------------------


def test_killed_at_any_write_the_old_model_is_there_or_the_new_one_or_none(tmp_path):
    script = Path(__file__).parents[1] / "helpers" / "killed_writer.py"
    kinds = ["sklearn_sleep=0", "wav2sleep=0", "vlm=16"]
    done = subprocess.run(
        [sys.executable, script, tmp_path, *kinds], capture_output=True, text=True, check=True
    )
    of_kinds = [line.split() for line in done.stdout.splitlines()]
    assert len(of_kinds) == len(kinds)
    for held in of_kinds:
        assert held[0] == "old"
        assert held[-1] == "new"
        assert sorted(held, key=["old", "refused", "new"].index) == held


def flip(path, place, bit=0):
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def state_of(folder):
    classifier = Wav2SleepClassifier.from_pretrained(folder)
    state = {name: value.clone() for name, value in classifier.module_.state_dict().items()}
    return classifier.classes_.tolist(), classifier.class_prior_.tolist(), state


@pytest.mark.parametrize("writer", ["sklearn_sleep", "wav2sleep", "published code"])
def test_a_flipped_bit_is_named_or_changes_nothing(published, tmp_path, writer):
    folder = tmp_path / "saved"
    if writer == "published code":
        folder = published
        (published / "config.yaml").touch()
    else:
        Wav2SleepClassifier.from_pretrained(published).save_pretrained(folder, format=writer)
    classes, prior, state = state_of(folder)
    rng = np.random.default_rng(0)
    weights, configuration = sorted(folder.iterdir(), key=lambda path: "config" in path.name)
    for path in (weights, configuration) if writer != "published code" else (weights,):
        whole = path.read_bytes()
        n_found = 0
        for place in rng.integers(0, len(whole), 25):
            flip(path, place, rng.integers(8))
            try:
                found = state_of(folder)
            except ValueError as error:
                assert str(folder) in str(error)  # noqa: PT017
                n_found += 1
            else:
                assert found[:2] == (classes, prior)
                assert all(torch.equal(found[2][name], state[name]) for name in state)
            path.write_bytes(whole)
        assert n_found >= 15


def test_the_published_format_does_not_go_beside_our_own(published, tmp_path):
    classifier = Wav2SleepClassifier.from_pretrained(published)
    classifier.save_pretrained(tmp_path / "saved")
    with pytest.raises(ValueError, match="holds a model in our own format"):
        classifier.save_pretrained(tmp_path / "saved", format="wav2sleep")


@pytest.mark.parametrize("format_", ["sklearn_sleep", "wav2sleep"])
def test_a_full_disk_leaves_the_model_that_was_there(published, tmp_path, monkeypatch, format_):
    folder = tmp_path / "saved"
    classifier = Wav2SleepClassifier.from_pretrained(published)
    classifier.save_pretrained(folder, format=format_)
    before = {path: path.read_bytes() for path in folder.iterdir()}

    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="The disk is full, and this file was not written"):
        classifier.save_pretrained(folder, format=format_)
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


# -- pipelines -------------------------------------------------------------------------------------


@pytest.mark.parametrize("normalization", ["zscore", "causal"])
def test_pipeline_gives_what_the_published_pipeline_gives(
    data_folder, published, night, normalization
):
    """Logits of the published preprocessing and network for the night, padded to ten hours."""
    pipeline = pretrained_pipeline(published)
    # The small network is not causal; only its normalization is tried.
    pipeline.set_params(normalizer__method=normalization)
    with np.load(data_folder / "golden" / "wav2sleep-options" / "night-logits.npz") as expected:
        probabilities = softmax(expected[normalization].astype(float), axis=1)
    np.testing.assert_allclose(pipeline.predict_proba(night), probabilities, atol=1e-4)


def test_rows_of_a_padded_night_in_any_order(published, night):
    pipeline = pretrained_pipeline(published)
    whole = pipeline.predict_proba(night)
    table = pipeline[0].fit_transform(night).table
    rows = [7, 0, 11, 7]
    np.testing.assert_allclose(pipeline.predict_proba(table.iloc[rows]), whole[rows])


def test_pipelines_steps_are_those_of_the_configuration(published):
    assert pretrained_pipeline(published).named_steps["normalizer"].method == "zscore"
    change(published, signal_encoders__causal=True)
    pipeline = pretrained_pipeline(published, on_error="warn")
    assert pipeline.named_steps["normalizer"].method == "causal"
    assert pipeline.named_steps["edfreader"].on_error == "warn"


def test_eog_comes_in_millivolts(tmp_path, write_edf):
    rng = np.random.default_rng(0)
    microvolts = 40 * rng.normal(size=100 * 90)
    path = write_edf("eog.edf", ("E1-M2", microvolts, 100, "uV", (-250, 250)))
    trained({"EOG-L": 4096}, range(5), initial_channels=2, max_channels=4).save_pretrained(
        tmp_path / "model", format="wav2sleep"
    )
    pipeline = pretrained_pipeline(tmp_path / "model")
    signal = pipeline[:1].fit_transform(str(path)).recordings[0].signals["EOG-L"]
    assert signal.unit == "mV"
    np.testing.assert_allclose(signal.data, microvolts / 1000, atol=0.01)
    assert pipeline.predict(str(path)).shape == (3,)


def test_pipelines_of_our_own(fitted_pipeline, cohort, tmp_path):
    save_pretrained(fitted_pipeline, tmp_path / "whole")
    loaded = pretrained_pipeline(tmp_path / "whole", on_error="warn")
    np.testing.assert_array_equal(
        loaded.predict_proba(cohort.X), fitted_pipeline.predict_proba(cohort.X)
    )
    assert loaded[0].on_error == "warn"
    fitted_pipeline[-1].save_pretrained(tmp_path / "alone")
    with pytest.raises(ValueError, match="a classifier without the steps"):
        pretrained_pipeline(tmp_path / "alone")


def test_published_pipeline_in_our_own_format(published, night, tmp_path):
    pipeline = pretrained_pipeline(published)
    save_pretrained(pipeline, tmp_path / "own")
    described = json.loads((tmp_path / "own" / "config.json").read_text())
    assert [step["type"] for step in described["steps"]][1] == "Padder"
    np.testing.assert_array_equal(
        pretrained_pipeline(tmp_path / "own").predict_proba(night), pipeline.predict_proba(night)
    )
