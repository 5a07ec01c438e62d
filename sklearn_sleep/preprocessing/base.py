"""What all steps from recordings to recordings share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin, clone

from sklearn_sleep.core.arrays import SampleArray
from sklearn_sleep.core.epochs import Epochs
from sklearn_sleep.core.messages import list_names
from sklearn_sleep.core.recording import Recording
from sklearn_sleep.core.signals import check_signal_names
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.core.stage_schemes import check_scored


class StatelessMixin:
    """For steps that learn nothing and need not be fitted."""

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]  # of the estimator it is mixed into
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.allow_nan = True
        return tags


class TakesEpochsMixin(StatelessMixin):
    """For steps that take `Epochs`, and whose ``fit`` does nothing but validate."""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Validate the parameters, that X are Epochs for the step, and that no y is unscored."""
        if y is not None:
            check_scored(y)
        self._check(X)
        if X.signal_names:
            for parameter, names in self._names_of_signals().items():
                check_signal_names(parameter, names, X.signal_names)
        return self

    def _names_of_signals(self) -> Mapping[str, Iterable[str]]:
        """Return names by parameter of signals that X need not have, but that must be some."""
        return {}

    def _check(self, X: Any) -> None:
        """Raise unless parameters and X are sound; in ``transform`` too, which needs no fit."""
        self._validate_params()  # type: ignore[attr-defined]  # of the estimator it is mixed into
        self._check_parameters()
        self._check_input(X)

    def _check_parameters(self) -> None:
        """Raise ValueError for what `_parameter_constraints` cannot say."""

    def _check_input(self, X: Any) -> None:
        if not isinstance(X, Epochs):
            raise TypeError(
                f"{type(self).__name__} takes Epochs, but X is {type(X).__name__}. Put "
                "EDFReader(signals=[...]) before it in the pipeline, or make Epochs of what is in "
                "memory: Epochs.from_recordings(recordings)."
            )


class EpochsTransformer(StatelessMixin, TransformerMixin, BaseEstimator):
    """Base of the steps that return `Epochs`: stateless, and in need of no container."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Said for each subclass, since scikit-learn does not inherit it: no container.
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Do nothing: recordings stay `Epochs` whatever container features are wanted in."""
        return self

    def get_feature_names_out(self, input_features: npt.ArrayLike | None = None) -> Any:
        """Return the names of the signals that come out: those that go in."""
        return np.asarray([] if input_features is None else input_features, dtype=object)


class RecordingTransformer(TakesEpochsMixin, EpochsTransformer, ABC):
    """Base of the steps that process recordings, one signal at a time.

    A step is stateless: ``fit`` validates its parameters and learns nothing. ``transform`` returns
    the same rows over recordings that remember the step; the work is done when samples are read.
    Derive from it and write `transform_signal` to make a step of your own.

    Examples
    --------
    >>> from sklearn_sleep.preprocessing import EDFReader
    >>> class Rectifier(RecordingTransformer):
    ...     def transform_signal(self, signal):
    ...         return signal.map(np.abs)
    >>> epochs = EDFReader(["EMG"]).fit_transform("tests/data/sleep-edf-5min.edf")
    >>> rectified = Rectifier().fit_transform(epochs)
    >>> bool(rectified.recordings[0].signals["EMG"].data.min() >= 0)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    @abstractmethod
    def transform_signal(self, signal: Signal) -> Signal:
        """Return the processed signal; nothing is read before its samples are asked for."""

    def transform(self, X: Epochs) -> Epochs:
        """Return the same rows, (n_rows,), over recordings that remember the step."""
        self._check(X)
        return X.apply(clone(self))

    def _check_input(self, X: Any) -> None:
        """Raise, before a sample is read, if a signal of any recording is not for the step."""
        super()._check_input(X)
        check_signals(X.recordings, self.transform_signal)


def check_signals(
    recordings: Iterable[Recording],
    check: Callable[[Signal], Any],
    names: Collection[str] | None = None,
) -> None:
    """Raise the ValueError of `check` with all recordings of which a signal, by name, is refused.

    Nothing is read, and signals of which headers say the same are checked once.
    """
    found: dict[tuple[Any, ...], ValueError | None] = {}
    refused: dict[str, ValueError] = {}
    for recording in recordings:
        for name in recording.source.names:
            if names is not None and name not in names:
                continue
            raw = recording.source.signal(name)
            alike = raw.definition, raw.sampling_frequency, raw.unit, raw.is_epoched
            kind = (*alike, *map(id, recording.steps))
            if kind not in found:
                found[kind] = None
                try:
                    check(recording.signals[name])
                except ValueError as error:
                    found[kind] = error
            refusal = found[kind]
            if refusal is not None:
                refused.setdefault(recording.path, refusal)
    for refusal in refused.values():
        raise ValueError(f"{list_names(list(refused))}: {refusal}") from refusal


def missing_samples(samples: SampleArray) -> npt.NDArray[np.bool_] | None:
    """Return where samples, (n_samples,), are no numbers: NaN or infinite; None: nowhere."""
    # min() is NaN if any sample is, and neither needs an array of flags.
    if not samples.size or (np.isfinite(samples.min()) and np.isfinite(samples.max())):
        return None
    return ~np.isfinite(samples)


def as_one_signal(samples: npt.ArrayLike, verb: str) -> SampleArray:
    """Return samples, (n_samples,), as float32; ValueError if they are not of one signal."""
    array = np.asarray(samples, dtype=np.float32, order="C")
    if array.ndim != 1:
        raise ValueError(
            f"samples must be one signal, of shape (n_samples,), but has shape {array.shape}; "
            f"{verb} each signal on its own."
        )
    return array
