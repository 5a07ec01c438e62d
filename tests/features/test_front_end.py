"""What a front end derives is in the signals, and nothing of a masked source gets past it."""

import itertools
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_sleep import Epochs, Recording, Wav2SleepClassifier, wav2sleep_pipeline
from sklearn_sleep.core.masking import draw_subsets
from sklearn_sleep.core.signals import SignalDefinition, signal_definition, source_of
from sklearn_sleep.exceptions import SignalQualityWarning
from sklearn_sleep.features import FrontEnd, front_end
from sklearn_sleep.features.readings import READINGS, reading_of
from sklearn_sleep.preprocessing import EDFReader, Epocher, Normalizer, Resampler

SIGNALS = ("ECG", "PPG", "ABD", "THX")
SUBSETS = [subset for size in range(1, 5) for subset in itertools.combinations(SIGNALS, size)]
RATES = {"ECG": 125.0, "PPG": 64.0, "ABD": 16.0, "THX": 16.0}
UNITS = {"ECG": "mV", "PPG": "", "ABD": "", "THX": ""}


def ecg_of(times, duration, frequency=RATES["ECG"]):
    time = np.arange(0, duration, 1 / frequency)
    nearest = np.abs(time[:, None] - times[None]).min(axis=1)
    return np.exp(-0.5 * (nearest / 0.012) ** 2)


def body(rng, n_epochs=10):
    """Signals of a body at rest whose heart goes with its breath, by name."""
    duration = 30.0 * n_epochs
    breath_rate, heart_rate = rng.uniform(0.2, 0.3), rng.uniform(0.9, 1.2)
    beat = np.arange(1, int(duration * 2))
    times = np.cumsum(1 / heart_rate + 0.05 * np.sin(2 * np.pi * breath_rate * beat / heart_rate))
    times = times[times < duration]
    time = {name: np.arange(0, duration, 1 / rate) for name, rate in RATES.items()}
    since = time["PPG"] - times[np.searchsorted(times, time["PPG"]).clip(max=len(times) - 1) - 1]
    breath = {n: np.sin(2 * np.pi * breath_rate * time[n]) for n in ("ABD", "THX")}
    signals = {
        # The lungs move the heart against the electrodes.
        "ECG": ecg_of(times, duration) * (1 + 0.1 * np.sin(2 * np.pi * breath_rate * time["ECG"])),
        "PPG": np.exp(-0.5 * ((since - 0.3) / 0.1) ** 2),
        **breath,
    }
    return {n: s + 0.01 * rng.standard_normal(len(s)) for n, s in signals.items()}


def record(arrays, name="night"):
    units = {label: UNITS[label] for label in arrays if UNITS[label]}
    # Without a range, the largest sample of an arbitrary unit would become 1.
    ranges = {label: (-1.0, 1.0) for label in arrays if not UNITS[label]}
    rates = {label: RATES[label] for label in arrays}
    return Recording.from_arrays(arrays, rates, units, ranges=ranges, name=name)


def derive(arrays, choices=None, table=None):
    epochs = Epochs.from_recordings(record(arrays))
    if table is not None:
        epochs = Epochs(epochs.table.assign(**table), epochs.recordings, epochs.recording_index)
    return FrontEnd(choices).fit_transform(epochs)


def signals_of(epochs):
    return {name: signal.data for name, signal in epochs.recordings[0].signals.items()}


