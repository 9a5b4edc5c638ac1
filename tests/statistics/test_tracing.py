"""The traced graph: which layers ran, which are live, and which company each one keeps."""

import copy
import random
from collections.abc import Callable, Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from eznas.spaces import SPACES
from eznas.spaces.nasbench201 import EDGES, live_cell, operations
from eznas.statistics.catalogue import CATALOGUE, PATHS
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure
from eznas.statistics.structure import Structure
from eznas.statistics.tracing import ROLES, Event, Tracer, blocks
from tests.reference import Concat, Mlp, NoBatchNorm, SharedConv, TinyResNet

NB201 = SPACES["nasbench201"]
IMAGES = generated(2, size=8)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def traced(model: nn.Module, names: Sequence[str] = ()) -> Structure:
    rows = [CATALOGUE[name] for name in names]
    return measure(model, MeasurementConfig(IMAGES, initialisation="keep"), rows).structure


def live(structure: Structure, axis: str = "activations") -> tuple[bool, ...]:
    """Which rows of the axis are live."""
    return tuple(alive for _, alive in structure.along(axis))


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


class Whole(nn.Module):
    """A chain that is one block, since its parts do not lie open."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts, self.other = nn.Sequential(*parts), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.parts(x)


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
    b = nn.Sequential(conv(), nn.BatchNorm2d(4))
    model = Wired(wiring, a=Whole(conv(3), nn.BatchNorm2d(4)), b=Whole(b), head=nn.Linear(4, 10))
    found = traced(model)
    assert [alive for _, alive in found.along("norms")] == [True, live]
    assert [alive for _, alive in found.along("blocks")] == [True, live]
    assert [alive for _, alive in found.along("layers")] == [True, live, True]


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
    assert (a.activation_shape, a.norm_shape) == ((4, 16, 16), (4, 8, 8))
    assert (b.activation_shape, b.norm_shape) == ((4, 8, 8), (8, 8, 8))
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
    position = 0
    for channels in (16, 32, 64):
        if channels > 16:
            rows.append((channels, 1, None, connected))  # the shortcut runs before the body
            rows += [(channels, 3, position + i, connected) for i in (0, 1)]
            position += 2
        for _ in range(5):
            for op, alive in convolutions:
                rows.append((channels, 3 if op == THREE else 1, position, alive == op))
                position += 1
    return [*rows, (10, 1, None, connected)]


@pytest.mark.parametrize("architecture", [*SPECIAL, *SAMPLE])
def test_nasbench201(architecture: str) -> None:
    """Layers, their order, and exactly those of the live cell are live."""
    found, want = traced(NB201.build(architecture)), expected(architecture)
    kernels = [(*x.weight_shape, 1, 1)[2] for x in found.layers]
    assert [(x.weight_shape[0], k, x.live) for x, k in zip(found.layers, kernels, strict=True)] == [
        (channels, kernel, alive) for channels, kernel, _, alive in want
    ]
    activated = [alive for _, _, position, alive in want if position is not None]
    connected = want[0][3]
    # The last norm and activation stand before the pooling, the first norm after the stem.
    assert live(found) == (*activated, connected)
    assert live(found, "norms") == (connected, *activated, connected)
    for layer, (_, _, position, alive) in zip(found.layers, want, strict=True):
        if alive and position is not None:
            assert (layer.activation, layer.norm) == (position, position + 1)
    if connected:
        assert (found.layers[0].activation, found.layers[0].norm) == (None, 0)
        assert (found.layers[-1].activation, found.layers[-1].norm) == (len(activated), None)
    # A cell is a block, with layers or without, and as alive as the network is.
    assert live(found, "blocks") == (connected,) * 18


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


# Blocks: the parts that a model is a chain of.


def block_names(model: nn.Module) -> list[str]:
    names = {module: name for name, module in model.named_modules()}
    return [names[block] for block in blocks(model)]


class OneConv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.Conv2d(3, 4, 1)


class Parts(nn.Module):
    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)


SHARED = conv()
CELLS = [
    "stem.0",
    *(f"stage1.{i}" for i in range(5)),
    *("reduction1", *(f"stage2.{i}" for i in range(5))),
    *("reduction2", *(f"stage3.{i}" for i in range(5)), "classifier"),
]


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (TinyResNet(), ["stem.0", "conv1", "conv2", "classifier"]),
        (Mlp(), ["2", "4", "6"]),
        (conv(), []),  # has no parts
        (nn.Sequential(conv(), nn.ReLU()), ["0"]),
        (nn.Sequential(nn.ReLU(), nn.Sequential(conv(), nn.Sequential(conv()))), ["1.0", "1.1.0"]),
        (nn.ModuleList([conv(), nn.ModuleList([conv()])]), ["0", "1.0"]),
        (Parts(first=Parts(a=conv(), b=conv()), last=conv()), ["first", "last"]),
        (Parts(norm=nn.BatchNorm2d(3), inside=Parts(a=conv(), b=conv())), ["inside.a", "inside.b"]),
        (Parts(x=Parts(y=OneConv())), ["x.y.inside"]),
        (nn.Sequential(Parts(y=OneConv()), OneConv()), ["0", "1"]),
        # A stage of one block is no model of one part.
        (nn.Sequential(conv(), nn.Sequential(Parts(a=conv(), b=conv()), nn.ReLU())), ["0", "1.0"]),
        (
            Parts(d=nn.ModuleDict({"a": conv(), "b": OneConv()}), head=conv()),
            ["d.a", "d.b", "head"],
        ),
        (
            nn.Sequential(nn.Sequential(SHARED, nn.ReLU()), conv(), nn.Sequential(SHARED)),
            ["0.0", "1"],
        ),
        (Parts(a=nn.Sequential(SHARED), b=nn.Sequential(SHARED)), ["a.0"]),
        (NB201.build(SPECIAL[3]), CELLS),
        (NB201.build(SPECIAL[7]), CELLS),  # not a layer in any cell
    ],
)
def test_blocks(model: nn.Module, names: list[str]) -> None:
    assert block_names(model) == names


def shapes(structure: Structure, axis: str) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [signature[:2] for signature, _ in structure.along(axis)]  # type: ignore[index, misc]


def test_blocks_are_rows_where_they_take_and_give_features() -> None:
    """In the order in which they end; what has no channels and positions is none."""

    def wiring(x, a, b, c, d, head):
        return head(d(c(b(x=a(x)))))

    pooling = Whole(conv(6, 6), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    parts = {"a": conv(3), "b": Named(), "c": conv(4, 6), "d": pooling, "head": nn.Linear(6, 10)}
    model = Wired(wiring, **parts)
    assert block_names(model) == [f"parts.{name}" for name in parts]
    assert shapes(traced(model), "blocks") == [
        ((3, 8, 8), (4, 8, 8)),
        ((4, 8, 8), (6, 8, 8)),
    ]


class Named(nn.Module):
    """Its input is given by name."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = conv(), conv()

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x))


