"""The examples run, in a small size."""

import importlib.util
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import joblib
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score
from small import FEW_LAYERS, SMALL_NETWORK, make_quick, make_small_pipeline

import sklearn_sleep
from sklearn_sleep import (
    cardiorespiratory_baseline,
    eeg_baseline,
    hrv_baseline,
    tiny_vlm,
)

FOLDER = Path(__file__).parent.parent / "examples"
EXPERIMENTS = {
    "masking": (15 * 2, ["masking", "no masking"]),
    "ppg_masking_sweep": (2 * 4, [f"PPG masked with {p}" for p in ("0", "0.1", "0.5", "0.9")]),
    "epoch_mixers": (6 * 2, ["attention", "concatenation"]),
    "joint_training": (3, ["joint training", "PPG nights alone", "transfer from ECG"]),
    "unified_or_specialised": (5 * 2, ["unified", "specialised"]),
}
SUBJECTS_OF_SMALL_SIZE = 8


@pytest.fixture
def load(monkeypatch):
    """Load an example as Python does that runs it as a script."""
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(sklearn_sleep, "wav2sleep_pipeline", make_small_pipeline)
    monkeypatch.delitem(sys.modules, "experiments", raising=False)

    def load_example(name):
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    # Processes take longer to start than what they do.
    with joblib.parallel_config(backend="sequential"):
        yield load_example


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return tmp_path_factory.mktemp("examples") / "cohort"


@pytest.fixture
def experiment(load, cohort):
    arguments = ["--size", "small", "--cohort", str(cohort)]
    return load("experiments").Experiment("test", "Is it?", arguments, n_seeds=1)


def test_compare_with_baselines(load, tmp_path):
    arguments = ["--size", "small", "--folder", str(tmp_path), "--out", str(tmp_path / "out")]
    module = load("compare_with_baselines")
    module.SIZES["small"] = (4, 0.5, 2, {"max_epochs": 1, **SMALL_NETWORK, **FEW_LAYERS})
    module.SIGNALS = ("ECG", "THX")
    for baseline in (eeg_baseline, hrv_baseline, cardiorespiratory_baseline):
        setattr(module, baseline.__name__, make_quick(baseline))
    comparison = module.main(arguments)
    assert len(comparison.estimators) == 6
    kappa = comparison.summary().loc["kappa", "fold_mean"]
    assert kappa["EEG baseline"] > 0.3
    assert len(comparison.differences("HRV baseline")) == 5
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"scores.csv", "differences.csv", "scores.png"}
    assert len(list((tmp_path / "fits").glob("*.npz"))) == 2 * 6


def test_stage_by_looking(load, tmp_path):
    arguments = ["--size", "small", "--folder", str(tmp_path), "--out", str(tmp_path / "out")]
    module = load("stage_by_looking")
    module.SIZES["small"] = (4, 0.5, 2, 1, 1)
    module.MONTAGE = replace(module.MONTAGE, width=112, height=56)
    module.tiny_vlm = partial(tiny_vlm, hidden_size=32, n_layers=1)
    for baseline in (eeg_baseline, hrv_baseline):
        setattr(module, baseline.__name__, make_quick(baseline))
    comparison = module.main(arguments)
    assert comparison.estimators[-1] == "vision-language model"
    assert comparison.predictions["y_pred"].isin(range(5)).all()
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"scores.csv", "differences.csv", "scores.png", "saliency.png"}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment(name, load, cohort, tmp_path, capsys):
    n_rows, models = EXPERIMENTS[name]
    table = load(name).main(["--size", "small", "--cohort", str(cohort), "--out", str(tmp_path)])

    assert len(table) == n_rows
    assert set(table["model"]) == set(models)
    assert not table.duplicated(["signals", "model"]).any()
    assert table["kappa"].between(-1, 1).all()
    assert table["SD over seeds"].between(0, 2).all()
    reference, others = table["low"].isna(), table[table["low"].notna()]
    assert len(set(table[reference]["model"])) == 1
    assert (reference.sum(), len(others)) == (n_rows / len(models), n_rows - reference.sum())
    difference = others.filter(like=" minus this").squeeze(axis=1)
    kappa = table[reference].set_index("signals")["kappa"]
    np.testing.assert_allclose(
        difference, kappa.loc[others["signals"]].to_numpy() - others["kappa"], atol=1e-12
    )
    assert (others["low"] <= difference + 1e-12).all()
    assert (difference <= others["high"] + 1e-12).all()

    written = pd.read_csv(tmp_path / f"{name}.csv")
    pd.testing.assert_frame_equal(written, table, check_dtype=False)
    height, width, _ = matplotlib.image.imread(tmp_path / f"{name}.png").shape
    assert min(height, width) > 300
    page = (tmp_path / f"{name}.md").read_text(encoding="utf-8")
    assert f"({name}.png)" in page
    assert page.count("\n| ") == 2 + n_rows
    printed = capsys.readouterr().out
    verdicts = ("agrees with the paper", "does not agree with the paper", "cannot tell")
    finding = next(line for line in page.splitlines() if line.startswith("Kappa "))
    assert any(words in finding for words in verdicts)
    assert finding in printed


