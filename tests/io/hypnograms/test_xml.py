"""NSRR XML (read and written) and Compumedics Profusion XML."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io.hypnograms.formats.nsrr_xml import write_nsrr_xml
from sklearn_sleep.io.hypnograms.reading import read_hypnogram

DATA = Path(__file__).parents[2] / "data"

NIGHT = [0, 0, 1, 2, 2, 2, 3, 4, -1]
NIGHT_XML = """\
<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<PSGAnnotation>
<SoftwareVersion>sklearn_sleep</SoftwareVersion>
<EpochLength>30</EpochLength>
<ScoredEvents>
<ScoredEvent>
<EventType/>
<EventConcept>Recording Start Time</EventConcept>
<Start>0</Start>
<Duration>270.0</Duration>
<ClockTime>07.02.21 22.15.09</ClockTime>
</ScoredEvent>
<ScoredEvent>
<EventType>Stages|Stages</EventType>
<EventConcept>Wake|0</EventConcept>
<Start>0.0</Start>
<Duration>60.0</Duration>
</ScoredEvent>
<ScoredEvent>
<EventType>Stages|Stages</EventType>
<EventConcept>Stage 1 sleep|1</EventConcept>
<Start>60.0</Start>
<Duration>30.0</Duration>
</ScoredEvent>
<ScoredEvent>
<EventType>Stages|Stages</EventType>
<EventConcept>Stage 2 sleep|2</EventConcept>
<Start>90.0</Start>
<Duration>90.0</Duration>
</ScoredEvent>
<ScoredEvent>
<EventType>Stages|Stages</EventType>
<EventConcept>Stage 3 sleep|3</EventConcept>
<Start>180.0</Start>
<Duration>30.0</Duration>
</ScoredEvent>
<ScoredEvent>
<EventType>Stages|Stages</EventType>
<EventConcept>REM sleep|5</EventConcept>
<Start>210.0</Start>
<Duration>30.0</Duration>
</ScoredEvent>
<ScoredEvent>
<EventType>Stages|Stages</EventType>
<EventConcept>Unscored|9</EventConcept>
<Start>240.0</Start>
<Duration>30.0</Duration>
</ScoredEvent>
</ScoredEvents>
</PSGAnnotation>
"""


@pytest.fixture
def write(tmp_path):
    def write_text(text):
        path = tmp_path / "night.xml"
        path.write_text(text)
        return path

    return write_text


def nsrr(*events):
    """NSRR XML of (type, concept, start, duration) events; type None is the schema of 2014."""
    return "<PSGAnnotation><ScoredEvents>{}</ScoredEvents></PSGAnnotation>".format(
        "".join(
            "<ScoredEvent>"
            + (f"<EventType>{kind}</EventType>" if kind else "")
            + f"<EventConcept>{concept}</EventConcept><Start>{start}</Start>"
            + f"<Duration>{duration}</Duration></ScoredEvent>"
            for kind, concept, start, duration in events
        )
    )


def profusion(*codes, epoch_length=30):
    stages = "".join(f"<SleepStage>{code}</SleepStage>" for code in codes)
    return (
        f"<CMPStudyConfig><EpochLength>{epoch_length}</EpochLength>"
        f"<SleepStages>{stages}</SleepStages></CMPStudyConfig>"
    )


def test_nsrr_2014_file_against_a_count_of_its_text():
    text = (DATA / "nsrr-translator-2014.xml").read_text()
    names = {"Wake": 0, "Stage1Sleep": 1, "Stage2Sleep": 2, "Stage3Sleep": 3, "RapidEyeMovement": 4}
    events = re.findall(
        rf"<EventConcept>SRO:({'|'.join(names)})</EventConcept>\n<Start>(.+)</Start>\n"
        r"<Duration>(.+)</Duration>",
        text,
    )
    assert len(events) == 48 + 36 + 88 + 43 + 24
    expected = np.full(31110 // 30, -9)
    for name, start, duration in events:
        first = int(float(start)) // 30
        expected[first : first + int(float(duration)) // 30] = names[name]
    np.testing.assert_array_equal(
        read_hypnogram(DATA / "nsrr-translator-2014.xml", resample_epochs="error"), expected
    )


def test_profusion_file_against_a_count_of_its_text():
    text = (DATA / "compumedics-profusion.xml").read_text()
    codes = [int(code) for code in re.findall(r"<SleepStage>(\d+)</SleepStage>", text)]
    assert len(codes) == 1194
    expected = [{0: 0, 1: 1, 2: 2, 3: 3, 5: 4}[code] for code in codes]
    np.testing.assert_array_equal(read_hypnogram(DATA / "compumedics-profusion.xml"), expected)


def test_nsrr_current_schema(write):
    np.testing.assert_array_equal(read_hypnogram(write(NIGHT_XML)), NIGHT)


def test_nsrr_passes_over_other_events(write):
    path = write(
        nsrr(
            ("Stages|Stages", "Stage 4 sleep|4", 30, 30),
            ("Stages|Stages", "Movement|6", 60, 30),
            ("Arousals|Arousals", "Arousal|Arousal ()", 40, 5),
            ("Respiratory|Respiratory", "Stage 2 sleep|2", 0, 12.5),
        )
    )
    np.testing.assert_array_equal(read_hypnogram(path), [-1, 3, -1])


def test_nsrr_2014_schema_passes_over_other_events(write):
    path = write(
        nsrr(
            (None, "SRO:Stage4Sleep", 0, 30),
            (None, "SRO:MovementTime", 30, 30),
            (None, "SRO:Arousal", 40, 5),
            (None, "SDO:NonRapidEyeMovementSleep-N1", 60, 30),
        )
    )
    np.testing.assert_array_equal(read_hypnogram(path), [3, -1, 1])


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([("Stages|Stages", "Stage 8 sleep|8", 0, 30)], "ScoredEvent 1: 'Stage 8 sleep|8' is no"),
        ([(None, "SRO:Stage7Sleep", 0, 30)], "ScoredEvent 1: 'SRO:Stage7Sleep' is no sleep stage"),
        ([("Stages|Stages", "Wake|0", "x", 30)], "ScoredEvent 1: Start is 'x'"),
        ([("Stages|Stages", "Wake|0", 0, "")], "ScoredEvent 1: Duration is ''"),
        ([(None, "SRO:Arousal", 0, 30)], "no stages in this NSRR file"),
        ([("", "Recording Start Time", 30, 60)], "the recording starts at 30 s"),
    ],
)
def test_nsrr_errors(write, events, message):
    with pytest.raises(HypnogramError, match=re.escape(message)) as caught:
        read_hypnogram(write(nsrr(*events)))
    assert "night.xml" in str(caught.value)


def test_profusion_codes(write):
    path = write(profusion(0, 1, 2, 3, 4, 5, 6, 9))
    np.testing.assert_array_equal(read_hypnogram(path), [0, 1, 2, 3, 3, 4, -1, -1])


def test_profusion_of_20_second_epochs(write):
    path = write(profusion(0, 0, 2, 5, 5, 5, epoch_length=20))
    with pytest.warns(HypnogramWarning, match="the shortest stage lasts 20 s"):
        np.testing.assert_array_equal(read_hypnogram(path), [0, 2, 4, 4])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (profusion(0, 8), "SleepStage 2: '8' is no sleep stage"),
        (profusion(), "no SleepStages/SleepStage element"),
        (profusion(0, epoch_length=""), "EpochLength is ''"),
        (profusion(0, epoch_length=0), "before it, last more than 0 s"),
        ("<Report/>", "no known XML has the root <Report>. Known are"),
        ("<CMPStudyConfig><EpochLength>", "the XML is damaged or cut short"),
    ],
)
def test_xml_errors(write, text, message):
    with pytest.raises(HypnogramError, match=re.escape(message)) as caught:
        read_hypnogram(write(text))
    assert "night.xml" in str(caught.value)


@pytest.mark.parametrize("declared", ["utf-8", "utf-16", "shift_jis", "euc-kr", "x-none", "rot13"])
@pytest.mark.parametrize("written", ["utf-8", "latin-1", "utf-16"])
def test_stages_are_read_whatever_encoding_is_declared(tmp_path, declared, written):
    note = f'<?xml version="1.0" encoding="{declared}"?><CMPStudyConfig><Note>D\xe9sat</Note>'
    path = tmp_path / "night.xml"
    path.write_bytes((note + profusion(0, 2).partition("<CMPStudyConfig>")[2]).encode(written))
    np.testing.assert_array_equal(read_hypnogram(path), [0, 2])


@pytest.mark.parametrize("length", ["1e308", "-1e308", "inf", "nan", "9" * 5000, "1e-308"])
def test_absurd_epoch_lengths(write, length):
    path = write(profusion(0, 0, 2, epoch_length=length))
    with pytest.raises(HypnogramError, match=r"night.xml"):
        read_hypnogram(path)


@pytest.mark.parametrize(
    "declaration",
    [
        '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">',
        '<!ENTITY a SYSTEM "file:///etc/passwd">',
    ],
)
def test_entities_are_refused(write, declaration):
    path = write(f"<!DOCTYPE PSGAnnotation [{declaration}]><PSGAnnotation>&a;</PSGAnnotation>")
    with pytest.raises(HypnogramError, match="declares entities"):
        read_hypnogram(path)


def test_written_file_is_as_nsrr_writes_it(tmp_path):
    path = tmp_path / "night.xml"
    write_nsrr_xml(path, NIGHT, start_time=datetime(2021, 2, 7, 22, 15, 9))  # noqa: DTZ001
    assert path.read_bytes() == NIGHT_XML.encode()


def test_written_file_without_a_clock_time(tmp_path):
    path = tmp_path / "night.xml"
    write_nsrr_xml(path, NIGHT, software_version="a & b")
    without = re.sub("<ClockTime>.*</ClockTime>\n", "", NIGHT_XML)
    assert path.read_text() == without.replace(">sklearn_sleep<", ">a &amp; b<")


def test_written_file_meets_the_fixed_offsets_of_published_parsers(tmp_path):
    """The published wav2sleep reads fixed columns of lines that follow one another."""
    stages = np.repeat(np.random.default_rng(0).integers(-1, 5, 99), 3)
    path = tmp_path / "night.xml"
    write_nsrr_xml(path, stages)
    lines = path.read_text().split("\n")
    assert lines.count("<EventConcept>Recording Start Time</EventConcept>") == 1
    assert lines[lines.index("<EventConcept>Recording Start Time</EventConcept>") + 1] == (
        "<Start>0</Start>"
    )
    expanded, time = [], 0.0
    for index, line in enumerate(lines):
        if line == "<EventType>Stages|Stages</EventType>":
            concept, start, duration = lines[index + 1 : index + 4]
            assert lines[index + 4] == "</ScoredEvent>"
            assert float(start[7:-8]) == time
            seconds = float(duration[10:-11])
            code = {0: 0, 1: 1, 2: 2, 3: 3, 5: 4, 9: -1}[int(concept[-16])]
            expanded += [code] * int(seconds / 30)
            time += seconds
    np.testing.assert_array_equal(expanded, stages)


@pytest.mark.parametrize("stages", [[], [[0, 1]], [0, 5], ["W"], [0.5]])
def test_writer_refuses_what_is_no_hypnogram(tmp_path, stages):
    with pytest.raises(ValueError, match="stages must be a 1-D array of at least one Stage code"):
        write_nsrr_xml(tmp_path / "night.xml", stages)
    assert not (tmp_path / "night.xml").exists()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-8", "cp1252"])
@pytest.mark.parametrize("declared", ["UTF-8", "utf-16"])
def test_the_true_encoding_counts_and_a_decimal_comma_is_read(tmp_path, encoding, declared):
    path = tmp_path / "night.xml"
    text = (
        f'<?xml version="1.0" encoding="{declared}"?><CMPStudyConfig>'
        "<EpochLength>30,0</EpochLength><Note>D\u00e9sat</Note><SleepStages><SleepStage>0</SleepStage><SleepStage>2</SleepStage>"
        "</SleepStages></CMPStudyConfig>"
    )
    path.write_bytes(text.encode(encoding))
    np.testing.assert_array_equal(read_hypnogram(path), [0, 2])
