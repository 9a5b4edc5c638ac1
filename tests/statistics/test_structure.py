"""What a network is made of: its sizes, and its paths from the image to the logits."""

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure
from tests.reference import Concat, Mlp, NoBatchNorm, SharedConv, TinyResNet

NB201 = SPACES["nasbench201"]
ROWS = [row for row in CATALOGUE.values() if row.probe == "structure"]
QUANTITIES = ("convs", "pools", "field", "params", "length")
Way = tuple[float, float, float, float, float]


def measured(model: nn.Module, side: int = 8) -> dict[str, list[float | None]]:
    """The rows that need no pass but the one that traces; of the weights their size."""
    tensors = measure(model, MeasurementConfig(generated(2, size=side)), ROWS).tensors
    return {
        name: [t if t is None else (t.numel() if name == "weight" else t.item()) for t in own]
        for name, own in tensors.items()
        if name != "same_class"
    }


def single(model: nn.Module, name: str, side: int = 8) -> float | None:
    (value,) = measured(model, side)[name]
    return value


# Ways through a network: what each operation adds to all quantities.


def conv(kernel: int, before: int, after: int, spread: float = 1) -> Way:
    """`spread`: pixels of the image from one position of the input to the next."""
    return (1, 0, (kernel - 1) * spread, math.log(before * after * kernel**2), 1)


def pool(kernel: int, spread: float = 1) -> Way:
    return (0, 1, (kernel - 1) * spread, 0, 1)


def linear(before: int, after: int) -> Way:
    return (0, 0, 0, math.log(before * after), 1)


NORM = RELU = (0, 0, 0, 0, 1)


def way(*parts: Way) -> Way:
    return tuple(sum(own) for own in zip(*parts, strict=True))  # type: ignore[return-value]


def summaries(totals: Sequence[float], counts: Sequence[int]) -> dict[str, float]:
    """Over as many paths of each total; exact counts, of whatever size."""
    number = sum(counts)
    pairs = list(zip(totals, counts, strict=True))
    mean = math.fsum(t * (n / number) for t, n in pairs)
    low = min(totals)
    return {
        "mean": mean,
        "std": math.sqrt(math.fsum((t - mean) ** 2 * (n / number) for t, n in pairs)),
        "min": low,
        "max": max(totals),
        "soft": low - math.log(math.fsum(math.exp(low - t) * n for t, n in pairs)),
    }


def expected(ways: Iterable[Way]) -> dict[str, float]:
    """Every path listed."""
    ways = list(ways)
    found = {"paths_count": math.log(len(ways))}
    for place, quantity in enumerate(QUANTITIES):
        totals = [float(w[place]) for w in ways]
        own = summaries(totals, [1] * len(totals))
        assert own["mean"] == pytest.approx(statistics.fmean(totals), rel=1e-12)
        assert own["std"] == pytest.approx(statistics.pstdev(totals), rel=1e-9, abs=1e-12)
        found |= {f"paths_{quantity}_{name}": value for name, value in own.items()}
    return found


def compare(model: nn.Module, want: dict[str, float], side: int = 8) -> None:
    found = measured(model, side)
    assert {n for n in found if n.startswith("paths_")} == want.keys()
    assert {n: found[n][0] for n in want} == pytest.approx(want, rel=1e-9, abs=1e-9)


def test_a_residual_connection() -> None:
    stem = way(conv(3, 3, 8), NORM, RELU)
    body = way(conv(3, 8, 8), NORM, RELU, conv(3, 8, 8), NORM)
    end = way(RELU, linear(8, 10))
    compare(TinyResNet(), expected([way(stem, end), way(stem, body, end)]))


def test_branches_concatenated() -> None:
    """The second convolution strides, which spreads nothing after it but a linear layer."""
    end = way(NORM, conv(3, 10, 8), RELU, linear(8, 10))
    branches = conv(1, 3, 4), way(conv(3, 3, 6), RELU)
    compare(Concat(), expected(way(branch, end) for branch in branches))


