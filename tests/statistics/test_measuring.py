"""Every statistic against the same thing written out by hand, and a model left as it was found."""

import copy
import math
import statistics
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_input, conv2d_weight
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from eznas.errors import InputError
from eznas.evaluation.bank import stack
from eznas.spaces import SPACES
from eznas.statistics import probes
from eznas.statistics.catalogue import CATALOGUE, PATHS, Statistic
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.initialisation import kaiming
from eznas.statistics.measuring import MeasuredNetwork, measure
from eznas.statistics.structure import PATH_QUANTITIES
from tests.reference import Concat, Mlp, NoBatchNorm, SharedConv, TinyResNet, stream

NB201 = SPACES["nasbench201"]
CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
RAW, SKETCH, LABEL = 5, 12, 6
CONDITIONS = MeasurementConfig(generated(SKETCH, size=8), raw=RAW, sketch=SKETCH, seed=3)
ALL = tuple(CATALOGUE.values())
MODELS = (TinyResNet, Concat, SharedConv, NoBatchNorm, Mlp)

Sites = dict[tuple[str, int], tuple[Tensor, Tensor]]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def keep(**changes) -> MeasurementConfig:
    return replace(CONDITIONS, initialisation="keep", **{"seed": 0} | changes)


def differences(a: MeasuredNetwork, b: MeasuredNetwork, tolerance: float = 0.0) -> list[str]:
    """Names of the statistics that differ; `tolerance` is relative to a tensor's largest entry."""
    assert a.structure == b.structure
    assert a.tensors.keys() == b.tensors.keys()
    return [
        f"{name} {place}"
        for name in a.tensors
        for place, (x, y) in enumerate(zip(a.tensors[name], b.tensors[name], strict=True))
        if not close(x, y, tolerance)
    ]


def close(x: Tensor | None, y: Tensor | None, tolerance: float) -> bool:
    if x is None or y is None:
        return x is y
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    return bool((x - y).abs().max() <= tolerance * y.abs().max())


class Small(nn.Module):
    """conv - BN - ReLU - conv (stride 2) - BN - sum of three - ReLU - pooling - linear.

    The residual sum reads what two operations of the path read as well, so that the gradient at
    such a place is not the gradient through the one operation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=2, bias=False)
        self.bn2 = nn.BatchNorm2d(4)
        self.linear = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        n = self.bn1(self.conv1(x))
        h = F.relu(n)
        m = self.bn2(self.conv2(h))
        s = m + F.avg_pool2d(n, 2) + F.avg_pool2d(h, 2)
        return self.linear(F.relu(s).mean((2, 3)))


class ByHand:
    """`Small` in plain functions. At each place where something is read, a leaf of zeros is added
    that nothing else reads: its gradient is the gradient there."""

    def __init__(self, table: dict[str, Tensor], images: Tensor, flow: bool = False) -> None:
        self.table = {n: t.detach().clone() for n, t in table.items() if t.is_floating_point()}
        if flow:
            self.table = {n: t.double().abs() for n, t in self.table.items()}
            images = torch.ones_like(images[:1], dtype=torch.float64)
        for tensor in self.table.values():
            tensor.requires_grad_()
        self.flow = flow
        self.sites: Sites = {}
        self.images = images.detach().clone().requires_grad_()
        self.logits = self._run()
        self.weights = [self.table[f"{name}.weight"] for name in ("conv1", "conv2", "linear")]

    def at(self, site: str, layer: int, tensor: Tensor) -> Tensor:
        leaf = torch.zeros_like(tensor, requires_grad=True)
        self.sites[site, layer] = (tensor, leaf)
        return tensor + leaf

    def norm(self, name: str, x: Tensor) -> Tensor:
        if self.flow:
            return x
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        x = (x - mean[:, None, None]) / torch.sqrt(variance + 1e-5)[:, None, None]
        scale, shift = (self.table[f"{name}.{k}"][:, None, None] for k in ("weight", "bias"))
        return x * scale + shift

    def _run(self) -> Tensor:
        t = self.table
        x = self.at("conv_input", 0, self.images)
        x = self.at("conv_output", 0, F.conv2d(x, t["conv1.weight"], t["conv1.bias"], padding=1))
        n = self.at("bn_output", 0, self.norm("bn1", x))
        h = self.at("relu_input", 1, n).clamp(min=0)
        x = self.at("conv_input", 1, h)
        x = F.conv2d(x, t["conv2.weight"], stride=2, padding=1, groups=2)
        m = self.at("bn_output", 1, self.norm("bn2", self.at("conv_output", 1, x)))
        s = m + F.avg_pool2d(n, 2) + F.avg_pool2d(h, 2)
        self.relu_outputs: list[Tensor | None] = [h.detach(), s.detach().clamp(min=0)]
        p = self.at("conv_input", 2, self.at("relu_input", 2, s).clamp(min=0).mean((2, 3)))
        return self.at("conv_output", 2, p @ t["linear.weight"].T + t["linear.bias"])

    def values(self, site: str) -> list[Tensor | None]:
        found = [self.sites.get((site, i)) for i in range(3)]
        return [None if f is None else shaped(f[0]) for f in found]

    def gradients(self, site: str, objective: Tensor) -> list[Tensor | None]:
        if site == "weight":
            found = torch.autograd.grad(objective, self.weights, retain_graph=True)
            return [shaped(g) for g in found]
        leaves = {i: self.sites[site, i][1] for i in range(3) if (site, i) in self.sites}
        found = torch.autograd.grad(objective, list(leaves.values()), retain_graph=True)
        gradients = dict(zip(leaves, found, strict=True))
        return [shaped(gradients[i]) if i in gradients else None for i in range(3)]

    def per_image(self, objective: Tensor) -> list[Tensor]:
        """Each image's part in the gradient at every weight: [images, *weight]. One that meets the
        layer's input with the gradient at its output, both of this image alone."""
        above = [self.sites["conv_output", i][1] for i in range(3)]
        above = list(torch.autograd.grad(objective, above, retain_graph=True))
        below = [self.sites["conv_input", i][0].detach() for i in range(3)]
        options = [{"padding": 1}, {"stride": 2, "padding": 1, "groups": 2}]
        found = [
            torch.cat(
                [
                    conv2d_weight(x[i : i + 1], w.shape, g[i : i + 1], **given)[None]
                    for i in range(len(x))
                ]
            )
            for x, g, w, given in zip(below[:2], above[:2], self.weights[:2], options, strict=True)
        ]
        return [*found, above[2][:, :, None] * below[2][:, None, :]]

    def curvature(self, objective: Tensor) -> list[Tensor]:
        first = torch.autograd.grad(objective, self.weights, create_graph=True)
        along = sum((g * g.detach()).sum() for g in first)
        return list(torch.autograd.grad(along, self.weights, retain_graph=True))

    def read(self, site: str, gradient: bool) -> list[Tensor | None]:
        return self.gradients(site, self.logits.sum()) if gradient else self.values(site)


