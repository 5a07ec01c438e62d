"""TemporalContext adds a night's own neighbours, whatever rows come."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sklearn_sleep.features import HRVFeatures, TemporalContext
from sklearn_sleep.preprocessing import EDFReader


@pytest.fixture
def table():
    """Shuffled rows of three nights, of which some are missing, with missing values."""
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([["a", "b", "c"], range(40)], names=["recording", "epoch"])
    values = rng.normal(5, 2, (len(index), 2))
    values[rng.random(values.shape) < 0.1] = np.nan
    return pd.DataFrame(values, index=index, columns=["x", "z"]).sample(frac=0.8, random_state=0)


def test_neighbours_and_means_one_by_one(table):
    step = TemporalContext([-3, 2], rolling_means=[5], relative=False)
    found = step.fit_transform(table)
    assert list(found.columns) == [
        *("x", "z", "x_previous3", "z_previous3", "x_next2", "z_next2", "x_mean5", "z_mean5"),
        "hours",
    ]
    assert found.index.equals(table.index)
    for (recording, epoch), row in found.iterrows():
        for name in ("x", "z"):
            values = table[name].to_dict()
            assert row[name] == pytest.approx(values[recording, epoch], nan_ok=True)
            for suffix, offset in (("previous3", -3), ("next2", 2)):
                expected = values.get((recording, epoch + offset), np.nan)
                assert row[f"{name}_{suffix}"] == pytest.approx(expected, nan_ok=True)
            around = [values.get((recording, epoch + k), np.nan) for k in range(-2, 3)]
            known = [value for value in around if not np.isnan(value)]
            expected = np.mean(known) if known else np.nan
            assert row[f"{name}_mean5"] == pytest.approx(expected, nan_ok=True)
        assert row["hours"] == pytest.approx(epoch / 120)


def test_relative_to_the_night(table):
    found = TemporalContext([1], time_since_start=False).fit_transform(table)
    assert list(found.columns) == ["x", "z", "x_relative", "z_relative", "x_next1", "z_next1"]
    relative = found[["x_relative", "z_relative"]].groupby("recording")
    np.testing.assert_allclose(relative.mean(), 0, atol=1e-12)
    np.testing.assert_allclose(relative.std(ddof=0), 1)
    # Neighbours are relative, too.
    values = found["x_relative"].to_dict()
    for (recording, epoch), value in found["x_next1"].items():
        expected = values.get((recording, epoch + 1), np.nan)
        assert value == pytest.approx(expected, nan_ok=True)


def test_order_does_not_matter(table):
    step = TemporalContext(rolling_means=[3, 9]).fit(table)
    ordered = step.transform(table.sort_index())
    pd.testing.assert_frame_equal(step.transform(table), ordered.loc[table.index])


def test_rows_that_come_twice(table):
    step = TemporalContext(rolling_means=[3]).fit(table)
    once = step.transform(table)
    twice = step.transform(pd.concat([table, table[:10]]))
    pd.testing.assert_frame_equal(twice[: len(table)], once)
    pd.testing.assert_frame_equal(twice[len(table) :], once[:10])


def test_constant_feature_is_not_divided_by_nothing(table):
    found = TemporalContext([]).fit_transform(table.assign(x=1.0))
    assert found["x_relative"].isna().all()
    assert found["z_relative"].notna().sum() == table["z"].notna().sum()


def test_after_features_of_a_cohort(cohort):
    features = HRVFeatures(groups=["time"]).fit_transform(
        EDFReader(["ECG"]).fit_transform(cohort.X)
    )
    step = clone(TemporalContext()).set_output(transform="pandas")
    found = step.fit_transform(features)
    assert found.shape == (len(cohort.X), 26 * 8 + 1)
    assert list(step.get_feature_names_out()) == list(found.columns)


def test_wrong_input(table):
    with pytest.raises(TypeError, match="Put a step such as HRVFeatures"):
        TemporalContext().fit(table.to_numpy())
    with pytest.raises(TypeError, match="indexed by recording and epoch"):
        TemporalContext().fit(table.reset_index())
    with pytest.raises(ValueError, match="was fitted on"):
        TemporalContext().fit(table).transform(table[["x"]])
    with pytest.raises(ValueError, match="other than 0"):
        TemporalContext([0, 1]).fit(table)
    with pytest.raises(ValueError, match="odd numbers"):
        TemporalContext(rolling_means=[4]).fit(table)
