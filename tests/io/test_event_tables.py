"""Events beside the stages of a night, of every format that holds some."""

from __future__ import annotations

import math
import re
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import edfio
import mne
import numpy as np
import openpyxl
import pandas as pd
import pyedflib
import pytest

from sklearn_sleep import read_events, read_hypnogram
from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io import HYPNOGRAM_FORMATS, Event, HypnogramFormat, StageAnnotations

DATA = Path(__file__).parents[1] / "data"
START = datetime.fromisoformat("2020-01-01T23:59:00")


@pytest.fixture
def write_edf(tmp_path):
    def write_annotations(*annotations, **start):
        path = tmp_path / "night.edf"
        annotations = [edfio.EdfAnnotation(*annotation) for annotation in annotations]
        edfio.Edf([], annotations=annotations, **start).write(path)
        return path

    return write_annotations


def check(path, *expected, **parameters):
    """Check the events of a file: (onset, duration, event[, channel]), NaN where there is none."""
    found = read_events(path, **parameters)
    assert [str(dtype) for dtype in found.dtypes[:2]] == ["float64", "float64"]
    assert all(pd.api.types.is_string_dtype(found[name]) for name in ("event", "channel"))
    assert list(found.columns) == ["onset", "duration", "event", "channel"]
    assert found.index.equals(pd.RangeIndex(len(expected)))
    rows = [(*row, "") if len(row) == 3 else row for row in expected]
    for position, name in enumerate(found.columns):
        values = [row[position] for row in rows]
        if position < 2:
            np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-6)
        else:
            assert found[name].tolist() == values


def scored_events(path, name):
    """Return the scored events as ElementTree alone reads them."""
    for element in ElementTree.parse(path).getroot().iter("ScoredEvent"):  # noqa: S314 - ours
        if element.findtext(name) not in (None, "Recording Start Time"):
            times = (float(element.findtext(tag)) for tag in ("Start", "Duration"))
            yield (*times, element.findtext(name), element.findtext("Input", ""))


def test_profusion_xml_of_compumedics():
    path = DATA / "compumedics-profusion.xml"
    expected = sorted(scored_events(path, "Name"), key=lambda event: event[0])
    assert len(expected) > 5
    check(path, *expected)


def test_nsrr_xml_of_2014():
    path = DATA / "nsrr-translator-2014.xml"
    events = scored_events(path, "EventConcept")
    expected = [event for event in events if not re.search("Stage|Wake|RapidEye", event[2])]
    assert len(expected) == 481
    check(path, *sorted(expected, key=lambda event: event[0]))


def nsrr(*events):
    tags = ("EventType", "EventConcept", "Start", "Duration", "SignalLocation")
    body = "".join(
        "<ScoredEvent>"
        + "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(tags, event, strict=False))
        + "</ScoredEvent>"
        for event in events
    )
    return f"<PSGAnnotation><ScoredEvents>{body}</ScoredEvents></PSGAnnotation>"


NSRR = [
    ("", "Recording Start Time", 0, 90),
    ("Stages|Stages", "Wake|0", 0, 30),
    ("Stages|Stages", "Stage 2 sleep|2", 30, 60),
    ("Arousals|Arousals", "ASDA arousal|Arousal (ASDA)", 70.5, 3.2, "C4"),
    ("Respiratory|Respiratory", "Hypopnea|Hypopnea", 41, 12.5, "NEW AIR"),
    ("Limb Movement|Limb Movement", "Limb movement - left|Limb Movement (Left)", 44, ""),
]


def test_nsrr_xml_with_its_own_names(write_text):
    expected = [
        (41, 12.5, "Hypopnea", "NEW AIR"),
        (44, math.nan, "Limb movement - left"),
        (70.5, 3.2, "ASDA arousal", "C4"),
    ]
    path = write_text(nsrr(*NSRR))
    check(path, *expected)
    np.testing.assert_array_equal(read_hypnogram(path), [0, 2, 2])
    without_stages = [event for event in NSRR if event[0] != "Stages|Stages"]
    check(write_text(nsrr(*without_stages)), *expected)
    with pytest.raises(HypnogramError, match=r"ScoredEvent 1: Start is '', which is no number"):
        read_events(write_text(nsrr(("Arousals|Arousals", "Arousal", "", 3))))