def test_transfer(load, tmp_path, capsys):
    module = load("transfer")
    network = {**SMALL_NETWORK, **FEW_LAYERS}
    size = module.SIZES["small"]
    module.SIZES["small"] = replace(
        size, on_a={**size.on_a, **network}, anew={**size.anew, **network}
    )
    arguments = ["--size", "small", "--cohort", str(tmp_path), "--out", str(tmp_path / "out")]
    table = module.main(arguments)
    assert table["model"].tolist() == ["fine-tuned", "from scratch"]
    assert table["nights"].tolist() == [2, 2]
    difference = table.loc[1, "fine-tuned minus this"]
    assert difference == pytest.approx(table.loc[0, "kappa"] - table.loc[1, "kappa"])
    assert table.loc[1, "low"] <= difference <= table.loc[1, "high"]
    assert {path.name for path in tmp_path.glob("checkpoint-*")} == {"checkpoint-0", "checkpoint-1"}
    written = (tmp_path / "out" / "transfer.md").read_text(encoding="utf-8")
    assert f"{difference:+.3f} (95% interval" in written
    assert written in capsys.readouterr().out


def test_costs_of_unified_and_specialised(load, cohort, tmp_path):
    arguments = ["--size", "small", "--cohort", str(cohort), "--out", str(tmp_path)]
    module = load("unified_or_specialised")
    module.SUBSETS = (("THX",),)
    table = module.main(arguments).set_index("model")
    assert (table[["training (s)", "staging a night (s)"]] > 0).all(axis=None)
    # It has three encoders less.
    assert table.loc["specialised", "weights (MB)"] < table.loc["unified", "weights (MB)"]


def test_models_that_learned_nothing_prove_nothing(load):
    module = load("unified_or_specialised")
    columns = ["model", "kappa", "training (s)", "weights (MB)"]
    for kappa, words in ((0.6, "agrees with the paper"), (0.04, "cannot tell")):
        rows = [["unified", kappa, 60.0, 2.0], *[["specialised", kappa, 40.0, 1.5]] * 2]
        finding = module.describe(pd.DataFrame(rows, columns=columns), (0.0, -0.01, 0.01))
        assert words in finding
        assert "in 60 s" in finding
        assert "take 80 s and 3.00 MB" in finding


def test_small_results_do_not_replace_those_in_the_docs(load, cohort):
    module = load("experiments")
    for size, expected in (("small", False), ("full", True)):
        module.SIZES["full"] = module.SIZES["small"]
        arguments = ["--size", size, "--cohort", str(cohort)]
        out = module.Experiment("test", "Is it?", arguments, n_seeds=1).out
        assert (out == Path("docs/experiments")) == expected


