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
from sklearn_sleep.datasets import load_cohort
from sklearn_sleep.datasets.any_folder import ANY_FOLDER, any_folder
from sklearn_sleep.exceptions import (
    CohortWarning,
    EDFWarning,
    HypnogramWarning,
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
