"""ingest: whole cohorts, damage and interruptions included."""

import csv
import errno
import json
import os
import shutil
import signal as signals_of_the_system
import subprocess
import sys
import time
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from stores import snapshot

from sklearn_sleep.__main__ import main
from sklearn_sleep._version import __version__
from sklearn_sleep.core.stage_schemes import merge_stages
from sklearn_sleep.datasets import load_cohorts, load_shhs
from sklearn_sleep.exceptions import (
    CacheWarning,
    CohortWarning,
    EDFError,
    EDFWarning,
    HypnogramWarning,
)
from sklearn_sleep.features.quality.signal_quality import SignalQuality
from sklearn_sleep.preprocessing import (
    EDFReader,
    Epocher,
    Normalizer,
    RecordingCache,
    Resampler,
)
from sklearn_sleep.simulation.make_cohort import make_cohort
from sklearn_sleep.storage.ingesting import ingest
from sklearn_sleep.storage.parquet import read_parquet_night

SIGNALS = ["ECG", "PPG", "ABD", "THX"]


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    root = tmp_path_factory.mktemp("trees")
    for name in ("shhs", "mesa"):
        make_cohort(root / name, layout=name, n_subjects=3, hours=0.5, second_visit_probability=1.0)
    return root


@pytest.fixture
def damaged(trees, tmp_path):
    """SHHS with a file that is cut in its header, one without annotation, and one to repair."""
    folder = tmp_path / "shhs"
    shutil.copytree(trees / "shhs", folder)
    edfs = folder / "polysomnography/edfs/shhs1"
    cut = edfs / "shhs1-200001.edf"
    cut.write_bytes(cut.read_bytes()[:300])
    annotations = folder / "polysomnography/annotations-events-nsrr/shhs1"
    (annotations / "shhs1-200002-nsrr.xml").unlink()
    profusion = folder / "polysomnography/annotations-events-profusion/shhs1"
    (profusion / "shhs1-200002-profusion.xml").unlink()
    content = bytearray((edfs / "shhs1-200003.edf").read_bytes())
    content[168:176] = b"31.02.85"
    (edfs / "shhs1-200003.edf").write_bytes(bytes(content))
    return folder


def ingest_quietly(*arguments, **parameters):
    with warnings.catch_warnings():
        for category in (CohortWarning, EDFWarning, HypnogramWarning):
            warnings.simplefilter("ignore", category)
        return ingest(*arguments, **parameters)


def processed(X, signals):
    pipeline = make_pipeline(EDFReader(list(signals)), Resampler(), Normalizer(), Epocher())
    epochs = pipeline.fit_transform(X)
    return {
        (recording.path, name): signal.data
        for recording in epochs.recordings
        for name, signal in recording.signals.items()
    }


def read_all(epochs):
    return {
        (recording.path, name): signal.data
        for recording in epochs.recordings
        for name, signal in recording.signals.items()
    }


def test_a_pipeline_with_the_same_steps_reads_the_store(trees, tmp_path, monkeypatch):
    ingested = ingest(trees / "shhs", tmp_path / "store", dataset="shhs")
    cohort = load_shhs(trees / "shhs")
    pd.testing.assert_frame_equal(ingested.X, cohort.X)
    np.testing.assert_array_equal(ingested.y, cohort.y)
    assert ingested.groups.tolist() == cohort.groups.tolist()
    expected = processed(cohort.X, SIGNALS)

    def fail(*arguments, **parameters):
        raise AssertionError("samples were read from the EDF file")

    monkeypatch.setattr("sklearn_sleep.io.edf.source.read_edf_samples", fail)
    written_by_hand = make_pipeline(
        EDFReader(SIGNALS),
        Resampler(),
        Normalizer(),
        Epocher(),
        RecordingCache(tmp_path / "store" / "recordings"),
    )
    for pipeline in (make_pipeline(*ingested.steps), written_by_hand):
        found = read_all(pipeline.fit_transform(cohort.X))
        assert found.keys() == expected.keys()
        for key, samples in found.items():
            np.testing.assert_array_equal(samples, expected[key])


