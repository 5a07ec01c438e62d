"""Age, sex and body mass index come from the providers' tables, or from headers."""

import os
import shutil

import edfio
import pandas as pd
import pytest

from sklearn_sleep.datasets import COHORTS, load_sleep_edf
from sklearn_sleep.datasets.demographics import Demographics
from sklearn_sleep.exceptions import CohortWarning

# Columns as the data dictionaries of the NSRR name them.
DEMOGRAPHICS = [
    ("shhs", "shhs1-dataset-0.21.0.csv", "nsrrid,age_s1,gender,bmi_s1\n200002,55,2,31.5\n", "1"),
    ("shhs", "shhs2-dataset-0.21.0.csv", "nsrrid,age_s2,gender,bmi_s2\n200002,55,2,31.5\n", "2"),
    (
        "shhs",
        "shhs-harmonized-dataset-0.21.0.csv",
        "nsrrid,visitnumber,nsrr_age,nsrr_sex,nsrr_bmi\n200002,2,55,female,31.5\n",
        "2",
    ),
    ("mesa", "mesa-sleep-dataset-0.8.0.csv", "mesaid,sleepage5c,gender1,bmi5c\n2,55,0,31.5\n", "1"),
    (
        "wsc",
        "wsc-dataset-0.8.0.csv",
        "wsc_id,wsc_vst,age,sex,bmi\n10104,1,40,M,20\n10104,2,55,F,31.5\n",
        "2",
    ),
    (
        "chat",
        "chat-followup-dataset-0.12.0.csv",
        "nsrrid,ageyear_at_meas,male,bmi\n300003,55,0,31.5\n",
        "followup",
    ),
    ("cfs", "cfs-visit5-dataset-0.7.0.csv", "nsrrid,age,male,bmi\n800002,55,0,31.5\n", "5"),
    ("ccshs", "ccshs-trec-dataset-0.8.0.csv", "nsrrid,age,male,bmi\n1800002,55,0,31.5\n", "1"),
    (
        "mros",
        "mros-visit1-dataset-0.6.0.csv",
        "nsrrid,vsage1,gender,hwbmi\nAA0002,55,1,31.5\n",
        "1",
    ),
    (
        "mros",
        "mros-visit2-harmonized-0.6.0.csv",
        "nsrrid,nsrr_age,nsrr_sex,nsrr_bmi\nAA0002,55,female,31.5\n",
        "2",
    ),
]


@pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.EDFWarning")
@pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.HypnogramWarning")
@pytest.mark.parametrize(("name", "file", "text", "visit"), DEMOGRAPHICS)
def test_demographics_of_the_providers_tables(name, file, text, visit, public_tree, tmp_path):
    copied = tmp_path / name
    shutil.copytree(public_tree(name).nights[0].folder, copied, copy_function=os.link)
    (copied / "datasets").mkdir()
    (copied / "datasets" / file).write_text(text)
    recordings = COHORTS[name].load(copied).recordings
    told = recordings["age"].notna()
    person = text.splitlines()[-1].split(",")[0].casefold()
    assert told.sum() >= 1
    of_visit = recordings[told & (recordings["visit"] == visit)]
    assert len(of_visit) == 1
    row = of_visit.iloc[0]
    assert row["subject"].endswith(person)
    assert (row["age"], row["sex"], row["bmi"]) == (55.0, "F", 31.5)
    others = recordings[~told]
    assert others["sex"].isna().all()
    assert others["bmi"].isna().all()


CFS = Demographics(r"cfs.*\.csv", "nsrrid", age=("nsrr_age", "age"), sex=("male",), bmi=("bmi",))
ROWS = "nsrrid,age,male,bmi\r\n800002,55,F,31.5\r\n"


@pytest.mark.parametrize(
    "content",
    [
        ROWS.encode(),
        ROWS.encode("utf-8-sig"),
        ROWS.encode("utf-16"),
        b"\r\n".join([b"name,nsrrid,age,male,bmi", b"Andr\xe9,800002,55,F,31.5"]),
        b"nsrrid,age,AGE,male,bmi\n800002,55,7,F,31.5\n",
        b"NSRRID,nsrrid,Male,Nsrr_Age,bmi\n7,800002,F,55,31.5\n",
        b"nsrrid,age,male,bmi\n\n800002, 55 ,F,31.5,,\n800003,1\n",
        b'nsrrid,age,male,bmi\n800002,55,F,"31,5"\n',
    ],
)
def test_tables_as_others_write_them(content, tmp_path):
    path = tmp_path / "cfs.csv"
    path.write_bytes(content)
    row = CFS.read(path).iloc[0]
    assert (row["person"], row["age"], row["sex"], row["bmi"]) == ("800002", 55.0, "F", 31.5)


def test_what_is_no_number_is_missing(tmp_path):
    path = tmp_path / "cfs.csv"
    cells = ["", "NA", "inf", "1e999", "9" * 5000]
    path.write_text("nsrrid,age,male,bmi\n" + "".join(f"1,{cell},?,\n" for cell in cells))
    assert CFS.read(path)[["age", "sex", "bmi"]].isna().all(axis=None)


@pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.EDFWarning")
@pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.HypnogramWarning")
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "has no column 'nsrrid'"),
        (b"age\n1\n", "has no column 'nsrrid'"),
        (bytes(range(256)) * 9, "line 3 has 2 cells, where the header has 1"),
        (b"nsrrid,age\n1,2\n1,2,3\n", "line 3 has 3 cells, where the header has 2"),
        (b"nsrrid,age\n1," + b"2" * 200_000, "line 2: this is no table"),
        (None, "is a FIFO, a device or a broken link"),
        ("../cfs.csv", "is a link that leaves the cohort's folder"),
    ],
)
def test_table_that_cannot_be_read_is_named_and_the_nights_go_on(
    content, fault, public_tree, tmp_path
):
    shutil.copytree(public_tree("cfs").nights[0].folder, tmp_path / "cfs")
    table = tmp_path / "cfs" / "cfs-visit5-dataset-0.7.0.csv"
    if content is None:
        os.mkfifo(table)
    elif isinstance(content, str):
        (tmp_path / "cfs.csv").write_text(ROWS)
        table.symlink_to(content)
    else:
        table.write_bytes(content)
    with pytest.warns(CohortWarning, match=f"cfs-visit5-dataset-0.7.0.csv.*{fault}"):
        loaded = COHORTS["cfs"].load(tmp_path / "cfs")
    assert len(loaded.recordings)
    assert loaded.recordings["age"].isna().all()
    assert loaded.problems["path"].tolist().count(str(table)) == 1


@pytest.mark.parametrize(
    ("sex", "name", "age", "told"),
    [("F", "Female_33yr", 33, "F"), ("M", "Male_26yr", 26, "M"), ("X", "X", None, None)],
)
def test_demographics_of_the_header(sex, name, age, told, public_tree, tmp_path):
    # https://physionet.org/content/sleep-edfx: sex and age are in the patient field.
    source = public_tree("sleep_edf").nights[0]
    folder = tmp_path / "sleep-cassette"
    folder.mkdir()
    recording = edfio.read_edf(source.recording)
    recording.patient = edfio.Patient(code="X", sex=sex, name=name)
    recording.write(folder / source.recording.name)
    shutil.copy(source.annotations, folder)
    row = load_sleep_edf(tmp_path).recordings.iloc[0]
    assert (row["age"] if pd.notna(row["age"]) else None) == age
    assert (row["sex"] if pd.notna(row["sex"]) else None) == told
