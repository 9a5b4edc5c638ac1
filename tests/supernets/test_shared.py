"""A path of the shared supernet is the network that stands alone; paths are drawn as they say."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eznas.errors import InputError
from eznas.spaces import SPACES
from eznas.supernets.parts import everything, inside, numbered
from eznas.supernets.shared import SharedSupernet, architecture_of, draw_paths, live_path

NB201, MACRO = SPACES["nasbench201"], SPACES["nasbench-macro"]
CELL = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"


def _shared_name(space, path, name):
    """The name in the supernet of a parameter that a network by itself has."""
    parts = name.split(".")
    if "edges" in parts:
        edge = parts.index("edges") + 1
        position = ["1_0", "2_0", "2_1", "3_0", "3_1", "3_2"].index(parts[edge])
    elif parts[0] == "features":
        edge, position = 1, int(parts[1])
    else:
        return f"network.{name}"
    return ".".join(
        ["network", *parts[: edge + 1], f"options.{path[position]}", *parts[edge + 1 :]]
    )


@pytest.mark.parametrize(
    ("space", "architecture", "width", "cells"),
    [(NB201, CELL, 16, 5), (MACRO, "01201021", 32, 1)],
    ids=["nasbench201", "nasbench-macro"],
)
def test_a_path_is_the_network_that_stands_alone(space, architecture, width, cells):
    supernet = SharedSupernet(space, width, cells, classes=7, seed=3)
    path = numbered(space, [architecture])[0].tolist()
    alone = space.build(architecture, 7).train()
    weights = supernet.state_dict()
    copied = {
        name: weights[_shared_name(space, path, name)] for name, _ in alone.named_parameters()
    }
    alone.load_state_dict(copied, strict=False)
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = alone(images)
        assert torch.equal(supernet(images, path), expected)
        live = live_path(space, path)
        torch.testing.assert_close(supernet(images, live), expected)


def test_only_the_parameters_of_the_path_get_gradients():
    supernet = SharedSupernet(NB201, 2, 1, 4)
    path = (3, 0, 0, 1, 2, 0)
    supernet(
        torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)), path
    ).sum().backward()
    used = {name for name, p in supernet.named_parameters() if p.grad is not None}
    in_cells = {name for name in used if "edges" in name}
    assert in_cells == {
        name
        for name, _ in supernet.named_parameters()
        if "edges.1_0.options.3" in name or "edges.3_1.options.2" in name
    }


def test_making_and_running_one_leaves_the_global_random_state_alone():
    before = torch.random.get_rng_state()
    supernet = SharedSupernet(NB201, 2, 1, 4, seed=1)
    supernet(torch.zeros(2, 3, 8, 8), (1,) * 6)
    assert torch.equal(before, torch.random.get_rng_state())
    again = SharedSupernet(NB201, 2, 1, 4, seed=1).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in supernet.state_dict().items())
    assert not list(supernet.buffers()), "no running statistics"


def test_the_reduced_supernet_has_the_published_shape():
    """Of 3 cells at 8 channels: stem 232, cells 6 x (9 + 1) C^2 + 24 C each, reductions, rest."""

    def cell(c):
        return 6 * (9 * c * c + 2 * c + c * c + 2 * c)

    def reduction(c):
        return 9 * c * 2 * c + 4 * c + 9 * 4 * c * c + 4 * c + 2 * c * c

    expected = 27 * 8 + 16 + cell(8) + cell(16) + cell(32) + reduction(8) + reduction(16)
    expected += 64 + 32 * 10 + 10
    assert sum(p.numel() for p in SharedSupernet(NB201).parameters()) == expected == 100_722


@pytest.mark.parametrize(
    ("space", "keywords", "problem"),
    [
        (NB201, {"width": 0}, "width 0: expected 1 or more"),
        (NB201, {"cells": 0}, "cells 0: expected 1 or more"),
        (SPACES["nasbench101"], {}, "unknown space with a supernet 'nasbench101'"),
    ],
)
def test_bad_shapes(space, keywords, problem):
    with pytest.raises(InputError, match=problem):
        SharedSupernet(space, **keywords)


def test_a_path_that_joins_nothing_has_no_live_part():
    assert live_path(NB201, (3, 0, 0, 0, 0, 3)) is None
    assert live_path(NB201, (3, 0, 0, 1, 0, 3)) == (0, 0, 0, 1, 0, 0)
    assert architecture_of(NB201, (3, 0, 4, 1, 2, 0)) == CELL


@given(st.lists(st.sets(st.integers(0, 4), min_size=1), min_size=6, max_size=6), st.booleans())
@settings(max_examples=25)
def test_paths_stay_in_their_leaf(sets, fair):
    allowed = tuple(tuple(sorted(options)) for options in sets)
    paths = draw_paths(allowed, 37, [5, 1], fair)
    assert paths.shape == (37, 6)
    assert inside(paths, allowed).all()
    assert (draw_paths(allowed, 12, [5, 1], fair) == paths[:12]).all()


def test_fair_paths_take_every_option_once_in_five_steps():
    paths = draw_paths(everything(NB201), 20, [0], fair=True)
    for block in np.split(paths, 4):
        assert (np.sort(block, axis=0) == np.arange(5)[:, None]).all()
    assert len({tuple(row) for row in paths.T.tolist()}) == 6, "positions are drawn by themselves"


def test_fair_paths_of_a_leaf_take_its_options_equally_often():
    paths = draw_paths(((1, 4), (0, 2, 3)), 6, [0], fair=True)
    assert np.bincount(paths[:, 0], minlength=5).tolist() == [0, 3, 0, 0, 3]
    assert np.bincount(paths[:, 1], minlength=5).tolist() == [2, 0, 2, 2, 0]


def test_uniform_paths_are_uniform():
    paths = draw_paths(everything(NB201), 5000, [0])
    counts = np.stack([np.bincount(column, minlength=5) for column in paths.T])
    assert (abs(counts - 1000) < 5 * (5000 * 0.2 * 0.8) ** 0.5).all()
