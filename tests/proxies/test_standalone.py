"""The exported file of Python gives what the engine gives, and imports torch alone."""

import ast
import builtins
import dataclasses
import math
import subprocess
import sys
import types
import warnings
from unittest import mock

import pytest
import torch

import eznas
from eznas.errors import InputError
from eznas.primitives import PRIMITIVES
from eznas.primitives.registry import primitive
from eznas.proxies.classics import CLASSICS
from eznas.proxies.discovered import DISCOVERED
from eznas.proxies.export.standalone import standalone
from tests.proxies.zoo import BUILDERS, INPUT, model

ALLOWED = {*sys.stdlib_module_names, "torch"}
FEW = ("ResNet", "ViT", "MLP", "linear", "NAS-Bench-201, nothing", "two outputs", "one layer")


def imported(name, *arguments):
    if name.split(".")[0] not in ALLOWED:
        raise ImportError(f"blocked: {name}")
    return builtins.__import__(name, *arguments)


def run(text):
    """The names of a file that may import torch and the standard library only."""
    module = types.ModuleType("exported")
    vars(module)["__builtins__"] = vars(builtins) | {"__import__": imported}
    with mock.patch.dict(sys.modules, exported=module):
        exec(compile(text, "exported.py", "exec"), vars(module))
    return vars(module)


def outcome(score, *arguments):
    """A score, and what is said of it; a refusal is its text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = score(*arguments)
        except ValueError as error:
            value = str(error)
    return value, [str(w.message) for w in caught]


def differences(proxy, models, size=INPUT):
    """The models on which the file and the engine do not agree, with both outcomes."""
    score = run(standalone(proxy, "a test"))["score"]
    differing = []
    for name in models:
        ours, file = (outcome(f, model(name), size) for f in (proxy.score, score))
        if ours[1] != file[1] or not alike(ours[0], file[0]):
            differing.append((proxy.name, name, ours, file))
    return differing


def alike(x, y):
    if isinstance(x, str) or isinstance(y, str) or not math.isfinite(x):
        return x == y or (x != x and y != y)
    return math.isclose(x, y, rel_tol=1e-6, abs_tol=0)


@pytest.mark.parametrize("name", ["naswot", "zico", "nasbench201-a"])
def test_the_file_gives_what_the_engine_gives(name):
    assert not differences(eznas.load(name), FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CLASSICS, *DISCOVERED])
def test_every_proxy_on_twenty_models(name):
    assert len(BUILDERS) == 20
    assert not differences(eznas.load(name), BUILDERS)


@pytest.mark.parametrize("size", [(1, 12, 20), (40,), "tokens:6:50", [(3, 8, 8), (5,)]])
def test_other_inputs(size):
    """Images of another size and other data are drawn by the same rules."""

    class Any(torch.nn.Module):
        def __init__(self):
            super().__init__()
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(0)
                self.table, self.hidden = torch.nn.Embedding(50, 3), torch.nn.LazyLinear(8)
                self.head = torch.nn.Linear(8, 4)
                self(*(self.table.weight.new_zeros(2, *s) for s in shapes), first=True)

        def forward(self, *parts, first=False):
            real = [self.table(p) if size == "tokens:6:50" and not first else p for p in parts]
            x = torch.cat([part.flatten(1) for part in real], 1)
            return self.head(self.hidden(x).relu())

    shapes = [(6, 3)] if size == "tokens:6:50" else [size] if isinstance(size, tuple) else size
    proxy = eznas.load(
        "sum_layers(norm(data_relu_agreement)) * sum_layers(norm(label_weight_grad))"
    )
    score = run(standalone(proxy, ""))["score"]
    engine, file = (outcome(f, Any(), size) for f in (proxy.score, score))
    assert math.isfinite(engine[0])
    assert file[0] == pytest.approx(engine[0], rel=1e-6)


def test_a_model_is_refused_with_the_same_line():
    proxy = eznas.load("sum_layers(layer_params)")
    score = run(standalone(proxy, ""))["score"]
    for bad, size in ((3, INPUT), (torch.nn.Identity(), INPUT), (model("MLP"), (3, 5, 5))):
        with pytest.raises(ValueError, match="model") as caught:
            score(bad, size)
        assert str(caught.value) == outcome(proxy.score, bad, size)[0]


def test_it_says_what_it_holds():
    text = standalone(eznas.load("nasbench201-a"), "found by a search")
    names = run(text)
    formula = eznas.load("nasbench201-a").formula
    assert names["FORMULA"].text == formula.text
    assert (names["RAW_BATCH"], names["SKETCH_BATCH"]) == (4, 32)
    assert formula.text in names["__doc__"]
    assert "found by a search" in names["__doc__"]


def test_it_holds_what_the_formula_needs_and_no_more():
    text = standalone(eznas.load("naswot"), "")
    defined = {n.name for n in ast.parse(text).body if hasattr(n, "name")}
    assert {"agreement", "logdet", "sum_all_layers", "measure", "picture"} <= defined
    assert not defined & {"entropy", "slope_layers", "parse", "load", "MeasurementSettings"}
    assert "eznas." not in "".join(line for line in text.splitlines() if "import " in line)
    assert "_ROWS = (" not in text


def test_a_name_cannot_become_code():
    name = '"""\\"""; broken = True; """'
    proxy = dataclasses.replace(eznas.load("params"), name=name)
    names = run(standalone(proxy, f"{name}\nbroken = True\n"))
    assert "broken" not in names
    assert "broken = True" in names["__doc__"]


def test_a_primitive_of_ones_own_is_refused():
    @primitive("tensor -> scalar")
    def my_peak(x):
        """The largest entry."""
        return x.reshape(len(x), -1).amax(1).double()

    try:
        with pytest.raises(InputError, match="my_peak is one of your own"):
            standalone(eznas.load("sum_layers(my_peak(weight))"), "")
    finally:
        del PRIMITIVES["my_peak"]


ALONE = """
import sys
sys.modules["numpy"] = None  # refuses the import, to torch as well
sys.path.insert(0, sys.argv[1])
import warnings
warnings.simplefilter("ignore")
import torch
from exported import score
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten())
print(score(model, (3, 10, 10)), "eznas" in sys.modules)
"""


@pytest.mark.slow
def test_it_runs_where_there_is_torch_alone(tmp_path):
    (tmp_path / "exported.py").write_text(standalone(eznas.load("naswot"), ""))
    answer = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    score, has_eznas = answer.stdout.split()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten())
    assert float(score) == pytest.approx(eznas.load("naswot").score(net, (3, 10, 10)), rel=1e-6)
    assert has_eznas == "False"
