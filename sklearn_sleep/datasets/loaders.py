"""The ``load_`` functions of the public cohorts, made and documented from one text."""

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypedDict, TypeVar, Unpack

from sklearn_sleep.datasets.cohort import Cohort, FolderPath

_EXAMPLE = """

Examples
--------
>>> import tempfile
>>> from sklearn_sleep import make_cohort
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = make_cohort(folder, layout="{name}", n_subjects=1, hours=0.5)
...     cohort = load_{name}(folder)
>>> cohort.recordings["subject"].unique().tolist()
['{subject}']
"""
Function = TypeVar("Function", bound=Callable[..., Any])


class LoadParameters(TypedDict, total=False):
    """What each of these functions takes besides the folder, as `Cohort.load` does."""

    visits: Sequence[str] | None
    return_X_y_groups: bool
    n_jobs: int | None
    verbose: int | None


class Loader(Protocol):
    """A function of a cohort's folder."""

    def __call__(self, folder: FolderPath, **parameters: Unpack[LoadParameters]) -> Any:
        """Load the cohort."""
        ...


def make_loader(cohort: Cohort, folder: str, visits: str) -> Loader:
    """Return the ``load_`` function of a cohort that needs no parameters of its own."""

    def load(folder: FolderPath, **parameters: Unpack[LoadParameters]) -> Any:
        return cohort.load(folder, **parameters)

    return document_loader(load, cohort, folder, visits)


def document_loader(
    load: Function, cohort: Cohort, folder: str, visits: str, own: str = ""
) -> Function:
    """Give a function the name, signature and documentation of a cohort's ``load_`` function.

    What differs from `Cohort.load` is told in words: which folder it takes, which visits there are,
    and in numpydoc what parameters it has of its own.
    """
    load.__name__ = load.__qualname__ = f"load_{cohort.name}"
    load.__module__ = f"{__name__.rpartition('.')[0]}.cohorts.{cohort.name}"
    common = inspect.signature(Cohort.load).parameters
    of_its_own = [
        parameter
        for parameter in inspect.signature(load).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    rest = [common[name] for name in ("return_X_y_groups", "n_jobs", "verbose")]
    load.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # any function has one
        [common["folder"], common["visits"], *of_its_own, *rest], return_annotation="Any"
    )
    load.__doc__ = _document(cohort, folder, visits, own)
    return load


def _document(cohort: Cohort, folder: str, visits: str, own: str) -> str:
    title = cohort.description.partition("\n")[0]
    text = inspect.cleandoc(Cohort.load.__doc__ or "")
    for passage, said in (
        (r"Load the cohort from its folder\.", f"Load a cohort: {title}."),
        (r"The folder that the provider's download gives\.", folder),
        (r"nights to load;", f"nights to load, {visits};"),
        (r"wake_minutes : .*?(?=return_X_y_groups)", own),
    ):
        text = re.sub(passage, said.replace("\\", r"\\"), text, count=1, flags=re.DOTALL)
    if not (cohort.layout and text):
        return text
    subject, _ = cohort.layout.people[0]
    return text + _EXAMPLE.format(
        name=cohort.name, subject=subject.format(number=cohort.layout.first_number)
    )
