"""A formula for a paper, for algebra and for a slide; files are written whole or not at all."""

import re
import struct

import pytest
import sympy
import torch

import eznas
from eznas.errors import InputError
from eznas.evaluation.arithmetic import FeatureRows, scores
from eznas.formulas.parser import parse
from eznas.proxies import files
from eznas.proxies.classics import CLASSICS
from eznas.proxies.discovered import DISCOVERED
from eznas.proxies.export.latex import latex, latex_file
from eznas.proxies.export.sympy_text import sympy_text
from eznas.report import exporting
from eznas.report.exporting import FORMATS

ELEMENTWISE = (
    *("log", "abs_log", "log1p", "exp", "square", "sqrt"),
    *("reciprocal", "relu", "sign", "sigmoid", "neg", "abs"),
)
ENDINGS = {name: ending for name, (ending, _) in FORMATS.items()}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("params", r"\mathrm{params}"),
        ("2.0 * params - operations", r"2 \, \mathrm{params} - \mathrm{operations}"),
        ("params - -3e-05 * params", r"\mathrm{params} + 3 \times 10^{-5} \, \mathrm{params}"),
        ("params - (params + 1.0)", r"\mathrm{params} - \left(\mathrm{params} + 1\right)"),
        ("-(params + 1.0)", r"-\left(\mathrm{params} + 1\right)"),
        ("square(params + 1.5)", r"\left(\mathrm{params} + 1.5\right)^{2}"),
        ("params / operations", r"\frac{\mathrm{params}}{\mathrm{operations}}"),
        ("params * -2.0", r"\mathrm{params} \, \left(-2\right)"),
        (
            "mean_layers(log(norm(weight)))",
            r"\mathrm{mean}_{\mathrm{layers}}\left(\ln\left\Vert\mathrm{weight}\right\Vert\right)",
        ),
        (
            "logdet(sum_all_layers(data_relu_agreement))",
            r"\ln\left|\det\left(\sum_{\mathrm{all\ activations}} "
            r"\mathrm{data\_relu\_agreement}\right)\right|",
        ),
        (
            "sum_layers(layer_params - layer_flops)",
            r"\sum_{\mathrm{layers}} \left(\mathrm{layer\_params} - \mathrm{layer\_flops}\right)",
        ),
        (
            "weighted_mean_layers(layer_params, layer_flops)",
            r"\mathrm{weighted\_mean}_{\mathrm{layers}}"
            r"\left(\mathrm{layer\_params},\,\mathrm{layer\_flops}\right)",
        ),
    ],
)
def test_latex(formula, expected):
    assert latex(parse(formula)) == expected


def test_a_latex_file_has_a_line_for_each_term_and_says_its_source():
    formula = parse("1.23456 * params + log(params) - operations")
    text = latex_file(formula, "mine", "a paper")
    assert text.count("\\\\\n") == 2
    assert "mine: a paper" in text
    assert formula.text in text
    assert r"1.235 \, \mathrm{params}" in text
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("name", [*CLASSICS, *DISCOVERED])
def test_sympy_reads_a_formula_and_gives_its_value(name):
    """The features stand for numbers; the arithmetic above them gives the engine's score."""
    formula = eznas.load(name).formula
    read = sympy.sympify(sympy_text(formula))
    features = formula.features()
    numbers = [1.5 + 0.25 * i for i in range(len(features))]
    for feature, number in zip(features, numbers, strict=True):
        read = read.subs(sympy.sympify(sympy_text(feature)), number)
    rows = torch.tensor(numbers, dtype=torch.float64)[:, None]
    texts = [feature.text for feature in features]
    full = FeatureRows(rows, torch.ones_like(rows), torch.zeros_like(rows).bool())
    values, reason = scores(formula.canonical, texts, full)
    assert reason == ""
    if not any(a.name == "logdet" and a.type.axis == "networks" for a in formula.walk()):
        assert float(read) == pytest.approx(float(values[0]), rel=1e-9)


