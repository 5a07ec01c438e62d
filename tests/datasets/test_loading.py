"""load_cohort: folders of recordings and hypnograms."""

import os
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from edf_bytes import discontinuous_edf, overwrite
from sklearn.model_selection import GroupKFold

from sklearn_sleep.core.epochs import warn_of_split_nights
from sklearn_sleep.core.signals import SIGNALS
from sklearn_sleep.datasets import Cohort, load_cohort
from sklearn_sleep.datasets.any_folder import ANY_FOLDER, any_folder, subject_from_name
from sklearn_sleep.datasets.nights import tell_channels
from sklearn_sleep.exceptions import (
    CohortWarning,
    EDFWarning,
    HypnogramWarning,
    MissingSignalWarning,
    SleepWarning,
    SplitNightWarning,
)
from sklearn_sleep.preprocessing import EDFReader

DURATION = "duration of a data record"

NSRR_CONCEPTS = {
    0: "Wake|0",
    1: "Stage 1 sleep|1",
    2: "Stage 2 sleep|2",
    3: "Stage 3 sleep|3",
    4: "REM sleep|5",
}


@pytest.fixture
def add_night(write_edf):
    """Write a recording of so many epochs."""

    def add(name, n_epochs, seconds=0):
        samples = np.zeros(round(n_epochs * 30 + seconds) * 2)
        return write_edf(name, ("ECG", samples, 2, "mV", (-1, 1)))

    return add


def write_nsrr(path, stages):
    """Write the hypnogram as the NSRR does, one event an epoch, without the unscored ones."""
    events = [
        "<ScoredEvent><EventType>Stages|Stages</EventType>"
        f"<EventConcept>{NSRR_CONCEPTS[stage]}</EventConcept>"
        f"<Start>{30.0 * i}</Start><Duration>30.0</Duration></ScoredEvent>\n"
        for i, stage in enumerate(stages)
        if stage >= 0
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<PSGAnnotation>\n<EpochLength>30</EpochLength>\n'
        f"<ScoredEvents>\n{''.join(events)}</ScoredEvents>\n</PSGAnnotation>\n"
    )
    return path


def write_csv(path, stages):
    """Write a stage for each epoch."""
    names = {-1: "?", 0: "W", 1: "N1", 2: "N2", 3: "N3", 4: "R"}
    lines = [f"{30 * i},30,{names[stage]}" for i, stage in enumerate(stages)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["onset,duration,stage", *lines]) + "\n")
    return path


def find_nights(folder):
    nights, problems = ANY_FOLDER.find(folder)
    assert problems == []
    return [(night.recording, night.annotation) for night in nights]


def rows_of(X, y, path):
    named = X["recording"] == str(path)
    return list(zip(X.loc[named, "epoch"], y[named.to_numpy()], strict=True))


def test_layout_of_nsrr(add_night, tmp_path):
    edfs, annotations = "polysomnography/edfs", "polysomnography/annotations-events"
    paths, stages = [], {}
    for visit, number, scored in (
        ("shhs1", 200001, [0, 0, 1, 2, 2]),
        ("shhs1", 200002, [0, 3, 3, 4]),
        ("shhs2", 200001, [0, 2, 2, 4, 4, 0]),
    ):
        name = f"{visit}-{number}"
        paths.append(add_night(f"{edfs}/{visit}/{name}.edf", len(scored)))
        stages[paths[-1]] = scored
        write_nsrr(tmp_path / f"{annotations}-nsrr/{visit}/{name}-nsrr.xml", scored)
        (tmp_path / f"{annotations}-profusion/{visit}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{annotations}-profusion/{visit}/{name}-profusion.xml").write_text("<a/>")
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/shhs1-dataset-0.21.0.csv").write_text("nsrrid,age\n200001,55\n")
    cohort = load_cohort(tmp_path)

    assert cohort.X["recording"].cat.categories.tolist() == [str(path) for path in paths]
    for path, scored in stages.items():
        assert rows_of(cohort.X, cohort.y, path) == list(enumerate(scored))
    assert cohort.y.dtype == np.int64
    assert cohort.recordings["n_epochs"].tolist() == [5, 4, 6]
    assert cohort.recordings["scored_epochs"].tolist() == [5, 4, 6]
    assert cohort.recordings["subject"].tolist() == ["shhs-200001", "shhs-200002", "shhs-200001"]
    assert all("-nsrr.xml" in annotation for annotation in cohort.recordings["annotation"])

    X, y, groups = load_cohort(tmp_path, return_X_y_groups=True)
    pd.testing.assert_frame_equal(X, cohort.X)
    np.testing.assert_array_equal(y, cohort.y)
    assert groups.tolist() == ["shhs-200001"] * 5 + ["shhs-200002"] * 4 + ["shhs-200001"] * 6


