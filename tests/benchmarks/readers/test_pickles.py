"""A pickle of a stranger calls nothing, however it asks."""

import io
import pickle
from collections import OrderedDict

import pytest

from eznas.benchmarks.readers import nats
from eznas.benchmarks.readers.pickles import plain_pickle
from eznas.errors import InputError

ADMITTED = {("collections", "OrderedDict"): OrderedDict}


def text(value):
    return b"\x8c" + bytes([len(value)]) + value.encode()


def asking(path):
    """One folder made, in every way that the machine of pickle knows."""
    argument = b"V" + str(path).encode() + b"\n"
    mkdir = text("posix") + text("mkdir") + b"\x93"
    evil = b"V__import__('os').mkdir(" + repr(str(path)).encode() + b")\n"
    return {
        "global": b"cposix\nmkdir\n(" + argument + b"tR.",
        "instance": b"(" + argument + b"iposix\nmkdir\n.",
        "object": b"(cposix\nmkdir\n" + argument + b"o.",
        "stack global": b"\x80\x04" + mkdir + argument + b"\x85R.",
        "new object": b"\x80\x04" + mkdir + argument + b"\x85\x81.",
        "eval, by its old name": b"\x80\x02c__builtin__\neval\n(" + evil + b"tR.",
        "attribute of what is admitted": b"\x80\x04"
        + text("collections")
        + text("OrderedDict.__init__.__globals__")
        + b"\x93.",
        "module of what is admitted": b"ccollections\nsys.modules\n.",
        "persistent": b"Pposix.mkdir\n.",
        "extension": b"\x80\x02\x82\x01.",
        "within a state": b"ccollections\nOrderedDict\n)R}Va\ncposix\nmkdir\nsb.",
    }


@pytest.mark.parametrize("way", asking(""))
@pytest.mark.parametrize("admitted", [{}, ADMITTED, nats._ADMITTED])
def test_code_is_refused_and_never_runs(tmp_path, way, admitted):
    data = asking(tmp_path / "made")[way]
    with pytest.raises(InputError, match=r"^own\.pkl: (refused|not a readable)") as caught:
        plain_pickle(io.BytesIO(data), "own.pkl", admitted)
    assert str(caught.value).isprintable()
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("way", ["global", "instance", "object", "stack global"])
def test_the_ways_are_ways(tmp_path, way):
    """Guards the test above: what does not refuse does run them."""
    pickle.loads(asking(tmp_path / "made")[way])
    assert (tmp_path / "made").is_dir()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_is_admitted(protocol):
    data = {"a": [1.5, -(10**30), (True, None), "ü"], 3: {"c": []}}
    assert plain_pickle(io.BytesIO(pickle.dumps(data, protocol)), "own.pkl") == data


def test_a_nesting_is_no_harm():
    data = b"(" * 10**5 + b"t" * 10**5 + b"."
    assert plain_pickle(io.BytesIO(data), "own.pkl")
