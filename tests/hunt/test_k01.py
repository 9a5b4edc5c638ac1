"""Sizes count all that ran for one image, whatever is folded into the first dimension."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import eznas
from eznas.statistics.cost import params_and_flops
from tests.hunt import references
from tests.hunt.networks import Small, notes, refill, score, undefined


class Windows(Small):
    """A linear layer on 4 x 4 windows that are folded into the batch."""

    def __init__(self, activation: nn.Module | None = None) -> None:
        super().__init__(qkv=nn.Linear(8, 24), proj=nn.Linear(24, 8))
        self.activation = activation or nn.Identity()

    def features(self, x: Tensor) -> Tensor:
        x = super().features(x)
        b, c, h, w = x.shape
        windows = x.reshape(b, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1)
        tokens = self.proj(self.activation(self.qkv(windows.reshape(-1, 16, c))))
        back = tokens.reshape(b, h // 4, w // 4, 4, 4, c).permute(0, 5, 1, 3, 2, 4)
        return x + back.reshape(x.shape)


class ChannelsAsImages(Small):
    """Every channel is an image of its own, as in some depthwise designs."""

    def __init__(self) -> None:
        super().__init__(each=nn.Conv2d(1, 4, 3, stride=2))

    def features(self, x: Tensor) -> Tensor:
        x = super().features(x)
        each = self.each(x.flatten(0, 1)[:, None])
        return each.unflatten(0, (len(x), 8)).mean(2)


class Frames(Small):
    """The image in two halves, each an image for the body, pooled where they are folded."""

    def features(self, x: Tensor) -> Tensor:
        halves = torch.cat(self.start(x).chunk(2, 3))  # all first halves, then all second
        return sum(F.avg_pool2d(F.relu(self.body(halves)), 2).chunk(2))


class TokensFirst(Small):
    """Tokens before images, as in transformers that are not batch first."""

    def __init__(self) -> None:
        super().__init__(mix=nn.Linear(8, 8))

    def features(self, x: Tensor) -> Tensor:
        x = super().features(x)
        tokens = self.mix(x.flatten(2).permute(2, 0, 1))
        return tokens.permute(1, 2, 0).unflatten(2, (32, 32))


@pytest.mark.parametrize("build", [Windows, ChannelsAsImages, Frames, TokensFirst])
def test_flops_are_those_of_torchs_counter(build):
    expected = references.flops(build())
    assert score("flops", build()) == expected
    assert score("live_flops", build()) == expected
    assert params_and_flops(build(), 32)[1] == expected


def test_a_swin_block_by_hand():
    convolutions, tokens = (27 * 8 + 72 * 8) * 1024, 1024 * 8 * 24 * 2
    assert score("flops", Windows()) == convolutions + tokens + 80 == 1_204_304


def test_operations_and_positions_count_what_is_folded():
    activations, norms = 2 * 8 * 1024, 2 * 8 * 1024
    expected = score("flops", Frames()) + activations + norms + 4 * 8 * 16 * 16
    assert score("operations", Frames()) == expected
    area = score("sum_layers(layer_area)", Windows())
    assert area == 4 * 1024 + 1


def test_what_does_not_depend_on_the_image_runs_once():
    """A layer that makes biases from positions: for one image it runs as often as for many."""

    class Positions(Small):
        def __init__(self) -> None:
            super().__init__(bias=nn.Linear(2, 8))

        def features(self, x: Tensor) -> Tensor:
            x = super().features(x)
            grid = torch.stack(torch.meshgrid(*2 * [torch.linspace(0, 1, 32)], indexing="ij"), -1)
            return x + self.bias(grid).movedim(-1, 0)

    assert score("flops", Positions()) == references.flops(Positions())
    assert score("flops", Positions()) == score("flops", Small()) + 1024 * 16


def test_a_folded_layer_without_gradients_counts_too():
    class Still(Frames):
        def start(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                return torch.cat(super().start(torch.cat(x.chunk(2, 3))).chunk(2), 3)

    assert score("flops", Still()) == references.flops(Still())


def test_what_compares_images_says_where_it_cannot():
    text = notes("naswot", Windows(nn.ReLU()))
    assert "compares images" in text
    assert "1 place" in text
    assert notes("naswot", Windows()) == ""
    assert score("naswot", Windows(nn.ReLU())) == pytest.approx(
        references.naswot(WithModules(), nn.ReLU)
    )


class WithModules(Windows):
    """The same with modules for the activations before the windows."""

    def __init__(self) -> None:
        super().__init__(activation=nn.GELU())
        self.first, self.second = nn.ReLU(), nn.ReLU()

    def start(self, x: Tensor) -> Tensor:
        return self.first(self.norm(self.stem(x)))

    def features(self, x: Tensor) -> Tensor:
        return self.second(self.body(self.start(x)))


def test_no_activation_that_compares_images_is_undefined_with_a_reason():
    class Folded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 4, 3), nn.Linear(12, 10)
            refill(self)

        def forward(self, x: Tensor) -> Tensor:
            y = F.relu(self.conv(x.flatten(0, 1)[:, None])).mean((2, 3))
            return self.head(y.unflatten(0, (len(x), 3)).flatten(1))

    assert "first axis" in undefined("naswot", Folded())
    assert "first axis" in undefined("swap", Folded())
    assert score("flops", Folded()) == references.flops(Folded())


def test_sums_over_images_leave_folded_layers_out_and_say_so():
    assert "label_weight_grad_signs" in notes("gradsign", Windows())
    assert "label_conv_output_saliency" in notes("fisher", Windows())
    assert eznas.load("snip").score(Windows(), batch=16) == pytest.approx(
        references.snip(
            Windows(), lambda m: [part.weight for part in (m.stem, m.body, m.qkv, m.proj, m.head)]
        ),
        rel=1e-5,
    )
