"""fetch_sleep_edf, from a server on this machine that stands in for PhysioNet."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from sklearn_sleep.datasets import fetch_sleep_edf, fetching, load_sleep_edf
from sklearn_sleep.simulation.make_cohort import make_cohort


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Two cassette subjects and one of telemetry, as the provider has them."""
    folder = tmp_path_factory.mktemp("physionet")
    make_cohort(folder, layout="sleep_edf", n_subjects=3, hours=0.5, second_visit_probability=1.0)
    return folder


@pytest.fixture
def server(published, monkeypatch):
    """Serve the files, count what is asked for, and know their checksums."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *arguments):
            pass

    checksums = {
        path.relative_to(published).as_posix(): hashlib.sha1(path.read_bytes()).hexdigest()  # noqa: S324
        for path in published.glob("sleep-*/*.edf")
    }
    monkeypatch.setattr(fetching, "_read_registry", lambda: checksums)
    handler = partial(Handler, directory=str(published))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}/", asked
        running.shutdown()
        thread.join()


def test_files_arrive_whole_and_are_loaded(server, published, tmp_path):
    url, asked = server
    cohort = fetch_sleep_edf(tmp_path / "here", base_url=url, n_jobs=2)
    expected = load_sleep_edf(published)
    np.testing.assert_array_equal(cohort.y, expected.y)
    assert cohort.groups.tolist() == expected.groups.tolist()
    for path in (tmp_path / "here").rglob("*.edf"):
        name = path.relative_to(tmp_path / "here")
        assert path.read_bytes() == (published / name).read_bytes()
    assert len(asked) == 12


def test_interrupted_download_goes_on(server, tmp_path):
    url, asked = server
    fetch_sleep_edf(tmp_path, subjects=[0], base_url=url)
    assert len(asked) == 4
    cut = tmp_path / "sleep-cassette" / "SC4001E0-PSG.edf"
    whole = cut.read_bytes()
    cut.write_bytes(whole[:1000])
    asked.clear()
    X, y, groups = fetch_sleep_edf(tmp_path, base_url=url, return_X_y_groups=True)
    assert cut.read_bytes() == whole
    assert len(asked) == 9  # the one that was cut, and eight that were not there
    assert len(X) == len(y) == len(groups)
    asked.clear()
    fetch_sleep_edf(tmp_path, base_url=url)
    assert asked == []


def test_studies_and_subjects(server, tmp_path):
    url, asked = server
    fetch_sleep_edf(tmp_path, studies=["telemetry"], base_url=url)
    assert len(asked) == 4
    assert all("sleep-telemetry" in path for path in asked)
    with pytest.raises(ValueError, match="subjects: 7, 9 not in cassette and telemetry"):
        fetch_sleep_edf(tmp_path, subjects=[0, 9, 7], base_url=url)
    with pytest.raises(ValueError, match="some of cassette, telemetry"):
        fetch_sleep_edf(tmp_path, studies=["home"], base_url=url)


def test_file_that_is_not_what_was_published_is_refused(server, tmp_path, monkeypatch):
    url, _ = server
    wrong = {"sleep-cassette/SC4001E0-PSG.edf": "0" * 40}
    monkeypatch.setattr(fetching, "_read_registry", lambda: wrong)
    with pytest.raises(ValueError, match="does not match the known hash"):
        fetch_sleep_edf(tmp_path, base_url=url)
    assert not list(tmp_path.rglob("*.edf"))


def test_published_checksums_are_of_all_recordings():
    registry = fetching._read_registry()
    recordings = [name for name in registry if name.endswith("-PSG.edf")]
    assert len([name for name in recordings if "cassette" in name]) == 153
    assert len([name for name in recordings if "telemetry" in name]) == 44
    assert len(registry) == 2 * len(recordings)
    assert all(len(checksum) == 40 for checksum in registry.values())
    # https://physionet.org/files/sleep-edfx/1.0.0/SHA1SUMS of a file that is in the repository.
    assert registry["sleep-cassette/SC4001EC-Hypnogram.edf"].startswith("21c998ea")


def test_checksum_is_that_of_the_real_hypnogram(data_folder):
    content = (data_folder / "SC4001EC-Hypnogram.edf").read_bytes()
    registry = fetching._read_registry()
    found = hashlib.sha1(content).hexdigest()  # noqa: S324
    assert registry["sleep-cassette/SC4001EC-Hypnogram.edf"] == found
