"""The public cohorts, from trees that make_cohort writes in their layouts."""

import shutil
import warnings

import numpy as np
import pytest

from sklearn_sleep import datasets
from sklearn_sleep.datasets import COHORTS
from sklearn_sleep.exceptions import (
    CohortWarning,
    EDFWarning,
    HypnogramWarning,
    MissingSignalWarning,
)
from sklearn_sleep.io.edf.annotations import read_edf_annotations
from sklearn_sleep.io.edf.header import read_edf_header
from sklearn_sleep.preprocessing import EDFReader, Epocher, Resampler

NAMES = tuple(COHORTS)
# What the layouts' defects make known by name, in a tree of four subjects with all their visits.
DEFECTS = {"chat": EDFWarning, "wsc": HypnogramWarning}
LEFT_OUT = {"wsc": ["wsc-visit3-10102-nsrr", "wsc-visit4-10103-nsrr"]}
HEAD = {"EOG-L", "EOG-R", "EEG", "EMG"}
BELTS = {"ABD", "THX"}
SIGNALS = {
    "shhs": HEAD | BELTS | {"ECG"},
    "mesa": HEAD | BELTS | {"ECG", "PPG"},
    "wsc": HEAD | BELTS | {"ECG"},
    "chat": HEAD | BELTS | {"ECG", "PPG"},
    "cfs": HEAD | BELTS | {"ECG", "PPG"},
    "ccshs": HEAD | BELTS | {"ECG", "PPG"},
    "mros": HEAD | BELTS | {"ECG"},
    "isruc": HEAD | {"ECG"},
    "mass": HEAD | BELTS | {"ECG"},
    "sleep_edf": {"EOG", "EEG", "EMG"},
}
# What all of their files have besides.
OTHERS = {name: {"SpO2", "FLOW"} for name in SIGNALS} | {"isruc": {"SpO2"}, "sleep_edf": {"FLOW"}}
# What the second version of a recorder lacks (the montages of the providers).
MISSING = {
    "cfsv2": {"PPG"},
    "massss2": {*BELTS, "SpO2"},
    "chatplethmasimo": {"ECG"},
    "sleepedfst": {"FLOW"},
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
def test_rows_and_stages_are_those_of_the_generator(name, public_tree):
    tree = public_tree(name)
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
def test_subjects_visits_and_signals_are_those_of_the_generator(name, public_tree):
    tree = public_tree(name)
    cohort = load_quietly(name, folder_of(tree))
    nights = {str(night.recording): night for night in tree.nights}
    for row in cohort.recordings.itertuples():
        night = nights[row.path]
        assert row.subject == night.subject
        assert row.visit == night.files.name
        expected = SIGNALS[name] | OTHERS.get(name, set())
        assert set(row.signals) == expected - MISSING.get(night.site, set())
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
def test_signals_are_read_by_the_cohorts_labels(name, public_tree):
    cohort = load_quietly(name, folder_of(public_tree(name)))
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
def test_defects_are_reported_by_name(name, public_tree):
    folder = folder_of(public_tree(name))
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
        for night in public_tree(name).nights
        if night.files.without_scale
        or any(
            "power" in file.format or "restart" in file.format for file in night.files.annotations
        )
    }
    assert set(cohort.problems["path"]) == defective


def test_channel_without_scale_in_chat_counts_as_missing(public_tree):
    cohort = load_quietly("chat", folder_of(public_tree("chat")), visits=["baseline-nonrandomized"])
    with pytest.warns(EDFWarning, match="'physical maximum' of channel 'ECG1'"):
        epochs = EDFReader(["ECG", "PPG"]).fit_transform(cohort.X)
    assert all(list(recording.signals) == ["PPG"] for recording in epochs.recordings)
    with pytest.warns((EDFWarning, MissingSignalWarning)):
        EDFReader(["ECG"]).fit_transform(cohort.X)


def test_respiration_of_shhs_is_turned_the_way_the_header_says(public_tree):
    cohort = load("shhs", folder_of(public_tree("shhs")), visits=[1])
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


def test_rates_of_the_visits_of_shhs_differ(public_tree):
    rates = {}
    for visit in ("1", "2"):
        X, _, _ = load(
            "shhs", folder_of(public_tree("shhs")), visits=[visit], return_X_y_groups=True
        )
        epochs = EDFReader(["ECG"]).fit_transform(X)
        rates[visit] = {night.signals["ECG"].sampling_frequency for night in epochs.recordings}
    assert rates == {"1": {125.0}, "2": {250.0, 256.0}}


