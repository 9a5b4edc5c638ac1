"""What holds for every reference proxy, on any network."""

import copy
import math

import numpy as np
import pytest
import torch

from tests import reference_proxies as proxies
from tests.classics.naive import (
    BATCH,
    BROKEN,
    DEAD,
    EMPTY,
    SIZE,
    SKIP,
    ZERO,
    batch,
    layers_of,
    network,
    random_signs,
    small_network,
)

SCORES = {
    "l2_norm": lambda m, x, y: proxies.l2_norm(m),
    "plain": proxies.plain,
    "snip": proxies.snip,
    "grad_norm": proxies.grad_norm,
    "grasp": proxies.grasp,
    "fisher": proxies.fisher,
    "epe_nas": proxies.epe_nas,
    "synflow": lambda m, x, y: proxies.synflow(m, SIZE),
    "zen": lambda m, x, y: proxies.zen(m, x, x.flip(0)),
    "zico": lambda m, x, y: proxies.zico(m, x, y, x.flip(3), y),
    "meco": lambda m, x, y: proxies.meco(m, x[:1]),
    "swap": lambda m, x, y: proxies.swap(m, x),
    "gradsign": proxies.gradsign,
    "snr": proxies.snr,
    "expressivity": lambda m, x, y: proxies.expressivity(m, x),
    "progressivity": lambda m, x, y: proxies.progressivity(m, x),
    "trainability": lambda m, x, y: proxies.trainability(m, x, random_signs(m, x)),
    "fisher_deciles": lambda m, x, y: proxies.fisher_deciles(m, x[:2]),
    "vkdnw_entropy": lambda m, x, y: proxies.vkdnw_entropy(m, x[:2]),
}


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("architecture", [DEAD, ZERO, SKIP, EMPTY, BROKEN])
def test_every_score_returns_and_leaves_the_model(name, architecture):
    model, (images, labels) = small_network(architecture).eval(), batch(size=SIZE)
    state, pixels = copy.deepcopy(model.state_dict()), images.clone()
    score = SCORES[name](model, images, labels)
    if isinstance(score, list):
        assert len(score) == (9 if name == "fisher_deciles" else len(layers_of(model)))
        assert {type(number) for number in np.ravel(score).tolist()} == {float}
    else:
        assert type(score) is float
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[key])
    assert torch.equal(images, pixels)
    assert not images.requires_grad
    assert not model.training
    assert all(p.grad is None for p in model.parameters())
    assert repr(SCORES[name](model, images, labels)) == repr(score)


def test_scores_of_a_disconnected_network():
    model, (images, _) = network(EMPTY), batch()
    labels = torch.zeros(BATCH, dtype=torch.long)
    zeros = ("plain", "snip", "grad_norm", "grasp", "synflow", "zico", "gradsign")
    scores = {name: score(model, images, labels) for name, score in SCORES.items()}
    assert {name: scores[name] for name in zeros} == dict.fromkeys(zeros, 0.0)
    assert scores["swap"] == 1.0
    assert scores["zen"] == -math.inf
    assert all(
        map(math.isnan, (scores["epe_nas"], scores["expressivity"], scores["progressivity"]))
    )
    assert set(scores["snr"]) == {(0.0, 0.0)}
