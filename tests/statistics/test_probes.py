"""Each probe on a NAS-Bench-201 network, and on models that are harder than that, by hand."""

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

RAW, SKETCH, LABEL = 4, 12, 6
IMAGES = generated(SKETCH, size=8)
CONDITIONS = MeasurementConfig(
    replace(IMAGES, pixels=IMAGES.pixels.double()),
    raw=RAW,
    sketch=SKETCH,
    initialisation="keep",
    seed=2,
)
PIXELS, LABELS = CONDITIONS.images.pixels, CONDITIONS.images.labels
# A convolution that nobody reads, one fed by zeros, and two that are live.
CELL = "|nor_conv_1x1~0|+|none~0|none~1|+|nor_conv_3x3~0|avg_pool_3x3~1|nor_conv_1x1~2|"


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def found(model: nn.Module, *names: str, **changes: object) -> list[Tensor | None]:
    """The rows of one statistic, or of several, one after the other."""
    rows = [CATALOGUE[name] for name in names]
    tensors = measure(model, replace(CONDITIONS, **changes), rows).tensors
    return [tensor for name in names for tensor in tensors[name]]


def near(x: Tensor | None, y: Tensor | np.ndarray, tolerance: float = 1e-10) -> bool:
    """Equal up to rounding, beside the largest entry."""
    assert x is not None
    y = torch.as_tensor(y)
    assert x.shape == y.shape
    return bool((x - y).abs().max() <= tolerance * (y.abs().max() + 1e-12))


# On a NAS-Bench-201 network: modules with hooks, in train mode.


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
    return measure(network, CONDITIONS, list(CATALOGUE.values()))


