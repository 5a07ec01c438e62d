"""Attention of the epoch mixer, and warnings of failing trainings."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from skorch.helper import SliceDict
from torch import nn

from sklearn_sleep.exceptions import (
    BatchNormWarning,
    ConstantSignalWarning,
    MaskedSignalWarning,
)
from sklearn_sleep.staging.diagnostics import epoch_attention, history_frame

WIDTHS = {"THX": 16, "ECG": 64, "PPG": 64}


def make_nights(n_nights=3, n_epochs=10, *, seed=0):
    rng = np.random.default_rng(seed)
    n = n_nights * n_epochs
    samples = {name: rng.normal(size=(n, w)).astype(np.float32) for name, w in WIDTHS.items()}
    names = np.array([f"night-{i}" for i in range(n_nights)], dtype=object)
    return SliceDict(**samples, recording=np.repeat(names, n_epochs)), rng.integers(0, 2, n)


# -- attention -----------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[0, 2], ids=["CLS", "CLS and registers"])
def classifier(make_classifier, request):
    return make_classifier(
        classes=None, train_split=None, lr=0.05, module__mixer_register_tokens=request.param
    ).fit(*make_nights())


def torchs_attention(module, x, layer):
    """The CLS token's attention by torch's own transformer, of a night that has all signals."""
    learned = module.epoch_mixer.register_tokens[0, 0].T
    width = learned.shape[1]
    names = sorted(x)
    torch.manual_seed(0)
    layers = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(
            width, 2, 16, activation="gelu", norm_first=True, batch_first=True
        ),
        num_layers=2,
        enable_nested_tensor=False,
    ).eval()
    layers.load_state_dict(module.epoch_mixer.transformer_encoder.state_dict())
    tokens = [module.signal_encoders.encoders[name](x[name][None])[0] for name in names]
    y = torch.cat([learned.expand(len(tokens[0]), -1, -1), torch.stack(tokens, 1)], 1)
    for earlier in layers.layers[:layer]:
        y = earlier(y)
    normalized = layers.layers[layer].norm1(y)
    _, weights = layers.layers[layer].self_attn(normalized, normalized, normalized)
    return weights[:, 0].detach().numpy(), names, len(learned)


def test_attention_to_groups(make_classifier, tmp_path):
    """A group has a column of its own, in the model that is saved and loaded too."""
    X, y = make_nights()
    classifier = make_classifier(
        classes=None, train_split=None, module__signal_groups={"heart": ["ECG", "PPG"]}
    ).fit(X, y)
    X["ECG"][:10] = np.nan
    X["PPG"][:5] = np.nan
    found = epoch_attention(classifier, X)
    assert list(found.columns) == ["CLS", "THX", "heart"]
    np.testing.assert_array_equal(found["heart"].isna(), np.arange(30) < 5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    with pytest.raises(ValueError, match="no signal_groups="):
        classifier.save_pretrained(tmp_path, format="wav2sleep")
    classifier.save_pretrained(tmp_path)
    loaded = type(classifier).from_pretrained(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))


@pytest.mark.parametrize("layer", [0, 1])
def test_attention_is_torchs(classifier, layer):
    X, _ = make_nights(1, seed=1)
    found = epoch_attention(classifier, X, layer=layer)
    with torch.no_grad():
        x = {name: torch.from_numpy(X[name]) for name in WIDTHS}
        expected, names, n_learned = torchs_attention(classifier.module_, x, layer)
    np.testing.assert_allclose(found["CLS"], expected[:, 0], atol=1e-5)
    for token, name in enumerate(names, start=n_learned):
        np.testing.assert_allclose(found[name], expected[:, token], atol=1e-5)
    if n_learned > 1:
        np.testing.assert_allclose(found["registers"], expected[:, 1:n_learned].sum(1), atol=1e-5)
    else:
        assert list(found.columns) == ["CLS", "THX", "ECG", "PPG"]
    if layer == 1:
        np.testing.assert_array_equal(found, epoch_attention(classifier, X))


def test_attention_is_shared_by_what_is_there(classifier):
    X, _ = make_nights(seed=1)
    samples = {name: X[name].copy() for name in WIDTHS}
    samples["PPG"][X["recording"] == "night-1"] = np.nan
    samples["ECG"][3:6] = np.nan
    for name in WIDTHS:
        samples[name][X["recording"] == "night-2"] = np.nan
    found = epoch_attention(classifier, SliceDict(**samples, recording=X["recording"]))
    missing = {name: np.isnan(samples[name]).any(axis=1) for name in WIDTHS}
    for name in WIDTHS:
        np.testing.assert_array_equal(found[name].isna(), missing[name])
    lost = X["recording"] == "night-2"
    assert found[lost].isna().all(axis=None)
    np.testing.assert_allclose(found[~lost].sum(axis=1), 1, atol=1e-6)
    assert (found[~lost].min(axis=1) >= 0).all()
    # What is there in the other epochs changes nothing in an epoch's own attention but through
    # the encoders of its night.
    whole = epoch_attention(classifier, X)
    np.testing.assert_array_equal(found["THX"][:3].isna(), False)
    assert np.abs(found["THX"][3:6] - whole["THX"][3:6]).max() > 1e-4


def test_rows_in_any_order(fitted_pipeline, cohort):
    steps, classifier = fitted_pipeline[:-1], fitted_pipeline[-1]
    order = np.random.default_rng(0).permutation(len(cohort.X))[:50]
    X = cohort.X.iloc[order]
    whole = epoch_attention(classifier, steps.transform(cohort.X))
    found = epoch_attention(classifier, steps.transform(X))
    np.testing.assert_array_equal(found, whole.iloc[order])
    assert found.index.get_level_values("recording").tolist() == X["recording"].tolist()
    assert found.index.get_level_values("epoch").tolist() == X["epoch"].tolist()


def test_of_a_pipeline(fitted_pipeline, cohort):
    steps, classifier = fitted_pipeline[:-1], fitted_pipeline[-1]
    X = cohort.X[:40]
    expected = epoch_attention(classifier, steps.transform(X))
    pd.testing.assert_frame_equal(epoch_attention(fitted_pipeline, X), expected)
    pd.testing.assert_frame_equal(classifier.epoch_attention(steps.transform(X)), expected)
    pd.testing.assert_frame_equal(history_frame(fitted_pipeline), classifier.history_frame())


def test_without_attention(make_classifier, classifier):
    X, y = make_nights()
    mean = make_classifier(classes=None, max_epochs=1, module__epoch_mixer="mean").fit(X, y)
    with pytest.raises(ValueError, match="module__epoch_mixer='attention'"):
        epoch_attention(mean, X)
    with pytest.raises(ValueError, match=r"layer=2, .* 2 layers"):
        epoch_attention(classifier, X, layer=2)


# -- failure signs -------------------------------------------------------------------------------


def test_signal_that_is_masked_with_certainty(make_classifier):
    X, y = make_nights()
    classifier = make_classifier(classes=None, max_epochs=1).set_params(mask_probability__THX=1)
    with pytest.warns(MaskedSignalWarning, match="THX is masked with probability 1"):
        classifier.fit(X, y)


def test_signal_that_was_never_drawn(make_classifier):
    X, y = make_nights(5, 4)
    classifier = make_classifier(
        classes=None,
        max_epochs=9,
        train_split=None,
        warm_start=True,
        mask_probability={"ECG": 0.0, "THX": 1 - 1e-9},
    ).fit(X, y)  # 45 nights: it might have been by chance
    classifier.set_params(max_epochs=1)
    with pytest.warns(MaskedSignalWarning, match="THX was masked in 50 of the 50"):
        classifier.fit(X, y)


def test_signal_that_is_the_only_one(make_classifier):
    """It is kept in each night, whatever its probability."""
    X, y = make_nights()
    only = SliceDict(THX=X["THX"], recording=X["recording"])
    make_classifier(classes=None, max_epochs=4, mask_probability={"THX": 1.0}).fit(only, y)


def test_constant_signal(make_classifier):
    X, y = make_nights()
    dead = X["PPG"].copy()
    dead[X["recording"] == "night-1"] = 3.5
    flat = SliceDict(ECG=X["ECG"], PPG=dead, recording=X["recording"])
    classifier = make_classifier(classes=None, max_epochs=3)
    with pytest.warns(ConstantSignalWarning, match="PPG of night-1") as caught:
        classifier.fit(flat, y)
    assert len(caught) == 1  # not once in each pass
    assert "night-0" not in str(caught[0].message)
    with pytest.warns(ConstantSignalWarning, match="PPG of night-1"):
        classifier.predict(flat)
    # Where it is said to be missing, nothing is amiss.
    dead[X["recording"] == "night-1"] = np.nan
    missing = SliceDict(ECG=X["ECG"], PPG=dead, recording=X["recording"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier.fit(missing, y).predict(missing)


@pytest.mark.parametrize("part", ["encoder", "sequence"])
def test_batch_norm(make_classifier, part):
    X, y = make_nights()
    classifier = make_classifier(classes=None, max_epochs=1, **{f"module__{part}_norm": "batch"})
    with pytest.warns(BatchNormWarning, match="'instance' or 'layer'"):
        classifier.fit(X, y)


@pytest.mark.parametrize("norm", ["instance", "layer", "group", "rms", "auto"])
def test_ordinary_training_gives_no_warning(make_classifier, norm):
    X, y = make_nights()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_classifier(classes=None, max_epochs=6, module__encoder_norm=norm).fit(X, y).predict(X)
