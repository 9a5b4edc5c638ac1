"""What holds for every classic on any network: on 50, drawn and chosen, at a tiny size."""

import math

import numpy as np
import pytest
from torch import nn

from eznas.evaluation.scoring import Scores
from eznas.proxies.classics import CLASSICS
from eznas.proxies.proxy import Proxy
from eznas.spaces import SPACES
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from tests.classics.made_up import (
    FORMULAS,
    LOWEST,
    LOWEST_IF_SINGULAR,
    NUMBER,
    STRINGS,
    ZERO,
    network,
    scored,
    string,
)

NB201 = SPACES["nasbench201"]
IMAGES = generated(4, size=8, classes=2)
CONDITIONS = MeasurementConfig(IMAGES, 2, raw=2, sketch=4, seed=1)
MORE = {
    "skip beside a dead branch": "310100",
    "dead branches before the second node": "022104",
    "branch fed by zeros": "023410",
    "poolings only": "444444",
    "pooling beside a skip": "140041",
    "one 1x1": "000200",
    "chain": "303003",
    "all but the last node": "333000",
    "nothing into the first nodes": "000033",
    "dead poolings": "404000",
}
DRAWN = np.random.default_rng(201).choice(15_625, 50 - len(STRINGS) - len(MORE), replace=False)
NETWORKS = (
    STRINGS
    | {name: string(digits) for name, digits in MORE.items()}
    | {f"number {i}": NB201.architectures()[i] for i in sorted(DRAWN.tolist())}
)
NOTHING = NB201.live_cell(STRINGS["nothing"])
CONNECTED = [name for name, text in NETWORKS.items() if NB201.live_cell(text) != NOTHING]
# What the image reaches in each cell, though no path leads on.
DISCONNECTED = {
    "dead convolutions": "convolution",
    "nothing": "none",
    "fed by zeros": "none",
    "all but the last node": "convolution",
    "nothing into the first nodes": "none",
    "dead poolings": "pooling",
}


def state(model: nn.Module) -> tuple[dict[str, bytes], list[object]]:
    """All that a measurement might leave behind."""
    tensors = {k: t.numpy().tobytes() for k, t in model.state_dict().items()}
    parameters = [(p.requires_grad, p.grad) for p in model.parameters()]
    modules = [
        (m.training, sorted(vars(m)), len(m._forward_hooks), len(m._forward_pre_hooks))
        for m in model.modules()
    ]
    return tensors, [*parameters, *modules]


@pytest.fixture(scope="module")
def seen() -> dict[str, tuple[dict[str, Scores], dict[str, Scores], bool]]:
    """Per network the scores of all classics, the same once more, and whether the model, which
    was in evaluation mode, is as it was."""
    found = {}
    for name, architecture in NETWORKS.items():
        model = network(architecture, 2).eval()
        before = state(model)
        both = [scored(FORMULAS, [model], CONDITIONS) for _ in range(2)]
        found[name] = (both[0], both[1], state(model) == before)
    return found


def values(seen, classic: str) -> dict[str, float]:
    return {name: first[classic].values.item() for name, (first, *_) in seen.items()}


def test_the_networks_are_what_they_are_taken_for() -> None:
    assert len(set(NETWORKS.values())) == 50
    assert set(NETWORKS) - set(CONNECTED) == set(DISCONNECTED)
    live = [NB201.live_cell(NETWORKS[name]) for name in CONNECTED]
    assert sum("nor_conv" not in cell for cell in live) == 8
    assert sum(NETWORKS[n] != cell for n, cell in zip(CONNECTED, live, strict=True)) >= 15


@pytest.mark.parametrize("classic", CLASSICS)
def test_a_score_is_finite_lowest_or_undefined_for_a_reason(classic: str, seen) -> None:
    for name, (first, *_) in seen.items():
        scores = first[classic]
        assert scores.values.shape == (1,)
        assert scores.values.item() != math.inf, name
        assert math.isnan(scores.values.item()) == (scores.reason != ""), name


@pytest.mark.parametrize("classic", CLASSICS)
def test_finite_where_the_image_reaches_the_logits(classic: str, seen) -> None:
    """Without exception, convolutions on the way or not."""
    found = values(seen, classic)
    assert {name: found[name] for name in CONNECTED if not math.isfinite(found[name])} == {}


def test_every_classic_has_one_outcome_without_a_path() -> None:
    assert sorted([*NUMBER, *ZERO, *LOWEST, *LOWEST_IF_SINGULAR]) == sorted(CLASSICS)


@pytest.mark.parametrize("classic", CLASSICS)
def test_disconnected_networks(classic: str, seen) -> None:
    found = values(seen, classic)
    for name, operation in DISCONNECTED.items():
        singular = operation != "convolution"
        if classic in LOWEST or (singular and classic in LOWEST_IF_SINGULAR):
            assert found[name] == -math.inf, name
        elif classic in ZERO:
            assert found[name] == 0, name
        else:
            assert 0 < found[name] < math.inf, name


@pytest.mark.parametrize("classic", CLASSICS)
def test_twice_the_same_bits(classic: str, seen) -> None:
    for name, (first, again, _) in seen.items():
        one, two = (scores[classic].values.tobytes() for scores in (first, again))
        assert one == two, name


def test_the_model_is_untouched(seen) -> None:
    assert [name for name, (*_, untouched) in seen.items() if not untouched] == []


@pytest.mark.parametrize("classic", CLASSICS)
def test_a_classic_by_itself_scores_the_same(classic: str, seen) -> None:
    """Whatever else is measured, and through the interface that users have."""
    proxy = Proxy(classic, FORMULAS[classic], raw_batch=2, sketch_batch=4)
    model = network(NETWORKS["mixed"], 2)
    found = proxy.score(model, (3, 8, 8), images=IMAGES, init="kaiming", seed=1)
    assert found == values(seen, classic)["mixed"]