def shaped(tensor: Tensor) -> Tensor:
    return tensor.detach().reshape(tensor.shape + (1,) * (4 - tensor.dim()))


@pytest.fixture(scope="module", params=[torch.float32, torch.float64], ids=["float32", "float64"])
def small(request: pytest.FixtureRequest) -> Small:
    """In float32, as models come, and in float64, where nothing hides in the rounding."""
    torch.manual_seed(0)
    model = Small()
    for module in model.modules():  # what a fresh norm holds would hide what is left out
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.uniform_(module.bias, -1.0, 1.0)
            nn.init.uniform_(module.running_mean, -1.0, 1.0)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return model.to(request.param)


def in_dtype_of(model: nn.Module) -> MeasurementConfig:
    images = CONDITIONS.images
    dtype = next(model.parameters()).dtype
    return replace(keep(), images=replace(images, pixels=images.pixels.to(dtype)))


@pytest.fixture(scope="module")
def measured(small: Small) -> MeasuredNetwork:
    return measure(small, in_dtype_of(small), ALL)


@pytest.fixture(scope="module")
def by_hand(small: Small, measured: MeasuredNetwork) -> dict[str, ByHand]:
    """One run for each excitation; noise and shift are taken as the first layer saw them."""
    table = dict(small.named_parameters())
    pixels = in_dtype_of(small).images.pixels
    plain = pixels[:RAW]
    noise, shift = (measured.tensors[f"{p}_conv_input"][0] for p in ("noise", "shift"))
    assert noise is not None
    assert shift is not None
    drawn = standard_normal(table)
    second = again(noise)
    return {
        "data": ByHand(table, plain),
        "many": ByHand(table, pixels[:SKETCH]),
        "single": ByHand(table, pixels[:1]),
        "label": ByHand(table, pixels[:LABEL]),
        "label2": ByHand(table, pixels[LABEL : 2 * LABEL]),
        "noise": ByHand(table, noise),
        "moved": ByHand(table, plain + shift),
        "flow": ByHand(table, plain, flow=True),
        "zen": ByHand(drawn, noise),
        "zen moved": ByHand(drawn, noise + 0.01 * second),
    }


