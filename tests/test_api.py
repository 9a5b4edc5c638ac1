"""The Python interface: the same numbers as the command line, and models left as they were."""

import copy
import math
import sys

import numpy as np
import pytest
import torch
from torch import nn

import eznas
from eznas import api
from eznas.ground import ground, sampled
from eznas.metrics import Row, kendall
from eznas.spaces import SPACES

ARCHITECTURES = SPACES["nasbench201"].architectures()
NOTHING, MIXED = (ARCHITECTURES[int(digits, 5)] for digits in ("000000", "421211"))
PROXIES = ("naswot", "logsynflow", "params", "jacob_cov")
MODULE = """
import torch
from torch import nn

def made():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 10),
    )

def one():
    torch.manual_seed(1)
    return made()

def two():
    torch.manual_seed(2)
    return made()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "networks.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    sys.modules.pop("networks", None)


def model(seed: int = 1) -> nn.Module:
    """The same as the factories of the module make."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )


def score(proxy: str, name: str, **options) -> float | None:
    [row] = eznas.score(proxy, [name], **options)
    return row["score"]


@pytest.mark.parametrize("proxy", PROXIES)
def test_a_loaded_proxy_gives_what_score_gives(proxy):
    loaded = eznas.load(proxy)
    assert loaded.score(model(), (3, 32, 32), batch=4) == score(proxy, "networks:one", batch=4)
    fresh = loaded.score(SPACES["nasbench201"].build(MIXED), batch=4, init="kaiming")
    assert fresh == score(proxy, MIXED, batch=4)
    small = loaded.score(model(), input_size=(3, 16, 16), batch=4)
    assert small == score(proxy, "networks:one", input_size=(3, 16, 16), batch=4)


def test_a_disconnected_architecture_is_lowest():
    network = SPACES["nasbench201"].build(NOTHING)
    assert eznas.load("naswot").score(network, batch=4, init="kaiming") == -math.inf
    [row] = eznas.score("naswot", [NOTHING], batch=4)
    assert (row["score"], row["reason"]) == (None, "lowest")


@pytest.mark.parametrize("init", ["keep", "kaiming"])
@pytest.mark.parametrize("proxy", PROXIES)
def test_a_model_comes_back_untouched(proxy, init):
    subject = model()
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


@pytest.mark.parametrize("name", ["networks:made", MIXED])
def test_a_seed_repeats_whatever_else_is_scored(name):
    """`made` sets no seed of its own."""
    first = score("naswot", name, batch=4, seed=3)
    rows = eznas.score("naswot", ["networks:two", name, name], batch=4, seed=3)
    assert [r["score"] for r in rows if r["model"] == name] == [first, first]
    assert score("naswot", name, batch=4, seed=4) != first


def test_batch_replaces_the_proxys_own():
    default = score("naswot", "networks:one")
    assert score("naswot", "networks:one", batch=api.load("naswot").sketch_batch) == default
    assert score("naswot", "networks:one", batch=4) != default
    assert score("params", "networks:one", batch=4) == score("params", "networks:one", batch=8)


def test_scores_come_highest_first():
    rows = eznas.score("params", ["networks:one", MIXED, NOTHING])
    assert [r["model"] for r in rows] == [MIXED, NOTHING, "networks:one"]
    assert rows[2]["score"] == sum(p.numel() for p in model().parameters())


def correlate(*proxies: str, **options) -> list[Row]:
    defaults = {"datasets": ["cifar10"], "networks": 8, "batch": 4, "replicates": 50}
    return eznas.correlate(proxies, **(defaults | options))


def test_correlate_takes_formulas_and_names():
    rows = correlate("params", "log(params)", "-1.0 * params")
    assert [r["proxy"] for r in rows] == ["params", "log(params)", "-1.0 * params"]
    assert rows[0]["tau"] == rows[1]["tau"]
    assert rows[2]["tau"] == pytest.approx(-rows[0]["tau"])


def test_correlate_does_not_depend_on_company_or_data_sets():
    [alone] = correlate("naswot")
    both = correlate("naswot", "params", datasets=["cifar10", "ImageNet16-120"])
    assert next(r for r in both if (r["proxy"], r["dataset"]) == ("naswot", "cifar10")) == alone


def test_correlate_averages_scores_over_initialisations():
    """Against scores of each network on its own, under each seed, averaged here."""
    whole = ground("nasbench201", ["cifar10"])
    sample = sampled(whole, "all", 8, 1)
    networks = [SPACES["nasbench201"].build(a) for a in sample.architectures]
    loaded = eznas.load("naswot")
    scores = [[loaded.score(n, batch=4, init="kaiming", seed=s) for n in networks] for s in (1, 2)]
    [row] = correlate("naswot", seed=1, initialisations=2)
    assert row["seeds"] == [1, 2]
    means = np.mean(scores, axis=0)
    assert row["tau"] == pytest.approx(kendall(means, sample.accuracies["cifar10"]))


def test_export_says_what_a_score_depends_on(tmp_path):
    file = tmp_path / "mine.json"
    content = eznas.export(
        "2.5 * params + -1.0 * logdet(sum_all_layers(data_relu_agreement))", file.name
    )
    assert content["constants"] == [2.5, -1.0]
    assert sorted(content["statistics"]) == ["data_relu_agreement", "params"]
    assert len(content["conditions"]) == len(content["fingerprint"]) == 2
    assert (content["judged"], content["coverage"]) == ([], None)
    for conditions in content["conditions"]:
        assert conditions["initialisation"] == "kaiming"
        assert conditions["raw_batch"] == content["raw_batch"]
        assert conditions["sketch_batch"] == content["sketch_batch"]
    loaded = eznas.load("mine.json")
    assert loaded.formula.text == content["formula"]
    assert loaded.score(model(), batch=4) == eznas.load(content["name"]).score(model(), batch=4)


def test_export_of_a_file_keeps_all_of_it(tmp_path):
    """Batches and judgement come from the file, not from defaults."""
    first = eznas.export("naswot", "first.json")
    row = {"proxy": "champion", "tau": 0.5}
    changed = (
        (tmp_path / "first.json").read_text().replace('"sketch_batch": 64', '"sketch_batch": 5')
    )
    changed = changed.replace('"judged": []', f'"judged": [{str(row).replace(chr(39), chr(34))}]')
    (tmp_path / "first.json").write_text(changed)
    second = eznas.export("first.json", "second.json")
    assert second["sketch_batch"] == 5
    assert second["judged"] == [row]
    assert second["fingerprint"] == first["fingerprint"]
    assert eznas.load("second.json").sketch_batch == 5


def test_export_replaces_a_file_whole(tmp_path):
    (tmp_path / "mine.json").write_text("old")
    eznas.export("params", "mine.json")
    assert eznas.load("mine.json").name == "params"
    assert [p.name for p in tmp_path.glob("*mine*")] == ["mine.json"]


@pytest.mark.parametrize(
    "options",
    [
        {"input_size": (1, 32, 32)},
        {"input_size": (3, 32, 16)},
        {"batch": 1},
        {"init": "he"},
        {"device": "nonsense"},
        {"images": "nothing.npz"},
    ],
)
def test_what_a_proxy_cannot_score_under(options):
    with pytest.raises(eznas.InputError):
        eznas.load("params").score(model(), **options)
