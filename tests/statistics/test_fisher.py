"""The Fisher information of a few parameters, against an explicit Jacobian in float64."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.fisher import SMOOTHING, TENSORS
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure
from tests.reference import Concat, Mlp, NoBatchNorm, SharedConv, TinyResNet

ROW = CATALOGUE["fisher_deciles"]
IMAGES = generated(5, size=8)
CONFIG = MeasurementConfig(
    replace(IMAGES, pixels=IMAGES.pixels.double()), raw=5, sketch=2, initialisation="keep"
)
MIXED = "|nor_conv_1x1~0|+|none~0|none~1|+|skip_connect~0|avg_pool_3x3~1|none~2|"


def measured(model: nn.Module, config: MeasurementConfig = CONFIG) -> Tensor | None:
    (deciles,) = measure(model, config, [ROW]).tensors[ROW.name]
    return deciles


def information(model: nn.Module, parameters: Iterable[str] = (), images: int = 5) -> np.ndarray:
    """The mean over images of J' (diag p - p p') J with smoothed class probabilities p, where
    J [classes, parameters] has the gradients of the first entry of each (named) parameter."""
    model = copy.deepcopy(model).eval().requires_grad_()
    named = dict(model.named_parameters())
    tensors = [named[name] for name in parameters] or list(named.values())
    total = np.zeros((len(tensors), len(tensors)))
    for image in CONFIG.images.pixels[:images]:
        logits = model(image[None])[0]
        J = np.zeros((len(logits), len(tensors)))
        for c, logit in enumerate(logits):
            gradients = torch.autograd.grad(
                logit, tensors, retain_graph=True, materialize_grads=True, allow_unused=True
            )
            J[c] = [g.flatten()[0].item() for g in gradients]
        p = logits.detach().softmax(0).numpy() * 0.95 + 0.05 / len(logits)
        total += J.T @ (np.diag(p) - np.outer(p, p)) @ J / images
    return total


def deciles(information: np.ndarray) -> list[float]:
    eigenvalues = np.linalg.eigvalsh(information).clip(min=0)
    return np.quantile(eigenvalues, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]).tolist()


def compare(model: nn.Module, parameters: Iterable[str] = ()) -> None:
    values, expected = measured(model), deciles(information(model, parameters))
    assert values is not None
    assert (values.shape, values.dtype) == ((9,), torch.float64)
    assert values.tolist() == pytest.approx(expected, rel=1e-9, abs=1e-9 * expected[-1])
    assert expected[-1] > 1e-9


def with_used_norms(model: nn.Module) -> nn.Module:
    """The model in float64, with norms whose parameters and running statistics are random."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor in (module.weight, module.running_var):
                if tensor is not None:
                    nn.init.uniform_(tensor, 0.5, 2.0)
            for tensor in (module.bias, module.running_mean):
                if tensor is not None:
                    nn.init.uniform_(tensor, -1.0, 1.0)
    return model.double()


class Chain(nn.Sequential):
    """Modules, then the mean over positions and a linear layer."""

    def __init__(self, *parts: nn.Module, channels: int = 4) -> None:
        super().__init__(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Linear(3, 5), nn.BatchNorm1d(5)
        self.mixed, self.head = nn.Linear(5, 6, bias=False), nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x.flatten(2).mT).mT)).mT
        return self.head(F.gelu(self.mixed(x)).mean(1))


