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
from tests.statistics.wiring import CONV1, CONV3, NONE, POOL, SKIP, cell

NB201 = SPACES["nasbench201"]
ROWS = [row for row in CATALOGUE.values() if row.probe == "structure"]
QUANTITIES = ("convs", "pools", "field", "params", "length")
PathValues = tuple[float, float, float, float, float]  # of the quantities above


def measured(model: nn.Module, side: int = 8) -> dict[str, list[float | None]]:
    """The values of the rows of the structure, except `same_class`; of weights their size."""
    tensors = measure(
        model, MeasurementConfig(generated(2, size=side), raw=8, sketch=64), ROWS
    ).tensors
    return {
        name: [t if t is None else (t.numel() if name == "weight" else t.item()) for t in rows]
        for name, rows in tensors.items()
        if name != "same_class"
    }


def single(model: nn.Module, name: str, side: int = 8) -> float | None:
    (value,) = measured(model, side)[name]
    return value


# What each operation adds to the quantities of a path.


def conv(kernel: int, in_channels: int, out_channels: int, pixels: float = 1) -> PathValues:
    """`pixels`: of the image from one position of the input to the next."""
    return (1, 0, (kernel - 1) * pixels, math.log(in_channels * out_channels * kernel**2), 1)


def pool(kernel: int, pixels: float = 1) -> PathValues:
    return (0, 1, (kernel - 1) * pixels, 0, 1)


def linear(in_features: int, out_features: int) -> PathValues:
    return (0, 0, 0, math.log(in_features * out_features), 1)


NORM = RELU = (0, 0, 0, 0, 1)


def path(*operations: PathValues) -> PathValues:
    """The totals of a path from the values of its operations."""
    return tuple(sum(values) for values in zip(*operations, strict=True))  # type: ignore[return-value]


def summaries(totals: Sequence[float], counts: Sequence[int]) -> dict[str, float]:
    """Statistics over paths, given how many there are of each total (integers of any size)."""
    number = sum(counts)
    pairs = list(zip(totals, counts, strict=True))
    mean = math.fsum(t * (n / number) for t, n in pairs)
    minimum = min(totals)
    return {
        "mean": mean,
        "std": math.sqrt(math.fsum((t - mean) ** 2 * (n / number) for t, n in pairs)),
        "min": minimum,
        "max": max(totals),
        "soft": minimum - math.log(math.fsum(math.exp(minimum - t) * n for t, n in pairs)),
    }


def over_paths(totals_of_paths: Iterable[PathValues]) -> dict[str, float]:
    """All statistics of paths that are listed one by one."""
    totals_of_paths = list(totals_of_paths)
    expected = {"paths_count": math.log(len(totals_of_paths))}
    for quantity, column in zip(QUANTITIES, zip(*totals_of_paths, strict=True), strict=True):
        totals = [float(total) for total in column]
        values = summaries(totals, [1] * len(totals))
        assert values["mean"] == pytest.approx(statistics.fmean(totals), rel=1e-12)
        assert values["std"] == pytest.approx(statistics.pstdev(totals), rel=1e-9, abs=1e-12)
        expected |= {f"paths_{quantity}_{name}": value for name, value in values.items()}
    return expected


def compare(model: nn.Module, expected: dict[str, float], side: int = 8) -> None:
    values = measured(model, side)
    assert {name for name in values if name.startswith("paths_")} == expected.keys()
    assert {n: values[n][0] for n in expected} == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_residual_connection() -> None:
    stem = path(conv(3, 3, 8), NORM, RELU)
    body = path(conv(3, 8, 8), NORM, RELU, conv(3, 8, 8), NORM)
    end = path(RELU, linear(8, 10))
    compare(TinyResNet(), over_paths([path(stem, end), path(stem, body, end)]))


