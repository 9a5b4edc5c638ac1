"""Mixed supernets: means of options, by hand and against the networks of the space."""

import pytest
import torch
from torch import nn

from eznas.errors import InputError
from eznas.proxies.loading import load
from eznas.spaces import SPACES
from eznas.statistics.config import MeasurementSettings
from eznas.supernets.mixed import GradientMatch, Mean, SupernetScore, mixed
from eznas.supernets.parts import everything, restricted

NB201, MACRO = SPACES["nasbench201"], SPACES["nasbench-macro"]
MIXED = [space for space in SPACES.values() if space.supernet is not None]
SMALL = {"width": 4, "cells": 1}
CONV = 3  # the index of nor_conv_3x3


def config_of(batch=4, seed=0):
    settings = MeasurementSettings(raw_batch=batch, sketch_batch=batch, seed=seed)
    return settings.on([(8, 10)], 8)[0]


def test_the_mean_counts_what_adds_zeros():
    class Zero(nn.Module):
        def forward(self, x):
            return torch.zeros_like(x)

    x = torch.tensor([3.0, 6.0])
    modules = {"0": Zero(), "1": nn.Identity(), "2": nn.Identity()}
    assert Mean(modules)(x).tolist() == [2.0, 4.0]
    assert Mean({"1": nn.Identity()})(x) is x


def test_a_cell_of_pools_and_skips_by_hand():
    """Without convolutions a cell is linear: each of its edges passes half of what it gets."""
    allowed = ((0, 1),) * 6  # none and skip_connect
    stage = mixed(NB201, allowed, **SMALL).get_submodule("stage1")
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    first = 0.5 * x
    second = 0.5 * x + 0.5 * first
    torch.testing.assert_close(stage(x), 0.5 * (x + first + second))


@pytest.mark.parametrize("space", MIXED, ids=lambda space: space.name)
def test_a_part_of_one_architecture_is_its_network(space):
    """With the parameters of the supernet, by order: names differ by the option's index."""
    architecture = space.sample(1, seed=3)[0]
    allowed = [
        [options.index(choice)]
        for options, choice in zip(space.positions, space.choices(architecture), strict=True)
    ]
    supernet = mixed(space, allowed, width=WIDTHS[space.name], cells=5).eval()
    network = space.build(architecture).eval()
    values = list(supernet.state_dict().values())
    names = list(network.state_dict())
    network.load_state_dict(dict(zip(names, values, strict=True)))
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(supernet(x), network(x))


WIDTHS = {"nasbench201": 16, "nasbench-macro": 32}  # of the networks of the spaces


def test_a_part_has_the_parameters_of_its_options_under_the_same_names():
    whole = {n: p.shape for n, p in mixed(NB201, None, **SMALL).named_parameters()}
    half = {
        n: p.shape
        for n, p in mixed(NB201, restricted(everything(NB201), 0, [0, CONV]), **SMALL)
        .named_parameters()
    }  # fmt: skip
    assert half.items() < whole.items()
    gone = set(whole) - set(half)
    assert gone
    assert all("1_0.options.2." in name for name in gone)


@pytest.mark.parametrize("proxy", ["params", "naswot", "logsynflow", "nasbench201-a"])
def test_any_proxy_scores_a_mixed_supernet(proxy):
    score = SupernetScore(NB201, load(proxy), config_of(), **SMALL)
    with_convolution, without = (
        score(restricted(everything(NB201), 3, options)) for options in ([CONV], [1])
    )
    assert with_convolution != without
    if proxy == "params":
        added = 3 * 2 * 4  # batch norms of 4, 8 and 16 channels in the 1x1 and the 3x3 convolution
        assert with_convolution == sum(p.numel() for p in supernet_of([CONV]).parameters())
        assert with_convolution > without + added


def supernet_of(options):
    return mixed(NB201, restricted(everything(NB201), 3, options), **SMALL)


def test_a_part_that_reaches_no_output_is_lowest():
    nothing = tuple((0,) for _ in range(6))
    score = SupernetScore(NB201, load("sum_layers(log(norm(weight)))"), config_of(), **SMALL)
    assert score(nothing) <= score(everything(NB201))
    kernel = SupernetScore(NB201, load("live_naswot"), config_of(), **SMALL)
    assert kernel(nothing) <= kernel(everything(NB201))


def test_scores_depend_on_the_seed_and_on_nothing_that_was_drawn_before():
    first, again, other = (
        SupernetScore(NB201, load("snip"), config_of(seed=seed), **SMALL)(everything(NB201))
        for seed in (0, 0, 1)
    )
    state = torch.random.get_rng_state()
    SupernetScore(NB201, load("snip"), config_of(), **SMALL)(everything(NB201))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert first == again != other


def test_gradients_match_themselves_and_two_alike_options_more():
    match = GradientMatch(NB201, config_of(8), **SMALL)
    cosines = match.cosines(everything(NB201), 0)
    for row, i in zip(cosines, range(5), strict=True):
        assert row[i] == pytest.approx(1)
        assert [cosines[j][i] for j in range(5)] == pytest.approx(row)
        assert all(abs(value) <= 1 + 1e-9 for value in row)
    skip, pool = 1, 4
    assert cosines[skip][pool] == max(cosines[skip][j] for j in range(5) if j != skip)


def test_a_space_without_one_names_the_alternative():
    with pytest.raises(InputError, match=r"nds-darts has no mixed supernet .*--by members"):
        mixed(SPACES["nds-darts"])
