"""The map of winners, by hand."""

import math
from itertools import pairwise

import pytest

from eznas.studies.winners import CHEAPEST, QUERIES, winners


def row(predictor, training, tau, query=0.0, champion_labels=0, epochs=0):
    return {
        **{"predictor": predictor, "training": training, "tau": tau, "tau_error": 0.01},
        **{"query": query, "champion_labels": champion_labels, "epochs": epochs},
    }


ROWS = [
    row("free", 0, 0.3),
    row("model", 10, 0.5),
    row("model", 100, 0.45),
    row("curve", 0, 0.8, query=3.0, epochs=3),
    row("champion", 10, 0.9, champion_labels=90),
    row("stranger", 0, 0.95, champion_labels=None),
    row("broken", 0, math.nan),
]
LABELS = (5, 10, 100)


def cells(rows, champions, unit="epochs", dearest=5.0):
    [chosen] = [m for m in winners(rows, LABELS, unit, dearest) if m["champions"] == champions]
    return {(cell["query"], cell["labels"]): cell for cell in chosen["cells"]}, chosen


def test_the_best_that_both_budgets_allow():
    by_budget, chosen = cells(ROWS[:4], "free")
    assert chosen["queries"] == [0, 1, 2, 3, 4, 5]  # whole epochs, each once
    assert chosen["unit"] == "epochs"
    expected = {
        **{(0, 5): "free", (0, 10): "model", (0, 100): "model"},
        **{(2, 5): "free", (3, 5): "curve", (5, 100): "curve"},
    }
    assert {key: by_budget[key]["winner"] for key in expected} == expected


def test_a_larger_budget_allows_fewer_labels():
    cell = cells(ROWS[:4], "free")[0][0, 100]
    assert (cell["winner"], cell["tau"]) == ("model", 0.5)


def test_what_a_cell_says_of_its_winner():
    by_budget, _ = cells(ROWS[:4], "free")
    assert by_budget[3, 10] == {
        **{"labels": 10, "query": 3.0, "winner": "curve", "epochs": 3, "tau": 0.8},
        **{"tau_error": 0.01, "runner_up": "model", "lead": pytest.approx(0.3)},
    }
    alone = by_budget[0, 5]
    assert (alone["winner"], alone["runner_up"], alone["lead"]) == ("free", None, None)


def test_labels_of_champions_are_free_or_counted():
    free, _ = cells(ROWS[:5], "free")
    counted, _ = cells(ROWS[:5], "counted")
    assert (free[0, 10]["winner"], free[0, 100]["winner"]) == ("champion", "champion")
    assert (counted[0, 10]["winner"], counted[0, 100]["winner"]) == ("model", "champion")


def test_labels_that_are_not_known_never_fit_in_when_they_are_counted():
    free, counted = (cells(ROWS, champions)[0] for champions in ("free", "counted"))
    assert {cell["winner"] for cell in free.values()} == {"stranger"}
    assert "stranger" not in {cell["winner"] for cell in counted.values()}


def test_an_undefined_tau_wins_nothing():
    by_budget, _ = cells([row("broken", 0, math.nan)], "free")
    assert all(cell["winner"] is None for cell in by_budget.values())
    assert by_budget[0, 5] == {"labels": 5, "query": 0, "winner": None}


@pytest.mark.parametrize("dearest", [1.0, 2.0, 90.0])
def test_epochs_are_whole_and_each_stands_once(dearest):
    _, chosen = cells(ROWS, "free", dearest=dearest)
    queries = chosen["queries"]
    assert queries == sorted(set(queries))
    assert all(float(query).is_integer() for query in queries)
    assert (queries[0], queries[-1]) == (0, dearest)
    assert len(queries) == min(QUERIES, dearest + 1)
    assert len(chosen["cells"]) == len(queries) * len(LABELS)


def test_seconds_are_even_on_a_logarithmic_scale():
    _, chosen = cells(ROWS, "free", unit="seconds", dearest=2000.0)
    queries = chosen["queries"]
    assert len(queries) == QUERIES
    assert (queries[0], queries[-1]) == (pytest.approx(CHEAPEST), pytest.approx(2000))
    ratios = [b / a for a, b in pairwise(queries)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))