def test_two_visits_of_a_person_fall_in_one_fold(add_night, tmp_path):
    for visit in ("visit1", "visit2"):
        for number in range(3):
            name = f"mros-{visit}-aa{number:04d}"
            write_nsrr(tmp_path / f"{name}-nsrr.xml", [0, 1, 2])
            add_night(f"{name}.edf", 3)
    X, y, groups = load_cohort(tmp_path, return_X_y_groups=True)
    assert groups.nunique() == 3
    for train, test in GroupKFold(3).split(X, y, groups):
        people = [{name.split("-")[-1] for name in X["recording"].iloc[i]} for i in (train, test)]
        assert len(people[1]) == 1
        assert people[0].isdisjoint(people[1])


@pytest.mark.parametrize("ending", ["-nsrr.xml", "-NSRR.XML", ".xml", ".csv", ".txt"])
@pytest.mark.parametrize("recording", ["My Night.edf", "My Night.EDF"])
def test_annotation_of_the_same_name_beside_a_recording(add_night, tmp_path, recording, ending):
    path = add_night(recording, 3)
    write = write_nsrr if "xml" in ending.casefold() else write_csv
    write(tmp_path / f"My Night{ending}", [0, 2, 4])
    X, y, groups = load_cohort(tmp_path, return_X_y_groups=True)
    assert rows_of(X, y, path) == [(0, 0), (1, 2), (2, 4)]
    assert groups.tolist() == ["My Night"] * 3


def test_real_hypnogram_edf_is_no_recording(data_folder, add_night, tmp_path):
    shutil.copy(data_folder / "SC4001EC-Hypnogram.edf", tmp_path / "SC4001E0-Hypnogram.edf")
    path = add_night("SC4001E0.edf", 10)
    assert find_nights(tmp_path) == [(path, tmp_path / "SC4001E0-Hypnogram.edf")]


def test_hidden_files_are_none_of_the_cohort(add_night, tmp_path):
    path = add_night("a.edf", 2)
    add_night("._a.edf", 2)
    write_csv(tmp_path / "a.csv", [0, 1])
    assert find_nights(tmp_path) == [(path, tmp_path / "a.csv")]


def test_recordings_of_the_same_name_have_each_their_own_annotation(add_night, tmp_path):
    stages = {"s01": [0, 0, 1], "s02": [2, 2, 4]}
    paths = {name: add_night(f"{name}/psg.edf", 3) for name in (*stages, "s03")}
    for name, scored in stages.items():
        write_csv(tmp_path / name / "psg.csv", scored)
    with (
        pytest.warns(HypnogramWarning, match=r"s03.psg\.edf has no annotation"),
        pytest.warns(CohortWarning, match=r"s01/psg, s02/psg, s03/psg have one name") as told,
    ):
        X, y, _ = load_cohort(tmp_path, return_X_y_groups=True)
    for name, scored in stages.items():
        assert rows_of(X, y, paths[name]) == list(enumerate(scored))
    (pattern,) = re.findall(r'subject=r"(\S+)"', " ".join(str(one.message) for one in told))
    with pytest.warns(HypnogramWarning):
        cohort = load_cohort(tmp_path, subject=pattern)
    assert cohort.recordings["subject"].tolist() == ["s01", "s02"]


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


