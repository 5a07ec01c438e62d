"""Schemes of five stages and fewer: their names, and how stages are merged into them."""

import warnings
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_sleep.core.stage_vocabulary import parse_stage
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import HypnogramError, StageSchemeWarning

_STAGE_NAMES: Final[Mapping[int, tuple[str, ...]]] = {
    5: ("W", "N1", "N2", "N3", "R"),
    4: ("W", "Light", "Deep", "REM"),
    3: ("W", "NREM", "REM"),
    2: ("Wake", "Sleep"),
}
_MERGED: Final[Mapping[int, tuple[int, ...]]] = {
    5: (0, 1, 2, 3, 4),
    4: (0, 1, 1, 2, 3),
    3: (0, 1, 1, 1, 2),
    2: (0, 1, 1, 1, 1),
}


def stage_names(n_classes: int) -> tuple[str, ...]:
    """Names to display for the classes that `merge_stages` gives.

    Parameters
    ----------
    n_classes : {5, 4, 3, 2}
        How many classes the scheme has.

    Returns
    -------
    tuple of str
        The name of class 0, 1, ….

    Raises
    ------
    ValueError
        There is no scheme of so many classes.

    Examples
    --------
    >>> stage_names(4)
    ('W', 'Light', 'Deep', 'REM')
    """
    _check_n_classes(n_classes)
    return _STAGE_NAMES[n_classes]


def merge_stages(y: Any, n_classes: int, *, from_classes: int | None = None) -> Any:
    """Merge stages into fewer classes.

    Parameters
    ----------
    y : array-like of shape (n_epochs,)
        Stages as in `Stage`, 0 to 4 and -1 for unscored, or the names of `stage_names`, ``"WAKE"``,
        ``"REM"`` and ``"?"``.
    n_classes : {5, 4, 3, 2}
        5 leaves the AASM stages as they are. 4 is W, light sleep (N1 and N2), deep sleep (N3) and
        REM, the scheme of cardio-respiratory staging (Carter & Tarassenko, *wav2sleep*, 2024). 3 is
        W, NREM and REM. 2 is wake and sleep.
    from_classes : {5, 4, 3, 2}, optional
        The scheme that integers in `y` have already. If not given they are AASM's five stages, with
        a `StageSchemeWarning` where there is no 4 (REM) among them: they may have been merged.

    Returns
    -------
    numpy.ndarray or pandas.Series of int, shape (n_epochs,)
        Classes 0 to ``n_classes - 1``; -1 stays -1. A Series comes back as a Series with its index
        and name, anything else as an array. Integer dtypes are kept.

    Raises
    ------
    ValueError
        There is no scheme of so many classes, a value of `y` is no stage, or the stages were merged
        into fewer classes already.

    Examples
    --------
    >>> merge_stages([0, 1, 2, 3, 4, -1], 4)
    array([ 0,  1,  1,  2,  3, -1])
    >>> merge_stages(["W", "Light", "REM"], 3)
    array([0, 1, 2])
    """
    _check_n_classes(n_classes)
    codes, found = stage_codes(y, from_classes, parameter="from_classes", warn=n_classes < 5)
    if found < n_classes:
        raise ValueError(
            f"y has stages merged into {found} classes, which cannot be told apart into "
            f"{n_classes} again. Merge the AASM stages."
        )
    merged = _merging_table(found, n_classes)[codes].astype(codes.dtype)
    if isinstance(y, pd.Series):
        is_text = codes.dtype != y.dtype and not pd.api.types.is_integer_dtype(y.dtype)
        return pd.Series(merged, index=y.index, name=y.name, dtype=None if is_text else y.dtype)
    return merged


