"""The commands, from EDF files to CSV files and figures."""

import shutil
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pyedflib
import pytest
from sklearn.pipeline import Pipeline
from skorch.callbacks import Callback
from small import make_quick, make_small_pipeline

from sklearn_sleep import commands
from sklearn_sleep.__main__ import main
from sklearn_sleep.commands import demo as demo_command, train
from sklearn_sleep.commands.demo import by_model
from sklearn_sleep.commands.predict import write_predictions
from sklearn_sleep.core.signals import source_of
from sklearn_sleep.core.stage_schemes import stage_names
from sklearn_sleep.evaluation.displays.hypnogram import HypnogramDisplay
from sklearn_sleep.exceptions import EDFWarning, MissingSignalWarning
from sklearn_sleep.staging.pretrained import load_pretrained

CARDIORESPIRATORY = {"ECG", "PPG", "ABD", "THX"}


@pytest.fixture(scope="module", autouse=True)
def small():
    with pytest.MonkeyPatch.context() as patch:
        for module in (demo_command, train):
            patch.setattr(module, "wav2sleep_pipeline", make_small_pipeline)
        quick = make_quick(demo_command.cardiorespiratory_baseline)
        patch.setattr(demo_command, "cardiorespiratory_baseline", quick)
        yield


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    arguments = ["--subjects", "8", "--hours", "0.5", "--epochs", "1"]
    # Processes take longer to start than what they do.
    with joblib.parallel_config(backend="sequential"):
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
    baseline = both[both["model"] == "cardiorespiratory baseline"]
    assert len(baseline) == 2**4 - 1
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


def test_demo_says_what_each_row_is_for(demo):
    scores = pd.read_csv(demo / "signal-subsets.csv")
    shown = by_model(scores)
    assert shown["signals"].tolist() == scores["signals"].unique().tolist()
    assert shown["as recorded by"].is_unique
    for model, of_model in scores.groupby("model"):
        expected = of_model.set_index("signals")["kappa"][shown["signals"]]
        np.testing.assert_allclose(shown[model], expected, atol=5e-4)


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
        assert main(arguments) == 3
    assert len(list((tmp_path / "out").glob("*.csv"))) == 1
    assert "1 of 2 nights" in capsys.readouterr().out


def test_predict_goes_on_after_a_night_that_breaks_while_it_is_staged(
    model, cohort, tmp_path, monkeypatch, capsys
):
    nights = cohort.recordings["path"][:3].tolist()
    predict_proba = Pipeline.predict_proba

    def fail(pipeline, X):
        if X["recording"].iloc[0] == nights[1]:
            raise RuntimeError("the samples are torn")
        return predict_proba(pipeline, X)

    monkeypatch.setattr(Pipeline, "predict_proba", fail)
    out = tmp_path / "out"
    with pytest.warns(EDFWarning, match=f"{nights[1]} could not be staged.*torn"):
        assert main(["predict", str(model), *nights, "--out", str(out)]) == 3
    assert {path.stem for path in out.glob("*.csv")} == {Path(nights[0]).stem, Path(nights[2]).stem}
    assert "2 of 3 nights" in capsys.readouterr().out


def test_predict_of_nothing_that_can_be_staged(model, tmp_path, capsys):
    broken = tmp_path / "broken.edf"
    broken.write_bytes(b"nothing of the kind")
    nights = [str(broken), str(tmp_path / "nowhere.edf"), str(tmp_path)]
    with pytest.warns(EDFWarning):
        assert main(["predict", str(model), *nights, "--out", str(tmp_path / "out")]) == 1
    assert "0 of 3 nights" in capsys.readouterr().out


def test_a_night_without_signals_is_not_counted(model, write_edf, tmp_path, capsys):
    nothing = write_edf("nothing.edf", ("Light", np.arange(600.0), 10, "V", (0, 1000)))
    out = tmp_path / "out"
    with pytest.warns(MissingSignalWarning):
        assert main(["predict", str(model), str(nothing), "--out", str(out)]) == 1
    assert "0 of 1 nights" in capsys.readouterr().out
    assert set(pd.read_csv(out / "nothing.csv")["stage"]) == {"?"}


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_predictions_are_not_written_over_without_force(model, cohort, tmp_path, capsys):
    arguments = ["predict", str(model), cohort.recordings["path"][0], "--out", str(tmp_path)]
    assert main(arguments) == 0
    (table,) = tmp_path.glob("*.csv")
    table.write_text("corrected by hand")
    before = contents(tmp_path)
    assert main(arguments) == 2
    assert "is not empty. Give another folder, or --force" in capsys.readouterr().err
    assert contents(tmp_path) == before
    assert main([*arguments, "--force"]) == 0
    assert table.read_text().startswith("epoch,onset_s,stage")


