"""EDFReader against pyedflib and hand-made files."""

import warnings

import numpy as np
import pyedflib
import pytest
from edf_bytes import SignalText, build_file, overwrite, pack_int16

from sklearn_sleep.core.signals import SignalDefinition
from sklearn_sleep.exceptions import (
    EDFRepairWarning,
    EDFWarning,
    MissingSignalWarning,
)
from sklearn_sleep.io.epoch_tables import epoch_table
from sklearn_sleep.preprocessing import EDFReader

RNG = np.random.default_rng(0)


def noise(rate, seconds=60, scale=0.9):
    return RNG.uniform(-scale, scale, round(rate * seconds))


def read(path, *signals, **parameters):
    (recording,) = EDFReader(list(signals), **parameters).fit_transform(path).recordings
    return recording.signals


def by_pyedflib(path, position):
    with pyedflib.EdfReader(str(path)) as file:
        return file.readSignal(position)


def assert_same(signal, expected, step):
    """Both come from the same integers, `step` apart."""
    assert signal.data.dtype == np.float32
    np.testing.assert_allclose(signal.data, expected, rtol=1e-6, atol=1e-3 * step)


def test_mitdb(data_folder):
    path = data_folder / "mitdb-100.edf"
    epochs = EDFReader(["ECG"]).fit_transform(path)
    assert len(epochs) == 60
    signal = epochs.recordings[0].signals["ECG"]
    assert (signal.sampling_frequency, signal.unit, signal.n_epochs) == (360.0, "mV", 60)
    assert_same(signal, by_pyedflib(path, 0), 0.005)


def test_sleep_edf(data_folder):
    path = data_folder / "sleep-edf-5min.edf"
    signals = read(path, "EEG", "EOG", "EMG", "Pz-Oz", "PPG")
    rates = {name: signal.sampling_frequency for name, signal in signals.items()}
    assert rates == {"EEG": 100.0, "EOG": 100.0, "EMG": 1.0, "Pz-Oz": 100.0}
    for name, position in (("EEG", 0), ("Pz-Oz", 1), ("EOG", 2), ("EMG", 4)):
        assert_same(signals[name], by_pyedflib(path, position), 0.002)


@pytest.mark.parametrize(
    ("unit", "factor"), [("uV", 1e-3), ("mV", 1.0), ("V", 1e3), ("nV", 1e-6), ("Volts", 1e3)]
)
def test_voltages_are_converted(write_edf, unit, factor):
    path = write_edf("night.edf", ("ECG", noise(50), 50, unit, (-1, 1)))
    signal = read(path, "ECG")["ECG"]
    assert signal.unit == "mV"
    assert_same(signal, by_pyedflib(path, 0) * factor, factor * 2 / 65535)
    microvolts = read(path, "ECG", units={"ECG": "uV"})["ECG"]
    assert microvolts.unit == "uV"
    assert_same(microvolts, by_pyedflib(path, 0) * factor * 1000, factor * 2000 / 65535)


def test_blank_unit_is_taken_for_the_wanted_one_with_a_warning(write_edf):
    path = write_edf("night.edf", ("ECG", noise(50), 50, "", (-1, 1)))
    message = r"night\.edf: field 'physical dimension' of channel 'ECG': .* used 'mV'"
    with pytest.warns(EDFRepairWarning, match=message):
        signal = read(path, "ECG")["ECG"]
    assert_same(signal, by_pyedflib(path, 0), 2 / 65535)


def test_unit_that_is_no_voltage_loses_that_channel_alone(write_edf):
    path = write_edf(
        "night.edf",
        ("ECG", noise(50), 50, "mmHg", (-1, 1)),
        ("EKG", noise(50), 50, "mV", (-1, 1)),
        ("THX", noise(10), 10, "", (-1, 1)),
    )
    message = r"night\.edf: field 'physical dimension' of channel 'ECG': found 'mmHg'.*channels="
    with pytest.warns(EDFWarning, match=message):
        signals = read(path, "ECG", "THX")
    assert_same(signals["ECG"], by_pyedflib(path, 1), 2 / 65535)
    path = write_edf(
        "other.edf", ("ECG", noise(50), 50, "mmHg", (-1, 1)), ("THX", noise(10), 10, "", (-1, 1))
    )
    with pytest.warns(EDFWarning, match="which is not a voltage"):
        assert list(read(path, "ECG", "THX")) == ["THX"]


