"""Features of the EEG are YASA's, and events are where they were put."""

import pickle

import mne
import numpy as np
import pytest
from interpreted_yasa import yasa
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sklearn_sleep.core.signals import SignalDefinition
from sklearn_sleep.features import EEGFeatures, detect_slow_waves, detect_spindles
from sklearn_sleep.features.base import compute_columns
from sklearn_sleep.features.brain.eeg import (
    _BAND,
    _TRANSITIONS,
    EEG_FEATURES,
    EEGEpochs,
    SleepEvents,
    _seconds_in,
)
from sklearn_sleep.features.samples import band_pass
from sklearn_sleep.io import epoch_table
from sklearn_sleep.preprocessing import EDFReader, Epocher, Normalizer, Resampler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning")

FREQUENCY = 100
YASA_NAMES = {
    "sd": "std",
    "iqr": "iqr",
    "skewness": "skew",
    "kurtosis": "kurt",
    "zero_crossings": "nzc",
    "hjorth_mobility": "hmob",
    "hjorth_complexity": "hcomp",
    "slow_delta": "sdelta",
    "fast_delta": "fdelta",
    "theta": "theta",
    "alpha": "alpha",
    "sigma": "sigma",
    "beta": "beta",
    "delta_theta_ratio": "dt",
    "delta_sigma_ratio": "ds",
    "delta_beta_ratio": "db",
    "alpha_theta_ratio": "at",
    "power": "abspow",
    "permutation_entropy": "perm",
    "higuchi_dimension": "higuchi",
    "petrosian_dimension": "petrosian",
}


@pytest.fixture(scope="module")
def simulated():
    """An EEG of 20 minutes in uV, and the times of its spindles and of its slow waves."""
    rng = np.random.default_rng(0)
    n_samples = 20 * 60 * FREQUENCY
    time = np.arange(n_samples) / FREQUENCY
    frequency = np.fft.rfftfreq(n_samples, 1 / FREQUENCY)
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    spectrum *= np.where(frequency < 0.3, 0.0, 1 / np.maximum(frequency, 0.1) ** 0.8)
    eeg = np.fft.irfft(spectrum, n_samples)
    eeg *= 12 / eeg.std()
    wander = 0.03 * np.cumsum(rng.standard_normal(n_samples))
    eeg += np.where(time < 150, 14 * np.sin(2 * np.pi * 10 * time + wander), 0.0)
    spindles = np.arange(300.0, 1190.0, 10.0) + rng.uniform(0, 5, 89)
    for middle in spindles:
        shape = np.exp(-(((time - middle) / rng.uniform(0.35, 0.6)) ** 2))
        wave = np.sin(2 * np.pi * rng.uniform(12.3, 14.7) * (time - middle))
        eeg += rng.uniform(15, 35) * shape * wave
    slow_waves = np.arange(600.0, 1190.0, 5.0) + rng.uniform(0, 2, 118)
    for start in slow_waves:
        phase = (time - start) / rng.uniform(0.8, 1.3)
        inside = (phase > 0) & (phase < 1)
        eeg -= np.where(inside, rng.uniform(50, 110) * np.sin(2 * np.pi * phase), 0.0)
    return eeg.round(1), spindles, slow_waves


@pytest.fixture(scope="module")
def of_yasa(simulated):
    """What YASA finds in it: features, spindles and slow waves."""
    info = mne.create_info(["EEG"], FREQUENCY, "eeg", verbose="error")
    raw = mne.io.RawArray(simulated[0][None] * 1e-6, info, verbose="error")
    features = yasa.SleepStaging(raw, "EEG").get_features()
    spindles = yasa.spindles_detect(simulated[0], FREQUENCY).summary()
    slow_waves = yasa.sw_detect(simulated[0], FREQUENCY).summary()
    return features, spindles, slow_waves


@pytest.fixture(scope="module")
def brain_cohort(cohort):
    return EDFReader(["EEG", "EMG"]).fit_transform(cohort.X)


@pytest.fixture(scope="module")
def features(brain_cohort):
    return EEGFeatures(["EEG", "EMG"]).fit_transform(brain_cohort)


def compute(epochs, *groups):
    """Return features of samples in epochs by name."""
    source = EEGEpochs(epochs, np.arange(len(epochs)), SleepEvents(epochs.ravel()))
    functions = {name: of for group in groups for name, of in EEG_FEATURES[group].items()}
    columns = compute_columns(functions, source, len(epochs))
    return dict(zip(functions, columns.T, strict=True))


