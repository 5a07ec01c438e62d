"""Which nights a pass of training takes: all of them, or as many from each cohort."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from torch.utils.data import Sampler, Subset

from sklearn_sleep.training.night_dataset import NightDataset, NightSample


class BalancedSampler(Sampler[int]):
    """Draw equally many nights from each cohort in a pass.

    A pass takes as many nights as there are, n. Each of the k cohorts gives n // k of them, and n %
    k cohorts, drawn anew in each pass, one more. Within a cohort each night is drawn once before
    any is drawn again. The nights of all cohorts come in random order.
    """

    def __init__(self, cohorts: Sequence[str], generator: torch.Generator | None = None) -> None:
        codes, _ = pd.factorize(np.asarray(cohorts, dtype=object))
        self.nights = [np.flatnonzero(codes == code) for code in np.unique(codes)]
        self.generator = generator

    def __len__(self) -> int:
        return sum(len(nights) for nights in self.nights)

    def __iter__(self) -> Iterator[int]:
        seed = int(torch.empty((), dtype=torch.int64).random_(generator=self.generator))
        rng = np.random.default_rng(seed)
        part, remainder = divmod(len(self), len(self.nights))
        extra = rng.permutation(len(self.nights)) < remainder
        drawn: list[int] = []
        for nights, one_more in zip(self.nights, extra, strict=True):
            n = part + int(one_more)
            rounds = [rng.permutation(nights) for _ in range(-(-n // len(nights)))]
            drawn.extend(np.concatenate(rounds)[:n])
        yield from (int(night) for night in rng.permutation(drawn))


def cohorts_of(dataset: NightDataset | Subset[NightSample], column: str) -> list[str]:
    """Return the cohort of each night: its recording's dataset, or what another column says."""
    if isinstance(dataset, Subset):
        cohorts = cohorts_of(dataset.dataset, column)  # type: ignore[arg-type]  # torch knows no NightDataset
        return [cohorts[index] for index in dataset.indices]
    nights = list(dataset.epochs.nights())
    if column == "dataset":
        cohorts = [night.recording.dataset for night in nights]
    elif column in dataset.epochs.table.columns:
        values = dataset.epochs.table[column]
        first = values.iloc[[night.rows[0] for night in nights]]
        cohorts = first.astype(object).where(first.notna(), "").astype(str).tolist()
    else:
        raise ValueError(f"balance={column!r} is no column of the epoch table, and not 'dataset'.")
    unknown = [n.recording.path for n, cohort in zip(nights, cohorts, strict=True) if not cohort]
    if unknown:
        raise ValueError(
            f"balance={column!r}, but the cohort of {len(unknown)} of {len(nights)} nights is not "
            f"known, {unknown[0]} for one. Give the epoch table a column {column!r}."
        )
    return cohorts