def middle(values):
    """Away from the edges of a night, where filters settle."""
    return values[len(values) // 5 : -len(values) // 5]


def test_heart_rate_and_its_waves_are_those_of_the_beats():
    # 0.1 s of arrhythmia at 0.25 Hz: the rate swings by 60 * 0.05 / 0.9 ** 2 around 66.7 / min.
    beat = np.arange(700)
    times = np.cumsum(0.9 + 0.05 * np.sin(2 * np.pi * 0.25 * 0.9 * beat))
    times = times[times < 600]
    found = signals_of(derive({"ECG": ecg_of(times, 600)}, {"ECG": ["heart"]}))
    rate = 60 / np.diff(times)
    assert middle(found["HR(ECG)"]).mean() == pytest.approx(rate.mean(), rel=0.01)
    waves = {band: np.exp(middle(found[f"{band}(ECG)"])).mean() for band in ("HF", "LF", "VLF")}
    # The amplitude of a wave is its root mean square; the beats sample it four times a wave.
    assert waves["HF"] == pytest.approx(rate.std(), rel=0.2)
    assert waves["HF"] > 5 * max(waves["LF"], waves["VLF"])
    changes = np.log(np.abs(np.diff(np.diff(times))).clip(min=1e-3))
    assert middle(found["RR_change(ECG)"]).mean() == pytest.approx(changes.mean(), abs=0.15)


def test_levels_are_told_beside_typical_people():
    beat = np.cumsum(0.8 + 0.02 * np.sin(np.arange(700)))
    epochs = derive({"ECG": ecg_of(beat[beat < 300], 300)}, {"ECG": "heart"})
    before = signals_of(epochs)
    after = signals_of(Normalizer().fit_transform(epochs))
    np.testing.assert_array_equal(before["HR_level(ECG)"], before["HR(ECG)"])
    # 75 beats a minute, of a typical 65 with a standard deviation of 12.
    assert after["HR_level(ECG)"].mean() == pytest.approx((75 - 65) / 12, abs=0.02)
    assert after["HR(ECG)"].mean() == pytest.approx(0, abs=1e-3)
    assert {name for name in after if "_level" not in name} == {
        name.replace("_level", "") for name in after if "_level" in name
    }


def test_depths_in_the_recorders_unit_have_no_level():
    time = np.arange(0, 300, 1 / RATES["THX"])
    names = signals_of(derive({"THX": np.sin(2 * np.pi * 0.25 * time)}))
    assert "effort(THX)" in names
    assert not {"effort_level(THX)", "movement_level(THX)"} & set(names)


def test_fast_heart_rate_is_that_of_each_beat():
    intervals = 0.9 + 0.1 * np.sin(2 * np.pi * np.arange(130) / 20)
    times = np.cumsum(intervals)
    times = times[times < 119]
    found = signals_of(derive({"ECG": ecg_of(times, 120)}, {"ECG": "heart_rate"}))["HR(ECG)"]
    expected = np.interp(np.arange(4 * 128) * 30 / 128, times[1:], 60 / np.diff(times))
    assert found.shape == (4 * 128,)
    np.testing.assert_allclose(found[10:-10], expected[10:-10], atol=0.2)


def test_breaths_are_those_of_the_belt():
    time = np.arange(0, 600, 1 / RATES["THX"])
    depth = np.where(time < 300, 1.0, 2.0)
    found = signals_of(derive({"THX": depth * np.sin(2 * np.pi * time / 4)}))
    # Where the depth changes in the middle of a rise, its half is elsewhere.
    steady = np.delete(found["BR(THX)"], np.arange(150, 170))
    assert middle(steady) == pytest.approx(15.0, abs=0.2)
    deeper = found["effort(THX)"][230:300].mean() - found["effort(THX)"][30:90].mean()
    assert deeper == pytest.approx(np.log(2), abs=0.02)
    assert np.median(np.tanh(middle(found["regularity(THX)"]))) > 0.99
    # The depth changes once, and the logarithm of no change is that of the least that counts.
    change = found["effort_change(THX)"]
    assert abs(int(change[40:-40].argmax()) + 40 - 160) <= 3
    assert change[150:170].max() > np.log(0.3)


@pytest.mark.parametrize("swing", [0.05, 0.2])
def test_variability_is_how_far_rate_and_effort_swing(swing):
    time = np.arange(0, 1200, 1 / RATES["THX"])
    # Waves of 50 s, of the logarithms of the depth and of the rate.
    waves = swing * np.sin(2 * np.pi * time / 50)
    phase = 2 * np.pi * np.cumsum(0.25 * np.exp(waves)) / RATES["THX"]
    still = signals_of(derive({"THX": np.exp(waves) * np.sin(2 * np.pi * 0.25 * time)}))
    steady = signals_of(derive({"THX": np.sin(phase)}))
    # The root mean square of a sine.
    expected = np.log(swing / np.sqrt(2))
    effort, rate = still["effort_variability(THX)"], steady["rate_variability(THX)"]
    assert middle(effort).mean() == pytest.approx(expected, abs=0.15)
    assert middle(rate).mean() == pytest.approx(expected, abs=0.15)
    # What is steady varies by what a sample more or less makes of it.
    assert middle(still["rate_variability(THX)"]).mean() < expected - 1


@pytest.mark.parametrize("start", [299.1, 299.3, 299.5, 299.7, 300.5, 302.5])
def test_what_fills_a_gap_is_no_breath(start):
    time = np.arange(0, 600, 1 / RATES["THX"])
    belt = np.sin(2 * np.pi * 0.25 * time)
    belt[(time > start) & (time < start + 21)] = np.nan
    rate = middle(signals_of(derive({"THX": belt}))["BR(THX)"])
    assert rate[np.isfinite(rate)] == pytest.approx(15.0, abs=0.2)


def test_movement_is_what_is_fast_in_a_belt():
    rng = np.random.default_rng(0)
    time = np.arange(0, 600, 1 / RATES["THX"])
    fast = np.where((time > 240) & (time < 300), 1.0, 0.0) * np.sin(2 * np.pi * 2 * time)
    found = signals_of(
        derive({"THX": np.sin(2 * np.pi * time / 4) + fast + 1e-3 * rng.standard_normal(len(time))})
    )["movement(THX)"]
    per_epoch = found.reshape(-1, 16).mean(axis=1)
    assert set(np.argsort(per_epoch)[-2:]) == {8, 9}
    assert np.exp(per_epoch[[8, 9]]).mean() == pytest.approx(np.sqrt(0.5), rel=0.1)


def test_pulse_amplitude_is_the_height_of_pulses():
    arrays = body(np.random.default_rng(0), n_epochs=20)
    height = np.where(np.arange(len(arrays["PPG"])) < len(arrays["PPG"]) / 2, 1.0, 0.5)
    found = signals_of(derive({"PPG": height * arrays["PPG"]}))["pulse_amplitude(PPG)"]
    fall = found[30:130].mean() - found[-130:-30].mean()
    assert fall == pytest.approx(np.log(2), abs=0.03)


def test_breathing_is_told_by_heart_and_belt_alike():
    found = signals_of(derive(body(np.random.default_rng(1), n_epochs=20)))
    rates = {name: np.nanmedian(found[f"BR({name})"]) for name in SIGNALS}
    assert rates["ABD"] == pytest.approx(rates["THX"], abs=0.1)
    assert rates["ECG"] == pytest.approx(rates["THX"], abs=1.0)


def test_what_is_far_from_beats_and_breaths_is_missing():
    arrays = body(np.random.default_rng(0), n_epochs=12)
    for name, rate in RATES.items():
        arrays[name][int(90 * rate) : int(210 * rate)] = np.nan
    for name, values in signals_of(derive(arrays)).items():
        in_gap = np.isnan(values.reshape(12, -1)).mean(axis=1)
        assert (in_gap[4:6] == 1).all(), name
        assert (in_gap[[1, 8, 9]] == 0).all(), name


def test_names_tell_source_and_reading():
    epochs = derive(body(np.random.default_rng(0)))
    names = list(epochs.recordings[0].signals)
    step = FrontEnd()
    assert list(step.get_feature_names_out(SIGNALS)) == names
    assert {source_of(name) for name in names} == set(SIGNALS)
    assert {reading_of(name) for name in names} == {"heart", "pulse", "breathing"}
    assert epochs.recordings[0].signals["HR(ECG)"].definition.source == "ECG"
    assert SignalDefinition("ECG", 1024).source is None
    assert signal_definition("BR(THX)").samples_per_epoch == 16
    assert not set(SIGNALS) & set(names)


def test_waveforms_are_kept_where_they_are_chosen():
    arrays = body(np.random.default_rng(0))
    epochs = derive(arrays, {"THX": ["waveform", "breathing"], "ECG": "waveform"})
    found = epochs.recordings[0].signals
    assert {"ECG", "THX", "BR(THX)"} <= set(found)
    assert "HR(ECG)" not in found
    np.testing.assert_allclose(found["ECG"].data, arrays["ECG"], rtol=1e-6)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"ECG": "pulses"}, "not known"),
        ({"THX": "heart"}, "read from ECG, PPG alone"),
        ({"ECG": []}, "is empty"),
        ({"ECG": ["heart", "heart_rate"]}, r"both called\s+HR\(ECG\)"),
        ({"ECG": "heart", "EGC": "heart"}, "EGC"),
    ],
)
def test_choices_that_make_no_sense_are_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        derive(body(np.random.default_rng(0)), choices)