def test_subjects_are_halved_within_each_site(experiment, cohort):
    for train, test in experiment.halves():
        subjects = [set(experiment.groups.iloc[rows].astype(str)) for rows in (train, test)]
        assert len(subjects[0] | subjects[1]) == SUBJECTS_OF_SMALL_SIZE
        assert not subjects[0] & subjects[1]
        for part in subjects:
            sites = {subject.split("-")[0] for subject in part}
            assert sites == {"north", "south", "east", "west"}


def test_nights_with_a_signal(experiment, cohort):
    X, y = experiment.X_train, experiment.y_train
    # The sites south and west have a PPG.
    of_site = X["subject"].astype(str).str.split("-").str[0]
    has_ppg = of_site.isin(["south", "west"]).to_numpy()
    epochs, stages = experiment.nights_with(X, y, ["PPG"])
    pd.testing.assert_series_equal(epochs.table["recording"], X["recording"][has_ppg])
    np.testing.assert_array_equal(stages, y[has_ppg])
    assert not epochs.table[["ECG", "ABD", "THX"]].any(axis=None)
    assert len(experiment.nights_with(X, y, ["PPG", "THX"])[0]) == len(X)
    south = (of_site == "south").to_numpy()
    epochs, _ = experiment.nights_with(X.assign(PPG=south), y, ["PPG"])
    assert set(epochs.table["recording"]) == set(X["recording"][south])


def test_few_nights_are_seen_as_often_as_all(experiment):
    experiment.size = SimpleNamespace(max_epochs=20)
    epochs, _ = experiment.nights_with(experiment.X_train, experiment.y_train, ["PPG"])
    assert experiment.passes_over(epochs) == 40  # half of the nights have a PPG


def test_ppg_is_left_on_half_of_the_nights(load, experiment):
    X = load("joint_training").with_scarce_ppg(experiment)
    nights = X.groupby("recording", observed=True)["PPG"]
    assert nights.min().equals(nights.max())
    kept = [path for path, has_ppg in nights.max().items() if has_ppg]
    assert len(kept) == 1  # of two, one at the site south and one at the site west
    assert Path(kept[0]).name.startswith(("south", "west"))


def test_transfer_keeps_the_weights_of_the_ecg(load, experiment):
    module = load("joint_training")
    module.FINE_TUNING_RATE = 1e-12  # the second training then leaves the weights as they are
    X = module.with_scarce_ppg(experiment)
    of_ecg = experiment.fit(0, ["ECG"], X, mask_probability={}).module_.state_dict()
    transferred = module.transfer(experiment, X, 0).module_.state_dict()
    for name, weights in of_ecg.items():
        np.testing.assert_allclose(transferred[name], weights, atol=1e-9)


def test_ppg_stands_in_for_the_ecg(load, experiment):
    epochs, _ = experiment.nights_with(experiment.X_test, experiment.y_test, ["PPG"])
    arrays = load("joint_training").ppg_as_ecg(epochs)
    assert set(arrays) == {"ECG", "recording"}
    recording = epochs.recordings[0]
    rows = epochs.recording_index == 0
    expected = recording.signals["PPG"].data[epochs.table["epoch"].to_numpy()[rows]]
    np.testing.assert_array_equal(arrays["ECG"][rows], expected)