EDF_EVENTS = [
    (0, 30, "Sleep stage W"),
    (5, None, "Lights off"),
    (30, 30, "Sleep stage N2@@C4-M1"),
    (41.25, 12.5, "Hypopnea@@Flow"),
    (42, 0, "5"),
    (60, 30, "Movement time"),
    (65, 4, "Movement"),
    (90, 30, "Sleep stage R"),
    (93, 4, "Artifact"),
    (120, 30, "Sleep stage ?"),
]


def test_edf_annotations_of_edfio(write_edf):
    check(
        write_edf(*EDF_EVENTS),
        (5, math.nan, "Lights off"),
        (41.25, 12.5, "Hypopnea", "Flow"),
        (42, 0, "5"),
        (93, 4, "Artifact"),
    )
    check(write_edf((4, 10, "Apnea"), (9, 2, "Movement")), (4, 10, "Apnea"), (9, 2, "Movement"))
    check(write_edf((0, 30, "Sleep stage W"), (30, 30, "Sleep stage 2")))
    check(DATA / "SC4001EC-Hypnogram.edf")


@pytest.mark.parametrize("kind", ["EDFPLUS", "BDFPLUS"])
def test_edf_annotations_of_pyedflib(tmp_path, kind):
    path = tmp_path / "night.edf"
    with pyedflib.EdfWriter(str(path), 1, getattr(pyedflib, f"FILETYPE_{kind}")) as writer:
        writer.setSignalHeader(0, pyedflib.highlevel.make_signal_header("ECG", sample_frequency=1))
        writer.writeSamples([np.zeros(90)])
        writer.writeAnnotation(0, 60, "Sleep stage W")
        writer.writeAnnotation(33.5, 10, "Obstructive Apnea")
        writer.writeAnnotation(50, -1, "Lights on")
    check(path, (33.5, 10, "Obstructive Apnea"), (50, math.nan, "Lights on"))


def test_edf_annotations_that_start_with_another_clock(write_edf):
    start = {"recording": edfio.Recording(startdate=START.date()), "starttime": START.time()}
    path = write_edf((0, 30, "W"), (4, 10, "Apnea"), (41, 10, "Apnea"), **start)
    check(path, (4, 10, "Apnea"), (41, 10, "Apnea"), recording_start=START)
    with pytest.warns(HypnogramWarning, match="its times were moved by -30 s"):
        check(
            path,
            (-26, 10, "Apnea"),
            (11, 10, "Apnea"),
            recording_start=START.replace(second=30),
        )


REMLOGIC = """\
RemLogic Event Export
Patient:\tn
Patient ID:\tn
Recording Date:\t01/01/2020

Events Included:
MCAP-A1
SLEEP-S2

Sleep Stage\tPosition\tTime [hh:mm:ss]\tEvent\tDuration[s]\tLocation
W\tUnknown Position\t23:59:30\tSLEEP-S0\t30\tROC-LOC
S2\tLeft\t00:00:00\tSLEEP-S2\t30\tROC-LOC
S2\tLeft\t00:00:04\tMCAP-A1\t6\tFp2-F4
S2\tLeft\t00:00:04\tMCAP-A1\t6\tF4-C4
S2\tLeft\t00:00:12\tHypopnée\t11\t
R\tLeft\t00:00:30\tSLEEP-REM\t30\tROC-LOC
R\tLeft\t00:00:41\tSLEEP-TALK\t8\t
R\tLeft\t00:00:52\tSLEEP-MT\t3\tROC-LOC
"""
REMLOGIC_EVENTS = [
    (64, 6, "MCAP-A1", "Fp2-F4"),
    (64, 6, "MCAP-A1", "F4-C4"),
    (72, 11, "Hypopnée"),
    (101, 8, "SLEEP-TALK"),
    (112, 3, "SLEEP-MT", "ROC-LOC"),
]


