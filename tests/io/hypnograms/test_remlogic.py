"""RemLogic event lists: epochs by their times of day, among all other events."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta
from types import SimpleNamespace

import hypnogram_errors
import numpy as np
import pytest

from sklearn_sleep.exceptions import HypnogramWarning
from sklearn_sleep.io.hypnograms.reading import read_hypnogram

START = datetime.fromisoformat("2009-03-01T22:00:00")
TITLE = "RemLogic Event Export\nPatient:\tTid Time\nPatient ID:\nRecording Date:\t01/03/2009\n\n"
INCLUDED = "Events Included:\nMCAP-A1\nSLEEP-REM\nSLEEP-S0\n\nScoring Session:\n\n"
HEADER = "Sleep Stage\tPosition\tTime [hh:mm:ss]\tEvent\tDuration[s]\tLocation\n"
TITLE_AND_HEADER = TITLE + INCLUDED + HEADER
CAP = f"""{TITLE_AND_HEADER}\
W\tUnknown Position\t22:00:30\tSLEEP-S0\t30\tROC-LOC
S1\tUnknown Position\t22:01:00\tSLEEP-S1\t30\tROC-LOC
S2\tLeft\t22:01:30\tSLEEP-S2\t30\tROC-LOC
S2\tLeft\t22:01:41\tMCAP-A3\t25\tEEG-Fp2-F4
S3\tLeft\t22:02:00\tSLEEP-S3\t30\tROC-LOC
S4\tLeft\t22:02:30\tSLEEP-S4\t30\tROC-LOC
MT\tLeft\t22:03:00\tSLEEP-MT\t30\tROC-LOC
R\tLeft\t22:03:30\tSLEEP-REM\t30\tROC-LOC
\tLeft\t22:04:00\tSLEEP-UNSCORED\t30\tROC-LOC
W\tLeft\t22:04:30\tSLEEP-S0\t30\tROC-LOC
"""
CAP_STAGES = [-1, 0, 1, 2, 3, 3, -1, 4, -1, 0]


def refuses(path, message, start=START, **parameters):
    hypnogram_errors.refuses(path, message, recording_start=start, **parameters)


@pytest.fixture
def write(tmp_path):
    def write_text(text, encoding="latin-1"):
        path = tmp_path / "n1.txt"
        path.write_text(text, encoding=encoding)
        return path

    return write_text


def event_list(*rows, header="Time [hh:mm:ss]\tEvent\tDuration[s]"):
    return TITLE + header + "\n" + "".join(f"{row}\n" for row in rows)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8-sig", "utf-16"])
def test_epochs_of_a_cap_recording_lie_at_their_times(write, encoding):
    path = write(CAP.replace("\n", "\r\n"), encoding)
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=START), CAP_STAGES)


def test_title_and_list_of_events_may_lack(write):
    path = write(HEADER + CAP.removeprefix(TITLE_AND_HEADER))
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=START), CAP_STAGES)


def test_first_column_of_other_events_is_no_epoch(write):
    path = write(TITLE_AND_HEADER + "S2\tLeft\t22:00:00\tMCAP-A1\t30\tF4\n")
    refuses(path, "none of the events is a stage such as 'SLEEP-S2'")


def test_without_the_start_of_the_recording(write):
    refuses(write(CAP), "Pass recording_start, when the recording starts", start=None)


@pytest.mark.parametrize(
    ("times", "start"),
    [
        (["23:59:30", "00:00:00", "00:00:30"], "23:59:30"),
        (["23.59.30", "00.00.00", "00.00.30"], "23:59:30"),
        (["23:59:30.000", "00:00:00.020", "00:00:29.980"], "23:59:30"),
        (["11:59:30 PM", "12:00:00 AM", "12:00:30 AM"], "23:59:30"),
        (["U11:59:30", "12:00:00", "12:00:30"], "23:59:30"),
        (["U12:59:30", "U01:00:00", "U01:00:30"], "12:59:30"),
        (["2009-03-01T23:59:30", "2009-03-02T00:00:00.000000", "2009-03-02T00:00:30"], "23:59:30"),
        (["01/03/2009 23:59:30", "02/03/2009 00:00:00", "02/03/2009 00:00:30"], "23:59:30"),
    ],
)
def test_times_as_they_are_written(write, times, start):
    stages = ["S0", "S2", "REM"]
    path = write(event_list(*(f"{t}\tSLEEP-{s}\t30" for t, s in zip(times, stages, strict=True))))
    begin = datetime.fromisoformat(f"1985-01-01T{start}")
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=begin), [0, 2, 4])


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
@pytest.mark.parametrize(
    "header",
    [
        "Heure [hh:mm:ss]\tEvénement\tDurée[s]",
        "Zeit [hh:mm:ss]\tEreignis\tDauer[s]",
        "Time [hh:mm:ss.xxx]\tEvent\tDuration [s]\tLocation",
    ],
)
def test_headers_of_other_languages(write, header, encoding):
    rows = ("22:00:00\tSLEEP-S0\t30", "22:00:10\tApnée\t12,5", "22:00:30\tSLEEP-REM\t30,0")
    path = write(event_list(*rows, header=header), encoding)
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=START), [0, 4])


def test_epochs_of_20_s_and_epochs_without_a_duration(write):
    rows = ["22:00:00\tSLEEP-S0", "22:00:20\tSLEEP-S0", "22:00:40\tSLEEP-S1"]
    path = write(event_list(*(f"{row}\t20" for row in rows)))
    hypnogram = read_hypnogram(path, recording_start=START, resample_epochs="majority")
    np.testing.assert_array_equal(hypnogram, [0, 1])
    path = write(event_list(*rows, header="Time [hh:mm:ss]\tEvent"))
    refuses(path, "most are not 30 s apart")
    hypnogram = read_hypnogram(
        path, recording_start=START, epoch_duration=20, resample_epochs="majority"
    )
    np.testing.assert_array_equal(hypnogram, [0, 1])


def test_a_gap_between_epochs_stays_one(write):
    path = write(CAP.replace("S3\tLeft\t22:02:00\tSLEEP-S3\t30\tROC-LOC\n", ""))
    with pytest.warns(HypnogramWarning, match=r"1 gap\(s\) between stages, 30 s"):
        hypnogram = read_hypnogram(path, recording_start=START)
    np.testing.assert_array_equal(hypnogram, [-1, 0, 1, 2, -1, 3, -1, 4, -1, 0])


def test_clocks_of_whole_seconds_do_not_overlap(write):
    # Starts of 22:00:00.00, 22:00:29.99 and 22:01:00.01, cut to whole seconds.
    rows = ["22:00:00\tSLEEP-S0\t30", "22:00:29\tSLEEP-S2\t30", "22:01:00\tSLEEP-REM\t30"]
    with pytest.warns(HypnogramWarning, match="1 s in all, the first from 59 to 60 s"):
        hypnogram = read_hypnogram(
            write(event_list(*rows)), recording_start=START, resample_epochs="majority"
        )
    np.testing.assert_array_equal(hypnogram, [0, 2, 4])


def test_epochs_before_the_recording_are_cut(write):
    with pytest.warns(
        HypnogramWarning, match=r"2 stage\(s\) start before the recording, the first 37 s"
    ):
        hypnogram = read_hypnogram(
            write(CAP),
            recording_start=START.replace(minute=1, second=7),
            resample_epochs="majority",
        )
    np.testing.assert_array_equal(hypnogram, [1, 2, 3, 3, -1, 4, -1, 0])
    refuses(write(CAP), "all stages lie before the start", START + timedelta(hours=1))
    refuses(write(CAP), "starts 10.0 h after the recording", START - timedelta(hours=10))


@pytest.mark.parametrize("text", ["SLEEP-RM", "SLEEP-X", "sleep-S5"])
def test_unknown_stage_is_named_and_no_neighbour_grows_over_it(write, text):
    path = write(CAP.replace("SLEEP-S3", text))
    with pytest.warns(HypnogramWarning, match=rf"22:02:00.*'{text}'.*stage_names=") as caught:
        hypnogram = read_hypnogram(path, recording_start=START)
    assert len(caught) == 1
    np.testing.assert_array_equal(hypnogram, [-1, 0, 1, 2, -1, 3, -1, 4, -1, 0])
    hypnogram = read_hypnogram(path, recording_start=START, stage_names={text: "N3"})
    np.testing.assert_array_equal(hypnogram, CAP_STAGES)


def test_unknown_text_beside_epochs_covers_none_of_them(write):
    rows = ["22:00:00\tSLEEP-S2\t30", "22:00:10\tSLEEP-START\t0", "22:00:15\tSLEEP-TALK\t25"]
    path = write(event_list(*rows, "22:00:30\tSLEEP-REM\t30"))
    with pytest.warns(HypnogramWarning, match="'SLEEP-START', 'SLEEP-TALK'"):
        hypnogram = read_hypnogram(path, recording_start=START)
    np.testing.assert_array_equal(hypnogram, [2, 4])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("22:00:30\tSLEEP-S2", "line 8: the cells ['22:00:30', 'SLEEP-S2'] do not stand in"),
        ("\t22:00:30\tSLEEP-S2\t30", "line 8: the cells ['', '22:00:30'"),
        ("22:00:30\tSLEEP-S2\tlong", "line 8: duration is 'long', which is no number"),
        ("22:00:30\tSLEEP-S2\t", "line 8: duration is '', which is no number"),
        ("22:00:30\tSLEEP-S2\t0", "starts 30 s after the recording and lasts 0 s"),
        ("22:00:3\tSLEEP-S2\t30", "line 8: onset is '22:00:3', where other rows have times of day"),
        ("22:60:30\tSLEEP-S2\t30", "line 8: onset is '22:60:30', which is no time of day"),
        ("13:00:30 PM\tSLEEP-S2\t30", "onset is '13:00:30 PM', which is no time of day"),
        ("21:59:30\tSLEEP-S2\t30", "line 8: this stage starts earlier than the one before it"),
        ("10:00:30\tSLEEP-S2\t30", "or half a day later"),
        ("22:00:15\tSLEEP-S2\t30", "stages overlap: W lasts until 30 s, but N2 starts at 15 s"),
    ],
)
def test_rows_that_are_not_understood(write, row, message):
    refuses(write(event_list("22:00:00\tSLEEP-S0\t30", row)), message)


def test_no_header(write):
    refuses(write(TITLE + "22:00:00\tSLEEP-S0\t30\n"), "no line above the events names a column")


NAMES = {"Wake": 0, "NREM1": 1, "NREM2": 2, "NREM3": 3, "REM": 4, "Undefined": -1, "Movement": -1}


@pytest.mark.parametrize("form", ["remlogic", "remlogic_fr"])
def test_round_trip_through_wonambi(tmp_path, form):
    annotations = pytest.importorskip("wonambi.attr.annotations")
    rng = np.random.default_rng(5)
    names = rng.choice(list(NAMES), 40).tolist()
    begin = datetime.fromisoformat("2015-07-23T23:50:18")
    header = {"start_time": begin, "n_samples": 40 * 30 * 100, "s_freq": 100}
    annotations.create_empty_annotations(
        tmp_path / "n.xml", SimpleNamespace(filename="n.edf", header=header)
    )
    night = annotations.Annotations(tmp_path / "n.xml")
    night.add_rater("somebody")
    for index, name in enumerate(names):
        night.set_stage_for_epoch(30 * index, name, save=False)
    night.export(tmp_path / "n.txt", form)
    hypnogram = read_hypnogram(tmp_path / "n.txt", recording_start=begin)
    np.testing.assert_array_equal(hypnogram, [NAMES[name] for name in names])


STAGE_OF = {"S0": 0, "S1": 1, "S2": 2, "S3": 3, "S4": 3, "REM": 4, "MT": -1, "UNSCORED": -1}
CLOCKS = ["%H:%M:%S.%f", "%I:%M:%S.%f %p", "%Y-%m-%dT%H:%M:%S.%f", "%H.%M.%S.%f"]


@pytest.mark.parametrize("seed", range(100))
def test_random_nights_are_right_or_name_what_is_unknown(write, seed):
    rng = np.random.default_rng(seed)
    n_epochs = int(rng.integers(4, 80))
    texts = rng.choice(list(STAGE_OF), n_epochs).tolist()
    unknown = rng.random(n_epochs) < (0.1 if seed % 2 else 0.0)
    left_out = rng.random(n_epochs) < (0.1 if seed % 3 else 0.0)
    begin = START.replace(hour=int(rng.integers(24))) + timedelta(seconds=int(rng.integers(3600)))
    first, clock = int(rng.integers(20)), CLOCKS[int(rng.integers(len(CLOCKS)))]
    rows, expected = [], np.full(first + n_epochs, -1)
    for index in np.flatnonzero(~left_out).tolist():
        seconds = 30 * (first + index) + float(rng.uniform(-0.02, 0.02))
        time = (begin + timedelta(seconds=seconds)).strftime(clock)
        text = "XYZ"[index % 3] if unknown[index] else texts[index]
        rows.append(f"{time}\tSLEEP-{text}\t30")
        if rng.random() < 0.2:
            rows.append(f"{time}\tMCAP-A{1 + index % 3}\t{rng.integers(2, 60)}")
        expected[first + index] = -1 if unknown[index] else STAGE_OF[text]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        hypnogram = read_hypnogram(
            write(event_list(*rows)), recording_start=begin, n_epochs=expected.size
        )
    np.testing.assert_array_equal(hypnogram, expected)
    said = " ".join(str(warning.message) for warning in caught)
    for index in np.flatnonzero(unknown & ~left_out).tolist():
        assert f"'SLEEP-{'XYZ'[index % 3]}'" in said
