"""Files of the synthetic cohort, read by mne, pyedflib and the standard library."""

import hashlib
import json
import re
import xml.etree.ElementTree as ET

import mne
import numpy as np
import pyedflib
import pytest

from sklearn_sleep.datasets.recorder import Channel, Site
from sklearn_sleep.simulation.make_cohort import make_cohort

PARAMETERS = {"hours": 0.5, "second_visit_probability": 0.0, "random_state": 11}
# Written out from the recorders they stand for, not taken from the code.
EXPECTED_CHANNELS = {
    "north": {
        "EEG(sec)": (125, "uV"),
        "ECG": (125, "mV"),
        "EMG": (125, "uV"),
        "EOG(L)": (50, "uV"),
        "EOG(R)": (50, "uV"),
        "EEG": (125, "uV"),
        "THOR RES": (10, ""),
        "ABDO RES": (10, ""),
    },
    "south": {
        "EKG": (256, "mV"),
        "EOG-L": (128, "uV"),
        "EOG-R": (128, "uV"),
        "EMG": (128, "uV"),
        "EEG1": (128, "uV"),
        "EEG2": (128, "uV"),
        "EEG3": (128, "uV"),
        "Thor": (32, ""),
        "Abdo": (32, ""),
        "Pleth": (256, ""),
    },
    "east": {
        **dict.fromkeys(("F4", "C4", "O2", "M1", "E1", "E2"), (200, "V")),
        "chin": (200, "uV"),
        "ECG L": (200, "uV"),
        "chest": (20, ""),
        "abdomen": (20, ""),
    },
    "west": {
        "ECG1": (200, "V"),
        "THOR EFFORT": (10, ""),
        "ABDO EFFORT": (10, ""),
        "PlethWV": (64, ""),
    },
}
NSRR_CODES = {0: 0, 1: 1, 2: 2, 3: 3, 5: 4, 9: -1}


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    made = make_cohort(tmp_path_factory.mktemp("cohort"), n_subjects=4, **PARAMETERS).nights
    return {night.site: night for night in made}


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "cohort.json"
    }


def test_layout_is_that_of_nsrr(nights):
    folder = nights["north"].folder
    assert set(digests(folder)) == {
        name
        for site, number in zip(
            ("north", "south", "east", "west"), range(100001, 100005), strict=True
        )
        for name in (
            f"polysomnography/edfs/{site}/{site}-visit1-{number}.edf",
            f"polysomnography/annotations-events-nsrr/{site}/{site}-visit1-{number}-nsrr.xml",
            f"truth/{site}-visit1-{number}.npz",
        )
    }


@pytest.mark.parametrize("site", EXPECTED_CHANNELS)
def test_channels_rates_and_units_are_in_the_header(nights, site):
    path = nights[site].recording
    record_duration = float(path.read_bytes()[244:252])
    expected = EXPECTED_CHANNELS[site]
    labels = header_fields(path, 0, 16, len(expected))
    units = header_fields(path, 96, 8, len(expected))
    counts = header_fields(path, 216, 8, len(expected))
    rates = [int(count) / record_duration for count in counts]
    assert dict(zip(labels, zip(rates, units, strict=True), strict=True)) == expected


@pytest.mark.parametrize("site", EXPECTED_CHANNELS)
def test_channels_rates_and_units_in_pyedflib(nights, site):
    with pyedflib.EdfReader(str(nights[site].recording)) as reader:
        found = {
            label: (reader.getSampleFrequency(index), reader.getPhysicalDimension(index))
            for index, label in enumerate(reader.getSignalLabels())
        }
        duration = reader.getFileDuration()
    assert found == EXPECTED_CHANNELS[site]
    assert duration == 30 * len(nights[site].load_truth()["stages"])


@pytest.mark.parametrize("site", ["north", "south", "east", "west"])
def test_samples_in_mne(nights, site):
    raw = mne.io.read_raw_edf(nights[site].recording, preload=True, verbose="error")
    assert set(raw.ch_names) == set(EXPECTED_CHANNELS[site])
    assert raw.duration == pytest.approx(30 * len(nights[site].load_truth()["stages"]), abs=0.1)
    assert np.isfinite(raw.get_data()).all()
    assert (raw.get_data().std(axis=1) > 0).all()


def header_fields(path, start, width, n_signals):
    """Fields of the signal headers as the EDF specification lays them out."""
    header = path.read_bytes()[: 256 * (n_signals + 1)]
    first = 256 + start * n_signals
    return [
        header[first + width * index : first + width * (index + 1)].decode("ascii").strip()
        for index in range(n_signals)
    ]


