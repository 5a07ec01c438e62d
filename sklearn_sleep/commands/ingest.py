"""``python -m sklearn_sleep ingest``: process a cohort once, and report on every night."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sklearn_sleep.storage.ingesting import ingest

__all__ = ["run_ingest"]


def run_ingest(
    cohort: Path,
    store: Path,
    *,
    dataset: str | None,
    signals: Sequence[str],
    format: Literal["cache", "parquet"],  # noqa: A002 - the name of the option
    n_jobs: int,
) -> None:
    """Ingest a cohort's folder and say what became of its nights.

    Parameters
    ----------
    cohort : Path
        The folder.
    store : Path
        Where the results go.
    dataset : str or None
        Name of the cohort whose layout the folder has.
    signals : sequence of str
        What to read.
    format : {"cache", "parquet"}
        What to write.
    n_jobs : int
        Nights that are processed at the same time.
    """
    ingested = ingest(
        cohort,
        store,
        dataset=dataset,
        signals=signals,
        format=format,
        n_jobs=n_jobs,
        verbose=True,
    )
    counts = ingested.report["status"].value_counts()
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    print(f"{len(ingested.report)} nights: {told}")
    for row in ingested.report.to_dict("records"):
        if row["status"] != "done":
            print(f"{row['status']}: {row['path']}: {row['problems']}")
    print(f"The report is in {store / 'report.html'} and {store / 'report.csv'}")
