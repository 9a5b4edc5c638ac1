"""What is kept of a tensor: images' parts in a gradient, patterns, transfers, and the words."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight
from torch.nn.modules.utils import _pair

from eznas.primitives import PRIMITIVES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure
from eznas.statistics.sketches import (
    IMAGES_AT_A_TIME,
    condense,
    count_patterns,
    per_image_gradients,
)
from eznas.statistics.tracing import Event, Tracer
from tests.reference import TinyResNet

# An even kernel with "same" padding, which torch pads on one side more, and says so.
EVEN = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")


# Each image's part in the gradient of a weight.

CONVOLUTIONS = [
    {"kernel_size": 3},
    {"kernel_size": 1},
    {"kernel_size": 3, "padding": 1, "bias": False},
    {"kernel_size": (1, 3), "padding": (0, 1)},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": (3, 2), "stride": (2, 3), "padding": (2, 0)},
    {"kernel_size": 3, "dilation": 2, "padding": 2},
    {"kernel_size": (3, 2), "dilation": (1, 3), "stride": (1, 2)},
    {"kernel_size": 3, "groups": 2, "padding": 1},
    {"kernel_size": 3, "groups": 4, "stride": 2},
    {"kernel_size": 3, "padding": "valid"},
    {"kernel_size": (3, 5), "padding": "same"},
    {"kernel_size": 3, "padding": "same", "dilation": (1, 2), "groups": 2},
    pytest.param({"kernel_size": (2, 4), "padding": "same"}, marks=EVEN),
    pytest.param({"kernel_size": (4, 3), "padding": "same", "dilation": (3, 2)}, marks=EVEN),
]


def run(call: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Event]:
    """The output of one layer, and the layer as it was traced."""
    with (tracer := Tracer()).following(nn.Identity()):
        y = call(x)
    (event,) = tracer.events["layer"]
    return y, event


def check(call: Callable[[Tensor], Tensor], weight: Tensor, x: Tensor) -> None:
    """Against the layer run on each image alone; the parts add up to the gradient."""
    y, event = run(call, x)
    g = torch.randn_like(y)
    g[-1, 0] = 0
    found = per_image_gradients(x, g, event)
    assert found.shape == (len(x), *(*weight.shape, 1, 1)[:4])
    for i, part in enumerate(found):
        alone = call(x[i : i + 1])
        (want,) = torch.autograd.grad(alone, weight, g[i : i + 1])
        torch.testing.assert_close(part.reshape(want.shape), want, rtol=1e-12, atol=1e-12)
    (whole,) = torch.autograd.grad(y, weight, g)
    torch.testing.assert_close(found.sum(0).reshape(whole.shape), whole, rtol=1e-12, atol=1e-12)
    assert found.flatten(1).abs().amax(1).min() > 0


def features(batch: int = 3, channels: int = 4, height: int = 9, width: int = 7) -> Tensor:
    return torch.randn(batch, channels, height, width, dtype=torch.float64)


@pytest.mark.parametrize("options", CONVOLUTIONS)
def test_parts_of_a_convolution(options: dict[str, object]) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, **options).double()  # type: ignore[arg-type]
    check(layer, layer.weight, features())
    check(layer, layer.weight, features().contiguous(memory_format=torch.channels_last))


@pytest.mark.parametrize("options", [o for o in CONVOLUTIONS if isinstance(o, dict)])
def test_parts_are_those_of_torchs_own_function(options: dict[str, object]) -> None:
    """`conv2d_weight`, image by image; what torch pads by name is padded before."""
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, **options).double()  # type: ignore[arg-type]
    x = features()
    y, event = run(layer, x)
    g = torch.randn_like(y)
    given = {"stride": layer.stride, "dilation": layer.dilation, "groups": layer.groups}
    sides = layer.padding
    if layer.padding == "same":
        sides = [d * (k - 1) // 2 for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    high, wide = _pair(0 if sides == "valid" else sides)
    padded = F.pad(x, (wide, wide, high, high))
    for i, part in enumerate(per_image_gradients(x, g, event)):
        want = conv2d_weight(padded[i : i + 1], layer.weight.shape, g[i : i + 1], **given)
        torch.testing.assert_close(part, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2},
        {"stride": (2,), "padding": (1,)},  # one number for both sides
        {"stride": [2, 1], "padding": [0, 2], "dilation": (2,)},
        {"padding": "same", "dilation": (2,)},
        {"padding": "valid", "stride": (3,)},
    ],
)
def test_parts_of_a_convolution_by_function(options: dict[str, object]) -> None:
    torch.manual_seed(0)
    weight = torch.randn(8, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    check(lambda x: F.conv2d(x, weight, groups=2, **options), weight, features())
    check(lambda x: F.conv2d(input=x, weight=weight, groups=2, **options), weight, features())


def test_parts_of_a_convolution_that_pads_by_itself() -> None:
    """The traced input is what it padded."""
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, 3, padding=1, padding_mode="circular").double()
    x = features()
    y, event = run(layer, x)
    g = torch.randn_like(y)
    found = per_image_gradients(F.pad(x, (1, 1, 1, 1), mode="circular"), g, event)
    (whole,) = torch.autograd.grad(y, layer.weight, g)
    torch.testing.assert_close(found.sum(0), whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(5,), (7, 5), (3, 2, 5)], ids=["rows", "tokens", "positions"])
def test_parts_of_a_linear_layer(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(5, 4).double()
    check(layer, layer.weight, torch.randn(3, *shape, dtype=torch.float64))


@pytest.mark.parametrize(
    "batch",
    [1, IMAGES_AT_A_TIME - 1, IMAGES_AT_A_TIME, IMAGES_AT_A_TIME + 1, 2 * IMAGES_AT_A_TIME, 11],
)
def test_parts_of_any_number_of_images(batch: int) -> None:
    """They are unfolded a few at a time."""
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, 3, stride=2, padding=1).double()
    check(layer, layer.weight, features(batch))


def test_spread_and_signs_of_the_parts() -> None:
    """Of four parts of one weight of two entries: 1, 3, 1, 3 and 0, -1, 1, 1."""
    parts = torch.tensor([[1.0, 0.0], [3.0, -1.0], [1.0, 1.0], [3.0, 1.0]]).reshape(4, 1, 2, 1, 1)
    rows = [CATALOGUE[f"label_weight_grad_{name}"] for name in ("std", "signs")]
    before = parts.clone()
    std, signs = (condense(row, [parts]).flatten().tolist() for row in rows)
    assert std == pytest.approx([1.0, (0.75 - 0.25**2) ** 0.5])
    assert signs == [4.0, 1.0]
    assert torch.equal(parts, before)  # the other rows need them too


class Layers(nn.Module):
    """Layers of many forms in a row, with chance in between."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.b = nn.Conv2d(4, 8, 3, padding="same", dilation=2, groups=2, bias=False)
        self.c = nn.Conv2d(8, 8, (3, 1), stride=(2, 1), groups=8)
        self.norm = nn.BatchNorm2d(8)
        self.tokens, self.head = nn.Linear(8, 6), nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.c(F.relu(self.b(F.gelu(self.a(x))))))
        return self.head(F.silu(self.tokens(x.flatten(2).mT)).mean(1))


