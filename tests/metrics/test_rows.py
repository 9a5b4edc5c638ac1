"""Rows: what they are called, what is undefined in them, what does not fit."""

import itertools
import json

import numpy as np
import pytest

from eznas import metrics
from eznas.errors import InputError
from tests.metrics.made_up import METRICS, NAN, noisy, same


@pytest.fixture
def judged():
    scores, accuracies, components = noisy(400, 3)
    scores[2, 7] = NAN
    return metrics.judge(
        {"cifar10": scores, "cifar100": -scores},
        {"cifar10": accuracies, "cifar100": accuracies},
        components,
        replicates=200,
        seed=4,
        sizes=sizes(400),
    )


def sizes(networks):
    return np.random.default_rng(8).integers(30, size=(2, networks))


NAMES = ["found", "params", "broken"]
LABELS = {"set_name": "connected", "accuracy": "validation", "seeds": (0, 1)}


def test_rows_name_what_they_are(judged):
    rows = metrics.correlation_rows(NAMES, judged, **LABELS)
    assert [(row["proxy"], row["dataset"]) for row in rows] == list(
        itertools.product(NAMES, ["cifar10", "cifar100"])
    )
    first = rows[0]
    optional = metrics.Row.__optional_keys__
    within = {"within_tau", "within_tau_low", "within_tau_high"}
    assert optional == {"seconds", "variation"} | within  # where they were asked for
    assert list(first) == [key for key in metrics.Row.__annotations__ if key not in optional]
    one = judged["cifar10"]
    assert (first["tau"], first["rho"]) == (one.tau[0], one.rho[0])
    assert (first["tau_low"], first["tau_high"]) == metrics.interval(one.taus[0])
    assert (first["rho_low"], first["rho_high"]) == metrics.interval(one.rhos[0])
    labels = {key: first[key] for key in ("networks", "set", "accuracy", "seeds")}
    assert labels == {
        "networks": 400,
        "set": "connected",
        "accuracy": "validation",
        "seeds": [0, 1],
    }


def test_rows_have_the_other_metrics(judged):
    for row in metrics.correlation_rows(NAMES, judged, **LABELS)[:4]:
        more, at = judged[row["dataset"]].more, NAMES.index(row["proxy"])
        for name in set(METRICS) - {"tau", "rho"}:
            assert row[name] == more[name][0][at]
        intervals = {key.removesuffix("_low") for key in row if key.endswith("_low")}
        assert intervals == {"tau", "rho", "partial_rho", "top10_rho", "ndcg", "regret1"}
        for name in intervals - {"tau", "rho"}:
            low, high = row[f"{name}_low"], row[f"{name}_high"]
            assert (low, high) == metrics.interval(more[name][1][at])
            assert low < high


def test_rows_without_sizes_have_no_partial_rho():
    scores, accuracies, components = noisy(50, 1)
    judged = metrics.judge({"d": scores}, {"d": accuracies}, components, replicates=20)
    (row,) = metrics.correlation_rows(["one"], judged, **LABELS)
    missing = {key for key, value in row.items() if value is None}
    assert missing == {"partial_rho", "partial_rho_low", "partial_rho_high"}
    json.dumps(row, allow_nan=False)


def test_rows_of_a_bare_bootstrap():
    one = np.array([0.5])
    bare = metrics.Bootstrap(9, one, one, one[None], one[None])
    (row,) = metrics.correlation_rows(["one"], {"d": bare}, **LABELS)
    assert (row["tau"], row["rho_low"], row["ndcg"], row["regret1_low"]) == (0.5, 0.5, None, None)


def test_undefined_is_none_in_rows(judged):
    broken = metrics.correlation_rows(NAMES, judged, **LABELS)[-1]
    labels = ("proxy", "dataset", "networks", "set", "accuracy", "seeds")
    numbers = [value for key, value in broken.items() if key not in labels]
    assert numbers == [None] * 26
    against = metrics.difference_rows(NAMES, judged, "found")[-1]
    assert against == {
        "against": "broken",
        "dataset": "cifar100",
        "tau": None,
        "low": None,
        "high": None,
        "rho": None,
        "rho_low": None,
        "rho_high": None,
    }


def test_datasets_share_the_replicates(judged):
    # the scores of the second dataset are those of the first, negated
    assert same(judged["cifar10"].taus, -judged["cifar100"].taus)


def test_difference_rows(judged):
    rows = metrics.difference_rows(NAMES, judged, "found")
    assert [(row["against"], row["dataset"]) for row in rows] == list(
        itertools.product(["params", "broken"], ["cifar10", "cifar100"])
    )
    one = judged["cifar10"]
    assert list(rows[0]) == list(metrics.Difference.__annotations__)
    taus, rhos = (metrics.paired_difference(one, 0, 1, of=of) for of in ("tau", "rho"))
    assert (rows[0]["tau"], rows[0]["low"], rows[0]["high"]) == taus
    assert (rows[0]["rho"], rows[0]["rho_low"], rows[0]["rho_high"]) == rhos
    assert rows[0]["rho"] == one.rho[0] - one.rho[1]
    assert taus != rhos
    assert metrics.verdict(rows[0]["low"], rows[0]["high"]) == "won"
    assert metrics.verdict(rows[1]["low"], rows[1]["high"]) == "lost"


def test_rows_refuse_what_does_not_fit(judged):
    with pytest.raises(InputError, match="3 score vectors for 2 names"):
        metrics.correlation_rows(NAMES[:2], judged, **LABELS)
    with pytest.raises(InputError, match="did you mean 'params'"):
        metrics.difference_rows(NAMES, judged, "parms")
    with pytest.raises(InputError, match="unknown dataset 'cifar10'"):
        metrics.judge({"cifar10": [[1, 2]]}, {"svhn": [1, 2]}, [0, 1])
