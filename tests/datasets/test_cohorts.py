"""The public cohorts, from trees that make_cohort writes in their layouts."""

import shutil
import warnings

import numpy as np
import pandas as pd
import pytest

from sklearn_sleep import datasets
from sklearn_sleep.datasets import COHORTS, Cohort, make_cohort
from sklearn_sleep.exceptions import (
    CohortWarning,
    EDFRepairWarning,
    EDFWarning,
    HypnogramWarning,
    MissingSignalWarning,
)
from sklearn_sleep.io.edf_header import read_edf_header
from sklearn_sleep.preprocessing import EDFReader, Epocher, Resampler

NAMES = tuple(COHORTS)
# What the layouts' defects make known by name, in a tree of four subjects with all their visits.
DEFECTS = {"chat": EDFWarning, "wsc": HypnogramWarning}
LEFT_OUT = {"wsc": ["wsc-visit1-10102-nsrr", "wsc-visit1-10104-nsrr"]}
CARDIORESPIRATORY = {"ECG", "PPG", "ABD", "THX"}
SIGNALS = {
    "shhs": {"ECG", "ABD", "THX", "EOG-L", "EOG-R", "EEG", "EMG"},
    "mesa": {"ECG", "PPG", "ABD", "THX", "EOG-L", "EOG-R", "EEG", "EMG"},
    "wsc": {"ECG", "ABD", "THX", "EOG-L", "EOG-R", "EEG", "EMG"},
    "chat": {"ECG", "PPG", "ABD", "THX", "EOG-L", "EOG-R", "EEG"},
    "cfs": {"ECG", "PPG", "ABD", "THX", "EOG-L", "EOG-R", "EEG"},
    "ccshs": {"ECG", "PPG", "ABD", "THX", "EOG-L", "EOG-R", "EEG"},
    "mros": {"ECG", "ABD", "THX", "EOG-L", "EOG-R", "EEG"},
    "isruc": {"ECG", "EOG-L", "EOG-R", "EEG", "EMG"},
    "mass": {"ECG", "EOG-L", "EOG-R", "EEG", "EMG"},
    "sleep_edf": {"EOG", "EEG", "EMG"},
}


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """A tree of each cohort with four subjects, and what the generator knows of it."""
    root = tmp_path_factory.mktemp("cohorts")
    return {
        name: make_cohort(
            root / name, layout=name, n_subjects=4, hours=0.5, second_visit_probability=1.0
        )
        for name in NAMES
    }


def load(name, folder, **parameters):
    return getattr(datasets, f"load_{name}")(folder, **parameters)


def load_quietly(name, folder, **parameters):
    with warnings.catch_warnings():
        for category in (CohortWarning, EDFWarning, HypnogramWarning):
            warnings.simplefilter("ignore", category)
        return load(name, folder, **parameters)


def folder_of(tree):
    return tree.nights[0].folder


@pytest.mark.parametrize("name", NAMES)
def test_rows_and_stages_are_those_of_the_generator(name, trees):
    tree = trees[name]
    parameters = {"wake_minutes": None} if name == "sleep_edf" else {}
    cohort = load_quietly(name, folder_of(tree), **parameters)
    expected = {
        str(night.recording): night.load_truth()["stages"]
        for night in tree.nights
        if night.recording.stem not in LEFT_OUT.get(name, ())
    }
    assert set(cohort.recordings["path"]) == set(expected)
    for path, rows in cohort.X.groupby("recording", observed=True).indices.items():
        scored = np.flatnonzero(expected[path] >= 0)
        np.testing.assert_array_equal(cohort.X["epoch"].to_numpy()[rows], scored)
        np.testing.assert_array_equal(cohort.y[rows], expected[path][scored])
        assert (cohort.X["scored_epochs"].to_numpy()[rows] == len(scored)).all()
    assert (cohort.X["dataset"] == name).all()
    assert cohort.y.dtype == np.int64


@pytest.mark.parametrize("name", NAMES)
def test_subjects_visits_and_signals_are_those_of_the_generator(name, trees):
    tree = trees[name]
    cohort = load_quietly(name, folder_of(tree))
    nights = {str(night.recording): night for night in tree.nights}
    for row in cohort.recordings.itertuples():
        night = nights[row.path]
        assert row.subject == night.subject
        assert row.visit == night.files.name
        without = {"ECG"} if night.files.without_scale else set()
        assert set(row.signals) == SIGNALS[name] - without
        header = read_edf_header(row.path)
        assert row.start == header.start
        assert row.duration == header.duration
        assert (cohort.groups[cohort.X["recording"] == row.path] == night.subject).all()
    visits = cohort.recordings.groupby("subject")["path"].count()
    assert visits.max() == (
        2 if name in ("shhs", "wsc", "chat", "mros", "isruc", "sleep_edf") else 1
    )
    assert name in cohort.DESCR.casefold().replace("-", "_")
    assert "How to get it" in cohort.DESCR
    assert "Cite:" in cohort.DESCR


