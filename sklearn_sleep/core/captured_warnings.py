"""Warnings of worker processes, which would be lost there, said where the user is."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Result = TypeVar("Result")
CapturedWarning = tuple[type[Warning], str]
"""Category and text of a warning."""


def capture_warnings(
    function: Callable[..., Result], *arguments: Any, **keywords: Any
) -> tuple[Result, list[CapturedWarning]]:
    """Call a function; return its result, and category and text of each warning, in order."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*arguments, **keywords)
    return result, [(warning.category, str(warning.message)) for warning in caught]


def reissue_warnings(captured: Sequence[CapturedWarning], *, stacklevel: int = 3) -> None:
    """Say warnings that were captured elsewhere; `stacklevel` as in `warnings.warn`."""
    for category, text in captured:
        warnings.warn(text, category, stacklevel=stacklevel)