def test_scorer_of_nights(load):
    """The kappa of a night is scikit-learn's, from the signals asked for."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"recording": np.repeat(["a", "b", "c"], 50)})
    y = rng.integers(0, 4, 150)
    predicted = {True: np.where(rng.random(150) < 0.3, 0, y), False: rng.integers(0, 4, 150)}

    class Pipeline(list):
        def predict(self, X):
            return predicted["ECG" not in X][X.index]

    pipeline = Pipeline([SimpleNamespace(signals=["ECG", "PPG"])])
    both, ppg = ("ECG", "PPG"), ("PPG",)
    scorer = load("ppg_masking_sweep").NightScorer({both: ("a", "b", "c", "d"), ppg: ("b",)})
    scores = scorer(pipeline, X, y)
    expected = {
        f"ECG + PPG: {night}": cohen_kappa_score(y[rows], predicted[True][rows])
        for night, rows in X.groupby("recording").indices.items()
    }
    middle = slice(50, 100)
    expected["PPG: b"] = cohen_kappa_score(y[middle], predicted[False][middle])
    assert scores == pytest.approx(expected | {"ECG + PPG: d": 0.0})


def test_kappa_of_a_night_of_one_stage_is_zero(load):
    y, predicted = np.array([0, 1, 2, 2, 2, 2]), np.array([0, 1, 1, 2, 2, 2])
    kappa = load("experiments").kappa_by_night(y, predicted, list("aaabbb"))
    assert kappa.to_dict() == {"a": cohen_kappa_score([0, 1, 2], [0, 1, 1]), "b": 0.0}


def made_up_scores(differences):
    """Scores of two models whose differences (n_seeds, n_nights) are known."""
    rows = [
        ("PPG", model, seed, f"night {night}", 0.5 + (model == "new") * difference)
        for (seed, night), difference in np.ndenumerate(differences)
        for model in ("new", "old")
    ]
    return pd.DataFrame(rows, columns=["signals", "model", "seed", "night", "kappa"])


def test_interval_over_nights_is_that_of_the_normal_distribution(load):
    differences = np.random.default_rng(0).normal(0.1, 0.2, (1, 400))
    mean, low, high = load("experiments").paired_difference(
        made_up_scores(differences), "new", "old", ["PPG"]
    )
    half = 1.96 * differences.std() / np.sqrt(400)
    assert mean == pytest.approx(differences.mean())
    assert (mean - low, high - mean) == pytest.approx((half, half), rel=0.1)


def test_interval_covers_seeds_that_disagree(load):
    # A quarter of the draws has the first seed alone, a quarter the second one.
    differences = np.repeat([[-0.1], [0.3]], 50, axis=1)
    interval = load("experiments").paired_difference(
        made_up_scores(differences), "new", "old", ["PPG"]
    )
    assert interval == pytest.approx((0.1, -0.1, 0.3))


def test_comparison_of_made_up_scores(load):
    module = load("experiments")
    table = module.compare(made_up_scores([[0.1, 0.3], [0.2, 0.4]]), "new")
    new, old = table.to_dict("records")
    assert (new["model"], old["model"], old["nights"]) == ("new", "old", 2)
    assert (new["kappa"], new["SD over seeds"]) == pytest.approx((0.75, 0.1 / np.sqrt(2)))
    assert (old["kappa"], old["new minus this"]) == pytest.approx((0.5, 0.25))
    assert np.isnan(new["low"])
    cells = module.to_markdown(table).splitlines()[3].split(" | ")
    assert cells[:6] == ["| PPG", "old", "2", "0.500", "0.000", "0.250"]


@pytest.mark.parametrize(
    ("differences", "tolerance", "words"),
    [
        ([0.1, 0.2, 0.3], 0.0, ": agrees with the paper."),
        ([-0.1, -0.2, -0.3], 0.0, ": does not agree with the paper."),
        ([-0.2, 0.0, 0.3], 0.0, ": cannot tell."),
        ([-0.04, -0.03, -0.02], 0.05, ": agrees with the paper."),
        ([-0.04, -0.03, -0.02], 0.0, ": does not agree with the paper."),
        ([-0.4, 0.0, 0.0], 0.05, ": cannot tell."),
    ],
)
def test_verdict(differences, tolerance, words, load):
    module = load("experiments")
    difference = module.paired_difference(made_up_scores([differences]), "new", "old", ["PPG"])
    assert module.verdict("New minus old", difference, tolerance=tolerance).endswith(words)