def test_a_classifier_learns_from_the_store(trees, tmp_path, make_classifier):
    ingested = ingest(trees / "shhs", tmp_path / "store", dataset="shhs", signals=["THX"])
    pipeline = make_pipeline(*ingested.steps, make_classifier())
    y = merge_stages(ingested.y, 4)
    assert pipeline.fit(ingested.X, y).predict(ingested.X).shape == y.shape


def test_report_has_a_row_for_every_night(damaged, tmp_path):
    ingested = ingest_quietly(damaged, tmp_path / "store", dataset="shhs")
    report = ingested.report.set_index(ingested.report["path"].str.rsplit("/").str[-1])
    assert report["status"].to_dict() == {
        "shhs1-200001.edf": "left out",
        "shhs1-200002.edf": "left out",
        "shhs1-200003.edf": "done",
        "shhs2-200001.edf": "done",
        "shhs2-200002.edf": "done",
        "shhs2-200003.edf": "done",
    }
    assert "shhs1-200001.edf" in report.loc["shhs1-200001.edf", "problems"]
    assert "no annotation" in report.loc["shhs1-200002.edf", "problems"]
    assert "startdate" in report.loc["shhs1-200003.edf", "repairs"]
    assert (report.loc[report["status"] == "done", "signals"] == "ECG ABD THX").all()
    cohort = ingest_quietly(damaged, tmp_path / "store", dataset="shhs")
    for name in ("shhs2-200001.edf", "shhs1-200003.edf"):
        row = report.loc[name]
        of_night = (cohort.X["recording"] == row["path"]).to_numpy()
        counts = np.bincount(cohort.y[of_night], minlength=5)
        assert row[["W", "N1", "N2", "N3", "R"]].tolist() == counts.tolist()
        assert row["scored_epochs"] == of_night.sum()
        assert row["hours"] == pytest.approx(row["epochs"] / 120, abs=0.01)
    reader = EDFReader(SIGNALS)
    with pytest.warns(EDFWarning, match="startdate"):
        epochs = reader.fit_transform(cohort.X)
    assessed = SignalQuality().assess_nights(epochs)
    for (path, name), expected in assessed.iterrows():
        row = ingested.report[ingested.report["path"] == path].iloc[0]
        assert row[f"{name} flat"] == pytest.approx(expected["flat"], abs=1e-4)
        assert row[f"{name} inverted"] == expected["inverted"]


def test_problems_of_a_hypnogram_are_in_the_report(trees, tmp_path):
    folder = tmp_path / "shhs"
    shutil.copytree(trees / "shhs", folder)
    annotation = next((folder / "polysomnography/annotations-events-nsrr/shhs1").iterdir())
    edf = folder / "polysomnography/edfs/shhs1" / annotation.name.replace("-nsrr.xml", ".edf")
    text = annotation.read_text()
    # The last stage goes on for ten minutes after the recording.
    start = text.rindex("<Duration>") + len("<Duration>")
    stop = text.index("</Duration>", start)
    longer = text[:start] + str(float(text[start:stop]) + 600) + text[stop:]
    annotation.write_text(longer)
    with pytest.warns(HypnogramWarning, match="scored epochs after"):
        ingested = ingest(folder, tmp_path / "store", dataset="shhs", signals=["THX"])
    row = ingested.report.set_index("path").loc[str(edf)]
    assert row["status"] == "done"
    assert "scored epochs after" in row["problems"]
    assert (ingested.report.set_index("path")["problems"].drop(str(edf)) == "").all()


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_bit,
        lambda path: path.write_text("{"),
        lambda path: path.write_text("[]"),
        lambda path: path.write_text('{"path": 3}'),
        lambda path: path.write_text('{"row": 3}'),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\xff\x00"),
    ],
)
def test_a_damaged_row_of_a_night_is_made_again(trees, tmp_path, damage):
    first = ingest(trees / "mesa", tmp_path / "store", dataset="mesa", signals=["THX"])
    before = snapshot(tmp_path / "store")
    path = next((tmp_path / "store" / "nights").iterdir())
    damage(path)
    with pytest.warns(CacheWarning, match=f"{path.name} is damaged; the night is made again"):
        again = ingest(trees / "mesa", tmp_path / "store", dataset="mesa", signals=["THX"])
    pd.testing.assert_frame_equal(again.report, first.report)
    assert snapshot(tmp_path / "store") == before


