"""Frozen parts, and learning rates of their own, in our training loop."""

import math

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, Freezer, Unfreezer
from telling_nights import as_x, make_arrays

from sklearn_sleep import ResumableCheckpoint
from sklearn_sleep.training.callbacks.weight_average import WeightAverage
from sklearn_sleep.training.schedule import WarmUpDecay

ENCODERS = "signal_encoders.*"
N_PASSES = 4


@pytest.fixture(scope="module")
def nights():
    arrays, recording, y = make_arrays()
    return as_x({name: arrays[name] for name in ("ECG", "THX")}, recording), y


@pytest.fixture
def make(make_classifier):
    def make_one(*callbacks, **parameters):
        given = {"max_epochs": N_PASSES, "batch_size": 1, "train_split": None, "classes": None}
        return make_classifier(callbacks=list(callbacks), **{**given, **parameters})

    return make_one


def state_of(net):
    return {name: value.clone() for name, value in net.module_.state_dict().items()}


def moved(before, after):
    """Return the parts of which any weight is another one."""
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    return {name.partition(".")[0] for name in changed}


class Gradients(Callback):
    """Keeps the names of what had a gradient in each step."""

    def on_train_begin(self, net, **kwargs):
        self.names = []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.names.append({name for name, p in named_parameters if p.grad is not None})


class Rates(Callback):
    """Keeps the learning rate of each group in each step."""

    def on_train_begin(self, net, **kwargs):
        self.rates = []

    def on_grad_computed(self, net, **kwargs):
        self.rates.append([group["lr"] for group in net.optimizer_.param_groups])


class PowerCutError(RuntimeError):
    pass


class PowerCut(Callback):
    """Stops the program in the third pass."""

    def on_batch_begin(self, net, training=False, **kwargs):
        if len(net.history) == 3:
            raise PowerCutError


# -- frozen parts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [{}, {"callbacks__weight_average__decay": 0.5}])
def test_frozen_weights_do_not_move_and_have_no_gradients(make, nights, parameters):
    gradients = Gradients()
    start = state_of(make(max_epochs=0).fit(*nights))
    net = make(("freezer", Freezer(ENCODERS)), gradients, **parameters).fit(*nights)
    assert moved(start, state_of(net)) == {"epoch_mixer", "sequence_mixer", "classifier"}
    assert not [n for names in gradients.names for n in names if n.startswith("signal_encoders")]
    assert all("classifier.weight" in names for names in gradients.names)


def test_nothing_is_computed_for_the_gradient_of_a_frozen_encoder(make, nights):
    """Its features are no part of a graph."""
    found = []

    class Features(Callback):
        def on_train_begin(self, net, **kwargs):
            net.module_.signal_encoders.encoders["ECG"].register_forward_hook(
                lambda module, inputs, output: found.append(output.requires_grad)
            )

    make(Freezer(ENCODERS), Features(), mask_probability={}).fit(*nights)
    assert found
    assert not any(found)


def test_unfrozen_after_some_passes(make, nights):
    gradients = Gradients()
    freezers = Freezer(ENCODERS), Unfreezer(ENCODERS, at=3)
    make(*freezers, gradients, mask_probability={}).fit(*nights)
    has_encoders = [any(n.startswith("signal_enc") for n in names) for names in gradients.names]
    assert has_encoders == [False] * 8 + [True] * 8  # four nights a pass


def test_nights_that_reach_no_weight_which_may_move(make, nights):
    X, y = nights
    ecg = X["ECG"].copy()
    ecg[np.isin(X["recording"], ["night-1", "night-2"])] = np.nan
    X = as_x({"ECG": ecg, "THX": X["THX"]}, X["recording"])
    start = state_of(make(max_epochs=0).fit(X, y))
    others = [lambda name: not name.startswith("signal_encoders.encoders.ECG")]
    after = state_of(make(Freezer(others), mask_probability={}).fit(X, y))
    changed = {name for name in start if not torch.equal(start[name], after[name])}
    assert changed
    assert all(name.startswith("signal_encoders.encoders.ECG") for name in changed)


@pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.BatchNormWarning")
def test_running_statistics_of_frozen_norms_stand_still(make, nights):
    norms = {"module__encoder_norm": "batch", "module__sequence_norm": "batch"}
    start = state_of(make(max_epochs=0, **norms).fit(*nights))
    statistics = [name for name in start if "running_" in name or "num_batches" in name]
    assert {name.split(".")[0] for name in statistics} == {"signal_encoders", "sequence_mixer"}
    frozen = state_of(make(Freezer(ENCODERS), **norms).fit(*nights))
    free = state_of(make(**norms).fit(*nights))
    for name in statistics:
        of_encoder = name.startswith("signal_encoders")
        assert torch.equal(frozen[name], start[name]) == of_encoder, name
        assert not torch.equal(free[name], start[name]), name


