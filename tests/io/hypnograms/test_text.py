"""Text and spreadsheet formats: ISRUC, WSC, CSV and a stage a line."""

from __future__ import annotations

import re
import tracemalloc
import warnings
import zipfile
from datetime import UTC, datetime

import mne
import numpy as np
import openpyxl
import pytest
from hypnogram_errors import refuses

from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io.hypnograms.reading import read_hypnogram

STG_HEADER = "Epoch\tUser-Defined Stage\tCAST-Defined Stage"
ALLSCORE = """\
16:02:00.00\tCALIBRATION
23:58:30.50\tSTART RECORDING
23:59:00.50\tSTAGE - W
23:59:10.00\tLIGHTS OUT
00:00:00.50\tSTAGE - N1
00:00:30.50\tSTAGE - N2
00:00:41.20\tAROUSAL - DUR: 3.5 SEC
00:01:30.50\tSTAGE - MVT
00:02:00.50\tSTAGE - R
00:02:30.50\tSTAGE - NO STAGE
00:03:00.50\tSTAGE - N3
00:04:12.70\tLIGHTS ON
"""


@pytest.fixture
def write(tmp_path):
    def write_text(text, name="night.txt", encoding="latin-1"):
        path = tmp_path / name
        path.write_text(text, encoding=encoding)
        return path

    return write_text


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


# ISRUC


def test_isruc_text_with_blank_lines_after_it(write):
    path = write("0\n1\n2\n3\n5\n5\n\n\n", "1_1.txt")
    np.testing.assert_array_equal(read_hypnogram(path), [0, 1, 2, 3, 4, 4])


def test_isruc_text_longer_than_the_recording(write):
    path = write("0\n" * 40 + "5\n" * 30, "1_1.txt")
    with pytest.warns(HypnogramWarning, match="70 epochs and the recording 40: 30 scored epochs"):
        np.testing.assert_array_equal(read_hypnogram(path, n_epochs=40), [0] * 40)


def test_blank_line_within_a_stage_a_line(write):
    refuses(write("0\n\n1\n"), "line 2 is empty. If the stage of an epoch is unknown, write '?'")


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


# WSC


@pytest.mark.parametrize("header", [STG_HEADER + "\n", ""])
def test_wsc_stg(write, header):
    rows = "".join(f"{index + 1}\t{code}\t0\n" for index, code in enumerate([0, 1, 2, 3, 4, 5, 6]))
    path = write(f"{header}{rows}8\t7\t0\n9\t9\t0\n")
    np.testing.assert_array_equal(read_hypnogram(path), [0, 1, 2, 3, 3, 4, -1, -1, -1])


def test_wsc_stg_starts_where_its_numbers_say(write):
    path = write(f"{STG_HEADER}\n3\t0\t0\n4\t2\t0\n6\t2\t0\n")
    with pytest.warns(HypnogramWarning, match=r"1 gap\(s\) .* from 120 to 150 s"):
        np.testing.assert_array_equal(read_hypnogram(path), [-1, -1, 0, 2, -1, 2])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1\t0\t0\nx\t0\t0", "line 3 is 'x\\t0\\t0'"),
        ("0\t0\t0", "line 2 is '0\\t0\\t0'; a .stg.txt has an epoch number from 1 on"),
        ("1\t8\t0", "line 2: '8' is no sleep stage"),
        ("1\t0\t0\n1\t2\t0", "stages overlap"),
        ("", "a header but no epochs"),
    ],
)
def test_wsc_stg_errors(write, rows, message):
    refuses(write(f"{STG_HEADER}\n{rows}\n"), message)


def test_wsc_allscore_across_midnight(write):
    # Unscored until the first stage; the last one until the last event, in whole epochs.
    with pytest.warns(HypnogramWarning, match="from 270 s on, ends.* the last event, 330 s"):
        found = read_hypnogram(write(ALLSCORE), resample_epochs="error")
    np.testing.assert_array_equal(found, [-1, 0, 0, 1, 2, 2, -1, 4, -1, 3, 3])


