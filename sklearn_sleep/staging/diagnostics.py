"""Looking into a training and a network: history, and attention to the signals."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.pipeline import Pipeline
from torch import Tensor
from torch.nn import functional

from sklearn_sleep.networks.transformer import SelfAttention
from sklearn_sleep.training.inputs import as_epochs
from sklearn_sleep.training.night_dataset import NightBatch, NightDataset, NightSample


def history_frame(classifier: Any) -> pd.DataFrame:
    """Return the history of a training as a table.

    Parameters
    ----------
    classifier : Wav2SleepClassifier, VLMStager or Pipeline that ends in one
        Fitted.

    Returns
    -------
    DataFrame
        A row for each pass over the nights, its index ``pass`` from 1. Columns: ``train_loss``
        (mean over the rows), ``valid_loss`` where nights were set aside, ``train_loss_best`` and
        ``valid_loss_best`` (bool: lower than ever before), ``learning_rate`` (of the last step),
        ``gradient_norm`` (mean over the steps, before clipping), ``duration`` (in seconds), and
        what further callbacks recorded as a number.

    Examples
    --------
    >>> import numpy as np
    >>> from skorch.helper import SliceDict
    >>> from sklearn_sleep import Wav2SleepClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = SliceDict(
    ...     ECG=rng.normal(size=(40, 64)).astype("float32"), recording=np.repeat("night", 40)
    ... )
    >>> classifier = Wav2SleepClassifier(
    ...     module__feature_dim=8, module__initial_channels=2, module__max_channels=4,
    ...     module__mixer_heads=2, max_epochs=3, size="published", random_state=0,
    ... ).fit(X, rng.integers(0, 4, size=40))
    >>> history_frame(classifier)[["learning_rate"]].round(4)
          learning_rate
    pass
    1            0.0010
    2            0.0003
    3            0.0001
    """
    table: pd.DataFrame = _last_step(classifier).history_frame()
    return table


def epoch_attention(classifier: Any, X: Any, *, layer: int = -1) -> pd.DataFrame:
    """Return how much the epoch mixer attends to each signal.

    The epoch mixer is a transformer over the signals of an epoch that is read out by a CLS token.
    These are the attention weights of that token, averaged over the heads.

    Parameters
    ----------
    classifier : Wav2SleepClassifier or Pipeline that ends in one
        Fitted, with a network whose epoch mixer is a transformer.
    X : as for ``predict``, n_rows long
        Of a classifier, what the steps of a pipeline give, or arrays in memory; of a pipeline, its
        paths or epoch table.
    layer : int, default=-1
        Layer of the epoch mixer, the last one by default.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns)
        Indexed by ``recording`` and ``epoch``. Column ``CLS`` is the token itself, ``registers``
        are further learned tokens together, if the network has them; the signals follow, or groups
        of them (``module__signal_groups``), NaN where they are missing. Present columns of a row
        sum to 1. A night without any signal is NaN.

    Raises
    ------
    ValueError
        If the network has no such layer of attention.

    Notes
    -----
    Attention says where the read-out takes its values from, and not how much a stage depends on a
    signal; for that, predict without it: ``X.assign(PPG=False)``.

    Examples
    --------
    With a fitted pipeline::

        attention = epoch_attention(pipeline, "night.edf")
    """
    if isinstance(classifier, Pipeline):
        X = classifier[:-1].transform(X) if len(classifier) > 1 else X
    table: pd.DataFrame = _last_step(classifier).epoch_attention(X, layer=layer)
    return table


def _last_step(classifier: Any) -> Any:
    return classifier[-1] if isinstance(classifier, Pipeline) else classifier


def attention_table(classifier: Any, X: Any, layer: int) -> pd.DataFrame:
    """Return what `epoch_attention` does, of a classifier."""
    classifier.check_is_fitted()
    epochs = as_epochs(X, "epoch_attention")
    classifier.check_fits(epochs)
    attention = _attention_of(classifier, layer)
    n_learned = classifier.module_.epoch_mixer.register_tokens.shape[-1]
    learned = ["CLS", "registers"][:n_learned]
    # Networks with encoders of a user's own may know no groups.
    groups = getattr(
        classifier.module_.signal_encoders,
        "groups",
        {name: (name,) for name in classifier.signals_},
    )
    columns = [*learned, *groups]
    values = np.full((len(epochs), len(columns)), np.nan)
    nights = NightDataset(epochs, classifier.signals_)
    for night in (nights[position] for position in range(len(nights))):
        if not night.x:
            continue
        weights = _attend(classifier, attention, night)
        rows = night.rows.numpy()
        values[rows, 0] = weights[night.epoch, 0]
        if n_learned > 1:
            values[rows, 1] = weights[night.epoch, 1:n_learned].sum(axis=1)
        # The network takes its signals, and groups of them, by name.
        there = sorted(name for name in groups if not night.x.keys().isdisjoint(groups[name]))
        for token, name in enumerate(there, start=n_learned):
            of_members = [night.present[member] for member in groups[name] if member in night.x]
            present = torch.stack(of_members).any(dim=0)[night.epoch].numpy()
            of_signal = weights[night.epoch, token]
            values[rows, columns.index(name)] = np.where(present, of_signal, np.nan)
    index = pd.MultiIndex.from_frame(epochs.table[["recording", "epoch"]])
    return pd.DataFrame(values, index=index, columns=columns)


def _attention_of(classifier: Any, layer: int) -> SelfAttention:
    mixer = getattr(classifier.module_, "epoch_mixer", None)
    layers = [part for part in mixer.modules() if isinstance(part, SelfAttention)] if mixer else []
    if not -len(layers) <= layer < len(layers):
        raise ValueError(
            f"layer={layer}, but the network's epoch mixer has {len(layers)} layers of attention."
            + ("" if layers else " Attention is there with module__epoch_mixer='attention' alone.")
        )
    return layers[layer]


def _attend(
    classifier: Any, attention: SelfAttention, night: NightSample
) -> npt.NDArray[np.float64]:
    """Return the CLS token's attention weights (n_epochs, tokens) in a night."""
    found: list[Tensor] = []

    def keep(module: SelfAttention, arguments: tuple[Any, ...]) -> None:
        x, present, *_ = arguments
        found.append(_cls_weights(module, x, present))

    hook = attention.register_forward_pre_hook(keep)
    try:
        classifier.evaluation_step(NightBatch((night,)))
    finally:
        hook.remove()
    # A night may be mixed in several pieces.
    return torch.cat(found).double().cpu().numpy()


def _cls_weights(attention: SelfAttention, x: Tensor, present: Tensor) -> Tensor:
    """Return the weights (n, tokens) of the first token, averaged over the heads."""
    width = x.shape[-1]
    query_weight, key_weight, _ = attention.in_proj_weight.split(width)
    query_bias, key_bias, _ = attention.in_proj_bias.split(width)
    heads = (attention.n_heads, width // attention.n_heads)
    query = functional.linear(x[:, 0], query_weight, query_bias).unflatten(-1, heads)
    key = functional.linear(x, key_weight, key_bias).unflatten(-1, heads)
    scores = torch.einsum("nhd,nthd->nht", query, key) / heads[1] ** 0.5
    scores = scores.masked_fill(~present[:, None], -torch.inf)
    return scores.softmax(-1).mean(1)
