"""Cleveland Family Study (CFS): polysomnography/edfs."""

from __future__ import annotations

from sklearn_sleep.datasets.cohorts.loader import make_loader
from sklearn_sleep.datasets.cohorts.nsrr import nsrr_cohort
from sklearn_sleep.datasets.demographics import Demographics

__all__ = ["CFS", "load_cfs"]

CFS = nsrr_cohort(
    "cfs",
    r"/cfs-visit(?P<visit>\d)-(?P<subject>\d{6})",
    about="""\
Cleveland Family Study (CFS)

735 members of families, of 6 to 88 years, in the laboratory (visit 5): single electrodes, ECG,
respiration and, with one of its two montages, a plethysmogram. Relatives are alike: the subject is
the person, and whoever wants families apart needs the family numbers, which the NSRR gives on
request.
""",
    citation="""\
Redline et al. 1995, "The familial aggregation of obstructive sleep apnea", Am J Respir Crit
Care Med 151:682-687.
""",
    demographics=(
        Demographics(
            r"cfs-visit5-(harmonized-)?dataset-.*\.csv",
            "nsrrid",
            of_visit="5",
            age=("nsrr_age", "age"),
            sex=("nsrr_sex", "male"),
            bmi=("nsrr_bmi", "bmi"),
            sexes={"1": "M", "0": "F"},
        ),
    ),
)


load_cfs = make_loader(
    CFS,
    folder="The folder ``cfs`` that ``nsrr download cfs`` makes: polysomnography/edfs.",
    visits='only ``"5"`` so far',
    subject="cfs-800001",
)