def test_wsc_allscore_until_the_end_of_the_recording(write):
    hypnogram = read_hypnogram(write(ALLSCORE), n_epochs=14)
    np.testing.assert_array_equal(hypnogram, [-1, 0, 0, 1, 2, 2, -1, 4, -1, 3, 3, 3, 3, 3])
    np.testing.assert_array_equal(read_hypnogram(write(ALLSCORE), n_epochs=10), hypnogram[:10])


def test_wsc_allscore_last_stage_lasts_an_epoch_at_least(write):
    path = write("22:00:00.00\tSTART RECORDING\n22:00:00.00\tSTAGE - W\n22:00:30.00\tSTAGE - R\n")
    with pytest.warns(HypnogramWarning, match="when the last stage, from 30 s on, ends"):
        np.testing.assert_array_equal(read_hypnogram(path), [0, 4])


def test_wsc_allscore_off_the_grid(write):
    path = write(ALLSCORE.replace("00:00:30.50", "00:00:35.50"))
    with pytest.warns(HypnogramWarning, match="the first at 125 s"):
        assert read_hypnogram(path, n_epochs=11)[4] == 2


def test_wsc_allscore_is_latin_1_and_may_repeat_a_stage(write):
    path = write(ALLSCORE + "00:04:12.70\tNOTE - 37 \xb0C\n00:04:12.70\tSTAGE - N3\n" * 2)
    assert read_hypnogram(path, n_epochs=12)[-1] == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("LIGHTS OUT", "POWER FAILURE RECOVERY", "the power failed during this recording"),
        ("START RECORDING", "START", "0 events START RECORDING, where one tells"),
        ("LIGHTS OUT", "START RECORDING", "2 events START RECORDING, where one tells"),
        ("STAGE", "STATE", "no event such as 'STAGE - N2' after START RECORDING"),
        ("STAGE - N3", "STAGE - N7", "line 11: 'STAGE - N7' is no sleep stage"),
        ("00:02:00.50", "23:59:30.50", "line 9: this stage is noted earlier than the one before"),
        ("00:00:00.50\tSTAGE", "23:59:00.50\tSTAGE", "both are noted 30 s after the start"),
        ("23:59:10.00\t", "", "line 4 is 'LIGHTS OUT'; an .allscore.txt has a time of day"),
    ],
)
def test_wsc_allscore_errors(write, old, new, message):
    refuses(write(ALLSCORE.replace(old, new)), message)


@pytest.mark.parametrize("second", [0, 1])
def test_wsc_allscore_starts_with_the_recording(write, second):
    path = write(ALLSCORE)
    start = datetime.fromisoformat(f"1985-01-01T23:58:{30 + second}")
    found = read_hypnogram(path, recording_start=start, n_epochs=11)
    np.testing.assert_array_equal(found, read_hypnogram(path, n_epochs=11))


@pytest.mark.parametrize("clock", ["23:58:33", "11:58:30", "00:00:00"])
def test_wsc_allscore_that_starts_at_another_time(write, clock):
    start = datetime.fromisoformat(f"1985-01-01T{clock}")
    with pytest.raises(HypnogramError, match=f"starts at 23:58:.. here and at {clock} in"):
        read_hypnogram(write(ALLSCORE), recording_start=start)


@pytest.mark.parametrize(
    "log",
    [
        "22:10:05 1\tRecording Started\t\n22:30:00 41\tLights Out\t\n",
        "10:10:05 1\tRecording Started\t\n",
        "--/--/--\t22:10:05 1\tRecording Started\t\n",
        "22:00:00 1\tRecording Started\t\n22:10:05 1\tRecording Started\t\n",
    ],
)
def test_wsc_stg_whose_log_agrees(log, tmp_path):
    path = tmp_path / "wsc-visit1-10119-nsrr.stg.txt"
    path.write_text(f"{STG_HEADER}\n1\t0\t0\n2\t2\t0\n")
    path.with_name("wsc-visit1-10119-nsrr.log.txt").write_text(log)
    start = datetime.fromisoformat("1985-01-01T22:10:05")
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=start), [0, 2])


