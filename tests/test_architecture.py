"""The rules of the house: who imports whom, who opens files, who prints, who draws numbers.

Every rule reads the syntax tree of every file, lazy imports included, and is shown a file that
breaks it, so that a rule which has gone blind is noticed.
"""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 400  # lines; a file is meant to have about 120

# From the top of the house to its ground: a file imports from its own floor and from those below.
FLOORS = (
    ("cli",),
    ("api",),
    # A run from beginning to end; what proxies and words are worth; how fast it goes; whether
    # this machine is fit for it.
    ("discovery", "studies", "speed", "doctor"),
    # From what a user names to the proxy and the networks behind it; who is told meanwhile.
    ("bounds", "environment"),
    ("preparing",),
    ("resolve", "ground", "models", "watching"),
    ("books",),
    ("report", "runs", "records", "evolution", "proxies"),
    ("workers",),
    ("evaluator",),
    ("formulas",),
    ("statistics",),
    ("spaces", "benchmarks", "metrics"),
    ("config", "files", "machine", "stopping", "errors"),
)
FLOOR = {room: -height for height, rooms in enumerate(FLOORS) for room in rooms}
FAMILIES = ("spaces", "benchmarks")

OPENERS = (
    "eznas/benchmarks/",
    "eznas/report/",
    "eznas/statistics/bank.py",
    "eznas/statistics/images.py",
    "eznas/files.py",
    "eznas/proxies/files.py",
    "eznas/records.py",
    "eznas/runs.py",
    "eznas/books.py",
    "eznas/config.py",
    "eznas/machine.py",  # what the kernel tells of this process
    "eznas/speed/",  # the original way reads networks from disk; the recorded population
)
OPENING = {
    *("open", "read_text", "write_text", "read_bytes", "write_bytes", "mkdir", "unlink", "touch"),
    *("savez", "savez_compressed", "savetxt", "loadtxt", "genfromtxt", "fromfile", "tofile"),
    *("memmap", "makedirs", "rmtree", "NamedTemporaryFile", "TemporaryDirectory", "urlretrieve"),
}
SAVERS = {"np", "numpy", "torch", "pickle"}  # whose `load` and `save` open a file
RANDOM = "eznas/evolution/randomness.py"
SEEDED = {"default_rng", "Generator", "SeedSequence", "PCG64"}  # of numpy.random: no global state

FILES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for package in ("eznas", "primitives")
    for path in sorted((ROOT / package).rglob("*.py"))
}
TREES = {name: ast.parse(text) for name, text in FILES.items()}
MODULES = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in FILES}


def _imports(tree):
    """The modules that a file imports, each as deep as it goes: `from a import b` may be a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                deep = f"{node.module}.{alias.name}"
                yield deep if deep in MODULES else node.module


def _room(module):
    """The room of a module of eznas; the root package itself is a doorway to the api."""
    return [*module.split("."), "api"][1]


def _called(node):
    """What a call calls: ("", name), (owner, attribute) or None where it is no call."""
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Name):
        return "", node.func.id
    if isinstance(node.func, ast.Attribute):
        return ast.unparse(node.func.value), node.func.attr
    return None


def third_parties(name, tree):
    """Ray, DEAP and typer have one home each; the primitives know torch alone."""
    homes = {"ray": "eznas/workers.py", "deap": "eznas/evolution/", "typer": "eznas/cli/"}
    for module in _imports(tree):
        top = module.split(".")[0]
        if not name.startswith(homes.get(top, "")):
            yield module
        known = {*sys.stdlib_module_names, "torch", "primitives"}
        if name.startswith("primitives/") and top not in known:
            yield module


def floors(name, tree):
    """Imports point downward."""
    own = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if not own.startswith("eznas"):
        return
    for module in _imports(tree):
        inside = module.split(".")[0] == "eznas"
        if inside and FLOOR.get(_room(module), 0) > FLOOR.get(_room(own), 0):
            yield module


def siblings(name, tree):
    """A plug-in (what the registry of its family names) is imported by the registry alone there."""
    family, _, own = name.removeprefix("eznas/").removesuffix(".py").rpartition("/")
    if family not in FAMILIES or own == "__init__":
        return
    registry = TREES[f"eznas/{family}/__init__.py"]
    plugins = {
        alias.name
        for node in ast.walk(registry)
        if isinstance(node, ast.ImportFrom) and node.module == f"eznas.{family}"
        for alias in node.names
    }
    assert plugins
    for module in _imports(tree):
        package, _, last = module.rpartition(".")
        if package == f"eznas.{family}" and last in plugins:
            yield module


def randomness(name, tree):
    """The global `random` module is in one file, numpy's global generator in none."""
    if name != RANDOM:
        yield from (m for m in _imports(tree) if m == "random")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr not in SEEDED:
            owner = ast.unparse(node.value)
            if owner in ("np.random", "numpy.random"):
                yield f"{owner}.{node.attr}"


def files(name, tree):
    """Files are opened in few places."""
    if name.startswith(OPENERS):
        return
    for called in map(_called, ast.walk(tree)):
        if called is None:
            continue
        owner, function = called
        if function in OPENING or (owner in SAVERS and function in ("load", "save", "dump")):
            yield f"{owner}.{function}"


