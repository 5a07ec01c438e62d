"""Learning rate, accumulation, averages and validation nights."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from skorch.helper import SliceDict
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sklearn_sleep.staging.diagnostics import history_frame
from sklearn_sleep.staging.pretrained import load_pretrained, save_pretrained
from sklearn_sleep.training.callbacks.weight_average import WeightAverage
from sklearn_sleep.training.schedule import ValidationNights, WarmUpDecay, in_steps

# Batches of another shape are summed in another order, and six steps carry that on; a wrong
# weight of one night would show in the first digit.
ROUNDING = 1e-4


def make_nights(n_nights=6, *, seed=0):
    rng = np.random.default_rng(seed)
    n_epochs = rng.integers(12, 20, size=n_nights)
    y = rng.integers(0, 2, size=n_epochs.sum())
    samples = {
        name: (rng.normal(size=(len(y), width)) * (0.3 + y[:, None])).astype(np.float32)
        for name, width in (("ECG", 64), ("THX", 16))
    }
    names = np.array([f"night-{i}" for i in range(n_nights)], dtype=object)
    return SliceDict(**samples, recording=np.repeat(names, n_epochs)), y


class Recorder(Callback):
    """Keeps what the network is like at the moments of a training."""

    def on_train_begin(self, net, **kwargs):
        self.rates, self.gradients, self.weights, self.models = [], [], [], []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.rates.append(net.optimizer_.param_groups[0]["lr"])
        gradients = [p.grad.flatten() for _, p in named_parameters if p.grad is not None]
        self.gradients.append(torch.cat(gradients).double().numpy())

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.weights.append(weights_of(net))
            self.observe(net.module_)

    def observe(self, module):
        pass


def weights_of(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()]).double().numpy()


# -- learning rate -------------------------------------------------------------------------------


def test_published_learning_rate_in_steps(make_classifier):
    """Warm-up to step 3, then a time constant of 4 steps, whatever the length of the training."""
    X, y = make_nights(4)
    recorder = Recorder()
    classifier = make_classifier(
        classes=None, lr=0.01, max_epochs=4, batch_size=2, train_split=None, callbacks=[recorder]
    ).set_params(callbacks__learning_rate__warm_up=3, callbacks__learning_rate__time_constant=4)
    classifier.fit(X, y)
    expected = [0.01 / 3, 0.02 / 3, 0.01, *(0.01 * np.exp(-np.arange(1, 6) / 4))]
    np.testing.assert_allclose(recorder.rates, expected)


@pytest.mark.parametrize("value", [1.5, -1, -0.1, 2000.0, "long"])
def test_a_length_is_steps_or_a_fraction(value):
    with pytest.raises(ValueError, match=f"warm_up={value!r}"):
        in_steps(value, 100, "warm_up")


def test_time_constant_is_not_zero(make_classifier):
    X, y = make_nights(2)
    classifier = make_classifier(
        classes=None, callbacks__learning_rate=WarmUpDecay(time_constant=0)
    )
    with pytest.raises(ValueError, match="time_constant=0"):
        classifier.fit(X, y)


# -- accumulation --------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_accumulated_gradients_are_those_of_the_large_batch(make_classifier, weighted):
    """Seven nights in steps of four: the last step of a pass has three. SGD shows every error."""
    X, y = make_nights(7)
    sample_weight = np.random.default_rng(1).uniform(0, 2, len(y)) if weighted else None
    recorders, classifiers = [], []
    for parameters in (
        {"batch_size": 4},
        {"batch_size": 2, "target_batch_size": 4},
        {"batch_size": 1, "target_batch_size": 4},
    ):
        recorders.append(Recorder())
        classifier = make_classifier(
            classes=None,
            lr=0.1,
            max_epochs=3,
            train_split=None,
            module__dropout=0.0,
            optimizer=torch.optim.SGD,
            callbacks=[recorders[-1]],
            **parameters,
        )
        classifiers.append(classifier.fit(X, y, sample_weight=sample_weight))
    large, *accumulated = recorders
    assert len(large.gradients) == 6
    for found in accumulated:
        assert found.rates == large.rates
        for gradient, expected in zip(found.gradients, large.gradients, strict=True):
            np.testing.assert_allclose(gradient, expected, atol=ROUNDING * np.abs(expected).max())
    for classifier in classifiers[1:]:
        np.testing.assert_allclose(
            weights_of(classifier), weights_of(classifiers[0]), atol=ROUNDING
        )


def test_weights_change_once_in_a_step(make_classifier):
    X, y = make_nights(7)
    recorder = Recorder()
    make_classifier(
        classes=None,
        max_epochs=1,
        batch_size=2,
        target_batch_size=6,
        train_split=None,
        callbacks=[recorder],
    ).fit(X, y)
    changed = [not np.array_equal(a, b) for a, b in pairwise(recorder.weights)]
    assert changed == [False, True, True]  # steps after the third and the fourth, last batch


def test_target_batch_size_is_a_multiple(make_classifier):
    X, y = make_nights(2)
    with pytest.raises(ValueError, match=r"target_batch_size=5 .*batch_size=2"):
        make_classifier(classes=None, batch_size=2, target_batch_size=5).fit(X, y)


# -- weight average ------------------------------------------------------------------------------


def test_average_is_torchs(make_classifier):
    """With so small a decay that it does not rise, against torch's AveragedModel."""
    X, y = make_nights(4)

    class Averager(Recorder):
        def on_train_begin(self, net, **kwargs):
            super().on_train_begin(net, **kwargs)
            self.average = AveragedModel(
                net.module_, multi_avg_fn=get_ema_multi_avg_fn(0.15), use_buffers=True
            )

        def observe(self, module):
            self.average.update_parameters(module)

    averager = Averager()
    classifier = make_classifier(
        classes=None,
        lr=0.01,
        max_epochs=3,
        batch_size=1,
        train_split=None,
        callbacks=[averager],
        callbacks__weight_average=WeightAverage(0.15, start=0),
    ).fit(X, y)
    expected = dict(averager.average.module.named_parameters())
    for name, parameter in classifier.module_.named_parameters():
        torch.testing.assert_close(parameter, expected[name], atol=1e-6, rtol=1e-5)


