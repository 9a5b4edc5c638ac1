"""Every statistic of one small model, written out by hand."""

import copy
import math
import statistics

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_input, conv2d_weight

from eznas.statistics.statistic import Statistic
from tests.reference import stream
from tests.statistics.measurements import (
    CONFIG,
    LABEL,
    RAW,
    SKETCH,
)

Sites = dict[tuple[str, int], tuple[Tensor, Tensor]]


class Small(nn.Module):
    """conv - BN - ReLU - conv (stride 2) - BN - sum of three - ReLU - pooling - linear.

    The sum reads the inputs of two other operations as well, so that the gradient at such a tensor
    is not the gradient through the one operation.
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
    """One pass of `Small` in plain functions. At each site a leaf of zeros is added that nothing
    else reads: its gradient is the gradient at the site."""

    def __init__(self, parameters: dict[str, Tensor], images: Tensor, flow: bool = False) -> None:
        self.parameters = {
            name: tensor.detach().clone()
            for name, tensor in parameters.items()
            if tensor.is_floating_point()
        }
        if flow:
            self.parameters = {n: t.double().abs() for n, t in self.parameters.items()}
            images = torch.ones_like(images[:1], dtype=torch.float64)
        for tensor in self.parameters.values():
            tensor.requires_grad_()
        self.flow = flow
        self.sites: Sites = {}
        self.images = images.detach().clone().requires_grad_()
        self.logits = self._run()
        layers = ("conv1", "conv2", "linear")
        self.weights = [self.parameters[f"{layer}.weight"] for layer in layers]

    def read_at(self, site: str, layer: int, tensor: Tensor) -> Tensor:
        leaf = torch.zeros_like(tensor, requires_grad=True)
        self.sites[site, layer] = (tensor, leaf)
        return tensor + leaf

    def norm(self, name: str, x: Tensor) -> Tensor:
        if self.flow:
            return x
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        x = (x - mean[:, None, None]) / torch.sqrt(variance + 1e-5)[:, None, None]
        scale, shift = (self.parameters[f"{name}.{k}"][:, None, None] for k in ("weight", "bias"))
        return x * scale + shift

    def _run(self) -> Tensor:
        p = self.parameters
        x = self.read_at("conv_input", 0, self.images)
        x = self.read_at(
            "conv_output", 0, F.conv2d(x, p["conv1.weight"], p["conv1.bias"], padding=1)
        )
        n = self.read_at("bn_output", 0, self.norm("bn1", x))
        h = self.read_at("relu_input", 1, n).clamp(min=0)
        x = self.read_at("conv_input", 1, h)
        x = F.conv2d(x, p["conv2.weight"], stride=2, padding=1, groups=2)
        m = self.read_at("bn_output", 1, self.norm("bn2", self.read_at("conv_output", 1, x)))
        s = m + F.avg_pool2d(n, 2) + F.avg_pool2d(h, 2)
        self.relu_outputs: list[Tensor | None] = [h.detach(), s.detach().clamp(min=0)]
        x = self.read_at(
            "conv_input", 2, self.read_at("relu_input", 2, s).clamp(min=0).mean((2, 3))
        )
        return self.read_at("conv_output", 2, x @ p["linear.weight"].T + p["linear.bias"])

    def values(self, site: str) -> list[Tensor | None]:
        """The tensors at the site of each layer, None where it has no such site."""
        tensors = [self.sites.get((site, layer), (None,))[0] for layer in range(3)]
        return [None if tensor is None else shaped(tensor) for tensor in tensors]

    def gradients(self, site: str, objective: Tensor) -> list[Tensor | None]:
        """The gradients at the site of each layer, None where it has no such site."""
        if site == "weight":
            gradients = torch.autograd.grad(objective, self.weights, retain_graph=True)
            return [shaped(g) for g in gradients]
        leaves = {i: self.sites[site, i][1] for i in range(3) if (site, i) in self.sites}
        gradients = torch.autograd.grad(objective, list(leaves.values()), retain_graph=True)
        by_layer = dict(zip(leaves, gradients, strict=True))
        return [shaped(by_layer[i]) if i in by_layer else None for i in range(3)]

    def per_image(self, objective: Tensor) -> list[Tensor]:
        """Each image's contribution to the gradient at every weight, [images, *weight], from the
        layer's input and the gradient at its output for this image alone."""
        outputs = [self.sites["conv_output", i][1] for i in range(3)]
        gradients = list(torch.autograd.grad(objective, outputs, retain_graph=True))
        inputs = [self.sites["conv_input", i][0].detach() for i in range(3)]
        options = [{"padding": 1}, {"stride": 2, "padding": 1, "groups": 2}]
        convolutions = [
            torch.cat(
                [
                    conv2d_weight(x[i : i + 1], w.shape, g[i : i + 1], **layer_options)[None]
                    for i in range(len(x))
                ]
            )
            for x, g, w, layer_options in zip(
                inputs[:2], gradients[:2], self.weights[:2], options, strict=True
            )
        ]
        return [*convolutions, gradients[2][:, :, None] * inputs[2][:, None, :]]

    def curvature(self, objective: Tensor) -> list[Tensor]:
        """The Hessian times the gradient at every weight."""
        gradients = torch.autograd.grad(objective, self.weights, create_graph=True)
        product = sum((g * g.detach()).sum() for g in gradients)
        return list(torch.autograd.grad(product, self.weights, retain_graph=True))

    def read(self, site: str, gradient: bool) -> list[Tensor | None]:
        return self.gradients(site, self.logits.sum()) if gradient else self.values(site)


