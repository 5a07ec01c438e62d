"""Recordings of what is in memory: arrays, and Raw objects of mne, there and back."""

import pickle
from datetime import UTC, datetime, timedelta

import mne
import numpy as np
import pytest

from sklearn_sleep.core.epochs import Epochs
from sklearn_sleep.core.recording import Recording
from sklearn_sleep.core.signals import SignalDefinition
from sklearn_sleep.exceptions import EDFRepairWarning, EDFWarning, MissingSignalWarning
from sklearn_sleep.preprocessing import EDFReader, Epocher, Normalizer, Resampler

RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=(4, 6400))
START = datetime.fromisoformat("2024-03-01T22:30:05")


def make_raw(labels, data=NOISE, types="eeg", **parameters):
    info = mne.create_info(list(labels), 64.0, types)
    raw = mne.io.RawArray(np.asarray(data)[: len(labels)], info, verbose="error")
    for name, value in parameters.items():
        getattr(raw, name)(value)
    return raw


def samples(recording, name):
    return recording.signals[name].data


class TestArrays:
    def test_labels_units_and_rates(self):
        recording = Recording.from_arrays(
            {"EKG": NOISE[0], "EEG C4-A1": NOISE[1], "SaO2": 90 + NOISE[2, :100], "Pos": NOISE[3]},
            {"EKG": 64, "EEG C4-A1": 64, "SaO2": 1, "Pos": 64},
            {"EKG": "uV", "EEG C4-A1": "mV", "SaO2": "%"},
            subject="anna",
            start=START,
        )
        assert repr(recording).endswith("3 epochs, signals=['ECG', 'EEG', 'SpO2'])")
        assert (recording.subject, recording.dataset, recording.start) == ("anna", "", START)
        np.testing.assert_allclose(samples(recording, "ECG"), NOISE[0] / 1e3, rtol=1e-6)
        np.testing.assert_allclose(samples(recording, "EEG"), NOISE[1] * 1e3, rtol=1e-6)
        np.testing.assert_allclose(samples(recording, "SpO2"), 90 + NOISE[2, :100], rtol=1e-6)
        assert [s.unit for s in recording.signals.values()] == ["mV", "uV", "%"]
        assert recording.signals["SpO2"].sampling_frequency == 1
        assert samples(recording, "ECG").dtype == np.float32

    def test_one_rate_for_all_and_labels_of_ones_own(self):
        recording = Recording.from_arrays(
            {"ECG": NOISE[0], "lead": NOISE[1]}, 64.0, {"lead": "mV"}, channels={"ECG": "lead"}
        )
        np.testing.assert_allclose(samples(recording, "ECG"), NOISE[1], rtol=1e-6)

    def test_a_difference_of_two_electrodes(self):
        units = dict.fromkeys(("C4", "M1"), "uV")
        recording = Recording.from_arrays(
            {"C4": NOISE[0], "M1": NOISE[1]}, 64.0, units, signals=["C4-M1"]
        )
        expected = NOISE[0] - NOISE[1]
        np.testing.assert_allclose(samples(recording, "C4-M1"), expected, rtol=1e-5, atol=1e-6)

    def test_what_lacks_a_unit_is_told_of(self):
        with pytest.warns(EDFRepairWarning, match="'ECG': found no unit, used 'mV'"):
            recording = Recording.from_arrays({"ECG": NOISE[0]}, 64.0)
        np.testing.assert_allclose(samples(recording, "ECG"), NOISE[0], rtol=1e-6)

    def test_a_unit_that_is_not_of_the_signal_loses_the_channel(self):
        arrays = {"ECG": NOISE[0], "ABD": NOISE[1]}
        with pytest.warns(EDFWarning, match=r"units= of .*'ECG': found 'mmHg'"):
            recording = Recording.from_arrays(arrays, 64.0, {"ECG": "mmHg"})
        assert list(recording.signals) == ["ABD"]

    def test_a_slow_channel_is_never_a_pulse(self):
        with pytest.warns(MissingSignalWarning):
            Recording.from_arrays({"Pleth": NOISE[0, :100]}, 1.0, signals=["PPG"])

    @pytest.mark.parametrize("scale", [1e-9, 1.0, 3e5])
    def test_arbitrary_units_are_scaled_by_the_farthest_sample(self, scale):
        belt = np.array([0.0, 1, 2, -4, np.nan, 3] * 300)
        recording = Recording.from_arrays({"THX": belt * scale}, 10.0)
        np.testing.assert_allclose(samples(recording, "THX"), belt / 4, rtol=1e-6)
        ranged = Recording.from_arrays({"THX": belt}, 10.0, ranges={"THX": (-6, 10)})
        np.testing.assert_allclose(samples(ranged, "THX"), (belt - 2) / 8, rtol=1e-6)

    def test_a_signal_that_stands_still(self):
        recording = Recording.from_arrays({"THX": np.zeros(600), "ABD": np.full(600, np.nan)}, 10.0)
        assert not samples(recording, "THX").any()
        assert np.isnan(samples(recording, "ABD")).all()

    def test_a_difference_in_arbitrary_units_is_scaled_once(self):
        both = SignalDefinition("SUM", 256)
        arrays = {"A": 10 * NOISE[0], "B": NOISE[1]}
        recording = Recording.from_arrays(arrays, 64.0, signals=[both], channels={"SUM": "A-B"})
        expected = 10 * NOISE[0] - NOISE[1]
        expected = expected / np.abs(expected).max()
        np.testing.assert_allclose(samples(recording, "SUM"), expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize(
        ("arrays", "rates", "parameters", "message"),
        [
            (NOISE, 64.0, {}, r"dict\(zip\(labels, array\)\)"),
            ({"ECG": NOISE}, 64.0, {}, r"arrays\['ECG'\] must be .* of shape \(4, 6400\)"),
            ({"ECG": ["a", "b"]}, 64.0, {}, "must be real numbers"),
            ({"ECG": NOISE[0]}, {"EKG": 64.0}, {}, "has none for 'ECG'"),
            ({"ECG": NOISE[0]}, 0.0, {}, "'ECG', 0.0 Hz, must be above 0"),
            (
                {"ECG": NOISE[0]},
                64.0,
                {"units": {"EKG": "mV"}},
                "units names EKG, .* are ECG",
            ),
            ({"ABD": NOISE[0]}, 64.0, {"ranges": {"ABD": (1, 1)}}, "must be two different numbers"),
            ({"ABD": NOISE[0]}, 64.0, {"signals": "ABD"}, "must be a list"),
            ({"ABD": NOISE[0]}, 64.0, {"signals": ["ABD", "ABD"]}, "more than once"),
            ({"ABD": NOISE[0]}, 64.0, {"signals": []}, "at least one signal"),
            ({"ABD": NOISE[0]}, 64.0, {"channels": {"ADB": "x"}}, "channels names 'ADB'"),
            ({"ABD": NOISE[0]}, 64.0, {"channels": {"ABD": 5}}, r"channels\['ABD'\]=.* a label"),
            ({"ABD": NOISE[0]}, 64.0, {"channels": "ABD"}, "channels='ABD' must be a mapping"),
            ({"ABD": NOISE[0]}, 64.0, {"channels": {"mesa": {"ABD": "x"}}}, "by signal here"),
            ({"ABD": NOISE[0]}, 64.0, {"ranges": {"ABD": 5}}, "=5 must be two different numbers"),
            ({"ABD": NOISE[0]}, 64.0, {"ranges": {"ABD": "ab"}}, "must be two different numbers"),
            ({"ABD": NOISE[0]}, 64.0, {"ranges": (0, 1)}, r"ranges=\(0, 1\) must be a mapping"),
            ({"ECG": NOISE[0]}, 64.0, {"units": "mV"}, "units='mV' must be a mapping"),
            ({"ECG": NOISE[0]}, 64.0, {"units": {"ECG": 5}}, "must be texts such as 'uV'"),
            ({"ECG": NOISE[0]}, 64.0, {"start": "22:00"}, "start='22:00' must be a datetime"),
            ({"ECG": NOISE[0]}, "64 Hz", {}, "'ECG', '64 Hz', must be a number in Hz"),
            ({"ECG": NOISE[0]}, None, {}, "'ECG', None, must be a number in Hz"),
            ({"ECG": [[1, 2], [3]]}, 64.0, {}, r"arrays\['ECG'\] cannot be made an array"),
            ({1: NOISE[0]}, 64.0, {}, r"labels in arrays must be texts .* not \[1\]"),
            ({"ABD": NOISE[0], "THX": NOISE[1]}, {"ABD": 64.0, "THX": 10.0}, {}, "ABD 100 s, THX"),
        ],
    )
    def test_what_is_wrong_is_named(self, arrays, rates, parameters, message):
        with pytest.raises((TypeError, ValueError), match=message):
            Recording.from_arrays(arrays, rates, **parameters)

    def test_masked_samples_are_missing(self):
        masked = np.ma.masked_array(np.arange(1920), np.arange(1920) < 5)
        recording = Recording.from_arrays({"ECG": masked}, 64.0, {"ECG": "mV"})
        np.testing.assert_array_equal(samples(recording, "ECG")[:7], [np.nan] * 5 + [5, 6])


class TestIdentity:
    def make(self, data=NOISE, rate=64.0, **parameters):
        parameters = {"name": "night", **parameters}
        arrays = {"ABD": data[0], "THX": data[1], "Pos": data[2]}
        return Recording.from_arrays(arrays, rate, **parameters)

    def test_the_fingerprint_is_of_the_content(self):
        first = self.make()
        assert first.fingerprint == self.make(NOISE.copy(), name="other").fingerprint
        changed = NOISE.copy()
        changed[1, 17] += 1e-9
        others = [
            self.make(changed),
            self.make(rate=32.0),
            self.make(ranges={"ABD": (-9, 9)}),
            self.make(signals=["ABD"]),
            first.apply(Epocher()),
        ]
        assert len({first.fingerprint, *(other.fingerprint for other in others)}) == 6

    def test_channels_that_stand_for_nothing_do_not_count(self):
        changed = NOISE.copy()
        changed[2] = 0
        assert self.make().fingerprint == self.make(changed).fingerprint

    @pytest.mark.parametrize("as_raw", [False, True])
    def test_it_pickles_with_its_samples(self, as_raw):
        recording = self.make()
        if as_raw:
            recording = Recording.from_mne(make_raw(["ABD", "THX", "Pos"]))
        again = pickle.loads(pickle.dumps(recording.apply(Epocher())))  # noqa: S301
        assert again.fingerprint == recording.apply(Epocher()).fingerprint
        np.testing.assert_array_equal(samples(again, "THX")[0], samples(recording, "THX")[:1920])
        kept = EDFReader(["ABD"]).fit_transform(recording).recordings[0]
        assert len(pickle.dumps(kept)) < 2 * NOISE[0].nbytes


class TestMne:
    def test_voltages_come_in_volts(self):
        raw = make_raw(["EKG", "C4-M1", "Chin"], NOISE * 1e-6, ["ecg", "eeg", "emg"])
        recording = Recording.from_mne(raw)
        for position, (name, scale) in enumerate({"ECG": 1e-3, "EEG": 1.0, "EMG": 1.0}.items()):
            expected = NOISE[position] * scale
            np.testing.assert_allclose(samples(recording, name), expected, rtol=1e-6)

    def test_arbitrary_units_of_all_types(self):
        for kind in ("misc", "resp", "bio", "eeg"):
            raw = make_raw(["THOR RES"], NOISE * 1e-5, kind)
            expected = NOISE[0] / np.abs(NOISE[0]).max()
            found = samples(Recording.from_mne(raw), "THX")
            np.testing.assert_allclose(found, expected, rtol=1e-5)

    def test_units_that_mne_does_not_know_are_told(self):
        raw = make_raw(["SaO2", "ECG"], 95 + NOISE, "misc")
        recording = Recording.from_mne(raw, units={"SaO2": "%", "ECG": "mV"})
        np.testing.assert_allclose(samples(recording, "SpO2"), 95 + NOISE[0], rtol=1e-6)
        with pytest.warns(EDFRepairWarning, match="'SaO2': found no unit, used '%'"):
            Recording.from_mne(raw, ["SpO2"])

    def test_when_and_who(self):
        raw = make_raw(["ABD"])
        raw.set_meas_date(START.replace(tzinfo=UTC))
        raw.info["subject_info"] = {"his_id": "anna"}
        assert Recording.from_mne(raw).start == START
        assert Recording.from_mne(raw).subject == "anna"
        assert Recording.from_mne(raw, subject="bert").subject == "bert"
        cropped = Recording.from_mne(raw.copy().crop(tmin=10.0))
        assert cropped.start == START + timedelta(seconds=10)
        assert Recording.from_mne(make_raw(["ABD"])).start is None

    def test_bad_channels_are_passed_over(self):
        raw = make_raw(["ABD", "Abdo", "THX"])
        raw.info["bads"] = ["ABD", "THX"]
        recording = Recording.from_mne(raw)
        assert list(recording.signals) == ["ABD"]
        expected = NOISE[1] / np.abs(NOISE[1]).max()
        np.testing.assert_allclose(samples(recording, "ABD"), expected, rtol=1e-6)

    def test_another_object_is_refused(self):
        with pytest.raises(TypeError, match=r"not ndarray.*from_arrays"):
            Recording.from_mne(NOISE)


class TestToMne:
    def make(self, **parameters):
        return Recording.from_arrays(
            {"ECG": NOISE[0], "C4-M1": NOISE[1], "THX": NOISE[2, :1000], "SpO2": NOISE[3]},
            {"ECG": 64, "C4-M1": 64, "THX": 10, "SpO2": 64},
            {"ECG": "mV", "C4-M1": "uV", "SpO2": "%"},
            **parameters,
        )

    def test_there_and_back(self):
        recording = self.make(subject="anna", start=START)
        raw = recording.to_mne(["ECG", "EEG", "SpO2"])
        assert raw.get_channel_types() == ["ecg", "eeg", "misc"]
        scale = np.array([1e-3, 1e-6, 1.0])[:, None]
        np.testing.assert_allclose(raw.get_data(), NOISE[[0, 1, 3]] * scale, rtol=1e-6)
        again = Recording.from_mne(raw, units={"SpO2": "%"})
        assert (again.subject, again.start) == ("anna", START)
        for name in ("ECG", "EEG", "SpO2"):
            np.testing.assert_allclose(samples(again, name), samples(recording, name), rtol=1e-6)

    def test_signals_of_different_rates_need_one(self):
        with pytest.raises(ValueError, match=r"THX 10 Hz.*to_mne\(sampling_frequency=64\)"):
            self.make().to_mne()
        raw = self.make().to_mne(sampling_frequency=32)
        assert (raw.info["sfreq"], raw.get_data().shape) == (32, (4, 3200))
        assert self.make().to_mne(["THX"]).info["sfreq"] == 10

    def test_resampling_keeps_what_is_there(self):
        time = np.arange(6000) / 100
        wave = {"ABD": np.sin(2 * np.pi * 0.3 * time)}
        raw = Recording.from_arrays(wave, 100.0).to_mne(sampling_frequency=25.0)
        expected = np.sin(2 * np.pi * 0.3 * raw.times)
        np.testing.assert_allclose(raw.get_data()[0][50:-50], expected[50:-50], atol=1e-3)

    def test_processed_signals(self):
        recording = self.make(signals=["ECG", "EEG"])
        for step in (Resampler({"ECG": 960, "EEG": 960}), Normalizer(), Epocher()):
            recording = recording.apply(step)
        raw = recording.to_mne()
        assert raw.get_channel_types() == ["misc", "misc"]
        np.testing.assert_allclose(raw.get_data()[0], samples(recording, "ECG").ravel(), rtol=1e-6)

    def test_what_is_not_there_is_named(self):
        with pytest.raises(ValueError, match=r"no signal PPG; it has \['ECG'"):
            self.make().to_mne(["PPG"])
        with pytest.raises(ValueError, match="must be a list of names"):
            self.make().to_mne("ECG")


class TestEpochs:
    def make(self, n=6400, **parameters):
        return Recording.from_arrays({"ABD": NOISE[0, :n]}, 64.0, **parameters)

    def test_every_epoch_in_order(self):
        epochs = Epochs.from_recordings([self.make(name="b"), make_raw(["THX"])])
        assert epochs.table["recording"].tolist() == ["b"] * 3 + ["recording in memory"] * 3
        assert epochs.table["epoch"].tolist() == [0, 1, 2, 0, 1, 2]
        assert list(epochs.recordings[1].signals) == ["THX"]
        assert "subject" not in epochs.table

    def test_nameless_recordings_are_numbered(self):
        epochs = Epochs.from_recordings([self.make(), self.make(name="b"), self.make()])
        names = [recording.path for recording in epochs.recordings]
        assert names == ["recording in memory 1", "b", "recording in memory 3"]
        assert epochs.table["recording"].unique().tolist() == names

    def test_persons(self):
        nights = [self.make(name="a", subject="anna"), self.make(name="b", subject="bert")]
        assert (
            Epochs.from_recordings(nights).table["subject"].tolist() == ["anna"] * 3 + ["bert"] * 3
        )

    def test_names_must_differ(self):
        with pytest.raises(ValueError, match=r"given more often: a\. Give each a name"):
            Epochs.from_recordings([self.make(name="a"), self.make(name="a")])

    def test_too_short(self):
        with pytest.raises(ValueError, match="short: less than an epoch"):
            Epochs.from_recordings(self.make(n=640, name="short"))
        with pytest.warns(EDFWarning, match="short: less than an epoch"):
            epochs = Epochs.from_recordings([self.make(), self.make(n=640, name="short")])
        assert len(epochs) == 3

    def test_anything_else_is_refused(self):
        with pytest.raises(TypeError, match=r"is list of str.*epoch_table"):
            Epochs.from_recordings(["night.edf"])