@pytest.mark.parametrize("command", ["demo", "train"])
def test_folders_in_use_are_not_written_into_without_force(command, cohort, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("Sleep")
    before = contents(tmp_path)
    where = {"demo": ["demo", "--out"], "train": ["train", cohort.nights[0].folder, "--save"]}
    arguments = [*map(str, where[command]), str(tmp_path)]
    assert main(arguments) == 2
    assert main([*arguments[:-1], str(tmp_path / "thesis.txt"), "--force"]) == 2
    printed = capsys.readouterr().err.splitlines()
    assert "is not empty" in printed[0]
    assert "is a file" in printed[1]
    assert contents(tmp_path) == before


def test_a_model_is_replaced_with_force(model, cohort, tmp_path):
    saved = shutil.copytree(model, tmp_path / "model")
    arguments = ["train", str(cohort.nights[0].folder), "--save", str(saved), "--force"]
    assert main([*arguments, "--epochs", "1", "--signals", "THX"]) == 0
    assert {source_of(name) for name in load_pretrained(saved)[-1].signals_} == {"THX"}


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("demo", ["--subjects", "0"]),
        ("demo", ["--epochs", "-1"]),
        ("demo", ["--seed", "-1"]),
        ("demo", ["--hours", "long"]),
        ("train cohort", ["--folds", "1"]),
        ("train cohort", ["--stages", "6"]),
        ("ingest cohort", ["--jobs", "0"]),
        ("ingest cohort", ["--format", "zip"]),
    ],
)
def test_options_that_cannot_be(command, options, tmp_path, capsys):
    where = "--save" if command.startswith("train") else "--out"
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), where, str(tmp_path / "new"), *options])
    assert ended.value.code == 2
    assert options[0] in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


class Interrupt(Callback):
    def on_batch_begin(self, net, **kwargs):
        interrupt = KeyboardInterrupt()
        interrupt.add_note("training.pt holds the 2 pass(es) that were complete.")
        raise interrupt


def test_a_training_that_is_interrupted_saves_nothing(cohort, tmp_path, monkeypatch, capsys):
    make = train.wav2sleep_pipeline

    def make_interrupted(**parameters):
        return make(**parameters).set_params(wav2sleepclassifier__callbacks=[Interrupt()])

    monkeypatch.setattr(train, "wav2sleep_pipeline", make_interrupted)
    save = tmp_path / "model"
    assert (
        main(["train", str(cohort.nights[0].folder), "--save", str(save), "--epochs", "1"]) == 130
    )
    assert not save.exists()
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1] == (
        "Interrupted. training.pt holds the 2 pass(es) that were complete."
    )
    assert "The model is in" not in printed.out


