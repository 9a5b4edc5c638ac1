"""Downloads from a server on this machine: whole, broken off and gone on with, wrong, none."""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from eznas.benchmarks import download as fetching
from eznas.benchmarks import sources
from eznas.benchmarks.download import fetch, verify
from eznas.benchmarks.store import path_of
from eznas.errors import InputError

SPACE = "nasbench-macro"
CONTENT = json.dumps({f"0000{i:04d}": {"test_acc": [50 + i / 1000]} for i in (0, 1, 2, 10, 11)})
CONTENT = (CONTENT + " " * 100_000).encode()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT; `cut`: so many bytes of an answer come; `ranges`: whether it can resume."""

    daemon_threads = True
    content, cut, ranges = CONTENT, None, True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.asked.append(asked)
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
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
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "downloads"


@pytest.fixture
def offered(server, monkeypatch):
    """A way to say what the table of sources has."""

    def offer(sha256=SHA256, path="/file", url=None):
        url = url or f"http://127.0.0.1:{server.server_port}{path}"
        source = sources.Source((SPACE,), "macro.json", url, sha256, "MIT", "somewhere")
        for module in (sources, fetching):
            monkeypatch.setattr(module, "SOURCES", (source,))

    offer()
    return offer


def names(folder):
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def complaint(space=SPACE):
    with pytest.raises(InputError) as caught:
        fetch(space)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_is_downloaded_once_and_imported(server, offered, cache):
    told = []
    found = fetch(SPACE, lambda done, total: told.append((done, total)))
    assert (found["networks"], found["origin"]) == (5, {"file": "macro.json", "sha256": SHA256})
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert names(cache) == ["macro.json"]
    path_of(SPACE).unlink()
    assert fetch(SPACE) == found
    assert server.asked == [None]


def test_a_download_that_is_cut_off_goes_on(server, offered, cache):
    server.cut = 1000
    line = complaint()
    assert f"/file: cut off after 1000 of {len(CONTENT)} bytes" in line
    assert "the next fetch goes on from there" in line
    assert names(cache) == ["macro.json.partial"]
    assert (cache / "macro.json.partial").read_bytes() == CONTENT[:1000]
    assert not path_of(SPACE).exists()
    server.cut = None
    assert fetch(SPACE)["origin"]["sha256"] == SHA256
    assert server.asked == [None, "bytes=1000-"]
    assert names(cache) == ["macro.json"]


def test_a_server_that_cannot_resume_sends_all_of_it(server, offered, cache):
    server.cut, server.ranges = 1000, False
    complaint()
    server.cut = None
    assert fetch(SPACE)["origin"]["sha256"] == SHA256
    assert server.asked == [None, "bytes=1000-"]


@pytest.mark.parametrize("more", [b"", b"more"])
def test_a_partial_file_as_long_as_the_whole_is_begun_anew(server, offered, cache, more):
    cache.mkdir()
    (cache / "macro.json.partial").write_bytes(b"?" * len(CONTENT) + more)
    assert fetch(SPACE)["origin"]["sha256"] == SHA256
    assert server.asked == [f"bytes={len(CONTENT) + len(more)}-", None]


def test_a_wrong_checksum_leaves_nothing(server, offered, cache):
    server.content = CONTENT.replace(b"50.0", b"51.0")
    assert f"not the file that was expected, with SHA-256 {SHA256}; it was thrown" in complaint()
    assert names(cache) == []
    assert not path_of(SPACE).exists()


def test_a_wrong_beginning_is_thrown_away(server, offered, cache):
    cache.mkdir()
    (cache / "macro.json.partial").write_bytes(b"?" * 500)
    assert "not the file that was expected" in complaint()
    assert names(cache) == []
    assert fetch(SPACE)["networks"] == 5


def test_a_damaged_file_in_the_cache_is_downloaded_anew(server, offered, cache):
    fetch(SPACE)
    (cache / "macro.json").write_bytes(b"junk")
    assert fetch(SPACE)["origin"]["sha256"] == SHA256
    assert server.asked == [None, None]


def test_without_a_published_checksum_the_first_one_is_kept(server, offered, cache):
    offered(sha256="")
    fetch(SPACE)
    assert (cache / "macro.json.sha256").read_text() == f"{SHA256}\n"
    assert [row["problem"] for row in verify(SPACE)] == ["", ""]
    server.content = CONTENT.replace(b"50.0", b"51.0")
    (cache / "macro.json").unlink()
    assert f"expected, with SHA-256 {SHA256} (from {cache / 'macro.json.sha256'})" in complaint()


def test_no_server(offered, cache):
    offered(url="http://127.0.0.1:1/file")
    assert (
        complaint() == "http://127.0.0.1:1/file: cannot be fetched: [Errno 111] Connection refused"
    )
    assert names(cache) == []


def test_a_server_without_the_file(server, offered, cache):
    offered(path="/other")
    assert re.search("/other: cannot be fetched: Not Found$", complaint())
    assert names(cache) == []


def test_a_file_that_cannot_be_imported_leaves_the_earlier_table(server, offered):
    fetch(SPACE)
    before = path_of(SPACE).read_bytes()
    server.content = b"{}"
    offered(sha256=hashlib.sha256(b"{}").hexdigest())
    assert "macro.json: expected an object of architectures" in complaint()
    assert path_of(SPACE).read_bytes() == before


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("nasbench", "unknown space 'nasbench'"),
        ("nasbench201", "its ground truth comes with a package"),
        ("nasbench101", "nasbench_only108.tfrecord cannot be downloaded from here"),
        ("nats-size", "the authors' Google Drive"),
        ("nds-nasnet-fix", "no official file is known; `eznas data import nds-nasnet-fix FILE`"),
    ],
)
def test_what_cannot_be_fetched(space, said, cache):
    assert said in complaint(space)
    assert names(cache) == []


def test_verify_reads_tables_and_hashes_downloads(server, offered, cache):
    fetch(SPACE)
    whats = ["table of nasbench201", f"table of {SPACE}", "download macro.json"]
    assert verify() == [{"what": what, "problem": ""} for what in whats]
    (cache / "macro.json").write_bytes(b"junk")
    path_of(SPACE).write_bytes(path_of(SPACE).read_bytes()[:-9])
    packaged, table, file = verify()
    assert packaged["problem"] == ""
    assert "damaged, import it again" in table["problem"]
    junk = hashlib.sha256(b"junk").hexdigest()
    assert f"SHA-256 {junk}, expected {SHA256}" in file["problem"]
    assert [row["what"] for row in verify("nasbench201")] == ["table of nasbench201"]


def test_a_download_without_any_checksum_is_no_proof(server, offered, cache):
    offered(sha256="")
    fetch(SPACE)
    (cache / "macro.json.sha256").unlink()
    assert "no checksum to compare with" in verify(SPACE)[1]["problem"]


def test_verify_needs_something_to_read():
    with pytest.raises(InputError, match="unknown space 'nasbench'"):
        verify("nasbench")
    with pytest.raises(InputError, match="no ground truth of nasbench101 here"):
        verify("nasbench101")
