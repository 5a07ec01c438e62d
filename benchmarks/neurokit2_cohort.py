"""Nights whose signals neurokit2 draws: another simulator than that of the package.

A night is a chain of bouts of a stage, some minutes each. A bout has a heart rate, a variability, a
breathing rate and an irregularity of its own, around those of its stage and its person; bouts of
different stages overlap in each of them. neurokit2 draws the signals: `ecg_simulate` by
the dynamical model of McSharry et al. 2003 in pieces of two minutes, `ppg_simulate` with the same
mean heart rate, and `rsp_simulate` after Noto et al. 2018, whose time is stretched to the bout's
rate. People move, most when they are awake. Two sites differ in rates, and one has no PPG.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks
from sklearn.utils import Bunch

from sklearn_sleep import load_cohort

Samples = npt.NDArray[np.float64]

EPOCH = 30.0
# With the beats that are cut off, ECGSYN draws 128 s for it: powers of two.
PIECE = 118.0
NOMINAL_BREATHING_RATE = 15.0
SUBJECT = r"(?P<subject>[a-z]+-\d+)"


@dataclass(frozen=True)
class Physiology:
    """What bouts of a stage have on average."""

    heart_rate: float  # 1/min above the person's own
    heart_rate_std: float  # 1/min
    low_to_high: float  # power of its variability at 0.1 Hz over that at 0.25 Hz
    pulse_randomness: float  # share of an interval
    breathing_rate: float  # 1/min above the person's own
    breathing_irregularity: float  # share of the breathing rate
    effort_irregularity: float  # share of the depth of breath
    movements: float  # in an hour


STAGES = {
    "W": Physiology(7.0, 5.0, 1.2, 0.16, 1.6, 0.14, 0.40, 40.0),
    "N2": Physiology(1.0, 2.5, 0.8, 0.09, 0.0, 0.05, 0.12, 2.0),
    "N3": Physiology(-2.0, 1.3, 0.3, 0.05, -0.6, 0.02, 0.05, 0.5),
    "R": Physiology(3.0, 3.6, 3.2, 0.13, 1.0, 0.11, 0.20, 4.0),
}
# How far bouts, and people, are from it: standard deviations, of logarithms where they are scales.
BOUT_HEART_RATE, BOUT_BREATHING_RATE, BOUT_SCALE = 2.5, 1.0, 0.15
PERSON_HEART_RATE, PERSON_BREATHING_RATE, PERSON_SCALE = 7.0, 1.5, 0.1

# Minutes of a bout, and what follows it.
MINUTES = {"W": (3.0, 9.0), "N2": (5.0, 14.0), "N3": (6.0, 15.0), "R": (5.0, 14.0)}
NEXT = {
    "W": {"N2": 0.85, "R": 0.15},
    "N2": {"N3": 0.45, "R": 0.3, "W": 0.25},
    "N3": {"N2": 0.65, "R": 0.2, "W": 0.15},
    "R": {"N2": 0.55, "W": 0.45},
}


@dataclass(frozen=True)
class Site:
    """Rates of a recorder in Hz, and how many people come to it."""

    n_subjects: int
    ecg: int
    belts: int
    ppg: int | None


SITES = {"north": Site(12, 256, 32, 64), "south": Site(6, 200, 25, None)}


@dataclass(frozen=True)
class Bout:
    """Epochs of one stage, from the first up to the last, and what the body does in them."""

    stage: str
    start: int
    stop: int
    body: Physiology

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.stop - self.start) * EPOCH


def make_neurokit2_cohort(
    folder: Path, hours: float = 2.0, random_state: int = 0, n_jobs: int | None = None
) -> Bunch:
    """Write the nights that the folder does not hold yet; return them as `load_cohort` does."""
    folder.mkdir(parents=True, exist_ok=True)
    people = [(name, person) for name, site in SITES.items() for person in range(site.n_subjects)]
    Parallel(n_jobs)(
        delayed(make_night)(
            folder / f"{name}-{person:02d}.edf",
            SITES[name],
            round(hours * 3600 / EPOCH),
            np.random.default_rng([random_state, number]),
        )
        for number, (name, person) in enumerate(people)
    )
    return load_cohort(folder, subject=SUBJECT)


def make_night(path: Path, site: Site, n_epochs: int, rng: np.random.Generator) -> None:
    """Draw a night and write it with its hypnogram, unless that is there."""
    # Comes after the recording, and tells that it is whole.
    hypnogram = path.with_suffix(".csv")
    if hypnogram.exists():
        return
    bouts = draw_bouts(rng, n_epochs)
    write_recording(path, site, bouts, rng)
    stages = [bout.stage for bout in bouts for _ in range(bout.start, bout.stop)]
    hypnogram.write_text("\n".join(["stage", *stages, ""]))


def draw_bouts(rng: np.random.Generator, n_epochs: int) -> list[Bout]:
    """Draw a person and the bouts of one night."""
    person = {
        "heart_rate": rng.normal(62, PERSON_HEART_RATE),
        "breathing_rate": rng.normal(NOMINAL_BREATHING_RATE, PERSON_BREATHING_RATE),
        "scale": rng.normal(0, PERSON_SCALE),
    }
    bouts: list[Bout] = []
    stage, start = "W", 0
    while start < n_epochs:
        length = round(rng.uniform(*MINUTES[stage]) * 60 / EPOCH)
        stop = min(start + length, n_epochs)
        bouts.append(Bout(stage, start, stop, draw_body(rng, STAGES[stage], **person)))
        following = NEXT[stage]
        stage, start = str(rng.choice(list(following), p=list(following.values()))), stop
    return bouts


def draw_body(
    rng: np.random.Generator,
    stage: Physiology,
    heart_rate: float,
    breathing_rate: float,
    scale: float,
) -> Physiology:
    """Draw what the body does in a bout."""

    def scaled(mean: float) -> float:
        return mean * float(np.exp(scale + rng.normal(0, BOUT_SCALE)))

    return Physiology(
        heart_rate=float(
            np.clip(heart_rate + stage.heart_rate + rng.normal(0, BOUT_HEART_RATE), 42, 105)
        ),
        heart_rate_std=scaled(stage.heart_rate_std),
        low_to_high=scaled(stage.low_to_high),
        pulse_randomness=scaled(stage.pulse_randomness),
        breathing_rate=max(
            breathing_rate + stage.breathing_rate + rng.normal(0, BOUT_BREATHING_RATE), 8.0
        ),
        breathing_irregularity=scaled(stage.breathing_irregularity),
        effort_irregularity=scaled(stage.effort_irregularity),
        movements=stage.movements,
    )


def write_recording(path: Path, site: Site, bouts: list[Bout], rng: np.random.Generator) -> None:
    """Draw a night at a site and write it as EDF."""
    moves = draw_movements(rng, bouts)
    ecg = draw_heart(rng, bouts, site.ecg, draw_ecg)
    channels = [("ECG", ecg + 0.3 * disturb(rng, bouts, moves, site.ecg), site.ecg, "mV")]
    if site.ppg is not None:
        ppg = draw_heart(rng, bouts, site.ppg, draw_ppg)
        channels += [("PPG", ppg + 1.5 * disturb(rng, bouts, moves, site.ppg), site.ppg, "")]
    breath = draw_breath(rng, bouts, site.belts)
    for name, depth in (("THX", 1.0), ("ABD", 0.6)):
        irregular = by_bout(bouts, "effort_irregularity", site.belts)
        effort = depth * np.exp(irregular * slow_noise(rng, bouts, site.belts, 4.0))
        belt = effort * breath + rng.normal(0, 0.03, len(breath))
        belt += disturb(rng, bouts, moves, site.belts)
        channels += [(name, belt, site.belts, "")]
    edfio.Edf([as_edf(*channel) for channel in channels]).write(path)


def as_edf(label: str, samples: Samples, rate: int, unit: str) -> edfio.EdfSignal:
    """Return a channel, cut off where the amplifier is at its limits."""
    limit = 5.0
    return edfio.EdfSignal(
        np.clip(samples, -limit, limit),
        rate,
        label=label,
        physical_dimension=unit,
        physical_range=(-limit, limit),
    )


def draw_heart(rng: np.random.Generator, bouts: list[Bout], rate: int, draw: Any) -> Samples:
    """Draw a signal of the heart in pieces, each from a beat to a beat, one after the other."""
    n = round(bouts[-1].stop * EPOCH * rate)
    night = np.empty(n)
    at = 0
    for bout in bouts:
        end = round(bout.stop * EPOCH * rate)
        while at < end:
            pieces = np.ceil((end - at) / (PIECE * rate))
            piece = draw(rng, bout.body, rate, PIECE + 8)
            piece = between_beats(piece, rate, bout.body.heart_rate, (end - at) / pieces)
            used = min(len(piece), n - at)
            night[at : at + used] = piece[:used]
            at += used
    return night


def between_beats(piece: Samples, rate: int, heart_rate: float, least: float) -> Samples:
    """Return at least so many samples from the second beat on, up to a beat if there is one."""
    height = np.percentile(piece, 1) + 0.6 * (np.percentile(piece, 99.5) - np.percentile(piece, 1))
    beats, _ = find_peaks(piece, height=height, distance=max(0.5 * rate * 60 / heart_rate, 1))
    start = beats[1]
    later = beats[beats >= start + least]
    return piece[start : later[0] if len(later) else len(piece)]


def draw_ecg(rng: np.random.Generator, body: Physiology, rate: int, seconds: float) -> Samples:
    """Return an ECG in mV, by ECGSYN."""
    import neurokit2

    return neurokit2.ecg_simulate(
        duration=seconds,
        sampling_rate=rate,
        heart_rate=body.heart_rate,
        heart_rate_std=body.heart_rate_std,
        lfhfratio=body.low_to_high,
        noise=0.02,
        random_state=int(rng.integers(2**31)),
    )


def draw_ppg(rng: np.random.Generator, body: Physiology, rate: int, seconds: float) -> Samples:
    """Return a PPG in arbitrary units, with slow variability like that of the heart rate."""
    import neurokit2

    return neurokit2.ppg_simulate(
        duration=seconds,
        sampling_rate=rate,
        heart_rate=body.heart_rate,
        # A sine of half of it, in shares of the interval.
        frequency_modulation=min(2 * np.sqrt(2) * body.heart_rate_std / body.heart_rate, 0.6),
        ibi_randomness=min(body.pulse_randomness, 0.3),
        drift=0,
        motion_amplitude=0.1,
        powerline_amplitude=0,
        burst_amplitude=0,
        random_state=int(rng.integers(2**31)),
    )


def draw_breath(rng: np.random.Generator, bouts: list[Bout], rate: int) -> Samples:
    """Return breath in arbitrary units, its time stretched to what the bouts' rates are."""
    import neurokit2

    irregular = by_bout(bouts, "breathing_irregularity", rate) * slow_noise(rng, bouts, rate, 3.0)
    rates = gaussian_filter1d(by_bout(bouts, "breathing_rate", rate), 10.0 * rate)
    rates *= np.clip(1 + irregular, 0.3, 2.0)
    seconds = np.cumsum(rates) / NOMINAL_BREATHING_RATE / rate
    breath = neurokit2.rsp_simulate(
        duration=int(seconds[-1]) + 2,
        sampling_rate=rate,
        respiratory_rate=NOMINAL_BREATHING_RATE,
        noise=0,
        random_state=int(rng.integers(2**31)),
    )
    return np.interp(seconds, np.arange(len(breath)) / rate, breath)


