"""Random nights, written by others' software or by the formats' published rules, and read again.

``python tests/helpers/random_nights.py --nights 10000`` prints the table of docs/hypnograms.md.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import sys
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from xml.sax.saxutils import escape
from zipfile import ZipFile

import edfio
import hypothesis
import numpy as np
import pandas as pd
import pyedflib
from hypothesis import strategies as st

from sklearn_sleep.core.stage_vocabulary import VOCABULARIES
from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io import HYPNOGRAM_FORMATS, read_hypnogram

EPOCH = 30.0
MIDNIGHT = datetime.fromisoformat("2020-11-28T00:00:00")
UNSCORED, GAP, UNKNOWN = -1, -2, -3  # scored as no stage; not written; a text that nobody knows

N_CHOICES = 14, 20  # bytes that make a night

# What a layout tells of the place of a page: nothing, its number, s, or a time of day.
ROWS, NUMBERS, SECONDS, CLOCKS = range(4)
LAYOUTS = {
    "a stage a line": {
        "lines": ROWS,
        "stages": ROWS,
        "in turn": ROWS,
        "numbers": NUMBERS,
        "onset": SECONDS,
        "duration": SECONDS,
        "end": SECONDS,
        "clock": CLOCKS,
        "dates": CLOCKS,
        "clocks": CLOCKS,
    },
    "Somnomedics Domino": {"texts": CLOCKS, "codes": CLOCKS, "numbered": CLOCKS},
    "EDF+": {
        f"{layout}, {writer}": place
        for writer in ("edfio", "pyedflib")
        for layout, place in (("pages", CLOCKS), ("stretches", CLOCKS), ("changes", CLOCKS))
    },
    "ISRUC .xlsx": {
        "stages": ROWS,
        "in turn": ROWS,
        "numbers": NUMBERS,
        "duration": SECONDS,
        "clock": CLOCKS,
        "clocks": CLOCKS,
    },
    "NSRR XML": {"pages": SECONDS, "stretches": SECONDS, "2014": SECONDS},
    "Compumedics Profusion": {"pages": ROWS},
    "RemLogic": {"pages": CLOCKS, "stretches": CLOCKS, "wonambi": CLOCKS},
    "WSC .allscore": {"changes": SECONDS},
    "WSC .stg": {"numbers": NUMBERS},
}
"""The layouts in which each format is written, by the beginning of its name."""


@dataclass(frozen=True)
class Night:
    """The truth of a night, and what is told of it."""

    layout: str
    start: datetime
    page: float
    offset: float  # s from the recording's start to the first page
    runs: tuple[tuple[int, int], ...]  # stage, pages
    tail: int  # epochs after the last page
    jitter: float  # s, at the most
    seed: int

    @property
    def stages(self):
        """The stage of each page."""
        return [stage for stage, length in self.runs for _ in range(length)]

    @property
    def scored(self):
        """Seconds from the recording's start to the end of the last page."""
        return self.offset + self.page * len(self.stages)

    @property
    def n_epochs(self):
        return max(1, int(self.scored // EPOCH) + self.tail)

    def truth(self):
        """Return which stages are right for each epoch: that of most of it, the earlier on a tie.

        Where times are shaken, each that is near to most of it is right.
        """
        time = np.arange(0.25, self.n_epochs * EPOCH, 0.5)
        page = np.floor((time - self.offset) / self.page).astype(int)
        stages = np.maximum(self.stages, UNSCORED)
        inside = (page >= 0) & (page < stages.size)
        told = np.where(inside, stages[np.clip(page, 0, stages.size - 1)], UNSCORED)
        slack = 0.0 if self.jitter == 0 and self.offset % 0.5 == 0 else 2.0
        right = []
        for epoch in told.reshape(self.n_epochs, -1).tolist():
            counts = Counter(epoch)  # in the order of time
            most = max(counts.values()) - slack
            near = [stage for stage, count in counts.items() if count >= most]
            right.append(set(near) if slack else {near[0]})
        return right


def nights(format_name):
    """Return the strategy of nights that the layouts of a format can tell.

    A byte makes a choice, so that drawing costs little, and what fails becomes small.
    """
    layouts = LAYOUTS[prefix_of(format_name)]
    return st.binary(min_size=N_CHOICES[0], max_size=N_CHOICES[1]).map(
        lambda choices: _night(layouts, choices)
    )


def _night(layouts, choices):
    head, tail = choices[:11], choices[11:]
    left = iter(head)

    def choose(options):
        return options[next(left) % len(options)]

    layout = choose(sorted(layouts))
    place = layouts[layout]
    kinds = [0, 1, 2, 3, 4, 0, 2, 4, UNSCORED, *([GAP] if place else [])]
    if choose(range(10)) > 6:
        kinds += [UNKNOWN] * 2
    runs = [(kinds[byte % len(kinds)], 2 + byte // len(kinds) % 5) for byte in tail]
    if max(stage for stage, _ in runs) < 0:
        runs.append((choose(range(5)), 2))
    # What is not written begins and ends no scoring.
    for end in (0, -1):
        if runs[end][0] == GAP:
            runs[end] = 0, 2
    offsets = [0.0]
    if place >= SECONDS:
        n = choose(range(21))
        offsets += [n * EPOCH, n * 1.5, 0.25]
    if place == CLOCKS:
        offsets += [-4.5 * n]
    return Night(
        layout,
        MIDNIGHT + timedelta(minutes=choose([-40, -20, -5, 0, 30, 720]), seconds=choose(range(60))),
        # In EDF+, a movement off the grid of the epochs is no change but an event.
        choose([EPOCH] * 6 + ([20.0, 10.0, 15.0, 60.0] if "changes," not in layout else [])),
        choose(offsets),
        tuple(runs),
        choose([0, 0, 0, 3, 7]),
        choose([0.0, 0.0, 0.02, 0.2]) if place >= SECONDS else 0.0,
        int.from_bytes(choices[:2] + choices[-2:]),
    )


def prefix_of(format_name):
    (found,) = [prefix for prefix in LAYOUTS if format_name.startswith(prefix)]
    return found


@dataclass
class Entry:
    """What is written of a page, a stretch or an event: s from the recording's start."""

    onset: float
    duration: float | None
    text: str
    stage: int | None = None  # None is an event


# --------------------------------------------------------------------------------------- words
AASM = {0: ["W", "Wake"], 1: ["N1"], 2: ["N2"], 3: ["N3"], 4: ["R", "REM"], UNSCORED: ["?"]}
RK = {0: ["W"], 1: ["S1"], 2: ["S2"], 3: ["S3", "S4"], 4: ["REM"], UNSCORED: ["MT"]}
CODES = {0: ["0"], 1: ["1"], 2: ["2"], 3: ["3", "4"], 4: ["5"], UNSCORED: ["6", "9"]}
AASM_CODES = {0: ["0"], 1: ["1"], 2: ["2"], 3: ["3"], 4: ["4"], UNSCORED: ["-1"]}
STANDARD = {
    0: ["Sleep stage W"],
    1: ["Sleep stage 1", "Sleep stage N1"],
    2: ["Sleep stage 2", "Sleep stage N2"],
    3: ["Sleep stage 3", "Sleep stage 4", "Sleep stage N3"],
    4: ["Sleep stage R"],
    UNSCORED: ["Sleep stage ?", "Movement time"],
}
WHOLE_WORDS = {0: "Wake", 1: "N1", 2: "N2", 3: "N3", 4: "REM", UNSCORED: "Movement time"}
UNKNOWN_TEXTS = ("Quux", "Stage 8", "Phase Zz", "Zwxq 3", "Light", "Deep sleep", "A", "P", "NREM")
EVENTS = ("Arousal", "Hypopnea", "Obstructive Apnea", "Lights on", "SpO2 desaturation", "Apnée")
MOVEMENTS = ("Movement", "Artifact", "Unknown")


def language(rng):
    """Return the words of one language, each as somebody may spell it."""
    vocabulary = rng.choice(VOCABULARIES)
    words = {stage: list(RK[stage] + AASM[stage]) for stage in AASM}
    before = [word.strip() for word in vocabulary.before.split(",") if word.strip()]
    after = [word.strip() for word in vocabulary.after.split(",") if word.strip()]
    if before and rng.random() < 0.3:
        words = {s: [f"{rng.choice(before)} {w}" for w in texts] for s, texts in words.items()}
    elif after and rng.random() < 0.3:
        mark = rng.choice(" -")
        words = {s: [f"{w}{mark}{rng.choice(after)}" for w in texts] for s, texts in words.items()}
    for text, stage in vocabulary.texts():
        words[int(stage)].append(text)
    if rng.random() < 0.3:
        words = {s: [w.replace(" ", "_").upper() for w in texts] for s, texts in words.items()}
    return {s: [rng.choice(texts) for _ in range(2)] for s, texts in words.items()}


class Writing:
    """A night as it is being written: its file, what `read_hypnogram` is told, what is unknown."""

    def __init__(self, night, folder):
        self.night = night
        self.rng = random.Random(night.seed)  # noqa: S311
        self.path = folder / "night"
        self.told = {"resample_epochs": "majority"}
        if self.rng.random() < 0.6:
            self.told["n_epochs"] = night.n_epochs
        self.unknown = []  # onset, text
        self.unknown_texts = UNKNOWN_TEXTS
        self.is_open = False  # no entry tells when the last stage ends
        self.shift = 0  # s from the recording's start to the zero of the file's times

    def text(self, stage, words, onset):
        """Return one of the words for a stage, or an unknown one, which is kept in mind."""
        if stage != UNKNOWN:
            return self.rng.choice(words[stage])
        text = self.rng.choice(self.unknown_texts)
        self.unknown.append((onset, text))
        return text

    def pages(self, words):
        """Return an entry for each page that is written."""
        entries = []
        for index, stage in enumerate(self.night.stages):
            onset = self.night.offset + index * self.night.page
            shaken = round(onset + self.rng.uniform(-1, 1) * self.night.jitter, 3)
            if stage == GAP:
                continue
            if index == 0 and self.night.offset == 0:
                shaken = max(shaken, 0.0)
            text = self.text(stage, words, shaken)
            entries.append(Entry(shaken, self.night.page, text, stage))
        return entries

    def stretches(self, words):
        """Return an entry for each run of a stage."""
        entries, first = [], 0
        for stage, length in self.night.runs:
            onset = self.night.offset + first * self.night.page
            first += length
            if stage != GAP:
                text = self.text(stage, words, onset)
                entries.append(Entry(onset, length * self.night.page, text, stage))
        return entries

    def changes(self, words):
        """Return an entry without a duration for each run; a gap is a change to no stage."""
        entries, first = [], 0
        for stage, length in self.night.runs:
            onset = self.night.offset + first * self.night.page
            onset = round(onset + self.rng.uniform(-1, 1) * self.night.jitter, 3)
            onset = max(onset, 0.0) if self.night.offset >= 0 else onset
            first += length
            told = UNSCORED if stage == GAP else stage
            entries.append(Entry(onset, None, self.text(told, words, onset), told))
        self.is_open = self.night.tail == 0 and self.rng.random() < 0.5
        if self.is_open:
            return entries
        end = Entry(self.night.scored, None, self.text(UNSCORED, words, 0.0), UNSCORED)
        return [*entries, end]

    def events(self, texts, begin=0.0):
        """Return events within the scoring, longer than an epoch some of them."""
        span = max(begin, self.night.offset + 1), self.night.scored - 1
        return [
            Entry(
                round(self.rng.uniform(*span), 1),
                self.rng.choice([3, 10.5, 40]),
                self.rng.choice(texts),
            )
            for _ in range(self.rng.randrange(5))
        ]

    def clock(self, onset, form="%H:%M:%S.%f", digits=3):
        time = self.night.start + timedelta(seconds=onset)
        text = time.strftime(form)
        return text[: len(text) - 6 + digits] if form.endswith("%f") else text

    def tell_start(self):
        self.told["recording_start"] = self.night.start

    def tell_page(self, always=True):
        if always or self.night.page != EPOCH:
            self.told["epoch_duration"] = self.night.page

    def write(self, text, encodings=("utf-8", "utf-8-sig", "utf-16", "latin-1")):
        newline = self.rng.choice(["\n", "\r\n"])
        encoding = self.rng.choice(encodings)
        try:
            data = text.replace("\n", newline).encode(encoding)
        except UnicodeEncodeError:
            data = text.replace("\n", newline).encode()
        self.path.write_bytes(data)


# ------------------------------------------------------------------------------------- writers
def write_edf(writing):
    """Annotations of EDF+, by edfio or pyedflib, from the recording's start or the scoring's."""
    night, rng = writing.night, writing.rng
    layout, writer = night.layout.split(", ")
    words = rng.choice([STANDARD, language(rng), AASM, RK])
    if words is not STANDARD:  # numbers and marks alone may be anything; lights are an event
        words = {
            stage: [
                w
                for w in texts
                if re.search(r"^(?!lights|sleep stage).*[^\W\d_]", w, re.IGNORECASE)
            ]
            or [WHOLE_WORDS[stage]]
            for stage, texts in words.items()
        }
    entries = {"pages": writing.pages, "stretches": writing.stretches, "changes": writing.changes}[
        layout
    ](words)
    if layout == "changes":
        entries += [
            Entry(e.onset, None, e.text) if rng.random() < 0.5 else e
            for e in writing.events(EVENTS)
        ]
    else:
        entries += writing.events(EVENTS + MOVEMENTS if words is not STANDARD else EVENTS)
    if rng.random() < 0.2:
        for entry in entries:
            entry.text += "@@EEG C4-M1"
    shift = 0
    writing.tell_start()
    if night.offset < 0 or rng.random() < 0.3:
        shift = writing.shift = int(np.floor(night.offset))
    start = night.start + timedelta(seconds=shift)
    has_signal = shift == 0 and rng.random() < 0.3
    n_seconds = int(night.n_epochs * EPOCH)
    if writer == "edfio":
        signals = [edfio.EdfSignal(np.zeros(n_seconds), 1, label="ECG", physical_range=(-1, 1))]
        edfio.Edf(
            signals if has_signal else [],
            annotations=[
                edfio.EdfAnnotation(max(0.0, round(e.onset - shift, 3)), e.duration, e.text)
                for e in sorted(entries, key=lambda e: e.onset)
            ],
            starttime=start.time(),
            recording=edfio.Recording(startdate=start.date()),
            data_record_duration=EPOCH if has_signal else None,
        ).write(writing.path)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = pyedflib.EdfWriter(str(writing.path), 1, file_type=pyedflib.FILETYPE_EDFPLUS)
        file.setDatarecordDuration(10)
        file.set_number_of_annotation_signals(2)
        file.setSignalHeader(
            0,
            {
                "label": "ECG",
                "dimension": "uV",
                "sample_frequency": 1,
                "physical_min": -1,
                "physical_max": 1,
                "digital_min": -32768,
                "digital_max": 32767,
                "transducer": "",
                "prefilter": "",
            },
        )
        file.setStartdatetime(start)
        file.writeSamples([np.zeros(n_seconds - shift)])
        for e in sorted(entries, key=lambda e: e.onset):
            file.writeAnnotation(max(0.0, round(e.onset - shift, 3)), e.duration or -1, e.text)
        file.close()


def write_nsrr(writing):
    """The current schema, where the type of an event says that it is a stage, and that of 2014."""
    night, rng = writing.night, writing.rng
    if night.layout == "2014":
        type_, words = (
            "",
            rng.choice(
                [
                    {
                        0: ["SRO:Wake", "SDO:WakeState"],
                        1: ["SRO:Stage1Sleep", "SDO:NonRapidEyeMovementSleep-N1"],
                        2: ["SRO:Stage2Sleep", "SDO:NonRapidEyeMovementSleep-N2"],
                        3: [
                            "SRO:Stage3Sleep",
                            "SRO:Stage4Sleep",
                            "SDO:NonRapidEyeMovementSleep-N3",
                        ],
                        4: ["SRO:RapidEyeMovementSleep", "SRO:RapidEyeMovement"],
                        UNSCORED: ["SRO:UnscoredEpoch", "SRO:Movement"],
                    }
                ]
            ),
        )
        writing.unknown_texts = ("SRO:Stage8Sleep", "SDO:Quux", "SRO:DeepSleep")
        other = "", ("SRO:Hypopnea", "SRO:Arousal", "SRO:SpO2Desaturation", "SRO:SpO2Artifact")
    else:
        type_ = "Stages|Stages"
        words = {s: [f"Stage {s} sleep|{s}"] for s in (1, 2)} | {
            0: ["Wake|0"],
            3: ["Stage 3 sleep|3", "Stage 4 sleep|4"],
            4: ["REM sleep|5"],
            UNSCORED: ["Unscored|9", "Movement|6"],
        }
        writing.unknown_texts = ("Stage 8 sleep|8", "Quux|11", "Light sleep|1")
        other = "Respiratory|Respiratory", ("Hypopnea|Hypopnea", "Arousal|Arousal ()", "Quux|Quux")
    told = writing.stretches if night.layout == "stretches" else writing.pages
    entries = [(type_, entry) for entry in told(words)]
    entries += [(other[0], entry) for entry in writing.events(other[1])]
    entries.sort(key=lambda pair: pair[1].onset)
    point = rng.choice(".,")
    lines = [
        f'<?xml version="1.0" encoding="{rng.choice(["UTF-8", "utf-16", "windows-1252"])}"?>',
        "<PSGAnnotation><SoftwareVersion>x</SoftwareVersion><EpochLength>30</EpochLength>",
        "<ScoredEvents><ScoredEvent><EventType/><EventConcept>Recording Start Time</EventConcept>",
        f"<Start>0</Start><Duration>{night.n_epochs * EPOCH:g}</Duration>",
        f"<ClockTime>{night.start:%d.%m.%y %H.%M.%S}</ClockTime></ScoredEvent>",
    ]
    for kind, entry in entries:
        lines += [
            "<ScoredEvent>",
            f"<EventType>{kind}</EventType>" if kind or night.layout != "2014" else "",
            f"<EventConcept>{escape(entry.text)}</EventConcept>",
            f"<Start>{entry.onset:g}</Start>".replace(".", point),
            f"<Duration>{entry.duration:g}</Duration></ScoredEvent>".replace(".", point),
        ]
    writing.write("\n".join([*lines, "</ScoredEvents></PSGAnnotation>\n"]))


def write_profusion(writing):
    """The code of each page, below the events."""
    writing.unknown_texts = ("8", "11", "X", "")[:3]
    entries = writing.pages(CODES)
    events = "".join(
        f"<ScoredEvent><Name>{e.text}</Name><Start>{e.onset}</Start><Duration>{e.duration}</Duration>"
        "</ScoredEvent>"
        for e in writing.events(EVENTS)
    )
    stages = "\n".join(f"<SleepStage>{entry.text}</SleepStage>" for entry in entries)
    writing.write(
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f"<CMPStudyConfig><EpochLength>{writing.night.page:g}</EpochLength>"
        f"<ScoredEvents>{events}</ScoredEvents><SleepStages>{stages}</SleepStages></CMPStudyConfig>"
    )


NAMES = {
    "stage": ("Stage", "stage", "Sleep Stage", "sleep_stage", "Hypnogram", "label"),
    "onset": ("onset", "Onset (s)", "start_sec", "Start", "begin"),
    "clock": ("time", "Start Time", "clock", "Time [hh:mm:ss]", "timestamp"),
    "end": ("end", "stop", "End (s)"),
    "end clock": ("end", "End Time", "stop_time"),
    "duration": ("duration", "Duration (s)", "dur", "length"),
    "epoch": ("epoch", "Epoch Number", "No", "epoch_index", "Nr."),
}


def table_of(writing):
    """Return a table of stages of the layout."""
    night, rng, layout = writing.night, writing.rng, writing.night.layout
    words = rng.choice([language(rng), language(rng), AASM, RK, CODES, AASM_CODES])
    if words is CODES or words is AASM_CODES:
        writing.told["stage_codes"] = "r&k" if words is CODES else "aasm"
        # Without it, a 4 has no meaning.
        if rng.random() < 0.3 and layout != "lines":
            del writing.told["stage_codes"]
            words = {**CODES, 3: ["3"]}
    in_stretches = layout == "in turn" or (
        layout in ("duration", "end", "clocks") and rng.random() < 0.5
    )
    entries = (writing.stretches if in_stretches else writing.pages)(words)
    columns = {"stage": [e.text for e in entries]}
    onsets = np.array([e.onset for e in entries])
    durations = np.array([e.duration for e in entries])
    if layout == "numbers":
        numbers = np.round(onsets / night.page).astype(int)
        is_whole = len(numbers) == numbers.max() + 1
        columns["epoch"] = numbers + (1 if is_whole and rng.random() < 0.5 else 0)
        writing.tell_page(False)
    elif layout in ("onset", "duration", "end"):
        columns["onset"] = onsets
        if layout != "onset":
            columns[layout] = durations if layout == "duration" else (onsets + durations).round(3)
        writing.tell_page(layout == "onset")
    elif layout == "in turn":
        columns["duration"] = durations
        writing.tell_page(True)
    elif layout in ("clock", "clocks", "dates"):
        writing.tell_start()
        forms = ["%H:%M:%S.%f", "%I:%M:%S.%f %p"]
        if layout == "dates":
            forms = ["%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f", "%d.%m.%Y %H:%M:%S.%f"]
        form = rng.choice(forms)
        columns["clock"] = [writing.clock(onset, form) for onset in onsets]
        if layout == "clocks":
            columns["end clock"] = [writing.clock(end, form) for end in onsets + durations]
        writing.tell_page(True)
    elif night.tail or "n_epochs" not in writing.told or rng.random() < 0.5:
        writing.tell_page("n_epochs" in writing.told)
    frame = pd.DataFrame({rng.choice(NAMES[kind]): cells for kind, cells in columns.items()})
    if rng.random() < 0.3:
        frame["comment"] = "seen, twice"
    return frame[rng.sample(list(frame), len(frame.columns))]


def write_delimited(writing):
    """A stage a line, or a table by pandas."""
    rng = writing.rng
    frame = table_of(writing)
    if writing.night.layout == "lines":
        (stages,) = [frame[name] for name in frame if name in NAMES["stage"]]
        writing.write("\n".join(stages) + "\n")
        return
    text = frame.to_csv(
        index=False,
        sep=(mark := rng.choice(",;\t")),
        decimal=rng.choice(".,") if mark != "," else ".",
        quoting=rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC, csv.QUOTE_ALL]),
        lineterminator="\n",
    )
    writing.write(text)


def write_xlsx(writing):
    """A workbook by pandas or, quicker, part by part, with lines and a sheet before the table."""
    frame, rng = table_of(writing), writing.rng
    above, has_report = rng.choice([0, 0, 3]), rng.random() < 0.3
    if rng.random() < 0.8:
        rows = [["Report"]] * above + [list(frame), *frame.astype(str).to_numpy().tolist()]
        _write_sheets(writing.path, [[["Patient"], ["X"]], rows] if has_report else [rows])
        return
    with pd.ExcelWriter(writing.path, engine="openpyxl") as book:
        if has_report:
            pd.DataFrame({"Patient": ["X"]}).to_excel(book, sheet_name="Report", index=False)
        frame.to_excel(book, sheet_name="Stages", index=False, startrow=above)


def _write_sheets(path, sheets):
    """ECMA-376, part 1: the least that a workbook of inline strings needs."""
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    numbers = range(1, len(sheets) + 1)

    def relations(kind, targets):
        rows = (
            f'<Relationship Id="r{i}" Type="{office}/{kind}" Target="{target}"/>'
            for i, target in enumerate(targets, 1)
        )
        return f'<Relationships xmlns="{package}/relationships">{"".join(rows)}</Relationships>'

    override = f'<Override PartName="/xl/{{}}.xml" ContentType="{types}.{{}}+xml"/>'
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        + override.format("workbook", "sheet.main")
        + "".join(override.format(f"worksheets/sheet{i}", "worksheet") for i in numbers)
        + "</Types>",
        "_rels/.rels": relations("officeDocument", ["xl/workbook.xml"]),
        "xl/_rels/workbook.xml.rels": relations(
            "worksheet", [f"worksheets/sheet{i}.xml" for i in numbers]
        ),
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{office}"><sheets>'
        + "".join(f'<sheet name="S{i}" sheetId="{i}" r:id="r{i}"/>' for i in numbers)
        + "</sheets></workbook>",
    }
    for i, rows in zip(numbers, sheets, strict=True):
        cell = '<c t="inlineStr"><is><t>{}</t></is></c>'
        lines = ("".join(cell.format(escape(text)) for text in row) for row in rows)
        body = "".join(f"<row>{line}</row>" for line in lines)
        parts[f"xl/worksheets/sheet{i}.xml"] = (
            f"<worksheet {main}><sheetData>{body}</sheetData></worksheet>"
        )
    with ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)


