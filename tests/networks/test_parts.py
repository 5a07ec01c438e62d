"""Parts by name and parts of a user's own, and networks that are put together by hand."""

import dataclasses
import inspect

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.helper import SliceDict
from torch import nn

from sklearn_sleep import Wav2SleepClassifier
from sklearn_sleep.networks import (
    ACTIVATIONS,
    EPOCH_MIXERS,
    NORMS,
    SEQUENCE_MIXERS,
    EncoderOptions,
    EpochMixerOptions,
    SequenceMixerOptions,
    SignalEncoders,
    Wav2Sleep,
    make_wav2sleep,
)
from sklearn_sleep.networks.layers import Dropout, dropout_seed
from sklearn_sleep.networks.parts import Registry
from sklearn_sleep.networks.transformer import softmax

SIGNALS = {"ECG": 64, "THX": 16}
SMALL = {
    "feature_dim": 8,
    "initial_channels": 2,
    "max_channels": 4,
    "mixer_layers": 1,
    "mixer_heads": 2,
    "mixer_feedforward_dim": 16,
    "sequence_blocks": 1,
    "sequence_dilations": 2,
}


class Differences(nn.Module):
    """A sequence mixer: each epoch's change from the one before."""

    def __init__(self, options):
        super().__init__()
        self.options = options
        self.linear = nn.Linear(options.feature_dim, options.feature_dim)

    def forward(self, x):
        return self.linear(x.diff(dim=1, prepend=x[:, :1]))


class First(nn.Module):
    """An epoch mixer: the features of the first signal."""

    def __init__(self, options):
        super().__init__()
        self.options = options

    def forward(self, features, present):
        name = min(features)
        return features[name] * present[name][..., None]


def one_group(channels):
    """A norm over the time and all channels."""
    return nn.GroupNorm(1, channels)


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(2, 6, n, generator=generator) for name, n in SIGNALS.items()}


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(24, n)).astype(np.float32) for name, n in SIGNALS.items()}
    return SliceDict(**arrays, recording=np.repeat(["a", "b"], 12)), np.arange(24) % 4


def make_classifier(**parameters):
    small = {f"module__{name}": value for name, value in SMALL.items()}
    parameters = {"max_epochs": 2, "train_split": None, "random_state": 0} | small | parameters
    return Wav2SleepClassifier(**parameters)


def test_a_network_of_given_parts_is_the_factorys(x):
    torch.manual_seed(0)
    made = make_wav2sleep(SIGNALS, 4, **SMALL).eval()
    torch.manual_seed(0)
    sizes = {"feature_dim": 8, "layers": 1, "heads": 2, "feedforward_dim": 16}
    by_hand = Wav2Sleep(
        SignalEncoders(SIGNALS, EncoderOptions(feature_dim=8, initial_channels=2, max_channels=4)),
        EPOCH_MIXERS["attention"](EpochMixerOptions(signals=tuple(SIGNALS), **sizes)),
        SEQUENCE_MIXERS["dilated_cnn"](SequenceMixerOptions(dilations=2, **sizes)),
        nn.Linear(8, 4),
    ).eval()
    with torch.no_grad():
        assert torch.equal(by_hand(x), made(x))
    assert list(by_hand.state_dict()) == list(made.state_dict())