def test_branches_concatenated() -> None:
    """The second convolution has a stride, but only a linear layer comes after it."""
    end = path(NORM, conv(3, 10, 8), RELU, linear(8, 10))
    branches = conv(1, 3, 4), path(conv(3, 3, 6), RELU)
    compare(Concat(), over_paths(path(branch, end) for branch in branches))


def test_chains() -> None:
    """One path: its total is mean, minimum and maximum, and the standard deviation is 0."""
    compare(NoBatchNorm(), over_paths([path(conv(3, 3, 6), RELU, linear(96, 10))]))
    layers = linear(48, 16), RELU, linear(16, 12), RELU, linear(12, 10)
    compare(Mlp(), over_paths([path(*layers)]))
    shared = path(conv(3, 8, 8), NORM, RELU)
    compare(SharedConv(), over_paths([path(conv(3, 3, 8), shared, shared, linear(8, 10))]))


class Model(nn.Module):
    """Two convolutions, wired by a function, and a linear layer."""

    def __init__(self, wiring: Callable[..., Tensor]) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4, 10)
        self.wiring = wiring

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.wiring(x, self.a, self.b).mean((2, 3)))


A, B, HEAD = conv(3, 3, 4), conv(1, 4, 4), linear(4, 10)


@pytest.mark.parametrize(
    ("wiring", "paths"),
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
        (lambda x, a, b: a(F.max_pool2d(x, 4)), [(pool(4), conv(3, 3, 4, pixels=4))]),
        (lambda x, a, b: a(F.interpolate(x, scale_factor=2.0)), [(conv(3, 3, 4, pixels=0.5),)]),
        (lambda x, a, b: F.adaptive_avg_pool2d(a(x), 2), [(A,)]),
    ],
)
def test_paths(wiring: Callable[..., Tensor], paths: list[tuple[PathValues, ...]]) -> None:
    compare(Model(wiring), over_paths(path(*operations, HEAD) for operations in paths))


def test_more_paths_than_float64_can_count() -> None:
    """2^1100 of them."""

    class Doubled(NoBatchNorm):
        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            for _ in range(1100):
                x = (x + x) / 2
            return self.classifier(self.pool(x).flatten(1))

    values = measured(Doubled())
    assert values["paths_count"][0] == pytest.approx(1100 * math.log(2))
    assert values["paths_convs_mean"] == [1.0]
    assert values["paths_convs_std"] == [0.0]
    assert values["paths_convs_soft"][0] == pytest.approx(1 - 1100 * math.log(2))


class Constant(NoBatchNorm):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.zeros_like(x))


def test_no_paths() -> None:
    values = measured(Constant())
    assert all(values[name] == [None] for name in values if name.startswith("paths_"))
    assert values["operations"] == [single(NoBatchNorm(), "operations")]


# NAS-Bench-201: a cell, five times in a row in each of three stages.


def cell_paths(architecture: str, channels: int, pixels: float) -> list[PathValues]:
    """Every path from node 0 to node 3 of a cell."""
    edges = {
        (target, int(source)): op
        for target, node in enumerate(architecture.split("+"), 1)
        for op, source in (edge.split("~") for edge in node.strip("|").split("|"))
    }
    operations = {
        "skip_connect": (),
        "nor_conv_1x1": (RELU, conv(1, channels, channels, pixels), NORM),
        "nor_conv_3x3": (RELU, conv(3, channels, channels, pixels), NORM),
        "avg_pool_3x3": (pool(3, pixels),),
    }
    identity = (0, 0, 0, 0, 0)
    paths = []
    for inner_nodes in ((), (1,), (2,), (1, 2)):
        nodes = (0, *inner_nodes, 3)
        names = [edges[target, source] for source, target in itertools.pairwise(nodes)]
        if "none" not in names:
            paths.append(path(identity, *(values for n in names for values in operations[n])))
    return paths


