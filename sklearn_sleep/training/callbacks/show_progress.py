"""ShowProgress: how far a training has come, for the bar of its progress."""

from typing import Any

from skorch.callbacks import Callback

from sklearn_sleep.core.progress import Progress


class ShowProgress(Callback):
    """Tell of passes and their loss; `SleepNet` has it beside its callbacks while it trains."""

    def __init__(self, work: Progress) -> None:
        self.work = work
        self.description = work.description

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Note how many passes are of trainings before."""
        self._n_before = len(net.history)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Tell of the pass that begins, which a training that goes on does not begin with."""
        n_done = len(net.history) - 1 - self._n_before
        if not self.work.n_done:
            self.work.start_from(n_done)
        self.work.n_done = n_done
        self.work.description = f"{self.description}, pass {n_done + 1} of {self.work.total}"
        self._n_batches = 0

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Tell what part of a pass a batch is, and until a pass is done, its loss."""
        if not training:
            return
        self._n_batches += 1
        self.work.advance(1 / (self._n_batches + net.n_batches_left))
        if not self.work.note:
            self.work.note = f"loss {net.history[-1, 'batches', -1, 'train_loss']:.3f}"

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Tell the losses of a pass."""
        losses = {"loss": "train_loss", "validation": "valid_loss"}
        of_pass = net.history[-1]
        told = [f"{what} {of_pass[name]:.3f}" for what, name in losses.items() if name in of_pass]
        self.work.note = ", ".join(told)
