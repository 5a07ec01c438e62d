"""Progress of long work: one bar on a terminal or in a notebook, for the outermost work alone."""

import multiprocessing
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from importlib import import_module
from importlib.util import find_spec
from types import FrameType
from typing import Any, TypeVar

Item = TypeVar("Item")

AFTER = 5.0
"""Seconds of work before a bar appears that nobody has asked for."""

# Seconds between two looks at what there is to draw.
_EVERY = 0.5
# Modules that run the fits of others. Only who calls them knows how many there are. Frames of the
# stack tell of them, since within one process neither scikit-learn nor joblib leaves another sign
# that a fit could look for. Names of modules last longer than those of functions; joblib.memory is
# not among them, which runs the steps of a pipeline that has a cache.
_RUN_FITS = ("sklearn.model_selection", "joblib.parallel", "joblib._dask")
# What a bar says of work that is counted, and of parts of a whole.
_COUNTED = "{l_bar}{bar}{r_bar}"
_IN_PARTS = "{desc}{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


class Progress:
    """How far work has come: `n_done` of `total`, which began with `n_before` done.

    `description` and `note` are what a bar says before and behind it.
    """

    def __init__(self, description: str, total: float, n_done: float = 0) -> None:
        self.description = description
        self.note = ""
        self.total = total
        self.start_from(n_done)
        self.is_busy = True

    def start_from(self, n_done: float) -> None:
        """Tell that so many were done before; how fast the work is goes by others."""
        self.n_before = self.n_done = n_done

    def advance(self, n: float = 1) -> None:
        """Tell that n more are done."""
        self.n_done += n

    def count(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield items that there is something to do with, and count each when it is done."""
        for item in items:
            yield item
            self.advance()

    def follow(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield items that take time to come, and count each."""
        for item in items:
            self.advance()
            # Who takes it may fail, and this never go on.
            self.is_busy = False
            yield item
            self.is_busy = True


# All work of this process. What begins while some of it goes on, in whatever thread, is part of it.
_begun: list[Progress] = []


@contextmanager
def progress(
    description: str,
    total: float,
    *,
    verbose: int | None,
    unit: str | None = None,
    n_done: float = 0,
) -> Iterator[Progress]:
    """Show how far the work within the context has come; without a `unit`, as parts of a whole.

    `verbose` is 0 for silence and 1 for a bar at once. If it is None, there is one after `AFTER`
    seconds, until the work is done, on stderr if that is a terminal, or in a notebook; but none for
    work within other work, within searches, cross-validation and tasks of joblib, and in processes
    that another one has started.
    """
    work = Progress(description, total, n_done)
    is_drawn = _may_draw() if verbose is None else bool(verbose)
    _begun.append(work)
    try:
        if is_drawn:
            with _drawn(work, unit, after=AFTER if verbose is None else 0.0):
                yield work
        else:
            yield work
    finally:
        _begun.remove(work)


def _may_draw() -> bool:
    """Return whether work that begins here is the outermost, and somebody looks on."""
    is_within = any(work.is_busy for work in _begun)
    is_worker = multiprocessing.parent_process() is not None
    return _is_seen() and not is_within and not is_worker and not _is_run_by_others()


def _is_seen() -> bool:
    # A program without a console has no stderr.
    return _is_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def _is_notebook() -> bool:
    """Return whether this is a kernel of Jupyter, as tqdm tells it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return "IPKernelApp" in getattr(shell, "config", ())


def _is_run_by_others() -> bool:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith(_RUN_FITS):
            return True
        frame = frame.f_back
    return False


@contextmanager
def _drawn(work: Progress, unit: str | None, *, after: float) -> Iterator[None]:
    """Draw a bar from a thread, so that time goes on in a night that takes minutes."""
    bar = _Bar(work, unit, leave=not after)
    is_over = threading.Event()

    def draw() -> None:
        pause = after
        while not is_over.wait(pause):
            if work.is_busy:
                bar.draw()
            pause = _EVERY

    # It shares the context, by which a notebook knows the cell to draw in.
    thread = threading.Thread(target=copy_context().run, args=(draw,), daemon=True)
    thread.start()
    is_done = False
    try:
        yield
        is_done = True
    finally:
        is_over.set()
        thread.join()
        bar.close(is_done=is_done)


class _Bar:
    """A bar of tqdm, made when it is first drawn, and left on the screen or not."""

    def __init__(self, work: Progress, unit: str | None, *, leave: bool) -> None:
        has_widgets = _is_notebook() and find_spec("ipywidgets")
        self.tqdm = import_module("tqdm.notebook" if has_widgets else "tqdm").tqdm
        self.work = work
        self.unit = unit
        self.leave = leave
        self.started = time.time()
        self.bar: Any = None
        self.told = (work.description, "")

    def draw(self) -> None:
        """Draw what is new, and for somebody who looks on, how much time has passed."""
        if self.bar is None:
            self.bar = self._make()
        work, told = self.work, (self.work.description, self.work.note)
        self.bar.initial = work.n_before
        is_new = told != self.told
        if is_new:
            self.told = told
            self.bar.set_description(work.description, refresh=False)
            self.bar.set_postfix_str(work.note, refresh=False)
        if work.n_done > self.bar.n:
            self.bar.update(work.n_done - self.bar.n)
        elif is_new or _is_seen():
            self.bar.refresh()

    def close(self, *, is_done: bool) -> None:
        """Draw the end of a bar that has begun or stays, and take away one that does not."""
        if self.bar is None and not self.leave:
            return
        self.draw()
        if is_done and self.bar.n < self.bar.total:
            # Training may stop early, and fractions add up to almost 1.
            self.bar.total = self.bar.n
            self.bar.refresh()
        self.bar.close()

    def _make(self) -> Any:
        bar = self.tqdm(
            desc=f"{self.told[0]}: ",
            total=self.work.total,
            initial=self.work.n_before,
            unit=self.unit or "",
            bar_format=_COUNTED if self.unit else _IN_PARTS,
            leave=self.leave,
            # In the place of one whose generator was left, which a traceback may keep.
            position=None if self.leave else 0,
            dynamic_ncols=True,
            # Whatever is told is drawn.
            mininterval=0,
            miniters=0,
            smoothing=0.1,
        )
        bar.start_t = bar.last_print_t = self.started
        return bar
