"""The registry of formats: a new one is an entry, or a module among the others."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from pathlib import Path

import edfio
import hypnogram_tables
import numpy as np
import openpyxl
import pytest

from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io import (
    HYPNOGRAM_FORMATS,
    AnnotationFile,
    HypnogramFormat,
    StageAnnotations,
    read_hypnogram,
)
from sklearn_sleep.io.hypnograms import formats

DATA = Path(__file__).parents[2] / "data"
FILES = {
    "NSRR XML": DATA / "nsrr-translator-2014.xml",
    "Compumedics Profusion XML": DATA / "compumedics-profusion.xml",
    "EDF+ annotations": DATA / "SC4001EC-Hypnogram.edf",
}


def letters(file, options):
    codes = ["WN-DR".index(letter) for letter in file.text.strip().removeprefix("letters:")]
    return StageAnnotations.from_epochs(codes, options.epoch_duration)


LETTERS = HypnogramFormat(
    "letters in a line",
    recognises=lambda file: file.first_line.startswith("letters:"),
    read=letters,
)


def recognised_by(path):
    file = AnnotationFile(path)
    return [name for name, format_ in HYPNOGRAM_FORMATS.items() if format_.recognises(file)]


def test_each_file_is_recognised_by_one_format(tmp_path):
    path = tmp_path / "night"
    for name, file in FILES.items():
        assert recognised_by(file) == [name]
    openpyxl.Workbook().save(path)
    assert recognised_by(path) == ["ISRUC .xlsx"]


def write_example(text, format_name, path):
    """Write an example of a format's layout, rows as the file that holds them."""
    rows = [line.split("\t") for line in text.splitlines()]
    if format_name == "ISRUC .xlsx":
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(path)
    elif format_name == "EDF+ annotations":
        notes = [edfio.EdfAnnotation(float(a), float(b), note) for a, b, note in rows[1:]]
        edfio.Edf([], annotations=notes).write(path)
    else:
        path.write_text(text)


@pytest.mark.parametrize(
    ("name", "example"),
    [(name, text) for name, f in HYPNOGRAM_FORMATS.items() for text in f.examples],
)
def test_examples_of_layouts_are_two_epochs(tmp_path, name, example):
    path = tmp_path / "night.txt"
    write_example(example, name, path)
    assert recognised_by(path) == [name]
    start = datetime.fromisoformat("2009-03-01T22:00:00") if "22:00" in example else None
    stages = read_hypnogram(path, recording_start=start, n_epochs=2)
    assert stages.tolist() == [0, 2]


def test_each_format_has_an_example():
    assert all(format_.examples for format_ in HYPNOGRAM_FORMATS.values())


@pytest.mark.parametrize("name", ["mitdb-100-beats.npy", "README.md"])
def test_what_is_no_hypnogram_is_recognised_by_none(name):
    assert recognised_by(DATA / name) == []


def test_samples_of_a_recording_are_not_read_to_tell_its_format(monkeypatch):
    def fail(path):
        raise AssertionError(path)

    monkeypatch.setattr(Path, "read_bytes", fail)
    assert recognised_by(DATA / "sleep-edf-5min.edf") == ["EDF+ annotations"]


def test_a_new_entry_is_read_and_named_in_messages(tmp_path, monkeypatch):
    path = tmp_path / "night.txt"
    path.write_text("letters:WWNDR")
    with pytest.raises(HypnogramError) as unknown:
        read_hypnogram(path)
    for name in HYPNOGRAM_FORMATS:
        assert name in str(unknown.value)
    monkeypatch.setitem(HYPNOGRAM_FORMATS, LETTERS.name, LETTERS)
    np.testing.assert_array_equal(read_hypnogram(path, n_epochs=6), [0, 0, 1, 3, 4, -1])
    with pytest.raises(HypnogramError, match=r"Known are .*, and letters in a line\. Of a table"):
        read_hypnogram(DATA / "README.md")


def test_a_new_entry_is_asked_before_ours(tmp_path, monkeypatch):
    path = tmp_path / "night.csv"
    path.write_text("stage\nW\n")
    rem = StageAnnotations.from_epochs([4], 30.0)
    mine = HypnogramFormat("mine", lambda file: "stage" in file.text, lambda file, options: rem)
    monkeypatch.setitem(HYPNOGRAM_FORMATS, "mine", mine)
    np.testing.assert_array_equal(read_hypnogram(path), [4])


def test_a_module_among_the_formats_is_found(tmp_path, monkeypatch):
    (tmp_path / "letters.py").write_text(
        "from sklearn_sleep.io import HypnogramFormat\n"
        "FORMAT = HypnogramFormat('letters', lambda file: False, None)\n"
    )
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    found = formats.find_formats()
    sys.modules.pop(f"{formats.__name__}.letters")
    assert set(found) == {*HYPNOGRAM_FORMATS, "letters"}


def test_every_format_says_where_it_comes_from_and_stands_in_the_docs():
    docs = read_hypnogram.__doc__
    for name, format_ in HYPNOGRAM_FORMATS.items():
        assert format_.name == name
        assert format_.origin
        assert all(word in docs for word in re.findall(r"\.\w[\w.]*|[A-Z]{3,}\+?", name)), name


def test_the_page_of_formats_lists_what_is_known():
    page = hypnogram_tables.PAGE.read_text(encoding="utf-8")
    assert page == hypnogram_tables.filled(page)
