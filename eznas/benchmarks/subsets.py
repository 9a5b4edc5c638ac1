"""Subsets of a benchmark: what a search may use, what is held out from it, and named sets.

The split into a search part and a held-out part is the same for every run (see `splits`).
"""

import numpy as np
import numpy.typing as npt

from eznas.benchmarks.benchmark import Benchmark
from eznas.benchmarks.splits import sample, split
from eznas.errors import InputError, unknown
from eznas.spaces import SPACES

HELD_OUT_ORDER = 0  # seed of the order of held-out networks: every run is tested on the same ones
FITTED, USED, FRESH = 500, 500, 1000  # networks of the study: see `study`
SETS = ("all", "connected", "reachable", "search", "held-out", "study", "study-reachable")


class AtMost(int):
    """A number of networks, or as many as there are."""


def resolved_count(wanted: int | None, available: int) -> int:
    """How many networks are wanted: a number, `AtMost` one, or None for all that are available."""
    if wanted is None:
        return available
    return min(wanted, available) if isinstance(wanted, AtMost) else wanted


def search_sample(benchmark: Benchmark, count: int, seed: int) -> Benchmark:
    """A sample of the search part; `InputError` where it has fewer networks."""
    part = split(benchmark.components).search
    if count > len(part):
        raise InputError(
            "configuration keys evolution.networks + evolution.champion_networks: at most "
            f"{len(part)} in space {benchmark.space}, got {count}; try {_fitting(len(part))}"
        )
    return benchmark.subset(sample(part, count, seed), "search")


def _fitting(available: int) -> str:
    champion = available // 6
    settings = {
        "first_networks": (available - champion) // 2,
        "networks": available - champion,
        "champion_networks": champion,
    }
    return " ".join(f"--set {key}={value}" for key, value in settings.items())


def held_out(benchmark: Benchmark, count: int) -> Benchmark:
    """Networks of the held-out part, as many as there are up to a count: the same for every run;
    none of them takes part in a search of this space."""
    part = split(benchmark.components).held_out
    chosen = sample(part, min(count, len(part)), HELD_OUT_ORDER)
    return benchmark.subset(chosen, "held-out, all")


def of_unseen_space(benchmark: Benchmark, count: int) -> Benchmark:
    """Networks of a space that no search has seen, as many as there are up to a count."""
    indices = np.arange(len(benchmark.architectures))
    chosen = sample(indices, min(count, len(indices)), HELD_OUT_ORDER)
    return benchmark.subset(chosen, "space held out, all")


def study(benchmark: Benchmark) -> tuple[Benchmark, Benchmark]:
    """Networks to fit on, and networks to test on that no component joins to them.

    The first are `FITTED` of the search part, in the order of seed 0. The second are `FRESH` held
    out ones beyond the first `USED`, on which runs are tested and presets were chosen. `InputError`
    for a space with too few networks.
    """
    part = held_out(benchmark, USED + FRESH)
    if len(part.architectures) < USED + FRESH:
        raise InputError(
            f"space {benchmark.space}: the study needs {USED + FRESH} held-out networks, "
            f"there are {len(part.architectures)}"
        )
    fresh = part.subset(np.arange(USED, USED + FRESH), "held-out, fresh")
    return search_sample(benchmark, FITTED, 0), fresh


def named_set(benchmark: Benchmark, name: str, count: int | None, seed: int) -> Benchmark:
    """A sample of one of `SETS`; all of it where no count is given. The study comes in its own
    order, whatever the seed. `InputError` for an unknown set or a count that it does not have."""
    if name not in SETS:
        raise unknown("set", name, SETS)
    in_own_order = name.startswith("study")
    if in_own_order:
        numbers = {a: i for i, a in enumerate(benchmark.architectures)}
        parts = study(benchmark)
        indices = np.array([numbers[a] for part in parts for a in part.architectures])
        if name == "study-reachable":
            indices = indices[_members(benchmark, "reachable")[indices]]
    else:
        indices = np.flatnonzero(_members(benchmark, name))
    size = resolved_count(count, len(indices))
    if not 2 <= size <= len(indices):
        raise InputError(f"networks {size}: expected 2 to {len(indices)} for the set {name!r}")
    if in_own_order:
        return benchmark.subset(indices[:size], name)
    chosen = np.sort(indices) if size == len(indices) else sample(indices, size, seed)
    return benchmark.subset(chosen, name)


def _members(benchmark: Benchmark, name: str) -> npt.NDArray[np.bool_]:
    """Which networks belong to a set: bool [networks]."""
    if name == "all":
        return np.ones(len(benchmark.architectures), dtype=bool)
    if name in ("search", "held-out"):
        parts = split(benchmark.components)
        part = parts.search if name == "search" else parts.held_out
        return np.isin(np.arange(len(benchmark.architectures)), part)
    space = SPACES[benchmark.space]
    if name == "reachable":  # no operation off the paths from input to output
        return np.array([a == space.live_cell(a) for a in benchmark.architectures])
    return np.array([space.connected(a) for a in benchmark.architectures])
