"""Warnings as data, and said again where the user is."""

import warnings

import pytest

from sklearn_sleep.core.captured_warnings import capture_warnings, reissue_warnings
from sklearn_sleep.exceptions import EDFWarning


def careful(result, *texts):
    for text in texts:
        warnings.warn(text, EDFWarning, stacklevel=1)
    return result


def test_warnings_are_returned_in_order_and_not_said():
    result, captured = capture_warnings(careful, 7, "first", "second")
    assert result == 7
    assert captured == [(EDFWarning, "first"), (EDFWarning, "second")]
    assert capture_warnings(careful, result=7) == (7, [])


def test_warnings_are_said_again():
    with pytest.warns(EDFWarning, match=r"^first$") as caught:
        reissue_warnings([(EDFWarning, "first")], stacklevel=2)
    assert caught[0].filename == __file__
