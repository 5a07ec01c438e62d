"""What must not change a result, or must change it in a known way."""

import functools

import edfio
import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier
from skorch.helper import SliceDict
from threadpoolctl import threadpool_limits

from sklearn_sleep.features import (
    CardiorespiratoryFeatures,
    EEGFeatures,
    HRVFeatures,
    InstantaneousHeartRate,
    RespirationFeatures,
    SignalQuality,
    TemporalContext,
)
from sklearn_sleep.imaging import Montage, Trace, WaveformImageRenderer
from sklearn_sleep.io import epoch_table, read_hypnogram
from sklearn_sleep.preprocessing import EDFReader, Epocher, Filter, Normalizer, Resampler
from sklearn_sleep.staging.sequence_smoother import SequenceSmoother

RATES = {"ECG": 128, "PPG": 64, "THX": 16, "EEG": 100, "EOG-L": 64, "EMG": 100}
# Half the range of a channel in its own unit, which is None where it has none.
RANGES = {
    "ECG": (4.0, "mV"),
    "PPG": (1.0, None),
    "THX": (1.0, None),
    "EEG": (500.0, "uV"),
    "EOG-L": (500.0, "uV"),
    "EMG": (500.0, "uV"),
}
IN_VOLTS = {"V": 1.0, "mV": 1e-3, "uV": 1e-6}
PER_EPOCH = {"ECG": 256, "PPG": 256, "THX": 64, "EEG": 256, "EOG-L": 64, "EMG": 64}
OF_NETWORK = ["PPG", "THX"]
WINDOWS = ((15, 45),)
MONTAGE = Montage(
    [Trace("EEG", "#ffff00", (-60, 60)), Trace("ECG", "#ff0000", (-1, 1.5))], width=120, height=60
)


def make_night(n_epochs, seed):
    """Beats, breaths, and brain waves whose amplitude changes from epoch to epoch."""
    rng = np.random.default_rng(seed)
    seconds = 30 * n_epochs
    beats = np.cumsum(rng.normal(0.9, 0.05, size=2 * seconds))
    signals = {}
    for name, rate in RATES.items():
        time = np.arange(seconds * rate) / rate
        if name in ("ECG", "PPG"):
            width = 0.015 if name == "ECG" else 0.12
            after = np.clip(np.searchsorted(beats, time), 1, None)
            distance = np.minimum(np.abs(time - beats[after]), np.abs(time - beats[after - 1]))
            samples = np.exp(-0.5 * (distance / width) ** 2) - 0.1
        elif name == "THX":
            samples = 0.5 * np.sin(2 * np.pi * (0.25 * time + 0.05 * np.sin(time / 7)))
        else:
            depth = np.repeat(rng.uniform(0.5, 2.0, n_epochs), 30 * rate)
            slow = np.sin(2 * np.pi * 1.1 * time) + 0.5 * np.sin(2 * np.pi * 13 * time)
            samples = 20 * (depth * slow + rng.normal(size=len(time)))
        signals[name] = samples + 0.01 * RANGES[name][0] * rng.normal(size=len(time))
    return signals


def write_night(path, signals, unit=None):
    """Write a night whose voltages are in a unit, or each in its own."""
    channels = []
    for name, samples in signals.items():
        half, own = RANGES[name]
        digital = np.round(samples / half * 2047).clip(-2047, 2047).astype(np.int16)
        written = (unit or own) if own else ""
        half = round(half * IN_VOLTS[own] / IN_VOLTS[written], 6) if own else half
        channels.append(
            edfio.EdfSignal.from_digital(
                digital,
                RATES[name],
                label=name,
                physical_dimension=written,
                physical_range=(-half, half),
                digital_range=(-2047, 2047),
            )
        )
    edfio.Edf(channels, data_record_duration=1).write(path)
    return str(path)


@pytest.fixture(scope="module")
def nights():
    whole = [make_night(n_epochs, seed) for seed, n_epochs in enumerate((8, 6, 7))]
    del whole[1]["PPG"], whole[2]["EMG"]
    return whole


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("nights")


@pytest.fixture(scope="module", name="X")
def make_table(nights, folder):
    paths = [write_night(folder / f"{i}.edf", night) for i, night in enumerate(nights)]
    return epoch_table(paths)