@pytest.mark.parametrize(
    "log",
    [
        "22:10:07 1\tRecording Started\t\n",
        "22:10:05 1\tRecording Started\t\n23:00:00 101\tRecording Started\t\n",
    ],
)
def test_wsc_stg_whose_log_tells_of_another_start(log, tmp_path):
    path = tmp_path / "night.stg.txt"
    path.write_text("1\t0\t0\n2\t2\t0\n")
    (tmp_path / "night.log.txt").write_text(log)
    start = datetime.fromisoformat("1985-01-01T22:10:05")
    with pytest.raises(HypnogramError, match=r"night\.log\.txt: the recording starts at 2"):
        read_hypnogram(path, recording_start=start)
    np.testing.assert_array_equal(read_hypnogram(path), [0, 2])


@pytest.mark.parametrize("log", [None, "", "22:10:05 1\tLights Out\t\n"])
def test_wsc_stg_without_a_log_that_tells(log, tmp_path):
    path = tmp_path / "night.stg.txt"
    path.write_text("1\t0\t0\n2\t2\t0\n")
    if log is not None:
        (tmp_path / "night.log.txt").write_text(log)
    start = datetime.fromisoformat("1985-01-01T22:10:05")
    with pytest.warns(HypnogramWarning, match=r"no \.log\.txt beside it tells"):
        np.testing.assert_array_equal(read_hypnogram(path, recording_start=start), [0, 2])


# CSV and a stage a line


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_with_a_column_of_stages(write, delimiter):
    text = f"note{delimiter}Sleep Stage\r\na{delimiter}W\r\nb{delimiter}N2\r\n\r\n"
    np.testing.assert_array_equal(read_hypnogram(write(text)), [0, 2])


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("Onset (s),Duration (s),Stage", {}),
        ("start_sec,duration_sec,stage", {}),
        ("Start,Length [s],Sleep Stage", {}),
        ("Begin der Seite,Dauer,Stadium", {"onset": "begin der seite", "duration": "Dauer"}),
    ],
)
def test_names_of_the_columns_of_times(write, header, told):
    path = write(f"{header}\n60,60,W\n120,30,N2\n")
    columns = {**told, **({"stage": "Stadium"} if told else {})}
    np.testing.assert_array_equal(read_hypnogram(path, columns=columns), [-1, -1, 0, 0, 2])


@pytest.mark.parametrize("name", ["Epoch Number", "epoch", "No.", "Index"])
def test_left_out_epochs_stay_left_out(write, name):
    path = write(f"{name},Stage\n0,W\n1,W\n4,N2\n")
    with pytest.warns(HypnogramWarning, match="1 gap"):
        np.testing.assert_array_equal(read_hypnogram(path), [0, 0, -1, -1, 2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Seite,Stage\n1,W\n2,N2\n", "columns={'epoch': 'Seite'}"),
        ("Époque,Stage\n1,W\n2,N2\n", "columns={'epoch': 'Époque'}"),
        ("Début,Stage\n0,W\n0,N2\n", "columns={'onset': 'Début'}"),
        (",Stage\n20,W\n21,W\n22,N2\n", "columns={'epoch': ''}"),
        ("row,Stage\n-1,W\n0,W\n1,N2\n", "columns={'epoch': 'row'}"),
        ("when,Stage\n23:59:30,W\n00:00:00,N2\n", "column 'when' looks as if"),
        ("x,Stage\n3,W\n4,W\n9,N2\n", "column 'x' looks as if"),
        ("time,Stage\n22:00:00,W\n22:00:30,N2\n", "a time of day. Pass recording_start"),
        ("onset,Stage\n0,W\n90,N2\n300,R\n", "Add a column 'duration'"),
    ],
)
def test_columns_that_may_tell_places_are_never_ignored(write, text, message):
    refuses(write(text), message)


