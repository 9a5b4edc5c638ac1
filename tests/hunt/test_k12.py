"""K12: a model is measured in its own type; float64 is left where a part does not follow."""

import math

import pytest
import torch
from torch import Tensor, nn

from eznas.proxies.classics import CLASSICS
from tests.hunt.small import Small, score

TOLERANCE = {torch.float64: 1e-5, torch.bfloat16: 0.2, torch.float16: 0.03}


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_sizes_and_scores_in_the_models_own_type(dtype: torch.dtype) -> None:
    for proxy in ("params", "flops", "depth"):
        assert score(proxy, Small().to(dtype)) == score(proxy, Small())
    for proxy in ("naswot", "snip", "grad_norm", "synflow", "l2_norm", "fisher", "swap"):
        expected = score(proxy, Small())
        assert score(proxy, Small().to(dtype)) == pytest.approx(expected, rel=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_every_published_proxy_takes_every_type(dtype: torch.dtype) -> None:
    for proxy in CLASSICS:
        value = score(proxy, Small().to(dtype))
        assert not math.isnan(value), proxy


class Blurred(Small):
    """A fixed kernel as a plain attribute, and a constant that is made while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.blur = torch.ones(6, 1, 3, 3) / 9

    def middle(self, x: Tensor) -> Tensor:
        x = nn.functional.conv2d(super().middle(x), self.blur, padding=1, groups=6)
        return torch.einsum("bchw,cd->bdhw", x, torch.eye(6))


class Registered(Blurred):
    def __init__(self) -> None:
        super().__init__()
        blur = self.blur
        del self.blur
        self.register_buffer("blur", blur)
        self.register_buffer("eye", torch.eye(6))

    def middle(self, x: Tensor) -> Tensor:
        x = nn.functional.conv2d(Small.middle(self, x), self.blur, padding=1, groups=6)
        return torch.einsum("bchw,cd->bdhw", x, self.eye)


def test_plain_tensors_follow_into_float64() -> None:
    for proxy in ("synflow", "logsynflow", "hybrid"):
        model = Blurred()
        assert score(proxy, model) == score(proxy, Registered())
        assert model.blur.dtype == torch.float32
    assert torch.get_default_dtype() == torch.float32


def test_where_float64_cannot_be_had_the_models_type_is_taken_with_a_word() -> None:
    class Single(Small):
        def middle(self, x: Tensor) -> Tensor:
            return super().middle(x.float() if x.dtype == torch.float64 else x)

    with pytest.warns(UserWarning, match="Single: SynFlow's pass in float32; in float64, .*failed"):
        value = score("synflow", Single())
    assert value == pytest.approx(score("synflow", Small()), rel=1e-5)


class Mixing(Small):
    """A complex parameter between two Fourier transforms."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.polar(torch.ones(6, 6), torch.arange(36.0).reshape(6, 6)))

    def middle(self, x: Tensor) -> Tensor:
        mixed = torch.einsum("bchw,cd->bdhw", torch.fft.fft2(super().middle(x)), self.mix)
        return torch.fft.ifft2(mixed).real


@pytest.mark.filterwarnings("ignore:.*parameters are in no layer")
def test_complex_parameters() -> None:
    """SynFlow takes their absolute values, 1 each: every channel is the sum of all."""
    for proxy in ("naswot", "snip", "grasp", "jacob_cov"):
        assert math.isfinite(score(proxy, Mixing()))

    class Summed(Small):
        def middle(self, x: Tensor) -> Tensor:
            return super().middle(x).sum(1, keepdim=True).expand(-1, 6, -1, -1)

    assert score("synflow", Mixing()) == pytest.approx(score("synflow", Summed()), rel=1e-6)


def test_a_model_that_is_complex_throughout() -> None:
    """It takes complex images, and its logits count by their absolute values."""
    model = nn.Sequential(
        *(nn.Conv2d(3, 4, 3, dtype=torch.cfloat), nn.Flatten()),
        nn.Linear(4 * 36, 10, dtype=torch.cfloat),
    )
    for proxy in ("params", "snip", "synflow", "grad_norm"):
        assert score(proxy, model, input_size=(3, 8, 8)) > 0