def test_parts_in_a_model() -> None:
    """The spread over images, and the sum of signs, of parts that add up to the gradient."""
    torch.manual_seed(0)
    model, seen = Layers().double(), {}

    def note(module, inputs, output):
        seen[module] = inputs[0].detach(), output

    images = generated(14, size=12)
    images = replace(images, pixels=images.pixels.double())
    config = MeasurementConfig(images, raw=2, sketch=14, initialisation="keep")
    rows = [CATALOGUE[f"label_weight_grad{name}"] for name in ("", "_std", "_signs")]
    found = measure(model, config, rows).tensors
    layers = [model.a, model.b, model.c, model.tokens, model.head]
    for layer in layers:
        layer.register_forward_hook(note)
    loss = F.cross_entropy(model(images.pixels[:7]), images.labels[:7])
    above = torch.autograd.grad(loss, [seen[layer][1] for layer in layers])
    for place, (layer, g) in enumerate(zip(layers, above, strict=True)):
        x = seen[layer][0]
        parts = torch.stack(
            [
                torch.autograd.grad(layer(x[i : i + 1]), layer.weight, g[i : i + 1])[0]
                for i in range(7)
            ]
        )
        mean = sum(parts) / 7
        std = (sum((p - mean) ** 2 for p in parts) / 7).sqrt()
        whole, spread, signs = (found[row.name][place].flatten() for row in rows)
        torch.testing.assert_close(whole, parts.sum(0).flatten(), rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(spread, std.flatten(), rtol=1e-9, atol=1e-12)
        assert torch.equal(signs, parts.sign().sum(0).flatten())


# On-off patterns.


def patterns(outputs: list[Tensor]) -> int:
    units = [unit for y in outputs for unit in (y > 0).flatten(1).T.tolist()]
    return len({tuple(unit) for unit in units})


@pytest.mark.parametrize("batch", [1, 2, 7, 61, 62, 63, 64, 124, 125, 200])
def test_patterns(batch: int) -> None:
    """Of units that are on for few images, so that the last image alone may tell two apart."""
    torch.manual_seed(batch)
    outputs = [torch.randn(batch, *shape) - 2 for shape in ((3, 5, 5), (40,), (2, 30))]
    outputs[0][: batch - 1, :, 0] = 0.0  # 0 is off
    outputs[1][: batch - 1] = outputs[1][:1]
    outputs[2][0] = torch.nan  # and so is what is no number
    codes = [condense(CATALOGUE["data_patterns"], [y]) for y in outputs]
    assert count_patterns(codes) == patterns(outputs)
    assert count_patterns(codes[:1]) == patterns(outputs[:1])


@pytest.mark.parametrize("image", [0, 30, 61, 62, 63, 69])
def test_one_image_tells_two_patterns_apart(image: int) -> None:
    y = torch.zeros(70, 3)
    y[:, 1] = y[:, 2] = 1.0
    assert count_patterns([condense(CATALOGUE["data_patterns"], [y])]) == 2
    y[image, 2] = 0.0
    assert count_patterns([condense(CATALOGUE["data_patterns"], [y])]) == 3


@pytest.mark.parametrize("batch", [6, 70])
def test_patterns_of_a_model(batch: int) -> None:
    """Those of all activations together."""
    torch.manual_seed(0)
    model, seen = TinyResNet(), []
    config = MeasurementConfig(generated(batch, size=8), raw=batch, sketch=2, initialisation="keep")
    found = measure(model, config, [CATALOGUE["data_patterns"]]).tensors["data_patterns"]
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda _, inputs, output: seen.append(output.clone()))
    with torch.no_grad():
        model(config.images.pixels)
    assert len(seen) == 3
    assert found[0].item() == patterns(seen) < sum(patterns([y]) for y in seen)