def test_remlogic_rows_that_are_no_epoch(write_text):
    check(write_text(REMLOGIC, encoding="latin-1"), *REMLOGIC_EVENTS, recording_start=START)
    rows = "Heure [hh:mm:ss]\tEvénement\tDurée[s]\n00:00:12\tHypopnée\t11,5\n00:00:40\tRonflement\n"
    path = write_text("RemLogic Event Export\n" + rows)
    check(path, (72, 11.5, "Hypopnée"), (100, math.nan, "Ronflement"), recording_start=START)
    with pytest.raises(HypnogramError, match=r"line 3: onset is '00:00:12', a time of day\. Pass"):
        read_events(path)


def test_remlogic_against_wonambi(write_text, tmp_path):
    annotations = pytest.importorskip("wonambi.attr.annotations")
    header = {"start_time": START, "n_samples": 12000, "s_freq": 100}
    annotations.create_empty_annotations(
        tmp_path / "n.xml", SimpleNamespace(filename="n.edf", header=header)
    )
    theirs = annotations.Annotations(tmp_path / "n.xml")
    theirs.add_rater("somebody")
    rows = REMLOGIC.replace("Time [hh", "Heure [hh")  # of 24 hours
    path = write_text(
        "\n".join(r for r in rows.split("\n") if "\tSLEEP-" not in r), encoding="latin-1"
    )
    # Their clock goes by the date, which a row after midnight does not tell.
    path.write_text(path.read_text("latin-1").replace("01/01/2020", "02/01/2020"), "latin-1")
    theirs.import_events(path, "remlogic", START)
    expected = sorted((e["start"], e["end"] - e["start"], e["name"]) for e in theirs.get_events())
    found = read_events(path, recording_start=START)
    assert sorted(zip(found.onset, found.duration, found.event, strict=True)) == expected
    assert len(expected) == 3


DOMINO = (
    "Signal ID: FlowD\\flow\nStart Time: 1/1/2020 11:59:00 PM\nUnit: s\nSignal Type: Impuls\n\n"
)
PROFILE = "Signal ID: SchlafProfil\\profil\nSignal Type: Discret\nRate: 30 s\n\n"


@pytest.mark.parametrize(
    "rows",
    [
        "23:59:50,119-00:00:06,408; 16;Hypopnea\n00:01:00,000-00:01:00,000; 0;Apnea\n",
        "1.1.2020 23:59:50,119-00:00:06,408; 16;Hypopnea; N1\n2.1.2020 00:01:00-00:01:00;;Apnea\n",
        "11:59:50.119 PM - 12:00:06.408 AM; 16;Hypopnea\n12:01:00 AM-12:01:00 AM; 0;Apnea\n",
    ],
)
@pytest.mark.parametrize("unit", ["s", "ms"])
def test_domino_event_file(write_text, rows, unit):
    path = write_text(DOMINO.replace("Unit: s", f"Unit: {unit}") + rows)
    expected = [(50.119, 16.289, "Hypopnea", "FlowD\\flow"), (120, 0, "Apnea", "FlowD\\flow")]
    check(path, *expected, recording_start=START)
    with pytest.raises(HypnogramError, match="is no hypnogram"):
        read_hypnogram(path, recording_start=START)


def test_domino_artefacts_of_a_sleep_profile(write_text):
    rows = ["23:59:00,000; Wach", "23:59:30,000; A", "00:00:00,000; Bewegung", "00:00:30,000; N2"]
    path = write_text(
        PROFILE + "\n".join([*rows, "00:00:41,500; Arousal", "00:01:00,000; Artefakt"])
    )
    check(
        path,
        (30, 30, "A"),
        (101.5, 30, "Arousal"),
        (120, 30, "Artefakt"),
        recording_start=START,
    )
    np.testing.assert_array_equal(read_hypnogram(path, recording_start=START), [0, -1, -1, 2, -1])


def test_domino_files_that_are_not_understood(write_text):
    check(write_text(DOMINO), recording_start=START)
    with pytest.raises(HypnogramError, match="line 6 is '23:59:50,119; 16;Hypopnea'; an event of"):
        read_events(write_text(DOMINO + "23:59:50,119; 16;Hypopnea\n"), recording_start=START)
    with pytest.raises(HypnogramError, match=r"'FlowD.*' of type 'Analog', which is no hypnogram"):
        read_events(write_text(DOMINO.replace("Impuls", "Analog") + "1\n"), recording_start=START)


