"""The sequence mixer ``"gru"`` against the equations of its gates."""

import numpy as np
import pytest
import torch
from small import belt_nights, make_classifier_with

from sklearn_sleep import Wav2SleepClassifier
from sklearn_sleep.networks import SEQUENCE_MIXERS, SequenceMixerOptions

WIDTH = 5


def make(**options):
    torch.manual_seed(0)
    options = SequenceMixerOptions(feature_dim=WIDTH, layers=2, **options)
    return SEQUENCE_MIXERS.make("gru", options).eval()


def gates(mixer, x, layer, direction):
    """One layer of one direction, epoch by epoch (Cho et al. 2014, as torch orders the gates)."""
    of_x, of_h, bias_x, bias_h = (
        getattr(mixer.gru, f"{name}_l{layer}{direction}").numpy().astype(float)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    h, states = np.zeros((len(x), WIDTH)), []
    for epoch in range(x.shape[1]):
        reset, update, new = np.split(x[:, epoch] @ of_x.T + bias_x, 3, axis=1)
        of_reset, of_update, of_new = np.split(h @ of_h.T + bias_h, 3, axis=1)
        reset, update = (1 / (1 + np.exp(-gate)) for gate in (reset + of_reset, update + of_update))
        h = (1 - update) * np.tanh(new + reset * of_new) + update * h
        states.append(h)
    return np.stack(states, axis=1)


@pytest.mark.parametrize("causal", [False, True])
def test_gates_by_hand(causal):
    mixer = make(causal=causal).requires_grad_(False)
    x = torch.randn(2, 9, WIDTH)
    read = x.numpy().astype(float)
    for layer in range(2):
        read, forwards = gates(mixer, read, layer, ""), read
        if not causal:
            backwards = gates(mixer, forwards[:, ::-1], layer, "_reverse")[:, ::-1]
            read = np.concatenate([read, backwards], axis=2)
    weight, bias = mixer.linear.weight.numpy(), mixer.linear.bias.numpy()
    np.testing.assert_allclose(mixer(x).numpy(), x.numpy() + read @ weight.T + bias, atol=1e-5)


def test_only_the_causal_one_ignores_the_future():
    x = torch.randn(1, 12, WIDTH)
    later = x.clone()
    later[:, 7:] += 3.0
    with torch.no_grad():
        for causal in (False, True):
            mixer = make(causal=causal)
            assert torch.equal(mixer(x)[:, :7], mixer(later)[:, :7]) == causal
            assert not torch.allclose(mixer(x)[:, 7:], mixer(later)[:, 7:])


def test_trained_in_a_classifier_and_saved(tmp_path):
    X, y = belt_nights()
    classifier = make_classifier_with("gru").fit(X, y)
    mixer = classifier.module_.sequence_mixer
    assert mixer.gru.bidirectional
    before = mixer.gru.weight_hh_l0.detach().clone()
    assert not torch.equal(
        classifier.partial_fit(X, y).module_.sequence_mixer.gru.weight_hh_l0, before
    )
    classifier.save_pretrained(tmp_path)
    loaded = Wav2SleepClassifier.from_pretrained(tmp_path)
    assert loaded.module__sequence_mixer == "gru"
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    with pytest.raises(ValueError, match="no sequence_mixer='gru'"):
        classifier.save_pretrained(tmp_path / "published", format="wav2sleep")


def test_threads_do_not_change_a_bit():
    X, y = belt_nights()
    before, found = torch.get_num_threads(), []
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            found.append(make_classifier_with("gru").fit(X, y).predict_proba(X))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*found)
