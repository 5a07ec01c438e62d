"""One training by several processes or GPUs: what skorch, batches and sums need for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from skorch import NeuralNet
from skorch.callbacks import PrintLog
from skorch.hf import AccelerateMixin
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from sklearn_sleep.training.night_dataset import NightBatch, Part
from sklearn_sleep.training.night_learning import names_of_batch_norms


class AcceleratedNet(AccelerateMixin, NeuralNet):
    """skorch's mixin, without the wrapping that gradients taken night by night do without.

    It stands between the classifiers of nights and skorch's net, so that they go first.
    """

    callbacks__print_log__sink: Any

    def _initialize_accelerator(self) -> Self:
        """Bring the network to the process's device, with the weights of the main process."""
        norms = names_of_batch_norms(self.module_)
        if norms and self.accelerator.num_processes > 1:
            raise ValueError(
                f"The network has a batch norm ({norms[0]}), whose running averages follow one "
                "night after the other and cannot be shared by processes. Use 'instance' or "
                "'layer' norm, or train in a single process."
            )
        for part in (self.module_, self.criterion_):
            part.to(self.accelerator.device)
            for tensor in (*part.parameters(), *part.buffers()):
                broadcast(tensor.data, self.accelerator)
        return self

    def _initialize_callbacks(self) -> Self:
        """Make the callbacks; only the main process prints, and only if it is `verbose`."""
        # Not the mixin's, which overwrites the parameter.
        NeuralNet._initialize_callbacks(self)
        if self.callbacks__print_log__sink == "auto":
            for _, callback in self.callbacks_:
                if isinstance(callback, PrintLog):
                    callback.sink = print if self.is_main_process else _print_nothing
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore; that `device` was left to the accelerator is no reason to warn."""
        super().__setstate__(state | {"device": state["device"] or "cpu"})
        self.device = state["device"]

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return whole batches; a training shares them out, a prediction does not."""
        return NeuralNet.get_iterator(self, dataset, training)

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **fit_params: Any) -> Self:
        """Make the passes, after a check that all processes are to make as many."""
        passes = self.accelerator.gather(
            torch.tensor([epochs or 0], device=self.accelerator.device)
        ).tolist()
        if len(set(passes)) > 1:
            raise ValueError(
                f"The processes have {passes} passes left to make. All must see the same folder of "
                "ResumableCheckpoint, with the same training in it."
            )
        return super().fit_loop(X, y, epochs, **fit_params)


@dataclass(frozen=True)
class _SharedBatch(NightBatch):
    """A process's part of a batch, which knows how much there is in the whole."""

    totals: tuple[float, float, float]
    process: int
    n_processes: int

    def __len__(self) -> int:
        return int(self.totals[1])

    @property
    def size(self) -> int:
        return int(self.totals[0])

    @property
    def weight(self) -> float:
        return self.totals[2]

    def part(self, of_nights: Sequence[Part]) -> Sequence[Part]:
        return of_nights[self.process :: self.n_processes]


class SharedBatches:
    """The batches of a loader, of each the nights of one process."""

    def __init__(self, loader: DataLoader[Any], accelerator: Any) -> None:
        self.accelerator = accelerator
        self.loader: DataLoader[Any] = DataLoader(
            loader.dataset,
            batch_sampler=_PartOfBatches(
                loader.batch_sampler, accelerator.process_index, accelerator.num_processes
            ),
            collate_fn=loader.collate_fn,
            num_workers=loader.num_workers,
            pin_memory=loader.pin_memory,
            timeout=loader.timeout,
            worker_init_fn=loader.worker_init_fn,
            multiprocessing_context=loader.multiprocessing_context,
            prefetch_factor=loader.prefetch_factor,
        )

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[_SharedBatch]:
        accelerator = self.accelerator
        for batch in self.loader:
            own = torch.tensor(
                [batch.size, len(batch), batch.weight],
                dtype=torch.float64,
                device=accelerator.device,
            )
            n_nights, n_rows, weight = accelerator.reduce(own).tolist()
            yield _SharedBatch(
                batch.nights,
                (n_nights, n_rows, weight),
                accelerator.process_index,
                accelerator.num_processes,
            )


class _PartOfBatches(Sampler[list[int]]):
    """Of each batch of another sampler the nights of one process, which may be none."""

    def __init__(self, batches: Any, process: int, n_processes: int) -> None:
        self.batches = batches
        self.process = process
        self.n_processes = n_processes

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            yield list(batch)[self.process :: self.n_processes]


def broadcast(tensor: Tensor, accelerator: Any) -> None:
    """Write the main process's values into a tensor."""
    if accelerator.num_processes > 1:
        torch.distributed.broadcast(tensor, src=0)


def _print_nothing(_: str) -> None:
    """Take the lines of the processes that do not print."""
