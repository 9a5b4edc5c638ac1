"""Downloads from a server on this machine: complete, cut off, wrong, missing."""

import gc
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from eznas.benchmarks import download as download_module
from eznas.benchmarks import sources
from eznas.benchmarks.download import fetch, verify
from eznas.benchmarks.store import path_of
from eznas.errors import InputError

# pooch leaves the connection of a failed download to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

SPACE = "nasbench-macro"
CONTENT = json.dumps({f"0000{i:04d}": {"test_acc": [50 + i / 1000]} for i in (0, 1, 2, 10, 11)})
CONTENT = (CONTENT + " " * 600_000).encode()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT.

    cut: bytes after which an answer is cut off; requests: how many there were.
    """

    daemon_threads = True
    content, cut, requests = CONTENT, None, 0

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.requests += 1
        if self.path != "/file":
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(server.content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(server.content[: server.cut])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()
    gc.collect()  # while its warning is ignored


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "downloads"


@pytest.fixture
def set_source(server, monkeypatch):
    """Puts one source, a file of the server, in place of the table of sources."""

    def replace(sha256=SHA256, path="/file", url=None):
        url = url or f"http://127.0.0.1:{server.server_port}{path}"
        source = sources.Source((SPACE,), "macro.json", url, sha256, "MIT", "somewhere")
        for module in (sources, download_module):
            monkeypatch.setattr(module, "SOURCES", (source,))

    replace()
    return replace


def file_names(folder):
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def fetch_error(space=SPACE):
    with pytest.raises(InputError) as raised:
        fetch(space)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_file_is_downloaded_once_and_imported(server, set_source, cache):
    calls = []
    summary = fetch(SPACE, lambda done, total: calls.append((done, total)))
    assert (summary["networks"], summary["origin"]) == (
        5,
        {"file": "macro.json", "sha256": SHA256},
    )
    assert calls[-1] == (len(CONTENT), len(CONTENT))
    assert calls == sorted(calls)
    assert calls[0][0] < len(CONTENT)
    assert file_names(cache) == ["macro.json"]
    path_of(SPACE).unlink()
    assert fetch(SPACE) == summary
    assert server.requests == 1


def test_a_download_that_is_cut_off_is_fetched_again(server, set_source, cache):
    server.cut = 1000
    rest = len(CONTENT) - 1000
    assert f"/file: cannot be fetched: IncompleteRead(1000 bytes read, {rest} more" in fetch_error()
    assert file_names(cache) == []
    assert not path_of(SPACE).exists()
    server.cut = None
    assert fetch(SPACE)["origin"]["sha256"] == SHA256
    assert file_names(cache) == ["macro.json"]


def test_a_wrong_checksum_leaves_nothing(server, set_source, cache):
    server.content = CONTENT.replace(b"50.0", b"51.0")
    assert f"expected a file with SHA-256 {SHA256}; the downloaded one differs" in fetch_error()
    assert file_names(cache) == []
    assert not path_of(SPACE).exists()


def test_a_damaged_file_in_the_cache_is_downloaded_again(server, set_source, cache):
    fetch(SPACE)
    (cache / "macro.json").write_bytes(b"junk")
    assert fetch(SPACE)["origin"]["sha256"] == SHA256
    assert server.requests == 2


def test_without_a_published_checksum_the_first_one_is_kept(server, set_source, cache):
    set_source(sha256="")
    fetch(SPACE)
    assert (cache / "macro.json.sha256").read_text() == f"{SHA256}\n"
    assert [row["problem"] for row in verify(SPACE)] == ["", ""]
    server.content = CONTENT.replace(b"50.0", b"51.0")
    (cache / "macro.json").unlink()
    assert f"with SHA-256 {SHA256} (from {cache / 'macro.json.sha256'}); the" in fetch_error()


def test_no_server(set_source, cache):
    set_source(url="http://127.0.0.1:1/file")
    message = "http://127.0.0.1:1/file: cannot be fetched: [Errno 111] Connection refused"
    assert fetch_error() == message
    assert file_names(cache) == []


def test_a_server_without_the_file(server, set_source, cache):
    set_source(path="/other")
    assert "/other: cannot be fetched: 404 Client Error: Not Found" in fetch_error()
    assert file_names(cache) == []


def test_a_file_that_cannot_be_imported_leaves_the_earlier_table(server, set_source):
    fetch(SPACE)
    earlier = path_of(SPACE).read_bytes()
    server.content = b"{}"
    set_source(sha256=hashlib.sha256(b"{}").hexdigest())
    assert "macro.json: expected an object of architectures" in fetch_error()
    assert path_of(SPACE).read_bytes() == earlier


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("nasbench", "unknown space 'nasbench'"),
        ("nasbench201", "its ground truth comes with a package"),
        ("nasbench101", "nasbench_only108.tfrecord cannot be downloaded from here"),
        ("nats-size", "the authors' Google Drive"),
        ("nds-nasnet-fix", "no official file is known; `eznas data import nds-nasnet-fix FILE`"),
    ],
)
def test_spaces_without_a_download_are_refused(space, message, cache):
    assert message in fetch_error(space)
    assert file_names(cache) == []


def test_verify_reads_tables_and_hashes_downloads(server, set_source, cache):
    fetch(SPACE)
    checked = ["table of nasbench201", f"table of {SPACE}", "download macro.json"]
    assert verify() == [{"what": what, "problem": ""} for what in checked]
    (cache / "macro.json").write_bytes(b"junk")
    path_of(SPACE).write_bytes(path_of(SPACE).read_bytes()[:-9])
    packaged, table, download = verify()
    assert packaged["problem"] == ""
    assert "damaged, import it again" in table["problem"]
    junk = hashlib.sha256(b"junk").hexdigest()
    assert f"SHA-256 {junk}, expected {SHA256}" in download["problem"]
    assert [row["what"] for row in verify("nasbench201")] == ["table of nasbench201"]


def test_a_download_without_any_checksum_cannot_be_verified(server, set_source, cache):
    set_source(sha256="")
    fetch(SPACE)
    (cache / "macro.json.sha256").unlink()
    assert "no checksum to compare with" in verify(SPACE)[1]["problem"]


def test_verify_needs_a_table_of_a_known_space():
    with pytest.raises(InputError, match="unknown space 'nasbench'"):
        verify("nasbench")
    with pytest.raises(InputError, match="no ground truth of nasbench101 here"):
        verify("nasbench101")
