"""The commands, from EDF files to CSV files and figures."""

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pyedflib
import pytest

from sklearn_sleep.__main__ import main
from sklearn_sleep.core.stages import stage_names
from sklearn_sleep.exceptions import EDFWarning
from sklearn_sleep.staging.pretrained import load_pretrained

CARDIORESPIRATORY = {"ECG", "PPG", "ABD", "THX"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    arguments = ["--subjects", "8", "--hours", "0.5", "--epochs", "1"]
    assert main(["demo", "--out", str(folder), *arguments]) == 0
    return folder


@pytest.fixture(scope="module")
def model(cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "new" / "model"
    night = cohort.nights[0].folder
    assert main(["train", str(night), "--save", str(folder), "--epochs", "1"]) == 0
    return folder


def test_demo_scores_every_subset_of_signals(demo):
    both = pd.read_csv(demo / "signal-subsets.csv")
    baseline = both[both["model"] == "HRV baseline"]
    assert set(baseline["signals"]) == {"ECG + PPG", "ECG", "PPG"}
    assert baseline["kappa"].between(-1, 1).all()
    table = both[both["model"] == "wav2sleep"]
    subsets = [set(names.split(" + ")) for names in table["signals"]]
    assert subsets[0] == CARDIORESPIRATORY
    assert len(subsets) == 2**4 - 1
    assert table["kappa"].between(-1, 1).all()
    assert table["accuracy"].between(0, 1).all()
    # Nights without the one signal of a subset are not counted.
    held_out = [path.stem for path in (demo / "predictions").glob("*.csv")]
    with_ppg = 0
    for recording in (demo / "cohort").rglob("*.edf"):
        with pyedflib.EdfReader(str(recording)) as reader:
            labels = " ".join(reader.getSignalLabels())
        with_ppg += recording.stem in held_out and ("Pleth" in labels or "PWF" in labels)
    assert table.loc[table["signals"] == "PPG", "nights"].item() == with_ppg


def test_demo_writes_stages_and_figures_of_held_out_nights(demo):
    files = sorted((demo / "predictions").glob("*.csv"))
    scored = pd.read_csv(demo / "signal-subsets.csv").iloc[0]
    assert len(files) == scored["nights"]
    tables = [pd.read_csv(path) for path in files]
    assert sum(map(len, tables)) == scored["epochs"]
    accuracy = np.mean(pd.concat(tables)["scored"] == pd.concat(tables)["stage"])
    assert accuracy == pytest.approx(scored["accuracy"])
    for path, table in zip(files, tables, strict=True):
        assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        assert table["epoch"].is_monotonic_increasing
        np.testing.assert_allclose(table["onset_s"], table["epoch"] * 30)
        probabilities = table[[f"probability_{name}" for name in stage_names(4)]]
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-3)
        most_probable = np.array(stage_names(4))[probabilities.to_numpy().argmax(axis=1)]
        clear = np.sort(probabilities, axis=1)[:, -1] - np.sort(probabilities, axis=1)[:, -2] > 1e-3
        assert (table["stage"][clear] == most_probable[clear]).all()


def test_predict_equals_the_saved_pipeline(model, cohort, tmp_path):
    nights = [str(path) for path in cohort.recordings["path"][:2]]
    assert main(["predict", str(model), *nights, "--out", str(tmp_path)]) == 0
    pipeline = load_pretrained(model)
    for night in nights:
        name = night.rsplit("/", 1)[-1].removesuffix(".edf")
        table = pd.read_csv(tmp_path / f"{name}.csv")
        expected = np.array(stage_names(4))[pipeline.predict(night)]
        np.testing.assert_array_equal(table["stage"], expected)
        assert "scored" not in table
        assert (tmp_path / f"{name}.png").exists()


def test_predict_goes_on_after_a_night_that_cannot_be_read(model, cohort, tmp_path, capsys):
    broken = tmp_path / "broken.edf"
    broken.write_bytes(b"nothing of the kind")
    night = cohort.recordings["path"][0]
    arguments = ["predict", str(model), str(broken), night, "--out", str(tmp_path / "out")]
    with pytest.warns(EDFWarning, match=r"broken\.edf"):
        assert main(arguments) == 0
    assert len(list((tmp_path / "out").glob("*.csv"))) == 1
    assert "1 of 2 nights" in capsys.readouterr().out


def test_nights_of_the_same_name_do_not_overwrite_each_other(model, cohort, tmp_path):
    night = cohort.recordings["path"][0]
    copy = tmp_path / "copy" / night.rsplit("/", 1)[-1]
    copy.parent.mkdir()
    shutil.copy(night, copy)
    assert main(["predict", str(model), night, str(copy), "--out", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").glob("*.csv"))) == 2


def test_train_with_cross_validation_and_other_stages(cohort, tmp_path, capsys):
    arguments = ["--signals", "THX", "--stages", "2", "--folds", "2", "--epochs", "1"]
    folder = cohort.nights[0].folder
    assert main(["train", str(folder), "--save", str(tmp_path / "model"), *arguments]) == 0
    printed = capsys.readouterr().out
    assert "test_kappa by night" in printed
    assert "Wake" in printed
    pipeline = load_pretrained(tmp_path / "model")
    assert list(pipeline.classes_) == [0, 1]
    assert pipeline[-1].signals_ == ("THX",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "no-such-folder", "--save", "model"], "no-such-folder is not a folder"),
        (["predict", "no-such-model", "night.edf", "--out", "out"], "no-such-model"),
    ],
)
def test_faults_of_the_user_are_said_in_a_line(arguments, message, capsys):
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_it_runs_as_a_module():
    help_text = subprocess.run(
        [sys.executable, "-m", "sklearn_sleep", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for command in ("demo", "train", "predict"):
        assert command in help_text


def test_import_is_light():
    """The package imports without torch, mne and matplotlib."""
    program = (
        "import sys, sklearn_sleep; "
        "heavy = {'torch', 'mne', 'transformers', 'matplotlib'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
