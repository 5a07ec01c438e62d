"""compare: the same folds for all, and no fit twice."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, cohen_kappa_score, make_scorer
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import EpochTimer

from sklearn_sleep import (
    ComparisonDisplay,
    Epochs,
    Recording,
    SequenceSmoother,
    SignalDefinition,
    Stage,
    __version__,
    compare,
    recording_scores,
)
from sklearn_sleep.exceptions import CacheWarning
from sklearn_sleep.preprocessing import EDFReader

KAPPA = make_scorer(cohen_kappa_score)
FITS = []


def chosen(X, columns):
    return X[columns]


class Counting(ClassifierMixin, BaseEstimator):
    """A majority vote that notes when it is fitted."""

    def __init__(self, mark="", fails_after=None):
        self.mark = mark
        self.fails_after = fails_after

    def fit(self, X, y):
        if self.fails_after is not None and len(FITS) >= self.fails_after:
            raise KeyboardInterrupt
        FITS.append(self.mark)
        self.classes_, counts = np.unique(y, return_counts=True)
        self.most_ = self.classes_[counts.argmax()]
        return self

    def predict(self, X):
        return np.full(len(X), self.most_)


class Watched(Counting):
    """A callback watches its training, in place, as in the nets of skorch."""

    def __init__(self, mark="", fails_after=None, callbacks=()):
        super().__init__(mark, fails_after)
        self.callbacks = callbacks

    def fit(self, X, y):
        for callback in self.callbacks:
            callback.seen_ = np.arange(len(X))
        return super().fit(X, y)


class Sure(Counting):
    """Has probabilities."""

    def predict_proba(self, X):
        return np.tile(self.classes_ == self.most_, (len(X), 1)).astype(float)


@dataclasses.dataclass(frozen=True)
class FirstPart:
    """A value of ours, as a parameter."""

    part: Stage


FirstPart.__module__ = "sklearn_sleep.parts"


class Failing(Counting):
    """Cannot learn from recordings of the first subject."""

    def fit(self, X, y):
        if "s0" in set(X["subject"]):
            raise ValueError("no")
        return super().fit(X, y)


def of(table, estimator, score):
    return table[(table["estimator"] == estimator) & (table["score"] == score)]


@pytest.fixture(autouse=True)
def no_fits():
    FITS.clear()


@pytest.fixture(scope="module")
def data():
    """Twenty nights of twelve subjects, and two features that tell the stage more or less."""
    rng = np.random.default_rng(0)
    night = np.repeat(np.arange(20), 60)
    X = pd.DataFrame(
        {
            "recording": [f"n{number}.edf" for number in night],
            "epoch": np.tile(np.arange(60), 20),
            "subject": [f"s{number % 12}" for number in night],
        }
    )
    y = rng.integers(0, 3, len(X))
    X["good"] = y + 0.7 * rng.standard_normal(len(X))
    X["poor"] = y + 2.0 * rng.standard_normal(len(X))
    return X, y, X["subject"]


@pytest.fixture(scope="module")
def estimators():
    return {
        name: make_pipeline(
            FunctionTransformer(chosen, kw_args={"columns": columns}), LogisticRegression()
        )
        for name, columns in {"poor": ["poor"], "good": ["good"], "both": ["good", "poor"]}.items()
    }


@pytest.fixture(scope="module")
def comparison(data, estimators):
    return compare(estimators, *data, scoring={"kappa": KAPPA, "acc": "accuracy"}, verbose=False)


def test_folds_score_as_in_cross_validation(data, estimators, comparison):
    X, y, groups = data
    for name, estimator in estimators.items():
        for score, scorer in (("kappa", KAPPA), ("acc", "accuracy")):
            expected = cross_val_score(
                estimator, X, y, groups=groups, cv=StratifiedGroupKFold(5), scoring=scorer
            )
            rows = of(comparison.folds, name, score)
            np.testing.assert_allclose(rows["value"], expected)
            assert list(rows["fold"]) == [0, 1, 2, 3, 4]
    assert (comparison.folds["n_train"] + comparison.folds["n_test"] == len(X)).all()


def test_recordings_score_as_their_predictions_do(data, comparison):
    predictions = comparison.predictions
    assert len(predictions) == 3 * len(data[0])
    # Millions of rows must not hold millions of names.
    assert {str(predictions[name].dtype) for name in ("estimator", "recording")} == {"category"}
    np.testing.assert_array_equal(predictions["y_true"], data[1][predictions["row"]])
    for name in comparison.estimators:
        of_estimator = predictions[predictions["estimator"] == name]
        for score, metric in (("kappa", cohen_kappa_score), ("acc", accuracy_score)):
            expected = recording_scores(
                metric, of_estimator["y_true"], of_estimator["y_pred"], of_estimator["recording"]
            )
            found = of(comparison.scores, name, score)
            np.testing.assert_allclose(found.set_index("recording")["value"], expected)
            assert (found["n_epochs"] == 60).all()


def test_differences(data, comparison):
    found = comparison.differences("poor", random_state=0)
    assert list(found.index) == [
        (score, name) for score in ("kappa", "acc") for name in ("good", "both")
    ]
    row = found.loc[("kappa", "good")]
    table = comparison.scores.query("score == 'kappa'").pivot_table(
        "value", "recording", "estimator"
    )
    assert row["difference"] == pytest.approx((table["good"] - table["poor"]).mean())
    assert row["lower"] < row["difference"] < row["upper"]
    assert row["lower"] > 0
    assert row["p_value"] < 0.05
    assert row["n_recordings"] == 20
    assert row["n_subjects"] == 12
    assert row["degrees_of_freedom"] == 4
    # Both features are hardly better than the good one.
    alike = comparison.differences("good", random_state=0).loc[("kappa", "both")]
    assert abs(alike["difference"]) < 0.1 < row["difference"]
    pd.testing.assert_frame_equal(found, comparison.differences("poor", random_state=0))
    with pytest.raises(ValueError, match="reference='best' is none of"):
        comparison.differences("best")


def test_summary(comparison):
    summary = comparison.summary()
    table = of(comparison.scores, "good", "acc")["value"]
    assert summary.loc[("acc", "good"), "mean"] == pytest.approx(table.mean())
    assert summary.loc[("acc", "good"), "n_recordings"] == 20
    assert (summary["fit_seconds"] > 0).all()
    assert repr(comparison) == "<Comparison of poor, good, both on 5 folds>"


def test_an_estimator_alone_differs_from_none(data):
    alone = compare({"one": Counting()}, *data, verbose=False)
    assert alone.differences().empty
    assert alone.scores["value"].eq(0).all()  # kappa of a majority vote


def test_it_goes_on_where_it_stopped(data, tmp_path):
    two = {"a": Counting("a"), "b": Counting("b", fails_after=5)}
    with pytest.raises(KeyboardInterrupt):
        compare(two, *data, folder=tmp_path, verbose=False)
    assert FITS == ["a", "b", "a", "b", "a"]
    assert len(list(tmp_path.glob("*.npz"))) == 5
    two["b"] = Counting("b")
    resumed = compare(two, *data, folder=tmp_path, verbose=False)
    # Those of "b" are of other parameters, and are not taken for its.
    assert FITS[5:] == ["b", "b", "b", "a", "b", "a", "b"]
    FITS.clear()
    again = compare(two, *data, folder=tmp_path, scoring=["accuracy"], verbose=False)
    assert FITS == []
    pd.testing.assert_frame_equal(again.predictions, resumed.predictions)
    pd.testing.assert_frame_equal(again.predictions, compare(two, *data, verbose=False).predictions)
    FITS.clear()
    X, y, groups = data
    compare({"a": Counting("a")}, X, y[::-1].copy(), groups, folder=tmp_path, verbose=False)
    compare({"a": Counting("a")}, X.assign(ECG=False), y, groups, folder=tmp_path, verbose=False)
    assert len(FITS) == 10
    assert not list(tmp_path.glob("*.partial"))


def test_an_estimator_that_was_fitted_is_the_same(data, tmp_path):
    estimators = {"net": Watched("net", callbacks=[EpochTimer()])}
    once = compare(estimators, *data, cv=3, folder=tmp_path, verbose=False)
    FITS.clear()
    estimators["net"].fit(*data[:2])
    again = compare(estimators, *data, cv=3, folder=tmp_path, verbose=False)
    assert FITS == ["net"]
    pd.testing.assert_frame_equal(again.scores, once.scores)


def other_arrays(**arrays):
    def damage(path):
        with np.load(path) as archive:
            kept = {**archive, **arrays}
        np.savez(path, **{name: value for name, value in kept.items() if value is not None})

    return damage


def flip_bit(path):
    content = bytearray(path.read_bytes())
    content[content.index(b"probability.npy") + 60] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        flip_bit,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:300]),
        lambda path: path.write_bytes(b"PK\x03\x04 no archive"),
        lambda path: path.write_bytes(b"\x93NUMPY"),
        other_arrays(predicted=None),
        other_arrays(probability=None),
        other_arrays(seconds=np.zeros(3)),
        other_arrays(predicted=np.zeros(3)),
        other_arrays(probability=np.zeros((3, 2))),
    ],
)
def test_a_damaged_result_is_made_again(data, tmp_path, damage):
    def fit_again():
        FITS.clear()
        return compare(
            {"a": Sure("a")}, *data, folder=tmp_path, keep_probabilities=True, verbose=False
        )

    whole = fit_again()
    path = sorted(tmp_path.glob("*.npz"))[1]
    damage(path)
    with pytest.warns(CacheWarning, match=rf"{path.name} is damaged .*the fit is made again"):
        again = fit_again()
    assert FITS == ["a"]
    pd.testing.assert_frame_equal(again.predictions, whole.predictions)
    fit_again()
    assert FITS == []


def test_a_result_that_cannot_be_kept_is_scored(data, tmp_path, monkeypatch):
    def fail(*arguments, **parameters):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.warns(CacheWarning, match=r"5 fit\(s\) are scored, but .* The disk is full"):
        found = compare(
            {"a": Counting("a")}, *data, folder=tmp_path, error_score="raise", verbose=False
        )
    assert not list(tmp_path.glob("*.npz"))
    expected = compare({"a": Counting("a")}, *data, verbose=False)
    pd.testing.assert_frame_equal(found.scores, expected.scores)


def test_what_killed_comparisons_had_begun_to_write_is_removed(data, tmp_path):
    begun = tmp_path / ".a-fold0-0.npz.0.partial"
    begun.write_bytes(b"PK")
    os.utime(begun, (0, 0))
    compare({"a": Counting("a")}, *data, folder=tmp_path, verbose=False)
    assert not begun.exists()


def test_the_folder_is_marked(data, tmp_path):
    compare({"a": Counting("a")}, *data, folder=tmp_path / "new", verbose=False)
    mark = json.loads((tmp_path / "new" / "comparison.json").read_text())
    assert (mark["version"], mark["written_by"]) == (2, __version__)


def test_a_folder_of_the_first_version_is_refused_by_name(data, tmp_path):
    folder = tmp_path / "comparison"
    shutil.copytree("tests/data/written-by-0.1.0/comparison", folder)
    before = sorted(folder.iterdir())
    with pytest.raises(ValueError, match=r"sklearn_sleep 0\.1\.0 wrote.*Give a new folder"):
        compare({"a": Counting("a")}, *data, folder=folder, verbose=False)
    assert FITS == []
    assert sorted(folder.iterdir()) == before


@pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning")
def test_results_are_found_after_classes_have_moved(cohort, tmp_path, monkeypatch):
    epochs = EDFReader(["ECG"]).fit_transform(cohort.X)
    smoothed = make_pipeline(SequenceSmoother(Sure("c")))
    pair = {"a": Counting("a"), "b": Counting(FirstPart(part=Stage.N2)), "c": smoothed}
    parameters = {"cv": 2, "folder": tmp_path, "verbose": False}
    first = compare(pair, epochs, cohort.y, cohort.groups, **parameters)
    assert len(FITS) == 6
    FITS.clear()
    kinds = [Epochs, Recording, SignalDefinition, SequenceSmoother, FirstPart, Stage]
    for kind in [*kinds, type(epochs.recordings[0].source)]:
        monkeypatch.setattr(kind, "__module__", "sklearn_sleep.elsewhere")
    again = compare(pair, epochs, cohort.y, cohort.groups, **parameters)
    assert FITS == []
    pd.testing.assert_frame_equal(again.scores, first.scores)


RESUME = """
import sys
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn_sleep import compare

