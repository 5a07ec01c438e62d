"""Modules that only an extra of the package installs."""

import importlib
from typing import Any


def import_optional(module: str, *, extra: str, purpose: str) -> Any:
    """Import a module of an extra, or raise an ImportError that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"{purpose} needs {package}, which is not installed. Install it: "
            f"pip install 'sklearn_sleep[{extra}]'."
        ) from error