def printing(name, tree):
    """Only the command line prints."""
    if name.startswith("eznas/cli/"):
        return
    for node in ast.walk(tree):
        if _called(node) in (("", "print"), ("", "pprint")):
            yield "print"
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.stdout", "sys.stderr"):
            yield ast.unparse(node)


def devices(name, tree):
    """A device is an argument: "cpu" is no more than a default, "cuda" stands in comparisons."""
    allowed = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arguments):
            allowed |= {id(d) for d in (*node.defaults, *node.kw_defaults) if d is not None}
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            allowed.add(id(node.value))
        elif isinstance(node, ast.Compare):
            allowed |= {id(c) for c in node.comparators} | {id(node.left)}
    for node in ast.walk(tree):
        called = _called(node)
        if called is not None and called[1] == "cuda":
            yield f"{called[0]}.cuda"
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        kind = node.value.split(":")[0]
        if kind == "cuda" and not (id(node) in allowed and _compared(tree, node)):
            yield node.value
        if kind == "cpu" and id(node) not in allowed:
            yield node.value


def _compared(tree, constant):
    """Whether a constant stands in a comparison with the type of a device."""
    comparisons = (n for n in ast.walk(tree) if isinstance(n, ast.Compare))
    return any(
        constant in (c.left, *c.comparators) and ".type" in ast.unparse(c) for c in comparisons
    )


def sizes(name, tree):
    """A file stays readable."""
    lines = tree.body[-1].end_lineno if tree.body else 0
    if lines > LONGEST:
        yield f"{lines} lines"


RULES = (third_parties, floors, siblings, randomness, files, printing, devices, sizes)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.__name__)
def test_the_house_keeps_the_rule(rule):
    broken = {name: list(rule(name, tree)) for name, tree in TREES.items()}
    assert not {name: found for name, found in broken.items() if found}, rule.__doc__


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (third_parties, "eznas/api.py", "import ray"),
        (third_parties, "eznas/api.py", "def f():\n    from ray.util import queue"),
        (third_parties, "eznas/formulas/plan.py", "from deap import gp"),
        (third_parties, "primitives/new.py", "import numpy"),
        (third_parties, "primitives/new.py", "from eznas.errors import InputError"),
        (floors, "eznas/statistics/new.py", "from eznas.formulas.parser import parse"),
        (floors, "eznas/formulas/new.py", "from eznas import runs"),
        (floors, "eznas/metrics.py", "import eznas.evolution.engine"),
        (floors, "eznas/runs.py", "import eznas"),
        (siblings, "eznas/spaces/base.py", "from eznas.spaces import nasbench201"),
        (
            siblings,
            "eznas/benchmarks/base.py",
            "from eznas.benchmarks.readers.nasbench201 import x",
        ),
        (randomness, "eznas/runs.py", "import random"),
        (randomness, "eznas/evolution/engine.py", "from random import choice"),
        (randomness, "eznas/metrics.py", "np.random.shuffle(x)"),
        (files, "eznas/api.py", "open('x')"),
        (files, "eznas/evolution/engine.py", "path.write_text('x')"),
        (files, "eznas/statistics/measuring.py", "torch.save(x, y)"),
        (printing, "eznas/api.py", "print(1)"),
        (printing, "eznas/api.py", "import sys\nsys.stdout.write('x')"),
        (devices, "eznas/api.py", "x = x.to('cuda:0')"),
        (devices, "eznas/api.py", "x = x.cuda()"),
        (devices, "eznas/api.py", "x = torch.zeros(3, device='cpu')"),
        (devices, "eznas/api.py", "def f(device='cuda'): pass"),
        (sizes, "eznas/api.py", "\n" * LONGEST + "x = 1"),
    ],
)
def test_the_rule_notices(rule, name, source):
    assert list(rule(name, ast.parse(source)))


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (third_parties, "eznas/workers.py", "import ray"),
        (floors, "eznas/evolution/new.py", "from eznas.evaluation.plan import Plan"),
        (floors, "eznas/benchmarks/new.py", "from eznas.spaces import nasbench201"),
        (randomness, RANDOM, "import random"),
        (randomness, "eznas/metrics.py", "np.random.default_rng(0)"),
        (files, "eznas/runs.py", "path.write_text('x')"),
        (files, "eznas/metrics.py", "x.load()"),
        (printing, "eznas/cli/app.py", "print(1)"),
        (devices, "eznas/api.py", "def f(device: str = 'cpu'): return x.device.type == 'cuda'"),
        (devices, "eznas/api.py", "x.cpu()"),
    ],
)
def test_the_rule_allows(rule, name, source):
    assert not list(rule(name, ast.parse(source)))


def test_no_two_files_import_each_other():
    """Not in a round about way either: every file can be read after those that it imports."""
    edges = {}
    for name, tree in TREES.items():
        own = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        edges[own] = {m for m in _imports(tree) if m in MODULES and m != own}
    while edges:
        readable = [m for m, needed in edges.items() if not needed & set(edges)]
        assert readable, f"a circle among {sorted(edges)}"
        for module in readable:
            del edges[module]


def test_every_file_has_a_room():
    rooms = {_room(m) for m in MODULES if m.startswith("eznas")}
    assert rooms <= set(FLOOR), "a new room needs a floor"
    assert {"statistics", "formulas", "spaces", "benchmarks", "metrics"} <= rooms
