from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yasa
from sklearn.base import clone
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import (
    accuracy_score,
    cohen_kappa_score,
    log_loss,
    precision_score,
    roc_auc_score,
)
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from sklearn_sleep.core.stage_schemes import merge_stages, stage_names
from sklearn_sleep.evaluation.metrics import recording_scorer, recording_scores, sleep_statistics
from sklearn_sleep.exceptions import StageSchemeWarning

YASA_NAMES = np.array(["WAKE", "N1", "N2", "N3", "REM", "UNS"])


@pytest.fixture
def nights():
    """Give a shuffled epoch table of eight nights of unequal length, with its stages."""
    rng = np.random.default_rng(0)
    rows = [
        {"recording": f"night-{night}.edf", "epoch": epoch}
        for night in range(8)
        for epoch in range(30 + 25 * night)
    ]
    table = pd.DataFrame(rows).astype({"recording": "category"})
    y = rng.integers(0, 5, size=len(table))
    table["feature"] = y + rng.normal(size=len(table))
    order = rng.permutation(len(table))
    return table.iloc[order].reset_index(drop=True), y[order]


def features(table):
    return table[["feature"]]


@pytest.fixture
def model():
    return make_pipeline(FunctionTransformer(features), DecisionTreeClassifier(max_depth=4))


def night_by_night(metric, X, y, y_pred):
    """Score each night in a loop, without pandas' or our grouping."""
    names = X["recording"].astype(str).tolist()
    scores = {}
    for name in dict.fromkeys(names):
        rows = [row for row, other in enumerate(names) if other == name]
        scores[name] = metric(y[rows], y_pred[rows])
    return scores


def test_recording_scores_are_those_of_each_night(nights):
    X, y = nights
    y_pred = np.random.default_rng(1).integers(0, 5, size=len(y))
    scores = recording_scores(cohen_kappa_score, y, y_pred, X["recording"])
    expected = night_by_night(cohen_kappa_score, X, y, y_pred)
    assert scores.to_dict() == pytest.approx(expected)
    assert scores.index.astype(str).tolist() == list(expected)
    assert scores.index.name == "recording"


def test_recording_scores_hand_options_and_weights_on():
    y_true, y_pred = [0, 1, 1, 2, 0, 0], [0, 1, 2, 2, 1, 0]
    weight = [1.0, 2.0, 5.0, 1.0, 3.0, 1.0]
    scores = recording_scores(accuracy_score, y_true, y_pred, list("aaaabb"), sample_weight=weight)
    assert scores.to_dict() == pytest.approx({"a": 4 / 9, "b": 1 / 4})
    counts = recording_scores(accuracy_score, y_true, y_pred, list("aaaabb"), normalize=False)
    assert counts.to_dict() == {"a": 3.0, "b": 1.0}


def test_recording_scores_are_nan_where_undefined():
    scores = recording_scores(cohen_kappa_score, [2, 2, 0, 2], [2, 2, 0, 2], list("aabb"))
    assert np.isnan(scores["a"])
    assert scores["b"] == 1.0


def test_recording_scores_keep_warnings_of_defined_scores():
    with pytest.warns(UndefinedMetricWarning):
        recording_scores(precision_score, [0, 1], [0, 0], ["a", "a"], average="macro")


def test_recording_scores_refuse_rows_that_do_not_match():
    with pytest.raises(ValueError, match=r"'y_true': 3, 'y_pred': 2, 'recording': 3"):
        recording_scores(accuracy_score, [0, 1, 2], [0, 1], ["a", "a", "b"])
    with pytest.raises(ValueError, match="1 rows have no recording"):
        recording_scores(accuracy_score, [0, 1], [0, 1], ["a", None])


@pytest.mark.parametrize(("average", "reduce"), [("mean", np.mean), ("median", np.median)])
def test_scorer_averages_over_recordings(nights, model, average, reduce):
    X, y = nights
    model.fit(X, y)
    expected = reduce(list(night_by_night(cohen_kappa_score, X, y, model.predict(X)).values()))
    scorer = recording_scorer(cohen_kappa_score, average=average)
    assert scorer(model, X, y) == pytest.approx(expected)
    assert scorer(model, X, y) != pytest.approx(cohen_kappa_score(y, model.predict(X)), abs=1e-6)


