"""``make_cohort``: a folder of synthetic nights in the layout of the NSRR."""

import datetime
import numbers
import os
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from sklearn_sleep.core.parallel import run_parallel
from sklearn_sleep.datasets.cohort import Cohort
from sklearn_sleep.datasets.layout import Layout
from sklearn_sleep.datasets.nights import NightFiles, load_nights
from sklearn_sleep.datasets.recorder import Site
from sklearn_sleep.datasets.registry import (
    COHORTS,
    channel_labels,
    dataset_from_path,
    find_cohort,
)
from sklearn_sleep.exceptions import CohortWarning, EDFWarning, HypnogramWarning
from sklearn_sleep.simulation.body.night import simulate_body
from sklearn_sleep.simulation.body.subject import draw_subject
from sklearn_sleep.simulation.recorder.artefacts import Artefact
from sklearn_sleep.simulation.recorder.channels import record_channel, truth_arrays
from sklearn_sleep.simulation.recorder.files import SyntheticNight, claim_folder, write_night
from sklearn_sleep.simulation.recorder.sites import SITES, layout_of_sites

GENERATOR_VERSION = 2  # raise it whenever the same parameters begin to give other files
HOURS_RANGE = (0.5, 24.0)
YEARS_BETWEEN_VISITS = 5
# Spread and noise at difficulty 1, as a part of what the modules' constants say. With the whole of
# it, gradient boosting on the true R-R intervals of 20 subjects has a 4-class kappa of 0.55, which
# is less than classifiers reach on the heart rate of real nights (0.66, Sridhar 2020, npj Digital
# Medicine 3:106).
SPREAD_AT_DEFAULT_DIFFICULTY = 0.5


