"""Training and models that are poisoned say so; never is everything one stage without a word."""

import copy
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from telling_nights import SIGNALS, as_x, make_arrays

from sklearn_sleep.core.targets import check_weights
from sklearn_sleep.exceptions import (
    ConstantSignalWarning,
    SignalQualityWarning,
    SleepError,
    TrainingError,
)
from sklearn_sleep.staging.pretrained import load_pretrained
from sklearn_sleep.staging.sequence_smoother import SequenceSmoother
from sklearn_sleep.staging.wav2sleep import Wav2SleepClassifier
from sklearn_sleep.training.callbacks.failure_signs import warn_of_constant_signals
from sklearn_sleep.training.inputs import weigh_classes
from sklearn_sleep.training.night_dataset import NightSample

Y = np.array([0, 1, 1, 2])


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, np.nan, 1, np.nan], "numbers from 0 on, but is nan in row 1 and wrong in 1 more"),
        ([1, 1, -2, 1], r"but is -2\.0 in row 2\."),
        ([np.inf, 1, 1, 1], r"but is inf in row 0\."),
        ([0, 0, 0, 0], "0 in all rows"),
        ([1, 1, 1], r"must have the shape \(4,\), but has \(3,\)"),
        (["a", 1, 1, 1], "could not convert"),
    ],
)
def test_what_is_no_weight_of_a_row_is_named(weight, message):
    with pytest.raises(ValueError, match=message):
        check_weights(weight, 4)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({0: 1, 1: np.nan}, r"class_weight\[1\]=nan"),
        ({0: 1, 1: -1.0}, r"class_weight\[1\]=-1\.0"),
        ({2: np.inf}, r"class_weight\[2\]=inf"),
        ({0: 0, 1: 0, 2: 0}, "leaves no row a weight"),
        ({0: 1, 7: 2}, r"has 7, which is no class; there are \[0, 1, 2\]"),
    ],
)
def test_what_is_no_weight_of_a_class_is_named(class_weight, message):
    with pytest.raises(ValueError, match=message):
        weigh_classes(np.ones(4), class_weight, Y, np.arange(3))


def test_weights_are_multiplied():
    weight = weigh_classes(check_weights([1, 0, 3, 1], 4), {0: 2, 1: 0.5}, Y, np.arange(3))
    np.testing.assert_array_equal(weight, [2, 0, 1.5, 1])
    np.testing.assert_array_equal(weigh_classes(np.ones(4), None, Y, np.arange(3)), 1.0)


@pytest.mark.parametrize(
    "weight", [{"class_weight": {0: np.nan}}, {"sample_weight": [np.nan]}], ids=str
)
def test_estimators_check_weights(make_classifier, weight):
    arrays, recording, y = make_arrays((6, 5))
    X = as_x(arrays, recording)
    class_weight, value = weight.get("class_weight"), weight.get("sample_weight")
    sample_weight = None if value is None else np.repeat(value, len(y))
    classifier = make_classifier(classes=None, class_weight=class_weight)
    with pytest.raises(ValueError, match=r"class_weight|sample_weight"):
        classifier.fit(X, y, sample_weight=sample_weight)
    assert not hasattr(classifier, "class_prior_")
    if sample_weight is not None:
        table = pd.DataFrame({"recording": recording, "epoch": range(len(y))})
        with pytest.raises(ValueError, match="sample_weight"):
            SequenceSmoother(_Told(y)).fit(table, y, sample_weight=sample_weight)


class _Told(ClassifierMixin, BaseEstimator):
    """Gives the probabilities that it is told."""

    def __init__(self, probability):
        self.probability = probability

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.asarray(self.probability)


