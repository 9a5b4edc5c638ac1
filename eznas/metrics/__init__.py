"""How well scores rank networks, and how far that can be trusted.

Rank correlation and its companions for one score vector, for those of a generation, and for every
replicate of a bootstrap over clusters of networks. Larger scores are better, always.

**Undefined is NaN, never 0**: when a score or an accuracy is NaN or +inf, and when all scores or
all accuracies are equal (so also for fewer than two networks): a constant has no order to compare.
-inf is a legal score, "lowest", and several of them tie. Rows have None (JSON null) for NaN.

The bootstrap, and rows made from it, leave out the networks on which a proxy is undefined and say
how many these are: one network loses no proxy.
"""

from eznas.metrics.correlations import (
    Variation,
    kendall_within,
    partial_spearman,
    pearson,
    top_kendall,
    top_spearman,
    variation,
    weighted_kendall,
)
from eznas.metrics.ranks import kendall, kendall_many, spearman
from eznas.metrics.resampling import (
    Bootstrap,
    bootstrap,
    bootstrap_weights,
    component_folds,
    interval,
    paired_difference,
    undefined_scores,
    verdict,
)
from eznas.metrics.rows import (
    Difference,
    Row,
    add_undefined,
    bootstrap_all,
    correlation_rows,
    difference_rows,
    is_mean,
    mean_of,
)
from eznas.metrics.selection import ndcg, precision, regret
from eznas.metrics.table import METRICS, Metric

__all__ = [
    "METRICS",
    "Bootstrap",
    "Difference",
    "Metric",
    "Row",
    "Variation",
    "add_undefined",
    "bootstrap",
    "bootstrap_all",
    "bootstrap_weights",
    "component_folds",
    "correlation_rows",
    "difference_rows",
    "interval",
    "is_mean",
    "kendall",
    "kendall_many",
    "kendall_within",
    "mean_of",
    "ndcg",
    "paired_difference",
    "partial_spearman",
    "pearson",
    "precision",
    "regret",
    "spearman",
    "top_kendall",
    "top_spearman",
    "undefined_scores",
    "variation",
    "verdict",
    "weighted_kendall",
]
