"""Features of breathing are what formulas and the generator say."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_sleep.features import (
    Breaths,
    Heartbeats,
    RespirationFeatures,
    detect_breaths,
    respiration_from_ecg,
    respiration_from_ppg,
)
from sklearn_sleep.features.base import compute_columns
from sklearn_sleep.features.breathing.respiration import (
    RESPIRATION_FEATURES,
    BreathWindows,
    couple,
    peak_to_trough,
)
from sklearn_sleep.features.interval_windows import IntervalWindows
from sklearn_sleep.preprocessing import EDFReader, Epocher, Resampler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning")

CENTRES = np.array([300.0, 600.0, 900.0])
QUARTERS = np.arange(0, 1200, 0.25)


@pytest.fixture(scope="module")
def epochs(cohort):
    return EDFReader(["THX", "ABD", "ECG", "PPG"]).fit_transform(cohort.X)


@pytest.fixture(scope="module")
def features(epochs):
    return RespirationFeatures().fit_transform(epochs)


def beats_at(times):
    return Heartbeats(times, np.zeros(len(times), dtype=bool), times)


def breaths_of(durations, inspirations, depths, similarities=None):
    onsets = np.concatenate([[0.0], np.cumsum(durations)])
    n = len(durations)
    similarities = np.full(n, np.nan) if similarities is None else similarities
    peaks = onsets[:-1] + inspirations
    rises = (onsets[:-1] + peaks) / 2
    return Breaths(onsets, peaks, rises, np.asarray(depths), similarities, np.ones(n, dtype=bool))


def compute(group, source, n_rows):
    functions = RESPIRATION_FEATURES[group]
    return dict(zip(functions, compute_columns(functions, source, n_rows).T, strict=True))


def of_breaths(breaths, epoch, window=(60, 90)):
    windows = BreathWindows(breaths.onsets, breaths.durations, np.array(epoch), window, breaths)
    return compute("breaths", windows, len(epoch))


def coupling(intervals, respiration, centres):
    return compute("coupling", couple(intervals, respiration, centres), len(centres))


def test_features_are_those_of_the_breaths_in_the_window():
    rng = np.random.default_rng(0)
    durations = rng.uniform(3, 5, 60)
    inspirations = durations * rng.uniform(0.3, 0.5, 60)
    depths, similarities = rng.uniform(1, 2, (2, 60))
    breaths = breaths_of(durations, inspirations, depths, similarities)
    found = of_breaths(breaths, [3, 4])
    for row, begin in enumerate((90.0, 120.0)):
        ends = np.cumsum(durations)
        inside = (ends >= begin - 60) & (ends < begin + 90)
        d, a, i = durations[inside], depths[inside], (inspirations / durations)[inside]
        expected = {
            "breathing_rate": 60 / d.mean(),
            "breath_duration_sd": d.std(ddof=1),
            "breath_duration_rmssd": np.sqrt(np.mean(np.diff(d) ** 2)),
            "breath_duration_max": d.max(),
            "inspiration_share": i.mean(),
            "inspiration_share_sd": i.std(ddof=1),
            "breath_depth_cv": a.std(ddof=1) / a.mean(),
            "breath_depth_cvsd": np.sqrt(np.mean(np.diff(a) ** 2)) / a.mean(),
            "breath_similarity": similarities[inside][1:].mean(),
        }
        assert list(found) == list(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name][row], value, rtol=1e-10, err_msg=name)


def test_a_breath_that_was_not_measured_is_left_out():
    breaths = breaths_of(np.full(60, 4.0), np.full(60, 2.0), np.ones(60))
    breaths.is_measured[20] = False
    breaths.depths[20] = 1e6
    found = of_breaths(breaths, [3])
    assert found["breath_depth_cv"][0] == 0
    assert found["breathing_rate"][0] == 15
    shallow = breaths_of(np.full(60, 4.0), np.full(60, 2.0), np.zeros(60))
    assert np.isnan(of_breaths(shallow, [3], (120, 150))["breath_depth_cv"])
    long = breaths_of([4.0] * 20 + [60.0] + [4.0] * 20, np.full(41, 2.0), np.ones(41))
    found = of_breaths(long, [3, 4], (0, 30))
    assert np.isnan(found["breathing_rate"][0])
    assert found["breath_duration_max"][1] == 60


def test_rates_are_those_of_the_generator(cohort, epochs):
    truth = []
    for night in cohort.nights:
        onsets = night.load_truth()["breath_onsets"]
        begin = 30.0 * cohort.X["epoch"][cohort.X["recording"] == str(night.recording)].to_numpy()
        ends = onsets[1:, None]
        inside = (ends >= begin - 60) & (ends < begin + 90)
        truth.append(60 * inside.sum(axis=0) / (inside * np.diff(onsets)[:, None]).sum(axis=0))
    truth = np.concatenate(truth)
    # Of a guess that knows the cohort's rate alone.
    guess = np.median(np.abs(truth - np.median(truth)))
    for signals, error in ((["THX"], 0.05), (["ABD"], 0.05), (["ECG"], 0.5), (["PPG"], 0.5)):
        step = RespirationFeatures([(60, 90)], signals=signals, coupling=False)
        rates = step.fit_transform(epochs)["breathing_rate"].to_numpy()
        known = np.isfinite(rates)
        assert known.mean() > (0.3 if signals == ["PPG"] else 0.9)
        found = np.median(np.abs(rates - truth)[known])
        assert found < error < guess, signals


def test_peak_to_trough_arrhythmia():
    # Inspiration from 0 to 2 s of each 4, in which intervals are short.
    times = np.arange(0, 100, 0.5)
    intervals = np.where(np.arange(len(times) - 1) % 8 < 4, 0.45, 0.5)
    beats = beats_at(np.concatenate([[0.0], np.cumsum(intervals)]))
    breaths = breaths_of(np.full(20, 3.8), np.full(20, 1.8), np.ones(20))
    found = peak_to_trough(breaths, beats)
    np.testing.assert_allclose(found, 0.05, atol=1e-9)
    windows = IntervalWindows(breaths.onsets, found, np.array([1]), (20, 50))
    np.testing.assert_allclose(compute("arrhythmia", windows, 1)["RSA"], 0.05, atol=1e-9)
    # Where the heart slows in inspiration there is none.
    late = replace(breaths, onsets=breaths.onsets + 1.9, peaks=breaths.peaks + 1.9)
    assert np.all(peak_to_trough(late, beats)[:-1] <= 0.05)
    assert np.isnan(peak_to_trough(breaths, beats_at(np.array([0.0, 1.0])))).all()


@pytest.mark.parametrize(
    ("frequency", "band"), [(0.25, "HFC"), (0.15, "HFC"), (0.04, "LFC"), (0.0055, "VLFC")]
)
def test_coupling_lies_at_the_frequency_that_heart_and_breath_share(frequency, band):
    rng = np.random.default_rng(0)
    wave = 2 * np.pi * frequency * QUARTERS
    intervals = 0.9 + 0.03 * np.sin(wave) + 0.002 * rng.standard_normal(len(wave))
    respiration = 5 + 20 * np.sin(wave + 1) + rng.standard_normal(len(wave))
    found = coupling(intervals, respiration, CENTRES)
    assert np.all(found[band] > 0.95)
    np.testing.assert_allclose(sum(found[name] for name in ("HFC", "LFC", "VLFC")), 1)
    if band == "HFC":
        assert np.all(found["coherence"] > 0.99)
        assert np.all(found["HFC_LFC_ratio"] > 20)


def test_coupling_compares_the_power_of_two_waves():
    # Powers 4 to 1 in both signals: cross power 16 to 1, coherence 1 of both.
    waves = [np.sin(2 * np.pi * f * QUARTERS) for f in (0.25, 0.0625)]
    found = coupling(0.9 + 0.1 * (waves[0] * 2 + waves[1]), waves[0] * 2 + waves[1], CENTRES)
    np.testing.assert_allclose(found["HFC_LFC_ratio"], 16, rtol=1e-3)


def test_coupling_of_what_shares_nothing_and_of_what_is_missing():
    rng = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * 0.25 * QUARTERS)
    noise = rng.standard_normal(len(QUARTERS))
    alike = coupling(0.9 + 0.1 * wave, wave, CENTRES)["coherence"]
    other = coupling(0.9 + 0.1 * noise, rng.standard_normal(len(noise)), CENTRES)["coherence"]
    assert np.all(alike > 0.999)
    assert np.all(other < 0.999)
    gap = np.where((QUARTERS > 500) & (QUARTERS < 700), np.nan, 0.9 + 0.1 * wave)
    np.testing.assert_array_equal(
        np.isnan(coupling(gap, wave, CENTRES)["HFC"]), [False, True, False]
    )
    assert np.isnan(coupling(gap, wave, np.array([20.0]))["HFC"]).all()


def test_derived_respiration_follows_the_height_of_beats():
    frequency = 128
    time = np.arange(0, 300, 1 / frequency)
    breath = 1 + 0.2 * np.sin(2 * np.pi * time / 5)
    beats = np.arange(0.5, 300, 0.9)
    spikes = np.exp(-0.5 * ((time[:, None] - beats) / 0.012) ** 2).sum(axis=1)
    derived = respiration_from_ecg(breath * spikes, frequency, beats_at(beats))
    grid = np.arange(len(derived)) / 10
    inside = (grid > 10) & (grid < 290)
    correlation = np.corrcoef(derived[inside], np.sin(2 * np.pi * grid[inside] / 5))[0, 1]
    assert correlation > 0.98
    assert detect_breaths(derived, 10).durations.mean() == pytest.approx(5, abs=0.05)
    kept = beats[(beats < 100) | (beats > 110)]
    gap = respiration_from_ecg(breath * spikes, frequency, beats_at(kept))
    np.testing.assert_array_equal(np.isnan(gap[1000:1100]).mean() > 0.9, True)
    assert np.isnan(respiration_from_ecg(spikes, frequency, beats_at(beats[:1]))).all()


def test_derived_respiration_follows_the_baseline_of_pulses():
    time = np.arange(0, 300, 1 / 64)
    pulse = np.exp(-0.5 * ((time % 0.8 - 0.4) / 0.08) ** 2)
    slow = 0.5 * np.sin(2 * np.pi * 0.03 * time)
    ppg = pulse + slow + 0.1 * np.sin(2 * np.pi * time / 5)
    derived = respiration_from_ppg(ppg, 64)
    grid = np.arange(len(derived)) / 10
    inside = (grid > 10) & (grid < 290)
    wave = np.sin(2 * np.pi * grid[inside] / 5)
    assert np.corrcoef(derived[inside], wave)[0, 1] > 0.98
    ppg[(time > 100) & (time < 110)] = np.nan
    missing = np.isnan(respiration_from_ppg(ppg, 64))
    np.testing.assert_array_equal(missing, (grid > 100) & (grid < 110))
    assert np.isnan(respiration_from_ppg(np.full(640, np.nan), 64)).all()


def test_from_files_to_features(write_edf):
    """A belt that swings at 0.25 Hz, and R peaks whose intervals swing with it."""
    times = [0.5]
    while times[-1] < 899:
        times.append(times[-1] + 0.9 + 0.05 * np.sin(2 * np.pi * 0.25 * times[-1]))
    time = np.arange(0, 900, 1 / 200)
    ecg = np.zeros(len(time))
    for beat in times:
        start = int(beat * 200) - 10
        around = slice(max(start, 0), start + 21)
        ecg[around] += np.exp(-0.5 * ((time[around] - beat) / 0.012) ** 2)
    belt = np.sin(2 * np.pi * 0.25 * np.arange(0, 900, 0.1))
    path = write_edf("night.edf", ("ECG", ecg, 200, "mV", (-3, 3)), ("THX", belt, 10, "", (-2, 2)))
    epochs = EDFReader(["ECG", "THX"]).fit_transform(str(path))
    found = RespirationFeatures().fit_transform(epochs).iloc[10:-10]
    np.testing.assert_allclose(found["breathing_rate"], 15, rtol=1e-3)
    np.testing.assert_allclose(found["breath_depth_cv"], 0, atol=0.01)
    np.testing.assert_allclose(found["inspiration_share"], 0.5, atol=0.02)
    assert (found["HFC"] > 0.95).all()
    assert (found["coherence"] > 0.95).all()
    # Four or five beats a breath miss the very longest and shortest interval.
    assert found["RSA"].between(0.06, 0.1).all()


def test_table(cohort, epochs, features):
    assert features.index.names == ["recording", "epoch"]
    assert list(features.columns) == list(RespirationFeatures().get_feature_names_out())
    assert not np.isinf(features.to_numpy()).any()
    assert features.notna().mean().min() > 0.5
    names = RespirationFeatures([(120, 150), (0, 30)]).get_feature_names_out()
    assert {"breathing_rate_0_30", "RSA_0_30", "HFC"} <= set(names)
    assert len(names) == 2 * 10 + 5
    rows = np.random.default_rng(0).permutation(len(epochs))[:40]
    some = RespirationFeatures(n_jobs=2).fit_transform(epochs[rows])
    np.testing.assert_array_equal(some, features.iloc[rows])


def test_rows_take_the_first_signal_that_they_may_use(cohort, features):
    masked = cohort.X["epoch"].to_numpy() >= 40
    X = cohort.X.assign(THX=~masked)
    both = RespirationFeatures(signals=["THX", "ECG"]).fit_transform(
        EDFReader(["THX", "ECG"]).fit_transform(X)
    )
    derived = RespirationFeatures(signals=["ECG"]).fit_transform(
        EDFReader(["ECG"]).fit_transform(X)
    )
    np.testing.assert_array_equal(both[masked], derived[masked])
    early = cohort.X["epoch"].to_numpy() < 30
    np.testing.assert_allclose(both["breathing_rate"][early], features["breathing_rate"][early])
    none = RespirationFeatures(signals=["ABD"]).fit_transform(EDFReader(["THX"]).fit_transform(X))
    assert none.isna().all(axis=None)


def test_coupling_needs_a_heart(cohort):
    epochs = EDFReader(["THX"]).fit_transform(cohort.X)
    found = RespirationFeatures().fit_transform(epochs)
    heart = ["RSA", "HFC", "LFC", "VLFC", "HFC_LFC_ratio", "coherence"]
    assert found[heart].isna().all(axis=None)
    assert found["breathing_rate"].notna().mean() > 0.9
    assert list(RespirationFeatures(coupling=False).fit_transform(epochs)) == list(
        found.columns.drop(heart)
    )


def test_wrong_parameters_and_input(epochs, cohort):
    with pytest.raises(ValueError, match="list of some of THX, ABD, ECG, PPG"):
        RespirationFeatures(signals=["EEG"]).fit(epochs)
    with pytest.raises(ValueError, match="must be a list of pairs"):
        RespirationFeatures([(1.5, 2)]).fit(epochs)
    with pytest.raises(TypeError, match="Put EDFReader"):
        RespirationFeatures().fit(cohort.X)
    cut = Epocher().fit_transform(Resampler().fit_transform(epochs))
    with pytest.raises(ValueError, match="Leave Epocher"):
        RespirationFeatures().fit(cut)


def test_clone_and_pickle(epochs, features):
    step = clone(RespirationFeatures(coupling=False)).set_params(coupling=True)
    step = pickle.loads(pickle.dumps(step))  # noqa: S301  our own bytes
    np.testing.assert_array_equal(step.fit_transform(epochs), features)
