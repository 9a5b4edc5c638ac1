"""The learning curves that are here for a space."""

from eznas.benchmarks.curves import CURVES, Curves, curves_path, load_curves
from eznas.errors import InputError


def curves_of(space: str, dataset: str) -> Curves | None:
    """The imported learning curves of a space's networks on a data set, None where there are none.

    Raises `InputError` where their file is damaged.
    """
    for name in CURVES:
        if not curves_path(name).exists():
            continue
        if load_curves(name).space == space:
            try:
                return load_curves(name, dataset)
            except InputError:
                return None
    return None