def draw_movements(rng: np.random.Generator, bouts: list[Bout]) -> list[tuple[float, float]]:
    """Draw when movements begin and how long they last, in s."""
    moves = []
    for bout in bouts:
        for _ in range(rng.poisson(bout.body.movements * bout.seconds / 3600)):
            begins = bout.start * EPOCH + rng.uniform(0, bout.seconds - 12)
            moves.append((float(begins), float(rng.uniform(2, 12))))
    return moves


def disturb(
    rng: np.random.Generator, bouts: list[Bout], moves: list[tuple[float, float]], rate: int
) -> Samples:
    """Return what movements add to a signal, with a standard deviation of 1 while they last."""
    added = np.zeros(round(bouts[-1].stop * EPOCH * rate))
    for begins, lasts in moves:
        stretch = added[round(begins * rate) : round((begins + lasts) * rate)]
        # Below some 2 Hz.
        noise = gaussian_filter1d(rng.standard_normal(len(stretch)), 0.08 * rate)
        stretch += noise / noise.std()
    return added


def by_bout(bouts: list[Bout], name: str, rate: int) -> Samples:
    """Return a value of the bouts at each sample of the night."""
    lengths = [round(bout.seconds * rate) for bout in bouts]
    return np.repeat([getattr(bout.body, name) for bout in bouts], lengths)


def slow_noise(rng: np.random.Generator, bouts: list[Bout], rate: int, seconds: float) -> Samples:
    """Return noise of variance 1 over the night that changes within some seconds."""
    noise = gaussian_filter1d(
        rng.standard_normal(round(bouts[-1].stop * EPOCH * rate)), seconds * rate
    )
    return noise / noise.std()
