"""Subsets of a benchmark: what a search may use, what is held out from it, and named sets.

The split into a search part and a held-out part is the same for every run (see `splits`).
"""

import numpy as np
import numpy.typing as npt

from eznas.benchmarks.benchmark import Benchmark
from eznas.benchmarks.splits import sample, split
from eznas.errors import InputError, unknown

HELD_OUT_ORDER = 0  # seed of the order of held-out networks: every run is tested on the same ones
SEARCH_ORDER = 0  # of the search part: every run finds the features of its networks in a store
LEAST_UNUSED = 20  # networks: on fewer of them a front says nothing
FITTED, USED, FRESH = 500, 500, 1000  # numbers of networks: see `study`
SETS = ("all", "connected", "reachable", "search", "held-out", "study", "study-reachable")


class AtMost(int):
    """A number of networks, or all of them where there are fewer."""


def resolved_count(requested: int | None, available: int) -> int:
    """How many networks a request means: a number, `AtMost` a number, or None for all that are
    available. A plain number may be more than there are."""
    if requested is None:
        return available
    return min(requested, available) if isinstance(requested, AtMost) else requested


def search_sample(benchmark: Benchmark, count: int, seed: int = SEARCH_ORDER) -> Benchmark:
    """`count` networks of the search part, in an order that a seed draws, by default the same for
    every run; raises `InputError` if it has fewer."""
    part = split(benchmark.components).search
    if count > len(part):
        options = _settings_that_fit(len(part))
        raise InputError(
            "configuration keys evolution.networks + evolution.champion_networks: at most "
            f"{len(part)} in space {benchmark.space}, got {count}; try {options}"
        )
    return benchmark.subset(sample(part, count, seed), "search")


def _settings_that_fit(available: int) -> str:
    """Options of the command line for the largest samples that so many networks allow."""
    champion = available // 6
    settings = {
        "first_networks": (available - champion) // 2,
        "networks": available - champion,
        "champion_networks": champion,
    }
    return " ".join(f"--set {key}={value}" for key, value in settings.items())


def held_out(benchmark: Benchmark, count: int) -> Benchmark:
    """Up to `count` networks of the held-out part, the same for every run; none of them takes part
    in a search of this space."""
    part = split(benchmark.components).held_out
    indices = sample(part, min(count, len(part)), HELD_OUT_ORDER)
    return benchmark.subset(indices, "held-out part")


def not_searched(
    benchmark: Benchmark, searched: int, helped: int, count: int, seed: int = SEARCH_ORDER
) -> Benchmark:
    """Up to `count` networks of the search part of which none shares a component with the sample of
    a search, the same for every call.

    That sample: `searched` networks, and `helped` further ones that helped to choose the champion
    alone; `seed`: of its order. Where fewer than `LEAST_UNUSED` are left, the latter and their
    components join them, and the name of the subset says so. Raises `InputError` where that is not
    enough.
    """
    part = split(benchmark.components).search
    used = sample(part, searched + helped, seed)
    names = {len(used): "search part, not searched", searched: "helped to choose the champion"}
    for size, name in names.items():
        is_used = np.isin(benchmark.components[part], benchmark.components[used[:size]])
        left = part[~is_used]
        if len(left) >= LEAST_UNUSED:
            return benchmark.subset(sample(left, min(count, len(left)), HELD_OUT_ORDER), name)
    raise InputError(
        f"space {benchmark.space}: the search used all but {len(left)} of the {len(part)} networks "
        f"of its search part; a front needs {LEAST_UNUSED}"
    )


def of_unseen_space(benchmark: Benchmark, count: int) -> Benchmark:
    """Up to `count` networks of a space that no search has seen, the same for every run."""
    available = len(benchmark.architectures)
    indices = sample(np.arange(available), min(count, available), HELD_OUT_ORDER)
    return benchmark.subset(indices, "space not searched")


def study(benchmark: Benchmark) -> tuple[Benchmark, Benchmark]:
    """Networks to fit on, and networks to test on, of which none shares a component with them.

    The former are the first `FITTED` networks of the search part in its order. The latter are
    `FRESH` held-out networks after the first `USED`, on which runs are tested and presets were
    chosen. Raises `InputError` for a space with too few networks.
    """
    part = held_out(benchmark, USED + FRESH)
    if len(part.architectures) < USED + FRESH:
        raise InputError(
            f"space {benchmark.space}: the study needs {USED + FRESH} held-out networks, "
            f"there are {len(part.architectures)}"
        )
    fresh = part.subset(np.arange(USED, USED + FRESH), "held-out part, never used")
    return search_sample(benchmark, FITTED), fresh


def named_set(benchmark: Benchmark, name: str, count: int | None, seed: int) -> Benchmark:
    """`count` networks of one of `SETS` in random order; where it has no more, or `count` is None,
    all of them in the benchmark's order. The networks of the study keep its order, whatever the
    seed. Raises `InputError` for an unknown set, and for fewer than 2 networks or more than it
    has."""
    if name not in SETS:
        raise unknown("set", name, SETS)
    in_own_order = name.startswith("study")
    if in_own_order:
        index_of = {a: i for i, a in enumerate(benchmark.architectures)}
        indices = np.array([index_of[a] for part in study(benchmark) for a in part.architectures])
        if name == "study-reachable":
            indices = indices[_members(benchmark, "reachable")[indices]]
    else:
        indices = np.flatnonzero(_members(benchmark, name))
    size = resolved_count(count, len(indices))
    if not 2 <= size <= len(indices):
        raise InputError(f"networks {size}: expected 2 to {len(indices)} for the set {name!r}")
    if in_own_order:
        return benchmark.subset(indices[:size], name)
    if size < len(indices):
        indices = sample(indices, size, seed)
    return benchmark.subset(indices, name)


def _members(benchmark: Benchmark, name: str) -> npt.NDArray[np.bool_]:
    """Which networks belong to a set: bool [networks]."""
    if name == "all":
        return np.ones(len(benchmark.architectures), dtype=bool)
    if name in ("search", "held-out"):
        parts = split(benchmark.components)
        part = parts.search if name == "search" else parts.held_out
        return np.isin(np.arange(len(benchmark.architectures)), part)
    space = benchmark.search_space
    if name == "reachable":  # no operation off the paths from input to output
        return np.array([a == space.live_cell(a) for a in benchmark.architectures])
    return np.array([space.connected(a) for a in benchmark.architectures])
