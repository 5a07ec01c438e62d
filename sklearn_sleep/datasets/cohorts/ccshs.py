"""Cleveland Children's Sleep and Health Study (CCSHS): polysomnography/edfs."""

from sklearn_sleep.datasets.layout import Layout
from sklearn_sleep.datasets.nsrr import (
    CLEVELAND_CHIN,
    CLEVELAND_HEAD,
    MASTOID_DERIVATIONS,
    nsrr_cohort,
    nsrr_demographics,
    nsrr_loader,
    nsrr_visit,
)
from sklearn_sleep.datasets.recorder import Site, belts, electrodes, pulse, unread

# https://sleepdata.org/datasets/ccshs, montage, which does not tell the chin's rate.
_ELECTRODES = (
    *electrodes(128.0, CLEVELAND_HEAD),
    *electrodes(256.0, CLEVELAND_CHIN),
    *electrodes(256.0, {"ECG1": "ECG", "ECG2": "REFERENCE"}),
)
_BREATH = (
    *belts(32.0, "THOR EFFORT", "ABDO EFFORT"),
    *unread(32.0, "SUM"),
    *unread(1.0, "SpO2"),
    *unread(32.0, "AIRFLOW"),
    *unread(256.0, "SNORE"),
    *unread(64.0, "NASAL PRES"),
)
_BODY = (
    *unread(256.0, "LEFT LEG1", "LEFT LEG2", "RIGHT LEG1", "RIGHT LEG2"),
    *unread(1.0, "POSITION", "PULSE", "OX STATUS"),
    pulse(128.0, "PlethWV"),
    *unread(512.0, "Light", "HRate"),
)
_RECORDER = Site("ccshs", (*_ELECTRODES, *_BREATH, *_BODY))

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
    channels={**MASTOID_DERIVATIONS, "EMG": ("EMG1-EMG2",)},
    demographics=(nsrr_demographics(r"ccshs-trec-(harmonized-)?dataset-.*\.csv"),),
    layout=Layout(
        (("ccshs-{number}", (nsrr_visit("1", _RECORDER, "ccshs-trec-{number}"),)),), 1_800_001
    ),
)

load_ccshs = nsrr_loader(CCSHS, 'only ``"1"`` here')
