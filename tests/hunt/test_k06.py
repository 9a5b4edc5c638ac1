"""K6: one score, whatever library a model draws from; passes of other layers are noticed."""

import contextlib
import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import eznas
from eznas.proxies.classics import CLASSICS
from tests.hunt.small import Small, refusal, score


class FromNumpy(Small):
    def middle(self, x: Tensor) -> Tensor:
        return x + np.random.rand() * super().middle(x)


class FromPython(Small):
    def middle(self, x: Tensor) -> Tensor:
        return x + random.random() * super().middle(x)


class FromTorch(Small):
    def middle(self, x: Tensor) -> Tensor:
        return x + torch.rand(()) * super().middle(x)


class FromItsOwn(Small):
    def __init__(self) -> None:
        super().__init__()
        self.draws = np.random.default_rng(0)

    def middle(self, x: Tensor) -> Tensor:
        return x + self.draws.random() * super().middle(x)


def same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)


@pytest.mark.parametrize("build", [FromNumpy, FromPython, FromTorch, FromItsOwn])
def test_a_score_repeats(build) -> None:
    for proxy in CLASSICS:
        model = build()
        first, again = score(proxy, model), score(proxy, model)
        np.random.rand(3), random.random(), torch.rand(3)
        assert same(first, again), proxy
        assert same(first, score(proxy, build())), proxy


def test_the_callers_random_states_stay() -> None:
    states = random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()
    for build in (FromNumpy, FromPython, FromTorch):
        score("snip", build())
    assert states == (
        random.getstate(),
        repr(np.random.get_state()),
        torch.get_rng_state().tolist(),
    )


class OfLargeBatches(Small):
    def features(self, x: Tensor) -> Tensor:
        x = self.begin(x)
        return self.middle(x) if len(x) >= 4 else x


class Skipping(Small):
    """Whether the middle runs is drawn after as many numbers as there are images."""

    def features(self, x: Tensor) -> Tensor:
        x = self.begin(x)
        draws = torch.rand(len(x) + 1)
        return self.middle(x) if draws[-1] > draws[0] else x


@pytest.mark.filterwarnings("ignore:.*parameters are in no layer")
def test_layers_that_run_on_large_batches_alone_are_noticed() -> None:
    line = refusal(lambda: score("snip", OfLargeBatches()))
    assert "which layers or activations run depends on the batch" in line
    assert "2 on 2 images, 3 on 4" in line
    assert score("synflow", OfLargeBatches()) > 0  # both passes run the same layers


def test_layers_that_are_skipped_by_chance_are_noticed() -> None:
    """With some seeds the passes of 2 and of 8 images run the same layers."""
    lines = []
    for seed in range(8):
        with contextlib.suppress(eznas.InputError):
            assert score("naswot", Skipping(), seed=seed) != 0
            continue
        lines.append(refusal(lambda seed=seed: score("naswot", Skipping(), seed=seed)))
    assert 0 < len(lines) < 8
    assert all("depends on the batch, its images or chance" in line for line in lines)


def test_a_layer_of_another_width_is_noticed() -> None:
    class Wider(Small):
        def __init__(self) -> None:
            super().__init__()
            self.other = nn.Conv2d(6, 12, 1)

        def middle(self, x: Tensor) -> Tensor:
            return self.other(x)[:, :6].relu() if len(x) > 2 else super().middle(x).relu()

    assert "depends on the batch" in refusal(lambda: score("naswot", Wider()))