def standard_normal(table: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of layers drawn in their order, fresh norms, biases of zero."""
    generator = torch.Generator().manual_seed(0)
    found = {}
    for name, tensor in table.items():
        if name.startswith("bn"):
            found[name] = torch.full_like(tensor, float(name.endswith("weight")))
        elif name.endswith("bias"):
            found[name] = torch.zeros_like(tensor)
        else:
            found[name] = torch.empty_like(tensor).normal_(generator=generator)
    return found


def again(noise: Tensor) -> Tensor:
    """The noise that is drawn after this one."""
    generator = stream("noise", 0)
    first, second = (torch.empty_like(noise).normal_(generator=generator) for _ in range(2))
    assert torch.equal(first, noise)
    return second


def agreement(x: Tensor) -> Tensor:
    codes = (x > 0).flatten(1).tolist()
    return torch.tensor(
        [[float(sum(a == b for a, b in zip(p, q, strict=True))) for q in codes] for p in codes]
    )


def patterns(outputs: list[Tensor]) -> int:
    """Distinct columns of on and off over the images."""
    units = [x[:, i] for x in (y.flatten(1) > 0 for y in outputs) for i in range(x.shape[1])]
    return len({tuple(unit.tolist()) for unit in units})


def correlation(x: Tensor) -> Tensor:
    """Pearson's, between channels; 0 for one that is constant."""
    channels = x.double().transpose(0, 1).flatten(1).numpy()
    found = np.zeros((len(channels), len(channels)))
    varied = np.flatnonzero(np.ptp(channels, axis=1) > 0)
    if len(varied):
        found[np.ix_(varied, varied)] = np.corrcoef(channels[varied])
    return torch.from_numpy(found)


def covariance(x: Tensor) -> Tensor:
    channels = x.double().transpose(0, 1).flatten(1)
    return torch.cov(channels, correction=0).reshape(len(channels), len(channels))


def transfer(small: Small) -> Tensor:
    """Of the second block, which is the second convolution: it halves height and width, so that
    2 x 2 positions of a channel count as four channels. The signs are drawn for both blocks."""
    generator = stream("signs", 0)
    torch.randint(0, 2, (RAW, 4, 8, 8), generator=generator)
    signs = 2.0 * torch.randint(0, 2, (RAW, 4, 4, 4), generator=generator) - 1.0
    weight = small.conv2.weight.detach()
    signs = signs.to(weight)
    g = conv2d_input((RAW, 4, 8, 8), weight, signs, stride=2, padding=1, groups=2)
    patches = g.reshape(RAW, 4, 4, 2, 4, 2).permute(0, 1, 3, 5, 2, 4).reshape(RAW, 16, 4, 4)
    return torch.einsum("bihw,bohw->io", patches, signs) / (RAW * 16)


def fisher(model: nn.Module, images: Tensor) -> Tensor:
    """Deciles, with an explicit Jacobian: image by image, class by class."""
    model = copy.deepcopy(model).eval()
    total = 0.0
    for image in images:
        logits = model(image[None])[0]
        rows = [
            torch.autograd.grad(logit, list(model.parameters()), retain_graph=True)
            for logit in logits
        ]
        J = np.array([[float(g.flatten()[0]) for g in row] for row in rows])
        p = logits.detach().double().softmax(0).numpy() * 0.95 + 0.05 / len(logits)
        total = total + J.T @ (np.diag(p) - np.outer(p, p)) @ J
    values = np.linalg.eigvalsh(total / len(images)).clip(min=0)
    return torch.tensor(np.quantile(values, np.arange(1, 10) / 10))


def wanted(row: Statistic, hand: dict[str, ByHand], small: Small) -> list[Tensor | None]:
    """What a row should be on `Small`, from the runs by hand."""
    many, single, zen = hand["many"], hand["single"], hand["zen"]
    labels = {"label": CONDITIONS.images.labels[:LABEL], "label2": CONDITIONS.images.labels[LABEL:]}
    loss = {k: F.cross_entropy(hand[k].logits, v) for k, v in labels.items()}
    special = {
        "data_relu_agreement": lambda: [agreement(x) for x in many.relu_outputs],
        "data_jacobian": lambda: [
            torch.autograd.grad(many.logits.sum(), many.images, retain_graph=True)[0].flatten(1)
        ],
        "data_patterns": lambda: [number(patterns(hand["data"].relu_outputs))],
        "data_relu_output_correlation": lambda: [correlation(x) for x in single.relu_outputs],
        "data_bn_output_correlation": lambda: [
            correlation(x) for x in single.values("bn_output")[:2]
        ],
        "data_conv_output_correlation": lambda: [
            correlation(x) for x in single.values("conv_output")
        ],
        "label_weight_grad": lambda: hand["label"].gradients("weight", loss["label"]),
        "label2_weight_grad": lambda: hand["label2"].gradients("weight", loss["label2"]),
        "curvature_weight_grad": lambda: [
            shaped(h) for h in hand["label"].curvature(loss["label"])
        ],
        "label_weight_grad_std": lambda: [
            shaped(parts.std(0, correction=0)) for parts in hand["label"].per_image(loss["label"])
        ],
        "label_weight_grad_signs": lambda: [
            shaped(parts.sign().sum(0)) for parts in hand["label"].per_image(loss["label"])
        ],
        "label_conv_output_saliency": lambda: [
            (y.detach() * g).sum((2, 3))
            for y, g in zip(
                hand["label"].values("conv_output"),
                hand["label"].gradients("conv_output", loss["label"]),
                strict=True,
            )
        ],
        "noise_block_output_covariance": lambda: [
            covariance(x) for x in hand["noise"].values("conv_output")[:2]
        ],
        "local_block_transfer": lambda: [None, transfer(small)],
        "zen_relu_output_change": lambda: [
            (moved - plain).abs().sum()
            for moved, plain in zip(hand["zen moved"].relu_outputs, zen.relu_outputs, strict=True)
        ],
        "zen_bn_input_variance": lambda: [
            x.var((0, 2, 3), correction=0) for x in zen.values("conv_output")[:2]
        ],
        "fisher_deciles": lambda: [fisher(small, hand["data"].images.detach())],
        "same_class": lambda: [torch.tensor([[float(a == b) for b in CLASSES] for a in CLASSES])],
        "weight": lambda: [shaped(w) for w in hand["data"].weights],
    }
    if row.name in special:
        return special[row.name]()
    if row.probe == "structure":
        return [number(n) for n in SIZES[row.name]]
    if row.probe == "shift":
        moved, plain = (hand[k].read(row.site, row.gradient) for k in ("moved", "data"))
        pairs = zip(moved, plain, strict=True)
        return [None if a is None or b is None else a - b for a, b in pairs]
    found = hand[row.probe].read(row.site, row.gradient)
    return [x if x is None else SKETCHES[row.sketch](x.detach()) for x in found]


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


CLASSES = CONDITIONS.images.labels[:SKETCH].tolist()
SKETCHES = {
    "": lambda x: x,
    "gram": lambda x: torch.einsum("ichw,jchw->ij", x.double(), x.double()),
    "covariance": covariance,
}
SIZES = {
    "layer_params": [4 * 27 + 4, 4 * 18, 50],
    "layer_flops": [4 * 27 * 64, 4 * 18 * 16, 40],
    "layer_kernel": [3, 3, 1],
    "layer_channels": [4, 4, 10],
    "layer_area": [64, 16, 1],
    "params": [4 * 27 + 4 + 8 + 4 * 18 + 8 + 50],
    # layers; norms; activations; the two poolings, of 2 x 2 to 64 units
    "operations": [4 * 27 * 64 + 4 * 18 * 16 + 40 + 2 * (256 + 64) + 256 + 64 + 2 * 64 * 4],
    "paths_count": [math.log(3)],
}
# On each path: convolutions, poolings, growth of the receptive field, ln weights, length.
WAYS = {
    "conv1 bn1 relu conv2 bn2 relu linear": (2, 0, 2 + 2, math.log(108 * 72 * 40), 7),
    "conv1 bn1 pool relu linear": (1, 1, 2 + 1, math.log(108 * 40), 5),
    "conv1 bn1 relu pool relu linear": (1, 1, 2 + 1, math.log(108 * 40), 6),
}


def summaries(totals: list[float]) -> dict[str, float]:
    return {
        "mean": statistics.fmean(totals),
        "std": statistics.pstdev(totals),
        "min": min(totals),
        "max": max(totals),
        "soft": -math.log(sum(math.exp(-t) for t in totals)),
    }


for place, quantity in enumerate(("convs", "pools", "field", "params", "length")):
    found = summaries([float(way[place]) for way in WAYS.values()])
    SIZES |= {f"paths_{quantity}_{name}": [value] for name, value in found.items()}


@pytest.mark.parametrize("row", ALL, ids=CATALOGUE)
def test_statistic(
    row: Statistic, small: Small, measured: MeasuredNetwork, by_hand: dict[str, ByHand]
) -> None:
    found, want = measured.tensors[row.name], wanted(row, by_hand, small)
    assert [x is None for x in found] == [x is None for x in want]
    exact = row.probe in ("flow", "structure") or small.linear.weight.dtype == torch.float64
    for x, y in zip(found, want, strict=True):
        if x is not None and y is not None:
            assert x.shape == y.shape
            if row.sketch == "image_signs" and not exact:
                assert (x != y).double().mean() < 0.03  # a sign of next to nothing is rounding
                continue
            # Rounding cancels less in a difference, and a gradient before a norm sums to nearly 0.
            scale = y.abs().max() + 1e-3
            assert (x - y).abs().max() <= (1e-11 if exact else 3e-4) * scale
    nothing = row.name == "paths_pools_min"  # as one of the paths has
    assert any(x is not None and x.abs().max() > 0 for x in found) != nothing


def test_sites_of_the_small_model(measured: MeasuredNetwork) -> None:
    """The first layer has no activation, the last no norm."""
    assert [x.activation for x in measured.structure.layers] == [None, 0, 1]
    assert [x.norm for x in measured.structure.layers] == [0, 1, None]
    for axis in ("activations", "norms", "blocks"):
        assert [alive for _, alive in measured.structure.along(axis)] == [True, True]


def test_noise_and_shift_are_what_they_should_be() -> None:
    """Standard normal; a tenth of it, added to the images."""
    conditions = MeasurementConfig(generated(8, size=32), initialisation="keep", seed=5)
    rows = [CATALOGUE[f"{p}_conv_input"] for p in ("noise", "shift")]
    found = measure(TinyResNet(), conditions, rows).tensors
    noise, shift = found["noise_conv_input"][0], found["shift_conv_input"][0]
    assert noise is not None
    assert shift is not None
    assert noise.shape == (8, 3, 32, 32)
    assert abs(noise.mean()) < 0.03
    assert abs(noise.std() - 1) < 0.03
    assert (shift - 0.1 * noise).abs().max() < 1e-6
    other = measure(TinyResNet(), MeasurementConfig(conditions.images, seed=6), rows[:1]).tensors
    assert not torch.equal(noise, other["noise_conv_input"][0])


@pytest.mark.parametrize("value_type", MODELS)
def test_shapes_follow_the_kind(value_type) -> None:
    dimensions = {"maps": 4, "weights": 4, "samples": 2, "matrix": 2, "vector": 1, "scalar": 0}
    found = measure(value_type(), CONDITIONS, ALL)
    for row in ALL:
        tensors = found.tensors[row.name]
        axis = row.type.axis
        assert len(tensors) == (1 if axis == "networks" else len(found.structure.along(axis)))
        for tensor in (t for t in tensors if t is not None):
            assert tensor.dim() == dimensions[row.type.form]
            assert not tensor.requires_grad
            if row.type.batch:
                batch = {"raw": RAW, "sketch": SKETCH}[row.type.batch]
                assert tensor.shape[0] == batch
            if row.type.form == "samples":
                assert tensor.shape == (batch, batch)
    assert stack([found]).blocks.keys() == CATALOGUE.keys()


def test_tokens() -> None:
    """A linear layer on [batch, tokens, channels] counts tokens as positions."""

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.head = nn.Linear(3, 5), nn.Linear(5, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.relu(self.inner(x.flatten(2).mT)).mean(1))

    found = measure(Tokens(), CONDITIONS, ALL).tensors
    assert found["data_conv_output"][0].shape == (RAW, 5, 64, 1)
    assert torch.equal(
        found["data_conv_input"][0][:, :, :, 0], CONDITIONS.images.pixels[:RAW].flatten(2)
    )
    assert found["label_conv_output_saliency"][0].shape == (LABEL, 5)
    assert found["label_weight_grad_std"][0].shape == (5, 3, 1, 1)
    assert found["data_conv_output_correlation"][0].shape == (5, 5)
    assert found["noise_block_output_covariance"] == found["local_block_transfer"] == []
    assert [x.item() for x in (found[f"paths_{q}_max"][0] for q in PATH_QUANTITIES)] == [
        *(0, 0, 0),  # no convolution, no pooling, no window
        pytest.approx(math.log(3 * 5 * 5 * 10)),
        3,
    ]
    assert [x.item() for x in found["layer_area"]] == [64, 1]
    assert [x.item() for x in found["layer_flops"]] == [64 * 15, 50]
    assert [x.item() for x in found["layer_channels"]] == [5, 10]


# What one statistic is must not depend on which others are measured.


class Changeable(nn.Module):
    """Chance, buffers that change what follows, a layer fed by zeros and one that no one reads."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = spectral_norm(nn.Conv2d(3, 4, 3, padding=1))
        self.blind, self.unread = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.cut = weight_norm(nn.Conv2d(4, 4, 1))
        self.norm, self.relu = nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.dropout, self.head = nn.Dropout(0.3), nn.Linear(4, 10)
        self.register_buffer("count", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        x = self.dropout(self.stem(x)) * self.count
        self.seen = x
        self.unread(x)
        x = x + self.blind(torch.zeros_like(x)) + self.cut(x.detach())
        return self.head(self.dropout(self.relu(self.norm(x))).mean((2, 3)))


def changeable() -> Changeable:
    torch.manual_seed(0)
    return Changeable()


@pytest.fixture(scope="module")
def together() -> dict[str, MeasuredNetwork]:
    return {build.__name__: measure(build(), keep(), ALL) for build in (changeable, living)}


@pytest.mark.parametrize("row", ALL, ids=CATALOGUE)
@pytest.mark.parametrize("name", ["changeable", "living"])
def test_alone_or_in_company(
    row: Statistic, name: str, together: dict[str, MeasuredNetwork]
) -> None:
    build = {"changeable": changeable, "living": living}[name]
    alone, company = measure(build(), keep(), [row]), together[name]
    assert list(alone.tensors) == [row.name]
    with_paths = company.structure.paths if row.name in PATHS else None
    assert alone.structure == replace(company.structure, paths=with_paths)
    pairs = zip(alone.tensors[row.name], company.tensors[row.name], strict=True)
    assert all(close(x, y, 0.0) for x, y in pairs)
    assert any(x is not None for x in alone.tensors[row.name])


def test_the_order_of_the_rows_does_not_matter(together: dict[str, MeasuredNetwork]) -> None:
    assert differences(measure(living(), keep(), ALL[::-1]), together["living"]) == []


def test_chance_is_fixed_by_the_seed() -> None:
    torch.manual_seed(0)
    model = Changeable()
    first = measure(model, keep(seed=1), ALL)
    torch.rand(7)
    assert differences(first, measure(model, keep(seed=1), ALL)) == []
    name = "data_conv_input"
    other = measure(model, keep(seed=2), [CATALOGUE[name]]).tensors[name]
    assert not close(first.tensors[name][-1], other[-1], 1e-3)


def test_shift_is_no_change_of_chance() -> None:
    """The perturbed pass drops the same units as the plain one."""
    model = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Linear(128, 10))
    shift = measure(model, keep(), [CATALOGUE["shift_conv_input"]]).tensors["shift_conv_input"][0]
    dropped = (shift == 0).double().mean()
    assert 0.4 < dropped < 0.6
    assert shift.abs().max() < 1.5


def test_gradients_where_the_image_does_not_reach() -> None:
    """A layer fed by zeros still reaches the logits, and so has a gradient at its output."""
    torch.manual_seed(0)
    model = Changeable()
    blind, unread, cut = 2, 1, 3
    gradients = measure(model, keep(), [CATALOGUE["data_conv_output_grad"]]).tensors
    found = gradients["data_conv_output_grad"]
    assert found[blind].abs().max() > 0
    assert torch.equal(found[blind], found[cut])  # both are terms of one sum
    assert found[unread].abs().max() == 0


def test_a_network_that_ignores_the_image_has_no_jacobian() -> None:
    none = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    found = measure(NB201.build(none), CONDITIONS, ALL).tensors
    assert found["data_jacobian"] == [None]
    assert all(found[name] == [None] for name in PATHS)
    assert all(g.abs().max() == 0 for g in found["flow_weight_grad"][:-1])


# The model is left exactly as it was found.


def state(model: nn.Module) -> dict[str, object]:
    """All that a model holds, tensors as copies, other attributes as they are."""
    found: dict[str, object] = {}
    for prefix, module in model.named_modules():
        for name, value in vars(module).items():
            if name not in ("_parameters", "_buffers", "_modules"):
                found[f"{prefix}/{name}"] = copy.copy(value)
    for name, p in model.named_parameters():
        gradient = None if p.grad is None else p.grad.clone()
        found[name] = (id(p), p.detach().clone(), p.requires_grad, id(p.grad), gradient, p.is_leaf)
    for name, b in model.named_buffers():
        found[name] = (id(b), b.clone(), b._version)
    return found


def equal(a: object, b: object) -> bool:
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and torch.equal(a, b)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def lived_in() -> Changeable:
    """A model in the middle of someone's work."""
    torch.manual_seed(0)
    model = Changeable()
    model.train()
    model(torch.randn(4, 3, 8, 8)).sum().backward()
    model.seen = torch.zeros(1)
    model.cut.eval()
    model.norm.requires_grad_(False)
    model.norm.weight.grad = None
    model.head.bias.grad = None
    model.register_forward_hook(lambda *_: None)
    model.head.register_full_backward_hook(lambda *_: None)
    model.stem.register_forward_pre_hook(lambda *_: None)
    return model


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """What is done inside leaves the model, the images and torch as they were."""
    before, chance = state(model), torch.get_rng_state()
    pixels = CONDITIONS.images.pixels.clone()
    yield
    after = state(model)
    assert before.keys() == after.keys()
    assert [name for name in before if not equal(before[name], after[name])] == []
    assert torch.equal(pixels, CONDITIONS.images.pixels)
    assert not CONDITIONS.images.pixels.requires_grad
    assert torch.equal(chance, torch.get_rng_state())
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    F.relu(torch.ones(2, 2))  # and no tracer is left behind
    assert torch.overrides._get_current_function_mode() is None


@pytest.mark.parametrize("initialisation", ["keep", "kaiming"])
def test_the_model_is_left_as_it_was(initialisation) -> None:
    model = lived_in()
    with untouched(model):
        measure(model, replace(CONDITIONS, initialisation=initialisation), ALL)


def test_the_model_is_left_as_it_was_by_a_failure() -> None:
    model = lived_in()
    model.head = nn.Linear(5, 10)
    with untouched(model), pytest.raises(InputError):
        measure(model, CONDITIONS, ALL)


PASSES = sorted({row.excitation for row in ALL})


def rows_of(probe: str, batch: str) -> list[Statistic]:
    return [row for row in ALL if row.excitation == (probe, batch)]


class Failing(nn.Module):
    """A block that changes its input and a buffer, and then may fail in its middle."""

    fuse: float = math.inf  # how many times any of them runs, in all, before it fails

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.norm, self.relu = nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.register_buffer("runs", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        x = self.one(self.relu(x))
        self.runs += 1
        self.last = x
        Failing.fuse -= 1
        if Failing.fuse < 0:
            raise ArithmeticError("burnt")
        return self.two(self.norm(x))


def living(fuse: float = math.inf) -> nn.Module:
    """A lived-in model in blocks, part of it frozen, in a mode that is none of ours."""
    torch.manual_seed(0)
    Failing.fuse = math.inf
    parts = nn.Conv2d(3, 4, 3, padding=1), Failing(), nn.MaxPool2d(2), Failing()
    model = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
    model(torch.randn(4, 3, 8, 8)).sum().backward()
    model[0].requires_grad_(False)
    model[3].eval()
    model[3].register_forward_pre_hook(lambda *_: None)
    model[1].register_forward_hook(lambda *_: None)
    Failing.fuse = fuse
    return model


@pytest.mark.parametrize(("probe", "batch"), PASSES)
@pytest.mark.parametrize("initialisation", ["keep", "kaiming"])
def test_every_pass_leaves_the_model_as_it_was(probe, batch, initialisation) -> None:
    model = living()
    with untouched(model):
        measure(model, replace(CONDITIONS, initialisation=initialisation), rows_of(probe, batch))


@pytest.mark.parametrize(("probe", "batch"), [p for p in PASSES if p[0] != "structure"])
def test_a_pass_that_fails_in_a_block_leaves_the_model_as_it_was(probe, batch) -> None:
    """After the pass that traces, which runs both blocks: in the first one or in the second, of
    the first pass of the probe or, where there are two, the second."""
    passes = 2 if probe in ("shift", "zen") else 1
    for runs in range(2, 2 + 2 * passes):
        model = living(fuse=runs)
        with untouched(model), pytest.raises(InputError, match=r"forward failed .*: burnt"):
            measure(model, keep(), rows_of(probe, batch))
    measure(living(fuse=2 + 2 * passes), keep(), rows_of(probe, batch))


class Tied(nn.Module):
    """A module with two names, a weight with two modules, and a forward that adds to itself."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        shared = nn.Sequential(nn.Conv2d(4, 4, 1), self.norm, nn.ReLU(inplace=True))
        self.first, self.second, self.third = shared, shared, nn.Conv2d(4, 4, 1, bias=False)
        self.third.weight = shared[0].weight
        self.head = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        self.later = nn.Identity()
        self.register_buffer("mean", x.mean().detach())
        x = self.third(self.second(self.first(self.norm(self.stem(x)))))
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize("initialisation", ["keep", "kaiming"])
def test_what_has_two_names_is_left_as_it_was(initialisation) -> None:
    torch.manual_seed(0)
    model = Tied()
    names = [*model.state_dict()]
    with untouched(model):
        found = measure(model, replace(CONDITIONS, initialisation=initialisation), ALL)
    assert [*model.state_dict()] == names
    assert model.first is model.second
    assert model.third.weight is model.first[0].weight
    assert all(p.is_leaf for p in model.parameters())
    weights = found.tensors["weight"]
    assert torch.equal(weights[1], weights[2])
    assert torch.equal(weights[1], weights[3])
    again = measure(model, replace(CONDITIONS, initialisation=initialisation), ALL)
    assert differences(found, again) == []


def test_without_rows_only_the_structure_is_traced() -> None:
    model = living(fuse=2)
    with untouched(model):
        found = measure(model, keep(), [row for row in ALL if row.probe == "structure"])
    assert len(found.structure.along("blocks")) == 3


def test_parameters_changed_in_place_by_the_forward_stay() -> None:
    """As a constraint on the norm of weights does it."""

    class Clamped(NoBatchNorm):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                self.conv.weight.clamp_(-0.01, 0.01)
            return super().forward(x)

    model = Clamped()
    before = model.conv.weight.detach().clone()
    found = measure(model, keep(), [CATALOGUE["weight"]]).tensors["weight"]
    assert torch.equal(before, model.conv.weight)
    assert found[0].abs().max() <= 0.01


def test_measurements_do_not_share_memory_with_the_model() -> None:
    model = NoBatchNorm()
    found = measure(model, keep(), ALL)
    before = copy.deepcopy(found)
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(7.0)
    assert differences(before, found) == []


@pytest.mark.parametrize("switch", [torch.no_grad, torch.inference_mode])
def test_callers_need_not_switch_gradients_on(switch) -> None:
    model = TinyResNet()
    with switch():
        found = measure(model, keep(), ALL)
    assert differences(found, measure(model, keep(), ALL)) == []


def test_callers_default_dtype_does_not_matter() -> None:
    model = TinyResNet()
    before = measure(model, CONDITIONS, ALL)
    torch.set_default_dtype(torch.float64)
    try:
        found = measure(model, CONDITIONS, ALL)
    finally:
        torch.set_default_dtype(torch.float32)
    assert differences(before, found) == []


# Ways to write one network give one measurement.


def out_of_place(model: nn.Module) -> nn.Module:
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return model


def in_place(model: nn.Module) -> nn.Module:
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = True
    return model


class Forked(nn.Module):
    """The operation in place is not the only reader of its input, which is a view."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1), nn.Linear(8, 10)
        self.norm, self.relu = nn.BatchNorm2d(4), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.a(x))
        side = y + 1
        y = self.b(self.relu(y)).flatten(1)
        y = torch.cat([y + 1, self.relu(y)], 1).reshape(len(x), 8, -1)
        return self.head(y.mean(2) + side.mean((2, 3)).repeat(1, 2))


class Preactivated(nn.Module):
    """Where norms are left out, an activation in place would change the residual."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.short = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.norm, self.relu = nn.BatchNorm2d(4), nn.ReLU()
        self.conv, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        short = self.short(x)
        x = short + x + self.conv(self.relu(self.norm(x)))
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize("build", [TinyResNet, Forked, Preactivated])
def test_activations_in_place(build) -> None:
    model = build()
    plain = measure(out_of_place(model), CONDITIONS, ALL)
    found = measure(in_place(model), CONDITIONS, ALL)
    assert differences(plain, found, 5e-5) == []
    backward = {"curvature", "local", "fisher"}
    forward = [row.name for row in ALL if not row.gradient and row.probe not in backward]
    assert all(
        close(x, y, 0.0)
        for n in forward
        for x, y in zip(plain.tensors[n], found.tensors[n], strict=True)
    )


@pytest.mark.parametrize("build", [TinyResNet, Concat, lambda: NB201.build(CELL)])
def test_memory_formats(build) -> None:
    """Neither the model's nor the images' own changes more than rounding. In float64, since the
    correlation of a channel with little variance multiplies it."""
    torch.manual_seed(0)
    model = build().double()
    plain = measure(model, in_dtype_of(model), ALL)
    other = in_dtype_of(model)
    pixels = other.images.pixels.contiguous(memory_format=torch.channels_last)
    other = replace(other, images=replace(other.images, pixels=pixels))
    model = model.to(memory_format=torch.channels_last)
    for name, tensors in measure(model, other, ALL).tensors.items():
        for x, y in zip(tensors, plain.tensors[name], strict=True):
            assert (x is None) == (y is None)
            if x is not None and y is not None:
                # The largest entry of a shift's gradient is itself a difference.
                assert (x - y).abs().max() <= 1e-9 * (y.abs().max() + 1e-2)


class Viewed(NoBatchNorm):
    """`view` reads rows as they lie in memory, and cannot if channels lie last."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.relu(self.conv(x)), 2)
        return self.classifier(x.view(len(x), -1))


class Reshaped(NoBatchNorm):
    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.relu(self.conv(x)), 2)
        return self.classifier(x.reshape(len(x), -1))


