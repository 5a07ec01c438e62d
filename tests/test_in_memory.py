"""The same night from a file, from a Raw of mne, from pyedflib and from arrays gives the same."""

import mne
import numpy as np
import pandas as pd
import pyedflib
import pytest
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from sklearn_sleep.core.epochs import Epochs
from sklearn_sleep.core.recording import Recording
from sklearn_sleep.evaluation.metrics import recording_scorer
from sklearn_sleep.exceptions import EDFWarning
from sklearn_sleep.features import EEGFeatures, HRVFeatures, RespirationFeatures
from sklearn_sleep.imaging import Montage, Trace, WaveformImageRenderer
from sklearn_sleep.preprocessing import EDFReader, Epocher, Normalizer, RecordingCache, Resampler
from sklearn_sleep.staging.sequence_smoother import SequenceSmoother

CARDIO = ("ECG", "PPG", "ABD", "THX")
RATES = {"ECG": 256, "PPG": 256, "ABD": 64, "THX": 64}
N_EPOCHS = 8


def read_raw(path):
    return mne.io.read_raw_edf(path, verbose="error")


def read_arrays(path):
    with pyedflib.EdfReader(str(path)) as file:
        labels = file.getSignalLabels()
        numbers = range(len(labels))
        return Recording.from_arrays(
            {label: file.readSignal(n) for n, label in enumerate(labels)},
            dict(zip(labels, map(float, file.getSampleFrequencies()), strict=True)),
            {label: file.getPhysicalDimension(n) for n, label in enumerate(labels)},
            ranges={
                labels[n]: (file.getPhysicalMinimum(n), file.getPhysicalMaximum(n)) for n in numbers
            },
            name=str(path),
            start=file.getStartdatetime(),
        )


WAYS = {
    "raw": read_raw,
    "raw, as recording": lambda path: Recording.from_mne(read_raw(path), CARDIO),
    "raw in a list": lambda path: [read_raw(path).load_data()],
    "pyedflib": lambda path: pyedflib.EdfReader(str(path)),
    "pyedflib in a list": lambda path: [pyedflib.EdfReader(str(path))],
    "arrays": read_arrays,
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request):
    return request.param


@pytest.fixture
def night_of_one_rate(write_edf):
    """A cardiorespiratory night at 64 Hz in odd units; belts far from the ends of their range."""
    rng = np.random.default_rng(1)
    time = np.arange(N_EPOCHS * 30 * 64) / 64
    breath = np.sin(2 * np.pi * 0.25 * time) + 0.1 * rng.normal(size=len(time))
    return write_edf(
        "shhs1-1.edf",
        ("EKG", 900 * np.cos(2 * np.pi * time) ** 15, 64, "uV", (-3000, 3000)),
        ("PlethWV", 0.2 * np.cos(2 * np.pi * time) ** 3, 64, "", (-2, 2)),
        ("ABDO RES", 3e-5 * breath, 64, "V", (-1e-3, 1e-3)),
        ("THOR RES", -0.05 * breath, 64, "", (-1, 1)),
    )


def test_a_network_sees_the_same(night_of_one_rate, way, make_classifier):
    steps = make_pipeline(EDFReader(CARDIO), Resampler(RATES), Normalizer(), Epocher())
    expected = steps.fit_transform(str(night_of_one_rate))
    found = steps.fit_transform(way(night_of_one_rate))
    for name in CARDIO:
        np.testing.assert_allclose(
            found.recordings[0].signals[name].data,
            expected.recordings[0].signals[name].data,
            atol=2e-5,
        )
    y = np.arange(N_EPOCHS) % 4
    classifier = make_classifier(max_epochs=1, train_split=None).fit(expected, y)
    np.testing.assert_allclose(
        classifier.predict_proba(found), classifier.predict_proba(expected), atol=1e-5
    )
    assert found.recordings[0].start == expected.recordings[0].start


def test_a_file_of_several_rates(night, way):
    """pyedflib and arrays are exact; mne has brought the belts to the rate of the ECG."""
    steps = make_pipeline(EDFReader(CARDIO), Resampler(RATES), Normalizer(), Epocher())
    expected = steps.fit_transform(night).recordings[0]
    given = way(night)
    found = steps.fit_transform(given).recordings[0]
    is_raw = "mne" in str(type(given[0] if isinstance(given, list) else given)) or (
        isinstance(given, Recording) and given.signals["ABD"].sampling_frequency == 125
    )
    for name in CARDIO:
        ours, theirs = (r.signals[name].data.ravel() for r in (expected, found))
        if is_raw and name != "ECG":
            assert np.corrcoef(ours, theirs)[0, 1] > 0.999
        else:
            np.testing.assert_allclose(theirs, ours, atol=2e-5)