def test_unscored_epochs_are_no_rows_and_are_counted_out(add_night, tmp_path):
    scored = [-1, -1, 0, 2, -1, -1, -1, 4, -1, -1]
    path = add_night("a.edf", 10)
    write_csv(tmp_path / "a.csv", scored)
    cohort = load_cohort(tmp_path)
    assert rows_of(cohort.X, cohort.y, path) == [(2, 0), (3, 2), (7, 4)]
    assert cohort.X["scored_epochs"].tolist() == [3, 3, 3]
    assert cohort.recordings.loc[0, ["n_epochs", "scored_epochs"]].tolist() == [10, 3]
    epochs = EDFReader(["ECG"]).fit_transform(cohort.X)
    warn_of_split_nights(epochs)  # all that is scored is there
    with pytest.warns(SplitNightWarning):
        warn_of_split_nights(epochs[:2])


@pytest.mark.parametrize("n_scored", [127, 128, 129])
def test_scored_epochs_are_counted_whatever_their_number(add_night, tmp_path, n_scored):
    add_night("a.edf", n_scored)
    write_csv(tmp_path / "a.csv", [0] * n_scored)
    assert load_cohort(tmp_path).X["scored_epochs"].tolist() == [n_scored] * n_scored


def test_hypnogram_shorter_than_the_recording(add_night, tmp_path):
    path = add_night("a.edf", 6, seconds=17)
    write_nsrr(tmp_path / "a-nsrr.xml", [0, 1, 2])
    X, y, _ = load_cohort(tmp_path, return_X_y_groups=True)
    assert rows_of(X, y, path) == [(0, 0), (1, 1), (2, 2)]


@pytest.mark.parametrize("write", [write_nsrr, write_csv])
def test_hypnogram_much_shorter_than_the_recording_is_told_of(add_night, tmp_path, write):
    path = add_night("a.edf", 21)
    write(tmp_path / ("a-nsrr.xml" if write is write_nsrr else "a.csv"), [0, 1, 2] * 3)
    with pytest.warns(HypnogramWarning, match="ends after 9 of the recording's 21 epochs"):
        X, y, _ = load_cohort(tmp_path, return_X_y_groups=True)
    assert rows_of(X, y, path) == list(enumerate([0, 1, 2] * 3))


@pytest.mark.parametrize("tail", [[-1] * 13, [0] * 3])
def test_what_is_unscored_by_its_scorer_is_not_told_of(add_night, tmp_path, tail):
    """Half of a recording may follow the scoring, and all that the scorer calls unscored."""
    add_night("a.edf", 18)
    write_csv(tmp_path / "a.csv", [0, 1, 2, 2, 2, 2, *tail])
    load_cohort(tmp_path)


def test_hypnogram_longer_than_the_recording(add_night, tmp_path):
    path = add_night("a.edf", 3, seconds=29)
    write_nsrr(tmp_path / "a-nsrr.xml", [0, 1, 2, 2, 3, 4])
    with pytest.warns(HypnogramWarning, match=r"a-nsrr\.xml"):
        X, y, _ = load_cohort(tmp_path, return_X_y_groups=True)
    assert rows_of(X, y, path) == [(0, 0), (1, 1), (2, 2)]
    EDFReader(["ECG"]).fit_transform(X)  # no row lies beyond the recording


def damage_annotation(folder, kind):
    path = folder / "b-nsrr.xml"
    if kind == "absent":
        path.unlink()
    elif kind == "not XML":
        path.write_text("<PSGAnnotation><ScoredEvents>")
    elif kind == "binary":
        path.write_bytes(bytes(range(256)) * 4)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "unknown stage":
        path.write_text(path.read_text().replace("Wake|0", "Dozing|17"))
    else:
        write_csv(path, [-1, -1, -1])


