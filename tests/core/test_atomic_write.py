"""A file is whole or not there."""

import errno
import os
import subprocess
import sys

import pytest

from sklearn_sleep.core.atomic_write import atomic_write, remove_partials


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


FULL = """
import resource, sys
from sklearn_sleep.core.atomic_write import atomic_write
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with atomic_write(sys.argv[1]) as partial:
        partial.write_bytes(bytes(1001))
except OSError as error:
    print(error)
"""


def test_a_file_for_which_there_is_no_space(tmp_path):
    path = tmp_path / "hypnogram.csv"
    path.write_text("old")
    told = subprocess.run(
        [sys.executable, "-c", FULL, path], check=True, capture_output=True, text=True
    ).stdout
    assert told.startswith("[Errno 28] The disk is full, and this file was not written; free some")
    assert str(path) in told
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_other_errors_are_what_they_are(tmp_path):
    error = PermissionError(errno.EACCES, "Permission denied")

    def write():
        with atomic_write(tmp_path / "hypnogram.csv"):
            raise error

    with pytest.raises(PermissionError) as raised:
        write()
    assert raised.value is error


def test_what_killed_processes_had_begun_is_removed_when_it_is_old(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / ".folder.0.partial").mkdir()
    (tmp_path / ".folder.0.partial" / "file").write_text("")
    names = [".a.0.partial", ".b.0.partial", "mine.partial", "below/.c.0.partial"]
    for name in names:
        (tmp_path / name).write_text("")
    for name in (".folder.0.partial", ".a.0.partial", "mine.partial", "below/.c.0.partial"):
        os.utime(tmp_path / name, (0, 0))
    remove_partials(tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert left == {"below", ".b.0.partial", "mine.partial", "below/.c.0.partial"}
    remove_partials(tmp_path, "**/.*.partial", older_than=-1)
    assert {path.name for path in tmp_path.iterdir()} == {"below", "mine.partial"}
    remove_partials(tmp_path / "nowhere")