class Run:
    """One pass of a copy: (module, input, output) of every layer, norm, activation and block."""

    def __init__(self, model: nn.Module, images: Tensor) -> None:
        self.model = copy.deepcopy(model).train()
        self.calls: dict[str, list[tuple[nn.Module, Tensor, Tensor]]] = {}
        value_types = {
            "layer": (nn.Conv2d, nn.Linear),
            "norm": (nn.BatchNorm2d,),
            "activation": (nn.ReLU,),
        }
        for role, types in value_types.items():
            own = [m for m in self.model.modules() if isinstance(m, types)]
            self._note(role, own)
        self._note("block", chain(self.model))
        self.logits = self.model(images)
        self.weights = [module.weight for module, *_ in self.calls["layer"]]

    def _note(self, role: str, modules: list[nn.Module]) -> None:
        calls = self.calls[role] = []

        def note(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            calls.append((module, inputs[0], output))

        for module in modules:
            module.register_forward_hook(note)

    def outputs(self, role: str) -> list[Tensor]:
        return [y for _, _, y in self.calls[role]]

    def gradients(self, at: list[Tensor], labels: Tensor, again: bool = False) -> list[Tensor]:
        loss = F.cross_entropy(self.logits, labels)
        kept = {"retain_graph": True, "create_graph": again}
        return list(
            torch.autograd.grad(loss, at, allow_unused=True, materialize_grads=True, **kept)
        )


def chain(model: nn.Module) -> list[nn.Module]:
    """The stem's convolution, cells and reductions."""
    stages = (model.stage1, [model.reduction1], model.stage2, [model.reduction2], model.stage3)
    return [model.stem[0], *(block for stage in stages for block in stage)]


def shaped(weight: Tensor) -> Tensor:
    return weight.reshape(*weight.shape, *(1,) * (4 - weight.dim()))


def test_gradients_on_two_batches_with_labels(network, measured) -> None:
    """The first half of the large batch, and the other half."""
    halves = {"label": slice(0, LABEL), "label2": slice(LABEL, 2 * LABEL)}
    for probe, half in halves.items():
        run = Run(network, PIXELS[half])
        want = run.gradients(run.weights, LABELS[half])
        for x, y in zip(measured.tensors[f"{probe}_weight_grad"], want, strict=True):
            assert near(x, shaped(y))
    first, second = (measured.tensors[f"{probe}_weight_grad"][0] for probe in halves)
    assert not near(first, second, 0.1)


def test_parts_of_images_and_saliency(network, measured) -> None:
    run = Run(network, PIXELS[:LABEL])
    above = run.gradients(run.outputs("layer"), LABELS[:LABEL])
    dead = 0
    calls = tuple(run.calls["layer"])  # which running a layer again adds to
    for place, ((layer, x, y), g) in enumerate(zip(calls, above, strict=True)):
        parts = torch.stack(
            [
                torch.autograd.grad(layer(x[i : i + 1].detach()), layer.weight, g[i : i + 1])[0]
                for i in range(LABEL)
            ]
        )
        std, signs, saliency, whole = (
            measured.tensors[f"label_{name}"][place]
            for name in (
                "weight_grad_std",
                "weight_grad_signs",
                "conv_output_saliency",
                "weight_grad",
            )
        )
        assert near(std, shaped(parts.std(0, correction=0)))
        assert near(whole, shaped(parts.sum(0)))
        certain = shaped(((parts == 0) | (parts.abs() > 1e-12 * parts.abs().max())).all(0))
        assert torch.equal(signs[certain], shaped(parts.sign().sum(0))[certain])
        assert certain.double().mean() > 0.99
        assert near(saliency, (y.detach() * g).reshape(*y.shape[:2], -1).sum(2))
        dead += not parts.any()
    assert 0 < dead < len(above)


def test_hessian_times_gradient(network, measured) -> None:
    run = Run(network, PIXELS[:LABEL])
    first = run.gradients(run.weights, LABELS[:LABEL], again=True)
    along = sum((g * g.detach()).sum() for g in first)
    want = torch.autograd.grad(along, run.weights, allow_unused=True, materialize_grads=True)
    assert any(h.abs().max() > 1e-3 for h in want)
    for x, y in zip(measured.tensors["curvature_weight_grad"], want, strict=True):
        assert near(x, shaped(y), 1e-8)


@pytest.mark.parametrize(
    ("site", "role"), [("conv", "layer"), ("relu", "activation"), ("bn", "norm")]
)
def test_correlations_on_one_image(site, role, network, measured) -> None:
    """A channel that is constant correlates with none, itself included."""
    outputs = Run(network, PIXELS[:1]).outputs(role)
    rows = measured.tensors[f"data_{site}_output_correlation"]
    assert len(outputs) == len(rows)
    constant = 0
    for x, y in zip(rows, outputs, strict=True):
        channels = y.detach()[0].flatten(1).numpy() if y.dim() == 4 else y.detach().T.numpy()
        want = np.zeros((len(channels), len(channels)))
        varied = np.flatnonzero(np.ptp(channels, axis=1) > 0)
        constant += len(varied) < len(channels)
        if len(varied):
            want[np.ix_(varied, varied)] = np.corrcoef(channels[varied])
        assert near(x, want, 1e-8)
    assert constant


def test_patterns_and_agreement(network, measured) -> None:
    def codes(count: int) -> list[np.ndarray]:
        outputs = Run(network, PIXELS[:count]).outputs("activation")
        return [(y > 0).flatten(1).numpy() for y in outputs]

    units = {tuple(unit) for code in codes(RAW) for unit in code.T}
    assert measured.tensors["data_patterns"][0].item() == len(units) > RAW
    for x, code in zip(measured.tensors["data_relu_agreement"], codes(SKETCH), strict=True):
        want = [[np.sum(a == b) for b in code] for a in code]
        assert torch.equal(x, torch.tensor(want).double())


def test_same_class(measured) -> None:
    (x,) = measured.tensors["same_class"]
    want = [[float(a == b) for a in LABELS.tolist()] for b in LABELS.tolist()]
    assert x.tolist() == want
    assert SKETCH < x.sum() < SKETCH**2


def noise() -> Tensor:
    generator = stream("noise", CONDITIONS.seed)
    return torch.empty_like(PIXELS[:RAW]).normal_(generator=generator)


def test_noise(measured) -> None:
    assert torch.equal(measured.tensors["noise_conv_input"][0], noise())


def test_covariance_of_blocks(network, measured) -> None:
    outputs = Run(network, noise()).outputs("block")
    rows = measured.tensors["noise_block_output_covariance"]
    assert len(rows) == 18
    for x, y in zip(rows, outputs, strict=True):
        assert near(x, np.cov(y.detach().transpose(0, 1).flatten(1).numpy(), bias=True))


def random_signs(outputs: list[Tensor]) -> list[Tensor]:
    """One draw after the other for every block, the first one too."""
    generator = stream("signs", CONDITIONS.seed)
    draws = [torch.randint(0, 2, y.shape, generator=generator) for y in outputs]
    return [2.0 * d.double() - 1.0 for d in draws]


def transfers(blocks: list[nn.Module], inputs: list[Tensor]) -> list[Tensor | None]:
    """Each block by itself on its input: [channels x patch, output channels]."""
    inputs = [x.detach().requires_grad_() for x in inputs]
    outputs = [block(x.clone()) for block, x in zip(blocks, inputs, strict=True)]
    rows: list[Tensor | None] = []
    for place, (x, y, v) in enumerate(zip(inputs, outputs, random_signs(outputs), strict=True)):
        objective = (y * v).sum() + 0 * x.sum()  # also where the output does not depend on it
        (g,) = torch.autograd.grad(objective, x)
        (b, i, high, wide), (_, o, h, w) = g.shape, y.shape
        side = high // h
        if place == 0 or (h * side, w * side) != (high, wide):
            rows.append(None)
            continue
        row = torch.zeros(i * side * side, o, dtype=torch.float64)
        for c in range(i):
            for p in range(side):
                for q in range(side):
                    patch = g[:, c, p::side, q::side]
                    row[(c * side + p) * side + q] = (patch[:, None] * v).sum((0, 2, 3))
        rows.append(row / (b * h * w))
    return rows


def test_transfer_of_blocks(network, measured) -> None:
    run = Run(network, noise())
    blocks = [block.train() for block in chain(copy.deepcopy(network))]
    want = transfers(blocks, [x for _, x, _ in run.calls["block"]])
    rows = measured.tensors["local_block_transfer"]
    assert rows[0] is None
    assert [tuple(x.shape) for x in rows[1:]] == (
        [(16, 16)] * 5 + [(64, 32)] + [(32, 32)] * 5 + [(128, 64)] + [(64, 64)] * 5
    )
    assert all(near(x, y) for x, y in zip(rows[1:], want[1:], strict=True))


def test_zen(network, measured) -> None:
    """Standard normal weights in the order of modules, whatever the weights are; a hundredth of a
    second draw of noise."""
    generator = torch.Generator().manual_seed(CONDITIONS.seed)
    model = copy.deepcopy(network)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data.normal_(generator=generator)
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.fill_(1)
        if getattr(module, "bias", None) is not None:
            module.bias.data.zero_()
    generator = stream("noise", CONDITIONS.seed)
    first, second = (torch.empty_like(PIXELS[:RAW]).normal_(generator=generator) for _ in range(2))
    plain, moved = Run(model, first), Run(model, first + 0.01 * second)
    pairs = zip(plain.outputs("activation"), moved.outputs("activation"), strict=True)
    for x, (a, b) in zip(measured.tensors["zen_relu_output_change"], pairs, strict=True):
        assert near(x, (b - a).abs().sum().detach())
    for x, (_, y, _) in zip(
        measured.tensors["zen_bn_input_variance"], plain.calls["norm"], strict=True
    ):
        assert near(x, y.detach().transpose(0, 1).flatten(1).var(1, correction=0))
    fresh = found(network, "zen_relu_output_change", initialisation="kaiming")
    kept = measured.tensors["zen_relu_output_change"]
    assert all(torch.equal(a, b) for a, b in zip(fresh, kept, strict=True))


# Curvature where it is not as plain as there.


@pytest.mark.parametrize("wrap", [lambda conv: conv, weight_norm])
def test_hessian_of_a_shared_layer(wrap: Callable[[nn.Module], nn.Module]) -> None:
    """A weight that is used twice is one variable, and its gradient counts once."""
    torch.manual_seed(0)
    model = SharedConv().double().train()
    wrap(model.stem)
    rows = found(model, "curvature_weight_grad")
    weights = [model.stem.weight, model.shared[0].weight, model.classifier.weight]
    with torch.nn.utils.parametrize.cached():
        weights[0] = model.stem.weight
        loss = F.cross_entropy(model(PIXELS[:LABEL]), LABELS[:LABEL])
    first = torch.autograd.grad(loss, weights, create_graph=True)
    along = sum((g * g.detach()).sum() for g in first)
    stem, shared, head = torch.autograd.grad(along, weights)
    for x, y in zip(rows, (stem, shared, shared, shaped(head)), strict=True):
        assert near(x, y, 1e-8)


def test_a_network_without_curvature() -> None:
    """A constant loss, and a linear one by a part of the weights."""

    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 10, 1)

        def forward(self, x: Tensor) -> Tensor:
            self.conv(x)
            return torch.zeros(len(x), 10, dtype=x.dtype)

    (x,) = found(Constant().double(), "curvature_weight_grad")
    assert x.shape == (10, 3, 1, 1)
    assert not x.any()