FEATURES = {
    "HRV": HRVFeatures(WINDOWS),
    "respiration": RespirationFeatures(WINDOWS),
    "both": CardiorespiratoryFeatures(HRVFeatures(WINDOWS), RespirationFeatures(WINDOWS)),
    "EEG": EEGFeatures(["EEG", "EOG-L", "EMG"]),
}
ARRAYS = {
    "z-scores": [Resampler(PER_EPOCH), Normalizer()],
    "causal": [Resampler(PER_EPOCH, method="linear"), Normalizer("causal")],
    "filtered": [Filter(0.5, {"EEG": 30.0}), Resampler(PER_EPOCH)],
    "heart rate": [InstantaneousHeartRate(), Resampler(PER_EPOCH)],
    "quality": [SignalQuality(action="warn"), Resampler(PER_EPOCH)],
}
NAMES = [*ARRAYS, *FEATURES, "context", "images", "network", "smoother"]
every_result = pytest.mark.parametrize("name", NAMES)


def side_by_side(epochs):
    """All samples of each row, those of a signal behind those of another."""
    arrays = epochs.to_arrays()
    missing = {name: np.full((len(epochs), n), np.nan) for name, n in PER_EPOCH.items()}
    return np.hstack([array for _, array in sorted((missing | arrays).items()) if array.ndim == 2])


def pipeline_to_arrays(steps, more=(), signals=RATES):
    return make_pipeline(EDFReader([*signals, *more]), *map(clone, steps), Epocher())


def make_results(X, make_classifier, more=(), n_jobs=None):
    """Functions from a table or paths to an array, a row for each epoch, by name.

    Each is of a pipeline that asks for `more` signals than the nights have.
    """
    steps = {name: pipeline_to_arrays(steps, more) for name, steps in ARRAYS.items()}
    for name, step in FEATURES.items():
        steps[name] = make_pipeline(EDFReader([*RATES, *more]), clone(step))
    features = make_pipeline(EDFReader(["EEG", *more]), EEGFeatures())
    context = TemporalContext([-1, 2], rolling_means=[3])
    steps["context"] = make_pipeline(*features, context)
    steps["images"] = make_pipeline(EDFReader([*MONTAGE, *more]), WaveformImageRenderer(MONTAGE))
    for pipeline in steps.values():
        pipeline.set_params(
            **{name: n_jobs for name in pipeline.get_params() if name.endswith("__n_jobs")}
        )
    results = {name: pipeline.fit_transform for name, pipeline in steps.items()}
    for name in ARRAYS:
        results[name] = lambda X, name=name: side_by_side(steps[name].fit_transform(X))
    y = np.arange(len(X)) // 2 % 4
    net = make_classifier(max_epochs=1, lr=0.02, batch_size=1, train_split=None)
    arrays = pipeline_to_arrays(ARRAYS["z-scores"], more, OF_NETWORK)
    results["network"] = make_pipeline(*arrays, net).fit(X, y).predict_proba
    # A tree takes rows one by one; sums of products are others in their last digit for more rows.
    classifier = make_pipeline(*features, DecisionTreeClassifier(max_depth=3, random_state=0))
    results["smoother"] = SequenceSmoother(classifier).fit(X, y).predict_proba
    return {name: lambda X, of=of: np.asarray(of(X)) for name, of in results.items()}


@pytest.fixture(scope="module")
def results(X, make_classifier):
    return make_results(X, make_classifier)


@pytest.fixture(scope="module")
def expected(X, results):
    """What the table gives, by name."""
    return functools.cache(lambda name: results[name](X))


@every_result
def test_results_differ_from_row_to_row(expected, X, name):
    values = expected(name).reshape(len(X), -1)
    assert len(np.unique(np.nan_to_num(values, nan=-1.0), axis=0)) > len(X) / 2


@every_result
def test_permuted_rows(results, expected, X, name):
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_array_equal(results[name](X.iloc[order]), expected(name)[order])


@every_result
def test_permuted_nights(results, expected, X, name):
    code = X["recording"].cat.codes.to_numpy()
    order = np.argsort(-code, kind="stable")
    permuted = X.iloc[order].astype({"recording": "object"})
    np.testing.assert_array_equal(results[name](permuted), expected(name)[order])


@every_result
def test_a_night_alone(results, expected, X, name):
    for path in X["recording"].cat.categories:
        found = results[name](path)
        np.testing.assert_array_equal(found, expected(name)[X["recording"] == path])


