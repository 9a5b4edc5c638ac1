"""Scoring models: the same numbers by name and by object, and models left as they were."""

import copy
import math
import sys

import pytest
import torch

import eznas
from eznas.proxies.classics import CLASSICS
from eznas.spaces import SPACES
from tests.proxies.models import MODULE, one

ARCHITECTURES = SPACES["nasbench201"].architectures()
NOTHING, MIXED = (ARCHITECTURES[int(digits, 5)] for digits in ("000000", "421211"))
PROXIES = ("naswot", "logsynflow", "params", "jacob_cov")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "networks.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("networks", None)


def score(proxy: str, name: str, **options) -> float | None:
    [row] = eznas.score(proxy, [name], **options)
    return row["score"]


@pytest.mark.parametrize("proxy", PROXIES)
def test_a_loaded_proxy_gives_what_score_gives(proxy):
    loaded = eznas.load(proxy)
    assert loaded.score(one(), (3, 32, 32), batch=4) == score(proxy, "networks:one", batch=4)
    fresh = loaded.score(SPACES["nasbench201"].build(MIXED), batch=4, init="kaiming")
    assert fresh == score(proxy, MIXED, batch=4)
    small = loaded.score(one(), input_size=(3, 16, 16), batch=4)
    assert small == score(proxy, "networks:one", input_size=(3, 16, 16), batch=4)


def test_a_disconnected_architecture_is_lowest():
    network = SPACES["nasbench201"].build(NOTHING)
    assert eznas.load("naswot").score(network, batch=4, init="kaiming") == -math.inf
    [row] = eznas.score("naswot", [NOTHING], batch=4)
    assert (row["score"], row["reason"]) == (None, "lowest")


@pytest.mark.parametrize("init", ["keep", "kaiming"])
@pytest.mark.parametrize("proxy", PROXIES)
def test_a_model_comes_back_untouched(proxy, init):
    subject = one()
    gradient = subject[0].weight.grad = torch.ones_like(subject[0].weight)
    subject[1].eval()
    subject[5].bias.requires_grad_(False)
    state, twin = torch.get_rng_state(), copy.deepcopy(subject)
    eznas.load(proxy).score(subject, batch=4, init=init)
    assert torch.equal(torch.get_rng_state(), state)
    for name, tensor in subject.state_dict().items():
        assert torch.equal(tensor, twin.state_dict()[name]), name
    for name, parameter in subject.named_parameters():
        assert parameter.requires_grad == (name != "5.bias")
        assert parameter.grad is (gradient if name == "0.weight" else None)
    assert torch.equal(gradient, torch.ones_like(gradient))
    assert [m.training for m in subject.modules()] == [m.training for m in twin.modules()]
    assert not any(m._forward_hooks or m._backward_hooks for m in subject.modules())


def test_keep_is_the_models_own_weights_and_kaiming_does_not_depend_on_them():
    one, two = (score("logsynflow", f"networks:{n}", batch=4) for n in ("one", "two"))
    assert one != two
    one, two = (
        score("logsynflow", f"networks:{n}", batch=4, init="kaiming") for n in ("one", "two")
    )
    assert one == two
    other = score("logsynflow", "networks:one", batch=4, init="kaiming", seed=1)
    assert other != one


def test_the_usual_initialisation():
    assert score("logsynflow", "networks:one", batch=4, init="keep") == score(
        "logsynflow", "networks:one", batch=4
    )
    assert score("logsynflow", MIXED, batch=4, init="kaiming") == score(
        "logsynflow", MIXED, batch=4
    )
    assert score("logsynflow", MIXED, batch=4, init="keep") != score("logsynflow", MIXED, batch=4)


@pytest.mark.parametrize("name", ["networks:network", MIXED])
def test_a_seed_repeats_whatever_else_is_scored(name):
    """`network` sets no seed of its own."""
    first = score("naswot", name, batch=4, seed=3)
    rows = eznas.score("naswot", ["networks:two", name, name], batch=4, seed=3)
    assert [r["score"] for r in rows if r["model"] == name] == [first, first]
    assert score("naswot", name, batch=4, seed=4) != first


def test_batch_replaces_the_proxys_own():
    default = score("naswot", "networks:one")
    assert score("naswot", "networks:one", batch=eznas.load("naswot").sketch_batch) == default
    assert score("naswot", "networks:one", batch=4) != default
    assert score("params", "networks:one", batch=4) == score("params", "networks:one", batch=8)


def test_another_batch_than_terms_were_weighed_at_is_said():
    def notes(proxy, **options):
        [row] = eznas.score(proxy, ["networks:one"], **options)
        return [note for note in row["notes"] if "weighed" in note]

    assert notes("hybrid", batch=8) == [
        "the terms of hybrid were weighed at 64 images; with 8 it ranks models otherwise"
    ]
    assert notes("hybrid") == notes("hybrid", batch=64) == []
    assert notes("naswot", batch=8) == []  # one term
    assert notes("params", batch=8) == []
    assert notes(f"{CLASSICS['naswot'].formula} + params", batch=8) == []  # no batch was chosen


def test_scores_come_highest_first():
    rows = eznas.score("params", ["networks:one", MIXED, NOTHING])
    assert [r["model"] for r in rows] == [MIXED, NOTHING, "networks:one"]
    assert rows[2]["score"] == sum(p.numel() for p in one().parameters())


@pytest.mark.parametrize(
    "options",
    [
        {"input_size": (1, 32, 32)},
        {"input_size": ()},
        {"input_size": (3, 0, 32)},
        {"batch": 1},
        {"init": "he"},
        {"device": "nonsense"},
        {"images": "nothing.npz"},
    ],
)
def test_options_that_a_proxy_cannot_be_scored_with(options):
    with pytest.raises(eznas.InputError):
        eznas.load("params").score(one(), **options)
