"""Downloads from a server on this machine: complete, cut off and resumed, wrong, missing."""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from eznas.benchmarks import download as download_module
from eznas.benchmarks import sources
from eznas.benchmarks.download import fetch, verify
from eznas.benchmarks.store import path_of
from eznas.errors import InputError

SPACE = "nasbench-macro"
CONTENT = json.dumps({f"0000{i:04d}": {"test_acc": [50 + i / 1000]} for i in (0, 1, 2, 10, 11)})
CONTENT = (CONTENT + " " * 100_000).encode()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT.

    cut: bytes after which an answer is cut off; ranges: whether it can resume; requested_ranges:
    the header `Range` of every request.
    """

    daemon_threads = True
    content, cut, ranges = CONTENT, None, True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requested_ranges = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        header = self.headers.get("Range")
        server.requested_ranges.append(header)
        begin = int(header.removeprefix("bytes=").rstrip("-")) if header and server.ranges else 0
        if self.path != "/file":
            return self.send_error(404)
        if begin and begin >= len(server.content):
            return self.send_error(416)
        self.send_response(206 if begin else 200)
        if begin:
            last = len(server.content) - 1
            self.send_header("Content-Range", f"bytes {begin}-{last}/{len(server.content)}")
        self.send_header("Content-Length", str(len(server.content) - begin))
        self.send_header("Connection", "close")
        self.end_headers()
        end = None if server.cut is None else begin + server.cut
        self.wfile.write(server.content[begin:end])
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
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert file_names(cache) == ["macro.json"]
    path_of(SPACE).unlink()
    assert fetch(SPACE) == summary
    assert server.requested_ranges == [None]


def test_a_download_that_is_cut_off_is_resumed(server, set_source, cache):
    server.cut = 1000
    message = fetch_error()
    assert f"/file: cut off after 1000 of {len(CONTENT)} bytes" in message
    assert "the next fetch continues from there" in message
    assert file_names(cache) == ["macro.json.partial"]
    assert (cache / "macro.json.partial").read_bytes() == CONTENT[:1000]
    assert not path_of(SPACE).exists()
    server.cut = None
    assert fetch(SPACE)["origin"]["sha256"] == SHA256
    assert server.requested_ranges == [None, "bytes=1000-"]
    assert file_names(cache) == ["macro.json"]


def test_a_server_that_cannot_resume_sends_the_whole_file(server, set_source, cache):
    server.cut, server.ranges = 1000, False
    fetch_error()
    server.cut = None
    assert fetch(SPACE)["origin"]["sha256"] == SHA256
    assert server.requested_ranges == [None, "bytes=1000-"]


@pytest.mark.parametrize("surplus", [b"", b"more"])
def test_a_partial_file_as_long_as_the_whole_is_started_over(server, set_source, cache, surplus):
    cache.mkdir()
    (cache / "macro.json.partial").write_bytes(b"?" * len(CONTENT) + surplus)
    assert fetch(SPACE)["origin"]["sha256"] == SHA256
    assert server.requested_ranges == [f"bytes={len(CONTENT) + len(surplus)}-", None]


def test_a_wrong_checksum_leaves_nothing(server, set_source, cache):
    server.content = CONTENT.replace(b"50.0", b"51.0")
    assert f"expected a file with SHA-256 {SHA256}; the downloaded one differs" in fetch_error()
    assert file_names(cache) == []
    assert not path_of(SPACE).exists()


def test_a_partial_file_of_something_else_is_removed(server, set_source, cache):
    cache.mkdir()
    (cache / "macro.json.partial").write_bytes(b"?" * 500)
    assert "the downloaded one differs and was removed" in fetch_error()
    assert file_names(cache) == []
    assert fetch(SPACE)["networks"] == 5


def test_a_damaged_file_in_the_cache_is_downloaded_again(server, set_source, cache):
    fetch(SPACE)
    (cache / "macro.json").write_bytes(b"junk")
    assert fetch(SPACE)["origin"]["sha256"] == SHA256
    assert server.requested_ranges == [None, None]


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
    assert (
        fetch_error()
        == "http://127.0.0.1:1/file: cannot be fetched: [Errno 111] Connection refused"
    )
    assert file_names(cache) == []


def test_a_server_without_the_file(server, set_source, cache):
    set_source(path="/other")
    assert re.search("/other: cannot be fetched: Not Found$", fetch_error())
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
