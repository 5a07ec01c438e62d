"""A hidden Markov model over the stages of a night: probabilities and the likeliest path."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["forward_backward", "viterbi"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


def forward_backward(
    start: npt.ArrayLike, transition: npt.ArrayLike, likelihood: npt.ArrayLike, steps: npt.ArrayLike
) -> FloatArray:
    """Return the probability of each stage in each epoch, given all epochs (Rabiner 1989).

    Parameters
    ----------
    start : array-like of shape (n_stages,)
        Probabilities of the first epoch's stage.
    transition : array-like of shape (n_stages, n_stages)
        Probabilities of the next epoch's stage (columns) after each (rows).
    likelihood : array-like of shape (n_epochs, n_stages)
        Of what is observed in an epoch under each stage, up to a factor of each epoch.
    steps : array-like of int, shape (n_epochs - 1,)
        How many epochs later each is than the one before; those in between are not observed.

    Returns
    -------
    ndarray of float64, shape (n_epochs, n_stages)
        Rows sum to one.

    Examples
    --------
    >>> sticky = [[0.9, 0.1], [0.1, 0.9]]
    >>> forward_backward([0.5, 0.5], sticky, [[4, 1], [1, 1], [4, 1]], [1, 1]).round(2)
    array([[0.9 , 0.1 ],
           [0.89, 0.11],
           [0.9 , 0.1 ]])
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
) -> IntArray:
    """Return the likeliest path through the stages (Viterbi 1967).

    Parameters
    ----------
    start, transition, likelihood, steps : array-like
        As for `forward_backward`.

    Returns
    -------
    ndarray of int, shape (n_epochs,)
        Stages by position.

    Examples
    --------
    >>> sticky = [[0.9, 0.1], [0.1, 0.9]]
    >>> viterbi([0.5, 0.5], sticky, [[4, 1], [1, 2], [4, 1]], [1, 1])
    array([0, 0, 0])
    """
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
