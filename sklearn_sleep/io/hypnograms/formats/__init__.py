"""The formats of hypnograms: each module here defines one, ``FORMAT``, and is found by that."""

import importlib
import pkgutil

from sklearn_sleep.io.hypnograms.format import HypnogramFormat

__all__ = ["HYPNOGRAM_FORMATS", "find_formats", "known_formats"]


def find_formats() -> dict[str, HypnogramFormat]:
    """Return the formats that the modules of this folder define, by name."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    formats = [importlib.import_module(f"{__name__}.{module}").FORMAT for module in modules]
    return {format_.name: format_ for format_ in formats}


HYPNOGRAM_FORMATS: dict[str, HypnogramFormat] = find_formats()
"""The formats that `read_hypnogram` knows, by name. The last one is asked first, so that a format
of your own, ``HYPNOGRAM_FORMATS[mine.name] = mine``, goes before ours; processes that read nights
(``n_jobs``) know it if it is set in a module that they import."""


def known_formats() -> str:
    """Return the sentence of messages that lists the formats."""
    *names, last = HYPNOGRAM_FORMATS
    return f"Known are {', '.join(names)}, and {last}."
