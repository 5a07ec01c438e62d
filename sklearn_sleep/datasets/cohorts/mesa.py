"""Multi-Ethnic Study of Atherosclerosis (MESA) Sleep: polysomnography/edfs."""

from __future__ import annotations

from sklearn_sleep.datasets.cohorts.loader import make_loader
from sklearn_sleep.datasets.cohorts.nsrr import nsrr_cohort
from sklearn_sleep.datasets.demographics import Demographics

__all__ = ["MESA", "load_mesa"]

MESA = nsrr_cohort(
    "mesa",
    r"/mesa-sleep-(?P<subject>\d{4})",
    about="""\
Multi-Ethnic Study of Atherosclerosis (MESA) Sleep

2,056 adults of 54 to 95 years at home, one night each: three EEG, EOG, chin EMG, ECG, respiration
and a finger plethysmogram of 256 Hz. Scored by the rules of the AASM.
""",
    citation="""\
Chen et al. 2015, "Racial/ethnic differences in sleep disturbances: the Multi-Ethnic Study
of Atherosclerosis (MESA)", Sleep 38:877-888.
""",
    demographics=(
        Demographics(
            r"mesa-sleep-(harmonized-)?dataset-.*\.csv",
            "mesaid",
            age=("nsrr_age", "sleepage5c"),
            sex=("nsrr_sex", "gender1"),
            bmi=("nsrr_bmi", "bmi5c"),
            sexes={"1": "M", "0": "F"},
        ),
    ),
)


load_mesa = make_loader(
    MESA,
    folder="The folder ``mesa`` that ``nsrr download mesa`` makes: polysomnography/edfs.",
    visits='only ``"1"`` here',
    subject="mesa-0001",
)
