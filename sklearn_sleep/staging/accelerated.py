"""AcceleratedWav2SleepClassifier: one training by several processes or GPUs."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from skorch.utils import to_device
from torch import Tensor, nn

from sklearn_sleep.core.parameter_constraints import HasMethods
from sklearn_sleep.staging.wav2sleep import Wav2SleepClassifier
from sklearn_sleep.training.distributed import AcceleratedNet, SharedBatches, broadcast


class AcceleratedWav2SleepClassifier(Wav2SleepClassifier, AcceleratedNet):
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

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Wav2SleepClassifier._parameter_constraints,
        "accelerator": [HasMethods(["prepare", "reduce"])],
        "unwrap_after_train": ["boolean"],
    }

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
        # Whether it is an accelerator is checked when the net is fitted.
        return bool(getattr(self.accelerator, "is_main_process", True))

    def draw_seeds(self) -> tuple[int, int]:
        """Return the main process's seeds, of the training and of the nights to validate on."""
        seeds = torch.tensor(super().draw_seeds(), device=self.compute_device)
        broadcast(seeds, self.accelerator)
        training, split = seeds.tolist()
        return training, split

    def infer(self, x: Any, **fit_params: Any) -> Tensor:
        """Return the logits of nights, float32 of (batch, n_epochs, n_classes)."""
        return super().infer(to_device(x, self.compute_device), **fit_params)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Make a pass over this process's part of each batch."""
        if iterator is not None and self.accelerator.num_processes > 1:
            iterator = SharedBatches(iterator, self.accelerator)
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)

    def sum_over_processes(
        self, loss: Tensor, gradients: list[Tensor | None], parameters: Sequence[nn.Parameter]
    ) -> tuple[Tensor, list[Tensor | None]]:
        """Return the loss and the gradients of the whole batch; None where it is that in all."""
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