@pytest.mark.parametrize("name", ["", "n", "PatientID", "SubjectID", "score"])
def test_columns_that_tell_no_places(write, name):
    cells = "011" if name.endswith("ID") else "123"
    rows = "".join(f"{a},{b}\n" for a, b in zip(cells, ["W", "N1", "N2"], strict=True))
    np.testing.assert_array_equal(read_hypnogram(write(f"{name},Stage\n{rows}")), [0, 1, 2])


def test_columns_that_are_not_in_the_table(write):
    path = write("a,stage\n1,W\n2,N1\n")
    refuses(
        path,
        "columns says that 'b' is the onset, but the header has 'a', 'stage'",
        columns={"onset": "b"},
    )
    with pytest.raises(ValueError, match="columns has the keys"):
        read_hypnogram(path, columns={"start": "a"})


@pytest.mark.parametrize(
    ("times", "start", "expected"),
    [
        (["21:34:57", "21:35:27"], "21:33:57", [-1, -1, 0, 1]),
        (["23:59:45", "00:00:15"], "23:59:15", [-1, 0, 1]),
        (["11:59:45 PM", "12:00:15 AM"], "23:59:15", [-1, 0, 1]),
        (["2020-01-01 23:59:45", "2020-01-02 00:00:15"], "23:59:15", [-1, 0, 1]),
        (["00:00:15", "00:00:45"], "23:59:15", [-1, -1, 0, 1]),
        (["00:00:00", "00:00:30"], "23:59:00", [-1, -1, 0, 1]),
    ],
)
def test_times_of_day_are_placed_by_the_start_of_the_recording(write, times, start, expected):
    path = write("No.,StartTime,Label\n" + f"1,{times[0]},W\n2,{times[1]},N1\n")
    recording_start = datetime.fromisoformat(f"2020-01-01T{start}")
    found = read_hypnogram(path, recording_start=recording_start)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("zero", ["00:00:00", "0:00:00", "00:00", "00:00:00.000"])
@pytest.mark.parametrize("header", ["time,stage", "onset,stage,duration"])
def test_times_that_begin_with_zero_may_count_from_the_start(write, header, zero):
    path = write(f"{header}\n{zero},W,30\n00:00:30,N1,30\n00:01:00,N2,30\n")
    start = datetime.fromisoformat("2020-01-01T22:00:00")
    refuses(path, "may be times of day, or count from its start", recording_start=start)
    midnight = datetime.fromisoformat("2020-01-01T00:00:00")
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=midnight), [0, 1, 2])


def test_times_with_dates_that_begin_at_midnight_are_times_of_day(write):
    path = write("time,stage\n2020-01-02 00:00:00,W\n2020-01-02 00:00:30,N1\n")
    start = datetime.fromisoformat("2020-01-01T23:59:00")
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=start), [-1, -1, 0, 1])