def test_scorer_works_in_cross_validation(nights, model):
    X, y = nights
    folds = list(GroupKFold(4).split(X, y, groups=X["recording"]))
    expected = []
    for train, test in folds:
        y_pred = clone(model).fit(X.iloc[train], y[train]).predict(X.iloc[test])
        scores = night_by_night(accuracy_score, X.iloc[test], y[test], y_pred)
        expected.append(np.mean(list(scores.values())))
    scorer = recording_scorer(accuracy_score)
    np.testing.assert_allclose(cross_val_score(model, X, y, cv=folds, scoring=scorer), expected)
    both = cross_validate(model, X, y, cv=folds, scoring={"night": scorer, "all": "accuracy"})
    np.testing.assert_allclose(both["test_night"], expected)
    search = GridSearchCV(
        model, {"decisiontreeclassifier__max_depth": [1, 4]}, scoring=scorer, cv=folds
    )
    search = clone(search).fit(X, y)
    assert search.best_params_ == {"decisiontreeclassifier__max_depth": 4}
    assert search.best_score_ == pytest.approx(np.mean(expected))


def test_scorer_takes_whatever_names_the_recordings(nights, model):
    X, y = nights
    model.fit(X, y)
    scorer = recording_scorer(accuracy_score)
    expected = scorer(model, X, y)
    named = {"recording": X["recording"].tolist(), "feature": X["feature"].to_numpy()}
    model.set_params(functiontransformer__func=lambda arrays: pd.DataFrame(arrays)[["feature"]])
    assert scorer(model, named, y) == pytest.approx(expected)
    model.set_params(functiontransformer__func=lambda epochs: epochs.table[["feature"]])
    assert scorer(model, SimpleNamespace(table=X), y) == pytest.approx(expected)


@pytest.mark.parametrize("X", [np.ones((4, 2)), pd.DataFrame({"epoch": range(4)}), [[1]] * 4])
def test_scorer_says_what_the_table_lacks(X):
    model = SimpleNamespace(predict=lambda X: np.zeros(4))
    with pytest.raises(ValueError, match="epoch table with a column 'recording'"):
        recording_scorer(accuracy_score)(model, X, np.zeros(4))


def test_scorer_leaves_undefined_recordings_out_with_a_warning():
    X = pd.DataFrame({"recording": list("aabbcc")})
    y = np.array([2, 2, 0, 2, 0, 2])
    model = SimpleNamespace(predict=lambda X: np.array([2, 2, 0, 2, 2, 0]))
    with pytest.warns(UndefinedMetricWarning, match="undefined in 1 of 3 recordings"):
        assert recording_scorer(cohen_kappa_score)(model, X, y) == pytest.approx(0.0)
    only = SimpleNamespace(predict=lambda X: np.array([2, 2]))
    with pytest.warns(UndefinedMetricWarning, match="undefined in 1 of 1 recordings"):
        assert np.isnan(recording_scorer(cohen_kappa_score)(only, X[:2], y[:2]))


def test_scorer_of_probabilities_and_losses(nights, model):
    X, y = nights
    model.fit(X, y)
    probabilities = model.predict_proba(X)

    def loss(y_true, y_pred):
        return log_loss(y_true, y_pred, labels=range(5))

    expected = -np.mean(list(night_by_night(loss, X, y, probabilities).values()))
    scorer = recording_scorer(
        log_loss, response_method="predict_proba", greater_is_better=False, labels=range(5)
    )
    assert scorer(model, X, y) == pytest.approx(expected)

    asleep = (y > 0).astype(int)
    model.fit(X, asleep)
    scores = night_by_night(roc_auc_score, X, asleep, model.predict_proba(X)[:, 1])
    scorer = recording_scorer(roc_auc_score, response_method="predict_proba")
    assert scorer(model, X, asleep) == pytest.approx(np.mean(list(scores.values())))