class Side(nn.Module):
    """One layer whose output is unused, and one that the image does not reach."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.unused, self.zero_fed = (nn.Conv2d(3, 4, 1) for _ in range(3))
        self.head = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        self.unused(x)
        y = F.relu(self.a(x)) + self.zero_fed(torch.zeros_like(x))
        return self.head(y.mean((2, 3)))


def conv(in_channels: int, out_channels: int, kernel: int = 3, **options: object) -> nn.Module:
    return nn.Conv2d(in_channels, out_channels, kernel, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "build",
    [
        TinyResNet,
        Concat,
        NoBatchNorm,
        Mlp,
        Tokens,
        Side,
        lambda: SPACES["nasbench201"].build(MIXED),
        lambda: Chain(
            conv(3, 4, stride=2, padding=1), nn.ReLU(), conv(4, 4, dilation=2, padding=2)
        ),
        lambda: Chain(conv(3, 4, padding="same"), nn.ReLU(), conv(4, 8, groups=4), channels=8),
        lambda: Chain(
            conv(3, 4, bias=False), nn.BatchNorm2d(4, affine=False), nn.ReLU(), conv(4, 4)
        ),
        lambda: Chain(
            conv(3, 4), nn.BatchNorm2d(4, eps=0.3), nn.SiLU(), nn.MaxPool2d(2), conv(4, 4, 1)
        ),
        lambda: Chain(conv(3, 4, padding=1, padding_mode="reflect"), nn.Tanh(), conv(4, 4)),
    ],
)
def test_against_an_explicit_jacobian(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    compare(with_used_norms(build()))


@pytest.mark.parametrize("inplace", [False, True])
def test_activations_in_place(inplace: bool) -> None:
    """An activation in place after a norm does not affect the gradient at the norm."""
    torch.manual_seed(0)
    relu = nn.ReLU(inplace=inplace)
    compare(
        with_used_norms(Chain(conv(3, 4), nn.BatchNorm2d(4), relu, conv(4, 4), relu, conv(4, 4)))
    )


def test_a_shared_layer_counts_once() -> None:
    """Its gradient is the sum over both runs."""
    torch.manual_seed(0)
    compare(with_used_norms(SharedConv()))
    shared = nn.Sequential(conv(4, 4), nn.BatchNorm2d(4), nn.GELU())
    compare(with_used_norms(Chain(conv(3, 4), shared, shared)))


def test_frozen_parameters_take_part() -> None:
    torch.manual_seed(0)
    model = with_used_norms(TinyResNet())
    deciles = measured(model)
    model.requires_grad_(False)
    assert torch.equal(deciles, measured(model))


def test_other_parameters_do_not_take_part() -> None:
    """Only those of convolutions, linear layers and batch norms do."""

    class Scaled(NoBatchNorm):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.group = nn.Parameter(torch.ones(6, 1, 1)), nn.GroupNorm(2, 6)

        def forward(self, x: Tensor) -> Tensor:
            x = self.relu(self.group(self.conv(x)) * self.scale)
            return self.classifier(self.pool(x).flatten(1))

    torch.manual_seed(0)
    named = [
        f"{layer}.{parameter}"
        for layer in ("conv", "classifier")
        for parameter in ("weight", "bias")
    ]
    compare(Scaled().double(), named)


def test_a_derived_weight_counts_like_any_other() -> None:
    torch.manual_seed(0)
    model = NoBatchNorm().double()
    deciles = measured(model)
    weight_norm(model.conv)
    assert measured(model).tolist() == pytest.approx(deciles.tolist(), rel=1e-9)


def test_dropout_is_off_and_norms_do_not_see_the_batch() -> None:
    """Evaluation mode: images do not affect one another, and dropout is off."""
    torch.manual_seed(0)
    model = with_used_norms(
        Chain(conv(3, 4), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), conv(4, 4))
    )
    compare(model)
    configs = [replace(CONFIG, seed=seed) for seed in (1, 2)]
    assert torch.equal(*(measured(model, c) for c in configs))


class Reversed(nn.Module):
    """Many layers that run in the reverse order of their registration."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.head = nn.Linear(2 * layers, 10)
        self.layers = nn.ModuleList(nn.Conv2d(3, 2, 3, padding=1) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        features = [F.gelu(layer(x)) for layer in reversed(self.layers)]
        return self.head(torch.cat(features, 1).mean((2, 3)))


@pytest.mark.parametrize("count", [62, 63, 64, 70])
def test_the_first_tensors_in_running_order(count: int) -> None:
    """Two for each layer, but at most 128 in all: from 64 layers on the last ones are left out."""
    torch.manual_seed(0)
    model = Reversed(count).double()
    layers = [f"layers.{i}" for i in reversed(range(count))] + ["head"]
    names = [f"{layer}.{parameter}" for layer in layers for parameter in ("weight", "bias")][:128]
    assert (len(names), TENSORS) == (min(2 * count + 2, 128), 128)
    compare(model, names)


def test_smoothing_keeps_the_information_of_a_saturated_network() -> None:
    """Where one class has all the probability, the information would be zero without it."""
    assert SMOOTHING == 0.05
    torch.manual_seed(0)
    model = NoBatchNorm().double()
    with torch.no_grad():
        model.classifier.weight.mul_(1e4)
    compare(model)


@pytest.mark.parametrize("images", [1, 3])
def test_images_are_those_of_the_raw_batch(images: int) -> None:
    torch.manual_seed(0)
    model = NoBatchNorm().double()
    values = measured(model, replace(CONFIG, raw=images))
    assert values.tolist() == pytest.approx(deciles(information(model, images=images)), rel=1e-9)


class Shaped(NoBatchNorm):
    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        return self.change(super().forward(x))


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y[:, :, None].expand(-1, -1, 2),
        lambda y: y.flatten(),
        lambda y: y[:2],
        lambda y: y.detach(),
        lambda y: y.sum(),
    ],
)
def test_none_without_logits_for_each_image(change: Callable[[Tensor], Tensor]) -> None:
    assert measured(Shaped(change).double()) is None


def test_logits_of_a_convolution_are_those_of_a_linear_head() -> None:
    model = Shaped(lambda y: y).double()
    expected = measured(model)
    model.change = lambda y: y[:, :, None, None]
    assert torch.equal(measured(model), expected)


@pytest.mark.parametrize("factor", [1e300, torch.inf, torch.nan])
def test_nan_where_the_logits_are_not_finite(factor: float) -> None:
    values = measured(Shaped(lambda y: y * factor * factor).double())
    assert values.shape == (9,)
    assert values.isnan().all()


class Windows(nn.Module):
    """Layers on quarters of images and on a parameter: no output has one row for each image."""

    def __init__(self, head: bool) -> None:
        super().__init__()
        self.inner, self.queries = nn.Linear(3, 10), nn.Parameter(torch.ones(3, 10))
        self.of_queries = nn.Linear(10, 10)
        self.head = nn.Linear(10, 10) if head else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        quarters = F.relu(self.inner(x.reshape(len(x), 3, 4, 16).transpose(1, 2).mT.flatten(0, 1)))
        quarters = quarters.reshape(len(x), 64, 10).mean(1) + self.of_queries(self.queries).mean(0)
        return self.head(quarters)


def test_layers_without_one_row_for_each_image_do_not_take_part() -> None:
    torch.manual_seed(0)
    compare(Windows(head=True).double(), ["head.weight", "head.bias"])
    assert measured(Windows(head=False).double()) is None
