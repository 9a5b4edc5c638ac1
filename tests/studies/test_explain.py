"""What a formula computes: shares and ablations against figures computed here."""

import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest
from torch import nn

import eznas
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.subsets import named_set
from eznas.errors import InputError
from eznas.metrics import kendall
from eznas.proxies.loading import describe
from eznas.studies.formula_sample import FormulaSample

FORMULA = "2.0 * log(params) + 0.5 * paths_count - 0.001 * sum_layers(layer_kernel) + 3.0"
PARTS = {"log(params)": 2.0, "paths_count": 0.5, "sum_layers(layer_kernel)": -0.001}


def net(width: int, depth: int) -> nn.Module:
    layers: list[nn.Module] = []
    for index in range(depth):
        layers += [nn.Conv2d(width if index else 1, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 3))


MODELS = [net(w, d) for w in (2, 3, 4, 6) for d in (1, 2, 3)]
ACCURACIES = [10.0 * d + w for w in (2, 3, 4, 6) for d in (1, 2, 3)]


def own(formula: str) -> eznas.Explanation:
    return eznas.explain(formula, models=MODELS, accuracies=ACCURACIES, input_size=(1, 6, 6))


def scores(formula: str) -> np.ndarray:
    return np.array([eznas.load(formula).score(model, (1, 6, 6)) for model in MODELS])


@pytest.fixture(scope="module")
def explained() -> eznas.Explanation:
    return own(FORMULA)


def test_it_is_text_and_numbers(explained):
    json.dumps(asdict(explained), allow_nan=False)
    assert (explained.kind, explained.formula) == ("sum", eznas.load(FORMULA).formula.text)
    assert explained.sets == [
        {"space": "models", "networks": 12, "set": "all", "accuracy": "given"}
    ]
    assert {row["statistic"] for row in explained.statistics} == {
        "params",
        "paths_count",
        "layer_kernel",
    }
    assert all(row["meaning"] and row["probe"] == "structure" for row in explained.statistics)


def test_tau_lost_without_a_part_and_its_share(explained):
    total = scores(FORMULA)
    tau = kendall(total, ACCURACIES)
    assert explained.mean_tau == explained.tau["accuracy"] == pytest.approx(tau)
    rows = {row["formula"]: row for row in explained.parts}
    assert {text: row["weight"] for text, row in rows.items()} == PARTS
    for text, weight in PARTS.items():
        values = weight * scores(text)
        lost = tau - kendall(np.round(total - values, 9), ACCURACIES)
        assert rows[text]["lost"] == pytest.approx(lost)
        assert rows[text]["low"] <= lost <= rows[text]["high"]
        alone = kendall(values, ACCURACIES)
        assert rows[text]["alone"] == (None if np.isnan(alone) else pytest.approx(alone))
        share = np.cov(values, total)[0, 1] / total.var(ddof=1)
        assert rows[text]["share"] == pytest.approx(share)
    assert sum(row["share"] for row in explained.parts) == pytest.approx(1)
    losses = [row["lost"] for row in explained.parts]
    assert losses == sorted(losses, reverse=True)


def test_the_core_loses_next_to_nothing(explained):
    core = explained.core
    assert core["tau"] >= explained.mean_tau - 0.005
    assert kendall(scores(core["formula"]), ACCURACIES) == pytest.approx(core["tau"])
    kept = [row["formula"] for row in explained.parts if not row["spared"]]
    assert 0 < len(kept) == core["parts"] < len(PARTS)
    assert set(eznas.load(core["formula"]).formula.statistics()) == {
        statistic for row in explained.parts if not row["spared"] for statistic in row["statistics"]
    }


def test_a_product():
    result = own("-1.0 * (params / paths_length_max)")
    assert result.kind == "product"
    rows = {row["formula"]: row for row in result.parts}
    assert rows.keys() == {"params", "reciprocal(paths_length_max)"}
    without = kendall(-1 / scores("paths_length_max"), ACCURACIES)
    lost = kendall(-scores("params") / scores("paths_length_max"), ACCURACIES) - without
    assert rows["params"]["lost"] == pytest.approx(lost)
    assert sum(row["share"] for row in result.parts) == pytest.approx(1)


