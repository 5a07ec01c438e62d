"""What a benchmark says beside its figures: the machine, the versions, and a table of results."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["describe_environment", "format_table"]


def describe_environment(packages: Sequence[str]) -> str:
    """Name the processor, its load and the versions of what is measured.

    Parameters
    ----------
    packages : sequence of str
        Distributions of which the versions matter; those that are not installed are left out.

    Returns
    -------
    str
        Three lines.
    """
    versions = [f"Python {platform.python_version()}"]
    for package in packages:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    load = ", ".join(f"{average:.2f}" for average in os.getloadavg())
    return "\n".join(
        [
            f"Machine: {_processor()}, {os.cpu_count()} cores, {platform.system()}",
            f"Load average over 1, 5 and 15 minutes: {load}",
            f"Versions: {', '.join(versions)}",
        ]
    )


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay results out as a Markdown table, the first column left, the others right.

    Parameters
    ----------
    header : sequence of str, length n_columns
        Names of the columns.
    rows : sequence of sequences of str, shape (n_rows, n_columns)
        The cells.

    Returns
    -------
    str

    Examples
    --------
    >>> print(format_table(["step", "ms"], [["read", "1.5"]]))
    | step |  ms |
    | :--- | --: |
    | read | 1.5 |
    """
    widths = [max(4, *(len(row[0]) for row in [header, *rows]))]
    widths += [
        max(3, *(len(row[column]) for row in [header, *rows])) for column in range(1, len(header))
    ]

    def line(cells: Sequence[str]) -> str:
        padded = [cells[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return f"| {' | '.join(padded)} |"

    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(header), line(rule), *(line(row) for row in rows)])


def _processor() -> str:
    """Return the model of the processor; only Linux says so in a file."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for entry in cpuinfo.read_text().splitlines():
            if entry.startswith("model name"):
                return entry.partition(":")[2].strip()
    return platform.processor() or platform.machine()
