"""Sketches: per-image gradients, on-off patterns, transfers of blocks, and primitives."""

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
from eznas.statistics.events import Event
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure
from eznas.statistics.sketches import (
    IMAGES_AT_A_TIME,
    condense,
    count_patterns,
    per_image_gradients,
)
from eznas.statistics.tracing import Tracer
from tests.reference import TinyResNet

# An even kernel with "same" padding, which torch pads on one side more, and says so.
EVEN = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")


# Each image's contribution to the gradient of a weight.

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
    """Compare with the layer run on each image alone; the contributions add up to the gradient."""
    y, event = run(call, x)
    g = torch.randn_like(y)
    g[-1, 0] = 0
    contributions = per_image_gradients(x, g, event)
    assert contributions.shape == (len(x), *(*weight.shape, 1, 1)[:4])
    for i, contribution in enumerate(contributions):
        alone = call(x[i : i + 1])
        (expected,) = torch.autograd.grad(alone, weight, g[i : i + 1])
        torch.testing.assert_close(
            contribution.reshape(expected.shape), expected, rtol=1e-12, atol=1e-12
        )
    (total,) = torch.autograd.grad(y, weight, g)
    torch.testing.assert_close(
        contributions.sum(0).reshape(total.shape), total, rtol=1e-12, atol=1e-12
    )
    assert contributions.flatten(1).abs().amax(1).min() > 0


def features(batch: int = 3, channels: int = 4, height: int = 9, width: int = 7) -> Tensor:
    return torch.randn(batch, channels, height, width, dtype=torch.float64)


@pytest.mark.parametrize("options", CONVOLUTIONS)
def test_contributions_of_a_convolution(options: dict[str, object]) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, **options).double()  # type: ignore[arg-type]
    check(layer, layer.weight, features())
    check(layer, layer.weight, features().contiguous(memory_format=torch.channels_last))


@pytest.mark.parametrize("options", [o for o in CONVOLUTIONS if isinstance(o, dict)])
def test_contributions_equal_torchs_own_function(options: dict[str, object]) -> None:
    """`conv2d_weight`, image by image; padding given by name is done before."""
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, **options).double()  # type: ignore[arg-type]
    x = features()
    y, event = run(layer, x)
    g = torch.randn_like(y)
    layer_options = {"stride": layer.stride, "dilation": layer.dilation, "groups": layer.groups}
    padding = layer.padding
    if layer.padding == "same":
        padding = [d * (k - 1) // 2 for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    height, width = _pair(0 if padding == "valid" else padding)
    padded = F.pad(x, (width, width, height, height))
    for i, contribution in enumerate(per_image_gradients(x, g, event)):
        expected = conv2d_weight(
            padded[i : i + 1], layer.weight.shape, g[i : i + 1], **layer_options
        )
        torch.testing.assert_close(contribution, expected, rtol=1e-12, atol=1e-12)


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
def test_contributions_of_a_convolution_by_function(options: dict[str, object]) -> None:
    torch.manual_seed(0)
    weight = torch.randn(8, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    check(lambda x: F.conv2d(x, weight, groups=2, **options), weight, features())
    check(lambda x: F.conv2d(input=x, weight=weight, groups=2, **options), weight, features())


def test_contributions_of_a_convolution_that_pads_by_itself() -> None:
    """The traced input is the padded one."""
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, 3, padding=1, padding_mode="circular").double()
    x = features()
    y, event = run(layer, x)
    g = torch.randn_like(y)
    contributions = per_image_gradients(F.pad(x, (1, 1, 1, 1), mode="circular"), g, event)
    (total,) = torch.autograd.grad(y, layer.weight, g)
    torch.testing.assert_close(contributions.sum(0), total, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(5,), (7, 5), (3, 2, 5)], ids=["rows", "tokens", "positions"])