@pytest.mark.parametrize(
    "unit",
    [
        *(b"uV", b"\xb5V", b"\x83\xcaV", b"\xe6V", b"\xa6\xccV", b"\xc2\xb5V", b"\xce\xbcV"),
        *(b"\xc3\x82\xc2\xb5V", b"?V", b"uVolt", b"uVolts", b"\xb5Volt", b"[uV]", b"AuV"),
        *(b"microV", b"mcV", b"UV", b"u V", b"(uV)", b"microvol", b"mikrovol", b"mkV", b"<uV>"),
        *(
            b"\xecV",
            b"\xa3gV",
            b"\xa5\xecV",
            "\u03bc\uff36".encode(),
            "\u043c\u043a\u0412".encode(),
        ),
        "\u03bcV".encode().decode("latin-1").encode(),
    ],
)
def test_spellings_of_microvolts(tmp_path, write_edf, unit):
    path = write_edf("night.edf", ("ECG", noise(50), 50, "QQQQQQQQ", (-1, 1)))
    expected = by_pyedflib(path, 0) * 1e-3
    path.write_bytes(path.read_bytes().replace(b"QQQQQQQQ", unit.ljust(8)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EDFRepairWarning)
        signal = read(path, "ECG")["ECG"]
    assert_same(signal, expected, 2e-3 / 65535)


@pytest.mark.parametrize("unit", ["kV", "", None])
def test_unit_that_cannot_be_given_is_refused_by_fit(unit):
    with pytest.raises(ValueError, match=rf"units\['ECG'\]={unit!r} is not known; use one of V, m"):
        EDFReader(["ECG"], units={"ECG": unit}).fit(None)


@pytest.mark.parametrize("unit", ["", "V", "mmHg"])
@pytest.mark.parametrize("physical_range", [(-1, 1), (-2, 6), (30, 40)])
def test_arbitrary_units_are_scaled_by_the_physical_range(write_edf, unit, physical_range):
    low, high = physical_range
    samples = (low + high) / 2 + noise(10) * (high - low) / 2
    path = write_edf("night.edf", ("ABDO RES", samples, 10, unit, physical_range))
    signal = read(path, "ABD")["ABD"]
    assert signal.unit == ""
    expected = (by_pyedflib(path, 0) - (low + high) / 2) / ((high - low) / 2)
    assert_same(signal, expected, 2 / 65535)
    np.testing.assert_allclose(
        signal.data, (samples - (low + high) / 2) / (high - low) * 2, atol=5e-5
    )


def write_stored(path, stored, **header):
    signal = SignalText(samples_per_record=str(len(stored)), **header)
    path.write_bytes(build_file([signal], [[pack_int16(stored)]], record_duration="30"))
    return path


def test_range_written_upside_down_inverts_the_polarity(tmp_path):
    stored = [-100, -50, 0, 75, 100]
    header = {"digital_minimum": "-100", "digital_maximum": "100"}
    up = {"physical_minimum": "-4", "physical_maximum": "4", **header}
    down = {"physical_minimum": "4", "physical_maximum": "-4", **header}
    expected = np.array([-1, -0.5, 0, 0.75, 1])
    thorax = write_stored(tmp_path / "up.edf", stored, label="Thor", unit="", **up)
    np.testing.assert_allclose(read(thorax, "THX")["THX"].data, expected)
    thorax = write_stored(tmp_path / "down.edf", stored, label="Thor", unit="", **down)
    np.testing.assert_allclose(read(thorax, "THX")["THX"].data, -expected)
    ecg = write_stored(tmp_path / "ecg.edf", stored, label="ECG", unit="mV", **down)
    np.testing.assert_allclose(read(ecg, "ECG")["ECG"].data, -4 * expected)


def test_channel_without_a_scale_is_missing_or_gives_way_to_another(tmp_path, write_edf):
    good = write_edf(
        "good.edf",
        ("ECG", noise(50), 50, "mV", (-1, 1)),
        ("Thor", noise(5), 5, "", (-1, 1)),
        ("Abdo", noise(5), 5, "", (-1, 1)),
        ("ABDO EFFORT", noise(5), 5, "", (-1, 1)),
    )
    flat = tmp_path / "flat.edf"
    flat.write_bytes(overwrite(good.read_bytes(), "physical maximum", "-1", signal=1))
    assert_same(read(flat, "ECG")["ECG"], by_pyedflib(good, 0), 2 / 65535)
    with pytest.warns(EDFWarning, match=r"flat\.edf.*'physical maximum'.*Thor.*THX, it is missing"):
        assert list(read(flat, "ECG", "THX")) == ["ECG"]
    flat.write_bytes(overwrite(good.read_bytes(), "physical maximum", "-1", signal=2))
    with pytest.warns(EDFWarning, match=r"'physical maximum'.*Abdo"):
        assert_same(read(flat, "ABD")["ABD"], by_pyedflib(good, 3), 2 / 65535)


def test_threads_read_the_headers_that_one_thread_reads(cohort, capsys):
    one = EDFReader(["ECG"]).fit_transform(cohort.X)
    two = EDFReader(["ECG"], n_jobs=2, verbose=True).fit_transform(cohort.X)
    assert "Reading headers" in capsys.readouterr().err
    for found, expected in zip(two.recordings, one.recordings, strict=True):
        assert found.fingerprint == expected.fingerprint


def test_derivation_is_the_channel_of_its_name(write_edf):
    path = write_edf(
        "night.edf",
        ("C4", noise(50), 50, "uV", (-1, 1)),
        ("M1", noise(50), 50, "uV", (-1, 1)),
        ("C4-M1", noise(50), 50, "uV", (-1, 1)),
    )
    assert_same(read(path, "C4-M1")["C4-M1"], by_pyedflib(path, 2), 2 / 65535)


@pytest.mark.parametrize("reference", ["M1", "A1", "EEG M1", "m1-Ref"])
def test_derivation_is_else_the_difference_of_two_channels(write_edf, reference):
    path = write_edf(
        "night.edf",
        (reference, noise(50, scale=0.5), 50, "mV", (-0.5, 0.5)),
        ("C3", noise(50), 50, "uV", (-100, 100)),
        ("C4", noise(50, scale=90), 50, "uV", (-100, 100)),
    )
    signal = read(path, "C4-M1")["C4-M1"]
    assert (signal.unit, signal.sampling_frequency) == ("uV", 50.0)
    expected = by_pyedflib(path, 2) - 1000 * by_pyedflib(path, 0)
    np.testing.assert_allclose(signal.data, expected, atol=1e-4)


def test_derivation_of_which_a_channel_is_missing(write_edf):
    path = write_edf("night.edf", ("C4", noise(50), 50, "uV", (-1, 1)))
    with pytest.warns(MissingSignalWarning, match="C4-M1"):
        assert list(read(path, "C4-M1")) == []


def test_derivation_from_channels_of_different_rates_is_missing(write_edf):
    path = write_edf(
        "night.edf",
        ("C4", noise(100), 100, "uV", (-1, 1)),
        ("M1", noise(50), 50, "uV", (-1, 1)),
    )
    message = r"night\.edf: C4-M1 is the difference .* \(C4 100 Hz and M1 50 Hz\)"
    with (
        pytest.warns(EDFWarning, match=message),
        pytest.warns(MissingSignalWarning, match="none of the signals C4-M1"),
    ):
        assert not read(path, "C4-M1")


def test_canonical_name_with_a_dash_is_no_difference(write_edf):
    # "ECG L" is spelled "L" without its EDF+ type, but EOG-L is not EOG minus ECG L.
    path = write_edf(
        "night.edf",
        ("EOG", noise(50), 50, "uV", (-1, 1)),
        ("ECG L", noise(50), 50, "uV", (-1, 1)),
    )
    assert list(read(path, "EOG", "EOG-L")) == ["EOG"]


@pytest.fixture
def two_ecgs(write_edf):
    def write(name="night.edf"):
        return write_edf(
            name,
            ("ECG", noise(50), 50, "mV", (-1, 1)),
            ("ECG 2", noise(50), 50, "mV", (-1, 1)),
            ("left arm", noise(50), 50, "mV", (-1, 1)),
            ("right arm", noise(50), 50, "mV", (-1, 1)),
        )

    return write


@pytest.mark.parametrize(
    ("channels", "positions"),
    [
        ({"ECG": "ECG 2"}, (1,)),
        ({"ECG": "ecg_2"}, (1,)),
        ({"ECG": ["ECG 3", "ECG 2", "ECG"]}, (1,)),
        ({"ECG": "left arm-right arm"}, (2, 3)),
        ({"ECG": ["left arm-right arm", "ECG 2"]}, (2, 3)),
        ({"ECG": ["left arm-leg", "ECG 2"]}, (1,)),
        ({"ECG": "V5"}, (0,)),  # not here: the known labels
        ({"ECG": []}, (0,)),
        ({"mesa": {"ECG": "ECG 2"}}, (1,)),
        ({"mesa": {"ECG": "left arm"}, "ECG": "ECG 2"}, (2,)),
        ({"shhs": {"ECG": "left arm"}, "ECG": "ECG 2"}, (1,)),
        ({"mesa": None}, (0,)),
        ({}, (0,)),
        (None, (0,)),
    ],
    ids=str,
)
def test_channels_are_chosen_in_the_order_of_preference(two_ecgs, channels, positions):
    path = two_ecgs("mesa-sleep-0001.edf")
    first, *others = (by_pyedflib(path, position) for position in positions)
    for other in others:
        first = first - other
    signal = read(path, "ECG", channels=channels)["ECG"]
    np.testing.assert_allclose(signal.data, first, atol=1e-6)


def test_dataset_and_subject_are_those_of_the_table(two_ecgs):
    X = epoch_table([two_ecgs("mesa-sleep-0001.edf"), two_ecgs("night-2.edf")])
    subjects = {"mesa-sleep-0001.edf": "p1", "night-2.edf": np.nan}
    datasets = {"mesa-sleep-0001.edf": "mine", "night-2.edf": None}
    names = X["recording"].str.split("/").str[-1]
    X["subject"], X["dataset"] = names.map(subjects), names.map(datasets)
    reader = EDFReader(["ECG"], channels={"mine": {"ECG": "ECG 2"}})
    first, second = reader.fit_transform(X).recordings
    assert (first.subject, first.dataset) == ("p1", "mine")
    assert (second.subject, second.dataset) == ("", "")
    expected = by_pyedflib(first.path, 1)
    np.testing.assert_allclose(first.signals["ECG"].data, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "dataset"),
    [("shhs1-200001.edf", "shhs"), ("MrOS-visit1-aa0001.edf", "mros"), ("shhsx.edf", "")],
)
def test_dataset_is_else_guessed_from_the_file_name(two_ecgs, name, dataset):
    (recording,) = EDFReader(["ECG"]).fit_transform(two_ecgs(name)).recordings
    assert recording.dataset == dataset


