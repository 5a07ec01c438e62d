"""The signals of the synthetic cohort, measured from its EDF files by independent means."""

import mne
import numpy as np
import pytest
from scipy import signal as scipy_signal

from sklearn_sleep.simulation.make_cohort import make_cohort

WAKE, N1, N2, N3, REM = range(5)


class Night:
    """A night as mne reads it, with helpers for spectra by stage."""

    def __init__(self, files):
        self.path = files.recording
        self.truth = files.load_truth()
        self.stages = self.truth["physiological_stages"]

    def channel(self, label):
        raw = mne.io.read_raw_edf(self.path, include=[label], preload=True, verbose="error")
        return raw.get_data()[0], raw.info["sfreq"]

    def epochs(self, label):
        signal, rate = self.channel(label)
        return signal.reshape(len(self.stages), -1), rate

    def clean(self, label, times, margin=1.0):
        """Which times lie outside the artefacts of a channel."""
        clean = np.ones(len(times), dtype=bool)
        of_channel = self.truth["artefact_label"] == label
        starts = self.truth["artefact_start"][of_channel]
        stops = self.truth["artefact_stop"][of_channel]
        for start, stop in zip(starts, stops, strict=True):
            clean &= (times < start - margin) | (times > stop + margin)
        return clean

    def clean_epochs(self, label):
        times = np.arange(len(self.stages) * 30) + 0.5
        return self.clean(label, times, 0.5).reshape(-1, 30).all(axis=1)

    def band_power(self, label, band):
        """Power of each epoch in a band; NaN where there is an artefact."""
        epochs, rate = self.epochs(label)
        frequency, power = scipy_signal.welch(epochs, rate, nperseg=int(4 * rate), axis=-1)
        inside = (frequency >= band[0]) & (frequency <= band[1])
        total = power[:, inside].sum(axis=1)
        return np.where(self.clean_epochs(label), total, np.nan)

    def by_stage(self, values):
        return [np.nanmedian(values[self.stages == stage]) for stage in range(5)]


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    files = make_cohort(
        tmp_path_factory.mktemp("cohort"),
        n_subjects=4,
        hours=2.0,
        second_visit_probability=0.0,
        random_state=3,
    ).nights
    return {night.site: Night(night) for night in files}


ECG = {"north": ("ECG", 1), "south": ("EKG", 1), "east": ("ECG L", 1), "west": ("ECG1", -1)}


def parabola_vertex(before, at, after):
    return 0.5 * (before - after) / (before - 2.0 * at + after)


def detect_r_peaks(signal, rate):
    """Find R waves in a band-passed ECG and refine them by a parabola through three samples."""
    sections = scipy_signal.butter(2, (5.0, 30.0), "bandpass", fs=rate, output="sos")
    filtered = scipy_signal.sosfiltfilt(sections, signal)
    height = 0.4 * np.percentile(filtered, 99.5)
    peaks, _ = scipy_signal.find_peaks(filtered, height=height, distance=int(0.35 * rate))
    before, at, after = filtered[peaks - 1], filtered[peaks], filtered[peaks + 1]
    return (peaks + parabola_vertex(before, at, after)) / rate


@pytest.mark.parametrize("site", ECG)
def test_r_peaks_are_where_the_truth_says(nights, site):
    night = nights[site]
    label, polarity = ECG[site]
    signal, rate = night.channel(label)
    found = detect_r_peaks(polarity * signal, rate)
    true = night.truth["r_peaks"]
    usual = ~night.truth["ectopic"] & night.clean(label, true)
    usual &= (true > 1.0) & (true < true[-1] - 1.0)
    nearest = found[np.clip(np.searchsorted(found, true[usual]), 1, len(found) - 1) - 1]
    following = found[np.clip(np.searchsorted(found, true[usual]), 1, len(found) - 1)]
    error = np.minimum(abs(nearest - true[usual]), abs(following - true[usual]))
    assert (error < 0.02).mean() > 0.995
    assert np.median(error) < 0.004
    # Nor does the detector find beats that are not there.
    inside = night.clean(label, found)
    assert abs(inside.sum() - night.clean(label, true).sum()) < 0.01 * len(true)


