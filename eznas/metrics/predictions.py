"""How good predictions of accuracies are: the metrics of White et al. (2021), and some of the best
networks.
"""

import numpy as np
from numpy.typing import NDArray

from eznas.metrics.correlations import pearson, top_kendall
from eznas.metrics.ranks import kendall, spearman
from eznas.metrics.selection import ndcg, precision, regret

Floats = NDArray[np.float64]

# Percent to which predictions are rounded for sparse tau, and how many decimals that leaves.
ROUNDED = {"0.01": 2, "0.1": 1, "1": 0}
# They need predictions in percent.
IN_PERCENT = ("mae", "rmse", *(f"sparse_tau_{step}" for step in ROUNDED))
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
    each of `ROUNDED` (sparse Kendall, Yu et al., 2020: 0.01 and 0.1 as White et al.); the share of
    the 10 and 20 best by prediction that are so by accuracy. `in_percent`: whether the predictions
    are accuracies (a proxy's score has no scale: those metrics are NaN).
    """
    percent = dict.fromkeys(IN_PERCENT, np.nan)
    if in_percent:
        percent = _errors(predictions, accuracies)
    return {
        **percent,
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
    [networks], see `precision`; NaN for fewer than k networks or if undefined."""
    networks = len(predictions)
    return precision(predictions, accuracies, k / networks) if networks >= k else float("nan")


def _errors(predictions: Floats, accuracies: Floats) -> dict[str, float]:
    """The metrics of `IN_PERCENT`."""
    error = predictions - accuracies
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        **{
            f"sparse_tau_{step}": kendall(np.round(predictions, decimals), accuracies)
            for step, decimals in ROUNDED.items()
        },
    }
