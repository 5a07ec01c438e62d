"""Filter, Resampler, Normalizer and Epocher as estimators, alone and chained."""

import pickle

import numpy as np
import pyedflib
import pytest
import sklearn
from edf_bytes import SignalText, build_file, discontinuous_edf, pack_int16
from scipy.signal import butter, resample_poly, sosfiltfilt
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_sleep.core.epochs import Epochs
from sklearn_sleep.core.signals import SignalDefinition
from sklearn_sleep.exceptions import MissingSignalWarning
from sklearn_sleep.features import (
    CardiorespiratoryFeatures,
    EEGFeatures,
    HeartbeatDetector,
    HRVFeatures,
    InstantaneousHeartRate,
    RespirationFeatures,
    SignalQuality,
)
from sklearn_sleep.imaging import WaveformImageRenderer
from sklearn_sleep.preprocessing import (
    EDFReader,
    Epocher,
    Filter,
    Normalizer,
    Padder,
    RecordingCache,
    RecordingTransformer,
    Resampler,
)
from sklearn_sleep.preprocessing.normalizer import causal_normalize

CARDIO = ["ECG", "PPG", "THX", "ABD"]
STEPS = [Filter(0.1, 4.0), Resampler(), Normalizer(), Epocher()]


class Power(RecordingTransformer):
    """A step of a user."""

    def __init__(self, exponent=2.0):
        self.exponent = exponent

    def transform_signal(self, signal):
        return signal.map(lambda samples: samples**self.exponent, unit="")


@pytest.fixture
def night(data_folder):
    return data_folder / "golden/preprocess-shhs-like/night.edf"


@pytest.fixture
def expected(night):
    with np.load(night.with_name("expected.npz")) as arrays:
        return dict(arrays)


@pytest.fixture
def epochs(night):
    return EDFReader(CARDIO).fit_transform(night)


def samples_of(epochs, name):
    (recording,) = epochs.recordings
    return recording.signals[name].data


@pytest.mark.parametrize(
    ("stage", "steps"),
    [
        ("resampled", []),
        ("zscore", [Normalizer(padded_hours=1)]),
        ("causal", [Normalizer("causal", padded_hours=1)]),
    ],
)
def test_published_pipeline_is_reproduced(night, expected, stage, steps):
    pipeline = make_pipeline(EDFReader(CARDIO), Resampler(method="linear"), *steps)
    whole = pipeline.fit_transform(night)
    cut = Epocher().fit_transform(whole)
    for name, per_epoch in {"ECG": 1024, "PPG": 1024, "THX": 256, "ABD": 256}.items():
        samples = samples_of(whole, name)
        assert samples.dtype == np.float32
        np.testing.assert_allclose(samples, expected[f"{stage}_{name}"], rtol=0, atol=1e-4)
        epoched = samples_of(cut, name)
        assert epoched.shape == (12, per_epoch)
        np.testing.assert_array_equal(epoched, samples.reshape(12, per_epoch), strict=True)
    assert cut.samples_per_epoch == {"ECG": 1024, "PPG": 1024, "THX": 256, "ABD": 256}


def test_epochs_are_those_of_the_file_and_the_rest_is_left_out(data_folder):
    path = data_folder / "mitdb-100.edf"
    samples = samples_of(make_pipeline(EDFReader(["ECG"]), Epocher()).fit_transform(path), "ECG")
    with pyedflib.EdfReader(str(path)) as file:
        by_hand = file.readSignal(0)
    assert samples.shape == (60, 10_800)
    assert len(by_hand) > samples.size
    np.testing.assert_allclose(samples, by_hand[: 60 * 10_800].reshape(60, -1), atol=1e-6)


def test_filter_is_that_of_scipy(epochs):
    filtered = samples_of(Filter(0.1, 4.0, order=3).fit_transform(epochs), "THX")
    sections = butter(3, [0.1, 4.0], "bandpass", fs=10, output="sos")
    by_scipy = sosfiltfilt(sections, samples_of(epochs, "THX").astype(float))
    np.testing.assert_allclose(filtered, by_scipy, atol=1e-5)


