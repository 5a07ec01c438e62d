"""AcceleratedWav2SleepClassifier: one training by several processes or GPUs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from skorch import NeuralNet
from skorch.hf import AccelerateMixin
from skorch.utils import to_device
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler

from sklearn_sleep.staging.wav2sleep import Wav2SleepClassifier
from sklearn_sleep.training.night_dataset import NightBatch, Part

__all__ = ["AcceleratedWav2SleepClassifier"]


class _AcceleratedNet(AccelerateMixin, NeuralNet):
    """skorch's mixin, without the wrapping that gradients taken night by night do without.

    It stands between the classifiers of nights and skorch's net, so that they go first.
    """

    callbacks__print_log__sink: Any

    def _initialize_accelerator(self) -> Self:
        """Bring the network to the process's device, with the weights of the main process."""
        if self.accelerator.num_processes > 1:
            _refuse_batch_norm(self.module_)
        for part in (self.module_, self.criterion_):
            part.to(self.accelerator.device)
            for tensor in (*part.parameters(), *part.buffers()):
                _broadcast(tensor.data, self.accelerator)
        return self

    def _initialize_callbacks(self) -> Self:
        """Make the callbacks; only the main process prints, and only if it is `verbose`."""
        sink: Any = self.callbacks__print_log__sink
        if sink == "auto":
            self.callbacks__print_log__sink = print if self.is_main_process else _print_nothing
        try:
            return super()._initialize_callbacks()
        finally:
            self.callbacks__print_log__sink = sink

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


