"""A file is whole or not there."""

import subprocess
import sys

import pytest

from sklearn_sleep.core.atomic_write import atomic_write


def test_old_content_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "hypnogram.csv"
    path.write_text("old")
    with atomic_write(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        with atomic_write(path) as other:
            assert other != partial
            other.write_text("newer")
        assert path.read_text() == "newer"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_fails_leaves_nothing(error, tmp_path):
    path = tmp_path / "hypnogram.csv"
    path.write_text("old")

    def write():
        with atomic_write(path) as partial:
            partial.write_text("ne")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_killed_process_leaves_a_hidden_file_only(tmp_path):
    path = tmp_path / "hypnogram.csv"
    script = (
        "import os, sys\n"
        "from sklearn_sleep.core.atomic_write import atomic_write\n"
        "with atomic_write(sys.argv[1]) as partial:\n"
        "    partial.write_text('ne')\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, path], check=False).returncode == 9
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".hypnogram.csv.")
    assert left.suffix == ".partial"