def test_models_that_view_their_features() -> None:
    assert (
        differences(measure(Viewed(), CONDITIONS, ALL), measure(Reshaped(), CONDITIONS, ALL), 1e-4)
        == []
    )


def test_the_image_itself_changed_in_place() -> None:
    class Shifted(NoBatchNorm):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.sub_(0.5))

    class Subtracted(NoBatchNorm):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x - 0.5)

    before = CONDITIONS.images.pixels.clone()
    found = measure(Shifted(), CONDITIONS, ALL)
    assert differences(found, measure(Subtracted(), CONDITIONS, ALL)) == []
    assert torch.equal(before, CONDITIONS.images.pixels)


def test_logits_in_a_named_tuple() -> None:
    """As torchvision's GoogLeNet gives them in train mode."""

    class Auxiliary(NoBatchNorm):
        def forward(self, x: Tensor):
            return torch.return_types.max((super().forward(x), x))

    class Named(NoBatchNorm):
        def forward(self, x: Tensor):
            self.logits = super().forward(x)
            return self

    with pytest.raises(InputError, match="model Auxiliary: forward gave a max, expected a tensor"):
        measure(Auxiliary(), CONDITIONS, ALL)
    assert (
        differences(measure(Named(), CONDITIONS, ALL), measure(NoBatchNorm(), CONDITIONS, ALL))
        == []
    )


