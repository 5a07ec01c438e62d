"""A cohort in one file: as a value for tests, and as a module where one puts it among the others.

``"Lead 9"`` is its ECG, and no other cohort's.
"""

from __future__ import annotations

from sklearn_sleep.datasets.cohort import Cohort
from sklearn_sleep.datasets.layout import AnnotationFile, Layout, Visit
from sklearn_sleep.datasets.loaders import make_loader
from sklearn_sleep.datasets.recorder import Site, belts, derivations

_RECORDER = Site("box", (*derivations(100.0, {"Lead 9": "ECG"}), *belts(10.0, "Thorax", "Abdomen")))
_HYPNOGRAM = AnnotationFile("nights/attic-{number}.txt", "ISRUC txt")
_NIGHT = Visit("1", _RECORDER, "nights/attic-{number}.edf", (_HYPNOGRAM,))

ATTIC = Cohort(
    "attic",
    recording=r"/attic-(?P<subject>\d{3})\.edf",
    annotations=(r"/attic-(?P<subject>\d{3})\.txt",),
    description="Nights found in an attic",
    channels={"ECG": ("Lead 9",)},
    layout=Layout((("attic-{number}", (_NIGHT,)),), 501, ends_scored=True),
)

load_attic = make_loader(ATTIC, "The folder of the nights.", 'only ``"1"``')
