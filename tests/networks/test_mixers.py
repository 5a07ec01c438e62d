"""What the mixers let through, and what they keep out."""

import pytest
import torch

from sklearn_sleep.networks import EPOCH_MIXERS, SEQUENCE_MIXERS, make_wav2sleep

SIGNALS = {"ECG": 64, "EEG": 64, "THX": 16}
EPOCHS = 12


SMALL = {
    "feature_dim": 8,
    "initial_channels": 2,
    "max_channels": 4,
    "mixer_layers": 1,
    "mixer_heads": 2,
    "mixer_feedforward_dim": 16,
    "sequence_dilations": 3,
}


def make(**parameters):
    torch.manual_seed(0)
    return make_wav2sleep(SIGNALS, 4, **SMALL | parameters).eval()


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(2, EPOCHS, n, generator=generator) for name, n in SIGNALS.items()}


@pytest.fixture
def present():
    mask = {name: torch.ones(2, EPOCHS, dtype=torch.bool) for name in SIGNALS}
    mask["ECG"][0, 4:] = False
    mask["THX"][1] = False
    return mask


MIXERS = [
    {"epoch_mixer": epoch_mixer, "sequence_mixer": sequence_mixer}
    for epoch_mixer in EPOCH_MIXERS
    for sequence_mixer in SEQUENCE_MIXERS
]


@pytest.mark.parametrize("mixers", MIXERS)
def test_missing_samples_do_not_reach_the_result(mixers, x, present):
    network = make(**mixers)
    changed = {
        name: samples.where(present[name][..., None], torch.tensor(50.0))
        for name, samples in x.items()
    }
    assert any(not torch.equal(changed[name], x[name]) for name in x)
    with torch.no_grad():
        torch.testing.assert_close(network(changed, present), network(x, present))


@pytest.mark.parametrize("mixers", MIXERS)
def test_night_alone_equals_night_in_batch(mixers, x, present):
    network = make(**mixers)
    with torch.no_grad():
        both = network(x, present)
        # A night without the signal at all.
        there = {name: x[name][1:] for name in ("ECG", "EEG")}
        torch.testing.assert_close(network(there), both[1:], atol=1e-5, rtol=0)


def test_nothing_is_learned_from_a_missing_signal(x):
    network = make(epoch_mixer="concat")
    network({name: x[name] for name in ("ECG", "EEG")}).sum().backward()
    # Sorted by name: the last eight columns are those of THX.
    gradient = network.epoch_mixer.linear1.weight.grad
    assert torch.equal(gradient[:, 16:], torch.zeros_like(gradient[:, 16:]))
    assert bool((gradient[:, :16] != 0).any())


def test_mean_of_one_signal_is_the_signal(x):
    network = make(epoch_mixer="mean")
    features, _ = network.signal_encoders({"EEG": x["EEG"]}, {"EEG": torch.ones(2, EPOCHS) > 0})
    expected = network.classifier(network.sequence_mixer(features["EEG"]))
    torch.testing.assert_close(network({"EEG": x["EEG"]}), expected)


@pytest.mark.parametrize(
    "parameters",
    [
        {"chunk_causal": True},
        {"chunk_causal": True, "encoder_norm": "auto", "embed_signals": True},
        {"chunk_causal": True, "encoder_norm": "group"},
        {"chunk_causal": False, "encoder_norm": "layer"},
        {"chunk_causal": False, "encoder_norm": "weight", "sequence_norm": "batch"},
        {"chunk_causal": False, "encoder_norm": None, "residual": False},
        *({"chunk_causal": True, "sequence_mixer": mixer} for mixer in SEQUENCE_MIXERS),
        {"chunk_causal": True, "sequence_kernel_size": 4, "sequence_norm": "rms"},
    ],
)
def test_causal_networks_do_not_look_ahead(parameters, x):
    network = make(causal=True, **parameters)
    later = {name: samples.clone() for name, samples in x.items()}
    for samples in later.values():
        samples[:, 7:] += 3.0
    with torch.no_grad():
        before, after = network(x), network(later)
    torch.testing.assert_close(before[:, :7], after[:, :7], atol=1e-5, rtol=0)
    assert not torch.allclose(before[:, 7:], after[:, 7:], atol=2e-5)


def test_networks_that_are_not_causal_look_ahead(x):
    later = {name: samples.clone() for name, samples in x.items()}
    for samples in later.values():
        samples[:, 7:] += 3.0
    for mixer in SEQUENCE_MIXERS:
        network = make(sequence_mixer=mixer, encoder_norm="layer")
        with torch.no_grad():
            assert not torch.allclose(network(x)[:, :5], network(later)[:, :5], atol=1e-4)


def test_epochs_that_are_missing_are_not_encoded_in_chunks(x, present):
    network = make(causal=True)
    seen = []
    encoder = network.signal_encoders.encoders["ECG"]
    encoder.register_forward_hook(lambda _module, args, _out: seen.append(len(args[0])))
    with torch.no_grad():
        network(x, present)
    assert seen == [int(present["ECG"].sum())]


