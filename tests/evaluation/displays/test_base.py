"""What every display does; the list of displays is the package's."""

import doctest
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

import sklearn_sleep
from sklearn_sleep.evaluation.displays import DISPLAYS, Display

GUIDE = Path(__file__).parents[3] / "docs" / "user-guide.md"


@pytest.fixture(params=DISPLAYS)
def display(request):
    """What the example of a display draws."""
    kind = DISPLAYS[request.param]
    (example,) = doctest.DocTestFinder(recurse=False).find(
        kind, globs={"np": np, request.param: kind}
    )
    runner = doctest.DocTestRunner()
    runner.run(example, clear_globs=False)
    assert runner.failures == 0
    return example.globs["display"]


def test_it_is_public_and_in_the_guide(display):
    kind = type(display)
    assert getattr(sklearn_sleep, kind.__name__) is kind
    assert f"| `{kind.__name__}` |" in GUIDE.read_text(encoding="utf-8")


def test_it_is_drawn_titled_and_saved(display, tmp_path):
    assert display.plot(title="Night 7") is display
    titles = [axes.get_title() for axes in display.figure_.axes]
    titles.append(display.figure_.get_suptitle())
    assert titles.count("Night 7") == 1
    display.save(tmp_path / "figure.png")
    assert min(matplotlib.image.imread(tmp_path / "figure.png").shape[:2]) > 100
    display.plot()
    assert "Night 7" not in [axes.get_title() for axes in display.figure_.axes]


def test_a_new_display_is_one_class():
    class RespirationDisplay(Display):
        """Draw a breath."""

        def _draw(self):
            self._new_figure(2.0, 1.0)
            self.axes_ = self.figure_.subplots()
            self.axes_.plot([0, 1], [0, 1])

    try:
        assert DISPLAYS["RespirationDisplay"] is RespirationDisplay
        assert RespirationDisplay().plot(title="breath").axes_.get_title() == "breath"
    finally:
        DISPLAYS.pop("RespirationDisplay")
