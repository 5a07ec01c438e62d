"""fetch_sleep_edf: download Sleep-EDF, check it, and go on where it was interrupted."""

import csv
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from sklearn_sleep.core.optional_dependencies import import_optional
from sklearn_sleep.core.parallel import run_parallel
from sklearn_sleep.datasets.cohort import FolderPath
from sklearn_sleep.datasets.cohorts.sleep_edf import load_sleep_edf

BASE_URL = "https://physionet.org/files/sleep-edfx/1.0.0/"
_STUDIES = {"cassette": "sleep-cassette", "telemetry": "sleep-telemetry"}
_SUBJECT = re.compile(r"(?:SC4|ST7)(\d{2})")


def fetch_sleep_edf(
    folder: FolderPath,
    *,
    studies: Sequence[str] = ("cassette", "telemetry"),
    subjects: Sequence[int] | None = None,
    wake_minutes: float | None = 30.0,
    base_url: str = BASE_URL,
    return_X_y_groups: bool = False,
    n_jobs: int | None = None,
    verbose: int | None = None,
) -> Any:
    """Download Sleep-EDF Expanded and load it.

    Each file is compared with its checksum as PhysioNet published it. Files that are there and
    whole are not downloaded again, so that an interrupted call can be repeated. The whole is some
    8 GB; `subjects` takes part of it.

    Parameters
    ----------
    folder : path
        Where the files go, in PhysioNet's layout; made if need be.
    studies : sequence of {"cassette", "telemetry"}, default=("cassette", "telemetry")
        Which of the two studies.
    subjects : sequence of int, optional
        Numbers of the subjects, 0 to 82 in the first and 1 to 24 in the second study; all of them
        by default.
    base_url : str
        Where the files lie: PhysioNet or a mirror of it.
    wake_minutes, return_X_y_groups
        As in `load_sleep_edf`.
    n_jobs : int, optional
        Files that are downloaded, and nights that are loaded, at the same time.
    verbose : int, optional
        Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
        terminal or in a notebook.

    Returns
    -------
    Bunch or tuple
        As `load_shhs` returns it, of all nights in the folder.

    Raises
    ------
    ImportError
        If pooch is not installed.
    ValueError
        If a study or a subject is not there, or a file is not what was published.
    OSError
        If a file cannot be downloaded.

    Examples
    --------
    The first two subjects, 0.4 GB::

        X, y, groups = fetch_sleep_edf("sleep-edf", subjects=[0, 1], return_X_y_groups=True)

    >>> fetch_sleep_edf("sleep-edf", studies=["home"])
    Traceback (most recent call last):
        ...
    ValueError: studies=['home'] must be some of cassette, telemetry.
    """
    registry = _choose(_read_registry(), studies, subjects)
    folder = Path(folder)
    for _ in run_parallel(
        _download,
        [(base_url.rstrip("/") + "/", name, sha1, folder) for name, sha1 in registry.items()],
        description="Sleep-EDF",
        n_jobs=n_jobs,
        verbose=verbose,
        unit="file",
        prefer="threads",
        return_as="generator_unordered",
    ):
        pass
    return load_sleep_edf(
        folder,
        wake_minutes=wake_minutes,
        return_X_y_groups=return_X_y_groups,
        n_jobs=n_jobs,
        verbose=verbose,
    )


def _read_registry() -> dict[str, str]:
    """Return the SHA-1 checksum of each file, as PhysioNet's SHA1SUMS lists them."""
    text = files("sklearn_sleep.datasets").joinpath("sleep_edf_files.csv").read_text("utf-8")
    return {row["file"]: row["sha1"] for row in csv.DictReader(text.splitlines())}


def _choose(
    registry: dict[str, str], studies: Sequence[str], subjects: Sequence[int] | None
) -> dict[str, str]:
    unknown = [study for study in studies if study not in _STUDIES]
    if unknown or not studies:
        raise ValueError(f"studies={list(studies)} must be some of {', '.join(_STUDIES)}.")
    folders = [_STUDIES[study] for study in studies]
    numbers = {name: _number(name) for name in registry if name.split("/")[0] in folders}
    if subjects is not None:
        absent = sorted(set(subjects) - set(numbers.values()))
        if absent:
            raise ValueError(
                f"subjects: {', '.join(map(str, absent))} not in {' and '.join(studies)}; "
                f"there are {min(numbers.values())} to {max(numbers.values())}, with gaps."
            )
        numbers = {name: number for name, number in numbers.items() if number in set(subjects)}
    return {name: registry[name] for name in numbers}


def _number(name: str) -> int:
    match = _SUBJECT.search(name)
    if match is None:
        raise ValueError(f"{name} is no file of Sleep-EDF.")
    return int(match[1])


def _download(base_url: str, name: str, checksum: str, folder: Path) -> None:
    pooch = import_optional("pooch", extra="fetch", purpose="Downloading")
    pooch.get_logger().setLevel("WARNING")  # the progress bar tells enough
    target = folder / name
    # pooch downloads beside the file, compares, and only then gives it its name.
    pooch.retrieve(
        base_url + name,
        known_hash=f"sha1:{checksum}",
        fname=target.name,
        path=target.parent,
        downloader=pooch.HTTPDownloader(timeout=60),
    )
