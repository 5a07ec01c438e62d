"""size="auto" takes the recipe for the nights, and what was asked for."""

import json
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from skorch.helper import SliceDict

from sklearn_sleep import Wav2SleepClassifier
from sklearn_sleep.core.signals import source_of
from sklearn_sleep.features import FrontEnd
from sklearn_sleep.networks import make_wav2sleep
from sklearn_sleep.staging.recipes import recipe_for
from sklearn_sleep.training.augmentation import Augmentation
from sklearn_sleep.training.schedule import ValidationNights


@pytest.fixture(scope="module")
def nights():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 2], 16)
    samples = (rng.normal(size=(48, 64)) * (0.3 + y[:, None])).astype(np.float32)
    names = np.repeat(np.array([f"night-{i}" for i in range(4)], dtype=object), 12)
    return SliceDict(ECG=samples, recording=names), y


@pytest.fixture(scope="module")
def fitted(nights):
    return Wav2SleepClassifier(size="auto", max_epochs=1, random_state=0).fit(*nights)


@pytest.mark.parametrize("n_nights", [1, 5, 12, 50, 200])
def test_passes_show_enough_nights(n_nights):
    recipe = recipe_for(n_nights)
    assert 30 <= recipe["max_epochs"] <= 100
    assert recipe["max_epochs"] in (30, 100) or abs(recipe["max_epochs"] * n_nights - 1000) <= 30


def test_one_signal_takes_a_narrow_network():
    widths = {
        signals: recipe_for(12, signals)["module__feature_dim"]
        for signals in [("ECG",), ("IHR", "THX"), ("ECG", "THX"), ()]
    }
    assert list(widths.values()) == [32, 32, 64, 64]


def test_thousands_of_nights_take_the_published_size():
    assert recipe_for(201) == {}


def test_auto_is_its_recipe_spelled_out(nights, fitted):
    recipe = recipe_for(4, ["ECG"]) | {"max_epochs": 1}
    spelled_out = Wav2SleepClassifier(**recipe, random_state=0).fit(*nights)
    np.testing.assert_array_equal(
        fitted.predict_proba(nights[0]), spelled_out.predict_proba(nights[0])
    )


def test_parameters_stay_as_they_were_given(fitted):
    fresh = Wav2SleepClassifier(size="auto", max_epochs=1, random_state=0)
    given, after = fresh.get_params(deep=False), fitted.get_params(deep=False)
    assert (after["lr"], after["batch_size"], after["augmentation"]) == (1e-3, 16, None)
    assert {name for name in after if not name.startswith("_")} == {
        name for name in given if not name.startswith("_")
    }
    assert "module__feature_dim" not in after
    assert fitted.module_.classifier.in_features == 32


def test_what_was_asked_for_wins(nights):
    classifier = Wav2SleepClassifier(
        size="auto",
        max_epochs=2,
        lr=1e-2,
        batch_size=4,
        module__feature_dim=16,
        augmentation=Augmentation(noise=0.1),
        train_split=ValidationNights(0.5, minimum_subjects=2),
    ).fit(*nights)
    recipe = classifier.recipe_
    asked_for = {"max_epochs", "lr", "batch_size", "module__feature_dim", "augmentation"}
    assert recipe.keys() == (recipe_for(4).keys() | {"front_end"}) - asked_for - {"train_split"}
    assert classifier.module_.classifier.in_features == 16
    assert len(classifier.history) == 2
    assert "valid_loss" in classifier.history[-1]


def test_published_size_is_asked_for(nights):
    classifier = Wav2SleepClassifier(size="published", max_epochs=1).fit(*nights)
    assert classifier.recipe_ == {}
    assert classifier.module_.classifier.in_features == 128


def test_recipe_says_what_a_front_end_would_add(fitted):
    assert fitted.recipe_["front_end"].startswith(
        "FrontEnd() before Resampler() would read heart and breathing from ECG"
    )


def test_recipe_behind_a_front_end():
    names = [n for s in ("ECG", "PPG", "THX", "ABD") for n in FrontEnd().get_feature_names_out([s])]
    recipe = recipe_for(12, names)
    groups, encoders = recipe["module__signal_groups"], recipe["module__signal_map"]
    assert sorted(name for members in groups.values() for name in members) == sorted(names)
    assert {source_of(m) for m in groups["heart(ECG)"]} == {"ECG"}
    assert encoders["heart(ECG)"] == encoders["heart(PPG)"] == "heart"
    assert len({encoders[f"breathing({belt})"] for belt in ("ABD", "THX")}) == 2
    # One network takes them.
    rates = dict.fromkeys(names, 16)
    make_wav2sleep(rates, 4, signal_groups=groups, signal_map=encoders, feature_dim=8)
    assert recipe_for(1000, names)["module__feature_dim"] > recipe["module__feature_dim"]
    assert "front_end" not in recipe


