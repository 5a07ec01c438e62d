"""Wisconsin Sleep Cohort (WSC): recordings with their scoring beside them."""

from collections.abc import Mapping

from sklearn_sleep.datasets.layout import AnnotationFile, Layout, Visit
from sklearn_sleep.datasets.nsrr import nsrr_cohort, nsrr_demographics, nsrr_loader
from sklearn_sleep.datasets.recorder import Site, belts, derivations, unread, voltages

# https://sleepdata.org/datasets/wsc, montage: the Heritage system (Gamma studies, until 2009) and
# the Comet system (Twin studies, from 2009 on).
_GAMMA = Site(
    "wscgamma",
    (
        *derivations(100.0, {"E1": "EOG-L", "E2": "EOG-R", "C3_M2": "C3-M2", "O1_M2": "O2-M1"}),
        *derivations(100.0, {"chin": "EMG"}),
        *unread(100.0, "lleg_r", "snore"),
        *voltages(100.0, "mV", 3.0, {"ECG": "ECG"}),
        *unread(100.0, "nasalflow", "oralflow", "nas_pres"),
        *belts(100.0, "thorax", "abdomen"),
        *unread(100.0, "sum", "position", "spo2"),
    ),
)
_TWIN = Site(
    "wsctwin",
    (
        *derivations(200.0, {"E1": "EOG-L", "E2": "EOG-R", "F3_M2": "F4-M1", "Fz_M2": "F4-M1"}),
        *derivations(200.0, {"Cz_M2": "C3-M2", "C3_M2": "C3-M2"}),
        *derivations(200.0, {"Pz_M2": "O2-M1", "O1_M2": "O2-M1", "cchin_l": "EMG"}),
        *unread(200.0, "lleg_r"),
        *voltages(200.0, "mV", 3.0, {"ECG": "ECG"}),
        *unread(200.0, "snore", "flow", "nas_pres"),
        *belts(200.0, "thorax", "abdomen"),
        *unread(200.0, "sum", "position", "spo2"),
    ),
)
_GAMMA_FORMATS = {"stg.txt": "WSC stg", "sco.txt": "WSC sco", "log.txt": "WSC log"}


def _visit(visit: int, site: Site, formats: Mapping[str, str]) -> Visit:
    night = f"polysomnography/wsc-visit{visit}-{{number}}-nsrr"
    annotations = tuple(
        AnnotationFile(f"{night}.{ending}", name)
        for ending, name in {**formats, "eannot": "Luna eannot"}.items()
    )
    return Visit(str(visit), site, f"{night}.edf", annotations)


_VISITS = (
    (_visit(1, _GAMMA, _GAMMA_FORMATS), _visit(2, _TWIN, {"allscore.txt": "WSC allscore"})),
    (_visit(3, _TWIN, {"allscore.txt": "WSC power failure"}),),
    (_visit(4, _GAMMA, {**_GAMMA_FORMATS, "log.txt": "WSC log of a restart"}),),
)

WSC = nsrr_cohort(
    "wsc",
    r"/wsc-visit(?P<visit>\d)-(?P<subject>\d{5})-nsrr",
    endings=(r"\.stg\.txt", r"\.allscore\.txt", r"\.eannot"),
    other=(r"/wsc-visit\d-\d{5}-nsrr\.(?:sco|log)\.txt",),
    # Of the two systems that recorded it, both have C3; https://sleepdata.org/datasets/wsc,
    # montage.
    channels={"EEG": ("C3-M2",), "EMG": ("chin", "cchin_l")},
    demographics=(
        nsrr_demographics(
            r"wsc-(harmonized-)?dataset-.*\.csv", "wsc_id", sex="sex", sexes={}, visit="wsc_vst"
        ),
    ),
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
    layout=Layout(tuple(("wsc-{number}", visits) for visits in _VISITS), 10_101),
)

load_wsc = nsrr_loader(WSC, '``"1"`` to ``"5"``', "polysomnography")