def test_a_shared_block_is_a_row_for_each_time_it_ran() -> None:
    """Also where it is part of several containers."""
    assert len(traced(SharedConv()).along("blocks")) == 3
    a, b = nn.Sequential(SHARED), nn.Sequential(SHARED, nn.ReLU())
    model = nn.Sequential(conv(3), a, b, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
    assert shapes(traced(model), "blocks") == [((3, 8, 8), (4, 8, 8))] + [((4, 8, 8),) * 2] * 2


def test_the_first_block_is_stacked_with_no_other() -> None:
    """It is not measured as the others are, whatever its shape."""
    model = nn.Sequential(conv(3, 3), conv(3, 3), conv(3, 3), nn.Flatten(), nn.Linear(192, 10))
    first, second, third = (signature for signature, _ in traced(model).along("blocks"))
    assert second == third
    assert first != second


def test_along() -> None:
    """Every axis in running order, with shapes without the batch."""
    found = traced(TinyResNet())
    feature = ((8, 8, 8), (8, 8, 8))
    assert found.along("layers") == tuple((x.signature, x.live) for x in found.layers)
    assert shapes(found, "activations") == [feature] * 3
    assert shapes(found, "norms") == [feature] * 3
    assert shapes(found, "blocks") == [((3, 8, 8), (8, 8, 8)), feature, feature]
    assert all(live(found, axis) == (True,) * 3 for axis in ("activations", "norms", "blocks"))
    with pytest.raises(KeyError):
        found.along("networks")


def test_dead_norms_and_blocks() -> None:
    def wiring(x, a, unread, blind, ignored, head):
        y = a(x)
        unread(y)
        y = y + blind(torch.zeros_like(y)) + ignored(y).detach()
        return head(pooled(y))

    parts = {name: Whole(conv(), nn.BatchNorm2d(4)) for name in ("unread", "blind", "ignored")}
    parts = {"a": Whole(conv(3), nn.BatchNorm2d(4)), **parts, "head": nn.Linear(4, 10)}
    found = traced(Wired(wiring, **parts))
    assert live(found, "norms") == live(found, "blocks") == (True, False, False, False)


# What an event knows.


def events(run: Callable[[], object], model: nn.Module | None = None) -> dict[str, list[Event]]:
    tracer = Tracer()
    with tracer.following(nn.Identity() if model is None else model):
        run()
    assert tracer.events.keys() == set(ROLES)
    return tracer.events


X, W, B = torch.randn(2, 4, 9, 9), torch.randn(6, 2, 3, 1), torch.randn(6)


@pytest.mark.parametrize(
    ("call", "bias", "geometry"),
    [
        (
            lambda: F.conv2d(X, W, B, 2, 1, 1, 2),
            True,
            {"stride": 2, "padding": 1, "dilation": 1, "groups": 2},
        ),
        (
            lambda: F.conv2d(X, W, bias=B, stride=(2, 1), groups=2),
            True,
            {"stride": (2, 1), "groups": 2},
        ),
        (
            lambda: F.conv2d(input=X, weight=W, padding="same", groups=2),
            False,
            {"padding": "same", "groups": 2},
        ),
        (
            lambda: torch.conv2d(X, W, None, [1, 1], "valid", [2, 2], 2),
            False,
            {"stride": [1, 1], "padding": "valid", "dilation": [2, 2], "groups": 2},
        ),
    ],
)
def test_a_convolution_by_function(call, bias, geometry) -> None:
    found = events(call)
    (event,) = found["layer"]
    assert sum(map(len, found.values())) == 1
    assert event.weight is W
    assert event.bias is (B if bias else None)
    assert (event.window, event.arguments) == (tuple(W.shape[2:]), geometry)
    assert event.input_shape == tuple(X.shape)
    assert event.output_shape == tuple(call().shape)


@pytest.mark.parametrize("padding", ["same", "valid", 2, (1, 0)])
def test_a_convolution_by_module(padding) -> None:
    module = nn.Conv2d(4, 6, (5, 3), padding=padding, dilation=(1, 2), groups=2, bias=False)
    (event,) = events(lambda: module(X))["layer"]
    pairs = padding if isinstance(padding, str) else nn.modules.utils._pair(padding)
    geometry = {"stride": (1, 1), "padding": pairs, "dilation": (1, 2), "groups": 2}
    assert (event.window, event.arguments) == ((5, 3), geometry)
    assert event.weight is module.weight
    assert event.bias is None


def test_a_convolution_that_pads_by_itself() -> None:
    module = nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular")
    (event,) = events(lambda: module(X))["layer"]
    assert event.input_shape == (2, 4, 11, 11)
    assert event.arguments["padding"] == (0, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, w, b: F.linear(x, w, b),
        lambda x, w, b: F.linear(input=x, weight=w, bias=b),
    ],
)
def test_a_linear_layer_by_function(call) -> None:
    x, w, b = torch.randn(2, 5, 4), torch.randn(6, 4), torch.randn(6)
    (event,) = events(lambda: call(x, w, b))["layer"]
    assert event.weight is w
    assert event.bias is b
    assert (event.window, event.arguments) == ((1, 1), {})
    assert (event.input_shape, event.output_shape) == ((2, 5, 4), (2, 5, 6))