def stage_codes(
    y: Any,
    n_classes: int | None = None,
    *,
    name: str = "y",
    parameter: str = "n_classes",
    warn: bool = True,
) -> tuple[npt.NDArray[Any], int]:
    """Return stages as integers, (n_epochs,), and of how many classes: told, or recognised.

    Names tell the scheme; where they are of several, it is the coarsest. Integers do not: without
    `n_classes` they are AASM's, and a warning says if none is 4. Messages call these `name` and
    `parameter`.
    """
    if n_classes is not None:
        _check_n_classes(n_classes)
    values = y.to_numpy() if isinstance(y, pd.Series) else np.asarray(y)
    if values.dtype.kind == "O" and pd.api.types.infer_dtype(values, skipna=False) == "integer":
        values = values.astype(np.int64)
    if values.dtype.kind in "OUT":
        return _codes_of_names(values, n_classes)
    if values.dtype.kind not in "iu":
        raise ValueError(
            f"{name} has dtype {values.dtype}, but stages are integers (W=0, N1=1, N2=2, N3=3, "
            "R=4, unscored -1) or names. Fill missing values with -1 first."
        )
    scheme = n_classes or 5
    wrong = np.setdiff1d(values, [-1, *range(scheme)])
    if wrong.size:
        known = [f"{stage}={code}" for code, stage in enumerate(stage_names(scheme))]
        raise ValueError(
            f"{name} has the values {wrong.tolist()}, which are no stages. Stages are "
            f"{', '.join(known)} and -1 for unscored; REM coded as 5 is R&K: see "
            "RECHTSCHAFFEN_KALES."
        )
    if warn and n_classes is None and (values > Stage.W).any() and not (values == Stage.R).any():
        warnings.warn(
            f"{name} has no 4 (REM), so that these may be classes that were merged already; they "
            f"are taken for W=0, N1=1, N2=2, N3=3, R=4. Say so by {parameter}=5, or what they are.",
            StageSchemeWarning,
            stacklevel=3,
        )
    return values, scheme


def check_scored(y: Any) -> None:
    """Raise ValueError if stages to learn from or to score by have unscored epochs (-1)."""
    n_unscored = int(np.sum(np.asarray(y) == Stage.UNSCORED))
    if n_unscored:
        raise ValueError(
            f"y has {n_unscored} unscored epochs (-1). Leave them out: X[y >= 0], y[y >= 0]."
        )


def _codes_of_names(
    values: npt.NDArray[Any], n_classes: int | None
) -> tuple[npt.NDArray[np.int64], int]:
    """Return the codes of names in the scheme that they are of, or in a coarser one if told."""
    wrong = [
        name for name in values.ravel().tolist() if not isinstance(name, str) or name.isdecimal()
    ]
    if wrong:
        raise ValueError(
            f"y has {wrong[0]!r} among names of stages. Give integers as integers, since as text "
            "4 is R&K's S4, and fill missing values with '?'."
        )
    names, position = np.unique(values.astype(str), return_inverse=True)
    found = [_scheme_and_code(name) for name in names.tolist()]
    finest = min((scheme for scheme, _ in found), default=5)
    if n_classes is not None and n_classes > finest:
        raise ValueError(
            f"The names {names.tolist()} are of {finest} classes, not {n_classes}: "
            f"{', '.join(stage_names(finest))}."
        )
    scheme = n_classes or finest
    codes = [_merging_table(own, scheme)[code] for own, code in found]
    return np.array(codes, dtype=np.int64)[position.reshape(values.shape)], scheme


def _scheme_and_code(name: str) -> tuple[int, int]:
    """Return the scheme of most classes that has a name, and its code there."""
    plain = name.strip().casefold()
    for scheme, names in _STAGE_NAMES.items():
        spellings = [of_scheme.casefold() for of_scheme in names]
        if plain in spellings:
            code = spellings.index(plain)
            # W and REM are in all of them.
            shared = {0: Stage.W, len(names) - 1: Stage.R} if scheme > 2 else {0: Stage.W}
            return (5, int(shared[code])) if code in shared else (scheme, code)
    try:
        return 5, int(parse_stage(name))
    except HypnogramError:
        raise ValueError(
            f"{name!r} is no sleep stage. Known are the names of stage_names(5), (4), (3) and (2), "
            "and those that sklearn_sleep.core.stage_vocabulary.parse_stage reads. Map others."
        ) from None


def _merging_table(old: int, new: int) -> npt.NDArray[np.int64]:
    """Return the class of `new` ones of each of `old` ones; the last is what index -1 finds."""
    first_stages = [_MERGED[old].index(code) for code in range(old)]
    return np.array([*(_MERGED[new][stage] for stage in first_stages), -1])


def _check_n_classes(n_classes: int) -> None:
    if n_classes not in _STAGE_NAMES:
        raise ValueError(f"n_classes must be 5, 4, 3 or 2, not {n_classes!r}.")
