"""Readers of published tables: one file for each format, named once in `READERS`.

A reader is a function of the official file (or folder) and the search space. It returns a `Table`
and raises `InputError` naming the file, and the entry in it, that is not as expected. Readers do
not import one another; what they share is in `entries`, `pickles` and `plain_csv`.
"""

from collections.abc import Callable
from pathlib import Path

from eznas.benchmarks.benchmark import Table
from eznas.benchmarks.readers import macro, nasbench101, nats, nds, transnas
from eznas.spaces import Space

READERS: dict[str, Callable[[Path, Space], Table]] = {  # by name of the search space
    "nasbench101": nasbench101.read,
    "nasbench-macro": macro.read,
    "nats-size": nats.read,
    "transnas-micro": transnas.read,
    "transnas-macro": transnas.read,
    **dict.fromkeys(nds.FILES, nds.read),
}
