"""Cleveland Family Study (CFS): polysomnography/edfs."""

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


def _recorder(
    name: str, ecg: float, nasal_pressure: float, plethysmogram: tuple[str, ...] = ()
) -> Site:
    """Return a montage of https://sleepdata.org/datasets/cfs: CFSv1 or CFSv2."""
    channels = (
        *electrodes(128.0, CLEVELAND_HEAD),
        *electrodes(ecg, {"ECG2": "REFERENCE", "ECG1": "ECG"}),
        *electrodes(256.0, CLEVELAND_CHIN),
        *unread(64.0, "L Leg", "R Leg"),
        *unread(32.0, "AIRFLOW"),
        *belts(32.0, "THOR EFFORT", "ABDO EFFORT"),
        *unread(32.0, "SUM"),
        *unread(256.0, "SNORE"),
        *unread(1.0, "POSITION", "OX STATUS", "PULSE", "SpO2"),
        *unread(nasal_pressure, "NASAL PRES"),
        *(pulse(128.0, label) for label in plethysmogram),
    )
    return Site(name, channels)


_RECORDERS = (_recorder("cfsv1", 256.0, 64.0, ("PlethWV",)), _recorder("cfsv2", 512.0, 128.0))

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
    channels={**MASTOID_DERIVATIONS, "EMG": ("EMG1-EMG2",)},
    demographics=(nsrr_demographics(r"cfs-visit5-(harmonized-)?dataset-.*\.csv", of_visit="5"),),
    layout=Layout(
        tuple(
            ("cfs-{number}", (nsrr_visit("5", recorder, "cfs-visit5-{number}"),))
            for recorder in _RECORDERS
        ),
        800_001,
    ),
)

load_cfs = nsrr_loader(CFS, 'only ``"5"`` so far')