@every_result
def test_duplicated_rows(results, expected, X, name):
    rows = np.repeat(np.arange(len(X)), 2)
    np.testing.assert_array_equal(results[name](X.iloc[rows]), expected(name)[rows])


@every_result
@pytest.mark.parametrize("may_be_used", [True, False])
def test_a_column_of_a_signal_that_is_not_there(results, expected, X, name, may_be_used):
    found = results[name](X.assign(FLOW=may_be_used))
    np.testing.assert_array_equal(found, expected(name))


@pytest.fixture(scope="module")
def results_with_more(X, make_classifier):
    with joblib.parallel_config(backend="threading"):
        yield make_results(X, make_classifier, more=["FLOW"], n_jobs=2)


@every_result
def test_a_signal_that_no_night_has_and_n_jobs(results_with_more, expected, X, name):
    np.testing.assert_array_equal(results_with_more[name](X), expected(name))


@every_result
def test_number_of_threads(results, expected, X, name):
    before = torch.get_num_threads()
    for n_threads in 1, 2:
        torch.set_num_threads(n_threads)
        with threadpool_limits(n_threads):
            found = results[name](X)
        torch.set_num_threads(before)
        np.testing.assert_array_equal(found, expected(name))


@pytest.fixture(scope="module")
def in_units(nights, folder):
    return {unit: write_night(folder / f"{unit}.edf", nights[0], unit) for unit in IN_VOLTS}


@every_result
@pytest.mark.parametrize("unit", IN_VOLTS)
def test_units(results, expected, in_units, name, unit):
    found = results[name](in_units[unit])
    # The same numbers in the file; what is scaled differs in its last digits.
    of_first = expected(name)[: len(found)]
    if name == "images":
        np.testing.assert_allclose(found, of_first, rtol=0, atol=1)
    else:
        scale = np.fmax.reduce(np.abs(of_first), axis=0)
        np.testing.assert_allclose(found / scale, of_first / scale, rtol=1e-4, atol=1e-5)


# Rows at the new beginning that know what lies before it: by a filter's or a detector's start,
# windows, or images of the epoch before.
KNOW_WHAT_WAS = {
    "filtered": 1,
    "heart rate": 1,
    "quality": 1,
    "HRV": 2,
    "EEG": 1,
    "images": 1,
}


@pytest.fixture(scope="module")
def cut(nights, folder):
    """The first night without its first three epochs."""
    later = {name: samples[90 * RATES[name] :] for name, samples in nights[0].items()}
    return write_night(folder / "cut.edf", later)


@pytest.mark.parametrize("name", KNOW_WHAT_WAS)
def test_shift_by_whole_epochs(results, expected, cut, name):
    found = results[name](cut)
    of_whole = expected(name)[3:8]
    assert len(found) == 5
    rows = slice(KNOW_WHAT_WAS[name], None)
    np.testing.assert_allclose(found[rows], of_whole[rows], rtol=5e-3, atol=1e-3)


def test_shift_of_labels(tmp_path):
    stages = np.random.default_rng(0).integers(0, 5, size=20)
    names = ["W", "N1", "N2", "N3", "R"]

    def write(name, first):
        annotations = [
            edfio.EdfAnnotation(30.0 * (epoch - first), 30.0, f"Sleep stage {names[stage]}")
            for epoch, stage in enumerate(stages)
            if epoch >= first
        ]
        edfio.Edf([], annotations=annotations).write(tmp_path / name)
        return read_hypnogram(tmp_path / name)

    np.testing.assert_array_equal(write("whole.edf", 0), stages)
    np.testing.assert_array_equal(write("cut.edf", 7), stages[7:])


def test_shift_of_epoch_numbers(results, X):
    """A smoother knows how far rows are apart, and not where they are."""
    table = pd.DataFrame({"a": np.random.default_rng(0).normal(size=12)})
    y = np.arange(12) // 3

    def smooth(first):
        index = pd.MultiIndex.from_product([["n"], first + np.arange(12)])
        features = table.set_index(index.set_names(["recording", "epoch"]))
        return SequenceSmoother(LogisticRegression()).fit(features, y).predict_proba(features)

    np.testing.assert_array_equal(smooth(0), smooth(700))


@pytest.fixture(scope="module")
def arrays(X):
    """The nights as arrays in memory."""
    steps = pipeline_to_arrays(ARRAYS["z-scores"], signals=OF_NETWORK)
    return steps.fit_transform(X).to_arrays()