def test_first_of_channels_with_the_same_label_is_read(write_edf):
    path = write_edf(
        "night.edf",
        ("Pleth", noise(8), 8, "", (-1, 1)),
        ("EKG", noise(50), 50, "mV", (-1, 1)),
        ("EKG", noise(25), 25, "mV", (-1, 1)),
    )
    signal = read(path, "ECG")["ECG"]
    assert signal.sampling_frequency == 50
    assert_same(signal, by_pyedflib(path, 1), 2 / 65535)


def test_own_signal(write_edf):
    path = write_edf(
        "night.edf",
        ("SaO2", 90 + noise(1), 1, "%", (0, 100)),
        ("VEOG+", noise(50), 50, "mV", (-1, 1)),
        ("VEOG ref", noise(50), 50, "mV", (-1, 1)),
    )
    oximetry = SignalDefinition("SpO2", 30, aliases=("SaO2",))
    vertical = SignalDefinition("VEOG+-VEOG ref", 4096, "uV")
    signals = read(path, oximetry, vertical)
    assert signals["SpO2"].definition == oximetry
    np.testing.assert_allclose(signals["SpO2"].data, by_pyedflib(path, 0) / 50 - 1, atol=1e-5)
    expected = 1000 * (by_pyedflib(path, 1) - by_pyedflib(path, 2))
    np.testing.assert_allclose(signals["VEOG+-VEOG ref"].data, expected, atol=1e-3)


