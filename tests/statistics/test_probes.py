"""Each probe on a NAS-Bench-201 network against hooks on its modules, and on harder models."""

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from eznas.evaluation.bank import stack
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import MeasuredNetwork, measure
from tests.reference import SharedConv, stream
from tests.statistics.probing import (
    CELL,
    CONFIG,
    LABEL,
    LABELS,
    PIXELS,
    RAW,
    SKETCH,
    cell_network_blocks,
    measured_rows,
    near,
    noise,
    shaped,
    transfers,
)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    model = SPACES["nasbench201"].build(CELL).double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return model


@pytest.fixture(scope="module")
def measured(network: nn.Module) -> MeasuredNetwork:
    return measure(network, CONFIG, list(CATALOGUE.values()))


class Run:
    """One pass of a copy: (module, input, output) of every layer, norm, activation and block."""

    def __init__(self, model: nn.Module, images: Tensor) -> None:
        self.model = copy.deepcopy(model).train()
        self.calls: dict[str, list[tuple[nn.Module, Tensor, Tensor]]] = {}
        module_types = {
            "layer": (nn.Conv2d, nn.Linear),
            "norm": (nn.BatchNorm2d,),
            "activation": (nn.ReLU,),
        }
        for role, types in module_types.items():
            self._record(role, [m for m in self.model.modules() if isinstance(m, types)])
        self._record("block", cell_network_blocks(self.model))
        self.logits = self.model(images)
        self.weights = [module.weight for module, *_ in self.calls["layer"]]

    def _record(self, role: str, modules: list[nn.Module]) -> None:
        calls = self.calls[role] = []

        def record(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            calls.append((module, inputs[0], output))

        for module in modules:
            module.register_forward_hook(record)

    def outputs(self, role: str) -> list[Tensor]:
        return [y for _, _, y in self.calls[role]]

    def gradients(
        self, tensors: list[Tensor], labels: Tensor, create_graph: bool = False
    ) -> list[Tensor]:
        """Gradients of the cross-entropy."""
        gradients = torch.autograd.grad(
            F.cross_entropy(self.logits, labels),
            tensors,
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
            materialize_grads=True,
        )
        return list(gradients)


def test_gradients_on_two_batches_with_labels(network, measured) -> None:
    """The first half of the large batch, and the other half."""
    halves = {"label": slice(0, LABEL), "label2": slice(LABEL, 2 * LABEL)}
    for probe, half in halves.items():
        run = Run(network, PIXELS[half])
        expected = run.gradients(run.weights, LABELS[half])
        for x, y in zip(measured.tensors[f"{probe}_weight_grad"], expected, strict=True):
            assert near(x, shaped(y))
    first, second = (measured.tensors[f"{probe}_weight_grad"][0] for probe in halves)
    assert not near(first, second, 0.1)


def test_per_image_gradients_and_saliency(network, measured) -> None:
    run = Run(network, PIXELS[:LABEL])
    gradients = run.gradients(run.outputs("layer"), LABELS[:LABEL])
    without_gradient = 0
    calls = tuple(run.calls["layer"])  # a copy: running a layer again records it
    for index, ((layer, x, y), g) in enumerate(zip(calls, gradients, strict=True)):
        per_image = torch.stack(
            [
                torch.autograd.grad(layer(x[i : i + 1].detach()), layer.weight, g[i : i + 1])[0]
                for i in range(LABEL)
            ]
        )
        std, signs, saliency, total = (
            measured.tensors[f"label_{name}"][index]
            for name in (
                "weight_grad_std",
                "weight_grad_signs",
                "conv_output_saliency",
                "weight_grad",
            )
        )
        assert near(std, shaped(per_image.std(0, correction=0)))
        assert near(total, shaped(per_image.sum(0)))
        magnitudes = per_image.abs()
        not_rounding = shaped(((per_image == 0) | (magnitudes > 1e-12 * magnitudes.max())).all(0))
        assert torch.equal(signs[not_rounding], shaped(per_image.sign().sum(0))[not_rounding])
        assert not_rounding.double().mean() > 0.99
        assert near(saliency, (y.detach() * g).reshape(*y.shape[:2], -1).sum(2))
        without_gradient += not per_image.any()
    assert 0 < without_gradient < len(gradients)


def test_hessian_times_gradient(network, measured) -> None:
    run = Run(network, PIXELS[:LABEL])
    gradients = run.gradients(run.weights, LABELS[:LABEL], create_graph=True)
    product = sum((g * g.detach()).sum() for g in gradients)
    expected = torch.autograd.grad(product, run.weights, allow_unused=True, materialize_grads=True)
    assert any(h.abs().max() > 1e-3 for h in expected)
    for x, y in zip(measured.tensors["curvature_weight_grad"], expected, strict=True):
        assert near(x, shaped(y), 1e-8)


@pytest.mark.parametrize(
    ("site", "role"), [("conv", "layer"), ("relu", "activation"), ("bn", "norm")]
)
def test_correlations_on_one_image(site, role, network, measured) -> None:
    """The correlation with a constant channel is 0, also on the diagonal."""
    outputs = Run(network, PIXELS[:1]).outputs(role)
    rows = measured.tensors[f"data_{site}_output_correlation"]
    assert len(outputs) == len(rows)
    with_constant_channels = 0
    for x, y in zip(rows, outputs, strict=True):
        channels = y.detach()[0].flatten(1).numpy() if y.dim() == 4 else y.detach().T.numpy()
        expected = np.zeros((len(channels), len(channels)))
        varying = np.flatnonzero(np.ptp(channels, axis=1) > 0)
        with_constant_channels += len(varying) < len(channels)
        if len(varying):
            expected[np.ix_(varying, varying)] = np.corrcoef(channels[varying])
        assert near(x, expected, 1e-8)
    assert with_constant_channels


def test_patterns_and_agreement(network, measured) -> None:
    def codes(count: int) -> list[np.ndarray]:
        outputs = Run(network, PIXELS[:count]).outputs("activation")
        return [(y > 0).flatten(1).numpy() for y in outputs]

    units = {tuple(unit) for code in codes(RAW) for unit in code.T}
    assert measured.tensors["data_patterns"][0].item() == len(units) > RAW
    for x, code in zip(measured.tensors["data_relu_agreement"], codes(SKETCH), strict=True):
        expected = [[np.sum(a == b) for b in code] for a in code]
        assert torch.equal(x, torch.tensor(expected).double())


def test_same_class(measured) -> None:
    (x,) = measured.tensors["same_class"]
    expected = [[float(a == b) for a in LABELS.tolist()] for b in LABELS.tolist()]
    assert x.tolist() == expected
    assert SKETCH < x.sum() < SKETCH**2


def test_noise(measured) -> None:
    assert torch.equal(measured.tensors["noise_conv_input"][0], noise())


def test_covariance_of_blocks(network, measured) -> None:
    outputs = Run(network, noise()).outputs("block")
    rows = measured.tensors["noise_block_output_covariance"]
    assert len(rows) == 18
    for x, y in zip(rows, outputs, strict=True):
        assert near(x, np.cov(y.detach().transpose(0, 1).flatten(1).numpy(), bias=True))


def test_transfer_of_blocks(network, measured) -> None:
    run = Run(network, noise())
    blocks = [block.train() for block in cell_network_blocks(copy.deepcopy(network))]
    expected = transfers(blocks, [x for _, x, _ in run.calls["block"]])
    rows = measured.tensors["local_block_transfer"]
    assert rows[0] is None
    assert [tuple(x.shape) for x in rows[1:]] == (
        [(16, 16)] * 5 + [(64, 32)] + [(32, 32)] * 5 + [(128, 64)] + [(64, 64)] * 5
    )
    assert all(near(x, y) for x, y in zip(rows[1:], expected[1:], strict=True))


def test_zen(network, measured) -> None:
    """Standard normal weights drawn in the order of modules, whatever the initialisation; the noise
    is moved by a hundredth of a second draw."""
    generator = torch.Generator().manual_seed(CONFIG.seed)
    model = copy.deepcopy(network)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data.normal_(generator=generator)
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.fill_(1)
        if getattr(module, "bias", None) is not None:
            module.bias.data.zero_()
    generator = stream("noise", CONFIG.seed)
    first_noise, second_noise = (
        torch.empty_like(PIXELS[:RAW]).normal_(generator=generator) for _ in range(2)
    )
    plain, moved = Run(model, first_noise), Run(model, first_noise + 0.01 * second_noise)
    pairs = zip(plain.outputs("activation"), moved.outputs("activation"), strict=True)
    for x, (a, b) in zip(measured.tensors["zen_relu_output_change"], pairs, strict=True):
        assert near(x, (b - a).abs().sum().detach())
    for x, (_, y, _) in zip(
        measured.tensors["zen_bn_input_variance"], plain.calls["norm"], strict=True
    ):
        assert near(x, y.detach().transpose(0, 1).flatten(1).var(1, correction=0))
    with_kaiming = measured_rows(network, "zen_relu_output_change", initialisation="kaiming")
    with_keep = measured.tensors["zen_relu_output_change"]
    assert all(torch.equal(a, b) for a, b in zip(with_kaiming, with_keep, strict=True))


@pytest.mark.parametrize("wrap", [lambda conv: conv, weight_norm])
def test_hessian_of_a_shared_layer(wrap: Callable[[nn.Module], nn.Module]) -> None:
    """The gradient of a weight that is used twice counts once."""
    torch.manual_seed(0)
    model = SharedConv().double().train()
    wrap(model.stem)
    rows = measured_rows(model, "curvature_weight_grad")
    weights = [model.stem.weight, model.shared[0].weight, model.classifier.weight]
    with torch.nn.utils.parametrize.cached():
        weights[0] = model.stem.weight
        loss = F.cross_entropy(model(PIXELS[:LABEL]), LABELS[:LABEL])
    gradients = torch.autograd.grad(loss, weights, create_graph=True)
    product = sum((g * g.detach()).sum() for g in gradients)
    stem, shared, head = torch.autograd.grad(product, weights)
    assert rows.pop(2) is None
    for x, y in zip(rows, (stem, shared, shaped(head)), strict=True):
        assert near(x, y, 1e-8)


def test_a_network_without_curvature() -> None:
    """The loss does not depend on the weights."""

    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 10, 1)

        def forward(self, x: Tensor) -> Tensor:
            self.conv(x)
            return torch.zeros(len(x), 10, dtype=x.dtype)

    (x,) = measured_rows(Constant().double(), "curvature_weight_grad")
    assert x.shape == (10, 3, 1, 1)
    assert not x.any()


