"""Searches in benchmarks and in files of accuracies, and what they cannot do."""

import numpy as np
import pytest

import eznas
from eznas.benchmarks import Table
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.store import Origin, store
from eznas.errors import InputError
from eznas.search.costs import Cost
from eznas.spaces import SPACES
from eznas.studies import search as module
from tests.studies.made_up import is_png

SPACE = SPACES["nasbench-macro"]
SAMPLE = SPACE.sample(60, seed=0)
BENCHMARK = load_benchmark("nasbench201", ["cifar10"])
ACCURACY = dict(zip(BENCHMARK.architectures, BENCHMARK.accuracies["cifar10"].tolist(), strict=True))


@pytest.fixture(autouse=True)
def unmeasured_costs(monkeypatch):
    """Costs without measuring: the number of convolutions of each kernel."""

    def cost(costs, architecture):
        large, small = architecture.count("3x3"), architecture.count("1x1")
        return Cost(9 * large + small, 900 * large + 100 * small)

    monkeypatch.setattr(module.Costs, "_measured", cost)


@pytest.fixture
def labels(folder):
    """A user's accuracies of networks of NAS-Bench-Macro: the sum of the digits."""
    rows = [f"{a},{50 + sum(map(int, a))}" for a in SAMPLE]
    (folder / "mine.csv").write_text("\n".join(["architecture,accuracy", *rows]))
    return {"space": "nasbench-macro", "labels": "mine.csv", "queries": 20}


def test_another_table_of_a_space(tmp_path, monkeypatch):
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path))
    runs = {a: (50.0 + i,) for i, a in enumerate(SAMPLE)}
    store(Table("nasbench-macro", "surrogate", {"cifar10": runs}), Origin("a", ""), "mine")
    result = eznas.search_architectures("random", space="nasbench-macro:mine", queries=5)
    assert (result.space, result.kind, len(result.repeats[0])) == ("nasbench-macro", "surrogate", 5)


@pytest.mark.parametrize("method", ["random", "evolution"])
def test_accuracies_are_those_of_the_benchmark(method):
    result = eznas.search_architectures(method, queries=30, repeats=2)
    assert result.best_known == max(ACCURACY.values())
    assert (result.space, result.dataset, result.kind) == ("nasbench201", "cifar10", "validation")
    for repeat in result.repeats:
        assert len(repeat) == 30
        assert all(q.accuracy == ACCURACY[q.architecture] for q in repeat)
    assert [q.cost is None for q in (result.repeats[0][0], result.repeats[1][0])] == [False, True]


def test_ageing_evolution_is_ahead_of_random_search_in_pairs():
    """All repeats begin with the same 25 networks."""
    first, second = (
        eznas.search_architectures(m, repeats=12, queries=150) for m in ("evolution", "random")
    )
    difference = eznas.compare_searches(first, second)
    assert (difference.mean[:25] == 0).all()
    assert difference.low[-1] > 0


def test_a_file_of_accuracies_is_all_there_is(labels):
    result = eznas.search_architectures("evolution", **labels)
    assert {q.architecture for q in result.repeats[0]} <= set(SAMPLE)
    assert result.kind == "given"
    assert result.best_known == max(50 + sum(map(int, a)) for a in SAMPLE)


def test_guided_by_a_named_predictor_in_a_file(labels):
    guided = eznas.search_architectures("guided", predictor="linear", repeats=4, **labels)
    chance = eznas.search_architectures("random", repeats=4, **labels)
    assert guided.best_so_far[:, -1].mean() > chance.best_so_far[:, -1].mean()


def test_no_network_is_beyond_a_limit():
    result = eznas.search_architectures("evolution", queries=40, max_params=20, max_flops=1900)
    costs = [q.cost for q in result.repeats[0]]
    assert all(c.params <= 20 and c.flops <= 1900 for c in costs)
    assert max(c.params for c in costs) == 19
    small = [a for a in ACCURACY if 9 * a.count("3x3") + a.count("1x1") <= 19]
    assert result.best_known == max(ACCURACY[a] for a in small)


def test_what_is_best_within_narrow_limits_is_not_sought(monkeypatch):
    monkeypatch.setattr(module, "TRIED", 3)
    result = eznas.search_architectures("random", queries=2, max_params=1)
    assert result.best_known is result.regret is None


def test_proxies_are_measured_once_and_rank_the_pool():
    result = eznas.search_architectures(
        "proxies", dataset="ImageNet16-120", proxies=["params"], pool=6, queries=6, sketch=2, raw=2
    )
    sizes = [
        eznas.load("params").score(SPACES["nasbench201"].build(q.architecture), batch=2)
        for q in result.repeats[0]
    ]
    assert sizes == sorted(sizes, reverse=True)


