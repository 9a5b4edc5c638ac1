"""The rules of the house: who imports whom, who opens files, who prints, who draws numbers.

Every rule reads the syntax tree of every file, lazy imports included, and is shown a file that
breaks it, so that a rule which has gone blind is noticed.
"""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST_FILE, LONGEST_TEST, LONGEST_FUNCTION = 300, 500, 60  # lines
MOST_ROOMS = 20

# From the top of the house to its ground: a file imports from its own floor and from those below.
FLOORS = (
    ("__main__",),
    ("cli",),
    ("face",),  # eznas/__init__.py
    ("studies",),
    ("discovery",),
    ("report", "search"),
    ("evolution",),
    ("predictors",),
    ("supernets",),
    ("proxies",),
    ("evaluation",),
    ("formulas",),
    ("statistics",),
    ("benchmarks",),
    ("spaces",),
    ("metrics",),
    ("system",),
    ("errors",),
    ("primitives",),
)
FLOOR = {room: -height for height, rooms in enumerate(FLOORS) for room in rooms}
FAMILIES = ("spaces", "benchmarks/readers")

OPENERS = (
    "eznas/system/",
    "eznas/benchmarks/readers/",
    "eznas/benchmarks/store.py",
    "eznas/benchmarks/download.py",
    "eznas/benchmarks/importing.py",
    "eznas/evaluation/bank_on_disk.py",
    "eznas/evaluation/feature_file.py",
    "eznas/evaluation/feature_store.py",
    "eznas/formulas/definedness.py",  # its table
    "eznas/statistics/images.py",
    "eznas/discovery/checkpoint.py",
    "eznas/discovery/config.py",
    "eznas/cli/guide.py",  # its pages
    "eznas/studies/original_loops.py",  # the original way reads networks from disk
    "eznas/studies/speed.py",  # the recorded formulas
)
OPENING = {
    *("open", "read_text", "write_text", "read_bytes", "write_bytes", "mkdir", "unlink", "touch"),
    *("savez", "savez_compressed", "savetxt", "loadtxt", "genfromtxt", "fromfile", "tofile"),
    *("memmap", "makedirs", "rmtree", "NamedTemporaryFile", "TemporaryDirectory", "urlretrieve"),
    *("TemporaryFile", "SpooledTemporaryFile", "mkstemp", "mkdtemp", "truncate", "mmap"),
}
SAVERS = {"np", "numpy", "torch", "pickle"}  # whose `load` and `save` open a file
RANDOM = "eznas/evolution/randomness.py"
SURROUNDINGS = "eznas/statistics/surroundings.py"  # sets a model's random state, and puts it back
SEEDED = {
    "default_rng",
    "Generator",
    "RandomState",
    "SeedSequence",
    "PCG64",
}  # of numpy.random: no global state

DOCUMENTED = (
    *("eznas/metrics/", "eznas/statistics/", "eznas/evaluation/", "eznas/predictors/"),
    # What the Python face offers.
    *("eznas/proxies/", "eznas/studies/", "eznas/discovery/run.py", "eznas/discovery/setup.py"),
)
ARRAYS = re.compile(r"\bTensor\b|Array|Floats|Integers|FeatureValues|NDArray|Statuses|Blocks")
SHAPE = re.compile(r"\[[^\]]*\]|[Ss]ee `")  # as "[networks]", or where the shapes are given
OLD_WORDS = (  # in names and prose; "ground truth" is the field's, "How" begins sentences
    *("Ground(?! truth)", "Books", "Bounds", "Watcher", "How(?=[(:,\\]])", "Place", "Kept", "told"),
    *("judges", "deadly"),
)


def _module(name):
    """The module of a file; those of primitives/ are imported from eznas."""
    module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return module if module.startswith("eznas") else f"eznas.{module}"


TREES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for package in ("eznas", "primitives")
    for path in sorted((ROOT / package).rglob("*.py"))
    if ROOT / "eznas" / "primitives" not in path.parents  # the link to primitives/
}
TESTS = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "tests").rglob("*.py"))
}
MODULES = {_module(name) for name in TREES}


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
    """The room of a module of eznas; the root package itself is its face."""
    return [*module.split("."), "face"][1]


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
    homes = {
        "ray": "eznas/evaluation/ray_executor.py",
        "deap": "eznas/evolution/",
        "typer": "eznas/cli/",
    }
    for module in _imports(tree):
        top = module.split(".")[0]
        if not name.startswith(homes.get(top, "")):
            yield module
        known = {*sys.stdlib_module_names, "torch"}
        inside = module.startswith("eznas.primitives")
        if name.startswith("primitives/") and top not in known and not inside:
            yield module


