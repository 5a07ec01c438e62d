"""Montages say what is wrong with them, and are sequences of signals."""

import pytest

from sklearn_sleep.core.signals import Drawing, SignalDefinition
from sklearn_sleep.imaging import MONTAGES, Grid, Montage, Trace, find_montage
from sklearn_sleep.preprocessing import EDFReader


def test_presets():
    sleepvlm = find_montage("sleepvlm")
    assert [trace.label for trace in sleepvlm.traces] == ["F4", "C4", "O2", "LOC", "ROC", "Chin"]
    assert {trace.amplitude for trace in sleepvlm.traces[:5]} == {(-50.0, 50.0)}
    assert sleepvlm.traces[5].amplitude == (-40.0, 40.0)
    assert (sleepvlm.width, sleepvlm.height, sleepvlm.background) == (448, 224, "#000000")
    names = [definition.name for definition in find_montage("clinical")]
    assert {"ECG", "PPG", "THX", "ABD"} < set(names)
    assert find_montage(sleepvlm) is sleepvlm
    assert len({MONTAGES["sleepvlm"], Montage(sleepvlm.traces)}) == 2


def test_edf_reader_reads_a_montage(cohort):
    epochs = EDFReader(MONTAGES["sleepvlm"], on_error="warn").fit(cohort.X)
    assert list(epochs.get_feature_names_out()) == ["F4", "C4", "O2", "EOG-L", "EOG-R", "EMG"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Trace("EEG", "yellow"), "color='yellow' must be written '#rrggbb'"),
        (lambda: Trace("EEG", "#ffff00", (50, -50)), "must rise"),
        (lambda: Trace("heart", "#ffff00"), "'heart' is not a known signal"),
        (lambda: Grid("grey"), "color='grey' must be written"),
        (lambda: Grid(major_seconds=0), "major_seconds=0 of a Grid must be above 0"),
        (lambda: Grid(minor_alpha=2), "minor_alpha=2 of a Grid must be between 0 and 1"),
        (lambda: Montage([]), "needs at least one Trace"),
        (lambda: Montage([Trace("EEG", "#ffffff")] * 2), "draws each signal once"),
        (lambda: Montage([Trace("EEG", "#ffffff")], margin=448), "has no room"),
        (lambda: Montage([Trace("EEG", "#ffffff")], line_width=0), "line_width=0 must be above 0"),
        (lambda: Montage([Trace("EEG", "#ffffff")], background="black"), "background='black'"),
    ],
)
def test_wrong_parameters(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_traces_are_drawn_as_their_definitions_say():
    assert (Trace("ECG").color, Trace("ECG").amplitude) == ("#a01818", (-1.0, 1.5))
    assert Trace("THX").amplitude is None
    assert Trace("C4-M1", "#ffff00").amplitude == (-50.0, 50.0)
    own = SignalDefinition("POS", 32, drawing=Drawing("#123456", (0, 4)))
    assert (Trace(own).color, Trace(own).amplitude) == ("#123456", (0.0, 4.0))
    assert Trace(own, "#654321", None).amplitude is None