@pytest.mark.parametrize("start", [None, "2020-01-01T22:00:00", "1985-01-01T00:00:00"])
@pytest.mark.parametrize("first", [0, 60, -30])
def test_onsets_of_mne_count_from_the_start_where_it_knows_no_date(write, start, first):
    annotations = mne.Annotations(
        first + 30.0 * np.arange(4), 30.0, [f"Sleep stage {stage}" for stage in "W123"]
    )
    path = write("", "night.csv")
    annotations.save(path, overwrite=True, verbose="error")
    assert "19" in path.read_text()
    with warnings.catch_warnings(action="ignore" if first < 0 else "error"):
        found = read_hypnogram(path, recording_start=start and datetime.fromisoformat(start))
    expected = [-1] * (first // 30) + [0, 1, 2, 3][-min(first, 0) // 30 :]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("header", ["time,stage", "time,stage,duration", "start,stage,end"])
def test_rows_before_the_recording_are_cut(write, header):
    rows = ["23:59:00,W,30", "23:59:30,N1,30", "00:00:00,N2,30", "00:00:30,R,30"]
    if header.endswith("end"):
        ends = ["23:59:30", "00:00:00", "00:00:30", "00:01:00"]
        rows = [row[:-2] + end for row, end in zip(rows, ends, strict=True)]
    if header == "time,stage":
        rows = [row.removesuffix(",30") for row in rows]
    path = write("\n".join([header, *rows]))
    start = datetime.fromisoformat("2020-01-01T23:59:50")
    with pytest.warns(HypnogramWarning, match="2 stage.* start before the recording, the first 50"):
        found = read_hypnogram(path, recording_start=start, resample_epochs="majority", n_epochs=2)
    np.testing.assert_array_equal(found, [2, 4])
    start = datetime.fromisoformat("2020-01-01T07:59:00")
    refuses(path, "starts -8.0 h after", recording_start=start)


def test_rest_of_a_row_before_the_recording_is_no_stage(write):
    path = write("time,stage\n23:59:30.009,W\n00:00:00.000,N2\n00:00:30.000,R")
    start = datetime.fromisoformat("2020-01-01T00:00:00")
    with pytest.warns(HypnogramWarning, match="1 stage.* start before the recording"):
        found = read_hypnogram(path, recording_start=start)
    np.testing.assert_array_equal(found, [2, 4])


def test_line_breaks_in_quotes(write):
    path = write('stage,note\nW,"two\nlines"\nN2,\n')
    np.testing.assert_array_equal(read_hypnogram(path), [0, 2])
    refuses(write('stage,note\nW,"two\nlines"\nN9,\n'), "line 4: 'N9'")


def test_rows_shorter_than_an_epoch_are_events(write):
    path = write("Sleep Stage\tEvent\tDuration[s]\nW\ta\t30\nS2\tb\t30\nS2\tc\t4\nR\td\t30\n")
    with pytest.warns(HypnogramWarning, match="1 of 4 rows last less than an epoch"):
        np.testing.assert_array_equal(read_hypnogram(path), [0, 2, 4])


@pytest.mark.parametrize(
    ("text", "seconds", "expected"),
    [
        ("0\n" * 60 + "1\n" * 30 + "2\n" * 30, 1, [0, 0, 1, 2]),
        ("0\n0\n0\n1\n2\n2\n", 20, [0, 0, 1, 2]),
        ("0\n1\n", 60, [0, 0, 1, 1]),
    ],
)
def test_pages_of_another_length_are_known_by_the_recordings_length(write, text, seconds, expected):
    with pytest.warns(HypnogramWarning) as told:
        np.testing.assert_array_equal(read_hypnogram(write(text), n_epochs=4), expected)
    assert f"were taken for pages of {seconds} s" in str(told[0].message)
    found = read_hypnogram(
        write(text), n_epochs=4, epoch_duration=seconds, resample_epochs="majority"
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("header", ["", "stage\n", "Hypnogram\n", "\n"])
def test_a_stage_a_line(write, header):
    path = write(f"{header}wake\nN1\nNREM2\nN3\nREM\n?\n")
    np.testing.assert_array_equal(read_hypnogram(path), [0, 1, 2, 3, 4, -1])


def test_onset_and_duration_with_decimal_commas(write):
    path = write("onset;duration;description\n30,0;60,0;Sleep stage W\n90;30;Sleep stage 2\n")
    np.testing.assert_array_equal(read_hypnogram(path), [-1, 0, 0, 2])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [("0,W\n1,N1", [0, 1]), ("1,W\n2,N1", [0, 1]), ("1,N1\n0,W", [0, 1])],
)
def test_epoch_numbers(write, rows, expected):
    np.testing.assert_array_equal(read_hypnogram(write(f"epoch,stage\n{rows}\n")), expected)


def test_epoch_numbers_with_a_gap(write):
    with pytest.warns(HypnogramWarning, match="from 30 to 60 s"):
        hypnogram = read_hypnogram(write("epoch,stage\n0,W\n2,N1\n"))
    np.testing.assert_array_equal(hypnogram, [0, -1, 1])


@pytest.mark.parametrize("rows", ["1,W\n3,N1", "5,W\n6,N1"])
def test_epoch_numbers_of_unknown_start(write, rows):
    refuses(write(f"epoch,stage\n{rows}\n"), "cannot be told whether the recording's first epoch")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0,20,W\n1,20,W\n2,20,N1\n3,20,N1\n4,20,N1\n5,20,N2", [0, 1, 1, 2]),
        ("1,60.0,W\n2,60.0,N2", [0, 0, 2, 2]),
        ("1,90,W\n2,30,N1\n3,60,N2", [0, 0, 0, 1, 2, 2]),
    ],
)
def test_numbered_epochs_and_stretches_last_as_long_as_they_say(write, text, expected):
    path = write(f"No.,Duration (s),Stage\n{text}\n")
    found = read_hypnogram(path, resample_epochs="majority")
    np.testing.assert_array_equal(found, expected)


