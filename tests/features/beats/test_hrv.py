"""Heart rate variability is what peers and definitions say."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import sleepecg
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_sleep.features import HeartbeatDetector, Heartbeats, HRVFeatures
from sklearn_sleep.features.beats.hrv import HRV_FEATURES, HeartbeatWindows
from sklearn_sleep.preprocessing import EDFReader

pytestmark = pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning")

N_EPOCHS = 60
# Where sleepecg departs from the definitions, as HRVFeatures says.
DEFINED_OTHERWISE = ("cvSD", "pNN50", "pNN20")


@pytest.fixture(scope="module")
def beats():
    """Beats of half an hour with respiratory and slower waves."""
    rng = np.random.default_rng(0)
    times, time = [], 0.3
    while time < 30 * N_EPOCHS:
        times.append(time)
        waves = 0.05 * np.sin(2 * np.pi * 0.27 * time) + 0.04 * np.sin(2 * np.pi * 0.09 * time)
        time += 0.9 + waves + 0.03 * rng.standard_normal()
    return np.array(times)


def compute(group, windows):
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: windows[name] for name in HRV_FEATURES[group]}


def of_beats(beats, intervals, back=240, ahead=60):
    windows = HeartbeatWindows(beats, intervals, np.arange(N_EPOCHS), (back, ahead))
    groups = [compute(group, windows) for group in ("time", "frequency", "nonlinear")]
    return groups[0] | groups[1] | groups[2]


def window_of(values, first, stop):
    """One window over some of the values, whatever lies around."""
    times = 30 * (np.arange(len(values) + 1) - first - 0.5) / (stop - first)
    windows = HeartbeatWindows(times, values, np.array([0]), (0, 30))
    assert (windows.starts[0], windows.stops[0]) == (first, stop)
    return windows


def of_sleepecg(beats, back=240, ahead=60):
    record = sleepecg.SleepRecord(
        sleep_stage_duration=30, heartbeat_times=beats, sleep_stages=np.zeros(N_EPOCHS, int)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (values,), _, names = sleepecg.extract_features(
            [record],
            lookback=back,
            lookforward=ahead,
            feature_selection=["hrv-time", "hrv-frequency"],
        )
    return dict(zip(names, values.T, strict=True))


@pytest.mark.parametrize(("back", "ahead"), [(240, 60), (120, 150), (600, 300), (20, 35)])
def test_values_are_those_of_sleepecg(beats, back, ahead):
    ours, theirs = of_beats(beats, np.diff(beats), back, ahead), of_sleepecg(beats, back, ahead)
    assert set(theirs) == {*HRV_FEATURES["time"], *HRV_FEATURES["frequency"]}
    for name, expected in theirs.items():
        if name in DEFINED_OTHERWISE:
            continue
        known = np.isfinite(expected)
        assert known.mean() > 0.4
        np.testing.assert_allclose(
            ours[name][known], expected[known], rtol=1e-6, atol=1e-15, err_msg=name
        )


def test_values_that_sleepecg_defines_otherwise(beats):
    ours = of_beats(beats, np.diff(beats))
    ends, intervals = beats[1:], np.diff(beats)
    for epoch in (0, 1, 30, 59):
        window = intervals[(ends >= 30 * epoch - 240) & (ends < 30 * epoch + 60)]
        change = np.diff(window)
        expected = {
            "cvSD": np.sqrt(np.mean(change**2)) / window.mean(),
            "pNN50": np.mean(np.abs(change) > 0.05),
            "pNN20": np.mean(np.abs(change) > 0.02),
        }
        for name in DEFINED_OTHERWISE:
            assert ours[name][epoch] == pytest.approx(expected[name], rel=1e-9)


@pytest.mark.parametrize("kind", ["white", "walk", "sine"])
def test_entropy_and_scaling_are_those_of_neurokit2(kind):
    path = Path(__file__).parent / "data" / "neurokit2_nonlinear.json"
    case = json.loads(path.read_text())[kind]
    # Amid other intervals, and after as many as do not fit the boxes.
    rng = np.random.default_rng(0)
    intervals = np.concatenate([rng.normal(0.8, 0.1, 117), case["intervals"], np.full(50, 0.7)])
    found = compute("nonlinear", window_of(intervals, 117, 417))
    for name in ("SampEn", "DFA_alpha1", "DFA_alpha2"):
        assert found[name][0] == pytest.approx(case[name], rel=1e-6), name


def test_scaling_of_known_noise():
    """White noise has an exponent of 0.5, its sum one of 1.5."""
    rng = np.random.default_rng(0)
    white = rng.standard_normal(3000)
    for values, expected in ((white, 0.5), (np.cumsum(white), 1.5)):
        found = compute("nonlinear", window_of(values, 0, len(values)))
        assert found["DFA_alpha2"][0] == pytest.approx(expected, abs=0.1)


def test_power_of_a_wave():
    """A wave of amplitude a has the power a**2 / 2, less what linear interpolation takes."""
    for frequency, name in ((0.02, "VLF"), (0.1, "LF"), (0.25, "HF")):
        beats = np.cumsum(np.full(4000, 0.5))
        intervals = 0.5 + 0.05 * np.sin(2 * np.pi * frequency * beats[1:])
        found = of_beats(beats, intervals)
        # Every second sample at 4 Hz is the mean of its neighbours.
        expected = 0.05**2 / 2 * ((1 + np.cos(2 * np.pi * frequency / 4)) / 2) ** 2
        assert found[name][30] == pytest.approx(expected, rel=0.01)
        assert found["total_power"][30] == pytest.approx(found[name][30], rel=0.01)


def test_missing_beats_give_nan(beats):
    lost = beats[(beats < 600) | (beats > 1200)]
    intervals = np.diff(lost)
    intervals[intervals > 3] = np.nan
    found = of_beats(lost, intervals)
    # From 840 to 1140 s no window has a beat: epochs 28 to 37.
    for name, values in found.items():
        assert np.isnan(values[28:38]).all(), name
    # None of the features counts the gap as an interval.
    assert np.nanmax(found["maxNN"]) < 1.2
    assert np.nanmax(found["SDNN"]) < 0.1
    # The spectrum needs most of the window, the others do not.
    assert np.isnan(found["LF"][27])
    assert np.isfinite(found["LF"][18])
    assert np.isfinite(found["meanNN"][27])


def test_single_missing_beats_change_little(beats):
    whole = of_beats(beats, np.diff(beats))
    intervals = np.diff(beats)
    intervals[::40] = np.nan
    found = of_beats(beats, intervals)
    later = slice(10, None)
    for name in ("meanNN", "SDNN", "RMSSD", "LF", "HF"):
        np.testing.assert_allclose(found[name][later], whole[name][later], rtol=0.25)


def test_median_heart_rate_is_that_of_numpy(beats):
    intervals = np.diff(beats)
    intervals[::40] = np.nan
    windows = HeartbeatWindows(beats, intervals, np.arange(N_EPOCHS + 20), (20, 35))
    ends = beats[1:]
    for epoch, found in enumerate(compute("robust", windows)["medianHR"]):
        inside = (ends >= 30 * epoch - 20) & (ends < 30 * epoch + 35) & np.isfinite(intervals)
        expected = np.median(60 / intervals[inside]) if inside.any() else np.nan
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    # It is asked for: the columns of all others stay what they were.
    assert "medianHR" not in HRVFeatures().get_feature_names_out()
    assert list(HRVFeatures(features=["medianHR"]).get_feature_names_out()) == ["medianHR"]


def test_pairs_across_a_gap_do_not_count():
    beats = np.array([0.0, 1.0, 2.0, 3.1, 10.0, 11.0, 12.3])
    intervals = np.diff(beats)
    intervals[3] = np.nan
    found = compute("time", HeartbeatWindows(beats, intervals, np.array([0]), (0, 30)))
    assert found["meanNN"][0] == pytest.approx(np.mean([1, 1, 1.1, 1, 1.3]))
    assert found["RMSSD"][0] == pytest.approx(np.sqrt(np.mean(np.square([0, 0.1, 0.3]))))
    assert found["NN50"][0] == 2


@pytest.fixture(scope="module")
def epochs(cohort):
    return EDFReader(["ECG", "PPG"]).fit_transform(cohort.X)


@pytest.fixture(scope="module")
def features(epochs):
    return HRVFeatures().fit_transform(epochs)


def test_features_of_a_cohort_are_those_of_its_beats(epochs, features):
    assert features.shape == (len(epochs), 36)
    assert list(features.columns) == list(HRVFeatures().get_feature_names_out())
    for night in epochs.nights():
        found = HeartbeatDetector().detect(night.recording.signals["ECG"])
        windows = HeartbeatWindows(found.times, found.intervals, night.epoch, (240, 60))
        np.testing.assert_allclose(
            features["SDNN"].iloc[night.rows], compute("time", windows)["SDNN"], rtol=1e-9
        )


def test_features_of_a_cohort_are_those_of_the_generators_beats(cohort, epochs, features):
    differences = []
    for night, of_night in zip(epochs.nights(), cohort.nights, strict=True):
        truth = of_night.load_truth()
        beats = truth["r_peaks"]
        # Intervals beside an ectopic beat are not normal.
        normal = ~(truth["ectopic"][1:] | truth["ectopic"][:-1])
        intervals = np.where(normal, np.diff(beats), np.nan)
        expected = compute("time", HeartbeatWindows(beats, intervals, night.epoch, (240, 60)))
        found = features.iloc[night.rows]
        names = ["meanNN", "SDNN", "RMSSD", "medianNN"]
        differences.append([np.abs(found[name] / expected[name] - 1) for name in names])
    mean, sd, rmssd, median = np.nanmedian(np.hstack(differences), axis=1)
    assert mean < 1e-3
    assert median < 5e-3
    assert sd < 0.02
    assert rmssd < 0.05


def test_rows_in_any_order(epochs, features):
    rows = np.random.default_rng(0).permutation(len(epochs))[:40]
    some = HRVFeatures(n_jobs=2).fit_transform(epochs[rows])
    np.testing.assert_allclose(some, features.iloc[rows], rtol=1e-9)
    assert some.index.equals(features.index[rows])


def test_several_windows_and_groups(epochs, features):
    step = HRVFeatures([(240, 60), (600, 300)], groups=["time"])
    both = step.fit_transform(epochs)
    assert both.shape[1] == 2 * len(HRV_FEATURES["time"])
    np.testing.assert_array_equal(both["meanHR_240_60"], features["meanHR"])
    assert both["meanHR_600_300"].std() < both["meanHR_240_60"].std()


def test_night_that_may_not_use_its_ecg(cohort):
    X = cohort.X.assign(ECG=False)
    found = HRVFeatures(groups=["time"]).fit_transform(EDFReader(["ECG"]).fit_transform(X))
    assert found.isna().all(axis=None)


def test_pulse_gives_about_the_same_rate(cohort, features):
    X = cohort.X.assign(ECG=False)
    found = HRVFeatures(groups=["time"]).fit_transform(EDFReader(["ECG", "PPG"]).fit_transform(X))
    has_ppg = found["meanHR"].notna()
    assert 0.2 < has_ppg.mean() < 0.8
    difference = (found["meanHR"] - features["meanHR"])[has_ppg]
    assert np.abs(difference).mean() < 0.5


def test_beats_that_do_not_vary_have_no_ratios():
    beats = 0.5 * np.arange(1200)
    heartbeats = Heartbeats(beats, np.zeros(len(beats), dtype=bool), beats)
    step = HRVFeatures()
    found = dict(zip(step.feature_names, step.of_beats(heartbeats, np.array([10]))[0], strict=True))
    assert found["meanNN"] == 0.5
    assert found["SD1"] == 0
    for name in ("CVI", "SD1_SD2_ratio", "CSI", "LF_HF_ratio"):
        assert np.isnan(found[name])


def test_any_classifier_may_follow(cohort):
    steps = make_pipeline(
        EDFReader(["ECG"]), HRVFeatures(groups=["time"]), HistGradientBoostingClassifier(max_iter=5)
    )
    scores = cross_val_score(
        clone(steps), cohort.X, cohort.y, groups=cohort.groups, cv=GroupKFold(2)
    )
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"windows": [(240, 60, 1)]}, "pairs of whole seconds"),
        ({"windows": [(0, 0)]}, "pairs of whole seconds"),
        ({"windows": [240, 60]}, "pairs of whole seconds"),
        ({"groups": ["time", "wavelet"]}, "list of some of time, frequency"),
        ({"minimum_coverage": 0.0}, "minimum_coverage"),
    ],
)
def test_wrong_parameters(epochs, parameters, message):
    with pytest.raises(ValueError, match=message):
        HRVFeatures(**parameters).fit(epochs)
