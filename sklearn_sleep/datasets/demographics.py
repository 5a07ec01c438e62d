"""Age, sex and body mass index of the people of a cohort, from the provider's tables."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_sleep.exceptions import SleepError
from sklearn_sleep.io.edf.fields import parse_number
from sklearn_sleep.io.files import decode, fault_in, printable, read_file

_LARGEST = 1 << 27  # bytes; the largest table of the NSRR takes some 20 MB
_SEXES = {"male": "M", "m": "M", "female": "F", "f": "F"}
# EDF+ 2.1.3.3: code, sex, birthdate and name; Sleep-EDF has sex and age in place of the name.
_PATIENT = re.compile(r"\S+ (?P<sex>[FMX]) \S+(?: (?:fe)?male_(?P<age>\d{1,3})yr)?", re.IGNORECASE)


@dataclass(frozen=True)
class Demographics:
    """A CSV table of a cohort, and which of its columns tell what.

    Columns are looked for whatever their case, the first one of several that is there.

    Parameters
    ----------
    file : str
        Regular expression for the name of the file.
    subject, visit : str
        Columns of the person's number and of the visit.
    of_visit : str, default=""
        The visit that a file without such a column is about; empty if it holds for all.
    age, sex, bmi : tuple of str, default=()
        Columns of the age in years, the sex, and the body mass index in kg/m².
    sexes : mapping of str to {"F", "M"}, default={}
        What codes of the sex mean; ``male``, ``female``, ``M`` and ``F`` are known.
    """

    file: str
    subject: str
    visit: str = ""
    of_visit: str = ""
    age: tuple[str, ...] = ()
    sex: tuple[str, ...] = ()
    bmi: tuple[str, ...] = ()
    sexes: Mapping[str, str] = field(default_factory=dict)

    def read(self, path: Path) -> pd.DataFrame:
        """Return ``person`` (number without leading zeros), ``visit``, age, sex and ``bmi``.

        SleepError, which names the file and the place in it, if it is no such table.
        """
        keys = tuple(filter(None, (self.subject, self.visit)))
        table = _read_columns(path, (*keys, *self.age, *self.sex, *self.bmi))
        for name in keys:
            if name not in table:
                raise SleepError(f"{path} has no column {name!r}, which tells whose a row is.")
        person = table[self.subject].map(_number)
        sexes = {**_SEXES, **self.sexes}
        return pd.DataFrame(
            {
                "person": person,
                "visit": table[self.visit] if self.visit else self.of_visit,
                "age": _first(table, self.age).map(parse_number).astype(float),
                "sex": _first(table, self.sex).str.casefold().map(sexes),
                "bmi": _first(table, self.bmi).map(parse_number).astype(float),
            }
        )


def _read_columns(path: Path, wanted: Sequence[str]) -> pd.DataFrame:
    """Return those of some columns that a CSV table has, as stripped texts under the wanted names.

    One that is there in several cases is the one of the wanted case, or else the first.
    """
    rows = csv.reader(StringIO(decode(read_file(path, SleepError, _LARGEST)), newline=""))
    try:
        header = [name.strip() for name in next(rows, [])]
        folded = [name.casefold() for name in header]
        place = {
            name: header.index(name) if name in header else folded.index(name.casefold())
            for name in wanted
            if name.casefold() in folded
        }
        cells: list[list[str]] = []
        for row in rows:
            if any(row[len(header) :]):
                raise SleepError(
                    f"{path}: line {rows.line_num} has {len(row)} cells, where the header has "
                    f"{len(header)}. Quote cells that hold a comma."
                )
            if row:
                filled = [*row, *[""] * (len(header) - len(row))]
                cells.append([filled[index].strip() for index in place.values()])
    except csv.Error as error:
        raise SleepError(f"{path}: line {rows.line_num}: this is no table ({error}).") from None
    return pd.DataFrame(cells, columns=list(place), dtype=object)


def add_demographics(
    recordings: pd.DataFrame, tables: Sequence[Demographics], folder: Path
) -> tuple[pd.DataFrame, list[tuple[Path, str]]]:
    """Return nights with ``age``, ``sex`` and ``bmi``, and which files could not be read, and why.

    What is not known is missing, ``patient`` is taken out. What the first of the tables tells is
    not overwritten.
    """
    recordings = recordings.copy()
    header = recordings.pop("patient").fillna("").str.strip().str.extract(_PATIENT)
    known = pd.DataFrame(
        {"age": np.nan, "sex": pd.Series(None, recordings.index, dtype=object), "bmi": np.nan},
        index=recordings.index,
    )
    person = recordings["subject"].str.rpartition("-")[2].map(_number)
    csv_files = sorted(folder.rglob("*.csv")) if tables else []
    faults = []
    for table in tables:
        for path in csv_files:
            if not re.fullmatch(table.file, path.name, re.IGNORECASE):
                continue
            if fault := fault_in(path, folder):
                faults.append((path, f"{printable(path)} {fault}"))
                continue
            try:
                found = _look_up(table, path, person, recordings["visit"])
            except (SleepError, OSError) as error:
                faults.append(
                    (path, f"{error} Age, sex and body mass index are not taken from it.")
                )
            else:
                known = known.combine_first(found)
    said = pd.DataFrame(
        {
            "age": pd.to_numeric(header["age"]),
            "sex": header["sex"].str.upper().where(header["sex"].str.upper() != "X"),
        }
    )
    known = known.combine_first(said)
    return recordings.assign(**{name: known[name] for name in ("age", "sex", "bmi")}), faults


def _look_up(table: Demographics, path: Path, person: pd.Series, visit: pd.Series) -> pd.DataFrame:
    read = table.read(path)
    keys = ["person", "visit"] if table.visit or table.of_visit else ["person"]
    wanted = pd.DataFrame({"person": person, "visit": visit})
    found = wanted.merge(read.drop_duplicates(keys)[[*keys, "age", "sex", "bmi"]], "left", keys)
    return found[["age", "sex", "bmi"]].set_axis(person.index)


def _first(table: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    for column in columns:
        if column in table:
            return table[column]
    return pd.Series("", table.index, dtype=object)


def _number(text: object) -> str:
    """Return a person's number without leading zeros, whatever the case."""
    return str(text).strip().casefold().lstrip("0")
