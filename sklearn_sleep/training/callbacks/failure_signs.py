"""Warnings of what makes a training fail without an error."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from skorch.callbacks import Callback

from sklearn_sleep.core.signals import source_of
from sklearn_sleep.exceptions import (
    BatchNormWarning,
    ConstantSignalWarning,
    MaskedSignalWarning,
)
from sklearn_sleep.training.night_dataset import NightBatch, NightSample
from sklearn_sleep.training.night_learning import names_of_batch_norms

# A signal that is drawn more rarely than this is as good as never seen.
_RARELY = 0.01
# Of fewer nights, passes multiplied, a signal may be drawn in none by chance (0.9 ** 50 = 0.5%).
_ENOUGH_NIGHTS = 50


class WarnOfFailureSigns(Callback):
    """Warn of signals that are always masked, constant signals, and batch norm of single nights."""

    def initialize(self) -> WarnOfFailureSigns:
        """Start counting; further trainings of the same network add to it."""
        self.available_: dict[str, int] = {}
        self.drawn_: dict[str, int] = {}
        self.checked_: dict[str, bool] = {}
        return self

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Look for batch norm, and for signals that are never to be drawn."""
        norms = names_of_batch_norms(net.module_)
        if norms:
            warnings.warn(
                f"The network has {len(norms)} batch norms ({norms[0]}, …). Nights are computed "
                "one by one: in training each is normalized by itself, in prediction by averages "
                "over nights, and the two differ. Use 'instance' or 'layer' norm.",
                BatchNormWarning,
                stacklevel=2,
            )
        for name in net.always_masked:
            warnings.warn(
                f"{name} is masked with probability 1 wherever another signal is there, so that "
                f"the network learns nothing from it. Lower mask_probability[{name!r}], or leave "
                "it out of signals.",
                MaskedSignalWarning,
                stacklevel=2,
            )

    def on_batch_begin(self, net: Any, batch: NightBatch | None = None, **kwargs: Any) -> None:
        """Look for constant signals, once in each night."""
        nights = () if batch is None else batch.nights
        new = [night for night in nights if night.path not in self.checked_]
        warn_of_constant_signals(new)
        self.checked_.update((night.path, True) for night in new)

    def on_batch_end(
        self,
        net: Any,
        batch: NightBatch | None = None,
        training: bool = False,
        kept_signals: Sequence[tuple[str, ...]] = (),
        **kwargs: Any,
    ) -> None:
        """Count the signals that were there, and those that were not masked."""
        if not training or batch is None:
            return
        for night in batch.nights:
            for name in set(map(source_of, night.x)):
                self.available_[name] = self.available_.get(name, 0) + 1
        for kept in kept_signals:
            for name in set(map(source_of, kept)):
                self.drawn_[name] = self.drawn_.get(name, 0) + 1

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Compare the counts."""
        for name, available in self.available_.items():
            drawn = self.drawn_.get(name, 0)
            if (
                name not in net.always_masked
                and available >= _ENOUGH_NIGHTS
                and drawn < _RARELY * available
            ):
                warnings.warn(
                    f"{name} was masked in {available - drawn} of the {available} training nights "
                    "that have it, all passes together, so that the network has hardly learned "
                    f"from it. Lower mask_probability[{name!r}], or leave it out of signals.",
                    MaskedSignalWarning,
                    stacklevel=2,
                )


def warn_of_constant_signals(nights: Iterable[NightSample]) -> None:
    """Warn of signals that have the same value in all epochs of a night in which they are there."""
    dead = [
        f"{name} of {night.path}"
        for night in nights
        for name in night.x
        # What is derived may be: a pacemaker's heart rate. Of a dead sensor it is missing.
        if source_of(name) == name and _is_constant(_recorded(night, name))
    ]
    if dead:
        warnings.warn(
            f"Constant from beginning to end: {', '.join(dead)}. The sensor was off or not "
            "connected, and the network takes it for a signal. Say that it is missing: a column "
            "of the table with the signal's name, False for that recording.",
            ConstantSignalWarning,
            stacklevel=3,
        )


def _recorded(night: NightSample, name: str) -> Any:
    # The last epoch that is asked for may end with, and all that follows be, what fills nights up.
    stop = max(int(night.epoch.max()), 1)
    return night.x[name][:stop][night.present[name][:stop]]


def _is_constant(samples: Any) -> bool:
    if not len(samples):
        return False
    # Nearly always the first epoch tells; only where it does not are all compared.
    first = samples[0, 0]
    return bool((samples[0] == first).all()) and bool((samples == first).all())