def test_what_is_frozen_is_frozen_after_an_interruption(make, nights, tmp_path):
    expected = make(Freezer(ENCODERS)).fit(*nights)
    with pytest.raises(PowerCutError):
        make(Freezer(ENCODERS), PowerCut(), ResumableCheckpoint(tmp_path)).fit(*nights)
    resumed = make(Freezer(ENCODERS), ResumableCheckpoint(tmp_path)).fit(*nights)
    assert len(resumed.history) == N_PASSES
    assert not moved(state_of(expected), state_of(resumed))


# -- a learning rate by depth ----------------------------------------------------------------------


GROUPS = [("signal_encoders.*", {"lr": 1e-4}), ("epoch_mixer.*", {"lr": 1e-3})]


@pytest.mark.parametrize("lr", [1e-2, 0.0])
def test_the_schedule_scales_the_rate_of_each_group(make, nights, lr):
    rates = Rates()
    schedule = WarmUpDecay(warm_up=3, time_constant=5)
    net = make(rates, lr=lr, optimizer__param_groups=GROUPS, callbacks__learning_rate=schedule)
    net.fit(*nights)
    steps = np.arange(1, 4 * N_PASSES + 1)
    factors = [step / 3 if step <= 3 else math.exp(-(step - 3) / 5) for step in steps]
    np.testing.assert_allclose(rates.rates, np.outer(factors, [1e-4, 1e-3, lr]), rtol=1e-12)
    recorded = [max(of_step) for of_step in rates.rates[3::4]]
    np.testing.assert_allclose(net.history[:, "learning_rate"], recorded)


def test_the_highest_rates_are_as_given_where_the_recipe_has_another(make, nights):
    rates = Rates()
    schedule = WarmUpDecay(warm_up=1)
    net = make(rates, size="auto", optimizer__param_groups=GROUPS)
    net.set_params(callbacks__learning_rate=schedule).fit(*nights)
    assert net.recipe_["lr"] != net.lr
    np.testing.assert_allclose(rates.rates[0], [1e-4, 1e-3, net.recipe_["lr"]])


def test_parameters_of_the_optimizer_set_on_a_trained_net_are_kept(make, nights):
    net = make(max_epochs=1).fit(*nights)
    given = {"optimizer__weight_decay": 0.3, "optimizer__eps": 1e-5}
    net.set_params(**given, optimizer__param_groups=GROUPS)
    for train in (net.partial_fit, net.fit):
        train(*nights)
        assert {name: net.get_params()[name] for name in given} == given
        found = [
            (g["weight_decay"], g["eps"], g["relative_rate"]) for g in net.optimizer_.param_groups
        ]
        assert found == [(0.3, 1e-5, pytest.approx(ratio)) for ratio in (0.1, 1.0, 1.0)]
    same = make(max_epochs=1, **given, optimizer__param_groups=GROUPS).fit(*nights)
    assert not moved(state_of(same), state_of(net))


def test_a_part_whose_rate_is_zero_stays(make, nights):
    start = state_of(make(max_epochs=0).fit(*nights))
    still = [("signal_encoders.*", {"lr": 0.0})]
    after = make(optimizer__param_groups=still).fit(*nights)
    assert moved(start, state_of(after)) == {"epoch_mixer", "sequence_mixer", "classifier"}
    head = make(lr=0.0, optimizer__param_groups=[("classifier.*", {"lr": 1e-2})]).fit(*nights)
    assert moved(start, state_of(head)) == {"classifier"}


def test_rates_by_depth_after_an_interruption(make, nights, tmp_path):
    parameters = {
        "optimizer__param_groups": GROUPS,
        "callbacks__weight_average": WeightAverage(0.6, start=2),
        "lr": 0.02,
    }
    expected = make(**parameters).fit(*nights)
    with pytest.raises(PowerCutError):
        make(PowerCut(), ResumableCheckpoint(tmp_path), **parameters).fit(*nights)
    resumed = make(ResumableCheckpoint(tmp_path), **parameters).fit(*nights)
    assert not moved(state_of(expected), state_of(resumed))
    assert resumed.history[:, "learning_rate"] == expected.history[:, "learning_rate"]