@pytest.mark.parametrize(
    "kind", ["absent", "not XML", "binary", "empty", "unknown stage", "unscored"]
)
def test_night_without_a_hypnogram_is_named_and_the_others_go_on(add_night, tmp_path, kind):
    for name in "abc":
        add_night(f"{name}.edf", 3)
        write_nsrr(tmp_path / f"{name}-nsrr.xml", [0, 1, 2])
    damage_annotation(tmp_path, kind)
    with pytest.warns(HypnogramWarning) as warned:
        cohort = load_cohort(tmp_path)
    messages = [str(warning.message) for warning in warned]
    assert str(tmp_path / "b.edf") in messages[-1]
    assert all("b.edf" in message or "b-nsrr.xml" in message for message in messages)
    assert [path[-5:] for path in cohort.recordings["path"]] == ["a.edf", "c.edf"]
    assert len(cohort.X) == len(cohort.y) == len(cohort.groups) == 6


@pytest.mark.parametrize("kind", ["broken", "cut", "short"])
def test_recording_that_cannot_be_read_is_named_and_the_others_go_on(
    add_night, tmp_path, data_folder, kind
):
    for name in "abc":
        path = add_night(f"{name}.edf", 3)
        write_nsrr(tmp_path / f"{name}-nsrr.xml", [0, 1, 2])
    if kind == "broken":
        shutil.copy(data_folder / "invalid-date.edf", path)
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:100])
    else:
        add_night(path.name, 0, seconds=20)
    with pytest.warns(EDFWarning, match=r"c\.edf.*left out") as warned:
        cohort = load_cohort(tmp_path)
    assert len(warned) == 1
    assert len(cohort.recordings) == 2