def test_filter_leaves_signals_alone_that_are_not_named(epochs):
    step = Filter({"ECG": 0.5}, {"ECG": 40.0}, notch_frequency={"ECG": 50.0, "EEG": 60.0})
    filtered = step.fit_transform(epochs)
    for name in ("PPG", "THX", "ABD"):
        np.testing.assert_array_equal(samples_of(filtered, name), samples_of(epochs, name))
    assert not np.allclose(samples_of(filtered, "ECG"), samples_of(epochs, "ECG"), atol=0.01)


@pytest.mark.parametrize("name", ["low_frequency", "high_frequency", "notch_frequency"])
def test_frequency_that_a_signal_cannot_hold_is_refused_with_its_name(epochs, name):
    message = rf"{name}=35 Hz is too high for PPG, which is sampled at 64 Hz .*{name}=\{{"
    with pytest.raises(ValueError, match=message):
        Filter(**{name: 35.0}).fit_transform(epochs)


@pytest.fixture
def cohorts(write_edf):
    """Nights of a cohort, and two of another one, whose EEG is sampled at 50 Hz."""
    rates = {"a": 200, "b": 50, "c": 200, "d": 50}
    return [
        str(write_edf(f"{name}.edf", ("EEG", np.arange(60.0 * rate) % 7, rate, "uV", (-9, 9))))
        for name, rate in rates.items()
    ]


class Unread(RecordingTransformer):
    """Nobody may ask for its samples."""

    def transform_signal(self, signal):
        def read(samples):
            raise AssertionError("samples were read")

        return signal.map(read)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Filter(None, 35.0), "high_frequency=35 Hz is too high for EEG, which is sampled at 50 Hz"),
        (Filter(30.0), "low_frequency=30 Hz is too high"),
        (Filter(notch_frequency=60.0), "notch_frequency=60 Hz is too high"),
    ],
    ids=str,
)
def test_every_recording_is_checked_before_one_is_read(cohorts, step, message):
    epochs = make_pipeline(EDFReader(["EEG"]), Unread()).fit_transform(cohorts)
    message = rf"b\.edf, .*d\.edf: {message}"
    with pytest.raises(ValueError, match=message):
        clone(step).fit(epochs)
    with pytest.raises(ValueError, match=message):
        clone(step).transform(epochs)
    assert len(clone(step).fit_transform(epochs[epochs.recording_index % 2 == 0])) == 4


def test_edges_in_the_wrong_order_are_refused_before_anything_is_read(cohorts):
    epochs = make_pipeline(EDFReader(["EEG"]), Unread()).fit_transform(cohorts)
    for step in Filter(20.0, 10.0), Filter({"EEG": 20.0}, 20.0):
        with pytest.raises(ValueError, match=r"low_frequency=20 Hz must be below high_frequency"):
            step.fit_transform(epochs)


def test_rates_that_cannot_be_cut_are_told_of_all_recordings(write_edf):
    odd = write_edf("odd.edf", ("EEG", np.zeros(3003), 50.05, "uV", (-9, 9)))
    even = write_edf("even.edf", ("EEG", np.zeros(3000), 50, "uV", (-9, 9)))
    with pytest.raises(ValueError, match=r"^\S*odd\.edf: 30 s of EEG at 50\.05 Hz"):
        make_pipeline(EDFReader(["EEG"]), Epocher()).fit_transform([even, odd])


def test_many_recordings_are_checked_in_no_time(cohorts):
    epochs = EDFReader(["EEG"]).fit_transform(cohorts)
    calls = []

    class Counted(RecordingTransformer):
        def transform_signal(self, signal):
            calls.append(signal.sampling_frequency)
            return signal

    many = Epochs(epochs.table, epochs.recordings * 50, epochs.recording_index)
    assert len(Counted().transform(Counted().transform(many)).recordings) == 200
    # Once for each rate, and the second step once more behind the first.
    assert sorted(calls) == [50.0] * 3 + [200.0] * 3


