"""Tables of docs/hypnograms.md, made from the registries when this is run."""

import re
import sys
from pathlib import Path

from sklearn_sleep.core import stage_vocabulary, units as spellings_of
from sklearn_sleep.io.hypnograms import stage_table
from sklearn_sleep.io.hypnograms.formats import HYPNOGRAM_FORMATS

PAGE = Path(__file__).parents[2] / "docs" / "hypnograms.md"


def table(header, rows):
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def tables():
    """Return each table by its name."""
    vocabularies = stage_vocabulary.VOCABULARIES
    units = {}
    for prefix, unit in spellings_of._VOLTAGES.items():
        units.setdefault(unit, []).append(ascii(prefix + "v")[1:-1])
    for spelling, unit in spellings_of._UNIT_SPELLINGS.items():
        units.setdefault(unit, []).append(ascii(spelling)[1:-1])
    return {
        "formats": table(
            ["format", "who writes it", "an entry is", "events"],
            [
                [f.name, f.origin, f.entries, "yes" if f.events else "none"]
                for f in HYPNOGRAM_FORMATS.values()
            ],
        ),
        "examples": "\n\n".join(
            f"{f.name}:\n\n" + "\n\n".join(f"```text\n{text}```" for text in f.examples)
            for f in HYPNOGRAM_FORMATS.values()
        ),
        "columns": table(["column", "names"], [[k, v] for k, v in stage_table.COLUMNS.items()]),
        "stages": table(
            ["words of", "W", "N1", "N2", "N3", "R", "unscored", "source"],
            [[v.name, v.wake, v.n1, v.n2, v.n3, v.rem, v.unscored, v.source] for v in vocabularies],
        ),
        "around": table(
            ["words of", "before a stage", "after a stage"],
            [[v.name, v.before, v.after] for v in vocabularies if v.before or v.after],
        ),
        "letters": table(
            ["letter", "may be"], [[k, v] for k, v in stage_vocabulary.AMBIGUOUS_LETTERS.items()]
        ),
        "units": table(
            ["unit", "spellings, without letter case, blanks and brackets"],
            [[unit, ", ".join(f"`{s}`" for s in spellings)] for unit, spellings in units.items()],
        ),
    }


def filled(page):
    """Return the page with the tables between its marks."""
    for name, text in tables().items():
        page = re.sub(
            rf"(<!-- {name} -->\n).*?(\n<!-- end -->)",
            lambda match, text=text: match[1] + text + match[2],
            page,
            flags=re.DOTALL,
        )
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
