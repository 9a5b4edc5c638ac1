"""The Python interface: the same numbers as the command line, and models left as they were."""

import copy
import json
import math
import sys

import numpy as np
import pytest
import torch
from eznas.ground import ground, sampled
from torch import nn

import eznas
import eznas.evaluation.evaluator
from eznas import api
from eznas.metrics import Row, kendall
from eznas.proxies.proxy import RAW_BATCH, SKETCH_BATCH
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


SMALL = "ImageNet16-120"  # the smallest images


def correlation(*proxies: str, **options) -> eznas.Correlation:
    defaults = {"datasets": [SMALL], "networks": 8, "raw": 2, "sketch": 4, "replicates": 50}
    return eznas.correlate(proxies, **(defaults | options))


def correlate(*proxies: str, **options) -> list[Row]:
    return correlation(*proxies, **options).rows


def test_correlate_takes_formulas_and_names():
    rows = correlate("params", "log(params)", "-1.0 * params")
    assert [r["proxy"] for r in rows] == ["params", "log(params)", "-1.0 * params"]
    assert rows[0]["tau"] == rows[1]["tau"]
    assert rows[2]["tau"] == pytest.approx(-rows[0]["tau"])


def test_correlate_does_not_depend_on_company_or_data_sets():
    [alone] = correlate("naswot")
    both = correlate("naswot", "params", datasets=["cifar10", SMALL])
    assert next(r for r in both if (r["proxy"], r["dataset"]) == ("naswot", SMALL)) == alone


def test_correlate_averages_scores_over_initialisations():
    """Against scores of each network on its own, under each seed, averaged here."""
    whole = ground("nasbench201", ["cifar10"])
    sample = sampled(whole, "all", 8, 1)
    networks = [SPACES["nasbench201"].build(a) for a in sample.architectures]
    loaded = eznas.load("naswot")
    scores = np.array(
        [[loaded.score(n, batch=4, init="kaiming", seed=s) for n in networks] for s in (1, 2)]
    )
    found = correlation("naswot", seed=1, initialisations=2, datasets=["cifar10"])
    [row] = found.rows
    assert row["seeds"] == [1, 2]
    accuracies = sample.accuracies["cifar10"]
    assert row["tau"] == pytest.approx(kendall(scores.mean(0), accuracies))
    assert found.scored.sample.architectures == sample.architectures
    # The images of `score` follow its seed; those of a sample are the same for all seeds.
    np.testing.assert_allclose(found.scored.scores["cifar10"][:, 0], scores, rtol=0.05)
    first, second = found.scored.scores["cifar10"][:, 0]
    taus = [kendall(s, accuracies) for s in (first, second)]
    assert row["variation"] == {
        "mean": pytest.approx(np.mean(taus)),
        "deviation": pytest.approx(np.std(taus, ddof=1)),
        "agreement": pytest.approx(kendall(first, second)),
    }


def test_what_was_not_asked_for_is_not_there():
    found = correlation("params")
    assert found.difference == []
    assert not {"seconds", "variation"} & set(found.rows[0])


def test_an_undefined_variation_is_none():
    [row] = correlate("2.0 * exp(exp(params))", initialisations=2)
    assert row["variation"] == {"mean": None, "deviation": None, "agreement": None}
    json.dumps(row, allow_nan=False)


@pytest.mark.parametrize("listed", [True, False])
def test_the_difference_from_one_proxy(listed):
    names = ["params", "live_params", "depth"]
    given = names if listed else names[::2]
    found = correlation(*given, against="live_params", datasets=["cifar10", SMALL])
    assert {r["proxy"] for r in found.rows} == set(names)
    assert len(found.rows) == 6
    cells = {(r["proxy"], r["dataset"]): r for r in found.rows}
    assert [(d["against"], d["dataset"]) for d in found.difference] == [
        (name, dataset) for name in ("params", "depth") for dataset in ("cifar10", SMALL)
    ]
    for row in found.difference:
        own, other = (cells[p, row["dataset"]] for p in ("live_params", row["against"]))
        for key in ("tau", "rho"):
            assert row[key] == pytest.approx(own[key] - other[key])
        assert row["low"] <= row["tau"] <= row["high"]
        assert row["rho_low"] <= row["rho"] <= row["rho_high"]