def shaped(tensor: Tensor) -> Tensor:
    """Detached, with axes of length 1 at the end to make four."""
    return tensor.detach().reshape(tensor.shape + (1,) * (4 - tensor.dim()))


def standard_normal(parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of layers drawn in their order, fresh norms, biases of zero."""
    generator = torch.Generator().manual_seed(0)
    fresh = {}
    for name, tensor in parameters.items():
        if name.startswith("bn"):
            fresh[name] = torch.full_like(tensor, float(name.endswith("weight")))
        elif name.endswith("bias"):
            fresh[name] = torch.zeros_like(tensor)
        else:
            fresh[name] = torch.empty_like(tensor).normal_(generator=generator)
    return fresh


def second_draw(noise: Tensor) -> Tensor:
    """The noise that the generator draws after this one."""
    generator = stream("noise", 0)
    first, second = (torch.empty_like(noise).normal_(generator=generator) for _ in range(2))
    assert torch.equal(first, noise)
    return second


def agreement(x: Tensor) -> Tensor:
    """For each pair of images the number of units that are on in both or off in both."""
    codes = (x > 0).flatten(1).tolist()
    return torch.tensor(
        [[float(sum(a == b for a, b in zip(p, q, strict=True))) for q in codes] for p in codes]
    )


def patterns(outputs: list[Tensor]) -> int:
    """The number of different on-off columns over the images."""
    units = [x[:, i] for x in (y.flatten(1) > 0 for y in outputs) for i in range(x.shape[1])]
    return len({tuple(unit.tolist()) for unit in units})


def correlation(x: Tensor) -> Tensor:
    """Pearson's, between channels; 0 for one that is constant."""
    channels = x.double().transpose(0, 1).flatten(1).numpy()
    correlations = np.zeros((len(channels), len(channels)))
    varying = np.flatnonzero(np.ptp(channels, axis=1) > 0)
    if len(varying):
        correlations[np.ix_(varying, varying)] = np.corrcoef(channels[varying])
    return torch.from_numpy(correlations)


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
    """Deciles of the Fisher information, from a Jacobian built image by image, class by class."""
    model = copy.deepcopy(model).eval()
    information = 0.0
    for image in images:
        logits = model(image[None])[0]
        gradients = [
            torch.autograd.grad(logit, list(model.parameters()), retain_graph=True)
            for logit in logits
        ]
        J = np.array([[float(g.flatten()[0]) for g in of_logit] for of_logit in gradients])
        p = logits.detach().double().softmax(0).numpy() * 0.95 + 0.05 / len(logits)
        information = information + J.T @ (np.diag(p) - np.outer(p, p)) @ J
    eigenvalues = np.linalg.eigvalsh(information / len(images)).clip(min=0)
    return torch.tensor(np.quantile(eigenvalues, np.arange(1, 10) / 10))


def expected_tensors(row: Statistic, runs: dict[str, ByHand], small: Small) -> list[Tensor | None]:
    """The tensors of a row on `Small`, from the runs by hand."""
    many, single, zen = runs["many"], runs["single"], runs["zen"]
    labels = {"label": CONFIG.images.labels[:LABEL], "label2": CONFIG.images.labels[LABEL:]}
    loss = {k: F.cross_entropy(runs[k].logits, v) for k, v in labels.items()}
    special = {
        "data_relu_agreement": lambda: [agreement(x) for x in many.relu_outputs],
        "data_jacobian": lambda: [
            torch.autograd.grad(many.logits.sum(), many.images, retain_graph=True)[0].flatten(1)
        ],
        "data_patterns": lambda: [number(patterns(runs["data"].relu_outputs))],
        "data_relu_output_correlation": lambda: [correlation(x) for x in single.relu_outputs],
        "data_bn_output_correlation": lambda: [
            correlation(x) for x in single.values("bn_output")[:2]
        ],
        "data_conv_output_correlation": lambda: [
            correlation(x) for x in single.values("conv_output")
        ],
        "label_weight_grad": lambda: runs["label"].gradients("weight", loss["label"]),
        "label2_weight_grad": lambda: runs["label2"].gradients("weight", loss["label2"]),
        "curvature_weight_grad": lambda: [
            shaped(h) for h in runs["label"].curvature(loss["label"])
        ],
        "label_weight_grad_std": lambda: [
            shaped(of_images.std(0, correction=0))
            for of_images in runs["label"].per_image(loss["label"])
        ],
        "label_weight_grad_signs": lambda: [
            shaped(of_images.sign().sum(0)) for of_images in runs["label"].per_image(loss["label"])
        ],
        "label_conv_output_saliency": lambda: [
            (y.detach() * g).sum((2, 3))
            for y, g in zip(
                runs["label"].values("conv_output"),
                runs["label"].gradients("conv_output", loss["label"]),
                strict=True,
            )
        ],
        "noise_block_output_covariance": lambda: [
            covariance(x) for x in runs["noise"].values("conv_output")[:2]
        ],
        "local_block_transfer": lambda: [None, transfer(small)],
        "zen_relu_output_change": lambda: [
            (moved - plain).abs().sum()
            for moved, plain in zip(runs["zen moved"].relu_outputs, zen.relu_outputs, strict=True)
        ],
        "zen_bn_input_variance": lambda: [
            x.var((0, 2, 3), correction=0) for x in zen.values("conv_output")[:2]
        ],
        "fisher_deciles": lambda: [fisher(small, runs["data"].images.detach())],
        "same_class": lambda: [torch.tensor([[float(a == b) for b in CLASSES] for a in CLASSES])],
        "weight": lambda: [shaped(w) for w in runs["data"].weights],
    }
    if row.name in special:
        return special[row.name]()
    if row.probe == "structure":
        return [number(n) for n in SIZES[row.name]]
    if row.probe == "shift":
        moved, plain = (runs[k].read(row.site, row.gradient) for k in ("moved", "data"))
        pairs = zip(moved, plain, strict=True)
        return [None if a is None or b is None else a - b for a, b in pairs]
    tensors = runs[row.probe].read(row.site, row.gradient)
    return [x if x is None else SKETCHES[row.sketch](x.detach()) for x in tensors]


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


CLASSES = CONFIG.images.labels[:SKETCH].tolist()
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
# Of each path: convolutions, poolings, growth of the receptive field, ln weights, length.
PATH_TOTALS = {
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


SIZES |= {
    f"paths_{quantity}_{name}": [value]
    for i, quantity in enumerate(("convs", "pools", "field", "params", "length"))
    for name, value in summaries([float(totals[i]) for totals in PATH_TOTALS.values()]).items()
}