def make_cohort(
    folder: str | os.PathLike[str],
    *,
    n_subjects: int = 12,
    hours: float = 2.0,
    sites: Sequence[Site | str] | None = None,
    layout: str | Cohort | None = None,
    second_visit_probability: float = 0.25,
    difficulty: float = 1.0,
    random_state: int = 0,
    n_jobs: int | None = None,
    verbose: int | None = None,
    overwrite: bool = False,
    return_X_y_groups: bool = False,
) -> Any:
    """Make a cohort of synthetic polysomnograms: real EDF files, NSRR XML, and the truth.

    Each night has an ultradian hypnogram; breathing, heartbeats, finger pulses, EEG, eye
    movements and chin tone follow the stage, the arousals and each other as the literature that
    the modules of this package cite says, and differ between subjects. Sites differ in channel
    names, rates, units, polarity, record duration, mains frequency and the signals they have.

    The layout is that of the National Sleep Research Resource (Zhang 2018, JAMIA 25:1351-1358)::

        <folder>/polysomnography/edfs/<site>/<site>-visit<visit>-<number>.edf
        <folder>/polysomnography/annotations-events-nsrr/<site>/<site>-visit<visit>-<number>-nsrr.xml
        <folder>/truth/<site>-visit<visit>-<number>.npz
        <folder>/cohort.json

    The subject is ``<site>-<number>``; visits of one subject share his or her parameters.

    Parameters
    ----------
    folder : str or path-like
        Where the cohort goes: a new or empty folder, or one that holds nights of the same
        parameters, which are kept, so that an interrupted call can be repeated. `n_subjects` may
        grow between calls.
    n_subjects : int, default=12
        Number of subjects, dealt to the sites in turn.
    hours : float, default=2.0
        Nominal length of a night, 0.5 to 24; nights differ by up to 15%. Below 4 hours, NREM-REM
        cycles are shortened in proportion, so that every night has all stages.
    sites : sequence of Site or str, optional
        Sites, or names of `SITES`; by default all four.
    layout : str or Cohort, optional
        A public cohort (``ccshs cfs chat isruc mass mesa mros shhs sleep_edf wsc``), or one of your
        own with a `layout`, whose folders, file names, channels, rates, units, annotation formats
        and known defects the cohort is to have, so that its ``load_`` function reads it: headers
        without a scale and misspelt labels in CHAT, two recorders and logs with power failures in
        WSC, second visits with other rates in SHHS, pages of 20 s in MASS, two scorers and four
        ways of naming channels in ISRUC, recordings far longer than the night in Sleep-EDF. Instead
        of `sites`.
    second_visit_probability : float, default=0.25
        Probability that a subject comes back for a second night, where the layout knows one.
    difficulty : float, default=1.0
        Factor on what blurs the stages: subjects who respond differently, slow changes that have
        nothing to do with the stage, disagreement of the scorer, artefacts and dropouts. 0 leaves
        them out.
    random_state : int, default=0
        Seed. The same seed gives the same bytes, whatever `n_jobs` and `n_subjects`.
    n_jobs : int, optional
        Number of nights made at a time, as joblib has it.
    verbose : int, optional
        Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
        terminal or in a notebook.
    overwrite : bool, default=False
        Make every night anew, and replace a cohort of other parameters instead of refusing.

    Returns
    -------
    list of SyntheticNight
        The nights, ordered by subject and visit. `SyntheticNight.load_truth` gives

        - ``stages`` (n_epochs,) int8: the scored hypnogram, as in the XML;
        - ``physiological_stages`` (n_epochs,) int8: what the body did;
        - ``r_peaks``, ``ectopic`` (n_beats,): times in s, and which beats are premature;
        - ``pulse_onsets`` (n_beats,): times in s, if the site has a plethysmogram;
        - ``breath_onsets`` (n_breaths,): times in s at which inspirations begin;
        - ``respiratory_rate`` (n_epochs,): breaths per minute;
        - ``respiratory_pauses`` (n, 2): start and stop in s;
        - ``arousals`` (n,): times in s;
        - ``artefact_label``, ``artefact_kind``, ``artefact_start``, ``artefact_stop`` (n,): channel
          label, kind (movement, electrode pop, saturation, dropout), and times in s;
        - ``subject_*``: the parameters of the `Subject`.

    Raises
    ------
    ValueError
        If a parameter is not possible, or if the folder holds something else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cohort = make_cohort(folder, n_subjects=1, hours=0.5, sites=["west"])
    ...     truth = cohort.nights[0].load_truth()
    >>> cohort.nights[0].name
    'west-visit1-100001'
    >>> bool(len(truth["stages"]) == cohort.recordings["n_epochs"][0])
    True
    """
    _check_parameters(n_subjects, hours, second_visit_probability, difficulty, random_state)
    folder = Path(folder)
    cohort = None if layout is None else find_cohort(layout, "layout")
    plan = _layout_of(cohort, sites) if cohort else layout_of_sites(_resolve_sites(sites))
    nights = [
        SyntheticNight(folder, plan.first_number + index, visit, plan)
        for index in range(n_subjects)
        for visit in _visits(random_state, index, second_visit_probability)
        if visit <= len(plan.people[index % len(plan.people)][1])
    ]
    all_sites = {visit.site.name: visit.site for _, visits in plan.people for visit in visits}
    parameters: dict[str, Any] = {
        "generator_version": GENERATOR_VERSION,
        "layout": cohort and cohort.name,
        "n_subjects": int(n_subjects),
        "hours": float(hours),
        "sites": [asdict(site) for site in all_sites.values()],
        "second_visit_probability": float(second_visit_probability),
        "difficulty": float(difficulty),
        "random_state": int(random_state),
    }
    known = [*COHORTS.values(), *([cohort] if cohort else [])]
    layouts = {one.name: one.layout for one in known if one.layout}
    claim_folder(folder, parameters, nights, overwrite=overwrite, layouts=layouts)
    spread = SPREAD_AT_DEFAULT_DIFFICULTY * difficulty
    missing = [night for night in nights if not night.is_complete()]
    for _ in run_parallel(
        _make_night,
        [(night, float(hours), spread, int(random_state)) for night in missing],
        description="Synthetic nights",
        n_jobs=n_jobs,
        verbose=verbose,
    ):
        pass
    if cohort is None:
        made = load_nights([_night_files(night) for night in nights], verbose=verbose)
    else:
        with warnings.catch_warnings():
            # Of the layout's own defects.
            for category in (CohortWarning, HypnogramWarning, EDFWarning):
                warnings.simplefilter("ignore", category)
            made = cohort.load(folder, verbose=verbose)
    if return_X_y_groups:
        return made.X, made.y, made.groups
    return Bunch(**made, nights=nights)