def test_chains() -> None:
    """One path: every statistic is the total, and nothing deviates."""
    compare(NoBatchNorm(), expected([way(conv(3, 3, 6), RELU, linear(96, 10))]))
    layers = linear(48, 16), RELU, linear(16, 12), RELU, linear(12, 10)
    compare(Mlp(), expected([way(*layers)]))
    shared = way(conv(3, 8, 8), NORM, RELU)
    compare(SharedConv(), expected([way(conv(3, 3, 8), shared, shared, linear(8, 10))]))


class Model(nn.Module):
    """Two convolutions, and what is wired from them."""

    def __init__(self, wiring: Callable[..., Tensor]) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4, 10)
        self.wiring = wiring

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.wiring(x, self.a, self.b).mean((2, 3)))


A, B, HEAD = conv(3, 3, 4), conv(1, 4, 4), linear(4, 10)


@pytest.mark.parametrize(
    ("wiring", "ways"),
    [
        (lambda x, a, b: a(x), [(A,)]),
        (lambda x, a, b: (y := a(x)) + y, [(A,), (A,)]),  # an edge each
        (lambda x, a, b: b(a(x)) + a(x), [(A, B), (A,)]),
        (lambda x, a, b: (y := a(x)) * torch.sigmoid(b(y)), [(A,), (A, B)]),
        (lambda x, a, b: torch.cat([y := a(x), b(y)], 2), [(A,), (A, B)]),
        (lambda x, a, b: b(y := a(x)).detach() + y, [(A,)]),
        (lambda x, a, b: (y := a(x)) + b(torch.zeros_like(y)), [(A,)]),
        (lambda x, a, b: (b(a(x)), a(x))[1], [(A,)]),
        (
            lambda x, a, b: F.max_pool2d(y := F.relu(a(x)), 2) + F.avg_pool2d(b(y), 3, 2, 1),
            [(A, RELU, pool(2)), (A, RELU, B, pool(3))],
        ),
        (
            lambda x, a, b: b(F.gelu(F.avg_pool2d(F.max_pool2d(a(x), 2), 2))),
            [(A, pool(2), pool(2, 2), RELU, B)],
        ),
        (lambda x, a, b: a(F.max_pool2d(x, 4)), [(pool(4), conv(3, 3, 4, spread=4))]),
        (lambda x, a, b: a(F.interpolate(x, scale_factor=2.0)), [(conv(3, 3, 4, spread=0.5),)]),
        (lambda x, a, b: F.adaptive_avg_pool2d(a(x), 2), [(A,)]),
    ],
)
def test_ways(wiring: Callable[..., Tensor], ways: list[tuple[Way, ...]]) -> None:
    compare(Model(wiring), expected(way(*own, HEAD) for own in ways))


def test_many_ways_through_doublings() -> None:
    """2^1100 of them: more than a float64 can count."""

    class Doubled(NoBatchNorm):
        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            for _ in range(1100):
                x = (x + x) / 2
            return self.classifier(self.pool(x).flatten(1))

    found = measured(Doubled())
    assert found["paths_count"][0] == pytest.approx(1100 * math.log(2))
    assert found["paths_convs_mean"] == [1.0]
    assert found["paths_convs_std"] == [0.0]
    assert found["paths_convs_soft"][0] == pytest.approx(1 - 1100 * math.log(2))


class Constant(NoBatchNorm):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.zeros_like(x))


def test_no_ways() -> None:
    found = measured(Constant())
    assert all(found[name] == [None] for name in found if name.startswith("paths_"))
    assert found["operations"] == [single(NoBatchNorm(), "operations")]


# Cells: the ways through one cell, five times in a row in each of three stages.


def cell_ways(architecture: str, channels: int, spread: float) -> list[Way]:
    """Every way from node 0 to node 3, an edge at a time."""
    edges = {
        (to, source): op
        for to, node in enumerate(architecture.split("+"), 1)
        for op, source in (edge.split("~") for edge in node.strip("|").split("|"))
        for source in [int(source)]
    }
    parts = {
        "skip_connect": (),
        "nor_conv_1x1": (RELU, conv(1, channels, channels, spread), NORM),
        "nor_conv_3x3": (RELU, conv(3, channels, channels, spread), NORM),
        "avg_pool_3x3": (pool(3, spread),),
    }
    nothing = (0, 0, 0, 0, 0)
    found = []
    for between in ((), (1,), (2,), (1, 2)):
        nodes = (0, *between, 3)
        ops = [edges[to, source] for source, to in itertools.pairwise(nodes)]
        if "none" not in ops:
            found.append(way(nothing, *(part for op in ops for part in parts[op])))
    return found