names = [f"n{number % 10}" for number in range(100)]
X = pd.DataFrame({"recording": names, "epoch": [number // 10 for number in range(100)]})
estimators = {"dummy": DummyClassifier(strategy="stratified", random_state=0)}
compare(estimators, X, [number % 3 for number in range(100)], folder=sys.argv[1], verbose=False)
"""


def test_another_process_knows_the_results(tmp_path, monkeypatch):
    subprocess.run([sys.executable, "-c", RESUME, tmp_path], check=True)
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    assert len(kept) == 5
    monkeypatch.setattr(sys, "argv", ["-c", str(tmp_path)])
    exec(RESUME, {"__name__": "__main__"})  # noqa: S102  our own
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")} == kept


def test_fits_side_by_side_give_the_same(data, estimators, comparison, tmp_path):
    found = compare(
        estimators,
        *data,
        scoring={"kappa": KAPPA, "acc": "accuracy"},
        n_jobs=2,
        folder=tmp_path,
        verbose=False,
    )
    pd.testing.assert_frame_equal(found.scores, comparison.scores)


def test_one_that_fails_leaves_the_others(data):
    pair = {"fails": Failing(), "counts": Counting()}
    with pytest.warns(FitFailedWarning, match=r"fails failed on fold \d, whose scores .*'no'"):
        found = compare(pair, *data, verbose=False)
    folds = found.folds.groupby("estimator")["fold"].nunique()
    assert folds["counts"] == 5
    assert folds["fails"] == 1
    assert found.differences("counts").loc[("kappa", "fails"), "n_recordings"] < 20
    with pytest.raises(ValueError, match="no"):
        compare(pair, *data, error_score="raise", verbose=False)
    first = (data[0]["subject"] == "s0").to_numpy()
    fold = np.flatnonzero(first), np.flatnonzero(~first)
    with pytest.warns(FitFailedWarning), pytest.raises(ValueError, match="Every fit failed"):
        compare({"fails": Failing()}, *data, cv=[fold], verbose=False)


def test_subjects_on_both_sides_are_told_of(data, estimators):
    one = {"good": estimators["good"]}
    with pytest.warns(UserWarning, match="subjects whom it has trained on"):
        compare(one, *data, cv=ShuffleSplit(1, random_state=0), verbose=False)


@pytest.mark.filterwarnings("ignore:Fold .* tests")
def test_recordings_that_are_tested_again_count_once(data, estimators):
    repeated = compare(
        estimators,
        *data,
        cv=RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0),
        verbose=False,
    )
    assert repeated.folds["fold"].nunique() == 6
    assert repeated.differences().loc[("kappa", "good"), "n_recordings"] == 20


def test_scores_of_probabilities(data, estimators):
    X, y, groups = data
    one = {"good": estimators["good"]}
    with pytest.raises(ValueError, match=r"'neg_log_loss' needs .*keep_probabilities=True"):
        compare(one, *data, scoring="neg_log_loss", verbose=False)
    found = compare(one, *data, scoring="neg_log_loss", keep_probabilities=True, verbose=False)
    expected = cross_val_score(
        one["good"], X, y, groups=groups, cv=StratifiedGroupKFold(5), scoring="neg_log_loss"
    )
    np.testing.assert_allclose(found.folds["value"], expected)


@pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning")
def test_epochs_and_wrong_input(cohort, data):
    epochs = EDFReader(["ECG"]).fit_transform(cohort.X)
    found = compare({"one": Counting()}, epochs, cohort.y, cohort.groups, cv=2, verbose=False)
    assert set(found.scores["recording"]) == set(cohort.X["recording"])
    with pytest.raises(ValueError, match="column 'recording'"):
        compare({"one": Counting()}, data[0][["good"]], data[1])
    with pytest.raises(TypeError, match="estimators is list; give a dict"):
        compare([Counting()], *data)
    with pytest.raises(ValueError, match="error_score='ignore' must be 'raise' or nan"):
        compare({"one": Counting()}, *data, error_score="ignore")


def test_plot(comparison, tmp_path):
    display = comparison.plot("acc", title="Stages")
    assert isinstance(display, ComparisonDisplay)
    labels = [label.get_text() for label in display.axes_.get_yticklabels()]
    assert labels == ["poor", "good", "both"]
    means = [line.get_xdata() for line in display.axes_.lines if line.get_marker() == "D"]
    expected = comparison.summary().loc["acc", "mean"]
    np.testing.assert_allclose(np.ravel(means), expected)
    points = [line.get_xdata() for line in display.axes_.lines if line.get_marker() == "."]
    assert [len(x) for x in points] == [20, 20, 20]
    assert display.axes_.get_title() == "Stages"
    display.save(tmp_path / "scores.png")
    assert (tmp_path / "scores.png").stat().st_size > 5000
    with pytest.raises(ValueError, match="score='f1' is none of"):
        comparison.plot("f1")
