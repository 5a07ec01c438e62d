"""Age, sex and body mass index of the people of a cohort, from the provider's tables."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

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
        """Return ``person`` (number without leading zeros), ``visit``, age, sex and ``bmi``."""
        table = pd.read_csv(path, dtype=str, encoding="latin-1")
        table.columns = [column.strip().casefold() for column in table.columns]
        for column in filter(None, (self.subject, self.visit)):
            if column.casefold() not in table.columns:
                raise ValueError(f"{path} has no column {column!r}, which tells whose a row is.")
        visit = table[self.visit.casefold()] if self.visit else self.of_visit
        sexes = {**_SEXES, **self.sexes}
        return pd.DataFrame(
            {
                "person": table[self.subject.casefold()].map(_number),
                "visit": visit,
                "age": pd.to_numeric(_first(table, self.age), errors="coerce"),
                "sex": _first(table, self.sex).str.strip().str.casefold().map(sexes),
                "bmi": pd.to_numeric(_first(table, self.bmi), errors="coerce"),
            }
        )


def add_demographics(
    recordings: pd.DataFrame, tables: Sequence[Demographics], folder: Path
) -> pd.DataFrame:
    """Return nights with ``age``, ``sex`` and ``bmi``, missing where they are not known.

    ``patient`` is taken out. What the first of the tables tells is not overwritten.
    """
    recordings = recordings.copy()
    header = recordings.pop("patient").fillna("").str.strip().str.extract(_PATIENT)
    known = pd.DataFrame(
        {"age": np.nan, "sex": pd.Series(None, recordings.index, dtype=object), "bmi": np.nan},
        index=recordings.index,
    )
    person = recordings["subject"].str.rpartition("-")[2].map(_number)
    csv_files = sorted(folder.rglob("*.csv")) if tables else []
    for table in tables:
        for path in csv_files:
            if re.fullmatch(table.file, path.name, re.IGNORECASE):
                known = known.combine_first(_look_up(table, path, person, recordings["visit"]))
    said = pd.DataFrame(
        {
            "age": pd.to_numeric(header["age"]),
            "sex": header["sex"].str.upper().where(header["sex"].str.upper() != "X"),
        }
    )
    known = known.combine_first(said)
    return recordings.assign(**{name: known[name] for name in ("age", "sex", "bmi")})


def _look_up(table: Demographics, path: Path, person: pd.Series, visit: pd.Series) -> pd.DataFrame:
    read = table.read(path)
    keys = ["person", "visit"] if table.visit or table.of_visit else ["person"]
    wanted = pd.DataFrame({"person": person, "visit": visit})
    found = wanted.merge(read.drop_duplicates(keys)[[*keys, "age", "sex", "bmi"]], "left", keys)
    return found[["age", "sex", "bmi"]].set_axis(person.index)


def _first(table: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    for column in columns:
        if column.casefold() in table.columns:
            return table[column.casefold()]
    return pd.Series(None, table.index, dtype=str)


def _number(text: object) -> str:
    """Return a person's number without leading zeros, whatever the case."""
    return str(text).strip().casefold().lstrip("0")
