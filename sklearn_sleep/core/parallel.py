"""Work over many nights: several at a time, in order, with a progress bar."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from joblib import Parallel, delayed
from tqdm.auto import tqdm

Result = TypeVar("Result")


def run_parallel(
    function: Callable[..., Result],
    arguments: Sequence[tuple[Any, ...]],
    *,
    description: str,
    n_jobs: int | None,
    verbose: bool,
    unit: str = "night",
    n_done: int = 0,
    **options: Any,
) -> Iterator[Result]:
    """Yield ``function(*one)`` for each of `arguments`, in order; `options` are joblib's."""
    results = Parallel(n_jobs=n_jobs, **{"return_as": "generator", **options})(
        delayed(function)(*one) for one in arguments
    )
    yield from tqdm(
        results,
        desc=description,
        total=n_done + len(arguments),
        initial=n_done,
        unit=unit,
        disable=not verbose,
    )
