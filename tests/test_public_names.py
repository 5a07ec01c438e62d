"""The names of the package: listed once, all there, in the wheel too."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from lazy_loader import attach_stub

import sklearn_sleep
from sklearn_sleep._version import __version__

PACKAGE = Path(sklearn_sleep.__file__).parent
STUB = PACKAGE / "__init__.pyi"

# What the documentation imports from a room; docs/design.md has the same list.
FACES = {
    "commands": ["score_signal_subsets", "signal_subsets"],
    "exceptions": ["EDFError", "HypnogramError", "MissingSignalWarning"],
    "features": [
        *("Breaths", "Heartbeats", "correct_beats", "detect_breaths", "detect_pulse_onsets"),
        *("detect_r_peaks", "detect_slow_waves", "detect_spindles"),
    ],
    "imaging": ["MONTAGES", "Grid", "Montage", "Trace", "draw_epochs", "read_envelope"],
    "io": [
        *("AnnotationFile", "Event", "HYPNOGRAM_FORMATS", "HypnogramFormat", "ReadOptions"),
        "StageAnnotations",
    ],
    "networks": [
        *("ACTIVATIONS", "EPOCH_MIXERS", "NORMS", "SEQUENCE_MIXERS", "Wav2Sleep"),
        "make_wav2sleep",
    ],
    "preprocessing": [
        *("EDFReader", "Epocher", "Filter", "Normalizer", "Padder", "RecordingCache"),
        *("RecordingTransformer", "Resampler"),
    ],
}


def names_of_stub():
    tree = ast.parse(STUB.read_text(encoding="utf-8"))
    return [a.name for node in tree.body if isinstance(node, ast.ImportFrom) for a in node.names]


def test_dir_shows_the_public_names_alone():
    assert dir(sklearn_sleep) == sorted(names_of_stub())
    assert sklearn_sleep.__all__ == dir(sklearn_sleep)


def test_each_name_is_listed_once_and_is_there():
    names = names_of_stub()
    assert len(names) == len(set(names))
    for name in names:
        value = getattr(sklearn_sleep, name)
        assert getattr(value, "__name__", name) == name


def test_names_say_in_the_stub_that_they_are_its_own():
    tree = ast.parse(STUB.read_text(encoding="utf-8"))
    aliases = [a for node in tree.body if isinstance(node, ast.ImportFrom) for a in node.names]
    assert all(alias.asname == alias.name for alias in aliases)


def test_version():
    assert sklearn_sleep.__version__ == __version__


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="Wav2SleepClasifier"):
        _ = sklearn_sleep.Wav2SleepClasifier


@pytest.mark.parametrize("room", FACES)
def test_documented_faces(room):
    face = __import__(f"sklearn_sleep.{room}", fromlist=FACES[room])
    for name in FACES[room]:
        assert hasattr(face, name), f"sklearn_sleep.{room}.{name}"


def test_faces_are_those_of_the_design():
    text = (PACKAGE.parent / "docs" / "design.md").read_text(encoding="utf-8")
    for room, names in FACES.items():
        line = next(
            line for line in text.splitlines() if line.startswith(f"| `sklearn_sleep.{room}`")
        )
        assert all(f"`{name}`" in line for name in names)


def test_wheel_without_the_checkout(tmp_path):
    """The wheel holds the stub and py.typed, and its names are those of the checkout."""
    checkout = PACKAGE.parent
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, checkout],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    place = tmp_path / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", place, wheel], check=True)
    assert (place / "sklearn_sleep" / "__init__.pyi").is_file()
    assert (place / "sklearn_sleep" / "py.typed").is_file()
    program = (
        f"import sys; sys.path.insert(0, {str(place)!r}); import sklearn_sleep; "
        "print(sklearn_sleep.__file__); print(dir(sklearn_sleep)); print(sklearn_sleep.__version__)"
    )
    file, names, version = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert Path(file).is_relative_to(place)
    assert ast.literal_eval(names) == dir(sklearn_sleep)
    assert version == __version__


def test_the_stub_is_what_the_loader_reads():
    _, loaded_dir, _ = attach_stub("sklearn_sleep", str(PACKAGE / "__init__.py"))
    assert loaded_dir() == dir(sklearn_sleep)
