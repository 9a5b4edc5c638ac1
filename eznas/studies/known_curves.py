"""The learning curves that are here for a space."""

from eznas.benchmarks.curves import CURVES, Curves, curves_path, stored_curves


def curves_of(space: str, dataset: str) -> Curves | None:
    """The imported learning curves of a space's networks on a data set (at whatever size their
    images are measured: DATASET@SIZE), None where there are none.

    Raises `InputError` where their file is damaged.
    """
    for name in CURVES:
        if curves_path(name).exists():
            for curves in stored_curves(name)[0]:
                if (curves.space, curves.dataset) == (space, dataset.partition("@")[0]):
                    return curves
    return None