@pytest.mark.parametrize(("site", "label"), [("south", "Pleth"), ("west", "PlethWV")])
def test_pulses_follow_the_r_peaks_by_a_transit_time(nights, site, label):
    night = nights[site]
    signal, rate = night.channel(label)
    sections = scipy_signal.butter(2, 8.0, "lowpass", fs=rate, output="sos")
    slope = np.gradient(scipy_signal.sosfiltfilt(sections, signal)) * rate
    peaks, _ = scipy_signal.find_peaks(
        slope, height=0.3 * np.percentile(slope, 98), distance=int(0.4 * rate)
    )
    upstrokes = peaks / rate
    upstrokes = upstrokes[night.clean(label, upstrokes) & (upstrokes > 5.0)]
    r_peaks = night.truth["r_peaks"]
    delay = upstrokes - r_peaks[np.searchsorted(r_peaks, upstrokes) - 1]
    # Foot to finger 0.2-0.3 s (Allen 2007), and some 0.05 s on to the steepest rise.
    assert 0.22 < np.median(delay) < 0.37
    assert np.subtract(*np.percentile(delay, [75, 25])) < 0.04
    assert len(upstrokes) > 0.9 * night.clean(label, r_peaks).sum()
    onsets = night.truth["pulse_onsets"]
    nearest = onsets[np.searchsorted(onsets, upstrokes) - 1]
    assert 0.02 < np.median(upstrokes - nearest) < 0.08


def heart_rate_spectra(night):
    """Welch spectra of the normal R-R intervals at 4 Hz, in pieces of 2 minutes by stage."""
    beats = night.truth["r_peaks"]
    intervals = np.diff(beats)
    usual = ~(night.truth["ectopic"][1:] | night.truth["ectopic"][:-1])
    spectra = {stage: [] for stage in range(5)}
    for first in range(len(night.stages) - 3):
        stages = night.stages[first : first + 4]
        if (stages != stages[0]).any():
            continue
        time = np.arange(30.0 * first, 30.0 * first + 120.0, 0.25)
        tachogram = np.interp(time, beats[1:][usual], intervals[usual])
        frequency, power = scipy_signal.welch(tachogram, 4.0, nperseg=256)
        spectra[int(stages[0])].append(power)
    return frequency, {
        stage: np.mean(powers, axis=0) for stage, powers in spectra.items() if powers
    }


def test_heart_rate_is_highest_in_wake_and_lowest_in_deep_sleep(nights):
    rates = np.zeros((len(nights), 5))
    for row, night in zip(rates, nights.values(), strict=True):
        beats = night.truth["r_peaks"]
        per_epoch = np.histogram(beats, np.arange(len(night.stages) + 1) * 30.0)[0] * 2.0
        row[:] = night.by_stage(per_epoch)
        assert row[WAKE] > row[N3]
    mean = rates.mean(axis=0)
    assert mean[WAKE] > mean[REM] > mean[N2] > mean[N3]
    assert 45.0 < mean[N3] < 75.0


def test_low_to_high_frequency_ratio_is_higher_in_rem_than_in_deep_sleep(nights):
    # Bands of Task Force 1996.
    for night in nights.values():
        frequency, spectra = heart_rate_spectra(night)
        low = (frequency >= 0.04) & (frequency < 0.15)
        high = (frequency >= 0.15) & (frequency < 0.4)
        ratio = {stage: power[low].sum() / power[high].sum() for stage, power in spectra.items()}
        assert ratio[REM] > 1.5 * ratio[N3]
        assert spectra[N3][high].sum() > spectra[REM][high].sum()


