"""HypnogramDisplay draws what it is given."""

import numpy as np
import pytest

from sklearn_sleep.core.stage_schemes import stage_names
from sklearn_sleep.evaluation.displays.hypnogram import HypnogramDisplay

HYPNOGRAM = np.array([0, 1, 1, 2, 3, -1, 0])


def drawn_stages(axes):
    """The stages of the epochs, read back from the coloured lines."""
    found = {}
    for lines in axes.collections:
        for (start, stage), (_, _) in lines.get_segments():
            found[round(start * 120)] = int(stage)
    return found


def test_epochs_and_their_stages():
    display = HypnogramDisplay(HYPNOGRAM, stage_names(4)).plot(title="night")
    (axes,) = display.axes_
    assert drawn_stages(axes) == {i: s for i, s in enumerate(HYPNOGRAM) if s >= 0}
    assert axes.get_title() == "night"
    low, high = axes.get_ylim()
    assert low > high  # wake at the top


def test_reference_and_probabilities():
    probabilities = np.full((7, 4), 0.25)
    display = HypnogramDisplay(
        HYPNOGRAM, stage_names(4), reference=HYPNOGRAM[::-1], probabilities=probabilities
    ).plot()
    assert [axes.get_ylabel() for axes in display.axes_] == ["Scored", "Predicted", "Probability"]
    scored = drawn_stages(display.axes_[0])
    assert scored == {i: s for i, s in enumerate(HYPNOGRAM[::-1]) if s >= 0}
    assert len(display.axes_[2].collections) == 4


@pytest.mark.parametrize("hypnogram", [[0, 4, 1], ["W", "Light"], [0.0, 1.0]])
def test_stages_without_a_name_are_refused(hypnogram):
    with pytest.raises(ValueError, match=r"integers below 4.*'Light'.*it has"):
        HypnogramDisplay(hypnogram, stage_names(4)).plot()


def test_save(tmp_path):
    HypnogramDisplay(HYPNOGRAM, stage_names(4)).plot().save(tmp_path / "night.png")
    assert (tmp_path / "night.png").stat().st_size > 1000


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"sklearn_sleep\[plot\]"):
        HypnogramDisplay(HYPNOGRAM, stage_names(4)).plot()
