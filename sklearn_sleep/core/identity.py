"""What distinguishes values in caches, comparisons and trainings, whatever file defines them.

Names of our own classes go in without their modules, so that a class that moves to another file
stays the same; users' classes and functions are known by module and name.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from types import CodeType, FunctionType
from typing import Any

import joblib
import numpy as np

PROCESSING_VERSION = 4
"""What caches are told apart by. Raise it when a step gives other samples for the same parameters,
or an identity changes."""

_PACKAGE = __name__.partition(".")[0]


def class_identity(kind: Any) -> str:
    """Return the name of a class or function: without its module if it is one of ours."""
    if kind.__module__.partition(".")[0] == _PACKAGE:
        return str(kind.__qualname__)
    return f"{kind.__module__}.{kind.__qualname__}"


def identity(value: Any) -> Any:
    """Return what a value is known by, of JSON's types."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return identity(value.item())
    if isinstance(value, Mapping):
        return {str(key): identity(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        # The order of text in a set is another one in each process.
        return sorted((identity(item) for item in value), key=json.dumps)
    if isinstance(value, list | tuple):
        return [identity(item) for item in value]
    if isinstance(value, FunctionType | CodeType):
        return _function_identity(value)
    if hasattr(value, "__qualname__"):  # a class, or a function written in C
        return class_identity(value)
    if hasattr(value, "fingerprint"):
        return value.fingerprint
    if hasattr(value, "get_params"):
        # What its clone has, too: skorch's callbacks give what training has left as parameters.
        kept = {k: v for k, v in value.get_params(deep=False).items() if k[0] != "_"}
        return [class_identity(type(value)), identity(kept)]
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return [class_identity(type(value)), identity(fields)]
    if type(value).__module__.partition(".")[0] == _PACKAGE:
        return [class_identity(type(value)), identity(vars(value))]
    # Not repr, which leaves out the middle of an array and names a function by its address.
    return joblib.hash(value)


def _function_identity(function: FunctionType | CodeType) -> Any:
    if isinstance(function, CodeType):
        return identity([function.co_code.hex(), function.co_names, function.co_consts])
    if "<" not in function.__qualname__:
        return class_identity(function)
    # A lambda, or a function within another, shares its name with others.
    around = [cell.cell_contents for cell in function.__closure__ or ()]
    return identity([class_identity(function), function.__code__, function.__defaults__, around])


def digest(value: Any) -> str:
    """Return a SHA-256 of the identity of a value, 64 hexadecimal digits."""
    text = json.dumps(identity(value), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
