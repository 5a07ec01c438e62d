"""The tree of errors and warnings against the one that the module's docstring draws."""

import inspect
import pickle

import pytest

from sklearn_sleep import exceptions

CLASSES = [name for name, _ in inspect.getmembers(exceptions, inspect.isclass)]


def drawn():
    """Each name in the tree, with its base there and the other one that its line tells of."""
    above = {}
    for line in inspect.getdoc(exceptions).split("::")[1].splitlines():
        if line.strip():
            depth = (len(line) - len(line.lstrip())) // 4
            name, _, other = line.strip().partition(", a ")
            above[depth] = name
            yield name, above.get(depth - 1), other.removesuffix(" too")


def test_the_tree_is_the_one_that_is_drawn():
    names = []
    for name, base, other in drawn():
        names.append(name)
        bases = [kind.__name__ for kind in getattr(exceptions, name).__bases__]
        assert bases == [kind for kind in (base, other) if kind] or bases == ["Exception"]
    assert sorted(names) == CLASSES


@pytest.mark.parametrize("name", CLASSES)
def test_each_is_of_the_kind_that_its_name_says(name):
    kind = getattr(exceptions, name)
    assert issubclass(kind, exceptions.SleepError if "Error" in name else exceptions.SleepWarning)
    assert issubclass(kind, UserWarning) == name.endswith("Warning")
    assert kind.__doc__.count("\n") == 0
    assert str(pickle.loads(pickle.dumps(kind("what")))) == "what"  # noqa: S301 - just made


def test_errors_of_files_are_value_errors():
    assert issubclass(exceptions.EDFError, ValueError)
    assert issubclass(exceptions.HypnogramError, ValueError)
