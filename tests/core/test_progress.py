"""One bar for the outermost work that takes long, where somebody looks on."""

import sys
import threading
import time
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import pytest
import tqdm
from joblib import Memory, Parallel, delayed
from terminal import Terminal, draw_in_worker, watch

from sklearn_sleep.core import progress as module
from sklearn_sleep.core.parallel import run_parallel
from sklearn_sleep.core.progress import progress


def take_time(number=0):
    time.sleep(0.05)
    return number


def work_long(verbose=None):
    """Work that has a bar if it is seen."""
    with progress("Long", 2, unit="night", verbose=verbose) as work:
        for number in work.count(range(2)):
            take_time(number)


def wait_for_bar():
    with progress("Long", 2, unit="night", verbose=None) as work:
        sys.stderr.wait("Long")
        work.advance(2)


def compute_nights(n=2, verbose=None, function=take_time):
    return run_parallel(
        function, [(k,) for k in range(n)], description="Nights", n_jobs=None, verbose=verbose
    )


def test_bar_comes_and_goes(capsys):
    terminal = watch(wait_for_bar)
    assert terminal.bars == ["Long"]
    assert "0/2" in terminal.frames[0]
    assert "100%" in terminal.frames[-1]
    assert "2/2" in terminal.frames[-1]
    assert "night" in terminal.frames[-1]
    # Nothing is left of it, not even a line.
    assert terminal.getvalue().rpartition("\r")[0].rpartition("\r")[2].strip() == ""
    assert "\n" not in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_short_work_has_none():
    assert module.AFTER == 5
    assert watch(work_long, after=5).getvalue() == ""


@pytest.mark.parametrize(
    ("verbose", "is_terminal"), [(None, False), (0, True), (False, True), (0, False)]
)
def test_silence(verbose, is_terminal):
    assert watch(lambda: work_long(verbose), is_terminal=is_terminal).getvalue() == ""


def test_no_stderr(monkeypatch):
    # A program without a console.
    monkeypatch.setattr(sys, "stderr", None)
    work_long()


@pytest.mark.parametrize("is_terminal", [False, True])
def test_what_is_asked_for_is_drawn_at_once_and_stays(is_terminal):
    def quick():
        assert list(compute_nights(verbose=1, function=str)) == ["0", "1"]

    terminal = watch(quick, after=100, is_terminal=is_terminal)
    assert terminal.bars == ["Nights"]
    assert "2/2" in terminal.frames[-1]
    assert terminal.getvalue().endswith("\n")


def test_time_goes_on_without_news():
    def one_long_night():
        with progress("Long", 3, unit="night", verbose=None):
            while len(set(sys.stderr.frames)) < 2:
                time.sleep(0.05)

    terminal = watch(one_long_night)
    assert {"0/3"} == {part for frame in terminal.frames for part in frame.split() if "/3" in part}


def test_parts_of_a_whole():
    def passes():
        with progress("Training", 2, verbose=None) as work:
            sys.stderr.wait()
            work.description, work.note = "Training, pass 2 of 2", "loss 0.5"
            for _ in range(3):
                work.advance(2 / 3)

    terminal = watch(passes)
    assert terminal.frames[-1].startswith("Training, pass 2 of 2: 100%|")
    assert terminal.frames[-1].endswith(", loss 0.5")


def test_work_done_before_does_not_count_for_the_time_left():
    def resume():
        with progress("Fits", 110, unit="fit", n_done=100, verbose=None) as work:
            time.sleep(0.5)
            work.advance(10)

    *_, last = watch(resume).frames
    assert "110/110 [00:00<00:00" in last
    assert float(last.rpartition(",")[2].strip().removesuffix("fit/s]")) < 25


def within_progress():
    with progress("Outer", 1, unit="night", verbose=None):
        sys.stderr.wait()
        work_long()


def within_silence():
    with progress("Outer", 1, unit="night", verbose=0):
        work_long()


def within_thread():
    with progress("Outer", 1, unit="night", verbose=None):
        sys.stderr.wait()
        thread = threading.Thread(target=work_long)
        thread.start()
        thread.join()


def within_nights():
    list(compute_nights(function=lambda _: sys.stderr.wait() or work_long()))


@pytest.mark.parametrize(
    ("work", "bars"),
    [
        (within_progress, ["Outer"]),
        (within_silence, []),
        (within_thread, ["Outer"]),
        (within_nights, ["Nights"]),
    ],
)
def test_outermost_alone(work, bars):
    assert watch(work).bars == bars


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_tasks_of_joblib_have_none(n_jobs, backend):
    if backend == "threading":
        tasks = [delayed(work_long)()] * 2
        assert watch(lambda: Parallel(n_jobs, "threading")(tasks)).getvalue() == ""
    else:
        tasks = [delayed(draw_in_worker)(work_long)] * 2
        assert Parallel(n_jobs, "loky")(tasks) == ["", ""]


def test_what_joblib_remembers_has_one(tmp_path):
    assert watch(Memory(tmp_path, verbose=0).cache(wait_for_bar)).bars == ["Long"]


def test_one_after_the_other():
    def work():
        wait_for_bar()
        list(compute_nights(5))

    assert watch(work).bars == ["Long", "Nights"]


def test_failure_ends_the_bar():
    def fail():
        with progress("Fails", 1, unit="night", verbose=None):
            sys.stderr.wait()
            raise ZeroDivisionError

    def work():
        with pytest.raises(ZeroDivisionError):
            fail()
        wait_for_bar()

    terminal = watch(work)
    assert terminal.bars == ["Fails", "Long"]


def test_results_that_nobody_takes_do_not_keep_others_from_a_bar():
    kept = []

    def work():
        # A traceback keeps the generator alive, as in a notebook whose cell has failed.
        kept.append(compute_nights(3, function=lambda _: sys.stderr.wait()))
        next(kept[0])
        n_frames = len(sys.stderr.frames)
        time.sleep(0.2)
        assert len(sys.stderr.frames) == n_frames
        wait_for_bar()

    terminal = watch(work)
    assert terminal.bars == ["Nights", "Long"]
    kept.clear()


@pytest.fixture
def notebook(monkeypatch):
    """A kernel of Jupyter."""
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))


def test_notebook_without_widgets(notebook):
    terminal = watch(wait_for_bar, is_terminal=False)
    assert terminal.bars == ["Long"]


def test_notebook_with_widgets(notebook, monkeypatch):
    cell = Terminal(is_terminal=False)

    class Widget(tqdm.tqdm):
        def __init__(self, **parameters):
            super().__init__(file=cell, **parameters)

    widgets = ModuleType("ipywidgets")
    widgets.__spec__ = ModuleSpec("ipywidgets", None)
    monkeypatch.setitem(sys.modules, "ipywidgets", widgets)
    monkeypatch.setitem(sys.modules, "tqdm.notebook", SimpleNamespace(tqdm=Widget))

    def work():
        with progress("Long", 2, unit="night", verbose=None) as work:
            cell.wait()
            work.advance(2)

    assert watch(work, is_terminal=False).getvalue() == ""
    assert cell.bars == ["Long"]
    assert "2/2" in cell.frames[-1]


def test_ipython_on_a_terminal_is_no_notebook(monkeypatch):
    shell = SimpleNamespace(config={"TerminalIPythonApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert watch(work_long, is_terminal=False).getvalue() == ""
    assert watch(wait_for_bar).bars == ["Long"]