def written(write_edf, *channels):
    return write_edf(
        "night.edf",
        *(
            (label, samples, frequency, unit, (-3000, 3000))
            for label, samples, frequency, unit in channels
        ),
    )


def test_features_are_those_of_yasa(simulated, of_yasa, write_edf):
    path = written(write_edf, ("EEG", simulated[0], 100, "uV"))
    found = EEGFeatures().fit_transform(EDFReader(["EEG"]).fit_transform(str(path)))
    theirs = {
        name.removeprefix("eeg_"): of_yasa[0][name]
        for name in of_yasa[0]
        if name.startswith("eeg_") and not name.endswith("_norm")
    }
    assert set(theirs) == set(YASA_NAMES.values())
    for name, of_yasa_name in YASA_NAMES.items():
        # The file rounds to steps of 0.1 uV.
        np.testing.assert_allclose(
            found[f"EEG_{name}"], theirs[of_yasa_name], rtol=0.02, atol=0.02, err_msg=name
        )
    # Of the very samples they are the same but for the single precision of YASA's table.
    epochs = band_pass(simulated[0], FREQUENCY, _BAND, _TRANSITIONS).reshape(-1, 30 * FREQUENCY)
    of_epochs = compute(epochs, "shape", "bands", "ratios", "power", "complexity")
    for name, of_yasa_name in YASA_NAMES.items():
        np.testing.assert_allclose(of_epochs[name], theirs[of_yasa_name], rtol=1e-6, err_msg=name)


def test_spindles_are_those_of_yasa_and_those_put_in(simulated, of_yasa):
    eeg, spindles, _ = simulated
    found = detect_spindles(eeg, 100)
    theirs = of_yasa[1][["Start", "End"]].to_numpy()
    nearest = np.abs(found.mean(axis=1)[:, None] - theirs.mean(axis=1)).argmin(axis=0)
    alike = np.abs(found[nearest] - theirs).max(axis=1) < 0.25
    assert alike.mean() > 0.95
    assert len(found) <= len(theirs)
    distance = np.abs(found.mean(axis=1)[:, None] - spindles)
    assert np.all(distance.min(axis=1) < 0.5)
    assert np.mean(distance.min(axis=0) < 0.5) > 0.85


def test_slow_waves_are_those_of_yasa_and_those_put_in(simulated, of_yasa):
    eeg, _, slow_waves = simulated
    found = detect_slow_waves(eeg, 100)
    theirs = of_yasa[2][["Start", "NegPeak", "End", "PTP"]].to_numpy()
    assert len(found.starts) == len(theirs)
    np.testing.assert_allclose(found.starts, theirs[:, 0], atol=0.02)
    np.testing.assert_allclose(found.troughs, theirs[:, 1], atol=0.0011)
    np.testing.assert_allclose(found.stops, theirs[:, 2], atol=0.02)
    np.testing.assert_allclose(found.heights, theirs[:, 3], atol=0.001)
    distance = np.abs(found.starts[:, None] - slow_waves)
    assert np.mean(distance.min(axis=0) < 0.3) > 0.8