def test_shared_encoder_with_embeddings_tells_signals_apart(x):
    network = make(signal_map={"ECG": "EXG", "EEG": "EXG", "THX": "THX"}, embed_signals=True)
    assert set(network.signal_encoders.encoders) == {"EXG", "THX"}
    as_ecg, as_eeg = network({"ECG": x["ECG"]}), network({"EEG": x["ECG"]})
    assert not torch.allclose(as_ecg, as_eeg, atol=1e-3)
    without = make(signal_map={"ECG": "EXG", "EEG": "EXG", "THX": "THX"})
    torch.testing.assert_close(without({"ECG": x["ECG"]}), without({"EEG": x["ECG"]}))


def test_signals_that_share_an_encoder_go_through_it_as_if_alone(x, present):
    network = make(signal_map={"ECG": "EXG", "EEG": "EXG", "THX": "THX"}, embed_signals=True)
    together, where = network.signal_encoders(x, present)
    for name in x:
        alone, of_it = network.signal_encoders({name: x[name]}, {name: present[name]})
        torch.testing.assert_close(together[name], alone[name])
        assert torch.equal(where[name], of_it[name])


def test_a_group_is_one_token_of_signals_side_by_side(x, present):
    network = make(signal_groups={"heart and brain": ["ECG", "EEG"]})
    encoders = network.signal_encoders
    assert list(encoders.encoders) == ["THX", "heart and brain"]
    features, where = encoders(x, present)
    group = "heart and brain"
    assert torch.equal(where[group], present["ECG"] | present["EEG"])
    side_by_side = torch.stack([x[n] * present[n][..., None] for n in ("ECG", "EEG")], dim=1)
    expected = encoders.encoders[group](side_by_side * where[group][:, None, :, None])
    torch.testing.assert_close(features[group], expected)
    # Without one of them it is the other one and zeros.
    features, where = encoders({"EEG": x["EEG"]}, {"EEG": present["EEG"]})
    alone = torch.stack([torch.zeros_like(x["EEG"]), x["EEG"] * present["EEG"][..., None]], dim=1)
    torch.testing.assert_close(features[group], encoders.encoders[group](alone))
    assert torch.equal(where[group], present["EEG"])


def test_groups_share_an_encoder_and_are_encoded_epoch_by_epoch():
    x = {name: torch.randn(2, EPOCHS, 16) for name in ("a", "b", "c", "d")}
    options = {"signal_groups": {"ab": "ab", "cd": "cd"}, "signal_map": {"ab": "1", "cd": "1"}}
    for causal in (False, True):
        network = make_wav2sleep(dict.fromkeys(x, 16), 4, **SMALL, causal=causal, **options).eval()
        as_first, as_second = (
            network({"a": x["a"], "b": x["b"]}),
            network({"c": x["a"], "d": x["b"]}),
        )
        torch.testing.assert_close(as_first, as_second)
        assert not torch.allclose(as_first, network({"a": x["b"], "b": x["a"]}), atol=1e-3)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"signal_groups": {"all": ["ECG", "PPG"]}}, "signal_groups=.* must name, .* each in one"),
        ({"signal_groups": {"a": ["ECG"], "b": ["ECG"]}}, "signal_groups=.* must name"),
        ({"signal_groups": {"THX": ["ECG"]}}, "signal_groups=.* must name"),
        ({"signal_groups": {"none": []}}, "signal_groups=.* must name"),
        ({"signal_groups": {"a": ["ECG", "THX"]}}, "THX has 16 samples .* 'a' .* of 64"),
        ({"epoch_mixer": "sum"}, "epoch_mixer='sum' is not known; use one of 'attention'"),
        ({"sequence_mixer": "lstm"}, "sequence_mixer='lstm' is not known"),
        ({"activation": "tanh"}, "activation='tanh' is not known"),
        ({"encoder_norm": "auto2"}, "norm='auto2' is not known"),
        ({"sequence_norm": "auto"}, "norm='auto' is not known"),
        ({"signal_map": {"ECG": "A"}}, r"signal_map must name .* \['ECG', 'EEG', 'THX'\]"),
        ({"signal_map": {"ECG": "A", "EEG": "B", "THX": "A"}}, "THX has 16 samples .* 64"),
        ({"mixer_heads": 3}, "feature_dim=8 must be a multiple of n_heads=3"),
        ({"sequence_kernel_size": 4}, "kernel_size=4 has no middle"),
    ],
)
def test_unknown_options(parameters, match):
    with pytest.raises(ValueError, match=match):
        make(**parameters)


def test_rates_that_cannot_be_halved():
    with pytest.raises(ValueError, match="samples_per_epoch=100 must be a power of two"):
        make_wav2sleep({"ECG": 100}, 4)


def test_nothing_to_encode(x):
    with pytest.raises(ValueError, match="nothing to encode"):
        make()({"ECG": x["ECG"]}, {"ECG": torch.zeros(2, EPOCHS, dtype=torch.bool)})
