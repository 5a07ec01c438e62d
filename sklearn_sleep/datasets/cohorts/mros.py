"""Osteoporotic Fractures in Men Study (MrOS) Sleep: polysomnography/edfs/visit1 and visit2."""

from __future__ import annotations

from sklearn_sleep.datasets.cohorts.loader import make_loader
from sklearn_sleep.datasets.cohorts.nsrr import nsrr_cohort
from sklearn_sleep.datasets.demographics import Demographics

__all__ = ["MROS", "load_mros"]

MROS = nsrr_cohort(
    "mros",
    r"/mros-visit(?P<visit>[12])-(?P<subject>aa\d{4})",
    about="""\
Osteoporotic Fractures in Men Study (MrOS) Sleep

2,907 men of 65 and more years at home, 1,026 of them again: single electrodes, ECG and respiration.
Of eight first visits the provider says that the stages are wrong; they are left out.
""",
    citation="""\
Blackwell et al. 2011, "Associations between sleep architecture and sleep-disordered
breathing and cognition in older community-dwelling men: the Osteoporotic Fractures in Men Sleep
Study", J Am Geriatr Soc 59:2217-2225.
""",
    # https://sleepdata.org/datasets/mros, polysomnography introduction, known issues.
    wrong_stages=r"/mros-visit1-(aa2033|aa3905|aa4225|aa4398|aa4928|aa5622|aa5660|aa5781)\.edf",
    demographics=tuple(
        Demographics(
            rf"mros-visit{visit}-(harmonized|dataset)-.*\.csv",
            "nsrrid",
            of_visit=visit,
            age=("nsrr_age", f"vs{'2' if visit == '2' else ''}age1"),
            sex=("nsrr_sex", "gender"),
            bmi=("nsrr_bmi", "hwbmi"),
            sexes={"1": "F", "2": "M"},
        )
        for visit in ("1", "2")
    ),
)


load_mros = make_loader(
    MROS,
    folder="The folder ``mros`` that ``nsrr download mros`` makes: polysomnography/edfs.",
    visits='``"1"`` and ``"2"``',
    subject="mros-aa0001",
)