def test_average_of_a_short_training_is_not_held_back(make_classifier):
    """It begins after step 5, with a decay that rises from 2/11 over 3/12 to 4/13, 5/14, …"""
    X, y = make_nights(4)
    recorder = Recorder()
    classifier = make_classifier(
        classes=None,
        lr=0.01,
        max_epochs=3,
        batch_size=1,
        train_split=None,
        callbacks=[recorder],
        callbacks__weight_average__decay=0.9999,
        callbacks__weight_average__start=5,
    ).fit(X, y)
    expected = recorder.weights[4]
    for n, weights in enumerate(recorder.weights[5:], start=1):
        decay = (1 + n) / (10 + n)
        expected = decay * expected + (1 - decay) * weights
    np.testing.assert_allclose(weights_of(classifier), expected, atol=1e-6)
    assert np.abs(weights_of(classifier) - recorder.weights[-1]).max() > 1e-4


def test_training_goes_on_from_the_weights_as_they_are(make_classifier):
    X, y = make_nights(8)
    recorders = [Recorder(), Recorder()]
    plain, averaged = (
        make_classifier(
            classes=None,
            max_epochs=4,
            callbacks=[recorder],
            callbacks__weight_average__decay=decay,
        ).fit(X, y)
        for recorder, decay in zip(recorders, (None, 0.5), strict=True)
    )
    np.testing.assert_array_equal(recorders[0].weights, recorders[1].weights)
    assert plain.history[:, "train_loss"] == averaged.history[:, "train_loss"]
    assert plain.history[1:, "valid_loss"] != averaged.history[1:, "valid_loss"]


