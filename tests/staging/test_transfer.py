"""Networks that start from a checkpoint: what is kept, what is new, and what fit makes of it."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold, cross_val_score
from telling_nights import as_x, make_arrays

from sklearn_sleep import FrontEnd, Wav2SleepClassifier
from sklearn_sleep.core.signals import source_of
from sklearn_sleep.networks import EPOCH_MIXERS, make_wav2sleep
from sklearn_sleep.networks.epoch_mixers import MeanMixer

ENCODER = "signal_encoders.encoders."


@pytest.fixture(scope="module")
def nights():
    """Nights of ECG and THX, and their stages."""
    arrays, recording, y = make_arrays()
    return as_x({name: arrays[name] for name in ("ECG", "THX")}, recording), y


@pytest.fixture(scope="module")
def checkpoint(make_classifier, nights, tmp_path_factory):
    """A classifier trained on them, and its folder."""
    classifier = make_classifier(
        classes=None,
        max_epochs=12,
        lr=1e-2,
        batch_size=1,
        train_split=None,
        mask_probability={"ECG": 0.2, "THX": 0.5},
    ).fit(*nights)
    folder = tmp_path_factory.mktemp("checkpoint")
    classifier.save_pretrained(folder)
    return classifier, folder


@pytest.fixture
def save(make_classifier, nights, tmp_path):
    """Save a classifier that has learned nothing, and return it with its folder."""

    def save_one(X=None, **parameters):
        classifier = make_classifier(classes=None, max_epochs=0, train_split=None, **parameters)
        classifier.fit(nights[0] if X is None else X, nights[1])
        classifier.save_pretrained(tmp_path / "saved")
        return classifier, tmp_path / "saved"

    return save_one


def start(folder, X, y, **parameters):
    """Fit without a pass, so that the weights are those that a training starts from."""
    given = {"max_epochs": 0, "train_split": None, "random_state": 0, **parameters}
    return Wav2SleepClassifier(initialize_from=folder, **given).fit(X, y)


def ppg_nights(samples=64):
    arrays, recording, y = make_arrays(seed=1)
    return as_x({"PPG": arrays["PPG"][:, :samples]}, recording), y


def assert_same_weights(found, expected, *, apart=()):
    weights = dict(found.module_.state_dict())
    for name, value in expected.module_.state_dict().items():
        if name.startswith(tuple(apart)):
            assert not torch.equal(weights.pop(name), value), name
        else:
            assert torch.equal(weights.pop(name), value), name
    assert not weights


# -- what can be predicted with at once ------------------------------------------------------------


def test_signals_that_are_not_named_are_dropped(checkpoint, nights):
    classifier, folder = checkpoint
    ecg = as_x({"ECG": nights[0]["ECG"]}, nights[0]["recording"])
    alone = Wav2SleepClassifier.from_pretrained(folder, signals=["ECG"])
    assert alone.signals_ == ("ECG",)
    assert alone.initial_parts_ == {
        f"{ENCODER}ECG": "kept",
        "epoch_mixer": "kept",
        "sequence_mixer": "kept",
        "classifier": "kept",
        f"{ENCODER}THX": "dropped",
    }
    np.testing.assert_array_equal(alone.predict_proba(nights[0]), classifier.predict_proba(ecg))
    assert not [name for name in alone.module_.state_dict() if "THX" in name]


def test_the_encoder_of_another_signal(checkpoint):
    classifier, folder = checkpoint
    X, _ = ppg_nights()
    as_ecg = as_x({"ECG": X["PPG"]}, X["recording"])
    moved = Wav2SleepClassifier.from_pretrained(folder, signals={"PPG": "ECG"})
    assert moved.initial_parts_[f"{ENCODER}PPG"] == "from ECG"
    assert moved.initial_parts_[f"{ENCODER}THX"] == "dropped"
    np.testing.assert_array_equal(moved.predict_proba(X), classifier.predict_proba(as_ecg))


def test_the_same_classes_keep_the_head(checkpoint, nights):
    classifier, folder = checkpoint
    same = Wav2SleepClassifier.from_pretrained(folder, classes=[1, 0])
    np.testing.assert_array_equal(
        same.predict_proba(nights[0]), classifier.predict_proba(nights[0])
    )


def test_a_published_checkpoint_with_fewer_signals(published, golden_rows):
    arrays, _ = golden_rows
    without = {name: arrays[name] for name in ("ECG", "recording")}
    expected = Wav2SleepClassifier.from_pretrained(published).predict_proba(without)
    alone = Wav2SleepClassifier.from_pretrained(published, signals=["ECG"])
    np.testing.assert_allclose(alone.predict_proba(arrays), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "new"),
    [
        ({"classes": ["R", "W"]}, "classifier"),
        ({"classes": [0, 1, 2]}, "classifier"),
        ({"signals": ["ECG", "PPG"]}, f"{ENCODER}PPG"),
        ({"signals": {"ECG": None}}, f"{ENCODER}ECG"),
    ],
)
def test_what_is_new_must_be_trained_first(checkpoint, nights, tmp_path, options, new):
    untrained = Wav2SleepClassifier.from_pretrained(checkpoint[1], **options)
    assert untrained.initial_parts_[new] == "new"
    with pytest.raises(NotFittedError, match=rf"no training has seen: {new}\. Fit it on nights"):
        untrained.predict(nights[0])
    with pytest.raises(NotFittedError, match="no training has seen"):
        untrained.save_pretrained(tmp_path)


# -- what fit starts from --------------------------------------------------------------------------


def test_fit_starts_from_the_checkpoint_and_so_does_a_clone(checkpoint, nights):
    classifier, folder = checkpoint
    X, y = nights
    loaded = Wav2SleepClassifier.from_pretrained(folder).set_params(max_epochs=0, train_split=None)
    for one in (clone(loaded).fit(X, y), loaded.fit(X, y), start(folder, X, y)):
        assert_same_weights(one, classifier)
        assert set(one.initial_parts_.values()) == {"kept"}
        np.testing.assert_array_equal(one.predict_proba(X), classifier.predict_proba(X))
    anew = clone(loaded).set_params(initialize_from=None, random_state=0).fit(X, y)
    assert not hasattr(anew, "initial_parts_")
    assert not torch.equal(anew.module_.classifier.weight, loaded.module_.classifier.weight)


def test_the_network_is_that_of_the_checkpoint_whatever_the_size(checkpoint, nights):
    classifier, folder = checkpoint
    found = start(folder, *nights, size="auto")
    assert_same_weights(found, classifier)
    assert found.recipe_["batch_size"] == 2
    assert found.recipe_["module__feature_dim"] == 8


def test_a_new_head_and_a_new_encoder_come_from_random_state(checkpoint, nights):
    classifier, folder = checkpoint
    X, y = ppg_nights()
    names = np.array(["R", "W"])[y]
    one = start(folder, X, names, signals=["THX", "PPG"])
    assert one.initial_parts_ == {
        f"{ENCODER}THX": "kept",
        f"{ENCODER}PPG": "new",
        "epoch_mixer": "kept",
        "sequence_mixer": "kept",
        "classifier": "new",
        f"{ENCODER}ECG": "dropped",
    }
    assert one.samples_per_epoch_ == {"THX": 16, "PPG": 64}
    state, before = one.module_.state_dict(), classifier.module_.state_dict()
    for name, value in state.items():
        if not name.startswith((f"{ENCODER}PPG", "classifier")):
            assert torch.equal(value, before[name]), name
    assert_same_weights(start(folder, X, names, signals=["THX", "PPG"]), one)
    other = start(folder, X, names, signals=["THX", "PPG"], random_state=1)
    for name in ("classifier.weight", f"{ENCODER}PPG.linear.weight"):
        assert not torch.equal(other.module_.state_dict()[name], state[name])
    assert one.classes_.tolist() == ["R", "W"]
    np.testing.assert_allclose(one.class_prior_, np.bincount(y) / len(y))


def test_from_pretrained_with_changes_is_what_fit_trains(checkpoint):
    X, y = ppg_nights()
    options = {"signals": {"PPG": "ECG"}, "classes": [0, 1, 2]}
    by_method = Wav2SleepClassifier.from_pretrained(checkpoint[1], **options)
    by_method.set_params(max_epochs=0, train_split=None, random_state=0)
    expected = start(checkpoint[1], X, y, **options)
    assert_same_weights(by_method.fit(X, y), expected)
    again = clone(by_method).partial_fit(X, y)
    assert_same_weights(again, expected)
    assert again.initial_parts_ == expected.initial_parts_
    assert again.initial_parts_[f"{ENCODER}PPG"] == "from ECG"


def test_every_fold_starts_from_the_checkpoint(checkpoint, nights):
    classifier, folder = checkpoint
    X, y = nights
    net = Wav2SleepClassifier(
        initialize_from=str(folder), max_epochs=0, train_split=None, classes=[0, 1]
    )
    folds = GroupKFold(4)
    scores = cross_val_score(net, X, y, groups=X["recording"], cv=folds)
    expected = [classifier.score(X[test], y[test]) for _, test in folds.split(X, y, X["recording"])]
    np.testing.assert_allclose(scores, expected)


def test_fine_tuning_learns_more_than_a_start_from_nothing(checkpoint):
    X, y = ppg_nights()
    few = np.isin(X["recording"], ["night-0"])
    held_out = ~few
    parameters = {"max_epochs": 2, "lr": 1e-3, "train_split": None, "random_state": 0}
    tuned = start(checkpoint[1], X[few], y[few], signals={"PPG": "ECG"}, **parameters)
    anew = clone(tuned).set_params(
        initialize_from=None, signals=["PPG"], **module_parameters(checkpoint[0])
    )
    anew.fit(X[few], y[few])
    assert tuned.score(X[held_out], y[held_out]) > 0.9
    assert anew.score(X[held_out], y[held_out]) < 0.7


def module_parameters(classifier):
    params = classifier.get_params(deep=False)
    return {name: value for name, value in params.items() if name.startswith("module__")}


def test_saved_after_fine_tuning(checkpoint, tmp_path):
    X, y = ppg_nights()
    tuned = start(checkpoint[1], X, y, signals={"PPG": "ECG"}, max_epochs=1)
    tuned.save_pretrained(tmp_path / "tuned")
    loaded = Wav2SleepClassifier.from_pretrained(tmp_path / "tuned")
    np.testing.assert_array_equal(loaded.predict_proba(X), tuned.predict_proba(X))


def test_a_network_that_a_parameter_makes_anew_keeps_the_weights(checkpoint, nights):
    classifier, folder = checkpoint
    loaded = Wav2SleepClassifier.from_pretrained(folder)
    loaded.set_params(module__dropout=0.4, max_epochs=0, train_split=None)
    assert_same_weights(loaded, classifier)
    assert_same_weights(loaded.fit(*nights), classifier)
    assert loaded.get_params_for("module")["dropout"] == 0.4


# -- encoders that are shared, grouped or told apart ----------------------------------------------


def test_a_signal_joins_a_shared_encoder(save):
    classifier, folder = save(module__signal_map={"ECG": "heart", "THX": "breath"})
    X, y = ppg_nights()
    joined = start(folder, X, y, signals=["PPG", "ECG"], module__signal_map={"PPG": "heart"})
    assert joined.get_params_for("module")["signal_map"] == {"PPG": "heart", "ECG": "heart"}
    assert joined.initial_parts_[f"{ENCODER}heart"] == "kept"
    assert joined.initial_parts_[f"{ENCODER}breath"] == "dropped"
    as_ecg = as_x({"ECG": X["PPG"]}, X["recording"])
    np.testing.assert_array_equal(joined.predict_proba(X), classifier.predict_proba(as_ecg))
    # A copy of it, which is its own from then on.
    moved = start(folder, X, y, signals={"PPG": "heart", "ECG": "ECG"})
    assert moved.get_params_for("module")["signal_map"] == {"PPG": "PPG", "ECG": "heart"}
    assert moved.initial_parts_[f"{ENCODER}PPG"] == "from heart"


def test_a_shared_encoder_that_was_loaded_takes_other_signals(save, nights):
    classifier, folder = save(module__signal_map={"ECG": "heart", "THX": "breath"})
    loaded = Wav2SleepClassifier.from_pretrained(folder)
    loaded.set_params(signals=["ECG"], max_epochs=0, train_split=None).fit(*nights)
    ecg = as_x({"ECG": nights[0]["ECG"]}, nights[0]["recording"])
    np.testing.assert_array_equal(loaded.predict_proba(ecg), classifier.predict_proba(ecg))


def test_embeddings_of_signals_go_with_their_encoders(save):
    classifier, folder = save(module__embed_signals=True)
    X, y = ppg_nights()
    moved = start(folder, X, y, signals={"THX": "THX", "PPG": "ECG"})
    before = classifier.module_.state_dict()["signal_encoders.embedder.weight"]
    after = moved.module_.state_dict()["signal_encoders.embedder.weight"]
    assert torch.equal(after, before)  # ECG, THX in order, and PPG, THX
    assert moved.initial_parts_["signal_encoders.embedder"] == "kept"
    more = start(folder, X, y, signals=["ECG", "PPG", "THX"])
    assert more.initial_parts_["signal_encoders.embedder"] == "partly new"
    after = more.module_.state_dict()["signal_encoders.embedder.weight"]
    assert torch.equal(after[[0, 2]], before)


def test_signals_side_by_side_stay_together(save):
    arrays, recording, y = make_arrays()
    X = as_x(arrays, recording)
    classifier, folder = save(X, module__signal_groups={"pulses": ["ECG", "PPG"]})
    kept = Wav2SleepClassifier.from_pretrained(folder, signals=["PPG", "ECG"])
    pulses = as_x({name: arrays[name] for name in ("ECG", "PPG")}, recording)
    np.testing.assert_array_equal(kept.predict_proba(pulses), classifier.predict_proba(pulses))
    alone = start(folder, X, y, signals=["THX"])
    assert alone.get_params_for("module")["signal_groups"] is None
    with pytest.raises(ValueError, match=r"signals has ECG of ECG, PPG, which enter one encoder"):
        Wav2SleepClassifier.from_pretrained(folder, signals=["ECG"])
    with pytest.raises(ValueError, match=r"THX cannot start from the encoder 'pulses'"):
        Wav2SleepClassifier.from_pretrained(folder, signals={"THX": "pulses"})


# -- behind a front end -----------------------------------------------------


def derived_nights(*sources, seed=0):
    """Noise under the names of what a front end gives, in three nights of ten epochs."""
    rng = np.random.default_rng(seed)
    names = FrontEnd().get_feature_names_out(sources)
    samples = {name: rng.standard_normal((30, 16)).astype(np.float32) for name in names}
    return as_x(samples, np.repeat(["a", "b", "c"], 10)), np.tile([0, 1], 15)


@pytest.fixture
def behind_front_end(tmp_path):
    """A network of what is read from ECG and THX, by the recipe, that has learned nothing."""
    classifier = Wav2SleepClassifier(max_epochs=0, random_state=0)
    classifier.fit(*derived_nights("ECG", "THX")).save_pretrained(tmp_path / "saved")
    return classifier, tmp_path / "saved"


@pytest.mark.parametrize("signals", [{"PPG": "ECG"}, ["PPG"]])
def test_a_new_source_takes_the_encoders_of_its_readings(behind_front_end, signals):
    """Heart and breath of a PPG are read like those of an ECG; the height of pulses is new."""
    before, folder = behind_front_end
    named = Wav2SleepClassifier.from_pretrained(folder, signals=signals)
    tuned = start(folder, *derived_nights("PPG"), signals=signals)
    for classifier in (named, tuned):
        parts = classifier.initial_parts_
        assert parts[f"{ENCODER}heart"] == parts[f"{ENCODER}breathing"] == "kept"
        assert parts[f"{ENCODER}pulse"] == "new"
        assert parts[f"{ENCODER}breathing(THX)"] == "dropped"
    weights, old = tuned.module_.state_dict(), before.module_.state_dict()
    for name, value in weights.items():
        if name.startswith(f"{ENCODER}heart."):
            assert torch.equal(value, old[name])
    assert {source_of(name) for name in tuned.signals_} == {"PPG"}
    assert tuned.predict_proba(derived_nights("PPG")[0]).shape == (30, 2)


def test_the_embedding_of_a_new_source_is_that_of_what_it_starts_from(behind_front_end):
    before, folder = behind_front_end
    tuned = start(folder, *derived_nights("PPG"), signals={"PPG": "ECG"})
    rows = [
        classifier.module_.signal_encoders.embedder.weight[
            sorted(classifier.module_.signal_encoders.groups).index(f"heart({source})")
        ]
        for classifier, source in ((tuned, "PPG"), (before, "ECG"))
    ]
    assert torch.equal(*rows)


def test_a_source_stands_for_all_that_is_read_from_it(behind_front_end):
    before, folder = behind_front_end
    kept = Wav2SleepClassifier.from_pretrained(folder, signals=["THX"])
    X, _ = derived_nights("THX")
    np.testing.assert_array_equal(kept.predict_proba(X), before.predict_proba(X))


class OwnMixer(MeanMixer):
    """A mean, weighed."""

    def __init__(self, options):
        super().__init__(options)
        self.weight = torch.nn.Parameter(torch.ones(options.feature_dim))

    def forward(self, features, present):
        return super().forward(features, present) * self.weight


@pytest.mark.parametrize("mixer", ["concat", "own"])
def test_a_mixer_that_may_weigh_signals_is_new_with_other_signals(save, monkeypatch, mixer):
    monkeypatch.setitem(EPOCH_MIXERS, "own", OwnMixer)
    _, folder = save(module__epoch_mixer=mixer)
    X, y = ppg_nights()
    assert start(folder, X, y, signals=["PPG", "THX"]).initial_parts_["epoch_mixer"] == "new"
    same = Wav2SleepClassifier.from_pretrained(folder, signals=["THX", "ECG"])
    assert same.initial_parts_["epoch_mixer"] == "kept"


# -- what cannot be --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"signals": {"PPG": "EMG"}}, "'EMG' is no signal of the checkpoint, which has ECG, THX"),
        ({"signals": {"PPG": "PPG"}}, "'PPG' is no signal of the checkpoint"),
        ({"signals": {"PPG": "THX"}}, r"PPG comes with 64 .* Resampler\(samples_per_epoch={'PPG'"),
        ({"signals": ["EMG", "PPG"]}, r"None of the training nights has the signal\(s\) \['EMG'\]"),
        ({}, r"None of the training nights has the signal\(s\) \['ECG', 'THX'\]"),
        ({"signals": []}, "signals is empty"),
        (
            {"signals": ["PPG"], "module__feature_dim": 16},
            "module__feature_dim=16, but the network of initialize_from has 8",
        ),
        (
            {"signals": ["PPG"], "module__sequence_activation": "relu"},
            "module__sequence_activation='relu', but the network of initialize_from has 'gelu'",
        ),
        (
            {"signals": {"PPG": "ECG", "ECG": None}, "module__signal_map": {"PPG": "ECG"}},
            "ECG shares the encoder 'ECG' with others",
        ),
        ({"initialize_from": None, "signals": {"PPG": "ECG"}}, "there is no initialize_from"),
        ({"initialize_from": "nowhere", "signals": ["PPG"]}, "nowhere is not a folder"),
        ({"initialize_from": 5}, "'initialize_from' parameter of Wav2SleepClassifier"),
    ],
)
def test_what_cannot_start_from_a_checkpoint(checkpoint, parameters, message):
    net = Wav2SleepClassifier(**{"initialize_from": checkpoint[1], **parameters})
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        net.fit(*ppg_nights())


def test_a_network_of_ones_own_cannot_start_from_one(checkpoint, nights):
    def make(**options):
        return make_wav2sleep(**options)

    with pytest.raises(TypeError, match="initialize_from goes with the network Wav2Sleep"):
        Wav2SleepClassifier(make, initialize_from=checkpoint[1]).fit(*nights)


def test_free_parameters_may_be_others(checkpoint, nights):
    found = start(checkpoint[1], *nights, module__dropout=0.5, module__feature_dim=8)
    assert found.get_params_for("module")["dropout"] == 0.5
    assert_same_weights(found, checkpoint[0])