def reduction_paths(channels: int, pixels: float) -> list[PathValues]:
    """Body and shortcut of the block between two stages."""
    body = (RELU, conv(3, channels, 2 * channels, pixels), NORM)
    body = (*body, RELU, conv(3, 2 * channels, 2 * channels, 2 * pixels), NORM)
    return [path(*body), path(pool(2, pixels), conv(1, channels, 2 * channels, 2 * pixels))]


def paths_by_part(architecture: str) -> list[list[PathValues]]:
    """The paths through each part of the network, in order."""
    first, second, third = ([cell_paths(architecture, 16 * side, side)] * 5 for side in (1, 2, 4))
    stem, end = [path(conv(3, 3, 16), NORM)], [path(NORM, RELU, linear(64, 10))]
    reductions = reduction_paths(16, 1), reduction_paths(32, 2)
    return [stem, *first, reductions[0], *second, reductions[1], *third, end]


CELLS = {  # architecture -> number of paths through the cell
    cell(CONV3, SKIP, POOL, CONV1, CONV3, NONE): 2,
    cell(POOL, SKIP, CONV1, NONE, SKIP, CONV3): 3,
    cell(CONV3, CONV3, CONV3, CONV3, CONV3, CONV3): 4,
    cell(CONV1, POOL, CONV3, SKIP, SKIP, CONV1): 4,
    cell(SKIP, SKIP, SKIP, SKIP, SKIP, SKIP): 4,
    cell(NONE, POOL, CONV3, NONE, CONV3, CONV1): 1,
}


@pytest.mark.parametrize(("architecture", "number"), CELLS.items())
def test_nasbench201(architecture: str, number: int) -> None:
    """Paths of equal totals are counted together, part after part."""
    parts = paths_by_part(architecture)
    assert len(parts[1]) == number
    expected = {"paths_count": math.log(number**15 * 4)}
    for i, quantity in enumerate(QUANTITIES):
        counts = Counter({0.0: 1})  # total -> number of paths
        for paths in parts:
            extended: Counter[float] = Counter()
            for (total, count), values in itertools.product(counts.items(), paths):
                extended[round(total + values[i], 9)] += count
            counts = extended
        values_by_name = summaries(list(counts), list(counts.values()))
        expected |= {f"paths_{quantity}_{name}": v for name, v in values_by_name.items()}
    compare(NB201.build(architecture), expected)


def test_nasbench201_path_by_path() -> None:
    """All 2^17 paths of a cell with two paths, each of them listed."""
    architecture = next(iter(CELLS))
    totals = torch.zeros(1, 5, dtype=torch.float64)
    for paths in paths_by_part(architecture):
        totals = (totals[:, None] + torch.tensor(paths, dtype=torch.float64)).reshape(-1, 5)
    assert len(totals) == 2**17
    values = measured(NB201.build(architecture))
    assert values["paths_count"][0] == pytest.approx(17 * math.log(2))
    for quantity, column in zip(QUANTITIES, totals.T, strict=True):
        expected = {
            "mean": column.mean(),
            "std": column.std(correction=0),
            "min": column.min(),
            "max": column.max(),
            "soft": -torch.logsumexp(-column, 0),
        }
        for name, value in expected.items():
            assert values[f"paths_{quantity}_{name}"][0] == pytest.approx(value.item(), rel=1e-9)


def test_the_receptive_field_is_in_pixels_of_the_image() -> None:
    """The field does not depend on the size of the image."""
    architecture = next(iter(CELLS))
    small, large = (measured(NB201.build(architecture), side) for side in (8, 16))
    for name in ("paths_field_max", "paths_field_mean", "paths_count"):
        assert small[name] == large[name]


# Sizes.


