"""Damage of files that know their checksum is found."""

import json

import pytest

from sklearn_sleep.core.checksums import file_checksum, read_checked_json, to_checked_json

CONTENT = {"names": ["W", "N1"], "prior": [0.1, 1 / 3], "none": None, "nan": float("nan")}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(to_checked_json(CONTENT))
    return path


def test_content_comes_back_without_its_checksum(path):
    assert json.dumps(read_checked_json(path)) == json.dumps(CONTENT)


def test_every_flipped_bit_is_found_or_changes_nothing(path):
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            content = bytearray(whole)
            content[place] ^= 1 << bit
            path.write_bytes(content)
            try:
                found = read_checked_json(path)
            except ValueError:
                continue
            # White space, or the name of the checksum.
            others = {name: value for name, value in found.items() if name in CONTENT}
            assert json.dumps(others) == json.dumps(CONTENT)
            assert len(found) <= len(CONTENT) + 1


def test_what_was_changed_by_hand_says_how_to_be_used(path):
    changed = json.loads(path.read_text())
    changed["names"] = ["wake", "N1"]
    path.write_text(json.dumps(changed))
    with pytest.raises(ValueError, match=r"model\.json is not as it was written.*'checksum'"):
        read_checked_json(path)
    del changed["checksum"]
    path.write_text(json.dumps(changed))
    assert read_checked_json(path)["names"] == ["wake", "N1"]


def test_something_else(path):
    path.write_text("[1]")
    with pytest.raises(ValueError, match="holds a list, not values by name"):
        read_checked_json(path)


def test_checksum_of_a_file(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # FIPS 180-2
    assert file_checksum(tmp_path / "empty") == expected