def test_a_damaged_parquet_night_is_named_and_made_again(trees, tmp_path):
    store = tmp_path / "store"
    first = ingest(trees / "mesa", store, dataset="mesa", signals=["THX"], format="parquet")
    before = snapshot(store)
    path = next(store.rglob("*.parquet"))
    whole = path.read_bytes()
    expected, stages = read_parquet_night(path)
    rng = np.random.default_rng(0)
    n_found = 0
    for place in rng.integers(0, len(whole), 100):
        content = bytearray(whole)
        content[place] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        try:
            found, found_stages = read_parquet_night(path)
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017
            n_found += 1
        else:
            np.testing.assert_array_equal(found["THX"], expected["THX"])
            np.testing.assert_array_equal(found_stages, stages)
    assert n_found > 80
    with pytest.warns(CacheWarning, match=f"{path.name} is damaged; the night is made again"):
        again = ingest(trees / "mesa", store, dataset="mesa", signals=["THX"], format="parquet")
    pd.testing.assert_frame_equal(again.report, first.report)
    assert snapshot(store) == before


@pytest.mark.parametrize("kind", ["cache", "parquet", "nights"])
def test_nothing_is_done_where_the_disk_is_full(trees, tmp_path, monkeypatch, kind):
    store = tmp_path / "store"
    ingest_it = partial(
        ingest,
        *(trees / "mesa", store),
        dataset="mesa",
        signals=["THX"],
        format="cache" if kind == "cache" else "parquet",
    )

    def fail(*arguments, **parameters):
        raise OSError(errno.ENOSPC, "No space left on device")

    place = {
        "cache": "sklearn_sleep.preprocessing.recording_cache.np.save",
        "parquet": "pyarrow.parquet.write_table",
        "nights": "sklearn_sleep.storage.ingesting.to_checked_json",
    }[kind]
    monkeypatch.setattr(place, fail)
    report = ingest_it().report
    assert (report["status"] == "failed").all()
    assert report["problems"].str.contains("disk is full").all()
    command = ["ingest", str(trees / "mesa"), "--out", str(store), "--dataset", "mesa"]
    assert main([*command, "--signals", "THX", "--format", ingest_it.keywords["format"]]) == 1
    assert not list((store / "nights").iterdir())
    monkeypatch.undo()
    assert (ingest_it().report["status"] == "done").all()


def test_a_report_for_which_there_is_no_space(trees, tmp_path, monkeypatch):
    def fail(*arguments, **parameters):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OSError, match=r"The disk is full, and this file was not.*report\.csv"):
        ingest(trees / "mesa", tmp_path / "store", dataset="mesa", signals=["THX"])


def test_an_interrupt_ends_it_and_what_was_done_is_kept(trees, tmp_path, monkeypatch):
    read = EDFReader.transform
    nights = []

    def read_two(reader, X):
        if len(X):  # not where parameters are checked
            nights.append(X["recording"].iloc[0])
            if len(nights) > 2:
                raise KeyboardInterrupt
        return read(reader, X)

    command = ["ingest", str(trees / "mesa"), "--out", str(tmp_path / "store"), "--dataset", "mesa"]
    with monkeypatch.context() as patch:
        patch.setattr(EDFReader, "transform", read_two)
        assert main([*command, "--signals", "THX"]) == 130
    assert len(list((tmp_path / "store" / "nights").iterdir())) == 2
    assert main([*command, "--signals", "THX"]) == 0
    assert len(list((tmp_path / "store" / "nights").iterdir())) == 3


