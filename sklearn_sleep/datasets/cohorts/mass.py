"""Montreal Archive of Sleep Studies (MASS): PSG and Base files of five subsets."""

from __future__ import annotations

from sklearn_sleep.datasets.cohort import Cohort
from sklearn_sleep.datasets.cohorts.loader import make_loader

__all__ = ["MASS", "load_mass"]

MASS = Cohort(
    "mass",
    recording=r"/(?P<subject>\d{2}-\d{2}-\d{4}) PSG\.edf",
    annotations=(r"/(?P<subject>\d{2}-\d{2}-\d{4}) Base\.edf",),
    other=(r"/\d{2}-\d{2}-\d{4} [^/]*\.edf",),
    resample_epochs="majority",
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
)


load_mass = make_loader(
    MASS,
    folder="The folder of files such as ``01-01-0001 PSG.edf`` and ``01-01-0001 Base.edf``.",
    visits='only ``"1"`` here',
    subject="mass-01-01-0001",
)
