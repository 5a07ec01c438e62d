"""What `read_hypnogram` does alike for every format: grid, gaps, overlaps, lengths, refusals."""

from __future__ import annotations

import os
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sklearn_sleep.exceptions import EDFError, HypnogramError, HypnogramWarning
from sklearn_sleep.io import HYPNOGRAM_FORMATS, HypnogramFormat
from sklearn_sleep.io.edf.header import read_edf_header
from sklearn_sleep.io.hypnograms.formats import delimited_text
from sklearn_sleep.io.hypnograms.reading import read_hypnogram

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def write(tmp_path):
    """Write a table of (onset, duration, stage) and return its path."""

    def write_rows(*rows):
        path = tmp_path / "night.csv"
        lines = [",".join(map(str, row)) for row in rows]
        path.write_text("\n".join(["onset,duration,stage", *lines]))
        return path

    return write_rows


def pages(stages, duration, offset=0.0):
    return [(offset + index * duration, duration, stage) for index, stage in enumerate(stages)]


def test_result_is_int64_and_starts_with_the_recording(write):
    hypnogram = read_hypnogram(write((60, 60, "W"), (120, 30, "REM")))
    assert hypnogram.dtype == np.int64
    np.testing.assert_array_equal(hypnogram, [-1, -1, 0, 0, 4])


def test_rows_may_be_in_any_order(write):
    np.testing.assert_array_equal(read_hypnogram(write((30, 30, "N1"), (0, 30, "W"))), [0, 1])


def test_rounded_times_are_on_the_grid(write):
    path = write((0, 29.996, "W"), (29.996, 30.003, "N1"), (60.004, 30, "N2"))
    np.testing.assert_array_equal(read_hypnogram(path), [0, 1, 2])


def test_twenty_second_pages_by_hand(write):
    path = write(*pages(["W", "W", "N2", "N2", "N2", "R"], 20))
    # 0-30 s: W; 30-60 s: 10 s W and 20 s N2; 60-90 s: N2; 90-120 s: 10 s N2 and 20 s R.
    with pytest.warns(HypnogramWarning) as caught:
        np.testing.assert_array_equal(read_hypnogram(path), [0, 2, 2, 4])
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "2 of 4 changes of stage are off the grid of 30-second epochs" in message
    assert "the first at 40 s (the shortest stage lasts 20 s)" in message
    assert "resample_epochs='majority'" in message
    assert caught[0].filename == __file__


def test_majority_is_silent_and_error_refuses(write):
    path = write(*pages(["W", "N1", "N2"], 20))
    np.testing.assert_array_equal(read_hypnogram(path, resample_epochs="majority"), [0, 2])
    with pytest.raises(HypnogramError, match=r"night\.csv: 2 of 4 changes .* first at 20 s"):
        read_hypnogram(path, resample_epochs="error")


def test_pages_that_change_on_the_grid_need_no_warning(write):
    path = write(*pages(["W", "W", "W", "N2", "N2", "N2"], 20))
    np.testing.assert_array_equal(read_hypnogram(path, resample_epochs="error"), [0, 0, 2, 2])


@pytest.mark.parametrize("duration", [20, 30])
@pytest.mark.parametrize("offset", [0, 5, 7, 15, 23, 47])
def test_off_grid_pages_agree_with_counting_seconds(write, duration, offset):
    stages = np.random.default_rng(offset).integers(0, 4, 90).tolist()
    path = write(*pages(stages, duration, offset))
    seconds = [-1] * offset + [stage for stage in stages for _ in range(duration)]
    seconds += [-1] * (-len(seconds) % 30)
    # most_common() puts what it met first before others of the same count.
    expected = [
        Counter(seconds[start : start + 30]).most_common(1)[0][0]
        for start in range(0, len(seconds), 30)
    ]
    hypnogram = read_hypnogram(path, resample_epochs="majority", stage_codes="r&k")
    np.testing.assert_array_equal(hypnogram, expected)


