"""What the deep classifiers have in common: parameters, fit parameters, and what training uses."""

import inspect

import numpy as np
import pytest
import torch
from sklearn import set_config
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_html_repr
from skorch.callbacks import Callback
from skorch.helper import SliceDict
from telling_images import make_images

from sklearn_sleep import VLMStager, Wav2SleepClassifier, tiny_vlm
from sklearn_sleep.staging.recipes import recipe_for
from sklearn_sleep.training.callbacks.weight_average import WeightAverage
from sklearn_sleep.training.schedule import ValidationNights

# Of skorch, or its parts, beside those of the constructors.
OF_SKORCH = {
    "compile",
    "dataset",
    "iterator_train",
    "iterator_valid",
    "predict_nonlinearity",
    "torch_load_kwargs",
    "use_caching",
    "warm_start",
}


def make_nights():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 2], 20)
    samples = (rng.normal(size=(60, 64)) * (0.3 + y[:, None])).astype(np.float32)
    names = np.repeat(np.array([f"night-{i}" for i in range(5)], dtype=object), 12)
    return SliceDict(ECG=samples, recording=names), y


def make_stager(**parameters):
    model = tiny_vlm(hidden_size=32, n_layers=1)
    return VLMStager(model, **{"prompt": "?", "max_epochs": 1, "random_state": 0, **parameters})


@pytest.fixture(params=["nights", "images"])
def net_and_rows(request, make_classifier):
    """A net with target_batch_size and callback parameters, and what it learns from."""
    parameters = {
        "batch_size": 2,
        "target_batch_size": 4,
        "max_epochs": 1,
        "callbacks__early_stopping": None,
    }
    if request.param == "nights":
        return make_classifier(classes=None, **parameters), make_nights()
    return make_stager(**parameters), make_images(8)


def assert_parameters_are_settable(net):
    names = set(net.get_params(deep=False))
    constructor = set(inspect.signature(type(net)).parameters) - {"kwargs"}
    parts = {name for name in names if "__" in name}
    assert names - parts == {n for n in constructor if "__" not in n} | OF_SKORCH
    assert {name.split("__")[0] for name in parts} <= {"optimizer", "callbacks", "module"}
    assert not {name for name in net.get_params() if name.startswith("_") or name.endswith("_")}


@pytest.mark.parametrize("is_fitted", [False, True])
def test_parameters_are_what_a_user_may_set(net_and_rows, is_fitted):
    net, rows = net_and_rows
    before = net.get_params(deep=False)
    if is_fitted:
        net.fit(*rows)
    assert net.get_params(deep=False) == before
    assert_parameters_are_settable(net)
    pipeline = make_pipeline(FunctionTransformer(), net)
    try:
        for printed in (repr(net), repr(pipeline), repr(clone(net)), estimator_html_repr(pipeline)):
            for hidden in ("_params_to_validate", "accumul", "_n_given", "_conversation", "_plan"):
                assert hidden not in printed
        set_config(print_changed_only=False)
        assert "_params" not in repr(pipeline)
    finally:
        set_config(print_changed_only=True)


class Groups:
    """A train_split that keeps the fit parameters it is given."""

    def __init__(self):
        self.given = []

    def __call__(self, dataset, **fit_params):
        self.given.append(fit_params)
        return dataset, None


def test_fit_parameters_reach_the_split(net_and_rows):
    net, (X, y) = net_and_rows
    split = Groups()
    net.set_params(train_split=split)
    groups = np.arange(len(y))
    net.fit(X, y, groups=groups)
    net.partial_fit(X, y, groups=groups[::-1])
    assert [list(given) for given in split.given] == [["groups"], ["groups"]]
    np.testing.assert_array_equal(split.given[1]["groups"], groups[::-1])


class Observer(Callback):
    """Looks at a net in the middle of its training."""

    def on_grad_computed(self, net, **kwargs):
        Observer.seen = net.get_params(deep=False)
        Observer.copy = clone(net)
        Observer.planned = {name: net.planned(name) for name in ("lr", "batch_size", "max_epochs")}


def test_parameters_are_never_overwritten():
    given = {"size": "auto", "random_state": 0, "callbacks": [Observer()], "max_epochs": 2}
    net = Wav2SleepClassifier(**given)
    expected = net.get_params(deep=False)
    X, y = make_nights()
    net.fit(X, y)
    assert Observer.seen == expected == net.get_params(deep=False)
    assert (Observer.seen["lr"], Observer.seen["batch_size"]) == (1e-3, 16)
    recipe = recipe_for(5, ["ECG"])
    assert Observer.planned == {"lr": recipe["lr"], "batch_size": 2, "max_epochs": 2}
    assert (net.planned("lr"), net.planned("batch_size")) == (1e-3, 16)
    copied = Observer.copy.get_params(deep=False)
    assert copied.keys() == expected.keys()
    assert copied["lr"] == 1e-3
    np.testing.assert_array_equal(Observer.copy.fit(X, y).predict(X), net.predict(X))


def test_what_equals_its_default_is_left_to_the_recipe():
    """A clone is given all parameters, so that these cannot be told; those of the module can."""
    X, y = make_nights()
    given = {"lr": 1e-3, "train_split": ValidationNights(), "max_epochs": 1}
    net = Wav2SleepClassifier(size="auto", module__feature_dim=128, module__mixer_heads=4, **given)
    for fitted in (net.fit(X, y), clone(net).fit(X, y)):
        assert {"lr", "train_split", "module__dropout"} <= fitted.recipe_.keys()
        assert not {"module__feature_dim", "module__mixer_heads", "max_epochs"} & set(
            fitted.recipe_
        )
        assert fitted.module_.classifier.in_features == 128
    other = clone(net).set_params(train_split=ValidationNights(minimum_subjects=4)).fit(X, y)
    assert "train_split" not in other.recipe_


def test_what_is_set_later_wins_too():
    X, y = make_nights()
    net = Wav2SleepClassifier(size="auto", max_epochs=1, random_state=0).partial_fit(X, y)
    before = {name: value.clone() for name, value in net.module_.state_dict().items()}
    net.set_params(lr=0.0, optimizer__weight_decay=0.0).partial_fit(X, y)
    assert net.planned("lr") == 0.0
    for name, value in net.module_.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_loaded_network_validates(make_classifier, tmp_path):
    """On the subjects that its own seed chooses."""
    X, y = make_nights()
    make_classifier(classes=None, max_epochs=1).fit(X, y).save_pretrained(tmp_path)
    loaded = Wav2SleepClassifier.from_pretrained(tmp_path)
    loaded.set_params(random_state=0, max_epochs=1).partial_fit(X, y)
    assert np.isfinite(loaded.history[-1, "valid_loss"])


def test_average_of_adapters():
    images, y = make_images(12)
    plain, averaged = (
        make_stager(
            lr=1e-2, batch_size=4, max_epochs=3, callbacks__weight_average=WeightAverage(decay, 0)
        ).fit(images, y)
        for decay in (None, 0.5)
    )
    assert plain.history[:, "train_loss"] == averaged.history[:, "train_loss"]
    assert (plain.predict_proba(images) != averaged.predict_proba(images)).any()
