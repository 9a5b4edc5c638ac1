"""K10: a model that torch treats specially has a score, or one line says what to do."""

import pytest
import torch
from torch import Tensor, nn

from tests.hunt.small import Small, refusal, score


def lazy() -> nn.Module:
    return nn.Sequential(
        *(nn.LazyConv2d(4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.LazyLinear(10),
    )


def test_lazy_layers_are_to_be_run_first() -> None:
    model = lazy()
    assert "lazy layers have no sizes yet; run it once" in refusal(lambda: score("params", model))
    assert type(model[0]) is nn.LazyConv2d
    model(torch.zeros(2, 3, 16, 16))
    assert score("params", model) == 4 * 27 + 4 + 50


@pytest.mark.parametrize("init", ["keep", "kaiming"])
@pytest.mark.parametrize("proxy", ["naswot", "snip", "synflow", "zen", "grasp", "vkdnw_entropy"])
def test_made_in_inference_mode(proxy: str, init: str) -> None:
    class WithConstant(Small):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.full((6, 1, 1), 0.5)

        def middle(self, x: Tensor) -> Tensor:
            return super().middle(x) * self.scale

    with torch.inference_mode():
        model = WithConstant()
    assert score(proxy, model, init=init) == score(proxy, WithConstant(), init=init)
    assert model.scale.is_inference()
    assert model.body.weight.is_inference()


def test_an_exported_program() -> None:
    exported = torch.export.export(Small().eval(), (torch.zeros(2, 3, 16, 16),)).module()
    assert "train() failed: Calling train()" in refusal(lambda: score("params", exported))


def test_a_mode_that_cannot_be_entered() -> None:
    class Stuck(Small):
        def train(self, mode: bool = True) -> nn.Module:
            raise RuntimeError("frozen for good")

    assert "Stuck: train() failed: frozen for good" in refusal(lambda: score("params", Stuck()))


def test_a_forward_that_ends_the_process() -> None:
    class Leaving(Small):
        def features(self, x: Tensor) -> Tensor:
            raise SystemExit("enough")

    assert "forward failed" in refusal(lambda: score("params", Leaving()))


def test_parameters_that_cannot_be_listed() -> None:
    class Private(Small):
        def named_parameters(self, *arguments: object, **options: object):  # type: ignore[override]
            raise RuntimeError("not for you")

    assert "cannot be read: not for you" in refusal(lambda: score("params", Private()))