@pytest.mark.parametrize("name", NAMES)
def test_signals_are_read_by_the_cohorts_labels(name, trees):
    cohort = load_quietly(name, folder_of(trees[name]))
    wanted = sorted(SIGNALS[name])
    reader = EDFReader(wanted)
    with warnings.catch_warnings():
        if name in DEFECTS:
            warnings.simplefilter("ignore", EDFWarning)
        epochs = reader.fit_transform(cohort.X)
    for recording in epochs.recordings:
        assert recording.dataset == name
        for signal in recording.signals.values():
            epoched = Epocher().transform_signal(Resampler().transform_signal(signal))
            assert epoched.data.shape[0] == recording.n_epochs
            assert np.nanstd(epoched.data) > 0


@pytest.mark.parametrize("name", NAMES)
def test_defects_are_reported_by_name(name, trees):
    folder = folder_of(trees[name])
    if name not in DEFECTS:
        assert load(name, folder).problems.empty
        return
    with pytest.warns(DEFECTS[name]) as warned:
        cohort = load(name, folder)
    assert {warning.category for warning in warned} == {DEFECTS[name]}
    for warning in warned:
        assert any(path in str(warning.message) for path in cohort.problems["path"])
    defective = {
        str(night.recording)
        for night in trees[name].nights
        if night.files.without_scale or "power" in night.files.annotations[0].format
    }
    assert set(cohort.problems["path"]) == defective


def test_channel_without_scale_in_chat_counts_as_missing(trees):
    cohort = load_quietly("chat", folder_of(trees["chat"]), visits=["baseline-nonrandomized"])
    with pytest.warns(EDFWarning, match="'physical maximum' of channel 'ECG1'"):
        epochs = EDFReader(["ECG", "PPG"]).fit_transform(cohort.X)
    assert all(list(recording.signals) == ["PPG"] for recording in epochs.recordings)
    with pytest.warns((EDFWarning, MissingSignalWarning)):
        EDFReader(["ECG"]).fit_transform(cohort.X)


def test_respiration_of_shhs_is_turned_the_way_the_header_says(trees):
    cohort = load("shhs", folder_of(trees["shhs"]), visits=[1])
    path = cohort.recordings["path"][0]
    header = read_edf_header(path)
    belt = next(channel for channel in header.channels if channel.label == "THOR RES")
    assert belt.physical_minimum > belt.physical_maximum
    signal = EDFReader(["THX"]).fit_transform(cohort.X).recordings[0].signals["THX"].data
    import pyedflib

    with pyedflib.EdfReader(path) as file:
        labels = file.getSignalLabels()
        digital = file.readSignal(labels.index("THOR RES"), digital=True)
    # The larger the stored number, the smaller the value.
    assert np.corrcoef(signal, digital)[0, 1] < -0.999


def test_rates_of_the_visits_of_shhs_differ(trees):
    rates = {}
    for visit in ("1", "2"):
        X, _, _ = load("shhs", folder_of(trees["shhs"]), visits=[visit], return_X_y_groups=True)
        signal = EDFReader(["ECG"]).fit_transform(X).recordings[0].signals["ECG"]
        rates[visit] = signal.sampling_frequency
    assert rates == {"1": 125.0, "2": 250.0}


def test_scorers_of_isruc(trees):
    tree = trees["isruc"]
    second = load("isruc", folder_of(tree), scorer=2)
    truth = {str(night.recording): night.load_truth() for night in tree.nights}
    for path, rows in second.X.groupby("recording", observed=True).indices.items():
        np.testing.assert_array_equal(second.y[rows], truth[path]["physiological_stages"])
    first = load("isruc", folder_of(tree))
    assert 0 < (first.y != second.y).mean() < 0.5
    with pytest.raises(ValueError, match="scorer=3"):
        load("isruc", folder_of(tree), scorer=3)


def test_workbook_of_isruc_is_read_where_there_is_no_text(trees, tmp_path):
    shutil.copytree(folder_of(trees["isruc"]), tmp_path / "isruc")
    expected = load("isruc", tmp_path / "isruc")
    for path in (tmp_path / "isruc").rglob("*_1.txt"):
        path.unlink()
    found = load("isruc", tmp_path / "isruc")
    np.testing.assert_array_equal(found.y, expected.y)
    assert found.recordings["annotation"].str.endswith("_1.xlsx").all()


