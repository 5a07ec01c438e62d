"""Who is who: people and their nights told by names."""

import re

import pytest

from sklearn_sleep.datasets import Cohort, load_cohort
from sklearn_sleep.datasets.any_folder import ANY_FOLDER, any_folder, subject_from_name
from sklearn_sleep.exceptions import (
    CohortWarning,
)


@pytest.mark.parametrize("stem", ["night1", "N1", "psg", "Sleep recording", "ses-01_psg"])
def test_people_whose_files_have_one_name_are_told_of(tmp_path, stem):
    for person in ("anna", "bert"):
        (tmp_path / person).mkdir()
        (tmp_path / person / f"{stem}.edf").touch()
    _, problems = any_folder().find(tmp_path)
    assert "have one name in several folders" in problems[0].message
    nights, problems = any_folder("([^/]+)/[^/]+$").find(tmp_path)
    assert [night.subject for night in nights] == ["anna", "bert"]
    assert not problems


SEVERAL_NIGHTS = {
    "P01_N1 P01_N2 P02_N1 P02_N2": {"P01", "P02"},
    "P01N1 P01N2 P02N1": {"P01", "P02"},
    "anna_night1 anna_night2 ben_night1": {"anna", "ben"},
    "P01-1 P01-2 P02-1": {"P01", "P02"},
    "1001_01 1001_02 1002_01": {"1001", "1002"},
    "P01_ses-2 P01_ses-3": {"P01"},
    "P01.visit.1-psg P01.visit.2-psg": {"P01"},
    "P01 P02_N1 P02_N2 P03": {"P01", "P02", "P03"},
    "P01_N2 p01_n3": {"P01"},
    "P01/night1 P01/night2 P02/night1": {"P01", "P02"},
    "all/P01_night01 all/P01_night02": {"P01"},
    "Proband7_Nacht1 Proband7_Nacht10": {"Proband7"},
}


@pytest.mark.parametrize(("names", "people"), SEVERAL_NIGHTS.items(), ids=SEVERAL_NIGHTS)
def test_several_nights_of_a_person_are_told_of_and_the_advice_joins_them(tmp_path, names, people):
    names = names.split()
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.edf").touch()
    _, (problem,) = ANY_FOLDER.find(tmp_path)
    assert problem.category is CohortWarning
    said, advice = problem.message.split(" look like nights of one person")
    assert set(said.split(", ")) <= set(names)
    (pattern,) = re.findall(r'subject=r"(.+)"', advice)
    nights, problems = any_folder(pattern).find(tmp_path)
    assert len(nights) == len(names)
    assert {night.subject for night in nights} == people
    assert not problems


@pytest.mark.parametrize(
    "names",
    [
        ["subject01", "subject02"],
        ["subject_1", "subject_2", "subject_3"],
        [f"night{number}" for number in range(1, 10)],
        [f"night_{number}" for number in range(1, 4)],
        ["edfs/night1", "edfs/night2"],
        ["my_night1", "my_night2"],
        ["n1", "n2", "nfle1", "nfle2", "rbd1"],
        [f"site1_{number:02d}" for number in range(1, 12)],
        ["rec-2021-03-05", "rec-2021-03-06"],
        ["20210305_2230", "20210305_2245"],
        ["01-01-0001 PSG", "01-01-0002 PSG"],
        ["shhs1-200001", "shhs2-200001"],
        ["mros-visit1-aa0001", "mros-visit2-aa0001"],
        ["sub-01_ses-1_eeg", "sub-01_ses-2_eeg"],
        ["P01_N1", "P02_N1", "P03_N1"],
        ["patient_1", "patient_2", "control_1", "control_2"],
        ["visit1/P01", "visit2/P01"],
    ],
    ids=lambda names: names[0],
)
def test_names_that_say_nothing_of_nights_raise_no_alarm(tmp_path, names):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.edf").touch()
    nights, problems = any_folder().find(tmp_path)
    assert len(nights) == len(names)
    assert not problems


@pytest.mark.parametrize(
    ("pattern", "people"),
    [
        (r"P\d+", ["P01", "P02", "P01"]),
        (r"(P\d+)_N\d", ["P01", "P02", "P01"]),
        (r"^night-of-(?P<subject>p\d+)|(?P<other>x)", ["P01", "P02", "P01"]),
        (r"N(\d)", ["1", "1", "2"]),
    ],
)
def test_who_is_who_as_a_pattern(tmp_path, pattern, people):
    for name in ("P01_N1", "p01_N2", "P02_N1"):
        prefix = "night-of-" if pattern.startswith("^") else ""
        (tmp_path / f"{prefix}{name}.edf").touch()
    nights, problems = any_folder(pattern).find(tmp_path)
    assert [night.subject for night in nights] == people
    assert not problems


def test_a_night_whose_person_is_not_found_is_named_and_left_out(add_night, tmp_path, write_text):
    for name in ("P01_N1", "P01_N2", "unknown"):
        add_night(f"{name}.edf", 2)
        write_text("W\nN1\n", f"{name}.csv")
    left_out = r"unknown\.edf: subject='P\S*' does not find whose"
    with pytest.warns(CohortWarning, match=left_out):
        cohort = load_cohort(tmp_path, subject=r"P\d+")
    assert cohort.recordings["subject"].tolist() == ["P01", "P01"]
    with pytest.raises(ValueError, match=r"subject='X\S*' finds nobody .*'unknown'"):
        load_cohort(tmp_path, subject=r"X\d")
    for name in ("subject", "annotation"):
        with pytest.raises(ValueError, match=rf"{name}='\(P' is no regular expression"):
            load_cohort(tmp_path, **{name: "(P"})
        with pytest.raises(ValueError, match=f"{name}=5 is no regular expression"):
            load_cohort(tmp_path, **{name: 5})


def test_nights_that_a_cohort_of_ones_own_takes_for_people_are_told_of(
    add_night, tmp_path, write_text
):
    for name in ("P01_N1", "P01_N2"):
        add_night(f"{name}.edf", 2)
        write_text("W\nN1\n", f"{name}.csv")
    mine = Cohort("mine", r"/(?P<subject>\w+)\.edf", (r"/(?P<subject>\w+)\.csv",), "")
    with pytest.warns(CohortWarning, match="P01_N1, P01_N2 look like .* a group 'visit'"):
        mine.load(tmp_path)
    night = r"/(?P<subject>\w+)_(?P<visit>N\d)\."
    known = Cohort("mine", night + "edf", (night + "csv",), "").load(tmp_path)
    assert known.recordings["subject"].tolist() == ["mine-p01", "mine-p01"]


@pytest.mark.parametrize(
    ("names", "subject"),
    [
        (["shhs1-200001", "shhs2-200001"], "shhs-200001"),
        (["mesa-sleep-0001"], "mesa-0001"),
        (["mros-visit1-aa0001", "mros-visit2-aa0001"], "mros-aa0001"),
        (["chat-baseline-300001", "chat-followup-300001"], "chat-300001"),
        (["wsc-visit1-10119-nsrr", "wsc-visit2-10119-nsrr"], "wsc-10119"),
        (["cfs-visit5-800002"], "cfs-800002"),
        (["ccshs-trec-1800001"], "ccshs-1800001"),
        (["SC4001E0-PSG"], "SC4001E0-PSG"),
    ],
)
def test_subjects_of_published_names(names, subject):
    assert {subject_from_name(name) for name in names} == {subject}