def test_each_reading_gives_what_it_names():
    arrays = body(np.random.default_rng(0))
    for name, reading in READINGS.items():
        for source in set(reading.sources) & set(arrays):
            found = derive({source: arrays[source]}, {source: name}).recordings[0].signals
            assert list(found) == [f"{q}({source})" for q in reading.quantities(source)]
            for signal in found.values():
                assert signal.data.shape == (10 * reading.samples_per_epoch,)
                assert signal.data.dtype == np.float32


def test_a_source_is_read_once_for_all_that_is_derived(monkeypatch):
    reads = []
    usable_samples = front_end.usable_samples
    monkeypatch.setattr(
        front_end,
        "usable_samples",
        lambda signal, may_use: reads.append(signal.name) or usable_samples(signal, may_use),
    )
    signals_of(derive(body(np.random.default_rng(0))))
    assert sorted(reads) == sorted(SIGNALS)


def test_a_recording_pickles_and_is_known_by_what_it_may_use():
    arrays = body(np.random.default_rng(0))
    whole = derive(arrays).recordings[0]
    again = pickle.loads(pickle.dumps(whole))  # noqa: S301
    assert again.fingerprint == whole.fingerprint
    np.testing.assert_array_equal(again.signals["HR(ECG)"].data, whole.signals["HR(ECG)"].data)
    some = np.arange(10) < 5
    fingerprints = {
        derive(arrays, table=table).recordings[0].fingerprint
        for table in (None, {"ECG": True}, {"ECG": False}, {"ECG": some}, {"ECG": ~some})
    }
    # Nobody asks for what is derived from a source that may never be used.
    assert len(fingerprints) == 3
    assert derive(arrays, {"ECG": "heart"}).recordings[0].fingerprint != whole.fingerprint


