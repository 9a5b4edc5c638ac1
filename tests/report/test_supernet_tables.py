"""Tables of supernets are whole in windows of 80 and of 40 characters."""

import pytest

from eznas.report.tables import few_shot_table, supernet_table
from tests.report.test_tables import rendered

FEW, ONE_SCALE = "few-shot, hybrid tree", "leaf's mean proxy + supernet"
SAMPLE = {"space": "nasbench201", "dataset": "cifar10", "networks": 400, "seed": 0}
LEAVES = {"within": 0.212, "one_shot_within": 0.234, "chosen_found": 88.81, "chosen_regret": 1.23}


def row(name, ranked_by, tau, **more):
    numbers = {"tau": tau, "rho": tau + 0.1, "found": 87.92, "regret": 2.65}
    return {"supernets": name, "ranked_by": ranked_by, **SAMPLE, **numbers, **more}


CONTENT = {
    "supernets": [
        row("hybrid", "proxy", 0.596),
        row("one-shot", "proxy + supernet", 0.645),
        *(row(FEW, "supernet", tau, seed=seed, **LEAVES) for seed, tau in ((0, 0.1), (1, 0.3))),
        row(FEW, ONE_SCALE, 0.396),
    ],
    "few_shot": [
        {"first": FEW, "first_by": ONE_SCALE, "second": "one-shot", "second_by": "supernet"}
        | {"difference": -0.123, "low": -0.2, "high": 0.05, "verdict": "even"}
    ],
}


@pytest.mark.parametrize("width", [80, 40])
def test_rankings(width):
    words = rendered(supernet_table(CONTENT, width), width).replace(",", " ").split()
    for number in ("+0.596", "+0.745", "+0.200", "87.92", "2.65", "+0.212", "+0.234", "88.81"):
        assert number in words
    assert "1.23" in words
    assert " ".join(words).startswith("400 networks nasbench201 cifar10 means over 2 seeds")


@pytest.mark.parametrize("width", [80, 40])
def test_pairs(width):
    text = " ".join(rendered(few_shot_table(CONTENT, width), width).split())
    assert "-0.123" in text
    assert "-0.200 to +0.050" in text
    assert "even" in text
    assert "one-shot" in text