def test_progress_counts_the_queries_of_all_repeats():
    calls = []

    class Watcher:
        def phase(self, name, networks):
            calls.append(name)
            return lambda done, total: calls.append((done, total))

    eznas.search_architectures("random", queries=5, repeats=2, watcher=Watcher())
    searched, costs = calls[:3], calls[3:]
    assert searched == ["random search: 2 times 5 queries", (5, 10), (10, 10)]
    assert costs == ["what these networks cost", *((i, 5) for i in range(1, 6))]


def test_plot():
    result = eznas.search_architectures("random", queries=5, repeats=2)
    assert module.plot(result, "curve.png") == ["curve.png"]
    assert is_png("curve.png")


@pytest.mark.parametrize(
    ("method", "values", "message"),
    [
        ("randon", {}, "unknown search method 'randon'; did you mean 'random'"),
        ("random", {"queries": 0}, "queries 0: expected 1 to 15625, the networks that have"),
        ("random", {"queries": 15626}, "queries 15626: expected 1 to 15625"),
        ("random", {"repeats": 0}, "repeats 0: expected 1 or more"),
        ("random", {"dataset": "cifar11"}, "dataset 'cifar11'; did you mean 'cifar10'"),
        ("random", {"space": "nasbench"}, "unknown space 'nasbench'"),
        ("random", {"labels": "none.csv"}, "none.csv: cannot be read"),
        ("random", {"max_flops": -1}, "limit on flops -1: expected a number above 0"),
        ("random", {"max_params": 0.5, "queries": 3}, "no network .* the least is params 1"),
        ("guided", {"batch": 0}, "batch 0"),
        ("guided", {"pool": 0}, "pool 0"),
        ("guided", {"acquisition": "eu"}, "unknown acquisition 'eu'; known: ei, its, mean, ucb"),
        ("guided", {"predictor": "linaer"}, "unknown predictor 'linaer'; did you mean 'linear'"),
        ("guided", {"warm_start": ["prams"]}, "unknown proxy 'prams'; did you mean 'params'"),
        ("proxies", {}, "search method proxies: expected one or more proxies"),
        ("proxies", {"proxies": ["prams"]}, "unknown proxy 'prams'"),
    ],
)
def test_bad_arguments(method, values, message, monkeypatch):
    if "max_params" in values:
        monkeypatch.setattr(module.Costs, "_measured", lambda *_: Cost(1, 2))
    with pytest.raises(eznas.InputError, match=message):
        eznas.search_architectures(method, **values)


def test_the_same_seed_gives_the_same_result():
    one, same, other = (
        eznas.search_architectures("evolution", queries=40, seed=seed).best_so_far
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_proxies_that_the_predictor_does_not_read_are_not_silently_left_aside():
    with pytest.raises(InputError, match="predictor extra_trees: has no feature proxies"):
        eznas.search_architectures("guided", queries=12, proxies=["params"])


def write_scores(folder, architectures):
    rows = [f"{a},{sum(map(int, a))}" for a in architectures]
    (folder / "scores.csv").write_text("\n".join(["architecture,naswot", *rows]))


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("proxies", {}),
        ("guided", {"predictor": "linear[encoding]", "warm_start": ["naswot"]}),
        ("guided", {"predictor": "linear[naswot]"}),
    ],
)
def test_networks_without_scores_in_the_file_are_not_searched(folder, labels, method, options):
    """Nothing stands in for a score that the file does not have, and the result says so."""
    write_scores(folder, SAMPLE[:30])
    proxies = {"proxies": ["naswot"]} if method == "proxies" else {}
    result = eznas.search_architectures(method, scores="scores.csv", **labels, **options, **proxies)
    assert {q.architecture for q in result.repeats[0]} <= set(SAMPLE[:30])
    assert result.within == "the 30 networks that have scores"
    write_scores(folder, SAMPLE[:19])
    with pytest.raises(InputError, match="queries 20: expected 1 to 19, the networks whose scores"):
        eznas.search_architectures(method, scores="scores.csv", **labels, **options, **proxies)


def test_all_networks_are_searched_where_every_one_has_scores(folder, labels):
    write_scores(folder, SAMPLE)
    options = {"scores": "scores.csv", "proxies": ["naswot"]}
    assert eznas.search_architectures("proxies", **labels, **options).within is None


def test_looking_for_networks_within_the_limits_is_shown(monkeypatch):
    monkeypatch.setattr(module.Costs, "_measured", lambda *_: Cost(9, 900))
    phases = Phased()
    with pytest.raises(InputError, match="no network"):
        eznas.search_architectures("random", queries=2, max_params=8, watcher=phases)
    assert phases.names[-1] == "what networks cost, to find those that have params at most 8"
    assert phases.reports[-1] == (15625, 15625)


class Phased:
    """Phases that remember what they hear of."""

    def __init__(self):
        self.names, self.reports = [], []

    def phase(self, name, networks):
        self.names.append(name)
        return lambda *report: self.reports.append(report)