def test_best_average_is_restored(make_classifier):
    X, y = make_nights(8)
    classifier = make_classifier(
        classes=None,
        lr=0.3,
        max_epochs=8,
        patience=8,
        callbacks__learning_rate=None,
        callbacks__weight_average=WeightAverage(0.5, start=0),
    ).fit(X, y)
    dataset = classifier._training_dataset(X, y, None, starts_anew=False)
    _, valid = classifier.get_split_datasets(dataset)
    (batch,) = classifier.get_iterator(valid, training=False)
    loss = float(classifier.validation_step(batch)["loss"])
    losses = classifier.history[:, "valid_loss"]
    assert loss == pytest.approx(min(losses), rel=1e-5)
    assert loss < losses[-1]
    copy = pickle.loads(pickle.dumps(classifier))  # noqa: S301  our own bytes
    np.testing.assert_array_equal(copy.predict_proba(X), classifier.predict_proba(X))


def test_average_waits_for_accumulated_steps(make_classifier):
    X, y = make_nights(6)
    results = []
    for parameters in ({"batch_size": 6}, {"batch_size": 2, "target_batch_size": 6}):
        classifier = make_classifier(
            classes=None,
            max_epochs=5,
            train_split=None,
            module__dropout=0.0,
            optimizer=torch.optim.SGD,
            callbacks__weight_average=WeightAverage(0.9, start=1),
            **parameters,
        )
        results.append(weights_of(classifier.fit(X, y)))
    np.testing.assert_allclose(results[0], results[1], atol=1e-6)


def test_wrong_decay(make_classifier):
    X, y = make_nights(2)
    with pytest.raises(ValueError, match=r"decay=1.0"):
        make_classifier(classes=None, callbacks__weight_average__decay=1.0).fit(X, y)


# -- validation nights ---------------------------------------------------------------------------


def test_seed_of_the_validation_nights_comes_from_the_classifier(make_classifier):
    X, y = make_nights(12)
    chosen = {}
    for seed in range(6):
        for _ in range(2):
            classifier = make_classifier(
                classes=None,
                random_state=seed,
                max_epochs=0,
                train_split=ValidationNights(0.3, random_state=None),
            ).fit(X, y)
            dataset = classifier._training_dataset(X, y, None, starts_anew=False)
            _, valid = classifier.get_split_datasets(dataset)
            assert chosen.setdefault(seed, valid.indices) == valid.indices
    assert len({tuple(indices) for indices in chosen.values()}) > 3


# -- loaded networks -----------------------------------------------------------------------------


@pytest.mark.parametrize("lr", [0.0, 1e-3])
def test_loaded_network_is_trained_on(fitted_pipeline, cohort, tmp_path, lr):
    save_pretrained(fitted_pipeline, tmp_path)
    loaded = load_pretrained(tmp_path)
    epochs = loaded[:-1].transform(cohort.X)
    expected = loaded[-1].predict_proba(epochs)
    parameters = {"lr": lr, "optimizer__weight_decay": 0.0, "max_epochs": 1, "train_split": None}
    loaded[-1].set_params(**parameters).partial_fit(epochs, cohort.y)
    assert np.array_equal(loaded[-1].predict_proba(epochs), expected) == (lr == 0)


# -- history -------------------------------------------------------------------------------------


def test_history_as_a_table(make_classifier):
    X, y = make_nights(8)
    recorder = Recorder()
    classifier = make_classifier(
        classes=None,
        max_epochs=3,
        batch_size=2,
        callbacks__gradient_clipping=None,
        callbacks=[recorder],
    ).fit(X, y)
    table = history_frame(classifier)
    assert list(table.index) == [1, 2, 3]
    assert table.index.name == "pass"
    assert table["train_loss"].tolist() == classifier.history[:, "train_loss"]
    assert table["valid_loss"].tolist() == classifier.history[:, "valid_loss"]
    steps = len(recorder.rates) // 3
    assert table["learning_rate"].tolist() == recorder.rates[steps - 1 :: steps]
    norms = np.array([np.linalg.norm(g) for g in recorder.gradients]).reshape(3, steps)
    np.testing.assert_allclose(table["gradient_norm"], norms.mean(axis=1), rtol=1e-5)
    assert (table["duration"] > 0).all()
