"""Marks of folders with results: what they hold, in which format, and who wrote them."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sklearn_sleep._version import __version__
from sklearn_sleep.core.atomic_write import atomic_write


@dataclass(frozen=True)
class FolderMark:
    """A small JSON file that says what a folder holds.

    Parameters
    ----------
    file : str
        Its name, such as ``"comparison.json"``.
    content : str
        What the folder holds, in words: ``"comparison"``.
    version : int
        Of the format.
    details : mapping of str to int or str, default={}
        What else must be the same for the folder to be used.
    unmarked : str, default=""
        Pattern of what version 0.1.0 left in such a folder, if it did not mark it.
    only_if_empty : bool, default=False
        Whether a folder is claimed only where it holds nothing else.
    """

    file: str
    content: str
    version: int
    details: Mapping[str, int | str] = field(default_factory=dict)
    unmarked: str = ""
    only_if_empty: bool = False

    def check(self, folder: str | os.PathLike[str]) -> bool:
        """Return whether a folder is marked; raise ValueError if it cannot be used."""
        folder = Path(folder)
        mark = folder / self.file
        if not mark.is_file():
            self._check_unmarked(folder)
            return False
        try:
            found = json.loads(mark.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if not isinstance(found, dict) or found.get("format") != self._expected["format"]:
            raise ValueError(f"{mark} is not the mark of a {self.content}. Give a new folder.")
        if {**found, **self._expected} != found:
            self._refuse(folder, str(found.get("written_by", "0.1.0")))
        return True

    def claim(self, folder: str | os.PathLike[str]) -> None:
        """Make a folder and mark it; raise ValueError if it holds what cannot be used."""
        folder = Path(folder)
        if self.check(folder):
            return
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / self.file) as partial:
            content = {**self._expected, "written_by": __version__}
            partial.write_text(json.dumps(content), encoding="utf-8")

    @property
    def _expected(self) -> dict[str, Any]:
        return {"format": f"sklearn_sleep {self.content}", "version": self.version, **self.details}

    def _check_unmarked(self, folder: Path) -> None:
        of_old = self.unmarked and any(folder.glob(self.unmarked))
        # Other processes may be about to write the mark.
        partial = f".{self.file}."
        taken = (
            self.only_if_empty
            and folder.is_dir()
            and any(not path.name.startswith(partial) for path in folder.iterdir())
        )
        if not (of_old or taken) or (folder / self.file).is_file():  # marked by now
            return
        if of_old:
            self._refuse(folder, "0.1.0")
        raise ValueError(
            f"{folder} is not empty and not a {self.content}. Give a new or an empty folder."
        )

    def _refuse(self, folder: Path, writer: str) -> None:
        raise ValueError(
            f"{folder} holds a {self.content} that sklearn_sleep {writer} wrote, in a format which "
            "this version does not continue. Give a new folder, or delete this one."
        )
