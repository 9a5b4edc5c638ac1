"""Correlation of proxies with accuracy: rows, differences, variation, plots, a feature store."""

import json

import numpy as np
import pytest

import eznas
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.subsets import named_set
from eznas.metrics import Row, kendall
from eznas.proxies.classics import CLASSICS
from eznas.spaces import SPACES
from eznas.studies import correlate as module
from tests.studies.made_up import SMALL, is_png


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


@pytest.mark.usefixtures("in_full")
def test_correlate_averages_scores_over_initialisations():
    """Against scores of each network by itself, with each seed, averaged here."""
    benchmark = named_set(load_benchmark("nasbench201", ["cifar10"]), "all", 8, 1)
    networks = [SPACES["nasbench201"].build(a) for a in benchmark.architectures]
    loaded = eznas.load("naswot")
    scores = np.array(
        [[loaded.score(n, batch=4, init="kaiming", seed=s) for n in networks] for s in (1, 2)]
    )
    result = correlation("naswot", seed=1, initialisations=2, datasets=["cifar10"])
    [row] = result.rows
    assert row["seeds"] == [1, 2]
    accuracies = benchmark.accuracies["cifar10"]
    assert row["tau"] == pytest.approx(kendall(scores.mean(0), accuracies))
    assert result.scored.benchmark.architectures == benchmark.architectures
    # The images of `score` follow its seed; those of a sample are the same for all seeds.
    np.testing.assert_allclose(result.scored.scores["cifar10"][:, 0], scores, rtol=0.05)
    first, second = result.scored.scores["cifar10"][:, 0]
    taus = [kendall(s, accuracies) for s in (first, second)]
    assert row["variation"] == {
        "mean": pytest.approx(np.mean(taus)),
        "deviation": pytest.approx(np.std(taus, ddof=1)),
        "agreement": pytest.approx(kendall(first, second)),
    }


def test_options_that_are_not_given_add_nothing():
    result = correlation("params")
    assert result.difference == []
    assert not {"seconds", "variation"} & set(result.rows[0])


def test_an_undefined_variation_is_none():
    [row] = correlate("2.0 * exp(exp(params))", initialisations=2)
    assert row["variation"] == {"mean": None, "deviation": None, "agreement": None}
    json.dumps(row, allow_nan=False)


@pytest.mark.parametrize("listed", [True, False])
def test_the_difference_from_one_proxy(listed):
    names = ["params", "live_params", "depth"]
    proxies = names if listed else names[::2]
    result = correlation(*proxies, against="live_params", datasets=["cifar10", SMALL])
    assert {r["proxy"] for r in result.rows} == set(names)
    assert len(result.rows) == 6
    rows = {(r["proxy"], r["dataset"]): r for r in result.rows}
    assert [(d["against"], d["dataset"]) for d in result.difference] == [
        (name, dataset) for name in ("params", "depth") for dataset in ("cifar10", SMALL, "mean")
    ]
    for name in names:
        of_name = [r for r in result.rows if r["proxy"] == name]
        rows[name, "mean"] = {k: (of_name[0][k] + of_name[1][k]) / 2 for k in ("tau", "rho")}
    for difference in result.difference:
        dataset = difference["dataset"]
        row, other = rows["live_params", dataset], rows[difference["against"], dataset]
        for key in ("tau", "rho"):
            assert difference[key] == pytest.approx(row[key] - other[key])
        assert difference["low"] <= difference["tau"] <= difference["high"]
        assert difference["rho_low"] <= difference["rho"] <= difference["rho_high"]


@pytest.mark.parametrize("against", ["classics", "", "prams"])
@pytest.mark.usefixtures("unmeasured")
def test_against_an_unknown_proxy(against):
    with pytest.raises(eznas.InputError, match=f"unknown proxy '{against}'"):
        correlate("params", against=against)


def test_proxies_of_one_name_are_distinguished(tmp_path):
    """A file holds the name that its proxy was exported under, whatever formula is in it by now."""
    eznas.export("params", "mine.json")
    text = (tmp_path / "mine.json").read_text()
    text = text.replace('"formula": "params"', '"formula": "-1.0 * params"')
    (tmp_path / "mine.json").write_text(text)
    assert [r["proxy"] for r in correlate(" mine.json ")] == ["params"]
    result = correlation("params", "mine.json", against="mine.json")
    assert [r["proxy"] for r in result.rows] == result.scored.names == ["params", "mine.json"]
    assert result.rows[1]["tau"] == pytest.approx(-result.rows[0]["tau"])
    [difference] = result.difference
    assert difference["against"] == "params"
    assert difference["tau"] == pytest.approx(2 * result.rows[1]["tau"])


def test_a_proxy_counts_once():
    rows = correlate("params", " params", "depth", "params")
    assert [r["proxy"] for r in rows] == ["params", "depth"]


def test_classics_stand_for_all_of_them(monkeypatch):
    classics = {name: CLASSICS[name] for name in ("flops", "depth")}
    monkeypatch.setattr(module, "CLASSICS", classics)
    rows = correlate("log(params)", "classics", "flops")
    assert [r["proxy"] for r in rows] == ["log(params)", "flops", "depth"]


def test_seconds_are_of_a_proxy_by_itself():
    rows = correlate("params", "naswot", timed=2, datasets=["cifar10", SMALL])
    seconds = {(r["proxy"], r["dataset"]): r["seconds"] for r in rows}
    assert seconds["naswot", "cifar10"] == seconds["naswot", SMALL] > 0
    assert seconds["params", "cifar10"] == seconds["params", SMALL] > 0
    assert seconds["naswot", SMALL] != seconds["params", SMALL]


def test_a_correlation_can_be_drawn(tmp_path):
    result = correlation("params", "-1.0 * params")
    assert result.plot("mine.PNG") == ["mine.PNG", "mine-tau.PNG"]
    assert is_png("mine.PNG")
    assert is_png("mine-tau.PNG")
    with pytest.raises(eznas.InputError, match=r"mine\.pdf: plots are PNG files"):
        result.plot("mine.pdf")
    assert len(list(tmp_path.glob("mine*"))) == 2


def test_a_feature_store_changes_no_row(forbid_measuring):
    rows = correlate("naswot", "depth")
    assert correlate("naswot", records="records") == rows[:1]
    assert correlate("depth", "naswot", records="records") == rows[::-1]
    forbid_measuring()
    assert correlate("naswot", "depth", records="records") == rows
