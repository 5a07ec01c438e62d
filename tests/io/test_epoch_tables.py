"""Tables that name epochs: epoch_table, and what is taken for one."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklearn_sleep.core.epochs import make_epoch_table
from sklearn_sleep.exceptions import EDFError, EDFWarning
from sklearn_sleep.features.baselines import hrv_baseline
from sklearn_sleep.io.epoch_tables import as_epoch_table, epoch_table
from sklearn_sleep.preprocessing import EDFReader


@pytest.mark.parametrize("n_nights", [1, 127, 128, 129, 32_769])
def test_every_recording_of_a_table_keeps_its_name(n_nights):
    names = [f"{i}.edf" for i in range(n_nights)]
    table = make_epoch_table(names, [[3]] * n_nights)
    assert table["recording"].tolist() == names


def test_epoch_table_counts_whole_epochs(data_folder, write_edf):
    short = write_edf("short.edf", ("ECG", np.zeros(2900), 100, "mV", (-1, 1)))
    longer = write_edf("longer.edf", ("ECG", np.zeros(6100), 100, "mV", (-1, 1)))
    paths = [data_folder / "mitdb-100.edf", str(short), longer]
    with pytest.warns(EDFWarning, match=r"short\.edf: its 29 s are less than an epoch \(30 s\)"):
        table = epoch_table(paths)
    assert table["recording"].value_counts(sort=False).to_dict() == {
        str(paths[0]): 60,  # 1805 s
        str(short): 0,
        str(longer): 2,
    }
    assert table["epoch"].tolist() == [*range(60), 0, 1]
    pd.testing.assert_frame_equal(epoch_table(longer), epoch_table([longer]))


@pytest.mark.parametrize("seconds", [1, 29])
def test_a_file_shorter_than_an_epoch_is_told_of(write_edf, seconds):
    path = write_edf("short.edf", ("ECG", np.zeros(seconds * 100), 100, "mV", (-1, 1)))
    message = rf"short\.edf: its {seconds} s are less than an epoch \(30 s\)"
    for read in (epoch_table, EDFReader(["ECG"]).fit_transform, hrv_baseline()[0].fit_transform):
        with pytest.raises(EDFError, match=message):
            read(str(path))
    with pytest.warns(EDFWarning, match=message):
        assert len(epoch_table(path, on_error="warn")) == 0
    with pytest.warns(EDFWarning, match=message):
        assert len(EDFReader(["ECG"], on_error="warn").fit_transform([path])) == 0


@pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.EDFRepairWarning")
def test_epoch_table_read_by_threads(data_folder, cohort):
    paths = [*cohort.recordings["path"], data_folder / "sleep-edf-5min.edf"]
    expected = epoch_table(paths)
    pd.testing.assert_frame_equal(epoch_table(paths, n_jobs=3), expected)


def test_epoch_table_of_a_broken_file(data_folder):
    paths = [data_folder / "zero-data-records.edf", data_folder / "mitdb-100.edf", "nowhere.edf"]
    with pytest.raises(EDFError, match="zero-data-records"):
        epoch_table(paths)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.edf"):
        epoch_table(paths[1:])
    with pytest.warns(EDFWarning) as warned:
        table = epoch_table(paths, on_error="warn")
    assert set(table["recording"]) == {str(paths[1])}
    assert [("zero-data" in str(w.message), "nowhere" in str(w.message)) for w in warned] == [
        (True, False),
        (False, True),
    ]


def test_a_recording_is_given_once(data_folder):
    path = data_folder / "mitdb-100.edf"
    with pytest.raises(ValueError, match=r"given more often: .*mitdb-100"):
        epoch_table([path, os.fspath(path)])


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (pd.DataFrame({"recording": ["a"]}), ValueError, r"lacks the column\(s\) \['epoch'\]"),
        (pd.DataFrame({"recording": ["a"], "epoch": [0.5]}), ValueError, "must hold integers"),
        (pd.DataFrame({"recording": ["a"], "epoch": [-1]}), ValueError, "goes down to -1"),
        (pd.DataFrame({"recording": [None], "epoch": [1]}), ValueError, "missing values"),
        (np.zeros((3, 2)), TypeError, r"is ndarray of float64\. epoch_table\(paths\) makes"),
        ([], TypeError, "is list"),
        ([3], TypeError, "is list"),
        (["a.edf", None], TypeError, "is list"),
        (np.array([["a.edf"], ["b.edf"]]), TypeError, "is ndarray"),
        (pd.Series(["a.edf", np.nan]), TypeError, "is Series"),
        ({"a.edf", "b.edf"}, TypeError, "is set"),
        ({"a.edf": 1}, TypeError, "is dict"),
        (None, TypeError, "is NoneType"),
    ],
)
def test_what_is_no_epoch_table_is_refused(X, error, message):
    with pytest.raises(error, match=message):
        as_epoch_table(X)


@pytest.mark.parametrize(
    "container",
    [
        list,
        tuple,
        iter,
        np.array,
        lambda paths: np.array(paths, dtype=object),
        pd.Series,
        lambda paths: pd.Series(paths, index=[7, 3]),
        lambda paths: pd.Series(list(map(str, paths)), dtype="category"),
        lambda paths: pd.Series(list(map(str, paths)), dtype="string"),
        pd.Index,
        lambda paths: [paths[0], str(paths[1])],
    ],
)
def test_paths_come_in_any_sequence(data_folder, container):
    paths = [data_folder / "sleep-edf-5min.edf", data_folder / "mitdb-100.edf"]
    expected = epoch_table(list(map(str, paths)))
    pd.testing.assert_frame_equal(as_epoch_table(container(paths)), expected)
    pd.testing.assert_frame_equal(epoch_table(container(paths)), expected)
    assert {
        type(name) for name in as_epoch_table(container(paths))["recording"].cat.categories
    } == {str}


def test_paths_of_a_table_may_be_text_or_path_objects():
    X = pd.DataFrame({"recording": [Path("b.edf"), "a.edf", Path("b.edf")], "epoch": [0, 0, 1]})
    table = as_epoch_table(X)
    assert table["recording"].tolist() == ["b.edf", "a.edf", "b.edf"]
    assert isinstance(table["recording"].dtype, pd.CategoricalDtype)
    assert not isinstance(X["recording"].dtype, pd.CategoricalDtype)
