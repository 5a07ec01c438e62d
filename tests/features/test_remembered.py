"""The same search through the same samples is a look-up."""

from dataclasses import dataclass

import numpy as np
import pytest

from sklearn_sleep.features import remembered


@dataclass
class Peaks:
    """What a search finds."""

    times: np.ndarray


@pytest.fixture
def calls():
    return []


@pytest.fixture
def find_peaks(calls):
    @remembered.remember
    def find(samples, height, above=True):
        """Find them."""
        calls.append(height)
        return Peaks(np.flatnonzero((samples > height) == above))

    return find


def test_the_same_is_looked_up_and_another_is_not(find_peaks, calls):
    samples = np.arange(6.0)
    found = find_peaks(samples, 3.0)
    assert find_peaks(samples.copy(), 3.0) is found
    assert find_peaks(np.arange(12.0)[::2] / 2, 3.0) is found
    assert len(calls) == 1
    assert find_peaks(samples, 4.0).times.tolist() == [5]
    assert find_peaks(samples, 3.0, above=False).times.tolist() == [0, 1, 2, 3]
    changed = samples.copy()
    changed[0] = 9.0
    assert find_peaks(changed, 3.0).times.tolist() == [0, 4, 5]
    samples[0] = np.nan
    assert find_peaks(samples, 3.0).times.tolist() == [4, 5]
    assert len(calls) == 5
    assert find_peaks.__doc__ == "Find them."


def test_what_is_shared_is_not_written_into(find_peaks):
    found = find_peaks(np.arange(6.0), 3.0)
    with pytest.raises(ValueError, match="read-only"):
        found.times[0] = 0


def test_what_was_not_asked_for_longest_is_forgotten(find_peaks, calls, monkeypatch):
    monkeypatch.setattr(remembered, "_MOST", 2)
    nights = [np.full(3, float(k)) for k in range(3)]
    for k in (0, 1, 0, 2, 0, 1):
        find_peaks(nights[k], 0.5)
    assert len(calls) == 4