def test_resampler_is_that_of_scipy(epochs):
    step = Resampler({"THX": 600, "ABD": 240})
    resampled = step.fit_transform(epochs)
    assert resampled.recordings[0].signals["THX"].sampling_frequency == 20
    for name, up, down in (("THX", 2, 1), ("ABD", 4, 5), ("ECG", 512, 1875)):
        by_scipy = resample_poly(samples_of(epochs, name).astype(float), up, down, padtype="edge")
        # The gains of SciPy's phases differ by up to a thousandth.
        np.testing.assert_allclose(samples_of(resampled, name), by_scipy, atol=1e-3)


@pytest.mark.parametrize("step", [*STEPS, Power()], ids=lambda step: type(step).__name__)
@pytest.mark.parametrize("X", ["night.edf", np.zeros((2, 3)), None], ids=["path", "array", "None"])
def test_anything_but_epochs_is_refused_with_the_step_that_is_missing(step, X):
    message = rf"{type(step).__name__} takes Epochs.*EDFReader\(signals"
    with pytest.raises(TypeError, match=message):
        clone(step).fit(X)
    with pytest.raises(TypeError, match=message):
        clone(step).transform(X)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_steps_after_epocher_are_refused_with_the_right_order(epochs, step):
    cut = Epocher().fit_transform(epochs)
    message = rf"{type(step).__name__} works on whole nights.*before Epocher\(\)"
    with pytest.raises(ValueError, match=message):
        clone(step).fit_transform(cut)


def test_epocher_needs_a_whole_number_of_samples(tmp_path):
    signal = SignalText(label="Thor", unit="", samples_per_record="1001")
    path = tmp_path / "night.edf"
    path.write_bytes(build_file([signal], [[pack_int16(range(1001))]], record_duration="100"))
    epochs = EDFReader(["THX"]).fit_transform(path)
    message = r"30 s of THX at 10.01 Hz are 300.3 samples.*Put Resampler\(\) before Epocher\(\)"
    with pytest.raises(ValueError, match=message):
        Epocher().fit_transform(epochs)
    cut = make_pipeline(Resampler(), Epocher()).fit_transform(epochs)
    assert samples_of(cut, "THX").shape == (3, 256)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Filter(0.0), "'low_frequency' parameter"),
        (Filter(None, -3.0), "'high_frequency' parameter"),
        (Filter(notch_frequency="50"), "'notch_frequency' parameter"),
        (Filter(0.1, order=0), "'order' parameter"),
        (Filter(0.1, order=2.5), "'order' parameter"),
        (Resampler(256), "'samples_per_epoch' parameter"),
        (Resampler(method="cubic"), "'method' parameter"),
        (Resampler({"ECG": 0}), r"samples_per_epoch\['ECG'\]=0 must be an integer above 0"),
        (Resampler({"ECG": 99.5}), r"samples_per_epoch\['ECG'\]=99.5 must be an integer"),
        (Normalizer("minmax"), "'method' parameter"),
        (Normalizer(padded_hours=0), "'padded_hours' parameter"),
    ],
)
def test_parameters_are_validated(epochs, step, message):
    with pytest.raises(ValueError, match=message):
        step.fit_transform(epochs)


@pytest.mark.parametrize("step", [*STEPS, Power()], ids=lambda step: type(step).__name__)
def test_steps_are_estimators(epochs, step):
    copy = clone(step)
    assert copy.get_params() == step.get_params()
    copy.set_params(**step.get_params())
    assert copy.fit(epochs) is copy
    check_is_fitted(clone(step))
    back = pickle.loads(pickle.dumps(copy))  # noqa: S301 - made here
    assert repr(back) == repr(step)
    transformed = back.transform(epochs)
    assert len(transformed) == 12
    assert samples_of(transformed, "THX").dtype == np.float32


