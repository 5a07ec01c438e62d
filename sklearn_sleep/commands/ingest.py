"""``python -m sklearn_sleep ingest``: process a cohort once, and report on every night."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sklearn_sleep.commands.predict import exit_status
from sklearn_sleep.storage.ingesting import ingest


def run_ingest(
    cohort: Path,
    out: Path,
    *,
    dataset: str | None,
    signals: Sequence[str],
    format: Literal["cache", "parquet"],  # noqa: A002 - the name of the option
    jobs: int,
) -> int:
    """Ingest a folder and say what became of its nights; the status is 1 if none was done, or 3."""
    ingested = ingest(
        cohort,
        out,
        dataset=dataset,
        signals=signals,
        format=format,
        n_jobs=jobs,
        verbose=True,
    )
    counts = ingested.report["status"].value_counts()
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    print(f"{len(ingested.report)} nights: {told}")
    for row in ingested.report.to_dict("records"):
        if row["status"] != "done":
            print(f"{row['status']}: {row['path']}: {row['problems']}")
    print(f"The report is in {out / 'report.html'} and {out / 'report.csv'}")
    return exit_status(counts.get("done", 0), len(ingested.report))
