"""Subsets of a benchmark: what a search may use, what is held out from it, and named sets.

The split into a search part and a held-out part is the same for every run (see `splits`).
"""

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from eznas.benchmarks.benchmark import Benchmark
from eznas.benchmarks.splits import Booleans, Integers, across_components, parts, sample
from eznas.errors import InputError, unknown
from eznas.spaces import SPACES

HELD_OUT_ORDER = 0  # seed of the order of held-out networks: every run is tested on the same ones
SEARCH_ORDER = 0  # seed, of the search part: every run finds its networks' features in a store
SearchOrder = Callable[[Benchmark, int], Benchmark]  # the first so many networks of a search part
LEAST_UNUSED = 20  # networks: on fewer of them a front says nothing
FITTED, USED, FRESH = 500, 500, 1000  # numbers of networks: see `study`
LOOKED_AT = {"nasbench201": USED + FRESH}  # held-out networks that runs and studies are tested on
SETS = ("all", "connected", "reachable", "search", "held-out", "study", "study-reachable")


class AtMost(int):
    """A number of networks, or all of them where there are fewer."""


def resolved_count(requested: int | None, available: int) -> int:
    """How many networks a request means: a number, `AtMost` a number, or None for all that are
    available. A plain number may be more than there are."""
    if requested is None:
        return available
    return min(requested, available) if isinstance(requested, AtMost) else requested


def search_networks(benchmark: Benchmark, count: int) -> Benchmark:
    """The networks of the search part that every run takes, `count` of them: one of each component,
    then a second one of those that have more, and so on. Near-equal networks say little more than
    one of them does. Raises `InputError` if there are fewer.
    """
    part = _search_part(benchmark, count)
    indices = across_components(part, benchmark.components, count, SEARCH_ORDER)
    return benchmark.subset(indices, "search")


def search_sample(benchmark: Benchmark, count: int, seed: int = SEARCH_ORDER) -> Benchmark:
    """`count` networks of the search part in an order that a seed draws; raises `InputError` if it
    has fewer."""
    return benchmark.subset(sample(_search_part(benchmark, count), count, seed), "search")


def _search_part(benchmark: Benchmark, count: int) -> Integers:
    part = benchmark.split.search
    if count > len(part):
        options = _settings_that_fit(len(part))
        raise InputError(
            "configuration keys evolution.networks + evolution.champion_networks: at most "
            f"{len(part)} in space {benchmark.space}, got {count}; try {options}"
        )
    return part


