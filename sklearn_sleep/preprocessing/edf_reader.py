"""EDFReader: from an epoch table to recordings that read themselves."""

import warnings
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from sklearn_sleep.core.asked_signals import check_asked_signals
from sklearn_sleep.core.epochs import Epochs, epochs_in_memory
from sklearn_sleep.core.memory import MemorySource
from sklearn_sleep.core.parallel import run_parallel
from sklearn_sleep.core.parameter_constraints import StrOptions
from sklearn_sleep.core.recording import Recording
from sklearn_sleep.core.signals import SignalDefinition
from sklearn_sleep.core.sources import RecordingSource
from sklearn_sleep.core.stage_schemes import check_scored
from sklearn_sleep.datasets.registry import channel_labels, dataset_from_path
from sklearn_sleep.exceptions import EDFError, EDFWarning
from sklearn_sleep.io.edf.source import EDFSource, EmptySource, open_edf
from sklearn_sleep.io.epoch_tables import as_epoch_table
from sklearn_sleep.preprocessing.base import EpochsTransformer


class EDFReader(EpochsTransformer):
    """Read EDF, EDF+ and BDF files, or choose signals of recordings in memory.

    The first step of a pipeline: a table that names epochs goes in, the same rows over recordings
    come out. Headers are read at once, samples when a later step asks for them, and only those of
    the signals that are asked for. A file with a damaged header is read as far as a person could
    read it, with an `EDFRepairWarning` for each repair.

    Parameters
    ----------
    signals : sequence of str or SignalDefinition
        Canonical names of `SIGNALS` (``"ECG"``, ``"PPG"``, ``"ABD"``, ``"THX"``, ``"EOG-L"``,
        ``"EOG-R"``, ``"EEG"``, ``"EMG"`` and more), EEG derivations (``"C4-M1"``, which is the
        channel of that name or else the difference of ``C4`` and ``M1``), or definitions of your
        own. A recording that lacks one of them has it missing.
    channels : mapping, optional
        Channel labels to look for before the known aliases: ``{"ECG": "ECG 2"}``, several in the
        order of preference ``{"EEG": ["C4-M1", "C3-M2"]}``, or by dataset
        ``{"mesa": {"EEG": "EEG3"}}``. ``"A-B"`` is the channel of that name or the difference of
        two.
    units : mapping of str to str, optional
        The unit of a signal, if not that of its definition (ECG mV; EEG, EOG and EMG uV): another
        one for the same, such as ``{"EOG-L": "mV"}``.
    on_error : {"raise", "warn"}, default="raise"
        What to do with a file that cannot be read. ``"warn"`` keeps its rows, as a recording
        without signals, and says so in an `EDFWarning`.
    n_jobs : int, optional
        Headers that are read at the same time, by threads, since it is the disk or the network
        that takes the time; see joblib.
    verbose : int, optional
        Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
        terminal or in a notebook.

    Notes
    -----
    Signals with arbitrary units (PPG, ABD, THX) are scaled so that the physical range in the
    header becomes -1 to 1; a range that is written upside down inverts the polarity. In memory,
    where no header tells a range, the sample farthest from 0 becomes -1 or 1.

    The dataset of a recording is the value of the table's column ``dataset``, or else the NSRR
    dataset that the file's name starts with (``shhs``, ``mesa``, ``wsc``, ``chat``, ``cfs``,
    ``ccshs``, ``mros``). Labels that mean something in that dataset only go before the known
    aliases (``"EEG3"`` of MESA is its C4-M1). A channel whose header gives no scale is passed over,
    with an `EDFWarning`.

    Examples
    --------
    >>> reader = EDFReader(["EEG", "EMG"])
    >>> epochs = reader.fit_transform("tests/data/sleep-edf-5min.edf")
    >>> epochs.recordings[0].signals
    {'EEG': Signal(EEG, 100 Hz, uV), 'EMG': Signal(EMG, 1 Hz, uV)}
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "signals": ["array-like"],
        "channels": [Mapping, None],
        "units": [Mapping, None],
        "on_error": [StrOptions({"raise", "warn"})],
        "n_jobs": [Integral, None],
        "verbose": ["verbose", None],
    }

    def __init__(
        self,
        signals: Sequence[str | SignalDefinition],
        *,
        channels: Mapping[str, Any] | None = None,
        units: Mapping[str, str] | None = None,
        on_error: Literal["raise", "warn"] = "raise",
        n_jobs: int | None = None,
        verbose: int | None = None,
    ) -> None:
        self.signals = signals
        self.channels = channels
        self.units = units
        self.on_error = on_error
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Validate the parameters, and that no y is unscored; nothing of X is read."""
        if y is not None:
            check_scored(y)
        self._validate_params()
        self._definitions()
        return self

    def transform(self, X: Any) -> Epochs:
        """Read the headers of the recordings that X names.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_columns), Epochs, path, Recording, or list of these two
            An epoch table, or recordings, of which every epoch is meant. A Raw of mne and an
            EdfReader of pyedflib stand for a recording too. ValueError if X names an epoch that a
            recording does not have, TypeError if it is nothing of these.

        Returns
        -------
        Epochs of shape (n_rows,)
            The same rows over recordings.
        """
        self._validate_params()
        definitions = self._definitions()
        epochs = epochs_in_memory(X)
        if epochs is not None:
            recordings = [self._choose(definitions, recording) for recording in epochs.recordings]
            return Epochs(epochs.table, recordings, epochs.recording_index)
        table = as_epoch_table(X, on_error=self.on_error, n_jobs=self.n_jobs)
        codes = table["recording"].cat.codes.to_numpy()
        used, first, index = np.unique(codes, return_index=True, return_inverse=True)
        last = np.zeros(len(used), dtype=np.int64)
        np.maximum.at(last, index, table["epoch"].to_numpy(dtype=np.int64))
        paths = [str(path) for path in table["recording"].cat.categories[used]]
        subjects = _column(table, "subject", first)
        datasets = _column(table, "dataset", first)
        nights = zip(paths, (last + 1).tolist(), subjects, datasets, strict=True)
        sources = run_parallel(
            self._open,
            [(definitions, *night) for night in nights],
            description="Reading headers",
            n_jobs=self.n_jobs,
            verbose=self.verbose,
            require="sharedmem",
        )
        return Epochs(table, [Recording(source) for source in sources], index)

    def get_feature_names_out(self, input_features: npt.ArrayLike | None = None) -> Any:
        """Return the canonical names of the signals."""
        return np.asarray([d.name for d in self._definitions()], dtype=object)

    def _definitions(self) -> tuple[SignalDefinition, ...]:
        return check_asked_signals(self.signals, self.channels, self.units)

    def _choose(self, definitions: tuple[SignalDefinition, ...], recording: Recording) -> Recording:
        """Choose among the channels of a recording, whose steps stay; one of a file is opened."""
        source = recording.source
        if isinstance(source, EDFSource):
            about = source.path, source.n_epochs, source.subject, source.dataset
            return Recording(self._open(definitions, *about), recording.steps)
        if not isinstance(source, MemorySource):
            raise TypeError(
                f"{source.path} has been processed by a step that keeps no channels to choose "
                "from. Pass what it was read from: its path, Raw or Recording."
            )
        known = source.dataset or dataset_from_path(source.path)
        labels = self._channel_labels(known, source.labels)
        chosen = source.choose(definitions, channels=labels, units=self.units or {})
        return Recording(chosen, recording.steps)

    def _channel_labels(self, dataset: str, known: Mapping[str, Any]) -> dict[str, Any]:
        """Return labels by signal, which go before the aliases; those of the user go first."""
        own = self.channels or {}
        return {**channel_labels(dataset), **known, **own, **(own.get(dataset) or {})}

    def _open(
        self,
        definitions: tuple[SignalDefinition, ...],
        path: str,
        n_epochs: int,
        subject: str,
        dataset: str,
    ) -> RecordingSource:
        known = dataset or dataset_from_path(path)
        try:
            source = open_edf(
                path,
                definitions,
                channels=self._channel_labels(known, {}),
                units=self.units or {},
                subject=subject,
                dataset=known,
            )
        except (EDFError, OSError) as error:
            if self.on_error == "raise":
                raise
            warnings.warn(
                f"{error} The {n_epochs} epochs of {path} go on without signals.",
                EDFWarning,
                stacklevel=3,
            )
            return EmptySource(path, n_epochs, subject, dataset)
        if n_epochs > source.n_epochs:
            raise ValueError(
                f"X names epoch {n_epochs - 1} of {path}, which has {source.n_epochs} whole epochs "
                "(0-based). Do the table and the file belong together?"
            )
        return source


def _column(table: pd.DataFrame, name: str, rows: npt.NDArray[np.intp]) -> list[str]:
    if name not in table.columns:
        return [""] * len(rows)
    return ["" if pd.isna(value) else str(value) for value in table[name].iloc[rows]]
