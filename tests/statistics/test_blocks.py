"""Blocks: the parts of a model that run one after the other."""

import pytest
from torch import Tensor, nn

from eznas.spaces import SPACES
from eznas.statistics.tracing import blocks
from tests.reference import Mlp, SharedConv, TinyResNet
from tests.statistics.wiring import SPECIAL_CELLS, OneBlock, Wired, conv, shapes, traced

NB201 = SPACES["nasbench201"]


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
CELL_NETWORK = [
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
        # A stage of one block is not replaced by its parts.
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
        (NB201.build(SPECIAL_CELLS[3]), CELL_NETWORK),
        (NB201.build(SPECIAL_CELLS[7]), CELL_NETWORK),  # no layer in any cell
    ],
)
def test_blocks(model: nn.Module, names: list[str]) -> None:
    assert block_names(model) == names


class InputByName(nn.Module):
    """Called with its input as a keyword argument, which hooks do not receive."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = conv(), conv()

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x))


def test_blocks_are_rows_where_they_take_and_give_features() -> None:
    """In the order in which they end; inputs and outputs have channels and positions."""

    def wiring(x, a, b, c, d, head):
        return head(d(c(b(x=a(x)))))

    pooling = OneBlock(conv(6, 6), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    parts = {
        "a": conv(3),
        "b": InputByName(),
        "c": conv(4, 6),
        "d": pooling,
        "head": nn.Linear(6, 10),
    }
    model = Wired(wiring, **parts)
    assert block_names(model) == [f"parts.{name}" for name in parts]
    assert shapes(traced(model), "blocks") == [
        ((3, 8, 8), (4, 8, 8)),
        ((4, 8, 8), (6, 8, 8)),
    ]


def test_a_shared_block_is_a_row_for_each_time_it_ran() -> None:
    """Also if it is in several containers."""
    assert len(traced(SharedConv()).along("blocks")) == 3
    a, b = nn.Sequential(SHARED), nn.Sequential(SHARED, nn.ReLU())
    model = nn.Sequential(conv(3), a, b, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
    assert shapes(traced(model), "blocks") == [((3, 8, 8), (4, 8, 8))] + [((4, 8, 8),) * 2] * 2


def test_the_first_block_is_stacked_with_no_other() -> None:
    """Some statistics leave it out, so it must not be stacked with blocks of the same shape."""
    model = nn.Sequential(conv(3, 3), conv(3, 3), conv(3, 3), nn.Flatten(), nn.Linear(192, 10))
    first, second, third = (signature for signature, _ in traced(model).along("blocks"))
    assert second == third
    assert first != second