def test_a_step_that_changes_later_changes_no_earlier_recording(epochs):
    per_epoch = {"ECG": 512}
    steps = [Resampler(per_epoch), Power(2.0)]
    transformed = [step.fit_transform(epochs) for step in steps]
    fingerprints = [e.recordings[0].fingerprint for e in transformed]
    before = [samples_of(e, "ECG") for e in transformed]
    per_epoch["ECG"] = 256
    steps[0].set_params(method="linear")
    steps[1].set_params(exponent=3.0)
    assert [e.recordings[0].fingerprint for e in transformed] == fingerprints
    for e, samples in zip(transformed, before, strict=True):
        np.testing.assert_array_equal(samples_of(e, "ECG"), samples)
    assert not np.array_equal(samples_of(steps[1].transform(epochs), "ECG"), before[1])


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Filter(order="high"), "'order' parameter"),
        (Resampler(method="polyfase"), "'method' parameter"),
        (Normalizer("zscroe"), "'method' parameter"),
        (Padder(hours="ten"), "'hours' parameter"),
        (RecordingCache("cache", max_bytes="1 GB"), "'max_bytes' parameter"),
        (SignalQuality(action="dorp"), "'action' parameter"),
        (SignalQuality(faults=["flatt"]), "faults"),
        (HeartbeatDetector("ECG"), "signals"),
        (InstantaneousHeartRate(signals=["EGC"]), "signals"),
        (HRVFeatures(groups=["tiem"]), "groups"),
        (HRVFeatures(n_jobs="all"), "'n_jobs' parameter"),
        (EEGFeatures(["ECG"]), "signals"),
        (RespirationFeatures(((15, -45),)), "windows"),
        (CardiorespiratoryFeatures(n_jobs="all"), "'n_jobs' parameter"),
        (WaveformImageRenderer("sleepvml"), "montage"),
        (WaveformImageRenderer(layout="panels"), "'layout' parameter"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_misspelt_parameters_raise_without_a_fit(epochs, step, message):
    with pytest.raises(ValueError, match=message):
        step.transform(epochs)


def test_misspelt_parameter_of_the_reader_raises_without_a_fit(night):
    with pytest.raises(ValueError, match="'on_error' parameter"):
        EDFReader(["ECG"], on_error="wran").transform(night)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Resampler({"EGC": 512}), "samples_per_epoch names 'EGC'.* Known are ECG, PPG"),
        (Filter({"ECG": 0.5, "EKG": 0.5}), "low_frequency names 'EKG'"),
        (Filter(None, {"thx": 2.0}), "high_frequency names 'thx'"),
        (Filter(notch_frequency={"PPGG": 50.0}), "notch_frequency names 'PPGG'"),
        (EEGFeatures(["EGG"]), "signals names 'EGG'"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_misspelt_signals_are_named(epochs, step, message):
    with pytest.raises(ValueError, match=message):
        step.fit(epochs)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"units": {"ECGG": "uV"}}, "units names 'ECGG'"),
        ({"channels": {"EKG": "ECG 2"}}, "channels names 'EKG'"),
        ({"channels": {"mesa": {"EGG": "EEG3"}}}, "channels names 'EGG'"),
    ],
)
def test_misspelt_signals_of_the_reader_are_named(night, parameters, message):
    with pytest.raises(ValueError, match=message):
        EDFReader(["ECG"], **parameters).fit(night)


def test_signals_that_are_absent_or_a_users_own_may_be_named(epochs, gapped):
    Resampler({"EEG": 1920, "F4-M1": 960, "ECG": 512}).fit(epochs)
    Resampler({"S16": 120}).fit(gapped)
    Filter({"S16": 0.1, "SpO2": 0.01}).fit(gapped)
    EDFReader([GAPPED], channels={"S16": "x", "mesa": {"EEG": "EEG3"}}).fit(None)


@pytest.mark.parametrize("fast", [60.0, 200.0])
@pytest.mark.parametrize("step", [Filter(0.3), Filter(None, 20.0), Filter(0.3, 20.0)], ids=str)
def test_dead_electrode_stays_flat_through_all_steps(write_edf, step, fast):
    dead = np.full(int(300 * fast), 1530.0)
    path = write_edf("night.edf", ("EEG C4-M1", dead, fast, "uV", (-3276.8, 3276.7)))
    epochs = EDFReader(["EEG"]).fit_transform(path)
    for method in ("zscore", "causal"):
        steps = [clone(step), Resampler(), Normalizer(method), Epocher()]
        samples = samples_of(make_pipeline(*steps).fit_transform(epochs), "EEG")
        np.testing.assert_array_equal(samples, 0.0)


