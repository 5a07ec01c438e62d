"""MaskedSignalsClassifier learns from nights and from copies of them without some signals."""

import numpy as np
import pytest
import sklearn
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_sleep.core.epochs import Epochs
from sklearn_sleep.core.recording import Recording
from sklearn_sleep.exceptions import MissingSignalWarning
from sklearn_sleep.features import FeatureTransformer, MaskedSignalsClassifier, TemporalContext


class Means(FeatureTransformer):
    """The mean of the first signal that a row may use, ECG, THX or ABD."""

    feature_names = ("mean",)

    def compute_features(self, night):
        means = np.full((len(night.epoch), 1), np.nan)
        for name, rows in night.choose_signals(["ECG", "THX", "ABD"]):
            data = night.recording.signals[name].data.reshape(-1, 300)
            means[rows, 0] = data.mean(axis=1)[night.epoch[rows]]
        return means


class Seen(DummyClassifier):
    """Keeps what it has learned from."""

    def fit(self, X, y, sample_weight=None):
        self.seen_ = (X, np.asarray(y), sample_weight)
        return super().fit(X, y, sample_weight)


VALUE = {"ECG": 0.1, "THX": 0.2, "ABD": 0.3}
N_EPOCHS = 4


def make_epochs(*signals_of_nights):
    """Nights of two minutes, whose signals are the values above plus a tenth for each night."""
    nights = [
        Recording.from_arrays(
            {name: np.full(300 * N_EPOCHS, VALUE[name] + k, np.float32) for name in signals},
            10.0,
            {"ECG": "mV"} if "ECG" in signals else None,
            ranges=dict.fromkeys(set(signals) - {"ECG"}, (-1, 1)),
            name=f"night {k}",
        )
        for k, signals in enumerate(signals_of_nights)
    ]
    return Epochs.from_recordings(nights)


def fit(X, y=None, classifier=None, weight=None, **options):
    steps = make_pipeline(Means(), Seen() if classifier is None else classifier)
    y = np.arange(len(X)) % 2 if y is None else y
    options = {"random_state": 0, **options}
    return MaskedSignalsClassifier(steps, **options).fit(X, y, sample_weight=weight)


def seen_values(masked):
    """Return what the classifier has seen of each recording that it was told of."""
    X = masked.estimator_[-1].seen_[0]
    return {
        name: sorted(set(of.round(4)))
        for name, of in X.groupby(level="recording", sort=False)["mean"]
    }


def test_copies_are_what_features_make_of_other_sources():
    X = make_epochs(["ECG", "THX", "ABD"], ["ABD"])
    masked = fit(X, n_copies=30)
    values = seen_values(masked)
    # Six of the seven subsets of the first night have another signal first than one before.
    assert sorted(v[0] for v in values.values()) == pytest.approx([0.1, 0.2, 0.3, 1.3], abs=1e-3)
    names = list(values)
    assert names[0] == "night 0"
    assert all(name.startswith("night 0 from ") for name in names[1:-1])
    assert names[-1] == "night 1"
    _, y, _ = masked.estimator_[-1].seen_
    np.testing.assert_array_equal(y, np.tile([0, 1, 0, 1], 4))


def test_no_copies():
    X = make_epochs(["ECG", "THX"])
    for options in ({"n_copies": 0}, {"mask_probability": 0.0}, {"mask_probability": {"PPG": 1.0}}):
        assert list(seen_values(fit(X, **options))) == ["night 0"]


def test_a_signal_that_is_always_masked_and_a_backup():
    X = make_epochs(["ECG", "THX", "ABD"])
    values = seen_values(fit(X, mask_probability={"ECG": 1.0}))
    assert list(values) == ["night 0", "night 0 from ABD + THX"]
    kept = seen_values(fit(X, mask_probability=1.0, backup_signals=["ABD"]))
    assert list(kept) == ["night 0", "night 0 from ABD"]
    assert kept["night 0 from ABD"] == pytest.approx([0.3], abs=1e-3)


def test_what_the_table_masks_stays_masked():
    X = make_epochs(["ECG", "THX"])
    X = Epochs(X.table.assign(ECG=[True, False, True, True]), X.recordings, X.recording_index)
    masked = fit(X, mask_probability={"THX": 1.0})
    table = masked.estimator_[-1].seen_[0]
    found = table.loc["night 0 from ECG", "mean"]
    # The epoch that has nothing left is not learned from.
    assert found.index.tolist() == [0, 2, 3]
    assert masked.estimator_[-1].seen_[1].tolist() == [0, 1, 0, 1, 0, 0, 1]


def test_copies_are_nights_of_their_own_to_neighbours():
    X = make_epochs(["ECG", "THX"], ["ECG"])
    steps = make_pipeline(Means(), TemporalContext([-1], relative=False), Seen())
    masked = MaskedSignalsClassifier(steps, n_copies=8, random_state=0).fit(X, [0, 1] * N_EPOCHS)
    seen = masked.estimator_[-1].seen_[0]
    assert len(seen) == 3 * N_EPOCHS
    before = seen["mean_previous1"].to_numpy().reshape(3, N_EPOCHS)
    assert np.isnan(before[:, 0]).all()
    np.testing.assert_array_equal(before[:, 1:], seen["mean"].to_numpy().reshape(3, -1)[:, 1:])


