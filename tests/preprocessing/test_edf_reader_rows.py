"""EDFReader from rows to recordings: what is read when, broken files, parameters."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sklearn_sleep.core.signals import SignalDefinition
from sklearn_sleep.exceptions import (
    EDFError,
    EDFWarning,
    MissingSignalWarning,
)
from sklearn_sleep.io.epoch_tables import epoch_table
from sklearn_sleep.preprocessing import EDFReader


def noise(rate, seconds=60):
    return np.random.default_rng(0).uniform(-0.9, 0.9, round(rate * seconds))


def read(path, *signals):
    (recording,) = EDFReader(list(signals)).fit_transform(path).recordings
    return recording.signals


@pytest.fixture
def reads(monkeypatch):
    import sklearn_sleep.io.edf.source as module

    seen = []
    read_edf_samples = module.read_edf_samples

    def count(header, channel, **scale):
        seen.append(channel.label)
        return read_edf_samples(header, channel, **scale)

    monkeypatch.setattr(module, "read_edf_samples", count)
    return seen


def test_only_what_is_asked_for_is_read_and_only_then(data_folder, reads):
    path = data_folder / "golden/preprocess-shhs-like/night.edf"
    epochs = EDFReader(["ECG", "PPG", "THX"]).fit_transform(path)
    signals = epochs[3:5].recordings[0].signals
    assert [signal.sampling_frequency for signal in signals.values()] == [125, 64, 10]
    assert reads == []
    assert signals["PPG"].data.shape == (360 * 64,)
    assert reads == ["PlethWV"]


def test_difference_reads_each_channel_once(write_edf, reads):
    channels = [(label, noise(50), 50, "uV", (-1, 1)) for label in ("C4", "M1", "M2")]
    signals = read(write_edf("night.edf", *channels), "C4-M1")
    assert signals["C4-M1"].data.shape == (3000,)
    assert reads == ["C4", "M1"]


def test_file_that_changes_after_its_header_was_read_is_refused(write_edf):
    path = write_edf("night.edf", ("ECG", noise(50), 50, "mV", (-1, 1)))
    signals = read(path, "ECG")
    write_edf("night.edf", ("ECG", noise(50, seconds=90), 50, "mV", (-1, 1)))
    with pytest.raises(EDFError, match=r"night\.edf: the file has changed"):
        _ = signals["ECG"].data


@pytest.mark.parametrize("name", ["invalid-date.edf", "zero-data-records.edf"])
def test_real_broken_files_are_refused_with_the_field(data_folder, name):
    with pytest.raises(EDFError, match=f"{name}: field 'number of data records': found '0'"):
        EDFReader(["ECG"]).fit_transform(data_folder / name)


@pytest.fixture
def table_with_broken_files(data_folder, tmp_path):
    """Rows of good, broken, cut and absent files, shuffled, and a y that tells them apart."""
    cut = tmp_path / "cut.edf"
    cut.write_bytes((data_folder / "mitdb-100.edf").read_bytes()[:300])
    files = {
        "good": data_folder / "mitdb-100.edf",
        "broken": data_folder / "zero-data-records.edf",
        "cut": cut,
        "absent": tmp_path / "absent.edf",
    }
    rows = [(str(path), epoch) for path in files.values() for epoch in (0, 7, 30)]
    X = pd.DataFrame(rows, columns=["recording", "epoch"]).sample(frac=1, random_state=0)
    y = X["recording"] + ":" + X["epoch"].astype(str)
    return {name: str(path) for name, path in files.items()}, X, y


def test_broken_files_raise_by_default(table_with_broken_files):
    files, X, _ = table_with_broken_files
    for name, error in (("broken", EDFError), ("cut", EDFError), ("absent", FileNotFoundError)):
        with pytest.raises(error, match=re.escape(files[name])):
            EDFReader(["ECG"]).fit_transform(X[X["recording"] == files[name]])


def test_broken_files_keep_their_rows_if_asked_to_warn(table_with_broken_files):
    files, X, y = table_with_broken_files
    with pytest.warns(EDFWarning) as warned:
        epochs = EDFReader(["ECG"], on_error="warn").fit_transform(X)
    messages = [str(warning.message) for warning in warned]
    assert len(messages) == 3
    for name in ("broken", "cut", "absent"):
        (message,) = [text for text in messages if files[name] in text]
        assert message.endswith(f"The 31 epochs of {files[name]} go on without signals.")
    assert len(epochs) == len(X) == 12
    for night in epochs.nights():
        assert [f"{night.recording.path}:{epoch}" for epoch in night.epoch] == y.iloc[
            night.rows
        ].tolist()
        has_signals = night.recording.path == files["good"]
        assert list(night.recording.signals) == (["ECG"] if has_signals else [])


def test_broken_file_among_paths_has_no_rows(data_folder):
    paths = [data_folder / "zero-data-records.edf", str(data_folder / "mitdb-100.edf")]
    with pytest.warns(EDFWarning, match="X has no rows for .*zero-data-records"):
        epochs = EDFReader(["ECG"], on_error="warn").fit_transform(paths)
    assert len(epochs) == 60
    with pytest.raises(EDFError):
        EDFReader(["ECG"]).fit_transform(paths)


def test_recording_without_any_of_the_signals_is_named_with_its_labels(data_folder):
    with pytest.warns(MissingSignalWarning, match=r"mitdb-100\.edf: none of .*PPG, ABD.*\['ECG'\]"):
        epochs = EDFReader(["PPG", "ABD"]).fit_transform(data_folder / "mitdb-100.edf")
    assert len(epochs) == 60
    assert epochs.signal_names == ()


def test_row_beyond_the_recording_is_refused(data_folder):
    X = epoch_table(data_folder / "mitdb-100.edf")
    X.loc[3, "epoch"] = 60
    message = r"names epoch 60 of .*mitdb-100\.edf, which has 60 whole epochs"
    for on_error in ("raise", "warn"):
        with pytest.raises(ValueError, match=message):
            EDFReader(["ECG"], on_error=on_error).fit_transform(X)


def test_paths_and_tables_mean_the_same(data_folder):
    path = data_folder / "mitdb-100.edf"
    reader = EDFReader(["ECG"])
    expected = reader.fit_transform(epoch_table(path))
    table = pd.DataFrame({"recording": [path] * 60, "epoch": range(60)})
    for X in (path, str(path), [path], (str(path),), table):
        epochs = reader.fit_transform(X)
        assert epochs.table["epoch"].tolist() == expected.table["epoch"].tolist()
        assert epochs.recordings[0].fingerprint == expected.recordings[0].fingerprint


def test_table_of_no_rows(data_folder):
    X = epoch_table(data_folder / "mitdb-100.edf")
    epochs = EDFReader(["ECG"]).fit_transform(X.iloc[:0])
    assert (len(epochs), epochs.recordings) == (0, ())


def test_categories_without_a_row_are_not_opened(data_folder):
    X = epoch_table(data_folder / "mitdb-100.edf")
    X["recording"] = X["recording"].cat.add_categories("absent.edf")
    assert len(EDFReader(["ECG"]).fit_transform(X).recordings) == 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"signals": "ECG"}, "'signals' parameter .* Got 'ECG'"),
        ({"signals": []}, "at least one signal"),
        ({"signals": ["ECG", "PPG", "ECG"]}, "more than once"),
        ({"signals": ["EKG"]}, "'EKG' is not a known signal"),
        ({"signals": None}, "'signals' parameter"),
        ({"signals": ["ECG"], "channels": "EKG"}, "'channels' parameter"),
        ({"signals": ["ECG"], "units": ["mV"]}, "'units' parameter"),
        ({"signals": ["ECG"], "on_error": "ignore"}, "'on_error' parameter"),
        ({"signals": ["ECG"], "verbose": "yes"}, "'verbose' parameter"),
    ],
)
def test_parameters_are_validated_by_fit(parameters, message):
    with pytest.raises(ValueError, match=message):
        EDFReader(**parameters).fit(None)


def test_clone_and_names(data_folder):
    reader = EDFReader(["ECG", SignalDefinition("SpO2", 30)], channels={"ECG": "V5"}, verbose=True)
    copy = clone(reader)
    assert copy.get_params() == reader.get_params()
    assert copy.get_feature_names_out().tolist() == ["ECG", "SpO2"]
    assert "EDFReader" in repr(copy)


def test_progress_is_shown_only_if_asked_for(data_folder, capsys):
    EDFReader(["ECG"]).fit_transform(data_folder / "mitdb-100.edf")
    assert capsys.readouterr() == ("", "")
    EDFReader(["ECG"], verbose=True).fit_transform(data_folder / "mitdb-100.edf")
    assert "Reading headers: 100%" in capsys.readouterr().err


def test_valid_files_give_no_warning(data_folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(data_folder / "golden/preprocess-shhs-like/night.edf", "ECG", "PPG", "THX", "ABD")
