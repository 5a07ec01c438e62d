"""load_cohorts: several cohorts as one, for joint training."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals
from sklearn.utils import Bunch

from sklearn_sleep.datasets.cohort import FolderPath
from sklearn_sleep.datasets.nights import MISSING
from sklearn_sleep.datasets.registry import COHORTS


def load_cohorts(
    cohorts: Mapping[str, FolderPath | Bunch] | Sequence[Bunch],
    *,
    return_X_y_groups: bool = False,
    n_jobs: int | None = None,
    verbose: int | None = None,
) -> Any:
    """Load several cohorts and join them, for joint training.

    Parameters
    ----------
    cohorts : mapping of str to path or Bunch, or sequence of Bunch
        The folder of each cohort by its name (``ccshs cfs chat isruc mass mesa mros shhs
        sleep_edf wsc``), or what a ``load_`` function has returned for it.
    return_X_y_groups, n_jobs, verbose
        As in `load_shhs`.

    Returns
    -------
    Bunch or tuple
        As `load_shhs` returns it. The column ``dataset`` of X tells the cohort of each row;
        signals that a cohort does not have are missing in its nights.

    Raises
    ------
    ValueError
        If a name is not known, there is no cohort, or a recording is in two of them.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_sleep import make_cohort
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("shhs", "mesa"):
    ...         _ = make_cohort(f"{root}/{name}", layout=name, n_subjects=1, hours=0.5)
    ...     both = load_cohorts({"shhs": f"{root}/shhs", "mesa": f"{root}/mesa"})
    >>> both.groups.unique().tolist()
    ['shhs-200001', 'mesa-0001']
    """
    if isinstance(cohorts, Mapping):
        loaded = [_load(name, source, n_jobs, verbose) for name, source in cohorts.items()]
    else:
        loaded = list(cohorts)
    if not loaded:
        raise ValueError("cohorts names no cohort; give {'shhs': folder, ...}.")
    paths = Counter(path for one in loaded for path in one.recordings["path"])
    repeated = [path for path, count in paths.items() if count > 1]
    if repeated:
        raise ValueError(f"{repeated[0]} is in two of the cohorts; give each recording once.")
    columns = {
        name: (
            union_categoricals([one.X[name] for one in loaded])
            if isinstance(loaded[0].X[name].dtype, pd.CategoricalDtype)
            else np.concatenate([one.X[name].to_numpy() for one in loaded])
        )
        for name in ("recording", "epoch", "subject", "dataset", "scored_epochs")
    }
    X = pd.DataFrame(columns)
    y = np.concatenate([one.y for one in loaded])
    if return_X_y_groups:
        return X, y, X["subject"]
    return Bunch(
        X=X,
        y=y,
        groups=X["subject"],
        recordings=pd.concat([one.recordings for one in loaded], ignore_index=True),
        channels=pd.concat([one.channels for one in loaded]).fillna(MISSING),
        problems=pd.concat([one.problems for one in loaded], ignore_index=True),
        DESCR="\n\n".join(one.DESCR for one in loaded if "DESCR" in one),
    )


def _load(name: str, source: Any, n_jobs: int | None, verbose: int | None) -> Bunch:
    if isinstance(source, Bunch):
        return source
    if name not in COHORTS:
        raise ValueError(
            f"{name!r} is not a cohort that is known; use {', '.join(COHORTS)}, or give the Bunch "
            "that Cohort(...).load(folder) returns."
        )
    return COHORTS[name].load(source, n_jobs=n_jobs, verbose=verbose)