def search_samples(
    benchmarks: Sequence[Benchmark], count: int, order: SearchOrder = search_networks
) -> list[Benchmark]:
    """The first `count` networks of each benchmark in an order of search parts; one that has fewer
    gives all, where another has enough. Raises `InputError` if none has."""
    most = max(len(benchmark.split.search) for benchmark in benchmarks)
    return [
        order(b, min(count, size) if (size := len(b.split.search)) < most else count)
        for b in benchmarks
    ]


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
    in a search of this space, and none is kept for final figures."""
    indices = _held_out_in_order(benchmark)
    indices = indices[~_is_kept(benchmark)[indices]]
    return benchmark.subset(indices[:count], "held-out part")


def _held_out_in_order(benchmark: Benchmark) -> Integers:
    """The held-out part in the order in which its networks are taken: int64 [networks].

    In spaces of `LOOKED_AT` it is that of the whole space, so that no table, whatever its networks
    and their order, has others among the first.
    """
    part = benchmark.split.held_out
    if benchmark.space not in LOOKED_AT:
        return sample(part, len(part), HELD_OUT_ORDER)
    rank_of = _ranks(benchmark.space)
    ranks = [rank_of[benchmark.architectures[index]] for index in part]
    return part[np.argsort(ranks)]


@functools.cache
def _ranks(space: str) -> Mapping[str, int]:
    """Held-out network of a space that can be listed -> its place in the order of all of them."""
    networks = SPACES[space].architectures()
    part = np.flatnonzero(parts(SPACES[space], networks)[1])
    return {networks[i]: k for k, i in enumerate(sample(part, len(part), HELD_OUT_ORDER))}


def not_searched(
    benchmark: Benchmark,
    searched: int,
    helped: int,
    count: int,
    order: SearchOrder = search_networks,
    others: Sequence[Benchmark] = (),
) -> Benchmark:
    """Up to `count` networks of the search part of which none shares a component with the sample of
    a search, the same for every call.

    That sample, in the `order` of the search: `searched` networks, and `helped` further ones that
    helped to choose the champion alone. Where fewer than `LEAST_UNUSED` are left, the latter and
    their components join them, and the name of the subset says so. `others`: further tables of the
    space that the search saw a sample of, in the same order, which are left out too. Raises
    `InputError` where that is not enough.
    """
    part = _without(benchmark, others, searched + helped, order)
    used = order(benchmark, min(searched + helped, len(benchmark.split.search))).components
    names = (len(used), "search part, not searched"), (searched, "helped to choose the champion")
    for size, name in names:
        is_used = np.isin(benchmark.components[part], used[:size])
        left = part[~is_used]
        if len(left) >= LEAST_UNUSED:
            return benchmark.subset(sample(left, min(count, len(left)), HELD_OUT_ORDER), name)
    raise InputError(
        f"space {benchmark.source}: the search used all but {len(left)} of the "
        f"{len(benchmark.split.search)} networks of its search part; a front needs {LEAST_UNUSED}"
    )


def _without(
    benchmark: Benchmark, others: Sequence[Benchmark], size: int, order: SearchOrder
) -> Integers:
    """The search part without the components of samples of other tables of the space."""
    part, names_of = benchmark.split.search, benchmark.search_space.names
    samples = [order(other, min(size, len(other.split.search))).architectures for other in others]
    names = {name for architectures in samples for a in architectures for name in names_of(a)}
    if not names:
        return part
    is_named = [bool(names.intersection(names_of(benchmark.architectures[i]))) for i in part]
    components = benchmark.components[part]
    return part[~np.isin(components, components[is_named])]


def of_unseen_space(benchmark: Benchmark, count: int) -> Benchmark:
    """Up to `count` networks of a space that no search has seen, the same for every run; none that
    are kept for final figures in a space of `LOOKED_AT`."""
    available = np.flatnonzero(~_is_kept(benchmark))
    indices = sample(available, min(count, len(available)), HELD_OUT_ORDER)
    return benchmark.subset(indices, "space not searched")


def check_not_kept(benchmark: Benchmark, count: int) -> None:
    """Raises `InputError` where a run that is tested on `count` held-out networks would look at
    those that are kept for final figures."""
    most = LOOKED_AT.get(benchmark.space, count)
    if count > most:
        raise InputError(
            f"configuration key evidence.networks: at most {most} in space {benchmark.space}, got "
            f"{count}: the others are kept for `eznas final`"
        )


def _is_kept(benchmark: Benchmark) -> Booleans:
    """Which networks are kept for final figures in a space of `LOOKED_AT`: bool [networks]."""
    most = LOOKED_AT.get(benchmark.space)
    if most is None:
        return np.zeros(len(benchmark.architectures), dtype=bool)
    rank_of = _ranks(benchmark.space)
    return np.array([rank_of.get(a, 0) >= most for a in benchmark.architectures])


def untouched(benchmark: Benchmark, count: int | None = None, whole: bool = False) -> Benchmark:
    """The first `count` (None: all) of the networks for final figures, in an order that is fixed.

    Of a space in `LOOKED_AT`: the held-out networks after as many, on which no run is tested; of
    others the held-out part, or with `whole`, for a space that no search has used, all networks.
    Raises `InputError` for `whole` where there are untouched ones, and for fewer than 2 networks or
    more than there are.
    """
    skipped, size = LOOKED_AT.get(benchmark.space, 0), len(benchmark.architectures)
    if skipped and whole:
        raise InputError(f"space {benchmark.space}: searches have used it, not all can be final")
    if whole:
        indices = sample(np.arange(size), size, HELD_OUT_ORDER)
    else:
        indices = _held_out_in_order(benchmark)
    if skipped:
        indices = indices[_is_kept(benchmark)[indices]]
    name = "all, not searched" if whole else "untouched" if skipped else "held-out part"
    if not 2 <= (count := resolved_count(count, len(indices))) <= len(indices):
        raise InputError(f"networks {count}: expected 2 to {len(indices)} for the set {name!r}")
    return benchmark.subset(indices[:count], name)


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
        parts = benchmark.split
        part = parts.search if name == "search" else parts.held_out
        return np.isin(np.arange(len(benchmark.architectures)), part)
    space = benchmark.search_space
    if name == "reachable":  # no operation off the paths from input to output
        return np.array([a == space.live_cell(a) for a in benchmark.architectures])
    return np.array([space.connected(a) for a in benchmark.architectures])
