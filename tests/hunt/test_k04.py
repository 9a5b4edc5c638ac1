"""K4: what runs again during backward meets the same tensors, and is seen once."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from tests.hunt.small import Small, score

PROXIES = (
    *("snip", "grad_norm", "fisher", "grasp", "jacob_cov", "synflow", "logsynflow", "hybrid"),
    *("zico", "gradsign", "eznas_a", "az_trainability", "vkdnw_entropy", "plain"),
)


class Saving(Small):
    """The middle is computed anew in backward, by either kind of checkpoint."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.reentrant = reentrant

    def features(self, x: Tensor) -> Tensor:
        return checkpoint(self.middle, self.begin(x), use_reentrant=self.reentrant)


class Segments(Small):
    def features(self, x: Tensor) -> Tensor:
        parts = [self.body, self.second, nn.ReLU()]
        return checkpoint_sequential(parts, 2, self.begin(x), use_reentrant=False)


class _Again(torch.autograd.Function):
    """A checkpoint of one's own: no torch code that could be taken away."""

    @staticmethod
    def forward(ctx, part, x, *parameters):
        ctx.part, ctx.parameters = part, parameters
        ctx.save_for_backward(x)
        with torch.no_grad():
            return part(x)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            y = ctx.part(x)
        x_gradient, *others = torch.autograd.grad(y, (x, *ctx.parameters), gradient)
        return None, x_gradient, *others


class HomeMade(Small):
    def features(self, x: Tensor) -> Tensor:
        parameters = [*self.body.parameters(), *self.second.parameters()]
        return _Again.apply(self.middle, self.begin(x), *parameters)


@pytest.mark.parametrize("init", ["keep", "kaiming"])
@pytest.mark.parametrize("proxy", PROXIES)
def test_a_checkpoint_changes_no_score(proxy: str, init: str) -> None:
    expected = score(proxy, Small(), init=init)
    for model in (Saving(False), Saving(True), Segments()):
        assert score(proxy, model, init=init) == expected


@pytest.mark.parametrize("init", ["keep", "kaiming"])
def test_a_function_that_runs_its_part_anew_sees_the_right_parameters(init: str) -> None:
    """The gradient at the image leads through the part; the first images' is the same."""
    expected = score("jacob_cov", Small(), init=init)
    model = HomeMade()
    mean = model.second.running_mean.clone()
    assert score("jacob_cov", model, init=init) == pytest.approx(expected, rel=1e-6)
    assert torch.equal(mean, model.second.running_mean)
    assert all(p.grad is None for p in model.parameters())


def test_checkpoints_are_torchs_again_afterwards() -> None:
    score("snip", Saving(False))
    model, runs = Small(), []
    model.body.register_forward_hook(lambda *_: runs.append(1))
    for reentrant in (True, False):
        x = torch.randn(2, 6, 4, 4, requires_grad=True)
        checkpoint(model.middle, x, use_reentrant=reentrant).sum().backward()
    assert len(runs) == 4
