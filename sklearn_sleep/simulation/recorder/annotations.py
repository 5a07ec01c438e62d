"""Hypnograms of synthetic nights in the formats of the public cohorts."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import numpy as np
from edfio import Edf, EdfAnnotation, Patient, Recording

from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.stage_schemes import stage_names
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.io.hypnograms.formats.nsrr_xml import write_nsrr_xml
from sklearn_sleep.simulation.body.hypnogram import StageArray

# Rechtschaffen & Kales 1968; NSRR and Sleep-EDF keep their codes.
_CODES = {Stage.W: 0, Stage.N1: 1, Stage.N2: 2, Stage.N3: 3, Stage.R: 5, Stage.UNSCORED: 7}
_AASM_NAMES = dict(zip(Stage, stage_names(5), strict=False))
_LUNA_NAMES = {**_AASM_NAMES, Stage.W: "wake", Stage.R: "REM", Stage.UNSCORED: "?"}
_EDF_NAMES = {**_AASM_NAMES, Stage.N1: "1", Stage.N2: "2", Stage.N3: "3", Stage.UNSCORED: "?"}
_SHORT_PAGE = 20.0
# Pages of MASS seldom start with the recording.
_SHORT_PAGE_OFFSET, _PAGE_OFFSET = 2.0, 3.0


def _nsrr(path: Path, stages: StageArray, start: datetime) -> None:
    write_nsrr_xml(path, stages, start_time=start)


def _profusion(path: Path, stages: StageArray, start: datetime) -> None:
    """Write what Compumedics Profusion exports, in which 9 is an epoch that is not scored."""
    codes = {**_CODES, Stage.UNSCORED: 9}
    lines = [f"<SleepStage>{codes[Stage(stage)]}</SleepStage>" for stage in stages]
    path.write_text(
        "\n".join(
            [
                '<?xml version="1.0" encoding="utf-8"?>',
                f"<CMPStudyConfig><EpochLength>{EPOCH_DURATION:g}</EpochLength><SleepStages>",
                *lines,
                "</SleepStages></CMPStudyConfig>\n",
            ]
        )
    )


def _wsc_stg(path: Path, stages: StageArray, start: datetime) -> None:
    lines = [f"{i}\t{_CODES[Stage(stage)]}\t0" for i, stage in enumerate(stages, start=1)]
    path.write_text("\n".join(["Epoch\tUser-Defined Stage\tCAST-Defined Stage", *lines, ""]))


def _wsc_allscore(path: Path, stages: StageArray, start: datetime) -> None:
    path.write_text("\n".join(_allscore_lines(stages, start)) + "\n")


def _wsc_power_failure(path: Path, stages: StageArray, start: datetime) -> None:
    lines = _allscore_lines(stages, start)
    middle = start + timedelta(seconds=EPOCH_DURATION * (len(stages) // 2))
    at = len(lines) // 2
    failure = [f"{_clock(middle)}\tPOWER FAILURE RECOVERY"]
    path.write_text("\n".join([*lines[:at], *failure, *lines[at:]]) + "\n")


def _allscore_lines(stages: StageArray, start: datetime) -> list[str]:
    """Return the recorder's log: a stage is noted where it begins."""
    lines = [f"{_clock(start)}\tSTART RECORDING", f"{_clock(start)}\tPAPER SPEED = 10"]
    for epoch in np.flatnonzero(np.diff(stages, prepend=-2)):
        time = start + timedelta(seconds=float(epoch * EPOCH_DURATION))
        name = _AASM_NAMES.get(Stage(stages[epoch]), "NO STAGE")
        lines.append(f"{_clock(time)}\tSTAGE - {name}")
    return lines


def _wsc_sco(path: Path, stages: StageArray, start: datetime) -> None:
    """Write one apnea, as the list of respiratory events of a Gamma study has it."""
    time = start + timedelta(seconds=10 * EPOCH_DURATION)
    path.write_text(f"11\t3000\t30\tObst Apnea\t1500\t{time:%H:%M:%S}\t92.0\t4.0\t15.0\n")


def _wsc_log(path: Path, stages: StageArray, start: datetime) -> None:
    """Write what a Gamma study and its technician note."""
    notes = {1: ("Recording Started", "Lights Out"), len(stages): ("Lights On",)}
    _write_log(path, start, notes)