def test_noise_in_masked_epochs_changes_nothing_that_is_derived():
    rng = np.random.default_rng(0)
    arrays = body(rng)
    masks = {name: np.arange(10) < 6 for name in SIGNALS}
    noisy = {}
    for name, rate in RATES.items():
        noisy[name] = arrays[name].copy()
        part = noisy[name][int(6 * 30 * rate) :]
        part[:] = 5 * rng.standard_normal(len(part))
    expected, found = (signals_of(derive(of, table=masks)) for of in (arrays, noisy))
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
        assert np.isfinite(values[: 5 * len(values) // 10]).any(), name


@pytest.fixture(scope="module")
def nights():
    rng = np.random.default_rng(0)
    return [body(rng) for _ in range(3)]


@pytest.fixture(scope="module")
def pipeline(nights):
    epochs = Epochs.from_recordings([record(a, f"night {i}") for i, a in enumerate(nights)])
    y = np.tile(np.repeat([0, 1], 5), 3)
    small = {"module__feature_dim": 8, "module__max_channels": 8, "max_epochs": 2}
    return wav2sleep_pipeline(random_state=0, **small).fit(epochs, y)


@pytest.mark.parametrize("subset", SUBSETS, ids="+".join)
def test_no_number_of_a_masked_source_reaches_the_network(pipeline, nights, subset):
    rng = np.random.default_rng(1)
    arrays = nights[0]
    noisy = {
        name: samples if name in subset else 3 * rng.standard_normal(len(samples))
        for name, samples in arrays.items()
    }
    masks = {name: False for name in SIGNALS if name not in subset}

    def stage(of, table):
        epochs = Epochs.from_recordings(record(of))
        epochs = Epochs(epochs.table.assign(**table), epochs.recordings, epochs.recording_index)
        return pipeline.predict_proba(epochs)

    expected = stage({name: arrays[name] for name in subset}, {})
    np.testing.assert_array_equal(stage(arrays, masks), expected)
    np.testing.assert_array_equal(stage(noisy, masks), expected)
    # NaN is the third spelling of a missing source.
    missing = {n: s if n in subset else np.full(len(s), np.nan) for n, s in arrays.items()}
    np.testing.assert_array_equal(stage(missing, {}), expected)
    assert np.ptp(expected) > 0


def test_a_mask_beside_arrays_names_sources(pipeline, nights):
    epochs = pipeline[:-1].transform(Epochs.from_recordings(record(nights[0])))
    arrays = epochs.to_arrays()
    classifier = pipeline[-1]
    expected = pipeline.predict_proba(record({"THX": nights[0]["THX"]}))
    names = [name for name in arrays if name != "recording"]
    mask = np.tile([source_of(name) == "THX" for name in names], (10, 1))
    np.testing.assert_array_equal(classifier.predict_proba({**arrays, "mask": mask}), expected)
    # A waveform that is there too, and missing, takes what is derived from it along.
    sources = {name: np.full((10, 8), np.nan, np.float32) for name in ("ECG", "PPG", "ABD")}
    found = classifier.predict_proba({**arrays, **sources})
    np.testing.assert_array_equal(found, expected)


def test_masking_in_training_takes_all_of_a_source():
    derived = ("HR(ECG)", "HF(ECG)", "BR(THX)", "effort(THX)", "BR(ABD)")
    rng = np.random.default_rng(0)
    by_source = {
        source: tuple(n for n in derived if source_of(n) == source)
        for source in ("ECG", "THX", "ABD")
    }
    draws = [
        draw_subsets(derived, 3, 0.5, {"ECG": 0.5, "THX": 0.2}, ("ECG",), rng) for _ in range(2000)
    ]
    assert all(subsets[0] == derived for subsets in draws)
    others = [subset for subsets in draws for subset in subsets[1:]]
    for subset in others:
        for names in by_source.values():
            assert set(names) <= set(subset) or not set(names) & set(subset)
    singles = np.mean([len(set(map(source_of, subset))) == 1 for subset in others])
    # Half are drawn alone; of the others ABD is always there, and alone in a tenth.
    assert singles == pytest.approx(0.5 + 0.5 * 0.5 * 0.2, abs=0.02)
    with pytest.raises(ValueError, match="name its source, 'ECG'"):
        Wav2SleepClassifier(mask_probability={"HR(ECG)": 0.5}).fit(
            {"HR(ECG)": np.zeros((2, 8), np.float32), "recording": np.array(["a", "a"])}, [0, 1]
        )


def test_pure_noise_is_no_heart(pipeline, nights):
    """Beats are found in noise all the same, which the pipeline's SignalQuality masks."""
    rng = np.random.default_rng(2)
    arrays = {"ECG": rng.standard_normal(len(nights[0]["ECG"])), "THX": nights[0]["THX"]}
    assert np.isfinite(signals_of(derive(arrays))["HR(ECG)"]).any()
    expected = pipeline.predict_proba(record({"THX": arrays["THX"]}))
    with pytest.warns(UserWarning, match="ECG is noisy"):
        found = pipeline.predict_proba(record(arrays))
    np.testing.assert_array_equal(found, expected)


def test_a_signal_that_is_too_slow_counts_as_missing(nights):
    """One night of a cohort does not stop the others."""
    slow = {**nights[0], "ECG": nights[0]["ECG"][::5]}
    rates = {**RATES, "ECG": 25.0}
    night = Recording.from_arrays(slow, rates, {"ECG": "mV"}, name="slow")
    epochs = Epochs.from_recordings([night, record(nights[1], "good")])
    with pytest.warns(SignalQualityWarning, match="slow: ECG has 25 samples per second.*needs 50"):
        derived = FrontEnd().fit_transform(epochs).recordings
    assert {source_of(name) for name in derived[0].signals} == {"PPG", "ABD", "THX"}
    assert "HR(ECG)" in derived[1].signals


def test_it_goes_before_the_resampler(nights):
    epochs = Resampler().fit_transform(Epochs.from_recordings(record(nights[0])))
    with pytest.raises(ValueError, match=r"Put FrontEnd\(\) before Resampler\(\)"):
        FrontEnd().fit_transform(epochs)
    with pytest.raises(ValueError, match=r"Put it before Epocher\(\)"):
        FrontEnd().fit_transform(Epocher().fit_transform(epochs))


def test_it_is_cloned_and_searched_by_name():
    step = clone(FrontEnd({"ECG": "heart"})).set_params(choices={"PPG": ("pulse",)})
    assert step.get_params() == {"choices": {"PPG": ("pulse",)}}


def test_columns_of_derived_signals_mask_them_alone(nights):
    epochs = derive(nights[0])
    table = epochs.table.assign(**{"HR(ECG)": False})
    night = next(iter(Epochs(table, epochs.recordings, epochs.recording_index).nights()))
    assert not night.may_use("HR(ECG)").any()
    assert night.may_use("HF(ECG)").all()


def test_reader_and_front_end_on_a_file(data_folder):
    reader = EDFReader(["ECG"], units={"ECG": "mV"})
    epochs = reader.fit_transform(str(data_folder / "mitdb-100.edf"))
    rate = FrontEnd().fit_transform(epochs).recordings[0].signals["HR(ECG)"].data
    # The record's annotations have 2,273 beats in 1,805.6 s.
    assert np.nanmean(rate) == pytest.approx(60 * 2272 / 1805, rel=0.01)
