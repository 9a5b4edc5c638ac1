"""Vectors to rank, scipy as the reference, equality within rounding, and all metrics by name."""

import math
from functools import partial

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eznas import metrics

INF, NAN = math.inf, math.nan
FINITE = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6))


def vectors(count: int, elements: st.SearchStrategy[float] = FINITE, smallest: int = 2):
    """`count` vectors of one common length, with many ties."""
    lengths = st.integers(smallest, 12)
    return lengths.flatmap(lambda n: st.tuples(*[hnp.arrays(float, n, elements=elements)] * count))


def reference(scipy_function, scores, accuracies) -> float:
    """Scipy's value; NaN for a constant, about which scipy warns."""
    if len(set(scores)) < 2 or len(set(accuracies)) < 2:
        return NAN
    return float(scipy_function(scores, accuracies).statistic)


def same(first, second, tolerance: float = 1e-12) -> bool:
    return bool(np.allclose(first, second, rtol=0, atol=tolerance, equal_nan=True))


def noisy(networks: int, proxies: int, seed: int = 0):
    """Accuracies, scores that get worse from proxy to proxy, and components of 1 to 4 networks."""
    random = np.random.default_rng(seed)
    accuracies = random.normal(size=networks).round(1)
    noise = random.normal(size=(proxies, networks)) * np.arange(1, proxies + 1)[:, None]
    return (accuracies + noise).round(1), accuracies, random.integers(networks // 2, size=networks)


def ignoring_sizes(metric):
    """A metric that takes sizes as well, and does not look at them."""
    return lambda scores, accuracies, sizes: metric(scores, accuracies)


# By their names in rows; called with scores and accuracies [networks] and with sizes [covariates,
# networks].
METRICS = {
    "tau": ignoring_sizes(metrics.kendall),
    "rho": ignoring_sizes(metrics.spearman),
    "pearson": ignoring_sizes(metrics.pearson),
    "weighted_tau": ignoring_sizes(metrics.weighted_kendall),
    "partial_rho": metrics.partial_spearman,
    "top10_tau": ignoring_sizes(metrics.top_kendall),
    "top10_rho": ignoring_sizes(metrics.top_spearman),
    "top50_tau": ignoring_sizes(partial(metrics.top_kendall, share=0.5)),
    "top50_rho": ignoring_sizes(partial(metrics.top_spearman, share=0.5)),
    "ndcg": ignoring_sizes(metrics.ndcg),
    "regret1": ignoring_sizes(metrics.regret),
    "regret5": ignoring_sizes(partial(metrics.regret, k=5)),
    "regret10": ignoring_sizes(partial(metrics.regret, k=10)),
    "precision10": ignoring_sizes(metrics.precision),
}

# The keys of a row, in order: part of what `correlate --json` promises.
ROW = [
    *("proxy", "dataset", "networks", "tau", "tau_low", "tau_high", "rho", "rho_low", "rho_high"),
    *("pearson", "weighted_tau", "partial_rho", "partial_rho_low", "partial_rho_high"),
    *("top10_tau", "top10_rho", "top10_rho_low", "top10_rho_high", "top50_tau", "top50_rho"),
    *("ndcg", "ndcg_low", "ndcg_high", "regret1", "regret1_low", "regret1_high", "regret5"),
    *("regret10", "precision10", "set", "accuracy", "seeds"),
]