class AcceleratedWav2SleepClassifier(Wav2SleepClassifier, _AcceleratedNet):
    """Wav2SleepClassifier whose training several processes or GPUs share.

    The nights of each batch are shared out among the processes that ``accelerate launch`` or
    ``torchrun`` started, and gradients and losses are summed over them, so that the result is that
    of one process, whatever their number: `batch_size` counts the nights of all processes
    together. Each process is given all of X and y, and reads the nights of its own part. Each can
    predict afterwards, and predicts the rows that it is given.

    Parameters
    ----------
    *args
        As of `Wav2SleepClassifier`.
    accelerator : accelerate.Accelerator
        It says which processes there are and on which device each computes.
    device : None
        The accelerator chooses the device, unless its ``device_placement`` is off.
    unwrap_after_train : bool, default=True
        As of `skorch.hf.AccelerateMixin`; the network is never wrapped here.
    **kwargs
        As of `Wav2SleepClassifier`.

    Raises
    ------
    ValueError
        On ``fit`` with several processes: the network has batch norm, whose running averages
        follow one night after the other; or a folder of `ResumableCheckpoint` is not the same for
        all.

    Notes
    -----
    It is a `skorch.hf.AccelerateMixin` and takes its parameters. Unlike there, the network is not
    wrapped in ``DistributedDataParallel``, which averages gradients over processes: where nights
    are of different length, masked rows and weights, the mean over a batch is another one.
    Use ``precision`` instead of the accelerator's mixed precision, and ``target_batch_size``
    instead of its gradient accumulation. Gradients are sums in another order than in a single
    process, which differ in the last digits.

    Examples
    --------
    In ``train.py``, started by ``accelerate launch train.py``:

    >>> from accelerate import Accelerator
    >>> from sklearn_sleep.staging.accelerated import AcceleratedWav2SleepClassifier
    >>> classifier = AcceleratedWav2SleepClassifier(
    ...     accelerator=Accelerator(cpu=True), batch_size=16, random_state=0
    ... )
    >>> classifier.compute_device
    device(type='cpu')
    """

    def __init__(
        self,
        *args: Any,
        accelerator: Any,
        device: str | None = None,
        unwrap_after_train: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            *args,
            accelerator=accelerator,
            device=device,
            unwrap_after_train=unwrap_after_train,
            **kwargs,
        )

    @property
    def compute_device(self) -> torch.device:
        """Where the network computes."""
        device: torch.device = self.accelerator.device
        return device

    @property
    def is_main_process(self) -> bool:
        """Whether this process writes files, of those that train together."""
        return bool(self.accelerator.is_main_process)

    def draw_seeds(self) -> tuple[int, int]:
        """Return the main process's seeds, of the training and of the nights to validate on."""
        seeds = torch.tensor(super().draw_seeds(), device=self.compute_device)
        _broadcast(seeds, self.accelerator)
        training, split = seeds.tolist()
        return training, split

    def infer(self, x: Any, **fit_params: Any) -> Tensor:
        """Return the logits of nights.

        Parameters
        ----------
        x : dict
            What the network takes.
        **fit_params
            Used by skorch.

        Returns
        -------
        Tensor of float32, shape (batch, n_epochs, n_classes)
        """
        return super().infer(to_device(x, self.compute_device), **fit_params)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Make a pass over this process's part of each batch.

        Parameters
        ----------
        iterator : DataLoader or None
            The nights.
        training : bool
            Whether to train on them.
        prefix : str
            Of the names in the history.
        step_fn : callable
            Takes a batch.
        **fit_params
            Used by skorch.
        """
        if iterator is not None and self.accelerator.num_processes > 1:
            iterator = _SharedBatches(iterator, self.accelerator)
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)

    def sum_over_processes(
        self, loss: Tensor, gradients: list[Tensor | None], parameters: Sequence[nn.Parameter]
    ) -> tuple[Tensor, list[Tensor | None]]:
        """Return the loss and the gradients of the whole batch.

        Parameters
        ----------
        loss : Tensor of shape ()
            Loss of this process's nights.
        gradients : list of Tensor or None
            Their gradients; ``None`` where a parameter has no part in the loss.
        parameters : sequence of Parameter
            What the gradients are by.

        Returns
        -------
        loss : Tensor of shape ()
            Of the nights of all processes.
        gradients : list of Tensor or None
            Likewise; ``None`` where it is that in all processes.
        """
        if self.accelerator.num_processes == 1:
            return loss, gradients
        is_there = [float(gradient is not None) for gradient in gradients]
        pairs = list(zip(parameters, gradients, strict=True))
        sums = self.accelerator.reduce(
            torch.cat(
                [
                    loss.detach().reshape(1),
                    torch.tensor(is_there, device=loss.device),
                    *((torch.zeros_like(p) if g is None else g).flatten() for p, g in pairs),
                ]
            )
        )
        sizes = [1, len(pairs), *(p.numel() for p, _ in pairs)]
        total_loss, n_there, *flat = sums.split(sizes)
        return total_loss[0], [
            gradient.view_as(parameter) if n else None
            for parameter, gradient, n in zip(parameters, flat, n_there.tolist(), strict=True)
        ]


@dataclass(frozen=True)
class _SharedBatch(NightBatch):
    """A process's part of a batch, which knows how much there is in the whole."""

    totals: tuple[float, float, float]
    process: int
    n_processes: int

    def __len__(self) -> int:
        return int(self.totals[1])

    @property
    def n_nights(self) -> int:
        return int(self.totals[0])

    @property
    def weight(self) -> float:
        return self.totals[2]

    def part(self, of_nights: Sequence[Part]) -> Sequence[Part]:
        return of_nights[self.process :: self.n_processes]


class _SharedBatches:
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
                [batch.n_nights, len(batch), batch.weight],
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


def _print_nothing(_: str) -> None:
    """Take the lines of the processes that do not print."""


def _broadcast(tensor: Tensor, accelerator: Any) -> None:
    """Write the main process's values into a tensor."""
    if accelerator.num_processes > 1:
        torch.distributed.broadcast(tensor, src=0)


def _refuse_batch_norm(module: nn.Module) -> None:
    for name, part in module.named_modules():
        if getattr(part, "running_mean", None) is not None:
            raise ValueError(
                f"The network has a batch norm ({name}), whose running averages follow one night "
                "after the other and cannot be shared by processes. Use 'instance' or 'layer' "
                "norm, or train in a single process."
            )