@pytest.mark.parametrize("part", ["subgroupI", "subgroupII", "subgroupIII"])
def test_a_subgroup_of_isruc_by_itself(part, trees):
    whole = load("isruc", folder_of(trees["isruc"]))
    alone = load("isruc", folder_of(trees["isruc"]) / part)
    inside = whole.recordings["path"].str.contains(f"/{part}/")
    assert alone.recordings["subject"].tolist() == whole.recordings["subject"][inside].tolist()
    assert alone.recordings["visit"].tolist() == whole.recordings["visit"][inside].tolist()


def test_wake_of_sleep_edf_is_trimmed(trees):
    tree = trees["sleep_edf"]
    whole = load("sleep_edf", folder_of(tree), wake_minutes=None)
    trimmed = load("sleep_edf", folder_of(tree), wake_minutes=5)
    for night in tree.nights:
        stages = night.load_truth()["stages"]
        asleep = np.flatnonzero(stages > 0)
        rows = (trimmed.X["recording"] == str(night.recording)).to_numpy()
        epoch = trimmed.X["epoch"].to_numpy()[rows]
        kept = np.arange(asleep[0] - 10, asleep[-1] + 11)
        np.testing.assert_array_equal(epoch, kept[stages[kept] >= 0])
        assert (trimmed.X["scored_epochs"].to_numpy()[rows] == rows.sum()).all()
    assert len(trimmed.X) < 0.8 * len(whole.X)
    assert len(load("sleep_edf", folder_of(tree)).X) > len(trimmed.X)


def test_pages_of_mass_are_of_20_seconds(trees):
    tree = trees["mass"]
    formats = {
        night.recording.parent.name: night.files.annotations[0].format for night in tree.nights
    }
    assert formats == {"SS1": "MASS", "SS2": "MASS 20 s"}
    from sklearn_sleep.io.edf_annotations import read_edf_annotations

    durations = {
        night.recording.parent.name: set(read_edf_annotations(night.annotations).duration)
        for night in tree.nights
    }
    assert durations == {"SS1": {30.0}, "SS2": {20.0}}


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
        "wsc_id,wsc_vst,age,sex,bmi\n10103,1,40,M,20\n10103,2,55,F,31.5\n",
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


@pytest.mark.parametrize(("name", "file", "text", "visit"), DEMOGRAPHICS)
def test_demographics_of_the_providers_tables(name, file, text, visit, trees, tmp_path):
    copied = tmp_path / name
    shutil.copytree(folder_of(trees[name]), copied)
    (copied / "datasets").mkdir()
    (copied / "datasets" / file).write_text(text)
    recordings = load_quietly(name, copied).recordings
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


def test_table_without_the_persons_number_is_refused(trees, tmp_path):
    shutil.copytree(folder_of(trees["cfs"]), tmp_path / "cfs")
    (tmp_path / "cfs" / "cfs-visit5-dataset-0.7.0.csv").write_text("age\n1\n")
    with pytest.raises(ValueError, match=r"cfs-visit5.*no column 'nsrrid'"):
        load("cfs", tmp_path / "cfs")


def test_demographics_of_the_header(tmp_path, data_folder):
    folder = tmp_path / "sleep-cassette"
    folder.mkdir()
    shutil.copy(data_folder / "sleep-edf-5min.edf", folder / "SC4001E0-PSG.edf")
    shutil.copy(data_folder / "SC4001EC-Hypnogram.edf", folder)
    with pytest.warns(HypnogramWarning, match="scored epochs after"):
        cohort = load("sleep_edf", tmp_path)
    row = cohort.recordings.iloc[0]
    assert row["subject"] == "sleep_edf-sc400"
    # https://physionet.org/content/sleep-edfx: subject 0 is a woman of 33 years.
    if "Female_33yr" in read_edf_header(row["path"]).patient:
        assert (row["age"], row["sex"]) == (33, "F")
    else:
        assert pd.isna(row["age"])


@pytest.fixture
def small_tree(trees, tmp_path):
    """A copy of SHHS to be damaged at will."""
    shutil.copytree(folder_of(trees["shhs"]), tmp_path / "shhs")
    return tmp_path / "shhs" / "polysomnography"


def test_missing_annotation_is_reported_by_name(small_tree):
    (small_tree / "annotations-events-nsrr/shhs1/shhs1-200002-nsrr.xml").unlink()
    with pytest.warns(HypnogramWarning, match=r"shhs1-200002\.edf has no annotation"):
        cohort = load("shhs", small_tree.parent)
    assert len(cohort.recordings) == 7
    assert cohort.problems["path"].str.endswith("shhs1-200002.edf").all()


def test_profusion_annotation_stands_in(small_tree, data_folder):
    (small_tree / "annotations-events-nsrr/shhs1/shhs1-200002-nsrr.xml").unlink()
    (small_tree / "annotations-events-profusion").mkdir()
    shutil.copy(
        data_folder / "compumedics-profusion.xml",
        small_tree / "annotations-events-profusion/shhs1-200002-profusion.xml",
    )
    with pytest.warns(HypnogramWarning, match="shhs1-200002.*scored epochs after"):
        cohort = load("shhs", small_tree.parent)
    assert len(cohort.recordings) == 8