def test_causal_normalization_does_not_depend_on_the_unit_that_is_read(write_edf):
    rng = np.random.default_rng(0)
    # Half of the night quieter than the floor of 0.1 uV, and far below one of 0.1 mV.
    eog = np.where(np.arange(6400) < 3200, 0.02, 30.0) * rng.normal(size=6400)
    path = write_edf("night.edf", ("EOG L", eog, 64, "uV", (-200, 200)))
    read = [
        samples_of(make_pipeline(reader, Normalizer("causal")).fit_transform(path), "EOG-L")
        for reader in (
            EDFReader(["EOG-L"], channels={"EOG-L": "EOG L"}),
            EDFReader(["EOG-L"], channels={"EOG-L": "EOG L"}, units={"EOG-L": "mV"}),
        )
    ]
    np.testing.assert_allclose(read[1], read[0], rtol=1e-5, atol=1e-6)
    assert np.abs(read[0][:3000]).max() < 1.5
    # Whoever defines the signal in mV, as the published pipeline does, has the floor in mV.
    published = SignalDefinition("EOG-L", 4096, "mV", ("EOG L",))
    in_millivolts = make_pipeline(EDFReader([published]), Normalizer("causal")).fit_transform(path)
    samples = EDFReader([published]).fit_transform(path).recordings[0].signals["EOG-L"].data
    expected = causal_normalize(samples, 64.0)
    np.testing.assert_array_equal(samples_of(in_millivolts, "EOG-L"), expected)


def make_whole_pipeline():
    return make_pipeline(EDFReader(CARDIO), *map(clone, STEPS))


def test_output_containers_leave_epochs_as_they_are(night):
    expected = samples_of(make_whole_pipeline().fit_transform(night), "THX")
    pipeline = make_whole_pipeline().set_output(transform="pandas")
    outputs = [pipeline.fit_transform(night)]
    with sklearn.config_context(transform_output="pandas"):
        outputs.append(make_whole_pipeline().fit_transform(night))
    for output in outputs:
        assert isinstance(output, Epochs)
        np.testing.assert_array_equal(samples_of(output, "THX"), expected)


def test_names_of_the_signals_come_out_of_a_pipeline(night):
    pipeline = make_whole_pipeline().fit(night)
    assert pipeline.get_feature_names_out().tolist() == CARDIO
    assert pipeline[:2].get_feature_names_out().tolist() == CARDIO


def test_parameters_are_reached_through_a_pipeline(night):
    pipeline = make_whole_pipeline()
    pipeline.set_params(
        edfreader__signals=["THX"], resampler__samples_per_epoch={"THX": 60}, filter="passthrough"
    )
    epochs = clone(pipeline).fit_transform(night)
    assert epochs.samples_per_epoch == {"THX": 60}


def test_recording_without_signals_goes_through_every_step(data_folder):
    with pytest.warns(MissingSignalWarning):
        epochs = EDFReader(["THX"]).fit_transform(data_folder / "mitdb-100.edf")
    out = Pipeline([(str(i), step) for i, step in enumerate(STEPS)]).fit_transform(epochs)
    assert len(out) == 60
    assert out.signal_names == ()
    assert out.to_arrays().keys() == {"recording"}


GAPPED = SignalDefinition("S16", 240, aliases=())
PRESENT = [*range(70), *range(85, 181)]  # records of 1 s; a gap from 70 s to 85 s


@pytest.fixture
def gapped(tmp_path):
    path = tmp_path / "gapped.edf"
    path.write_bytes(discontinuous_edf(PRESENT, rates=(16,)))
    return EDFReader([GAPPED]).fit_transform(path)


def missing_at(rate, n_samples):
    """Tell the samples of the gap, which lie at i / rate seconds."""
    seconds = np.arange(n_samples) / rate
    return (seconds >= 70) & (seconds < 85)