def test_every_night_failed(trees, tmp_path, monkeypatch, capsys):
    def fail(*arguments, **parameters):
        raise EDFError("torn")

    monkeypatch.setattr("sklearn_sleep.io.edf.source.read_edf_samples", fail)
    command = ["ingest", str(trees / "mesa"), "--out", str(tmp_path / "store"), "--dataset", "mesa"]
    assert main(command) == 1
    assert "3 nights: 3 failed" in capsys.readouterr().out


def test_a_folder_of_something_else_is_not_taken_for_a_store(trees, tmp_path, capsys):
    (tmp_path / "report.csv").write_text("mine")
    assert main(["ingest", str(trees / "mesa"), "--out", str(tmp_path), "--dataset", "mesa"]) == 1
    assert "is not empty and not a store of ingested nights" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["report.csv"]


def test_report_is_written_as_csv_and_html(damaged, tmp_path):
    strange = damaged / "polysomnography/edfs/shhs1/<script>alert(1)&.edf"
    strange.write_bytes(b"")
    ingested = ingest_quietly(damaged, tmp_path / "store", dataset="shhs")
    with (tmp_path / "store" / "report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ingested.report["path"].tolist()
    assert [row["status"] for row in rows].count("left out") == 3
    text = (tmp_path / "store" / "report.html").read_text()
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&amp;.edf" in text
    assert "done: 4, left out: 3" in text
    assert text.count("<tr>") == 8


def test_file_that_breaks_while_it_is_read_does_not_stop_the_rest(trees, tmp_path):
    folder = tmp_path / "shhs"
    shutil.copytree(trees / "shhs", folder)
    cohort = load_shhs(folder)
    broken = cohort.recordings["path"][1]
    shutil.copy(cohort.recordings["path"][0], broken)  # fewer epochs than the table names
    content = bytearray((folder / broken).read_bytes())
    content[236:244] = b"10      "
    (folder / broken).write_bytes(bytes(content))
    ingested = ingest_quietly(cohort, tmp_path / "store", n_jobs=2)
    status = ingested.report.set_index("path")["status"]
    assert status[broken] == "failed"
    assert (status.drop(broken) == "done").all()
    problem = ingested.report.set_index("path")["problems"][broken]
    assert broken in problem
    assert problem.startswith("ValueError: X names epoch")
    assert broken not in set(ingested.X["recording"].cat.categories)


@pytest.mark.parametrize("kind", ["cache", "parquet"])
def test_result_does_not_depend_on_the_number_of_processes(trees, tmp_path, kind):
    for n_jobs, name in ((1, "one"), (2, "two")):
        ingest(trees / "mesa", tmp_path / name, dataset="mesa", format=kind, n_jobs=n_jobs)
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")


def test_repeated_call_reads_no_samples_again(trees, tmp_path, monkeypatch):
    first = ingest(trees / "shhs", tmp_path / "store", dataset="shhs")
    before = snapshot(tmp_path / "store")

    def fail(*arguments, **parameters):
        raise AssertionError("samples were read again")

    monkeypatch.setattr("sklearn_sleep.io.edf.source.read_edf_samples", fail)
    again = ingest(trees / "shhs", tmp_path / "store", dataset="shhs")
    pd.testing.assert_frame_equal(again.report, first.report)
    assert snapshot(tmp_path / "store") == before


@pytest.mark.parametrize(("kind", "n_runs"), [("cache", 2), ("parquet", 1)])
def test_killed_ingestion_goes_on_and_gives_the_same_files(trees, tmp_path, kind, n_runs):
    signals = ["THX", "ABD"]
    ingest(trees / "shhs", tmp_path / "whole", dataset="shhs", signals=signals, format=kind)
    expected = snapshot(tmp_path / "whole")
    store = tmp_path / "store"
    command = [sys.executable, "-m", "sklearn_sleep", "ingest", str(trees / "shhs")]
    command += ["--out", str(store), "--dataset", "shhs", "--format", kind, "--jobs", "2"]
    command += ["--signals", *signals]
    rng = np.random.default_rng(0)
    n_kills = 0
    for _ in range(n_runs):
        with subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as running:
            # Most of the time goes into imports; wait for the first files, then for chance.
            before = len(list(store.rglob("*"))) if store.exists() else 0
            while running.poll() is None and (
                not store.exists() or len(list(store.rglob("*"))) <= before + 1
            ):
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.1))
            if running.poll() is None:
                os.killpg(running.pid, signals_of_the_system.SIGKILL)
                n_kills += 1
    assert n_kills >= 1
    ingest(trees / "shhs", store, dataset="shhs", signals=signals, format=kind)
    found = {name: digest for name, digest in snapshot(store).items() if ".partial" not in name}
    assert found == expected


