"""SignalQuality: faults that were made, in signals whose truth is known."""

import edfio
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sklearn_sleep.core.signals import EPOCH_DURATION, SIGNALS, signal_definition
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.exceptions import MissingSignalWarning, SignalQualityWarning
from sklearn_sleep.features.quality.assessment import assess_signal, cutting_limits, share_at
from sklearn_sleep.features.quality.signal_quality import SignalQuality
from sklearn_sleep.preprocessing import (
    EDFReader,
    Epocher,
    Normalizer,
    RecordingCache,
    Resampler,
)
from sklearn_sleep.simulation.make_cohort import make_cohort
from sklearn_sleep.staging.pretrained import load_pretrained, save_pretrained

ALL = ["ECG", "PPG", "ABD", "THX", "EEG", "EOG-L", "EMG"]
N_EPOCHS = 6


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Two-hour nights of eight subjects, with what the generator knows of them."""
    folder = tmp_path_factory.mktemp("quality")
    return make_cohort(folder, n_subjects=8, hours=2.0, random_state=5, n_jobs=2)


@pytest.fixture(scope="module")
def read(nights):
    return EDFReader(ALL).fit_transform(nights.X)


@pytest.fixture(scope="module")
def assessed(read):
    return SignalQuality().assess_nights(read)


def labels_of(night):
    return {channel.signal: channel for channel in night_site(night).channels}


def night_site(night):
    from sklearn_sleep.simulation.recorder.sites import SITES

    return next(site for site in SITES if site.name == night.site)


CHANNELS = {"EEG": ("C4-M1", "C4")}


def channel_of(night, name):
    channels = labels_of(night)
    for signal in CHANNELS.get(name, (name,)):
        if signal in channels:
            return channels[signal]
    return None


def test_signals_of_ordinary_nights_are_fit(assessed):
    assert assessed["fit"].all()
    assert not assessed["wrong unit"].any()
    assert assessed["missing"].max() == 0
    assert assessed["flat"].mean() < 0.01
    assert assessed["noisy"].mean() < 0.02


def test_swapped_leads_are_upside_down(assessed, nights):
    for night in nights.nights:
        for name in ("ECG", "PPG"):
            channel = channel_of(night, name)
            if channel is not None:
                row = assessed.loc[(str(night.recording), name)]
                assert row["inverted"] == (channel.polarity == -1)
    assert assessed["inverted"].sum() == 3  # the nights of the site west


@pytest.fixture(scope="module")
def told(read):
    """The fault of each epoch of each signal."""
    return SignalQuality().assess_epochs(read)


def test_dropouts_are_flat(nights, told):
    found = []
    for night in nights.nights:
        truth = night.load_truth()
        of_night = told.loc[str(night.recording)]
        for name in of_night.columns:
            channel = channel_of(night, name)
            # Electrodes that are stored one by one share a reference, which goes on.
            if channel is None or channel.referential:
                continue
            dropouts = (truth["artefact_label"] == channel.label) & (
                truth["artefact_kind"] == "dropout"
            )
            for start, stop in zip(
                truth["artefact_start"][dropouts], truth["artefact_stop"][dropouts], strict=True
            ):
                whole = range(int(np.ceil(start / 30)), int(stop // 30))
                found += [of_night.loc[epoch, name] for epoch in whole if epoch in of_night.index]
    assert len(found) > 20
    assert set(found) == {"flat"}


def test_epochs_at_the_limits_of_the_recorder_are_clipped(nights, told):
    at_limits, elsewhere = [], []
    for night in nights.nights:
        of_night = told.loc[str(night.recording)]
        for name in of_night.columns:
            channel = channel_of(night, name)
            if channel is None or channel.referential:
                continue
            digital = edfio.read_edf(night.recording).get_signal(channel.label).digital
            is_limit = np.abs(digital.astype(np.int64) + 0.5) == 32767.5
            share = is_limit.reshape(-1, round(30 * channel.sampling_frequency)).mean(axis=1)
            faults = of_night[name].to_numpy()
            rows = share[of_night.index.to_numpy()]
            at_limits += faults[rows > 0.05].tolist()
            elsewhere += faults[rows == 0].tolist()
    assert len(at_limits) > 10
    assert set(at_limits) == {"clipped"}
    assert "clipped" not in elsewhere


@pytest.mark.parametrize(
    ("wave", "cut"),
    [
        # The crests of a sine of 256 levels are at each limit for acos(1 - 1/128) / pi, 4%.
        (np.round(127.5 * np.sin(np.arange(100_000) / 17.3)), []),
        (np.random.default_rng(0).standard_normal(100_000), []),
        (np.random.default_rng(0).standard_normal(100_000).clip(-2.326, None), [-2.326]),
        (np.random.default_rng(0).standard_normal(100_000).clip(-1, 1.5), [-1.0, 1.5]),
    ],
)
def test_limits_that_cut_waves_off(wave, cut):
    limits = cutting_limits(wave, wave.min(), wave.max())
    assert limits == cut
    expected = {-2.326: 0.01, -1.0: 0.1587, 1.5: 0.0668}  # of the normal distribution
    share = share_at(wave[None], limits)[0]
    assert share == pytest.approx(sum(expected[limit] for limit in cut), abs=0.002)


def make_signal(name, samples, frequency, unit):
    definition = SIGNALS.get(name) or signal_definition(name)
    values = np.asarray(samples, dtype=np.float32)
    return Signal(definition, lambda: values, frequency, unit, n_epochs=N_EPOCHS)


def heartbeats(frequency=100.0, amplitude=1.0):
    time = np.arange(round(N_EPOCHS * 30 * frequency)) / frequency
    phase = (time % 0.9) - 0.3
    wander = 0.02 * np.sin(2 * np.pi * 0.21 * time)
    return amplitude * (np.exp(-0.5 * (phase / 0.012) ** 2) - 0.1 + wander)


def pulses(frequency=100.0):
    time = (np.arange(round(N_EPOCHS * 30 * frequency)) / frequency) % 0.9
    return 0.3 * np.minimum(time / 0.1, np.exp(-(time - 0.1) / 0.25))


def breaths(frequency=10.0):
    return 0.3 * np.sin(2 * np.pi * 0.25 * np.arange(round(N_EPOCHS * 30 * frequency)) / frequency)


def brain(frequency=100.0):
    rng = np.random.default_rng(0)
    white = rng.standard_normal(round(N_EPOCHS * 30 * frequency))
    spectrum = np.fft.rfft(white)
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    wave = np.fft.irfft(spectrum, len(white))
    return 20 * wave / wave.std()


SOUND = {
    "ECG": (heartbeats(), 100.0, "mV"),
    "PPG": (pulses(), 100.0, ""),
    "THX": (breaths(), 10.0, ""),
    "ABD": (breaths(), 10.0, ""),
    "EEG": (brain(), 100.0, "uV"),
    "C3-M2": (brain(), 100.0, "uV"),
    "EOG-L": (3 * brain(), 100.0, "uV"),
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_signals_have_no_fault(name):
    assessment = assess_signal(make_signal(name, *SOUND[name]))
    for fault in ("missing", "flat", "clipped", "noisy"):
        assert not getattr(assessment, fault).any(), fault
    assert not assessment.inverted
    assert not assessment.wrong_unit
    assert assessment.share_unusable(("flat", "clipped", "noisy", "inverted", "wrong unit")) == 0


def spoil(name, fault):
    """Return a signal of which epochs 2 and 3 have a fault."""
    samples, frequency, unit = SOUND[name]
    samples = samples.copy()
    bad = slice(round(60 * frequency), round(120 * frequency))
    if fault == "missing":
        samples[bad] = np.nan
    elif fault == "flat":
        samples[bad] = 0.01
    elif fault == "noisy":
        samples[bad] = samples.std() * np.random.default_rng(1).standard_normal(
            bad.stop - bad.start
        )
    elif fault == "clipped":
        samples[bad] = np.clip(3 * samples[bad], samples.min(), samples.max())
    return make_signal(name, samples, frequency, unit)


@pytest.mark.parametrize("fault", ["missing", "flat", "noisy", "clipped"])
@pytest.mark.parametrize("name", SOUND)
def test_faults_are_found_in_their_epochs(name, fault):
    assessment = assess_signal(spoil(name, fault))
    assert np.flatnonzero(getattr(assessment, fault)).tolist() == [2, 3]
    others = {"missing", "flat", "noisy", "clipped"} - {fault}
    for other in others:
        assert not getattr(assessment, other).any(), other
    unusable = assessment.share_unusable(("flat", "clipped", "noisy"))
    assert unusable == (0 if fault == "missing" else pytest.approx(1 / 3))


def test_breath_that_is_held_is_not_flat():
    samples, frequency, unit = SOUND["THX"]
    samples = samples.copy()
    samples[600:800] = samples[600]  # 20 s: a central apnoea
    assert not assess_signal(make_signal("THX", samples, frequency, unit)).flat.any()
    pulse, frequency, unit = SOUND["PPG"]
    pulse = pulse.copy()
    pulse[6000:8000] = pulse[6000]
    assert np.flatnonzero(assess_signal(make_signal("PPG", pulse, frequency, unit)).flat) == [2]


@pytest.mark.parametrize("name", ["ECG", "PPG"])
def test_polarity(name):
    samples, frequency, unit = SOUND[name]
    turned = assess_signal(make_signal(name, -samples, frequency, unit))
    assert turned.inverted
    assert turned.share_unusable(("flat",)) == 0
    assert turned.share_unusable(("inverted",)) == 1


@pytest.mark.parametrize("factor", [1e-3, 1e3])
@pytest.mark.parametrize("name", ["ECG", "EEG", "EOG-L", "C3-M2"])
def test_wrong_units(name, factor):
    samples, frequency, unit = SOUND[name]
    assert assess_signal(make_signal(name, factor * samples, frequency, unit)).wrong_unit
    # The same amplitude in another unit that the reader was asked for.
    other = {"mV": ("uV", 1e3), "uV": ("mV", 1e-3)}[unit]
    assert not assess_signal(make_signal(name, other[1] * samples, frequency, other[0])).wrong_unit


def test_white_noise_of_a_low_rate_is_no_brain():
    # At 50 Hz little but the band is recorded, so that noise cannot be told from it.
    noise = np.random.default_rng(0).standard_normal(N_EPOCHS * 30 * 50) * 20
    assert not assess_signal(make_signal("EEG", noise, 50.0, "uV")).noisy.any()
    noise = np.random.default_rng(0).standard_normal(N_EPOCHS * 30 * 200) * 20
    assert assess_signal(make_signal("EEG", noise, 200.0, "uV")).noisy.all()


@pytest.mark.parametrize(("name", "rate"), [("ECG", 40), ("PPG", 10)])
def test_beats_are_not_judged_at_rates_that_do_not_show_them(name, rate):
    noise = 0.3 * np.random.default_rng(0).standard_normal(N_EPOCHS * 30 * rate)
    unit = SOUND[name][2]
    assert not assess_signal(make_signal(name, noise, float(rate), unit)).noisy.any()


def test_signal_without_samples():
    nothing = assess_signal(make_signal("ECG", np.full(N_EPOCHS * 3000, np.nan), 100.0, "mV"))
    assert nothing.missing.all()
    assert nothing.share_unusable(("flat", "noisy", "clipped")) == 0
    short = assess_signal(make_signal("ECG", heartbeats()[:3000], 100.0, "mV"))
    assert short.missing.tolist() == [False] + [True] * (N_EPOCHS - 1)


@pytest.fixture
def bad_night(write_edf):
    """A night whose PPG is off, whose ECG is noise, and whose belt is sound."""
    ecg = 0.3 * np.random.default_rng(2).standard_normal(N_EPOCHS * 3000)
    return str(
        write_edf(
            "bad.edf",
            ("ECG", np.clip(ecg, -2, 2), 100, "mV", (-2, 2)),
            ("Pleth", np.zeros(N_EPOCHS * 3000), 100, "", (-1, 1)),
            ("Thor", breaths(), 10, "", (-1, 1)),
        )
    )


def test_unfit_signals_count_as_missing(bad_night, make_pipeline_of, cohort):
    pipeline = make_pipeline_of(["ECG", "PPG", "THX"]).fit(cohort.X, cohort.y)
    reader, *others = [step for _, step in pipeline.steps]
    checked = make_pipeline(reader, SignalQuality(), *others)
    with pytest.warns(SignalQualityWarning) as warned:
        found = checked.predict_proba(bad_night)
    messages = sorted(str(warning.message) for warning in warned)
    assert len(messages) == 2
    assert "bad.edf: ECG is noisy in 100% of its epochs; it counts as missing" in messages[0]
    assert "bad.edf: PPG is flat in 100% of its epochs; it counts as missing" in messages[1]
    from sklearn_sleep import epoch_table

    masked = epoch_table(bad_night).assign(ECG=False, PPG=False)
    np.testing.assert_array_equal(found, pipeline.predict_proba(masked))


def test_warning_leaves_signals_as_they_are(bad_night):
    reader = EDFReader(["ECG", "PPG", "THX"])
    expected = reader.fit_transform(bad_night).recordings[0]
    pipeline = make_pipeline(reader, SignalQuality(action="warn"))
    recording = pipeline.fit_transform(bad_night).recordings[0]
    with pytest.warns(SignalQualityWarning, match="used all the same"):
        found = recording.signals["PPG"].data
    np.testing.assert_array_equal(found, expected.signals["PPG"].data)
    np.testing.assert_array_equal(recording.signals["THX"].data, expected.signals["THX"].data)


def test_night_without_a_fit_signal_gets_the_prior(bad_night, make_pipeline_of, cohort):
    pipeline = make_pipeline_of(["ECG", "PPG"]).fit(cohort.X, cohort.y)
    reader, *others = [step for _, step in pipeline.steps]
    with (
        pytest.warns(SignalQualityWarning),
        pytest.warns(MissingSignalWarning, match="No usable signal"),
    ):
        found = make_pipeline(reader, SignalQuality(), *others).predict_proba(bad_night)
    np.testing.assert_allclose(found, np.tile(pipeline[-1].class_prior_, (len(found), 1)))


@pytest.fixture
def partly_bad(write_edf):
    """A night whose ECG is flat in two of six epochs."""
    samples = heartbeats()
    samples[6000:12000] = 0
    return str(write_edf("partly.edf", ("ECG", samples, 100, "mV", (-2, 2))))


def test_share_of_unusable_epochs_decides(partly_bad):
    reader = EDFReader(["ECG"])

    def samples(**parameters):
        pipeline = make_pipeline(reader, SignalQuality(**parameters))
        return pipeline.fit_transform(partly_bad).recordings[0].signals["ECG"].data

    assert not np.isnan(samples()).any()
    with pytest.warns(SignalQualityWarning, match="flat in 33%"):
        assert np.isnan(samples(maximum_unusable=0.3)).all()
    assert not np.isnan(samples(maximum_unusable=0.3, faults=["noisy"])).any()
    masked = samples(mask_epochs=True)
    assert np.isnan(masked).reshape(N_EPOCHS, -1).all(axis=1).tolist() == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]
    assert np.isnan(masked).sum() == 6000


def test_parameters_are_part_of_the_fingerprint(partly_bad):
    prints = {
        make_pipeline(EDFReader(["ECG"]), SignalQuality(**parameters))
        .fit_transform(partly_bad)
        .recordings[0]
        .fingerprint
        for parameters in (
            {},
            {"maximum_unusable": 0.3},
            {"mask_epochs": True},
            {"faults": ["flat"]},
        )
    }
    assert len(prints) == 4


def test_processes_find_what_one_process_finds(read, assessed):
    found = SignalQuality(n_jobs=2).assess_nights(read)
    pd.testing.assert_frame_equal(found, assessed)


def test_epochs_are_told_in_the_order_of_the_rows(partly_bad, capsys):
    epochs = EDFReader(["ECG"]).fit_transform(partly_bad)
    told = SignalQuality(verbose=True).assess_epochs(epochs[[3, 0, 2]])
    assert told["ECG"].tolist() == ["flat", "", "flat"]
    assert told.index.get_level_values("epoch").tolist() == [3, 0, 2]
    assert "Looking at signals" in capsys.readouterr().err


def test_warning_is_not_said_again_from_a_cache(bad_night, tmp_path):
    pipeline = make_pipeline(
        EDFReader(["PPG"]),
        SignalQuality(),
        Resampler(),
        Normalizer(),
        Epocher(),
        RecordingCache(tmp_path / "cache", n_jobs=1),
    )
    with pytest.warns(SignalQualityWarning, match="PPG is flat"):
        first = pipeline.fit_transform(bad_night)
    again = clone(pipeline).fit_transform(bad_night)
    for epochs in (first, again):
        assert np.isnan(epochs.recordings[0].signals["PPG"].data).all()


def test_saved_with_its_parameters(cohort, make_classifier, tmp_path):
    pipeline = make_pipeline(
        EDFReader(["ECG"]),
        SignalQuality(maximum_unusable=0.9, faults=["flat"]),
        Resampler({"ECG": 256}),
        Normalizer(),
        Epocher(),
        make_classifier(),
    ).fit(cohort.X, cohort.y)
    save_pretrained(pipeline, tmp_path)
    loaded = load_pretrained(tmp_path)
    assert loaded.named_steps["signalquality"].maximum_unusable == 0.9
    np.testing.assert_array_equal(loaded.predict(cohort.X), pipeline.predict(cohort.X))


def test_impossible_parameters(partly_bad):
    epochs = EDFReader(["ECG"]).fit_transform(partly_bad)
    with pytest.raises(ValueError, match="'maximum_unusable' parameter"):
        SignalQuality(maximum_unusable=2).fit(epochs)
    with pytest.raises(ValueError, match=r"faults=\['loud'\] must be a list of some of flat"):
        SignalQuality(faults=["loud"]).fit(epochs)
    with pytest.raises(ValueError, match="Put it after EDFReader"):
        SignalQuality().fit(make_pipeline(Epocher()).fit_transform(epochs))
    with pytest.raises(TypeError, match="takes Epochs"):
        SignalQuality().fit("night.edf")


def test_length_of_an_epoch_is_that_of_the_standard():
    assert EPOCH_DURATION == 30.0
