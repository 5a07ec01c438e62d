"""A terminal that keeps what is written on it, and work that is done in front of it."""

import io
import re
import sys
import time
from unittest import mock

from sklearn_sleep.core import progress


class Terminal(io.StringIO):
    """What stands for stderr."""

    def __init__(self, *, is_terminal=True):
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal

    def wait(self, bar="", seconds=10):
        """Wait until a bar is drawn, one that begins with a text."""
        end = time.monotonic() + seconds
        while not any(frame.startswith(bar) for frame in self.frames):
            assert time.monotonic() < end, "nothing is drawn"
            time.sleep(0.005)

    @property
    def frames(self):
        return [frame for frame in re.split("[\r\n]", self.getvalue()) if frame.strip()]

    @property
    def bars(self):
        """What is said before each bar, without the passes of a training, in their order."""
        return list(dict.fromkeys(re.match("[^:,]*", frame)[0] for frame in self.frames))


def watch(work, *, after=0.01, is_terminal=True):
    """Return the terminal that work was done in front of, with bars that come that soon."""
    terminal = Terminal(is_terminal=is_terminal)
    with (
        mock.patch.object(progress, "AFTER", after),
        mock.patch.object(progress, "_EVERY", 0.01),
        mock.patch.object(sys, "stderr", terminal),
    ):
        work()
    return terminal


def draw_in_worker(work):
    """Return what work draws on a terminal, wherever it is done."""
    return watch(work).getvalue()