def test_each_default_of_the_factory_is_that_of_the_options():
    """Those that have names of their own, and those that are as another one if not given, aside."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(make_wav2sleep).parameters.items()
    }
    for options, prefix in (
        (EncoderOptions, "encoder_"),
        (EpochMixerOptions, "mixer_"),
        (SequenceMixerOptions, "sequence_"),
    ):
        for field in dataclasses.fields(options):
            name = prefix + field.name if prefix + field.name in defaults else field.name
            if name in defaults and name != "signals" and defaults[name] is not None:
                assert defaults[name] == field.default or name == "signal_map", name


@pytest.mark.parametrize("name", ["signals", "feature_dims"])
def test_unknown_parameters_of_the_module(name, rows):
    X, y = rows
    with pytest.raises(TypeError, match=rf"has no parameter {name}x; it has signals, .*dropout"):
        make_classifier(**{f"module__{name}x": 1}).fit(X, y)


def test_a_users_own_parts_are_trained(rows):
    X, y = rows
    classifier = make_classifier(
        module__sequence_mixer=Differences,
        module__epoch_mixer=First,
        module__encoder_norm=one_group,
        module__activation=nn.Tanh,
        module__causal=True,
        module__dropout=0.25,
    )
    probabilities = clone(classifier).fit(X, y).predict_proba(X)
    trained = classifier.fit(X, y).module_
    np.testing.assert_array_equal(classifier.predict_proba(X), probabilities)
    assert type(trained.sequence_mixer) is Differences
    options = trained.sequence_mixer.options
    assert (options.causal, options.dropout, options.layers) == (True, 0.25, 1)
    assert trained.epoch_mixer.options.signals == ("ECG", "THX")
    kinds = {type(part) for part in trained.signal_encoders.modules()}
    assert {nn.GroupNorm, nn.Tanh} <= kinds
    assert not kinds & {nn.GELU, NORMS["instance"]}
    torch.manual_seed(0)
    before = make_wav2sleep(SIGNALS, 4, **SMALL, sequence_mixer=Differences).sequence_mixer
    weight = trained.sequence_mixer.linear.weight
    assert weight.shape == before.linear.weight.shape
    assert not torch.equal(weight, before.linear.weight)


@pytest.mark.parametrize(
    ("parameter", "own", "error", "match"),
    [
        ("sequence_mixer", Differences(SequenceMixerOptions(feature_dim=8)), TypeError, "a module"),
        ("epoch_mixer", lambda _: "attention", TypeError, "made 'attention', which is no torch"),
        ("encoder_norm", nn.Identity(), TypeError, "norm=Identity.* the class or function"),
        ("sequence_norm", "bach", ValueError, "norm='bach' is not known; use one of 'instance'"),
    ],
)
def test_what_makes_no_part(parameter, own, error, match):
    with pytest.raises(error, match=match):
        make_wav2sleep(SIGNALS, 4, **SMALL | {parameter: own})


def test_batch_norms_of_a_users_own_are_not_computed_twice():
    with pytest.raises(ValueError, match="running statistics"):
        make_wav2sleep(SIGNALS, 4, encoder_norm=nn.BatchNorm2d, gradient_checkpointing=True)


@pytest.mark.parametrize("norm", NORMS)
def test_every_norm_in_every_place(norm, x):
    network = make_wav2sleep(SIGNALS, 4, **SMALL, encoder_norm=norm, sequence_norm=norm)
    gradients = torch.autograd.grad(network(x).logsumexp(-1).sum(), list(network.parameters()))
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation, x):
    assert make_wav2sleep(SIGNALS, 4, **SMALL, activation=activation)(x).isfinite().all()


def test_names_are_entered_once():
    registry = Registry("norm", {"batch": nn.BatchNorm2d})
    for _ in range(2):  # as in a notebook

        @registry.register("first")
        class First(nn.Module): ...

        assert registry["first"] is First
    with pytest.raises(ValueError, match=r"norm='batch' is <class 'torch.*BatchNorm2d'> already"):
        registry.register("batch")(First)


# -- saving ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["sklearn_sleep", "wav2sleep"])
@pytest.mark.parametrize(
    ("parameter", "own"),
    [
        ("sequence_mixer", Differences),
        ("epoch_mixer", First),
        ("encoder_norm", one_group),
        ("mixer_activation", nn.Tanh),
    ],
)
def test_own_parts_without_a_name_are_not_saved(format_, parameter, own, rows, tmp_path):
    classifier = make_classifier(**{f"module__{parameter}": own}, max_epochs=1).fit(*rows)
    match = rf"{parameter}=<.*{own.__name__}.*>"
    with pytest.raises((TypeError, ValueError), match=match):
        classifier.save_pretrained(tmp_path / "model", format=format_)
    assert not (tmp_path / "model").exists()


def test_own_parts_are_saved_by_their_names(rows, tmp_path, monkeypatch):
    X, y = rows
    monkeypatch.setitem(SEQUENCE_MIXERS, "differences", Differences)
    monkeypatch.setitem(NORMS, "mine", one_group)
    classifier = make_classifier(
        module__sequence_mixer="differences", module__encoder_norm="mine", max_epochs=1
    ).fit(X, y)
    classifier.save_pretrained(tmp_path)
    loaded = Wav2SleepClassifier.from_pretrained(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    with pytest.raises(ValueError, match="no sequence_mixer='differences', no encoder_norm='mine'"):
        classifier.save_pretrained(tmp_path / "published", format="wav2sleep")
    monkeypatch.delitem(SEQUENCE_MIXERS, "differences")
    with pytest.raises(ValueError, match="sequence_mixer='differences' is not known"):
        Wav2SleepClassifier.from_pretrained(tmp_path)


@pytest.mark.parametrize("p", [0.1, 0.4, 0.9])
def test_seeded_dropout_leaves_out_its_share(p):
    layer = Dropout(p).train()
    # An odd number, since two are made of each that is drawn.
    ones = torch.ones(3, 100_001)
    with dropout_seed(1):
        first, second = layer(ones), layer(ones)
    with dropout_seed(1):
        assert torch.equal(layer(ones), first)
    kept = first != 0
    assert float(kept.double().mean()) == pytest.approx(1 - p, abs=0.005)
    torch.testing.assert_close(first[kept], torch.full_like(first[kept], 1 / (1 - p)))
    # Neighbours, which may be halves of one number, and draws are independent.
    columns = torch.stack([kept[0, :-1], kept[0, 1:], second[0, 1:] != 0]).double()
    correlation = torch.corrcoef(columns) - torch.eye(3)
    assert float(correlation.abs().max()) < 0.02


@pytest.mark.parametrize("n_tokens", [1, 8, 40])
def test_softmax_of_few_tokens_is_that_of_torch(n_tokens):
    scores = torch.randn(30, 4, 2, n_tokens)
    scores[..., 1::2] = -torch.inf  # as missing tokens have
    torch.testing.assert_close(softmax(scores), scores.softmax(-1))
