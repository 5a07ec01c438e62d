"""Writers of hypnograms for `random_nights`: others' software, or the formats' published rules."""

from __future__ import annotations

import csv
import random
import re
import warnings
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from xml.sax.saxutils import escape
from zipfile import ZipFile

import edfio
import numpy as np
import pandas as pd
import pyedflib

from sklearn_sleep.core.stage_vocabulary import VOCABULARIES

EPOCH = 30.0
UNSCORED, GAP, UNKNOWN = -1, -2, -3  # scored as no stage; not written; a text that nobody knows


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