def test_rates_are_mixed_and_need_not_be_whole(write_edf):
    path = write_edf(
        "night.edf",
        ("ECG", noise(256), 256, "mV", (-1, 1)),
        ("Thor", noise(12.5), 12.5, "", (-1, 1)),
        ("Abdo", noise(0.5), 0.5, "", (-1, 1)),
        ("Pleth", noise(62.5), 62.5, "", (-1, 1)),
    )
    signals = read(path, "ECG", "THX", "ABD", "PPG")
    for position, (name, rate) in enumerate(
        {"ECG": 256, "THX": 12.5, "ABD": 0.5, "PPG": 62.5}.items()
    ):
        assert signals[name].sampling_frequency == rate
        assert_same(signals[name], by_pyedflib(path, position), 2 / 65535)


def test_units_of_something_else_are_refused():
    with pytest.raises(ValueError, match=r"units\['ECG'\]='%' is a percentage, but ECG is a volt"):
        EDFReader(["ECG"], units={"ECG": "%"}).fit(None)


def test_a_slow_channel_is_never_a_pulse_whatever_its_label(write_edf):
    slow, fast = ("Pleth", noise(4), 4, "", (-1, 1)), ("PWF", noise(64), 64, "", (-1, 1))
    path = write_edf("night.edf", slow, fast)
    assert read(path, "PPG")["PPG"].sampling_frequency == 64.0
    with pytest.warns(MissingSignalWarning, match="Pleth"):
        assert not read(write_edf("slow.edf", slow), "PPG")


