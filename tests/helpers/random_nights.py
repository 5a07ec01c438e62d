"""Random nights, written by others' software or by the formats' published rules, and read again.

``python tests/helpers/random_nights.py --nights 10000`` prints the table of docs/hypnograms.md.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import hypothesis
import numpy as np
from hypnogram_writers import EPOCH, GAP, UNKNOWN, UNSCORED, WRITERS, Writing
from hypothesis import strategies as st

from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io import HYPNOGRAM_FORMATS, read_hypnogram

MIDNIGHT = datetime.fromisoformat("2020-11-28T00:00:00")
N_CHOICES = 14, 20  # bytes that make a night

# What a layout tells of the place of a page: nothing, its number, s, or a time of day.
ROWS, NUMBERS, SECONDS, CLOCKS = range(4)
LAYOUTS = {
    "a stage a line": {
        "lines": ROWS,
        "stages": ROWS,
        "in turn": ROWS,
        "numbers": NUMBERS,
        "onset": SECONDS,
        "duration": SECONDS,
        "end": SECONDS,
        "clock": CLOCKS,
        "dates": CLOCKS,
        "clocks": CLOCKS,
    },
    "Somnomedics Domino": {"texts": CLOCKS, "codes": CLOCKS, "numbered": CLOCKS},
    "EDF+": {
        f"{layout}, {writer}": place
        for writer in ("edfio", "pyedflib")
        for layout, place in (("pages", CLOCKS), ("stretches", CLOCKS), ("changes", CLOCKS))
    },
    "ISRUC .xlsx": {
        "stages": ROWS,
        "in turn": ROWS,
        "numbers": NUMBERS,
        "duration": SECONDS,
        "clock": CLOCKS,
        "clocks": CLOCKS,
    },
    "NSRR XML": {"pages": SECONDS, "stretches": SECONDS, "2014": SECONDS},
    "Compumedics Profusion": {"pages": ROWS},
    "RemLogic": {"pages": CLOCKS, "stretches": CLOCKS, "wonambi": CLOCKS},
    "WSC .allscore": {"changes": SECONDS},
    "WSC .stg": {"numbers": NUMBERS},
}
"""The layouts in which each format is written, by the beginning of its name."""


@dataclass(frozen=True)
class Night:
    """The truth of a night, and what is told of it."""

    layout: str
    start: datetime
    page: float
    offset: float  # s from the recording's start to the first page
    runs: tuple[tuple[int, int], ...]  # stage, pages
    tail: int  # epochs after the last page
    jitter: float  # s, at the most
    seed: int

    @property
    def stages(self):
        """The stage of each page."""
        return [stage for stage, length in self.runs for _ in range(length)]

    @property
    def scored(self):
        """Seconds from the recording's start to the end of the last page."""
        return self.offset + self.page * len(self.stages)

    @property
    def n_epochs(self):
        return max(1, int(self.scored // EPOCH) + self.tail)

    def truth(self):
        """Return which stages are right for each epoch: that of most of it, the earlier on a tie.

        Where times are shaken, each that is near to most of it is right.
        """
        time = np.arange(0.25, self.n_epochs * EPOCH, 0.5)
        page = np.floor((time - self.offset) / self.page).astype(int)
        stages = np.maximum(self.stages, UNSCORED)
        inside = (page >= 0) & (page < stages.size)
        told = np.where(inside, stages[np.clip(page, 0, stages.size - 1)], UNSCORED)
        slack = 0.0 if self.jitter == 0 and self.offset % 0.5 == 0 else 2.0
        right = []
        for epoch in told.reshape(self.n_epochs, -1).tolist():
            counts = Counter(epoch)  # in the order of time
            most = max(counts.values()) - slack
            near = [stage for stage, count in counts.items() if count >= most]
            right.append(set(near) if slack else {near[0]})
        return right


def nights(format_name):
    """Return the strategy of nights that the layouts of a format can tell.

    A byte makes a choice, so that drawing costs little, and what fails becomes small.
    """
    layouts = LAYOUTS[prefix_of(format_name)]
    return st.binary(min_size=N_CHOICES[0], max_size=N_CHOICES[1]).map(
        lambda choices: _night(layouts, choices)
    )


def _night(layouts, choices):
    head, tail = choices[:11], choices[11:]
    left = iter(head)

    def choose(options):
        return options[next(left) % len(options)]

    layout = choose(sorted(layouts))
    place = layouts[layout]
    kinds = [0, 1, 2, 3, 4, 0, 2, 4, UNSCORED, *([GAP] if place else [])]
    if choose(range(10)) > 6:
        kinds += [UNKNOWN] * 2
    runs = [(kinds[byte % len(kinds)], 2 + byte // len(kinds) % 5) for byte in tail]
    if max(stage for stage, _ in runs) < 0:
        runs.append((choose(range(5)), 2))
    # What is not written begins and ends no scoring.
    for end in (0, -1):
        if runs[end][0] == GAP:
            runs[end] = 0, 2
    offsets = [0.0]
    if place >= SECONDS:
        n = choose(range(21))
        offsets += [n * EPOCH, n * 1.5, 0.25]
    if place == CLOCKS:
        offsets += [-4.5 * n]
    return Night(
        layout,
        MIDNIGHT + timedelta(minutes=choose([-40, -20, -5, 0, 30, 720]), seconds=choose(range(60))),
        # In EDF+, a movement off the grid of the epochs is no change but an event.
        choose([EPOCH] * 6 + ([20.0, 10.0, 15.0, 60.0] if "changes," not in layout else [])),
        choose(offsets),
        tuple(runs),
        choose([0, 0, 0, 3, 7]),
        choose([0.0, 0.0, 0.02, 0.2]) if place >= SECONDS else 0.0,
        int.from_bytes(choices[:2] + choices[-2:]),
    )


def prefix_of(format_name):
    (found,) = [prefix for prefix in LAYOUTS if format_name.startswith(prefix)]
    return found


def outcome(format_name, night, folder):
    """Write a night and read it; return whether it holds something unknown, and what came of it.

    AssertionError if an epoch is wrong, or if what is left out or refused is not named.
    """
    writing = Writing(night, folder)
    WRITERS[prefix_of(format_name)](writing)
    unknown = writing.unknown
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = read_hypnogram(writing.path, **writing.told)
        except HypnogramError as error:
            message = str(error)
            assert str(writing.path) in message
            assert not unknown or any(text in message for _, text in unknown), message
            return bool(unknown), "refused", message
    said = "\n".join(str(warning.message) for warning in caught)
    truth = night.truth()
    assert len(found) <= len(truth) + 3, said  # a movement may end after the scoring
    assert "n_epochs" not in writing.told or len(found) == night.n_epochs
    if writing.is_open and "when the last stage, from" in said:
        last = int((night.scored - night.runs[-1][1] * night.page) // EPOCH) + 1
        truth[last:] = [right | {UNSCORED} for right in truth[last:]]
    codes = np.append(found, np.full(max(0, len(truth) - len(found)), UNSCORED))
    wrong = [i for i, right in enumerate(truth) if codes[i] not in right]
    assert not wrong, (
        f"epochs {wrong}: {codes[wrong].tolist()} and not {[truth[i] for i in wrong]}\n{said}\n"
        f"{writing.told}\n{show(writing.path)}"
    )
    if not unknown:
        return False, "right", said
    onset = min(onset for onset, _ in unknown)
    for text in list(dict.fromkeys(text for _, text in unknown))[:3]:
        assert text in said, f"{text!r} is not named: {said}\n{writing.told}\n{show(writing.path)}"
    assert names_time(said, writing, onset), f"{onset} is not named: {said}\n{show(writing.path)}"
    return True, "left out", said


def names_time(said, writing, onset):
    """Return whether a message tells a time, in s or as time of day."""
    numbers = [float(text) for text in re.findall(r"(?<=at )-?\d+(?:\.\d+)?(?= s)", said)]
    clocks = {writing.clock(onset, form, 0).rstrip(".") for form in ("%H:%M:%S.%f", "%I:%M:%S.%f")}
    dotted = {clock.replace(":", ".") for clock in clocks}
    return any(abs(n - onset + writing.shift) < 1 for n in numbers) or any(
        c in said for c in clocks | dotted
    )


def show(path):
    data = path.read_bytes()
    if data[:1] == b"0":
        data = b"\n".join(re.findall(rb"[+-][\d.]+(?:\x15[\d.]+)?\x14[^\x14]+\x14", data))
        data = data.replace(b"\x14", b"|").replace(b"\x15", b"/")
    return data[:4000].decode("utf-8", "replace").replace("\r", "")


SETTINGS = {
    "database": None,
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": list(hypothesis.HealthCheck),
}


def try_nights(format_name, n_nights, folder):
    """Try so many random nights of a format and count what came of them."""
    counts = Counter()

    @hypothesis.settings(max_examples=n_nights, **SETTINGS)
    @hypothesis.given(night=nights(format_name))
    def trial(night):
        counts[outcome(format_name, night, folder)[:2]] += 1

    trial()
    return counts


def count_nights(format_name, n_nights, folder):
    """Count what comes of many nights of the same kinds, those that are wrong too."""
    layouts, choose = LAYOUTS[prefix_of(format_name)], random.Random(19)  # noqa: S311
    counts = Counter()
    for _ in range(n_nights):
        night = _night(layouts, choose.randbytes(choose.randint(*N_CHOICES)))
        try:
            is_unknown, what, said = outcome(format_name, night, folder)
        except AssertionError as error:
            is_unknown, what, said = None, "wrong", str(error)
        counts[is_unknown, what] += 1
        if (is_unknown, what) in ((None, "wrong"), (False, "refused")):
            sys.stderr.write(f"{night}\n{said[:1500]}\n")
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=10000, help="of each format")
    parser.add_argument("--format", default="", help="the beginning of one format's name")
    arguments = parser.parse_args()
    columns = [
        "format",
        "nothing unknown",
        "right",
        "refused",
        "something unknown",
        "left out",
        "refused",
        "wrong",
    ]
    sys.stdout.write(f"| {' | '.join(columns)} |\n| --- |{' --: |' * 7}\n")
    with tempfile.TemporaryDirectory() as folder:
        for name in HYPNOGRAM_FORMATS:
            if name.startswith(arguments.format):
                counts = count_nights(name, arguments.nights, Path(folder))
                sys.stdout.write(row_of(name, counts))
                sys.stdout.flush()


def row_of(name, counts):
    """Return the row of the table: nights of each kind, and what share of them came to what."""
    cells = [name.partition(",")[0]]
    for is_unknown, good in ((False, "right"), (True, "left out")):
        total = sum(counts[is_unknown, what] for what in (good, "refused"))
        cells.append(f"{total:,}")
        cells += [f"{counts[is_unknown, what] / max(1, total):.2%}" for what in (good, "refused")]
    cells.append(str(counts[None, "wrong"]))
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    main()