@pytest.fixture(scope="module")
def fit(make_classifier):
    """Train on arrays; return probabilities of other ones."""

    def fit(arrays, others=None):
        y = np.arange(len(arrays["recording"])) // 2 % 4
        net = make_classifier(max_epochs=1, lr=0.02, batch_size=1, train_split=None)
        return net.fit(SliceDict(**arrays), y).predict_proba(SliceDict(**(others or arrays)))

    return fit


@pytest.fixture(scope="module")
def of_arrays(arrays, fit):
    return fit(arrays)


def changed(arrays, change):
    return {n: change(a) if n != "recording" else a for n, a in arrays.items()}


@pytest.mark.parametrize(
    "change",
    [lambda a: a.astype(np.float64), lambda a: np.repeat(a, 2, axis=1)[:, ::2].astype(">f4")],
    ids=["float64", "strided and big-endian"],
)
def test_how_arrays_lie_in_memory(arrays, fit, of_arrays, change):
    np.testing.assert_array_equal(fit(changed(arrays, change)), of_arrays)


def test_an_array_without_a_sample(arrays, fit, of_arrays):
    n_rows = len(arrays["recording"])
    more = {"FLOW": np.full((n_rows, 64), np.nan, np.float32)}
    np.testing.assert_array_equal(fit({**more, **arrays}, arrays), of_arrays)
    np.testing.assert_array_equal(fit(arrays, {**more, **arrays}), of_arrays)


def test_training_on_all_rows_twice(X, arrays, make_classifier):
    """It is the same as without weights, and as with a weight of 2 for each."""
    steps = pipeline_to_arrays(ARRAYS["z-scores"], signals=OF_NETWORK)
    twice = pd.concat([X, X])
    y = np.arange(len(X)) // 2 % 4
    net = make_classifier(max_epochs=1, lr=0.02, batch_size=1, train_split=None)
    once = clone(net).fit(steps.fit_transform(X), y).predict_proba(steps.transform(X))
    for training, labels, weight in (twice, np.tile(y, 2), None), (X, y, np.full(len(X), 2.0)):
        fitted = clone(net).fit(steps.transform(training), labels, weight)
        np.testing.assert_allclose(fitted.predict_proba(steps.transform(X)), once, atol=1e-4)


def test_transitions_of_all_rows_twice():
    X = pd.DataFrame({"recording": ["a"] * 6 + ["b"] * 6, "epoch": [*range(6)] * 2})
    y = np.array([0, 0, 1, 1, 2, 2, 0, 1, 1, 2, 2, 2])
    once, twice = (
        SequenceSmoother(DummyClassifier(), pseudo_count=0).fit(*rows)
        for rows in ((X, y), (pd.concat([X, X]), np.tile(y, 2)))
    )
    for name in ("transition_", "start_", "class_prior_"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(once, name))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_context_of_features_in_either_precision(dtype):
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([["a", "b"], range(8)], names=["recording", "epoch"])
    features = pd.DataFrame(rng.normal(50, 5, (16, 3)), index=index, columns=list("xyz"))
    features = features.astype(np.float32)
    step = TemporalContext(rolling_means=[3])
    found = step.fit_transform(features.astype(dtype))
    pd.testing.assert_frame_equal(found, step.fit_transform(features.astype(np.float64)))


def test_a_night_of_huge_features_leaves_others_as_they_are():
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([["a", "b"], range(8)], names=["recording", "epoch"])
    features = pd.DataFrame({"x": rng.normal(size=16)}, index=index)
    step = TemporalContext([1], rolling_means=[3], relative=False)
    expected = step.fit_transform(features).loc[["b"]]
    features.loc["a"] *= 1e20
    pd.testing.assert_frame_equal(step.fit_transform(features).loc[["b"]], expected)


def test_gain_and_level_of_a_signal_without_unit(nights, folder):
    breaths = nights[0]["THX"]
    found = {}
    for gain, level in (1.0, 0.0), (0.25, 0.0), (0.25, 0.4):
        path = write_night(folder / f"{gain}-{level}.edf", {"THX": gain * breaths + level})
        steps = make_pipeline(EDFReader(["THX"]), Normalizer(), Epocher())
        found[gain, level] = steps.fit_transform(path).to_arrays()["THX"]
    for values in found.values():
        # Written in steps of 1/2047 of the range.
        np.testing.assert_allclose(values, found[1.0, 0.0], atol=0.02)