class Windows(nn.Module):
    """Layers and activations on quarters of the images, and on a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.inner, self.outer = nn.Conv2d(3, 4, 1), nn.Linear(4, 6), nn.Linear(6, 4)
        self.queries, self.of_queries = nn.Parameter(torch.ones(7, 4)), nn.Linear(4, 4)
        self.head, self.scale = nn.Linear(4, 10), nn.Parameter(torch.ones(10))
        self.first, self.last = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(self.stem(x)).flatten(2).mT.reshape(4 * len(x), -1, 4)
        x = self.outer(F.gelu(self.inner(x))).reshape(len(x) // 4, -1, 4).mean(1)
        x = x + F.relu(self.of_queries(self.queries)).mean(0)
        return self.head(self.last(x)) * F.softplus(self.scale)


def test_statistics_that_compare_images_need_one_row_for_each_image() -> None:
    """They are absent for windows and parameters; the measurement as a whole can be stacked."""
    torch.manual_seed(0)
    model, on_off = Windows(), []
    config = MeasurementConfig(generated(70, size=8), raw=70, sketch=70, initialisation="keep")
    measured = measure(model, config, list(CATALOGUE.values()))
    stack([replace(measured, tensors=dict(measured.tensors))])
    kernels = measured.tensors["data_relu_agreement"]
    assert [x is None for x in kernels] == [False, True, False]  # that of a parameter is none
    gram = measured.tensors["data_conv_input_gram"]
    assert [x is None for x in gram] == [False, True, True, True, False]
    for module in (model.first, model.last):
        module.register_forward_hook(lambda _, inputs, y: on_off.append((y > 0).flatten(1)))
    model(config.images.pixels)
    units = {tuple(unit) for y in on_off for unit in y.T.tolist()}
    assert measured.tensors["data_patterns"][0].item() == len(units) > 10
