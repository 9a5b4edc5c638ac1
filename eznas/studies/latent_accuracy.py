"""What a unified score is worth: tau with accuracy on networks that took no part in it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from eznas.benchmarks import Benchmark
from eznas.metrics import METRICS, bootstrap_weights, interval, kendall_many
from eznas.predictors.measurements import Measurements
from eznas.search.latent.methods import Problem

REPLICATES = 500  # of the bootstrap over components


def taus_of(
    proxies: Sequence[str],
    measurements: Measurements,
    problems: Sequence[Problem],
    benchmark: Benchmark,
    count: int | None = None,
) -> list[dict[str, Any]]:
    """Tau with accuracy of the unified score, the mean over the `problems` of several repeats, and
    of each proxy, on `count` held-out networks by lot (None: on all); and how far the unified score
    is ahead of each, with the interval of a bootstrap over components.

    A network with operations on no path is left out, since it scores as the one without them.
    Raises `InputError` where a network cannot be measured.
    """
    judged = _judged(measurements, benchmark, count)
    [accuracies] = judged.accuracies.values()
    scores = measurements.scores(proxies, judged.architectures).T
    scores = np.where(np.isnan(scores), -np.inf, scores)
    unified = np.stack([problem.unified(judged.architectures) for problem in problems])
    rows = np.concatenate([unified, scores])
    counts = bootstrap_weights(judged.components, REPLICATES).astype(np.float64)
    taus, replicates = kendall_many(rows, accuracies), METRICS["tau"].core(rows, accuracies, counts)
    repeats = len(problems)
    of_unified, its_replicates = taus[:repeats].mean(), replicates[:repeats].mean(0)
    low, high = interval(its_replicates)
    content: list[dict[str, Any]] = [
        {"score": "unified", "tau": float(of_unified), "tau_low": low, "tau_high": high,
         "networks": len(accuracies)}
    ]  # fmt: skip
    for proxy, tau, its in zip(proxies, taus[repeats:], replicates[repeats:], strict=True):
        low, high = interval(its)
        row = {"score": proxy, "tau": float(tau), "tau_low": low, "tau_high": high}
        ends = dict(zip(("low", "high"), interval(its_replicates - its), strict=True))
        row |= {"behind": float(of_unified - tau), "behind_low": ends["low"]}
        content.append(row | {"behind_high": ends["high"], "networks": len(accuracies)})
    return content


def _judged(measurements: Measurements, benchmark: Benchmark, count: int | None) -> Benchmark:
    live_cell = measurements.space.live_cell
    live = [i for i, a in enumerate(benchmark.architectures) if a == live_cell(a)]
    indices = np.intersect1d(benchmark.split.held_out, live)
    if count is not None and count < len(indices):
        indices = np.sort(np.random.default_rng(0).choice(indices, count, replace=False))
    return benchmark.subset(indices, "held-out")