def test_tie_goes_to_the_earlier_page(write):
    path = write((0, 15, "N2"), (15, 30, "N1"), (45, 15, "N3"))
    np.testing.assert_array_equal(read_hypnogram(path, resample_epochs="majority"), [2, 1])


def test_last_epoch_that_is_not_complete(write):
    path = write((0, 30, "W"), (30, 20, "N1"))
    with pytest.warns(HypnogramWarning, match="the first at 50 s"):
        np.testing.assert_array_equal(read_hypnogram(path), [0, 1])


def test_gaps_are_unscored_and_named(write):
    path = write((0, 60, "W"), (120, 30, "N1"), (180, 30, "N2"))
    message = r"night\.csv: 2 gap\(s\) between stages, 90 s in all, the first from 60 to 120 s"
    with pytest.warns(HypnogramWarning, match=message) as caught:
        np.testing.assert_array_equal(read_hypnogram(path), [0, 0, -1, -1, 1, -1, 2])
    assert caught[0].filename == __file__


def test_gap_within_a_run_of_one_stage(write):
    with pytest.warns(HypnogramWarning, match="the first from 30 to 60 s"):
        np.testing.assert_array_equal(read_hypnogram(write((0, 30, 2), (60, 30, 2))), [2, -1, 2])


@pytest.mark.parametrize("rows", [[(0, 60, "W"), (30, 30, "N1")], [(0, 90, "W"), (30, 30, "N2")]])
def test_overlap_of_different_stages(write, rows):
    message = r"night\.csv: stages overlap: W lasts until \d+ s, but N\d starts at 30 s"
    with pytest.raises(HypnogramError, match=message):
        read_hypnogram(write(*rows))


def test_overlap_of_the_same_stage(write):
    path = write((0, 90, "N2"), (30, 30, "N2"), (90, 30, "R"))
    np.testing.assert_array_equal(read_hypnogram(path), [2, 2, 2, 4])


@pytest.mark.parametrize("row", [(-3e4, 30), (0, 0), (0, -30), (0, "nan"), ("inf", 30), (0, 1e12)])
def test_impossible_times(write, row):
    with pytest.raises(
        HypnogramError, match=r"stage 2 of 2 starts .* A stage must start at most 6 h before"
    ):
        read_hypnogram(write((0, 30, "W"), (*row, "N1")))


@pytest.mark.parametrize(
    "text",
    [
        "epoch,stage\n0,W\n1000000000,W\n",
        "epoch,stage\n1,W\n999999999,W\n",
        f"epoch,stage\n0,W\n{'9' * 5000},W\n",
        f"onset,duration,stage\n0,30,W\n{'9' * 5000},30,W\n",
        "onset,duration,stage\n1e308,1e308,W\n",
        f"stage\n{'9' * 5000}\n",
        f"stage\nW\n{'W' * 100_000}\n",
        "1\t0\n1000000000000\t1\n",
        "1\t0\n999999999\t1\n",
    ],
    ids=range(9),
)
def test_lengths_that_no_night_has_take_neither_time_nor_memory(tmp_path, text):
    path = tmp_path / "night.txt"
    path.write_text(text)
    tracemalloc.start()
    with pytest.raises(HypnogramError, match=r"night.txt") as caught:
        read_hypnogram(path, stage_codes="aasm")
    assert tracemalloc.get_traced_memory()[1] < 5e6 + 100 * len(text)
    tracemalloc.stop()
    assert len(str(caught.value)) < 600


def test_more_lines_than_seconds_are_not_read_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited_text, "LONGEST_RECORDING", 9.0)
    path = tmp_path / "night.txt"
    path.write_text("stage\n" + "0\n" * 10)
    with pytest.raises(HypnogramError, match=r"night.txt: there are more than 9 lines"):
        read_hypnogram(path)


def test_tabs_without_end_are_no_puzzle(tmp_path):
    path = tmp_path / "night.txt"
    path.write_text("1\t0" + "\t" * 10_000 + "x")
    with pytest.raises(HypnogramError, match="neither a stage nor a known header"):
        read_hypnogram(path)


