"""Age, sex and body mass index come from the providers' tables, or from headers."""

import os
import shutil

import edfio
import pandas as pd
import pytest

from sklearn_sleep.datasets import COHORTS, load_sleep_edf

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


def test_table_without_the_persons_number_is_refused(public_tree, tmp_path):
    shutil.copytree(public_tree("cfs").nights[0].folder, tmp_path / "cfs")
    (tmp_path / "cfs" / "cfs-visit5-dataset-0.7.0.csv").write_text("age\n1\n")
    with pytest.raises(ValueError, match=r"cfs-visit5.*no column 'nsrrid'"):
        COHORTS["cfs"].load(tmp_path / "cfs")


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
