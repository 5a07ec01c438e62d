"""What sleep staging reports: scores of each recording, and the sleep statistics of a night."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils.metadata_routing import MetadataRequest

from sklearn_sleep.core.arrays import IntArray
from sklearn_sleep.core.stage_schemes import check_scored, stage_codes, stage_names
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.core.tables import as_pandas

# Names of stages in sleep statistics, where YASA spells them otherwise.
_SPELLED_AS_BY_YASA = {"W": "WAKE", "Wake": "WAKE", "R": "REM"}
# Minutes of unbroken sleep that end ``SOL_5min``, as in YASA.
PERSISTENT_SLEEP = 5.0


def recording_scores(
    metric: Callable[..., float],
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    recording: Any,
    *,
    sample_weight: npt.ArrayLike | None = None,
    **metric_kwargs: Any,
) -> pd.Series:
    """Compute a metric within each recording.

    Parameters
    ----------
    metric : callable
        A function ``metric(y_true, y_pred, **metric_kwargs) -> float``, such as
        :func:`sklearn.metrics.cohen_kappa_score`.
    y_true : array-like of shape (n_rows,)
        The true stage of each epoch.
    y_pred : array-like of shape (n_rows,) or (n_rows, n_classes)
        The predicted stages, or what else the metric takes.
    recording : array-like of shape (n_rows,)
        The recording of each epoch, in any order.
    sample_weight : array-like of shape (n_rows,), optional
        Weight of each epoch, handed to the metric if given.
    **metric_kwargs : Any
        Handed to the metric.

    Returns
    -------
    pandas.Series of shape (n_recordings,), float64
        The score of each recording, indexed by recording in the order in which they first come.
        NaN where the metric is undefined, such as kappa of a recording with one stage alone.

    Raises
    ------
    ValueError
        If the arrays are not equally long, or a row has no recording.

    Examples
    --------
    >>> from sklearn.metrics import accuracy_score
    >>> from sklearn_sleep import recording_scores
    >>> recording_scores(accuracy_score, [0, 2, 2, 4], [0, 2, 4, 4], ["a", "a", "b", "b"])
    recording
    a    1.0
    b    0.5
    Name: accuracy_score, dtype: float64
    """
    columns: dict[str, Any] = {"y_true": np.asarray(y_true), "y_pred": np.asarray(y_pred)}
    if sample_weight is not None:
        columns["sample_weight"] = np.asarray(sample_weight)
    codes, recordings = pd.factorize(pd.Index(recording))
    lengths = {name: len(values) for name, values in columns.items()} | {"recording": codes.size}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"These must have one value for each epoch, but their lengths are {lengths}."
        )
    if np.any(codes < 0):
        raise ValueError(f"{np.sum(codes < 0)} rows have no recording (None or NaN); name it.")
    check_scored(y_true)
    scores = [
        _score(metric, {name: values[rows] for name, values in columns.items()}, metric_kwargs)
        for rows in rows_of_each(codes)
    ]
    index = pd.Index(recordings, name="recording")
    return pd.Series(scores, index, dtype=np.float64, name=getattr(metric, "__name__", None))


def rows_of_each(codes: IntArray) -> list[IntArray]:
    """Return the rows of each code, (n_rows,), from 0 on, in their order."""
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes)))[:-1]


def _score(
    metric: Callable[..., float], columns: dict[str, Any], metric_kwargs: dict[str, Any]
) -> float:
    """Compute the metric; its warnings are kept back where NaN says the same."""
    y_true, y_pred, *weight = columns.values()
    options = {"sample_weight": weight[0], **metric_kwargs} if weight else metric_kwargs
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        score = float(metric(y_true, y_pred, **options))
    if not np.isnan(score):
        for warning in caught:
            warnings.warn(warning.message, warning.category, stacklevel=3)
    return score


@dataclass(repr=False)
class _RecordingScorer:
    """A scikit-learn scorer that scores each recording and averages over recordings."""

    metric: Callable[..., float]
    average: str
    response_method: str
    greater_is_better: bool
    metric_kwargs: dict[str, Any] = field(default_factory=dict)
    weight_request: bool | str | None = None

    def set_score_request(self, *, sample_weight: bool | str | None = None) -> Self:
        """Say whether ``sample_weight`` is to reach it, as scikit-learn's metadata routing asks."""
        self.weight_request = sample_weight
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Return what it asks for."""
        request = MetadataRequest(owner=self)
        request.score.add_request(param="sample_weight", alias=self.weight_request)
        return request

    def __call__(
        self, estimator: Any, X: Any, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Score the predictions of a fitted estimator for X; greater is better."""
        scores = recording_scores(
            self.metric,
            y,
            self._response(estimator, X),
            recording_column(X),
            sample_weight=sample_weight,
            **self.metric_kwargs,
        )
        defined = scores.dropna()
        if defined.size < scores.size:
            warnings.warn(
                f"{self._metric_name()} is undefined in {scores.size - defined.size} of "
                f"{scores.size} recordings, which are left out of the {self.average}; often such a "
                "recording has a single stage.",
                UndefinedMetricWarning,
                stacklevel=2,
            )
        if defined.empty:
            return float("nan")
        average = defined.mean() if self.average == "mean" else defined.median()
        return float(average if self.greater_is_better else -average)

    def _response(self, estimator: Any, X: Any) -> npt.NDArray[Any]:
        """Predict; with two classes the probability of the second, as scikit-learn's scorers do."""
        response = np.asarray(getattr(estimator, self.response_method)(X))
        if self.response_method == "predict_proba" and response.shape[1:] == (2,):
            return response[:, 1]
        return response

    def _metric_name(self) -> str:
        return getattr(self.metric, "__name__", repr(self.metric))

    def __repr__(self) -> str:
        options = [self._metric_name(), f"average={self.average!r}"]
        if self.response_method != "predict":
            options.append(f"response_method={self.response_method!r}")
        if not self.greater_is_better:
            options.append("greater_is_better=False")
        options += [f"{name}={value!r}" for name, value in self.metric_kwargs.items()]
        return f"recording_scorer({', '.join(options)})"


