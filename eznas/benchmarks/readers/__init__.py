"""Readers of published tables: one file for each format, named once in `READERS` or, if it has
learning curves, in `CURVE_READERS`.

A reader is a function of the official file (or folder) and the search space. It returns a `Table`
and raises `InputError` naming the file, and the entry in it, that is not as expected. A reader of
learning curves is a function of the file; it returns `Curves` for each data set. Readers do not
import one another; what they share is in `entries`, `pickles`, `plain_csv` and `curve_csv`.
"""

from collections.abc import Callable
from pathlib import Path

from eznas.benchmarks.benchmark import Table
from eznas.benchmarks.curves import Curves
from eznas.benchmarks.readers import (
    baker,
    macro,
    naap440,
    nasbench101,
    nasbench201_epochs,
    nats,
    nds,
    transnas,
)
from eznas.spaces import Space

READERS: dict[str, Callable[[Path, Space], Table]] = {  # by name of the search space
    "nasbench101": nasbench101.read,
    "nasbench-macro": macro.read,
    "naap440": naap440.read,
    "nats-size": nats.read,
    "transnas-micro": transnas.read,
    "transnas-macro": transnas.read,
    **dict.fromkeys(nds.FILES, nds.read),
}
CURVE_READERS: dict[str, Callable[[Path], tuple[Curves, ...]]] = {  # by name in `CURVES`
    "naap440": naap440.read_curves,
    "nasbench201-12-epochs": nasbench201_epochs.read_curves,
    "metaqnn-cifar10": baker.read_metaqnn,
    "deep-resnets-cifar10": baker.read_resnets,
}