def write_domino(writing):
    """The sleep profile: header, and a row an epoch with its time of day."""
    night, rng = writing.night, writing.rng
    writing.tell_start()
    words = {
        0: ["Wake", "Wach"],
        1: ["N1"],
        2: ["N2"],
        3: ["N3", "N4"],
        4: ["REM", "Rem"],
        UNSCORED: ["A", "Artefakt", "Artifact", "Movement", "Bewegung"],
    }
    events = "N4,N3,N2,N1,REM,Wake,Movement"
    writing.unknown_texts = ("Quux", "Stage 8", "Leicht", "P", "Tiefschlaf")
    if night.layout == "numbered":
        words = {0: ["1"], 1: ["2"], 2: ["3"], 3: ["4"], 4: ["5"], UNSCORED: ["7"]}
        events = "1=Wake,2=N1,3=N2,4=N3,5=REM,7=Artefakt"
        writing.unknown_texts = ("6", "8", "12")
    elif night.layout == "codes":
        words = rng.choice([CODES, AASM_CODES])
        writing.told["stage_codes"] = "r&k" if words is CODES else "aasm"
        writing.unknown_texts = ("Quux", "Stage 8")
    form = rng.choice(["%H:%M:%S,%f", "%d.%m.%Y %H:%M:%S,%f"])
    first = night.start + timedelta(seconds=night.offset)
    start = first.strftime(rng.choice(["%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d.%m.%Y"]))
    lines = [
        r"Signal ID: SchlafProfil\profil",
        f"Start Time: {start}",
        "Unit: ",
        "Signal Type: Discret",
        f"Events list: {events}",
        f"Rate: {night.page:g} s",
        "",
    ]
    lines += [f"{writing.clock(e.onset, form)}; {e.text}" for e in writing.pages(words)]
    writing.write("\n".join([*lines, ""]))


