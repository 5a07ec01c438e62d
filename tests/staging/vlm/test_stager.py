"""VLMStager learns stages from images, and is an estimator like any other."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from telling_images import STAGES, make_images

from sklearn_sleep import EDFReader, VLMStager, WaveformImageRenderer, compare, tiny_vlm
from sklearn_sleep.exceptions import MissingSignalWarning
from sklearn_sleep.imaging import Montage, Trace
from sklearn_sleep.staging.vlm import backbone
from sklearn_sleep.training.callbacks.resumable import ResumableCheckpoint

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.SplitNightWarning"),
]

MONTAGE = Montage(
    [Trace("EEG", "#ffff00", (-100, 100)), Trace("EMG", "#4040ff", (-40, 40))], width=112, height=56
)


def make_stager(architecture="qwen2_5_vl", **parameters):
    return VLMStager(
        tiny_vlm(architecture, hidden_size=32, n_layers=1, image_size=56),
        **{
            "prompt": "Stage?",
            "tuning": "full",
            "train_vision": True,
            "lr": 3e-3,
            "batch_size": 16,
            "max_epochs": 12,
            "random_state": 0,
            **parameters,
        },
    )


@pytest.fixture(scope="module")
def rows():
    return make_images(160)


@pytest.fixture(scope="module")
def few(rows):
    """Enough to change the weights."""
    return rows[0][:48], rows[1][:48]


@pytest.fixture(scope="module", params=["qwen2_5_vl", "llava"])
def fitted(request, rows):
    return make_stager(request.param, batch_size=8, max_epochs=8).fit(*rows)


@pytest.fixture(scope="module")
def adapted(few):
    """With adapters that have learned a little."""
    return make_stager(tuning="lora", train_vision=False, max_epochs=2).fit(*few)


def test_it_learns_what_images_tell(fitted):
    images, y = make_images(60, random_state=1)
    assert fitted.score(images, y) > 0.9
    probabilities = fitted.predict_proba(images)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert list(fitted.classes_) == sorted(STAGES)
    np.testing.assert_array_equal(
        fitted.predict(images), fitted.classes_[probabilities.argmax(axis=1)]
    )
    losses = fitted.history[:, "train_loss"]
    assert losses[-1] < 0.2 * losses[0]


def test_rows_alone_and_in_batches_are_the_same(fitted, rows):
    images = rows[0][:40]
    together = fitted.predict_proba(images)
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_allclose(fitted.predict_proba(images[order]), together[order], atol=1e-6)
    for row in (0, 17):
        np.testing.assert_allclose(fitted.predict_proba(images[[row]])[0], together[row], atol=1e-6)


def test_adapters_alone_are_trained(few):
    vlm = tiny_vlm(hidden_size=32)
    before = {name: value.clone() for name, value in vlm.model.state_dict().items()}
    stager = make_stager(tuning="lora", train_vision=False, max_epochs=1).set_params(model=vlm)
    stager.fit(*few)
    for name, value in vlm.model.state_dict().items():
        assert torch.equal(value, before[name])
    after = stager.module_.model.state_dict()
    for name, value in before.items():
        prefix, _, last = name.rpartition(".")
        kept = [f"base_model.model.{name}", f"base_model.model.{prefix}.base_layer.{last}"]
        (found,) = [after[key] for key in kept if key in after]
        assert torch.equal(found, value)
    trained = [name for name, p in stager.module_.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)
    assert not any("visual" in name for name in trained)
    assert set(stager.module_.state_dict()) == set(trained)
    changed = [
        name for name, p in stager.module_.named_parameters() if "lora_B" in name and p.any()
    ]
    assert len(changed) == len(trained) / 2
    with_vision = make_stager(tuning="lora", train_vision=True, max_epochs=1, lora_rank=4)
    with_vision.fit(few[0][:16], few[1][:16])
    names = [name for name, p in with_vision.module_.named_parameters() if p.requires_grad]
    assert any("visual" in name for name in names)
    assert with_vision.module_.get_parameter(names[0]).shape[0] == 4


def test_full_tuning_leaves_a_frozen_vision_tower(few):
    vlm = tiny_vlm("llava", hidden_size=32, image_size=56)
    before = {name: value.clone() for name, value in vlm.model.state_dict().items()}
    stager = make_stager("llava", train_vision=False, max_epochs=1).set_params(model=vlm)
    after = stager.fit(*few).module_.model.state_dict()
    same = {name: torch.equal(after[name], value) for name, value in before.items()}
    assert all(same[name] for name in same if "vision" in name)
    assert not all(same.values())


def test_gradients_add_up(rows):
    images, y = rows[0][:32], rows[1][:32]

    def weights(**parameters):
        stager = make_stager(max_epochs=2, class_weight="balanced", **parameters).fit(images, y)
        return torch.cat([p.detach().flatten() for p in stager.module_.parameters()])

    whole = weights(batch_size=16)
    parts = weights(batch_size=4, target_batch_size=16)
    assert (whole - parts).abs().max() < 2e-4
    assert (whole - weights(batch_size=4)).abs().max() > 1e-2
    with pytest.raises(ValueError, match="target_batch_size=6 must be a multiple of batch_size=4"):
        weights(batch_size=4, target_batch_size=6)


def test_rows_without_weight_are_not_learned(rows):
    images, y = rows[0][:32], rows[1][:32]
    wrong = y.copy()
    wrong[:16] = "W"
    weight = np.r_[np.zeros(16), np.ones(16)]
    one, other = (
        make_stager(max_epochs=1, classes=STAGES).fit(images, labels, sample_weight=weight)
        for labels in (y, wrong)
    )
    np.testing.assert_allclose(one.predict_proba(images), other.predict_proba(images), atol=1e-6)
    np.testing.assert_allclose(
        one.class_prior_, [np.mean(y[16:] == stage) for stage in sorted(STAGES)]
    )
    with pytest.raises(ValueError, match="sample_weight must have the shape"):
        make_stager().fit(images, y, sample_weight=[1.0])


def test_the_same_seed_gives_the_same(adapted, few):
    expected = adapted.predict_proba(few[0])
    again = clone(adapted).fit(*few)
    np.testing.assert_array_equal(again.predict_proba(few[0]), expected)
    other = clone(adapted).set_params(random_state=1).fit(*few)
    assert (other.predict_proba(few[0]) != expected).any()
    copy = pickle.loads(pickle.dumps(adapted))  # noqa: S301  our own bytes
    np.testing.assert_array_equal(copy.predict_proba(few[0]), expected)


class StopAfter(ResumableCheckpoint):
    def on_epoch_end(self, net, **kwargs):
        super().on_epoch_end(net, **kwargs)
        if len(net.history) == 2:
            raise KeyboardInterrupt


def test_a_training_that_was_cut_off_goes_on(rows, tmp_path):
    images, y = rows[0][:48], rows[1][:48]

    def make(callback=None):
        callbacks = None if callback is None else [("checkpoint", callback)]
        return make_stager(tuning="lora", max_epochs=4, lora_dropout=0.1, callbacks=callbacks)

    whole = make().fit(images, y)
    with pytest.raises(KeyboardInterrupt):
        make(StopAfter(tmp_path)).fit(images, y)
    resumed = make(ResumableCheckpoint(tmp_path)).fit(images, y)
    assert len(resumed.history) == 4
    np.testing.assert_array_equal(resumed.predict_proba(images), whole.predict_proba(images))
    # Adapters are saved and not the model.
    assert (tmp_path / "training.pt").stat().st_size < 3e6
    with pytest.raises(ValueError, match="holds another training"):
        make(ResumableCheckpoint(tmp_path)).fit(images[::-1], y)


def test_validation_and_early_stopping(few):
    def first_rows(dataset, y=None):
        return (
            torch.utils.data.Subset(dataset, range(32)),
            torch.utils.data.Subset(dataset, range(32, 48)),
        )

    stager = make_stager(train_split=first_rows, patience=1, max_epochs=3).fit(*few)
    assert np.isfinite(stager.history[:, "valid_loss"]).all()
    best = min(stager.history[:, "valid_loss"])
    dataset = stager._training_dataset(*few, None, starts_anew=False)
    losses = [
        stager.validation_step(batch)["loss"].item() * batch.size
        for batch in stager.get_iterator(torch.utils.data.Subset(dataset, range(32, 48)))
    ]
    assert sum(losses) / 16 == pytest.approx(best, abs=1e-5)


def test_partial_fit_trains_on(few):
    stager = make_stager(max_epochs=1)
    stager.partial_fit(few[0][:24], few[1][:24], classes=STAGES)
    first = stager.predict_proba(few[0])
    drawn = stager.random_generator_.bit_generator.state
    stager.partial_fit(few[0][24:], few[1][24:])
    assert len(stager.history) == 2
    # It goes on drawing, instead of beginning again.
    assert stager.random_generator_.bit_generator.state != drawn
    assert (stager.predict_proba(few[0]) != first).any()


def test_lower_precision_and_less_memory(rows):
    images, y = rows[0][:32], rows[1][:32]
    plain = make_stager(max_epochs=3).fit(images, y).predict_proba(images)
    checkpointed = make_stager(max_epochs=3, gradient_checkpointing=True).fit(images, y)
    np.testing.assert_allclose(checkpointed.predict_proba(images), plain, atol=1e-4)
    lower = make_stager(max_epochs=3, precision="bfloat16").fit(images, y).predict_proba(images)
    assert np.abs(lower - plain).mean() < 0.1


def test_names_of_classes():
    images, _ = make_images(12)
    numbers = np.arange(12)
    for n_classes, names in ((5, STAGES), (4, ("W", "Light", "Deep", "REM"))):
        stager = make_stager(classes=range(n_classes), max_epochs=1).fit(images, numbers % 3)
        assert tuple(stager.answers_) == names
        assert stager.predict_proba(images).shape == (12, n_classes)
    given = make_stager(answers={0: "awake", 1: "light", 2: "deep"}, max_epochs=1, prompt=None)
    given.fit(images, numbers % 3)
    assert given.answers_ == ["awake", "light", "deep"]
    assert "awake, light or deep" in given.prompt_
    with pytest.raises(ValueError, match=r"answers does not name the classes \[2\]"):
        make_stager(answers={0: "a", 1: "b"}).fit(images, numbers % 3)
    with pytest.raises(ValueError, match="begin with the same tokens each"):
        make_stager().fit(images, np.array(["N1", "N2", "R1", "R2"])[numbers % 4])


def test_names_of_classes_that_an_ensemble_has_numbered():
    images, _ = make_images(6)
    answers = {"W": "awake", "N2": "light", "N3": "deep"}
    stager = make_stager(classes=list(answers), answers=answers, max_epochs=0)
    stager.fit(images, np.arange(6) % 3)
    assert stager.classes_.tolist() == [0, 1, 2]
    assert stager.answers_ == ["light", "deep", "awake"]
    stager.set_params(answers=None).fit(images, np.arange(6) % 3)
    assert stager.answers_ == ["N2", "N3", "W"]


def test_pretraining(cohort):
    X = cohort.X[:28]
    images = WaveformImageRenderer(MONTAGE).fit_transform(EDFReader(MONTAGE).fit_transform(X))
    stager = make_stager(tuning="lora", train_vision=False, max_epochs=1, classes=range(4))
    before = {k: v.clone() for k, v in stager.model.model.state_dict().items()}
    stager.set_params(batch_size=4)
    given = stager.get_params(deep=False)
    some, y = images[::4], np.asarray(cohort.y[:28:4])
    unaware = clone(stager).fit(some, y).predict_proba(some)
    taught = stager.pretrain(images, seconds=15, max_epochs=7)
    losses = stager.pretraining_history_[:, "train_loss"]
    assert losses[-1] < 0.85 * losses[0]
    learned = stager.pretrained_.model.state_dict()
    changed = [name for name in before if not torch.equal(learned[name], before[name])]
    # The vision tower learns in this phase, whatever comes after it.
    assert any("visual" in name for name in changed)
    assert set(learned) == set(before)
    # What the next fit starts from is a parameter, which clones have.
    assert stager.get_params(deep=False) == given
    assert taught.get_params(deep=False) == given | {"model": stager.pretrained_}
    np.testing.assert_array_equal(stager.fit(some, y).predict_proba(some), unaware)
    found = taught.fit(some, y).predict_proba(some)
    assert (found != unaware).any()
    for other in (clone(taught), clone(stager).set_params(model=stager.pretrained_)):
        np.testing.assert_array_equal(other.fit(some, y).predict_proba(some), found)
    with pytest.raises(TypeError, match="pretrain takes WaveformImages, but X is ndarray"):
        stager.pretrain(np.zeros((2, 1, 8, 8, 3), np.uint8))


@pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning")
def test_pipelines_are_cross_validated_and_searched(cohort):
    stager = make_stager(tuning="lora", max_epochs=1, classes=range(4))
    renderer = WaveformImageRenderer(MONTAGE, context=[-1, 0])
    pipeline = make_pipeline(EDFReader(MONTAGE), renderer, stager)
    X, y, groups = cohort.X[::8], cohort.y[::8], cohort.groups[::8]
    scores = cross_val_score(
        pipeline, X, y, groups=groups, cv=StratifiedGroupKFold(2), scoring="f1_macro"
    )
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()
    search = GridSearchCV(
        pipeline, {"vlmstager__lora_rank": [2, 4]}, cv=StratifiedGroupKFold(2), error_score="raise"
    ).fit(X, y, groups=groups)
    assert search.best_estimator_[-1].lora_rank in (2, 4)
    assert len(search.predict(str(cohort.nights[0].recording))) == 64


def test_rows_without_signals_get_the_prior(cohort):
    X, y = cohort.X[:60], np.asarray(cohort.y[:60])
    steps = make_pipeline(EDFReader(MONTAGE), WaveformImageRenderer(MONTAGE, layout="panel"))
    stager = make_stager(tuning="lora", max_epochs=1, classes=range(4))
    stager.fit(steps.fit_transform(X), y)
    assert stager.image_shape_ == (1, 56, 336, 3)
    lacking = np.arange(60) % 10 == 0
    masked = steps.transform(X.assign(EEG=~lacking, EMG=~lacking))
    with pytest.warns(MissingSignalWarning, match="6 rows of 1 recordings have no usable signal"):
        found = stager.predict_proba(masked)
    np.testing.assert_allclose(found[lacking], np.tile(stager.class_prior_, (6, 1)))
    np.testing.assert_allclose(stager.class_prior_, np.bincount(y, minlength=4) / 60)
    assert np.unique(found[~lacking][:, 0]).size > 40


@pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning")
def test_wrong_input(adapted, rows, cohort):
    images, y = rows
    epochs = EDFReader(MONTAGE).fit_transform(cohort.X)
    with pytest.raises(TypeError, match="Put WaveformImageRenderer"):
        make_stager().fit(epochs, cohort.y)
    with pytest.raises(ValueError, match=r"must be of uint8 and have the shape"):
        make_stager().fit(images.astype(float), y)
    with pytest.raises(ValueError, match=r"was fitted on \(1, 56, 112, 3\)"):
        adapted.predict(images[:, :, :28])
    with pytest.raises(ValueError, match="'tuning' parameter of VLMStager must be a str among"):
        make_stager(tuning="some").fit(images, y)
    with pytest.raises(ValueError, match="unscored epochs"):
        make_stager().fit(images, np.full(len(images), -1))
    with pytest.raises(ValueError, match="rationales has 1 rows"):
        make_stager().fit(images, y, rationales=[None])
    with pytest.raises(ValueError, match="needs a GPU, but device='cpu'"):
        backbone.load_backbone("nowhere", quantization="4bit")
    four_dimensional = adapted.predict(images[:3, 0])
    np.testing.assert_array_equal(four_dimensional, adapted.predict(images[:3]))


def test_without_the_extra_it_says_what_to_install(rows, monkeypatch):
    monkeypatch.setattr(
        backbone, "find_spec", lambda name: None if name == "transformers" else object()
    )
    with pytest.raises(ImportError, match=r"pip install 'sklearn_sleep\[vlm\]'"):
        VLMStager("nowhere").fit(*rows)
    with pytest.raises(ImportError, match="VLMStager needs transformers"):
        tiny_vlm()


def test_images_need_no_extra():
    code = """
