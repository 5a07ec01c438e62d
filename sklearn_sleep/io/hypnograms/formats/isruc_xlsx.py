"""ISRUC-Sleep workbooks (``1_1.xlsx``): a header row names ``Stage``, ``Epoch`` and others.

Khalighi et al. (2016), *ISRUC-Sleep: a comprehensive public dataset for sleep researchers*.
"""

from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

from sklearn_sleep.core.messages import shorten
from sklearn_sleep.core.signals import LONGEST_RECORDING
from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io.files import read_file
from sklearn_sleep.io.hypnograms.format import AnnotationFile, HypnogramFormat, ReadOptions
from sklearn_sleep.io.hypnograms.stage_annotations import (
    StageAnnotations,
    epochs_from_numbers,
)

_LARGEST: Final = 1 << 24  # bytes; a night has a row an epoch and takes less than one million
_MOST_ROWS: Final = int(LONGEST_RECORDING / 10)  # of epochs of 10 s
_MOST_COLUMNS: Final = 64
_OWN_NAMES: Final = {"L": "?"}  # lights on


def _read(file: AnnotationFile, options: ReadOptions) -> StageAnnotations:
    """Read the first sheet that has a column ``Stage``."""
    path = file.path
    for sheet, rows in _sheets(path):
        for number, row in enumerate(rows):
            names = [str(cell).strip().casefold() for cell in row]
            if "stage" in names and len(rows) > _MOST_ROWS:
                raise HypnogramError(
                    f"{path}: sheet {sheet!r} has rows beyond {_MOST_ROWS}, more than a recording "
                    "has epochs. Remove them."
                )
            if "stage" in names:
                return _read_table(rows[number + 1 :], names, path, sheet, number + 2, options)
    raise HypnogramError(
        f"{path}: no sheet of this workbook has a column 'Stage'. Add that header above the stages."
    )


def _sheets(path: Path) -> list[tuple[str, list[tuple[Any, ...]]]]:
    import openpyxl  # noqa: PLC0415 - takes longer than the whole package, and one cohort needs it

    # Given the content, openpyxl does not go by the name.
    file = BytesIO(read_file(path, HypnogramError))
    try:
        with ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size <= _LARGEST:
            workbook = openpyxl.load_workbook(file, read_only=True, data_only=True)
            return [(sheet.title, _rows(sheet)) for sheet in workbook.worksheets]
    except Exception as error:  # openpyxl lets damage end in any error, often a TypeError
        raise HypnogramError(
            f"{path}: this is a zip archive, but no sound .xlsx workbook ({shorten(error)}). Save "
            "it as one again."
        ) from error
    raise HypnogramError(
        f"{path}: this workbook unpacks to {size / 1e6:.0f} MB, where the scoring of a night takes "
        f"less than {_LARGEST / 1e6:.0f}. Save the sheet with the stages alone."
    )


def _rows(sheet: Any) -> list[tuple[Any, ...]]:
    """Return the first cells of the first rows, whatever dimensions the sheet claims."""
    sheet.reset_dimensions()
    return list(islice(sheet.iter_rows(max_col=_MOST_COLUMNS, values_only=True), _MOST_ROWS + 1))


def _read_table(
    rows: list[tuple[Any, ...]],
    names: list[str],
    path: Path,
    sheet: str,
    first_row: int,
    options: ReadOptions,
) -> StageAnnotations:
    stages = _column(rows, names.index("stage"))
    while stages and not stages[-1]:  # notes below the table
        stages.pop()
    if not stages:
        raise HypnogramError(f"{path}: sheet {sheet!r} has no stages below 'Stage'.")
    places = [f"sheet {sheet!r}, row {first_row + index}" for index in range(len(stages))]
    codes = [
        options.stage(text, path, place, _OWN_NAMES)
        for text, place in zip(stages, places, strict=True)
    ]
    numbers = None
    if "epoch" in names:
        numbers = _column(rows, names.index("epoch"))[: len(stages)]
    return epochs_from_numbers(codes, numbers, places, path, options.epoch_duration)


def _column(rows: list[tuple[Any, ...]], index: int) -> list[str]:
    cells = [row[index] if index < len(row) else None for row in rows]
    return ["" if cell is None else str(cell).strip() for cell in cells]


FORMAT = HypnogramFormat(
    "ISRUC .xlsx",
    recognises=lambda file: file.head.startswith(b"PK\x03\x04"),
    read=_read,
    origin="ISRUC-Sleep; a row an epoch, in a column Stage",
)
