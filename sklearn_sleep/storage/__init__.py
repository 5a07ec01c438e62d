"""From a cohort's folder to processed nights on disk, with a report of every night."""

from sklearn_sleep.storage.ingesting import ingest
from sklearn_sleep.storage.parquet import read_parquet_night

__all__ = ["ingest", "read_parquet_night"]
