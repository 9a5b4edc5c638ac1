"""Metrics over the networks on which a proxy is defined, so that one network loses no proxy."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eznas.metrics.resampling import Bootstrap, bootstrap, bootstrap_weights
from eznas.metrics.rows import Difference, difference_rows
from eznas.metrics.weighted import Floats, checked

LEAST = 2  # networks with a score: of fewer there is no order


def undefined_scores(scores: ArrayLike) -> NDArray[np.bool_]:
    """Where scores [...] are undefined (NaN or +inf): bool [...]. -inf is a score, the lowest."""
    return ~(np.asarray(scores, np.float64) < np.inf)


def bootstrap_defined(
    scores: Mapping[str, ArrayLike],
    accuracies: Mapping[str, ArrayLike],
    components: ArrayLike,
    replicates: int = 1000,
    seed: int = 0,
    sizes: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> dict[str, Bootstrap]:
    """`bootstrap_all`, with each proxy's metrics over the networks on which it is defined.

    A proxy that is defined on fewer than `LEAST` networks is undefined, and one that is defined on
    all has the metrics of `bootstrap_all`, to the bit: replicates draw the same networks for all.
    `scores`: data set -> [proxies, networks]; the other shapes and what is raised: see there.
    """
    weights = bootstrap_weights(components, replicates, seed)
    return {
        dataset: _by_defined(*checked(rows, accuracies[dataset]), weights, sizes, groups)
        for dataset, rows in scores.items()
    }


def differences_defined(
    names: Sequence[str],
    scores: Mapping[str, Floats],
    accuracies: Mapping[str, ArrayLike],
    components: ArrayLike,
    proxy: str,
    replicates: int = 1000,
    seed: int = 0,
) -> list[Difference]:
    """`difference_rows` of `proxy` against the others, each pair over the networks on which both
    are defined; all data sets of the first other proxy first.

    names: [proxies]; scores: data set -> [proxies, networks]; accuracies: data set -> [networks];
    components: [networks]. Raises `InputError` as `difference_rows` does.
    """
    weights = bootstrap_weights(components, replicates, seed)
    index = list(names).index(proxy)
    rows = []
    for other, name in enumerate(names):
        if other == index:
            continue
        pairs = {}
        for dataset, matrix in scores.items():
            both = ~undefined_scores(matrix[[index, other]]).any(0)
            subset = both if both.sum() >= LEAST else np.ones_like(both)
            target = np.asarray(accuracies[dataset], np.float64)[subset]
            pair = matrix[[index, other]][:, subset]
            pairs[dataset] = bootstrap(pair, target, weights[:, subset])
        rows += difference_rows([proxy, name], pairs, proxy)
    return rows


def _by_defined(
    scores: Floats,
    accuracies: Floats,
    weights: NDArray[np.int32],
    sizes: ArrayLike | None,
    groups: ArrayLike | None,
) -> Bootstrap:
    """The metrics of scores [proxies, networks], those of one set of networks together."""
    defined = ~undefined_scores(scores)
    defined[defined.sum(1) < LEAST] = True
    distinct, set_of = np.unique(defined, axis=0, return_inverse=True)
    parts = []
    for mask in distinct:
        rows = np.flatnonzero((defined == mask).all(1))
        parts.append(
            bootstrap(
                scores[rows][:, mask],
                accuracies[mask],
                weights[:, mask],
                None if sizes is None else np.asarray(sizes)[:, mask],
                None if groups is None else np.asarray(groups)[mask],
            )
        )
    return _merged(parts, set_of.reshape(-1), accuracies.size)


def _merged(parts: Sequence[Bootstrap], set_of: NDArray[np.intp], networks: int) -> Bootstrap:
    """One result for all proxies, from those of each set of networks; `set_of` [proxies]."""
    if len(parts) == 1:
        return parts[0]
    order = np.argsort(np.argsort(set_of, kind="stable"), kind="stable")
    values = {m: np.concatenate([p.values[m] for p in parts])[order] for m in parts[0].values}
    replicates = {
        m: np.concatenate([p.replicates[m] for p in parts])[order] for m in parts[0].replicates
    }
    return Bootstrap(networks, values, replicates)