# Initialisation.


@pytest.mark.parametrize("value_type", MODELS)
def test_keep_is_the_model_as_it_is(value_type) -> None:
    """Scored with parameters of its own as with the same ones drawn."""
    model = value_type()
    fresh = copy.deepcopy(model)
    fresh.load_state_dict(kaiming(model, CONDITIONS.seed), strict=True)
    kept = measure(fresh, keep(seed=CONDITIONS.seed), ALL)
    assert differences(kept, measure(model, CONDITIONS, ALL)) == []
    name = "data_conv_output"
    other = measure(model, keep(), [CATALOGUE[name]]).tensors[name]
    assert not close(kept.tensors[name][0], other[0], 0.01)


@pytest.mark.parametrize("value_type", MODELS)
def test_kaiming_does_not_see_the_weights(value_type) -> None:
    torch.manual_seed(1)
    one = measure(value_type(), CONDITIONS, ALL)
    torch.manual_seed(2)
    model = value_type()
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.fill_(3)
    assert differences(one, measure(model, CONDITIONS, ALL)) == []
    other = MeasurementConfig(CONDITIONS.images, raw=6, sketch=12, seed=CONDITIONS.seed + 1)
    name = "data_conv_output"
    found = measure(model, other, [CATALOGUE[name]]).tensors[name]
    assert not close(one.tensors[name][0], found[0], 0.01)