def test_a_batch_norm() -> None:
    norm = nn.BatchNorm2d(4, eps=0.5, momentum=0.2).eval()
    (event,) = events(lambda: norm(X))["norm"]
    assert event.weight is norm.weight
    assert event.bias is norm.bias
    assert event.window == (1, 1)
    assert event.arguments["running_mean"] is norm.running_mean
    assert event.arguments["running_var"] is norm.running_var
    given = {k: event.arguments[k] for k in ("training", "momentum", "eps")}
    assert given == {"training": False, "momentum": 0.2, "eps": 0.5}
    (event,) = events(lambda: F.batch_norm(X, None, None, training=True))["norm"]
    assert (event.weight, event.bias, event.arguments["training"]) == (None, None, True)


@pytest.mark.parametrize(
    ("call", "kernel", "side"),
    [
        (nn.AvgPool2d(3, 1, padding=1), (3, 3), 9),
        (nn.MaxPool2d(2), (2, 2), 4),
        (nn.MaxPool2d((4, 3), stride=1), (4, 3), 6),
        (lambda x: F.avg_pool2d(x, 3), (3, 3), 3),
        (lambda x: F.avg_pool2d(x, (5, 5), stride=1), (5, 5), 5),
        (lambda x: F.avg_pool2d(input=x, kernel_size=3, stride=2), (3, 3), 4),
        (lambda x: F.max_pool2d(x, [3, 3]), (3, 3), 3),
        (lambda x: F.max_pool2d(x, kernel_size=3, stride=1, ceil_mode=True), (3, 3), 7),
        (lambda x: torch.max_pool2d(x, 3), (3, 3), 3),
    ],
)
def test_every_spelling_of_a_pooling_is_seen(call, kernel, side) -> None:
    found = events(lambda: call(X))
    (event,) = found["pool"]
    assert sum(map(len, found.values())) == 1
    assert event.window == kernel
    assert event.input_shape == tuple(X.shape)
    assert event.output_shape[:3] == (2, 4, side)
    model = Wired(lambda x, a, head: head(pooled(call(a(x)))), a=conv(3), head=nn.Linear(4, 10))
    longest = traced(model, PATHS).paths.largest  # convolutions, poolings, ...
    assert longest[:2] == (1.0, 1.0)


