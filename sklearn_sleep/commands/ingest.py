"""``python -m sklearn_sleep ingest``: process a cohort once, and report on every night."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from sklearn_sleep.commands.predict import exit_status
from sklearn_sleep.datasets.any_folder import any_folder
from sklearn_sleep.datasets.nights import tell_channels
from sklearn_sleep.datasets.registry import find_cohort
from sklearn_sleep.exceptions import MissingSignalWarning
from sklearn_sleep.storage.ingesting import ingest


def run_ingest(
    cohort: Path,
    out: Path,
    *,
    dataset: str | None,
    signals: Sequence[str],
    format: Literal["cache", "parquet"],  # noqa: A002 - the name of the option
    jobs: int,
    channels: Mapping[str, Any] | None,
    units: Mapping[str, str] | None,
    subject: str | None,
    annotation: str | None,
    **hypnograms: Any,
) -> int:
    """Ingest a folder and say what became of its nights; the status is 1 if none was done, or 3."""
    layout = any_folder(subject, annotation)
    if dataset is not None:
        if subject is not None:
            raise ValueError(f"--subject is not needed with --dataset {dataset}, which knows it.")
        layout = find_cohort(dataset, "dataset")
        layout = layout.with_annotations(annotation) if annotation else layout
    of_files: dict[str, Any] = {"signals": signals, "channels": channels, "units": units}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingSignalWarning)  # the table says it
        loaded = layout.load(
            cohort, hypnogram_options=hypnograms, n_jobs=jobs, verbose=True, **of_files
        )
    ingested = ingest(
        loaded,
        out,
        **of_files,
        format=format,
        n_jobs=jobs,
        verbose=True,
    )
    counts = ingested.report["status"].value_counts()
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    print(f"{len(ingested.report)} nights: {told}")
    print(tell_channels(ingested.channels))
    for row in ingested.report.to_dict("records"):
        if row["status"] != "done":
            print(f"{row['status']}: {row['path']}: {row['problems']}")
    print(f"The report is in {out / 'report.html'} and {out / 'report.csv'}")
    return exit_status(counts.get("done", 0), len(ingested.report))
