"""The report of an ingestion: a row for every night, as CSV and as HTML."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sklearn_sleep.core.atomic_write import atomic_write
from sklearn_sleep.core.stage_schemes import stage_names

_FIRST_COLUMNS = (
    *("path", "status", "dataset", "subject", "visit", "start", "hours", "epochs"),
    *("scored_epochs", *stage_names(5), "signals", "repairs", "problems"),
)
_STYLE = """
body { font-family: sans-serif; margin: 2em; }
table { border-collapse: collapse; font-size: 85%; }
th, td { border: 1px solid #ccc; padding: 0.2em 0.5em; vertical-align: top; text-align: left; }
th { background: #eee; position: sticky; top: 0; }
td.done { background: #dff0d8; } td.failed { background: #f2dede; }
td.left-out { background: #fcf8e3; }
"""


def make_report(nights: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a table with a row for what is known of each night."""
    table = pd.DataFrame(list(nights))
    others = [column for column in table.columns if column not in _FIRST_COLUMNS]
    for column in _FIRST_COLUMNS:
        if column not in table.columns:
            table[column] = None
    table = table[[*_FIRST_COLUMNS, *others]]
    counts = ["epochs", "scored_epochs", *stage_names(5)]
    return table.astype(dict.fromkeys(counts, "Int64"))


def write_report(table: pd.DataFrame, folder: Path) -> None:
    """Write ``report.csv`` and ``report.html`` of such a table into a folder."""
    with atomic_write(folder / "report.csv") as partial:
        table.to_csv(partial, index=False)
    with atomic_write(folder / "report.html") as partial:
        partial.write_text(_to_html(table), encoding="utf-8")


def _to_html(table: pd.DataFrame) -> str:
    status = table["status"].value_counts()
    counts = ", ".join(f"{name}: {count}" for name, count in status.items())
    stages = ", ".join(f"{name} {table[name].sum()}" for name in stage_names(5))
    head = "".join(f"<th>{html.escape(str(column))}</th>" for column in table.columns)
    rows = "\n".join(f"<tr>{_cells(row)}</tr>" for row in table.to_dict("records"))
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Ingestion</title>
<style>{_STYLE}</style></head><body>
<h1>Ingestion of {len(table)} nights</h1>
<p>{html.escape(counts)}. Subjects: {table["subject"].nunique()}.
Hours recorded: {pd.to_numeric(table["hours"]).sum():.1f}. Scored epochs: {stages}.</p>
<table><thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody></table></body></html>
"""


def _cells(row: Mapping[Any, Any]) -> str:
    return "".join(
        f'<td class="{html.escape(str(value)).replace(" ", "-")}">{html.escape(str(value))}</td>'
        if column == "status"
        else f"<td>{_text(value)}</td>"
        for column, value in row.items()
    )


def _text(value: Any) -> str:
    """Return a cell's text; names and messages come from files and may hold anything."""
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return ""
    return html.escape(f"{value:.3g}" if isinstance(value, float) else str(value))
