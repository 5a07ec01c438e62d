"""Activations under the published names."""

from __future__ import annotations

from torch import nn

__all__ = ["ACTIVATIONS", "make_activation"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "swish": nn.SiLU,
    "linear": nn.Identity,
}
"""Modules by name; ``"leaky"`` has torch's slope of 0.01 below zero."""


def make_activation(activation: str) -> nn.Module:
    """Return the activation of a name.

    Parameters
    ----------
    activation : {"relu", "leaky", "gelu", "silu", "swish", "linear"}
        Name.

    Returns
    -------
    Module

    Raises
    ------
    ValueError
        If there is no such activation.

    Examples
    --------
    >>> make_activation("swish")
    SiLU()
    """
    if activation not in ACTIVATIONS:
        known = ", ".join(map(repr, ACTIVATIONS))
        raise ValueError(f"activation={activation!r} is not known; use one of {known}.")
    return ACTIVATIONS[activation]()
