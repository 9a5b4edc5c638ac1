"""Rows: their labels and numbers, what is undefined in them, and what is refused."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from eznas import metrics
from eznas.errors import InputError
from tests.metrics.made_up import METRICS, NAN, ROW, noisy, same


@pytest.fixture
def results():
    scores, accuracies, components = noisy(400, 3)
    scores[2, 1:] = NAN
    return metrics.bootstrap_all(
        {"cifar10": scores, "cifar100": -scores},
        {"cifar10": accuracies, "cifar100": accuracies},
        components,
        replicates=200,
        seed=4,
        sizes=sizes(400),
    )


def sizes(networks):
    return np.random.default_rng(8).integers(30, size=(2, networks))


NAMES = ["champion", "params", "broken"]
LABELS = {"set_name": "connected", "accuracy": "validation", "seeds": (0, 1)}


def test_rows_are_labelled(results):
    rows = metrics.correlation_rows(NAMES, results, **LABELS)
    assert [(row["proxy"], row["dataset"]) for row in rows] == list(
        itertools.product(NAMES, ["cifar10", "cifar100"])
    )
    first = rows[0]
    assert list(first) == ROW
    result = results["cifar10"]
    assert (first["tau"], first["rho"]) == (result.values["tau"][0], result.values["rho"][0])
    assert (first["tau_low"], first["tau_high"]) == metrics.interval(result.replicates["tau"][0])
    assert (first["rho_low"], first["rho_high"]) == metrics.interval(result.replicates["rho"][0])
    labels = {key: first[key] for key in ("networks", "set", "accuracy", "seeds")}
    assert labels == {
        "networks": 400,
        "set": "connected",
        "accuracy": "validation",
        "seeds": [0, 1],
    }


def test_rows_have_the_other_metrics(results):
    for row in metrics.correlation_rows(NAMES, results, **LABELS)[:4]:
        result, index = results[row["dataset"]], NAMES.index(row["proxy"])
        for name in METRICS:
            assert row[name] == result.values[name][index]
        intervals = {key.removesuffix("_low") for key in row if key.endswith("_low")}
        assert intervals == {"tau", "rho", "partial_rho", "top10_rho", "ndcg", "regret1"}
        for name in intervals:
            low, high = row[f"{name}_low"], row[f"{name}_high"]
            assert (low, high) == metrics.interval(result.replicates[name][index])
            assert low < high


def test_rows_without_sizes_have_no_partial_rho():
    scores, accuracies, components = noisy(50, 1)
    results = metrics.bootstrap_all({"d": scores}, {"d": accuracies}, components, replicates=20)
    (row,) = metrics.correlation_rows(["proxy"], results, **LABELS)
    missing = {key for key, value in row.items() if value is None}
    assert missing == {"partial_rho", "partial_rho_low", "partial_rho_high"}
    json.dumps(row, allow_nan=False)


def test_rows_of_a_bare_bootstrap():
    half = np.array([0.5])
    names = ("tau", "rho")
    values, replicates = dict.fromkeys(names, half), dict.fromkeys(names, half[None])
    bare = metrics.Bootstrap(half[None], half, np.ones((1, 1), int), values, replicates)
    (row,) = metrics.correlation_rows(["proxy"], {"d": bare}, **LABELS)
    assert (row["tau"], row["rho_low"], row["ndcg"], row["regret1_low"]) == (0.5, 0.5, None, None)


def test_undefined_is_none_in_rows(results):
    broken = metrics.correlation_rows(NAMES, results, **LABELS)[-1]
    labels = ("proxy", "dataset", "networks", "set", "accuracy", "seeds")
    numbers = [value for key, value in broken.items() if key not in labels]
    assert numbers == [None] * 26
    difference = metrics.difference_rows(NAMES, results, "champion")[-1]
    assert difference == {
        "against": "broken",
        "dataset": "mean",
        "tau": None,
        "low": None,
        "high": None,
        "rho": None,
        "rho_low": None,
        "rho_high": None,
    }


def test_datasets_share_the_replicates(results):
    # the scores of the second dataset are those of the first, negated
    assert same(results["cifar10"].replicates["tau"], -results["cifar100"].replicates["tau"])


def test_difference_rows(results):
    rows = metrics.difference_rows(NAMES, results, "champion")
    assert [(row["against"], row["dataset"]) for row in rows] == list(
        itertools.product(["params", "broken"], ["cifar10", "cifar100", "mean"])
    )
    result = results["cifar10"]
    assert list(rows[0]) == list(metrics.Difference.__annotations__)
    taus, rhos = (metrics.paired_difference([result], 0, 1, of=of) for of in ("tau", "rho"))
    assert (rows[0]["tau"], rows[0]["low"], rows[0]["high"]) == taus
    assert (rows[0]["rho"], rows[0]["rho_low"], rows[0]["rho_high"]) == rhos
    assert rows[0]["rho"] == result.values["rho"][0] - result.values["rho"][1]
    assert taus != rhos
    assert metrics.verdict(rows[0]["low"], rows[0]["high"]) == "won"
    assert metrics.verdict(rows[1]["low"], rows[1]["high"]) == "lost"


def test_the_mean_over_data_sets_is_paired_in_every_replicate(results):
    rows = metrics.difference_rows(
        NAMES[:2], {k: first_two(r) for k, r in results.items()}, NAMES[0]
    )
    pairs = [(r.values["tau"], r.replicates["tau"]) for r in results.values()]
    values = np.mean([v[0] - v[1] for v, _ in pairs])
    replicates = np.mean([r[0] - r[1] for _, r in pairs], 0)
    assert rows[-1]["dataset"] == "mean"
    assert rows[-1]["tau"] == pytest.approx(values)
    assert (rows[-1]["low"], rows[-1]["high"]) == pytest.approx(metrics.interval(replicates))
    [alone] = metrics.difference_rows(NAMES[:2], {"d": first_two(results["cifar10"])}, NAMES[0])
    assert alone["dataset"] == "d"


def first_two(result):
    """A bootstrap of the first two proxies alone."""
    values, replicates = (
        {name: rows[:2] for name, rows in numbers.items()}
        for numbers in (result.values, result.replicates)
    )
    return replace(result, scores=result.scores[:2], values=values, replicates=replicates)


@pytest.mark.parametrize(
    ("datasets", "name"),
    [(["a", "b"], "mean"), (["s/a", "s/b"], "s/mean"), (["s/a", "t/a"], "mean")],
)
def test_names_of_means(datasets, name):
    assert metrics.mean_of(datasets) == name
    assert metrics.is_mean(name)
    assert not any(map(metrics.is_mean, datasets))


def test_rows_refuse_names_that_do_not_match(results):
    with pytest.raises(InputError, match="3 score vectors for 2 names"):
        metrics.correlation_rows(NAMES[:2], results, **LABELS)
    with pytest.raises(InputError, match="did you mean 'params'"):
        metrics.difference_rows(NAMES, results, "parms")
    with pytest.raises(InputError, match="unknown dataset 'cifar10'"):
        metrics.bootstrap_all({"cifar10": [[1, 2]]}, {"svhn": [1, 2]}, [0, 1])


def test_rows_say_where_a_proxy_is_undefined(results):
    rows = metrics.correlation_rows(NAMES, results, **LABELS)
    scores = {dataset: result.scores for dataset, result in results.items()}
    asked = []

    def why(proxy, dataset, networks):
        asked.append((proxy, dataset))
        return {"reason": [f"network {networks[0]}"]}

    metrics.add_undefined(rows, NAMES, scores, why)
    assert asked == [("broken", "cifar10"), ("broken", "cifar100")]
    assert all("undefined" not in row for row in rows[:4])
    assert rows[4]["undefined"] == {"networks": 399, "reasons": {"reason": ["network 1"]}}