def test_recipe_is_saved_with_the_model(nights, fitted, tmp_path):
    fitted.save_pretrained(tmp_path)
    loaded = Wav2SleepClassifier.from_pretrained(tmp_path)
    assert loaded.size == "auto"
    assert repr(loaded.recipe_) == repr(fitted.recipe_)
    assert (
        loaded.recipe_["augmentation"].get_params() == fitted.recipe_["augmentation"].get_params()
    )


def test_a_model_from_before_is_what_it_was(fitted, tmp_path):
    """Models of version 0.1 say neither size nor recipe, and all were of the published size."""
    fitted.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    configuration = json.loads(path.read_text())
    del configuration["classifier"]["size"], configuration["classifier"]["recipe"]
    del configuration["checksum"]
    path.write_text(json.dumps(configuration))
    loaded = Wav2SleepClassifier.from_pretrained(tmp_path)
    assert (loaded.size, loaded.recipe_) == ("published", {})
    assert loaded.module_.classifier.in_features == 32


def test_a_users_own_network_keeps_its_parameters(nights):
    def make(signals, n_classes, **parameters):
        assert not parameters
        return make_wav2sleep(signals, n_classes, feature_dim=16)

    classifier = Wav2SleepClassifier(make, max_epochs=1, random_state=0).fit(*nights)
    assert classifier.module_.classifier.in_features == 16
    assert classifier.recipe_["batch_size"] == 2


def test_a_users_own_network_need_not_know_of_subsets():
    def make(signals, n_classes, **parameters):
        network = make_wav2sleep(signals, n_classes, feature_dim=8, mixer_heads=2)
        forward = network.forward
        network.forward = lambda x, present=None: forward(x, present)
        return network

    X, y = derived_nights()
    classifier = Wav2SleepClassifier(make, max_epochs=1, random_state=0).fit(X, y)
    assert "subsets_per_night" not in classifier.recipe_
    with pytest.raises(ValueError, match="subsets_per_night=2 goes with the network Wav2Sleep"):
        Wav2SleepClassifier(make, subsets_per_night=2, max_epochs=1).fit(X, y)


def test_one_subset_can_be_asked_for():
    """A group of two sources cannot be encoded once for all subsets."""
    X, y = derived_nights("ECG", "THX")
    pair = {"module__signal_groups": {"rates": ["HR(ECG)", "BR(THX)"]}, "module__signal_map": None}
    given = {**pair, "signals": ["HR(ECG)", "BR(THX)"], "max_epochs": 6, "random_state": 0}
    with pytest.raises(ValueError, match="or set subsets_per_night=1"):
        Wav2SleepClassifier(**given).fit(X, y)
    classifier = Wav2SleepClassifier(**given, subsets_per_night=1).fit(X, y)
    assert "subsets_per_night" not in classifier.recipe_


def derived_nights(*sources):
    """Noise under the names of what a front end gives, in two nights of six epochs."""
    rng = np.random.default_rng(0)
    names = FrontEnd().get_feature_names_out(sources or ("THX",))
    samples = {name: rng.standard_normal((12, 16)).astype(np.float32) for name in names}
    return SliceDict(
        **samples, recording=np.repeat(np.array(["a", "b"], dtype=object), 6)
    ), np.tile([0, 1], 6)


def test_defaults_of_parts_give_way_to_the_recipe():
    X, y = derived_nights()
    names = [name for name in X if name != "recording"]
    classifier = Wav2SleepClassifier(max_epochs=1, random_state=0).fit(X, y)
    group = classifier.optimizer_.param_groups[0]
    assert group["weight_decay"] == recipe_for(2, names)["optimizer__weight_decay"]
    classifier = Wav2SleepClassifier(max_epochs=1, optimizer__weight_decay=0.5).fit(X, y)
    assert classifier.optimizer_.param_groups[0]["weight_decay"] == 0.5


def test_unknown_size(nights):
    with pytest.raises(
        ValueError, match="'size' parameter of Wav2SleepClassifier must be a str among"
    ):
        Wav2SleepClassifier(size="tiny").fit(*nights)


def test_it_is_an_estimator(nights, fitted, tmp_path):
    X, y = nights
    expected = fitted.predict_proba(X)
    np.testing.assert_array_equal(clone(fitted).fit(X, y).predict_proba(X), expected)
    copy = pickle.loads(pickle.dumps(fitted))  # noqa: S301  our own bytes
    np.testing.assert_array_equal(copy.predict_proba(X), expected)
    fitted.save_pretrained(tmp_path)
    loaded = Wav2SleepClassifier.from_pretrained(tmp_path)
    np.testing.assert_allclose(loaded.predict_proba(X), expected, atol=1e-6)


def test_training_goes_on_with_the_same_recipe(nights):
    X, y = nights
    first = Wav2SleepClassifier(size="auto", random_state=0, max_epochs=1)
    first.partial_fit(X, y)
    recipe = first.recipe_
    second_half = np.arange(24, 48)
    first.partial_fit(X[second_half], y[second_half])
    assert first.recipe_ is recipe
    assert len(first.history) == 2
