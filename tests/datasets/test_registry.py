"""A cohort is one module, or one value: loaded, written, read by its labels, and named."""

import inspect
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import attic
import numpy as np
import pytest
from attic import ATTIC
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

import sklearn_sleep
from sklearn_sleep import datasets
from sklearn_sleep.datasets import COHORTS, Cohort, load_cohorts
from sklearn_sleep.datasets.registry import dataset_from_path
from sklearn_sleep.exceptions import MissingSignalWarning
from sklearn_sleep.features import HRVFeatures
from sklearn_sleep.preprocessing import EDFReader
from sklearn_sleep.simulation.make_cohort import make_cohort
from sklearn_sleep.storage.ingesting import ingest

PARAMETERS = {"n_subjects": 2, "hours": 0.5}


@pytest.fixture(scope="module")
def attic_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attic")
    make_cohort(folder, layout=ATTIC, **PARAMETERS)
    return folder


def test_a_cohort_of_ones_own_is_written_and_loaded(attic_folder):
    made = make_cohort(attic_folder, layout=ATTIC, **PARAMETERS)
    names = [path.relative_to(attic_folder).as_posix() for path in attic_folder.rglob("attic-*")]
    assert sorted(name for name in names if not name.startswith(".truth")) == [
        f"nights/attic-{number}.{ending}" for number in (501, 502) for ending in ("edf", "txt")
    ]
    loaded = ATTIC.load(attic_folder)
    assert loaded.recordings["signals"].tolist() == [("ECG", "ABD", "THX")] * 2
    assert loaded.groups.unique().tolist() == ["attic-501", "attic-502"]
    expected = [night.load_truth()["stages"] for night in made.nights]
    np.testing.assert_array_equal(loaded.y, np.concatenate(expected))


def test_labels_of_a_cohort_of_ones_own_are_found_in_every_process(attic_folder):
    X, y, groups = ATTIC.load(attic_folder, return_X_y_groups=True)
    reader = EDFReader(["ECG"], channels={ATTIC.name: ATTIC.channels})
    (first, _) = reader.fit_transform(X).recordings
    again = pickle.loads(pickle.dumps(first))  # noqa: S301 - what workers are sent
    np.testing.assert_array_equal(again.signals["ECG"].data, first.signals["ECG"].data)
    pipeline = make_pipeline(reader, HRVFeatures(), DummyClassifier())
    predicted = cross_val_predict(pipeline, X, y, groups=groups, cv=GroupKFold(2), n_jobs=2)
    assert len(predicted) == len(y)
    with pytest.warns(MissingSignalWarning, match=r"'Lead 9'.*EDFReader\(channels="):
        EDFReader(["ECG"]).fit_transform(X)


def test_a_cohort_of_ones_own_is_ingested(attic_folder, tmp_path):
    ingested = ingest(attic_folder, tmp_path, dataset=ATTIC, signals=["ECG"], n_jobs=2)
    assert ingested.report["signals"].tolist() == ["ECG", "ECG"]
    assert ingested.report["dataset"].tolist() == ["attic", "attic"]


def test_a_cohort_without_a_layout_cannot_be_written(tmp_path):
    bare = Cohort("attic", ATTIC.recording, ATTIC.annotations, ATTIC.description)
    with pytest.raises(ValueError, match="'attic' has no layout"):
        make_cohort(tmp_path, layout=bare, **PARAMETERS)


def test_a_layout_that_is_not_known_any_more_is_not_overwritten(attic_folder, tmp_path):
    shutil.copytree(attic_folder, tmp_path / "copy")
    with pytest.raises(ValueError, match="in the layout 'attic', whose files are not known"):
        make_cohort(tmp_path / "copy", layout="mesa", overwrite=True, **PARAMETERS)
    assert (tmp_path / "copy/nights/attic-501.edf").is_file()


SCRIPT = """
import sys
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn_sleep import EDFReader, HRVFeatures, ingest, load_cohorts, make_cohort
from sklearn_sleep.datasets import COHORTS
from sklearn_sleep.datasets.cohorts.attic import load_attic

folder, store = sys.argv[1:]
make_cohort(folder, layout="attic", n_subjects=2, hours=0.5)
X, y, groups = load_attic(folder, return_X_y_groups=True)
pipeline = make_pipeline(EDFReader(["ECG"]), HRVFeatures(), DummyClassifier())
cross_val_predict(pipeline, X, y, groups=groups, cv=GroupKFold(2))
assert len(load_cohorts({"attic": folder}).X) == len(X)
# A file name that begins with the cohort's name is enough for its labels.
path = load_attic(folder).recordings["path"][0]
assert list(EDFReader(["ECG"]).fit_transform(path).recordings[0].signals) == ["ECG"]
report = ingest(folder, store, dataset="attic", signals=["ECG"]).report
assert report["signals"].tolist() == ["ECG", "ECG"]
assert "layout=\\"attic\\"" in load_attic.__doc__
for call in (
    lambda: ingest(folder, store, dataset="cellar"),
    lambda: make_cohort(folder, layout="cellar"),
    lambda: load_cohorts({"cellar": folder}),
):
    try:
        call()
    except ValueError as error:
        assert "attic" in str(error), error
"""


def test_a_new_cohort_is_one_new_file(tmp_path):
    source = Path(sklearn_sleep.__file__).parent
    copy = tmp_path / "package" / "sklearn_sleep"
    shutil.copytree(source, copy)  # with what Python has compiled
    shutil.copy(attic.__file__, copy / "datasets/cohorts")
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", SCRIPT, tmp_path / "a", tmp_path / "b"],
        env={"PYTHONPATH": str(copy.parent), "PATH": "", "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", COHORTS)
def test_loaders_are_documented_in_full(name):
    loader = getattr(datasets, f"load_{name}")
    assert loader.__name__ == f"load_{name}"
    text = loader.__doc__
    for section in ("Parameters", "Returns", "Raises", "Warns", "Examples"):
        assert f"\n{section}\n---" in text
    assert COHORTS[name].description.partition("\n")[0] in text
    assert f'layout="{name}"' in text
    assert ("wake_minutes :" in text) == (name == "sleep_edf")
    assert ("scorer :" in text) == (name == "isruc")
    documented = set(re.findall(r"^(\w+) :", text.partition("Returns\n")[0], re.MULTILINE))
    assert documented == set(inspect.signature(loader).parameters)


def test_names_of_all_cohorts_are_in_messages(tmp_path):
    for call in (
        lambda: load_cohorts({"attic": tmp_path}),
        lambda: make_cohort(tmp_path, layout="attic"),
        lambda: ingest(tmp_path, tmp_path, dataset="attic"),
    ):
        with pytest.raises(ValueError, match="'attic' is not") as error:
            call()
        assert all(name in str(error.value) for name in COHORTS)


@pytest.mark.parametrize(
    ("path", "dataset"),
    [
        ("edfs/shhs1/shhs1-200001.edf", "shhs"),
        ("CCSHS-trec-1800001.edf", "ccshs"),
        ("mass.edf", ""),
        ("shhsx-1.edf", ""),
        ("shhs/SC4001E0-PSG.edf", ""),
    ],
)
def test_a_file_name_tells_its_cohort(path, dataset):
    assert dataset_from_path(path) == dataset
