"""The bar of a training has its passes, its losses and the time that is left."""

import re
import sys

import numpy as np
import pytest
from skorch.callbacks import Callback
from telling_nights import as_x, make_arrays
from terminal import watch

from sklearn_sleep import ResumableCheckpoint
from sklearn_sleep.training.schedule import ValidationNights


class WaitForBar(Callback):
    """Go on when it is drawn what is known by now."""

    def on_batch_begin(self, net, training=False, **kwargs):
        if training:
            sys.stderr.wait(f"Training, pass {len(net.history)}")


class KeepsNothing(Callback):
    """Interrupt in the second pass."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def nights():
    arrays, recording, y = make_arrays([6] * 6)
    return as_x(arrays, recording), y


WAIT = [("wait", WaitForBar())]


def test_passes_losses_and_time_left(make_classifier, nights, capsys):
    net = make_classifier(max_epochs=3, callbacks=WAIT, train_split=ValidationNights(0.4))
    terminal = watch(lambda: net.fit(*nights))
    assert terminal.bars == ["Training"]
    passes = re.findall("pass . of .", terminal.getvalue())
    assert list(dict.fromkeys(passes)) == [f"pass {k} of 3" for k in (1, 2, 3)]
    last = net.history[-1]
    losses = f"loss {last['train_loss']:.3f}, validation {last['valid_loss']:.3f}"
    assert re.fullmatch(
        rf"Training, pass 3 of 3: 100%\|#+\| 00:\d\d<00:00, {losses}", terminal.frames[-1]
    )
    assert capsys.readouterr().out == ""
    # Nothing of it stays with the classifier.
    assert "progress" not in dict(net.callbacks_)


def test_a_pass_goes_on_batch_by_batch(make_classifier, nights):
    class WaitForParts(Callback):
        def on_batch_begin(self, net, training=False, **kwargs):
            percents = round(100 * (len(net.history[-1, "batches"]) - 1) / 6)
            sys.stderr.wait(f"Training, pass 1 of 1: {percents:3}%")

    net = make_classifier(max_epochs=1, batch_size=1, train_split=None, callbacks=[WaitForParts()])
    terminal = watch(lambda: net.fit(*nights))
    first = net.history[0, "batches", 0, "train_loss"]
    assert any(f", loss {first:.3f}" in frame for frame in terminal.frames)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("callbacks", [None, "disable"])
def test_verbose(make_classifier, nights, capsys, callbacks, method):
    def fit(verbose):
        net = make_classifier(verbose=verbose, callbacks=callbacks, train_split=None, max_epochs=4)
        return lambda: getattr(net, method)(*nights)

    assert watch(fit(0)).getvalue() == ""
    assert watch(fit(None), is_terminal=False).getvalue() == ""
    assert capsys.readouterr().out == ""
    assert watch(fit(1)).getvalue() == ""
    # skorch's table is a callback.
    assert ("train_loss" in capsys.readouterr().out) == (callbacks is None)


def test_early_stop_is_an_end(make_classifier, nights):
    # What does not learn does not improve.
    net = make_classifier(
        max_epochs=50, lr=0.0, patience=1, train_split=ValidationNights(0.4), callbacks=WAIT
    )
    terminal = watch(lambda: net.fit(*nights))
    assert len(net.history) < 50
    assert "100%" in terminal.frames[-1]


def test_interrupt_takes_the_bar_away(make_classifier, nights):
    net = make_classifier(max_epochs=3, train_split=None, callbacks=[WaitForBar(), KeepsNothing()])

    def fit():
        with pytest.raises(KeyboardInterrupt):
            net.fit(*nights)

    terminal = watch(fit)
    assert terminal.getvalue().endswith("\r")
    assert "100%" not in terminal.getvalue()


def test_resumed_training(make_classifier, nights, tmp_path):
    def make(*callbacks, verbose=None):
        checkpoint = ResumableCheckpoint(tmp_path)
        return make_classifier(
            max_epochs=4, train_split=None, callbacks=[*callbacks, checkpoint], verbose=verbose
        )

    with pytest.raises(KeyboardInterrupt):
        make(KeepsNothing(), verbose=0).fit(*nights)
    net = make(WaitForBar())
    terminal = watch(lambda: net.fit(*nights))
    assert re.findall("pass . of .", terminal.getvalue())[0] == "pass 2 of 4"
    assert "pass 4 of 4: 100%" in terminal.frames[-1]
    whole = make_classifier(max_epochs=4, train_split=None, verbose=0).fit(*nights)
    np.testing.assert_array_equal(net.predict_proba(nights[0]), whole.predict_proba(nights[0]))