def test_gap_of_a_discontinuous_file_is_nan(gapped):
    samples = samples_of(gapped, "S16")
    assert gapped.recordings[0].n_epochs == 6
    assert len(samples) == 181 * 16
    np.testing.assert_array_equal(np.isnan(samples), missing_at(16, 181 * 16))


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (Filter(0.1, 5.0), 16),
        (Resampler(), 8),
        (Resampler({"S16": 1000}), 1000 / 30),
        (Normalizer(), 16),
        (Normalizer("causal"), 16),
    ],
    ids=str,
)
def test_gap_does_not_spread(gapped, step, rate):
    samples = samples_of(step.fit_transform(gapped), "S16")
    np.testing.assert_array_equal(np.isnan(samples), missing_at(rate, len(samples)))


def test_normalizer_leaves_the_gap_out_of_the_statistics(gapped):
    samples = samples_of(gapped, "S16").astype(float)
    by_hand = (samples - np.nanmean(samples)) / np.nanstd(samples, ddof=1)
    normalized = samples_of(Normalizer().fit_transform(gapped), "S16")
    np.testing.assert_allclose(normalized, by_hand, atol=1e-5)


def test_filter_takes_what_lies_on_each_side_of_the_gap_on_its_own(gapped):
    samples = samples_of(gapped, "S16").astype(float)
    filtered = samples_of(Filter(0.1, 5.0).fit_transform(gapped), "S16")
    sections = butter(4, [0.1, 5.0], "bandpass", fs=16, output="sos")
    for part in (slice(0, 70 * 16), slice(85 * 16, None)):
        np.testing.assert_allclose(filtered[part], sosfiltfilt(sections, samples[part]), atol=1e-3)


def test_gap_stays_in_its_epochs_through_all_steps(gapped):
    out = make_pipeline(*map(clone, STEPS)).fit_transform(gapped)
    missing = np.isnan(samples_of(out, "S16"))
    assert missing.shape == (6, 240)
    np.testing.assert_array_equal(missing.ravel(), missing_at(8, 6 * 240))


def test_linear_resampling_bridges_the_gap_as_the_published_pipeline(gapped):
    samples = samples_of(Resampler(method="linear").fit_transform(gapped), "S16")
    seconds = (np.arange(6 * 240) + 1) / 8
    raw = samples_of(gapped, "S16").astype(float)
    there = np.flatnonzero(~np.isnan(raw))
    np.testing.assert_allclose(samples, np.interp(seconds, there / 16, raw[there]), rtol=1e-5)


def test_missing_samples_within_a_signal_stay_in_place(epochs):
    class Dropout(RecordingTransformer):
        def transform_signal(self, signal):
            def drop(samples):
                samples = samples.copy()
                samples[len(samples) // 4 : len(samples) // 2] = np.nan
                return samples

            return signal.map(drop)

    out = make_pipeline(Dropout(), *map(clone, STEPS)).fit_transform(epochs)
    for name in CARDIO:
        missing = np.isnan(samples_of(out, name))
        assert missing.any(axis=1).tolist() == [False] * 3 + [True] * 3 + [False] * 6
        assert missing[3:6].all()


def test_own_step(epochs):
    pipeline = make_pipeline(Power(3.0), Epocher())
    out = pipeline.fit_transform(epochs)
    expected = samples_of(epochs, "THX").reshape(12, 300) ** 3
    np.testing.assert_array_equal(samples_of(out, "THX"), expected)
    assert out.recordings[0].signals["ECG"].unit == ""
    assert pipeline.get_feature_names_out(CARDIO).tolist() == CARDIO
    pipeline.set_params(power__exponent=1.0)
    np.testing.assert_array_equal(
        samples_of(pipeline.fit_transform(epochs), "THX"),
        samples_of(epochs, "THX").reshape(12, 300),
    )


def test_own_step_without_transform_signal_cannot_be_made():
    class Nothing(RecordingTransformer):
        pass

    with pytest.raises(TypeError, match="transform_signal"):
        Nothing()
