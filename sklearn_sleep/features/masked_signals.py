"""MaskedSignalsClassifier: features and a classifier that know nights without some signals."""

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from sklearn_sleep.core.arrays import FloatArray, IntArray
from sklearn_sleep.core.epochs import Epochs, as_mask, name_types
from sklearn_sleep.core.masking import check_mask_probability, draw_kept_signals
from sklearn_sleep.core.messages import list_names
from sklearn_sleep.core.parallel import run_parallel
from sklearn_sleep.core.parameter_constraints import Interval
from sklearn_sleep.core.progress import Progress, progress
from sklearn_sleep.core.tables import as_pandas
from sklearn_sleep.core.targets import check_targets, check_weights, name_of_weight
from sklearn_sleep.exceptions import MissingSignalWarning

# Numbers in a table of features for which threads pay: some 100 whole nights.
_LARGE = 100_000_000


class MaskedSignalsClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Fit features and a classifier on whole nights and on copies of them without some signals.

    Features fall back on what is there: beats of the PPG where there is no ECG, breathing told by
    the heart where there is no belt. They are others then, and a classifier that has not seen
    them stages badly. As in the training of `Wav2SleepClassifier`, signals of each night are
    masked at random, in several copies beside the whole night, of which those are learnt from
    whose features differ.

    Rows without any feature, for want of a usable signal, are not learnt from; they get the
    classes' prior probabilities.

    Parameters
    ----------
    estimator : Pipeline
        From `Epochs` to stages. The first step computes features night by night, such as
        `HRVFeatures`; the last one is a classifier.
    mask_probability : float or mapping of str to float, default=0.5
        Probability of each signal to be masked in a copy; in a mapping, 0 for those that are not
        named. At least one signal of each night is kept.
    backup_signals : collection of str, optional
        Where all signals of a night would be masked, one of these that is there is kept.
    n_copies : int, default=2
        Masked copies that are drawn of each training night.
    copy_weight : float, default=1.0
        Weight of a row in a copy beside that of the same row in the whole night. Below 1, more of
        what the last step can learn goes to whole nights; it must take ``sample_weight`` then.
    random_state : int, RandomState instance or None, default=None
        Seed of the masks.
    n_jobs : int, optional
        Nights whose features are computed at the same time; see joblib.
    verbose : int, optional
        Progress: 0 none, 1 a bar at once. If not given, a bar appears after five seconds, on a
        terminal or in a notebook.

    Attributes
    ----------
    estimator_ : Pipeline
        The fitted estimator.
    classes_ : ndarray of shape (n_classes,)
        The classes.
    class_prior_ : ndarray of float64, shape (n_classes,)
        Part of each class in the training rows.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_sleep import EDFReader, RespirationFeatures
    >>> epochs = EDFReader(["ECG"], units={"ECG": "mV"}).fit_transform("tests/data/mitdb-100.edf")
    >>> breath = RespirationFeatures(features=["breathing_rate"])
    >>> stager = MaskedSignalsClassifier(make_pipeline(breath, LogisticRegression()))
    >>> stager = stager.fit(epochs, ["W"] * 20 + ["N2"] * 40)
    >>> stager.predict_proba(epochs).shape
    (60, 2)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [Pipeline],
        "mask_probability": [Interval(Real, 0, 1, closed="both"), Mapping],
        "backup_signals": ["array-like", set, None],
        "n_copies": [Interval(Integral, 0, None, closed="left")],
        "copy_weight": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
        "n_jobs": [int, None],
        "verbose": ["verbose", None],
    }

    def __init__(
        self,
        estimator: Pipeline,
        *,
        mask_probability: float | Mapping[str, float] = 0.5,
        backup_signals: Collection[str] | None = None,
        n_copies: int = 2,
        copy_weight: float = 1.0,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.mask_probability = mask_probability
        self.backup_signals = backup_signals
        self.n_copies = n_copies
        self.copy_weight = copy_weight
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Epochs, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Compute features of all nights and of their copies, and fit the other steps to them.

        Parameters
        ----------
        X : Epochs of n_rows
            The training rows.
        y : array-like of shape (n_rows,)
            Their stages.
        sample_weight : array-like of shape (n_rows,), optional
            Weight of each row, and of its copies, in the last step and in the prior.

        Returns
        -------
        self
        """
        self._validate_params()
        if isinstance(self.mask_probability, Mapping):
            check_mask_probability(self.mask_probability)
        _check_epochs(X)
        labels = check_targets(y, len(X))
        weight = check_weights(sample_weight, len(X))
        self.classes_, codes = np.unique(labels, return_inverse=True)
        counts = np.bincount(codes, weight)
        self.class_prior_ = counts / counts.sum()
        fitted = clone(self.estimator)
        *transformers, classifier = (step for _, step in fitted.steps)
        transformers[0].fit(X, labels)
        with self._progress(transformers[0], X) as work:
            rows, features = self._compute(
                transformers[0], X, self._draw_copies(X), "Nothing is learned from them.", work
            )
            if not len(rows):
                raise ValueError(
                    "No training row has a usable signal, so that nothing is to be learned; the "
                    f"nights have {list(X.signal_names)}."
                )
            weights = {}
            if sample_weight is not None or self.copy_weight != 1:
                # The whole night comes first, and has each row that a copy has.
                of_copies = np.where(pd.Index(rows).duplicated(), self.copy_weight, 1.0)
                weights[name_of_weight(classifier)] = weight[rows] * of_copies
            work.description = type(classifier).__name__
            with _few_threads(features):
                for step in transformers[1:]:
                    if step not in (None, "passthrough"):
                        features = step.fit_transform(features, labels[rows])
                classifier.fit(features, labels[rows], **weights)
        self.estimator_ = fitted
        return self

    def predict(self, X: Epochs) -> npt.NDArray[Any]:
        """Return the stage of each row, (n_rows,); the most frequent one without any feature."""
        check_is_fitted(self)
        stages = np.repeat(self.classes_[[self.class_prior_.argmax()]], len(X))
        for rows, found in self._stage(X, "predict"):
            stages[rows] = found
        return stages

    @available_if(lambda self: hasattr(self.estimator, "predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Epochs) -> FloatArray:
        """Return the probability of each class of ``classes_``, (n_rows, n_classes).

        Rows without any feature get the classes' prior probabilities, and nights of which no row
        has one are named in a MissingSignalWarning.
        """
        check_is_fitted(self)
        probabilities = np.tile(self.class_prior_, (len(X), 1))
        for rows, found in self._stage(X, "predict_proba"):
            probabilities[rows] = 0.0
            # Classes of which no row had a feature are none of the classifier's.
            learnt = np.searchsorted(self.classes_, self.estimator_.classes_)
            probabilities[np.ix_(rows, learnt)] = found
        return probabilities

    def _stage(self, X: Epochs, method: str) -> Iterator[tuple[IntArray, npt.NDArray[Any]]]:
        """Yield the rows that have a feature, if there are any, and what the classifier says."""
        _check_epochs(X)
        whole = [[None]] * len(X.recordings)
        told = "Their rows get the prior probabilities."
        with self._progress(self.estimator_[0], X) as work:
            rows, features = self._compute(self.estimator_[0], X, whole, told, work)
        if len(rows):
            with _few_threads(features):
                yield rows, getattr(self.estimator_[1:], method)(features)

    def _progress(self, features: Any, X: Epochs) -> AbstractContextManager[Progress]:
        return progress(
            type(features).__name__, len(X.recordings), unit="night", verbose=self.verbose
        )

    def _draw_copies(self, X: Epochs) -> list[list[tuple[str, ...] | None]]:
        """Return for each night which signals are kept in each of its copies; None: all."""
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        copies: list[list[tuple[str, ...] | None]] = []
        for night in X.nights():
            usable = night.masks
            available = [s for s in night.recording.signals if usable.get(s, np.True_).any()]
            probability = self.mask_probability
            if not isinstance(probability, Mapping):
                probability = dict.fromkeys(available, probability)
            drawn = [
                draw_kept_signals(available, probability, self.backup_signals, rng)
                for _ in range(self.n_copies if available else 0)
            ]
            some = dict.fromkeys(kept for kept in drawn if len(kept) < len(available))
            copies.append([None, *some])
        return copies

    def _compute(
        self,
        features: Any,
        X: Epochs,
        copies: Sequence[Sequence[tuple[str, ...] | None]],
        consequence: str,
        work: Progress,
    ) -> tuple[IntArray, pd.DataFrame]:
        """Return features of copies of nights where there are any, and the row of X of each."""
        nights = [night.rows for night in X.nights()]
        computed = run_parallel(
            _features_of_copies,
            [(features, X[rows], kept) for rows, kept in zip(nights, copies, strict=True)],
            description=type(features).__name__,
            n_jobs=self.n_jobs,
            verbose=0,
        )
        rows, tables, empty = [], [], []
        for recording, of_night, found in zip(X.recordings, nights, computed, strict=True):
            work.advance()
            for table in found:
                known = table.notna().any(axis=1).to_numpy()
                rows.append(of_night[known])
                tables.append(table[known])
            if not tables[-len(found)].size:
                empty.append(recording.path)
        if empty:
            warnings.warn(
                f"No usable signal in {list_names(empty)}. {consequence}",
                MissingSignalWarning,
                stacklevel=3,
            )
        if not tables:
            return np.empty(0, np.intp), pd.DataFrame()
        return np.concatenate(rows), pd.concat(tables)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.allow_nan = True
        return tags


def _check_epochs(X: Any) -> None:
    if not isinstance(X, Epochs):
        raise TypeError(
            f"MaskedSignalsClassifier takes Epochs, but X is {name_types(X)}. Put "
            "EDFReader(signals=[...]) before it in the pipeline, or make Epochs of what is in "
            "memory: Epochs.from_recordings(recordings)."
        )


def _features_of_copies(
    features: Any, night: Epochs, copies: Sequence[tuple[str, ...] | None]
) -> list[pd.DataFrame]:
    """Return features of a night from all and from some of its signals, those that differ."""
    tables: list[pd.DataFrame] = []
    epoch = night.table["epoch"].to_numpy()
    for kept in copies:
        found = as_pandas(features.transform(night if kept is None else _keep(night, kept)))
        # Each copy is a recording of its own to the steps that look at neighbouring epochs.
        name = night.recordings[0].path
        name = name if kept is None else f"{name} from {' + '.join(kept)}"
        index = pd.MultiIndex.from_product([[name], epoch], names=["recording", "epoch"])
        table = pd.DataFrame(
            np.asarray(found, dtype=np.float64), index, getattr(found, "columns", None)
        )
        if not any(np.array_equal(table, other, equal_nan=True) for other in tables):
            tables.append(table)
    return tables


def _keep(night: Epochs, kept: Collection[str]) -> Epochs:
    """Return a night whose rows may use some signals alone."""
    usable = {
        name: as_mask(night.table[name]) if name in night.table else True
        for name in night.signal_names
    }
    masks = {name: of_rows if name in kept else False for name, of_rows in usable.items()}
    return Epochs(night.table.assign(**masks), night.recordings, night.recording_index)


def _few_threads(features: pd.DataFrame) -> AbstractContextManager[Any]:
    """Return what makes small work wait for no threads: they spin, and others have the cores."""
    return threadpool_limits(1, "openmp") if features.size < _LARGE else nullcontext()
