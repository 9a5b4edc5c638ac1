"""An untrusted pickle runs no code, in whatever way it tries to."""

import io
import pickle
from collections import OrderedDict

import pytest

from eznas.benchmarks.readers import nats
from eznas.benchmarks.readers.pickles import plain_pickle
from eznas.errors import InputError

ADMITTED = {("collections", "OrderedDict"): OrderedDict}


def string(value):
    """The opcode that pushes a short string."""
    return b"\x8c" + bytes([len(value)]) + value.encode()


def attacks(path):
    """Pickles that make a folder, one for each way in which pickle can call something."""
    argument = b"V" + str(path).encode() + b"\n"
    mkdir = string("posix") + string("mkdir") + b"\x93"
    evil = b"V__import__('os').mkdir(" + repr(str(path)).encode() + b")\n"
    return {
        "global": b"cposix\nmkdir\n(" + argument + b"tR.",
        "instance": b"(" + argument + b"iposix\nmkdir\n.",
        "object": b"(cposix\nmkdir\n" + argument + b"o.",
        "stack global": b"\x80\x04" + mkdir + argument + b"\x85R.",
        "new object": b"\x80\x04" + mkdir + argument + b"\x85\x81.",
        "eval, by its old name": b"\x80\x02c__builtin__\neval\n(" + evil + b"tR.",
        "attribute of what is admitted": b"\x80\x04"
        + string("collections")
        + string("OrderedDict.__init__.__globals__")
        + b"\x93.",
        "module of what is admitted": b"ccollections\nsys.modules\n.",
        "persistent": b"Pposix.mkdir\n.",
        "extension": b"\x80\x02\x82\x01.",
        "within a state": b"ccollections\nOrderedDict\n)R}Va\ncposix\nmkdir\nsb.",
    }


@pytest.mark.parametrize("attack", attacks(""))
@pytest.mark.parametrize("admitted", [{}, ADMITTED, nats.ADMITTED])
def test_code_is_refused_and_never_runs(tmp_path, attack, admitted):
    data = attacks(tmp_path / "made")[attack]
    with pytest.raises(InputError, match=r"^own\.pkl: (refused|not a readable)") as raised:
        plain_pickle(io.BytesIO(data), "own.pkl", admitted)
    assert str(raised.value).isprintable()
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("attack", ["global", "instance", "object", "stack global"])
def test_the_attacks_work_on_plain_pickle(tmp_path, attack):
    """Guards the test above: without the refusal they run code."""
    pickle.loads(attacks(tmp_path / "made")[attack])
    assert (tmp_path / "made").is_dir()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_is_read(protocol):
    data = {"a": [1.5, -(10**30), (True, None), "ü"], 3: {"c": []}}
    assert plain_pickle(io.BytesIO(pickle.dumps(data, protocol)), "own.pkl") == data


def test_deep_nesting_is_read():
    data = b"(" * 10**5 + b"t" * 10**5 + b"."
    assert plain_pickle(io.BytesIO(data), "own.pkl")