@pytest.mark.parametrize(
    "call",
    [
        nn.AdaptiveAvgPool2d(1),
        lambda x: x.mean((2, 3)),
        lambda x: F.interpolate(x, scale_factor=2.0),
        lambda x: F.pixel_unshuffle(x[..., :8, :8], 2),
    ],
)
def test_what_is_no_pooling(call) -> None:
    """What makes a value of the whole image has no window."""
    assert events(lambda: call(X))["pool"] == []


def test_what_works_on_parameters_has_no_units() -> None:
    """An activation of a number or a vector is no site: there is nothing for each image."""

    class Scaled(TinyResNet):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.each = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(10))

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * F.softplus(self.one) + F.relu(self.each)

    assert traced(Scaled()).along("activations") == traced(TinyResNet()).along("activations")


# The tracer leaves nothing behind.


def hooked(model: nn.Module) -> list[dict[str, object]]:
    return [
        {k: copy.copy(v) for k, v in vars(module).items() if k.endswith(("hooks", "kwargs"))}
        for module in model.modules()
    ]


@pytest.mark.parametrize("cut", [False, True])
def test_following_removes_its_hooks(cut: bool) -> None:
    model = NB201.build(SPECIAL[3])
    model.stage1[0].register_forward_hook(lambda *_: None)
    before = hooked(model)
    tracer = Tracer(cut_blocks=cut)
    with tracer.following(model):
        assert hooked(model) != before
        model(torch.randn(2, 3, 8, 8))
    assert hooked(model) == before
    seen = len(tracer.events["block"])
    model(torch.randn(2, 3, 8, 8))
    assert len(tracer.events["block"]) == seen == 18
    assert torch.overrides._get_current_function_mode() is None


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_following_removes_its_hooks_after_a_failure(error) -> None:
    def wiring(x, a, b, head):
        return head(b(a(x)))

    def fail(x):
        raise error

    inside = Wired(lambda x, c, d: d(fail(c(x))), c=conv(), d=conv())
    model = Wired(wiring, a=conv(3), b=inside, head=conv())
    before = hooked(model)
    tracer = Tracer()
    with pytest.raises(error), tracer.following(model):
        model(torch.randn(2, 3, 8, 8))
    assert hooked(model) == before
    assert (len(tracer.events["block"]), len(tracer.events["layer"])) == (1, 2)
    assert tracer.visit_error is None
    assert torch.overrides._get_current_function_mode() is None