@pytest.mark.parametrize(
    ("signals", "features", "file"),
    [
        (["ECG"], HRVFeatures(), "mitdb-100.edf"),
        (["EEG"], EEGFeatures(), "sleep-edf-5min.edf"),
        (["THX"], RespirationFeatures(), None),
    ],
)
def test_features_are_the_same(data_folder, night_of_one_rate, signals, features, file):
    path = data_folder / file if file else night_of_one_rate
    steps = make_pipeline(EDFReader(signals), features)
    expected = steps.fit_transform(str(path))
    for found in (steps.transform(read_raw(path)), steps.transform(read_arrays(path))):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)
    assert found.index.get_level_values("recording")[0] == str(path)


def test_images_are_the_same(data_folder):
    path = data_folder / "sleep-edf-5min.edf"
    montage = Montage([Trace("EEG", "#ffff00"), Trace("EOG", "#00ffff")])
    steps = make_pipeline(EDFReader(montage), WaveformImageRenderer(montage, context=[0]))
    expected = steps.fit_transform(str(path))
    np.testing.assert_array_equal(steps.transform(read_raw(path))[4], expected[4])


def test_the_readers_own_channels_and_units(data_folder):
    raw = read_raw(data_folder / "sleep-edf-5min.edf")
    reader = EDFReader(["EEG"], channels={"EEG": "EEG Pz-Oz"}, units={"EEG": "mV"})
    expected = raw.get_data("EEG Pz-Oz")[0] * 1e3
    for X in (raw, Recording.from_mne(raw), Recording.from_mne(raw, channels={"EEG": "Fpz-Cz"})):
        signal = reader.fit_transform(X).recordings[0].signals["EEG"]
        np.testing.assert_allclose(signal.data, expected, rtol=1e-5, atol=1e-9)
        assert signal.unit == "mV"
    # What the recording says goes before the aliases.
    chosen = Recording.from_mne(raw, channels={"EEG": "EEG Pz-Oz"})
    again = EDFReader(["EEG"]).fit_transform(chosen).recordings[0]
    np.testing.assert_allclose(again.signals["EEG"].data, expected * 1e3, rtol=1e-5, atol=1e-6)


def test_a_difference_of_two_rates_loses_the_signal_alone():
    arrays = {"C4": np.zeros(6000), "M1": np.zeros(3000), "THX": np.arange(600.0)}
    rates = {"C4": 100, "M1": 50, "THX": 10}
    recording = Recording.from_arrays(arrays, rates, dict.fromkeys(("C4", "M1"), "uV"))
    with pytest.warns(EDFWarning, match=r"recording in memory: .*C4 100 Hz and M1 50 Hz"):
        epochs = EDFReader(["C4-M1", "THX"]).fit_transform(recording)
    assert (len(epochs), list(epochs.recordings[0].signals)) == (2, ["THX"])


def test_steps_that_need_epochs_say_how_to_make_them():
    recording = Recording.from_arrays({"THX": np.arange(600.0)}, 10.0)
    with pytest.raises(TypeError, match=r"X is Recording.*Epochs\.from_recordings"):
        RespirationFeatures().fit_transform(recording)
    assert len(RespirationFeatures().fit_transform(Epochs.from_recordings(recording))) == 2


def test_labels_of_the_cohort_that_the_file_is_of(write_edf):
    time = np.arange(3000) / 50
    channels = [
        (label, np.sin(k * time), 50, "uV", (-1, 1)) for k, label in enumerate(["EEG1", "EEG3"], 1)
    ]
    path = write_edf("mesa-sleep-0001.edf", *channels)
    data = [
        EDFReader(["EEG"]).fit_transform(X).recordings[0].signals["EEG"].data
        for X in (str(path), read_raw(path))
    ]
    np.testing.assert_allclose(data[1], data[0], atol=1e-6)
    np.testing.assert_allclose(data[0], np.sin(2 * time), atol=1e-3)


def test_recordings_of_files_are_read_again(data_folder):
    path = str(data_folder / "sleep-edf-5min.edf")
    epochs = EDFReader(["EEG"]).fit_transform(path)
    again = EDFReader(["EOG"]).fit_transform(epochs[3:5])
    assert list(again.recordings[0].signals) == ["EOG"]
    assert again.table["epoch"].tolist() == [3, 4]
    cut = epochs.apply(Epocher()).recordings[0]
    assert EDFReader(["EOG"]).fit_transform(cut).recordings[0].steps == cut.steps