ALLSCORE = """\
23:50:00.00\tCALIBRATION
23:59:00.00\tSTART RECORDING
23:59:00.00\tSTAGE - W
23:59:10.50\tLIGHTS OUT
23:59:30.00\tSTAGE - N2
00:00:11.20\tAROUSAL - DUR: 3.5 SEC. - SPONTANEOUS
00:00:15.00\tRESPIRATORY EVENT - DUR: 18.8 SEC. - HYPOPNEA - DESAT 2.7 %
00:01:00.00\tSTAGE - NO STAGE
"""


def test_wsc_allscore_with_durations_taken_out_of_the_texts(write_text):
    check(
        write_text(ALLSCORE),
        (10.5, math.nan, "LIGHTS OUT"),
        (71.2, 3.5, "AROUSAL - SPONTANEOUS"),
        (75, 18.8, "RESPIRATORY EVENT - HYPOPNEA - DESAT 2.7 %"),
    )
    with pytest.raises(HypnogramError, match="the recording starts at 23:59:00 here"):
        read_events(write_text(ALLSCORE), recording_start=START.replace(minute=0))


def test_tables_of_pandas(tmp_path):
    events = pd.DataFrame(
        {
            "onset": [3.0, 41.5, 41.5],
            "duration": [np.nan, 12.0, 0.25],
            "event": ["Lights off", "Hypopnea", "Movement"],
            "channel": ["", "Flow", "Leg"],
        }
    )
    rows = list(events.itertuples(index=False, name=None))
    for index, separator, name in ((True, ",", "event"), (False, "\t", "trial_type")):
        path = tmp_path / "night.csv"
        events.rename(columns={"event": name}).to_csv(path, index=index, sep=separator)
        check(path, *rows)
    events.rename(columns={"event": "What"}).to_csv(path, index=False)
    check(path, *rows, columns={"event": "What"})
    events[:0].to_csv(path, index=False)
    check(path)
    events[:2].rename(columns={"event": "description"}).to_csv(path, index=False)
    check(path, *rows[:2])
    with pytest.raises(HypnogramError, match=r"no stage below it\. If these are events, read th"):
        read_hypnogram(path)
    events.to_csv(path, index=False)
    with pytest.raises(HypnogramError, match="a column of events, 'event', and none of stages"):
        read_hypnogram(path)
    events.drop(columns=["duration", "channel"]).to_csv(path, index=False)
    check(path, *((onset, np.nan, event) for onset, _, event, _ in rows))


def test_annotations_of_mne(tmp_path):
    path = tmp_path / "night.csv"
    texts = ["Sleep stage W", "Sleep stage 2", "Hypopnea", "Quux"]
    channels = [[], [], ["Flow"], []]
    mne.Annotations([0, 30, 41.5, 50], [30, 30, 12, 0], texts, ch_names=channels).save(path)
    start = datetime.fromisoformat("1970-01-01T00:00:00")
    check(path, (41.5, 12, "Hypopnea", "Flow"), (50, 0, "Quux"), recording_start=start)


def test_tables_of_stages_and_events(write_text):
    stages = "onset,duration,description\n0,30,W\n30,30,N2\n60,30,5\n90,30,9\n"
    check(write_text(stages))
    check(write_text(stages + "33,n/a,Lights On\n31,4,Wach\n"), (33, math.nan, "Lights On"))
    told = {"stage_names": {"Quux": "N1"}}
    check(write_text(stages + "120,30,Quux\n"), (120, 30, "Quux"))
    check(write_text(stages + "120,30,Quux\n"), **told)
    both = "onset;end;stage;event;location\n0;30;W;;\n30;60;N2;Movement;C4\n60;90;N2;n/a;\n"
    check(write_text(both), (30, 30, "Movement", "C4"))
    clocks = "time,stage\n23:59:30,N2\n00:00:00,N2\n00:00:10,Arousal\n"
    check(write_text(clocks), (70, math.nan, "Arousal"), recording_start=START)


EPOCHS = ("W", "N1", "N2", "N2", "R")