def test_infinite_samples_are_missing_and_told_of(fitted_classifier, make_classifier):
    arrays, recording, y = make_arrays((12, 9), seed=2)
    infinite = {name: samples.copy() for name, samples in arrays.items()}
    infinite["PPG"][3, 5], infinite["PPG"][4] = np.inf, -np.inf
    lacking = {name: samples.copy() for name, samples in arrays.items()}
    lacking["PPG"][3, 5], lacking["PPG"][4] = np.nan, np.nan
    n_samples = 1 + SIGNALS["PPG"]
    message = f"PPG of night-0 has {n_samples} infinite samples, which count as missing"
    with pytest.warns(SignalQualityWarning, match=message):
        found = fitted_classifier.predict_proba(as_x(infinite, recording))
    expected = fitted_classifier.predict_proba(as_x(lacking, recording))
    np.testing.assert_array_equal(found, expected)
    with pytest.warns(SignalQualityWarning, match=message):
        trained = make_classifier(classes=None).fit(as_x(infinite, recording), y)
    again = make_classifier(classes=None).fit(as_x(lacking, recording), y)
    np.testing.assert_array_equal(
        trained.predict_proba(as_x(arrays, recording)), again.predict_proba(as_x(arrays, recording))
    )


def test_training_that_diverges_names_the_nights(make_classifier):
    arrays, recording, y = make_arrays((6, 5))
    arrays["ECG"][recording == "night-1"] *= 2e37
    classifier = make_classifier(classes=None, signals=["ECG"], batch_size=1, train_split=None)
    with pytest.raises(TrainingError, match=r"of night-1 is (nan|inf).*diverged.*lr=0\.001"):
        classifier.fit(as_x(arrays, recording), y)
    assert all(torch.isfinite(p).all() for p in classifier.module_.parameters())


def test_weights_that_diverge_are_seen_without_the_records_of_steps(make_classifier):
    arrays, recording, y = make_arrays((6, 5))
    classifier = make_classifier(
        classes=None,
        optimizer=torch.optim.SGD,
        optimizer__weight_decay=0.0,
        lr=1e30,
        callbacks__steps=None,
        callbacks__gradient_clipping=None,
        callbacks__learning_rate=None,
    )
    with pytest.raises(TrainingError, match="After training, the network has weights that are NaN"):
        classifier.fit(as_x(arrays, recording), y)


def test_validation_that_overflows_names_the_nights(make_classifier):
    arrays, recording, y = make_arrays((6, 5))
    arrays["ECG"][recording == "night-1"] *= 2e37

    def split(dataset, y=None, **_):
        from torch.utils.data import Subset

        return Subset(dataset, [0]), Subset(dataset, [1])

    classifier = make_classifier(classes=None, signals=["ECG"], train_split=split)
    with pytest.raises(TrainingError, match="loss of night-1 is nan"):
        classifier.fit(as_x(arrays, recording), y)


def test_prediction_that_overflows_is_the_prior_and_told_of(fitted_classifier):
    arrays, recording, _ = make_arrays((6, 5))
    expected = fitted_classifier.predict_proba(as_x(arrays, recording))
    huge = recording == "night-0"
    for samples in arrays.values():
        samples[huge] *= 2e37
    with pytest.warns(SignalQualityWarning, match="night-0 are too large.*prior"):
        found = fitted_classifier.predict_proba(as_x(arrays, recording))
    np.testing.assert_array_equal(found[~huge], expected[~huge])
    np.testing.assert_allclose(found[huge], np.tile(fitted_classifier.class_prior_, (6, 1)))


