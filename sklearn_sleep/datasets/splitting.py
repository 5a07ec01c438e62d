"""Splits of cohorts: by cohort, by published lists of ids, and by chance."""

import os
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import Bunch

from sklearn_sleep.core.messages import list_names
from sklearn_sleep.core.tables import as_pandas
from sklearn_sleep.exceptions import CohortWarning, SharedSubjectWarning

PARTS = ("train", "validation", "test")
_NAMED_AT_ONCE = 5
IdList = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class LeaveOneCohortOut(BaseCrossValidator):
    """Test on one cohort and train on all others, each cohort in turn.

    The cohort of a row is in the column ``dataset`` of X, as the ``load_`` functions and
    `load_cohorts` make it.

    Examples
    --------
    >>> X = pd.DataFrame({"recording": list("aabc"), "dataset": ["shhs", "shhs", "mesa", "wsc"]})
    >>> splitter = LeaveOneCohortOut()
    >>> splitter.get_n_splits(X)
    3
    >>> [test.tolist() for _, test in splitter.split(X)]
    [[2], [0, 1], [3]]
    """

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of cohorts that the column ``dataset`` of X names."""
        return _datasets(X).nunique()

    def _iter_test_masks(
        self, X: Any = None, y: Any = None, groups: Any = None
    ) -> Iterator[npt.NDArray[np.bool_]]:
        datasets = _datasets(X)
        names = sorted(datasets.unique())
        if len(names) < 2:
            raise ValueError(
                f"LeaveOneCohortOut needs two cohorts at least; X holds {', '.join(names)} only."
            )
        for name in names:
            yield (datasets == name).to_numpy()


def split_subjects(
    X: pd.DataFrame,
    *,
    id_lists: Mapping[str, IdList] | None = None,
    sizes: tuple[float, float, float] = (0.7, 0.15, 0.15),
    on_shared_subject: Literal["warn", "drop", "raise"] = "warn",
    random_state: int = 0,
) -> Any:
    """Split nights into training, validation and test by subject.

    Parameters
    ----------
    X : DataFrame
        Epoch table with a column ``subject``.
    id_lists : mapping of {"train", "validation", "test"} to path, ids, or a sequence of paths
        Lists of published splits: a text file with an id a line, several of them for several
        cohorts, or the ids themselves. An id is the name of a recording without its ending
        (``shhs1-200121``) or a subject (``shhs-200121``). Nights in no list are in no part.
    sizes : tuple of three float, default=(0.7, 0.15, 0.15)
        Without lists: the parts' shares of the subjects of each cohort.
    on_shared_subject : {"warn", "drop", "raise"}, default="warn"
        What to do with a person whose nights stand in two lists: ``"drop"`` takes them out of the
        earlier part (training before validation before test), so that nobody who is tested was
        learned from. The lists of the published wav2sleep have 88 such people in SHHS.
    random_state : int, default=0
        Seed of the draw without lists. A cohort's draw does not depend on other cohorts.

    Returns
    -------
    Bunch
        ``train``, ``validation`` and ``test``: positions of the rows, ndarray of int each.

    Raises
    ------
    ValueError
        If a parameter is not possible, or a subject is in two lists and ``"raise"`` is asked for.

    Warns
    -----
    CohortWarning
        If a list names nights that X does not have.
    SharedSubjectWarning
        If a subject is in two parts.

    Examples
    --------
    >>> X = pd.DataFrame(
    ...     {
    ...         "recording": ["shhs1-1.edf", "shhs2-1.edf", "shhs1-2.edf"],
    ...         "subject": ["shhs-1", "shhs-1", "shhs-2"],
    ...     }
    ... )
    >>> parts = split_subjects(X, id_lists={"train": ["shhs1-1", "shhs2-1"], "test": ["shhs1-2"]})
    >>> parts.train, parts.test
    (array([0, 1]), array([2]))
    """
    X = as_pandas(X)
    if "subject" not in X.columns:
        raise ValueError(f"X has no column 'subject', by which to split; it has {list(X.columns)}.")
    if on_shared_subject not in ("warn", "drop", "raise"):
        raise ValueError(
            f"on_shared_subject={on_shared_subject!r} must be 'warn', 'drop' or 'raise'."
        )
    nights, night_of_row = _nights(X)
    if id_lists is None:
        part = _draw(nights, sizes, random_state)
    else:
        part = _look_up(nights, id_lists)
        part = _without_shared(nights, part, on_shared_subject)
    return Bunch(**{name: np.flatnonzero((part == name)[night_of_row]) for name in PARTS})


def _nights(X: pd.DataFrame) -> tuple[pd.DataFrame, npt.NDArray[np.integer[Any]]]:
    """Return a row of strings for each night, and the night of each row of X."""
    columns = [name for name in ("recording", "subject", "dataset") if name in X.columns]
    groups = X.groupby(columns, observed=True, sort=False, dropna=False)
    number = groups.ngroup().to_numpy()
    _, first = np.unique(number, return_index=True)
    return X[columns].iloc[first].astype(str), number


def _datasets(X: Any) -> pd.Series:
    table = as_pandas(getattr(X, "table", X))
    if not isinstance(table, pd.DataFrame) or "dataset" not in table.columns:
        raise ValueError(
            "X has no column 'dataset', which tells the cohort of each row. The load_ functions "
            "and load_cohorts make it."
        )
    return table["dataset"].astype("category")


def _draw(
    nights: pd.DataFrame, sizes: tuple[float, float, float], random_state: int
) -> npt.NDArray[np.str_]:
    if len(sizes) != len(PARTS) or min(sizes) < 0 or not np.isclose(sum(sizes), 1):
        raise ValueError(f"sizes={sizes!r} must be three numbers from 0 on that add up to 1.")
    datasets = nights["dataset"] if "dataset" in nights.columns else np.full(len(nights), "")
    part_of: dict[str, str] = {}
    for dataset, of_nights in nights["subject"].groupby(datasets):
        subjects: npt.NDArray[Any] = np.unique(of_nights.to_numpy(dtype=str))
        seed = [random_state, zlib.crc32(str(dataset).encode())]
        np.random.default_rng(seed).shuffle(subjects)
        ends = np.round(np.cumsum(sizes) * len(subjects)).astype(int)
        for name, chosen in zip(PARTS, np.split(subjects, ends[:-1]), strict=True):
            part_of.update(dict.fromkeys(chosen, name))
    return nights["subject"].map(part_of).to_numpy(dtype=str)


def _look_up(nights: pd.DataFrame, id_lists: Mapping[str, IdList]) -> npt.NDArray[np.str_]:
    unknown = set(id_lists) - set(PARTS)
    if unknown or not id_lists:
        raise ValueError(
            f"id_lists has the keys {sorted(id_lists)}; they must be some of {', '.join(PARTS)}."
        )
    part_of: dict[str, str] = {}
    for name in PARTS:
        for identifier in _read_ids(id_lists.get(name, ())):
            if part_of.setdefault(identifier, name) != name:
                raise ValueError(
                    f"id_lists: {identifier} is in {part_of[identifier]} and in {name}."
                )
    stems = nights["recording"].map(lambda path: Path(path).stem.casefold())
    subjects = nights["subject"].str.casefold()
    part = stems.map(part_of).fillna(subjects.map(part_of))
    absent = sorted(set(part_of) - set(stems) - set(subjects))
    if absent:
        named = list_names(absent, _NAMED_AT_ONCE)
        msg = f"id_lists names {len(absent)} nights that X does not have: {named}."
        warnings.warn(msg, CohortWarning, stacklevel=3)
    return part.fillna("").to_numpy(dtype=str)


def _read_ids(given: IdList) -> Iterator[str]:
    """Yield the ids of lists: text files, or ids themselves."""
    for item in [given] if isinstance(given, str | os.PathLike) else given:
        if isinstance(item, os.PathLike) or item.endswith((".txt", ".csv")):
            lines = Path(item).read_text(encoding="utf-8-sig").splitlines()
        else:
            lines = [item]
        for line in lines:
            identifier = line.partition("#")[0].strip().casefold().removesuffix(".edf")
            if identifier:
                yield identifier


def _without_shared(
    nights: pd.DataFrame, part: npt.NDArray[np.str_], on_shared_subject: str
) -> npt.NDArray[np.str_]:
    subjects = nights["subject"].to_numpy(dtype=str)
    order = pd.Series(part).map({"": -1, **{name: i for i, name in enumerate(PARTS)}})
    latest = order.groupby(subjects).transform("max")
    earlier = ((order >= 0) & (order < latest)).to_numpy()
    if not earlier.any():
        return part
    shared = np.unique(subjects[earlier])
    named = list_names(list(shared), _NAMED_AT_ONCE)
    msg = (
        f"{len(shared)} subjects are in two parts of the split ({named}), so that a model is "
        "tested on people it has learned from. on_shared_subject='drop' keeps them in the later "
        "part only."
    )
    if on_shared_subject == "raise":
        raise ValueError(msg)
    if on_shared_subject == "warn":
        warnings.warn(msg, SharedSubjectWarning, stacklevel=3)
        return part
    return np.where(earlier, "", part)