REMLOGIC = {
    0: ["S0"],
    1: ["S1"],
    2: ["S2"],
    3: ["S3", "S4"],
    4: ["REM"],
    UNSCORED: ["MT", "UNSCORED"],
}


def write_remlogic(writing):
    """An event list as in the CAP database, or by wonambi."""
    night, rng = writing.night, writing.rng
    writing.tell_start()
    writing.unknown_texts = ("SLEEP-S5", "SLEEP-X", "SLEEP-LIGHT", "SLEEP-NREM")
    words = {stage: [f"SLEEP-{text}" for text in texts] for stage, texts in REMLOGIC.items()}
    if night.layout == "wonambi" and UNKNOWN not in night.stages:
        _write_by_wonambi(writing)
        return
    told = writing.stretches if night.layout == "stretches" else writing.pages
    entries = told(words) + writing.events(("MCAP-A1", "MCAP-A3", "APNEA-OBSTRUCTIVE", "AROUSAL"))
    entries.sort(key=lambda entry: entry.onset)
    form = rng.choice(["%H:%M:%S.%f", "%I:%M:%S.%f %p", "%Y-%m-%dT%H:%M:%S.%f", "%H.%M.%S.%f"])
    is_short = rng.random() < 0.3
    header = "Time [hh:mm:ss]\tEvent\tDuration[s]"
    if not is_short:
        header = f"Sleep Stage\tPosition\t{header}\tLocation"
    lines = ["RemLogic Event Export", "Patient:\tX", f"Recording Date:\t{night.start:%d/%m/%Y}", ""]
    lines += ["Events Included:", *sorted({entry.text for entry in entries}), "", header]
    for entry in entries:
        row = f"{writing.clock(entry.onset, form)}\t{entry.text}\t{entry.duration:g}"
        lines.append(row if is_short else f"S2\tUnknown Position\t{row}\tROC-LOC")
    writing.write("\n".join([*lines, ""]))