def test_a_network_built_on_the_meta_device() -> None:
    """Shapes are enough where everything is drawn afresh."""
    with torch.device("meta"):
        model = NB201.build(CELL)
    found = measure(model, CONDITIONS, ALL)
    assert differences(found, measure(NB201.build(CELL), CONDITIONS, ALL)) == []
    assert all(p.is_meta for p in model.parameters())


# What goes wrong is said in one line that names the model.


class Broken(nn.Module):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error, self.conv = error, nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        self.conv(x)
        raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("no good\nand a long trace"), "no good"),
        (KeyError("key"), "'key'"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_a_forward_that_fails(error, reason) -> None:
    with pytest.raises(InputError) as caught:
        measure(Broken(error), CONDITIONS, ALL)
    shape = "forward failed on an input of shape (2, 3, 8, 8)"
    assert str(caught.value) == f"model Broken: {shape}: {reason}"
    assert caught.value.__cause__ is error


def test_a_compiled_model() -> None:
    """Its tensors cannot be exchanged: said in one line. A compiled part has none of its own."""
    model = TinyResNet()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit, which is still in use
        whole, part = torch.jit.script(model), torch.jit.script(nn.Sequential(nn.ReLU()))
    with pytest.raises(InputError, match=r"forward failed .*: The stateless API can't be used"):
        measure(whole, CONDITIONS, ALL)
    names = ("label_weight_grad", "fisher_deciles", "local_block_transfer")
    model = nn.Sequential(model.stem, part, model.conv2, nn.Flatten(), nn.Linear(512, 10))
    found = measure(model, CONDITIONS, [CATALOGUE[name] for name in names])
    assert found.tensors["label_weight_grad"][0].abs().max() > 0
    assert all(p.is_leaf for p in model.parameters())


def test_an_interruption_is_not_the_models_failure() -> None:
    with pytest.raises(KeyboardInterrupt):
        measure(Broken(KeyboardInterrupt()), CONDITIONS, ALL)  # type: ignore[arg-type]


def test_a_model_without_layers() -> None:
    class Empty(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x).mean((2, 3))

    with pytest.raises(InputError) as caught:
        measure(Empty(), CONDITIONS, ALL)
    problem = "its forward pass meets no convolution or linear layer"
    assert str(caught.value) == f"model Empty: {problem}"


def test_a_model_without_a_tensor_of_logits() -> None:
    class Pair(NoBatchNorm):
        def forward(self, x: Tensor):
            return super().forward(x), x

    with pytest.raises(InputError) as caught:
        measure(Pair(), CONDITIONS, ALL)
    assert str(caught.value) == "model Pair: forward gave a tuple, expected a tensor of logits"


def test_more_labels_than_logits() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten())
    measure(model, CONDITIONS, [r for r in ALL if r.batch != "label"])
    labels = CONDITIONS.images.labels
    for name, own in (
        ("label_weight_grad", labels[:LABEL]),
        ("curvature_weight_grad", labels[:LABEL]),
        ("label2_weight_grad", labels[LABEL:]),
    ):
        with pytest.raises(InputError) as caught:
            measure(model, CONDITIONS, [CATALOGUE[name]])
        classes = int(own.max()) + 1
        problem = f"logits of shape ({LABEL}, 4), but the images' labels need {classes} classes"
        assert str(caught.value) == f"model Sequential: {problem}"