def test_what_cannot_be_chosen_from_is_refused(data_folder, tmp_path):
    steps = make_pipeline(EDFReader(["EEG"]), Epocher(), RecordingCache(tmp_path / "cache"))
    cached = steps.fit_transform(str(data_folder / "sleep-edf-5min.edf"))
    with pytest.raises(TypeError, match="Pass what it was read from"):
        EDFReader(["EEG"]).fit_transform(cached)


@pytest.mark.parametrize(
    "X", [object(), np.zeros((3, 4)), [1.0, 2.0], [object(), "a.edf"], {"ECG": [1]}]
)
def test_what_is_not_understood_is_told_the_ways(X):
    with pytest.raises(TypeError, match=r"but is .*Recording\.from_mne\(raw\) .*from_arrays"):
        EDFReader(["ECG"]).fit_transform(X)


def test_epochs_of_mne_are_told_the_ways(night_of_one_rate):
    epochs = mne.make_fixed_length_epochs(read_raw(night_of_one_rate), 30.0, verbose="error")
    with pytest.raises(TypeError, match=r"but is Epochs\. .*Recording\.from_mne\(raw\)"):
        EDFReader(["ECG"]).fit_transform(epochs)


def test_a_cache_knows_the_content(night_of_one_rate, tmp_path):
    raw = read_raw(night_of_one_rate).load_data()
    steps = make_pipeline(EDFReader(["THX"]), Epocher(), RecordingCache(tmp_path / "cache"))

    def read(raw):
        return np.array(steps.fit_transform(raw).recordings[0].signals["THX"].data)

    first = read(raw)
    np.testing.assert_array_equal(read(read_raw(night_of_one_rate)), first)
    assert len(list(tmp_path.glob("cache/??/*/THX.*.npy"))) == 1
    # Filtered in place, as mne does it, it is another recording.
    raw.apply_function(lambda x: x**3)
    assert np.abs(read(raw) - first).max() > 0.1
    assert len(list(tmp_path.glob("cache/??/*/THX.*.npy"))) == 2


class Telling:
    """Nights in memory whose EEG tells the stage."""

    def __init__(self, n=4, n_epochs=8):
        rng = np.random.default_rng(2)
        self.y = rng.integers(0, 2, n * n_epochs)
        self.groups = np.repeat(np.arange(n), n_epochs)
        waves = rng.normal(size=(n * n_epochs, 1920)) * np.where(self.y, 80, 10)[:, None]
        self.raws = []
        for waves_of_night in waves.reshape(n, -1):
            info = mne.create_info(["C4-M1"], 64.0, "eeg")
            self.raws.append(mne.io.RawArray(waves_of_night[None] * 1e-6, info, verbose="error"))


@pytest.fixture(scope="module")
def telling():
    return Telling()


def make_tree():
    features = EEGFeatures(["EEG"], features=["sd"], events=False)
    return make_pipeline(EDFReader(["EEG"]), features, DecisionTreeClassifier(random_state=0))


def test_fit_and_predict_take_lists_of_raws(telling):
    half = len(telling.y) // 2
    pipe = make_tree().fit(telling.raws[:2], telling.y[:half])
    assert accuracy_score(telling.y[half:], pipe.predict(telling.raws[2:])) > 0.9
    one = pipe.predict_proba(telling.raws[2])
    np.testing.assert_array_equal(one, pipe.predict_proba(telling.raws[2:])[: len(one)])
    smoothed = SequenceSmoother(make_tree()).fit(telling.raws[:2], telling.y[:half])
    assert smoothed.predict(telling.raws[2:]).shape == (half,)


def test_cross_validation_over_epochs(telling):
    X = Epochs.from_recordings(telling.raws)
    cv = GroupKFold(2)
    scores = cross_val_score(make_tree(), X, telling.y, groups=telling.groups, cv=cv)
    assert (scores > 0.9).all()
    predicted = cross_val_predict(make_tree(), X, telling.y, groups=telling.groups, cv=cv)
    assert accuracy_score(telling.y, predicted) > 0.9
    scorer = recording_scorer(accuracy_score)
    scores = cross_val_score(
        make_tree(), X, telling.y, groups=telling.groups, cv=cv, scoring=scorer
    )
    assert (scores > 0.9).all()
    # A scored part of the rows, in any order.
    rows = np.random.default_rng(0).permutation(len(X))[:20]
    pipe = make_tree().fit(X[rows], telling.y[rows])
    assert pipe.predict(X[rows[:5]]).shape == (5,)


def test_masks_of_the_table_hold_in_memory(telling):
    X = Epochs.from_recordings(telling.raws[:1])
    X.table["EEG"] = np.arange(len(X)) < 6
    features = make_tree()[:-1].fit_transform(X)
    assert pd.isna(features).all(axis=1).tolist() == (~X.table["EEG"]).tolist()