def test_contributions_of_a_linear_layer(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(5, 4).double()
    check(layer, layer.weight, torch.randn(3, *shape, dtype=torch.float64))


@pytest.mark.parametrize(
    "batch",
    [1, IMAGES_AT_A_TIME - 1, IMAGES_AT_A_TIME, IMAGES_AT_A_TIME + 1, 2 * IMAGES_AT_A_TIME, 11],
)
def test_contributions_of_any_number_of_images(batch: int) -> None:
    """They are unfolded `IMAGES_AT_A_TIME`."""
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, 3, stride=2, padding=1).double()
    check(layer, layer.weight, features(batch))


def test_std_and_signs_of_contributions() -> None:
    """Of four images and a weight of two entries: 1, 3, 1, 3 and 0, -1, 1, 1."""
    contributions = torch.tensor([[1.0, 0.0], [3.0, -1.0], [1.0, 1.0], [3.0, 1.0]]).reshape(
        4, 1, 2, 1, 1
    )
    rows = [CATALOGUE[f"label_weight_grad_{name}"] for name in ("std", "signs")]
    copied = contributions.clone()
    std, signs = (condense(row, [contributions]).flatten().tolist() for row in rows)
    assert std == pytest.approx([1.0, (0.75 - 0.25**2) ** 0.5])
    assert signs == [4.0, 1.0]
    assert torch.equal(contributions, copied)  # other rows use them too


class Layers(nn.Module):
    """Layers with many different arguments in a row."""

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


def test_contributions_in_a_model() -> None:
    """The total, the standard deviation and the sum of signs over images."""
    torch.manual_seed(0)
    model, calls = Layers().double(), {}

    def record(module, inputs, output):
        calls[module] = inputs[0].detach(), output

    images = generated(14, size=12)
    images = replace(images, pixels=images.pixels.double())
    config = MeasurementConfig(images, raw=2, sketch=14, initialisation="keep")
    rows = [CATALOGUE[f"label_weight_grad{name}"] for name in ("", "_std", "_signs")]
    tensors = measure(model, config, rows).tensors
    layers = [model.a, model.b, model.c, model.tokens, model.head]
    for layer in layers:
        layer.register_forward_hook(record)
    loss = F.cross_entropy(model(images.pixels[:7]), images.labels[:7])
    gradients = torch.autograd.grad(loss, [calls[layer][1] for layer in layers])
    for index, (layer, g) in enumerate(zip(layers, gradients, strict=True)):
        x = calls[layer][0]
        contributions = torch.stack(
            [
                torch.autograd.grad(layer(x[i : i + 1]), layer.weight, g[i : i + 1])[0]
                for i in range(7)
            ]
        )
        mean = sum(contributions) / 7
        std = (sum((p - mean) ** 2 for p in contributions) / 7).sqrt()
        total, measured_std, signs = (tensors[row.name][index].flatten() for row in rows)
        torch.testing.assert_close(total, contributions.sum(0).flatten(), rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(measured_std, std.flatten(), rtol=1e-9, atol=1e-12)
        assert torch.equal(signs, contributions.sign().sum(0).flatten())


# On-off patterns.


def patterns(outputs: list[Tensor]) -> int:
    units = [unit for y in outputs for unit in (y > 0).flatten(1).T.tolist()]
    return len({tuple(unit) for unit in units})


@pytest.mark.parametrize("batch", [1, 2, 7, 61, 62, 63, 64, 124, 125, 200])
def test_patterns(batch: int) -> None:
    """Units are on for few images, so that two may differ in the last image alone."""
    torch.manual_seed(batch)
    outputs = [torch.randn(batch, *shape) - 2 for shape in ((3, 5, 5), (40,), (2, 30))]
    outputs[0][: batch - 1, :, 0] = 0.0  # 0 is off
    outputs[1][: batch - 1] = outputs[1][:1]
    outputs[2][0] = torch.nan  # and so is NaN
    codes = [condense(CATALOGUE["data_patterns"], [y]) for y in outputs]
    assert count_patterns(codes) == patterns(outputs)
    assert count_patterns(codes[:1]) == patterns(outputs[:1])


@pytest.mark.parametrize("image", [0, 30, 61, 62, 63, 69])
def test_patterns_may_differ_in_one_image(image: int) -> None:
    y = torch.zeros(70, 3)
    y[:, 1] = y[:, 2] = 1.0
    assert count_patterns([condense(CATALOGUE["data_patterns"], [y])]) == 2
    y[image, 2] = 0.0
    assert count_patterns([condense(CATALOGUE["data_patterns"], [y])]) == 3


@pytest.mark.parametrize("batch", [6, 70])
def test_patterns_of_a_model(batch: int) -> None:
    """A pattern that occurs at several activations counts once."""
    torch.manual_seed(0)
    model, outputs = TinyResNet(), []
    config = MeasurementConfig(generated(batch, size=8), raw=batch, sketch=2, initialisation="keep")
    count = measure(model, config, [CATALOGUE["data_patterns"]]).tensors["data_patterns"]
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda _, inputs, output: outputs.append(output.clone()))
    with torch.no_grad():
        model(config.images.pixels)
    assert len(outputs) == 3
    assert count[0].item() == patterns(outputs) < sum(patterns([y]) for y in outputs)