def test_missing_recording_is_reported_by_name(small_tree):
    (small_tree / "edfs/shhs2/shhs2-200001.edf").unlink()
    with pytest.warns(CohortWarning, match=r"shhs2-200001-nsrr\.xml has no recording"):
        cohort = load("shhs", small_tree.parent)
    assert len(cohort.recordings) == 7
    assert cohort.problems["path"].str.endswith("shhs2-200001-nsrr.xml").all()


def test_unknown_files_are_reported_by_name(small_tree):
    for number in range(7):
        (small_tree / f"edfs/shhs1/stray{number}.edf").write_bytes(b"")
    with pytest.warns(CohortWarning, match=r"stray0\.edf is not a file of shhs.*And 2 more"):
        cohort = load("shhs", small_tree.parent)
    assert len(cohort.recordings) == 8
    assert len(cohort.problems) == 7
    assert cohort.problems["problem"].str.contains("left out").all()


def test_a_night_that_is_there_twice_is_reported_by_name(small_tree):
    (small_tree / "more").mkdir()
    shutil.copy(small_tree / "edfs/shhs1/shhs1-200001.edf", small_tree / "more")
    with pytest.warns(CohortWarning, match=r"more/shhs1-200001\.edf is the same night"):
        cohort = load("shhs", small_tree.parent)
    assert len(cohort.recordings) == 8


def test_recording_that_cannot_be_read_is_reported_by_name(small_tree):
    path = small_tree / "edfs/shhs1/shhs1-200003.edf"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.warns(EDFWarning, match=r"shhs1-200003\.edf"):
        cohort = load("shhs", small_tree.parent)
    assert len(cohort.recordings) == 7


def test_repaired_header_is_among_the_problems(small_tree):
    path = small_tree / "edfs/shhs1/shhs1-200003.edf"
    content = bytearray(path.read_bytes())
    content[168:176] = b"31.02.85"
    path.write_bytes(bytes(content))
    with pytest.warns(EDFRepairWarning, match=r"shhs1-200003\.edf.*startdate"):
        cohort = load("shhs", small_tree.parent)
    assert len(cohort.recordings) == 8
    assert cohort.problems["path"].tolist() == [str(path)]


def test_processes_load_what_one_process_loads(small_tree):
    (small_tree / "annotations-events-nsrr/shhs1/shhs1-200002-nsrr.xml").unlink()
    with pytest.warns(HypnogramWarning):
        expected = load("shhs", small_tree.parent)
    with pytest.warns(HypnogramWarning, match="shhs1-200002"):
        found = load("shhs", small_tree.parent, n_jobs=2)
    pd.testing.assert_frame_equal(found.X, expected.X)
    pd.testing.assert_frame_equal(found.problems, expected.problems)
    np.testing.assert_array_equal(found.y, expected.y)


def test_visits(trees):
    folder = folder_of(trees["chat"])
    cohort = load("chat", folder, visits=["baseline"])
    assert set(cohort.recordings["visit"]) == {"baseline"}
    with pytest.raises(ValueError, match="no visit third; it holds baseline"):
        load("chat", folder, visits=["third"])


def test_wrong_folders(trees, tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        load("mesa", tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no night of mesa"):
        load("mesa", tmp_path)
    message = r"is not a file of mesa"
    with (
        pytest.warns(CohortWarning, match=message),
        pytest.raises(ValueError, match="holds no night of mesa"),
    ):
        load("mesa", folder_of(trees["shhs"]))


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


def test_layout_and_sites_exclude_each_other(tmp_path):
    with pytest.raises(ValueError, match="not both"):
        make_cohort(tmp_path, layout="shhs", sites=["north"])
    with pytest.raises(ValueError, match="layout='attic' is not known; use one of shhs"):
        make_cohort(tmp_path, layout="attic")


def test_layouts_are_made_again_or_kept(tmp_path):
    first = make_cohort(tmp_path / "a", layout="isruc", n_subjects=2, hours=0.5)
    before = first.nights[0].recording.read_bytes()
    with pytest.raises(ValueError, match="layout=isruc there, layout=None asked"):
        make_cohort(tmp_path / "a", n_subjects=2, hours=0.5)
    again = make_cohort(tmp_path / "a", layout="isruc", n_subjects=2, hours=0.5, overwrite=True)
    assert again.nights[0].recording.read_bytes() == before
    make_cohort(tmp_path / "a", n_subjects=1, hours=0.5, overwrite=True)
    assert not list((tmp_path / "a").rglob("*.rec"))