def recording_column(X: Any) -> Any:
    """Find the recording of each row in whatever names it."""
    table = as_pandas(getattr(X, "table", X))
    try:
        return table["recording"]
    except (KeyError, IndexError, TypeError, ValueError):
        raise ValueError(
            "A recording_scorer needs to know the recording of each row, so X must be an epoch "
            f"table with a column 'recording' or name it in X['recording']; got a "
            f"{type(X).__name__} without it. Make one with epoch_table()."
        ) from None


def recording_scorer(
    metric: Callable[..., float],
    *,
    average: Literal["mean", "median"] = "mean",
    response_method: Literal["predict", "predict_proba"] = "predict",
    greater_is_better: bool = True,
    **metric_kwargs: Any,
) -> _RecordingScorer:
    """Make a scorer that gives each recording the same weight, as this field reports.

    The metric is computed within each recording and averaged over recordings. A plain scorer
    pools the epochs of all nights instead.

    Parameters
    ----------
    metric : callable
        A function ``metric(y_true, y_pred, **metric_kwargs) -> float``. It must be importable for
        the scorer to go to worker processes: a function of a module, not a lambda.
    average : {"mean", "median"}, default="mean"
        How the scores of the recordings are put together.
    response_method : {"predict", "predict_proba"}, default="predict"
        What the estimator is asked for. Of two classes the metric gets the probability of the
        second, of more the whole table ``(n_rows, n_classes)``; a night rarely has every stage,
        so give such a metric its ``labels=``.
    greater_is_better : bool, default=True
        False for a loss: the score is then its negative.
    **metric_kwargs : Any
        Handed to the metric.

    Returns
    -------
    callable
        A scorer ``scorer(estimator, X, y, sample_weight=None) -> float`` for the `scoring` of
        ``cross_val_score``, ``GridSearchCV`` and others. X is an epoch table, something with such
        a `table`, or a mapping with ``X["recording"]``. Recordings in which the metric is NaN are
        left out with an ``UndefinedMetricWarning`` that counts them.

    Raises
    ------
    ValueError
        If `average` or `response_method` is none of those above, or, when it scores, if X does
        not name its recordings.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.metrics import accuracy_score
    >>> from sklearn_sleep import recording_scorer
    >>> X = pd.DataFrame({"recording": ["a", "a", "a", "b"], "epoch": [0, 1, 2, 0]})
    >>> y = [2, 2, 2, 0]
    >>> scorer = recording_scorer(accuracy_score)
    >>> scorer
    recording_scorer(accuracy_score, average='mean')
    >>> scorer(DummyClassifier().fit(X, y), X, y)
    0.5
    """
    if not callable(metric):
        raise ValueError(
            f"metric must be a function such as sklearn.metrics.cohen_kappa_score, got {metric!r}."
        )
    if average not in ("mean", "median"):
        raise ValueError(f"average must be 'mean' or 'median', got {average!r}.")
    if response_method not in ("predict", "predict_proba"):
        raise ValueError(
            f"response_method must be 'predict' or 'predict_proba', got {response_method!r}."
        )
    return _RecordingScorer(metric, average, response_method, greater_is_better, metric_kwargs)


