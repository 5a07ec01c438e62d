"""SequenceSmoother: any classifier's stages in the light of those before and after."""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from sklearn_sleep.core.arrays import FloatArray
from sklearn_sleep.core.messages import list_names
from sklearn_sleep.core.parameter_constraints import HasMethods, Interval
from sklearn_sleep.core.tables import as_pandas
from sklearn_sleep.core.targets import check_targets, check_weights, name_of_weight
from sklearn_sleep.io.epoch_tables import as_epoch_table

IntArray = npt.NDArray[np.int64]


class SequenceSmoother(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Smooth a classifier's stages over each night by a hidden Markov model.

    The stages of a night are a Markov chain, whose transitions are those of the training labels.
    The classifier's probabilities over the classes' part of the training rows stand for the
    likelihood of an epoch (Bourlard & Morgan 1994, "Connectionist Speech Recognition").

    Rows may come in any order, and not all of a night need to come: over epochs that are missing
    the chain goes on.

    Parameters
    ----------
    classifier : classifier with ``predict_proba``
        Takes an epoch table, `Epochs`, or a DataFrame indexed by recording and epoch.
    evidence : float, default=1.0
        Power to which likelihoods are raised. Below 1 where the features of neighbouring epochs
        overlap, as those of windows of five minutes do, and tell the same thing several times.
    pseudo_count : float, default=1.0
        Added to each count of transitions and of stages, so that none is impossible.

    Attributes
    ----------
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Those of the classifier, where it has them.
    classifier_ : classifier
        The fitted classifier.
    classes_ : ndarray of shape (n_classes,)
        The classes.
    transition_ : ndarray of float64, shape (n_classes, n_classes)
        Probabilities of the next epoch's class (columns) after each (rows).
    start_ : ndarray of float64, shape (n_classes,)
        Probabilities of the class of a night's first row.
    class_prior_ : ndarray of float64, shape (n_classes,)
        Part of each class in the training rows.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> X = pd.DataFrame({"recording": ["a"] * 6, "epoch": range(6)})
    >>> smoother = SequenceSmoother(DummyClassifier()).fit(X, [0, 0, 0, 1, 1, 1])
    >>> smoother.transition_.round(2)
    array([[0.6 , 0.4 ],
           [0.25, 0.75]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "classifier": [HasMethods(["fit", "predict_proba"])],
        "evidence": [Interval(Real, 0, None, closed="neither")],
        "pseudo_count": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self, classifier: Any, *, evidence: float = 1.0, pseudo_count: float = 1.0
    ) -> None:
        self.classifier = classifier
        self.evidence = evidence
        self.pseudo_count = pseudo_count

    def fit(
        self,
        X: Any,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        **fit_params: Any,
    ) -> Self:
        """Fit the classifier, which takes `fit_params`, and count transitions.

        Parameters
        ----------
        X : epoch table, Epochs or DataFrame indexed by recording and epoch, of n_rows
            The training rows.
        y : array-like of shape (n_rows,)
            Their stages. Transitions are counted between rows of successive epochs.
        sample_weight : array-like of shape (n_rows,), optional
            Weight of each row in the classifier, in the counts of stages, and of transitions, of
            which each has the smaller weight of its two rows.
        **fit_params
            Passed on to the classifier's ``fit``.

        Returns
        -------
        self
        """
        self._validate_params()
        recording, epoch = _recording_and_epoch(X)
        labels = check_targets(y, len(epoch))
        weight: npt.NDArray[Any] = check_weights(sample_weight, len(epoch))
        if sample_weight is not None:
            fit_params = {**fit_params, name_of_weight(self.classifier): sample_weight}
        self.classifier_ = clone(self.classifier).fit(X, y, **fit_params)
        self.classes_ = np.asarray(self.classifier_.classes_)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.classifier_, name):
                setattr(self, name, getattr(self.classifier_, name))
        code = np.searchsorted(self.classes_, labels)
        n = len(self.classes_)
        counts = np.full((n, n), float(self.pseudo_count))
        # Without weight is as if it were not there, and twice is as if it had twice the weight.
        order, first = _in_time_order(recording[weight > 0], epoch[weight > 0])
        order = np.flatnonzero(weight > 0)[order]
        is_new = first | (np.diff(epoch[order], prepend=-1) != 0)
        weight = np.bincount(np.cumsum(is_new) - 1, weight[order])
        code, epoch, first = code[order][is_new], epoch[order][is_new], first[is_new]
        follows = ~first[1:] & (np.diff(epoch) == 1)
        lighter = np.minimum(weight[:-1], weight[1:])[follows]
        np.add.at(counts, (code[:-1][follows], code[1:][follows]), lighter)
        starts = self.pseudo_count + np.bincount(code[first], weight[first], minlength=n)
        priors = self.pseudo_count + np.bincount(code, weight, minlength=n)
        total = counts.sum(axis=1, keepdims=True)
        # A class that was never left stays.
        self.transition_ = np.where(total > 0, counts / np.where(total > 0, total, 1), np.eye(n))
        self.start_ = starts / starts.sum()
        self.class_prior_ = priors / priors.sum()
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the stages of the likeliest path through each night (Viterbi), (n_rows,).

        They need not be the likeliest one by one, which ``predict_proba`` tells.
        """
        nights = self._nights(X)
        path = np.empty(sum(len(rows) for rows, *_ in nights), dtype=np.intp)
        for rows, position, likelihood, steps in nights:
            path[rows] = viterbi(self.start_, self.transition_, likelihood, steps)[position]
        return np.asarray(self.classes_[path])

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the probability of each stage given all of its night, (n_rows, n_classes)."""
        nights = self._nights(X)
        n_rows = sum(len(rows) for rows, *_ in nights)
        probability = np.empty((n_rows, len(self.classes_)))
        for rows, position, likelihood, steps in nights:
            smoothed = forward_backward(self.start_, self.transition_, likelihood, steps)
            probability[rows] = smoothed[position]
        return probability

    def _nights(self, X: Any) -> list[tuple[IntArray, IntArray, FloatArray, IntArray]]:
        """Return the rows of each night, the epoch of each, likelihoods and steps of the epochs."""
        check_is_fitted(self)
        recording, epoch = _recording_and_epoch(X)
        probability = np.asarray(self.classifier_.predict_proba(X), dtype=np.float64)
        wrong = ~np.all(probability >= 0, axis=1) | ~np.isfinite(probability).all(axis=1)
        if wrong.any():
            nights = _table(X)["recording"].astype(str)[wrong].unique().tolist()
            raise ValueError(
                f"{type(self.classifier_).__name__} gives no probabilities for {wrong.sum()} rows "
                f"of {list_names(nights)}: they are NaN, infinite or negative."
            )
        # Without pseudo-counts, a class of which no row was seen has nothing to be divided by.
        prior = np.where(self.class_prior_ > 0, self.class_prior_, 1.0)
        likelihood = (probability / prior) ** self.evidence
        order, first = _in_time_order(recording, epoch)
        nights = []
        for rows in np.split(order, np.flatnonzero(first)[1:]) if len(order) else []:
            epochs, where, position = np.unique(epoch[rows], return_index=True, return_inverse=True)
            nights.append((rows, position, likelihood[rows[where]], np.diff(epochs)))
        return nights

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Rows must name their recordings, which arrays do not.
        tags.input_tags.two_d_array = False
        tags.input_tags.allow_nan = get_tags(self.classifier).input_tags.allow_nan
        return tags


def _recording_and_epoch(X: Any) -> tuple[IntArray, IntArray]:
    """Return a number for each row's recording, and its epoch."""
    table = _table(X)
    code, _ = pd.factorize(table["recording"])
    return code.astype(np.int64), table["epoch"].to_numpy(dtype=np.int64)


def _table(X: Any) -> pd.DataFrame:
    """Return the recording and the epoch of each row."""
    X = as_pandas(X)
    if isinstance(X, pd.DataFrame) and list(X.index.names) == ["recording", "epoch"]:
        return X.index.to_frame(index=False)
    return as_epoch_table(X)


def _in_time_order(recording: IntArray, epoch: IntArray) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Return the rows night by night in time, and which of them in that order begin a night."""
    order = np.lexsort([epoch, recording])
    return order, np.diff(recording[order], prepend=-1) != 0


def forward_backward(
    start: npt.ArrayLike, transition: npt.ArrayLike, likelihood: npt.ArrayLike, steps: npt.ArrayLike
) -> FloatArray:
    """Return the probability of each stage in each epoch given all, (n_epochs, n_stages).

    Takes the probabilities of the first stage, (n_stages,), and of the next one (columns) after
    each (rows), the likelihoods of what is observed, (n_epochs, n_stages), up to a factor of each
    epoch, and how many epochs later each is than the one before, (n_epochs - 1,) (Rabiner 1989).
    """
    observed = _scaled(likelihood)
    between = _powers(transition, steps)
    n = len(observed)
    forward, backward = np.empty_like(observed), np.ones_like(observed)
    for epoch in range(n):
        before = np.asarray(start) if epoch == 0 else forward[epoch - 1] @ between[epoch - 1]
        forward[epoch] = _normalized(before * observed[epoch])
    for epoch in range(n - 2, -1, -1):
        backward[epoch] = _normalized(between[epoch] @ (backward[epoch + 1] * observed[epoch + 1]))
    both = forward * backward
    return both / both.sum(axis=1, keepdims=True)


def viterbi(
    start: npt.ArrayLike, transition: npt.ArrayLike, likelihood: npt.ArrayLike, steps: npt.ArrayLike
) -> npt.NDArray[np.intp]:
    """Return the likeliest path through the stages by position, (n_epochs,) (Viterbi 1967)."""
    with np.errstate(divide="ignore"):
        observed = np.log(_scaled(likelihood))
        between = np.log(_powers(transition, steps))
        best = np.log(np.asarray(start, dtype=np.float64)) + observed[:1].sum(axis=0)
    n, n_stages = observed.shape
    came_from = np.empty((n, n_stages), dtype=np.intp)
    for epoch in range(1, n):
        score = best[:, None] + between[epoch - 1]
        came_from[epoch] = score.argmax(axis=0)
        best = score.max(axis=0) + observed[epoch]
    path = np.empty(n, dtype=np.intp)
    for epoch in range(n - 1, -1, -1):
        path[epoch] = best.argmax() if epoch == n - 1 else came_from[epoch + 1, path[epoch + 1]]
    return path


def _scaled(likelihood: npt.ArrayLike) -> FloatArray:
    values = np.asarray(likelihood, dtype=np.float64)
    largest = values.max(axis=1, keepdims=True)
    # Nothing is known of an epoch under which no stage is possible.
    return np.where(largest > 0, values / np.where(largest > 0, largest, 1.0), 1.0)


def _normalized(values: FloatArray) -> FloatArray:
    total = values.sum()
    return values / total if total > 0 else np.full_like(values, 1 / len(values))


def _powers(transition: npt.ArrayLike, steps: npt.ArrayLike) -> FloatArray:
    """Return the transition matrix of each step, of shape (n_steps, n_stages, n_stages)."""
    matrix = np.asarray(transition, dtype=np.float64)
    counts, position = np.unique(np.asarray(steps, dtype=np.int64), return_inverse=True)
    powers = [np.linalg.matrix_power(matrix, int(count)) for count in counts]
    return np.array(powers).reshape(-1, *matrix.shape)[position]
