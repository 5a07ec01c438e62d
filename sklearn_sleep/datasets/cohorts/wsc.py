"""Wisconsin Sleep Cohort (WSC): recordings with their scoring beside them."""

from __future__ import annotations

from sklearn_sleep.datasets.cohort import Cohort
from sklearn_sleep.datasets.cohorts.loader import make_loader
from sklearn_sleep.datasets.cohorts.nsrr import describe_nsrr
from sklearn_sleep.datasets.demographics import Demographics

__all__ = ["WSC", "load_wsc"]

WSC = Cohort(
    "wsc",
    recording=r"/wsc-visit(?P<visit>\d)-(?P<subject>\d{5})-nsrr\.edf",
    annotations=(
        r"/wsc-visit(?P<visit>\d)-(?P<subject>\d{5})-nsrr\.stg\.txt",
        r"/wsc-visit(?P<visit>\d)-(?P<subject>\d{5})-nsrr\.allscore\.txt",
        r"/wsc-visit(?P<visit>\d)-(?P<subject>\d{5})-nsrr\.eannot",
    ),
    other=(r"/wsc-visit\d-\d{5}-nsrr\.(?:sco|log)\.txt",),
    demographics=(
        Demographics(
            r"wsc-(harmonized-)?dataset-.*\.csv",
            "wsc_id",
            visit="wsc_vst",
            age=("nsrr_age", "age"),
            sex=("nsrr_sex", "sex"),
            bmi=("nsrr_bmi", "bmi"),
        ),
    ),
    description=describe_nsrr(
        "wsc",
        about="""\
Wisconsin Sleep Cohort (WSC)

2,570 nights of 1,123 employees of the state, up to five visits each. Studies of the Gamma system
(100 Hz) have their stages by epoch in a ``.stg.txt``, with a ``.sco.txt`` of respiratory events and
a ``.log.txt`` beside it; those of the Twin system (200 Hz) in the recorder's log by the time of
day, an ``.allscore.txt``. Where these logs tell of a power failure, of a restart, or of another
start than the EDF file, stages do not tell their place in it; such a night is left out. The
``.eannot`` that the NSRR made of them is read where neither scoring is there.
""",
        citation="""\
Young et al. 2009, "Burden of sleep apnea: rationale, design, and major findings of the
Wisconsin Sleep Cohort study", WMJ 108:246-249.
""",
    ),
)


load_wsc = make_loader(
    WSC,
    folder="The folder ``wsc`` that ``nsrr download wsc`` makes: polysomnography.",
    visits='``"1"`` to ``"5"``',
    subject="wsc-10101",
)
