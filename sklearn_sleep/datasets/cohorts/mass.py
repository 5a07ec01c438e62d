"""Montreal Archive of Sleep Studies (MASS): PSG and Base files of five subsets."""

from sklearn_sleep.datasets.cohort import Cohort
from sklearn_sleep.datasets.layout import AnnotationFile, Layout, Visit
from sklearn_sleep.datasets.loaders import make_loader
from sklearn_sleep.datasets.recorder import Channel, Site, belts, derivations, electrodes, unread

# O'Reilly et al. 2014, J Sleep Res 23:628-635: 256 Hz; labels as public code lists them. Those of
# SS1 are against computed linked ears (CLE) in most nights and against a linked-ear electrode (LER)
# in some.
_ODD = ("F7", "T3", "T5", "P3", "F3", "O1")
_EVEN = ("F8", "T4", "T6", "P4", "F4", "O2")


def _head(reference: str, names: tuple[str, ...]) -> tuple[Channel, ...]:
    signals = {"F": "F4-M1", "T": "C4-M1", "P": "O2-M1", "O": "O2-M1", "C": "C4-M1"}
    labels = {
        f"EEG {name}-{reference}": "C3-M2" if name == "C3" else signals[name[0]] for name in names
    }
    return derivations(256.0, labels)


def _first_recorder(name: str, reference: str) -> Site:
    channels = (
        *derivations(256.0, {"EOG Left Horiz": "EOG-L", "EOG Right Horiz": "EOG-R"}),
        *electrodes(256.0, {"EMG Chin1": "EMG", "EMG Chin2": "REFERENCE", "EMG Chin3": "EMG"}),
        *_head(reference, ("C3", "C4", "Fz", "Cz", "Pz", *_ODD, *_EVEN)),
        *derivations(256.0, {"ECG ECGI": "ECG"}),
        *unread(256.0, "EMG Ant Tibial L", "EMG Ant Tibial R"),
        *unread(256.0, "Resp Thermistor", "Resp Cannula"),
        *belts(256.0, "Resp Belt Thor", "Resp Belt Abdo"),
        *unread(256.0, "SaO2 SaO2"),
    )
    return Site(name, channels)


_SECOND_RECORDER = Site(
    "massss2",
    (
        *_head("CLE", ("Fp1", "Fp2", *_ODD, *_EVEN, "C3", "C4", "Fpz", "Cz", "Pz")),
        *unread(256.0, "EOG Upper Vertic", "EOG Lower Vertic"),
        *derivations(256.0, {"EOG Left Horiz": "EOG-L", "EOG Right Horiz": "EOG-R"}),
        *derivations(256.0, {"EMG Chin": "EMG", "ECG ECGI": "ECG"}),
        *unread(256.0, "Resp Nasal"),
    ),
)


def _people(subset: int, recorder: Site, pages: str) -> tuple[str, tuple[Visit, ...]]:
    subject = f"01-0{subset}-{{number:04d}}"
    night = f"SS{subset}/{subject}"
    annotation = AnnotationFile(f"{night} Base.edf", pages)
    return f"mass-{subject}", (Visit("1", recorder, f"{night} PSG.edf", (annotation,)),)


MASS = Cohort(
    "mass",
    recording=r"/(?P<subject>\d{2}-\d{2}-\d{4}) PSG\.edf",
    annotations=(r"/(?P<subject>\d{2}-\d{2}-\d{4}) Base\.edf",),
    other=(r"/\d{2}-\d{2}-\d{4} [^/]*\.edf",),
    resample_epochs="majority",
    # O'Reilly et al. 2014, J Sleep Res 23:628-635.
    channels={
        "EMG": ("EMG Chin", "EMG Chin1-EMG Chin2"),
        "EEG": ("C4-CLE", "C4-LER", "C3-CLE", "C3-LER"),
        "THX": ("Resp Belt Thor",),
        "ABD": ("Resp Belt Abdo",),
    },
    description="""\
Montreal Archive of Sleep Studies (MASS)

200 nights in five subsets (SS1 to SS5), 97 men and 103 women of 18 to 76 years, 256 Hz. SS2, SS4
and SS5 are scored in epochs of 20 s, and the first epoch seldom starts with the recording: each
epoch of 30 s from the recording's start has the stage that covers most of it.

How to get it: ask for access at http://ceams-carsm.ca/mass/, with the approval of your ethics
board.

Cite: O'Reilly et al. 2014, "Montreal Archive of Sleep Studies: an open-access resource for
instrument benchmarking and exploratory research", J Sleep Res 23:628-635.
""",
    layout=Layout(
        (
            _people(1, _first_recorder("masscle", "CLE"), "MASS"),
            _people(2, _SECOND_RECORDER, "MASS 20 s"),
            _people(1, _first_recorder("massler", "LER"), "MASS"),
        ),
        1,
    ),
)

load_mass = make_loader(
    MASS,
    "The folder of files such as ``01-01-0001 PSG.edf`` and ``01-01-0001 Base.edf``.",
    'only ``"1"`` here',
)
