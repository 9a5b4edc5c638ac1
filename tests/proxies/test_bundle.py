"""One file out of many: which names are the module's, what is kept, and how it is spelt."""

import ast

import pytest

from eznas.proxies.export.bundle import Bundle
from eznas.proxies.export.names import bound, module_names


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("x = a + b", {"x", "a", "b"}),
        ("def f(x: t = d) -> r:\n    y = x + a\n    return y + z", {"t", "d", "r", "a", "z"}),
        ("@deco\ndef f(): return f", {"deco", "f"}),
        ("def f():\n    x = 1\n    def g(): return x + y\n    return g", {"y"}),
        ("def f():\n    global count\n    count += 1", {"count"}),
        ("def f(xs): return [x + k for x in xs if m]", {"k", "m"}),
        ("def f():\n    [x for x in a]\n    return x", {"a", "x"}),  # the second x is global
        ("y = {k: v for k, v in pairs}", {"y", "pairs"}),
        ("y = sorted(xs, key=lambda x: x + z)", {"y", "sorted", "xs", "z"}),
        ("class A(Base):\n    z: t = 1\n    def f(self): return z", {"Base", "t", "z"}),
        ("class A:\n    z = 1\n    y = z", set()),
        ("def f():\n    try: pass\n    except E as e: print(e)", {"E", "print"}),
        ("def f():\n    import os\n    return os", set()),
        ("def f(*xs, **ks): return xs, ks, (n := 1), n", set()),
        ("x: int = 1", {"x", "int"}),
    ],
)
def test_module_names(source, names):
    [statement] = ast.parse(source).body
    assert {n.id for n in module_names(statement)} == names


def test_bound():
    source = "import a.b\nfrom c import d as e\nx, (y, *z) = 1\ndef f(): g = 1\nclass H: i = 1"
    assert bound(ast.parse(source).body) == {"a", "e", "x", "y", "z", "f", "H"}


def run(text):
    names = {}
    exec(text, names)
    return names


def test_only_what_is_needed_is_kept_in_an_order_that_runs():
    texts = {
        "eznas.lower": "unused = 1 / 0\n# Why two.\nTWO = 2\ndef two():\n    return TWO\n",
        "eznas.upper": "from eznas.lower import two\nx = two() + 1\n",
    }
    text = Bundle(texts, {}, []).text()
    assert run(text)["x"] == 3
    assert "unused" not in text
    assert "# Why two." in text
    assert "import" not in text


def test_names_that_are_taken_are_spelt_in_another_way():
    texts = {
        "eznas.a": "from math import log\ndef _f(): return log(1)\ndef sum(): return 1\n",
        "eznas.b": "def _f(): return 5\ndef log(x): return x\n",
        "eznas.c": (
            "from eznas import a\nfrom eznas.a import _f\nfrom eznas.b import _f as g, log\n"
            "def h():\n    f = a._f()\n    return f, _f(), g(), a.sum(), log(7), sum([1, 2])\n"
            "n = 0\ndef up():\n    global n\n    n += 1\n    return n\n"
        ),
        "eznas.d": "from eznas.c import h, up\nn = 7\nresult = h(), up(), up(), n\n",
    }
    bundle = Bundle(texts, {}, [])
    assert run(bundle.text())["result"] == ((0.0, 0.0, 5, 1, 7, 3), 1, 2, 7)


def test_another_name_in_place_of_one():
    texts = {
        "eznas.a": "def slow(): raise ValueError\n",
        "eznas.b": "def fast(): return 1\n",
        "eznas.c": "from eznas.a import slow\nx = slow()\n",
    }
    text = Bundle(texts, {("eznas.a", "slow"): ("eznas.b", "fast")}, []).text()
    assert run(text)["x"] == 1
    assert "ValueError" not in text