@pytest.fixture
def unmeasured(monkeypatch):
    """Nothing can be measured."""

    def fails(*_):
        raise AssertionError("a network was measured")

    monkeypatch.setattr(eznas.evaluation.evaluator, "measure", fails)


@pytest.mark.parametrize("against", ["classics", "", "prams"])
@pytest.mark.usefixtures("unmeasured")
def test_against_what_is_no_proxy(against):
    with pytest.raises(eznas.InputError, match=f"unknown proxy '{against}'"):
        correlate("params", against=against)


def test_proxies_of_one_name_are_told_apart(tmp_path):
    """A file holds the name that its proxy was exported under, whatever formula is in it by now."""
    eznas.export("params", "mine.json")
    text = (tmp_path / "mine.json").read_text()
    text = text.replace('"formula": "params"', '"formula": "-1.0 * params"')
    (tmp_path / "mine.json").write_text(text)
    assert [r["proxy"] for r in correlate(" mine.json ")] == ["params"]
    found = correlation("params", "mine.json", against="mine.json")
    assert [r["proxy"] for r in found.rows] == found.scored.names == ["params", "mine.json"]
    assert found.rows[1]["tau"] == pytest.approx(-found.rows[0]["tau"])
    [row] = found.difference
    assert row["against"] == "params"
    assert row["tau"] == pytest.approx(2 * found.rows[1]["tau"])


def test_a_proxy_counts_once():
    rows = correlate("params", " params", "depth", "params")
    assert [r["proxy"] for r in rows] == ["params", "depth"]


def test_classics_stand_for_all_of_them(monkeypatch):
    some = {name: api.CLASSICS[name] for name in ("flops", "depth")}
    monkeypatch.setattr(api, "CLASSICS", some)
    rows = correlate("log(params)", "classics", "flops")
    assert [r["proxy"] for r in rows] == ["log(params)", "flops", "depth"]


def test_seconds_are_of_a_proxy_by_itself():
    rows = correlate("params", "naswot", timed=2, datasets=["cifar10", SMALL])
    seconds = {(r["proxy"], r["dataset"]): r["seconds"] for r in rows}
    assert seconds["naswot", "cifar10"] == seconds["naswot", SMALL] > 0
    assert seconds["params", "cifar10"] == seconds["params", SMALL] > 0
    assert seconds["naswot", SMALL] != seconds["params", SMALL]


