"""What the readers of hypnograms refuse."""

import re

import pytest

from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io.hypnograms.reading import read_hypnogram


def refuses(path, message, **parameters):
    """Check that a file ends in an error that says so, and names it."""
    with pytest.raises(HypnogramError, match=re.escape(message)) as caught:
        read_hypnogram(path, **parameters)
    assert path.name in str(caught.value)