def test_network_with_weights_that_are_no_numbers_stages_nothing(fitted_classifier):
    spoiled = copy.deepcopy(fitted_classifier)
    with torch.no_grad():
        spoiled.module_.classifier.weight[0, 0] = np.nan
    arrays, recording, y = make_arrays((6, 5))
    with pytest.raises(SleepError, match=r"The network has weights .* in classifier\.weight"):
        spoiled.predict(as_x(arrays, recording))
    with pytest.raises(TrainingError, match=r"of night-\d, night-\d is nan"):
        spoiled.set_params(max_epochs=1, batch_size=2).partial_fit(as_x(arrays, recording), y)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_saved_models_with_weights_that_are_no_numbers_are_refused(
    fitted_classifier, tmp_path, data_folder, value
):
    spoiled = copy.deepcopy(fitted_classifier)
    name, weights = next(iter(spoiled.module_.sequence_mixer.named_parameters(prefix="mixer")))
    with torch.no_grad():
        weights.view(-1)[0] = value
    spoiled.save_pretrained(tmp_path)
    name = f"sequence_{name}"
    message = f"The model in {tmp_path} has weights that are NaN or infinite, in {name}"
    for load in (Wav2SleepClassifier.from_pretrained, load_pretrained):
        with pytest.raises(ValueError, match=message):
            load(tmp_path)
    published = tmp_path / "published"
    shutil.copytree(data_folder / "golden" / "wav2sleep-cardio-small", published)
    state = torch.load(published / "state_dict.pth", weights_only=True)
    next(iter(state.values())).view(-1)[0] = value
    torch.save(state, published / "state_dict.pth")
    with pytest.raises(ValueError, match="published has weights that are NaN or infinite"):
        Wav2SleepClassifier.from_pretrained(published)


@pytest.mark.parametrize("prior", [[0.5, float("nan")], [-0.5, 1.5], [0.1, 0.1]])
def test_saved_models_with_a_wrong_prior_are_refused(fitted_classifier, tmp_path, prior):
    spoiled = copy.deepcopy(fitted_classifier)
    spoiled.class_prior_ = np.array(prior)
    spoiled.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has the prior"):
        Wav2SleepClassifier.from_pretrained(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1])
def test_smoother_names_nights_without_probabilities(value):
    X = pd.DataFrame({"recording": ["a"] * 3 + ["b"] * 2, "epoch": [0, 1, 2, 0, 1]})
    y = np.array([0, 1, 1, 0, 1])
    probability = np.full((5, 2), 0.5)
    smoother = SequenceSmoother(_Told(probability)).fit(X, y)
    assert set(smoother.predict(X)) <= {0, 1}
    smoother.classifier_.probability = np.where(np.arange(5)[:, None] == 3, value, probability)
    for method in (smoother.predict, smoother.predict_proba):
        with pytest.raises(ValueError, match="_Told gives no probabilities for 1 rows of b"):
            method(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"mask_probability": {"PGG": 0.5}}, "mask_probability names 'PGG'.*Known are ECG, PPG"),
        ({"mask_probability__PGG": 0.5}, "mask_probability names 'PGG'"),
        ({"backup_signals": ["ECG", "PGG"]}, "backup_signals names 'PGG'"),
    ],
)
def test_misspelt_signals_of_masking_are_named(make_classifier, parameters, message):
    arrays, recording, y = make_arrays((6, 5))
    classifier = make_classifier(classes=None).set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        classifier.fit(as_x(arrays, recording), y)


def test_signals_of_masking_may_be_absent(make_classifier):
    arrays, recording, y = make_arrays((6, 5))
    classifier = make_classifier(
        classes=None,
        max_epochs=1,
        mask_probability={"ECG": 0.1, "EOG-L": 0.5, "IHR": 0.2, "F4-M1": 0.2},
        backup_signals=["SpO2", "ECG"],
    )
    classifier.fit(as_x(arrays, recording), y)


def test_dead_signal_of_a_night_that_was_filled_up_is_told_of():
    # As linear resampling leaves it: zeros from the last sample of the recording on.
    dead = torch.full((8, 16), 0.7)
    dead[3, -1], dead[4:] = 0.0, 0.0
    alive = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
    present = torch.ones(8, dtype=torch.bool)
    rows = torch.arange(4)
    night = NightSample(
        "night",
        {"THX": dead, "ABD": alive},
        {"THX": present, "ABD": present},
        rows,
        rows,
        rows,
        rows,
    )
    with pytest.warns(ConstantSignalWarning, match="end: THX of night"):
        warn_of_constant_signals([night])
