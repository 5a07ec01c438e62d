"""Wav2SleepClassifier: training, parameters."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from spoiled_pass import SpoiledPass
from telling_nights import SIGNALS, as_x, make_arrays

from sklearn_sleep.exceptions import MaskedSignalWarning
from sklearn_sleep.networks.cpu import choice
from sklearn_sleep.training.schedule import ValidationNights, WarmUpDecay


def test_it_learns_what_every_signal_tells(fitted_classifier):
    arrays, recording, y = make_arrays(seed=1)
    assert fitted_classifier.score(as_x(arrays, recording), y) > 0.95
    for name in SIGNALS:
        alone = as_x({name: arrays[name]}, recording)
        assert fitted_classifier.score(alone, y) > 0.85, name


def test_loss_and_score_use_the_rows_alone(make_classifier, cohort, make_pipeline_of):
    """Labels of rows that are left out have no say in the result."""
    scored = np.ones(len(cohort.X), dtype=bool)
    scored[::10] = False
    X = cohort.X[scored].assign(
        scored_epochs=cohort.X[scored]
        .groupby("recording", observed=True)["epoch"]
        .transform("size")
    )
    weight = scored.astype(float)
    by_rows = make_pipeline_of().fit(X, cohort.y[scored])
    wrong = np.where(scored, cohort.y, (cohort.y + 1) % 4)
    by_weight = make_pipeline_of().fit(cohort.X, wrong, wav2sleepclassifier__sample_weight=weight)
    np.testing.assert_allclose(
        by_rows.predict_proba(cohort.X), by_weight.predict_proba(cohort.X), atol=1e-5
    )


def test_sample_weight_is_repetition(make_classifier):
    arrays, recording, y = make_arrays()
    weight = np.ones(len(y))
    weight[y == 1] = 2
    weighted = make_classifier(classes=None).fit(as_x(arrays, recording), y, sample_weight=weight)
    balanced = make_classifier(classes=None, class_weight={0: 1, 1: 2})
    balanced.fit(as_x(arrays, recording), y)
    X = as_x(arrays, recording)
    np.testing.assert_array_equal(weighted.predict_proba(X), balanced.predict_proba(X))
    plain = make_classifier(classes=None).fit(X, y)
    assert np.abs(plain.predict_proba(X) - weighted.predict_proba(X)).max() > 1e-4


def test_result_does_not_depend_on_the_number_of_threads(make_classifier):
    arrays, recording, y = make_arrays()
    X = as_x(arrays, recording)
    before = torch.get_num_threads()
    results = []
    try:
        for n_threads in (1, 2, 3):
            torch.set_num_threads(n_threads)
            classifier = make_classifier(classes=None, batch_size=4, module__dropout=0.3)
            results.append(classifier.fit(X, y).predict_proba(X))
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.BatchNormWarning")
def test_running_statistics_do_not_depend_on_the_number_of_threads(make_classifier):
    arrays, recording, y = make_arrays()
    before = torch.get_num_threads()
    states = []
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            classifier = make_classifier(classes=None, batch_size=4, module__encoder_norm="batch")
            classifier.fit(as_x(arrays, recording), y)
            states.append(classifier.module_.state_dict())
    finally:
        torch.set_num_threads(before)
    assert any(name.endswith("running_mean") for name in states[0])
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


def test_fit_leaves_torchs_global_generator_alone(make_classifier):
    arrays, recording, y = make_arrays()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    make_classifier(classes=None).fit(as_x(arrays, recording), y)
    assert torch.equal(torch.rand(3), expected)


def test_gradient_of_a_batch_is_that_of_its_nights_together(make_classifier):
    """Night by night and in one graph, the loss and its gradient are the same."""
    arrays, recording, y = make_arrays()
    classifier = make_classifier(
        classes=None, mask_probability={}, flip_polarity=False, module__dropout=0.0, max_epochs=1
    ).fit(as_x(arrays, recording), y)
    dataset = classifier._training_dataset(as_x(arrays, recording), y, None, starts_anew=False)
    batch = next(iter(classifier.get_iterator(dataset, training=False)))
    classifier.module_.zero_grad()
    loss = classifier.train_step_single(batch)["loss"]
    found = [p.grad.clone() for p in classifier.module_.parameters()]

    classifier.module_.zero_grad()
    logits = torch.cat(
        [
            classifier.module_({name: s[None] for name, s in night.x.items()})[0]
            for night in batch.nights
        ]
    )
    target = torch.cat([night.y for night in batch.nights])
    expected = torch.nn.functional.cross_entropy(logits, target)
    expected.backward()
    torch.testing.assert_close(loss, expected.detach())
    for gradient, parameter in zip(found, classifier.module_.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad, atol=1e-6, rtol=1e-3)


def test_masked_signals_are_masked_in_training_and_not_in_prediction(make_classifier):
    arrays, recording, y = make_arrays()
    X = as_x(arrays, recording)
    only_breath = make_classifier(
        classes=None,
        mask_probability={"ECG": 1.0, "PPG": 1.0},
        backup_signals=("THX",),
        train_split=None,
    )
    with pytest.warns(MaskedSignalWarning):
        only_breath.fit(X, y)
    fresh = make_classifier(classes=None, max_epochs=0, train_split=None).fit(X, y)
    trained = dict(only_breath.module_.named_parameters())
    for name, parameter in fresh.module_.named_parameters():
        if name.startswith("signal_encoders.encoders."):
            touched = not torch.equal(trained[name], parameter)
            assert touched == name.startswith("signal_encoders.encoders.THX"), name
    without = as_x({"THX": arrays["THX"]}, recording)
    assert np.abs(only_breath.predict_proba(X) - only_breath.predict_proba(without)).max() > 1e-6


def test_polarity_flips(make_classifier):
    arrays, recording, y = make_arrays()
    X = as_x(arrays, recording)
    inverted = as_x({name: -a for name, a in arrays.items()}, recording)
    plain = make_classifier(classes=None, flip_polarity=False).fit(X, y)
    flipped = make_classifier(classes=None, flip_polarity=True).fit(X, y)
    assert not np.array_equal(plain.predict_proba(X), flipped.predict_proba(X))
    other = make_classifier(classes=None, flip_polarity=False).fit(inverted, y)
    assert not np.array_equal(plain.predict_proba(X), other.predict_proba(inverted))


def test_mask_probability_by_name(make_classifier):
    classifier = make_classifier()
    classifier.set_params(mask_probability__PPG=0.3)
    assert classifier.mask_probability == {"ECG": 0.5, "PPG": 0.3, "ABD": 0.7, "THX": 0.7}
    copy = clone(classifier).set_params(mask_probability__ECG=0.0)
    assert copy.mask_probability["ECG"] == 0.0
    assert classifier.mask_probability["ECG"] == 0.5
    classifier.set_params(mask_probability={"ECG": 0.2}, mask_probability__THX=0.1)
    assert classifier.mask_probability == {"ECG": 0.2, "THX": 0.1}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"mask_probability": {"ECG": 1.5}}, r"mask_probability\['ECG'\]=1.5"),
        ({"signals": ["EMG"]}, "EMG"),
        ({"precision": "int8"}, "'precision' parameter of Wav2SleepClassifier"),
        ({"module__mixer_heads": 3}, "multiple of n_heads=3"),
        ({"colour": "red"}, "colour"),
        ({"signals": "ECG"}, "'signals' parameter of Wav2SleepClassifier must be an array"),
        ({"backup_signals": "ECG"}, "'backup_signals' parameter of Wav2SleepClassifier must be"),
        ({"mask_probability": {"ECG": "abc"}}, r"mask_probability\['ECG'\]='abc' must be between"),
        ({"augmentation__noise": "abc"}, "'noise' parameter of Augmentation"),
        ({"callbacks__weight_average__decay": "abc"}, "decay='abc' must be from 0"),
        ({"patience": "abc"}, "'patience' parameter of Wav2SleepClassifier must be an int"),
        ({"max_epochs": -1}, "'max_epochs' parameter of Wav2SleepClassifier must be an int"),
        ({"module__feature_dim": "abc"}, "'module__feature_dim' parameter of Wav2Sleep"),
        ({"module__dropout": 1.5}, "'module__dropout' parameter of Wav2SleepClassifier"),
        ({"criterion__label_smoothing": -1}, "'criterion__label_smoothing' parameter"),
    ],
)
def test_wrong_parameters(make_classifier, parameters, message):
    arrays, recording, y = make_arrays()
    with pytest.raises(ValueError, match=message):
        make_classifier(classes=None).set_params(**parameters).fit(as_x(arrays, recording), y)


def test_wrong_input_says_which_step_is_missing(make_classifier, cohort, make_pipeline_of):
    with pytest.raises(TypeError, match=r"EDFReader.*Resampler.*Normalizer.*Epocher"):
        make_classifier().fit(cohort.X, cohort.y)
    read = make_pipeline_of()[0].transform(cohort.X)
    with pytest.raises(ValueError, match="Epocher"):
        make_classifier().fit(read, cohort.y)


def test_other_rates_than_in_training(fitted_classifier):
    arrays, recording, _ = make_arrays()
    with pytest.raises(ValueError, match="ECG comes with 32 samples per epoch"):
        fitted_classifier.predict(as_x({**arrays, "ECG": arrays["ECG"][:, :32]}, recording))


def test_unscored_rows_are_refused(make_classifier):
    arrays, recording, y = make_arrays()
    with pytest.raises(ValueError, match="3 unscored"):
        make_classifier().fit(as_x(arrays, recording), np.r_[[-1, -1, -1], y[3:]])


def test_estimator_protocol(fitted_classifier, make_classifier):
    arrays, recording, y = make_arrays()
    X = as_x(arrays, recording)
    assert is_classifier(fitted_classifier)
    with pytest.raises(NotFittedError):
        make_classifier().predict(X)
    copy = pickle.loads(pickle.dumps(fitted_classifier))  # noqa: S301  our own bytes
    np.testing.assert_array_equal(copy.predict_proba(X), fitted_classifier.predict_proba(X))
    classifier = make_classifier(classes=None).fit(X, y)
    again = clone(classifier).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))


def test_classes_that_a_fold_lacks(make_classifier):
    arrays, recording, y = make_arrays()
    classifier = make_classifier(classes=[0, 1, 7]).fit(as_x(arrays, recording), y)
    probabilities = classifier.predict_proba(as_x(arrays, recording))
    assert probabilities.shape == (len(y), 3)
    assert list(classifier.classes_) == [0, 1, 7]
    with pytest.raises(ValueError, match=r"\[5\]"):
        make_classifier(classes=[0, 1]).fit(as_x(arrays, recording), np.r_[[5], y[1:]])


@pytest.fixture(scope="module")
def four_nights():
    """Nights with three of four stages, the last of which lacks one more."""
    arrays, recording, _ = make_arrays((12, 12, 12, 12))
    y = np.array(["W", "N2", "R"])[np.arange(48) % 3]
    y[36:][y[36:] == "R"] = "W"
    return as_x(arrays, recording), y, recording


@pytest.fixture(scope="module")
def naming(make_classifier):
    return make_classifier(classes=["N1", "N2", "R", "W"], max_epochs=1, train_split=None)


def test_classes_in_ensembles_which_number_them(four_nights, naming):
    X, y, recording = four_nights
    alone = clone(naming).fit(X, y)
    assert alone.predict_proba(X).shape == (48, 4)
    voting = VotingClassifier([("a", naming), ("b", naming)], voting="soft").fit(X, y)
    assert voting.classes_.tolist() == ["N2", "R", "W"]
    expected = clone(naming).set_params(classes=None).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(voting.predict_proba(X), expected, rtol=1e-6)
    np.testing.assert_array_equal(voting.predict(X), voting.classes_[expected.argmax(axis=1)])
    folds = list(GroupKFold(4).split(X, y, recording))
    stack = StackingClassifier([("a", naming)], LogisticRegression(), cv=folds).fit(X, y)
    np.testing.assert_allclose(stack.transform(X), expected, rtol=1e-6)
    assert stack.predict_proba(X).shape == (48, 3)


def test_classes_in_cross_val_predict(four_nights, naming):
    X, y, recording = four_nights
    found = cross_val_predict(
        naming, X, y, groups=recording, cv=GroupKFold(2), method="predict_proba"
    )
    assert found.shape == (48, 3)
    for train, test in GroupKFold(2).split(X, y, recording):
        plain = clone(naming).set_params(classes=None).fit(X[train], y[train])
        np.testing.assert_allclose(found[test], plain.predict_proba(X[test]), rtol=1e-6)


def test_classes_in_calibration(four_nights, naming):
    X, y, recording = four_nights
    folds = list(GroupKFold(2).split(X, y, recording))
    names = ["N2", "R", "W"]
    calibrated = CalibratedClassifierCV(clone(naming).set_params(classes=names), cv=folds)
    found = calibrated.fit(X, y).predict_proba(X)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert calibrated.classes_.tolist() == names
    # scikit-learn cannot calibrate the probability of what never occurs, and says so.
    with pytest.raises(ValueError, match="N1"):
        CalibratedClassifierCV(naming, cv=folds).fit(X, y)


def test_parameters_after_training_are_those_before(make_classifier):
    arrays, recording, y = make_arrays((8, 9))
    classifier = make_classifier(classes=None, max_epochs=1)
    before = classifier.get_params()
    after = classifier.fit(as_x(arrays, recording), y).get_params()
    assert after.keys() >= before.keys()
    assert not [name for name in after if any(p.startswith("_") for p in name.split("__"))]


def test_partial_fit_goes_on(make_classifier):
    arrays, recording, y = make_arrays()
    X = as_x(arrays, recording)
    classifier = make_classifier(classes=None, train_split=None, max_epochs=1)
    losses = [classifier.partial_fit(X, y).history[-1, "train_loss"] for _ in range(6)]
    assert len(classifier.history) == 6
    assert losses[-1] < losses[0]


def test_warm_start_goes_on_from_the_weights(make_classifier):
    arrays, recording, y = make_arrays()
    X = as_x(arrays, recording)
    classifier = make_classifier(classes=None, warm_start=True, train_split=None, max_epochs=1)
    classifier.fit(X, y)
    before = {k: v.clone() for k, v in classifier.module_.state_dict().items()}
    classifier.set_params(lr=0.0, optimizer__weight_decay=0.0).fit(X, y)
    for name, weights in classifier.module_.state_dict().items():
        assert torch.equal(weights, before[name]), name


def test_nights_beyond_the_memory_limit_are_read_anew(cohort, make_pipeline_of):
    kept = make_pipeline_of().fit(cohort.X, cohort.y)
    anew = make_pipeline_of(kept_bytes=0).fit(cohort.X, cohort.y)
    np.testing.assert_array_equal(kept.predict_proba(cohort.X), anew.predict_proba(cohort.X))


def test_validation_nights_are_whole_subjects(cohort, make_pipeline_of, make_classifier):
    epochs = make_pipeline_of()[:-1].transform(cohort.X)
    classifier = make_classifier(train_split=ValidationNights(0.34))
    classifier.fit(epochs, cohort.y)
    dataset = classifier._training_dataset(epochs, cohort.y, None, starts_anew=False)
    train, valid = classifier.train_split(dataset)
    subjects = np.array(dataset.subjects)
    assert set(subjects[train.indices]).isdisjoint(subjects[valid.indices])
    assert len(set(subjects[valid.indices])) == 2
    assert sorted([*train.indices, *valid.indices]) == list(range(len(dataset)))
    losses = classifier.history[:, "valid_loss"]
    assert np.isfinite(losses).all()


def test_best_weights_are_restored(make_classifier):
    arrays, recording, y = make_arrays((30,) * 8)
    X = as_x(arrays, recording)
    classifier = make_classifier(
        classes=None, lr=0.01, max_epochs=5, patience=8, callbacks=[SpoiledPass(4)]
    )
    classifier.set_params(train_split=ValidationNights()).fit(X, y)
    dataset = classifier._training_dataset(X, y, None, starts_anew=False)
    _, valid = classifier.train_split(dataset)
    (batch,) = classifier.get_iterator(valid, training=False)
    loss = float(classifier.validation_step(batch)["loss"])
    assert loss == pytest.approx(min(classifier.history[:, "valid_loss"]), rel=1e-5)
    assert loss < classifier.history[-1, "valid_loss"]
    assert np.argmin(classifier.history[:, "valid_loss"]) == 2


def test_learning_rate_rises_and_decays(make_classifier):
    arrays, recording, y = make_arrays()
    rates = []

    class Recorder(WarmUpDecay):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            super().on_batch_begin(net, batch=batch, training=training, **kwargs)
            if training:
                rates.append(net.optimizer_.param_groups[0]["lr"])

    classifier = make_classifier(
        classes=None,
        lr=0.01,
        max_epochs=10,
        batch_size=2,
        train_split=None,
        callbacks__learning_rate=Recorder(warm_up=0.2, time_constant=0.5),
    )
    classifier.fit(as_x(arrays, recording), y)
    assert len(rates) == 20
    np.testing.assert_allclose(rates[:4], 0.01 * np.array([0.25, 0.5, 0.75, 1.0]))
    np.testing.assert_allclose(rates[4:], 0.01 * np.exp(-np.arange(1, 17) / 10))


@pytest.mark.parametrize("streamed_values", [choice.STREAMED_VALUES, 0])
def test_bfloat16_changes_hardly_a_stage(fitted_classifier, monkeypatch, streamed_values):
    monkeypatch.setattr(choice, "STREAMED_VALUES", streamed_values)
    arrays, recording, y = make_arrays(seed=1)
    X = as_x(arrays, recording)
    coarse = clone(fitted_classifier).set_params(precision="bfloat16", max_epochs=15)
    coarse.fit(*_training_data())
    assert coarse.score(X, y) > 0.95
    expected = fitted_classifier.predict_proba(X)
    same_weights = pickle.loads(pickle.dumps(fitted_classifier)).set_params(precision="bfloat16")  # noqa: S301
    found = same_weights.predict_proba(X)
    assert not np.array_equal(found, expected)
    np.testing.assert_allclose(found, expected, atol=0.05)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.99


def _training_data():
    arrays, recording, y = make_arrays()
    return as_x(arrays, recording), y


def test_history_is_skorchs(fitted_classifier):
    table = pd.DataFrame(fitted_classifier.history.to_list())
    assert {"epoch", "train_loss", "dur"} <= set(table.columns)


def test_nothing_is_printed_by_default(fitted_classifier, capsys):
    arrays, recording, y = make_arrays()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(fitted_classifier).set_params(max_epochs=1).fit(as_x(arrays, recording), y)
    assert capsys.readouterr().out == ""
