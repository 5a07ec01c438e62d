"""Somnomedics Domino: the sleep profile, a row an epoch with its time of day."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta

import hypnogram_errors
import numpy as np
import pytest

from sklearn_sleep.exceptions import HypnogramWarning
from sklearn_sleep.io.hypnograms.reading import read_hypnogram

START = datetime.fromisoformat("2010-11-17T23:57:00")
HEADER = """\
Signal ID: SchlafProfil\\profil
Start Time: 17/11/2010 23:57:00
Unit:
Signal Type: Discret
Events list: N4,N3,N2,N1,REM,Wake,Movement
Rate: 30 s

"""
TEXTS = ["A", "Wake", "N1", "N2", "N3", "N4", "REM", "Movement", "Artifact", "Wake"]
STAGES = [-1, 0, 1, 2, 3, 3, 4, -1, -1, 0]


def refuses(path, message, start=START, **parameters):
    hypnogram_errors.refuses(path, message, recording_start=start, **parameters)


@pytest.fixture
def write(tmp_path):
    def write_text(text, encoding="latin-1"):
        path = tmp_path / "Schlafprofil.txt"
        path.write_text(text.replace("\n", "\r\n"), encoding=encoding, newline="")
        return path

    return write_text


def rows_of(texts, start=START, step=30.0, form="%H:%M:%S,%f"):
    times = [start + timedelta(seconds=step * index) for index in range(len(texts))]
    return [f"{time.strftime(form)[:-3]}; {text}" for time, text in zip(times, texts, strict=True)]


def profile(*rows, header=HEADER):
    return header + "".join(f"{row}\n" for row in rows)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8-sig", "utf-16"])
def test_epochs_across_midnight(write, encoding):
    path = write(profile(*rows_of(TEXTS)), encoding)
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=START), STAGES)


@pytest.mark.parametrize(
    "start_time", ["11/18/2021 8:39:30 PM", "17.11.2010 23:57:00", "19.11.2020", ""]
)
def test_date_of_the_header_does_not_matter(write, start_time):
    header = HEADER.replace("17/11/2010 23:57:00", start_time)
    path = write(profile(*rows_of(TEXTS), header=header))
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=START), STAGES)


def test_german_words(write):
    header = HEADER.replace("N4,N3,N2,N1,REM,Wake,Movement", "N3,N2,N1,Rem,Wach,Artefakt")
    rows = rows_of(["A", "Wach", "N1", "N2", "N3", "Rem", "Bewegung", "Artefakt"])
    path = write(profile(*rows, header=header))
    hypnogram = read_hypnogram(path, recording_start=START)
    np.testing.assert_array_equal(hypnogram, [-1, 0, 1, 2, 3, 4, -1, -1])
    hypnogram = read_hypnogram(path, recording_start=START, stage_names={"A": "W"})
    np.testing.assert_array_equal(hypnogram, [0, 0, 1, 2, 3, 4, -1, -1])


def test_first_row_before_and_after_the_recording(write):
    path = write(profile(*rows_of(TEXTS)))
    start = START + timedelta(seconds=37)
    with pytest.warns(HypnogramWarning, match="start before the recording, the first 7 s"):
        hypnogram = read_hypnogram(path, recording_start=start, resample_epochs="majority")
    np.testing.assert_array_equal(hypnogram, STAGES[1:])
    hypnogram = read_hypnogram(path, recording_start=START - timedelta(minutes=1, seconds=0.4))
    np.testing.assert_array_equal(hypnogram, [-1, -1, *STAGES])
    refuses(path, "the scoring starts -8.0 h after the recording", START + timedelta(hours=8))
    refuses(path, "all stages lie before the start", START + timedelta(hours=2))


def test_without_the_start_of_the_recording(write):
    refuses(write(profile(*rows_of(TEXTS))), "Pass recording_start", start=None)


def test_rows_left_out_stay_left_out(write):
    rows = rows_of(TEXTS)
    path = write(profile(*rows[:3], *rows[5:]))
    with pytest.warns(HypnogramWarning, match=r"1 gap\(s\) between stages, 60 s"):
        hypnogram = read_hypnogram(path, recording_start=START)
    np.testing.assert_array_equal(hypnogram, [*STAGES[:3], -1, -1, *STAGES[5:]])


def test_epochs_of_20_s(write):
    rows = rows_of(["Wake", "Wake", "Wake", "N1", "N1", "N1"], step=20)
    path = write(profile(*rows, header=HEADER.replace("30 s", "20 s")))
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=START), [0, 0, 1, 1])
    path = write(profile(*rows))
    refuses(path, "most are not 30 s apart")
    hypnogram = read_hypnogram(path, recording_start=START, epoch_duration=20)
    np.testing.assert_array_equal(hypnogram, [0, 0, 1, 1])
    refuses(write(profile(*rows, header=HEADER.replace("30 s", "often"))), "the rate is 'often'")


def test_date_in_each_row(write):
    path = write(profile(*rows_of(TEXTS, form="%d.%m.%Y %H:%M:%S,%f")))
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=START), STAGES)


@pytest.mark.parametrize("days", [1, 2])
def test_two_nights_in_a_file(write, days):
    form = "%d.%m.%Y %H:%M:%S,%f"
    later = START + timedelta(days=days, minutes=1)
    path = write(profile(*rows_of(TEXTS[:2], form=form), *rows_of(TEXTS, later, form=form)))
    refuses(path, "line 10: onset is", START)
    refuses(path, "more than half a day after the row before it", START)


def test_date_that_stays_the_same_after_midnight(write):
    path = write(profile(*(f"17.11.2010 {row}" for row in rows_of(TEXTS))))
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=START), STAGES)


def test_numbers_are_refused_unless_something_says_what_they_are(write):
    rows = rows_of(["0", "2", "4", "5"], form="%d.%m.%Y %H:%M:%S,%f")
    path = write(profile(*rows))
    refuses(path, "line 8: the stage is the number 0")
    told = {"0": "W", "2": "N2", "4": "N3", "5": "R"}
    hypnogram = read_hypnogram(path, recording_start=START, stage_names=told)
    np.testing.assert_array_equal(hypnogram, [0, 2, 3, 4])
    hypnogram = read_hypnogram(path, recording_start=START, stage_codes="r&k")
    np.testing.assert_array_equal(hypnogram, [0, 2, 3, 4])
    header = HEADER.replace("N4,N3,N2,N1,REM,Wake,Movement", "0=Wake, 2=N1,4=N3,5=Rem")
    hypnogram = read_hypnogram(write(profile(*rows, header=header)), recording_start=START)
    np.testing.assert_array_equal(hypnogram, [0, 1, 3, 4])


@pytest.mark.parametrize(
    ("signal", "type_"),
    [
        ("FlowD\\flow", "Impuls"),
        ("Spindel\\spindel", "Impuls"),
        ("SchlafProfil\\sicherheit", "Discret"),
        ("Licht\\lux", "Analog"),
        ("SchlafProfil\\profil", "Impuls"),
        ("", ""),
    ],
)
def test_other_signals_are_no_hypnograms(write, signal, type_):
    header = f"Signal ID: {signal}\nStart Time: 17/11/2010\nUnit: s\nSignal Type: {type_}\n\n"
    path = write(profile("23:57:39,992-23:57:40,992; 1;Hypopnea", header=header))
    refuses(path, f"holds the signal {signal!r} of type {type_!r}, which is no hypnogram")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("23:57:30,000; Unruhe", "line 9: 'Unruhe' is no sleep stage"),
        ("23:57:30,000; V", "line 9: 'V' is no sleep stage: it may be veille"),
        ("23:57:30,000;", "line 9 is '23:57:30,000;'; a sleep profile has"),
        ("23:57:3", "line 9 is '23:57:3'; a sleep profile has"),
        ("23:57:30,000-23:58:00,000; 30;Wake", "line 9 is"),
        ("25:57:30,000; Wake", "line 9: onset is '25:57:30,000', which is no time of day"),
        ("23:56:00,000; Wake", "most are not 30 s apart"),
    ],
)
def test_rows_that_are_not_understood(write, row, message):
    refuses(write(profile("23:57:00,000; Wake", row)), message)


def test_rows_that_are_not_in_turn(write):
    rows = rows_of(TEXTS)
    path = write(profile(*rows[4:], *rows[:4]))
    refuses(path, "line 14: this stage starts earlier than the one before it")


def test_header_without_rows(write):
    refuses(write(HEADER), "has a header but no epochs")


STAGE_OF = {
    "Wake": 0,
    "Wach": 0,
    "N1": 1,
    "N2": 2,
    "N3": 3,
    "N4": 3,
    "Rem": 4,
    "A": -1,
    "Artefact": -1,
    "Bewegung": -1,
}


@pytest.mark.parametrize("seed", range(100))
def test_random_nights_are_right_or_refused_with_the_text(write, seed):
    rng = np.random.default_rng(seed)
    page = (30, 30, 20)[seed % 3]
    n_epochs = 6 * int(rng.integers(3, 12))
    # Of pages of 20 s, three with one stage are two epochs.
    texts = rng.choice(list(STAGE_OF), n_epochs)
    texts = (texts if page == 30 else np.repeat(texts[::3], 3)).tolist()
    first = int(rng.integers(20)) * 60
    begin = START.replace(hour=int(rng.integers(24))) + timedelta(seconds=int(rng.integers(3600)))
    left_out = (rng.random(n_epochs // 6) < (0.2 if seed % 2 else 0.0)).repeat(6)
    left_out[:6] = False
    expected = np.full((first + n_epochs * page) // 30, -1)
    rows = []
    for index in np.flatnonzero(~left_out).tolist():
        seconds = first + page * index + float(rng.uniform(-0.02, 0.02))
        time = (begin + timedelta(seconds=seconds)).strftime("%H:%M:%S,%f")[:-3]
        rows.append(f"{time}; {texts[index]}")
        if (page * index) % 30 < 20:
            expected[(first + page * index) // 30] = STAGE_OF[texts[index]]
    header = HEADER.replace("30 s", f"{page} s")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*gap\(s\) between stages")
        path = write(profile(*rows, header=header))
        hypnogram = read_hypnogram(path, recording_start=begin, n_epochs=expected.size)
    np.testing.assert_array_equal(hypnogram, expected)
    rows[int(rng.integers(len(rows)))] = rows[0].partition(";")[0] + "; Traum"
    refuses(write(profile(*rows, header=header)), "'Traum' is no sleep stage", begin)
