"""The activation and the batch norm of each traced layer, and the shapes of its row."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from tests.reference import Concat, Mlp, NoBatchNorm, SharedConv, TinyResNet
from tests.statistics.wiring import (
    CHAIN_NEIGHBOURS,
    Halved,
    Wired,
    chain,
    conv,
    frozen,
    live,
    neighbours,
    pooled,
    shapes,
    traced,
)


def relu_as_statement(x: Tensor) -> Tensor:
    """An activation in place whose return value is not used."""
    x.relu_()
    return x


@pytest.mark.parametrize(
    "activation",
    [
        nn.ReLU(),
        nn.ReLU(inplace=True),
        F.relu,
        torch.relu,
        torch.relu_,
        Tensor.relu,
        relu_as_statement,
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
    assert neighbours(chain(activation)) == CHAIN_NEIGHBOURS
    assert live(traced(chain(activation))) == (True,)


@pytest.mark.parametrize(
    "between",
    [
        lambda x: F.max_pool2d(F.relu(x), 2),
        lambda x: Halved.apply(F.relu(Halved.apply(x))),
        lambda x: torch.cat([F.relu(x[:, :1]), x[:, 1:]], 1),
        lambda x: F.dropout(F.relu(x)) + x,
        lambda x: F.relu(x).permute(0, 1, 3, 2).reshape(x.shape),
    ],
)
def test_operations_between_layer_and_activation_do_not_matter(between) -> None:
    assert neighbours(chain(between)) == CHAIN_NEIGHBOURS


def test_nearest_activation_wins() -> None:
    """Of two in a row the second; of two at a sum the one that is fewer operations away."""
    assert neighbours(chain(lambda x: F.relu(F.gelu(x))))[1] == (1, None, True)
    assert neighbours(chain(lambda x: F.relu(x) + Halved.apply(F.gelu(x))))[1] == (0, None, True)
    assert neighbours(chain(lambda x: Halved.apply(F.relu(x)) + F.gelu(x)))[1] == (1, None, True)


def test_an_activation_beyond_another_layer_does_not_count() -> None:
    def wiring(x, a, b, head):
        return head(pooled(b(a(F.relu(x)))))

    model = Wired(wiring, a=conv(3), b=conv(), head=nn.Linear(4, 10))
    assert neighbours(model) == [(0, None, True), (None, None, True), (None, None, True)]


def test_a_norm_beyond_an_activation_or_a_layer_does_not_count() -> None:
    def wiring(x, a, b, c, norm, head):
        return head(pooled(norm(F.relu(c(b(F.relu(a(x))))))))

    parts = {"a": conv(3), "b": conv(), "c": conv(), "norm": nn.BatchNorm2d(4)}
    model = Wired(wiring, **parts, head=nn.Linear(4, 10))
    assert [layer.norm for layer in traced(model).layers] == [None, None, None, None]


def test_reference_models() -> None:
    assert neighbours(TinyResNet()) == [
        (None, 0, True),
        (0, 1, True),
        (1, 2, True),
        (2, None, True),
    ]
    # Both branches lead to one norm by a concatenation; in one of them a ReLU comes before it.
    assert neighbours(Concat()) == [
        (None, 0, True),
        (None, None, True),
        (0, None, True),
        (1, None, True),
    ]
    assert neighbours(NoBatchNorm()) == [(None, None, True), (0, None, True)]
    assert neighbours(Mlp()) == [(None, None, True), (0, None, True), (1, None, True)]


def test_a_shared_layer_is_a_row_for_each_time_it_ran() -> None:
    structure = traced(SharedConv())
    assert [(layer.activation, layer.norm) for layer in structure.layers] == [
        (None, None),
        (None, 0),
        (0, 1),
        (1, None),
    ]
    assert structure.params == sum(p.numel() for p in SharedConv().parameters())  # counted once


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
    assert [layer.weight_shape[0] for layer in traced(model).layers] == [5, 7, 10]


@pytest.mark.parametrize("wrap", [frozen, weight_norm])
def test_frozen_and_derived_weights(wrap) -> None:
    model = Wired(
        lambda x, a, norm, b, head: head(pooled(b(F.relu(norm(a(x)))))),
        a=wrap(conv(3)),
        norm=frozen(nn.BatchNorm2d(4)),
        b=wrap(conv()),
        head=nn.Linear(4, 10),
    )
    assert neighbours(model) == CHAIN_NEIGHBOURS
    assert [layer.weight_shape for layer in traced(model).layers] == [
        (4, 3, 3, 3),
        (4, 4, 3, 3),
        (10, 4),
    ]


def test_activation_in_place_on_a_view() -> None:
    """An operation in place on a view changes the graph of the viewed tensor."""
    model = Wired(
        lambda x, a, head: head(F.relu(a(x).flatten(1), inplace=True)),
        a=conv(3, 2),
        head=nn.Linear(128, 10),
    )
    assert neighbours(model) == [(None, None, True), (0, None, True)]


def test_layers_of_one_signature_have_neighbours_of_one_shape() -> None:
    """Otherwise their activations or norms could not be stacked."""

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


def test_along() -> None:
    """Every axis in running order, with shapes without the batch."""
    structure = traced(TinyResNet())
    maps = ((8, 8, 8), (8, 8, 8))
    assert structure.along("layers") == tuple(
        (layer.signature, layer.live) for layer in structure.layers
    )
    assert shapes(structure, "activations") == [maps] * 3
    assert shapes(structure, "norms") == [maps] * 3
    assert shapes(structure, "blocks") == [((3, 8, 8), (8, 8, 8)), maps, maps]
    assert all(live(structure, axis) == (True,) * 3 for axis in ("activations", "norms", "blocks"))
    with pytest.raises(KeyError):
        structure.along("networks")
