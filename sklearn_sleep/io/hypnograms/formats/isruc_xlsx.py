"""ISRUC-Sleep workbooks (``1_1.xlsx``): a header row names ``Stage``, ``Epoch`` and others.

Khalighi et al. (2016), *ISRUC-Sleep: a comprehensive public dataset for sleep researchers*.
"""

import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

from sklearn_sleep.core.messages import list_names, shorten
from sklearn_sleep.core.signals import LONGEST_RECORDING
from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io.files import read_file
from sklearn_sleep.io.hypnograms.format import AnnotationFile, HypnogramFormat, ReadOptions
from sklearn_sleep.io.hypnograms.stage_annotations import StageAnnotations
from sklearn_sleep.io.hypnograms.stage_table import (
    Table,
    column_name,
    find_columns,
    read_stage_table,
)

_LARGEST: Final = 1 << 24  # bytes; a night has a row an epoch and takes less than one million
_MOST_ROWS: Final = int(LONGEST_RECORDING / 10)  # of epochs of 10 s
_MOST_COLUMNS: Final = 64
_OWN_NAMES: Final = {"L": "?"}  # lights on


def _read(file: AnnotationFile, options: ReadOptions) -> StageAnnotations:
    """Read the first sheet that has a column ``Stage``, or those that `columns` names."""
    path = file.path
    tables = [
        (sheet, number, header, columns, rows)
        for sheet, rows in _sheets(path)
        for number, header, columns in islice(_headers(rows, path, options), 1)
    ]
    if not tables:
        raise HypnogramError(
            f"{path}: no sheet of this workbook has a column 'Stage'. Add that header above the "
            "stages, or say which column holds them with columns={'stage': '…'}."
        )
    if len(tables) > 1:
        names = [sheet for sheet, *_ in tables]
        warnings.warn(
            f"{path}: the sheets {list_names(names)} have stages; those of {names[0]!r} were read. "
            "If others are meant, save their sheet alone.",
            HypnogramWarning,
            stacklevel=4,
        )
    sheet, number, header, columns, rows = tables[0]
    if len(rows) > _MOST_ROWS:
        raise HypnogramError(
            f"{path}: sheet {sheet!r} has rows beyond {_MOST_ROWS}, more than a recording has "
            "epochs. Remove them."
        )
    below = [[_text(cell) for cell in row] for row in rows[number + 1 :]]
    return _read_table(header, columns, below, path, f"sheet {sheet!r}", number + 2, options)


def _headers(
    rows: Sequence[tuple[Any, ...]], path: Path, options: ReadOptions
) -> Iterator[tuple[int, list[str], dict[str, int]]]:
    """Yield the number of each row that is a header, its cells and where its columns are."""
    told = options.columns or {}
    for number, row in enumerate(rows):
        header = [_text(cell) for cell in row]
        names = set(map(column_name, header))
        are_there = all(column_name(name) in names for name in told.values())
        columns = find_columns(header, path, told if are_there else None)
        if "stage" in columns and are_there:
            yield number, header, columns


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
    header: list[str],
    columns: dict[str, int],
    rows: list[list[str]],
    path: Path,
    sheet: str,
    first_row: int,
    options: ReadOptions,
) -> StageAnnotations:
    rows = [row + [""] * (len(header) - len(row)) for row in rows]
    while rows and not rows[-1][columns["stage"]]:  # notes below the table
        rows.pop()
    if not rows:
        raise HypnogramError(f"{path}: {sheet} has no stages below 'Stage'.")
    places = [f"{sheet}, row {first_row + index}" for index in range(len(rows))]
    return read_stage_table(Table(header, columns, rows, places, path, _OWN_NAMES), options)


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


FORMAT = HypnogramFormat(
    "ISRUC .xlsx",
    recognises=lambda file: file.head.startswith(b"PK\x03\x04"),
    read=_read,
    origin="ISRUC-Sleep; a row an epoch, in a column Stage",
    examples=("Epoch\tStage\n1\tW\n2\tN2\n",),
)
