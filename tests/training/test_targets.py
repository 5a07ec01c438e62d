"""What classifiers accept as y."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import DataConversionWarning
from sklearn.preprocessing import LabelEncoder

from sklearn_sleep.core.stages import Stage
from sklearn_sleep.core.targets import check_targets
from sklearn_sleep.training.inputs import choose_classes, encode


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, 4],
        np.array([0, 1, 4], dtype=np.int8),
        (0.0, 1.0, 4.0),
        ["W", "N1", "R"],
        pd.Series(["W", "N1", "R"], index=[7, 8, 9]),
        pd.Series(["W", "N1", "R"], dtype="category"),
        pd.Series([0, 1, 4], dtype="Int64"),
        [Stage.W, Stage.N1, Stage.R],
        [True, False, True],
    ],
    ids=["int", "int8", "float", "text", "Series", "category", "Int64", "Stage", "bool"],
)
def test_stages_of_any_type_come_back_as_they_are(y):
    checked = check_targets(y, 3)
    assert checked.shape == (3,)
    assert checked.tolist() == list(y)


def test_a_column_is_taken_with_scikit_learns_warning():
    with pytest.warns(DataConversionWarning):
        checked = check_targets(np.array([[0], [1]]), 2)
    assert checked.tolist() == [0, 1]


@pytest.mark.parametrize(
    "y",
    [[0, -1, -1], [0.0, -1.0, -1.0], pd.Series([0, -1, -1], dtype=object)],
    ids=["int", "float", "object"],
)
def test_unscored_epochs_are_counted(y):
    with pytest.raises(ValueError, match=r"2 unscored epochs \(-1\).*X\[y >= 0\]"):
        check_targets(y, 3)


@pytest.mark.parametrize(
    "y",
    [
        [0.0, np.nan, np.nan],
        ["W", np.nan, np.nan],
        ["W", None, None],
        pd.Series(["W", pd.NA, pd.NA]),
        pd.Series([0, pd.NA, pd.NA], dtype="Int64"),
        pd.Series(["W", None, None], dtype="category"),
    ],
    ids=["float", "text", "None", "NA", "Int64", "category"],
)
def test_missing_stages_are_counted(y):
    with pytest.raises(ValueError, match="2 missing values"):
        check_targets(y, 3)


@pytest.mark.parametrize(
    ("y", "n_rows", "message"),
    [
        ([0, 1], 3, "X has 3 rows, but y has 2"),
        ([], 0, "no rows"),
        (None, 3, "fit needs y"),
        (np.zeros((3, 2)), 3, "1d array"),
        (0, 1, "1d array"),
    ],
)
def test_what_does_not_fit_is_refused(y, n_rows, message):
    with pytest.raises(ValueError, match=message):
        check_targets(y, n_rows)


@pytest.mark.parametrize(
    "y", [np.array([4, 0, 2, 2]), np.array(["W", "Light", "REM", "W"]), np.array([1.0, 3.0])]
)
def test_codes_are_those_of_scikit_learn(y):
    encoder = LabelEncoder().fit(y)
    np.testing.assert_array_equal(encode(y, encoder.classes_), encoder.transform(y))


@pytest.mark.parametrize(
    ("y", "classes", "unknown"),
    [
        ([0, 1, 9, 9], [0, 1, 2], r"\[9\]"),
        ([-5, 1], [0, 1], r"\[-5\]"),
        ([1, 2], [0, 3], r"\[1, 2\]"),
        (["W", "S4"], ["N1", "W"], r"\['S4'\]"),
        (["W"], [0, 1], r"\['W'\]"),
    ],
)
def test_stages_that_are_no_class_are_named(y, classes, unknown):
    with pytest.raises(ValueError, match=f"the stages {unknown}, which are not among"):
        encode(np.array(y), np.array(classes))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0.3, 1.0, 2.0], "Unknown label type: continuous"),
        (np.array([0.3, 1.0, 2.0], dtype=object), "Unknown label type: continuous"),
        ([0.0, np.inf, 1.0], "infinite"),
        ([0.0, -np.inf, 1.0], "infinite"),
        ([0.0, 1.0, 1e300], "Unknown label type"),
        ([1 + 2j, 1, 0], "Complex data not supported|Unknown label type"),
        ([{"W": 1}, {"W": 1}, {}], "Unknown label type"),
    ],
)
def test_what_is_no_class_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        check_targets(y, 3)


@pytest.mark.parametrize(
    ("y", "given", "expected"),
    [
        ([2, 0], None, [0, 2]),
        ([2, 0], [3, 2, 1, 0], [0, 1, 2, 3]),
        (["W", "R"], ["W", "R", "N1"], ["N1", "R", "W"]),
        # As ensembles number them.
        ([2, 0, 1], ["W", "R", "N1"], [0, 1, 2]),
        ([1, 0], ["W", "R", "N1"], [0, 1]),
        # No ensemble does that.
        ([3, 0], ["W", "R", "N1"], ["N1", "R", "W"]),
        ([-5, 0], ["W", "R", "N1"], ["N1", "R", "W"]),
        ([0, 1], [5, 6, 7], [5, 6, 7]),
    ],
)
def test_classes_that_are_given_count_unless_y_has_been_numbered(y, given, expected):
    assert choose_classes(np.array(y), given).tolist() == expected