DAMAGE = {
    "record of 1e308 s": (".edf", lambda edf: overwrite(edf, DURATION, "1e308")),
    "record of 1e9 s": (".edf", lambda edf: overwrite(edf, DURATION, "1e9")),
    "record of a day": (".edf", lambda edf: overwrite(edf, DURATION, "86400")),
    "gap of a month": (".edf", lambda edf: discontinuous_edf(["0", "2592000"], rates=(256,))),
    "samples of 1e308": (".edf", lambda edf: overwrite(edf, "physical maximum", "1e308", 0)),
    "epoch 1e9": ("-nsrr.xml", lambda xml: b"epoch,stage\n0,0\n1000000000,0"),
    "5,000 digits": ("-nsrr.xml", lambda xml: b"stage\n" + b"9" * 5000),
    "start in 5,000 digits": ("-nsrr.xml", lambda xml: xml.replace(b"30.0", b"9" * 5000)),
    "entities": ("-nsrr.xml", lambda xml: b'<!DOCTYPE x [<!ENTITY a "b">]>' + xml),
    "zip": ("-nsrr.xml", lambda xml: b"PK\x03\x04" + bytes(99)),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_one_damaged_file_is_named_and_the_others_go_on(add_night, tmp_path, kind):
    for name in "abc":
        add_night(f"{name}.edf", 3)
        write_nsrr(tmp_path / f"{name}-nsrr.xml", [0, 1, 2])
    ending, damage = DAMAGE[kind]
    path = tmp_path / f"b{ending}"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(SleepWarning, match=rf"{path.name}") as warned:
        cohort = load_cohort(tmp_path)
    assert all(issubclass(warning.category, SleepWarning) for warning in warned)
    without_signals = cohort.recordings[cohort.recordings["signals"].map(len) == 0]
    kept = [
        path[-5] for path in cohort.recordings["path"] if path not in {*without_signals["path"]}
    ]
    assert kept == ["a", "c"]
    assert len(cohort.X) == 6 + 3 * len(without_signals)


def test_file_whose_name_is_no_text_is_named_and_the_others_go_on(add_night, tmp_path):
    for name in ("a", "b"):
        add_night(f"{name}.edf", 3)
        write_csv(tmp_path / f"{name}.csv", [0, 1, 2])
    for ending in (".edf", ".csv"):  # in Latin-1, as old archives unpack
        (tmp_path / f"b{ending}").rename(tmp_path / f"nuit-\udce9{ending}")
    with pytest.warns(CohortWarning, match=r"nuit-\\udce9.edf has a name that is not UTF-8"):
        cohort = load_cohort(tmp_path)
    assert [path[-5:] for path in cohort.recordings["path"]] == ["a.edf"]
    assert len(cohort.problems) == 2


def test_links_and_what_is_no_file(add_night, tmp_path):
    folder, elsewhere = tmp_path / "cohort", tmp_path / "elsewhere"
    write_csv(elsewhere / "night.csv", [0, 1, 2])
    write_csv(folder / "within" / "night.csv", [0, 1, 2])
    recording = add_night("night.edf", 3)
    for name, target in {
        "a": folder / "within" / "night.csv",
        "b": elsewhere / "night.csv",
        "c": "/dev/zero",
        "d": "nowhere",
    }.items():
        (folder / f"{name}.edf").symlink_to(recording)  # large files may lie elsewhere
        (folder / f"{name}.csv").symlink_to(target)
    shutil.copy(recording, folder / "e.edf")
    os.mkfifo(folder / "e.csv")
    os.mkfifo(folder / "f.edf")
    with (
        pytest.warns(CohortWarning) as warned,
        pytest.warns(HypnogramWarning, match="has no annotation"),
    ):
        cohort = load_cohort(folder)
    assert [path[-5] for path in cohort.recordings["path"]] == ["a"]
    (message,) = [str(w.message) for w in warned if w.category is CohortWarning]
    assert "b.csv is a link that leaves the cohort's folder" in message
    assert message.count("is a FIFO, a device or a broken link") == 4
    assert len(cohort.problems) == 9


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
    assert find_nights(tmp_path)


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


def test_a_night_whose_person_is_not_found_is_named_and_left_out(add_night, tmp_path):
    for name in ("P01_N1", "P01_N2", "unknown"):
        add_night(f"{name}.edf", 2)
        write_csv(tmp_path / f"{name}.csv", [0, 1])
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


def test_nights_that_a_cohort_of_ones_own_takes_for_people_are_told_of(add_night, tmp_path):
    for name in ("P01_N1", "P01_N2"):
        add_night(f"{name}.edf", 2)
        write_csv(tmp_path / f"{name}.csv", [0, 1])
    mine = Cohort("mine", r"/(?P<subject>\w+)\.edf", (r"/(?P<subject>\w+)\.csv",), "")
    with pytest.warns(CohortWarning, match="P01_N1, P01_N2 look like .* a group 'visit'"):
        mine.load(tmp_path)
    night = r"/(?P<subject>\w+)_(?P<visit>N\d)\."
    known = Cohort("mine", night + "edf", (night + "csv",), "").load(tmp_path)
    assert known.recordings["subject"].tolist() == ["mine-p01", "mine-p01"]


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (r"_scorer2\.csv", "a_scorer2.csv"),
        (r"_scorer2\.csv|_second\.csv", "a_second.csv"),
        (r"-S2\.(csv|txt)", "scored/a-s2.csv"),
        (r"/hyp (?P<name>[^/]+)\.csv", "scored/hyp a.csv"),
    ],
)
def test_annotations_of_other_names(add_night, tmp_path, annotation, name):
    path = add_night("a.edf", 3)
    write_csv(tmp_path / "a.csv", [0, 0, 0])
    write_csv(tmp_path / name, [4, 2, 4])
    X, y, _ = load_cohort(tmp_path, annotation=annotation, return_X_y_groups=True)
    assert rows_of(X, y, path) == [(0, 4), (1, 2), (2, 4)]


def test_annotations_of_other_names_may_be_edf(data_folder, add_night, tmp_path):
    shutil.copy(data_folder / "SC4001EC-Hypnogram.edf", tmp_path / "a_scorer2.edf")
    path = add_night("a.edf", 10)
    nights, problems = any_folder(annotation=r"_scorer2\.edf").find(tmp_path)
    assert [(night.recording, night.annotation) for night in nights] == [
        (path, tmp_path / "a_scorer2.edf")
    ]
    assert not problems


