"""A layer of which nothing comes adds nothing to a sum of logarithms."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import eznas
from eznas.evaluation import bank, chunks
from eznas.evaluation.plan import Plan, evaluate
from eznas.formulas.parser import parse
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure
from tests.hunt.networks import BATCH, Small, score


class ZeroBranch(Small):
    """A residual branch that begins at zero: the last norm's weight, a gate, or a convolution."""

    def __init__(self, zero: str) -> None:
        super().__init__(last=nn.BatchNorm2d(8))
        self.gate = nn.Parameter(torch.zeros(()) if zero == "gate" else torch.ones(()))
        if zero == "norm":
            nn.init.zeros_(self.last.weight)
        if zero == "convolution":
            nn.init.zeros_(self.body.weight)
            nn.init.zeros_(self.body.bias)
            nn.init.zeros_(self.last.weight)

    def features(self, x: Tensor) -> Tensor:
        x = self.start(x)
        return F.relu(x + self.gate * self.last(self.body(x)))


def zico(model: nn.Module) -> float:
    """Li et al., 2023, as their code computes it: over layers whose sum is not zero."""
    images = generated(max(BATCH, 16), 32, seed=0)
    gradients = []
    model = model.train()
    weights = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for start in (0, BATCH // 2):
        portion = slice(start, start + BATCH // 2)
        loss = F.cross_entropy(model(images.pixels[portion]), images.labels[portion])
        gradients.append(torch.autograd.grad(loss, weights))
    total = 0.0
    for a, b in zip(*gradients, strict=True):
        nonzero = a != b
        ratio = ((a.abs() + b.abs()) / (a - b).abs())[nonzero].double().sum().item()
        total += math.log(ratio) if ratio else 0.0
    return total


@pytest.mark.parametrize("zero", ["norm", "gate", "convolution"])
def test_zico_leaves_layers_without_gradients_out(zero):
    assert score("zico", ZeroBranch(zero)) == pytest.approx(zico(ZeroBranch(zero)), rel=1e-4)


@pytest.mark.parametrize(
    "formula",
    [
        "sum_layers(log(norm(label_weight_grad)))",
        "sum_layers(sum(log(abs(label_weight_grad))))",
        "min_layers(log(sum(abs(weight * label_weight_grad))))",
        "mean_layers(log(norm(data_conv_output_grad)))",
        "sum_all_layers(abs_log(norm(label_weight_grad)))",
    ],
)
def test_so_does_every_formula_with_a_logarithm(formula):
    """The branch alone is absent: the rest gives what it gives without."""

    class WithoutBranch(ZeroBranch):
        def features(self, x: Tensor) -> Tensor:
            return F.relu(self.start(x))

    expected = score(formula, WithoutBranch("norm"))
    assert math.isfinite(expected)
    assert score(formula, ZeroBranch("norm")) == pytest.approx(expected, rel=1e-5)


def test_a_zero_that_is_no_missing_gradient_keeps_its_guarded_logarithm():
    model = Small()
    formula = "sum_layers(log(log(layer_kernel)))"  # the head's kernel has height 1
    expected = 2 * math.log(math.log(3)) + math.log(torch.finfo(torch.float64).tiny)
    assert score(formula, model) == pytest.approx(expected)


def test_no_layer_with_a_gradient_is_undefined():
    model = Small()
    nn.init.zeros_(model.head.weight)  # and the features that reach it are not zero
    nn.init.zeros_(model.head.bias)
    finite = score("zico", model)  # of the head alone
    assert math.isfinite(finite)
    model.body = nn.Conv2d(8, 8, 3, padding=1)
    nn.init.zeros_(model.body.weight)
    nn.init.constant_(model.body.bias, -1.0)
    assert math.isnan(score("zico", model))


def test_rows_stay_apart_in_a_stack_of_networks(monkeypatch):
    """The mark of one network's row is not that of another's, in chunks of any size."""
    formula = parse("sum_layers(log(sum(abs(label_weight_grad))))")
    config = eznas.load("zico").measurement_config(sketch_batch=BATCH)
    models = [Small(), ZeroBranch("norm"), Small()]
    alone = [score(formula.text, model) for model in models]
    rows = [CATALOGUE["label_weight_grad"]]
    for units in (1, 1 << 17):
        monkeypatch.setattr(chunks, "UNITS", units)
        stacked = bank.stack([measure(model, config, rows) for model in models])
        values = evaluate(Plan.of([formula]), stacked).values[0]
        assert values.tolist() == pytest.approx(alone)
