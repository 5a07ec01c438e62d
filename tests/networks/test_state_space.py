"""The sequence mixer ``"state_space"`` against its recurrences, epoch by epoch."""

import copy

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
    return SEQUENCE_MIXERS.make("state_space", options).eval()


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def weights(module):
    return {name: p.detach().numpy().astype(float) for name, p in module.named_parameters()}


def states(recurrence, x):
    """What the states of one direction say after each epoch of (batch, epochs, width)."""
    of = weights(recurrence)
    power = np.exp(-np.exp(of["decay"]) + 1j * of["turn"])
    readout = of["readout"][..., 0] + 1j * of["readout"][..., 1]
    h, said = np.zeros((len(x), *power.shape), complex), []
    for epoch in range(x.shape[1]):
        h = power * h + np.sqrt(1 - np.abs(power) ** 2) * x[:, epoch, :, None]
        said.append((readout * h).sum(axis=2).real)
    return np.stack(said, axis=1)


def normalize(x):
    return (x - x.mean(axis=2, keepdims=True)) / np.sqrt(x.var(axis=2, keepdims=True) + 1e-5)


def layer_by_hand(layer, x):
    """A layer as its docstring says; the norms' weights are as they begin."""
    of, u = weights(layer), normalize(x)
    y = of["skip"] * u + states(layer.forwards, u)
    if layer.backwards is not None:
        later = states(layer.backwards, u[:, ::-1])[:, ::-1]
        y[:, :-1] += later[:, 1:]
    y = torch.nn.functional.gelu(torch.from_numpy(y)).numpy()
    linear, gate = np.split(y @ of["linear.weight"].T + of["linear.bias"], 2, axis=2)
    return x + linear / (1 + np.exp(-gate))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("epochs", [1, 31, 1009])
def test_recurrences_by_hand(causal, epochs):
    mixer, x = make(causal=causal).requires_grad_(False), draw(2, epochs, WIDTH)
    expected = x.numpy().astype(float)
    for layer in mixer.layers:
        expected = layer_by_hand(layer, expected)
    expected = normalize(expected)
    np.testing.assert_allclose(mixer(x).numpy(), expected, atol=1e-5)
    exact = copy.deepcopy(mixer).double()(x.double()).numpy()
    np.testing.assert_allclose(exact, expected, atol=1e-11)


def test_only_the_causal_one_ignores_the_future():
    x = draw(1, 200, WIDTH)
    later = x.clone()
    later[:, 120:] += draw(80, WIDTH)
    for causal in (False, True):
        mixer = make(causal=causal).double().requires_grad_(False)
        before, after = mixer(x.double()), mixer(later.double())
        assert torch.allclose(before[:, :120], after[:, :120], atol=1e-11) == causal
        assert not torch.allclose(before[:, 120:], after[:, 120:], atol=1e-2)


@pytest.mark.parametrize("causal", [False, True])
def test_the_ends_of_a_night_do_not_meet(causal):
    """What a circular convolution would carry over from the one to the other."""
    mixer = make(causal=causal).double().requires_grad_(False)
    x = draw(1, 40, WIDTH).double()
    padded = torch.nn.functional.pad(x, (0, 0, 0, 60))
    read, longer = (mixer.layers[0].read(samples) for samples in (x, padded))
    torch.testing.assert_close(longer[:, :40], read, atol=1e-12, rtol=0)


def test_recurrences_are_stable_whatever_is_learned():
    recurrence = make().layers[0].forwards
    for decay in (-30.0, 5.0):
        torch.nn.init.constant_(recurrence.decay, decay)
        response = recurrence(1200)
        assert bool(response.isfinite().all())
        # A state keeps at most what it has.
        said = recurrence.readout.detach().square().sum(dim=2).sqrt().sum(dim=1)
        assert bool((response.abs().amax(dim=1) <= said * (1 + 1e-5)).all())


def test_gradients_are_those_of_finite_differences():
    mixer = make().double()
    x = draw(1, 40, WIDTH).double().requires_grad_()
    parameters = dict(mixer.named_parameters())

    def run(x, *values):
        named = dict(zip(parameters, values, strict=True))
        return torch.func.functional_call(mixer, named, x)

    assert torch.autograd.gradcheck(run, (x, *parameters.values()), fast_mode=True)


def test_gradients_of_long_nights_are_finite_and_of_every_weight():
    mixer = make().train()
    x = (100 * draw(1, 2400, WIDTH)).requires_grad_()
    mixer(x).square().sum().backward()
    for gradient in (x.grad, *(p.grad for p in mixer.parameters())):
        assert bool(gradient.isfinite().all())
        assert bool((gradient != 0).any())


def test_lower_precision_leaves_the_recurrences_alone():
    mixer = make().requires_grad_(False)
    x = draw(1, 300, WIDTH)
    expected, of_layer = mixer(x), mixer.layers[0].read(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(mixer.layers[0].read(x), of_layer)
        torch.testing.assert_close(mixer(x), expected, atol=0.05, rtol=0)
        assert mixer.layers[0].read(x.bfloat16()).dtype == torch.float32


def test_trained_in_a_classifier_and_saved(tmp_path):
    X, y = belt_nights()
    classifier = make_classifier_with("state_space").fit(X, y)
    before = classifier.module_.sequence_mixer.layers[0].backwards.turn.detach().clone()
    mixer = classifier.partial_fit(X, y).module_.sequence_mixer
    assert not torch.equal(mixer.layers[0].backwards.turn, before)
    classifier.save_pretrained(tmp_path)
    loaded = Wav2SleepClassifier.from_pretrained(tmp_path)
    assert loaded.module__sequence_mixer == "state_space"
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))


def test_threads_do_not_change_a_bit():
    X, y = belt_nights()
    before, found = torch.get_num_threads(), []
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            found.append(make_classifier_with("state_space").fit(X, y).predict_proba(X))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*found)
