"""What holds for every classic on any network, at a tiny size: on 14 that are chosen, and, with
`-m slow`, on 50, most of them drawn."""

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
CONFIG = MeasurementConfig(IMAGES, 2, raw=2, sketch=4, seed=1)
MORE_DIGITS = {
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
DRAWN_INDICES = np.random.default_rng(201).choice(
    15_625, 50 - len(STRINGS) - len(MORE_DIGITS), replace=False
)
NETWORKS = (
    STRINGS
    | {name: string(digits) for name, digits in MORE_DIGITS.items()}
    | {f"number {i}": NB201.architectures()[i] for i in sorted(DRAWN_INDICES.tolist())}
)
FEW = [*STRINGS, "all but the last node", "nothing into the first nodes", "dead poolings", "chain"]
NOTHING = NB201.live_cell(STRINGS["nothing"])
CONNECTED = [name for name, text in NETWORKS.items() if NB201.live_cell(text) != NOTHING]
# The best operation of a cell that the image reaches, though no path leads on to the logits.
DISCONNECTED = {
    "dead convolutions": "convolution",
    "nothing": "none",
    "fed by zeros": "none",
    "all but the last node": "convolution",
    "nothing into the first nodes": "none",
    "dead poolings": "pooling",
}


def state(model: nn.Module) -> tuple[dict[str, bytes], list[object]]:
    """Everything in a model that a measurement might change."""
    tensors = {k: t.numpy().tobytes() for k, t in model.state_dict().items()}
    parameters = [(p.requires_grad, p.grad) for p in model.parameters()]
    modules = [
        (m.training, sorted(vars(m)), len(m._forward_hooks), len(m._forward_pre_hooks))
        for m in model.modules()
    ]
    return tensors, [*parameters, *modules]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(FEW, id="few"),
        pytest.param(list(NETWORKS), id="many", marks=pytest.mark.slow),
    ],
)
def results(request) -> dict[str, tuple[dict[str, Scores], dict[str, Scores], bool]]:
    """By network: the scores of all classics, the same measured again, and whether the model, which
    was in evaluation mode, is unchanged."""
    by_network = {}
    for name in request.param:
        model = network(NETWORKS[name], 2).eval()
        state_before = state(model)
        first, second = (scored(FORMULAS, [model], CONFIG) for _ in range(2))
        by_network[name] = (first, second, state(model) == state_before)
    return by_network


def values(results, classic: str) -> dict[str, float]:
    return {name: first[classic].values.item() for name, (first, *_) in results.items()}


def test_the_networks_are_of_the_kinds_assumed_below() -> None:
    assert len(set(NETWORKS.values())) == 50
    assert set(NETWORKS) - set(CONNECTED) == set(DISCONNECTED)
    live = [NB201.live_cell(NETWORKS[name]) for name in CONNECTED]
    assert sum("nor_conv" not in cell for cell in live) == 8
    assert sum(NETWORKS[n] != cell for n, cell in zip(CONNECTED, live, strict=True)) >= 15


@pytest.mark.parametrize("classic", CLASSICS)
def test_a_score_is_finite_lowest_or_undefined_with_a_reason(classic: str, results) -> None:
    for name, (first, *_) in results.items():
        scores = first[classic]
        assert scores.values.shape == (1,)
        assert scores.values.item() != math.inf, name
        assert math.isnan(scores.values.item()) == (scores.reason != ""), name


@pytest.mark.parametrize("classic", CLASSICS)
def test_finite_where_the_image_reaches_the_logits(classic: str, results) -> None:
    """Also where no path has a convolution."""
    scores = values(results, classic)
    connected = {name: score for name, score in scores.items() if name in CONNECTED}
    assert {name: score for name, score in connected.items() if not math.isfinite(score)} == {}


def test_every_classic_has_one_outcome_without_a_path() -> None:
    assert sorted([*NUMBER, *ZERO, *LOWEST, *LOWEST_IF_SINGULAR]) == sorted(CLASSICS)


@pytest.mark.parametrize("classic", CLASSICS)
def test_disconnected_networks(classic: str, results) -> None:
    scores = values(results, classic)
    for name, operation in DISCONNECTED.items():
        singular = operation != "convolution"
        if classic in LOWEST or (singular and classic in LOWEST_IF_SINGULAR):
            assert scores[name] == -math.inf, name
        elif classic in ZERO:
            assert scores[name] == 0, name
        else:
            assert 0 < scores[name] < math.inf, name


@pytest.mark.parametrize("classic", CLASSICS)
def test_twice_the_same_bits(classic: str, results) -> None:
    for name, (first, second, _) in results.items():
        first_bits, second_bits = (s[classic].values.tobytes() for s in (first, second))
        assert first_bits == second_bits, name


def test_the_model_is_untouched(results) -> None:
    assert [name for name, (*_, untouched) in results.items() if not untouched] == []


@pytest.mark.parametrize("classic", CLASSICS)
def test_a_classic_by_itself_scores_the_same(classic: str, results) -> None:
    """Scores do not depend on what else is measured, nor on the interface."""
    proxy = Proxy(classic, FORMULAS[classic], raw_batch=2, sketch_batch=4)
    model = network(NETWORKS["mixed"], 2)
    score = proxy.score(model, (3, 8, 8), images=IMAGES, init="kaiming", seed=1)
    assert score == values(results, classic)["mixed"]
