"""Work over many nights: several at a time, in order, with its progress."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from joblib import Parallel, delayed

from sklearn_sleep.core.progress import progress

Result = TypeVar("Result")


def run_parallel(
    function: Callable[..., Result],
    arguments: Sequence[tuple[Any, ...]],
    *,
    description: str,
    n_jobs: int | None,
    verbose: int | None,
    unit: str = "night",
    n_done: int = 0,
    **options: Any,
) -> Iterator[Result]:
    """Yield ``function(*one)`` for each of `arguments`, in order; `options` are joblib's."""
    results = Parallel(n_jobs=n_jobs, **{"return_as": "generator", **options})(
        delayed(function)(*one) for one in arguments
    )
    total = n_done + len(arguments)
    with progress(description, total, verbose=verbose, unit=unit, n_done=n_done) as work:
        yield from work.follow(results)
