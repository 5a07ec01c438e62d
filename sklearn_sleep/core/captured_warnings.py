"""Warnings of worker processes, which would be lost there, said where the user is."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

__all__ = ["CapturedWarning", "capture_warnings", "reissue_warnings"]

Result = TypeVar("Result")
CapturedWarning = tuple[type[Warning], str]
"""Category and text of a warning."""


def capture_warnings(
    function: Callable[..., Result], *arguments: Any, **keywords: Any
) -> tuple[Result, list[CapturedWarning]]:
    """Call a function and return its warnings as data.

    Parameters
    ----------
    function : callable
        What to call.
    *arguments, **keywords : object
        What to call it with.

    Returns
    -------
    result : object
        What the function returns.
    heard : list of (type, str)
        Category and text of each warning, in order.

    Examples
    --------
    >>> capture_warnings(warnings.warn, "careful", UserWarning)
    (None, [(<class 'UserWarning'>, 'careful')])
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*arguments, **keywords)
    return result, [(warning.category, str(warning.message)) for warning in caught]


def reissue_warnings(heard: Sequence[CapturedWarning], *, stacklevel: int = 3) -> None:
    """Say warnings that were captured elsewhere.

    Parameters
    ----------
    heard : sequence of (type, str)
        From `capture_warnings`.
    stacklevel : int, default=3
        As in `warnings.warn`.
    """
    for category, text in heard:
        warnings.warn(text, category, stacklevel=stacklevel)