def test_a_model_without_activations_has_no_patterns() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(256, 10))
    measured = measure(
        model,
        MeasurementConfig(generated(4, size=8), raw=4, sketch=64),
        [CATALOGUE["data_patterns"]],
    )
    assert measured.tensors["data_patterns"] == [None]


# From output to input channels of a block.


def test_transfer() -> None:
    """One image, two input channels, one output channel of half the side: four patches each."""
    gradient = torch.arange(32.0).reshape(1, 2, 4, 4)
    signs = torch.tensor([[[[1.0, -1.0], [1.0, 1.0]]]])
    transfer = condense(CATALOGUE["local_block_transfer"], [gradient, signs])
    assert transfer.dtype == torch.float64
    expected = [
        sum(
            sign * gradient[0, c, 2 * h + i, 2 * w + j].item()
            for (h, w), sign in (((0, 0), 1), ((0, 1), -1), ((1, 0), 1), ((1, 1), 1))
        )
        / 4
        for c in range(2)
        for i in range(2)
        for j in range(2)
    ]
    assert transfer.tolist() == [[value] for value in expected]


def test_transfer_is_a_mean_over_images_and_positions() -> None:
    gradient, signs = torch.randn(3, 2, 5, 4), torch.randn(3, 6, 5, 4).sign()
    row = CATALOGUE["local_block_transfer"]
    transfer = condense(row, [gradient, signs])
    assert transfer.shape == (2, 6)
    twice = condense(row, [torch.cat([gradient, gradient]), torch.cat([signs, signs])])
    torch.testing.assert_close(transfer, twice)
    for i, o in ((0, 0), (1, 4)):
        mean = (gradient[:, i] * signs[:, o]).mean().item()
        assert transfer[i, o].item() == pytest.approx(mean, rel=1e-5, abs=1e-7)


# Primitives as sketches.


@pytest.mark.parametrize("name", [n for n, row in CATALOGUE.items() if row.sketch in PRIMITIVES])
def test_a_sketch_by_a_primitive_is_the_primitive(name: str) -> None:
    """On one layer; vectors and tokens count as maps of width 1."""
    row = CATALOGUE[name]
    torch.manual_seed(0)
    for shape in ((4, 3, 5, 5), (4, 3), (4, 6, 3)):
        tensors = [torch.randn(shape) for _ in range(PRIMITIVES[row.sketch].arity)]
        shaped = [p.mT if len(shape) == 3 else p for p in tensors]
        shaped = [p.reshape(1, *p.shape, *(1,) * (4 - p.dim())) for p in shaped]
        sketch = condense(row, tensors)
        assert torch.equal(sketch, PRIMITIVES[row.sketch].function(*shaped)[0])
        assert "channels" not in row.meaning or sketch.shape[-1] == 3


def test_a_tensor_without_a_sketch_is_copied() -> None:
    x = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    copied = condense(CATALOGUE["data_conv_input"], [x])
    assert torch.equal(copied, x)
    assert copied.is_contiguous()
    x.zero_()
    assert copied.abs().max() > 0