def sleep_statistics(
    hypnogram: npt.ArrayLike, *, n_classes: int | None = None, epoch_duration: float = 30.0
) -> pd.Series:
    """Compute the sleep statistics of one night.

    Names and definitions are those of YASA, which follow the AASM manual; durations and latencies
    are in minutes. Unscored epochs count as neither wake nor sleep, but take their time.

    Parameters
    ----------
    hypnogram : array-like of shape (n_epochs,), integer or str
        Stages from lights off to lights on: AASM's W=0, N1=1, N2=2, N3=3, R=4 and unscored -1, the
        classes of `merge_stages`, or names of either.
    n_classes : {5, 4, 3, 2}, optional
        The scheme of integers, or one that names are to be merged into. If not given, names tell
        it, and integers are AASM's, with a `StageSchemeWarning` where none is 4 (REM): they may
        have been merged.
    epoch_duration : float, default=30.0
        Seconds in one epoch.

    Returns
    -------
    pandas.Series of float64
        ==================== =====================================================================
        ``TIB``              time in bed: the whole hypnogram
        ``SPT``              sleep period time: from the first to the last epoch of sleep
        ``WASO``             wake after sleep onset: wake within SPT
        ``TST``              total sleep time: all epochs of sleep
        ``SE``               sleep efficiency: TST in percent of TIB
        ``SME``              sleep maintenance efficiency: TST in percent of SPT
        ``SFI``              sleep fragmentation index: changes from sleep to wake per hour of TST
        ``SOL``              sleep onset latency: time to the first epoch of sleep
        ``SOL_5min``         time to the first 5 minutes of unbroken sleep
        ``Lat_N1``, …        time to the first epoch of N1, N2, N3 and REM from the start
        ``Lat_REM_from_SOL`` REM latency of the AASM manual: from sleep onset to the first REM
        ``WAKE``, ``N1``, …  minutes of WAKE, N1, N2, N3, REM and UNS (unscored)
        ``%N1``, …           N1, N2, N3 and REM in percent of TST
        ==================== =====================================================================

        Of merged stages there are Light and Deep, NREM, or Sleep instead of N1, N2 and N3, as
        `stage_names` has them; of two classes no REM.
        What a night without sleep, or without the stage, does not have is NaN. YASA rounds to
        four decimals; this does not.

    Raises
    ------
    ValueError
        If the hypnogram is empty, not 1-D or holds no stages of the scheme, or `epoch_duration` is
        not positive.

    References
    ----------
    .. [1] C. Iber et al., "The AASM manual for the scoring of sleep and associated events",
       American Academy of Sleep Medicine, 2007.
    .. [2] R. Vallat and M. P. Walker, "An open-source, high-performance tool for automated sleep
       staging", eLife 10:e70092, 2021.

    Examples
    --------
    >>> from sklearn_sleep import sleep_statistics
    >>> night = 20 * [0] + 10 * [1] + 100 * [2] + 40 * [3] + 4 * [0] + 26 * [4]
    >>> sleep_statistics(night)[["TST", "SE", "SOL", "WASO", "Lat_REM_from_SOL", "%REM"]].round(2)
    TST                 88.00
    SE                  88.00
    SOL                 10.00
    WASO                 2.00
    Lat_REM_from_SOL    77.00
    %REM                14.77
    dtype: float64
    """
    stages, scheme = _checked_hypnogram(hypnogram, n_classes)
    if not epoch_duration > 0:
        raise ValueError(f"epoch_duration must be above 0 seconds, got {epoch_duration}.")
    minutes = epoch_duration / 60.0
    asleep = stages > Stage.W
    sleep_epochs = np.flatnonzero(asleep)
    period = stages[sleep_epochs[0] : sleep_epochs[-1] + 1] if sleep_epochs.size else stages[:0]
    has_sleep = sleep_epochs.size > 0
    awakenings = np.count_nonzero(asleep[:-1] & (stages[1:] == Stage.W))
    names = [_SPELLED_AS_BY_YASA.get(name, name) for name in stage_names(scheme)]
    of_sleep = names[1:]
    coded = {**dict(enumerate(names)), int(Stage.UNSCORED): "UNS"}
    duration = {name: np.count_nonzero(stages == code) * minutes for code, name in coded.items()}
    in_bed, sleep_period, sleep = (n * minutes for n in (stages.size, period.size, asleep.sum()))
    onset = _latency(asleep, minutes)
    latency = {name: _latency(stages == code, minutes) for code, name in coded.items()}
    statistics = {
        "TIB": in_bed,
        "SPT": sleep_period,
        "WASO": np.count_nonzero(period == Stage.W) * minutes if has_sleep else np.nan,
        "TST": sleep,
        "SE": 100.0 * sleep / in_bed,
        "SME": 100.0 * sleep / sleep_period if has_sleep else np.nan,
        "SFI": awakenings / (sleep / 60.0) if has_sleep else np.nan,
        "SOL": onset,
        "SOL_5min": _latency(_persistent(asleep, minutes), minutes),
        **{f"Lat_{name}": latency[name] for name in of_sleep},
        **({"Lat_REM_from_SOL": latency["REM"] - onset} if "REM" in names else {}),
        **duration,
    }
    for name in of_sleep:
        statistics[f"%{name}"] = 100.0 * duration[name] / sleep if has_sleep else np.nan
    return pd.Series(statistics, dtype=np.float64)