def floors(name, tree):
    """Imports point downward."""
    own = _module(name)
    for module in _imports(tree):
        inside = module.split(".")[0] == "eznas"
        if inside and FLOOR.get(_room(module), 0) > FLOOR.get(_room(own), 0):
            yield module


def siblings(name, tree):
    """A plug-in (what the registry of its family names) is imported by the registry alone there."""
    family, _, own = name.removeprefix("eznas/").removesuffix(".py").rpartition("/")
    if family not in FAMILIES or own == "__init__":
        return
    registry, package_name = TREES[f"eznas/{family}/__init__.py"], family.replace("/", ".")
    plugins = {
        alias.name
        for node in ast.walk(registry)
        if isinstance(node, ast.ImportFrom) and node.module == f"eznas.{package_name}"
        for alias in node.names
    }
    assert plugins
    for module in _imports(tree):
        package, _, last = module.rpartition(".")
        if package == f"eznas.{package_name}" and last in plugins:
            yield module


def randomness(name, tree):
    """Python's global random state is in two files, numpy's in one of them."""
    if name == SURROUNDINGS:
        return
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
            first = getattr(node.value, "args", [])[:1]  # of a pydantic Field
            allowed |= {id(node.value), *map(id, first)}
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


def _lines(tree):
    return tree.body[-1].end_lineno if tree.body else 0


def sizes(name, tree):
    """A file stays readable, and so does a function."""
    if _lines(tree) > LONGEST_FILE:
        yield f"{_lines(tree)} lines"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield f"{node.name}: {lines} lines"


def docstrings(name, tree):
    """In rooms of arrays, what is public says which shapes go in and out, and what is raised."""
    if not name.startswith(DOCUMENTED):
        return
    for owner, function in _public_functions(tree):
        text, where = ast.get_docstring(function) or "", f"{owner}{function.name}"
        if not text:
            yield f"{where}: no docstring"
            continue
        arguments = [a.annotation for a in function.args.args + function.args.kwonlyargs]
        types = [ast.unparse(a) for a in (*arguments, function.returns) if a is not None]
        if ARRAYS.search(" ".join(types)) and not SHAPE.search(text):
            yield f"{where}: no shapes"
        raised = {error for node in ast.walk(function) if (error := _raised(node))}
        yield from (f"{where}: raises {error}" for error in sorted(raised) if error not in text)


