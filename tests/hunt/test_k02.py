"""A weight that is used again counts once in sums over weights, every time in what ran."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from tests.hunt import references
from tests.hunt.networks import BATCH, Small, refill, score
from tests.hunt.references import BY_WEIGHTS


class Repeated(Small):
    """One convolution that runs three times."""

    def features(self, x: Tensor) -> Tensor:
        x = self.start(x)
        for _ in range(3):
            x = F.relu(self.body(x))
        return x


class TwoNames(Small):
    """One convolution under two names, and one weight in two convolutions."""

    def __init__(self) -> None:
        super().__init__(third=nn.Conv2d(8, 8, 3, padding=1))
        self.second = self.body
        self.third.weight = self.body.weight

    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.third(F.relu(self.second(super().features(x)))))


class Transposed(Small):
    """An autoencoder whose second layer is the first one's transpose."""

    def __init__(self) -> None:
        super().__init__(inner=nn.Linear(8, 5, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.features(x).mean((2, 3))
        code = F.relu(self.inner(pooled))
        return self.head(F.linear(code, self.inner.weight.t()))


def stem_body_head(model: nn.Module) -> list[Tensor]:
    return [model.stem.weight, model.body.weight, model.head.weight]


def with_inner(model: nn.Module) -> list[Tensor]:
    return [*stem_body_head(model), model.inner.weight]


# Sums with signs cancel, and ZiCo divides by small differences.
TOLERANCES = {"plain": 1e-3, "zico": 1e-2}
CASES = [(Repeated, stem_body_head), (TwoNames, stem_body_head), (Transposed, with_inner)]


@pytest.mark.parametrize("proxy", BY_WEIGHTS)
@pytest.mark.parametrize(("build", "weights"), CASES)
def test_sums_over_weights(proxy, build, weights):
    expected = BY_WEIGHTS[proxy](build(), weights)
    assert score(proxy, build()) == pytest.approx(expected, rel=TOLERANCES.get(proxy, 2e-5))


def test_sizes_of_a_repeated_convolution():
    assert score("live_params", Repeated()) == 216 + 584 + 90
    assert score("params", Repeated()) == 906
    assert score("flops", Repeated()) == (216 + 3 * 576) * 1024 + 80
    assert score("depth", Repeated()) == 5
    assert score("sum_layers(ones(layer_params))", Repeated()) == 3
    for build, _ in CASES:
        assert score("flops", build()) == references.flops(build())


def test_a_weight_that_is_computed_anew_for_each_use_counts_once():
    """Weight norm makes another tensor every time; the gradient is that of all of them."""

    class Normed(Repeated):
        def __init__(self) -> None:
            super().__init__()
            weight_norm(self.body)

    def weights(model: nn.Module) -> list[Tensor]:
        return [model.stem.weight, model.body.weight, model.head.weight]

    assert score("l2_norm", Normed()) == pytest.approx(references.l2_norm(Normed(), weights))
    with torch.nn.utils.parametrize.cached():
        expected = references.snip(Normed(), weights)
    assert score("snip", Normed()) == pytest.approx(expected, rel=1e-5)


def test_each_image_gives_the_gradient_of_all_uses():
    """GradSign and Fisher of a repeated convolution, image by image (there is no batch norm)."""

    class Free(Repeated):
        def start(self, x: Tensor) -> Tensor:
            return F.relu(self.stem(x))

    model, images = Free(), references.IMAGES
    signs = [torch.zeros_like(w) for w in stem_body_head(model)]
    for i in range(BATCH // 2):
        loss = F.cross_entropy(model(images.pixels[i : i + 1]), images.labels[i : i + 1])
        for total, g in zip(signs, torch.autograd.grad(loss, stem_body_head(model)), strict=True):
            total += g.sign()
    expected = sum(total.abs().sum().item() for total in signs)
    assert score("gradsign", Free()) == pytest.approx(expected, rel=1e-3)


def test_the_first_live_use_stands_for_a_weight():
    """A first use whose output is dropped does not hide the weight."""

    class Dropped(Small):
        def features(self, x: Tensor) -> Tensor:
            x = self.start(x)
            self.body(x)
            return F.relu(self.body(x))

    assert score("live_params", Dropped()) == score("live_params", Small())
    assert score("live_l2_norm", Dropped()) == pytest.approx(score("live_l2_norm", Small()))
    assert score("flops", Dropped()) == score("flops", Small()) + 576 * 1024


def test_parts_of_one_parameter_are_weights_of_their_own():
    class Parts(Small):
        def __init__(self) -> None:
            super().__init__(both=nn.Linear(8, 16))

        def forward(self, x: Tensor) -> Tensor:
            x = self.features(x).mean((2, 3))
            first, second = self.both.weight.chunk(2)
            return self.head(F.relu(F.linear(F.relu(F.linear(x, first)), second)))

    halves = lambda m: [*stem_body_head(m), *m.both.weight.detach().chunk(2)]  # noqa: E731
    assert score("l2_norm", Parts()) == pytest.approx(references.l2_norm(Parts(), halves))
    refill(Parts())