@pytest.fixture
def odd_labels(write_edf, tmp_path):
    """Three nights whose signals have other labels, and one of them lacks the ECG."""
    samples = np.zeros(600)

    def write(name, *labels):
        channels = [(label, samples, 10, "uV", (-1, 1)) for label in labels]
        write_csv(tmp_path / f"{name}.csv", [0, 1])
        return write_edf(f"{name}.edf", *channels)

    write("a", "EKG", "C4", "M1", "Atmung")
    write("b", "Herz 2", "C4-A1", "THX")
    write("c", "Puls", "C4:M1")
    return tmp_path


def test_which_channel_each_signal_is_taken_from(odd_labels):
    told = {"channels": {"ECG": ["Herz 2"], "THX": "Atmung"}, "units": {"ECG": "uV"}}
    signals = ["ECG", "C4-M1", "THX"]
    missing = r"ECG is missing in 1 of 3 nights: c\.edf\. THX is missing in 1 of 3 nights: c\.edf\."
    with pytest.warns(MissingSignalWarning, match=missing):
        cohort = load_cohort(odd_labels, signals=signals, **told)
    expected = [["EKG", "C4 - M1", "Atmung"], ["Herz 2", "C4-A1", "THX"], ["-", "C4:M1", "-"]]
    assert cohort.channels.to_numpy().tolist() == expected
    assert cohort.channels.columns.tolist() == signals
    assert cohort.channels.index.tolist() == cohort.recordings["path"].tolist()
    epochs = EDFReader(signals, **told).fit_transform(cohort.X)
    for recording, labels in zip(epochs.recordings, expected, strict=True):
        there = {name: x for name, x in zip(signals, labels, strict=True) if x != "-"}
        assert recording.source.taken_from == there
    of_all = load_cohort(odd_labels).channels
    assert of_all["ECG"].tolist() == ["EKG", "-", "-"]
    assert set(of_all.columns) == set(SIGNALS)
    with pytest.raises(ValueError, match="channels has 'THX', which is none of the signals"):
        load_cohort(odd_labels, signals=["ECG"], channels={"THX": "Atmung"})


def test_labels_that_may_be_a_missing_signal_are_told(write_edf, tmp_path):
    for name, label in (("a", "ECG 2"), ("b", "ECG V1"), ("c", "ECG 2")):
        write_edf(f"{name}.edf", (label, np.zeros(600), 10, "uV", (-1, 1)))
        write_csv(tmp_path / f"{name}.csv", [0, 1])
    likely = r"of 3 nights: a.edf, b.edf, c.edf\. ECG is missing, and may be 'ECG 2' or 'ECG V1'\."
    with pytest.warns(MissingSignalWarning, match=likely) as warned:
        load_cohort(tmp_path, signals=["ECG"])
    assert len(warned) == 1


def test_channels_are_told_in_few_lines_whatever_the_number_of_nights(odd_labels):
    with pytest.warns(MissingSignalWarning):
        channels = load_cohort(odd_labels, signals=["ECG", "EEG"]).channels
    many = pd.concat([channels] * 2000)
    assert tell_channels(many).splitlines() == [
        "Signals: the channels that they are taken from, and in how many nights",
        "  ECG: - (4000), EKG (2000)",
        "  EEG: C4 (2000), C4-A1 (2000), C4:M1 (2000)",
        "ECG is missing in 4000 of 6000 nights: b.edf, c.edf, b.edf and 3997 more.",
    ]


def test_the_table_is_what_the_reader_takes(cohort):
    assert (cohort.channels == "-").any(axis=None)
    epochs = EDFReader(list(SIGNALS)).fit_transform(cohort.X)
    for recording in epochs.recordings:
        labels = cohort.channels.loc[recording.path]
        assert recording.source.taken_from == labels[labels != "-"].to_dict()


