"""The examples run, in a small size."""

import importlib.util
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "examples"


def run(name, arguments):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(arguments)


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_compare_signals():
    table = run("compare_signals", ["--subjects", "8", "--hours", "0.5", "--epochs", "1"])
    assert list(table.index) == ["heart", "breath", "all signals", "heart and breath, stacked"]
    assert table[["accuracy", "f1_macro"]].stack().between(0, 1).all()
    assert table["kappa"].between(-1, 1).all()