# Blocks that are not like those of a cell network.


class Whole(nn.Module):
    """One block, whatever is inside."""

    def __init__(self, *parts: nn.Module, change: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.parts, self.change = nn.ModuleList(parts), change

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x if self.change is None else self.change(x)


class Wrapper(nn.Module):
    """The network is the one part with layers of another module."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.norm, self.inside = nn.BatchNorm2d(3, affine=False), inside

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(self.norm(x))


def conv(before: int, after: int, kernel: int = 3, **options: int) -> nn.Module:
    return nn.Conv2d(before, after, kernel, padding=kernel // 2, **options)


def head(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]


def compare(model: nn.Module, blocks: list[nn.Module]) -> list[Tensor | None]:
    """The model's rows against its blocks by themselves, which are listed; the rows."""
    model = model.double()
    inputs: list[Tensor] = []
    copied = copy.deepcopy(blocks)
    hooks = [b.register_forward_pre_hook(lambda _, x: inputs.append(x[0].clone())) for b in blocks]
    model.train()(noise())
    for hook in hooks:
        hook.remove()
    want = transfers([block.double().train() for block in copied], inputs)
    rows = found(model, "local_block_transfer")
    assert [x is None for x in rows] == [y is None for y in want]
    assert all(near(x, y) for x, y in zip(rows, want, strict=True) if y is not None)
    outputs = found(model, "noise_block_output_covariance")
    assert len(outputs) == len(blocks)
    return rows


@pytest.mark.parametrize("inplace", [False, True])
def test_blocks_in_a_chain(inplace: bool) -> None:
    """Blocks with strides, one that changes its input in place, and what lies between."""
    torch.manual_seed(0)
    relu = nn.ReLU(inplace=inplace)
    blocks = [
        conv(3, 4),
        Whole(relu, conv(4, 5), nn.BatchNorm2d(5), relu, conv(5, 4)),
        Whole(conv(4, 6, stride=2), conv(6, 6)),
        conv(6, 2, stride=4),
    ]
    first, second, third, last = blocks
    model = nn.Sequential(first, nn.Sequential(second, relu), nn.Sequential(third, last), *head(2))
    rows = compare(model, blocks)
    assert [None if x is None else tuple(x.shape) for x in rows] == [
        *(None, (4, 4), (16, 6), (96, 2)),
    ]


def test_a_wrapped_chain() -> None:
    torch.manual_seed(0)
    blocks = [Whole(conv(3, 4), conv(4, 4)), Whole(conv(4, 4))]
    compare(Wrapper(nn.Sequential(*blocks, *head(4))), blocks)
    compare(Wrapper(Wrapper(nn.Sequential(nn.Sequential(*blocks), *head(4)))), blocks)


def test_a_repeated_block() -> None:
    """A row for each time that it runs."""
    torch.manual_seed(0)
    block = conv(4, 4)
    first = conv(3, 4)
    model = nn.Sequential(first, nn.Sequential(block), nn.ReLU(), nn.Sequential(block), *head(4))
    rows = found(model.double(), "local_block_transfer")
    x = nn.Sequential(first, block, nn.ReLU())(noise())
    want = transfers([first, block, block], [noise(), first(noise()), x])
    assert rows[0] is None
    assert all(near(x, y) for x, y in zip(rows[1:], want[1:], strict=True))


def test_blocks_whose_positions_have_no_patch_of_their_own() -> None:
    """8 to 16, 16 to 6, 6 x 6 to 3 x 6: none of them is a number of patches for each position."""
    torch.manual_seed(0)
    up = Whole(conv(4, 4), nn.Upsample(scale_factor=2.0))
    odd = Whole(conv(4, 4), nn.AdaptiveAvgPool2d(6))
    flat = conv(4, 4, stride=(2, 1))
    blocks = [conv(3, 4), up, odd, flat, conv(4, 4)]
    rows = compare(nn.Sequential(*blocks, *head(4)), blocks)
    assert [x is None for x in rows] == [True] * 4 + [False]


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y.detach(),
        lambda y: torch.zeros_like(y),
        lambda y: torch.zeros_like(y, requires_grad=True) * 1,
        lambda y: y * 0,
    ],
)
def test_a_block_through_which_nothing_comes(change: Callable[[Tensor], Tensor]) -> None:
    """It transfers nothing, which is not the same as having no transfer."""
    torch.manual_seed(0)
    blocks = [conv(3, 4), Whole(conv(4, 4), change=change), Whole(conv(4, 4))]
    first, dead, last = compare(nn.Sequential(*blocks, *head(4)), blocks)
    assert first is None
    assert not dead.any()
    assert last.any()


