"""Whoever presses Ctrl-C gets KeyboardInterrupt, and no training that looks finished."""

import os
import signal

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from skorch.callbacks import Callback, EarlyStopping
from telling_nights import as_x, make_arrays

from sklearn_sleep import ResumableCheckpoint, compare
from sklearn_sleep.training.schedule import ValidationNights

STEP = "wav2sleepclassifier"


def interrupt():
    raise KeyboardInterrupt


def press_control_c():
    os.kill(os.getpid(), signal.SIGINT)


class Interrupt(Callback):
    """Interrupt at one of skorch's moments of a pass."""

    def __init__(self, moment="on_batch_begin", in_pass=1, how=interrupt):
        self.moment = moment
        self.in_pass = in_pass
        self.how = how

    def on_batch_begin(self, net, **kwargs):
        self._at("on_batch_begin", net)

    def on_batch_end(self, net, **kwargs):
        self._at("on_batch_end", net)

    def on_epoch_begin(self, net, **kwargs):
        self._at("on_epoch_begin", net)

    def on_epoch_end(self, net, **kwargs):
        self._at("on_epoch_end", net)

    def _at(self, moment, net):
        if moment == self.moment and len(net.history) == self.in_pass:
            self.how()


@pytest.fixture(autouse=True)
def listen_to_control_c():
    """Python's own handler, where these tests run in the background of a shell too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def nights():
    arrays, recording, y = make_arrays([12] * 6)
    return as_x(arrays, recording), y


@pytest.mark.parametrize("how", [interrupt, press_control_c])
@pytest.mark.parametrize(
    "moment", ["on_epoch_begin", "on_batch_begin", "on_batch_end", "on_epoch_end"]
)
def test_fit_raises(make_classifier, nights, moment, how):
    callback = Interrupt(moment, in_pass=1, how=how)
    ended = []
    callback.on_train_end = lambda net, **kwargs: ended.append(net)
    with pytest.raises(KeyboardInterrupt):
        make_classifier(callbacks=[callback], classes=None).fit(*nights)
    # Callbacks that save what is finished are not told that it is.
    assert ended == []


def test_partial_fit_raises(make_classifier, nights):
    classifier = make_classifier(classes=None).fit(*nights)
    classifier.set_params(callbacks=[Interrupt(in_pass=3)]).initialize_callbacks()
    with pytest.raises(KeyboardInterrupt):
        classifier.partial_fit(*nights)


def test_what_interrupts_the_network_is_raised(make_classifier, nights, monkeypatch):
    classifier = make_classifier(classes=None).fit(*nights)

    def forward(*arguments, **parameters):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(classifier.module_), "forward", forward)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(*nights)


@pytest.mark.parametrize(
    "parameters",
    [
        {"patience": 1},
        {"callbacks": [("own", EarlyStopping(patience=1, load_best=True))]},
    ],
)
def test_early_stopping_ends_a_training_as_ever(make_classifier, nights, parameters):
    classifier = make_classifier(
        classes=None,
        max_epochs=9,
        lr=0.5,
        callbacks__learning_rate=None,
        train_split=ValidationNights(0.3),
        **parameters,
    ).fit(*nights)
    losses = classifier.history[:, "valid_loss"]
    assert len(losses) == np.argmin(losses) + 2 < 9


def test_a_resumable_training_says_what_it_has_saved(make_classifier, nights, tmp_path):
    def make(*callbacks):
        return make_classifier(
            max_epochs=4, classes=None, callbacks=[ResumableCheckpoint(tmp_path), *callbacks]
        )

    with pytest.raises(KeyboardInterrupt) as before_a_pass:
        make(Interrupt(in_pass=1)).fit(*nights)
    assert "No pass was complete" in before_a_pass.value.__notes__[0]
    with pytest.raises(KeyboardInterrupt) as interrupted:
        make(Interrupt(in_pass=3)).fit(*nights)
    (note,) = interrupted.value.__notes__
    assert note.startswith(f"{tmp_path / 'training.pt'} holds the 2 pass(es) that were complete")
    with pytest.raises(KeyboardInterrupt) as again:
        make(Interrupt(in_pass=3)).fit(*nights)
    assert again.value.__notes__ == [note]
    resumed, whole = make().fit(*nights), make_classifier(max_epochs=4, classes=None).fit(*nights)
    weights = whole.module_.state_dict()
    for name, value in resumed.module_.state_dict().items():
        assert torch.equal(value, weights[name])


@pytest.fixture
def interrupted_pipeline(make_pipeline_of):
    return make_pipeline_of(["THX"], callbacks=[Interrupt()], train_split=None)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_cross_validation_raises(cohort, interrupted_pipeline, n_jobs):
    with pytest.raises(KeyboardInterrupt):
        cross_validate(
            interrupted_pipeline,
            *(cohort.X, cohort.y),
            groups=cohort.groups,
            cv=GroupKFold(2),
            n_jobs=n_jobs,
            error_score=0.0,
        )


def test_a_search_raises(cohort, interrupted_pipeline):
    search = GridSearchCV(
        interrupted_pipeline, {f"{STEP}__lr": [0.1, 0.2]}, cv=GroupKFold(2), error_score=0.0
    )
    with pytest.raises(KeyboardInterrupt):
        search.fit(cohort.X, cohort.y, groups=cohort.groups)


def test_a_comparison_raises_and_keeps_no_result(cohort, interrupted_pipeline, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        compare(
            {"network": interrupted_pipeline},
            *(cohort.X, cohort.y, cohort.groups),
            cv=2,
            folder=tmp_path,
            verbose=False,
        )
    assert not list(tmp_path.glob("*.npz"))