def test_events_of_each_epoch(simulated, of_yasa, write_edf):
    path = written(write_edf, ("EEG", simulated[0], 100, "uV"))
    found = EEGFeatures().fit_transform(EDFReader(["EEG"]).fit_transform(str(path)))
    spindles = detect_spindles(simulated[0], 100)
    waves = detect_slow_waves(simulated[0], 100)
    assert found["EEG_spindles"].sum() == pytest.approx(len(spindles), abs=1)
    assert found["EEG_spindle_seconds"].sum() == pytest.approx(np.diff(spindles).sum(), abs=1)
    assert found["EEG_slow_waves"].sum() == pytest.approx(len(waves.starts), abs=1)
    theirs = of_yasa[2]["PTP"].groupby((of_yasa[2]["NegPeak"] // 30).astype(int)).mean()
    heights = found["EEG_slow_wave_height"].to_numpy()
    np.testing.assert_allclose(heights[theirs.index], theirs, rtol=0.01)
    assert (np.delete(heights, theirs.index) == 0).all()
    assert (found["EEG_spindles"].to_numpy()[:9] == 0).all()


def test_seconds_of_events_that_cross_epochs():
    events = np.array([[10.0, 11.0], [29.5, 31.0], [65.0, 66.5]])
    np.testing.assert_allclose(_seconds_in(events, np.array([0, 1, 2, 3])), [1.5, 1.0, 1.5, 0.0])
    assert _seconds_in(np.empty((0, 2)), np.array([0, 1])).tolist() == [0.0, 0.0]


def test_shapes_of_known_waves():
    time = np.arange(3000) / 100
    sine = np.sin(2 * np.pi * 5 * time + 0.1)
    noise = np.random.default_rng(0).standard_normal(3000)
    of_shape = compute(np.stack([sine, noise]), "shape")
    # A sine changes as a sine: mobility 2 sin(w / 2), complexity 1, 10 crossings a second but for
    # the one just after the end.
    np.testing.assert_allclose(of_shape["sd"], [np.sqrt(0.5), noise.std(ddof=1)], rtol=1e-3)
    np.testing.assert_allclose(of_shape["hjorth_mobility"][0], 2 * np.sin(np.pi / 20), rtol=1e-3)
    np.testing.assert_allclose(of_shape["hjorth_complexity"][0], 1, rtol=1e-3)
    np.testing.assert_allclose(of_shape["kurtosis"], [-1.5, 0], atol=0.2)
    assert of_shape["zero_crossings"][0] == 299
    found = compute(np.stack([np.arange(3000.0), noise, np.cumsum(noise)]), "complexity")
    np.testing.assert_allclose(found["permutation_entropy"][:2], [0, 1], atol=0.002)
    # A line has the dimension 1, noise 2, and Brownian motion 1.5.
    np.testing.assert_allclose(found["higuchi_dimension"], [1, 2, 1.5], atol=0.03)
    assert found["petrosian_dimension"][0] == 1


@pytest.mark.parametrize("frequency", [64, 128, 200, 256])
def test_other_sampling_frequencies_give_the_same(frequency, write_edf):
    def features_at(frequency):
        time = np.arange(0, 300, 1 / frequency)
        eeg = 60 * np.sin(2 * np.pi * 0.7 * time) + 20 * np.sin(2 * np.pi * 10.2 * time)
        path = written(write_edf, ("EEG", eeg, frequency, "uV"))
        found = EEGFeatures().fit_transform(EDFReader(["EEG"]).fit_transform(str(path))).iloc[3]
        # Ratios to bands in which there is nothing.
        return found[[name for name in found.index if not name.endswith("ratio")]]

    found = features_at(frequency)
    np.testing.assert_allclose(found, features_at(100), rtol=0.02, atol=0.02)
    assert found["EEG_sd"] == pytest.approx(np.sqrt(2000), rel=0.01)
    assert found["EEG_slow_waves"] == pytest.approx(21, abs=1)
    # Powers are as the squares of the amplitudes. Of eleven segments that are all alike the median
    # is their mean, but is taken for that of noise, which lies below its mean by this factor.
    below = 1 + sum(1 / (k + 1) - 1 / k for k in range(2, 11, 2))
    assert found["EEG_power"] == pytest.approx(2000 / below, rel=0.01)


def test_table(cohort, brain_cohort, features):
    step = EEGFeatures(["EEG", "EMG"])
    assert list(features.columns) == list(step.get_feature_names_out())
    assert features.index.names == ["recording", "epoch"]
    assert "EMG_power" in features
    assert "EMG_theta" not in features
    assert "EMG_spindles" not in features
    assert "EOG_theta" in EEGFeatures(["EOG"]).get_feature_names_out()
    assert "EOG_slow_waves" not in EEGFeatures(["EOG"]).get_feature_names_out()
    assert "EEG_spindles" not in EEGFeatures(events=False).get_feature_names_out()
    rows = np.random.default_rng(0).permutation(len(brain_cohort))[:40]
    some = EEGFeatures(["EEG", "EMG"], n_jobs=2).fit_transform(brain_cohort[rows])
    np.testing.assert_array_equal(some, features.iloc[rows])
    # Deep sleep has delta waves, and they are what it is scored by.
    delta = features["EEG_slow_delta"] + features["EEG_fast_delta"]
    by_stage = delta.groupby(np.asarray(cohort.y)).mean()
    assert by_stage[2] > 1.2 * by_stage[[0, 3]].max()
    assert by_stage.idxmax() == 2


def test_masked_epochs_are_missing_and_change_few_others(cohort, features):
    masked = cohort.X["epoch"].to_numpy() % 10 == 3
    epochs = EDFReader(["EEG"]).fit_transform(cohort.X.assign(EEG=~masked))
    found = EEGFeatures(events=False).fit_transform(epochs)
    assert found[masked].isna().all(axis=None)
    # The filter reaches 4 s into epochs beside masked ones.
    far = (cohort.X["epoch"].to_numpy() % 10 > 4) & features["EEG_sd"].notna()
    assert far.any()
    np.testing.assert_allclose(found[far], features.loc[far, found.columns], rtol=1e-3, atol=1e-3)
    none = EEGFeatures().fit_transform(EDFReader(["ECG"]).fit_transform(cohort.X))
    assert none.isna().all(axis=None)


def test_a_signal_of_ones_own(write_edf, brain_cohort):
    samples = 50 * np.random.default_rng(0).standard_normal(12000)
    path = written(write_edf, ("EEG", samples, 100, "uV"), ("Left", samples, 100, "uV"))
    reader = EDFReader(["EEG", SignalDefinition("ear", 4096, "uV", ("Left",))])
    found = EEGFeatures(["EEG", "ear"]).fit_transform(reader.fit_transform(str(path)))
    np.testing.assert_array_equal(found.filter(like="ear_"), found.filter(like="EEG_"))
    assert found.notna().all(axis=None)


def test_an_electrode_that_is_off(write_edf):
    path = written(write_edf, ("EEG", np.zeros(12000), 100, "uV"))
    found = EEGFeatures().fit_transform(EDFReader(["EEG"]).fit_transform(str(path)))
    assert found.isna().all(axis=None)


def test_all_recordings_are_checked_before_one_is_read(write_edf, monkeypatch):
    fast, slow, other = (
        str(write_edf(f"{name}.edf", ("EEG", np.arange(60.0 * rate) % 9, rate, "uV", (-9, 9))))
        for name, rate in [("fast", 100), ("slow", 50), ("other", 50)]
    )
    X = epoch_table([fast, slow, other])
    pipeline = make_pipeline(EDFReader(["EEG"]), EEGFeatures())
    expected = pipeline.fit_transform(fast)
    # What may not be used is as if it were not there.
    features = pipeline.fit_transform(X.assign(EEG=X["recording"] == fast))
    np.testing.assert_array_equal(features.to_numpy()[:2], expected.to_numpy())
    assert features.iloc[2:].isna().all(axis=None)
    monkeypatch.setattr(EEGFeatures, "compute_features", None)
    with pytest.raises(
        ValueError, match=r"slow\.edf, \S*other\.edf: EEG has 50 samples per second"
    ):
        pipeline.fit_transform(X)


def test_wrong_input(cohort, brain_cohort, write_edf):
    with pytest.raises(ValueError, match=r"must be an array-like\. Got 'EEG' instead"):
        EEGFeatures("EEG").fit(brain_cohort)
    with pytest.raises(ValueError, match="ECG is none of them"):
        EEGFeatures(["EEG", "ECG"]).fit(brain_cohort)
    with pytest.raises(TypeError, match="Put EDFReader"):
        EEGFeatures().fit(cohort.X)
    with pytest.raises(ValueError, match="Leave Epocher"):
        make_pipeline(Resampler(), Epocher(), EEGFeatures()).fit(brain_cohort)
    with pytest.raises(ValueError, match=r"microvolts are needed. Leave out the Normalizer"):
        make_pipeline(Normalizer(), EEGFeatures()).fit_transform(brain_cohort)
    slow = written(write_edf, ("EEG", np.zeros(1500), 50, "uV"))
    with pytest.raises(ValueError, match=r"night\.edf: EEG has 50 samples per second; waves"):
        EEGFeatures().fit_transform(EDFReader(["EEG"]).fit_transform(str(slow)))


def test_clone_and_pickle(brain_cohort, features):
    step = clone(EEGFeatures()).set_params(signals=["EEG", "EMG"])
    step = pickle.loads(pickle.dumps(step))  # noqa: S301  our own bytes
    np.testing.assert_array_equal(step.fit_transform(brain_cohort), features)