def test_what_killed_processes_had_begun_is_removed_after_a_day(trees, tmp_path):
    ingest(trees / "mesa", tmp_path, dataset="mesa", signals=["THX"])
    old, new = (tmp_path / "nights" / f".{name}.partial" for name in ("old", "new"))
    for path in (old, new):
        path.write_text("{")
    os.utime(old, (0, 0))
    ingest(trees / "mesa", tmp_path, dataset="mesa", signals=["THX"])
    assert new.exists()
    assert not old.exists()


def test_a_store_is_marked_and_of_later_versions_too(trees, tmp_path, monkeypatch):
    first = ingest(trees / "mesa", tmp_path, dataset="mesa", signals=["THX"])
    before = snapshot(tmp_path)
    mark = json.loads((tmp_path / "ingest.json").read_text())
    assert (mark["version"], mark["written_by"]) == (2, __version__)

    def fail(*arguments, **parameters):
        raise AssertionError("samples were read again")

    monkeypatch.setattr("sklearn_sleep.io.edf.source.read_edf_samples", fail)
    monkeypatch.setattr("sklearn_sleep._version.__version__", "9.9")
    monkeypatch.setattr("sklearn_sleep.core.folder_mark.__version__", "9.9")
    for kind in (Resampler, Epocher, RecordingCache):  # a file that moves changes no key
        monkeypatch.setattr(kind, "__module__", "sklearn_sleep.elsewhere")
    again = ingest(trees / "mesa", tmp_path, dataset="mesa", signals=["THX"])
    pd.testing.assert_frame_equal(again.report, first.report)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["store", "store-parquet"])
