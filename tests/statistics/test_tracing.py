"""The traced graph: which layers ran, which are live, and which company each one keeps."""

import random
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from eznas.spaces import SPACES
from eznas.spaces.nasbench201 import EDGES, live_cell, operations
from eznas.statistics.conditions import Conditions
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure
from eznas.statistics.structure import Structure
from tests.reference import Concat, Mlp, NoBatchNorm, SharedConv, TinyResNet

NB201 = SPACES["nasbench201"]
IMAGES = generated(2, size=8)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def traced(model: nn.Module) -> Structure:
    return measure(model, Conditions(IMAGES, initialisation="keep"), ()).structure


def live(structure: Structure) -> tuple[bool, ...]:
    """Which activations are live."""
    return tuple(alive for _, alive in structure.along("activations"))


def company(model: nn.Module) -> list[tuple[int | None, int | None, bool]]:
    """(activation, batch norm, live) of each layer."""
    return [(x.activation, x.norm, x.live) for x in traced(model).layers]


class Wired(nn.Module):
    """Parts and a forward of their own."""

    def __init__(self, wiring: Callable[..., Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.wiring = wiring

    def forward(self, x: Tensor) -> Tensor:
        return self.wiring(x, **self.parts)


class Halved(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x / 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient / 2


def conv(before: int = 4, after: int = 4, **options) -> nn.Module:
    return nn.Conv2d(before, after, 3, padding=1, **options)


def frozen(module: nn.Module) -> nn.Module:
    return module.requires_grad_(False)


def pooled(x: Tensor) -> Tensor:
    return x.mean((2, 3))


def chain(activation: Callable[[Tensor], Tensor]) -> Wired:
    """Convolution, norm, the activation, convolution, pooling, linear."""

    def wiring(x, stem, norm, last, head):
        return head(pooled(last(activation(norm(stem(x))))))

    return Wired(wiring, stem=conv(3), norm=nn.BatchNorm2d(4), last=conv(), head=nn.Linear(4, 10))


def statement(x: Tensor) -> Tensor:
    """An activation in place whose return value nobody takes."""
    x.relu_()
    return x


CHAIN = [(None, 0, True), (0, None, True), (None, None, True)]


@pytest.mark.parametrize(
    "activation",
    [
        nn.ReLU(),
        nn.ReLU(inplace=True),
        F.relu,
        torch.relu,
        torch.relu_,
        Tensor.relu,
        statement,
        lambda x: F.relu(x, True),
        lambda x: F.relu(input=x, inplace=True),
        lambda x: torch.relu(input=x),
        nn.ReLU6(inplace=True),
        nn.LeakyReLU(0.1, inplace=True),
        nn.GELU(),
        nn.SiLU(),
        nn.Hardswish(),
        nn.PReLU(),
        nn.ELU(),
    ],
)
def test_every_spelling_of_an_activation_is_seen(activation) -> None:
    assert company(chain(activation)) == CHAIN
    assert live(traced(chain(activation))) == (True,)


@pytest.mark.parametrize(
    "between",
    [
        lambda x: F.max_pool2d(F.relu(x), 2),  # what lies between does not matter
        lambda x: Halved.apply(F.relu(Halved.apply(x))),
        lambda x: torch.cat([F.relu(x[:, :1]), x[:, 1:]], 1),
        lambda x: F.dropout(F.relu(x)) + x,
        lambda x: F.relu(x).permute(0, 1, 3, 2).reshape(x.shape),
    ],
)
def test_connections_need_no_knowledge_of_operations(between) -> None:
    assert company(chain(between)) == CHAIN


def test_nearest_activation_wins() -> None:
    """Of two in a row the second; of two at a sum the one fewer steps away."""
    assert company(chain(lambda x: F.relu(F.gelu(x))))[1] == (1, None, True)
    assert company(chain(lambda x: F.relu(x) + Halved.apply(F.gelu(x))))[1] == (0, None, True)
    assert company(chain(lambda x: Halved.apply(F.relu(x)) + F.gelu(x)))[1] == (1, None, True)


def test_an_activation_beyond_another_layer_does_not_count() -> None:
    def wiring(x, a, b, head):
        return head(pooled(b(a(F.relu(x)))))

    model = Wired(wiring, a=conv(3), b=conv(), head=nn.Linear(4, 10))
    assert company(model) == [(0, None, True), (None, None, True), (None, None, True)]


def test_a_norm_beyond_an_activation_or_a_layer_does_not_count() -> None:
    def wiring(x, a, b, c, norm, head):
        return head(pooled(norm(F.relu(c(b(F.relu(a(x))))))))

    parts = {"a": conv(3), "b": conv(), "c": conv(), "norm": nn.BatchNorm2d(4)}
    model = Wired(wiring, **parts, head=nn.Linear(4, 10))
    assert [x.norm for x in traced(model).layers] == [None, None, None, None]


def test_reference_models() -> None:
    assert company(TinyResNet()) == [
        (None, 0, True),
        (0, 1, True),
        (1, 2, True),
        (2, None, True),
    ]
    # The concatenation leads both branches to one norm; the ReLU of one branch stands in its way.
    assert company(Concat()) == [
        (None, 0, True),
        (None, None, True),
        (0, None, True),
        (1, None, True),
    ]
    assert company(NoBatchNorm()) == [(None, None, True), (0, None, True)]
    assert company(Mlp()) == [(None, None, True), (0, None, True), (1, None, True)]


def test_a_shared_layer_is_a_row_for_each_time_it_ran() -> None:
    found = traced(SharedConv())
    assert [(x.activation, x.norm) for x in found.layers] == [
        (None, None),
        (None, 0),
        (0, 1),
        (1, None),
    ]
    assert found.params == sum(p.numel() for p in SharedConv().parameters())  # counted once


def test_shapes_are_without_the_batch() -> None:
    model = Wired(
        lambda x, a, head: head(pooled(a(x))),
        a=nn.Conv2d(3, 6, (3, 1), stride=2, groups=3, padding=(1, 0)),
        head=nn.Linear(6, 10, bias=False),
    )
    first, last = traced(model).layers
    assert (first.input_shape, first.output_shape) == ((3, 8, 8), (6, 4, 4))
    assert (first.weight_shape, first.bias_params) == ((6, 1, 3, 1), 6)
    assert (last.input_shape, last.output_shape) == ((6,), (10,))
    assert (last.weight_shape, last.bias_params) == ((10, 6), 0)


def test_layers_stand_in_the_order_in_which_they_ran() -> None:
    model = Wired(
        lambda x, later, first, head: head(pooled(later(first(x)))),
        later=conv(5, 7),
        first=conv(3, 5),
        head=nn.Linear(7, 10),
    )
    assert [x.weight_shape[0] for x in traced(model).layers] == [5, 7, 10]


@pytest.mark.parametrize(
    ("side", "live"),
    [
        (lambda x, y, b: y + b(y), True),
        (lambda x, y, b: torch.cat([y, b(y)], 1)[:, 2:6], True),
        (lambda x, y, b: (y, b(y))[0], False),  # no one reads what it gives
        (lambda x, y, b: y + b(torch.zeros_like(y)), False),  # not fed by the image
        (lambda x, y, b: y + F.relu(b(F.relu(torch.zeros_like(y)))), False),
        (lambda x, y, b: y + b(y.detach()), False),
        (lambda x, y, b: y + b(y).detach(), False),
        (lambda x, y, b: y * torch.sigmoid(b(y)), True),  # a gate
        (lambda x, y, b: y + 0 * b(y), True),  # a path, even if nothing comes through it
        (lambda x, y, b: y + Halved.apply(b(Halved.apply(y))), True),
    ],
)
def test_live_is_a_path_from_the_image_and_to_the_logits(side, live) -> None:
    def wiring(x, a, b, head):
        return head(pooled(side(x, a(x), b)))

    model = Wired(wiring, a=conv(3), b=conv(), head=nn.Linear(4, 10))
    assert [x.live for x in traced(model).layers] == [True, live, True]


def test_live_activations() -> None:
    def wiring(x, a, head):
        y = F.relu(a(x))
        F.relu(y)
        return head(pooled(y + F.relu(torch.ones_like(y))))

    found = traced(Wired(wiring, a=conv(3), head=nn.Linear(4, 10)))
    assert live(found) == (True, False, False)


def test_gradients_switched_off_inside_the_model_cut_its_graph() -> None:
    def part(x, a, b, head):
        with torch.no_grad():
            y = F.relu(a(x))
        return head(pooled(b(y)))

    model = Wired(part, a=conv(3), b=conv(), head=nn.Linear(4, 10))
    assert [x.live for x in traced(model).layers] == [False, False, False]
    assert traced(chain(F.relu).requires_grad_(False)).layers == traced(chain(F.relu)).layers
    found = traced(Wired(torch.no_grad()(part), a=conv(3), b=conv(), head=nn.Linear(4, 10)))
    assert [x.live for x in found.layers] == [False] * 3
    assert live(found) == (False,)


@pytest.mark.parametrize("wrap", [frozen, weight_norm])
def test_frozen_and_derived_weights(wrap) -> None:
    model = Wired(
        lambda x, a, norm, b, head: head(pooled(b(F.relu(norm(a(x)))))),
        a=wrap(conv(3)),
        norm=frozen(nn.BatchNorm2d(4)),
        b=wrap(conv()),
        head=nn.Linear(4, 10),
    )
    assert company(model) == CHAIN
    assert [x.weight_shape for x in traced(model).layers] == [(4, 3, 3, 3), (4, 4, 3, 3), (10, 4)]


def test_activation_in_place_on_a_view() -> None:
    """An operation in place on a view rewrites the graph of what it looks at."""
    model = Wired(
        lambda x, a, head: head(F.relu(a(x).flatten(1), inplace=True)),
        a=conv(3, 2),
        head=nn.Linear(128, 10),
    )
    assert company(model) == [(None, None, True), (0, None, True)]


def test_two_runs_give_one_structure() -> None:
    model = NB201.build(NB201.architectures()[9876])
    assert traced(model) == traced(model)


def test_layers_of_one_signature_have_company_of_one_shape() -> None:
    """Else their activations or norms could not be stacked."""

    def wiring(x, stem, a, b, norm, wide, head):
        x = stem(x)
        y = a(F.max_pool2d(F.relu(F.interpolate(x, scale_factor=2.0)), 2))
        z = b(F.relu(x))
        return head(pooled(norm(y)) + pooled(wide(torch.cat([z, z], 1)))[:, :4])

    parts = {"stem": conv(3), "a": conv(), "b": conv()}
    norms = {"norm": nn.BatchNorm2d(4), "wide": nn.BatchNorm2d(8)}
    _, a, b, _ = traced(Wired(wiring, **parts, **norms, head=nn.Linear(4, 10))).layers
    assert (a.input_shape, a.output_shape) == (b.input_shape, b.output_shape)
    assert a.company == ((4, 16, 16), (4, 8, 8))
    assert b.company == ((4, 8, 8), (8, 8, 8))
    assert a.signature != b.signature


NONE, SKIP, ONE, THREE, POOL = (
    "none",
    "skip_connect",
    "nor_conv_1x1",
    "nor_conv_3x3",
    "avg_pool_3x3",
)


def cell(a: str, b: str, c: str, d: str, e: str, f: str) -> str:
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


SPECIAL = [
    cell(THREE, THREE, THREE, THREE, THREE, THREE),
    cell(NONE, NONE, NONE, NONE, NONE, NONE),
    cell(NONE, THREE, ONE, NONE, NONE, SKIP),  # a convolution fed by zeros
    cell(THREE, NONE, NONE, SKIP, NONE, NONE),  # a convolution that nobody reads
    cell(NONE, NONE, ONE, THREE, POOL, THREE),  # zeros through two convolutions
    cell(THREE, ONE, THREE, NONE, NONE, NONE),  # disconnected, full of convolutions
    cell(NONE, NONE, THREE, NONE, ONE, POOL),  # disconnected from the other side
    cell(SKIP, SKIP, SKIP, SKIP, SKIP, SKIP),
]
SAMPLE = random.Random(0).sample(NB201.architectures(), 60)


def expected(architecture: str) -> list[tuple[int, int, int | None, bool]]:
    """(output channels, kernel, position among the ReLU-Conv-BN or None, live) of each layer."""
    live = live_cell(architecture)
    connected = live != cell(NONE, NONE, NONE, NONE, NONE, NONE)
    pairs = zip(operations(architecture), operations(live), strict=True)
    convolutions = [(op, alive) for op, alive in pairs if op in (ONE, THREE)]
    rows: list[tuple[int, int, int | None, bool]] = [(16, 3, None, connected)]
    blocks = 0
    for channels in (16, 32, 64):
        if channels > 16:
            rows.append((channels, 1, None, connected))  # the shortcut runs before the body
            rows += [(channels, 3, blocks + i, connected) for i in (0, 1)]
            blocks += 2
        for _ in range(5):
            for op, alive in convolutions:
                rows.append((channels, 3 if op == THREE else 1, blocks, alive == op))
                blocks += 1
    return [*rows, (10, 1, None, connected)]


@pytest.mark.parametrize("architecture", [*SPECIAL, *SAMPLE])
def test_nasbench201(architecture: str) -> None:
    """Layers, their order, and exactly those of the live cell are live."""
    found, want = traced(NB201.build(architecture)), expected(architecture)
    kernels = [(*x.weight_shape, 1, 1)[2] for x in found.layers]
    assert [(x.weight_shape[0], k, x.live) for x, k in zip(found.layers, kernels, strict=True)] == [
        (channels, kernel, live) for channels, kernel, _, live in want
    ]
    blocks = sum(position is not None for _, _, position, _ in want)
    assert len(live(found)) == blocks + 1
    for layer, (_, _, position, live) in zip(found.layers, want, strict=True):
        if live and position is not None:
            assert (layer.activation, layer.norm) == (position, position + 1)
            assert live(found)[position]
    if want[0][3]:
        assert (found.layers[0].activation, found.layers[0].norm) == (None, 0)
        assert (found.layers[-1].activation, found.layers[-1].norm) == (blocks, None)
    else:
        assert not any(live(found))


def test_nasbench201_counts() -> None:
    """The sample above holds what it is meant to: dead convolutions in some, none in others."""
    dead = [
        sum(a != b for a, b in zip(operations(s), operations(live_cell(s)), strict=True))
        for s in SAMPLE
    ]
    assert 0 in dead
    assert sum(d > 0 for d in dead) > 10
    assert len(EDGES) == 6


def test_nasbench201_shortcut_of_convolutions_has_no_norm() -> None:
    shortcut = traced(NB201.build(SPECIAL[0])).layers[1 + 30]
    assert shortcut.weight_shape == (32, 16, 1, 1)
    assert (shortcut.activation, shortcut.norm, shortcut.live) == (None, None, True)