@pytest.mark.parametrize(
    ("site", "label"), [("north", "THOR RES"), ("south", "Thor"), ("east", "chest")]
)
def test_heart_rate_follows_the_breath_in_deep_sleep(nights, site, label):
    night = nights[site]
    signal, rate = night.channel(label)
    beats = night.truth["r_peaks"]
    time = np.arange(0.0, len(night.stages) * 30.0, 0.25)
    tachogram = np.interp(time, beats[1:], np.diff(beats))
    belt = np.interp(time, np.arange(len(signal)) / rate, signal)
    asleep = np.repeat(night.stages == N3, 120)
    frequency, coherence = scipy_signal.coherence(tachogram[asleep], belt[asleep], 4.0, nperseg=256)
    _, breathing = scipy_signal.welch(belt[asleep], 4.0, nperseg=256)
    respiratory = (frequency > 0.15) & (frequency < 0.5)
    peak = frequency[respiratory][np.argmax(breathing[respiratory])]
    assert coherence[frequency == peak] > 0.6
    true_rate = night.truth["respiratory_rate"][night.stages == N3].mean() / 60.0
    assert peak == pytest.approx(true_rate, abs=0.04)


THORAX = {"north": "THOR RES", "south": "Thor", "east": "chest", "west": "THOR EFFORT"}


def breath_times(signal, rate):
    sections = scipy_signal.butter(2, (0.1, 0.6), "bandpass", fs=rate, output="sos")
    filtered = scipy_signal.sosfiltfilt(sections, signal)
    peaks, _ = scipy_signal.find_peaks(filtered, distance=int(1.5 * rate))
    vertex = parabola_vertex(filtered[peaks - 1], filtered[peaks], filtered[peaks + 1])
    return (peaks + vertex) / rate