def test_stores_of_the_first_version_are_refused_by_name(name, trees, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(f"tests/data/written-by-0.1.0/{name}", store)
    before = snapshot(store)
    with pytest.raises(ValueError, match=r"sklearn_sleep 0\.1\.0 wrote.*Give a new folder"):
        ingest(trees / "mesa", store, dataset="mesa")
    assert snapshot(store) == before


def test_changed_stages_are_reported_anew(trees, tmp_path):
    cohort = load_shhs(trees / "shhs")
    ingest(cohort, tmp_path / "store", signals=["THX"])
    cohort.y = np.where(cohort.y == 4, 0, cohort.y)
    report = ingest(cohort, tmp_path / "store", signals=["THX"]).report
    assert report["R"].sum() == 0
    assert report["W"].sum() == (cohort.y == 0).sum()


def test_parquet(trees, tmp_path):
    ingested = ingest(trees / "mesa", tmp_path / "store", dataset="mesa", format="parquet")
    expected = processed(ingested.X, SIGNALS)
    files = sorted((tmp_path / "store/parquet/mesa").glob("*.parquet"))
    assert len(files) == 3
    for path, file in zip(sorted(ingested.X["recording"].cat.categories), files, strict=True):
        signals, stages = read_parquet_night(file)
        assert sorted(signals) == sorted(SIGNALS)
        for name, samples in signals.items():
            np.testing.assert_array_equal(samples, expected[path, name])
        rows = (ingested.X["recording"] == path).to_numpy()
        epoch = ingested.X["epoch"].to_numpy()[rows]
        np.testing.assert_array_equal(stages[epoch], ingested.y[rows])
        assert (np.delete(stages, epoch) == -1).all()
        # Other tools see a row for each epoch.
        table = pd.read_parquet(file)
        assert table["epoch"].tolist() == list(range(len(stages)))
        assert len(table["ECG"][0]) == 1024


def test_pipeline_of_ones_own(trees, tmp_path):
    pipeline = make_pipeline(EDFReader(["THX"]), SignalQuality(), Resampler({"THX": 64}), Epocher())
    ingested = ingest(trees / "shhs", tmp_path / "store", dataset="shhs", pipeline=pipeline)
    epochs = make_pipeline(*ingested.steps).fit_transform(ingested.X)
    plain = pipeline.fit_transform(ingested.X)
    for found, expected in zip(epochs.recordings, plain.recordings, strict=True):
        np.testing.assert_array_equal(found.signals["THX"].data, expected.signals["THX"].data)
    with pytest.raises(ValueError, match="has a RecordingCache; leave it out"):
        ingest(
            trees / "shhs",
            tmp_path / "other",
            dataset="shhs",
            pipeline=make_pipeline(EDFReader(["THX"]), RecordingCache(tmp_path / "cache")),
        )
    with pytest.raises(ValueError, match="must begin with an EDFReader, not Resampler"):
        ingest(
            trees / "shhs", tmp_path / "other", dataset="shhs", pipeline=make_pipeline(Resampler())
        )


def test_joined_cohorts(trees, tmp_path):
    joined = load_cohorts({"shhs": trees / "shhs", "mesa": trees / "mesa"})
    ingested = ingest(joined, tmp_path / "store", signals=["PPG", "THX"])
    signals = ingested.report.groupby("dataset")["signals"].unique()
    assert signals["shhs"].tolist() == ["THX"]
    assert signals["mesa"].tolist() == ["PPG THX"]
    assert len(ingested.X) == len(joined.X)


def test_any_folder(cohort, tmp_path):
    folder = cohort.nights[0].folder
    ingested = ingest(folder, tmp_path / "store", signals=["ECG"])
    assert len(ingested.X) == len(cohort.X)
    assert (ingested.report["status"] == "done").all()


def test_impossible_parameters(trees, tmp_path):
    with pytest.raises(ValueError, match="format='zip'"):
        ingest(trees / "shhs", tmp_path, format="zip")
    with pytest.raises(ValueError, match=r"dataset='attic' is not known; use one of .*shhs"):
        ingest(trees / "shhs", tmp_path, dataset="attic")
    with pytest.raises(ValueError, match="'ECC' is not a known signal"):
        ingest(trees / "shhs", tmp_path, dataset="shhs", signals=["ECC"])


def test_command(damaged, tmp_path, capsys):
    with warnings.catch_warnings():
        for category in (EDFWarning, HypnogramWarning):
            warnings.simplefilter("ignore", category)
        status = main(
            [
                *("ingest", str(damaged), "--out", str(tmp_path / "store")),
                *("--dataset", "shhs", "--signals", "ECG"),
            ]
        )
    printed = capsys.readouterr()
    assert status == 3
    assert "6 nights: 4 done, 2 left out" in printed.out
    assert "left out: " in printed.out
    assert "shhs1-200002.edf has no annotation" in printed.out
    assert "Ingesting" in printed.err
    assert (tmp_path / "store" / "report.html").is_file()
    assert main(["ingest", str(tmp_path / "nowhere"), "--out", str(tmp_path / "s")]) == 1
    assert "is not a folder" in capsys.readouterr().err