def _wsc_log_of_a_restart(path: Path, stages: StageArray, start: datetime) -> None:
    middle = len(stages) // 2
    notes = {1: ("Recording Started",), middle: ("Recording Started",), len(stages): ("Lights On",)}
    _write_log(path, start, notes)


def _write_log(path: Path, start: datetime, notes: Mapping[int, Sequence[str]]) -> None:
    lines = []
    for epoch, texts in notes.items():
        time = start + timedelta(seconds=(epoch - 1) * EPOCH_DURATION)
        lines += [f"{time:%H:%M:%S} {epoch}\t{text}\t\n" for text in texts]
    path.write_text("".join(lines))


def _luna_eannot(path: Path, stages: StageArray, start: datetime) -> None:
    """Write a stage a line; https://zzz.bwh.harvard.edu/luna/ref/annotations, eannot files."""
    path.write_text("".join(f"{_LUNA_NAMES[Stage(stage)]}\n" for stage in stages))


def _clock(time: datetime) -> str:
    return f"{time:%H:%M:%S}.00"


def _isruc_txt(path: Path, stages: StageArray, start: datetime) -> None:
    path.write_text("\n".join(str(_CODES[Stage(stage)]) for stage in stages) + "\n")


def _isruc_xlsx(path: Path, stages: StageArray, start: datetime) -> None:
    import openpyxl  # noqa: PLC0415 - takes longer than the whole package, and one cohort needs it

    workbook = openpyxl.Workbook()
    workbook.active.append(("Epoch", "Stage", "Events"))
    for number, stage in enumerate(stages, start=1):
        workbook.active.append((number, _AASM_NAMES[Stage(stage)], None))
    workbook.save(path)


def _sleep_edf(path: Path, stages: StageArray, start: datetime) -> None:
    """Write runs of a stage, and no stage until midday after the recording, as Sleep-EDF does."""
    begins = np.flatnonzero(np.diff(stages, prepend=-2))
    ends = np.append(begins[1:], len(stages))
    runs = [
        (a * EPOCH_DURATION, (b - a) * EPOCH_DURATION, stages[a])
        for a, b in zip(begins, ends, strict=True)
    ]
    rest = len(stages) * EPOCH_DURATION
    _write_edf_annotations(path, [*runs, (rest, 3600.0, Stage.UNSCORED)], start)


def _mass(path: Path, stages: StageArray, start: datetime) -> None:
    pages = [
        (_PAGE_OFFSET + i * EPOCH_DURATION, EPOCH_DURATION, stage) for i, stage in enumerate(stages)
    ]
    _write_edf_annotations(path, pages, start)


def _mass_short_pages(path: Path, stages: StageArray, start: datetime) -> None:
    """Write pages of 20 s; of three, two are of the first and one of the second epoch."""
    numbers = np.arange(len(stages) * 3 // 2)
    epochs = 2 * (numbers // 3) + (numbers % 3 == 2)
    pages = [
        (_SHORT_PAGE_OFFSET + number * _SHORT_PAGE, _SHORT_PAGE, stages[epoch])
        for number, epoch in zip(numbers, epochs, strict=True)
    ]
    _write_edf_annotations(path, pages, start)


def _write_edf_annotations(
    path: Path, pages: Sequence[tuple[float, float, int]], start: datetime
) -> None:
    annotations = [
        EdfAnnotation(float(onset), float(duration), f"Sleep stage {_EDF_NAMES[Stage(stage)]}")
        for onset, duration, stage in pages
    ]
    Edf(
        [],
        patient=Patient(),
        recording=Recording(startdate=start.date()),
        starttime=start.time(),
        annotations=annotations,
    ).write(path)


Writer = Callable[[Path, StageArray, datetime], None]

WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        "NSRR": _nsrr,
        "Profusion": _profusion,
        "WSC stg": _wsc_stg,
        "WSC sco": _wsc_sco,
        "WSC log": _wsc_log,
        "WSC log of a restart": _wsc_log_of_a_restart,
        "WSC allscore": _wsc_allscore,
        "WSC power failure": _wsc_power_failure,
        "Luna eannot": _luna_eannot,
        "ISRUC txt": _isruc_txt,
        "ISRUC xlsx": _isruc_xlsx,
        "Sleep-EDF": _sleep_edf,
        "MASS": _mass,
        "MASS 20 s": _mass_short_pages,
    }
)
"""Functions that write stages, or what lies beside them, to a file, by format."""