def _public_functions(tree):
    """Public functions of a file, and public methods of its public classes with their class."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield "", node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    yield f"{node.name}.", method


def _raised(node):
    """The name of the error that a statement raises, "" for none."""
    if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
        return ""
    name = ast.unparse(node.exc.func)
    return (
        "InputError" if name in ("unknown", "self.error") else name if name.isidentifier() else ""
    )


RULES = (
    *(third_parties, floors, siblings, randomness, files, printing, devices, sizes, docstrings),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.__name__)
def test_the_house_keeps_the_rule(rule):
    broken = {name: list(rule(name, tree)) for name, tree in TREES.items()}
    assert not {name: found for name, found in broken.items() if found}, rule.__doc__


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (third_parties, "eznas/__init__.py", "import ray"),
        (third_parties, "eznas/evaluation/workers.py", "def f():\n    from ray.util import queue"),
        (third_parties, "eznas/formulas/plan.py", "from deap import gp"),
        (third_parties, "primitives/new.py", "import numpy"),
        (third_parties, "primitives/new.py", "from eznas.errors import InputError"),
        (floors, "eznas/statistics/new.py", "from eznas.formulas.parser import parse"),
        (floors, "eznas/formulas/new.py", "from eznas.discovery import run"),
        (floors, "eznas/metrics/new.py", "import eznas.evolution.engine"),
        (floors, "eznas/discovery/run.py", "import eznas"),
        (floors, "primitives/new.py", "from eznas.system.files import plain"),
        (siblings, "eznas/spaces/base.py", "from eznas.spaces import nasbench201"),
        (siblings, "eznas/benchmarks/readers/nds.py", "import eznas.benchmarks.readers.macro"),
        (randomness, "eznas/discovery/run.py", "import random"),
        (randomness, "eznas/evolution/engine.py", "from random import choice"),
        (randomness, "eznas/metrics/new.py", "np.random.shuffle(x)"),
        (files, "eznas/__init__.py", "open('x')"),
        (files, "eznas/evolution/engine.py", "path.write_text('x')"),
        (files, "eznas/statistics/measuring.py", "torch.save(x, y)"),
        (files, "eznas/evaluation/evaluator.py", "tempfile.TemporaryFile()"),
        (printing, "eznas/__init__.py", "print(1)"),
        (printing, "eznas/__init__.py", "import sys\nsys.stdout.write('x')"),
        (devices, "eznas/__init__.py", "x = x.to('cuda:0')"),
        (devices, "eznas/__init__.py", "x = x.cuda()"),
        (devices, "eznas/__init__.py", "x = torch.zeros(3, device='cpu')"),
        (devices, "eznas/__init__.py", "def f(device='cuda'): pass"),
        (sizes, "eznas/__init__.py", "\n" * LONGEST_FILE + "x = 1"),
        (sizes, "eznas/__init__.py", "def f():\n" + "    x = 1\n" * LONGEST_FUNCTION),
        (docstrings, "eznas/metrics/new.py", "def f(x: Floats) -> float:\n    'A number.'"),
        (docstrings, "eznas/metrics/new.py", "def f(x: int) -> int:\n    'X'; raise InputError(1)"),
        (docstrings, "eznas/evaluation/new.py", "def f() -> int: return 1"),
    ],
)
def test_the_rule_notices(rule, name, source):
    assert list(rule(name, ast.parse(source)))


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (third_parties, "eznas/evaluation/ray_executor.py", "import ray"),
        (third_parties, "primitives/new.py", "from eznas.primitives.types import ValueType"),
        (floors, "eznas/evolution/new.py", "from eznas.evaluation.plan import Plan"),
        (floors, "eznas/cli/new.py", "import eznas"),
        (floors, "eznas/benchmarks/new.py", "from eznas.spaces import nasbench201"),
        (randomness, RANDOM, "import random"),
        (randomness, SURROUNDINGS, "import random\nnp.random.seed(0)"),
        (randomness, "eznas/metrics/new.py", "np.random.default_rng(0)"),
        (files, "eznas/system/files.py", "path.write_text('x')"),
        (files, "eznas/metrics/new.py", "x.load()"),
        (printing, "eznas/cli/app.py", "print(1)"),
        (devices, "eznas/new.py", "def f(device: str = 'cpu'): return x.device.type == 'cuda'"),
        (devices, "eznas/new.py", "x.cpu()"),
        (docstrings, "eznas/metrics/new.py", "def f(x: Floats) -> float:\n    'Of x [n].'"),
        (docstrings, "eznas/metrics/new.py", "def _f(x: Floats) -> float: return 1"),
        (docstrings, "eznas/cli/new.py", "def f(x: Floats) -> float: return 1"),
    ],
)
def test_the_rule_allows(rule, name, source):
    assert not list(rule(name, ast.parse(source)))


def test_no_two_files_import_each_other():
    """Not in a round about way either: every file can be read after those that it imports."""
    edges = {}
    for name, tree in TREES.items():
        own = _module(name)
        edges[own] = {m for m in _imports(tree) if m in MODULES and m != own}
    while edges:
        readable = [m for m, needed in edges.items() if not needed & set(edges)]
        assert readable, f"a circle among {sorted(edges)}"
        for module in readable:
            del edges[module]


def test_every_file_has_a_room():
    rooms = {_room(module) for module in MODULES}
    assert rooms <= set(FLOOR), "a new room needs a floor"
    assert {"statistics", "formulas", "spaces", "benchmarks", "metrics"} <= rooms
    assert len(rooms - {"face", "__main__", "errors"}) <= MOST_ROOMS
    root = {name for name in TREES if name.count("/") == 1 and name.startswith("eznas/")}
    assert root == {"eznas/__init__.py", "eznas/__main__.py", "eznas/errors.py"}


def test_files_of_tests_stay_readable():
    long = {name: _lines(tree) for name, tree in TESTS.items() if _lines(tree) > LONGEST_TEST}
    assert not long


@pytest.mark.parametrize("word", OLD_WORDS)
def test_old_words_are_gone(word):
    """Names that only this house understood, in names and prose of the product."""
    pattern = re.compile(rf"\b{word}\b")
    where = [name for name in TREES if pattern.search((ROOT / name).read_text(encoding="utf-8"))]
    assert not where
