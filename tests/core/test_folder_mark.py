"""Folders say what they hold, and what other versions left is refused by name."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from sklearn_sleep import __version__
from sklearn_sleep.core.folder_mark import FolderMark

MARK = FolderMark("things.json", "set of things", 2, {"processing": 3}, unmarked="old/*.json")
ALONE = FolderMark("things.json", "set of things", 2, only_if_empty=True)


def test_a_folder_is_claimed_once_and_used_again(tmp_path):
    folder = tmp_path / "new" / "things"
    assert not MARK.check(folder)
    assert not folder.exists()
    MARK.claim(folder)
    content = (folder / "things.json").read_bytes()
    assert json.loads(content) == {
        "format": "sklearn_sleep set of things",
        "version": 2,
        "processing": 3,
        "written_by": __version__,
    }
    assert MARK.check(folder)
    (folder / "old").mkdir()
    (folder / "old" / "thing.json").write_text("{}")
    MARK.claim(folder)
    assert (folder / "things.json").read_bytes() == content


@pytest.mark.parametrize("change", [{"version": 1}, {"version": 3}, {"processing": 2}])
def test_other_formats_are_refused_by_the_version_that_wrote_them(change, tmp_path):
    MARK.claim(tmp_path)
    mark = tmp_path / "things.json"
    content = json.loads(mark.read_text())
    mark.write_text(json.dumps({**content, **change, "written_by": "0.7.3"}))
    with pytest.raises(ValueError, match=r"sklearn_sleep 0\.7\.3 wrote.*or delete this one"):
        MARK.claim(tmp_path)


def test_another_version_of_the_package_is_no_other_format(tmp_path):
    MARK.claim(tmp_path)
    mark = tmp_path / "things.json"
    content = json.loads(mark.read_text())
    mark.write_text(json.dumps({**content, "written_by": "9.9"}))
    assert MARK.check(tmp_path)


def test_a_mark_that_does_not_name_its_writer_is_of_the_first_version(tmp_path):
    (tmp_path / "things.json").write_text('{"format": "sklearn_sleep set of things", "version": 1}')
    with pytest.raises(ValueError, match=r"sklearn_sleep 0\.1\.0 wrote"):
        MARK.check(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": "sklearn_sleep cache", "version": 2}'])
def test_marks_of_something_else(content, tmp_path):
    (tmp_path / "things.json").write_text(content)
    with pytest.raises(ValueError, match=r"things\.json is not the mark of a set of things"):
        MARK.claim(tmp_path)


def test_what_the_first_version_left_without_a_mark(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    assert not MARK.check(tmp_path)
    (tmp_path / "old" / "thing.json").write_text("{}")
    with pytest.raises(ValueError, match=r"set of things that sklearn_sleep 0\.1\.0 wrote"):
        MARK.claim(tmp_path)
    assert not (tmp_path / "things.json").exists()


def test_a_folder_with_something_else_is_claimed_only_where_that_is_allowed(tmp_path):
    (tmp_path / ".things.json.0.partial").write_text("")
    assert not ALONE.check(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty and not a set of things"):
        ALONE.claim(tmp_path)
    MARK.claim(tmp_path)


def test_many_claim_a_folder_at_once(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            list(pool.map(ALONE.claim, [tmp_path / str(number)] * 8))