def test_scorer_weighs_epochs():
    X = pd.DataFrame({"recording": list("aab")})
    model = SimpleNamespace(predict=lambda X: np.array([0, 1, 2]))
    scorer = recording_scorer(accuracy_score)
    assert scorer(model, X, [0, 0, 2], sample_weight=[3.0, 1.0, 1.0]) == pytest.approx(0.875)


def test_scorer_pickles_and_reads_well(nights, model):
    X, y = nights
    model.fit(X, y)
    scorer = recording_scorer(cohen_kappa_score, average="median", weights="quadratic")
    restored = pickle.loads(pickle.dumps(scorer))  # noqa: S301
    assert restored == scorer
    assert restored(model, X, y) == scorer(model, X, y)
    assert repr(scorer) == (
        "recording_scorer(cohen_kappa_score, average='median', weights='quadratic')"
    )
    loss = recording_scorer(log_loss, response_method="predict_proba", greater_is_better=False)
    assert repr(loss) == (
        "recording_scorer(log_loss, average='mean', response_method='predict_proba', "
        "greater_is_better=False)"
    )


@pytest.mark.parametrize(
    ("metric", "options", "message"),
    [
        ("kappa", {}, "metric must be a function"),
        (accuracy_score, {"average": "max"}, "average must be 'mean' or 'median', got 'max'"),
        (accuracy_score, {"response_method": "transform"}, "response_method must be"),
    ],
)
def test_scorer_names_wrong_parameters(metric, options, message):
    with pytest.raises(ValueError, match=message):
        recording_scorer(metric, **options)


def test_unscored_epochs_are_not_scored_by():
    with pytest.raises(ValueError, match=r"y has 2 unscored epochs .*X\[y >= 0\]"):
        recording_scores(accuracy_score, [0, -1, 2, -1], [0, 0, 2, 2], list("aabb"))


def assert_equals_yasa(stages, epoch_duration=30):
    stages = np.asarray(stages)
    expected = yasa.Hypnogram(YASA_NAMES[stages], freq=f"{epoch_duration}s").sleep_statistics()
    statistics = sleep_statistics(stages, n_classes=5, epoch_duration=epoch_duration)
    assert set(expected) <= set(statistics.index)
    np.testing.assert_allclose(
        statistics[list(expected)], list(expected.values()), rtol=0, atol=5.1e-5
    )
    if "UNS" not in expected:
        assert statistics["UNS"] == 0


@pytest.mark.parametrize("seed", range(100))
def test_sleep_statistics_equal_yasa_on_random_nights(seed):
    rng = np.random.default_rng(seed)
    runs = rng.geometric(rng.uniform(0.03, 0.8), size=rng.integers(1, 80))
    codes = rng.permutation([0, 1, 2, 3, 4, -1])[: rng.integers(1, 7)]
    stages = np.repeat(rng.choice(codes, size=runs.size), runs)
    assert_equals_yasa(stages, int(rng.choice([10, 20, 30, 60, 120])))


@pytest.mark.parametrize(
    "stages",
    [
        [0],
        [-1],
        [4],
        [0] * 100,
        [-1] * 100,
        [2] * 9,
        [2] * 10,
        [-1, 0, -1],
        [-1] * 5 + [0] * 5 + [2] * 12 + [-1] * 3 + [2] * 4 + [0] * 2 + [4] * 3 + [-1] * 7,
        [4] * 10 + [0] * 4,
        [1, 0] * 40,
        [1, -1, 0] * 20,
    ],
)
def test_sleep_statistics_equal_yasa_in_odd_nights(stages):
    assert_equals_yasa(stages)