def test_inverted_physical_range_is_in_the_header(nights):
    path = nights["north"].recording
    n_signals = 8
    labels = header_fields(path, 0, 16, n_signals)
    minima = dict(zip(labels, header_fields(path, 104, 8, n_signals), strict=True))
    maxima = dict(zip(labels, header_fields(path, 112, 8, n_signals), strict=True))
    for label in ("THOR RES", "ABDO RES"):
        assert (float(minima[label]), float(maxima[label])) == (1.0, -1.0)
    assert (float(minima["ECG"]), float(maxima["ECG"])) == (-1.25, 1.25)


def test_inverted_physical_range_is_read_alike(nights):
    path = nights["north"].recording
    expected = physical_samples(path, "THOR RES")
    raw = mne.io.read_raw_edf(path, include=["THOR RES"], preload=True, verbose="error")
    with pyedflib.EdfReader(str(path)) as reader:
        found = reader.readSignal(reader.getSignalLabels().index("THOR RES"))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(raw.get_data()[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("site", "label", "expected"),
    [("north", "ECG", 1), ("south", "EKG", 1), ("east", "ECG L", 1), ("west", "ECG1", -1)],
)
def test_polarity_of_the_r_waves(nights, site, label, expected):
    raw = mne.io.read_raw_edf(
        nights[site].recording, include=[label], preload=True, verbose="error"
    )
    signal = raw.get_data()[0]
    peaks = (nights[site].load_truth()["r_peaks"] * raw.info["sfreq"]).round().astype(int)
    at_peaks = signal[peaks[peaks < len(signal)]]
    assert np.sign(np.median(at_peaks) - np.median(signal)) == expected


@pytest.mark.parametrize(
    ("site", "label", "expected"),
    [
        ("north", "THOR RES", 1),
        ("south", "Thor", 1),
        ("south", "Abdo", -1),
        ("west", "ABDO EFFORT", 1),
    ],
)
def test_polarity_of_respiration(nights, site, label, expected):
    raw = mne.io.read_raw_edf(
        nights[site].recording, include=[label], preload=True, verbose="error"
    )
    signal, rate = raw.get_data()[0], raw.info["sfreq"]
    onsets = nights[site].load_truth()["breath_onsets"][2:-2]
    lowest = np.median(signal[(onsets * rate).astype(int)])
    full = np.median(signal[((onsets + 0.4 * np.median(np.diff(onsets))) * rate).astype(int)])
    assert np.sign(full - lowest) == expected


def test_amplitudes_are_physical_in_every_unit(nights):
    # An R wave of lead II is some 0.5 to 2 mV high, whether stored in mV, uV or V.
    for site, label, per_unit in (
        ("north", "ECG", 1e-3),
        ("south", "EKG", 1e-3),
        ("east", "ECG L", 1e-6),
        ("west", "ECG1", 1.0),
    ):
        raw = physical_samples(nights[site].recording, label)
        height = np.percentile(np.abs(raw - np.median(raw)), 99.5) * per_unit
        assert 0.3e-3 < height < 2e-3, site


def physical_samples(path, label):
    """Physical samples by the linear scale of the EDF specification, done by hand."""
    header = path.read_bytes()
    n_signals = int(header[252:256])
    n_records = int(header[236:244])
    labels = header_fields(path, 0, 16, n_signals)
    bounds = [
        [float(value) for value in header_fields(path, start, 8, n_signals)]
        for start in (104, 112, 120, 128)
    ]
    counts = [int(value) for value in header_fields(path, 216, 8, n_signals)]
    records = np.frombuffer(header[256 * (n_signals + 1) :], dtype="<i2").reshape(n_records, -1)
    index = labels.index(label)
    first = sum(counts[:index])
    digital = records[:, first : first + counts[index]].ravel().astype(float)
    minimum, maximum, lowest, highest = (bound[index] for bound in bounds)
    return minimum + (digital - lowest) * (maximum - minimum) / (highest - lowest)


def test_differences_of_referential_electrodes_are_free_of_the_reference(nights):
    path = nights["east"].recording
    # What C4 and O2 share beyond brain activity is the reference, which M1 shows alone.
    c4, m1, o2 = (
        physical_samples(path, label).reshape(-1, 30 * 200) for label in ("C4", "M1", "O2")
    )

    def correlation(one, other):
        return np.mean([np.corrcoef(*epoch)[0, 1] for epoch in zip(one, other, strict=True)])

    assert correlation(m1, c4) > 0.25
    assert abs(correlation(m1, c4 - o2)) < 0.05


@pytest.mark.parametrize("site", ["north", "south", "east", "west"])
def test_annotation_says_what_the_truth_says(nights, site):
    stages = []
    for event in ET.parse(nights[site].annotations).getroot().iter("ScoredEvent"):  # noqa: S314
        if event.findtext("EventType") == "Stages|Stages":
            code = int(re.search(r"\|(\d+)$", event.findtext("EventConcept")).group(1))
            assert float(event.findtext("Start")) == 30 * len(stages)
            stages += [NSRR_CODES[code]] * round(float(event.findtext("Duration")) / 30)
    truth = nights[site].load_truth()
    np.testing.assert_array_equal(stages, truth["stages"])
    assert set(truth["stages"]) - {-1} == {0, 1, 2, 3, 4}
    assert 0.85 * 60 - 1 <= len(stages) <= 1.15 * 60 + 1


def test_only_sites_with_a_plethysmogram_know_pulses(nights):
    with_pulses = {site for site, night in nights.items() if "pulse_onsets" in night.load_truth()}
    assert with_pulses == {"south", "west"}


def test_same_seed_gives_the_same_bytes_whatever_the_number_of_jobs_and_subjects(nights, tmp_path):
    make_cohort(tmp_path / "two", n_subjects=2, n_jobs=2, **PARAMETERS)
    expected = digests(nights["north"].folder)
    found = digests(tmp_path / "two")
    assert len(found) == 6
    assert found == {name: expected[name] for name in found}
    other = dict(PARAMETERS, random_state=12)
    make_cohort(tmp_path / "other", n_subjects=2, **other)
    assert not set(digests(tmp_path / "other").values()) & set(found.values())


def test_cohort_is_resumed_and_grows(tmp_path):
    parameters = dict(PARAMETERS, sites=["west"], folder=tmp_path / "cohort")
    nights = make_cohort(n_subjects=2, **parameters).nights
    before = digests(tmp_path / "cohort")
    nights[1].annotations.unlink()
    untouched = nights[0].recording.stat().st_mtime_ns
    grown = make_cohort(n_subjects=3, **parameters).nights
    assert [night.name for night in grown[:2]] == [night.name for night in nights]
    after = digests(tmp_path / "cohort")
    assert {name: after[name] for name in before} == before
    assert len(after) == 9
    assert nights[0].recording.stat().st_mtime_ns == untouched


def test_other_parameters_are_refused_and_overwritten_on_demand(tmp_path):
    folder = tmp_path / "cohort"
    make_cohort(folder, n_subjects=2, sites=["west"], **PARAMETERS)
    other = dict(PARAMETERS, random_state=12)
    with pytest.raises(
        ValueError, match=r"random_state=11 there, random_state=12 asked.*overwrite"
    ):
        make_cohort(folder, n_subjects=2, sites=["west"], **other)
    with pytest.raises(ValueError, match="n_subjects=2 there, n_subjects=1 asked"):
        make_cohort(folder, n_subjects=1, sites=["west"], **PARAMETERS)
    with pytest.raises(ValueError, match="sites differ"):
        make_cohort(folder, n_subjects=2, sites=["west", "north"], **PARAMETERS)
    before = digests(folder)
    make_cohort(folder, n_subjects=1, sites=["west"], overwrite=True, **other)
    after = digests(folder)
    assert len(after) == 3
    assert not set(after.values()) & set(before.values())


def test_folders_of_others_are_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty"):
        make_cohort(tmp_path, overwrite=True, **PARAMETERS)
    manifest = tmp_path / "cohort.json"
    manifest.write_text(json.dumps({"format": "something else"}))
    with pytest.raises(ValueError, match="not the manifest"):
        make_cohort(tmp_path, overwrite=True, **PARAMETERS)
    manifest.write_text("{")
    with pytest.raises(ValueError, match="not JSON"):
        make_cohort(tmp_path, overwrite=True, **PARAMETERS)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_overwrite_removes_nothing_outside_the_folder(tmp_path):
    folder = tmp_path / "cohort"
    make_cohort(folder, n_subjects=1, sites=["west"], **PARAMETERS)
    manifest = json.loads((folder / "cohort.json").read_text())
    manifest["nights"] = [["../../outside", 1, 1]]
    (folder / "cohort.json").write_text(json.dumps(manifest))
    victim = tmp_path / "outside-visit1-1.npz"
    victim.write_text("mine")
    make_cohort(folder, n_subjects=1, sites=["west"], overwrite=True, **PARAMETERS)
    assert victim.read_text() == "mine"


def test_second_visits_share_the_subject(tmp_path):
    parameters = dict(PARAMETERS, second_visit_probability=1.0)
    first, second = make_cohort(
        tmp_path / "cohort", n_subjects=1, sites=["west"], **parameters
    ).nights
    assert (first.name, second.name) == ("west-visit1-100001", "west-visit2-100001")
    assert first.subject == second.subject == "west-100001"
    one, other = first.load_truth(), second.load_truth()
    assert one["subject_heart_rate"] == other["subject_heart_rate"]
    assert not np.array_equal(one["r_peaks"][:50], other["r_peaks"][:50])


def test_own_site_and_progress(tmp_path, capsys):
    site = Site("attic", (Channel("II", "ECG", 100.0, "mV", (-5.0, 5.0)),), record_duration=30.0)
    (night,) = make_cohort(
        tmp_path / "cohort", n_subjects=1, sites=[site], verbose=True, **PARAMETERS
    ).nights
    with pyedflib.EdfReader(str(night.recording)) as reader:
        assert reader.getSignalLabels() == ["II"]
        assert reader.datarecord_duration == 30.0
    assert "Synthetic nights: 100%" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_subjects": 0}, "n_subjects must be an integer of at least 1; got 0"),
        ({"n_subjects": 2.5}, "n_subjects must be an integer"),
        ({"random_state": None}, "random_state must be an integer of at least 0; got None"),
        ({"hours": 0.1}, "hours must be a number from 0.5 to 24; got 0.1"),
        ({"hours": "8"}, "hours must be a number"),
        (
            {"second_visit_probability": 1.5},
            "second_visit_probability must be a number from 0 to 1",
        ),
        ({"difficulty": -1.0}, "difficulty must be a number from 0 to 10; got -1"),
        ({"difficulty": float("nan")}, "difficulty must be a number"),
        ({"sites": ["moon"]}, "'moon' is not known; use a Site or one of north, south, east, west"),
        ({"sites": []}, "at least one site"),
        ({"sites": ["west", "west"]}, "different names"),
    ],
)
def test_impossible_parameters_are_named(tmp_path, parameters, message):
    with pytest.raises(ValueError, match=message):
        make_cohort(tmp_path / "cohort", **parameters)
    assert not (tmp_path / "cohort").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", "ECG", 100.0, "mV", (-5.0, 5.0)), "label"),
        (("é", "ECG", 100.0, "mV", (-5.0, 5.0)), "ASCII"),
        (("x", "SpO2", 100.0, "", (-5.0, 5.0)), "signal='SpO2'.*cannot be synthesized"),
        (("x", "ECG", 100.0, "", (-5.0, 5.0)), "unit=''"),
        (("x", "PPG", 100.0, "mV", (-5.0, 5.0)), "must be empty for PPG"),
        (("x", "ECG", 100.0, "kV", (-5.0, 5.0)), "unit='kV'"),
        (("x", "ECG", 12.5, "mV", (-5.0, 5.0)), "sampling_frequency=12.5"),
        (("x", "ECG", 100.0, "mV", (5.0, 5.0)), "physical_range"),
        (("x", "ECG", 100.0, "mV", (-5.0, 5.0), 0), "polarity=0"),
    ],
)
def test_impossible_channels_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Channel(*arguments)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"name": "North-1"}, "lower-case"),
        ({"channels": ()}, "needs channels"),
        ({"record_duration": 7.0}, "must divide"),
        ({"record_duration": 0.125}, "whole number of samples"),
    ],
)
def test_impossible_sites_are_named(parameters, message):
    channel = Channel("ECG", "ECG", 100.0, "mV", (-5.0, 5.0))
    with pytest.raises(ValueError, match=message):
        Site(**({"name": "attic", "channels": (channel,)} | parameters))


def test_layout_and_sites_exclude_each_other(tmp_path):
    with pytest.raises(ValueError, match="not both"):
        make_cohort(tmp_path, layout="shhs", sites=["north"])
    with pytest.raises(ValueError, match=r"layout='attic' is not known; use one of .*shhs"):
        make_cohort(tmp_path, layout="attic")


def test_layouts_are_made_again_or_kept(tmp_path):
    first = make_cohort(tmp_path / "a", layout="isruc", n_subjects=2, hours=0.5)
    before = first.nights[0].recording.read_bytes()
    with pytest.raises(ValueError, match="layout=isruc there, layout=None asked"):
        make_cohort(tmp_path / "a", n_subjects=2, hours=0.5)
    again = make_cohort(tmp_path / "a", layout="isruc", n_subjects=2, hours=0.5, overwrite=True)
    assert again.nights[0].recording.read_bytes() == before
    make_cohort(tmp_path / "a", n_subjects=1, hours=0.5, overwrite=True)
    assert not list((tmp_path / "a").rglob("*.rec"))