@pytest.mark.parametrize("primitive", [*ELEMENTWISE])
@pytest.mark.parametrize("x", [-2.5, 0.75])
def test_sympy_knows_the_elementwise_primitives(primitive, x):
    formula = parse(f"{primitive}(params) - 1.0")
    read = sympy.sympify(sympy_text(formula)).subs(sympy.Symbol("params", real=True), x)
    rows = torch.tensor([[x]], dtype=torch.float64)
    full = FeatureRows(rows, torch.ones_like(rows), torch.zeros_like(rows).bool())
    assert float(read) == pytest.approx(float(scores(formula, ["params"], full)[0]), rel=1e-12)


@pytest.mark.parametrize(
    ("primitive", "pairs"),
    [
        ("heaviside", {-1.0: 0.0, 0.0: 0.5, 2.0: 1.0}),
        ("positive", {-1.0: 0.0, 0.0: 0.0, 2.0: 1.0}),
        ("negative", {-1.0: 1.0, 0.0: 0.0, 2.0: 0.0}),
    ],
)
def test_sympy_knows_the_steps(primitive, pairs):
    read = sympy.sympify(sympy_text(parse(f"{primitive}(params)")))
    values = {x: float(read.subs(sympy.Symbol("params", real=True), x)) for x in pairs}
    assert values == pairs


@pytest.mark.parametrize("name", ["naswot", "az_nas", "nasbench201-a", "params"])
def test_a_picture_is_as_large_as_its_formula(name, tmp_path):
    eznas.export(name, "formula.png")
    width, height = struct.unpack(">II", (tmp_path / "formula.png").read_bytes()[16:24])
    assert 300 <= width <= 3000
    assert 100 <= height <= 3000


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CLASSICS, *DISCOVERED])
def test_every_proxy_exports_to_every_format(name, tmp_path):
    for ending in ENDINGS.values():
        eznas.export(name, f"formula{ending}")
    assert len(list(tmp_path.iterdir())) == len(ENDINGS)


@pytest.mark.parametrize("to", FORMATS)
def test_a_file_is_replaced_only_when_asked_to(to, tmp_path):
    file = tmp_path / f"mine{ENDINGS[to]}"
    file.write_text("old")
    with pytest.raises(InputError, match="exists already"):
        eznas.export("params", file, to=to)
    assert file.read_text() == "old"
    eznas.export("params", file, to=to, force=True)
    assert file.read_bytes() != b"old"
    assert [p.name for p in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("to", FORMATS)
def test_nothing_is_left_of_an_export_that_fails(to, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="cannot write"):
        eznas.export("params", tmp_path / "missing" / f"mine{ENDINGS[to]}")

    def fails(*_):
        raise OSError(28, "No space left on device")

    (tmp_path / f"old{ENDINGS[to]}").write_text("old")
    monkeypatch.setattr("os.fsync", fails)
    for name in ("mine", "old"):
        with pytest.raises(InputError, match="No space left"):
            eznas.export("params", f"{name}{ENDINGS[to]}", force=True)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {f"old{ENDINGS[to]}": "old"}


@pytest.mark.parametrize(
    ("file", "to", "message"),
    [
        ("mine", None, "ends in .json, .py, .tex, .txt, .png"),
        ("mine.json", "python", "ends in .py"),
        ("mine.py", "pyton", "did you mean 'python'"),
    ],
)
def test_a_name_that_does_not_fit(file, to, message):
    with pytest.raises(InputError, match=re.escape(message)):
        eznas.export("params", file, to)


def test_the_source_of_a_proxy():
    content = exporting.describe("naswot")
    assert exporting.source_of(content) == "Mellor et al., 2021"
    assert "0.82 on cifar10" in exporting.source_of(exporting.describe("nasbench201-a"))
    assert "without evidence" in exporting.source_of(exporting.describe("log(params)"))
    rows = [{"tau": "x"}, {"tau": 0.5, "dataset": "a\nb"}, {"tau": 0.1, "dataset": "a\nb"}]
    hostile = content.model_copy(update={"name": "mine", "evidence": rows})
    assert exporting.source_of(hostile).endswith("tau 0.50 on a b")
    renamed = files.ProxyFile(**content.model_dump() | {"formula": "log(params)"})
    assert "without evidence" in exporting.source_of(renamed)
