"""Files are written atomically; untrusted JSON is checked."""

import math
import os
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from eznas.errors import InputError
from eznas.system.files import (
    DEEPEST,
    LARGEST,
    append,
    copy_folder,
    digest_of,
    plain,
    read_as,
    read_json,
    read_sealed,
    write_sealed,
    write_whole,
)


def test_numbers_that_are_not_finite_become_null():
    content = {"a": -math.inf, "b": (math.nan, [math.inf, 1.5]), 3: np.float64("nan")}
    assert plain(content) == {"a": None, "b": [None, [None, 1.5]], "3": None}
    assert plain("nan") == "nan"
    assert plain([1, True, None, "x"]) == [1, True, None, "x"]


def test_json_that_is_missing_or_damaged(tmp_path):
    with pytest.raises(InputError, match=r"none\.json: No such file"):
        read_json(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"a": [1')
    with pytest.raises(InputError, match=r"half\.json: damaged"):
        read_json(tmp_path / "half.json")
    (tmp_path / "half.json").write_text('{"a": [1]}')
    assert read_json(tmp_path / "half.json") == {"a": [1]}


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "mine.json"
    write_whole(file, "old")

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", disk_full)
    with pytest.raises(InputError, match=r"mine\.json: cannot write: No space left"):
        write_whole(file, "new")
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["mine.json"]


def test_a_path_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("")
    before = sorted(tmp_path.rglob("*"))
    for path in ("none/mine.json", "text/mine.json", "x" * 300, ".", "..", ""):
        with pytest.raises(InputError, match="cannot write"):
            write_whole(type(tmp_path)(path), "text")
    assert sorted(tmp_path.rglob("*")) == before


class Schema(BaseModel):
    number: int
    more: list[Any] = []


def nested(levels):
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"number": 1, "number": 2}', "damaged: the key 'number' stands twice"),
        (b'{"number": 1, "more": [{"a": 1, "a": 1}]}', "damaged: the key 'a' stands twice"),
        (b'{"number": 1, "more": [NaN]}', "damaged: .*JSON"),
        (b'{"number": 1, "more": [1e999]}', "damaged: .*JSON"),
        (b'{"number": 1, "more": ["\\ud800"]}', "damaged: .*surrogates"),
        (b'{"number": 1, "more": [' + b"9" * 5000 + b"]}", "damaged: .*digits"),
        (b'{"number": 1, "more": ' + nested(DEEPEST) + b"}", "damaged: nested deeper than"),
        (nested(900), "damaged: nested deeper than"),
        (nested(100_000), "damaged: nested too deeply"),
        (b"[" * 100_000, "damaged: nested too deeply"),
        (b'{"number": 1}'.decode().encode("utf-16"), "damaged: .*utf-8"),
        (b"\xef\xbb\xbf{}", "damaged: .*BOM"),
        (b'{"number": "\0"}', "damaged: .*control character"),
        (b"\0" * 100, "damaged: "),
        (b"", "damaged: "),
        (b"[]", "content: Input should be"),
        (b'{"number": "\\u001b[31m"}', "number: Input should be a valid integer"),
        (b'{"number": 1.5}', "number: Input should be"),
        (b'{"number": null}', "number: Input should be"),
    ],
)
def test_bad_json_is_refused(tmp_path, content, message):
    (tmp_path / "mine.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"mine\.json: {message}") as caught:
        read_as(tmp_path / "mine.json", Schema)
    assert str(caught.value).isprintable()


def test_further_keys_and_deep_json_are_read(tmp_path):
    (tmp_path / "mine.json").write_bytes(
        b'{"number": 1, "more": ' + nested(DEEPEST - 1) + b', "other": 2}'
    )
    assert read_as(tmp_path / "mine.json", Schema).number == 1


def test_a_large_file_is_not_read(tmp_path, monkeypatch):
    file = tmp_path / "mine.json"
    file.write_bytes(b"1" + b" " * LARGEST)
    with monkeypatch.context() as patched:
        patched.setattr(type(file), "read_bytes", None)
        message = rf"mine\.json: {LARGEST + 1} bytes, at most {LARGEST}"
        with pytest.raises(InputError, match=message):
            read_as(file, int)
    assert read_json(file) == 1


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "pipe.json", "linked.json"])
def test_a_pipe_or_a_device_is_not_read(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.json")
    os.symlink("pipe.json", "linked.json")
    with pytest.raises(InputError, match=f"{path}: a pipe or a device, expected a file"):
        read_as(type(tmp_path)(path), Schema)


@pytest.mark.parametrize("name", ["", "..", "none/mine.json", "x" * 300, "a\0b", "\ud800", "a\nb"])
def test_a_name_that_is_not_that_of_a_file_is_refused(tmp_path, name):
    with pytest.raises(InputError) as caught:
        read_as(tmp_path / name, Schema)
    assert str(caught.value).startswith(str(tmp_path))
    assert str(caught.value).isprintable()


def test_appending_replaces_all_beyond_the_end(tmp_path):
    path = tmp_path / "log"
    append(path, b"one\n", 0)
    append(path, b"two\n", 4)
    assert path.read_bytes() == b"one\ntwo\n"
    append(path, b"2\n", 4)
    assert path.read_bytes() == b"one\n2\n"
    with pytest.raises(InputError, match="cannot write: Is a directory"):
        append(tmp_path, b"", 0)


def test_a_seal_reveals_every_change(tmp_path):
    path, content = tmp_path / "sealed", b'{"a": 1}\n{"b": 2}'
    write_sealed(path, content)
    assert read_sealed(path) == content
    sealed = path.read_bytes()
    for i in range(len(sealed)):
        for changed in (sealed[:i], sealed[:i] + bytes([sealed[i] ^ 1]) + sealed[i + 1 :]):
            path.write_bytes(changed)
            with pytest.raises(InputError, match="sealed: damaged"):
                read_sealed(path)
    path.unlink()
    with pytest.raises(InputError, match="No such file"):
        read_sealed(path)


def test_the_digest_of_a_package_follows_its_files(tmp_path, monkeypatch):
    package = tmp_path / "some_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    first = digest_of("some_package")
    assert digest_of("some_package") == first
    (package / "__init__.py").write_text("a = 1\n")
    assert digest_of("some_package") != first


def test_a_folder_is_copied_whole_or_not_at_all(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("c")
    copy_folder(tmp_path / "a", tmp_path / "new" / "d")
    assert (tmp_path / "new" / "d" / "b").read_text() == "c"
    (tmp_path / "a" / "b").write_text("later")
    copy_folder(tmp_path / "a", tmp_path / "new" / "d")  # exists: as it was
    assert (tmp_path / "new" / "d" / "b").read_text() == "c"
    with pytest.raises(InputError, match="cannot write"):
        copy_folder(tmp_path / "missing", tmp_path / "new" / "e")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["d"]