def test_numbered_epochs_of_different_lengths_with_a_gap(write):
    path = write("epoch,duration,stage\n0,30,W\n1,60,N1\n3,30,N2\n")
    refuses(path, "they last 30 to 60 s, so that numbers do not tell when they start")


def test_numbered_pages_that_fit_the_recording_by_another_length(write):
    path = write("epoch,stage\n" + "".join(f"{i},{s}\n" for i, s in enumerate("WWW111222")))
    with pytest.warns(HypnogramWarning, match="taken for pages of 20 s. Pass epoch_duration=20"):
        np.testing.assert_array_equal(read_hypnogram(path, n_epochs=6), [0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize("text", ["0,W\n30,N1\n60,N2\n90,R", "10,W\n20,N1\n40,N2"])
def test_epochs_that_are_numbered_like_seconds(write, text):
    columns = "columns={'onset': '…'}" if text[0] == "0" else "cannot be told whether"
    refuses(write(f"epoch,stage\n{text}\n"), columns)


@pytest.mark.parametrize("step", [2, 20, 30])
def test_numbers_that_may_be_times_are_no_epochs_of_wsc(write, step):
    rows = "".join(f"{step * (i + 1)}\t{code}\n" for i, code in enumerate([0, 1, 2, 2]))
    refuses(write(rows), "has neither a stage nor a known header")


def test_20_second_epochs_without_times(write):
    path = write("W\nW\nN2\n")
    with pytest.warns(HypnogramWarning, match="the shortest stage lasts 20 s"):
        np.testing.assert_array_equal(read_hypnogram(path, epoch_duration=20), [0, 2])


def test_integers_that_may_mean_two_things(write):
    path = write("0\n3\n4\n")
    refuses(path, "code 4 occurs and 5 does not")
    np.testing.assert_array_equal(read_hypnogram(path, stage_codes="aasm"), [0, 3, 4])
    np.testing.assert_array_equal(read_hypnogram(path, stage_codes="r&k"), [0, 3, 3])


def test_codes_4_and_5_may_be_of_either_scheme(write):
    path = write("0\n4\n5\n9\n")
    refuses(path, "code 4 occurs and 5 occurs too")
    np.testing.assert_array_equal(read_hypnogram(path, stage_codes="r&k"), [0, 3, 4, -1])
    with pytest.warns(HypnogramWarning, match=r"\[5, 9\] are none of the AASM codes"):
        found = read_hypnogram(path, stage_codes="aasm")
    np.testing.assert_array_equal(found, [0, 4, -1, -1])
    np.testing.assert_array_equal(read_hypnogram(write("0\n3\n5\n9\n")), [0, 3, 4, -1])


def test_aasm_integers_of_yasa_and_pandas(write):
    path = write("stage\n0.0\n4.0\nnan\n-1\n-2\nN1\n")
    np.testing.assert_array_equal(read_hypnogram(path, stage_codes="aasm"), [0, 4, -1, -1, -1, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stage\nW\nN7\n", "line 3: 'N7' is no sleep stage"),
        ("stage,x\nW,1\nN1\n,2\n", "line 4: '' is no sleep stage"),
        ("x,stage\n1,W\n2\n", "line 3 has 1 column(s), where the stage needs 2"),
        ("stage,label\nW,W\n", "has more than one column of stages"),
        ("time,value\n0,W\n", "has neither a stage nor a known header. Known are "),
        ("0,30,W\n", "has neither a stage nor a known header"),
        ("onset,duration,stage\n0,half,W\n", "line 2: duration is 'half'"),
        ("epoch,stage\n-1,W\n", "line 2: epoch is '-1', which is no epoch number"),
        ("stage\n", "there is a header but no stage below it"),
        ("W" * 200_000, "this is no table (field larger than field limit"),
    ],
)
def test_csv_errors(write, text, message):
    refuses(write(text), message)


@pytest.mark.parametrize("name", ["onset_ms", "Onset [ms]", "Time (min)", "start_hours"])
def test_times_in_other_units_than_seconds_are_refused(tmp_path, name):
    path = tmp_path / "night.csv"
    path.write_text(f"{name},stage\n0,W\n30000,N2\n")
    for columns in (None, {"onset": name}):
        with pytest.raises(HypnogramError) as refused:
            read_hypnogram(path, columns=columns)
        told = str(refused.value)
        assert name in told
        assert "Write seconds" in told or columns is None


@pytest.mark.parametrize("mark", ["\x85", "\f", "\u2028"])
def test_what_ends_no_line_is_part_of_a_text(tmp_path, mark):
    path = tmp_path / "night.csv"
    path.write_text(f"stage,comment\nW,woke{mark}twice\r\nN2,\n", encoding="utf-8", newline="")
    np.testing.assert_array_equal(read_hypnogram(path), [0, 2])


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


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"stage_names": {"A": 0}}, r"stage_names must map texts to texts.* not \{'A': 0\}"),
        ({"stage_names": {1: "W"}}, "stage_names must map texts to texts"),
        ({"stage_names": "W"}, "stage_names must map texts to texts.* not 'W'"),
        ({"columns": {"onset": 0}}, "columns must map texts to texts"),
        ({"recording_start": "22:00"}, "recording_start must be a datetime.* not '22:00'"),
    ],
)
def test_parameters_of_another_type_are_named(tmp_path, parameters, message):
    path = tmp_path / "night.txt"
    path.write_text("W\nN2\n")
    with pytest.raises(ValueError, match=message):
        read_hypnogram(path, **parameters)


def test_a_header_of_no_known_name_says_how_to_name_it(tmp_path):
    path = tmp_path / "night.csv"
    path.write_text("Schlafstadium\nW\nN2\n")
    with pytest.raises(HypnogramError, match=r"columns=\{'stage': '…'\}.*stage_names="):
        read_hypnogram(path)
    stages = read_hypnogram(path, columns={"stage": "Schlafstadium"})
    np.testing.assert_array_equal(stages, [0, 2])


def test_a_start_with_a_time_zone_is_that_of_the_recorders_clock(tmp_path):
    path = tmp_path / "night.csv"
    path.write_text("time,stage\n22:00:30,W\n22:01:00,N2\n")
    start = datetime(2020, 1, 1, 22, tzinfo=UTC)  # as mne has it
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=start), [-1, 0, 2])