def test_a_backward_that_fails() -> None:
    """An operation in place overwrites what the one before it has to remember."""

    class Overwritten(NoBatchNorm):
        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            y = torch.exp(x)
            x = y + y.mul_(2)
            return self.classifier(self.pool(x).flatten(1))

    backward = [r for r in ALL if r.gradient or r.probe in ("curvature", "fisher")]
    measure(Overwritten(), CONDITIONS, [r for r in ALL if r not in backward])
    for probe, batch in sorted({row.excitation for row in backward}):
        with pytest.raises(InputError, match="model Overwritten: backward failed: one of the var"):
            measure(Overwritten(), CONDITIONS, rows_of(probe, batch))


def test_our_own_mistake_is_not_the_models_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def condense(row: Statistic, parts: list[Tensor]) -> Tensor:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(probes, "condense", condense)
    for name in ("data_conv_input", "data_conv_input_grad", "noise_block_output_covariance"):
        with pytest.raises(ZeroDivisionError, match="ours"):
            measure(TinyResNet(), CONDITIONS, [CATALOGUE[name]])


def test_flow_of_a_deep_network_is_finite() -> None:
    """The product of 40 layers of positive weights does not fit into float32."""
    layers = [nn.Conv2d(3, 32, 3, padding=1)] + [nn.Conv2d(32, 32, 3, padding=1) for _ in range(40)]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))
    rows = [CATALOGUE["flow_weight_grad"]]
    gradients = measure(model, CONDITIONS, rows).tensors["flow_weight_grad"]
    assert all(g.dtype == torch.float64 and g.isfinite().all() for g in gradients)
    assert max(g.max().item() for g in gradients) > 1e39
    assert math.isfinite(sum(g.sum().item() for g in gradients))
