"""One bar in a fit, of a baseline or a network, and none in those that others run."""

import pickle

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from small import make_quick, make_small_pipeline
from terminal import draw_in_worker, watch

from sklearn_sleep import compare, hrv_baseline

FOLDS = GroupKFold(2)
MODELS = ["network", "baseline"]


def make_network(**parameters):
    pipeline = make_small_pipeline(max_epochs=2, random_state=0)
    pipeline[-1].set_params(train_split=None, classes=np.arange(4), **parameters)
    return pipeline


def make_baseline(**parameters):
    return make_quick(hrv_baseline)(random_state=0, **parameters)


MAKE = {"network": make_network, "baseline": make_baseline}
BAR = {"network": "Training", "baseline": "HRVFeatures"}


@pytest.fixture(scope="module")
def rows(cohort):
    # Nights of sites that record an ECG.
    has_ecg = cohort.recordings.set_index("path")["signals"].map(lambda names: "ECG" in names)
    known = has_ecg.reindex(cohort.X["recording"].astype(str)).to_numpy()
    X = cohort.X[known].reset_index(drop=True)
    return X, cohort.y[known], X["subject"]


@pytest.mark.parametrize("name", MODELS)
def test_one_bar(name, rows, capsys):
    X, y, _ = rows
    model = MAKE[name]()
    bars = watch(lambda: model.fit(X, y)).bars
    # Headers have a bar before if they take long; what is learnt from features has theirs.
    optional = ("Reading headers", "HistGradientBoostingClassifier")
    assert [bar for bar in bars if bar not in optional] == [BAR[name]]
    assert watch(lambda: model.fit(X, y), is_terminal=False).getvalue() == ""
    assert watch(lambda: model.fit(X, y), after=60).getvalue() == ""
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", MODELS)
def test_verbose_of_0_is_silence(name, rows):
    X, y, _ = rows
    model = MAKE[name](verbose=0)
    model.set_params(edfreader__verbose=0)
    assert watch(lambda: model.fit(X, y)).getvalue() == ""


@pytest.mark.parametrize("name", MODELS)
def test_none_in_what_others_run(name, rows):
    X, y, groups = rows
    model = MAKE[name]()
    step = model.steps[-1][0]
    search = GridSearchCV(model, {f"{step}__random_state": [0]}, cv=FOLDS)
    voting = VotingClassifier([("alone", model)])
    runs = {
        "cross_validate": lambda: cross_validate(model, X, y, groups=groups, cv=FOLDS),
        "search": lambda: search.fit(X, y, groups=groups),
        "voting": lambda: voting.fit(X, y),
    }
    assert {run: watch(work).getvalue() for run, work in runs.items()} == dict.fromkeys(runs, "")


@pytest.mark.parametrize("name", MODELS)
def test_none_in_workers(name, rows):
    X, y, _ = rows
    tasks = [delayed(draw_in_worker)(Fit(MAKE[name](), X, y)) for _ in range(2)]
    assert Parallel(2)(tasks) == ["", ""]


class Fit:
    """A fit that can be sent to a worker."""

    def __init__(self, model, X, y):
        self.model, self.X, self.y = model, X, y

    def __call__(self):
        self.model.fit(self.X, self.y)


def test_comparison_has_its_own_bar_alone(rows):
    X, y, groups = rows
    models = {name: make() for name, make in MAKE.items()}
    terminal = watch(lambda: compare(models, X, y, groups, cv=2))
    assert terminal.bars == ["Fits"]
    assert watch(lambda: compare(models, X, y, groups, cv=2, verbose=0)).getvalue() == ""


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("verbose", [None, 0, 1, False, True])
def test_parameter(name, verbose):
    model = MAKE[name]()
    assert model[-1].get_params()["verbose"] is None
    model[-1].set_params(verbose=verbose)
    for copied in (clone(model), pickle.loads(pickle.dumps(model))):  # noqa: S301
        assert copied[-1].get_params()["verbose"] is verbose


@pytest.mark.parametrize("name", MODELS)
def test_wrong_parameter(name, rows):
    X, y, _ = rows
    with pytest.raises(ValueError, match="'verbose' parameter"):
        MAKE[name](verbose="loud").fit(X, y)
