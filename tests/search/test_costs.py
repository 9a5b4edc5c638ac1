"""Costs of architectures: those of the proxies `params` and `flops`, and of a forward pass."""

import pytest
import torch

from eznas.benchmarks import Dataset
from eznas.proxies.loading import load
from eznas.search.costs import Costs
from eznas.spaces import SPACES
from tests.search.made_up import SPACE


@pytest.mark.parametrize("name", ["nasbench201", "nasbench-macro", "nasbench101"])
def test_costs_are_the_values_of_the_proxies(name):
    space, side = SPACES[name], 16
    [architecture] = space.sample(1, seed=3)
    cost, model = Costs(space, Dataset(side, 10))(architecture), space.build(architecture, 10)
    assert cost.seconds is None
    for proxy in ("params", "flops"):
        assert getattr(cost, proxy) == load(proxy).score(model, (3, side, side), batch=2)


def test_by_hand_and_once(monkeypatch):
    """Four convolutions of one channel, 8 x 8 outputs: 27 + 3 x 9 weights; a head of 1 x 2."""
    costs = Costs(SPACE, Dataset(8, 2), timed=True)
    cost = costs("1-1-1-1")
    assert cost.params == 27 + 3 * 9 + 4 + 4 * 2 + 2 + 2
    assert cost.flops == 64 * (27 + 3 * 9) + 2
    assert 0 < cost.seconds < 1
    monkeypatch.setattr(Costs, "_measured", None)
    assert costs("1-1-1-1") is cost
    assert costs.least().startswith("the least is params 70, flops 3458, seconds ")


def test_the_random_state_is_left_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    Costs(SPACE, Dataset(8, 2), timed=True)("4-4-4-4")
    assert torch.equal(torch.rand(1), expected)
