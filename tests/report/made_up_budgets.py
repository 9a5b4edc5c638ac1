"""The content of a study of predictors, made up: nothing is fitted."""

import math
from dataclasses import asdict

from eznas.metrics.predictions import PREDICTION_METRICS
from eznas.studies.budgets import SIZES, Budgets
from eznas.studies.winners import winners

EPOCH = 9.14  # seconds
NAMES = ("linear", "champion_residual", "az_progressivity", "extra_trees[encoding; proxies:zen]")


def row(predictor, training, tau, query=0.01, champion_labels=0, epochs=0):
    return {
        **{"predictor": predictor, "features": ["encoding"], "regressor": "linear"},
        **{"training": training, "champion_labels": champion_labels, "epochs": epochs},
        **dict.fromkeys(PREDICTION_METRICS, 0.25),
        **{"tau": tau, "tau_error": 0.012, "taus": [tau, tau], "fit_seconds": 0.5},
        **{"proxy_seconds": 0.1, "predict_seconds": 0.001, "query": query},
    }


def content(names=NAMES, sizes=SIZES, unit="seconds", wins=None):
    """Of predictors at several sizes, a proxy whose tau is undefined, one that needs no labels and
    one that reads curves."""
    rows = [
        row(name, size, 0.2 + i / 20 + number / 100, champion_labels=340 * ("champion" in name))
        for number, name in enumerate(names)
        for i, size in enumerate(sizes)
    ]
    rows += [
        row("zico", 0, math.nan, query=0.2),
        row("zen", 0, 0.0, query=0.3),
        row("last_value", 0, 0.9, query=3 * EPOCH, epochs=3),
        row("last_value", 0, 0.95, query=30 * EPOCH, epochs=30),
        row("unknown_labels", 5, 0.1, champion_labels=None),
    ]
    maps = winners(rows, sizes, unit, 200 * EPOCH)
    for index, cell in enumerate(maps[0]["cells"]):
        if wins:
            cell |= {"winner": wins[index % len(wins)], "tau": -0.5, "tau_error": 0.0}
    result = Budgets(
        **{"space": "nasbench201", "dataset": "cifar10", "accuracy": "validation"},
        **{"networks": 1000, "trials": 30, "tested": 200, "split": "components", "unit": unit},
        target="normal_scores",
        **{"epoch_seconds": EPOCH, "total_epochs": 200, "rows": rows, "maps": maps},
        left_out={"gin": "a fit takes seconds: name it to have it tried"},
    )
    return asdict(result)