def _write_by_wonambi(writing):
    from wonambi.attr.annotations import Annotations

    names = ["Wake", "NREM1", "NREM2", "NREM3", "REM"]
    entries = writing.pages({**{i: [name] for i, name in enumerate(names)}, -1: ["Undefined"]})
    Annotations.export(
        SimpleNamespace(
            dataset="n.edf",
            start_time=writing.night.start,
            epoch_length=writing.night.page,
            epochs=[{"start": entry.onset, "stage": entry.text} for entry in entries],
        ),
        writing.path,
        writing.rng.choice(["remlogic", "remlogic_fr"]),
    )


def write_allscore(writing):
    """The log of the recorder: a stage is noted where it changes, among all other events."""
    writing.unknown_texts = ("STAGE - N7", "STAGE - QUUX", "STAGE - LIGHT")
    names = {0: ["W"], 1: ["N1"], 2: ["N2"], 3: ["N3"], 4: ["R"], UNSCORED: ["NO STAGE", "MVT"]}
    words = {stage: [f"STAGE - {name}" for name in texts] for stage, texts in names.items()}
    if writing.rng.random() < 0.5:
        writing.tell_start()
    entries = writing.changes(words)
    entries += writing.events(("RESPIRATORY EVENT - DUR: 12.3", "NOTE - QUUX", "LIGHTS OUT"))
    lines = [f"{writing.clock(0.0, digits=2)}\tSTART RECORDING"]
    lines += [
        f"{writing.clock(entry.onset, digits=2)}\t{entry.text}"
        for entry in sorted(entries, key=lambda entry: entry.onset)
    ]
    writing.write("\n".join([*lines, ""]))