@pytest.mark.parametrize(
    "error",
    [PermissionError(13, "Permission denied", "out"), OSError(28, "No space left on device")],
)
def test_what_the_system_refuses_is_said_in_a_line(error, model, tmp_path, monkeypatch, capsys):
    def fail(*arguments, **parameters):
        raise error

    monkeypatch.setattr(commands.predict, "write_predictions", fail)
    night = tmp_path / "night.edf"
    with pytest.warns(EDFWarning):
        assert main(["predict", str(model), str(night), "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.splitlines() == [f"{type(error).__name__}: {error}"]


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
    assert {source_of(name) for name in pipeline[-1].signals_} == {"THX"}


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


def test_nights_without_signals_are_written_as_not_staged(
    fitted_pipeline, cohort, tmp_path, monkeypatch
):
    titles = []
    plot = HypnogramDisplay.plot

    def plot_and_remember(self, *, title=None):
        titles.append((title, np.asarray(self.hypnogram).tolist()))
        return plot(self, title=title)

    monkeypatch.setattr(HypnogramDisplay, "plot", plot_and_remember)
    two = cohort.X["recording"].isin(cohort.recordings["path"][:2]).to_numpy()
    X, y = cohort.X[two].reset_index(drop=True), cohort.y[two]
    second = (X["recording"] == X["recording"].iloc[-1]).to_numpy()
    for name in CARDIORESPIRATORY:
        X[name] = ~second
    with pytest.warns(MissingSignalWarning):
        first_path, second_path = write_predictions(fitted_pipeline, X, tmp_path, y=y)
    tables = pd.read_csv(first_path), pd.read_csv(second_path)
    assert tables[0]["usable_signal"].all()
    assert set(tables[0]["stage"]) <= set(stage_names(4))
    assert not tables[1]["usable_signal"].any()
    assert set(tables[1]["stage"]) == {"?"}
    assert titles[0][0] == first_path.stem
    assert titles[1][0] == f"{second_path.stem}: no usable signal, not staged"
    assert set(titles[1][1]) == {-1}


@pytest.fixture
def laboratory(write_edf, tmp_path):
    """Two nights each of two people, with labels, units and scorers of their own."""
    time = np.arange(0, 300, 0.01)
    ecg = np.exp(-0.5 * ((time % 1 - 0.5) / 0.012) ** 2) + 0.02 * np.sin(time)
    breath = np.sin(2 * np.pi * time[::10] / 4)
    for name in ("P01_N1", "P01_N2", "P02_N1", "P02_N2"):
        channels = [
            ("Kanal 7", ecg, 100, "mV", (-2, 2)),
            ("Brust", breath, 10, "", (-1, 1)),
        ]
        write_edf(f"lab/{name}.edf", *channels[name == "P02_N2" :])
        stages = "\n".join(["Stadium", *["ruhig", "Wach"] * 5])
        (tmp_path / f"lab/{name}_scorer2.csv").write_text(stages)
        (tmp_path / f"lab/{name}.csv").write_text("Stadium\n?\n")
    return tmp_path / "lab"


TOLD = [
    *["--signals", "ECG", "THX", "--channels", "ECG=Kanal 7", "THX=Bauch", "THX=Brust"],
    *["--units", "ECG=uV", "--subject", r"(P\d+)_N\d", "--annotation", r"_scorer2\.csv"],
    *["--stage-names", "ruhig=N2", "--columns", "stage=Stadium"],
]


def test_what_a_laboratory_calls_things_is_told_once(laboratory, tmp_path, capsys):
    model, out = tmp_path / "model", tmp_path / "out"
    options = ["--save", str(model), "--stages", "2", "--epochs", "1"]
    assert main(["train", str(laboratory), *options, *TOLD]) == 0
    printed = capsys.readouterr().out
    assert "4 nights of 2 subjects, 40 scored epochs (Wake 20, Sleep 20)" in printed
    assert "  ECG: Kanal 7 (3), - (1)\n  THX: Brust (4)\n" in printed
    assert "ECG is missing in 1 of 4 nights: P02_N2.edf." in printed
    reader = load_pretrained(model)[0]
    assert reader.channels == {"ECG": "Kanal 7", "THX": ["Bauch", "Brust"]}
    assert reader.units == {"ECG": "uV"}
    nights = sorted(map(str, laboratory.glob("*.edf")))
    signals = reader.transform(nights).recordings[0].signals
    assert signals["ECG"].unit == "uV"
    predict = ["predict", str(model), nights[0], "--out", str(out)]
    assert main(predict) == 0
    assert pd.read_csv(out / "P01_N1.csv")["usable_signal"].all()
    # An option that cannot be is refused before any night is tried.
    assert main([*predict, "--force", "--channels", "EKG=x"]) == 1
    assert "channels names 'EKG'" in capsys.readouterr().err
    # As if they were of yet another laboratory, with other labels.
    with pytest.warns(MissingSignalWarning) as warned:
        assert main([*predict, "--force", "--channels", "ECG=x", "THX=y"]) == 1
    assert "none of the signals ECG, THX" in str(warned[0].message)


def test_ingest_takes_what_train_takes(laboratory, tmp_path, capsys):
    store = tmp_path / "store"
    assert main(["ingest", str(laboratory), "--out", str(store), *TOLD]) == 0
    printed = capsys.readouterr().out
    assert "  ECG: Kanal 7 (3), - (1)\n  THX: Brust (4)\n" in printed
    assert "ECG is missing in 1 of 4 nights: P02_N2.edf." in printed
    report = pd.read_csv(store / "report.csv")
    assert report["subject"].tolist() == ["P01", "P01", "P02", "P02"]
    assert report["ECG channel"].tolist() == ["Kanal 7"] * 3 + ["-"]
    assert report["THX channel"].tolist() == ["Brust"] * 4
    assert report["N2"].tolist() == [5] * 4
    assert "Kanal 7" in (store / "report.html").read_text()
    # What is kept is told as well.
    assert main(["ingest", str(laboratory), "--out", str(store), *TOLD]) == 0
    assert capsys.readouterr().out == printed
    arguments = ["ingest", str(laboratory), "--out", str(tmp_path / "x"), "--subject", "(P.*)_"]
    assert main([*arguments, "--dataset", "shhs"]) == 1
    assert "--subject is not needed with --dataset shhs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"), [("--channels", "ECG"), ("--units", "=ECG"), ("--columns", "ECG=")]
)
def test_pairs_that_are_none(option, value, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["train", "cohort", "--save", str(tmp_path / "new"), option, value])
    assert f"{option}: give " in capsys.readouterr().err