def test_a_network_does_not_see_the_dead_blocks_of_its_company() -> None:
    """Blocks of one signature are stacked over networks: what one lacks, all would lose."""
    alive = CELL
    dead = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    rows = [row for row in CATALOGUE.values() if row.type.axis == "blocks"]
    networks = (SPACES["nasbench201"].build(a).double() for a in (alive, dead))
    first, second = (measure(network, CONDITIONS, rows) for network in networks)
    copied = replace(first, tensors=dict(first.tensors))  # stacking takes the tensors out
    alone, company = stack([copied]), stack([first, second])
    for row in rows:
        groups = zip(company.axes["blocks"].networks, company.blocks[row.name], strict=True)
        own = [b[n == 0] for n, b in groups if b is not None and (n == 0).any()]
        want = [b for b in alone.blocks[row.name] if b is not None]
        assert len(own) == len(want) > 0
        assert all(torch.equal(x, y) for x, y in zip(own, want, strict=True))


# Models in which not everything is one tensor for each image.


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


def test_what_compares_images_leaves_out_what_has_none() -> None:
    """Windows are no images, a parameter has none; every row is measured and can be stacked."""
    torch.manual_seed(0)
    model, seen = Windows(), []
    conditions = MeasurementConfig(generated(70, size=8), raw=70, sketch=70, initialisation="keep")
    result = measure(model, conditions, list(CATALOGUE.values()))
    stack([replace(result, tensors=dict(result.tensors))])
    kernels = result.tensors["data_relu_agreement"]
    assert [x is None for x in kernels] == [False, True, True, False]
    gram = result.tensors["data_conv_input_gram"]
    assert [x is None for x in gram] == [False, True, True, True, False]
    for module in (model.first, model.last):
        module.register_forward_hook(lambda _, inputs, y: seen.append((y > 0).flatten(1)))
    model(conditions.images.pixels)
    units = {tuple(unit) for y in seen for unit in y.T.tolist()}
    assert result.tensors["data_patterns"][0].item() == len(units) > 10
