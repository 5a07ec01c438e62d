"""size="auto" takes the recipe for the nights, and what was asked for."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from skorch.helper import SliceDict

from sklearn_sleep import Wav2SleepClassifier
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
    assert recipe.keys() == recipe_for(4).keys() - asked_for - {"train_split"}
    assert classifier.module_.classifier.in_features == 16
    assert len(classifier.history) == 2
    assert "valid_loss" in classifier.history[-1]


def test_published_size_is_the_default(nights):
    classifier = Wav2SleepClassifier(max_epochs=1).fit(*nights)
    assert classifier.recipe_ == {}
    assert classifier.module_.classifier.in_features == 128


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