def write_stg(writing):
    """The code of each epoch, by its number from 1 on."""
    night, rng = writing.night, writing.rng
    writing.unknown_texts = ("8", "11")
    codes = {**CODES, UNSCORED: ["6", "7"]}
    writing.tell_page(False)
    lines = ["Epoch\tUser-Defined Stage\tCAST-Defined Stage"] if rng.random() < 0.7 else []
    lines += [
        f"{round(entry.onset / night.page) + 1}\t{entry.text}\t0" for entry in writing.pages(codes)
    ]
    writing.write("\n".join([*lines, ""]))


WRITERS = {
    "a stage a line": write_delimited,
    "Somnomedics Domino": write_domino,
    "EDF+": write_edf,
    "ISRUC .xlsx": write_xlsx,
    "NSRR XML": write_nsrr,
    "Compumedics Profusion": write_profusion,
    "RemLogic": write_remlogic,
    "WSC .allscore": write_allscore,
    "WSC .stg": write_stg,
}


# -------------------------------------------------------------------------------------- oracle
def outcome(format_name, night, folder):
    """Write a night and read it; return whether it holds something unknown, and what came of it.

    AssertionError if an epoch is wrong, or if what is left out or refused is not named.
    """
    writing = Writing(night, folder)
    WRITERS[prefix_of(format_name)](writing)
    unknown = writing.unknown
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = read_hypnogram(writing.path, **writing.told)
        except HypnogramError as error:
            message = str(error)
            assert str(writing.path) in message
            assert not unknown or any(text in message for _, text in unknown), message
            return bool(unknown), "refused", message
    said = "\n".join(str(warning.message) for warning in caught)
    truth = night.truth()
    assert len(found) <= len(truth) + 3, said  # a movement may end after the scoring
    assert "n_epochs" not in writing.told or len(found) == night.n_epochs
    if writing.is_open and "when the last stage, from" in said:
        last = int((night.scored - night.runs[-1][1] * night.page) // EPOCH) + 1
        truth[last:] = [right | {UNSCORED} for right in truth[last:]]
    codes = np.append(found, np.full(max(0, len(truth) - len(found)), UNSCORED))
    wrong = [i for i, right in enumerate(truth) if codes[i] not in right]
    assert not wrong, (
        f"epochs {wrong}: {codes[wrong].tolist()} and not {[truth[i] for i in wrong]}\n{said}\n"
        f"{writing.told}\n{show(writing.path)}"
    )
    if not unknown:
        return False, "right", said
    onset = min(onset for onset, _ in unknown)
    for text in list(dict.fromkeys(text for _, text in unknown))[:3]:
        assert text in said, f"{text!r} is not named: {said}\n{writing.told}\n{show(writing.path)}"
    assert names_time(said, writing, onset), f"{onset} is not named: {said}\n{show(writing.path)}"
    return True, "left out", said


def names_time(said, writing, onset):
    """Return whether a message tells a time, in s or as time of day."""
    numbers = [float(text) for text in re.findall(r"(?<=at )-?\d+(?:\.\d+)?(?= s)", said)]
    clocks = {writing.clock(onset, form, 0).rstrip(".") for form in ("%H:%M:%S.%f", "%I:%M:%S.%f")}
    dotted = {clock.replace(":", ".") for clock in clocks}
    return any(abs(n - onset + writing.shift) < 1 for n in numbers) or any(
        c in said for c in clocks | dotted
    )


def show(path):
    data = path.read_bytes()
    if data[:1] == b"0":
        data = b"\n".join(re.findall(rb"[+-][\d.]+(?:\x15[\d.]+)?\x14[^\x14]+\x14", data))
        data = data.replace(b"\x14", b"|").replace(b"\x15", b"/")
    return data[:4000].decode("utf-8", "replace").replace("\r", "")


SETTINGS = {
    "database": None,
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": list(hypothesis.HealthCheck),
}


def try_nights(format_name, n_nights, folder):
    """Try so many random nights of a format and count what came of them."""
    counts = Counter()

    @hypothesis.settings(max_examples=n_nights, **SETTINGS)
    @hypothesis.given(night=nights(format_name))
    def trial(night):
        counts[outcome(format_name, night, folder)[:2]] += 1

    trial()
    return counts


def count_nights(format_name, n_nights, folder):
    """Count what comes of many nights of the same kinds, those that are wrong too."""
    layouts, choose = LAYOUTS[prefix_of(format_name)], random.Random(19)  # noqa: S311
    counts = Counter()
    for _ in range(n_nights):
        night = _night(layouts, choose.randbytes(choose.randint(*N_CHOICES)))
        try:
            is_unknown, what, said = outcome(format_name, night, folder)
        except AssertionError as error:
            is_unknown, what, said = None, "wrong", str(error)
        counts[is_unknown, what] += 1
        if (is_unknown, what) in ((None, "wrong"), (False, "refused")):
            sys.stderr.write(f"{night}\n{said[:1500]}\n")
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=10000, help="of each format")
    parser.add_argument("--format", default="", help="the beginning of one format's name")
    arguments = parser.parse_args()
    columns = [
        "format",
        "nothing unknown",
        "right",
        "refused",
        "something unknown",
        "left out",
        "refused",
        "wrong",
    ]
    sys.stdout.write(f"| {' | '.join(columns)} |\n| --- |{' --: |' * 7}\n")
    with tempfile.TemporaryDirectory() as folder:
        for name in HYPNOGRAM_FORMATS:
            if name.startswith(arguments.format):
                counts = count_nights(name, arguments.nights, Path(folder))
                sys.stdout.write(row_of(name, counts))
                sys.stdout.flush()


def row_of(name, counts):
    """Return the row of the table: nights of each kind, and what share of them came to what."""
    cells = [name.partition(",")[0]]
    for is_unknown, good in ((False, "right"), (True, "left out")):
        total = sum(counts[is_unknown, what] for what in (good, "refused"))
        cells.append(f"{total:,}")
        cells += [f"{counts[is_unknown, what] / max(1, total):.2%}" for what in (good, "refused")]
    cells.append(str(counts[None, "wrong"]))
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    main()