def test_breathing_is_most_regular_in_deep_sleep(nights):
    spread = []
    for site, label in THORAX.items():
        night = nights[site]
        times = breath_times(*night.channel(label))
        stage = night.stages[(times[1:] // 30).astype(int)]
        clean = night.clean(label, times[1:], 3.0)
        intervals = [np.diff(times)[clean & (stage == which)] for which in (WAKE, N3, REM)]
        spread.append([np.subtract(*np.percentile(times, [75, 25])) for times in intervals])
        # The belt shows the breaths of the truth.
        expected = night.truth["respiratory_rate"][night.stages == N3].mean()
        assert 60.0 / intervals[1].mean() == pytest.approx(expected, rel=0.05)
    # Subjects differ, so the stages are compared over all of them.
    wake, deep, rem = np.mean(spread, axis=0)
    assert deep < 0.8 * rem
    assert deep < 0.8 * wake


CENTRAL = {"north": "EEG", "south": "EEG3"}


@pytest.mark.parametrize(("site", "label"), CENTRAL.items())
def test_eeg_rhythms_belong_to_their_stages(nights, site, label):
    night = nights[site]
    delta = night.by_stage(night.band_power(label, (0.5, 2.0)))
    assert delta[N3] > 3.0 * delta[N2]
    assert delta[N2] > 2.0 * delta[WAKE]
    alpha = night.by_stage(night.band_power(label, (8.0, 12.0)))
    assert alpha[WAKE] > 2.0 * max(alpha[N1], alpha[N2], alpha[N3], alpha[REM])
    background = night.band_power(label, (20.0, 30.0))
    sigma = night.by_stage(night.band_power(label, (12.0, 15.0)) / background)
    assert sigma[N2] > 1.5 * max(sigma[WAKE], sigma[REM])


def test_slow_waves_exceed_75_microvolts_in_a_fifth_of_deep_sleep(nights):
    night = nights["north"]
    epochs, rate = night.epochs("EEG")
    sections = scipy_signal.butter(2, (0.5, 2.0), "bandpass", fs=rate, output="sos")
    slow = scipy_signal.sosfiltfilt(sections, epochs.ravel() * 1e6).reshape(epochs.shape)
    seconds = slow.reshape(len(epochs), 15, -1)
    share = ((seconds.max(axis=2) - seconds.min(axis=2)) > 75.0).mean(axis=1)
    share = np.where(night.clean_epochs("EEG"), share, np.nan)
    in_stage = night.by_stage(share)
    assert in_stage[N3] > 0.2 > in_stage[N2] >= in_stage[WAKE]


def test_alpha_is_occipital_and_slow_waves_are_frontal(nights):
    night = nights["east"]
    m1, rate = night.epochs("M1")

    def power(label, band, stage):
        epochs = night.epochs(label)[0] - m1
        clean = night.clean_epochs(label) & night.clean_epochs("M1") & (night.stages == stage)
        frequency, spectrum = scipy_signal.welch(epochs[clean], rate, nperseg=int(4 * rate))
        return np.median(spectrum[:, (frequency >= band[0]) & (frequency <= band[1])].sum(axis=1))

    alpha = [power(label, (8.0, 12.0), WAKE) for label in ("O2", "C4", "F4")]
    assert alpha == sorted(alpha, reverse=True)
    delta = [power(label, (0.5, 2.0), N3) for label in ("F4", "C4", "O2")]
    assert delta == sorted(delta, reverse=True)


@pytest.mark.parametrize(("site", "label"), [("north", "EMG"), ("south", "EMG"), ("east", "chin")])
def test_the_chin_is_slack_in_rem(nights, site, label):
    night = nights[site]
    tone = night.by_stage(night.band_power(label, (10.0, 45.0)))
    assert tone[WAKE] > tone[N2] > tone[REM]


@pytest.mark.parametrize(
    ("site", "left", "right"), [("north", "EOG(L)", "EOG(R)"), ("south", "EOG-L", "EOG-R")]
)
def test_eyes_move_together_and_share_slow_waves(nights, site, left, right):
    night = nights[site]
    one, _ = night.epochs(left)
    other, _ = night.epochs(right)
    clean = night.clean_epochs(left) & night.clean_epochs(right)
    correlation = np.array([np.corrcoef(*pair)[0, 1] for pair in zip(one, other, strict=True)])
    in_stage = night.by_stage(np.where(clean, correlation, np.nan))
    assert max(in_stage[WAKE], in_stage[N1], in_stage[REM]) < -0.2
    assert in_stage[N3] > 0.4


@pytest.mark.parametrize(("site", "label", "mains"), [("east", "C4", 50.0), ("south", "EKG", 60.0)])
def test_mains_hum_has_the_frequency_of_the_site(nights, site, label, mains):
    signal, rate = nights[site].channel(label)
    frequency, power = scipy_signal.welch(signal, rate, nperseg=int(8 * rate))
    above = frequency > 40.0
    assert frequency[above][np.argmax(power[above])] == pytest.approx(mains, abs=0.2)


def test_dropouts_are_flat_where_the_truth_says(tmp_path):
    (files,) = make_cohort(
        tmp_path / "cohort",
        n_subjects=1,
        hours=2.0,
        sites=["south"],
        second_visit_probability=0.0,
        difficulty=3.0,
    ).nights
    night = Night(files)
    found = 0
    dropouts = night.truth["artefact_kind"] == "dropout"
    for label in np.unique(night.truth["artefact_label"][dropouts]):
        signal, rate = night.channel(str(label))
        of_channel = dropouts & (night.truth["artefact_label"] == label)
        for start, stop in zip(
            night.truth["artefact_start"][of_channel],
            night.truth["artefact_stop"][of_channel],
            strict=True,
        ):
            assert np.ptp(signal[int(start * rate) + 1 : int(stop * rate)]) == 0.0
            found += 1
    assert found > 3


def test_easy_cohorts_have_no_artefacts_and_undisputed_stages(tmp_path):
    (files,) = make_cohort(
        tmp_path / "cohort",
        n_subjects=1,
        hours=0.5,
        sites=["west"],
        second_visit_probability=0.0,
        difficulty=0.0,
    ).nights
    truth = files.load_truth()
    scored = truth["stages"] >= 0
    np.testing.assert_array_equal(truth["stages"][scored], truth["physiological_stages"][scored])
    assert not len(truth["artefact_label"])
