"""K11: the logits among the usual outputs, and the model inside its wrappers."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from tests.hunt.small import Small, refusal, score


@dataclass
class Answer:
    hidden: Tensor
    scores: Tensor


class Giving(Small):
    """Gives what a function makes of features [images, 6], an early head's and the logits."""

    def __init__(self, give) -> None:
        super().__init__()
        self.give, self.early = give, nn.Linear(6, 10)
        with torch.no_grad():
            self.early.weight.copy_(torch.arange(60.0).reshape(10, 6).cos())
            self.early.bias.zero_()

    def forward(self, x: Tensor) -> object:
        begun = self.begin(x)
        features = self.middle(begun).mean((2, 3))
        return self.give(features, self.early(begun.mean((2, 3))), self.head(features))


Pair = namedtuple("Pair", ["features", "out"])
FORMS = {
    "features first": lambda f, e, y: (f, y),
    "logits first": lambda f, e, y: (y, f),
    "nothing besides": lambda f, e, y: (y, None),
    "one": lambda f, e, y: [y],
    "auxiliary": lambda f, e, y: (y, e),
    "auxiliary first": lambda f, e, y: (e, y),
    "probabilities": lambda f, e, y: (y, y.softmax(1)),
    "loss": lambda f, e, y: (y.square().mean(), y),
    "classes": lambda f, e, y: (y.argmax(1), y),
    "dict": lambda f, e, y: {"features": f, "out": y, "aux": e},
    "ordered": lambda f, e, y: OrderedDict(aux=e, out=y),
    "named": lambda f, e, y: {"probabilities": y.softmax(1), "logits": y},
    "named tuple": lambda f, e, y: Pair(f, y),
    "dataclass": lambda f, e, y: Answer(f, y),
    "object": lambda f, e, y: SimpleNamespace(features=f, prediction=y),
    "nested": lambda f, e, y: {"states": (f, f), "heads": {"main": y, "early": e}},
    "nested logits": lambda f, e, y: (f, {"logits": y}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("proxy", ["snip", "synflow", "grasp", "vkdnw_entropy", "naswot"])
def test_the_logits_are_what_most_layers_lead_to(form: str, proxy: str) -> None:
    """The early head adds nothing: its weights have no gradient, or count in neither."""
    expected = score(proxy, Giving(lambda f, e, y: y))
    assert score(proxy, Giving(FORMS[form])) == expected


@pytest.mark.parametrize(
    ("form", "output"),
    [
        *(("auxiliary", 1), ("auxiliary", "1"), ("dict", "aux"), ("nested", "heads.early")),
        *(("ordered", "aux"), ("ordered", 0)),
    ],
)
def test_another_output_is_named(form: str, output: str | int) -> None:
    expected = score("snip", Giving(lambda f, e, y: e))
    assert score("snip", Giving(FORMS[form]), output=output) == expected != 0


def test_a_name_that_is_not_there_lists_those_that_are() -> None:
    line = refusal(lambda: score("snip", Giving(FORMS["dict"]), output="logit"))
    assert "output 'logit': no such tensor" in line
    assert "features [2, 6], out [2, 10], aux [2, 10]" in line


@pytest.mark.parametrize("give", [lambda *_: None, lambda *_: "text", lambda *_: {}, lambda *_: 3])
def test_no_logits_at_all(give) -> None:
    assert "expected a tensor of logits" in refusal(lambda: score("params", Giving(give)))


class Parallel(nn.DataParallel):
    """A subclass, as people write to reach the attributes inside."""


def parts_in_parallel(model: Small) -> nn.Module:
    model.body = nn.DataParallel(model.body)
    return model


WRAPPED = {
    "parallel": nn.DataParallel,
    "subclass": Parallel,
    "twice": lambda m: nn.DataParallel(nn.DataParallel(m)),
    "compiled": torch.compile,
    "compiled inside": lambda m: nn.DataParallel(torch.compile(m)),
    "parts": parts_in_parallel,
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # of torch.compile's own imports
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("init", ["keep", "kaiming"])
@pytest.mark.parametrize("name", WRAPPED)
def test_the_model_inside_a_wrapper_is_scored(name: str, init: str) -> None:
    for proxy in ("naswot", "snip", "synflow", "vkdnw_entropy"):
        expected = score(proxy, Small(), init=init)
        assert score(proxy, WRAPPED[name](Small()), init=init) == expected