def test_labels_of_a_signal_that_is_not_asked_for_are_an_error():
    with pytest.raises(ValueError, match="channels has 'PPG', which is none of the signals asked"):
        EDFReader(["ECG"], channels={"PPG": "Pleth"}).fit(None)
    EDFReader(["ECG"], channels={"mesa": {"PPG": "Pleth"}}).fit(None)
    with pytest.raises(ValueError, match="units has 'EEG', which is none of the signals asked"):
        EDFReader(["ECG"], units={"EEG": "mV"}).fit(None)


def test_a_channel_that_looks_like_a_missing_signal_is_named(write_edf):
    rows = np.zeros(30 * 100)
    channels = [(label, rows, 100, "mV", (-1, 1)) for label in ("ECG 2", "ECG Rate", "Thorax")]
    path = write_edf("night.edf", *channels)
    with pytest.warns(
        MissingSignalWarning, match=r"ECG is missing, and may be 'ECG 2'\. Take"
    ) as w:
        recording = EDFReader(["ECG", "THX"]).fit_transform(path).recordings[0]
    assert list(recording.signals) == ["THX"]
    assert "channels={'ECG': 'ECG 2'}" in str(w[0].message)
    assert len(w) == 1
    reader = EDFReader(["ECG", "THX"], channels={"ECG": "ECG 2"})
    assert list(reader.fit_transform(path).recordings[0].signals) == ["ECG", "THX"]