def png(path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_a_correlation_can_be_drawn(tmp_path):
    found = correlation("params", "-1.0 * params")
    assert found.plot("mine.PNG") == ["mine.PNG", "mine-tau.PNG"]
    for name in ("mine.PNG", "mine-tau.PNG"):
        assert png(tmp_path / name)
    with pytest.raises(eznas.InputError, match=r"mine\.pdf: plots are PNG files"):
        found.plot("mine.pdf")
    assert len(list(tmp_path.glob("mine*"))) == 2


def test_records_change_no_row(monkeypatch):
    plain = correlate("naswot", "depth")
    recorded = [correlate(*p, records="records") for p in (["naswot"], ["depth", "naswot"])]
    assert recorded[0] == plain[:1]
    assert recorded[1] == plain[::-1]

    def fails(*_):
        raise AssertionError("a network was measured")

    monkeypatch.setattr(eznas.evaluation.evaluator, "measure", fails)
    assert correlate("naswot", "depth", records="records") == plain


def published(names: str, architectures, *columns) -> str:
    """A file of published scores."""
    rows = [",".join(map(str, row)) for row in zip(architectures, *columns, strict=True)]
    with open("scores.csv", "w") as file:
        file.write("\n".join([f"architecture,{names}", *rows]))
    return "scores.csv"


def agree(*proxies: str, **options) -> list[dict]:
    defaults = {"networks": None, "raw": 2, "sketch": 4, "datasets": [SMALL]}
    return eznas.agree("scores.csv", proxies, **(defaults | options))


def test_agree_compares_all_that_the_file_names():
    sample = ARCHITECTURES[300:15_600:2_200]
    models = [SPACES["nasbench201"].build(a, 120) for a in sample]
    params = [sum(p.numel() for p in m.parameters()) for m in models]
    noise = [(i * 5) % 7 for i in range(7)]
    published(f"params,{SMALL}_flops,cifar10_naswot,loss", sample, params, noise, noise, noise)
    rows = agree()
    assert [(r["proxy"], r["published"]) for r in rows] == [
        ("params", "params"),
        ("operations", f"{SMALL}_flops"),
    ]
    assert (rows[0]["rho"], rows[0]["networks"]) == (1, 7)
    assert all(r["between_seeds"] is None and r["dataset"] == SMALL for r in rows)
    assert agree("operations", " operations ") == rows[1:]
    [few] = agree("params", networks=5)
    assert few["networks"] == 5
    [several] = agree("params", initialisations=2)
    assert several["between_seeds"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"networks": 1}, "networks 1: expected 2 to 3, as the file has"),
        ({"networks": 4}, "networks 4: expected 2 to 3, as the file has"),
        ({"datasets": ["cifar11"]}, "dataset 'cifar11'"),
        ({"space": "nasbench"}, "unknown space 'nasbench'; did you mean 'nasbench201'"),
        ({"proxies": ["naswto"]}, "unknown published column 'naswto'"),
        ({"proxies": ["jacob_cov"]}, "unknown published column 'jacob_cov'"),
        ({"proxies": ["naswot"], "datasets": ["cifar10"]}, "unknown published column 'naswot'"),
        ({"datasets": ["cifar10"]}, r"scores\.csv: no published proxy's scores for cifar10"),
    ],
)
@pytest.mark.usefixtures("unmeasured")
def test_agree_with_what_is_not_there(options, message):
    published(f"{SMALL}_naswot,loss", ARCHITECTURES[:3], [1, 2, 3], [1, 2, 3])
    with pytest.raises(eznas.InputError, match=message) as caught:
        agree(*options.pop("proxies", ()), **options)
    assert "\n" not in str(caught.value)


LESS = "-sum_layers(ones(layer_params))"  # less layers are better


def test_a_blend_goes_from_one_proxy_to_the_other(tmp_path):
    options = {"datasets": ["cifar10", SMALL], "networks": 8, "sketch": 4, "seed": 2}
    found = eznas.blend(LESS, "params", steps=4, set_name="connected", **options)
    assert (found.first, found.second) == (LESS, "params")
    assert found.weights == [0, 0.25, 0.5, 0.75, 1]
    rows = correlate(LESS, "params", set_name="connected", **options)
    for dataset, taus in found.tau.items():
        first, second = (r["tau"] for r in rows if r["dataset"] == dataset)
        assert (taus[0], taus[-1]) == (second, first)
        assert len(set(taus)) > 2
        assert all(-1 <= tau <= 1 for tau in taus)
    assert found.plot("blend.png") == ["blend.png"]
    assert png(tmp_path / "blend.png")


def test_an_undefined_blend_is_none_and_can_be_drawn(tmp_path):
    options = {"datasets": [SMALL], "networks": 4, "sketch": 4, "steps": 1}
    found = eznas.blend("2.0 * exp(exp(params))", "params", **options)
    assert found.tau == {SMALL: [None, None]}
    found.plot("blend.png")
    assert png(tmp_path / "blend.png")


def test_words_are_measured_as_asked(monkeypatch):
    asked = []
    monkeypatch.setattr(api, "ranked_words", lambda *given: asked.append(given) or ([], []))
    assert eznas.words() == ([], [])
    assert eznas.words(seed=3, sketch=8, raw=2, device="cpu", workers=2) == ([], [])
    (space, how, batches, _), (_, other, others, _) = asked
    assert (space, how.seeds, batches) == ("nasbench201", (0,), (RAW_BATCH, SKETCH_BATCH))
    assert (other.seeds, other.workers, others) == ((3,), 2, (2, 8))


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