import sys
sys.modules.update(dict.fromkeys(["transformers", "peft", "matplotlib"]))  # as if not installed
import numpy as np
from sklearn_sleep import VLMStager, WaveformImageRenderer
from sklearn_sleep.imaging import draw_epochs
assert draw_epochs({"F4": np.zeros((1, 300))}).any()
WaveformImageRenderer("clinical")
try:
    VLMStager("nowhere").fit(np.zeros((2, 1, 28, 28, 3), np.uint8), [0, 1])
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "VLMStager needs transformers: pip install 'sklearn_sleep[vlm]'.\n"


def test_comparisons_know_models_in_memory(tmp_path):
    X = pd.DataFrame({"recording": np.repeat(["a", "b"], 12), "epoch": np.tile(np.arange(12), 2)})
    _, y = make_images(24)

    class Drawing(FunctionTransformer):
        def transform(self, X):
            return make_images(24)[0][np.asarray(X["epoch"])]

    def run(**parameters):
        pipeline = make_pipeline(Drawing(), make_stager(max_epochs=1, classes=STAGES, **parameters))
        compare({"looking": pipeline}, X, y, cv=2, folder=tmp_path, verbose=False)
        return len(list(tmp_path.glob("*.npz")))

    assert [run(), run(), run(lr=1e-2)] == [2, 2, 4]
    assert tiny_vlm().fingerprint == tiny_vlm().fingerprint != tiny_vlm(random_state=1).fingerprint


def test_tiny_models():
    one, same, other = tiny_vlm(), tiny_vlm(), tiny_vlm(random_state=1)
    weights = [next(iter(vlm.model.parameters())) for vlm in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    with pytest.raises(ValueError, match="must be 'qwen2_5_vl' or 'llava'"):
        tiny_vlm("gpt")
    with pytest.raises(ValueError, match="must be a multiple of 32"):
        tiny_vlm(hidden_size=20)