def test_what_visit_raises_is_its_own_fault() -> None:
    error = ZeroDivisionError("ours")

    def visit(role, index, slot, tensor):
        if role == "block":
            raise error

    model, tracer = Whole(conv(3), conv()), Tracer(visit)
    before = hooked(model)
    with pytest.raises(ZeroDivisionError, match="ours"), tracer.following(model):
        model(torch.randn(2, 3, 8, 8))
    assert tracer.visit_error is error
    assert hooked(model) == before


def test_sites_are_shown_in_the_order_in_which_they_are_reached() -> None:
    shown = []
    model = Wired(lambda x, a: F.max_pool2d(F.relu(a(x)), 2), a=Whole(conv(3), nn.BatchNorm2d(4)))
    tracer = Tracer(lambda role, index, slot, tensor: shown.append((role, index, slot)))
    with tracer.following(nn.Sequential(model, conv())):
        model(torch.randn(2, 3, 8, 8))
    assert shown == [
        *(("layer", 0, slot) for slot in ("input", "output", "weight")),
        *(("norm", 0, slot) for slot in ("input", "output")),
        *(("activation", 0, slot) for slot in ("input", "output")),
        *(("pool", 0, slot) for slot in ("input", "output")),
        *(("block", 0, slot) for slot in ("input", "output")),
    ]


@pytest.mark.parametrize("inplace", [False, True])
def test_cut_blocks_hand_on_values_but_no_gradients(inplace: bool) -> None:
    """Also to a block that begins by changing its input in place."""
    first = nn.Sequential(conv(3), nn.ReLU(inplace=inplace))
    model = nn.Sequential(first, Whole(nn.ReLU(inplace=inplace), conv()), Whole(conv(), conv()))
    shown: dict[tuple[int, str], Tensor] = {}

    def visit(role, index, slot, tensor):
        if role == "block":
            shown[index, slot] = tensor

    image = torch.randn(2, 3, 8, 8, requires_grad=True)
    with (tracer := Tracer(visit, cut_blocks=True)).following(model):
        y = model(image.clone())
    assert torch.equal(y, model(image.clone()))
    assert len(tracer.events["block"]) == 3
    y.sum().backward()
    assert image.grad is None
    has = [p.grad is not None for p in model.parameters()]
    assert has == [False] * 4 + [True] * 4
    for index in range(3):
        assert shown[index, "input"].is_leaf
        assert (shown[index, "input"].grad is not None) == (index == 2)