def test_what_does_not_change_is_said_and_left_out():
    result = own("params + 2.0 * max_layers(layer_kernel) + log(params) * last_layer(layer_kernel)")
    assert result.constants == {"last_layer(layer_kernel)": 1.0, "max_layers(layer_kernel)": 3.0}
    assert eznas.load(result.reduced).formula.canonical == (
        eznas.load("params + log(params) * 1.0").formula.canonical
    )
    [constant] = [row for row in result.parts if row["constant"]]
    assert constant["formula"] == "max_layers(layer_kernel)"
    assert (constant["lost"], constant["share"]) == (0.0, 0.0)
    same = own("max_layers(layer_kernel)")
    assert (same.reduced, same.mean_tau, same.kind) == ("", None, "single")


@pytest.mark.parametrize(
    ("formula", "reduced"),
    [
        ("(1.0 - first_layer(layer_kernel)) * params", "neg(params)"),  # -2 times
        ("(first_layer(layer_kernel) - 1.0) * params", "params"),
        ("-1.0 * ((1.0 - first_layer(layer_kernel)) * params)", "params"),
        ("(1.0 - first_layer(layer_kernel)) * (2.0 - max_layers(layer_kernel)) * params", "params"),
        ("(3.0 - first_layer(layer_kernel)) * params", ""),  # 0 times
    ],
)
def test_a_product_keeps_the_sign_of_constant_factors(formula, reduced):
    result = own(formula)
    assert result.kind == "product"
    if not reduced:
        assert (result.reduced, result.mean_tau) == ("", None)
        return
    assert eznas.load(result.reduced).formula.canonical == eznas.load(reduced).formula.canonical
    assert kendall(scores(result.reduced), ACCURACIES) == pytest.approx(result.mean_tau)


def test_networks_of_the_search_part():
    result = eznas.explain("params", networks=8, seed=2)
    sample = named_set(load_benchmark("nasbench201"), "search", 8, 2)
    assert result.sets[0]["networks"] == 8
    params = [eznas.load("params").score(eznas.SPACES["nasbench201"].build(a))
              for a in sample.architectures]  # fmt: skip
    tau = kendall(params, sample.accuracies["cifar10"])
    assert result.tau["cifar10"] == pytest.approx(tau)
    assert result.core is result.reduced is None


def test_a_formula_of_a_run_is_explained_on_networks_that_it_was_not_searched_on(
    finished_run, folder
):
    shutil.copytree(finished_run.home / "runs", folder / "runs")
    run = finished_run.result.run
    result = eznas.explain(f"{run}#1", networks=8)
    [of_space] = result.sets
    assert (of_space["set"], of_space["networks"]) == ("search part, not searched", 8)
    assert list(result.tau) == ["ImageNet16-120"]
    front = eznas.front(run, networks=8)
    [row] = [row for row in front.rows if row["number"] == 1]
    assert result.mean_tau == pytest.approx(row["fitness"])
    assert "seen" not in of_space  # none of these networks
    [of_space] = eznas.explain(f"{run}#1", space="nasbench201", networks=4).sets
    assert of_space["seen"] == 24  # TINY: 16 searched on, 8 to choose the champion


def test_accuracies_that_the_search_of_a_discovered_proxy_has_seen(monkeypatch):
    known = describe("nasbench201-a").labels
    monkeypatch.setattr(FormulaSample, "of", lambda proxy, benchmarks, *rest: benchmarks)

    def sets_only(proxy, benchmarks):
        row = {"space": benchmarks[0].space}
        return eznas.Explanation("", "", "single", [row], {}, None, [], None, {}, None, [])

    monkeypatch.setattr("eznas.studies.explain.explained", sets_only)
    seen = {"space": "nasbench201", "seen": known["nasbench201"]}
    assert eznas.explain("nasbench201-a", networks=4).sets == [seen]
    assert eznas.explain("nasbench201-a", networks=4, space="nasbench201").sets == [seen]
    assert eznas.explain("naap440-a", networks=4, space="nasbench201").sets == [
        {"space": "nasbench201"}
    ]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"proxy": "parms"}, "did you mean 'params'"),
        ({"proxy": "params", "networks": 1}, "networks"),
        ({"proxy": "params", "space": "nasbench20"}, "did you mean"),
    ],
)
def test_bad_input(arguments, problem):
    with pytest.raises(InputError, match=problem):
        eznas.explain(**arguments)