def test_a_model_without_activations_has_no_patterns() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(256, 10))
    found = measure(
        model, MeasurementConfig(generated(4, size=8), raw=4), [CATALOGUE["data_patterns"]]
    )
    assert found.tensors["data_patterns"] == [None]


# From output to input channels of a block.


def test_transfer() -> None:
    """One image, two input channels, one output channel of half the side: four patches each."""
    gradient = torch.arange(32.0).reshape(1, 2, 4, 4)
    signs = torch.tensor([[[[1.0, -1.0], [1.0, 1.0]]]])
    found = condense(CATALOGUE["local_block_transfer"], [gradient, signs])
    assert found.dtype == torch.float64
    want = [
        sum(
            sign * gradient[0, c, 2 * h + i, 2 * w + j].item()
            for (h, w), sign in (((0, 0), 1), ((0, 1), -1), ((1, 0), 1), ((1, 1), 1))
        )
        / 4
        for c in range(2)
        for i in range(2)
        for j in range(2)
    ]
    assert found.tolist() == [[value] for value in want]


def test_transfer_is_a_mean_over_images_and_positions() -> None:
    gradient, signs = torch.randn(3, 2, 5, 4), torch.randn(3, 6, 5, 4).sign()
    row = CATALOGUE["local_block_transfer"]
    found = condense(row, [gradient, signs])
    assert found.shape == (2, 6)
    twice = condense(row, [torch.cat([gradient, gradient]), torch.cat([signs, signs])])
    torch.testing.assert_close(found, twice)
    for i, o in ((0, 0), (1, 4)):
        mean = (gradient[:, i] * signs[:, o]).mean().item()
        assert found[i, o].item() == pytest.approx(mean, rel=1e-5, abs=1e-7)


# Words as sketches.


@pytest.mark.parametrize("name", [n for n, row in CATALOGUE.items() if row.sketch in PRIMITIVES])
def test_a_sketch_by_a_word_is_the_word(name: str) -> None:
    """On one layer; rows and tokens count as features of one column."""
    row = CATALOGUE[name]
    torch.manual_seed(0)
    for shape in ((4, 3, 5, 5), (4, 3), (4, 6, 3)):
        parts = [torch.randn(shape) for _ in range(PRIMITIVES[row.sketch].arity)]
        shaped = [p.mT if len(shape) == 3 else p for p in parts]
        shaped = [p.reshape(1, *p.shape, *(1,) * (4 - p.dim())) for p in shaped]
        found = condense(row, parts)
        assert torch.equal(found, PRIMITIVES[row.sketch].function(*shaped)[0])
        assert "channels" not in row.meaning or found.shape[-1] == 3


def test_what_is_kept_whole_is_a_copy() -> None:
    x = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    found = condense(CATALOGUE["data_conv_input"], [x])
    assert torch.equal(found, x)
    assert found.is_contiguous()
    x.zero_()
    assert found.abs().max() > 0