def by_modules(model: nn.Module, side: int = 8) -> dict[str, list[float | None]]:
    """Sizes from hooks on modules: of each layer in running order, and of the network."""
    layers: list[dict[str, float | None]] = []
    used, total = set[nn.Module](), 0

    def record(module: nn.Module, inputs: tuple[Tensor], y: Tensor) -> None:
        nonlocal total
        units = y[0].numel()
        if isinstance(module, nn.Conv2d | nn.Linear):
            weight = module.weight
            area = units // len(weight)
            flops = area * weight.numel()
            layers.append(
                {
                    "params": None
                    if module in used
                    else sum(map(torch.numel, module.parameters())),
                    "flops": flops,
                    "kernel": weight.shape[2] if weight.dim() == 4 else 1,
                    "channels": len(weight),
                    "area": area,
                }
            )
            used.add(module)
            total += flops
        elif isinstance(module, nn.ReLU | nn.GELU):
            total += units
        elif isinstance(module, nn.BatchNorm2d):
            total += 2 * units
        elif isinstance(module, nn.AvgPool2d | nn.MaxPool2d):
            total += units * module.kernel_size**2

    for module in model.modules():
        module.register_forward_hook(record)
    model(torch.randn(2, 3, side, side))
    sizes = {f"layer_{k}": [layer[k] for layer in layers] for k in layers[0]}
    params = sum(p.numel() for p in model.parameters())
    return sizes | {"operations": [total], "params": [params]}


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
    values, expected = measured(build()), by_modules(build())
    assert {name: values[name] for name in expected} == expected


def test_sizes_written_out() -> None:
    """8 channels of 4 x 10, pooled to 2 x 8, to 1 x 4, which are 8 tokens of 4."""
    values = measured(Assorted())
    assert values["layer_area"] == [40, 16, 8, 1]
    assert values["layer_kernel"] == [5, 3, 1, 1]
    products = [40 * 8 * 45, 16 * 8 * 18, 8 * 4 * 6, 480]
    assert values["layer_flops"] == products
    # norm and GELU; pooling; ReLU; pooling; ReLU
    others = 2 * 320 + 320 + 128 * 9 + 128 + 32 * 4 + 48
    assert values["operations"] == [sum(products) + others]


def test_unreachable_parameters_count_for_the_network_alone() -> None:
    class More(TinyResNet):
        def __init__(self) -> None:
            super().__init__()
            self.unused = nn.Linear(100, 100)

    values, plain = measured(More()), measured(TinyResNet())
    assert values.pop("params")[0] == plain.pop("params")[0] + 10100
    assert values == plain


def test_dead_operations_count_too() -> None:
    class More(TinyResNet):
        def forward(self, x: Tensor) -> Tensor:
            y = self.stem(x)
            F.avg_pool2d(F.relu(self.bn1(self.conv1(y))), 2)
            return super().forward(x)

    dead = 512 * (27 + 2 + 1)  # of the stem
    dead += 512 * (72 + 2 + 1) + 8 * 16 * 4
    assert single(More(), "operations") == single(TinyResNet(), "operations") + dead


@pytest.mark.parametrize(
    ("layer", "growth"),
    [
        (nn.Conv2d(3, 4, 3, padding=4, dilation=4), 8),
        (nn.Conv2d(3, 4, (1, 7), padding=(0, 3)), 6),
        (nn.Conv2d(3, 4, (5, 3), padding=(2, 2), dilation=(1, 2)), 4),
        (nn.AvgPool2d((1, 3), 1, padding=(0, 1)), 2),
    ],
)
def test_the_field_grows_with_the_longer_side_and_its_dilation(layer, growth) -> None:
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(10))
    model = nn.Sequential(nn.Conv2d(3, 3, 1), layer, head)
    model(torch.zeros(1, 3, 8, 8))
    config = MeasurementConfig(generated(2, size=8), raw=8, sketch=64, initialisation="keep")
    rows = [CATALOGUE["paths_field_max"], CATALOGUE["operations"]]
    measured_network = measure(model, config, rows)
    assert measured_network.tensors["paths_field_max"][0] == growth
    if isinstance(layer, nn.AvgPool2d):
        assert measured_network.tensors["operations"][0] == 64 * 9 + 3 * 64 * 3 + 30