def reduction(before: int, spread: float) -> list[Way]:
    after = 2 * before
    body = (RELU, conv(3, before, after, spread), NORM)
    body = (*body, RELU, conv(3, after, after, 2 * spread), NORM)
    return [way(*body), way(pool(2, spread), conv(1, before, after, 2 * spread))]


def stages(architecture: str) -> list[list[Way]]:
    """The ways through each part of the network, in order."""
    first, second, third = ([cell_ways(architecture, 16 * side, side)] * 5 for side in (1, 2, 4))
    stem, end = [way(conv(3, 3, 16), NORM)], [way(NORM, RELU, linear(64, 10))]
    return [stem, *first, reduction(16, 1), *second, reduction(32, 2), *third, end]


NONE, SKIP, ONE, THREE, POOL = (
    *("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"),
)


def cell(a: str, b: str, c: str, d: str, e: str, f: str) -> str:
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


CELLS = {  # and how many ways there are through them
    cell(THREE, SKIP, POOL, ONE, THREE, NONE): 2,
    cell(POOL, SKIP, ONE, NONE, SKIP, THREE): 3,
    cell(THREE, THREE, THREE, THREE, THREE, THREE): 4,
    cell(ONE, POOL, THREE, SKIP, SKIP, ONE): 4,
    cell(SKIP, SKIP, SKIP, SKIP, SKIP, SKIP): 4,
    cell(NONE, POOL, THREE, NONE, THREE, ONE): 1,
}


@pytest.mark.parametrize(("architecture", "number"), CELLS.items())
def test_nasbench201(architecture: str, number: int) -> None:
    """Paths of equal totals counted together, part after part."""
    parts = stages(architecture)
    assert len(parts[1]) == number
    want = {"paths_count": math.log(number**15 * 4)}
    for place, quantity in enumerate(QUANTITIES):
        totals = Counter({0.0: 1})
        for ways in parts:
            following: Counter[float] = Counter()
            for (total, count), own in itertools.product(totals.items(), ways):
                following[round(total + own[place], 9)] += count
            totals = following
        own = summaries(list(totals), list(totals.values()))
        want |= {f"paths_{quantity}_{name}": value for name, value in own.items()}
    compare(NB201.build(architecture), want)


def test_nasbench201_path_by_path() -> None:
    """All 2^17 paths of a cell with two ways, each of them listed."""
    totals = torch.zeros(1, 5, dtype=torch.float64)
    for ways in stages(next(iter(CELLS))):
        own = torch.tensor(ways, dtype=torch.float64)
        totals = (totals[:, None] + own).reshape(-1, 5)
    assert len(totals) == 2**17
    found = measured(NB201.build(next(iter(CELLS))))
    assert found["paths_count"][0] == pytest.approx(17 * math.log(2))
    for place, quantity in enumerate(QUANTITIES):
        own = totals[:, place]
        want = {
            "mean": own.mean(),
            "std": own.std(correction=0),
            "min": own.min(),
            "max": own.max(),
            "soft": -torch.logsumexp(-own, 0),
        }
        for name, value in want.items():
            assert found[f"paths_{quantity}_{name}"][0] == pytest.approx(value.item(), rel=1e-9)


def test_the_receptive_field_is_in_pixels_of_the_image() -> None:
    """Twice as large an image has as large a field, seen from layers at the same strides."""
    architecture = next(iter(CELLS))
    small, large = (measured(NB201.build(architecture), side) for side in (8, 16))
    for name in ("paths_field_max", "paths_field_mean", "paths_count"):
        assert small[name] == large[name]


# Sizes.


