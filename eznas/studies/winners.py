"""The map of winners: the best predictor in each cell of labels and cost of a query."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUERIES = 14  # budgets for a query
CHEAPEST = 1e-3  # seconds

Row = dict[str, Any]
Map = dict[str, Any]


def winners(rows: Sequence[Row], labels: Sequence[int], unit: str, dearest: float) -> list[Map]:
    """Two maps of winners, without and with the labels that champions have seen.

    `rows` as `eznas.studies.budgets` has them; `labels`: the budgets for initialisation, in trained
    networks; budgets for a query go from nothing (or `CHEAPEST` seconds) to `dearest`. A map is
    {"champions": "free" or "counted", "labels": [...], "queries": [...], "unit", "cells": [one for
    each query and label budget, label budgets inside: {"labels", "query", "winner", "epochs",
    "tau", "tau_error", "runner_up", "lead"}, winner None where no predictor fits in]}. In a cell a
    predictor may be fitted to any number of networks within the budget; highest mean tau wins, and
    one that is undefined never does.
    """
    queries = _queries(unit, dearest)
    return [
        {
            "champions": champions,
            "labels": list(labels),
            "queries": queries.tolist(),
            "unit": unit,
            "cells": [
                _cell(rows, budget, query, champions == "counted")
                for query in queries.tolist()
                for budget in labels
            ],
        }
        for champions in ("free", "counted")
    ]


def _queries(unit: str, dearest: float) -> NDArray[np.float64]:
    """Ascending budgets for a query, evenly on a logarithmic scale; epochs are whole, so that a
    short training has fewer than `QUERIES`."""
    if unit == "seconds":
        return np.geomspace(CHEAPEST, dearest, QUERIES)
    for count in range(QUERIES - 1, 20 * QUERIES):  # some of them fall together
        epochs = np.unique(np.round(np.geomspace(1, dearest, count)))
        if len(epochs) >= min(QUERIES - 1, dearest):
            break
    return np.concatenate([[0.0], epochs])


def _cell(rows: Sequence[Row], labels: int, query: float, counted: bool) -> dict[str, Any]:
    """The winner among the rows that cost at most so many labels and so much a query."""
    affordable = [row for row in rows if _cost(row, counted) <= labels and row["query"] <= query]
    best: dict[str, Row] = {}
    for row in affordable:
        earlier = best.get(row["predictor"])
        if not np.isnan(row["tau"]) and (earlier is None or row["tau"] > earlier["tau"]):
            best[row["predictor"]] = row
    ranked = sorted(best.values(), key=lambda row: -row["tau"])
    cell = {"labels": labels, "query": query, "winner": None}
    if not ranked:
        return cell
    first, second = ranked[0], ranked[1] if len(ranked) > 1 else None
    return cell | {
        "winner": first["predictor"],
        "epochs": first["epochs"],
        "tau": first["tau"],
        "tau_error": first["tau_error"],
        "runner_up": None if second is None else second["predictor"],
        "lead": None if second is None else first["tau"] - second["tau"],
    }


def _cost(row: Row, counted: bool) -> float:
    """The labels that a row has cost; infinitely many where a champion's are not known."""
    if not counted:
        return float(row["training"])
    seen = row["champion_labels"]
    return float("inf") if seen is None else float(row["training"] + seen)
