"""load_cohorts, and splits by cohort and by subject."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_score

from sklearn_sleep.core.stage_schemes import merge_stages
from sklearn_sleep.datasets import (
    LeaveOneCohortOut,
    load_cohorts,
    load_isruc,
    load_mesa,
    load_shhs,
    split_subjects,
)
from sklearn_sleep.exceptions import CohortWarning, SharedSubjectWarning
from sklearn_sleep.preprocessing import EDFReader
from sklearn_sleep.simulation.make_cohort import make_cohort


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("joined")
    for name in ("shhs", "mesa", "isruc"):
        make_cohort(root / name, layout=name, n_subjects=3, hours=0.5, second_visit_probability=1.0)
    return {name: root / name for name in ("shhs", "mesa", "isruc")}


@pytest.fixture(scope="module")
def joined(folders):
    return load_cohorts(folders)


def test_rows_of_all_cohorts_in_their_order(folders, joined):
    parts = [load_shhs(folders["shhs"]), load_mesa(folders["mesa"]), load_isruc(folders["isruc"])]
    np.testing.assert_array_equal(joined.y, np.concatenate([part.y for part in parts]))
    for column in ("recording", "epoch", "subject", "dataset", "scored_epochs"):
        expected = [value for part in parts for value in part.X[column]]
        assert joined.X[column].tolist() == expected
    assert isinstance(joined.X["recording"].dtype, pd.CategoricalDtype)
    assert joined.recordings["path"].nunique() == sum(len(part.recordings) for part in parts)
    assert joined.groups.nunique() == 9
    assert joined.DESCR.count("How to get it") == 3
    X, y, groups = load_cohorts(folders, return_X_y_groups=True)
    pd.testing.assert_frame_equal(X, joined.X)
    assert len(y) == len(groups) == len(X)


def test_loaded_cohorts_are_joined_as_they_are(folders, joined):
    second_scorer = load_isruc(folders["isruc"], scorer=2)
    mixed = load_cohorts({"mesa": folders["mesa"], "isruc": second_scorer})
    rows = (mixed.X["dataset"] == "isruc").to_numpy()
    np.testing.assert_array_equal(mixed.y[rows], second_scorer.y)
    assert len(load_cohorts([second_scorer]).X) == len(second_scorer.X)


def test_impossible_cohorts(folders):
    with pytest.raises(ValueError, match=r"'attic' is not a cohort that is known; use .*shhs"):
        load_cohorts({"attic": folders["shhs"]})
    with pytest.raises(ValueError, match="names no cohort"):
        load_cohorts({})
    shhs = load_shhs(folders["shhs"])
    with pytest.raises(ValueError, match=r"shhs1-200001\.edf is in two"):
        load_cohorts([shhs, shhs])


def test_leave_one_cohort_out(joined):
    splitter = LeaveOneCohortOut()
    assert splitter.get_n_splits(joined.X) == 3
    datasets = joined.X["dataset"].to_numpy()
    tested = []
    for train, test in splitter.split(joined.X, joined.y, joined.groups):
        (name,) = set(datasets[test])
        assert name not in set(datasets[train])
        assert len(train) + len(test) == len(datasets)
        tested.append(name)
    assert sorted(tested) == ["isruc", "mesa", "shhs"]
    epochs = EDFReader(["ECG"]).fit_transform(joined.X)
    for (train, test), (a, b) in zip(splitter.split(joined.X), splitter.split(epochs), strict=True):
        np.testing.assert_array_equal(train, a)
        np.testing.assert_array_equal(test, b)


def test_leave_one_cohort_out_scores_a_pipeline(joined, make_pipeline_of):
    scores = cross_val_score(
        make_pipeline_of(),
        joined.X,
        merge_stages(joined.y, 4),
        groups=joined.groups,
        cv=LeaveOneCohortOut(),
        scoring="accuracy",
    )
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()


def test_leave_one_cohort_out_needs_cohorts(joined):
    with pytest.raises(ValueError, match="no column 'dataset'"):
        list(LeaveOneCohortOut().split(joined.X.drop(columns="dataset")))
    one = joined.X[joined.X["dataset"] == "mesa"]
    with pytest.raises(ValueError, match="two cohorts at least; X holds mesa only"):
        list(LeaveOneCohortOut().split(one))


def table(n_subjects, dataset="shhs"):
    subjects = [f"{dataset}-{number:03d}" for number in range(n_subjects)]
    rows = [(f"{dataset}{v}-{s[-3:]}.edf", s, dataset) for s in subjects for v in (1, 2)]
    return pd.DataFrame(rows, columns=["recording", "subject", "dataset"])


def test_drawn_parts_keep_subjects_and_sizes():
    X = pd.concat([table(40), table(20, "mesa")], ignore_index=True)
    parts = split_subjects(X, sizes=(0.5, 0.25, 0.25), random_state=3)
    assert sorted(np.concatenate([parts.train, parts.validation, parts.test])) == list(
        range(len(X))
    )
    sets = [set(X["subject"].iloc[rows]) for rows in (parts.train, parts.validation, parts.test)]
    assert not sets[0] & sets[1]
    assert not (sets[0] | sets[1]) & sets[2]
    for dataset, expected in (("shhs", [20, 10, 10]), ("mesa", [10, 5, 5])):
        assert [sum(s.startswith(dataset) for s in part) for part in sets] == expected


def test_draw_depends_on_the_seed_and_on_no_other_cohort():
    X = table(40)
    first = split_subjects(X, random_state=0)
    both = split_subjects(pd.concat([X, table(20, "mesa")], ignore_index=True), random_state=0)
    np.testing.assert_array_equal(first.train, both.train[both.train < len(X)])
    shuffled = X.sample(frac=1, random_state=0)
    again = split_subjects(shuffled, random_state=0)
    assert set(shuffled["recording"].iloc[again.test]) == set(X["recording"].iloc[first.test])
    assert set(first.test) != set(split_subjects(X, random_state=1).test)


@pytest.mark.parametrize("sizes", [(0.5, 0.5, 0.5), (1.0, 0.5, -0.5), (1.0, 0.0)])
def test_impossible_sizes(sizes):
    with pytest.raises(ValueError, match="three numbers"):
        split_subjects(table(4), sizes=sizes)


def test_lists_of_a_published_split(tmp_path):
    X = pd.concat([table(4), table(2, "mesa")], ignore_index=True)
    (tmp_path / "train.txt").write_text("shhs1-000\nSHHS2-000.edf\n\n# a comment\nshhs1-001\n")
    (tmp_path / "test.txt").write_text("shhs-002  # by subject\n")
    parts = split_subjects(
        X,
        id_lists={
            "train": [tmp_path / "train.txt", "mesa-000"],
            "test": str(tmp_path / "test.txt"),
        },
    )
    assert X["recording"].iloc[parts.train].tolist() == [
        "shhs1-000.edf",
        "shhs2-000.edf",
        "shhs1-001.edf",
        "mesa1-000.edf",
        "mesa2-000.edf",
    ]
    assert X["recording"].iloc[parts.test].tolist() == ["shhs1-002.edf", "shhs2-002.edf"]
    assert len(parts.validation) == 0


def test_ids_without_a_night_are_named():
    with pytest.warns(CohortWarning, match="names 2 nights that X does not have: shhs1-9, shhs2-9"):
        parts = split_subjects(table(2), id_lists={"test": ["shhs1-9", "shhs2-9", "shhs1-001"]})
    assert parts.test.tolist() == [2]


def test_shared_subjects():
    lists = {"train": ["shhs1-000", "shhs1-001"], "test": ["shhs2-000"]}
    with pytest.warns(SharedSubjectWarning, match=r"1 subjects.*shhs-000"):
        parts = split_subjects(table(2), id_lists=lists)
    assert parts.train.tolist() == [0, 2]
    parts = split_subjects(table(2), id_lists=lists, on_shared_subject="drop")
    assert (parts.train.tolist(), parts.test.tolist()) == ([2], [1])
    with pytest.raises(ValueError, match="shhs-000"):
        split_subjects(table(2), id_lists=lists, on_shared_subject="raise")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"id_lists": {"training": ["a"]}}, r"\['training'\]; they must be some of train"),
        ({"id_lists": {}}, "must be some of train"),
        ({"id_lists": {"train": ["a"], "test": ["a"]}}, "a is in train and in test"),
        ({"on_shared_subject": "keep"}, "on_shared_subject='keep'"),
    ],
)
def test_impossible_lists(parameters, message):
    with pytest.raises(ValueError, match=message):
        split_subjects(table(2), **parameters)


def test_table_without_subjects():
    with pytest.raises(ValueError, match="no column 'subject'"):
        split_subjects(table(2).drop(columns="subject"))
