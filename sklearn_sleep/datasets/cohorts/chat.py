"""Childhood Adenotonsillectomy Trial (CHAT): children before and after surgery."""

from __future__ import annotations

from sklearn_sleep.datasets.cohorts.loader import make_loader
from sklearn_sleep.datasets.cohorts.nsrr import nsrr_cohort
from sklearn_sleep.datasets.demographics import Demographics

__all__ = ["CHAT", "load_chat"]

CHAT = nsrr_cohort(
    "chat",
    r"/chat-(?P<visit>baseline-nonrandomized|baseline|followup|nonrandomized)-(?P<subject>\d{6})",
    about="""\
Childhood Adenotonsillectomy Trial (CHAT)

Children of 5 to 10 years in the laboratory: 453 before (baseline) and most of them seven months
after (followup) randomization to surgery or waiting, and 779 who were not randomized. Some headers
have a physical maximum of 0, so that the channel has no scale and counts as missing, and the
plethysmogram has several spellings (PlethMasimo, PletMasimo, PlethMasino).
""",
    citation="""\
Marcus et al. 2013, "A randomized trial of adenotonsillectomy for childhood sleep apnea", N
Engl J Med 368:2366-2376.
""",
    demographics=(
        *(
            Demographics(
                rf"chat-{visit}-(harmonized-)?dataset-.*\.csv",
                "nsrrid",
                of_visit=visit,
                age=("nsrr_age", "ageyear_at_meas"),
                sex=("nsrr_sex", "male"),
                bmi=("nsrr_bmi", "bmi"),
                sexes={"1": "M", "0": "F"},
            )
            for visit in ("baseline", "followup")
        ),
        Demographics(
            r"chat-nonrandomized-dataset-.*\.csv",
            "nsrrid",
            of_visit="baseline-nonrandomized",
            age=("age_nr",),
            sex=("ref9",),
            sexes={"1": "M", "2": "F"},
        ),
    ),
)


load_chat = make_loader(
    CHAT,
    folder="The folder ``chat`` that ``nsrr download chat`` makes: polysomnography/edfs.",
    visits='``"baseline"``, ``"followup"`` and ``"baseline-nonrandomized"``',
    subject="chat-300001",
)
