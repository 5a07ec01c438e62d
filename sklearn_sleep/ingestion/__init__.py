"""From a cohort's folder to processed nights on disk, with a report of every night."""

from sklearn_sleep.ingestion.ingesting import ingest
from sklearn_sleep.ingestion.parquet import read_parquet_night

__all__ = ["ingest", "read_parquet_night"]
