"""ISRUC: text of a stage a line, and workbooks."""

from __future__ import annotations

import re
import tracemalloc
import zipfile

import numpy as np
import openpyxl
import pytest
from hypnogram_errors import refuses

from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io.hypnograms.reading import read_hypnogram


@pytest.fixture
def write_workbook(tmp_path):
    def write_rows(*rows, first_sheet=()):
        workbook = openpyxl.Workbook()
        for row in first_sheet:
            workbook.active.append(row)
        sheet = workbook.create_sheet("Scoring")
        for row in rows:
            sheet.append(row)
        path = tmp_path / "1_1.xlsx"
        workbook.save(path)
        return path

    return write_rows


def test_isruc_text_with_blank_lines_after_it(write_text):
    path = write_text("0\n1\n2\n3\n5\n5\n\n\n", "1_1.txt")
    np.testing.assert_array_equal(read_hypnogram(path), [0, 1, 2, 3, 4, 4])


def test_isruc_text_longer_than_the_recording(write_text):
    path = write_text("0\n" * 40 + "5\n" * 30, "1_1.txt")
    with pytest.warns(HypnogramWarning, match="70 epochs and the recording 40: 30 scored epochs"):
        np.testing.assert_array_equal(read_hypnogram(path, n_epochs=40), [0] * 40)


def test_blank_line_within_a_stage_a_line(write_text):
    refuses(
        write_text("0\n\n1\n"), "line 2 is empty. If the stage of an epoch is unknown, write '?'"
    )


def test_isruc_workbook(write_workbook):
    path = write_workbook(
        ("Epoch", "Stage", "SpO2", "Events"),
        *(
            (index + 1, stage, 95, None)
            for index, stage in enumerate(["W", "N1", "N2", "N3", "R", "U", "L"])
        ),
        (None, None, None, "end"),
        first_sheet=[("Patient", 1)],
    )
    np.testing.assert_array_equal(read_hypnogram(path), [0, 1, 2, 3, 4, -1, -1])
    renamed = path.rename(path.with_name("scoring.bin"))
    np.testing.assert_array_equal(read_hypnogram(renamed)[:5], [0, 1, 2, 3, 4])


def test_isruc_workbook_without_numbers_and_with_20_second_epochs(write_workbook):
    path = write_workbook(("Note", "Stage"), ("a", "W"), ("b", "W"), ("c", "R"))
    hypnogram = read_hypnogram(path, epoch_duration=20.0, resample_epochs="majority")
    np.testing.assert_array_equal(hypnogram, [0, 4])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("Epoch", "Sleep")], "no sheet of this workbook has a column 'Stage'"),
        ([("Stage",)], "sheet 'Scoring' has no stages below 'Stage'"),
        ([("Stage",), ("W",), ("X",)], "sheet 'Scoring', row 3: 'X' is no sleep stage"),
        ([("Epoch", "Stage"), (1, "W"), (2, None), (3, "R")], "row 3: '' is no sleep stage"),
        ([("Epoch", "Stage"), ("one", "W")], "row 2: epoch is 'one'"),
        ([("Epoch", "Stage"), (2, "W"), (3, "R")], "epochs are numbered from 2 to 3"),
    ],
)
def test_isruc_workbook_errors(write_workbook, rows, message):
    refuses(write_workbook(*rows), message)


def test_zip_archive_that_is_no_workbook(tmp_path):
    path = tmp_path / "1_1.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("night.txt", "0")
    refuses(path, "this is a zip archive, but no sound .xlsx workbook")
    path.write_bytes(path.read_bytes()[:40])
    refuses(path, "this is a zip archive, but no sound .xlsx workbook")


def change_workbook(path, *changes):
    with zipfile.ZipFile(path) as sound:
        members = {name: sound.read(name) for name in sound.namelist()}
    sheet = "xl/worksheets/sheet2.xml"
    for old, new in changes:
        assert re.search(old, members[sheet])
        members[sheet] = re.sub(old, new, members[sheet])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_workbook_that_claims_the_whole_sheet(write_workbook):
    path = write_workbook(("Epoch", "Stage"), (1, "W"), (2, "N1"))
    change_workbook(path, (rb'<dimension ref="[^"]*"', b'<dimension ref="A1:XFD1048576"'))
    tracemalloc.start()
    np.testing.assert_array_equal(read_hypnogram(path), [0, 1])
    assert tracemalloc.get_traced_memory()[1] < 2e7
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((rb'<row r="3"', b'<row r="999999999"'), "sheet 'Scoring' has rows beyond 120960"),
        ((b"</worksheet>", b" " * 17_000_000 + b"</worksheet>"), "this workbook unpacks to 17 MB"),
        ((rb'r="B2"', b'r="XFD2"'), "row 2: '' is no sleep stage"),
        ((rb"<v>2</v>", b"<v>%s</v>" % (b"2" * 5000)), "no sound .xlsx workbook (ValueError"),
    ],
)
def test_workbooks_that_grow(write_workbook, change, message):
    path = write_workbook(("Epoch", "Stage"), (1, "W"), (2, "N1"))
    change_workbook(path, change)
    refuses(path, message)
    assert path.stat().st_size < 40_000


def test_damaged_workbook(write_workbook, tmp_path):
    path = write_workbook(("Epoch", "Stage"), (1, "W"))
    damaged = tmp_path / "damaged.xlsx"
    with zipfile.ZipFile(path) as sound, zipfile.ZipFile(damaged, "w") as archive:
        for name in sound.namelist():
            archive.writestr(name, sound.read(name).replace(b"PartName", b"PartNome"))
    refuses(damaged, "this is a zip archive, but no sound .xlsx workbook")


def test_workbooks_are_read_by_told_columns_wherever_the_header_is(tmp_path):
    workbook = openpyxl.Workbook()
    workbook.active.append(["Report", "of a night"])
    sheet = workbook.create_sheet("Epochen")
    for row in (["Patient 7"], [], ["Nr", "Schlafstadium"], [1, "W"], [2, "N2"]):
        sheet.append(row)
    path = tmp_path / "night.xlsx"
    workbook.save(path)
    told = {"stage": "Schlafstadium"}
    np.testing.assert_array_equal(read_hypnogram(path, columns=told), [0, 2])
    with pytest.raises(HypnogramError, match=r"no sheet .* columns=\{'stage': '…'\}"):
        read_hypnogram(path)
    other = workbook.create_sheet("Scorer 2")
    for row in (["Schlafstadium"], ["N1"], ["N1"]):
        other.append(row)
    workbook.save(path)
    with pytest.warns(HypnogramWarning, match="Epochen, Scorer 2 have stages; those of 'Epochen'"):
        np.testing.assert_array_equal(read_hypnogram(path, columns=told), [0, 2])