def test_the_same_seed_draws_the_same():
    X = make_epochs(*[["ECG", "THX", "ABD"]] * 6)
    first, again, other = (
        list(seen_values(fit(X, n_copies=1, random_state=seed))) for seed in (0, 0, 1)
    )
    assert first == again != other


def test_weights_are_those_of_the_copies_too():
    X = make_epochs(["ECG", "THX"])
    weight = np.array([1.0, 2.0, 3.0, 2.0])
    masked = fit(X, mask_probability={"ECG": 1.0}, weight=weight)
    np.testing.assert_array_equal(masked.estimator_[-1].seen_[2], np.tile(weight, 2))
    np.testing.assert_allclose(masked.class_prior_, [0.5, 0.5])
    lighter = fit(X, mask_probability={"ECG": 1.0}, weight=weight, copy_weight=0.25)
    np.testing.assert_array_equal(lighter.estimator_[-1].seen_[2], np.r_[weight, weight / 4])
    lighter = fit(X, mask_probability={"ECG": 1.0}, copy_weight=0.25)
    np.testing.assert_array_equal(lighter.estimator_[-1].seen_[2], np.repeat([1, 0.25], 4))
    assert fit(X).estimator_[-1].seen_[2] is None
    with pytest.raises(ValueError, match="KNeighborsClassifier takes no sample_weight"):
        fit(X, classifier=KNeighborsClassifier(1), weight=weight)


def test_weights_are_routed():
    X = make_epochs(["ECG", "THX"])
    weight = np.array([1.0, 2.0, 3.0, 2.0])
    with sklearn.config_context(enable_metadata_routing=True):
        masked = MaskedSignalsClassifier(make_pipeline(Means(), Seen()), random_state=0)
        pipeline = make_pipeline(masked.set_fit_request(sample_weight=True))
        pipeline.fit(X, [0, 1, 0, 1], sample_weight=weight)
    np.testing.assert_array_equal(pipeline[0].estimator_[-1].seen_[2][:4], weight)


def test_rows_and_nights_without_features_get_the_prior():
    X = make_epochs(["ECG"], ["ECG"])
    y = ["W", "W", "W", "N2", "W", "W", "REM", "W"]
    ecg = np.r_[[True, True, True, False], [False] * 4]
    lacking = Epochs(X.table.assign(ECG=ecg), X.recordings, X.recording_index)
    with pytest.warns(MissingSignalWarning, match="signal in night 1. Nothing is learned from"):
        masked = fit(lacking, y, DecisionTreeClassifier())
    assert masked.classes_.tolist() == ["N2", "REM", "W"]
    with pytest.warns(MissingSignalWarning, match="signal in night 1. Their rows get the prior"):
        found = masked.predict_proba(lacking)
    # No row that tells of N2 or REM had a feature.
    np.testing.assert_allclose(found[:3], np.tile([0.0, 0.0, 1.0], (3, 1)))
    np.testing.assert_allclose(found[3:], np.tile([1 / 8, 1 / 8, 6 / 8], (5, 1)))
    nothing = Epochs(X.table.assign(ECG=False), X.recordings, X.recording_index)
    with pytest.warns(MissingSignalWarning, match="night 0, night 1"):
        assert masked.predict(nothing).tolist() == ["W"] * 8
    assert masked.predict_proba(X[[]]).shape == (0, 3)


def test_classifiers_without_probabilities_predict():
    X = make_epochs(["ECG", "THX"], ["ECG", "THX"])
    masked = fit(X, classifier=LinearSVC(), y=[0] * 4 + [1] * 4)
    assert masked.predict(X).tolist() == [0] * 4 + [1] * 4
    assert not hasattr(masked, "predict_proba")


def test_steps_that_pass_through():
    X = make_epochs(["ECG"])
    for nothing in ("passthrough", None):
        steps = sklearn.pipeline.Pipeline([("means", Means()), ("no", nothing), ("last", Seen())])
        masked = MaskedSignalsClassifier(steps).fit(X, [0, 1, 0, 1])
        assert masked.predict(X).shape == (4,)


def test_what_it_cannot_take():
    X = make_epochs(["ECG"])
    with pytest.raises(TypeError, match="MaskedSignalsClassifier takes Epochs, but X is ndarray"):
        fit(np.zeros((4, 1)))
    with pytest.raises(ValueError, match=r"mask_probability\['ECG'\]=2 must be between 0 and 1"):
        fit(X, mask_probability={"ECG": 2})
    with pytest.raises(ValueError, match="The 'estimator' parameter of MaskedSignalsClassifier"):
        MaskedSignalsClassifier(DummyClassifier()).fit(X, [0, 1, 0, 1])
