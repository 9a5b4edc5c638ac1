"""The table of metrics: what is computed of a proxy's scores, and how it is shown.

A new metric is one row here; rows, JSON, tables and the conformance suite read this table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from eznas.metrics.correlations import (
    partial_rhos,
    pearsons,
    top_rhos,
    top_taus,
    weighted_taus,
)
from eznas.metrics.ranks import rhos, taus, within_taus
from eznas.metrics.selection import ndcgs, precisions, regrets
from eznas.metrics.weighted import Floats


@dataclass(frozen=True)
class Metric:
    """A metric by its name in rows.

    `core` computes it for scores [proxies, networks], accuracies [networks] and weights
    [replicates, networks] as [proxies, replicates]. `interval`: whether it is bootstrapped.
    `needs`: the keyword of what the core takes besides, without which the metric is left out.

    `heading` of its column in a terminal table, "" for none; `form` of its numbers there, "" for
    that of a correlation (.717). A table shows none for fewer than `networks`; `gap`: why there may
    be none where tau is defined.
    """

    name: str
    core: Callable[..., Floats]
    interval: bool = False
    heading: str = ""
    form: str = ""
    needs: str = ""
    networks: int = 0
    gap: str = ""


_ROWS = (
    Metric("tau", taus, interval=True, heading="tau [95 %]"),
    Metric("rho", rhos, interval=True, heading="rho"),
    Metric("pearson", pearsons),
    Metric("weighted_tau", weighted_taus),
    # Rho given the sizes of the networks.
    Metric(
        "partial_rho",
        partial_rhos,
        interval=True,
        heading="partial\nrho",
        needs="covariates",
        gap="network sizes explain the whole score",
    ),
    # Over the best 10 and 50 % of the networks by accuracy.
    Metric("top10_tau", partial(top_taus, share=0.1)),
    Metric(
        "top10_rho",
        partial(top_rhos, share=0.1),
        interval=True,
        heading="top-10\n% rho",
        networks=41,  # of which it compares 5
        gap="the best 10 % all score alike",
    ),
    Metric("top50_tau", partial(top_taus, share=0.5)),
    Metric("top50_rho", partial(top_rhos, share=0.5)),
    Metric("ndcg", ndcgs, interval=True, heading="nDCG"),
    # Accuracy that is lost by training only the best 1, 5, 10 by score.
    Metric("regret1", partial(regrets, k=1), interval=True, heading="regret\n@1 [%]", form=".2f"),
    Metric("regret5", partial(regrets, k=5)),
    Metric("regret10", partial(regrets, k=10)),
    # Of the best 10 % by score, those that are at the top by accuracy too.
    Metric("precision10", partial(precisions, share=0.1)),
    # Among networks that another proxy scores equally.
    Metric(
        "within_tau",
        within_taus,
        interval=True,
        heading="within\ntau",
        needs="groups",
        gap="no networks that are equal there differ in score",
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ROWS}
