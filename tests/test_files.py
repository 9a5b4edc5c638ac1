"""Files are written whole or not at all; JSON says what it can."""

import math
import os

import numpy as np
import pytest

from eznas.errors import InputError
from eznas.files import plain, read_json, write_whole


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

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(InputError, match=r"mine\.json: cannot write: No space left"):
        write_whole(file, "new")
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["mine.json"]


def test_where_nothing_can_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("")
    before = sorted(tmp_path.rglob("*"))
    for place in ("none/mine.json", "text/mine.json", "x" * 300, ".", "..", ""):
        with pytest.raises(InputError, match="cannot write"):
            write_whole(type(tmp_path)(place), "text")
    assert sorted(tmp_path.rglob("*")) == before
