"""A training that was cut off and started again gives the result of one that was not."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from skorch.helper import SliceDict
from spoiled_pass import SpoiledPass

from sklearn_sleep import __version__
from sklearn_sleep.training.callbacks import resumable
from sklearn_sleep.training.callbacks.resumable import ResumableCheckpoint
from sklearn_sleep.training.callbacks.weight_average import WeightAverage
from sklearn_sleep.training.schedule import ValidationNights, WarmUpDecay

N_PASSES = 5


@pytest.fixture(scope="module")
def nights():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=8 * 15)
    samples = {
        name: (rng.normal(size=(len(y), width)) * (0.3 + y[:, None])).astype(np.float32)
        for name, width in (("ECG", 64), ("THX", 16))
    }
    return SliceDict(**samples, recording=np.repeat(np.arange(8).astype(str), 15)), y


class PowerCutError(RuntimeError):
    pass


class PowerCut(Callback):
    """Stops the program in a batch of a pass."""

    def __init__(self, after):
        self.after = after

    def on_batch_begin(self, net, training=False, **kwargs):
        if len(net.history) == self.after + 1 and len(net.history[-1, "batches"]) == 2:
            raise PowerCutError


@pytest.fixture
def make(make_classifier):
    def make(*callbacks, spoiled_pass=None, **parameters):
        if spoiled_pass is not None:
            callbacks = (SpoiledPass(spoiled_pass), *callbacks)
        everything = {
            "classes": None,
            "max_epochs": N_PASSES,
            "batch_size": 1,
            "target_batch_size": 2,
            "lr": 0.05,
            "module__dropout": 0.3,
            "train_split": ValidationNights(0.3, random_state=None),
            "callbacks": list(callbacks),
            "callbacks__weight_average": WeightAverage(0.6, start=3),
            "random_state": np.random.RandomState(0),
            **parameters,
        }
        return make_classifier(**everything)

    return make


def losses_of(classifier):
    return [
        (row["train_loss"], row["valid_loss"], row["valid_loss_best"], row["gradient_norm"])
        for row in classifier.history
    ]


def assert_same(found, expected):
    assert losses_of(found) == losses_of(expected)
    weights = expected.module_.state_dict()
    for name, value in found.module_.state_dict().items():
        assert torch.equal(value, weights[name]), name


TRAININGS = {
    "average": {},
    "early stopping": {"lr": 0.01, "patience": 1, "spoiled_pass": 4},
    "plain": {"callbacks__weight_average": WeightAverage(None), "target_batch_size": None},
}


@pytest.fixture(scope="module")
def uninterrupted():
    """The trainings that were fitted once already, by name."""
    return {}


@pytest.mark.parametrize("after", [1, 3])
@pytest.mark.parametrize("name", TRAININGS)
def test_resumed_is_uninterrupted(make, nights, tmp_path, uninterrupted, name, after):
    parameters = TRAININGS[name]
    if name not in uninterrupted:
        uninterrupted[name] = make(**parameters).fit(*nights)
    with pytest.raises(PowerCutError):
        make(PowerCut(after), ResumableCheckpoint(tmp_path), **parameters).fit(*nights)
    # Everything random comes from the file, as where random_state is None.
    parameters = {**parameters, "random_state": np.random.RandomState(after)}
    resumed = make(ResumableCheckpoint(tmp_path), **parameters).fit(*nights)
    assert_same(resumed, uninterrupted[name])


def test_early_stopping_is_among_them(make, nights):
    classifier = make(**TRAININGS["early stopping"]).fit(*nights)
    losses = classifier.history[:, "valid_loss"]
    assert len(losses) == 4 < N_PASSES
    # Not the last, so that its weights were restored.
    assert np.argmin(losses) == len(losses) - 2


def test_cut_off_twice(make, nights, tmp_path):
    for after in (1, 3):
        with pytest.raises(PowerCutError):
            make(ResumableCheckpoint(tmp_path), PowerCut(after)).fit(*nights)
    assert_same(make(ResumableCheckpoint(tmp_path)).fit(*nights), make().fit(*nights))


def test_cut_off_while_saving(make, nights, tmp_path, monkeypatch):
    """The file of the pass before is still there, and whole."""
    save, n_saved = torch.save, []

    def save_half(state, file):
        n_saved.append(state)
        save(state, file)
        if len(n_saved) == 3:
            file.truncate(file.tell() // 2)
            raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", save_half)
        with pytest.raises(PowerCutError):
            make(ResumableCheckpoint(tmp_path)).fit(*nights)
    assert_same(make(ResumableCheckpoint(tmp_path)).fit(*nights), make().fit(*nights))


def test_complete_training_is_restored_without_a_pass(make, nights, tmp_path):
    complete = make(ResumableCheckpoint(tmp_path)).fit(*nights)
    again = make(PowerCut(0), ResumableCheckpoint(tmp_path)).fit(*nights)
    assert_same(again, complete)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"lr": 0.01}, "lr differ.*0.05 there, 0.01 here"), ({"max_epochs": 9}, "max_epochs differ")],
)
def test_other_parameters_are_refused(make, nights, tmp_path, parameters, message):
    make(ResumableCheckpoint(tmp_path)).fit(*nights)
    with pytest.raises(ValueError, match=message):
        make(ResumableCheckpoint(tmp_path), **parameters).fit(*nights)


def test_other_data_are_refused(make, nights, tmp_path):
    X, y = nights
    make(ResumableCheckpoint(tmp_path)).fit(X, y)
    with pytest.raises(ValueError, match=r"data \(X, y, sample_weight\)"):
        make(ResumableCheckpoint(tmp_path)).fit(X, 1 - y)


def test_other_samples_are_refused(make, nights, tmp_path):
    X, y = nights
    make(ResumableCheckpoint(tmp_path)).fit(X, y)
    changed = X["ECG"].copy()
    changed[3, 5] += 1
    others = SliceDict(**{**X, "ECG": changed})
    with pytest.raises(ValueError, match=r"data \(X, y, sample_weight\)"):
        make(ResumableCheckpoint(tmp_path)).fit(others, y)


@pytest.fixture
def file_nights(cohort, tmp_path):
    """Two nights of which one may be overwritten."""
    paths = {str(night.recording): tmp_path / f"{i}.edf" for i, night in enumerate(cohort.nights)}
    for path, copy in list(paths.items())[:2]:
        shutil.copy(path, copy)
    rows = cohort.X["recording"].isin(list(paths)[:2]).to_numpy()
    X = cohort.X[rows].astype({"recording": object}).replace({"recording": paths})
    return X.assign(recording=X["recording"].astype(str)), cohort.y[rows]


def fit_pipeline(make_pipeline_of, folder, X, y, **steps):
    pipeline = make_pipeline_of(max_epochs=1, callbacks=[ResumableCheckpoint(folder)])
    return pipeline.set_params(**steps).fit(X, y)


def test_training_on_files_goes_on(make_pipeline_of, file_nights, tmp_path):
    first = fit_pipeline(make_pipeline_of, tmp_path, *file_nights)
    again = fit_pipeline(make_pipeline_of, tmp_path, *file_nights)
    assert again[-1].history[:, "train_loss"] == first[-1].history[:, "train_loss"]
    assert len(again[-1].history) == 1


def test_other_samples_of_a_file_are_refused(make_pipeline_of, file_nights, tmp_path):
    X, y = file_nights
    fit_pipeline(make_pipeline_of, tmp_path, X, y)
    path = Path(X["recording"].iloc[0])
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"data \(X, y, sample_weight\)"):
        fit_pipeline(make_pipeline_of, tmp_path, X, y)


def test_another_preprocessing_is_refused(make_pipeline_of, file_nights, tmp_path):
    fit_pipeline(make_pipeline_of, tmp_path, *file_nights)
    with pytest.raises(ValueError, match=r"data \(X, y, sample_weight\)"):
        fit_pipeline(make_pipeline_of, tmp_path, *file_nights, normalizer__method="causal")


def test_signals_that_may_not_be_used_are_refused(make_pipeline_of, file_nights, tmp_path):
    X, y = file_nights
    fit_pipeline(make_pipeline_of, tmp_path, X, y)
    with pytest.raises(ValueError, match=r"data \(X, y, sample_weight\)"):
        fit_pipeline(make_pipeline_of, tmp_path, X.assign(PPG=False), y)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            {"callbacks__learning_rate": WarmUpDecay(0.1)},
            {"callbacks__learning_rate": WarmUpDecay(0.2)},
        ),
        ({"train_split": ValidationNights(0.3)}, {"train_split": ValidationNights(0.4)}),
        ({"module__dropout": 0.1}, {}),
    ],
)
def test_other_parts_are_refused(make, nights, tmp_path, one, other):
    for _ in range(2):
        make(ResumableCheckpoint(tmp_path), **{"max_epochs": 1, **one}).fit(*nights)
    with pytest.raises(ValueError, match="holds another training"):
        make(ResumableCheckpoint(tmp_path), **{"max_epochs": 1, **other}).fit(*nights)


def test_it_is_for_one_fit(make, nights, tmp_path):
    classifier = make(ResumableCheckpoint(tmp_path)).fit(*nights)
    with pytest.raises(ValueError, match="partial_fit or warm_start"):
        classifier.partial_fit(*nights)


def test_a_file_is_never_executed(make, nights, tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path / "sprung").touch, ()

    (tmp_path / "training.pt").write_bytes(pickle.dumps(Trap(), protocol=2))
    with pytest.raises(ValueError, match="Delete it to start anew"):
        make(ResumableCheckpoint(tmp_path)).fit(*nights)
    torch.save({"format_version": 2, "identity": Trap()}, tmp_path / "training.pt")
    with pytest.raises(ValueError, match="Delete it to start anew"):
        make(ResumableCheckpoint(tmp_path)).fit(*nights)
    assert not (tmp_path / "sprung").exists()


def test_newer_format(make, nights, tmp_path):
    torch.save({"format_version": 99, "sklearn_sleep": "7.1"}, tmp_path / "training.pt")
    with pytest.raises(ValueError, match=r"newer sklearn_sleep \(7.1\)"):
        make(ResumableCheckpoint(tmp_path)).fit(*nights)


def test_older_format(make, nights, tmp_path):
    """What 0.1.0 wrote says nothing of the samples, and is never gone on with in silence."""
    written = Path("tests/data/written-by-0.1.0/training/training.pt")
    shutil.copy(written, tmp_path)
    with pytest.raises(ValueError, match=r"sklearn_sleep 0.1.0.*pip install sklearn_sleep==0.1.0"):
        make(ResumableCheckpoint(tmp_path)).fit(*nights)
    assert (tmp_path / "training.pt").read_bytes() == written.read_bytes()


def test_version_is_noted(make, nights, tmp_path):
    make(ResumableCheckpoint(tmp_path)).fit(*nights)
    state = torch.load(tmp_path / "training.pt", weights_only=True)
    assert (state["format_version"], state["sklearn_sleep"]) == (2, __version__)


def test_callback_that_cannot_be_saved(make, nights, tmp_path):
    class Stateful(Callback):
        def on_train_begin(self, net, **kwargs):
            self.state_ = object()

    with pytest.raises(TypeError, match=r"callback 'Stateful', state_: object"):
        make(Stateful(), ResumableCheckpoint(tmp_path)).fit(*nights)


def test_callback_with_a_state_of_its_own(make, nights, tmp_path):
    class Tally(Callback):
        def on_train_begin(self, net, **kwargs):
            self.passes = {0}

        def on_epoch_end(self, net, **kwargs):
            self.passes.add(len(net.history))

        def state_dict(self):
            return {"passes": sorted(self.passes)}

        def load_state_dict(self, state):
            self.passes = set(state["passes"])

    with pytest.raises(PowerCutError):
        make(PowerCut(3), ResumableCheckpoint(tmp_path), Tally()).fit(*nights)
    tally = Tally()
    make(ResumableCheckpoint(tmp_path), tally).fit(*nights)
    assert tally.passes == set(range(N_PASSES + 1))


def test_a_flipped_bit_is_found_or_changes_nothing(make, nights, tmp_path):
    complete = make(ResumableCheckpoint(tmp_path), max_epochs=1).fit(*nights)
    path = tmp_path / "training.pt"
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    n_found = 0
    for place in rng.integers(0, len(whole), 12):
        content = bytearray(whole)
        content[place] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        again = make(PowerCut(0), ResumableCheckpoint(tmp_path), max_epochs=1)
        try:
            again.fit(*nights)
        except ValueError as error:
            assert str(error).startswith(f"{path} is not a training that Resum")  # noqa: PT017
            n_found += 1
        else:
            assert_same(again, complete)
    assert n_found >= 8


def without(key):
    return lambda state: {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize(
    "reshape",
    [
        lambda state: [1, 2, 3],
        lambda state: {"format_version": "two"},
        lambda state: {"format_version": 2},
        lambda state: {**state, "identity": "mine"},
        lambda state: {**state, "history": 3},
        lambda state: {**state, "random_generator": "{"},
        *map(without, ["module", "optimizer", "callbacks", "history", "torch_generator"]),
    ],
)
def test_a_file_of_another_shape_is_named(make, nights, tmp_path, reshape):
    make(ResumableCheckpoint(tmp_path), max_epochs=1).fit(*nights)
    path = tmp_path / "training.pt"
    torch.save(reshape(torch.load(path, weights_only=True)), path)
    with pytest.raises(ValueError, match=rf"{path} is not a training .*Delete it to start anew"):
        make(ResumableCheckpoint(tmp_path), max_epochs=1).fit(*nights)


def test_what_a_killed_training_had_begun_to_write_is_removed(make, nights, tmp_path):
    begun = tmp_path / ".training.pt.0123.partial"
    begun.write_bytes(b"PK")
    other = tmp_path / ".notes.txt.0123.partial"
    other.write_bytes(b"")
    make(ResumableCheckpoint(tmp_path), max_epochs=1).fit(*nights)
    assert {path.name for path in tmp_path.iterdir()} == {"training.pt", other.name}


def test_a_full_disk_is_named_and_the_pass_before_stays(make, nights, tmp_path, monkeypatch):
    def fill_up(net, **kwargs):
        if len(net.history) == 2:
            monkeypatch.setattr(resumable.os, "fsync", fail)

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    filling = Callback()
    filling.on_epoch_end = fill_up
    with pytest.raises(OSError, match=r"The disk is full, and this file was not written.*training"):
        make(ResumableCheckpoint(tmp_path), filling).fit(*nights)
    (left,) = tmp_path.iterdir()
    assert len(torch.load(left, weights_only=True)["history"]) == 1
