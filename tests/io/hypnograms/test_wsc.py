"""WSC: ``.stg.txt`` and ``.allscore.txt``."""

from __future__ import annotations

from datetime import datetime

import numpy as np
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


@pytest.mark.parametrize("header", [STG_HEADER + "\n", ""])
def test_wsc_stg(write_text, header):
    rows = "".join(f"{index + 1}\t{code}\t0\n" for index, code in enumerate([0, 1, 2, 3, 4, 5, 6]))
    path = write_text(f"{header}{rows}8\t7\t0\n9\t9\t0\n")
    np.testing.assert_array_equal(read_hypnogram(path), [0, 1, 2, 3, 3, 4, -1, -1, -1])


def test_wsc_stg_starts_where_its_numbers_say(write_text):
    path = write_text(f"{STG_HEADER}\n3\t0\t0\n4\t2\t0\n6\t2\t0\n")
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
def test_wsc_stg_errors(write_text, rows, message):
    refuses(write_text(f"{STG_HEADER}\n{rows}\n"), message)


def test_wsc_allscore_across_midnight(write_text):
    # Unscored until the first stage; the last one until the last event, in whole epochs.
    with pytest.warns(HypnogramWarning, match="from 270 s on, ends.* the last event, 330 s"):
        found = read_hypnogram(write_text(ALLSCORE), resample_epochs="error")
    np.testing.assert_array_equal(found, [-1, 0, 0, 1, 2, 2, -1, 4, -1, 3, 3])


def test_wsc_allscore_until_the_end_of_the_recording(write_text):
    hypnogram = read_hypnogram(write_text(ALLSCORE), n_epochs=14)
    np.testing.assert_array_equal(hypnogram, [-1, 0, 0, 1, 2, 2, -1, 4, -1, 3, 3, 3, 3, 3])
    np.testing.assert_array_equal(read_hypnogram(write_text(ALLSCORE), n_epochs=10), hypnogram[:10])


def test_wsc_allscore_last_stage_lasts_an_epoch_at_least(write_text):
    path = write_text(
        "22:00:00.00\tSTART RECORDING\n22:00:00.00\tSTAGE - W\n22:00:30.00\tSTAGE - R\n"
    )
    with pytest.warns(HypnogramWarning, match="when the last stage, from 30 s on, ends"):
        np.testing.assert_array_equal(read_hypnogram(path), [0, 4])


def test_wsc_allscore_off_the_grid(write_text):
    path = write_text(ALLSCORE.replace("00:00:30.50", "00:00:35.50"))
    with pytest.warns(HypnogramWarning, match="the first at 125 s"):
        assert read_hypnogram(path, n_epochs=11)[4] == 2


def test_wsc_allscore_is_latin_1_and_may_repeat_a_stage(write_text):
    path = write_text(ALLSCORE + "00:04:12.70\tNOTE - 37 \xb0C\n00:04:12.70\tSTAGE - N3\n" * 2)
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
def test_wsc_allscore_errors(write_text, old, new, message):
    refuses(write_text(ALLSCORE.replace(old, new)), message)


@pytest.mark.parametrize("second", [0, 1])
def test_wsc_allscore_starts_with_the_recording(write_text, second):
    path = write_text(ALLSCORE)
    start = datetime.fromisoformat(f"1985-01-01T23:58:{30 + second}")
    found = read_hypnogram(path, recording_start=start, n_epochs=11)
    np.testing.assert_array_equal(found, read_hypnogram(path, n_epochs=11))


@pytest.mark.parametrize("clock", ["23:58:33", "11:58:30", "00:00:00"])
def test_wsc_allscore_that_starts_at_another_time(write_text, clock):
    start = datetime.fromisoformat(f"1985-01-01T{clock}")
    with pytest.raises(HypnogramError, match=f"starts at 23:58:.. here and at {clock} in"):
        read_hypnogram(write_text(ALLSCORE), recording_start=start)


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
