"""Epochs: rows over recordings, as scikit-learn handles them."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, train_test_split
from sklearn.utils import _safe_indexing, indexable

from sklearn_sleep.core.epochs import Epochs, Night, make_epoch_table, warn_of_split_nights
from sklearn_sleep.core.recording import Recording
from sklearn_sleep.core.signals import SIGNALS
from sklearn_sleep.core.sources import ArraySource
from sklearn_sleep.exceptions import SplitNightWarning
from sklearn_sleep.preprocessing import EDFReader, Epocher, Resampler

LENGTHS = {"a": 4, "b": 3, "c": 5}


class UnreadableSource:
    """A recording of which nothing may be read."""

    def __init__(self, path, n_epochs):
        self.path = path
        self.n_epochs = n_epochs
        self.subject = self.dataset = ""
        self.start = None
        self.names = ("ECG",)
        self.identity = {}

    def signal(self, name):
        raise AssertionError(f"{name} of {self.path} was looked up.")


def make_recording(path, n_epochs, names=("ABD", "THX")):
    """Make a recording each of whose samples tells its recording, signal and epoch."""
    epochs = np.arange(n_epochs)[:, None]
    arrays = {
        name: (ord(path[0]) + 0.1 * i + 0.001 * epochs + np.zeros(256)).astype(np.float32)
        for i, name in enumerate(names)
    }
    return Recording(ArraySource(path, arrays, SIGNALS, n_epochs=n_epochs))


def make_epochs(rows, **columns):
    """Make epochs of rows such as "b2", in this order."""
    table = pd.DataFrame(
        {
            "recording": pd.Categorical([row[0] for row in rows], categories=list("zabc")),
            "epoch": [int(row[1:]) for row in rows],
            **columns,
        }
    )
    names = sorted(set(table["recording"]))
    recordings = [make_recording(name, LENGTHS[name]) for name in names]
    return Epochs(table, recordings, [names.index(name) for name in table["recording"]])


def named(epochs):
    """Return the rows as they are said to `make_epochs`, told by table and recordings alike."""
    paths = [epochs.recordings[i].path for i in epochs.recording_index]
    assert paths == epochs.table["recording"].tolist()
    return [f"{path}{epoch}" for path, epoch in zip(paths, epochs.table["epoch"], strict=True)]


ROWS = ["b2", "a0", "a3", "c1", "b0", "a1", "c4", "a0"]


@pytest.mark.parametrize(
    ("key", "kept"),
    [
        (np.array([6, 0, 0]), ["c4", "b2", "b2"]),
        ([1, -1], ["a0", "a0"]),
        (slice(2, 5), ["a3", "c1", "b0"]),
        (slice(None, None, -3), ["a0", "b0", "a0"]),
        (np.arange(8) % 4 == 0, ["b2", "b0"]),
        ([False] * 7 + [True], ["a0"]),
        (pd.Series([True] + [False] * 7), ["b2"]),
        (3, ["c1"]),
        (np.int64(3), ["c1"]),
        ((np.array([3, 4]), ...), ["c1", "b0"]),
        ([], []),
        (slice(0, 0), []),
    ],
    ids=str,
)
def test_indexing_keeps_rows_whole(key, kept):
    epochs = make_epochs(ROWS)[key]
    assert isinstance(epochs, Epochs)
    assert (len(epochs), epochs.shape) == (len(kept), (len(kept),))
    assert named(epochs) == kept
    assert {recording.path for recording in epochs.recordings} == {row[0] for row in kept}


@pytest.mark.parametrize("key", [np.array([8]), [True, False], slice("a", "b")], ids=str)
def test_indexing_beyond_the_rows_is_refused(key):
    with pytest.raises((IndexError, TypeError)):
        make_epochs(ROWS)[key]


def test_scikit_learn_takes_epochs_for_an_array():
    epochs = make_epochs(ROWS)
    assert named(_safe_indexing(epochs, np.array([0, 3]))) == ["b2", "c1"]
    assert named(_safe_indexing(epochs, slice(0, 2))) == ["b2", "a0"]
    assert named(_safe_indexing(epochs, [True] + [False] * 7)) == ["b2"]
    indexable(epochs, np.zeros(8))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        indexable(epochs, np.zeros(7))
    train, test, y_train, y_test = train_test_split(epochs, ROWS, random_state=0)
    assert named(train) == y_train
    assert named(test) == y_test
    assert sorted(y_train + y_test) == sorted(ROWS)


def test_iteration_ends():
    assert [named(row) for row in make_epochs(ROWS[:3])] == [["b2"], ["a0"], ["a3"]]


def test_nights_put_rows_of_a_recording_together():
    epochs = make_epochs(ROWS)
    nights = list(epochs.nights())
    assert [night.recording.path for night in nights] == ["a", "b", "c"]
    assert [night.rows.tolist() for night in nights] == [[1, 2, 5, 7], [0, 4], [3, 6]]
    assert [night.epoch.tolist() for night in nights] == [[0, 3, 1, 0], [2, 0], [1, 4]]
    assert all(night.masks == {} for night in nights)
    assert list(make_epochs([]).nights()) == []


def test_shuffling_rows_changes_only_their_places():
    order = np.random.default_rng(0).permutation(len(ROWS))
    epochs, shuffled = make_epochs(ROWS), make_epochs(ROWS)[order]
    for night in shuffled.nights():
        rows = [f"{night.recording.path}{epoch}" for epoch in night.epoch]
        assert rows == [ROWS[order[row]] for row in night.rows]
    np.testing.assert_array_equal(
        shuffled.to_arrays()["THX"], epochs.to_arrays()["THX"][order], strict=True
    )


def test_masks_go_with_their_rows():
    epochs = make_epochs(ROWS, THX=[True, False, True, True, False, True, True, False], PPG=False)
    night_a, night_b, night_c = epochs.nights()
    assert night_a.masks["THX"].tolist() == [False, True, True, False]
    assert night_b.masks["THX"].tolist() == [True, False]
    assert night_c.masks["THX"].tolist() == [True, True]
    # No recording has a PPG, which the column then says nothing of.
    assert set(night_a.masks) == {"THX"}


def may_use(n_epochs, epoch, values):
    night = Night(
        make_recording("a", n_epochs),
        np.arange(len(epoch)),
        np.array(epoch),
        {"THX": np.array(values, dtype=bool)},
    )
    return night.may_use("THX").astype(int).tolist()


def test_epochs_without_a_row_take_the_value_of_the_nearest_that_has_one():
    assert may_use(9, [2, 6], [1, 0]) == [1, 1, 1, 1, 1, 0, 0, 0, 0]  # epoch 4: the earlier of two
    assert may_use(9, [6, 2], [1, 0]) == [0, 0, 0, 0, 0, 1, 1, 1, 1]
    assert may_use(8, [2, 5], [1, 0]) == [1, 1, 1, 1, 0, 0, 0, 0]
    assert may_use(3, [1], [0]) == [0, 0, 0]
    assert may_use(4, [3, 1, 3], [1, 0, 1]) == [0, 0, 0, 1]


@pytest.mark.parametrize("seed", range(5))
def test_nearest_row_is_that_of_a_search_by_hand(seed):
    rng = np.random.default_rng(seed)
    epoch = rng.choice(60, size=7, replace=False)
    values = rng.random(7) < 0.5
    expected = []
    for place in range(60):
        distance, _, value = min(
            (abs(e - place), e, v) for e, v in zip(epoch.tolist(), values, strict=True)
        )
        assert distance >= 0
        expected.append(int(value))
    assert may_use(60, epoch, values) == expected


def test_signal_without_a_column_may_be_used():
    night = next(make_epochs(["a0"]).nights())
    assert night.may_use("THX").tolist() == [True] * 4


def test_an_epoch_named_with_and_without_a_signal_is_refused():
    with pytest.raises(ValueError, match="Epoch 3 of a is named twice, once with THX=True"):
        may_use(4, [0, 3, 3], [1, 1, 0])


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pd.array([True, False, None], dtype="boolean"), [True, False, True]),
        (np.array([True, False, np.nan], dtype=object), [True, False, True]),
        (np.array([1, 0, 1]), [True, False, True]),
    ],
    ids=["nullable", "object", "int"],
)
def test_columns_that_mean_a_mask_are_taken(column, expected):
    (night,) = make_epochs(["a0", "a1", "a2"], THX=column).nights()
    assert night.masks["THX"].tolist() == expected


@pytest.mark.parametrize("column", [["True", "False", "no"], [0.2, 0.0, 71.5]])
def test_columns_that_are_no_mask_are_refused(column):
    with pytest.raises(ValueError, match=r"column 'THX' .* must hold True and False"):
        list(make_epochs(["a0", "a1", "a2"], THX=column).nights())


def test_arrays_are_the_samples_of_the_rows():
    epochs = make_epochs(ROWS, ABD=[True] * 3 + [False] * 2 + [True] * 3)
    arrays = epochs.to_arrays()
    assert set(arrays) == {"ABD", "THX", "recording"}
    assert arrays["recording"].tolist() == [row[0] for row in ROWS]
    for i, name in enumerate(("ABD", "THX")):
        assert arrays[name].shape == (8, 256)
        assert arrays[name].dtype == np.float32
        expected = [ord(row[0]) + 0.1 * i + 0.001 * int(row[1:]) for row in ROWS]
        if name == "ABD":
            expected[3] = expected[4] = np.nan
        np.testing.assert_allclose(arrays[name][:, 17], expected, rtol=1e-6)


def test_arrays_are_nan_where_a_recording_lacks_a_signal():
    table = make_epoch_table(["a", "b", "c"], [[0, 1], [0], [0]])
    recordings = [
        make_recording("a", 4, ["THX"]),
        make_recording("b", 3, ["ABD"]),
        make_recording("c", 5, []),
    ]
    arrays = Epochs(table, recordings, [0, 0, 1, 2]).to_arrays()
    assert np.isnan(arrays["THX"]).all(axis=1).tolist() == [False, False, True, True]
    assert np.isnan(arrays["ABD"]).all(axis=1).tolist() == [True, True, False, True]


def test_arrays_need_epochs_of_one_length(write_edf):
    rng = np.random.default_rng(0)
    paths = [
        write_edf(f"{rate}.edf", ("Thor", rng.uniform(-1, 1, 60 * rate), rate, "", (-1, 1)))
        for rate in (8, 10)
    ]
    epochs = EDFReader(["THX"]).fit_transform(paths)
    with pytest.raises(ValueError, match=r"to_arrays\(\) needs .* Epocher\(\)"):
        epochs.to_arrays()
    message = r"THX of .*10.edf has 300 samples per epoch, others have 240. Put Resampler\(\)"
    with pytest.raises(ValueError, match=message):
        Epocher().fit_transform(epochs).to_arrays()
    resampled = Epocher().fit_transform(Resampler().fit_transform(epochs))
    assert resampled.samples_per_epoch == {"THX": 256}
    assert resampled.to_arrays()["THX"].shape == (4, 256)


def test_pickle_holds_no_samples(data_folder):
    path = data_folder / "mitdb-100.edf"
    epochs = Epocher().fit_transform(Resampler().fit_transform(EDFReader(["ECG"]).transform(path)))
    pickled = pickle.dumps(epochs)
    assert len(pickled) < 10_000
    back = pickle.loads(pickled)  # noqa: S301 - made a line above
    pd.testing.assert_frame_equal(back.table, epochs.table)
    np.testing.assert_array_equal(back.to_arrays()["ECG"], epochs.to_arrays()["ECG"])


def test_ten_thousand_nights_are_a_small_table_that_scikit_learn_splits():
    n_nights, n_epochs = 10_000, 1000
    names = [f"polysomnography/edfs/shhs1/shhs1-{200001 + i}.edf" for i in range(n_nights)]
    table = make_epoch_table(names, [np.arange(n_epochs, dtype=np.int32)] * n_nights)
    assert len(table) == n_nights * n_epochs
    assert table.memory_usage(index=True, deep=True).sum() < 100e6

    recordings = [Recording(UnreadableSource(name, n_epochs)) for name in names]
    codes = table["recording"].cat.codes.to_numpy()
    epochs = Epochs(table, recordings, codes)
    groups = codes // 2  # two visits each
    train, test = next(GroupKFold(5).split(epochs, groups=groups))
    assert not set(np.unique(groups[train])) & set(np.unique(groups[test]))
    part = epochs[test]
    assert len(part) == len(test) == 2_000_000
    assert len(part.recordings) == 2000
    first, last = part.table.iloc[0], part.table.iloc[-1]
    assert part.recordings[part.recording_index[0]].path == first["recording"]
    assert part.recordings[part.recording_index[-1]].path == last["recording"]
    night = next(part.nights())
    assert night.epoch.tolist() == list(range(n_epochs))


def test_half_of_a_night_is_warned_of():
    whole = make_epochs(["a0", "a1", "a2", "a3", "b0", "b1", "b2"])
    warn_of_split_nights(whole)
    warn_of_split_nights(whole[::-1])
    with pytest.warns(SplitNightWarning, match=r"part of 1 of 2 nights \(b\).*groups="):
        warn_of_split_nights(whole[:6])
    # The same epoch twice is no second one.
    with pytest.warns(SplitNightWarning, match=r"part of 1 of 1 nights \(b\)"):
        warn_of_split_nights(make_epochs(["b0", "b1", "b1"]))


def test_a_few_epochs_without_a_row_are_no_split():
    table = make_epoch_table(["a", "b"], [np.arange(90), np.arange(89)])
    recordings = [make_recording("a", 100, ["ABD"]), make_recording("b", 100, ["ABD"])]
    epochs = Epochs(table, recordings, table["recording"].cat.codes)
    with pytest.warns(SplitNightWarning, match=r"part of 1 of 2 nights \(b\)"):
        warn_of_split_nights(epochs)


def test_scored_epochs_tell_how_many_rows_a_night_has():
    rows = ["a1", "a2", "b0", "b1", "b2"]
    warn_of_split_nights(make_epochs(rows, scored_epochs=[2, 2, 3, 3, 3]))
    with pytest.warns(SplitNightWarning, match=r"part of 1 of 2 nights \(a\)"):
        warn_of_split_nights(make_epochs(rows, scored_epochs=[3, 3, 3, 3, 3]))
    # A night of another table, which does not say.
    with pytest.warns(SplitNightWarning, match=r"part of 1 of 2 nights \(a\)"):
        warn_of_split_nights(make_epochs(rows, scored_epochs=[np.nan, np.nan, 3, 3, 3]))


def test_many_split_nights_are_abbreviated():
    recordings = [make_recording(name, 10, ["ABD"]) for name in "abcde"]
    epochs = Epochs(make_epoch_table(list("abcde"), [[0]] * 5), recordings, np.arange(5))
    with pytest.warns(SplitNightWarning, match=r"part of 5 of 5 nights \(a, b, c and 2 more\)"):
        warn_of_split_nights(epochs)