def test_sleep_statistics_beyond_yasa():
    statistics = sleep_statistics(pd.Series([0] * 10 + [1] * 4 + [2] * 20 + [3] * 6 + [4] * 8))
    assert statistics["Lat_N1"] == 5.0
    assert statistics["Lat_N2"] == 7.0
    assert statistics["Lat_N3"] == 17.0
    assert statistics["Lat_REM"] == 20.0
    assert statistics["Lat_REM_from_SOL"] == 15.0
    assert np.isnan(sleep_statistics([0, 0, 2], n_classes=5)["Lat_REM_from_SOL"])


NIGHT = [0] * 20 + [1] * 10 + [2] * 40 + [3] * 20 + [-1] * 2 + [4] * 13 + [0] * 3 + [2] * 6


@pytest.mark.parametrize(
    ("n_classes", "parts"),
    [
        (4, {"Light": ["N1", "N2"], "Deep": ["N3"], "REM": ["REM"]}),
        (3, {"NREM": ["N1", "N2", "N3"], "REM": ["REM"]}),
        (2, {"Sleep": ["N1", "N2", "N3", "REM"]}),
    ],
)
def test_sleep_statistics_of_merged_stages_are_sums_of_those_of_five(n_classes, parts):
    five = sleep_statistics(NIGHT)
    merged = merge_stages(NIGHT, n_classes)
    names = [*stage_names(n_classes), "unscored"]
    for hypnogram, told in ((merged, n_classes), (NIGHT, 5), ([names[c] for c in merged], None)):
        statistics = sleep_statistics(hypnogram, n_classes=told)
        if told == 5:
            continue
        shared = ["TIB", "SPT", "WASO", "TST", "SE", "SME", "SFI", "SOL", "SOL_5min"]
        for name in [*shared, "WAKE", "UNS"]:
            assert statistics[name] == five[name]
        for name, of_five in parts.items():
            assert statistics[name] == five[of_five].sum()
            assert statistics[f"%{name}"] == pytest.approx(five[[f"%{n}" for n in of_five]].sum())
            assert statistics[f"Lat_{name}"] == five[[f"Lat_{n}" for n in of_five]].min()
        assert ("Lat_REM_from_SOL" in statistics) == ("REM" in parts)
        assert "N1" not in statistics


def test_sleep_statistics_take_names():
    names = np.array(["W", "N1", "N2", "N3", "R", "?"])[NIGHT]
    pd.testing.assert_series_equal(sleep_statistics(names), sleep_statistics(NIGHT))
    merged = sleep_statistics(pd.Series(names, dtype="category"), n_classes=4)
    pd.testing.assert_series_equal(merged, sleep_statistics(merge_stages(NIGHT, 4), n_classes=4))


def test_sleep_statistics_warn_where_stages_may_have_been_merged():
    with pytest.warns(StageSchemeWarning, match="hypnogram has no 4.*n_classes=5"):
        sleep_statistics(merge_stages(NIGHT, 4))


@pytest.mark.parametrize(
    ("hypnogram", "options", "message"),
    [
        ([], {}, r"shape \(0,\)"),
        ([[0, 1]], {}, r"shape \(1, 2\)"),
        ([0, 5, 9], {}, r"values \[5, 9\], which are no stages"),
        ([0, 4], {"n_classes": 4}, r"values \[4\], which are no stages.*W=0, Light=1"),
        ([0, 2], {"n_classes": 2}, r"values \[2\].*Wake=0, Sleep=1"),
        (["W", "Light"], {"n_classes": 5}, "are of 4 classes, not 5"),
        (["W", "N8"], {}, "'N8' is no sleep stage"),
        (["0", "4"], {}, "'0' among names"),
        ([0, 4], {"n_classes": 6}, "n_classes must be 5, 4, 3 or 2"),
        ([0, 1.5], {}, "hypnogram has dtype float64"),
        ([0, 4, np.nan], {}, "hypnogram has dtype float64"),
        ([0, 4], {"epoch_duration": 0.0}, "epoch_duration must be above 0 seconds, got 0.0"),
    ],
)
def test_sleep_statistics_name_what_is_wrong(hypnogram, options, message):
    with pytest.raises(ValueError, match=message):
        sleep_statistics(hypnogram, **options)
