"""Sleep-EDF Expanded: days and nights of two studies."""

from typing import Any, Unpack

from sklearn_sleep.datasets.cohort import Cohort, FolderPath
from sklearn_sleep.datasets.layout import AnnotationFile, Layout, Visit
from sklearn_sleep.datasets.loaders import LoadParameters, document_loader
from sklearn_sleep.datasets.recorder import Channel, Site, derivations, unread


def _recorder(name: str, *others: Channel) -> Site:
    head = {"EEG Fpz-Cz": "Fz-Cz", "EEG Pz-Oz": "Cz-Oz", "EOG horizontal": "EOG-L"}
    channels = (*derivations(100.0, head), *others)
    return Site(name, channels, record_duration=30.0, mains_frequency=50.0)


# https://physionet.org/content/sleep-edfx/1.0.0/: the recorder of the cassettes keeps an envelope
# of the chin EMG, that of the telemetry study the EMG.
_CHIN = {"EMG submental": "EMG"}
_CASSETTE = _recorder(
    "sleepedfsc",
    *unread(1.0, "Resp oro-nasal"),
    *derivations(1.0, _CHIN),
    *unread(1.0, "Temp rectal", "Event marker"),
)
_TELEMETRY = _recorder("sleepedfst", *derivations(100.0, _CHIN), *unread(1.0, "Marker"))


def _visits(recorder: Site, night: str, first: str, second: str) -> tuple[Visit, ...]:
    return tuple(
        Visit(
            visit,
            recorder,
            f"{night}{visit}{first}0-PSG.edf",
            (AnnotationFile(f"{night}{visit}{first}{second}-Hypnogram.edf", "Sleep-EDF"),),
        )
        for visit in ("1", "2")
    )


SLEEP_EDF = Cohort(
    "sleep_edf",
    recording=r"/(?P<study>SC4|ST7)(?P<subject>\d{2})(?P<visit>\d)[A-Z]\d-PSG\.edf",
    annotations=(r"/(?P<study>SC4|ST7)(?P<subject>\d{2})(?P<visit>\d)[A-Z]{2}-Hypnogram\.edf",),
    subject="{dataset}-{study}{subject}",
    channels={"EEG": ("Fpz-Cz",), "EOG": ("EOG horizontal",), "EMG": ("EMG submental",)},
    description="""\
Sleep-EDF Database Expanded 1.0.0

197 recordings: 153 of 78 healthy people of 25 to 101 years at home (sleep cassette, SC), two days
and nights of some 20 hours each, and 44 of 22 people with mild difficulty falling asleep in the
hospital (sleep telemetry, ST), with temazepam on one of two nights. EEG and EOG of 100 Hz, no ECG.
Scored by the rules of Rechtschaffen and Kales.

How to get it: `fetch_sleep_edf`, or https://physionet.org/content/sleep-edfx/1.0.0/. Open Data
Commons Attribution License v1.0.

Cite: Kemp et al. 2000, "Analysis of a sleep-dependent neuronal feedback loop: the slow-wave
microcontinuity of the EEG", IEEE Trans Biomed Eng 47:1185-1194.
Goldberger et al. 2000, "PhysioBank, PhysioToolkit, and PhysioNet", Circulation 101:e215-e220.
""",
    layout=Layout(
        (
            (
                "sleep_edf-sc4{number:02d}",
                _visits(_CASSETTE, "sleep-cassette/SC4{number:02d}", "E", "C"),
            ),
            (
                "sleep_edf-st7{number:02d}",
                _visits(_TELEMETRY, "sleep-telemetry/ST7{number:02d}", "J", "P"),
            ),
        ),
        0,
        # Some 20 hours around a night of 8 (Kemp et al. 2000).
        wake_around=(0.9, 0.6),
    ),
)


def _load(
    folder: FolderPath, *, wake_minutes: float | None = 30.0, **parameters: Unpack[LoadParameters]
) -> Any:
    return SLEEP_EDF.load(folder, wake_minutes=wake_minutes, **parameters)


load_sleep_edf = document_loader(
    _load,
    SLEEP_EDF,
    "The folder with ``sleep-cassette`` and ``sleep-telemetry``, or one of them.",
    '``"1"`` and ``"2"``',
    own="""\
wake_minutes : float or None, default=30.0
    Wake longer before the first and after the last epoch of sleep is left out, as is usual with
    these recordings of 20 hours; ``None`` keeps all of it.
""",
)
