"""How good predictions of accuracies are: the metrics of White et al. (2021), and some of the best
networks.
"""

import numpy as np
from numpy.typing import NDArray

from eznas.metrics.correlations import pearson, top_kendall
from eznas.metrics.ranks import kendall, spearman
from eznas.metrics.selection import ndcg, regret

Floats = NDArray[np.float64]

IN_PERCENT = ("mae", "rmse", "sparse_tau_0.1", "sparse_tau_1")  # they need predictions in percent
PREDICTION_METRICS = (
    *IN_PERCENT,
    *("pearson", "rho", "tau", "precision_at_10", "precision_at_20", "ndcg", "regret1"),
    "top10_tau",
)


def prediction_metrics(
    predictions: Floats, accuracies: Floats, in_percent: bool
) -> dict[str, float]:
    """Every metric of `PREDICTION_METRICS` for predictions [networks] of accuracies [networks] in
    percent; NaN where it is undefined.

    Mean absolute and root mean squared error in percent; tau of predictions that are rounded to
    0.1 and to 1 percent (sparse Kendall, Yu et al., 2020); the share of the 10 and 20 best by
    prediction that are so by accuracy; `in_percent`: whether the predictions are accuracies (a
    proxy's score has no scale: those metrics are NaN).
    """
    error = predictions - accuracies
    percent = {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "sparse_tau_0.1": kendall(np.round(predictions, 1), accuracies),
        "sparse_tau_1": kendall(np.round(predictions), accuracies),
    }
    return {
        **(percent if in_percent else dict.fromkeys(IN_PERCENT, np.nan)),
        "pearson": pearson(predictions, accuracies),
        "rho": spearman(predictions, accuracies),
        "tau": kendall(predictions, accuracies),
        "precision_at_10": precision_at(10, predictions, accuracies),
        "precision_at_20": precision_at(20, predictions, accuracies),
        "ndcg": ndcg(predictions, accuracies),
        "regret1": regret(predictions, accuracies),
        "top10_tau": top_kendall(predictions, accuracies),
    }


def precision_at(k: int, predictions: Floats, accuracies: Floats) -> float:
    """The share of the k best by predictions [networks] that are among the k best by accuracies
    [networks]; of equal ones the first count. NaN for fewer than k networks or an undefined
    prediction."""
    if len(predictions) < k or np.isnan(predictions).any():
        return float("nan")
    best, predicted = (np.argsort(-v, kind="stable")[:k] for v in (accuracies, predictions))
    return len(np.intersect1d(best, predicted)) / k
