"""Tables of polars go in and come out where those of pandas do, with the same results."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from sklearn_sleep import (
    EDFReader,
    Epocher,
    LeaveOneCohortOut,
    SequenceSmoother,
    TemporalContext,
    compare,
    hrv_baseline,
    split_subjects,
)

polars = pytest.importorskip("polars")


def as_polars(table):
    return polars.DataFrame({name: table[name].to_list() for name in table.columns})


@pytest.fixture(scope="module")
def baseline():
    pipeline = hrv_baseline(LogisticRegression(max_iter=1000))
    pipeline[-1].estimator[0].set_params(windows=[(60, 60)], features=["meanHR"])
    return pipeline.set_params(maskedsignalsclassifier__random_state=0)


@pytest.fixture(scope="module")
def few(cohort):
    """The rows of two nights of two subjects."""
    rows = cohort.X["recording"].isin(cohort.recordings["path"][[0, 1]]).to_numpy()
    assert cohort.groups[rows].nunique() == 2
    return cohort.X[rows], cohort.y[rows], cohort.groups[rows]


@pytest.fixture(scope="module")
def expected(baseline, few):
    return baseline.fit(*few[:2]).predict_proba(few[0])


def test_a_pipeline_of_polars_gives_what_one_of_pandas_gives(baseline, few, expected):
    X, y, _ = few
    found = clone(baseline).set_output(transform="polars").fit(X, y).predict_proba(X)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    with sklearn.config_context(transform_output="polars"):
        found = clone(baseline).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_smoother_takes_features_of_polars(baseline, few):
    X, y, _ = few
    pipeline = make_pipeline(
        baseline[0],
        baseline[1].estimator[0],
        TemporalContext([]),
        SequenceSmoother(DummyClassifier()),
    )
    expected = clone(pipeline).fit(X, y).predict_proba(X)
    found = pipeline.set_output(transform="polars").fit(X, y).predict_proba(X)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_features_come_in_polars_with_their_names(few, baseline):
    epochs = baseline[0].transform(few[0])
    beats = baseline[1].estimator[0]
    for step, X in ((beats, epochs), (TemporalContext(), beats.transform(epochs))):
        in_pandas = clone(step).fit_transform(X)
        found = clone(step).set_output(transform="polars").fit_transform(X)
        assert isinstance(found, polars.DataFrame)
        assert list(found.columns) == list(step.fit(X).get_feature_names_out())
        np.testing.assert_array_equal(found.to_numpy(), in_pandas.to_numpy())


def test_recordings_stay_epochs(few):
    steps = make_pipeline(EDFReader(["ECG"]), Epocher()).set_output(transform="polars")
    assert len(steps.fit_transform(few[0])) == len(few[0])


def test_context_takes_tables_of_polars_that_name_their_rows():
    table = pd.DataFrame({"recording": ["a", "a", "b"], "epoch": [0, 1, 7], "x": [1.0, np.nan, 3]})
    step = TemporalContext([-1])
    expected = step.fit_transform(table.set_index(["recording", "epoch"]))
    found = step.fit_transform(as_polars(table))
    pd.testing.assert_frame_equal(found, expected, check_index_type=False)
    assert list(step.feature_names_in_) == ["x"]
    with pytest.raises(TypeError, match="polars table with columns of these names"):
        step.fit(as_polars(table).drop("epoch"))


def test_polars_tables_name_epochs(few, baseline, expected):
    X, y, groups = few
    found = baseline.fit(as_polars(X), polars.Series(y)).predict_proba(as_polars(X))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    folds = {"groups": polars.Series(groups.to_list()), "cv": GroupKFold(2)}
    of_polars = cross_val_predict(baseline, as_polars(X), y, **folds)
    np.testing.assert_array_equal(of_polars, cross_val_predict(baseline, X, y, **folds))


def test_masks_without_a_value_are_true(few):
    X = few[0].iloc[:4]
    in_polars = as_polars(X).with_columns(polars.Series("ECG", [True, None, False, True]))
    (night,) = EDFReader(["ECG"]).fit_transform(in_polars).nights()
    assert night.masks["ECG"].tolist() == [True, True, False, True]


def test_epochs_of_polars_are_checked(few):
    X = as_polars(few[0])
    with pytest.raises(ValueError, match="lacks the column"):
        EDFReader(["ECG"]).fit_transform(X.drop("epoch"))
    with pytest.raises(ValueError, match="must hold integers"):
        EDFReader(["ECG"]).fit_transform(X.with_columns(polars.col("epoch").cast(float)))


def test_what_else_takes_an_epoch_table_takes_one_of_polars(cohort):
    X = as_polars(cohort.X)
    for name, rows in split_subjects(X).items():
        np.testing.assert_array_equal(rows, split_subjects(cohort.X)[name])
    table = cohort.X.assign(dataset=np.where(cohort.X["recording"].cat.codes % 2, "a", "b"))
    found = LeaveOneCohortOut().split(as_polars(table))
    for one, other in zip(found, LeaveOneCohortOut().split(table), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    guesses = {"most frequent": DummyClassifier()}
    options = {"groups": cohort.groups, "cv": 2, "scoring": "accuracy", "verbose": False}
    of_polars, of_pandas = (compare(guesses, x, cohort.y, **options) for x in (X, cohort.X))
    assert of_polars.summary()["mean"].tolist() == of_pandas.summary()["mean"].tolist()
