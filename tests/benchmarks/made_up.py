"""A made-up table of another space than NAS-Bench-201, for tests of more than one space."""

from eznas.benchmarks import Table
from eznas.benchmarks.store import Origin, store
from eznas.spaces import SPACES


def store_macro(count: int = 60, name: str = "") -> tuple[str, ...]:
    """Import accuracies of NAS-Bench-Macro networks, better for larger operations; returns the
    networks. They go to the folder that EZNAS_DATA names, as a table of that name."""
    networks = SPACES["nasbench-macro"].sample(count, seed=0)
    runs = {a: (50.0 + sum(map(int, a)) + i / 100,) for i, a in enumerate(networks)}
    store(Table("nasbench-macro", "test", {"cifar10": runs}), Origin("made.json", ""), name)
    return networks
