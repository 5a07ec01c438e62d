"""What classifiers accept as X."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from skorch.helper import SliceDict

from sklearn_sleep.preprocessing import EDFReader, Epocher
from sklearn_sleep.training.inputs import as_epochs


def make_arrays(n_rows=6, **more):
    """Two recordings, whose rows take turns; each sample tells its signal, row and place."""
    rows = np.arange(n_rows)[:, None]
    return {
        "ECG": (1000 + 10 * rows + np.arange(4)).astype(np.float32),
        "THX": (2000 + 10 * rows + np.arange(2)).astype(np.float32),
        "recording": np.array(["b", "a"] * (n_rows // 2)),
        **more,
    }


def test_interleaved_recordings_are_put_together_in_the_order_of_their_rows():
    arrays = make_arrays()
    epochs = as_epochs(SliceDict(**arrays), "Classifier")
    assert len(epochs) == 6
    assert [recording.path for recording in epochs.recordings] == ["b", "a"]
    for night, rows in zip(epochs.nights(), ([0, 2, 4], [1, 3, 5]), strict=True):
        assert night.rows.tolist() == rows
        assert night.epoch.tolist() == [0, 1, 2]
        for name in ("ECG", "THX"):
            np.testing.assert_array_equal(
                night.recording.signals[name].data, arrays[name][rows], strict=True
            )


def test_arrays_come_back_from_epochs():
    arrays = make_arrays()
    arrays["THX"][3] = np.nan
    back = as_epochs(arrays, "Classifier").to_arrays()
    assert set(back) == set(arrays)
    for name, values in arrays.items():
        np.testing.assert_array_equal(back[name], values)


def test_mask_and_nan_rows_say_the_same():
    mask = np.ones((6, 2), dtype=bool)
    mask[[1, 2], 0] = False
    mask[5, 1] = False
    masked = as_epochs(make_arrays(mask=mask), "Classifier").to_arrays()
    arrays = make_arrays()
    arrays["ECG"][[1, 2]] = np.nan
    arrays["THX"][5] = np.nan
    missing = as_epochs(arrays, "Classifier").to_arrays()
    for name in ("ECG", "THX"):
        np.testing.assert_array_equal(masked[name], arrays[name])
        np.testing.assert_array_equal(missing[name], arrays[name])


def test_the_arrays_of_the_user_are_not_written_to():
    arrays = make_arrays(mask=np.zeros((6, 2), dtype=bool))
    before = pickle.dumps(arrays)
    as_epochs(arrays, "Classifier")
    assert pickle.dumps(arrays) == before


def test_recording_of_which_a_signal_is_masked_throughout_lacks_it():
    mask = np.ones((6, 2), dtype=bool)
    mask[1::2, 0] = False
    epochs = as_epochs(make_arrays(mask=mask), "Classifier")
    assert [list(r.signals) for r in epochs.recordings] == [["ECG", "THX"], ["THX"]]
    everything = as_epochs(make_arrays(mask=np.zeros((6, 2), dtype=bool)), "Classifier")
    assert [list(r.signals) for r in everything.recordings] == [[], []]


def test_samples_per_epoch_and_subject_are_those_of_the_arrays():
    subject = np.array(["p1", "p2"] * 3)
    epochs = as_epochs(make_arrays(subject=subject), "Classifier")
    assert epochs.samples_per_epoch == {"ECG": 4, "THX": 2}
    assert [recording.subject for recording in epochs.recordings] == ["p1", "p2"]
    assert epochs.recordings[0].signals["ECG"].definition.samples_per_epoch == 4


def test_recordings_named_by_numbers_and_no_rows_at_all():
    epochs = as_epochs(make_arrays(recording=np.array([7, 7, 7, 3, 3, 3])), "Classifier")
    assert [(r.path, r.n_epochs) for r in epochs.recordings] == [("7", 3), ("3", 3)]
    assert len(as_epochs(make_arrays(0), "Classifier")) == 0


def test_slices_of_a_slice_dict_are_taken():
    arrays = SliceDict(**make_arrays())
    epochs = as_epochs(arrays[np.array([4, 1])], "Classifier")
    np.testing.assert_array_equal(epochs.to_arrays()["ECG"], arrays["ECG"][[4, 1]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ECG": np.zeros((5, 4))}, "'ECG' must have the shape (6, samples_per_epoch)"),
        ({"ECG": np.zeros(6)}, "but has (6,)"),
        ({"ECG": np.zeros((6, 1, 4))}, "but has (6, 1, 4)"),
        ({"mask": np.ones((6, 3), dtype=bool)}, "shape (6, 2)"),
        ({"mask": np.ones((5, 2), dtype=bool)}, "a column for each of ['ECG', 'THX']"),
        ({"mask": np.ones((6, 2))}, "must be boolean"),
        ({"Glucose": np.zeros((6, 1))}, "'Glucose' is not a known signal"),
        (
            {"recording": np.array(["a", None, "b", "b", None, "a"], dtype=object)},
            "'recording' is missing in 2 rows",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        as_epochs(make_arrays(**change), "Classifier")


@pytest.mark.parametrize("missing", ["recording", "signals"])
def test_signals_and_recordings_are_both_needed(missing):
    arrays = make_arrays()
    names = ["recording"] if missing == "recording" else ["ECG", "THX"]
    for name in names:
        del arrays[name]
    with pytest.raises(ValueError, match="together with 'recording'"):
        as_epochs(arrays, "Classifier")


@pytest.mark.parametrize("X", [np.zeros((3, 4)), pd.DataFrame({"recording": ["a"]}), "night.edf"])
def test_anything_else_is_refused_with_the_steps_that_are_missing(X):
    with pytest.raises(TypeError, match=r"MyClassifier takes .* EDFReader\(signals"):
        as_epochs(X, "MyClassifier")


def test_epochs_of_a_pipeline_are_taken_once_they_are_cut(data_folder):
    whole = EDFReader(["EEG"]).fit_transform(data_folder / "sleep-edf-5min.edf")
    with pytest.raises(ValueError, match=r"MyClassifier needs .* Epocher\(\)"):
        as_epochs(whole, "MyClassifier")
    cut = Epocher().fit_transform(whole)
    assert as_epochs(cut, "MyClassifier") is cut