def _check_parameters(
    n_subjects: int,
    hours: float,
    second_visit_probability: float,
    difficulty: float,
    random_state: int,
) -> None:
    for name, count, least in (("n_subjects", n_subjects, 1), ("random_state", random_state, 0)):
        if not _is_number(count, numbers.Integral) or count < least:
            raise ValueError(f"{name} must be an integer of at least {least}; got {count!r}.")
    for name, value, (low, high) in (
        ("hours", hours, HOURS_RANGE),
        ("second_visit_probability", second_visit_probability, (0.0, 1.0)),
        ("difficulty", difficulty, (0.0, 10.0)),
    ):
        if not _is_number(value, numbers.Real) or not low <= value <= high:
            raise ValueError(f"{name} must be a number from {low:g} to {high:g}; got {value!r}.")


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _resolve_sites(sites: Sequence[Site | str] | None) -> tuple[Site, ...]:
    if sites is None:
        return SITES
    known = {site.name: site for site in SITES}
    resolved = []
    for site in [sites] if isinstance(sites, str | Site) else sites:
        if isinstance(site, Site):
            resolved.append(site)
        elif site in known:
            resolved.append(known[site])
        else:
            raise ValueError(
                f"sites: {site!r} is not known; use a Site or one of {', '.join(known)}."
            )
    names = [site.name for site in resolved]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"sites must be at least one site, with different names; got {names}.")
    return tuple(resolved)


def _layout_of(cohort: Cohort, sites: Sequence[Site | str] | None) -> Layout:
    if sites is not None:
        raise ValueError("Give sites or a layout, which has its own sites, not both.")
    if cohort.layout is None:
        raise ValueError(f"The cohort {cohort.name!r} has no layout, by which to write it.")
    return cohort.layout


def _night_files(night: SyntheticNight) -> NightFiles:
    dataset = dataset_from_path(night.recording)
    files = night.recording, night.annotations, night.subject, str(night.visit)
    return NightFiles(*files, dataset, channel_labels(dataset))


def _seed(random_state: int, index: int, part: int) -> np.random.SeedSequence:
    """Seed of a subject (part 0) or of a visit (1, 2), whatever else the cohort holds."""
    return np.random.SeedSequence(random_state, spawn_key=(index, part))


def _visits(random_state: int, index: int, second_visit_probability: float) -> tuple[int, ...]:
    draw = np.random.default_rng(_seed(random_state, index, 0).spawn(1)[0]).random()
    return (1, 2) if draw < second_visit_probability else (1,)


def _make_night(night: SyntheticNight, hours: float, difficulty: float, random_state: int) -> None:
    layout, site = night.layout, night.files.site
    index = night.number - layout.first_number
    subject = draw_subject(np.random.default_rng(_seed(random_state, index, 0)), difficulty)
    of_body, of_channels, of_clock = _seed(random_state, index, night.visit).spawn(3)
    body = simulate_body(
        of_body,
        subject,
        hours,
        difficulty,
        wake_around=layout.wake_around,
        ends_scored=layout.ends_scored,
    )
    samples = {}
    artefacts: list[Artefact] = []
    for channel, seed in zip(site.channels, of_channels.spawn(len(site.channels)), strict=True):
        samples[channel.label], found = record_channel(seed, body, channel, site)
        artefacts += found
    truth = truth_arrays(body, site, artefacts)
    write_night(night, samples, truth, _start(of_clock, night.visit))


def _start(seed: np.random.SeedSequence, visit: int) -> datetime.datetime:
    """Draw an evening between 21:30 and 23:30; the visits lie years apart."""
    rng = np.random.default_rng(seed)
    year = 2000 + (visit - 1) * YEARS_BETWEEN_VISITS
    evening = datetime.datetime(year, 1, 1, 21, 30)  # noqa: DTZ001 - EDF knows no time zones
    return evening + datetime.timedelta(
        days=int(rng.integers(365)), minutes=int(rng.integers(121)), seconds=int(rng.integers(60))
    )