def _checked_hypnogram(
    hypnogram: npt.ArrayLike, n_classes: int | None
) -> tuple[npt.NDArray[np.intp], int]:
    """Give the hypnogram as an array of codes, and of how many classes they are."""
    stages = np.asarray(hypnogram)
    if stages.ndim != 1 or stages.size == 0:
        raise ValueError(
            f"hypnogram must be one night, of shape (n_epochs,), but has shape {stages.shape}."
        )
    if stages.dtype.kind == "f" and (stages == np.rint(stages)).all():
        stages = stages.astype(np.intp)
    codes, scheme = stage_codes(stages, n_classes, name="hypnogram")
    return codes.astype(np.intp), scheme


def _latency(flags: npt.NDArray[np.bool_], minutes: float) -> float:
    """Give the time to the first true epoch, NaN if there is none."""
    return float(flags.argmax() * minutes) if flags.any() else np.nan


def _persistent(asleep: npt.NDArray[np.bool_], minutes: float) -> npt.NDArray[np.bool_]:
    """Mark the epochs at which five minutes of unbroken sleep begin."""
    # Five minutes that are not a whole number of epochs are rounded up, but not by float error.
    n_epochs = max(int(np.ceil(PERSISTENT_SLEEP / minutes - 1e-9)), 1)
    if asleep.size < n_epochs:
        return np.zeros(0, dtype=np.bool_)
    return np.asarray(sliding_window_view(asleep, n_epochs).all(axis=1))
