"""Random nights of each format, written by others' software or by its published rules."""

from __future__ import annotations

import pytest
import random_nights

from sklearn_sleep.io import HYPNOGRAM_FORMATS

N_NIGHTS = 200


@pytest.mark.parametrize("name", HYPNOGRAM_FORMATS)
def test_each_epoch_is_right_or_named(name, tmp_path):
    counts = random_nights.try_nights(name, N_NIGHTS, tmp_path)
    known = {what: n for (unknown, what), n in counts.items() if not unknown}
    assert sum(known.values()) >= 0.6 * N_NIGHTS
    assert known["right"] >= 0.999 * sum(known.values()), counts
