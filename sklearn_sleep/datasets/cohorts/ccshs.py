"""Cleveland Children's Sleep and Health Study (CCSHS): polysomnography/edfs."""

from __future__ import annotations

from sklearn_sleep.datasets.cohorts.loader import make_loader
from sklearn_sleep.datasets.cohorts.nsrr import nsrr_cohort
from sklearn_sleep.datasets.demographics import Demographics

__all__ = ["CCSHS", "load_ccshs"]

CCSHS = nsrr_cohort(
    "ccshs",
    r"/ccshs-trec-(?P<subject>\d{7})",
    about="""\
Cleveland Children's Sleep and Health Study (CCSHS)

515 adolescents of 16 to 19 years in the laboratory (trec): single electrodes, ECG, respiration and
a plethysmogram.
""",
    citation="""\
Rosen et al. 2003, "Prevalence and risk factors for sleep-disordered breathing in 8- to
11-year-old children: association with race and prematurity", J Pediatr 142:383-389.
""",
    demographics=(
        Demographics(
            r"ccshs-trec-(harmonized-)?dataset-.*\.csv",
            "nsrrid",
            age=("nsrr_age", "age"),
            sex=("nsrr_sex", "male"),
            bmi=("nsrr_bmi", "bmi"),
            sexes={"1": "M", "0": "F"},
        ),
    ),
)


load_ccshs = make_loader(
    CCSHS,
    folder="The folder ``ccshs`` that ``nsrr download ccshs`` makes: polysomnography/edfs.",
    visits='only ``"1"`` here',
    subject="ccshs-1800001",
)