def by_modules(model: nn.Module, side: int = 8) -> dict[str, list[float]]:
    """Sizes from hooks on modules: of every layer as it runs, and operations of everything."""
    layers: list[dict[str, float]] = []
    total = 0

    def note(module: nn.Module, inputs: tuple[Tensor], y: Tensor) -> None:
        nonlocal total
        units = y[0].numel()
        if isinstance(module, nn.Conv2d | nn.Linear):
            weight = module.weight
            area = units // len(weight)
            flops = area * weight.numel()
            layers.append(
                {
                    "params": weight.numel() + (0 if module.bias is None else len(module.bias)),
                    "flops": flops,
                    "kernel": weight.shape[2] if weight.dim() == 4 else 1,
                    "channels": len(weight),
                    "area": area,
                }
            )
            total += flops
        elif isinstance(module, nn.ReLU | nn.GELU):
            total += units
        elif isinstance(module, nn.BatchNorm2d):
            total += 2 * units
        elif isinstance(module, nn.AvgPool2d | nn.MaxPool2d):
            total += units * module.kernel_size**2

    for module in model.modules():
        module.register_forward_hook(note)
    model(torch.randn(2, 3, side, side))
    found = {f"layer_{k}": [layer[k] for layer in layers] for k in layers[0]}
    own = sum(p.numel() for p in model.parameters())
    return found | {"operations": [total], "params": [own]}


class Assorted(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, (5, 3), stride=(2, 1), padding=2),
            nn.BatchNorm2d(8),
            nn.GELU(),
            nn.MaxPool2d(3, stride=1),
            nn.Conv2d(8, 8, 3, groups=4, dilation=2, padding=2, bias=False),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(2),
            nn.Linear(4, 6),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(48, 10, bias=False),
        )


@pytest.mark.parametrize(
    "build", [TinyResNet, SharedConv, Mlp, Assorted, *(lambda a=a: NB201.build(a) for a in CELLS)]
)
def test_sizes(build: Callable[[], nn.Module]) -> None:
    found, want = measured(build()), by_modules(build())
    assert {name: found[name] for name in want} == want


def test_sizes_written_out() -> None:
    """8 channels of 4 x 10, pooled to 2 x 8, to 1 x 4, which are 8 tokens of 4."""
    found = measured(Assorted())
    assert found["layer_area"] == [40, 16, 8, 1]
    assert found["layer_kernel"] == [5, 3, 1, 1]
    products = [40 * 8 * 45, 16 * 8 * 18, 8 * 4 * 6, 480]
    assert found["layer_flops"] == products
    # norm and GELU; pooling; ReLU; pooling; ReLU
    others = 2 * 320 + 320 + 128 * 9 + 128 + 32 * 4 + 48
    assert found["operations"] == [sum(products) + others]


def test_unreachable_parameters_count_for_the_network_alone() -> None:
    class More(TinyResNet):
        def __init__(self) -> None:
            super().__init__()
            self.unused = nn.Linear(100, 100)

    found, plain = measured(More()), measured(TinyResNet())
    assert found.pop("params")[0] == plain.pop("params")[0] + 10100
    assert found == plain


def test_operations_count_what_is_dead_too() -> None:
    class More(TinyResNet):
        def forward(self, x: Tensor) -> Tensor:
            y = self.stem(x)
            F.avg_pool2d(F.relu(self.bn1(self.conv1(y))), 2)
            return super().forward(x)

    again = 512 * (27 + 2 + 1)  # of the stem
    again += 512 * (72 + 2 + 1) + 8 * 16 * 4
    assert single(More(), "operations") == single(TinyResNet(), "operations") + again


@pytest.mark.parametrize(
    ("layer", "reach"),
    [
        (nn.Conv2d(3, 4, 3, padding=4, dilation=4), 8),
        (nn.Conv2d(3, 4, (1, 7), padding=(0, 3)), 6),
        (nn.Conv2d(3, 4, (5, 3), padding=(2, 2), dilation=(1, 2)), 4),
        (nn.AvgPool2d((1, 3), 1, padding=(0, 1)), 2),
    ],
)
def test_the_field_grows_with_the_longer_side_and_its_dilation(layer, reach) -> None:
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(10))
    model = nn.Sequential(nn.Conv2d(3, 3, 1), layer, head)
    model(torch.zeros(1, 3, 8, 8))
    config = MeasurementConfig(generated(2, size=8), initialisation="keep")
    rows = [CATALOGUE["paths_field_max"], CATALOGUE["operations"]]
    found = measure(model, config, rows)
    assert found.tensors["paths_field_max"][0] == reach
    if isinstance(layer, nn.AvgPool2d):
        assert found.tensors["operations"][0] == 64 * 9 + 3 * 64 * 3 + 30
