"""Tables of stages, and a stage a line: what columns and numbers mean, where rows lie."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime

import mne
import numpy as np
import pytest
from hypnogram_errors import refuses

from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io.hypnograms.reading import read_hypnogram


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_with_a_column_of_stages(write_text, delimiter):
    text = f"note{delimiter}Sleep Stage\r\na{delimiter}W\r\nb{delimiter}N2\r\n\r\n"
    np.testing.assert_array_equal(read_hypnogram(write_text(text)), [0, 2])


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("Onset (s),Duration (s),Stage", {}),
        ("start_sec,duration_sec,stage", {}),
        ("Start,Length [s],Sleep Stage", {}),
        ("Begin der Seite,Dauer,Stadium", {"onset": "begin der seite", "duration": "Dauer"}),
    ],
)
def test_names_of_the_columns_of_times(write_text, header, told):
    path = write_text(f"{header}\n60,60,W\n120,30,N2\n")
    columns = {**told, **({"stage": "Stadium"} if told else {})}
    np.testing.assert_array_equal(read_hypnogram(path, columns=columns), [-1, -1, 0, 0, 2])


@pytest.mark.parametrize("name", ["Epoch Number", "epoch", "No.", "Index"])
def test_left_out_epochs_stay_left_out(write_text, name):
    path = write_text(f"{name},Stage\n0,W\n1,W\n4,N2\n")
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
def test_columns_that_may_tell_places_are_never_ignored(write_text, text, message):
    refuses(write_text(text), message)


@pytest.mark.parametrize("name", ["", "n", "PatientID", "SubjectID", "score"])
def test_columns_that_tell_no_places(write_text, name):
    cells = "011" if name.endswith("ID") else "123"
    rows = "".join(f"{a},{b}\n" for a, b in zip(cells, ["W", "N1", "N2"], strict=True))
    np.testing.assert_array_equal(read_hypnogram(write_text(f"{name},Stage\n{rows}")), [0, 1, 2])


def test_columns_that_are_not_in_the_table(write_text):
    path = write_text("a,stage\n1,W\n2,N1\n")
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
def test_times_of_day_are_placed_by_the_start_of_the_recording(write_text, times, start, expected):
    path = write_text("No.,StartTime,Label\n" + f"1,{times[0]},W\n2,{times[1]},N1\n")
    recording_start = datetime.fromisoformat(f"2020-01-01T{start}")
    found = read_hypnogram(path, recording_start=recording_start)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("zero", ["00:00:00", "0:00:00", "00:00", "00:00:00.000"])
@pytest.mark.parametrize("header", ["time,stage", "onset,stage,duration"])
def test_times_that_begin_with_zero_may_count_from_the_start(write_text, header, zero):
    path = write_text(f"{header}\n{zero},W,30\n00:00:30,N1,30\n00:01:00,N2,30\n")
    start = datetime.fromisoformat("2020-01-01T22:00:00")
    refuses(path, "may be times of day, or count from its start", recording_start=start)
    midnight = datetime.fromisoformat("2020-01-01T00:00:00")
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=midnight), [0, 1, 2])


def test_times_with_dates_that_begin_at_midnight_are_times_of_day(write_text):
    path = write_text("time,stage\n2020-01-02 00:00:00,W\n2020-01-02 00:00:30,N1\n")
    start = datetime.fromisoformat("2020-01-01T23:59:00")
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=start), [-1, -1, 0, 1])


@pytest.mark.parametrize("start", [None, "2020-01-01T22:00:00", "1985-01-01T00:00:00"])
@pytest.mark.parametrize("first", [0, 60, -30])
def test_onsets_of_mne_count_from_the_start_where_it_knows_no_date(write_text, start, first):
    annotations = mne.Annotations(
        first + 30.0 * np.arange(4), 30.0, [f"Sleep stage {stage}" for stage in "W123"]
    )
    path = write_text("", "night.csv")
    annotations.save(path, overwrite=True, verbose="error")
    assert "19" in path.read_text()
    with warnings.catch_warnings(action="ignore" if first < 0 else "error"):
        found = read_hypnogram(path, recording_start=start and datetime.fromisoformat(start))
    expected = [-1] * (first // 30) + [0, 1, 2, 3][-min(first, 0) // 30 :]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("header", ["time,stage", "time,stage,duration", "start,stage,end"])
def test_rows_before_the_recording_are_cut(write_text, header):
    rows = ["23:59:00,W,30", "23:59:30,N1,30", "00:00:00,N2,30", "00:00:30,R,30"]
    if header.endswith("end"):
        ends = ["23:59:30", "00:00:00", "00:00:30", "00:01:00"]
        rows = [row[:-2] + end for row, end in zip(rows, ends, strict=True)]
    if header == "time,stage":
        rows = [row.removesuffix(",30") for row in rows]
    path = write_text("\n".join([header, *rows]))
    start = datetime.fromisoformat("2020-01-01T23:59:50")
    with pytest.warns(HypnogramWarning, match="2 stage.* start before the recording, the first 50"):
        found = read_hypnogram(path, recording_start=start, resample_epochs="majority", n_epochs=2)
    np.testing.assert_array_equal(found, [2, 4])
    start = datetime.fromisoformat("2020-01-01T07:59:00")
    refuses(path, "starts -8.0 h after", recording_start=start)


def test_rest_of_a_row_before_the_recording_is_no_stage(write_text):
    path = write_text("time,stage\n23:59:30.009,W\n00:00:00.000,N2\n00:00:30.000,R")
    start = datetime.fromisoformat("2020-01-01T00:00:00")
    with pytest.warns(HypnogramWarning, match="1 stage.* start before the recording"):
        found = read_hypnogram(path, recording_start=start)
    np.testing.assert_array_equal(found, [2, 4])


def test_line_breaks_in_quotes(write_text):
    path = write_text('stage,note\nW,"two\nlines"\nN2,\n')
    np.testing.assert_array_equal(read_hypnogram(path), [0, 2])
    refuses(write_text('stage,note\nW,"two\nlines"\nN9,\n'), "line 4: 'N9'")


def test_rows_shorter_than_an_epoch_are_events(write_text):
    path = write_text("Sleep Stage\tEvent\tDuration[s]\nW\ta\t30\nS2\tb\t30\nS2\tc\t4\nR\td\t30\n")
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
def test_pages_of_another_length_are_known_by_the_recordings_length(
    write_text, text, seconds, expected
):
    with pytest.warns(HypnogramWarning) as told:
        np.testing.assert_array_equal(read_hypnogram(write_text(text), n_epochs=4), expected)
    assert f"were taken for pages of {seconds} s" in str(told[0].message)
    found = read_hypnogram(
        write_text(text), n_epochs=4, epoch_duration=seconds, resample_epochs="majority"
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("header", ["", "stage\n", "Hypnogram\n", "\n"])
def test_a_stage_a_line(write_text, header):
    path = write_text(f"{header}wake\nN1\nNREM2\nN3\nREM\n?\n")
    np.testing.assert_array_equal(read_hypnogram(path), [0, 1, 2, 3, 4, -1])


def test_onset_and_duration_with_decimal_commas(write_text):
    path = write_text("onset;duration;description\n30,0;60,0;Sleep stage W\n90;30;Sleep stage 2\n")
    np.testing.assert_array_equal(read_hypnogram(path), [-1, 0, 0, 2])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [("0,W\n1,N1", [0, 1]), ("1,W\n2,N1", [0, 1]), ("1,N1\n0,W", [0, 1])],
)
def test_epoch_numbers(write_text, rows, expected):
    np.testing.assert_array_equal(read_hypnogram(write_text(f"epoch,stage\n{rows}\n")), expected)


def test_epoch_numbers_with_a_gap(write_text):
    with pytest.warns(HypnogramWarning, match="from 30 to 60 s"):
        hypnogram = read_hypnogram(write_text("epoch,stage\n0,W\n2,N1\n"))
    np.testing.assert_array_equal(hypnogram, [0, -1, 1])


@pytest.mark.parametrize("rows", ["1,W\n3,N1", "5,W\n6,N1"])
def test_epoch_numbers_of_unknown_start(write_text, rows):
    refuses(
        write_text(f"epoch,stage\n{rows}\n"), "cannot be told whether the recording's first epoch"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0,20,W\n1,20,W\n2,20,N1\n3,20,N1\n4,20,N1\n5,20,N2", [0, 1, 1, 2]),
        ("1,60.0,W\n2,60.0,N2", [0, 0, 2, 2]),
        ("1,90,W\n2,30,N1\n3,60,N2", [0, 0, 0, 1, 2, 2]),
    ],
)
def test_numbered_epochs_and_stretches_last_as_long_as_they_say(write_text, text, expected):
    path = write_text(f"No.,Duration (s),Stage\n{text}\n")
    found = read_hypnogram(path, resample_epochs="majority")
    np.testing.assert_array_equal(found, expected)


def test_numbered_epochs_of_different_lengths_with_a_gap(write_text):
    path = write_text("epoch,duration,stage\n0,30,W\n1,60,N1\n3,30,N2\n")
    refuses(path, "they last 30 to 60 s, so that numbers do not tell when they start")


def test_numbered_pages_that_fit_the_recording_by_another_length(write_text):
    path = write_text("epoch,stage\n" + "".join(f"{i},{s}\n" for i, s in enumerate("WWW111222")))
    with pytest.warns(HypnogramWarning, match="taken for pages of 20 s. Pass epoch_duration=20"):
        np.testing.assert_array_equal(read_hypnogram(path, n_epochs=6), [0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize("text", ["0,W\n30,N1\n60,N2\n90,R", "10,W\n20,N1\n40,N2"])
def test_epochs_that_are_numbered_like_seconds(write_text, text):
    columns = "columns={'onset': '…'}" if text[0] == "0" else "cannot be told whether"
    refuses(write_text(f"epoch,stage\n{text}\n"), columns)


@pytest.mark.parametrize("step", [2, 20, 30])
def test_numbers_that_may_be_times_are_no_epochs_of_wsc(write_text, step):
    rows = "".join(f"{step * (i + 1)}\t{code}\n" for i, code in enumerate([0, 1, 2, 2]))
    refuses(write_text(rows), "has neither a stage nor a known header")


def test_20_second_epochs_without_times(write_text):
    path = write_text("W\nW\nN2\n")
    with pytest.warns(HypnogramWarning, match="the shortest stage lasts 20 s"):
        np.testing.assert_array_equal(read_hypnogram(path, epoch_duration=20), [0, 2])


def test_integers_that_may_mean_two_things(write_text):
    path = write_text("0\n3\n4\n")
    refuses(path, "code 4 occurs and 5 does not")
    np.testing.assert_array_equal(read_hypnogram(path, stage_codes="aasm"), [0, 3, 4])
    np.testing.assert_array_equal(read_hypnogram(path, stage_codes="r&k"), [0, 3, 3])


def test_codes_4_and_5_may_be_of_either_scheme(write_text):
    path = write_text("0\n4\n5\n9\n")
    refuses(path, "code 4 occurs and 5 occurs too")
    np.testing.assert_array_equal(read_hypnogram(path, stage_codes="r&k"), [0, 3, 4, -1])
    with pytest.warns(HypnogramWarning, match=r"\[5, 9\] are none of the AASM codes"):
        found = read_hypnogram(path, stage_codes="aasm")
    np.testing.assert_array_equal(found, [0, 4, -1, -1])
    np.testing.assert_array_equal(read_hypnogram(write_text("0\n3\n5\n9\n")), [0, 3, 4, -1])


def test_aasm_integers_of_yasa_and_pandas(write_text):
    path = write_text("stage\n0.0\n4.0\nnan\n-1\n-2\nN1\n")
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
def test_csv_errors(write_text, text, message):
    refuses(write_text(text), message)


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


def test_seconds_before_the_recording_are_cut(write_text):
    path = write_text("onset,duration,stage\n-45,60,W\n15,30,N1\n45,60,N2\n")
    with pytest.warns(HypnogramWarning) as told:
        stages = read_hypnogram(path)
    np.testing.assert_array_equal(stages, [0, 1, 2, 2])
    assert "1 stage(s) start before the recording, the first 45 s" in str(told[0].message)


@pytest.mark.parametrize("line", ["sep=;\n", "SEP=;\r\n"])
def test_excels_separator_and_durations_as_clocks(write_text, line):
    path = write_text(f"{line}onset;duration;stage\n0;0:00:30;W\n30;00:01:00,000;N2\n")
    np.testing.assert_array_equal(read_hypnogram(path), [0, 2, 2])
