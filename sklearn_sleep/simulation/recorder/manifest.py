"""The manifest of a synthetic cohort: the parameters that its folder was made with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sklearn_sleep.core.atomic_write import atomic_write
from sklearn_sleep.simulation.recorder.files import SyntheticNight

__all__ = ["claim_folder"]

MANIFEST_NAME = "cohort.json"
FORMAT = "sklearn_sleep synthetic cohort"


def claim_folder(
    folder: Path,
    parameters: Mapping[str, Any],
    nights: Sequence[SyntheticNight],
    *,
    overwrite: bool,
) -> None:
    """Make sure that a folder holds nights of these parameters and no others.

    A cohort may grow: `n_subjects` larger than before keeps the nights that are there.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the cohort; made if needed.
    parameters : mapping
        What determines the nights, as JSON has it, ``n_subjects`` among them.
    nights : sequence of SyntheticNight
        The nights of the cohort.
    overwrite : bool
        Remove the nights of other parameters instead of refusing.

    Raises
    ------
    ValueError
        If the folder holds a cohort of other parameters, or something else.
    """
    manifest = folder / MANIFEST_NAME
    wanted = json.loads(json.dumps(parameters))
    if manifest.is_file():
        found = _read(manifest)
        different = _differences(found["parameters"], wanted)
        if different and not overwrite:
            raise ValueError(
                f"{folder} holds a cohort made with other parameters: {'; '.join(different)}. "
                "Use another folder, the same parameters, or overwrite=True to replace it."
            )
        if overwrite:
            _remove_nights(folder, found["nights"], found["parameters"].get("layout") or "")
    elif folder.is_dir() and any(folder.iterdir()):
        raise ValueError(
            f"{folder} is not empty and has no {MANIFEST_NAME}, so it is not a synthetic cohort. "
            "Use a new or empty folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "format": FORMAT,
        "parameters": wanted,
        "nights": [[night.site, night.number, night.visit] for night in nights],
    }
    with atomic_write(manifest) as partial:
        partial.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _read(manifest: Path) -> dict[str, Any]:
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{manifest} is not JSON ({error}). Remove the folder and make the cohort again."
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(
            f"{manifest} is not the manifest of a synthetic cohort. Use another folder."
        )
    return content


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    different = []
    for name in wanted:
        if name == "n_subjects" and found.get(name, 0) <= wanted[name]:
            continue
        if found.get(name) == wanted[name]:
            continue
        if name == "sites":
            different.append("sites differ")
        else:
            different.append(f"{name}={found.get(name)} there, {name}={wanted[name]} asked")
    return different


def _remove_nights(folder: Path, nights: Sequence[Sequence[Any]], layout: str) -> None:
    for site, number, visit in nights:
        for path in SyntheticNight(folder, str(site), int(number), int(visit), layout).paths:
            # A manifest that names files elsewhere was not written here.
            if path.resolve().is_relative_to(folder.resolve()):
                path.unlink(missing_ok=True)