def test_a_unit_or_rate_that_does_not_fit_loses_the_signal_alone(write_edf, tmp_path):
    night = write_edf(
        "a.edf",
        ("ECG", np.zeros(600), 10, "bpm", (-1, 1)),
        ("C4", np.zeros(600), 10, "uV", (-1, 1)),
        ("M1", np.zeros(1200), 20, "uV", (-1, 1)),
        ("THX", np.zeros(600), 10, "", (-1, 1)),
    )
    write_csv(tmp_path / "a.csv", [0, 1])
    signals = ["ECG", "C4-M1", "THX"]
    with pytest.warns(SleepWarning) as warned:
        cohort = load_cohort(tmp_path, signals=signals)
    assert cohort.channels.loc[str(night)].tolist() == ["-", "-", "THX"]
    assert "found 'bpm'" in str(warned[0].message)
    assert "C4 10 Hz and M1 20 Hz" in str(warned[1].message)
    with pytest.warns(EDFWarning):
        (recording,) = EDFReader(signals).fit_transform(night).recordings
    assert list(recording.signals) == ["THX"]
    with pytest.warns(EDFWarning, match=r"EEG is the difference of .*cannot be subtracted"):
        reader = EDFReader(["EEG"], channels={"EEG": ["C4-M1", "C4"]}).fit_transform(night)
    assert reader.recordings[0].source.taken_from == {"EEG": "C4"}


def test_folder_without_a_night_is_refused(add_night, tmp_path):
    with pytest.raises(ValueError, match=r"holds no recording with a hypnogram.*-nsrr\.xml"):
        load_cohort(tmp_path)
    add_night("a.edf", 2)
    message = "holds no recording with a hypnogram"
    with (
        pytest.warns(HypnogramWarning, match="no annotation"),
        pytest.raises(ValueError, match=message),
    ):
        load_cohort(tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "file.edf"])
def test_what_is_no_folder_is_refused(tmp_path, name):
    (tmp_path / "file.edf").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=f"{name} is not a folder"):
        load_cohort(tmp_path / name)


def test_progress_is_shown_only_if_asked_for(add_night, tmp_path, capsys):
    add_night("a.edf", 2)
    write_csv(tmp_path / "a.csv", [0, 1])
    load_cohort(str(tmp_path))
    assert capsys.readouterr() == ("", "")
    load_cohort(tmp_path, verbose=True)
    assert "Loading nights" in capsys.readouterr().err


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


@pytest.mark.parametrize(
    "name",
    [
        *(
            "a_stages.txt",
            "a_hypnogram.csv",
            "a-hypno.csv",
            "a-Hypnogram.txt",
            "a Sleep Stages.txt",
        ),
        *("a.stages.csv", "a_hyp.txt", "a.Hypnogramm.TXT"),
    ],
)
def test_names_of_hypnograms_beside_their_recording(tmp_path, add_night, name):
    add_night("a.edf", 3)
    (tmp_path / name).write_text("stage\nW\nN1\nN2\n")
    np.testing.assert_array_equal(load_cohort(tmp_path).y, [0, 1, 2])


def test_what_hypnograms_mean_can_be_told(tmp_path, add_night):
    add_night("a.edf", 4)
    (tmp_path / "a.csv").write_text("Seite,Stadium\n0,Wach\n1,A\n3,4\n")
    with pytest.warns(HypnogramWarning), pytest.raises(ValueError, match="no recording"):
        load_cohort(tmp_path)
    with pytest.warns(HypnogramWarning, match="1 gap"):
        X, y, _ = load_cohort(
            tmp_path,
            stage_names={"A": "N1"},
            stage_codes="aasm",
            columns={"stage": "Stadium", "epoch": "Seite"},
            return_X_y_groups=True,
        )
    np.testing.assert_array_equal(y, [0, 1, 4])
    np.testing.assert_array_equal(X["epoch"], [0, 1, 3])


def test_pages_of_20_seconds_can_be_told(tmp_path, add_night):
    add_night("a.edf", 2)
    (tmp_path / "a.txt").write_text("0\n0\n2\n")
    with pytest.warns(HypnogramWarning, match="off the grid"):
        loaded = load_cohort(tmp_path, epoch_duration=20)
    np.testing.assert_array_equal(loaded.y, [0, 2])