def formats_of(event, onset, duration):
    """Yield files with the stages EPOCHS and an event, as arguments of `write` and its siblings."""
    times = [(30 * index, stage) for index, stage in enumerate(EPOCHS)]
    rows = [*((at, 30, stage) for at, stage in times), (onset, duration, event)]
    points = [*((at, None, stage) for at, stage in times), (onset, duration or None, event)]
    standard = [(*row[:2], f"Sleep stage {row[2]}") for row in points[:-1]]
    yield from (("edf", rows), ("edf", points), ("edf", [*standard, points[-1]]))
    table = "".join(f"{at},{length},{text}\n" for at, length, text in sorted(rows))
    yield "text", f"onset,duration,description\n{table}"
    concepts = {"W": "Wake|0", "N1": "N1|1", "N2": "N2|2", "R": "REM sleep|5"}
    stages = [("Stages|Stages", concepts[stage], at, 30) for at, stage in times]
    yield "text", nsrr(*stages, ("Other|Other", f"{event}|{event}", onset, duration))
    yield "text", nsrr(*stages, ("", event, onset, duration))
    old = [
        ("", f"SRO:{ {'W': 'WakeState', 'R': 'RapidEyeMovement'}.get(s, s) }", at, 30)
        for at, s in times
    ]
    yield "text", nsrr(*old, ("", event, onset, duration))


@pytest.mark.parametrize(
    ("event", "onset", "duration"),
    [
        ("Lights On", 70, 0),
        ("Movement", 70, 4),
        ("Artifact", 60, 4),
        ("Unknown", 85, 20),
        ("Mikroarousal", 70, 4),
    ],
)
def test_events_among_stages_leave_them_and_are_found(
    write_text, write_edf, event, onset, duration
):
    for kind, content in formats_of(event, onset, duration):
        path = write_edf(*content) if kind == "edf" else write_text(content)
        np.testing.assert_array_equal(read_hypnogram(path, n_epochs=5), [0, 1, 2, 2, 4])
        found = read_events(path)
        assert found[["onset", "event"]].to_numpy().tolist() == [[onset, event]], content


def test_formats_without_events_are_refused_by_name(write_text, tmp_path):
    with pytest.raises(HypnogramError, match=r"night\.txt: WSC \.stg\.txt holds stages and no ev"):
        read_events(write_text("1\t0\t0\n2\t5\t0\n"))
    with pytest.raises(HypnogramError, match="list of stages without times, which holds no events"):
        read_events(write_text("W\nN1\n"))
    workbook = openpyxl.Workbook()
    workbook.active.append(["Epoch", "Stage"])
    workbook.save(tmp_path / "1.xlsx")
    with pytest.raises(HypnogramError, match=r"ISRUC \.xlsx holds stages .* events are .*NSRR XML"):
        read_events(tmp_path / "1.xlsx")
    with pytest.raises(HypnogramError, match=r"neither a stage nor a known header\. Known are"):
        read_events(write_text("Quux\n"))


@pytest.mark.parametrize(("onset", "duration"), [("inf", 3), ("nan", 3), (3, "inf"), (3, -2)])
def test_impossible_times_are_refused(write_text, onset, duration):
    path = write_text(f"onset,duration,event\n1,2,Apnea\n{onset},{duration},Snore\n")
    with pytest.raises(HypnogramError, match=r"night\.txt: event 2, 'Snore', starts .* Correct or"):
        read_events(path)


def test_impossible_parameters(write_text):
    path = write_text("onset,event\n1,Apnea\n")
    with pytest.raises(ValueError, match="columns has the keys"):
        read_events(path, columns={"what": "event"})
    with pytest.raises(ValueError, match="stage_names says that 'A' is 'B'"):
        read_events(path, stage_names={"A": "B"})


def test_a_format_of_your_own_may_hold_events(write_text, monkeypatch):
    mine = HypnogramFormat(
        "mine",
        recognises=lambda file: file.first_line == "mine",
        read=lambda file, options: StageAnnotations.from_epochs([0], 30.0),
        events=lambda file, options: [Event(9.0, 1.0, "late"), Event(5.0, 1.0, "early", "C3")],
    )
    monkeypatch.setitem(HYPNOGRAM_FORMATS, "mine", mine)
    check(write_text("mine\n"), (5, 1, "early", "C3"), (9, 1, "late"))
