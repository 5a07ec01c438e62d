"""Cohort: which files of a folder are nights, and what is said of the others."""

import shutil

import numpy as np
import pandas as pd
import pytest

from sklearn_sleep.datasets import Cohort, load_chat, load_mesa, load_mros, load_shhs
from sklearn_sleep.exceptions import (
    CohortWarning,
    EDFRepairWarning,
    EDFWarning,
    HypnogramWarning,
)


def remove_annotations(folder, night):
    for path in folder.glob(f"annotations-*/*/{night}-*.xml"):
        path.unlink()


@pytest.fixture
def small_tree(public_tree, tmp_path):
    """A copy of SHHS to be damaged at will."""
    shutil.copytree(public_tree("shhs").nights[0].folder, tmp_path / "shhs")
    return tmp_path / "shhs" / "polysomnography"


def test_missing_annotation_is_reported_by_name(small_tree):
    remove_annotations(small_tree, "shhs1-200002")
    with pytest.warns(HypnogramWarning, match=r"shhs1-200002\.edf has no annotation"):
        cohort = load_shhs(small_tree.parent)
    assert len(cohort.recordings) == 7
    assert cohort.problems["path"].str.endswith("shhs1-200002.edf").all()


def test_profusion_annotation_stands_in(small_tree):
    expected = load_shhs(small_tree.parent)
    (small_tree / "annotations-events-nsrr/shhs1/shhs1-200002-nsrr.xml").unlink()
    found = load_shhs(small_tree.parent)
    np.testing.assert_array_equal(found.y, expected.y)
    annotations = found.recordings["annotation"]
    assert annotations[annotations.str.endswith("-profusion.xml")].str.contains("200002").sum() == 1


def test_nights_whose_stages_are_known_to_be_wrong_are_left_out(public_tree, tmp_path):
    shutil.copytree(public_tree("mros").nights[0].folder, tmp_path / "mros")
    for path in [*(tmp_path / "mros").rglob("*aa0002*")]:
        path.rename(path.with_name(path.name.replace("aa0002", "aa2033")))
    with pytest.warns(CohortWarning, match=r"visit1-aa2033\.edf has wrong stages, as the provider"):
        cohort = load_mros(tmp_path / "mros")
    assert cohort.problems["path"].str.endswith("mros-visit1-aa2033.edf").all()
    # The second visit of the person is sound.
    of_person = cohort.recordings[cohort.recordings["subject"] == "mros-aa2033"]
    assert of_person["visit"].tolist() == ["2"]
    assert len(cohort.recordings) == 7


def test_missing_recording_is_reported_by_name(small_tree):
    (small_tree / "edfs/shhs2/shhs2-200001.edf").unlink()
    with pytest.warns(CohortWarning, match=r"shhs2-200001-nsrr\.xml has no recording"):
        cohort = load_shhs(small_tree.parent)
    assert len(cohort.recordings) == 7
    assert cohort.problems["path"].str.endswith("shhs2-200001-nsrr.xml").all()


def test_unknown_files_are_reported_by_name(small_tree):
    for number in range(7):
        (small_tree / f"edfs/shhs1/stray{number}.edf").write_bytes(b"")
    with pytest.warns(CohortWarning, match=r"stray0\.edf is not a file of shhs.*And 2 more"):
        cohort = load_shhs(small_tree.parent)
    assert len(cohort.recordings) == 8
    assert len(cohort.problems) == 7
    assert cohort.problems["problem"].str.contains("left out").all()


def test_a_night_that_is_there_twice_is_reported_by_name(small_tree):
    (small_tree / "more").mkdir()
    shutil.copy(small_tree / "edfs/shhs1/shhs1-200001.edf", small_tree / "more")
    with pytest.warns(CohortWarning, match=r"more/shhs1-200001\.edf is the same night"):
        cohort = load_shhs(small_tree.parent)
    assert len(cohort.recordings) == 8


def test_recording_that_cannot_be_read_is_reported_by_name(small_tree):
    path = small_tree / "edfs/shhs1/shhs1-200003.edf"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.warns(EDFWarning, match=r"shhs1-200003\.edf"):
        cohort = load_shhs(small_tree.parent)
    assert len(cohort.recordings) == 7


def test_repaired_header_is_among_the_problems(small_tree):
    path = small_tree / "edfs/shhs1/shhs1-200003.edf"
    content = bytearray(path.read_bytes())
    content[168:176] = b"31.02.85"
    path.write_bytes(bytes(content))
    with pytest.warns(EDFRepairWarning, match=r"shhs1-200003\.edf.*startdate"):
        cohort = load_shhs(small_tree.parent)
    assert len(cohort.recordings) == 8
    assert cohort.problems["path"].tolist() == [str(path)]


def test_processes_load_what_one_process_loads(small_tree):
    remove_annotations(small_tree, "shhs1-200002")
    with pytest.warns(HypnogramWarning):
        expected = load_shhs(small_tree.parent)
    with pytest.warns(HypnogramWarning, match="shhs1-200002"):
        found = load_shhs(small_tree.parent, n_jobs=2)
    pd.testing.assert_frame_equal(found.X, expected.X)
    pd.testing.assert_frame_equal(found.problems, expected.problems)
    np.testing.assert_array_equal(found.y, expected.y)


def test_visits(public_tree):
    folder = public_tree("chat").nights[0].folder
    cohort = load_chat(folder, visits=["baseline"])
    assert set(cohort.recordings["visit"]) == {"baseline"}
    with pytest.raises(ValueError, match="no visit third; it holds baseline"):
        load_chat(folder, visits=["third"])


def test_wrong_folders(public_tree, tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        load_mesa(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no night of mesa"):
        load_mesa(tmp_path)
    message = r"is not a file of mesa"
    with (
        pytest.warns(CohortWarning, match=message),
        pytest.raises(ValueError, match="holds no night of mesa"),
    ):
        load_mesa(public_tree("shhs").nights[0].folder)


def test_a_cohort_of_ones_own(write_edf):
    path = write_edf("attic/night2-07.edf", ("ECG", np.zeros(300), 5, "mV", (-1, 1)))
    path.with_suffix(".csv").write_text("onset,duration,stage\n0,30,W\n30,30,N1\n")
    attic = Cohort(
        "attic",
        recording=r"/night(?P<visit>\d)-(?P<subject>\d+)\.edf",
        annotations=(r"/night(?P<visit>\d)-(?P<subject>\d+)\.csv",),
        description="Nights found in an attic.",
    )
    X, y, groups = attic.load(path.parent, return_X_y_groups=True)
    assert y.tolist() == [0, 1]
    assert groups.tolist() == ["attic-07", "attic-07"]
    assert X["dataset"].tolist() == ["attic", "attic"]
    assert attic.load(path.parent).recordings["visit"].tolist() == ["2"]
