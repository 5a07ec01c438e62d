"""Signals that are one entry of the table each, in every step that a signal goes through."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from sklearn_sleep.core.signals import SIGNALS, find_channel, signal_definition
from sklearn_sleep.exceptions import EDFRepairWarning, EDFWarning, MissingSignalWarning
from sklearn_sleep.features import SignalQuality
from sklearn_sleep.imaging import Montage, Trace, WaveformImageRenderer, read_envelope
from sklearn_sleep.preprocessing import EDFReader, Epocher, Resampler

N_EPOCHS = 6


def saturation():
    """Return the SpO2 of three minutes in whole percents, one a second."""
    seconds = np.arange(N_EPOCHS * 30)
    return np.where(seconds % 60 < 40, 97.0, 86.0)


def breathing():
    """Return the nasal pressure of three minutes, 15 breaths a minute, 32 samples a second."""
    seconds = np.arange(N_EPOCHS * 30 * 32) / 32
    return 0.6 * np.sin(2 * np.pi * 0.25 * seconds)


# What a recorder writes: label, samples, rate in Hz, unit, physical range; and what is read.
RECORDED = {
    "SpO2": (("SAO2", saturation(), 1, "%", (0, 100)), saturation()),
    # An arbitrary unit, whose range becomes -1 to 1.
    "FLOW": (("NASAL PRES", 50 * breathing(), 32, "", (-50, 50)), breathing()),
}


@pytest.fixture
def night(write_edf):
    def write(name, **changes):
        label, samples, rate, unit, limits = RECORDED[name][0]
        made = {"label": label, "samples": samples, "unit": unit, "limits": limits, **changes}
        channel = (made["label"], made["samples"], rate, made["unit"], made["limits"])
        return str(write_edf("night.edf", channel))

    return write


def read(name, path):
    return EDFReader([name]).fit_transform(path).recordings[0].signals[name]


@pytest.mark.parametrize("name", RECORDED)
def test_samples_are_those_that_were_written(name, night):
    signal = read(name, night(name))
    written, expected = RECORDED[name]
    assert (signal.unit, signal.sampling_frequency) == (SIGNALS[name].unit or "", written[2])
    step = np.ptp(expected) / 2**15  # of the file's 16 bits
    np.testing.assert_allclose(signal.data, expected, atol=max(step, 1e-3))


@pytest.mark.parametrize("name", RECORDED)
def test_epochs_have_the_samples_of_the_definition(name, night):
    steps = make_pipeline(EDFReader([name]), Resampler(), Epocher())
    data = steps.fit_transform(night(name)).recordings[0].signals[name].data
    assert data.shape == (N_EPOCHS, SIGNALS[name].samples_per_epoch)
    assert data.mean() == pytest.approx(RECORDED[name][1].mean(), abs=0.1)


def faults(path, name):
    epochs = EDFReader([name]).fit_transform(path)
    quality = SignalQuality()
    return quality.assess_epochs(epochs)[name].tolist(), quality.assess_nights(epochs).iloc[0]


@pytest.mark.parametrize("name", RECORDED)
def test_sound_nights_are_fit(name, night):
    assert faults(night(name), name)[0] == [""] * N_EPOCHS
    assert faults(night(name), name)[1]["fit"]


@pytest.mark.parametrize("name", RECORDED)
def test_images_show_what_was_written(name, night):
    montage = Montage([Trace(name)], width=N_EPOCHS * 30, height=400)
    epochs = EDFReader(montage).fit_transform(night(name))
    image = np.asarray(WaveformImageRenderer(montage, context=[0]).fit_transform(epochs))[1, 0]
    samples = np.split(RECORDED[name][1], N_EPOCHS)[1]
    low, high = SIGNALS[name].drawing.amplitude or np.percentile(RECORDED[name][1], (1, 99))
    lowest, highest = read_envelope(image, montage, name, amplitude=(low, high))
    pixel = (high - low) / 400
    assert np.nanmin(lowest) == pytest.approx(max(samples.min(), low), abs=2 * pixel)
    assert np.nanmax(highest) == pytest.approx(min(samples.max(), high), abs=2 * pixel)


@pytest.mark.parametrize("name", RECORDED)
def test_messages_name_it(name, write_edf):
    with pytest.raises(ValueError, match=rf"is not a known signal. Use one of .*\b{name}\b"):
        signal_definition("heart")
    path = write_edf("other.edf", ("Snore", np.zeros(180), 1, "", (-1, 1)))
    with pytest.warns(MissingSignalWarning, match=f"none of the signals {name} was found"):
        EDFReader([name]).fit_transform(str(path))


@pytest.mark.parametrize("label", ["SaO2", "SpO2", "SAO2", "spo2", "OSAT", "SaO2 SaO2"])
def test_labels_of_oximeters(label):
    # SHHS, MESA, MrOS, WSC, and MASS (https://sleepdata.org, montages; O'Reilly et al. 2014).
    assert find_channel(SIGNALS["SpO2"], ["OxStatus", "HR", label]) == 2


def test_saturation_that_cannot_be_is_noise(night):
    off = saturation()
    off[60:120] = 0  # a finger that the probe has left
    told, of_night = faults(night("SpO2", samples=off), "SpO2")
    assert told == ["", "", "noisy", "noisy", "", ""]
    assert of_night["fit"]
    assert not of_night["wrong unit"]
    told, of_night = faults(night("SpO2", samples=np.full(180, 100.0)), "SpO2")
    assert told == [""] * N_EPOCHS  # a healthy sleeper, all night


def test_saturation_as_a_fraction_is_of_a_wrong_unit(night):
    _, of_night = faults(night("SpO2", samples=saturation() / 100, limits=(0, 1)), "SpO2")
    assert of_night["wrong unit"]
    assert not of_night["fit"]


def test_saturation_is_a_percentage(night):
    path = night("SpO2", unit="mV")
    message = "found 'mV', which is not a percentage, so that SpO2 cannot"
    with pytest.warns(EDFWarning, match=message), pytest.warns(MissingSignalWarning):
        assert not EDFReader(["SpO2"]).fit_transform(path).recordings[0].signals
    with pytest.warns(EDFRepairWarning, match="found no unit, used '%'"):
        assert read("SpO2", night("SpO2", unit="")).unit == "%"


@pytest.mark.parametrize(
    "labels", ["AIRFLOW|NASAL PRES", "oralflow|nas_pres", "Airflow|Cannula Flow", "Pres|Flow"]
)
def test_nasal_pressure_goes_before_a_thermistor(labels):
    # CFS and CCSHS, WSC, CHAT and MrOS, MESA (https://sleepdata.org, montages).
    assert find_channel(SIGNALS["FLOW"], labels.split("|")) == 1


@pytest.mark.parametrize("label", ["AIRFLOW", "NEW AIR", "Resp oro-nasal", "Resp Thermistor"])
def test_labels_of_airflow(label):
    assert find_channel(SIGNALS["FLOW"], ["SUM", label, "Snore"]) == 1


def test_airflow_is_judged_like_a_belt(night):
    changed = 50 * breathing()
    changed[960 : 960 + 640] = 0  # an apnoea of 20 s
    noise = np.random.default_rng(0).normal(size=1920)
    changed[1920:3840] = 15 * np.clip(noise, -3, 3)
    told, _ = faults(night("FLOW", samples=changed), "FLOW")
    assert told == ["", "", "noisy", "noisy", "", ""]