@pytest.mark.parametrize("ending", ["stg.txt", "allscore.txt"])
def test_staging_of_the_nsrr_stands_in_where_wsc_has_no_scoring(ending, public_tree, tmp_path):
    tree = public_tree("wsc")
    shutil.copytree(folder_of(tree), tmp_path / "wsc")
    expected = load_quietly("wsc", tmp_path / "wsc", visits=["1", "2"])
    for path in (tmp_path / "wsc").rglob(f"wsc-visit[12]*.{ending}"):
        path.unlink()
    found = load_quietly("wsc", tmp_path / "wsc", visits=["1", "2"])
    np.testing.assert_array_equal(found.y, expected.y)
    replaced = expected.recordings["annotation"].str.endswith(ending)
    assert replaced.any()
    assert (found.recordings["annotation"].str.endswith(".eannot") == replaced).all()


def test_logs_of_wsc_that_are_missing_are_told_of(public_tree, tmp_path):
    shutil.copytree(folder_of(public_tree("wsc")), tmp_path / "wsc")
    (tmp_path / "wsc/polysomnography/wsc-visit1-10101-nsrr.log.txt").unlink()
    with pytest.warns(HypnogramWarning, match=r"visit1-10101-nsrr\.stg\.txt: no \.log\.txt beside"):
        cohort = load("wsc", tmp_path / "wsc", visits=["1"])
    assert len(cohort.recordings) == 2


def test_recording_of_wsc_that_starts_later_than_its_log_is_left_out(public_tree, tmp_path):
    shutil.copytree(folder_of(public_tree("wsc")), tmp_path / "wsc")
    for night in ("wsc-visit1-10101-nsrr", "wsc-visit2-10104-nsrr"):
        path = tmp_path / f"wsc/polysomnography/{night}.edf"
        content = bytearray(path.read_bytes())
        content[176:184] = b"23.59.59"
        path.write_bytes(bytes(content))
    with pytest.warns(HypnogramWarning, match=r"here and at 23:59:59 in the EDF file"):
        cohort = load("wsc", tmp_path / "wsc", visits=["1", "2"])
    left = cohort.recordings[["subject", "visit"]].to_records(index=False).tolist()
    assert left == [("wsc-10104", "1"), ("wsc-10101", "2")]


def test_scorers_of_isruc(public_tree):
    tree = public_tree("isruc")
    second = load("isruc", folder_of(tree), scorer=2)
    truth = {str(night.recording): night.load_truth() for night in tree.nights}
    for path, rows in second.X.groupby("recording", observed=True).indices.items():
        np.testing.assert_array_equal(second.y[rows], truth[path]["physiological_stages"])
    first = load("isruc", folder_of(tree))
    assert 0 < (first.y != second.y).mean() < 0.5
    with pytest.raises(ValueError, match="scorer=3"):
        load("isruc", folder_of(tree), scorer=3)


def test_workbook_of_isruc_is_read_where_there_is_no_text(public_tree, tmp_path):
    shutil.copytree(folder_of(public_tree("isruc")), tmp_path / "isruc")
    expected = load("isruc", tmp_path / "isruc")
    for path in (tmp_path / "isruc").rglob("*_1.txt"):
        path.unlink()
    found = load("isruc", tmp_path / "isruc")
    np.testing.assert_array_equal(found.y, expected.y)
    assert found.recordings["annotation"].str.endswith("_1.xlsx").all()


@pytest.mark.parametrize("part", ["subgroupI", "subgroupII", "subgroupIII"])
def test_a_subgroup_of_isruc_by_itself(part, public_tree):
    whole = load("isruc", folder_of(public_tree("isruc")))
    alone = load("isruc", folder_of(public_tree("isruc")) / part)
    inside = whole.recordings["path"].str.contains(f"/{part}/")
    assert alone.recordings["subject"].tolist() == whole.recordings["subject"][inside].tolist()
    assert alone.recordings["visit"].tolist() == whole.recordings["visit"][inside].tolist()


def test_wake_of_sleep_edf_is_trimmed(public_tree):
    tree = public_tree("sleep_edf")
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


def test_pages_of_mass_are_of_20_seconds(public_tree):
    tree = public_tree("mass")
    formats = {
        night.recording.parent.name: night.files.annotations[0].format for night in tree.nights
    }
    assert formats == {"SS1": "MASS", "SS2": "MASS 20 s"}
    durations = {
        night.recording.parent.name: set(read_edf_annotations(night.annotations).duration)
        for night in tree.nights
    }
    assert durations == {"SS1": {30.0}, "SS2": {20.0}}