def test_what_a_format_stumbles_over_is_an_error_of_ours(tmp_path, monkeypatch):
    def read(file, options):
        return {}["stage"]

    mine = HypnogramFormat("mine", lambda file: file.first_line == "mine", read)
    monkeypatch.setitem(HYPNOGRAM_FORMATS, "mine", mine)
    path = tmp_path / "night.txt"
    path.write_text("mine")
    with pytest.raises(HypnogramError, match=r"night.txt: it cannot be read as mine \(KeyError"):
        read_hypnogram(path)


def test_fifos_devices_and_films_are_not_read(tmp_path):
    fifo = tmp_path / "night.csv"
    os.mkfifo(fifo)
    for path in (fifo, "/dev/zero"):
        with pytest.raises(HypnogramError, match="a FIFO or a device"):
            read_hypnogram(path)
        with pytest.raises(EDFError, match="a FIFO or a device"):
            read_edf_header(path)
    film = tmp_path / "night.txt"
    film.write_text("0\n" * 300)
    os.truncate(film, 10**12)
    with pytest.raises(HypnogramError, match=r"night.txt: the file takes 1000000 MB"):
        read_hypnogram(film)


def test_n_epochs_fills_up_and_cuts(write):
    path = write(*pages(["W", "N1", "N2"], 30))
    np.testing.assert_array_equal(read_hypnogram(path, n_epochs=5), [0, 1, 2, -1, -1])
    np.testing.assert_array_equal(read_hypnogram(path, n_epochs=np.int64(3)), [0, 1, 2])
    np.testing.assert_array_equal(read_hypnogram(path, n_epochs=2), [0, 1])
    with pytest.warns(
        HypnogramWarning, match=r"has 3 epochs and the recording 1: 2 scored"
    ) as caught:
        np.testing.assert_array_equal(read_hypnogram(path, n_epochs=1), [0])
    assert caught[0].filename == __file__


def test_unscored_time_after_the_recording_is_no_reason_to_warn(write):
    path = write((0, 30, "W"), (30, 3000, "?"))
    np.testing.assert_array_equal(read_hypnogram(path, n_epochs=2), [0, -1])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_epochs": 0}, "n_epochs must be 1 or more, not 0"),
        ({"epoch_duration": 0}, "epoch_duration must be a number of seconds > 0"),
        ({"epoch_duration": float("nan")}, "epoch_duration must be a number of seconds > 0"),
        ({"resample_epochs": "yes"}, "resample_epochs must be one of .*'majority'"),
        ({"stage_codes": "R"}, "stage_codes must be None or one of"),
    ],
)
def test_parameters(write, parameters, message):
    with pytest.raises(ValueError, match=message):
        read_hypnogram(write((0, 30, "W")), **parameters)


@pytest.mark.parametrize("name", ["mitdb-100-beats.npy", "golden/waveform-images/0.png"])
def test_unknown_binary_file(name):
    with pytest.raises(HypnogramError, match=r"binary file of no known format\. Known are "):
        read_hypnogram(DATA / name)


def test_unknown_text():
    with pytest.raises(HypnogramError, match=r"README\.md: .*'# Test data'.* Known are "):
        read_hypnogram(DATA / "README.md")


@pytest.mark.parametrize("content", [b"", b"\n  \r\n", b"\xef\xbb\xbf"])
def test_empty_file(tmp_path, content):
    path = tmp_path / "night.xml"
    path.write_bytes(content)
    with pytest.raises(HypnogramError, match=r"night\.xml: the file is empty"):
        read_hypnogram(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_hypnogram(tmp_path / "night.xml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path, encoding):
    path = tmp_path / "night.csv"
    path.write_text("stage,remark\nW,Gähnen\nN1,\n", encoding=encoding)
    np.testing.assert_array_equal(read_hypnogram(str(path)), [0, 1])


def test_name_does_not_matter(tmp_path):
    path = tmp_path / "night.edf"
    path.write_bytes((DATA / "compumedics-profusion.xml").read_bytes())
    assert read_hypnogram(path).size == 1194
